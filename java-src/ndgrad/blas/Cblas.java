package ndgrad.blas;

import java.lang.foreign.MemorySegment;

/**
 * The C functions of one BLAS library. Segments of {@code critical} calls may be on the heap; the
 * garbage collector waits until such a call returns. Others must be native.
 */
interface Cblas {
  void sgemm(boolean critical, int transA, int transB, int m, int n, int k, float alpha,
      MemorySegment a, int lda, MemorySegment b, int ldb, float beta, MemorySegment c, int ldc);

  void dgemm(boolean critical, int transA, int transB, int m, int n, int k, double alpha,
      MemorySegment a, int lda, MemorySegment b, int ldb, double beta, MemorySegment c, int ldc);

  /** Only in libraries that {@link Library#batches()}. */
  void sgemmBatch(int transA, int transB, int m, int n, int k, float alpha, MemorySegment a,
      int lda, int strideA, MemorySegment b, int ldb, int strideB, float beta, MemorySegment c,
      int ldc, int strideC, int count);

  /** Only in libraries that {@link Library#batches()}. */
  void dgemmBatch(int transA, int transB, int m, int n, int k, double alpha, MemorySegment a,
      int lda, int strideA, MemorySegment b, int ldb, int strideB, double beta, MemorySegment c,
      int ldc, int strideC, int count);

  int threads();

  void setThreads(int threads);
}
