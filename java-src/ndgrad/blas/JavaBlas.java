package ndgrad.blas;

import java.util.Objects;

/**
 * The engine that is always there: blocked and packed loops in Java, spread over borrowed threads.
 */
public final class JavaBlas implements Blas {
  private final Workers workers;
  private volatile int limit = Integer.MAX_VALUE;

  /**
   * An engine over the given threads.
   *
   * @param workers the threads to borrow
   */
  public JavaBlas(Workers workers) {
    this.workers = Objects.requireNonNull(workers, "workers");
  }

  @Override
  public String name() {
    return "java";
  }

  @Override
  public String version() {
    return "Java " + Runtime.version().feature();
  }

  @Override
  public int threads() {
    return Math.min(limit, workers.width());
  }

  @Override
  public void setThreads(int threads) {
    Checks.threads(threads);
    limit = threads;
  }

  @Override
  public void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      float alpha,
      float[] a,
      int aOff,
      int lda,
      float[] b,
      int bOff,
      int ldb,
      float beta,
      float[] c,
      int cOff,
      int ldc) {
    Checks.gemm(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc);
    FloatGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
        .run(workers, threads());
  }

  @Override
  public void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      double alpha,
      double[] a,
      int aOff,
      int lda,
      double[] b,
      int bOff,
      int ldb,
      double beta,
      double[] c,
      int cOff,
      int ldc) {
    Checks.gemm(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc);
    DoubleGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
        .run(workers, threads());
  }

  @Override
  public void gemmBatched(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      float alpha,
      float[] a,
      int aOff,
      int lda,
      float[] b,
      int bOff,
      int ldb,
      float beta,
      float[] c,
      int cOff,
      int ldc,
      Batch batch) {
    Checks.batch(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc,
        batch);
    var first =
        FloatGemm.of(
            transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc);
    batch.run(
        workers,
        threads(),
        (long) m * n * k,
        (i, t) -> first.at(batch.a(i), batch.b(i), batch.c(i)).run(workers, t));
  }

  @Override
  public void gemmBatched(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      double alpha,
      double[] a,
      int aOff,
      int lda,
      double[] b,
      int bOff,
      int ldb,
      double beta,
      double[] c,
      int cOff,
      int ldc,
      Batch batch) {
    Checks.batch(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc,
        batch);
    var first =
        DoubleGemm.of(
            transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc);
    batch.run(
        workers,
        threads(),
        (long) m * n * k,
        (i, t) -> first.at(batch.a(i), batch.b(i), batch.c(i)).run(workers, t));
  }

  /**
   * {@code C = alpha·op(A)·op(B) + beta·C} in int32 with wrapping arithmetic; the parameters are
   * those of {@link Blas#gemm(boolean, boolean, int, int, int, float, float[], int, int, float[],
   * int, int, float, float[], int, int)}.
   *
   * @param transA whether {@code A} is stored as k×m
   * @param transB whether {@code B} is stored as n×k
   * @param m rows of {@code C}
   * @param n columns of {@code C}
   * @param k the dimension summed over
   * @param alpha factor of the product
   * @param a array of {@code A}, not modified
   * @param aOff where {@code A} starts
   * @param lda leading dimension of {@code A}
   * @param b array of {@code B}, not modified
   * @param bOff where {@code B} starts
   * @param ldb leading dimension of {@code B}
   * @param beta factor of the old {@code C}
   * @param c array of {@code C}, modified
   * @param cOff where {@code C} starts
   * @param ldc leading dimension of {@code C}
   */
  public void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int alpha,
      int[] a,
      int aOff,
      int lda,
      int[] b,
      int bOff,
      int ldb,
      int beta,
      int[] c,
      int cOff,
      int ldc) {
    Checks.gemm(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc);
    IntGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
        .run(workers, threads());
  }

  /**
   * {@code C = alpha·op(A)·op(B) + beta·C} in int64 with wrapping arithmetic; the parameters are
   * those of {@link Blas#gemm(boolean, boolean, int, int, int, float, float[], int, int, float[],
   * int, int, float, float[], int, int)}.
   *
   * @param transA whether {@code A} is stored as k×m
   * @param transB whether {@code B} is stored as n×k
   * @param m rows of {@code C}
   * @param n columns of {@code C}
   * @param k the dimension summed over
   * @param alpha factor of the product
   * @param a array of {@code A}, not modified
   * @param aOff where {@code A} starts
   * @param lda leading dimension of {@code A}
   * @param b array of {@code B}, not modified
   * @param bOff where {@code B} starts
   * @param ldb leading dimension of {@code B}
   * @param beta factor of the old {@code C}
   * @param c array of {@code C}, modified
   * @param cOff where {@code C} starts
   * @param ldc leading dimension of {@code C}
   */
  public void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      long alpha,
      long[] a,
      int aOff,
      int lda,
      long[] b,
      int bOff,
      int ldb,
      long beta,
      long[] c,
      int cOff,
      int ldc) {
    Checks.gemm(
        transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff, ldc);
    LongGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
        .run(workers, threads());
  }
}
