package ndgrad.blas;

import java.lang.foreign.MemorySegment;

/**
 * The C functions of one BLAS library, each on the calling thread alone. Segments may be on the
 * heap: the garbage collector waits until a call returns, so calls must be short.
 */
interface Cblas {
  void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      float beta,
      MemorySegment c,
      int ldc);

  void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      double alpha,
      MemorySegment a,
      int lda,
      MemorySegment b,
      int ldb,
      double beta,
      MemorySegment c,
      int ldc);

  /** {@code y = alpha·op(A)·x + beta·y}; {@code A} is rows × cols as it is stored. */
  void gemv(
      boolean trans,
      int rows,
      int cols,
      float alpha,
      MemorySegment a,
      int lda,
      MemorySegment x,
      int incX,
      float beta,
      MemorySegment y,
      int incY);

  /** {@code y = alpha·op(A)·x + beta·y}; {@code A} is rows × cols as it is stored. */
  void gemv(
      boolean trans,
      int rows,
      int cols,
      double alpha,
      MemorySegment a,
      int lda,
      MemorySegment x,
      int incX,
      double beta,
      MemorySegment y,
      int incY);
}
