package ndgrad.kernel.sort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class SortTest extends InForm {
  /** A length from which lines of wide numbers are sorted by their digits. */
  private static final int LONG = 1 << 13;

  private final Random random = new Random(7);

  /** NaN last in either direction, zeros equal. */
  private static Comparator<Double> order(boolean descending) {
    return (a, b) -> {
      if (a.isNaN() || b.isNaN()) {
        return Boolean.compare(a.isNaN(), b.isNaN());
      }
      int c = Double.compare(a + 0.0, b + 0.0);
      return descending ? -c : c;
    };
  }

  private int[] shape(int round) {
    int[] shape = Samples.shape(random, 1, 4);
    if (round % 4 == 0) {
      shape[random.nextInt(shape.length)] = 10 + random.nextInt(90);
    }
    if (round % 50 == 0) {
      shape = new int[] {1 + random.nextInt(2), 1020 + random.nextInt(2000)};
    }
    return shape;
  }

  private static double[] line(Strided s, int axis, int[] at) {
    double[] line = new double[s.layout().dim(axis)];
    for (int i = 0; i < line.length; i++) {
      int[] index = at.clone();
      index[axis] = i;
      line[i] = Samples.get(s, index);
    }
    return line;
  }

  private static int[] expected(double[] line, boolean descending) {
    Comparator<Double> order = order(descending);
    return IntStream.range(0, line.length)
        .boxed()
        .sorted((i, j) -> order.compare(line[i], line[j])) // stable
        .mapToInt(i -> i)
        .toArray();
  }

  private interface LineCheck {
    void check(int[] at);
  }

  private static void eachLine(Layout l, int axis, LineCheck check) {
    for (int i = 0; i < l.size(); i++) {
      int[] at = Samples.unravel(i, l.shape());
      if (at[axis] == 0) {
        check.check(at);
      }
    }
  }

  @Test
  void sortsArgsortsAndTakesTheTopOfAnyLines() {
    for (int round = 0; round < 1200; round++) {
      DType dtype = DType.values()[round % 5];
      int[] shape = shape(round);
      int axis = random.nextInt(shape.length);
      boolean down = random.nextBoolean();
      Strided in = Samples.array(random, dtype, shape);
      Strided indexes = Samples.target(random, DType.INT64, shape);
      Strided sorted = Samples.target(random, dtype, shape);
      int k = random.nextInt(shape[axis] + 1);
      int[] small = shape.clone();
      small[axis] = k;
      Strided top = Samples.target(random, dtype, small);
      Strided topAt = Samples.target(random, DType.INT64, small);
      Copies.copy(in, sorted);
      Sort.sort(sorted, axis, down);
      Sort.argsort(indexes, in, axis, down);
      Sort.topK(top, topAt, in, axis, k, down);
      eachLine(
          in.layout(),
          axis,
          at -> {
            double[] line = line(in, axis, at);
            int[] want = expected(line, down);
            double[] got = line(sorted, axis, at);
            double[] gotAt = line(indexes, axis, at);
            for (int i = 0; i < line.length; i++) {
              assertEquals(want[i], (int) gotAt[i], dtype + " " + in.layout() + " index " + i);
              assertEquals(
                  line[want[i]] + 0.0, got[i] + 0.0, dtype + " " + in.layout() + " value " + i);
            }
            if (k > 0) {
              double[] values = line(top, axis, at);
              double[] places = line(topAt, axis, at);
              for (int i = 0; i < k; i++) {
                assertEquals(want[i], (int) places[i]);
                assertEquals(line[want[i]], values[i]);
              }
            }
          });
    }
  }

  @Test
  void wideKeysOfAllMagnitudesAreOrdered() {
    for (int n : new int[] {5, 700, 5000}) {
      long[] longs = random.longs(n).toArray();
      double[] doubles = new double[n];
      int[] ints = random.ints(n).toArray();
      float[] floats = new float[n];
      for (int i = 0; i < n; i++) {
        doubles[i] = random.nextGaussian() * Math.pow(10, random.nextInt(600) - 300);
        floats[i] = (float) (random.nextGaussian() * Math.pow(10, random.nextInt(70) - 35));
      }
      for (Object a : new Object[] {longs, doubles, ints, floats}) {
        Strided in = new Strided(new Storage(a), Layout.of(n));
        for (boolean down : new boolean[] {false, true}) {
          Strided at = Strided.zeros(DType.INT64, n);
          Sort.argsort(at, in, 0, down);
          long[] index = (long[]) at.array();
          for (int i = 1; i < n; i++) {
            int p = (int) index[i - 1];
            int q = (int) index[i];
            boolean ordered =
                a instanceof long[] l
                    ? down ? l[p] >= l[q] : l[p] <= l[q]
                    : order(down).compare(Samples.get(a, p), Samples.get(a, q)) <= 0;
            assertEquals(true, ordered, in.dtype() + " of " + n + " at " + i);
          }
          assertEquals(n, Arrays.stream(index).distinct().count());
        }
      }
    }
  }

  @Test
  void nanComesLastInEitherDirection() {
    float nan = Float.NaN;
    float negative = Float.intBitsToFloat(0xffc00000);
    float[] a = {1, nan, 3, negative, 2};
    Strided s = new Strided(new Storage(a), Layout.of(5));
    Sort.sort(s, 0, true);
    assertArrayEquals(new float[] {3, 2, 1, nan, nan}, a);
    Sort.sort(s, 0, false);
    assertArrayEquals(new float[] {1, 2, 3, nan, nan}, a);
  }

  @Test
  void searchesOnBothSidesOfEquals() {
    for (int round = 0; round < 500; round++) {
      DType dtype = DType.values()[round % 5];
      Strided sorted = Samples.target(random, dtype, random.nextInt(30));
      Sort.sort(sorted, 0, false);
      double[] line = Samples.values(sorted);
      Strided values = Samples.array(random, dtype, Samples.shape(random, 0, 3));
      boolean right = random.nextBoolean();
      Strided out = Samples.target(random, DType.INT64, values.layout().shape());
      Sort.searchSorted(out, sorted, values, right);
      double[] v = Samples.values(values);
      double[] got = Samples.values(out);
      for (int i = 0; i < v.length; i++) {
        double x = v[i];
        long want =
            Arrays.stream(line).filter(y -> order(false).compare(y, x) < (right ? 1 : 0)).count();
        assertEquals(want, (long) got[i], x + " in " + Arrays.toString(line));
      }
    }
    Strided ints = Strided.zeros(DType.INT32, 2);
    Strided floats = Strided.zeros(DType.FLOAT32, 2);
    assertThrows(
        DTypeException.class,
        () -> Sort.searchSorted(Strided.zeros(DType.INT64, 2), ints, floats, false));
  }

  @Test
  void findsDistinctElements() {
    for (int round = 0; round < 500; round++) {
      DType dtype = DType.values()[round % 5];
      Strided in = Samples.array(random, dtype, Samples.shape(random, 0, 4));
      double[] all = Samples.values(in);
      Sort.Unique u = Sort.unique(in);
      double[] values = Samples.values(u.values());
      for (int i = 1; i < values.length; i++) {
        assertEquals(-1, order(false).compare(values[i - 1], values[i]));
      }
      long[] counts = new long[values.length];
      long[] first = new long[values.length];
      Arrays.fill(first, -1);
      for (int i = 0; i < all.length; i++) {
        int at = (int) u.inverse()[i];
        assertEquals(0, order(false).compare(all[i], values[at]));
        counts[at]++;
        first[at] = first[at] < 0 ? i : first[at];
      }
      assertArrayEquals(counts, u.counts());
      assertArrayEquals(first, u.first());
    }
  }

  @Test
  void theBestOfLongLinesAreTheFirstOfTheOrder() {
    Random r = new Random(9);
    for (int round = 0; round < 60; round++) {
      DType dtype = DType.values()[round % 5];
      int[] shape = {3, 40 + r.nextInt(5000), 2};
      Strided in = Samples.array(r, dtype, shape.clone());
      int k = 1 + r.nextInt(shape[1] / 8);
      boolean largest = r.nextBoolean();
      Strided order = Strided.zeros(DType.INT64, shape.clone());
      Sort.argsort(order, in, 1, largest);
      shape[1] = k;
      Strided indexes = Strided.zeros(DType.INT64, shape.clone());
      Sort.topK(Strided.zeros(dtype, shape), indexes, in, 1, k, largest);
      Strided first = order.with(order.layout().slice(1, 0, k, 1));
      assertArrayEquals(Samples.values(first), Samples.values(indexes));
    }
  }

  @Test
  void searchesManyInMany() {
    Random r = new Random(9);
    for (int round = 0; round < 40; round++) {
      int m = r.nextInt(3000);
      double[] sorted = new double[m];
      for (int i = 0; i < m; i++) {
        sorted[i] = r.nextInt(40) == 0 ? Double.NaN : r.nextInt(400) - 200;
      }
      Arrays.sort(sorted);
      Strided values = Samples.array(r, DType.FLOAT64, 5, 1 + r.nextInt(2000));
      boolean right = r.nextBoolean();
      Strided out = Samples.target(r, DType.INT64, values.layout().shape());
      Sort.searchSorted(out, new Strided(new Storage(sorted), Layout.of(m)), values, right);
      double[] want = Samples.values(values);
      for (int i = 0; i < want.length; i++) {
        double v = want[i];
        want[i] =
            Arrays.stream(sorted)
                .filter(x -> x < v || x == x && v != v || right && (x == v || x != x && v != v))
                .count();
      }
      assertArrayEquals(want, Samples.values(out));
    }
  }

  @Test
  void longLinesOfWideNumbers() {
    Random r = new Random(4);
    for (int bits : new int[] {0, 1, 8, 30, 53, 64}) {
      int n = LONG + r.nextInt(20_000);
      Strided longs = Strided.zeros(DType.INT64, 2, n);
      Strided doubles = Strided.zeros(DType.FLOAT64, 2, n);
      long[] x = (long[]) longs.array();
      double[] y = (double[]) doubles.array();
      for (int i = 0; i < 2 * n; i++) {
        x[i] = bits == 0 ? 7 : r.nextLong() >> 64 - bits;
        y[i] = r.nextInt(50) == 0 ? Double.NaN : r.nextInt(50) == 0 ? -0.0 : x[i] * 0.25;
      }
      long[] wantLongs = x.clone();
      double[] wantDoubles = y.clone();
      for (int row = 0; row < 2; row++) {
        Arrays.sort(wantLongs, row * n, (row + 1) * n);
        Arrays.sort(wantDoubles, row * n, (row + 1) * n);
      }
      Sort.sort(longs, 1, false);
      Sort.sort(doubles, 1, false);
      assertArrayEquals(wantLongs, x);
      assertArrayEquals(wantDoubles, y);
    }
  }
}
