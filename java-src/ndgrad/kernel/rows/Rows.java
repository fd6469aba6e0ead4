package ndgrad.kernel.rows;

import ndgrad.DType;

/**
 * Loops that move, add up or compare elements of one dtype, a row at a time: element {@code i} of a
 * row is at {@code p + i*step} of a primitive array. The arrays are passed as objects and cast once
 * per row. {@link DoubleRows} is written by hand; the other dtypes' are derived from its text by
 * {@code dev/Specialize.java}.
 */
public abstract class Rows {
  private static final Rows[] BY_DTYPE = {
    new BooleanRows(), new IntRows(), new LongRows(), new FloatRows(), new DoubleRows()
  };

  /** Columns that are transposed together. */
  public static final int LANES = 8;

  Rows() {}

  /**
   * The loops over arrays of a dtype.
   *
   * @param dtype which one
   * @return its loops
   */
  public static Rows of(DType dtype) {
    return BY_DTYPE[dtype.ordinal()];
  }

  /**
   * Sets n elements.
   *
   * @param a the array
   * @param p where the first is
   * @param ps their step
   * @param n how many
   * @param value a boxed value of the dtype
   */
  public abstract void fill(Object a, int p, int ps, int n, Object value);

  /**
   * Copies n elements.
   *
   * @param from the source
   * @param p where the first is
   * @param ps their step
   * @param to the target, overwritten
   * @param q where the first goes
   * @param qs their step there
   * @param n how many
   */
  public abstract void copy(Object from, int p, int ps, Object to, int q, int qs, int n);

  /**
   * Copies rows of neighbours: {@code to[q + i*qs + j] = from[p + i*ps + j]} for i &lt; rows, j
   * &lt; n.
   *
   * @param from the source
   * @param p where the first row begins
   * @param ps from a row to the next
   * @param to the target, overwritten
   * @param q where the first row goes
   * @param qs from a row to the next there
   * @param rows how many
   * @param n elements of a row
   */
  public abstract void copyRows(
      Object from, int p, int ps, Object to, int q, int qs, int rows, int n);

  /**
   * Transposes a block: {@code to[q + i*qs + j] = from[p + j*ps + i]} for i &lt; rows, j &lt; n.
   *
   * @param from the source
   * @param p where the block begins
   * @param ps from one of its rows to the next
   * @param to the target, overwritten; shares no elements with the source
   * @param q where the block goes
   * @param qs from a row to the next there
   * @param rows of the target
   * @param n elements of a row of the target
   */
  public abstract void transpose(
      Object from, int p, int ps, Object to, int q, int qs, int rows, int n);

  /**
   * Adds n elements to others, one after the other.
   *
   * @param from the source
   * @param p where the first is
   * @param ps their step
   * @param to the target, updated
   * @param q where the first is added to
   * @param qs their step there
   * @param n how many
   */
  public abstract void add(Object from, int p, int ps, Object to, int q, int qs, int n);

  /**
   * Collects elements: to[q + i] = from[at[i] + shift] for i in [start, end).
   *
   * @param from the source
   * @param at where the elements are
   * @param start the first i
   * @param end one after the last
   * @param shift added to all places
   * @param to the target, overwritten
   * @param q where element 0 would go
   */
  public abstract void gather(
      Object from, int[] at, int start, int end, int shift, Object to, int q);

  /** to[at[i] + shift] = from[p + i*ps] for i in [start, end). */
  abstract void scatter(
      Object from, int p, int ps, Object to, int[] at, int start, int end, int shift);

  /** to[at[i] + shift] += from[p + i*ps] for i in [start, end). */
  abstract void scatterAdd(
      Object from, int p, int ps, Object to, int[] at, int start, int end, int shift);

  /**
   * Writes first + i for every element i that is not 0 to found[count…]; returns the new count. One
   * place more than that is written.
   */
  abstract int nonzero(Object a, int p, int ps, int n, int first, int[] found, int count);

  /** How many elements are not 0. */
  abstract int countNonzero(Object a, int p, int ps, int n);

  /**
   * Where the largest or smallest element of a row is: that of the first NaN, else of the first of
   * equal ones.
   *
   * @param a not modified
   * @param p the first element
   * @param ps the step to the next
   * @param n how many, at least 1
   * @param largest false for the smallest
   * @return its index in the row
   */
  public abstract int best(Object a, int p, int ps, int n, boolean largest);

  /**
   * Whether an element is NaN.
   *
   * @param a the array
   * @param at where the element is
   * @return false for dtypes that have none
   */
  public abstract boolean isNaN(Object a, int at);

  /**
   * Where a number is first, or the first NaN when it is one. There must be one.
   *
   * @param a not modified
   * @param p the first element
   * @param ps the step to the next
   * @param number an array that holds the number, not modified
   * @param at its index
   * @return its index in the row
   */
  public abstract int first(Object a, int p, int ps, Object number, int at);

  /**
   * Row i of a column-wise search: where it beats best[j], that becomes its element and index[j]
   * becomes i.
   *
   * @param a not modified
   * @param p the first element of the row
   * @param ps the step to the next
   * @param n how many
   * @param i the row's number
   * @param best modified: the best of each column so far
   * @param index modified: its row
   * @param largest false for the smallest
   */
  public abstract void improve(
      Object a, int p, int ps, int n, int i, Object best, int[] index, boolean largest);

  /**
   * The elements' keys: long numbers in the order of the elements. Both zeros have one key, so have
   * all NaNs, which come last in either direction. Keys of dtypes of up to 32 bits fit in 32 bits.
   *
   * @param a the array
   * @param p where the first element is
   * @param ps their step
   * @param n how many
   * @param descending true for the largest first
   * @param keys overwritten from the first on
   */
  public abstract void keys(Object a, int p, int ps, int n, boolean descending, long[] keys);

  /**
   * Reverses a stretch of an array; NaNs at its end stay there.
   *
   * @param a the array, modified
   * @param from the first element
   * @param to one after the last
   */
  public abstract void reverse(Object a, int from, int to);
}
