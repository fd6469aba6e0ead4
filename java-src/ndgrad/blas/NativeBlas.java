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
  /** Up to this many multiplications the Java loops finish before a native call has begun. */
  static final long TINY = 8;

  /**
   * The same where there are {@link TileKernel}s and the library packs whatever it is given: with
   * AVX2 OpenBLAS takes 1.3 times as long for 64³. Larger products would take too long on the plain
   * loops while these are not compiled.
   */
  private static final long PACKED = 1L << 24;

  /** Columns that fill the tiles of most processors. */
  private static final int WIDE = 16;

  /** Up to here a product is one call. */
  private static final long SINGLE = 1L << 18;

  private final Library library;
  private final Cblas calls;
  private final String version;
  private final boolean fine;

  /** Whether the library packs both operands whatever their size. */
  private final boolean packs;

  private final Workers workers;
  private volatile int limit = Integer.MAX_VALUE;

  NativeBlas(Library library, Workers workers) {
    this.library = library;
    this.calls = library.bind();
    this.version = version(library);
    this.fine = library.hasSmallKernels();
    this.packs = library.kind() == Library.Kind.OPENBLAS && !fine;
    this.workers = workers;
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
        text =
            (MemorySegment)
                library
                    .function("openblas_get_config", FunctionDescriptor.of(ValueLayout.ADDRESS))
                    .invokeExact();
        text = text.reinterpret(Long.MAX_VALUE); // ends with a NUL
      }
      return text.getString(0).strip();
    } catch (Throwable e) {
      throw new UnavailableException(library.path() + " doesn't answer: " + e, e);
    }
  }

  /** Whether a product is one call of the library, on one thread. */
  private boolean isOneCall(int m, int n, int k, boolean zero) {
    long cost = (long) m * n * k;
    return cost > TINY
        && cost <= SINGLE
        && Math.min(m, Math.min(n, k)) > 1
        && !zero
        && !isForTiles(n, cost);
  }

  private boolean isForTiles(int n, long cost) {
    return packs && cost < PACKED && n >= WIDE && Engines.tileKernels().areExpected();
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

  private Tiling tiling(boolean transA, boolean transB, int m, int n, int k, int bytes) {
    return fine ? Tiling.fine(transA, transB, m, n, k, bytes) : Tiling.coarse(m, n, k, bytes);
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
    multiply(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, threads());
  }

  private void multiply(
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
    long cost = (long) m * n * k;
    if (isOneCall(m, n, k, alpha == 0)) {
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
    } else if (cost <= TINY || k == 1 || alpha == 0) {
      FloatGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else if (m == 1 || n == 1) {
      FloatMatrixVector.of(
              calls, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else if (isForTiles(n, cost)) {
      FloatGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else {
      Tiling tiling = tiling(transA, transB, m, n, k, Float.BYTES);
      new FloatTiles(
              calls, tiling, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c,
              cOff, ldc)
          .run(workers, threads);
    }
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
    MemorySegment left = MemorySegment.ofArray(a);
    MemorySegment right = MemorySegment.ofArray(b);
    MemorySegment result = MemorySegment.ofArray(c);
    Batch.Product product =
        isOneCall(m, n, k, alpha == 0)
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
                multiply(
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
    batch.run(workers, threads(), (long) m * n * k, product);
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
    multiply(
        transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc, threads());
  }

  private void multiply(
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
    long cost = (long) m * n * k;
    if (isOneCall(m, n, k, alpha == 0)) {
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
    } else if (cost <= TINY || k == 1 || alpha == 0) {
      DoubleGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else if (m == 1 || n == 1) {
      DoubleMatrixVector.of(
              calls, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else if (isForTiles(n, cost)) {
      DoubleGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, threads);
    } else {
      Tiling tiling = tiling(transA, transB, m, n, k, Double.BYTES);
      new DoubleTiles(
              calls, tiling, transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c,
              cOff, ldc)
          .run(workers, threads);
    }
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
    MemorySegment left = MemorySegment.ofArray(a);
    MemorySegment right = MemorySegment.ofArray(b);
    MemorySegment result = MemorySegment.ofArray(c);
    Batch.Product product =
        isOneCall(m, n, k, alpha == 0)
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
                multiply(
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
    batch.run(workers, threads(), (long) m * n * k, product);
  }
}
