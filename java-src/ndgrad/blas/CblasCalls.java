package ndgrad.blas;

import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;

/**
 * The calls into one library. A method handle is fast only as a static final, so {@link
 * Library#bind} defines this class anew, hidden, for every library; the class as loaded by name is
 * never initialised.
 */
final class CblasCalls implements Cblas {
  private static final int ROW_MAJOR = 101;
  private static final int NO_TRANS = 111;
  private static final int TRANS = 112;

  private static final Library LIBRARY = library();
  private static final MethodHandle SGEMM = gemm("cblas_sgemm", JAVA_FLOAT);
  private static final MethodHandle DGEMM = gemm("cblas_dgemm", JAVA_DOUBLE);
  private static final MethodHandle SGEMV = gemv("cblas_sgemv", JAVA_FLOAT);
  private static final MethodHandle DGEMV = gemv("cblas_dgemv", JAVA_DOUBLE);

  private static final byte[] NOTHING = new byte[256];

  /** Not final: a copy of a length that is known becomes loads and stores. */
  private static int nothing = NOTHING.length / 2;

  /** Whether the number of threads is set for each call and put back, for others use it too. */
  private static final boolean BORROWED = LIBRARY.kind() == Library.Kind.MKL;

  private static final MethodHandle SET_THREADS =
      BORROWED
          ? LIBRARY.function(
              "MKL_Set_Num_Threads_Local",
              FunctionDescriptor.of(JAVA_INT, JAVA_INT),
              Linker.Option.critical(false))
          : null;

  private CblasCalls() {}

  private static Library library() {
    try {
      return MethodHandles.classData(MethodHandles.lookup(), "_", Library.class);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  private static MethodHandle gemm(String name, ValueLayout scalar) {
    return LIBRARY.function(name, Cblas.gemmType(scalar), ON_HEAP);
  }

  private static MethodHandle gemv(String name, ValueLayout scalar) {
    return LIBRARY.function(name, Cblas.gemvType(scalar), ON_HEAP);
  }

  private static RuntimeException failure(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    return e instanceof RuntimeException r ? r : new IllegalStateException(e);
  }

  private static int trans(boolean t) {
    return t ? TRANS : NO_TRANS;
  }

  /**
   * Lets the library work on this thread alone; the answer is for {@link #after}. Copies a little
   * first, as that ends with the registers' upper halves cleared: compiled Java may leave something
   * in them, and then each instruction of the library that is none of AVX's waits on Intel's
   * processors (a product of 4×4: 480 ns instead of 180).
   */
  private static int before() throws Throwable {
    System.arraycopy(NOTHING, 0, NOTHING, nothing, nothing);
    return BORROWED ? (int) SET_THREADS.invokeExact(1) : 0;
  }

  private static void after(int threads) throws Throwable {
    if (BORROWED) {
      int _ = (int) SET_THREADS.invokeExact(threads);
    }
  }

  @Override
  public void gemm(
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
      int ldc) {
    try {
      int threads = before();
      SGEMM.invokeExact(
          ROW_MAJOR, trans(transA), trans(transB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      after(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void gemm(
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
      int ldc) {
    try {
      int threads = before();
      DGEMM.invokeExact(
          ROW_MAJOR, trans(transA), trans(transB), m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      after(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void gemv(
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
      int incY) {
    try {
      int threads = before();
      SGEMV.invokeExact(ROW_MAJOR, trans(trans), rows, cols, alpha, a, lda, x, incX, beta, y, incY);
      after(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void gemv(
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
      int incY) {
    try {
      int threads = before();
      DGEMV.invokeExact(ROW_MAJOR, trans(trans), rows, cols, alpha, a, lda, x, incX, beta, y, incY);
      after(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }
}
