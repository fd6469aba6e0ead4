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

  private static final Spares<float[]> SPARES = new Spares<>();

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
    if (tasks < 2) {
      for (int t = 0; t < columns * blocks; t++) {
        column(t / blocks * tiling.columns(), t % blocks * step, step);
      }
    } else {
      workers.run(
          columns * blocks, t -> column(t / blocks * tiling.columns(), t % blocks * step, step));
    }
  }

  /** The tiles from column {@code j} on, in {@code step} rows. */
  private void column(int j, int from, int step) {
    int nc = Math.min(tiling.columns(), n - j);
    int to = Math.min(m, from + step);
    float[] panel = tiling.packed() ? take(tiling.columns() * tiling.depth()) : b;
    MemorySegment left = MemorySegment.ofArray(a);
    MemorySegment right = MemorySegment.ofArray(panel);
    MemorySegment result = MemorySegment.ofArray(c);
    for (int p = 0; p < k; p += tiling.depth()) {
      int kc = Math.min(tiling.depth(), k - p);
      MemorySegment block;
      if (tiling.packed()) {
        pack(panel, p, kc, j, nc);
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
            at(left, aOff + (transA ? p * lda + i : i * lda + p)),
            lda,
            block,
            tiling.packed() ? nc : ldb,
            p == 0 ? beta : 1,
            at(result, cOff + i * ldc + j),
            ldc);
      }
    }
    if (tiling.packed()) {
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

  private static float[] take(int length) {
    float[] panel = SPARES.take(() -> new float[length]);
    return panel.length < length ? new float[length] : panel;
  }

  /** An array from one element on. */
  static MemorySegment at(float[] array, int offset) {
    return at(MemorySegment.ofArray(array), offset);
  }

  private static MemorySegment at(MemorySegment all, int offset) {
    return offset == 0 ? all : all.asSlice((long) offset * Float.BYTES);
  }
}
