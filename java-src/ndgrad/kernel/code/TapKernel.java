package ndgrad.kernel.code;

/**
 * An inner loop of a direct convolution over planes that have been laid out with their zeros around
 * them: a tap, one point of the window in one channel, sees a whole plane from some offset on.
 */
public interface TapKernel {
  /** The partial sums of a dot product side by side, in bytes; the same on every machine. */
  int LANE_BYTES = 64;

  /**
   * Runs the loop, either of these two.
   *
   * <p><b>Sums</b> of a fixed number of rows: {@code out[r][p] = a[r] + Σₜ a[rows + t·rows + r] ·
   * x[off[t] + p]}, one tap after the other; what lies behind a row's n elements, up to two
   * vectors, may be overwritten, and x is read as far.
   *
   * <p><b>Dot products</b> of a fixed number of rows and of taps: {@code out[r][t][p mod lanes] +=
   * Σₚ a[r][p] · x[off[t] + p]}, one p after the other, where a and x are read up to the next
   * multiple of the lanes and lanes are {@link #LANE_BYTES} of the dtype.
   *
   * @param a the weights, or the rows of the left-hand side
   * @param aAt where they start
   * @param aStep from row to row of the left-hand side; not used by sums
   * @param x the planes
   * @param xAt added to all offsets
   * @param off the offset of each tap
   * @param offAt the first one's position
   * @param taps how many; fixed for dot products
   * @param n number of elements of a row, more than 0
   * @param out the results; those of sums are overwritten
   * @param outAt the first one's position
   * @param outStep from row to row of the result of sums
   */
  void run(
      Object a,
      int aAt,
      int aStep,
      Object x,
      int xAt,
      int[] off,
      int offAt,
      int taps,
      int n,
      Object out,
      int outAt,
      int outStep);
}
