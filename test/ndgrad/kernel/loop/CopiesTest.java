package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Interpreter;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

class CopiesTest {

  /** Elements as boxed values in row-major order. */
  private static Object[] boxed(Strided s) {
    Object[] out = new Object[s.layout().intSize()];
    Arrays.setAll(
        out,
        i -> Array.get(s.array(), s.layout().position(Samples.unravel(i, s.layout().shape()))));
    return out;
  }

  private static Object[] converted(Strided s, DType to) {
    return Arrays.stream(boxed(s)).map(v -> Interpreter.convert(v, to)).toArray();
  }

  @Test
  void anyDtypeAndLayoutToAnyOther() {
    for (int seed = 0; seed < 3000; seed++) {
      Random r = new Random(seed);
      int[] shape = seed % 20 == 0 ? Samples.shortRows(r) : Samples.shape(r, 0, 5);
      DType[] dtypes = DType.values();
      Strided from = Samples.array(r, dtypes[r.nextInt(5)], shape.clone());
      Strided to = Samples.target(r, dtypes[r.nextInt(5)], shape.clone());
      Object[] before = boxed(to.with(Layout.of(DType.lengthOf(to.array()))));
      Copies.copy(from, to);
      assertArrayEquals(converted(from, to.dtype()), boxed(to));
      Object[] expected = before.clone();
      for (int i = 0; i < to.layout().size(); i++) {
        int at = to.layout().position(Samples.unravel(i, shape));
        expected[at] = Array.get(to.array(), at);
      }
      assertArrayEquals(
          expected, boxed(to.with(Layout.of(before.length))), "nothing else is written");
    }
  }

  @Test
  void conversionsSaturateAndTruncate() {
    Strided from = wrap(new double[] {2.9, -2.9, Double.NaN, 1e30, Double.NEGATIVE_INFINITY, -0.0});
    Strided ints = Strided.zeros(DType.INT32, 6);
    Copies.copy(from, ints);
    assertArrayEquals(
        new int[] {2, -2, 0, Integer.MAX_VALUE, Integer.MIN_VALUE, 0}, (int[]) ints.array());
    Strided bools = Strided.zeros(DType.BOOL, 6);
    Copies.copy(from, bools);
    assertArrayEquals(
        new boolean[] {true, true, true, true, true, false}, (boolean[]) bools.array());
    Strided longs = wrap(new long[] {(1L << 53) + 1, Long.MIN_VALUE});
    assertArrayEquals((long[]) longs.array(), (long[]) Copies.copyOf(longs).array());
  }

  @Test
  void overlappingCopiesReadFirst() {
    for (int seed = 0; seed < 500; seed++) {
      Random r = new Random(seed);
      int n = 1 + r.nextInt(80);
      Storage storage = new Storage(r.ints(4 * n * n).toArray());
      Strided from = new Strided(storage, view(r, n));
      Strided to = new Strided(storage, view(r, n));
      Object[] expected = boxed(from);
      Copies.copy(from, to);
      assertArrayEquals(expected, boxed(to));
    }
  }

  private static Layout view(Random r, int n) {
    Layout l = Layout.of(2 * n, 2 * n);
    boolean rows = r.nextInt(3) == 0;
    for (int axis = 0; axis < 2; axis++) {
      l = l.slice(axis, rows && axis == 1 ? 0 : r.nextInt(n), n, 1);
      l = !rows && r.nextBoolean() ? l.flip(axis) : l;
    }
    return !rows && r.nextBoolean() ? l.permute(1, 0) : l;
  }

  @Test
  void oneElementAtEveryPlace() {
    for (DType dtype : DType.values()) {
      for (int rows : new int[] {1, 3, 2000}) {
        Strided three = Copies.copyOf(wrap(new int[] {0, 1, 0}), dtype);
        Strided one = three.with(three.layout().slice(0, 1, 1, 1));
        Strided all = one.with(one.layout().broadcastTo(rows, 500));
        assertArrayEquals(boxed(all), boxed(Copies.copyOf(all)), dtype + " " + rows);
        Copies.copy(one, three);
        assertArrayEquals(boxed(one.with(one.layout().broadcastTo(3))), boxed(three));
      }
    }
  }

  @Test
  void largeTransposedCopies() {
    Random r = new Random(3);
    Strided flat = wrap(r.ints(6 * 130 * 170).toArray());
    int[][] orders = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
    for (int[] order : orders) {
      for (int[] shape : new int[][] {{6, 130, 170}, {130, 6, 170}, {170, 130, 6}}) {
        Strided from = flat.with(Layout.of(shape.clone()).permute(order));
        assertArrayEquals(boxed(from), boxed(Copies.copyOf(from)));
      }
    }
  }

  @Test
  void largeCopiesOfAnyDtypeAndLayout() {
    int before = Threads.numThreads();
    try {
      for (int seed = 0; seed < 100; seed++) {
        Random r = new Random(seed);
        Threads.setNumThreads(1 + r.nextInt(3));
        DType dtype = DType.values()[r.nextInt(5)];
        int[] shape = Samples.largeShape(r, 80_000);
        Strided from = Samples.array(r, dtype, shape.clone());
        Strided to = Samples.target(r, dtype, shape.clone());
        Object[] old = boxed(to.with(Layout.of(DType.lengthOf(to.array()))));
        Copies.copy(from, to);
        assertArrayEquals(boxed(from), boxed(to));
        boolean[] written = new boolean[old.length];
        for (int i = 0; i < to.layout().size(); i++) {
          written[to.layout().position(Samples.unravel(i, shape))] = true;
        }
        for (int at = 0; at < old.length; at++) {
          if (!written[at]) {
            assertEquals(old[at], Array.get(to.array(), at), "nothing else is written");
          }
        }
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void broadcastsTheSource() {
    Strided to = Strided.zeros(DType.FLOAT32, 2, 3);
    Copies.copy(wrap(new int[] {1, 2, 3}), to);
    assertArrayEquals(new float[] {1, 2, 3, 1, 2, 3}, (float[]) to.array());
    assertThrows(ShapeException.class, () -> Copies.copy(wrap(new int[] {1, 2}), to));
    assertThrows(
        ShapeException.class, () -> Copies.copy(Strided.zeros(DType.FLOAT32, 1, 2, 3), to));
    assertEquals(3f, ((float[]) to.array())[5]);
  }

  private static Strided wrap(Object data) {
    return new Strided(new Storage(data), Layout.of(DType.lengthOf(data)));
  }
}
