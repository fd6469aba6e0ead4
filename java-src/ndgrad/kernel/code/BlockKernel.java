package ndgrad.kernel.code;

/**
 * Moves the elements of a block to where they are wanted, a vector at a time. What moves where is
 * said where such kernels are made: {@link VectorTransposes}.
 */
@FunctionalInterface
public interface BlockKernel {

  /**
   * Fills {@code n} elements, from {@code q + i*qs} on, in row i of the target.
   *
   * @param from the source
   * @param p where the block begins
   * @param ps from one of its rows to the next
   * @param to the target, overwritten; shares no memory with the source
   * @param q where the block goes
   * @param qs from one row to the next there
   * @param rows of the target
   * @param n elements of a row of the target, a multiple of the number of lanes
   */
  void run(Object from, int p, int ps, Object to, int q, int qs, int rows, int n);
}
