package ndgrad.blas;

import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;

/**
 * A C library behind the {@link Blas} interface. Short calls work on the Java arrays in place,
 * during which the garbage collector waits for them; longer ones work on copies outside the heap,
 * so that no other thread is held up.
 */
final class NativeBlas implements Blas {
  /** Up to this many multiplications the Java loops finish before a native call has begun. */
  static final long TINY = 8;

  /**
   * Multiplications that take a few milliseconds on a slow machine: the limit of a call in place.
   */
  static final long SHORT = 200_000_000;

  /** Up to here OpenBLAS works on one thread, and a batch may use ours. */
  private static final long SINGLE = 64L * 64 * 64;

  private static final int NO_TRANS = 111;
  private static final int TRANS = 112;

  private final Library library;
  private final Cblas calls;
  private final String version;
  private final Workers workers;

  NativeBlas(Library library, Workers workers) {
    this.library = library;
    this.calls = library.bind();
    this.version = version(library);
    this.workers = workers;
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
    return calls.threads();
  }

  @Override
  public void setThreads(int threads) {
    Checks.threads(threads);
    calls.setThreads(threads);
  }

  @Override
  public void gemm(boolean transA, boolean transB, int m, int n, int k, float alpha, float[] a,
      int aOff, int lda, float[] b, int bOff, int ldb, float beta, float[] c, int cOff, int ldc) {
    Checks.gemm(transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff,
        ldc);
    long cost = (long) m * n * k;
    if (cost <= TINY || alpha == 0) {
      FloatGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, 1);
      return;
    }
    MemorySegment as = at(a, aOff);
    MemorySegment bs = at(b, bOff);
    MemorySegment cs = at(c, cOff);
    if (cost <= SHORT) {
      calls.sgemm(true, trans(transA), trans(transB), m, n, k, alpha, as, lda, bs, ldb, beta, cs,
          ldc);
      return;
    }
    try (Copies x = new Copies(Float.BYTES, transA, transB, m, n, k, as, lda, bs, ldb, cs, ldc)) {
      x.load(beta != 0);
      calls.sgemm(false, trans(transA), trans(transB), m, n, k, alpha, x.a, x.lda, x.b, x.ldb,
          beta, x.c, n);
      x.store();
    }
  }

  @Override
  public void gemm(boolean transA, boolean transB, int m, int n, int k, double alpha, double[] a,
      int aOff, int lda, double[] b, int bOff, int ldb, double beta, double[] c, int cOff,
      int ldc) {
    Checks.gemm(transA, transB, m, n, k, a.length, aOff, lda, b.length, bOff, ldb, c.length, cOff,
        ldc);
    long cost = (long) m * n * k;
    if (cost <= TINY || alpha == 0) {
      DoubleGemm.of(transA, transB, m, n, k, alpha, a, aOff, lda, b, bOff, ldb, beta, c, cOff, ldc)
          .run(workers, 1);
      return;
    }
    MemorySegment as = at(a, aOff);
    MemorySegment bs = at(b, bOff);
    MemorySegment cs = at(c, cOff);
    if (cost <= SHORT / 2) {
      calls.dgemm(true, trans(transA), trans(transB), m, n, k, alpha, as, lda, bs, ldb, beta, cs,
          ldc);
      return;
    }
    try (Copies x = new Copies(Double.BYTES, transA, transB, m, n, k, as, lda, bs, ldb, cs, ldc)) {
      x.load(beta != 0);
      calls.dgemm(false, trans(transA), trans(transB), m, n, k, alpha, x.a, x.lda, x.b, x.ldb,
          beta, x.c, n);
      x.store();
    }
  }

  @Override
  public void gemmBatched(boolean transA, boolean transB, int m, int n, int k, float alpha,
      float[] a, int aOff, int lda, int strideA, float[] b, int bOff, int ldb, int strideB,
      float beta, float[] c, int cOff, int ldc, int strideC, int count) {
    Checks.batch(transA, transB, m, n, k, a.length, aOff, lda, strideA, b.length, bOff, ldb,
        strideB, c.length, cOff, ldc, strideC, count);
    long cost = (long) m * n * k;
    if (inLibrary(cost, SHORT, alpha == 0, m, ldc, strideA, strideB, strideC, count)) {
      int step = (int) Math.min(count, SHORT / cost);
      for (int i = 0; i < count; i += step) {
        calls.sgemmBatch(trans(transA), trans(transB), m, n, k, alpha, at(a, aOff + i * strideA),
            lda, strideA, at(b, bOff + i * strideB), ldb, strideB, beta, at(c, cOff + i * strideC),
            ldc, strideC, Math.min(step, count - i));
      }
      return;
    }
    Batch.run(workers, batchThreads(cost), count, cost,
        (i, t) -> gemm(transA, transB, m, n, k, alpha, a, aOff + i * strideA, lda, b,
            bOff + i * strideB, ldb, beta, c, cOff + i * strideC, ldc));
  }

  @Override
  public void gemmBatched(boolean transA, boolean transB, int m, int n, int k, double alpha,
      double[] a, int aOff, int lda, int strideA, double[] b, int bOff, int ldb, int strideB,
      double beta, double[] c, int cOff, int ldc, int strideC, int count) {
    Checks.batch(transA, transB, m, n, k, a.length, aOff, lda, strideA, b.length, bOff, ldb,
        strideB, c.length, cOff, ldc, strideC, count);
    long cost = (long) m * n * k;
    if (inLibrary(cost, SHORT / 2, alpha == 0, m, ldc, strideA, strideB, strideC, count)) {
      int step = (int) Math.min(count, SHORT / 2 / cost);
      for (int i = 0; i < count; i += step) {
        calls.dgemmBatch(trans(transA), trans(transB), m, n, k, alpha, at(a, aOff + i * strideA),
            lda, strideA, at(b, bOff + i * strideB), ldb, strideB, beta, at(c, cOff + i * strideC),
            ldc, strideC, Math.min(step, count - i));
      }
      return;
    }
    Batch.run(workers, batchThreads(cost), count, cost,
        (i, t) -> gemm(transA, transB, m, n, k, alpha, a, aOff + i * strideA, lda, b,
            bOff + i * strideB, ldb, beta, c, cOff + i * strideC, ldc));
  }

  /**
   * Whether the library's own batch takes this one: its strides may not step back, nor its results
   * interleave.
   */
  private boolean inLibrary(long cost, long limit, boolean zero, int m, int ldc, int strideA,
      int strideB, int strideC, int count) {
    return library.batches()
        && !zero
        && count > 1
        && cost * count > TINY
        && cost > 0
        && cost <= limit
        && strideA >= 0
        && strideB >= 0
        && strideC >= (long) m * ldc;
  }

  private int batchThreads(long cost) {
    return cost <= SINGLE ? Math.min(workers.width(), threads()) : 1;
  }

  private static int trans(boolean t) {
    return t ? TRANS : NO_TRANS;
  }

  private static MemorySegment at(float[] array, int offset) {
    return MemorySegment.ofArray(array).asSlice((long) offset * Float.BYTES);
  }

  private static MemorySegment at(double[] array, int offset) {
    return MemorySegment.ofArray(array).asSlice((long) offset * Double.BYTES);
  }

  /** The operands of one product outside the heap, without gaps between rows. */
  private static final class Copies implements AutoCloseable {
    private final OffHeap memory;
    private final long size;
    private final int m;
    private final int n;
    private final int ldc;
    private final MemorySegment result;
    final int lda;
    final int ldb;
    final MemorySegment a;
    final MemorySegment b;
    final MemorySegment c;

    Copies(long size, boolean transA, boolean transB, int m, int n, int k, MemorySegment a,
        int lda, MemorySegment b, int ldb, MemorySegment c, int ldc) {
      this.memory = OffHeap.take(size * ((long) m * k + (long) k * n + (long) m * n));
      this.size = size;
      this.m = m;
      this.n = n;
      this.ldc = ldc;
      this.result = c;
      this.lda = transA ? m : k;
      this.ldb = transB ? k : n;
      this.a = memory.copyOf(a, transA ? k : m, this.lda * size, lda * size);
      this.b = memory.copyOf(b, transB ? n : k, this.ldb * size, ldb * size);
      this.c = memory.segment(size * m * n);
    }

    void load(boolean reads) {
      if (reads) {
        OffHeap.copy(result, ldc * size, c, n * size, m, n * size);
      }
    }

    void store() {
      OffHeap.copy(c, n * size, result, ldc * size, m, n * size);
    }

    @Override
    public void close() {
      memory.close();
    }
  }
}
