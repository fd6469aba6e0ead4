package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class ReductionTest extends InForm {
  private static final Expr.Fn2[] COMBINES = {
    Expr.Fn2.ADD, Expr.Fn2.MUL, Expr.Fn2.MAX, Expr.Fn2.MIN, Expr.Fn2.AND, Expr.Fn2.OR
  };
  private final Random random = new Random(2);
  private final Reduction sum = Reduction.of(Expr.in(0), Expr.Fn2.ADD);

  private static double combine(Expr.Fn2 fn, DType acc, double a, double b) {
    double result =
        switch (fn) {
          case ADD -> a + b;
          case MUL -> acc.isInteger() ? (long) a * (long) b : a * b;
          case MAX -> Math.max(a, b);
          case MIN -> Math.min(a, b);
          case AND -> a != 0 && b != 0 ? 1 : 0;
          default -> a != 0 || b != 0 ? 1 : 0;
        };
    return acc == DType.BOOL && result != 0 ? 1 : acc == DType.INT32 ? (int) (long) result : result;
  }

  private static double identity(Expr.Fn2 fn, DType acc) {
    Strided one = Strided.zeros(acc);
    Rows.of(acc).fill(one.array(), 0, 1, 1, FoldKernel.identity(fn, acc));
    return Samples.get(one);
  }

  private static int[] kept(int[] values, boolean[] reduced) {
    return java.util.stream.IntStream.range(0, values.length)
        .filter(i -> !reduced[i])
        .map(i -> values[i])
        .toArray();
  }

  private double[] naive(Strided in, boolean[] reduced, Expr.Fn2 fn, DType acc) {
    int[] shape = in.layout().shape();
    Layout flat = Layout.of(kept(shape, reduced));
    double[] want = new double[flat.intSize()];
    Arrays.fill(want, identity(fn, acc));
    for (int i = 0; i < in.layout().size(); i++) {
      int[] index = Samples.unravel(i, shape);
      int q = flat.position(kept(index, reduced));
      want[q] = combine(fn, acc, want[q], Samples.get(in, index));
    }
    return want;
  }

  private static int[] axes(boolean[] reduced) {
    return java.util.stream.IntStream.range(0, reduced.length).filter(i -> reduced[i]).toArray();
  }

  private int[] shape(int round) {
    int[] shape = Samples.shape(random, 0, 4);
    for (int i = 0; i < Math.min(2, shape.length) && round % 3 == 0; i++) {
      shape[random.nextInt(shape.length)] = 10 + random.nextInt(180);
    }
    return shape;
  }

  @Test
  void agreesWithANaiveLoopOverAnyAxesLayoutsAndDtypes() {
    for (int round = 0; round < (mode == Forms.Mode.PLAIN ? 1500 : 600); round++) {
      DType dtype = DType.values()[round % 5];
      Expr.Fn2 fn = COMBINES[random.nextInt(6)];
      boolean logical = fn == Expr.Fn2.AND || fn == Expr.Fn2.OR;
      int[] shape = round % 10 == 0 ? Samples.shortRows(random) : shape(round);
      boolean[] reduced = new boolean[shape.length];
      for (int i = 0; i < shape.length; i++) {
        reduced[i] = random.nextBoolean();
      }
      Strided in = Samples.array(random, dtype, shape);
      if (fn == Expr.Fn2.MUL) { // no overflow, neither here nor in the model
        for (int i = 0; i < DType.lengthOf(in.array()); i++) {
          Samples.set(in.array(), i, Math.signum(Samples.get(in.array(), i)));
        }
      }
      Strided out = Samples.target(random, logical ? DType.BOOL : dtype, kept(shape, reduced));
      Reduction.of(Expr.in(0), fn).run(out, dtype, axes(reduced), in);
      double[] want = naive(in, reduced, fn, out.dtype());
      double[] got = Samples.values(out);
      for (int i = 0; i < want.length; i++) {
        double slack = Math.abs(want[i]) * (dtype == DType.FLOAT32 ? 1e-5 : 1e-12);
        assertEquals(
            want[i],
            got[i],
            Double.isFinite(slack) ? slack : 0,
            fn
                + " of "
                + dtype
                + in.layout()
                + Arrays.toString(in.layout().strides())
                + Arrays.toString(axes(reduced)));
      }
    }
  }

  @Test
  void manyShortRunsOfAnExpressionAreTurned() {
    // Of a matrix, a row, a column and a number: (x - column)² row + number.
    Expr distance = Expr.in(0).minus(Expr.in(2));
    Reduction sum =
        Reduction.of(distance.times(distance).times(Expr.in(1)).plus(Expr.in(3)), Expr.Fn2.ADD);
    for (DType dtype : new DType[] {DType.INT64, DType.FLOAT32, DType.FLOAT64}) {
      for (int n = 2; n < 40; n++) {
        int m = 100 + n;
        Strided x = numbers(dtype, m, n + 1);
        x = x.with(x.layout().slice(1, n % 2, n, 1));
        Strided row = numbers(dtype, n);
        Strided column = numbers(dtype, m, 1);
        Strided number = numbers(dtype);
        Strided out = Strided.zeros(dtype, m);
        sum.run(out, dtype, new int[] {1}, x, row, column, number);
        double[] got = Samples.values(out);
        double[] rows = Samples.values(row);
        double[] columns = Samples.values(column);
        double[] all = Samples.values(x);
        double last = Samples.get(number);
        for (int i = 0; i < m; i++) {
          double want = 0;
          for (int j = 0; j < n; j++) {
            double d = all[i * n + j] - columns[i];
            want += d * d * rows[j] + last;
          }
          assertEquals(want, got[i], 0, dtype + " " + n);
        }
      }
    }
  }

  /** Small integers, whose sums are exact. */
  private Strided numbers(DType dtype, int... shape) {
    Strided x = Strided.zeros(dtype, shape);
    for (int i = 0; i < x.layout().intSize(); i++) {
      Samples.set(x.array(), i, random.nextInt(9) - 4);
    }
    return x;
  }

  @Test
  void sumsBoolsAndInt32AsInt64() {
    Strided bools = Strided.zeros(DType.BOOL, 3, 70);
    Arrays.fill((boolean[]) bools.array(), true);
    Strided out = Strided.zeros(DType.INT64, 3);
    sum.run(out, DType.INT64, new int[] {1}, bools);
    assertArrayEquals(new long[] {70, 70, 70}, (long[]) out.array());
    Strided ints = new Strided(new Storage(new int[] {Integer.MAX_VALUE, 1}), Layout.of(2));
    Strided total = Strided.zeros(DType.INT64);
    sum.run(total, DType.INT64, new int[] {0}, ints);
    assertEquals(1L << 31, ((long[]) total.array())[0]);
  }

  @Test
  void evaluatesThePrologueOverBroadcastInputs() {
    Expr d = Expr.in(0).minus(Expr.in(1));
    Reduction squares = Reduction.of(d.times(d), Expr.Fn2.ADD);
    Strided x = Samples.array(new Random(5), DType.INT32, 37, 21);
    Strided mean = Samples.array(new Random(6), DType.FLOAT64, 37, 1);
    Copies.copy(new Strided(new Storage(new double[] {0.5}), Layout.of()), mean);
    Strided out = Strided.zeros(DType.FLOAT64, 37);
    squares.run(out, DType.FLOAT64, new int[] {1}, x, mean);
    for (int i = 0; i < 37; i++) {
      double want = 0;
      for (int j = 0; j < 21; j++) {
        want += Math.pow(Samples.get(x, i, j) - 0.5, 2);
      }
      assertEquals(want, ((double[]) out.array())[i]);
    }
    Strided counts = Strided.zeros(DType.INT64, 21);
    Reduction.of(Expr.of(Expr.Fn2.NE, Expr.in(0), Expr.num(0)), Expr.Fn2.ADD)
        .run(counts, DType.INT32, new int[] {0}, x);
    for (int j = 0; j < 21; j++) {
      int column = j;
      long want =
          java.util.stream.IntStream.range(0, 37)
              .filter(i -> Samples.get(x, i, column) != 0)
              .count();
      assertEquals(want, ((long[]) counts.array())[j]);
    }
  }

  @Test
  void tenMillionOnesSumExactlyAlongAnyAxis() {
    int n = 10_000_000;
    float[] ones = new float[2 * n];
    Arrays.fill(ones, 1);
    Storage storage = new Storage(ones);
    Layout[] layouts = {
      Layout.of(n),
      Layout.of(new int[] {n}, new int[] {2}, 1),
      Layout.of(new int[] {n}, new int[] {-1}, n - 1),
      Layout.of(new int[] {n}, new int[] {0}, 3),
      Layout.of(n, 2),
      Layout.of(n / 100, 100)
    };
    for (Layout l : layouts) {
      Strided out = Strided.zeros(DType.FLOAT32, l.ndim() == 1 ? new int[0] : new int[] {l.dim(1)});
      sum.run(out, DType.FLOAT32, new int[] {0}, new Strided(storage, l));
      float[] sums = (float[]) out.array();
      for (float total : sums) {
        assertEquals(l.dim(0), total, l.toString());
      }
    }
  }

  @Test
  void everyElementOfALongRunCountsOnce() {
    double[] a = random.doubles(1_200_000).map(x -> Math.rint(1e6 * x)).toArray(); // sums are exact
    for (int n : new int[] {8191, 8193, 16_384, 65_535, 65_536, 65_537, 73_728, 200_001}) {
      for (int step : new int[] {1, 2, -1}) {
        int rows = 3;
        Layout l = Layout.of(new int[] {rows, n}, new int[] {7, step}, step < 0 ? n - 1 : 5);
        Strided x = new Strided(new Storage(a), l);
        Strided out = Strided.zeros(DType.FLOAT64, rows);
        sum.run(out, DType.FLOAT64, new int[] {1}, x);
        for (int i = 0; i < rows; i++) {
          double want = 0;
          for (int j = 0; j < n; j++) {
            want += a[l.position(i, j)];
          }
          assertEquals(want, ((double[]) out.array())[i], n + " by " + step);
        }
      }
    }
  }

  @Test
  void float32SumsAreAccurate() {
    float[] a = new float[4_000_000];
    double exact = 0;
    for (int i = 0; i < a.length; i++) {
      a[i] = random.nextFloat();
      exact += a[i];
    }
    Strided total = Strided.zeros(DType.FLOAT32);
    sum.run(total, DType.FLOAT32, new int[] {0}, new Strided(new Storage(a), Layout.of(a.length)));
    assertEquals(exact, ((float[]) total.array())[0], exact * 3e-7);
    Strided columns = Strided.zeros(DType.FLOAT32, 20);
    sum.run(
        columns, DType.FLOAT32, new int[] {0}, new Strided(new Storage(a), Layout.of(200_000, 20)));
    double[] want = new double[20];
    for (int i = 0; i < a.length; i++) {
      want[i % 20] += a[i];
    }
    for (int j = 0; j < 20; j++) {
      assertEquals(want[j], ((float[]) columns.array())[j], want[j] * 5e-7);
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    float[] a = new float[3_000_000];
    for (int i = 0; i < a.length; i++) {
      a[i] = (float) random.nextGaussian();
    }
    Layout[] layouts = {
      Layout.of(1, a.length),
      Layout.of(3000, 1000),
      Layout.of(1000, 3000).permute(1, 0),
      Layout.of(100_000, 30)
    };
    int before = Threads.numThreads();
    try {
      for (Layout l : layouts) {
        for (int[] axes : new int[][] {{0}, {1}, {0, 1}}) {
          float[] first = {};
          for (int threads : new int[] {1, 2, 5}) {
            Threads.setNumThreads(threads);
            Strided out =
                Strided.zeros(
                    DType.FLOAT32, axes.length == 2 ? new int[0] : new int[] {l.dim(1 - axes[0])});
            sum.run(out, DType.FLOAT32, axes, new Strided(new Storage(a), l));
            first = threads == 1 ? (float[]) out.array() : first;
            assertArrayEquals(first, (float[]) out.array());
          }
        }
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void nanWinsInMaxAndMinWhereverItIs() {
    for (int at : new int[] {0, 1, 499, 998, 999}) {
      double[] a = new double[1000];
      a[at] = Double.NaN;
      for (Expr.Fn2 fn : new Expr.Fn2[] {Expr.Fn2.MAX, Expr.Fn2.MIN}) {
        Strided out = Strided.zeros(DType.FLOAT64);
        Reduction.of(Expr.in(0), fn)
            .run(out, DType.FLOAT64, new int[] {0}, new Strided(new Storage(a), Layout.of(1000)));
        assertTrue(Double.isNaN(((double[]) out.array())[0]));
      }
    }
  }

  @Test
  void extremesAreThoseOfMathWhereverSpecialNumbersAre() {
    float[] special = {
      Float.NaN,
      Float.intBitsToFloat(0xffc00000), // what 0/0 is on x86: a NaN with a sign
      -0.0f,
      0.0f,
      Float.NEGATIVE_INFINITY,
      Float.POSITIVE_INFINITY,
      Float.MIN_VALUE,
      -Float.MAX_VALUE
    };
    for (int n : new int[] {1, 31, 32, 33, 48, 63, 64, 65, 100, 127, 128, 257}) {
      for (float first : special) {
        for (float second : special) {
          for (float rest : new float[] {first, Float.NEGATIVE_INFINITY, -0.0f, 1}) {
            float[] singles = new float[n];
            double[] doubles = new double[n];
            Arrays.fill(singles, rest);
            singles[random.nextInt(n)] = first;
            singles[random.nextInt(n)] = second;
            for (int i = 0; i < n; i++) {
              doubles[i] = singles[i];
            }
            assertExtremes(singles, n);
            assertExtremes(doubles, n);
          }
        }
      }
    }
  }

  /** Both zeros differ here, and all NaNs are one. */
  private static void assertExtremes(Object elements, int n) {
    Strided x = new Strided(new Storage(elements), Layout.of(n));
    for (Expr.Fn2 fn : new Expr.Fn2[] {Expr.Fn2.MAX, Expr.Fn2.MIN}) {
      Strided out = Strided.zeros(x.dtype());
      Reduction.of(Expr.in(0), fn).run(out, x.dtype(), new int[] {0}, x);
      double expected = ((Number) java.lang.reflect.Array.get(elements, 0)).doubleValue();
      for (int i = 1; i < n; i++) {
        double b = ((Number) java.lang.reflect.Array.get(elements, i)).doubleValue();
        expected = combine(fn, x.dtype(), expected, b);
      }
      assertEquals(expected, Samples.get(out), () -> fn + " of " + x);
    }
  }

  @Test
  void theSumOfNegativeZerosIsNegativeZeroAndOfNothingZero() {
    float[] a = {-0.0f, -0.0f, -0.0f};
    for (int n : new int[] {0, 1, 3}) {
      Strided out = Strided.zeros(DType.FLOAT32);
      sum.run(out, DType.FLOAT32, new int[] {0}, new Strided(new Storage(a), Layout.of(n)));
      assertEquals(n == 0 ? 0.0f : -0.0f, ((float[]) out.array())[0]);
    }
  }

  @Test
  void anOutputOfAnotherShapeIsRefused() {
    Strided in = Strided.zeros(DType.FLOAT32, 2, 3);
    assertThrows(
        ShapeException.class,
        () -> sum.run(Strided.zeros(DType.FLOAT32, 2), DType.FLOAT32, new int[] {0}, in));
    assertThrows(IllegalArgumentException.class, () -> Reduction.of(Expr.in(0), Expr.Fn2.SUB));
  }
}
