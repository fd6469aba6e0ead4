package ndgrad.kernel.code;

/** Transposes blocks that are cut into squares of as many rows as a vector has lanes. */
public interface TransposeKernel {

  /**
   * The side of a square.
   *
   * @return a power of 2
   */
  int side();

  /**
   * Transposes a block: {@code to[q + i*qs + j] = from[p + j*ps + i]} for i &lt; rows, j &lt; n.
   *
   * @param from the source
   * @param p where the block begins
   * @param ps from one of its rows to the next
   * @param to the target, overwritten; shares no memory with the source
   * @param q where the block goes
   * @param qs from one row to the next there
   * @param rows of the target, a multiple of {@link #side}
   * @param n elements of a row of the target, a multiple of {@link #side}
   */
  void run(Object from, int p, int ps, Object to, int q, int qs, int rows, int n);
}
