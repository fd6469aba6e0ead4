package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.Random;
import ndgrad.ArgumentException;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Every engine against a triple loop. */
class BlasTest {
  private static final int[] SIZES = {0, 1, 2, 3, 4, 5, 7, 8, 16, 17, 33, 64, 70};

  /** One random case: sizes, transposes, gaps, factors. */
  private record Case(
      boolean ta,
      boolean tb,
      int m,
      int n,
      int k,
      int aOff,
      int lda,
      int bOff,
      int ldb,
      int cOff,
      int ldc,
      double alpha,
      double beta,
      int count,
      int strideA,
      int strideB,
      int strideC) {

    /** The same places by two dimensions where the count is even. */
    Batch batch() {
      return count % 2 != 0
          ? Batch.of(count, strideA, strideB, strideC)
          : new Batch(
              new int[] {count / 2, 2},
              new int[] {2 * strideA, strideA},
              new int[] {2 * strideB, strideB},
              new int[] {2 * strideC, strideC});
    }

    static Case random(Random r) {
      boolean ta = r.nextBoolean();
      boolean tb = r.nextBoolean();
      int m = SIZES[r.nextInt(SIZES.length)];
      int n = SIZES[r.nextInt(SIZES.length)];
      int k = SIZES[r.nextInt(SIZES.length)];
      return sized(r, ta, tb, m, n, k);
    }

    static Case sized(Random r, boolean ta, boolean tb, int m, int n, int k) {
      int lda = Math.max(1, ta ? m : k) + r.nextInt(3);
      int ldb = Math.max(1, tb ? k : n) + r.nextInt(3);
      int ldc = Math.max(1, n) + r.nextInt(3);
      double[] factors = {0, 1, 1, 1, -1, 0.5, 2};
      boolean side = r.nextBoolean();
      int count = r.nextInt(5);
      return new Case(
          ta,
          tb,
          m,
          n,
          k,
          r.nextInt(4),
          lda,
          r.nextInt(4),
          ldb,
          r.nextInt(4),
          // Results beside each other in the same rows, or one after the other.
          side ? ldc * Math.max(1, count) : ldc,
          factors[r.nextInt(factors.length)],
          factors[r.nextInt(factors.length)],
          count,
          r.nextInt(3) == 0 ? 0 : (ta ? k : m) * lda + r.nextInt(3),
          r.nextInt(3) == 0 ? 0 : (tb ? n : k) * ldb + r.nextInt(3),
          side ? ldc : m * ldc + r.nextInt(3));
    }

    int aLength() {
      return aOff + (ta ? k : m) * lda + Math.max(0, count - 1) * strideA + 1;
    }

    int bLength() {
      return bOff + (tb ? n : k) * ldb + Math.max(0, count - 1) * strideB + 1;
    }

    int cLength() {
      return cOff + m * ldc + Math.max(0, count - 1) * strideC + 1;
    }

    double a(double[] a, int t, int i, int p) {
      return a[aOff + t * strideA + (ta ? p * lda + i : i * lda + p)];
    }

    double b(double[] b, int t, int p, int j) {
      return b[bOff + t * strideB + (tb ? j * ldb + p : p * ldb + j)];
    }

    /** What C must be after {@code products} products. */
    double[] expected(double[] a, double[] b, double[] c, int products) {
      double[] out = c.clone();
      for (int t = 0; t < products; t++) {
        for (int i = 0; i < m; i++) {
          for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; alpha != 0 && p < k; p++) {
              sum += a(a, t, i, p) * b(b, t, p, j);
            }
            int at = cOff + t * strideC + i * ldc + j;
            out[at] = (alpha == 0 ? 0 : alpha * sum) + (beta == 0 ? 0 : beta * c[at]);
          }
        }
      }
      return out;
    }
  }

  private static Blas engine(String name) {
    boolean there = Engines.report().stream().anyMatch(r -> r.name().equals(name) && r.available());
    assumeTrue(there, () -> name + " is not available here");
    return Engines.get(name);
  }

  private static double[] random(Random r, int n) {
    return r.doubles(n, -1, 1).toArray();
  }

  private static float[] floats(double[] a) {
    float[] f = new float[a.length];
    for (int i = 0; i < f.length; i++) {
      f[i] = (float) a[i];
    }
    return f;
  }

  private static double[] doubles(float[] a) {
    double[] d = new double[a.length];
    for (int i = 0; i < d.length; i++) {
      d[i] = a[i];
    }
    return d;
  }

  private static void same(double[] expected, double[] actual, double tolerance, Object what) {
    for (int i = 0; i < expected.length; i++) {
      int at = i;
      assertEquals(expected[i], actual[i], tolerance, () -> "element " + at + " of " + what);
    }
  }

  private static void gemm64(Blas e, Case q, double[] a, double[] b, double[] c) {
    e.gemm(
        q.ta, q.tb, q.m, q.n, q.k, q.alpha, a, q.aOff, q.lda, b, q.bOff, q.ldb, q.beta, c, q.cOff,
        q.ldc);
  }

  private static void gemm32(Blas e, Case q, float[] a, float[] b, float[] c) {
    e.gemm(
        q.ta,
        q.tb,
        q.m,
        q.n,
        q.k,
        (float) q.alpha,
        a,
        q.aOff,
        q.lda,
        b,
        q.bOff,
        q.ldb,
        (float) q.beta,
        c,
        q.cOff,
        q.ldc);
  }

  private static void check(Blas e, Case q, Random r) {
    double[] a = random(r, q.aLength());
    double[] b = random(r, q.bLength());
    double[] c = random(r, q.cLength());
    if (q.beta == 0) {
      Arrays.fill(c, Double.NaN);
    }
    double[] c64 = c.clone();
    gemm64(e, q, a, b, c64);
    same(q.expected(a, b, c, 1), c64, 1e-12 * (q.k + 1), q);

    float[] a32 = floats(a);
    float[] b32 = floats(b);
    float[] c32 = floats(c);
    double[] want = q.expected(doubles(a32), doubles(b32), doubles(c32), 1);
    gemm32(e, q, a32, b32, c32);
    same(want, doubles(c32), 1e-6 * (q.k + 1), q);
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void matchesTheTripleLoop(String name) {
    Blas e = engine(name);
    Random r = new Random(7);
    for (int i = 0; i < 600; i++) {
      check(e, Case.random(r), r);
    }
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void matchesTheTripleLoopBeyondEveryBlock(String name) {
    Blas e = engine(name);
    Random r = new Random(8);
    int[][] sizes = {
      {5, 1030, 300},
      {130, 600, 530},
      {1100, 3, 270},
      {1, 900, 700},
      {900, 1, 700},
      {1200, 1100, 1},
      {1, 1, 300_000},
      {1, 70, 9000},
      {70, 1, 9000}
    };
    for (int[] s : sizes) {
      for (int t = 0; t < 4; t++) {
        check(e, Case.sized(r, (t & 1) != 0, (t & 2) != 0, s[0], s[1], s[2]), r);
      }
    }
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void productsOfManyTilesMatch(String name) {
    Blas e = engine(name);
    Random r = new Random(9);
    int[][] sizes = {{601, 611, 550}, {40, 300, 2200}, {1100, 70, 100}, {530, 130, 1000}};
    for (int[] s : sizes) {
      for (int t = 0; t < 4; t++) {
        checkOuter(e, r, (t & 1) != 0, (t & 2) != 0, s[0], s[1], s[2]);
      }
    }
  }

  /** Sums of outer products of known vectors: the expected value needs no triple loop. */
  private static void checkOuter(Blas e, Random r, boolean ta, boolean tb, int m, int n, int k) {
    int lda = (ta ? m : k) + 3;
    int ldb = (tb ? k : n) + 2;
    double[] u = random(r, m);
    double[] v = random(r, n);
    double[] w = random(r, k);
    double[] a = new double[5 + (ta ? k : m) * lda];
    double[] b = new double[6 + (tb ? n : k) * ldb];
    double sum = 0;
    for (int p = 0; p < k; p++) {
      sum += w[p];
      for (int i = 0; i < m; i++) {
        a[5 + (ta ? p * lda + i : i * lda + p)] = u[i] * w[p];
      }
      for (int j = 0; j < n; j++) {
        b[6 + (tb ? j * ldb + p : p * ldb + j)] = v[j];
      }
    }
    double[] c = random(r, 7 + m * (n + 1));
    double[] want = c.clone();
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        want[7 + i * (n + 1) + j] += 2.0 * sum * u[i] * v[j];
      }
    }
    String what = m + "×" + n + "×" + k + " transposed " + ta + " " + tb;
    float[] c32 = floats(c);
    e.gemm(ta, tb, m, n, k, 2, a, 5, lda, b, 6, ldb, 1, c, 7, n + 1);
    same(want, c, 1e-12 * k, what);
    e.gemm(ta, tb, m, n, k, 2f, floats(a), 5, lda, floats(b), 6, ldb, 1f, c32, 7, n + 1);
    same(want, doubles(c32), 1e-5 * Math.sqrt(k), what + " in float32");
  }

  /**
   * Not MKL, whose last bits vary with the addresses of the operands; TilingTest sees its calls.
   */
  @ParameterizedTest
  @ValueSource(strings = {"java", "openblas"})
  void theNumberOfThreadsDoesNotChangeABit(String name) {
    Blas e = engine(name);
    Workers before = Engines.workers();
    Random r = new Random(11);
    int[][] sizes = {
      {128, 128, 128},
      {64, 256, 784},
      {784, 256, 64},
      {1000, 1, 900},
      {1, 1000, 900},
      {600, 300, 70},
      {333, 555, 222},
      {3000, 1, 60},
      {1500, 1200, 1}
    };
    try {
      for (int[] s : sizes) {
        for (int t = 0; t < 4; t++) {
          Case q = Case.sized(r, (t & 1) != 0, (t & 2) != 0, s[0], s[1], s[2]);
          float[] a = floats(random(r, q.aLength()));
          float[] b = floats(random(r, q.bLength()));
          float[] c = floats(random(r, q.cLength()));
          float[] alone = c.clone();
          Engines.setWorkers(Workers.serial());
          gemm32(e, q, a, b, alone);
          for (int width = 2; width <= 5; width += 3) {
            float[] together = c.clone();
            Engines.setWorkers(backwards(width));
            gemm32(e, q, a, b, together);
            assertArrayEquals(alone, together, "with " + width + " threads " + q);
          }
        }
      }
    } finally {
      Engines.setWorkers(before);
    }
  }

  /** Workers that run the last task first. */
  private static Workers backwards(int width) {
    return new Workers() {
      @Override
      public int width() {
        return width;
      }

      @Override
      public void run(int tasks, java.util.function.IntConsumer task) {
        for (int t = tasks - 1; t >= 0; t--) {
          task.accept(t);
        }
      }
    };
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void batchesMatchTheTripleLoop(String name) {
    Blas e = engine(name);
    Random r = new Random(10);
    for (int t = 0; t < 400; t++) {
      checkBatch(e, Case.random(r), r);
    }
    for (boolean trans : new boolean[] {false, true}) {
      // The shape on which a strided batch inside OpenBLAS 0.3.31 crashes.
      checkBatch(
          e,
          new Case(trans, trans, 64, 64, 64, 0, 64, 0, 64, 0, 64, 1, 0, 128, 4096, 4096, 4096),
          r);
    }
  }

  private static void checkBatch(Blas e, Case q, Random r) {
    double[] a = random(r, q.aLength());
    double[] b = random(r, q.bLength());
    double[] c = random(r, q.cLength());
    double[] c64 = c.clone();
    e.gemmBatched(
        q.ta, q.tb, q.m, q.n, q.k, q.alpha, a, q.aOff, q.lda, b, q.bOff, q.ldb, q.beta, c64, q.cOff,
        q.ldc, q.batch());
    same(q.expected(a, b, c, q.count), c64, 1e-12 * (q.k + 1), q);

    float[] a32 = floats(a);
    float[] b32 = floats(b);
    float[] c32 = floats(c);
    double[] want = q.expected(doubles(a32), doubles(b32), doubles(c32), q.count);
    e.gemmBatched(
        q.ta,
        q.tb,
        q.m,
        q.n,
        q.k,
        (float) q.alpha,
        a32,
        q.aOff,
        q.lda,
        b32,
        q.bOff,
        q.ldb,
        (float) q.beta,
        c32,
        q.cOff,
        q.ldc,
        q.batch());
    same(want, doubles(c32), 1e-6 * (q.k + 1), q);
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void notANumberComesThroughFromTheFactors(String name) {
    Blas e = engine(name);
    for (int n : new int[] {1, 3, 40}) {
      double[] a = new double[n * n];
      double[] b = new double[n * n];
      double[] c = new double[n * n];
      b[0] = Double.NaN;
      e.gemm(false, false, n, n, n, 1, a, 0, n, b, 0, n, 0, c, 0, n);
      for (int i = 0; i < n * n; i++) {
        assertEquals(i % n == 0 ? Double.NaN : 0, c[i], "0 times NaN, element " + i + " of " + n);
      }
      // One row and one column, with a NaN on either side, and one in the old C that must go.
      for (boolean inMatrix : new boolean[] {true, false}) {
        for (boolean trans : new boolean[] {true, false}) {
          double[] x = new double[n];
          double[] y = new double[n];
          java.util.Arrays.fill(y, Double.NaN);
          x[0] = inMatrix ? 0 : Double.NaN;
          double[] matrix = inMatrix ? b : a;
          e.gemm(trans, false, n, 1, n, 1, matrix, 0, n, x, 0, 1, 0, y, 0, 1);
          String what = "0 times NaN in " + (inMatrix ? "matrix" : "vector") + " of " + n;
          for (int i = 0; i < n; i++) {
            assertEquals(!inMatrix || i == 0 ? Double.NaN : 0, y[i], what);
          }
          java.util.Arrays.fill(y, Double.NaN);
          e.gemm(false, trans, 1, n, n, 1, x, 0, n, matrix, 0, n, 0, y, 0, n);
          for (int i = 0; i < n; i++) {
            assertEquals(!inMatrix || i == 0 ? Double.NaN : 0, y[i], what);
          }
        }
      }
    }
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void refusesWhatDoesNotFitAndWritesNothing(String name) {
    Blas e = engine(name);
    float[] a = new float[6];
    float[] c = {1, 1, 1, 1};
    // n too large for B, then a leading dimension too small, an offset too far, a negative size, a
    // batch too long.
    assertThrows(
        ArgumentException.class,
        () -> e.gemm(false, false, 2, 3, 3, 1f, a, 0, 3, a, 0, 3, 0f, c, 0, 3));
    assertThrows(
        ArgumentException.class,
        () -> e.gemm(false, false, 2, 2, 3, 1f, a, 0, 2, a, 0, 2, 0f, c, 0, 2));
    assertThrows(
        ArgumentException.class,
        () -> e.gemm(false, false, 2, 2, 3, 1f, a, 1, 3, a, 0, 2, 0f, c, 0, 2));
    assertThrows(
        ArgumentException.class,
        () -> e.gemm(false, false, 2, 2, 3, 1f, a, -1, 3, a, 0, 2, 0f, c, 0, 2));
    assertThrows(
        ArgumentException.class,
        () -> e.gemm(false, false, -2, 2, 3, 1f, a, 0, 3, a, 0, 2, 0f, c, 0, 2));
    Batch two = Batch.of(2, 0, 0, 4);
    assertThrows(
        ArgumentException.class,
        () -> e.gemmBatched(false, false, 2, 2, 3, 1f, a, 0, 3, a, 0, 2, 0f, c, 0, 2, two));
    assertEquals("[1.0, 1.0, 1.0, 1.0]", Arrays.toString(c));
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void threadsCanBeSet(String name) {
    Blas e = engine(name);
    int before = e.threads();
    e.setThreads(1);
    try {
      assertEquals(1, e.threads());
      check(e, Case.sized(new Random(3), false, true, 130, 140, 150), new Random(3));
    } finally {
      e.setThreads(before);
    }
    assertEquals(before, e.threads());
    assertThrows(ArgumentException.class, () -> e.setThreads(0));
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void severalThreadsMayCallAtOnce(String name) throws InterruptedException {
    Blas e = engine(name);
    var failures = new java.util.concurrent.ConcurrentLinkedQueue<Throwable>();
    Thread[] callers = new Thread[4];
    for (int t = 0; t < callers.length; t++) {
      Random r = new Random(t);
      callers[t] =
          Thread.ofPlatform()
              .uncaughtExceptionHandler((thread, failure) -> failures.add(failure))
              .start(
                  () -> {
                    for (int i = 0; i < 20; i++) {
                      check(e, Case.sized(r, i % 2 == 0, i % 3 == 0, 80, 90, 100), r);
                    }
                  });
    }
    for (Thread t : callers) {
      t.join();
    }
    assertEquals("[]", failures.toString());
  }
}
