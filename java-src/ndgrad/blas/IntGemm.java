// Generated from FloatGemm.java by dev/Specialize.java: edit that, then run it.
package ndgrad.blas;

import java.util.Arrays;
import java.util.Optional;

/**
 * One product {@code C = alpha·A·B + beta·C} of int matrices in plain loops. Each matrix has a
 * stride for rows and one for columns, so a transpose costs nothing to say; {@link #part} gives the
 * product of a block of {@code C}.
 *
 * <p>The loop nest is the usual one for caches: panels of {@code B} are packed into rows of {@link
 * #NC} elements, strips of four rows of {@code A} are packed beside each other, and the kernel adds
 * four ranks at a time to four rows of accumulators. Every array of its inner loop is indexed by
 * the loop variable alone, which lets C2 vectorise it.
 */
record IntGemm(
    int m,
    int n,
    int k,
    int alpha,
    int[] a,
    int aOff,
    int aRow,
    int aCol,
    int[] b,
    int bOff,
    int bRow,
    int bCol,
    int beta,
    int[] c,
    int cOff,
    int cRow,
    int cCol) {
  /** Columns of a packed panel: four of its rows and the accumulators stay in the first cache. */
  private static final int NC = 2048 / Integer.BYTES;

  /** Rows of a packed panel: the panel stays in the second cache. */
  static final int KC = 256;

  /** Up to this many multiplications, packing costs more than it gains. */
  private static final int DIRECT = 125;

  /** A task smaller than this many multiplications is not worth handing to another thread. */
  private static final long TASK = 1L << 19;

  /** Below this many columns the roles of A and B are swapped, so that the inner loop is long. */
  private static final int NARROW = 32;

  private static final Spares<Scratch> SPARES = new Spares<>();

  private record Scratch(int[][] panel, int[] strip, int[][] acc) {
    Scratch() {
      this(new int[KC][NC], new int[4 * KC], new int[4][NC]);
    }
  }

  /** The product of row-major matrices, as {@link Blas} describes it. */
  static IntGemm of(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int alpha,
      int[] a,
      int aOff,
      int lda,
      int[] b,
      int bOff,
      int ldb,
      int beta,
      int[] c,
      int cOff,
      int ldc) {
    return new IntGemm(
        m,
        n,
        k,
        alpha,
        a,
        aOff,
        transA ? 1 : lda,
        transA ? lda : 1,
        b,
        bOff,
        transB ? 1 : ldb,
        transB ? ldb : 1,
        beta,
        c,
        cOff,
        ldc,
        1);
  }

  /** Computes the product on at most {@code threads} of the workers. */
  void run(Workers workers, int threads) {
    if (m == 0 || n == 0) {
      return;
    }
    if (k == 0 || alpha == 0) {
      scale();
      return;
    }
    long cost = (long) m * n * k;
    int tasks = (int) Math.min(threads, cost / TASK);
    if (cost <= DIRECT) {
      direct();
    } else if (tasks <= 1) {
      serial();
    } else {
      parallel(workers, tasks);
    }
  }

  private void parallel(Workers workers, int tasks) {
    boolean byRows = m > n;
    int extent = byRows ? m : n;
    // Blocks are multiples of a tile's rows or of a cache line of columns.
    int unit = byRows ? 8 : 16;
    int step = Math.ceilDiv(Math.ceilDiv(extent, tasks), unit) * unit;
    workers.run(
        Math.ceilDiv(extent, step),
        t -> {
          int from = t * step;
          int size = Math.min(step, extent - from);
          (byRows ? part(from, size, 0, n) : part(0, m, from, size)).serial();
        });
  }

  /** The same product shifted along its three arrays: the next one of a batch. */
  IntGemm at(int da, int db, int dc) {
    return new IntGemm(
        m, n, k, alpha, a, aOff + da, aRow, aCol, b, bOff + db, bRow, bCol, beta, c, cOff + dc,
        cRow, cCol);
  }

  private IntGemm part(int i, int rows, int j, int cols) {
    return new IntGemm(
        rows,
        cols,
        k,
        alpha,
        a,
        aOff + i * aRow,
        aRow,
        aCol,
        b,
        bOff + j * bCol,
        bRow,
        bCol,
        beta,
        c,
        cOff + i * cRow + j * cCol,
        cRow,
        cCol);
  }

  /** {@code Cᵀ = Bᵀ·Aᵀ}: the same result with rows and columns in swapped roles. */
  private IntGemm swapped() {
    return new IntGemm(
        n, m, k, alpha, b, bOff, bCol, bRow, a, aOff, aCol, aRow, beta, c, cOff, cCol, cRow);
  }

  private void serial() {
    if (k == 1) {
      outer();
    } else if (n == 1 && aCol == 1 || m == 1 && bRow == 1) {
      (n == 1 && aCol == 1 ? this : swapped()).rowsTimesVector();
    } else {
      (n < NARROW && m > n ? swapped() : this).blocked();
    }
  }

  private void direct() {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        int sum = 0;
        for (int p = 0; p < k; p++) {
          sum = MulAdd.of(a[aOff + i * aRow + p * aCol], b[bOff + p * bRow + j * bCol], sum);
        }
        store(cOff + i * cRow + j * cCol, alpha * sum, beta);
      }
    }
  }

  private void scale() {
    for (int i = 0; i < m; i++) {
      for (int j = 0; j < n; j++) {
        int at = cOff + i * cRow + j * cCol;
        c[at] = beta == 0 ? 0 : beta * c[at];
      }
    }
  }

  /** A is one column and B one row. */
  private void outer() {
    Scratch scratch = SPARES.take(Scratch::new);
    int[] x = scratch.panel[0];
    int[] sum = scratch.acc[0];
    for (int j = 0; j < n; j += NC) {
      int nc = Math.min(NC, n - j);
      for (int t = 0; t < nc; t++) {
        x[t] = b[bOff + (j + t) * bCol];
      }
      for (int i = 0; i < m; i++) {
        int scale = alpha * a[aOff + i * aRow];
        for (int t = 0; t < nc; t++) {
          sum[t] = scale * x[t];
        }
        addRow(sum, 0, cOff + i * cRow + j * cCol, nc, beta);
      }
    }
    SPARES.give(scratch);
  }

  /** B is one column and the rows of A are contiguous: a dot product per row. */
  private void rowsTimesVector() {
    int[] x = b;
    int xOff = bOff;
    if (bRow != 1) {
      x = new int[k];
      xOff = 0;
      for (int p = 0; p < k; p++) {
        x[p] = b[bOff + p * bRow];
      }
    }
    for (int i = 0; i < m; i++) {
      store(cOff + i * cRow, alpha * dot(a, aOff + i * aRow, x, xOff, k), beta);
    }
  }

  private static int dot(int[] a, int aOff, int[] x, int xOff, int k) {
    int s0 = 0;
    int s1 = 0;
    int s2 = 0;
    int s3 = 0;
    int s4 = 0;
    int s5 = 0;
    int s6 = 0;
    int s7 = 0;
    int p = 0;
    for (; p + 8 <= k; p += 8) {
      s0 = MulAdd.of(a[aOff + p], x[xOff + p], s0);
      s1 = MulAdd.of(a[aOff + p + 1], x[xOff + p + 1], s1);
      s2 = MulAdd.of(a[aOff + p + 2], x[xOff + p + 2], s2);
      s3 = MulAdd.of(a[aOff + p + 3], x[xOff + p + 3], s3);
      s4 = MulAdd.of(a[aOff + p + 4], x[xOff + p + 4], s4);
      s5 = MulAdd.of(a[aOff + p + 5], x[xOff + p + 5], s5);
      s6 = MulAdd.of(a[aOff + p + 6], x[xOff + p + 6], s6);
      s7 = MulAdd.of(a[aOff + p + 7], x[xOff + p + 7], s7);
    }
    for (; p < k; p++) {
      s0 = MulAdd.of(a[aOff + p], x[xOff + p], s0);
    }
    return ((s0 + s1) + (s2 + s3)) + ((s4 + s5) + (s6 + s7));
  }

  private void blocked() {
    Optional<TileKernel> kernel = Engines.tileKernels().kernel(int.class, (long) m * n * k);
    if (kernel.isPresent()) {
      IntPacked.run(this, kernel.get());
    } else {
      plain();
    }
  }

  private void plain() {
    Scratch scratch = SPARES.take(Scratch::new);
    try {
      for (int j = 0; j < n; j += NC) {
        int nc = Math.min(NC, n - j);
        for (int p = 0; p < k; p += KC) {
          int kc = Math.min(KC, k - p);
          packPanel(scratch.panel, p, kc, j, nc);
          int scale = p == 0 ? beta : 1;
          for (int i = 0; i < m; i += 4) {
            int rows = Math.min(4, m - i);
            packStrip(scratch.strip, i, rows, p, kc);
            multiply(scratch, rows, kc, nc);
            for (int r = 0; r < rows; r++) {
              addRow(scratch.acc[r], 0, cOff + (i + r) * cRow + j * cCol, nc, scale);
            }
          }
        }
      }
    } finally {
      SPARES.give(scratch);
    }
  }

  /**
   * Copies a block of B, with rows up to a multiple of four that change no sum: a zero would turn a
   * negative one.
   */
  private void packPanel(int[][] panel, int p, int kc, int j, int nc) {
    int from = bOff + p * bRow + j * bCol;
    if (bCol == 1) {
      for (int q = 0; q < kc; q++) {
        System.arraycopy(b, from + q * bRow, panel[q], 0, nc);
      }
    } else {
      packAcross(panel, from, kc, nc);
    }
    int zero = 0;
    for (int q = kc; (q & 3) != 0; q++) {
      Arrays.fill(panel[q], 0, nc, -zero);
    }
  }

  /** Copies four rows of the panel at once: B is read along its contiguous direction. */
  private void packAcross(int[][] panel, int from, int kc, int nc) {
    int q = 0;
    for (; q + 4 <= kc; q += 4) {
      int[] p0 = panel[q];
      int[] p1 = panel[q + 1];
      int[] p2 = panel[q + 2];
      int[] p3 = panel[q + 3];
      int at = from + q * bRow;
      for (int j = 0; j < nc; j++, at += bCol) {
        p0[j] = b[at];
        p1[j] = b[at + bRow];
        p2[j] = b[at + 2 * bRow];
        p3[j] = b[at + 3 * bRow];
      }
    }
    for (; q < kc; q++) {
      int[] p0 = panel[q];
      int at = from + q * bRow;
      for (int j = 0; j < nc; j++, at += bCol) {
        p0[j] = b[at];
      }
    }
  }

  /**
   * Copies up to four rows of alpha·A side by side, zeros in the rows and ranks that are not there.
   */
  private void packStrip(int[] strip, int i, int rows, int p, int kc) {
    int padded = (kc + 3) & ~3;
    if (rows < 4 || padded > kc) {
      Arrays.fill(strip, 0, 4 * padded, 0);
    }
    for (int r = 0; r < rows; r++) {
      int at = aOff + (i + r) * aRow + p * aCol;
      for (int q = 0; q < kc; q++, at += aCol) {
        strip[4 * q + r] = alpha * a[at];
      }
    }
  }

  private static void multiply(Scratch s, int rows, int kc, int nc) {
    for (int r = 0; r < rows; r++) {
      Arrays.fill(s.acc[r], 0, nc, 0);
    }
    for (int q = 0; q < kc; q += 4) {
      if (rows == 1) {
        oneRow(s.acc[0], s.strip, 4 * q, s.panel, q, nc);
      } else {
        fourRows(s.acc, s.strip, 4 * q, s.panel, q, nc);
      }
    }
  }

  private static void oneRow(int[] c0, int[] a, int at, int[][] panel, int q, int nc) {
    int[] b0 = panel[q];
    int[] b1 = panel[q + 1];
    int[] b2 = panel[q + 2];
    int[] b3 = panel[q + 3];
    int a0 = a[at];
    int a1 = a[at + 4];
    int a2 = a[at + 8];
    int a3 = a[at + 12];
    for (int j = 0; j < nc; j++) {
      c0[j] =
          MulAdd.of(
              a3, b3[j], MulAdd.of(a2, b2[j], MulAdd.of(a1, b1[j], MulAdd.of(a0, b0[j], c0[j]))));
    }
  }

  private static void fourRows(int[][] acc, int[] a, int at, int[][] panel, int q, int nc) {
    int[] c0 = acc[0];
    int[] c1 = acc[1];
    int[] c2 = acc[2];
    int[] c3 = acc[3];
    int[] b0 = panel[q];
    int[] b1 = panel[q + 1];
    int[] b2 = panel[q + 2];
    int[] b3 = panel[q + 3];
    int a00 = a[at];
    int a10 = a[at + 1];
    int a20 = a[at + 2];
    int a30 = a[at + 3];
    int a01 = a[at + 4];
    int a11 = a[at + 5];
    int a21 = a[at + 6];
    int a31 = a[at + 7];
    int a02 = a[at + 8];
    int a12 = a[at + 9];
    int a22 = a[at + 10];
    int a32 = a[at + 11];
    int a03 = a[at + 12];
    int a13 = a[at + 13];
    int a23 = a[at + 14];
    int a33 = a[at + 15];
    for (int j = 0; j < nc; j++) {
      int x0 = b0[j];
      int x1 = b1[j];
      int x2 = b2[j];
      int x3 = b3[j];
      int y0 =
          MulAdd.of(a03, x3, MulAdd.of(a02, x2, MulAdd.of(a01, x1, MulAdd.of(a00, x0, c0[j]))));
      int y1 =
          MulAdd.of(a13, x3, MulAdd.of(a12, x2, MulAdd.of(a11, x1, MulAdd.of(a10, x0, c1[j]))));
      int y2 =
          MulAdd.of(a23, x3, MulAdd.of(a22, x2, MulAdd.of(a21, x1, MulAdd.of(a20, x0, c2[j]))));
      int y3 =
          MulAdd.of(a33, x3, MulAdd.of(a32, x2, MulAdd.of(a31, x1, MulAdd.of(a30, x0, c3[j]))));
      c0[j] = y0;
      c1[j] = y1;
      c2[j] = y2;
      c3[j] = y3;
    }
  }

  /** Adds a row of sums to the scaled row of {@code C} that starts at a position. */
  void addRow(int[] sum, int from, int at, int nc, int scale) {
    if (cCol == 1 && scale == 0) {
      System.arraycopy(sum, from, c, at, nc);
      return;
    }
    for (int t = 0; t < nc; t++) {
      store(at + t * cCol, sum[from + t], scale);
    }
  }

  private void store(int at, int value, int scale) {
    c[at] = scale == 0 ? value : value + scale * c[at];
  }
}
