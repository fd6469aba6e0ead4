package ndgrad.op;

import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.convolution.Window;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;

/** Reads and checks what describes a window that slides over images. */
final class Windows {
  /** Far more than memory holds, and twice as much is still an int. */
  private static final int MOST_PADDING = 1 << 28;

  private Windows() {}

  /**
   * Makes a window of what was asked for.
   *
   * @param images [n, c, h, w]
   * @param x what the caller calls it
   * @param size points down and along
   * @param stride the window's step
   * @param sides zeros above, to the left, below and to the right
   * @param dilation the distance of the window's points
   * @throws ShapeException when it does not fit into the images
   */
  static Window of(Tensor images, Tensor x, int[] size, int[] stride, int[] sides, int[] dilation) {
    int height = images.dim(2) + sides[0] + sides[2];
    int width = images.dim(3) + sides[1] + sides[3];
    checkFits(size[0], dilation[0], height, x, "high");
    checkFits(size[1], dilation[1], width, x, "wide");
    // There are at most as many places of the window; what they count in integers fits then.
    Layout.of(height, width);
    return new Window(
        size[0],
        size[1],
        stride[0],
        stride[1],
        sides[0],
        sides[1],
        sides[2],
        sides[3],
        dilation[0],
        dilation[1]);
  }

  private static void checkFits(int points, int dilation, int length, Tensor x, String which) {
    if (points < 1) {
      throw new ShapeException(
          "a window must be at least 1 " + which + ", got " + points, "window", points);
    }
    long extent = (long) dilation * (points - 1) + 1;
    if (extent > length) {
      throw new ShapeException(
          "a window "
              + extent
              + " "
              + which
              + (dilation == 1 ? "" : " (with dilation " + dilation + ")")
              + " does not fit into the padded x, which is "
              + length
              + " "
              + which
              + " (its shape is "
              + x.layout()
              + ")",
          "window",
          extent,
          "padded",
          length,
          "shape",
          x.layout().shape());
    }
  }

  /** Zeros on all sides, as many at the end as in front. */
  static int[] sides(long down, long along) {
    if (Math.max(down, along) > MOST_PADDING) {
      throw new ShapeException(
          "padding [" + down + ", " + along + "] makes more places than an array can have",
          "padding",
          List.of(down, along));
    }
    int[] before = {(int) down, (int) along};
    return new int[] {before[0], before[1], before[0], before[1]};
  }

  /**
   * Calls an op once for all examples, whose batches become one.
   *
   * @param images how many of the inputs are batches of images; the others all examples share
   */
  static Tensor eachImage(Batch b, Args args, int images) {
    Tensor[] ins = new Tensor[b.arity()];
    for (int i = 0; i < ins.length; i++) {
      if (i < images) {
        int[] merged = b.example(i).shape();
        merged[0] *= b.size();
        ins[i] = Linalg.reshape(b.full(i), merged);
      } else {
        ins[i] = b.in(i);
      }
    }
    Tensor out = b.call(args, ins);
    int[] shape = out.shape();
    shape[0] = b.example(0).dim(0);
    return Linalg.reshape(out, b.with(shape));
  }

  static int[] pair(int[] given, String name, int least) {
    if (given.length != 1 && given.length != 2 || Arrays.stream(given).anyMatch(i -> i < least)) {
      throw new ArgumentException(
          name
              + " must be an integer of at least "
              + least
              + " or a pair of them, got "
              + Arrays.toString(given),
          "argument",
          name,
          "value",
          Arrays.toString(given));
    }
    return given.length == 2 ? given : new int[] {given[0], given[0]};
  }

  /** As [batch, channels, height, width]. */
  static Tensor images(Tensor x, int spatial) {
    int d = x.ndim();
    return Linalg.reshape(
        x,
        d == spatial + 1 ? 1 : x.dim(0),
        x.dim(d - spatial - 1),
        spatial == 1 ? 1 : x.dim(d - 2),
        x.dim(d - 1));
  }

  static ShapeException misshapen(String name, Tensor x, String expected) {
    return new ShapeException(
        name + " must have shape " + expected + ", got " + x.layout(),
        "argument",
        name,
        "shape",
        x.layout().shape());
  }
}
