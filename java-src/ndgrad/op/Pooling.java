package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.convolution.Window;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Typing;

/** The largest or the mean of what windows that slide over images see. */
public final class Pooling {
  private Pooling() {}

  /**
   * The window's contents at all its places, as columns: [n, c, h, w] to [n, c·height·width,
   * places].
   */
  static final Primitive COLUMNS =
      define("columns", "x, window: any")
          .internal()
          .linear()
          .batch(b -> Pooling.eachImage(b, b.args()))
          .vjp(0, "", (n, a, g) -> Pooling.IMAGE.of(g, a.get("window"), n.layout(0)))
          .primitive((a, in) -> columns(in[0], (Window) a.get("window")));

  /**
   * The adjoint of {@link #COLUMNS}: adds every element of the columns to its place in the image.
   */
  static final Primitive IMAGE =
      define("image", "x, window: any, image: any")
          .internal()
          .linear()
          .batch(
              b -> {
                int[] shape = ((Layout) b.args().get("image")).shape();
                shape[0] *= b.size();
                return Pooling.eachImage(b, b.args().with("image", Layout.of(shape)));
              })
          .vjp(0, "", (n, a, g) -> COLUMNS.of(g, a.get("window")))
          .primitive(
              (a, in) -> {
                Strided image = Strided.zeros(in[0].dtype(), ((Layout) a.get("image")).shape());
                ndgrad.kernel.convolution.Convolution.col2im(
                    image, in[0], (Window) a.get("window"));
                return image;
              });

  /** The values where the mask is true, elsewhere the least there is. */
  private static final Elementwise INSIDE =
      define("inside", "mask, x")
          .internal()
          .elementwise(
              Typing.SELECT,
              Expr.select(Expr.in(0), Expr.in(1), Expr.num(Double.NEGATIVE_INFINITY)));

  /** The largest value in each place of a window. */
  public static final Composite MAX_POOL2D =
      define(
              "max-pool2d",
              "x, size: ints, stride: ints = nil, padding: ints = 0, dilation: ints = 1")
          .doc(
              "The largest element in the window at each of its places, for every channel of images"
                  + " of shape [batch channels height width], or without the batch. What padding"
                  + " adds is less than any element; it is at most half of the window. The gradient"
                  + " is shared equally by elements that tie (PyTorch gives it to the first of"
                  + " them).")
          .param("x", "the images")
          .param("size", "the window's size, one integer or one for each direction")
          .param("stride", "the window's step; its size when nil")
          .param(
              "padding",
              "how far the window reaches over the edges, one integer or one for each direction")
          .param(
              "dilation",
              "the distance of the window's points, one integer or one for each direction")
          .domain(-3, 3)
          .oracle(
              "torch.nn.functional.max_pool2d(torch.from_numpy(np.array(x, 'float64')), size,"
                  + " stride, padding, dilation).numpy().astype(x.dtype)")
          .samples(
              "#x [2 2 4 4] 2",
              "#x [1 1 5 4] [3 2]",
              "#x [1 2 5 5] 3 {:stride 2 :padding 1}",
              "#x [2 4 6] [2 3] {:stride 1}",
              "#x [1 1 6 6] 2 {:dilation 2}")
          .fails(ShapeException.class, "#x [3 3] 2", "#x [1 1 3 3] 4")
          .fails(
              ArgumentException.class,
              "#x [1 1 3 3] 0",
              "#x [1 1 3 3] 2 {:stride 0}",
              "#x [1 1 3 3] 2 {:padding 2}",
              "#x [1 1 3 3] [1 1 1]")
          .composite(
              a -> {
                int[] padding = Windows.pair(a.ints("padding"), "padding", 0);
                int[] size = Windows.pair(a.ints("size"), "size", 1);
                if (2 * padding[0] > size[0] || 2 * padding[1] > size[1]) {
                  throw new ArgumentException(
                      "padding "
                          + Arrays.toString(padding)
                          + " is more than half of the window's size "
                          + Arrays.toString(size),
                      "argument",
                      "padding",
                      "value",
                      Arrays.toString(padding));
                }
                return pooled(a, Windows.pair(a.ints("dilation"), "dilation", 1), Pooling::largest);
              });

  /** The mean in each place of a window. */
  public static final Composite AVG_POOL2D =
      define("avg-pool2d", "x, size: ints, stride: ints = nil, padding: ints = 0")
          .doc(
              "The mean of the elements in the window at each of its places, for every channel of"
                  + " images of shape [batch channels height width], or without the batch. The"
                  + " zeros of the padding count. Integers and bool are averaged as float64.")
          .param("x", "the images")
          .param("size", "the window's size, one integer or one for each direction")
          .param("stride", "the window's step; its size when nil")
          .param(
              "padding",
              "how many zeros are put around the image, one integer or one for each direction")
          .domain(-3, 3)
          .oracle(
              "torch.nn.functional.avg_pool2d(torch.from_numpy(np.array(x, 'float64')), size,"
                  + " stride, padding).numpy().astype(x.dtype if x.dtype.kind == 'f' else"
                  + " 'float64')")
          .samples(
              "#x [2 2 4 4] 2",
              "#x [1 1 5 4] [3 2]",
              "#x [1 2 5 5] 3 {:stride 2 :padding 1}",
              "#x [2 4 6] [2 3] {:stride 1}")
          .fails(ShapeException.class, "#x [3 3] 2", "#x [1 1 3 3] 4")
          .fails(ArgumentException.class, "#x [1 1 3 3] 0", "#x [1 1 3 3] 2 {:stride [1 2 3]}")
          .composite(
              a ->
                  pooled(
                      a,
                      new int[] {1, 1},
                      (x, window) -> Reductions.MEAN.of(windows(x, window), 2)));

  private interface Pool {
    /** From images to [batch, channels, places]. */
    Tensor apply(Tensor images, Window window);
  }

  /** The batches of all examples are one batch. */
  private static Tensor eachImage(Batch b, Args args) {
    Tensor x = b.full(0);
    int[] merged = b.example(0).shape();
    int n = merged[0];
    merged[0] *= b.size();
    Tensor out = b.call(args, Linalg.reshape(x, merged));
    int[] shape = out.shape();
    shape[0] = n;
    return Linalg.reshape(out, b.with(shape));
  }

  private static Strided columns(Strided x, Window w) {
    Layout l = x.layout();
    int rows = Math.multiplyExact(l.dim(1), w.height() * w.width());
    Strided out =
        Strided.empty(x.dtype(), l.dim(0), rows, w.outHeight(l.dim(2)) * w.outWidth(l.dim(3)));
    ndgrad.kernel.convolution.Convolution.im2col(out, x, w);
    return out;
  }

  private static Tensor pooled(Args a, int[] dilation, Pool pool) {
    Tensor x = a.tensor("x");
    if (x.ndim() != 3 && x.ndim() != 4) {
      throw Windows.misshapen("x", x, "[batch channels height width] or no batch");
    }
    int[] size = Windows.pair(a.ints("size"), "size", 1);
    int[] stride = a.has("stride") ? Windows.pair(a.ints("stride"), "stride", 1) : size;
    int[] padding = Windows.pair(a.ints("padding"), "padding", 0);
    Tensor images = Windows.images(x, 2);
    Window window = Windows.of(images, x, size, stride, Windows.sides(padding), dilation);
    int[] shape = x.shape();
    shape[x.ndim() - 2] = window.outHeight(images.dim(2));
    shape[x.ndim() - 1] = window.outWidth(images.dim(3));
    return Linalg.reshape(pool.apply(images, window), shape);
  }

  /** The window's contents at all its places: [batch, channels, points of the window, places]. */
  private static Tensor windows(Tensor images, Window w) {
    Tensor columns = COLUMNS.of(images, w);
    return Linalg.reshape(
        columns, images.dim(0), images.dim(1), w.height() * w.width(), columns.dim(2));
  }

  private static Tensor largest(Tensor images, Window w) {
    Tensor windows = windows(images, w);
    // Zeros are the least truth values already.
    if ((w.top() > 0 || w.left() > 0) && images.dtype() != DType.BOOL) {
      Strided image = Strided.zeros(DType.BOOL, 1, 1, images.dim(2), images.dim(3));
      Arrays.fill((boolean[]) image.array(), true);
      windows = INSIDE.of(new Tensor(columns(image, w)), windows);
    }
    return Reductions.MAX.of(windows, 2);
  }
}
