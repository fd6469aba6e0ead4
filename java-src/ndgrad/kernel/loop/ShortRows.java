package ndgrad.kernel.loop;

import java.util.function.IntFunction;
import java.util.function.IntPredicate;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.memory.Scratch;

/**
 * Many short rows, which would be over before the loops along them have got going: a block of rows
 * at a time is turned into a buffer, where element j of all of them lies in one run, and kernels go
 * down the columns.
 */
final class ShortRows {
  /** Rows at least as long are worth a loop of their own. */
  static final int LONG = 24;

  /** Fewer rows are not worth turning. */
  private static final int MANY = 32;

  /** Elements of a block: with what is made of them they stay in the first cache. */
  private static final int ELEMENTS = 4096;

  /** Rows of a block are a multiple of this, the lanes of the widest vectors. */
  private static final int LANES = 16;

  private ShortRows() {}

  /**
   * Whether rows are so many and so short.
   *
   * @param rows how many
   * @param length elements of a row
   */
  static boolean areMany(int rows, int length) {
    return length > 1 && length < LONG && rows >= MANY;
  }

  /**
   * How many rows make a block.
   *
   * @param rows how many there are, {@linkplain #areMany many}
   * @param length elements of a row, few
   */
  static int block(int rows, int length) {
    return Math.min(ELEMENTS / length, rows + LANES - 1) & -LANES;
  }

  /**
   * Operands of which some are turned.
   *
   * @param dtypes the dtype of each operand
   * @param operands their primitive arrays, not modified
   * @param turned which of them are
   * @param block rows of a block
   * @param length elements of a row
   * @return the arrays, buffers of the calling thread in place of those that are turned
   */
  static Object[] buffers(
      IntFunction<DType> dtypes, Object[] operands, IntPredicate turned, int block, int length) {
    Object[] near = operands.clone();
    int number = 0;
    for (int k = 0; k < near.length; k++) {
      if (turned.test(k)) {
        DType dtype = dtypes.apply(k);
        int size = block * Math.max(length, Forms.lanes(dtype));
        near[k] = Scratch.together(dtype, number++, size);
      }
    }
    return near;
  }
}
