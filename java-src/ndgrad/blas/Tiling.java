package ndgrad.blas;

/**
 * How one matrix product is cut into calls of a library, each on one thread and too short to hold
 * up anybody. It depends on the shape and the machine alone: the same calls are made in whatever
 * number of threads, so the result is the same to the last bit.
 *
 * @param rows of {@code C} in one call
 * @param columns of {@code C} in one call
 * @param depth how much of the dimension summed over is in one call; the calls after the first add
 * @param packed whether a block of {@code B} is copied and used for all rows
 */
record Tiling(int rows, int columns, int depth, boolean packed) {
  /** Up to this many multiplications OpenBLAS has kernels that need no packing. */
  private static final long SMALL = 1_000_000;

  /** Bytes in a row of a block of {@code B}: four registers. */
  private static final int PANEL = 256;

  /** Bytes in a column of it, so that the block stays in the second cache. */
  private static final int DEEP = 1536;

  /** Rows of {@code C} over which a copy of {@code B} pays, and one that transposes. */
  private static final int PACKED = 128;

  private static final int TRANSPOSED = 512;

  /**
   * The most multiplications of bytes in a call: 6 ms of a core at 45 thousand million a second.
   */
  private static final long LONG = 1L << 30;

  /** Bytes times multiplications for which a call on a tile of its own pays. */
  private static final long TILE = 1L << 22;

  /** Tiles of a product whose calls are short enough: each packs anew what it needs. */
  private static final int MOST = 2 * Runtime.getRuntime().availableProcessors();

  /** Bytes of a matrix that is multiplied by a vector: more of them pay for another thread. */
  private static final int BLOCK = 1 << 19;

  /** One call for all. */
  static Tiling whole(int m, int n, int k) {
    return new Tiling(m, n, k, false);
  }

  /**
   * For OpenBLAS on AVX-512. Its kernels for small matrices read the operands as they lie and reach
   * the peak, while the general ones lose a fifth of it to packing, and more when a matrix has few
   * rows. So all products are made of small ones, on blocks of {@code B} that stay in the cache.
   * There is no such kernel for a transposed right-hand side, which is copied where that pays.
   */
  static Tiling fine(boolean transA, boolean transB, int m, int n, int k, int bytes) {
    boolean across = transB && !transA;
    long cost = (long) m * n * k;
    if (cost <= SMALL) {
      return whole(m, n, k);
    }
    if (across && m < TRANSPOSED || transB && transA) {
      return coarse(m, n, k, bytes);
    }
    int columns = share(n, PANEL / bytes, 64 / bytes);
    int depth = share(k, DEEP / bytes, 8);
    int most = (int) (SMALL / ((long) columns * depth)) & -8;
    int rows = Math.ceilDiv(Math.ceilDiv(m, Math.ceilDiv(m, most)), 4) * 4;
    return new Tiling(rows, columns, depth, m >= PACKED);
  }

  /** For libraries that pack: few calls, enough of them for several threads to share. */
  static Tiling coarse(int m, int n, int k, int bytes) {
    long cost = (long) m * n * k * bytes;
    long wanted = Math.max(Math.min(MOST, cost / TILE), cost / LONG);
    int rows = m;
    int columns = n;
    long tiles = 1;
    while (tiles < wanted && (rows >= 64 || columns >= 64)) {
      // Whatever is cut, the other side is packed twice as often.
      if (rows > columns) {
        rows = (rows / 2 + 7) & -8;
      } else {
        columns = (columns / 2 + 15) & -16;
      }
      tiles *= 2;
    }
    long depth = LONG / ((long) rows * columns * bytes);
    return new Tiling(rows, columns, share(k, (int) Math.min(k, Math.max(depth, 64)), 8), false);
  }

  /** For a matrix and a vector: {@code outputs} sums over {@code k} elements each. */
  static Tiling vector(int outputs, int k, int bytes) {
    int depth = share(k, BLOCK / bytes, 16);
    int rows = Math.max(64, BLOCK / bytes / depth & -64);
    return new Tiling(Math.min(outputs, rows), 1, depth, false);
  }

  /** A length cut into equal parts near {@code target}, multiples of {@code unit}. */
  private static int share(int length, int target, int unit) {
    int parts = Math.max(1, (int) Math.round((double) length / target));
    return Math.min(length, Math.ceilDiv(Math.ceilDiv(length, parts), unit) * unit);
  }
}
