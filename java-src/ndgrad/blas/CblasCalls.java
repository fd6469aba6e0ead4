package ndgrad.blas;

import static java.lang.foreign.ValueLayout.ADDRESS;
import static java.lang.foreign.ValueLayout.JAVA_DOUBLE;
import static java.lang.foreign.ValueLayout.JAVA_FLOAT;
import static java.lang.foreign.ValueLayout.JAVA_INT;

import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemoryLayout;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.util.ArrayList;
import java.util.List;

/**
 * The calls into one library. A method handle is fast only as a static final, so {@link
 * Library#bind} defines this class anew, hidden, for every library; the class as loaded by name is
 * never initialised.
 */
final class CblasCalls implements Cblas {
  private static final int ROW_MAJOR = 101;

  private static final Library LIBRARY = library();
  private static final MethodHandle SGEMM = gemm("cblas_sgemm", JAVA_FLOAT);
  private static final MethodHandle SGEMM_CRITICAL =
      gemm("cblas_sgemm", JAVA_FLOAT, Linker.Option.critical(true));
  private static final MethodHandle DGEMM = gemm("cblas_dgemm", JAVA_DOUBLE);
  private static final MethodHandle DGEMM_CRITICAL =
      gemm("cblas_dgemm", JAVA_DOUBLE, Linker.Option.critical(true));
  private static final MethodHandle SGEMM_BATCH = batch("cblas_sgemm_batch_strided", JAVA_FLOAT);
  private static final MethodHandle DGEMM_BATCH = batch("cblas_dgemm_batch_strided", JAVA_DOUBLE);
  private static final MethodHandle THREADS =
      LIBRARY.function(LIBRARY.kind().threadsFunction(), FunctionDescriptor.of(JAVA_INT));
  private static final MethodHandle SET_THREADS =
      LIBRARY.function(LIBRARY.kind().setThreadsFunction(), FunctionDescriptor.ofVoid(JAVA_INT));

  private CblasCalls() {}

  private static Library library() {
    try {
      return MethodHandles.classData(MethodHandles.lookup(), "_", Library.class);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  private static MethodHandle gemm(
      String name, ValueLayout.OfFloat scalar, Linker.Option... options) {
    return LIBRARY.function(name, gemmOf(scalar), options);
  }

  private static MethodHandle gemm(
      String name, ValueLayout.OfDouble scalar, Linker.Option... options) {
    return LIBRARY.function(name, gemmOf(scalar), options);
  }

  private static FunctionDescriptor gemmOf(ValueLayout scalar) {
    return FunctionDescriptor.ofVoid(
        JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, JAVA_INT, scalar, ADDRESS, JAVA_INT,
        ADDRESS, JAVA_INT, scalar, ADDRESS, JAVA_INT);
  }

  /** The strided batch function, or null where the library's own must not be used. */
  private static MethodHandle batch(String name, ValueLayout scalar) {
    if (!LIBRARY.batches()) {
      return null;
    }
    List<MemoryLayout> types = new ArrayList<>(gemmOf(scalar).argumentLayouts());
    types.add(9, JAVA_INT);
    types.add(12, JAVA_INT);
    types.add(JAVA_INT);
    types.add(JAVA_INT);
    return LIBRARY.function(
        name,
        FunctionDescriptor.ofVoid(types.toArray(MemoryLayout[]::new)),
        Linker.Option.critical(true));
  }

  private static RuntimeException failure(Throwable e) {
    if (e instanceof Error error) {
      throw error;
    }
    return e instanceof RuntimeException r ? r : new IllegalStateException(e);
  }

  @Override
  public void sgemm(boolean critical, int transA, int transB, int m, int n, int k, float alpha,
      MemorySegment a, int lda, MemorySegment b, int ldb, float beta, MemorySegment c, int ldc) {
    try {
      if (critical) {
        SGEMM_CRITICAL.invokeExact(
            ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      } else {
        SGEMM.invokeExact(
            ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      }
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void dgemm(boolean critical, int transA, int transB, int m, int n, int k, double alpha,
      MemorySegment a, int lda, MemorySegment b, int ldb, double beta, MemorySegment c, int ldc) {
    try {
      if (critical) {
        DGEMM_CRITICAL.invokeExact(
            ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      } else {
        DGEMM.invokeExact(
            ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, b, ldb, beta, c, ldc);
      }
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void sgemmBatch(int transA, int transB, int m, int n, int k, float alpha,
      MemorySegment a, int lda, int strideA, MemorySegment b, int ldb, int strideB, float beta,
      MemorySegment c, int ldc, int strideC, int count) {
    try {
      SGEMM_BATCH.invokeExact(ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, strideA, b, ldb,
          strideB, beta, c, ldc, strideC, count);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void dgemmBatch(int transA, int transB, int m, int n, int k, double alpha,
      MemorySegment a, int lda, int strideA, MemorySegment b, int ldb, int strideB, double beta,
      MemorySegment c, int ldc, int strideC, int count) {
    try {
      DGEMM_BATCH.invokeExact(ROW_MAJOR, transA, transB, m, n, k, alpha, a, lda, strideA, b, ldb,
          strideB, beta, c, ldc, strideC, count);
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public int threads() {
    try {
      return (int) THREADS.invokeExact();
    } catch (Throwable e) {
      throw failure(e);
    }
  }

  @Override
  public void setThreads(int threads) {
    try {
      SET_THREADS.invokeExact(threads);
    } catch (Throwable e) {
      throw failure(e);
    }
  }
}
