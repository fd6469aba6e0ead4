package ndgrad.kernel;

/**
 * A window that slides over images: its size, step, the zeros around the image and the distance of
 * its points.
 *
 * @param height rows of the window
 * @param width columns of the window
 * @param strideH step down
 * @param strideW step to the right
 * @param padH rows of zeros above and below the image
 * @param padW columns of zeros to the left and the right
 * @param dilationH distance of the window's rows
 * @param dilationW distance of the window's columns
 */
public record Window(
    int height,
    int width,
    int strideH,
    int strideW,
    int padH,
    int padW,
    int dilationH,
    int dilationW) {

  /**
   * The number of places of the window from top to bottom.
   *
   * @param rows rows of the image
   * @return at least 0
   */
  public int outHeight(int rows) {
    return count(rows + 2 * padH, dilationH * (height - 1) + 1, strideH);
  }

  /**
   * The number of places of the window from left to right.
   *
   * @param columns columns of the image
   * @return at least 0
   */
  public int outWidth(int columns) {
    return count(columns + 2 * padW, dilationW * (width - 1) + 1, strideW);
  }

  private static int count(int length, int extent, int stride) {
    return length < extent ? 0 : (length - extent) / stride + 1;
  }
}
