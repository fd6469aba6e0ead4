// Generated from FloatProducts.java by dev/Specialize.java: edit that, then run it.
package ndgrad.blas;

import java.lang.foreign.MemorySegment;

/** Products of double matrices with a C library. Arguments have been checked. */
record DoubleProducts(Cblas calls, Routes routes, Workers workers) {

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
      int ldc,
      int threads) {
    switch (routes.of(m, n, k, alpha == 0)) {
      case CALL ->
          calls.gemm(
              transA,
              transB,
              m,
              n,
              k,
              alpha,
              DoubleTiles.at(a, aOff),
              lda,
              DoubleTiles.at(b, bOff),
              ldb,
              beta,
              DoubleTiles.at(c, cOff),
              ldc);
      case LOOPS ->
          DoubleGemm.of(
                  transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
              .run(workers, threads);
      case VECTOR ->
          DoubleMatrixVector.of(
                  calls, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff,
                  ldc)
              .run(workers, threads);
      case TILES -> {
        Tiling tiling = routes.tiling(transA, transB, m, n, k, Double.BYTES);
        new DoubleTiles(
                calls, tiling, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c,
                cOff, ldc)
            .run(workers, threads);
      }
    }
  }

  void gemmBatched(
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
      Batch batch,
      int threads) {
    MemorySegment left = MemorySegment.ofArray(a);
    MemorySegment right = MemorySegment.ofArray(b);
    MemorySegment result = MemorySegment.ofArray(c);
    Batch.Product product =
        routes.of(m, n, k, alpha == 0) == Routes.Way.CALL
            ? (i, t) ->
                calls.gemm(
                    transA,
                    transB,
                    m,
                    n,
                    k,
                    alpha,
                    DoubleTiles.at(left, aOff + batch.a(i)),
                    lda,
                    DoubleTiles.at(right, bOff + batch.b(i)),
                    ldb,
                    beta,
                    DoubleTiles.at(result, cOff + batch.c(i)),
                    ldc)
            : (i, t) ->
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
                    ldc,
                    t);
    batch.run(workers, threads, (long) m * n * k, product);
  }
}
