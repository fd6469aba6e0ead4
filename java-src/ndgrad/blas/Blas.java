package ndgrad.blas;

/**
 * Matrix products over primitive arrays: what an engine has to offer. Matrices are row-major; a
 * matrix with {@code r} rows and {@code c} columns is a start offset and a leading dimension {@code
 * ld ≥ c}, so that element {@code (i, j)} is {@code array[offset + i * ld + j]}. All counts,
 * offsets, leading dimensions and strides are in elements.
 *
 * <p>Rules that every engine keeps: {@code C = alpha·op(A)·op(B) + beta·C} where {@code op} is the
 * identity or the transpose; when {@code beta} is 0, {@code C} is written without being read (a NaN
 * in it does not survive); when {@code alpha} or {@code k} is 0, {@code A} and {@code B} are not
 * read and {@code C = beta·C}; when {@code m} or {@code n} is 0 nothing happens. Elements between
 * the columns and the leading dimension are left alone. {@code C} must not overlap {@code A} or
 * {@code B}. An argument that doesn't fit its array is an {@link ndgrad.ArgumentException}, thrown
 * before anything is written. Engines may be called by several threads at once.
 */
public interface Blas {

  /**
   * The name by which the engine is chosen, such as {@code "mkl"}.
   *
   * @return the name, in lower case
   */
  String name();

  /**
   * What the library says about itself.
   *
   * @return the version, for people to read
   */
  String version();

  /**
   * Where the library was loaded from.
   *
   * @return a path, or {@code ""} when there is no file
   */
  default String path() {
    return "";
  }

  /**
   * The number of threads that one call may use.
   *
   * @return at least 1
   */
  int threads();

  /**
   * Sets the number of threads that one call may use, for the whole process.
   *
   * @param threads at least 1
   */
  void setThreads(int threads);

  /**
   * {@code C = alpha·op(A)·op(B) + beta·C} in float32, see {@link Blas} for the rules.
   *
   * @param transA whether {@code A} is stored as k×m and used transposed; otherwise it is m×k
   * @param transB whether {@code B} is stored as n×k and used transposed; otherwise it is k×n
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
  void gemm(
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
      int ldc);

  /**
   * {@code C = alpha·op(A)·op(B) + beta·C} in float64, see {@link Blas} for the rules.
   *
   * @param transA whether {@code A} is stored as k×m and used transposed; otherwise it is m×k
   * @param transB whether {@code B} is stored as n×k and used transposed; otherwise it is k×n
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
  void gemm(
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
      int ldc);

  /**
   * A batch of float32 products of one shape: the {@code A} of product {@code i} starts at {@code
   * aOff + batch.a(i)}, and so on. The default calls {@link #gemm} in turn.
   *
   * @param transA whether the matrices of {@code A} are stored as k×m and used transposed
   * @param transB whether the matrices of {@code B} are stored as n×k and used transposed
   * @param m rows of each result
   * @param n columns of each result
   * @param k the dimension summed over
   * @param alpha factor of the products
   * @param a array of {@code A}, not modified
   * @param aOff where the first {@code A} starts
   * @param lda leading dimension of {@code A}
   * @param b array of {@code B}, not modified
   * @param bOff where the first {@code B} starts
   * @param ldb leading dimension of {@code B}
   * @param beta factor of the old {@code C}
   * @param c array of {@code C}, modified
   * @param cOff where the first {@code C} starts
   * @param ldc leading dimension of {@code C}
   * @param batch where the matrices lie from the first ones on; the results must not overlap
   */
  default void gemmBatched(
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
    int count = batch.count();
    for (int i = 0; i < count; i++) {
      gemm(
          transA,
          transB,
          m,
          n,
          k,
          alpha,
          a,
          aOff + batch.a(i),
          lda,
          b,
          bOff + batch.b(i),
          ldb,
          beta,
          c,
          cOff + batch.c(i),
          ldc);
    }
  }

  /**
   * A batch of float64 products of one shape: the {@code A} of product {@code i} starts at {@code
   * aOff + batch.a(i)}, and so on. The default calls {@link #gemm} in turn.
   *
   * @param transA whether the matrices of {@code A} are stored as k×m and used transposed
   * @param transB whether the matrices of {@code B} are stored as n×k and used transposed
   * @param m rows of each result
   * @param n columns of each result
   * @param k the dimension summed over
   * @param alpha factor of the products
   * @param a array of {@code A}, not modified
   * @param aOff where the first {@code A} starts
   * @param lda leading dimension of {@code A}
   * @param b array of {@code B}, not modified
   * @param bOff where the first {@code B} starts
   * @param ldb leading dimension of {@code B}
   * @param beta factor of the old {@code C}
   * @param c array of {@code C}, modified
   * @param cOff where the first {@code C} starts
   * @param ldc leading dimension of {@code C}
   * @param batch where the matrices lie from the first ones on; the results must not overlap
   */
  default void gemmBatched(
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
    int count = batch.count();
    for (int i = 0; i < count; i++) {
      gemm(
          transA,
          transB,
          m,
          n,
          k,
          alpha,
          a,
          aOff + batch.a(i),
          lda,
          b,
          bOff + batch.b(i),
          ldb,
          beta,
          c,
          cOff + batch.c(i),
          ldc);
    }
  }
}
