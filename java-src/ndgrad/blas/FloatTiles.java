package ndgrad.blas;

import java.lang.foreign.MemorySegment;

/**
 * One product {@code C = alpha·op(A)·op(B) + beta·C} of float matrices as calls of a library on
 * tiles of it, on several threads where that pays.
 */
record FloatTiles(
    Cblas calls,
    Tiling tiling,
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
  /** Bytes times multiplications below which a task is not worth handing to another thread. */
  private static final long TASK = 1L << 21;

  /** Rows of a column of tiles, which should stay in the second cache. */
  private static final int TALL = 1024;

  private static final Spares<Panel> SPARES = new Spares<>();

  /** Computes the product on at most {@code threads} of the workers. */
  void run(Workers workers, int threads) {
    int columns = Math.ceilDiv(n, tiling.columns());
    int rows = Math.ceilDiv(m, tiling.rows());
    long pay = (long) m * n * k * Float.BYTES / TASK;
    // Some more tasks than threads, so that a thread that is late doesn't hold up the rest.
    long tasks = threads == 1 ? 1 : Math.clamp(pay, 1, 4L * threads);
    int cuts = (int) Math.min(rows, Math.ceilDiv(tasks, columns));
    int tall = Math.max(1, TALL / tiling.rows());
    int step = Math.min(Math.ceilDiv(rows, cuts), tall) * tiling.rows();
    int blocks = Math.ceilDiv(m, step);
    MemorySegment[] left = left(rows);
    MemorySegment result = MemorySegment.ofArray(c);
    if (tasks < 2) {
      for (int t = 0; t < columns * blocks; t++) {
        column(left, result, t / blocks * tiling.columns(), t % blocks * step, step);
      }
    } else {
      workers.run(
          columns * blocks,
          t -> column(left, result, t / blocks * tiling.columns(), t % blocks * step, step));
    }
  }

  /**
   * The blocks of op(A), each of which is used for all columns of tiles, row by row of tiles. The
   * JIT makes an object of each segment that is passed to a library.
   */
  private MemorySegment[] left(int rows) {
    MemorySegment all = MemorySegment.ofArray(a);
    int deep = Math.ceilDiv(k, tiling.depth());
    MemorySegment[] left = new MemorySegment[rows * deep];
    for (int t = 0; t < left.length; t++) {
      int i = t / deep * tiling.rows();
      int p = t % deep * tiling.depth();
      left[t] = at(all, aOff + (transA ? p * lda + i : i * lda + p));
    }
    return left;
  }

  /** The tiles from column {@code j} on, in {@code step} rows. */
  private void column(MemorySegment[] left, MemorySegment result, int j, int from, int step) {
    int nc = Math.min(tiling.columns(), n - j);
    int to = Math.min(m, from + step);
    int deep = Math.ceilDiv(k, tiling.depth());
    Panel panel = tiling.packed() ? take(tiling.columns() * tiling.depth()) : null;
    MemorySegment right = panel == null ? MemorySegment.ofArray(b) : panel.segment;
    MemorySegment[] results = new MemorySegment[Math.ceilDiv(to - from, tiling.rows())];
    for (int i = 0; i < results.length; i++) {
      results[i] = at(result, cOff + (from + i * tiling.rows()) * ldc + j);
    }
    for (int p = 0; p < k; p += tiling.depth()) {
      int kc = Math.min(tiling.depth(), k - p);
      MemorySegment block;
      if (tiling.packed()) {
        pack(panel.elements, p, kc, j, nc);
        block = right;
      } else {
        block = at(right, bOff + (transB ? j * ldb + p : p * ldb + j));
      }
      for (int i = from; i < to; i += tiling.rows()) {
        calls.gemm(
            transA,
            transB && !tiling.packed(),
            Math.min(tiling.rows(), to - i),
            nc,
            kc,
            alpha,
            left[i / tiling.rows() * deep + p / tiling.depth()],
            lda,
            block,
            tiling.packed() ? nc : ldb,
            p == 0 ? beta : 1,
            results[(i - from) / tiling.rows()],
            ldc);
      }
    }
    if (panel != null) {
      SPARES.give(panel);
    }
  }

  /** Copies a block of op(B), row by row. */
  private void pack(float[] panel, int p, int kc, int j, int nc) {
    if (!transB) {
      for (int q = 0; q < kc; q++) {
        System.arraycopy(b, bOff + (p + q) * ldb + j, panel, q * nc, nc);
      }
      return;
    }
    // Eight elements of a column at a time: a cache line or half of one.
    for (int q = 0; q < kc; q += 8) {
      int rows = Math.min(8, kc - q);
      for (int i = 0; i < nc; i++) {
        int from = bOff + (j + i) * ldb + p + q;
        for (int r = 0; r < rows; r++) {
          panel[(q + r) * nc + i] = b[from + r];
        }
      }
    }
  }

  private static Panel take(int length) {
    Panel panel = SPARES.take(() -> Panel.of(length));
    return panel.elements.length < length ? Panel.of(length) : panel;
  }

  /** A copy of a block of op(B). */
  private record Panel(float[] elements, MemorySegment segment) {
    static Panel of(int length) {
      float[] elements = new float[length];
      return new Panel(elements, MemorySegment.ofArray(elements));
    }
  }

  /** An array from one element on. */
  static MemorySegment at(float[] array, int offset) {
    return at(MemorySegment.ofArray(array), offset);
  }

  /** The rest of a segment from one element on. */
  static MemorySegment at(MemorySegment all, int offset) {
    return offset == 0 ? all : all.asSlice((long) offset * Float.BYTES);
  }
}
