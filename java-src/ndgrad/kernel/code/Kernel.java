package ndgrad.kernel.code;

/** A generated nest of two loops over the elements of some operands, outputs before inputs. */
public interface Kernel {
  /**
   * Runs the nest.
   *
   * @param data the primitive array of each operand
   * @param at for all operands the position of their first element, then their inner strides, then
   *     their outer strides; not modified
   * @param outer iterations of the outer loop
   * @param inner iterations of the inner loop
   */
  void run(Object[] data, int[] at, int outer, int inner);

  /**
   * Whether vectors are at work, so that more elements are worth a thread.
   *
   * @return false while plain loops run
   */
  default boolean isVector() {
    return false;
  }

  /** How a kernel walks. */
  enum Form {
    /**
     * Inner strides are 1 or 0, fixed when the kernel is compiled, and all operands of stride 1 are
     * always at the same position. One index for all of them is what the JIT needs to turn the loop
     * into vector code: with an index for each it could not rule out that an output overlaps an
     * input.
     */
    ALIGNED,
    /** {@link InnerStrides} are fixed when the kernel is compiled; positions are independent. */
    FIXED,
    /** Inner strides are variables. */
    STRIDED
  }
}
