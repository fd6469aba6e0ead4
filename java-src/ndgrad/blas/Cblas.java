package ndgrad.blas;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * The C functions of one BLAS library, each on the calling thread alone. Segments may be on the
 * heap: the garbage collector waits until a call returns, so calls must be short.
 */
interface Cblas {
  /** How these functions are called: segments may be on the heap. */
  Linker.Option ON_HEAP = Linker.Option.critical(true);

  /** The C type of {@code cblas_?gemm}. */
  static FunctionDescriptor gemmType(ValueLayout scalar) {
    return FunctionDescriptor.ofVoid(
        JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, scalar, ADDRESS, JAVA_INT,
        ADDRESS, JAVA_INT, scalar, ADDRESS, JAVA_INT);
  }

  /** The C type of {@code cblas_?gemv}. */
  static FunctionDescriptor gemvType(ValueLayout scalar) {
    return FunctionDescriptor.ofVoid(
        JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, scalar, ADDRESS, JAVA_INT, ADDRESS, JAVA_INT,
        scalar, ADDRESS, JAVA_INT);
  }

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
