package ndgrad.blas;

/**
 * The innermost loop of a product of matrices: one tile of the result, from some rows of the
 * left-hand matrix as they lie and from columns of the right-hand one that have been packed side by
 * side. Each element is the chain of its products in the order of {@code p}, each added by {@link
 * MulAdd}, from zero on, as in the plain loops.
 */
public interface TileKernel {

  /**
   * The rows of a tile.
   *
   * @return how many
   */
  int rows();

  /**
   * The columns of a tile.
   *
   * @return how many
   */
  int columns();

  /**
   * Computes {@code c[cAt + r·ldc + j] = Σₚ a[aAt + r·lda + p] · b[bAt + p·columns + j]}.
   *
   * @param a the left-hand matrix
   * @param aAt where its rows start
   * @param lda from row to row
   * @param b the packed columns
   * @param bAt where they start
   * @param k the length of the dimension summed over
   * @param add whether the sums are added to what {@code c} holds
   * @param c the result
   * @param cAt where the tile starts
   * @param ldc from row to row
   */
  void run(
      Object a,
      int aAt,
      int lda,
      Object b,
      int bAt,
      int k,
      boolean add,
      Object c,
      int cAt,
      int ldc);

  /**
   * Packs columns whose rows are contiguous: {@code to[toAt + p·columns + j] = b[bAt + p·ldb + j]}.
   *
   * @param b the right-hand matrix
   * @param bAt where the columns start
   * @param ldb from row to row
   * @param k how many rows
   * @param to the packed columns
   * @param toAt where they start
   */
  void pack(Object b, int bAt, int ldb, int k, Object to, int toAt);
}
