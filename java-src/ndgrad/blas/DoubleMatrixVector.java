// Generated from FloatMatrixVector.java by dev/Specialize.java: edit that, then run it.
package ndgrad.blas;

/**
 * {@code y = alpha·op(A)·x + beta·y} in double as calls of a library on blocks of {@code y}, on
 * several threads where that pays. {@code A} has {@code rows} × {@code cols} elements as it is
 * stored.
 */
record DoubleMatrixVector(
    Cblas calls,
    boolean trans,
    int rows,
    int cols,
    double alpha,
    double[] a,
    int aOff,
    int lda,
    double[] x,
    int xOff,
    int incX,
    double beta,
    double[] y,
    int yOff,
    int incY) {

  /** The product of a matrix with one column or one row, as {@link Blas} describes it. */
  static DoubleMatrixVector of(
      Cblas calls,
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
    if (n == 1) {
      return new DoubleMatrixVector(
          calls,
          transA,
          transA ? k : m,
          transA ? m : k,
          alpha,
          a,
          aOff,
          lda,
          b,
          bOff,
          transB ? 1 : ldb,
          beta,
          c,
          cOff,
          ldc);
    }
    // Cᵀ = op(B)ᵀ·Aᵀ
    return new DoubleMatrixVector(
        calls,
        !transB,
        transB ? n : k,
        transB ? k : n,
        alpha,
        b,
        bOff,
        ldb,
        a,
        aOff,
        transA ? lda : 1,
        beta,
        c,
        cOff,
        1);
  }

  /** Computes the product on at most {@code threads} of the workers. */
  void run(Workers workers, int threads) {
    int outputs = trans ? cols : rows;
    Tiling tiling = Tiling.vector(outputs, trans ? rows : cols, Double.BYTES);
    int blocks = Math.ceilDiv(outputs, tiling.rows());
    if (beta == 0) {
      // Some libraries multiply by beta all the same, and a NaN would stay.
      for (int i = 0; i < outputs; i++) {
        y[yOff + i * incY] = 0;
      }
    }
    if (threads == 1 || blocks == 1) {
      for (int t = 0; t < blocks; t++) {
        block(tiling, t * tiling.rows(), outputs);
      }
    } else {
      workers.run(blocks, t -> block(tiling, t * tiling.rows(), outputs));
    }
  }

  private void block(Tiling tiling, int from, int outputs) {
    int count = Math.min(tiling.rows(), outputs - from);
    int k = trans ? rows : cols;
    for (int p = 0; p < k; p += tiling.depth()) {
      int kc = Math.min(tiling.depth(), k - p);
      calls.gemv(
          trans,
          trans ? kc : count,
          trans ? count : kc,
          alpha,
          DoubleTiles.at(a, aOff + (trans ? p * lda + from : from * lda + p)),
          lda,
          DoubleTiles.at(x, xOff + p * incX),
          incX,
          p == 0 ? beta : 1,
          DoubleTiles.at(y, yOff + from * incY),
          incY);
    }
  }
}
