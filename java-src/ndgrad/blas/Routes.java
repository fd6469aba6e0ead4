package ndgrad.blas;

/**
 * Which way products go where there is a C library. It depends on the shape alone, so that a
 * product gives the same bits on any number of threads.
 *
 * @param fine whether the library has kernels for small products, see {@link Tiling#fine}
 * @param packs whether it packs both operands whatever their size
 */
record Routes(boolean fine, boolean packs) {
  /** How a product is computed. */
  enum Way {
    /** By the Java loops. */
    LOOPS,
    /** By one call of the library, on one thread. */
    CALL,
    /** By the library's product of a matrix and a vector. */
    VECTOR,
    /** By calls of the library on tiles. */
    TILES
  }

  /** Up to this many multiplications the Java loops finish before a native call has begun. */
  private static final long TINY = 8;

  /** The same for products with a vector, whose calls take longer. */
  private static final long SHORT = 1 << 8;

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

  /**
   * The way of a product.
   *
   * @param zero whether its factor is 0, so that the operands are not read
   */
  Way of(int m, int n, int k, boolean zero) {
    long cost = (long) m * n * k;
    if (cost <= TINY || k == 1 || zero) {
      return Way.LOOPS;
    }
    if (m == 1 || n == 1) {
      return cost <= SHORT ? Way.LOOPS : Way.VECTOR;
    }
    if (packs && cost < PACKED && n >= WIDE && Engines.tileKernels().areExpected()) {
      return Way.LOOPS;
    }
    return cost <= SINGLE ? Way.CALL : Way.TILES;
  }

  Tiling tiling(boolean transA, boolean transB, int m, int n, int k, int bytes) {
    return fine ? Tiling.fine(transA, transB, m, n, k, bytes) : Tiling.coarse(m, n, k, bytes);
  }
}
