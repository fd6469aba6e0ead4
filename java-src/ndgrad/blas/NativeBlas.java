package ndgrad.blas;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A C library behind the {@link Blas} interface. It works on the Java arrays in place, during which
 * the garbage collector waits for it, so a product is cut into short calls, see {@link Tiling}.
 * Each is made on one thread, and our threads share the calls: the library's own threads would wait
 * for work in a loop that takes the processor away from whatever else there is to do.
 */
final class NativeBlas implements Blas {
  private final Library library;
  private final String version;
  private final Workers workers;
  private final FloatProducts floats;
  private final DoubleProducts doubles;
  private volatile int limit = Integer.MAX_VALUE;

  NativeBlas(Library library, Workers workers) {
    this.library = library;
    this.version = version(library);
    this.workers = workers;
    Cblas calls = library.bind();
    boolean fine = library.hasSmallKernels();
    Routes routes = new Routes(fine, library.kind() == Library.Kind.OPENBLAS && !fine);
    this.floats = new FloatProducts(calls, routes, workers);
    this.doubles = new DoubleProducts(calls, routes, workers);
    library.useOneThread();
  }

  private static String version(Library library) {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment text;
      if (library.kind() == Library.Kind.MKL) {
        text = arena.allocate(256);
        library
            .function(
                "MKL_Get_Version_String",
                FunctionDescriptor.ofVoid(ValueLayout.ADDRESS, ValueLayout.JAVA_INT))
            .invokeExact(text, 255);
      } else {
        text = (MemorySegment) library.function("openblas_get_config", Library.TEXT).invokeExact();
        text = text.reinterpret(Long.MAX_VALUE); // ends with a NUL
      }
      return text.getString(0).strip();
    } catch (Throwable e) {
      throw new UnavailableException(library.path() + " doesn't answer: " + e, e);
    }
  }

  @Override
  public String name() {
    return library.kind().id();
  }

  @Override
  public String version() {
    return version;
  }

  @Override
  public String path() {
    return library.path();
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
    floats.gemm(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, threads());
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
    floats.gemmBatched(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, batch,
        threads());
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
    doubles.gemm(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, threads());
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
    doubles.gemmBatched(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, batch,
        threads());
  }
}
