package ndgrad.kernel.factor;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.blas.EngineNames;
import ndgrad.blas.Engines;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.MatrixProduct;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Sizes around those that are halved: what is factored is multiplied again. */
class FactorsTest {
  private static final int[] SIZES = {0, 1, 2, 5, 16, 17, 33, 40, 70};

  private static Strided random(Random r, DType dtype, int... shape) {
    double[] x = r.doubles(Dimensions.size(shape), -1, 1).toArray();
    return Copies.copyOf(new Strided(new Storage(x), Layout.of(shape)), dtype);
  }

  private static Strided transposed(Strided x) {
    return x.with(x.layout().swapped(x.layout().ndim() - 2, x.layout().ndim() - 1));
  }

  private static Strided times(Strided a, Strided b) {
    int[] shape = a.layout().shape();
    shape[shape.length - 1] = b.layout().dim(b.layout().ndim() - 1);
    Strided out = Strided.zeros(a.dtype(), shape);
    MatrixProduct.run(out, a, b);
    return out;
  }

  private static double[] elements(Strided x) {
    return (double[]) Copies.copyOf(x, DType.FLOAT64).array();
  }

  private static void assertClose(Strided expected, Strided actual, double size, String what) {
    assertArrayEquals(expected.layout().shape(), actual.layout().shape(), what);
    double error = expected.dtype() == DType.FLOAT32 ? 1e-6 : 1e-15;
    assertArrayEquals(elements(expected), elements(actual), 20 * error * Math.max(1, size), what);
  }

  /** The product of the factors, and the rows of the matrix that it is of. */
  private static void assertFactors(Strided x, Strided lu) {
    int n = x.layout().dim(0);
    double[] a = elements(x);
    double[] f = elements(lu);
    double[] product = new double[n * n];
    double[] rows = new double[n * n];
    for (int i = 0; i < n; i++) {
      System.arraycopy(a, (int) f[i * (n + 1) + n] * n, rows, i * n, n);
      for (int k = 0; k <= i; k++) {
        double l = k == i ? 1 : f[i * (n + 1) + k];
        assertTrue(Math.abs(l) <= 1, "a pivot that is not the largest");
        for (int j = k; j < n; j++) {
          product[i * n + j] += l * f[k * (n + 1) + j];
        }
      }
    }
    assertArrayEquals(rows, product, x.dtype() == DType.FLOAT32 ? 1e-5 : 1e-13);
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void factorsMultiplyToTheMatrix(String engine) {
    assumeTrue(EngineNames.isAvailable(engine, "factors"));
    Random r = new Random(1);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
      for (int n : SIZES) {
        Strided x = random(r, dtype, n, n);
        Strided lu = Engines.with(engine, () -> Factors.lu(x));
        assertFactors(x, lu);
        for (boolean turned : new boolean[] {false, true}) {
          Strided wanted = random(r, dtype, n, 3);
          Strided matrix = turned ? transposed(x) : x;
          Strided b = times(matrix, wanted);
          Strided got = Engines.with(engine, () -> Factors.solve(lu, b, turned));
          // What is left over is small, even where the solution is not accurate.
          double size = Arrays.stream(elements(got)).map(Math::abs).max().orElse(0);
          assertClose(b, times(matrix, got), n * size, engine + " " + n + " " + turned);
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void trianglesMultiplyToWhatTheySolve(String engine) {
    assumeTrue(EngineNames.isAvailable(engine, "factors"));
    Random r = new Random(2);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
      for (int n : SIZES) {
        Strided x = random(r, dtype, n, n);
        Strided definite = times(x, transposed(x));
        Strided rest = random(r, dtype, n, n);
        Strided sum = Strided.zeros(dtype, n, n);
        for (int i = 0; i < n; i++) {
          // A diagonal that dominates; elements above it are not read.
          add(sum, definite, rest, i, n);
        }
        int[] complete = {0};
        Strided l = Engines.with(engine, () -> Factors.cholesky(sum, complete));
        assertEquals(n, complete[0]);
        Strided mirrored = times(l, transposed(l));
        for (int i = 0; i < n; i++) {
          Strided row = mirrored.with(mirrored.layout().select(0, i).slice(0, 0, i + 1, 1));
          Strided given = sum.with(sum.layout().select(0, i).slice(0, 0, i + 1, 1));
          assertClose(given, row, n, "row " + i + " of " + n);
        }
        Strided b = random(r, dtype, 2, n, 4);
        Strided stack = l.with(l.layout().broadcastTo(2, n, n));
        Strided down = Engines.with(engine, () -> Factors.triangular(l, b, true, false));
        assertClose(b, times(stack, down), n, engine + " lower " + n);
        Strided up = Engines.with(engine, () -> Factors.triangular(transposed(l), b, false, false));
        Strided turned = transposed(l).with(transposed(l).layout().broadcastTo(2, n, n));
        assertClose(b, times(turned, up), n, engine + " upper " + n);
      }
    }
  }

  private static void add(Strided sum, Strided definite, Strided rest, int i, int n) {
    double[] d = elements(definite);
    double[] above = elements(rest);
    for (int j = 0; j < n; j++) {
      double v = j > i ? above[i * n + j] : d[i * n + j] + (i == j ? n : 0);
      switch (sum.array()) {
        case float[] a -> a[i * n + j] = (float) v;
        default -> ((double[]) sum.array())[i * n + j] = v;
      }
    }
  }

  @Test
  void aUnitDiagonalIsNotRead() {
    double nan = Double.NaN;
    Strided a = new Strided(new Storage(new double[] {nan, nan, 3, nan}), Layout.of(2, 2));
    Strided b = new Strided(new Storage(new double[] {5, 7}), Layout.of(2, 1));
    assertArrayEquals(new double[] {5, -8}, elements(Factors.triangular(a, b, true, true)));
    Strided upper = transposed(a);
    assertArrayEquals(new double[] {-16, 7}, elements(Factors.triangular(upper, b, false, true)));
  }

  @Test
  void determinantsNeitherOverflowOnTheWayNorVanish() {
    double[] x = {1e300, 0, 0, 0, 0, 1e300, 0, 0, 0, 0, 1e-300, 0, 0, 0, 0, 1e-290};
    Strided lu = Factors.lu(new Strided(new Storage(x), Layout.of(4, 4)));
    assertEquals(1e10, elements(Factors.determinants(lu))[0], 1e-5);
    assertEquals(10 * Math.log(10), elements(Factors.logDeterminants(lu))[0], 1e-12);
    double[] small = {4e-324, 0, 0, 0.5};
    Strided tiny = Factors.lu(new Strided(new Storage(small), Layout.of(2, 2)));
    assertEquals(Math.log(4e-324) - Math.log(2), elements(Factors.logDeterminants(tiny))[0], 1e-12);
    assertEquals(1, elements(Factors.signs(tiny))[0]);
  }

  @Test
  void exchangesTurnTheSign() {
    for (int[] order : new int[][] {{0, 1, 2}, {1, 0, 2}, {1, 2, 0}, {2, 1, 0}, {2, 0, 1}}) {
      double[] x = new double[9];
      int inversions = 0;
      for (int i = 0; i < 3; i++) {
        x[3 * i + order[i]] = 2;
        for (int j = 0; j < i; j++) {
          inversions += order[j] > order[i] ? 1 : 0;
        }
      }
      Strided lu = Factors.lu(new Strided(new Storage(x), Layout.of(3, 3)));
      assertEquals(inversions % 2 == 0 ? 8 : -8, elements(Factors.determinants(lu))[0]);
      assertFalse(Factors.isSingular(lu));
    }
    Strided zero = Factors.lu(Strided.zeros(DType.FLOAT32, 2, 3, 3));
    assertTrue(Factors.isSingular(zero));
    assertEquals("[0.0, 0.0]", Arrays.toString(elements(Factors.determinants(zero))));
  }

  /** As LAPACK finds: a determinant with NaN or infinity in it is NaN, and would hide the 0. */
  @Test
  void aPivotOfZeroIsSingularWhateverTheOthersAre() {
    for (double other : new double[] {Double.NaN, Double.POSITIVE_INFINITY}) {
      double[] x = {1, 0, 0, 1, 0, other, 0, 1};
      Strided lu = Factors.lu(new Strided(new Storage(x), Layout.of(2, 2, 2)));
      assertTrue(Factors.isSingular(lu), "one of the stack is");
      double[] y = {other, 1, 1, 1};
      Strided last = Factors.lu(new Strided(new Storage(y), Layout.of(2, 2)));
      assertFalse(Factors.isSingular(last));
    }
  }

  @Test
  void aMatrixThatIsNotDefiniteIsFoundOut() {
    for (int bad : new int[] {0, 3, 16, 39}) {
      Strided x = Strided.zeros(DType.FLOAT64, 2, 40, 40);
      double[] a = (double[]) x.array();
      for (int i = 0; i < 80; i++) {
        a[i / 40 * 1600 + i % 40 * 41] = i == 40 + bad ? -1 : 1;
      }
      int[] definite = new int[2];
      Factors.cholesky(x, definite);
      assertArrayEquals(new int[] {40, bad}, definite);
    }
  }

  @Test
  void threadsChangeNoBit() {
    Random r = new Random(3);
    Strided x = random(r, DType.FLOAT32, 50, 20, 20);
    Strided b = random(r, DType.FLOAT32, 20, 5);
    int threads = Threads.numThreads();
    try {
      Threads.setNumThreads(1);
      double[] one = elements(Factors.solve(Factors.lu(x), b, false));
      Threads.setNumThreads(4);
      assertArrayEquals(one, elements(Factors.solve(Factors.lu(x), b, false)));
    } finally {
      Threads.setNumThreads(threads);
    }
  }
}
