package ndgrad.kernel.convolution;

import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.MatrixProduct;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * Convolutions of images and their gradients. Floating ones are sums over the window's taps,
 * without an intermediate array ({@link TapSums}, {@link TapDots}); others lay out the window's
 * contents as columns and are a product of matrices from there.
 */
public final class Convolution {
  private static final int GRAIN = 16_384;

  private Convolution() {}

  /**
   * Convolves: {@code out[n, o, y, x]} is the sum over c, i and j of {@code w[o, c, i, j] *
   * image[n, c, y*strideH - top + i*dilationH, x*strideW - left + j*dilationW]}, where c counts
   * within the group of o and the image is 0 outside; plus {@code bias[o]}.
   *
   * @param out of shape [batch, outChannels, outHeight, outWidth], row-major; overwritten
   * @param image of shape [batch, channels, rows, columns], any layout, of the same dtype
   * @param w of shape [outChannels, channels / groups, height, width], any layout, of the same
   *     dtype
   * @param bias of shape [outChannels] and the same dtype, or left out
   * @param window the window
   * @param groups a divisor of channels and outChannels
   */
  public static void forward(
      Strided out, Strided image, Strided w, Window window, int groups, Strided... bias) {
    if (out.layout().size() == 0) {
      return;
    }
    if (out.dtype().isFloating() && image.layout().size() > 0) {
      TapSums.forward(out, image, w, bias, window, groups);
      return;
    }
    clear(out);
    Layout l = out.layout();
    Strided cols = columns(image, window);
    MatrixProduct.run(
        reshaped(out, l.dim(0), groups, l.dim(1) / groups, l.dim(2) * l.dim(3)),
        windows(w, groups, l.dim(0)),
        reshaped(cols, l.dim(0), groups, cols.layout().dim(1) / groups, cols.layout().dim(2)));
    if (bias.length > 0) {
      Layout b = bias[0].layout();
      Rows rows = Rows.of(out.dtype());
      int plane = l.dim(2) * l.dim(3);
      for (int n = 0; n < l.dim(0); n++) {
        for (int o = 0; o < l.dim(1); o++) {
          rows.add(
              bias[0].array(), b.position(o), 0, out.array(), l.position(n, o, 0, 0), 1, plane);
        }
      }
    }
  }

  /**
   * The gradient of a convolution with respect to its image.
   *
   * @param out of the image's shape, row-major; overwritten
   * @param g the gradient of the result, any layout, of the same dtype
   * @param w as in forward
   * @param window the window
   * @param groups a divisor of channels and outChannels
   */
  public static void backward(Strided out, Strided g, Strided w, Window window, int groups) {
    if (out.layout().size() == 0 || g.layout().size() == 0) {
      clear(out);
      return;
    }
    // The zeros around the gradients must stay zeros.
    if (out.dtype().isFloating() && isFinite(w)) {
      TapSums.backward(out, g, w, window, groups);
      return;
    }
    clear(out);
    Layout l = g.layout();
    Strided dense = dense(g);
    int k = w.layout().dim(1) * window.height() * window.width();
    Strided cols = Strided.zeros(g.dtype(), l.dim(0), groups * k, l.dim(2) * l.dim(3));
    Strided turned = windows(w, groups, l.dim(0));
    MatrixProduct.run(
        reshaped(cols, l.dim(0), groups, k, l.dim(2) * l.dim(3)),
        turned.with(turned.layout().permute(0, 1, 3, 2)),
        reshaped(dense, l.dim(0), groups, l.dim(1) / groups, l.dim(2) * l.dim(3)));
    col2im(out, cols, window);
  }

  /**
   * The gradient of a convolution with respect to its windows.
   *
   * @param out zeros of the windows' shape, row-major; modified
   * @param image as in forward
   * @param g the gradient of the result, any layout, of the same dtype
   * @param window the window
   * @param groups a divisor of channels and outChannels
   */
  public static void windowGradient(
      Strided out, Strided image, Strided g, Window window, int groups) {
    if (out.layout().size() == 0 || g.layout().size() == 0) {
      return;
    }
    if (out.dtype().isFloating()) {
      TapDots.run(out, image, g, window, groups);
      if (isFinite(out)) {
        return;
      }
      // What is not finite may have met zeros that stand for nothing.
      clear(out);
    }
    Layout l = g.layout();
    Strided cols = columns(image, window);
    int places = l.dim(2) * l.dim(3);
    int k = cols.layout().dim(1) / groups;
    Strided left = reshaped(dense(g), l.dim(0), groups, l.dim(1) / groups, places);
    Strided right = reshaped(cols, l.dim(0), groups, k, places);
    Rows rows = Rows.of(out.dtype());
    for (int n = 0; n < l.dim(0); n++) {
      Strided share = Strided.zeros(out.dtype(), groups, l.dim(1) / groups, k);
      MatrixProduct.run(
          share,
          left.with(left.layout().select(0, n)),
          right.with(right.layout().select(0, n).permute(0, 2, 1)));
      rows.add(share.array(), 0, 1, out.array(), 0, 1, share.layout().intSize());
    }
  }

  private static void clear(Strided x) {
    Rows.of(x.dtype())
        .fill(
            x.array(),
            x.layout().offset(),
            1,
            x.layout().intSize(),
            FoldKernel.identity(Expr.Fn2.ADD, x.dtype()));
  }

  private static Strided columns(Strided image, Window w) {
    Layout l = image.layout();
    int rows = Math.multiplyExact(l.dim(1), w.height() * w.width());
    Strided out =
        Strided.empty(image.dtype(), l.dim(0), rows, w.outHeight(l.dim(2)) * w.outWidth(l.dim(3)));
    im2col(out, image, w);
    return out;
  }

  /** As [batch, groups, outChannels / groups, points], the same for each of the batch. */
  private static Strided windows(Strided w, int groups, int batch) {
    Layout l = w.layout();
    int each = l.dim(0) / groups;
    Strided d = reshaped(dense(w), groups, each, l.dim(1) * l.dim(2) * l.dim(3));
    return d.with(d.layout().broadcastTo(batch, groups, each, l.dim(1) * l.dim(2) * l.dim(3)));
  }

  private static Strided dense(Strided x) {
    if (x.layout().isContiguous()) {
      return x;
    }
    Strided copy = Strided.zeros(x.dtype(), x.layout().shape());
    Copies.copy(x, copy);
    return copy;
  }

  private static Strided reshaped(Strided x, int... shape) {
    return x.with(x.layout().reshape(shape).orElseThrow());
  }

  private static boolean isFinite(Strided x) {
    Strided d = dense(x);
    return Taps.of(d.dtype()).areFinite(d.array(), d.layout().offset(), d.layout().intSize());
  }

  /**
   * Lays out the window's contents at all its places: {@code cols[n, (c, i, j), (y, x)] = image[n,
   * c, y*strideH - top + i*dilationH, x*strideW - left + j*dilationW]}, 0 outside of the image.
   *
   * @param cols overwritten; of shape [batch, channels * height * width, outHeight * outWidth], of
   *     a layout that can be viewed as six dimensions, such as a row-major one
   * @param image of shape [batch, channels, rows, columns], any layout, of the same dtype; not
   *     modified
   * @param window the window
   */
  static void im2col(Strided cols, Strided image, Window window) {
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
  static void col2im(Strided image, Strided cols, Window window) {
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
                y * w.strideH() - w.top() + i * w.dilationH(),
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
      int start = j * w.dilationW() - w.left();
      boolean inside = row >= 0 && row < im.dim(2);
      int from = inside ? Math.clamp(Math.ceilDiv(-start, w.strideW()), 0, width) : width;
      int to =
          inside ? Math.clamp(Math.ceilDiv(im.dim(3) - start, w.strideW()), from, width) : width;
      int along = im.stride(3) * w.strideW();
      int p = from < to ? im.position(n, c, row, start + from * w.strideW()) : 0;
      if (add) {
        rows.add(cols.array(), at + from * step, step, image.array(), p, along, to - from);
      } else {
        Object zero = FoldKernel.identity(Expr.Fn2.ADD, cols.dtype());
        rows.fill(cols.array(), at, step, from, zero);
        rows.copy(image.array(), p, along, cols.array(), at + from * step, step, to - from);
        rows.fill(cols.array(), at + to * step, step, width - to, zero);
      }
    }
  }
}
