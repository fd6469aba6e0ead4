package ndgrad.kernel.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.HashSet;
import java.util.Optional;
import java.util.Random;
import java.util.Set;
import java.util.function.IntBinaryOperator;
import java.util.function.UnaryOperator;
import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import org.junit.jupiter.api.Test;

/** Views are compared with an enumeration of the places in the storage that they should show. */
class LayoutTest {
  /** The places of all elements in row-major order. */
  private static int[] places(Layout l) {
    int[] shape = l.shape();
    int[] out = new int[l.intSize()];
    Arrays.setAll(out, i -> l.position(Samples.unravel(i, shape)));
    return out;
  }

  private static Layout random(Random r, int minDims) {
    return Samples.array(r, DType.BOOL, Samples.shape(r, minDims, 5)).layout();
  }

  /**
   * Expects element {@code index} of the view to be element {@code origin(index)} of the source.
   */
  private static void expect(Layout source, Layout view, UnaryOperator<int[]> origin) {
    for (int i = 0; i < view.size(); i++) {
      int[] index = Samples.unravel(i, view.shape());
      assertEquals(source.position(origin.apply(index.clone())), view.position(index));
    }
  }

  @Test
  void freshLayoutsOfOneShapeAreShared() {
    int[] shape = {2, 3};
    Layout l = Layout.of(shape);
    assertSame(l, Layout.of(2, 3));
    shape[0] = 5;
    assertArrayEquals(new int[] {2, 3}, l.shape());
    assertArrayEquals(new int[] {5, 3}, Layout.of(shape).shape());
    for (int i = 0; i < 2000; i++) {
      assertArrayEquals(new int[] {i, 64}, Layout.of(i, 64).shape());
    }
  }

  @Test
  void freshLayoutsAreRowMajor() {
    assertArrayEquals(new int[] {12, 4, 1}, Layout.of(2, 3, 4).strides());
    assertEquals(24, Layout.of(2, 3, 4).size());
    assertEquals(1, Layout.of().size());
    assertEquals(0, Layout.of(3, 0, 1 << 30, 1 << 30).size());
    assertTrue(Layout.of(2, 3).isContiguous());
    assertEquals(Layout.of(2, 3), Layout.of(2, 3));
    assertEquals(Layout.of(2, 3).hashCode(), Layout.of(2, 3).hashCode());
    assertThrows(ShapeException.class, () -> Layout.of(2, -1));
    assertThrows(ShapeException.class, () -> Layout.of(1 << 16, 1 << 16));
    assertThrows(ShapeException.class, () -> Layout.of(1 << 30, 1 << 30, 1 << 30, 1 << 30));
  }

  @Test
  void contiguousMeansOneBehindTheOther() {
    for (int seed = 0; seed < 2000; seed++) {
      Layout l = random(new Random(seed), 0);
      int[] places = places(l);
      boolean expected = true;
      for (int i = 1; i < places.length; i++) {
        expected &= places[i] == places[i - 1] + 1;
      }
      assertEquals(expected, l.isContiguous(), l + " " + Arrays.toString(l.strides()));
      Set<Integer> distinct = new HashSet<>();
      Arrays.stream(places).forEach(distinct::add);
      assertEquals(distinct.size() < places.length, l.isBroadcast());
      assertEquals(distinct.size() == 1, l.isOneElement());
    }
  }

  @Test
  void reshapeGivesAViewExactlyWhenOneExists() {
    int views = 0;
    for (int seed = 0; seed < 5000; seed++) {
      Random r = new Random(seed);
      Layout l = random(r, 0);
      int[] target = refactor(r, (int) l.size());
      int[] places = places(l);
      Optional<Layout> view = l.reshape(target.clone());
      if (view.isPresent()) {
        views++;
        assertArrayEquals(target, view.get().shape());
        assertArrayEquals(places, places(view.get()));
      }
      assertEquals(
          isAffine(places, target), view.isPresent(), l + " to " + Arrays.toString(target));
    }
    assertTrue(views > 1000);
  }

  /**
   * Whether some strides show the places in this shape: the strides are those between the first
   * neighbours.
   */
  private static boolean isAffine(int[] places, int[] shape) {
    if (places.length == 0) {
      return true;
    }
    int[] strides = new int[shape.length];
    int step = 1;
    for (int axis = shape.length - 1; axis >= 0; axis--) {
      strides[axis] = shape[axis] > 1 ? places[step] - places[0] : 0;
      step *= shape[axis];
    }
    return Arrays.equals(places, places(Layout.of(shape, strides, places[0])));
  }

  /** A random shape of some size. */
  private static int[] refactor(Random r, int size) {
    if (size == 0) {
      return r.nextBoolean() ? new int[] {0} : new int[] {r.nextInt(4), 0, r.nextInt(4)};
    }
    int[] shape = new int[1 + r.nextInt(4)];
    Arrays.fill(shape, 1);
    for (int rest = size, p = 2; rest > 1; ) {
      if (rest % p == 0) {
        shape[r.nextInt(shape.length)] *= p;
        rest /= p;
      } else {
        p++;
      }
    }
    return size == 1 && r.nextBoolean() ? new int[0] : shape;
  }

  @Test
  void permuteSliceFlipAndSelect() {
    for (int seed = 0; seed < 1000; seed++) {
      Random r = new Random(seed);
      Layout l = random(r, 1);
      int n = l.ndim();
      int axis = r.nextInt(n);
      Integer[] order = new Integer[n];
      Arrays.setAll(order, i -> i);
      java.util.Collections.shuffle(Arrays.asList(order), r);
      int[] axes = Arrays.stream(order).mapToInt(i -> i).toArray();
      int[] signed = Arrays.stream(axes).map(i -> r.nextBoolean() ? i : i - n).toArray();
      expect(
          l,
          l.permute(signed),
          index -> {
            int[] origin = new int[n];
            for (int i = 0; i < n; i++) {
              origin[axes[i]] = index[i];
            }
            return origin;
          });
      int d = l.dim(axis);
      expect(l, l.flip(axis), at(axis, (i, _) -> d - 1 - i));
      assertEquals(l.size(), l.flip(axis).size());
      int step = (1 + r.nextInt(3)) * (r.nextBoolean() ? 1 : -1);
      int start = d == 0 ? 0 : r.nextInt(d);
      int count = d == 0 ? 0 : 1 + (step > 0 ? d - 1 - start : start) / Math.abs(step);
      Layout slice = l.slice(axis, start, count, step);
      assertEquals(count, slice.dim(axis));
      expect(l, slice, at(axis, (i, _) -> start + i * step));
      if (d > 0) {
        int pick = r.nextInt(d);
        Layout selected = l.select(axis, r.nextBoolean() ? pick : pick - d);
        assertEquals(n - 1, selected.ndim());
        expect(l, selected, index -> insert(index, axis, pick));
      }
      assertThrows(IndexException.class, () -> l.select(axis, d));
      assertThrows(IndexException.class, () -> l.select(axis, -d - 1L));
    }
    assertThrows(ShapeException.class, () -> Layout.of(2, 3).permute(0));
    assertThrows(ShapeException.class, () -> Layout.of(2, 3).permute(0, -2));
    assertThrows(ShapeException.class, () -> Layout.of(2, 3).permute(0, 2));
  }

  private static UnaryOperator<int[]> at(int axis, IntBinaryOperator f) {
    return index -> {
      index[axis] = f.applyAsInt(index[axis], 0);
      return index;
    };
  }

  private static int[] insert(int[] index, int axis, int value) {
    int[] out = new int[index.length + 1];
    for (int i = 0; i < out.length; i++) {
      out[i] = i < axis ? index[i] : i == axis ? value : index[i - 1];
    }
    return out;
  }

  @Test
  void axesOfLengthOneComeAndGo() {
    for (int seed = 0; seed < 500; seed++) {
      Random r = new Random(seed);
      Layout l = random(r, 0);
      int axis = r.nextInt(l.ndim() + 1);
      Layout more = l.unsqueeze(axis);
      assertEquals(1, more.dim(axis));
      assertArrayEquals(places(l), places(more));
      assertEquals(l, more.squeeze(axis));
      assertEquals(l.isContiguous(), more.isContiguous());
    }
  }

  @Test
  void broadcastingFollowsNumpy() {
    for (int seed = 0; seed < 1000; seed++) {
      Random r = new Random(seed);
      Layout l = random(r, 0);
      int extra = r.nextInt(3);
      int[] target = new int[l.ndim() + extra];
      for (int i = 0; i < target.length; i++) {
        int own = i - extra;
        target[i] = own < 0 || l.dim(own) == 1 ? r.nextInt(4) : l.dim(own);
      }
      Layout view = l.broadcastTo(target.clone());
      assertArrayEquals(target, view.shape());
      expect(
          l,
          view,
          index -> {
            int[] origin = Arrays.copyOfRange(index, extra, index.length);
            for (int i = 0; i < origin.length; i++) {
              origin[i] = l.dim(i) == 1 ? 0 : origin[i];
            }
            return origin;
          });
      assertArrayEquals(target, Dimensions.broadcast(l, Layout.of(target)));
      assertArrayEquals(target, Dimensions.broadcast(Layout.of(target), l, Layout.of()));
    }
    assertThrows(ShapeException.class, () -> Layout.of(3).broadcastTo(2));
    assertThrows(ShapeException.class, () -> Layout.of(1, 3).broadcastTo(3));
    assertThrows(ShapeException.class, () -> Layout.of(1).broadcastTo(-1));
    assertEquals(1L << 60, Layout.of().broadcastTo(1 << 30, 1 << 30).size());
    assertThrows(ShapeException.class, () -> Layout.of().broadcastTo(1 << 30, 1 << 30).intSize());
  }

  @Test
  void diagonalsOfAnyPlane() {
    for (int seed = 0; seed < 1000; seed++) {
      Random r = new Random(seed);
      Layout l = random(r, 2);
      int a = r.nextInt(l.ndim());
      int b = (a + 1 + r.nextInt(l.ndim() - 1)) % l.ndim();
      int k = r.nextInt(13) - 6;
      Layout diagonal = l.diagonal(k, a, b);
      int expected = 0;
      for (int i = 0; i < l.dim(a); i++) {
        expected += i + k >= 0 && i + k < l.dim(b) ? 1 : 0;
      }
      int last = diagonal.ndim() - 1;
      assertEquals(l.ndim() - 1, diagonal.ndim());
      assertEquals(expected, diagonal.dim(last));
      expect(
          l,
          diagonal,
          index -> {
            int i = index[last];
            int[] rest = Arrays.copyOf(index, last);
            int row = k < 0 ? i - k : i;
            int column = k < 0 ? i : i + k;
            return a < b
                ? insert(insert(rest, a, row), b, column)
                : insert(insert(rest, b, column), a, row);
          });
    }
  }

  @Test
  void overlapIsNeverMissed() {
    int apart = 0;
    for (int seed = 0; seed < 2000; seed++) {
      Random r = new Random(seed);
      Layout a = random(r, 0);
      Layout b = random(r, 0);
      Layout shifted = Layout.of(b.shape(), b.strides(), b.offset() + r.nextInt(80));
      Set<Integer> places = new HashSet<>();
      Arrays.stream(places(a)).forEach(places::add);
      boolean share = Arrays.stream(places(shifted)).anyMatch(places::contains);
      assertTrue(!share || a.mayOverlap(shifted) && shifted.mayOverlap(a));
      apart += a.size() > 0 && b.size() > 0 && !a.mayOverlap(shifted) ? 1 : 0;
    }
    assertTrue(apart > 100);
    assertFalse(Layout.of(0).mayOverlap(Layout.of(3)));
  }

  @Test
  void axesCountFromTheEnd() {
    assertEquals(2, Layout.of(2, 3, 4).axis(-1));
    assertEquals(0, Layout.of(2, 3, 4).axis(-3));
    assertArrayEquals(new int[] {2, 0}, Layout.of(2, 3, 4).axes(-1, 0));
    assertThrows(ShapeException.class, () -> Layout.of(2).axis(1));
    assertThrows(ShapeException.class, () -> Layout.of(2).axis(-2));
    assertThrows(ShapeException.class, () -> Layout.of().axis(0));
    assertThrows(ShapeException.class, () -> Layout.of(2, 3).axes(1, -1));
  }

  @Test
  void hasAtMostSoManyDimensions() {
    int[] most = new int[Layout.MOST_DIMENSIONS];
    assertThrows(ShapeException.class, () -> Layout.of(new int[most.length + 1]));
    assertThrows(ShapeException.class, () -> Layout.of(most).unsqueeze(0));
    Layout view = Layout.of(most, most, 1);
    assertThrows(ShapeException.class, () -> view.unsqueeze(0));
  }
}
