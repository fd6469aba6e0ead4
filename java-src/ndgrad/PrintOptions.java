package ndgrad;

import ndgrad.op.spec.Coerce;

/**
 * How much of an array is printed, and how: NumPy's print options. Immutable.
 *
 * <pre>{@code
 * PrintOptions.DEFAULT.withPrecision(3).format(Array.of(3.14159));   // array([3.142])
 * }</pre>
 *
 * @param precision the maximum number of digits after the decimal point
 * @param threshold the number of elements beyond which only the edges of each axis are printed
 * @param edgeItems the number of elements at each edge
 * @param lineWidth the number of columns at which lines are broken
 * @param suppressSmall whether small numbers are printed without exponent, that is, rounded to 0
 *     beyond the precision
 */
public record PrintOptions(
    int precision, int threshold, int edgeItems, int lineWidth, boolean suppressSmall) {

  /**
   * NumPy's defaults, which {@link Array#toString} uses: 8 digits, 1000 elements, 3 at each edge,
   * 75 columns.
   */
  public static final PrintOptions DEFAULT = new PrintOptions(8, 1000, 3, 75, false);

  /**
   * Checks the options.
   *
   * @throws ArgumentException when a number is negative, edgeItems less than 1, or precision above
   *     1000
   */
  public PrintOptions {
    if (precision < 0 || precision > 1000 || threshold < 0 || edgeItems < 1 || lineWidth < 0) {
      throw new ArgumentException(
          "print options need precision from 0 to 1000, threshold and line width of at least 0,"
              + " edge items of at least 1; got "
              + precision
              + ", "
              + threshold
              + ", "
              + lineWidth
              + ", "
              + edgeItems,
          "precision",
          precision,
          "threshold",
          threshold,
          "edge-items",
          edgeItems,
          "line-width",
          lineWidth);
    }
  }

  /**
   * These options with another precision.
   *
   * @param digits the maximum number of digits after the decimal point
   * @return new options
   */
  public PrintOptions withPrecision(int digits) {
    return new PrintOptions(digits, threshold, edgeItems, lineWidth, suppressSmall);
  }

  /**
   * These options with another threshold.
   *
   * @param elements the number of elements beyond which the array is summarised
   * @return new options
   */
  public PrintOptions withThreshold(int elements) {
    return new PrintOptions(precision, elements, edgeItems, lineWidth, suppressSmall);
  }

  /**
   * These options with another number of elements at each edge.
   *
   * @param items the number of elements at each edge, at least 1
   * @return new options
   */
  public PrintOptions withEdgeItems(int items) {
    return new PrintOptions(precision, threshold, items, lineWidth, suppressSmall);
  }

  /**
   * These options with another line width.
   *
   * @param columns the number of columns at which lines are broken
   * @return new options
   */
  public PrintOptions withLineWidth(int columns) {
    return new PrintOptions(precision, threshold, edgeItems, columns, suppressSmall);
  }

  /**
   * These options with or without exponents for small numbers.
   *
   * @param suppress whether small numbers are printed without exponent
   * @return new options
   */
  public PrintOptions withSuppressSmall(boolean suppress) {
    return new PrintOptions(precision, threshold, edgeItems, lineWidth, suppress);
  }

  /**
   * The text of an array under these options.
   *
   * @param array the array, of which only the printed elements are read
   * @return the text of NumPy's {@code repr}, with {@code requires-grad=true} or {@code grad-fn=}
   *     and the op's name for arrays that take part in a graph
   */
  public String format(Array array) {
    return Format.array(Coerce.given("array", array), this);
  }
}
