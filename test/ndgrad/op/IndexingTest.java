package ndgrad.op;

import static ndgrad.op.Slopes.doubles;
import static ndgrad.op.Slopes.gradient;
import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.Index;
import ndgrad.IndexException;
import ndgrad.MutationException;
import ndgrad.ShapeException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Structural;
import org.junit.jupiter.api.Test;

class IndexingTest {
  private static final int DRAWS = 3000;

  private static Tensor array(double... x) {
    return new Tensor(Nested.array(x));
  }

  private static int version(Tensor t) {
    return t.strided().storage().version();
  }

  private static int[] shape(Random random) {
    int[] out = new int[random.nextInt(5)];
    Arrays.setAll(out, i -> random.nextInt(20) == 0 ? 0 : 1 + random.nextInt(4));
    return out;
  }

  private static double[] numbers(int n, double first) {
    double[] out = new double[n];
    Arrays.setAll(out, i -> first + i);
    return out;
  }

  private static int size(int[] shape) {
    return Arrays.stream(shape).reduce(1, (a, b) -> a * b);
  }

  @Test
  void readsWhatTheDefinitionSelects() {
    Random random = new Random(1);
    for (int draw = 0; draw < DRAWS; draw++) {
      int[] shape = shape(random);
      double[] values = numbers(size(shape), 0);
      Tensor x = NaiveIndex.arranged(values, shape, random.nextInt(3));
      NaiveIndex index = NaiveIndex.draw(random, shape);
      Tensor got = Indexing.GET.of(x, index.items);
      String what = index.toString();
      assertArrayEquals(index.resultShape, got.shape(), what);
      double[] expected = Arrays.stream(index.selected).mapToDouble(i -> values[i]).toArray();
      assertArrayEquals(expected, doubles(got), what);
      assertEquals(index.isView(), got.strided().storage() == x.strided().storage(), what);
    }
  }

  @Test
  void writesWhatTheDefinitionSelects() {
    Random random = new Random(2);
    for (int draw = 0; draw < DRAWS; draw++) {
      int[] shape = shape(random);
      double[] values = numbers(size(shape), 0);
      NaiveIndex index = NaiveIndex.draw(random, shape);
      int[] from = index.resultShape.clone();
      for (int i = 0; i < from.length; i++) {
        from[i] = random.nextInt(3) == 0 ? 1 : from[i];
      }
      int skip = random.nextInt(from.length + 1);
      from = Arrays.copyOfRange(from, random.nextBoolean() ? skip : 0, from.length);
      double[] given = numbers(size(from), 1000);
      Tensor value = NaiveIndex.arranged(given, from, random.nextInt(3));
      double[] wide = doubles(Structural.BROADCAST_TO.of(value, index.resultShape));
      double[] expected = values.clone();
      for (int i = 0; i < wide.length; i++) {
        expected[index.selected[i]] = wide[i];
      }
      Tensor x = NaiveIndex.arranged(values, shape, random.nextInt(3));
      int version = version(x);
      Tensor changed = Indexing.SETITEM.of(x, index.items, value);
      assertArrayEquals(expected, doubles(changed), index.toString());
      assertArrayEquals(values, doubles(x), index.toString());
      assertSame(x, Indexing.set(x, index.items, value));
      assertArrayEquals(expected, doubles(x), index.toString());
      assertEquals(version + 1, version(x));
    }
  }

  /** What is read has the gradient of its places, each as often as it was read. */
  @Test
  void gradientsOfReadingCountEveryUse() {
    Random random = new Random(3);
    for (int draw = 0; draw < 500; draw++) {
      int[] shape = shape(random);
      NaiveIndex index = NaiveIndex.draw(random, shape);
      Tensor x = NaiveIndex.arranged(numbers(size(shape), 0), shape, random.nextInt(3));
      x.requireGrad(true);
      double[] expected = new double[size(shape)];
      for (int i : index.selected) {
        expected[i]++;
      }
      double[] got = doubles(gradient(Indexing.GET.of(x, index.items), x));
      assertArrayEquals(expected, got, index.toString());
    }
  }

  /** An array written to has no gradient there; of a value only what stays has one. */
  @Test
  void gradientsOfWritingAreTheSameInAndOutOfPlace() {
    Random random = new Random(4);
    for (int draw = 0; draw < 500; draw++) {
      int[] shape = shape(random);
      NaiveIndex index = NaiveIndex.draw(random, shape);
      Tensor x = NaiveIndex.arranged(numbers(size(shape), 0), shape, random.nextInt(3));
      double[] given = numbers(size(index.resultShape), 0);
      Tensor v = NaiveIndex.arranged(given, index.resultShape, 0);
      x.requireGrad(true);
      v.requireGrad(true);
      double[] kept = new double[size(shape)];
      Arrays.fill(kept, 1);
      double[] arrives = new double[given.length];
      int[] owner = new int[kept.length];
      for (int i = 0; i < given.length; i++) {
        kept[index.selected[i]] = 0;
        owner[index.selected[i]] = i + 1;
      }
      for (int o : owner) {
        if (o > 0) {
          arrives[o - 1] = 1;
        }
      }
      Tensor copy = Indexing.SETITEM.of(x, index.items, v);
      Tensor written = Arithmetic.MUL.of(x, 1.0);
      Indexing.set(written, index.items, v);
      for (Tensor y : List.of(copy, written)) {
        assertArrayEquals(kept, doubles(gradient(y, x)), index.toString());
        assertArrayEquals(arrives, doubles(gradient(y, v)), index.toString());
      }
    }
  }

  @Test
  void gradientsOfRepeatedIndexesAddUp() {
    Tensor x = tracked(1, 2, 3);
    Tensor y = Indexing.GET.of(x, List.of(List.of(0L, 0L, 1L)));
    assertArrayEquals(new double[] {2, 1, 0}, doubles(gradient(y, x)));
  }

  @Test
  void aWriteIntoATrackedResultStopsItsGradient() {
    Tensor x = tracked(1, 2, 3);
    Tensor y = Arithmetic.MUL.of(x, 2.0);
    Indexing.set(y, List.of(0L), 5.0);
    assertArrayEquals(new double[] {5, 4, 6}, doubles(y));
    assertArrayEquals(new double[] {0, 2, 2}, doubles(gradient(y, x)));
  }

  @Test
  void aWriteByArraysThroughAViewIsSeenByTheWhole() {
    Tensor x = tracked(1, 2, 3, 4);
    Tensor v = tracked(10);
    Tensor y = Arithmetic.MUL.of(x, x);
    Tensor back = Shapes.FLIP.of(y);
    Indexing.set(back, Index.of(0, 3), Arithmetic.MUL.of(v, 3.0));
    assertArrayEquals(new double[] {30, 4, 9, 30}, doubles(y));
    assertArrayEquals(new double[] {30, 9, 4, 30}, doubles(back));
    Tensor cubes = Arithmetic.MUL.of(y, back);
    assertArrayEquals(new double[] {0, 72, 48, 0}, doubles(gradient(cubes, x)), 1e-12);
    assertArrayEquals(new double[] {360}, doubles(gradient(cubes, v)), 1e-12);
  }

  @Test
  void aTrackedValueMakesAPlainArrayPartOfItsHistory() {
    Tensor v = tracked(7);
    Tensor y = array(1, 2, 3);
    Indexing.set(y, Index.of(1), v);
    assertTrue(y.requiresGrad());
    assertArrayEquals(new double[] {1}, doubles(gradient(y, v)));
  }

  @Test
  void aLeafThatRequiresAGradientTakesPlainValuesOnly() {
    Tensor x = tracked(1, 2, 3);
    Indexing.set(x, Index.at(0), 5.0);
    Indexing.set(x, Index.of(1, 2), array(6, 7));
    assertArrayEquals(new double[] {5, 6, 7}, doubles(x));
    assertTrue(x.isLeaf());
    Tensor tracked = Arithmetic.MUL.of(x, 2.0);
    assertThrows(GraphException.class, () -> Indexing.set(x, Index.at(0), tracked));
    Tensor view = Indexing.get(x, Index.slice(0, 2));
    assertThrows(GraphException.class, () -> Indexing.set(view, Index.at(0), 1.0));
    boolean before = GradMode.set(false);
    try {
      Indexing.set(view, Index.at(0), 1.0);
    } finally {
      GradMode.set(before);
    }
    assertArrayEquals(new double[] {1, 6, 7}, doubles(x));
  }

  @Test
  void aFailedWriteChangesNothing() {
    Tensor x = array(1, 2, 3);
    assertThrows(IndexException.class, () -> Indexing.set(x, Index.of(0, 3), 9.0));
    assertThrows(IndexException.class, () -> Indexing.set(x, Index.at(-4), 9.0));
    assertThrows(ShapeException.class, () -> Indexing.set(x, Index.of(0, 1), array(1, 2, 3)));
    assertThrows(ShapeException.class, () -> Indexing.set(x, Index.all(), array(1, 2)));
    assertThrows(ArgumentException.class, () -> Indexing.set(x, Index.at(0), "nine"));
    assertArrayEquals(new double[] {1, 2, 3}, doubles(x));
    assertEquals(0, version(x));
    Tensor ints = new Tensor(Nested.array(new int[] {1, 2}));
    assertThrows(DTypeException.class, () -> Indexing.set(ints, Index.of(0), 1L << 40));
    assertEquals(0, version(ints));
    Tensor wide = Structural.BROADCAST_TO.of(x, new int[] {2, 3});
    assertThrows(ArgumentException.class, () -> Indexing.set(wide, Index.at(0), 9.0));
    assertThrows(ArgumentException.class, () -> Indexing.set(wide, Index.of(0), 9.0));
    assertEquals(0, version(x));
  }

  @Test
  void aValueOfTheSameStorageIsReadFirst() {
    Tensor x = array(0, 1, 2, 3, 4);
    Indexing.set(x, Index.slice(1, 5), Indexing.get(x, Index.slice(0, 4)));
    assertArrayEquals(new double[] {0, 0, 1, 2, 3}, doubles(x));
    Indexing.set(x, Index.of(0, 1, 2, 3, 4), Shapes.FLIP.of(x));
    assertArrayEquals(new double[] {3, 2, 1, 0, 0}, doubles(x));
    assertEquals(2, version(x));
  }

  @Test
  void valuesAreConvertedAsAssignmentsDo() {
    Tensor ints = new Tensor(Nested.array(new int[] {1, 2, 3}));
    Tensor v = tracked(-2.7);
    Indexing.set(ints, Index.at(0), v);
    Indexing.set(ints, Index.of(2), v);
    assertEquals(List.of(-2L, 2L, -2L), Nested.toHost(ints));
    assertFalse(ints.requiresGrad());
    Tensor flags = new Tensor(Nested.array(new boolean[] {false, false}));
    Indexing.set(flags, Index.of(1), 0.5);
    assertEquals(List.of(false, true), Nested.toHost(flags));
    assertEquals(DType.INT32, Indexing.SETITEM.of(ints, List.of(0L), 9.9).dtype());
  }

  @Test
  void aWriteThroughAViewOfASavedValueIsFound() {
    Tensor x = tracked(1, 2, 3);
    Tensor y = Arithmetic.MUL.of(x, 1.0);
    Tensor squares = Arithmetic.MUL.of(y, y);
    Indexing.set(Shapes.UNSQUEEZE.of(y, 0), List.of(0L, Index.of(1)), 0.0);
    var error = assertThrows(MutationException.class, () -> gradient(squares, x));
    assertEquals("set!", error.data().get("mutated-by"));
  }

  @Test
  void zeroDimensionalIndexArraysCopy() {
    Tensor x = array(1, 2, 3);
    Tensor one = new Tensor(Nested.array(1L));
    Tensor got = Indexing.get(x, one);
    assertEquals(2.0, Nested.item(got));
    assertNotSame(x.strided().storage(), got.strided().storage());
    assertArrayEquals(new int[] {1, 3}, Indexing.get(x, true).shape());
    assertArrayEquals(new int[] {0, 3}, Indexing.get(x, false).shape());
  }

  @Test
  void rowsLongerThanABlockAreGathered() {
    int n = 20_000;
    Tensor x = NaiveIndex.arranged(numbers(3 * n, 0), new int[] {3, n}, 0);
    Tensor got = Lookup.EMBEDDING.of(x, new int[] {2, 0});
    double[] expected = Arrays.copyOf(numbers(n, 2.0 * n), 2 * n);
    System.arraycopy(numbers(n, 0), 0, expected, n, n);
    assertArrayEquals(expected, doubles(got));
  }

  @Test
  void readsTheNotationOfNumPy() {
    Tensor x = NaiveIndex.arranged(numbers(24, 0), new int[] {2, 3, 4}, 0);
    Object[] items = {Index.at(-1), Index.newAxis(), Index.ellipsis(), Index.slice(null, null, -2)};
    assertArrayEquals(
        doubles(Indexing.get(x, items)), doubles(Indexing.get(x, "-1, newaxis, ..., ::-2")));
    assertEquals(List.of(Index.slice(1, 3), Index.all()), Index.parse(" 1 : 3 , : "));
    assertArrayEquals(new int[] {2, 2, 4}, Indexing.get(x, ":, [0, 2]").shape());
    for (String bad : List.of("1:2:3:4", "x", "1,,2", "::0", "[1", "1.5")) {
      assertThrows(IndexException.class, () -> Index.parse(bad), bad);
    }
    assertThrows(IndexException.class, () -> Indexing.get(x, "[0, 99999999999]"));
  }
}
