package ndgrad.kernel.code;

/**
 * The inner strides that a kernel is compiled for, two bits for each operand: 0, 1, 2 or -1. They
 * are packed into a long because every call of an op asks for its kernel by them.
 */
public final class InnerStrides {
  /** That inner strides are variables. */
  public static final long VARIABLE = -1;

  /** The number of operands whose strides fit. */
  public static final int MAX_OPERANDS = 31;

  private static final int BITS = 2;
  private static final long MASK = (1L << BITS) - 1;

  private InnerStrides() {}

  /**
   * Adds the stride of an operand.
   *
   * @param strides those of other operands, 0 where there are none yet
   * @param k the operand
   * @param stride its stride, 0, 1, 2 or -1
   * @return the strides with it
   */
  public static long with(long strides, int k, int stride) {
    return strides | (stride & MASK) << BITS * k;
  }

  /**
   * The strides of operands that have stride 1, all of them.
   *
   * @param operands how many
   * @return their strides
   */
  public static long ones(int operands) {
    long strides = 0;
    for (int k = 0; k < operands; k++) {
      strides = with(strides, k, 1);
    }
    return strides;
  }

  /**
   * The stride of an operand.
   *
   * @param strides not {@link #VARIABLE}
   * @param k the operand
   * @return 0, 1, 2 or -1
   */
  public static int of(long strides, int k) {
    long bits = strides >>> BITS * k & MASK;
    return bits == MASK ? -1 : (int) bits;
  }

  /**
   * The strides of the first operands alone, to find a kernel by.
   *
   * @param strides of any operands
   * @param operands how many are asked for
   * @return theirs
   */
  public static long first(long strides, int operands) {
    return strides & (1L << BITS * operands) - 1;
  }
}
