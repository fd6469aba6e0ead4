package ndgrad.blas;

import java.util.Arrays;

/**
 * A product of float matrices by a {@link TileKernel}, on one thread. Blocks of {@code B} are
 * packed into strips as wide as a tile, one of which stays in the first cache while the rows of
 * {@code A} pass by, themselves a block at a time that stays in the second (Goto and van de Geijn,
 * Anatomy of High-Performance Matrix Multiplication, 2008).
 */
final class FloatPacked {
  /** Ranks of a block: those of the plain loops, which add up the same blocks. */
  private static final int KC = FloatGemm.KC;

  /** Rows of a block of {@code A}: a quarter of a megabyte. */
  private static final int MC = (1 << 18) / KC / Float.BYTES;

  /** Columns of a block of {@code B}. */
  private static final int NC = 2048 / Float.BYTES;

  /**
   * Columns of {@code B} up to which the rows of {@code A} are not read often enough to be copied.
   */
  private static final int FEW = 512;

  private static final Spares<Scratch> SPARES = new Spares<>();

  private record Scratch(float[] left, float[] right, float[] tile) {
    /** Room for last strips as wide as the others, wherever the matrices end. */
    Scratch(TileKernel kernel) {
      this(
          new float[(MC + kernel.rows()) * KC],
          new float[(NC + kernel.columns()) * KC],
          new float[kernel.rows() * kernel.columns()]);
    }
  }

  private final FloatGemm g;
  private final TileKernel kernel;
  private final int rows;
  private final int columns;
  private final Scratch scratch;

  /** Whether the kernel reads {@code A} where it lies. */
  private final boolean direct;

  private FloatPacked(FloatGemm g, TileKernel kernel, Scratch scratch) {
    this.g = g;
    this.kernel = kernel;
    this.rows = kernel.rows();
    this.columns = kernel.columns();
    this.scratch = scratch;
    this.direct = g.aCol() == 1 && g.alpha() == 1 && g.n() <= FEW;
  }

  static void run(FloatGemm g, TileKernel kernel) {
    Scratch scratch = SPARES.take(() -> new Scratch(kernel));
    new FloatPacked(g, kernel, scratch).run();
    SPARES.give(scratch);
  }

  private void run() {
    int step = MC / rows * rows;
    for (int j = 0; j < g.n(); j += NC) {
      int nc = Math.min(NC, g.n() - j);
      for (int p = 0; p < g.k(); p += KC) {
        int kc = Math.min(KC, g.k() - p);
        packRight(p, kc, j, nc);
        for (int i = 0; i < g.m(); i += step) {
          int mc = Math.min(step, g.m() - i);
          packLeft(i, mc, p, kc);
          block(i, mc, p, kc, j, nc);
        }
      }
    }
  }

  private void packRight(int p, int kc, int j, int nc) {
    float[] to = scratch.right;
    for (int t = 0; t < nc; t += columns) {
      int width = Math.min(columns, nc - t);
      int at = g.bOff() + p * g.bRow() + (j + t) * g.bCol();
      if (g.bCol() == 1 && width == columns) {
        kernel.pack(g.b(), at, g.bRow(), kc, to, t * kc);
        continue;
      }
      if (width < columns) {
        Arrays.fill(to, t * kc, (t + columns) * kc, 0);
      }
      turn(1, g.b(), at, g.bCol(), g.bRow(), width, kc, to, t * kc, 1, columns);
    }
  }

  /** Copies what the kernel can't read where it lies, as rows of {@link #KC} elements. */
  private void packLeft(int i, int mc, int p, int kc) {
    int from = direct ? mc / rows * rows : 0;
    if (mc % rows != 0) {
      Arrays.fill(scratch.left, mc * KC, (mc / rows + 1) * rows * KC, 0);
    }
    int at = g.aOff() + (i + from) * g.aRow() + p * g.aCol();
    turn(g.alpha(), g.a(), at, g.aRow(), g.aCol(), mc - from, kc, scratch.left, from * KC, KC, 1);
  }

  /**
   * Copies some lines: {@code to[t·toAcross + q·toAlong] = scale · from[t·across + q·along]}, four
   * of them at once, since one side or the other is read or written across.
   */
  private static void turn(
      float scale,
      float[] from,
      int at,
      int across,
      int along,
      int lines,
      int length,
      float[] to,
      int toAt,
      int toAcross,
      int toAlong) {
    int t = 0;
    for (; t + 4 <= lines; t += 4) {
      int p = at + t * across;
      int w = toAt + t * toAcross;
      for (int q = 0; q < length; q++) {
        to[w] = scale * from[p];
        to[w + toAcross] = scale * from[p + across];
        to[w + 2 * toAcross] = scale * from[p + 2 * across];
        to[w + 3 * toAcross] = scale * from[p + 3 * across];
        p += along;
        w += toAlong;
      }
    }
    for (; t < lines; t++) {
      int p = at + t * across;
      int w = toAt + t * toAcross;
      for (int q = 0; q < length; q++) {
        to[w + q * toAlong] = scale * from[p + q * along];
      }
    }
  }

  /** The product of a block of {@code A} and a packed one of {@code B}. */
  private void block(int i, int mc, int p, int kc, int j, int nc) {
    float scale = p == 0 ? g.beta() : 1;
    boolean straight = g.cCol() == 1 && (scale == 0 || scale == 1);
    for (int t = 0; t < nc; t += columns) {
      int width = Math.min(columns, nc - t);
      for (int s = 0; s < mc; s += rows) {
        int height = Math.min(rows, mc - s);
        boolean there = direct && height == rows;
        float[] a = there ? g.a() : scratch.left;
        int aAt = there ? g.aOff() + (i + s) * g.aRow() + p : s * KC;
        int lda = there ? g.aRow() : KC;
        int at = g.cOff() + (i + s) * g.cRow() + (j + t) * g.cCol();
        if (straight && width == columns && height == rows) {
          kernel.run(a, aAt, lda, scratch.right, t * kc, kc, scale == 1, g.c(), at, g.cRow());
        } else {
          kernel.run(a, aAt, lda, scratch.right, t * kc, kc, false, scratch.tile, 0, columns);
          for (int r = 0; r < height; r++) {
            g.addRow(scratch.tile, r * columns, at + r * g.cRow(), width, scale);
          }
        }
      }
    }
  }
}
