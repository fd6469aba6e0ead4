package ndgrad.kernel;

/** Generated loops that combine the values of an expression over some inputs. */
interface FoldKernel {

  /** How an input moves along the inner loop, fixed when the kernel is compiled. */
  enum Step {
    /** Not at all: loaded once. */
    ZERO,
    /** From element to element. */
    UNIT,
    /** By a variable stride. */
    STRIDED;

    static Step of(int stride) {
      return stride == 0 ? ZERO : stride == 1 ? UNIT : STRIDED;
    }
  }

  /**
   * Combines the values of each run into one: element i into accumulator i modulo their number, and
   * then these pairwise.
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then its stride along a run, then that from run to run
   * @param runs number of runs
   * @param n number of elements of a run, may be 0
   * @param out where the results go, overwritten
   * @param slot the position of the first
   * @param step its stride
   */
  void fold(Object[] in, int[] at, int runs, int n, Object out, int slot, int step);

  /**
   * Combines rows element by element into a row: out[slot + i] = combine(out[slot + i], value of
   * row r at i).
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then their inner strides, then their outer strides
   * @param rows number of rows
   * @param n number of elements of a row
   * @param out the row that is updated
   * @param slot its position
   */
  void rows(Object[] in, int[] at, int rows, int n, Object out, int slot);

  /**
   * Combines each value with all before it in its row.
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then their inner strides
   * @param n number of elements
   * @param out where the results go, overwritten
   * @param slot position of the first result
   * @param step its stride
   */
  void scan(Object[] in, int[] at, int n, Object out, int slot, int step);
}
