package ndgrad.kernel.convolution;

/**
 * A window that slides over images: its size, step, the zeros around the image and the distance of
 * its points.
 *
 * @param height rows of the window
 * @param width columns of the window
 * @param strideH step down
 * @param strideW step to the right
 * @param top rows of zeros above the image
 * @param left columns of zeros to the left of it
 * @param bottom rows of zeros below it
 * @param right columns of zeros to the right of it
 * @param dilationH distance of the window's rows
 * @param dilationW distance of the window's columns
 */
public record Window(
    int height,
    int width,
    int strideH,
    int strideW,
    int top,
    int left,
    int bottom,
    int right,
    int dilationH,
    int dilationW) {

  /**
   * The number of places of the window from top to bottom.
   *
   * @param rows rows of the image
   * @return at least 0
   */
  public int outHeight(int rows) {
    return count(rows + top + bottom, extentH(), strideH);
  }

  /**
   * The number of places of the window from left to right.
   *
   * @param columns columns of the image
   * @return at least 0
   */
  public int outWidth(int columns) {
    return count(columns + left + right, extentW(), strideW);
  }

  /** The number of points, which are counted row by row. */
  int points() {
    return Math.multiplyExact(height, width);
  }

  /** How far down from the window's first row a point is. */
  int row(int point) {
    return point / width * dilationH;
  }

  /** How far to the right of the window's first column a point is. */
  int column(int point) {
    return point % width * dilationW;
  }

  /** Rows from the window's first to its last, both counted. */
  int extentH() {
    return dilationH * (height - 1) + 1;
  }

  /** Columns from the window's first to its last, both counted. */
  int extentW() {
    return dilationW * (width - 1) + 1;
  }

  private static int count(int length, int extent, int stride) {
    return length < extent ? 0 : (length - extent) / stride + 1;
  }
}
