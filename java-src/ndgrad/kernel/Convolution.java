package ndgrad.kernel;

/**
 * The two moves that make a convolution of images a matrix product. They move elements only, so any
 * dtype will do.
 */
public final class Convolution {
  private static final int GRAIN = 16_384;

  private Convolution() {}

  /**
   * Lays out the window's contents at all its places: {@code cols[n, (c, i, j), (y, x)] = image[n,
   * c, y*strideH - padH + i*dilationH, x*strideW - padW + j*dilationW]}, 0 outside of the image.
   *
   * @param cols overwritten; of shape [batch, channels * height * width, outHeight * outWidth], of
   *     a layout that can be viewed as six dimensions, such as a row-major one
   * @param image of shape [batch, channels, rows, columns], any layout, of the same dtype; not
   *     modified
   * @param window the window
   */
  public static void im2col(Strided cols, Strided image, Window window) {
    walk(cols, image, window, false);
  }

  /**
   * The adjoint of {@link #im2col}: adds every element of cols to the place of the image that it is
   * taken from.
   *
   * @param image added to; of shape [batch, channels, rows, columns], any layout that is no
   *     broadcast
   * @param cols of shape [batch, channels * height * width, outHeight * outWidth] as in im2col; not
   *     modified
   * @param window the window
   */
  public static void col2im(Strided image, Strided cols, Window window) {
    walk(cols, image, window, true);
  }

  private static void walk(Strided cols, Strided image, Window w, boolean add) {
    Layout im = image.layout();
    int height = w.outHeight(im.dim(2));
    int width = w.outWidth(im.dim(3));
    Layout six =
        cols.layout()
            .reshape(im.dim(0), im.dim(1), w.height(), w.width(), height, width)
            .orElseThrow(() -> new IllegalArgumentException("columns of layout " + cols.layout()));
    if (six.size() == 0) {
      return;
    }
    Planes planes = new Planes(cols.with(six), image, w, add);
    int each = w.height() * w.width() * height * width;
    int channels = im.dim(1);
    Threads.parallelFor(
        im.dim(0) * channels,
        Math.max(1, GRAIN / each),
        (from, to) -> {
          for (int i = from; i < to; i++) {
            planes.move(i / channels, i % channels);
          }
        });
  }

  private record Planes(Strided cols, Strided image, Window w, boolean add) {

    /** One channel of one image. */
    void move(int n, int c) {
      Rows rows = Rows.of(cols.dtype());
      Layout six = cols.layout();
      for (int i = 0; i < w.height(); i++) {
        for (int j = 0; j < w.width(); j++) {
          for (int y = 0; y < six.dim(4); y++) {
            line(
                rows,
                six.position(n, c, i, j, y, 0),
                n,
                c,
                y * w.strideH() - w.padH() + i * w.dilationH(),
                j);
          }
        }
      }
    }

    /** One row of one point of the window: what lies inside of the image, zeros to both sides. */
    private void line(Rows rows, int at, int n, int c, int row, int j) {
      Layout six = cols.layout();
      Layout im = image.layout();
      int width = six.dim(5);
      int step = six.stride(5);
      int start = j * w.dilationW() - w.padW();
      boolean inside = row >= 0 && row < im.dim(2);
      int from = inside ? Math.clamp(Math.ceilDiv(-start, w.strideW()), 0, width) : width;
      int to =
          inside ? Math.clamp(Math.ceilDiv(im.dim(3) - start, w.strideW()), from, width) : width;
      int along = im.stride(3) * w.strideW();
      int p = from < to ? im.position(n, c, row, start + from * w.strideW()) : 0;
      if (add) {
        rows.add(cols.array(), at + from * step, step, image.array(), p, along, to - from);
      } else {
        Object zero = Reduction.identity(Expr.Fn2.ADD, cols.dtype());
        rows.fill(cols.array(), at, step, from, zero);
        rows.copy(image.array(), p, along, cols.array(), at + from * step, step, to - from);
        rows.fill(cols.array(), at + to * step, step, width - to, zero);
      }
    }
  }
}
