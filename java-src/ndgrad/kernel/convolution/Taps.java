package ndgrad.kernel.convolution;

import ndgrad.DType;
import ndgrad.kernel.code.TapKernel;

/**
 * The plain form of {@link TapKernel}'s loops for one dtype. {@link FloatTaps} is derived from the
 * text of {@link DoubleTaps} by {@code dev/Specialize.java}.
 */
abstract class Taps {
  private static final Taps FLOATS = new FloatTaps();
  private static final Taps DOUBLES = new DoubleTaps();

  static Taps of(DType dtype) {
    return dtype == DType.FLOAT32 ? FLOATS : DOUBLES;
  }

  /** {@link TapKernel}'s sums. */
  abstract TapKernel sum(int rows);

  /** {@link TapKernel}'s dot products. */
  abstract TapKernel dot(int rows, int taps);

  /**
   * Adds up the lanes of dot products, pairwise, and adds these sums to others.
   *
   * @param lanes as {@link TapKernel} leaves them
   * @param start the first one's position
   * @param rows number of rows
   * @param taps number of taps
   * @param used how many of the taps count
   * @param out the sums, row by row
   * @param at the first one's position
   * @param step from row to row
   */
  abstract void fold(
      Object lanes, int start, int rows, int taps, int used, Object out, int at, int step);

  /**
   * Copies part of a plane, with zeros to both sides of each row.
   *
   * @param from the source
   * @param p position of the element that goes to the first row at {@code first}
   * @param down from row to row of the source
   * @param along from element to element
   * @param rows number of rows
   * @param to the target
   * @param q position of the first row
   * @param width length of a row of the target; rows follow each other
   * @param first how many zeros come first in each row
   * @param last where the zeros behind begin
   */
  abstract void pad(
      Object from,
      int p,
      int down,
      int along,
      int rows,
      Object to,
      int q,
      int width,
      int first,
      int last);

  /** Sets elements to zero. */
  abstract void clear(Object a, int from, int to);

  /**
   * Copies the front part of rows that follow each other.
   *
   * @param from the source
   * @param p position of the first row
   * @param width from row to row of the source
   * @param rows number of rows
   * @param columns how many elements of each are copied
   * @param to the target
   * @param q position of the first element
   * @param down from row to row of the target
   * @param along from element to element
   */
  abstract void crop(
      Object from, int p, int width, int rows, int columns, Object to, int q, int down, int along);

  /** Copies n elements with steps. */
  abstract void gather(Object from, int p, int step, int n, Object to, int q, int toStep);

  /** Whether n elements are neither infinite nor NaN. */
  abstract boolean areFinite(Object a, int p, int n);
}
