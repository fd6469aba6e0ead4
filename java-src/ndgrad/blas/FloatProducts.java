package ndgrad.blas;

import java.lang.foreign.MemorySegment;

/** Products of float matrices with a C library. Arguments have been checked. */
record FloatProducts(Cblas calls, Routes routes, Workers workers) {

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
              FloatTiles.at(a, aOff),
              lda,
              FloatTiles.at(b, bOff),
              ldb,
              beta,
              FloatTiles.at(c, cOff),
              ldc);
      case LOOPS ->
          FloatGemm.of(
                  transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
              .run(workers, threads);
      case VECTOR ->
          FloatMatrixVector.of(
                  calls, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff,
                  ldc)
              .run(workers, threads);
      case TILES -> {
        Tiling tiling = routes.tiling(transA, transB, m, n, k, Float.BYTES);
        new FloatTiles(
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
                    FloatTiles.at(left, aOff + batch.a(i)),
                    lda,
                    FloatTiles.at(right, bOff + batch.b(i)),
                    ldb,
                    beta,
                    FloatTiles.at(result, cOff + batch.c(i)),
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
