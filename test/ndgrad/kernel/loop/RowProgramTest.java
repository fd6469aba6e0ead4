package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.concurrent.atomic.AtomicIntegerArray;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.loop.RowProgram.Sum;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RowProgramTest {
  private static final Expr X = Expr.in(0);
  private static final Expr ROW = Expr.in(1);
  private static final Expr N = Expr.in(2);
  private static final int OUT = 3;
  private static final int SUMS = 4;
  private static final int MEAN = 5;
  private static final int LARGEST = 6;

  /** (x - mean) row / (1 + |largest|), and the sums of its columns. */
  private static final RowProgram PROGRAM =
      RowProgram.of(
          new Fold(MEAN, Fn2.ADD, X),
          new Column(MEAN, Expr.in(MEAN).over(N)),
          new Fold(LARGEST, Fn2.MAX, X.minus(Expr.in(MEAN))),
          new Column(LARGEST, Expr.num(1).plus(Expr.of(Fn1.ABS, Expr.in(LARGEST)))),
          new Each(OUT, X.minus(Expr.in(MEAN)).times(ROW).over(Expr.in(LARGEST))),
          new Sum(SUMS, Expr.in(OUT)));

  /** Short and long rows, few and many; those of the last ones are cut into segments. */
  private static final int[][] SHAPES = {
    {1, 1},
    {4, 1},
    {1, 5},
    {7, 3},
    {32, 2},
    {3001, 5},
    {999, 9},
    {500, 16},
    {3000, 17},
    {47, 31},
    {45, 1000},
    {20, 9000},
    {1, 40_000},
    {5, 20_001}
  };

  private final Forms.Mode before = Forms.mode();
  private final int threads = Threads.numThreads();

  @AfterEach
  void restore() {
    Forms.use(before);
    Threads.setNumThreads(threads);
  }

  private static Strided matrix(DType dtype, int rows, int length) {
    Random r = new Random(5);
    Strided x = Strided.zeros(dtype, rows, length);
    for (int i = 0; i < rows * length; i++) {
      Samples.set(x.array(), i, r.nextInt(2001) / 100.0 - 10);
    }
    return x;
  }

  private static Strided row(DType dtype, int length) {
    Strided row = Strided.zeros(dtype, length);
    for (int i = 0; i < length; i++) {
      Samples.set(row.array(), i, 1 + i % 3);
    }
    return row;
  }

  /** The output, the sums of columns, and the means. */
  private static Strided[] run(DType dtype, int rows, int length, boolean keepMeans) {
    Strided n = Strided.zeros(dtype);
    Samples.set(n.array(), 0, length);
    Strided out = Strided.zeros(dtype, rows, length);
    Strided sums = Strided.zeros(dtype, RowProgram.shares(rows, length), length);
    Strided means = Strided.zeros(dtype, rows, 1);
    AtomicIntegerArray seen = new AtomicIntegerArray(rows);
    Strided[] given = {matrix(dtype, rows, length), row(dtype, length), n, out, sums, means};
    PROGRAM.run(
        rows,
        length,
        (from, to) -> {
          for (int r = from; r < to; r++) {
            seen.incrementAndGet(r);
          }
        },
        keepMeans ? given : Arrays.copyOf(given, 5));
    for (int r = 0; r < rows; r++) {
      assertEquals(1, seen.get(r));
    }
    return new Strided[] {out, sums, means};
  }

  private static double[] expected(Strided x, int rows, int length) {
    double[] in = Samples.values(x);
    double[] out = new double[rows * length];
    for (int r = 0; r < rows; r++) {
      double mean = Arrays.stream(in, r * length, (r + 1) * length).sum() / length;
      double most = Arrays.stream(in, r * length, (r + 1) * length).max().orElseThrow() - mean;
      for (int i = 0; i < length; i++) {
        out[r * length + i] = (in[r * length + i] - mean) * (1 + i % 3) / (1 + Math.abs(most));
      }
    }
    return out;
  }

  private static double[] columns(double[] x, int rows, int length) {
    double[] sums = new double[length];
    for (int i = 0; i < rows * length; i++) {
      sums[i % length] += x[i];
    }
    return sums;
  }

  @Test
  void computesWhatTheDefinitionSays() {
    for (int[] shape : SHAPES) {
      Strided[] got = run(DType.FLOAT64, shape[0], shape[1], true);
      double[] want = expected(matrix(DType.FLOAT64, shape[0], shape[1]), shape[0], shape[1]);
      String what = Arrays.toString(shape);
      assertArrayEquals(want, Samples.values(got[0]), 1e-12, what);
      double[] sums =
          columns(Samples.values(got[1]), RowProgram.shares(shape[0], shape[1]), shape[1]);
      assertArrayEquals(columns(want, shape[0], shape[1]), sums, 1e-9, what);
      Strided[] scratch = run(DType.FLOAT64, shape[0], shape[1], false);
      assertArrayEquals(Samples.values(got[0]), Samples.values(scratch[0]), what);
    }
  }

  @Test
  void resultsDependNeitherOnTheFormNorOnTheNumberOfThreads() {
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
      for (int[] shape : SHAPES) {
        Forms.use(Forms.Mode.PLAIN);
        Threads.setNumThreads(1);
        Strided[] plain = run(dtype, shape[0], shape[1], true);
        Threads.setNumThreads(3);
        Strided[] shared = run(dtype, shape[0], shape[1], true);
        Forms.use(Forms.isAvailable() ? Forms.Mode.VECTOR : Forms.Mode.AUTO);
        Strided[] vector = run(dtype, shape[0], shape[1], true);
        for (int i = 0; i < 3; i++) {
          assertArrayEquals(Samples.values(plain[i]), Samples.values(shared[i]));
          assertArrayEquals(Samples.values(plain[i]), Samples.values(vector[i]));
        }
      }
    }
  }

  @Test
  void partsOfSumsStaySmallBesideTheArray() {
    assertEquals(1, RowProgram.shares(1, 1_000_000));
    assertEquals(1, RowProgram.shares(64, 10));
    for (int rows : new int[] {1, 10, 1000, 100_000, 1_000_000}) {
      for (int length : new int[] {1, 8, 100}) {
        int shares = RowProgram.shares(rows, length);
        assertTrue(shares >= 1 && shares <= Math.max(32, rows / 512), rows + " " + length);
      }
    }
  }
}
