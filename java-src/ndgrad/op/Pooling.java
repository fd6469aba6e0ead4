package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.convolution.Window;
import ndgrad.kernel.convolution.WindowFold;
import ndgrad.kernel.convolution.WindowSpread;
import ndgrad.kernel.convolution.WindowTies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/** The largest or the mean of what windows that slide over images see. */
public final class Pooling {
  private Pooling() {}

  /** Where a window's largest elements are, one bit for each point: [n, c, words, y, x]. */
  private static final Primitive TIES =
      define("ties", "x, largest, window: any")
          .internal()
          .nonDifferentiable("places")
          .batch(b -> Windows.eachImage(b, b.args(), b.arity()))
          .primitive(
              (a, in) -> {
                Window w = (Window) a.get("window");
                Layout l = in[1].layout();
                Strided ties =
                    Strided.empty(
                        DType.INT32, l.dim(0), l.dim(1), WindowTies.words(w), l.dim(2), l.dim(3));
                WindowTies.find(ties, in[0], in[1], w);
                return ties;
              });

  /** The means of elements that tie, linear in x: [n, c, h, w] to [n, c, y, x]. */
  private static final Primitive MEAN_OF_TIES =
      define("mean-of-ties", "x, ties, window: any")
          .internal()
          .linear()
          .batch(b -> Windows.eachImage(b, b.args(), b.arity()))
          .vjp(
              0,
              "ties",
              (n, a, g) -> Pooling.SHARE_OF_TIES.of(g, n.in(1), a.get("window"), n.layout(0)))
          .primitive(
              (a, in) -> {
                Layout l = in[1].layout();
                Strided out = Strided.empty(in[0].dtype(), l.dim(0), l.dim(1), l.dim(3), l.dim(4));
                WindowTies.mean(out, in[0], in[1], (Window) a.get("window"));
                return out;
              });

  /** The adjoint of {@link #MEAN_OF_TIES}: shares g out among elements that tie. */
  private static final Primitive SHARE_OF_TIES =
      define("share-of-ties", "g, ties, window: any, image: any")
          .internal()
          .linear()
          .batch(b -> Windows.eachImage(b, images(b), b.arity()))
          .vjp(0, "ties", (n, a, g) -> MEAN_OF_TIES.of(g, n.in(1), a.get("window")))
          .primitive(
              (a, in) -> {
                Strided image = image(a, in[0]);
                WindowTies.gradient(image, in[0], in[1], (Window) a.get("window"));
                return image;
              });

  /** The largest element in each place of a window: [n, c, h, w] to [n, c, y, x]. */
  private static final Primitive LARGEST =
      define("window-max", "x, window: any")
          .internal()
          .batch(b -> Windows.eachImage(b, b.args(), b.arity()))
          .finds((a, ins, out) -> TIES.of(ins[0], out, a.get("window")))
          .vjp(0, "", (n, a, g) -> SHARE_OF_TIES.of(g, n.found(), a.get("window"), n.layout(0)))
          .jvp(
              (a, primals, out, tangents) -> {
                Object window = a.get("window");
                return MEAN_OF_TIES.of(tangents[0], TIES.of(primals[0], out, window), window);
              })
          .primitive(
              (a, in) -> {
                Window w = (Window) a.get("window");
                Strided out = places(in[0], w);
                WindowFold.largest(out, in[0], w);
                return out;
              });

  /** The mean in each place of a window: [n, c, h, w] to [n, c, y, x]. */
  private static final Primitive MEAN =
      define("window-mean", "x, window: any")
          .internal()
          .linear()
          .batch(b -> Windows.eachImage(b, b.args(), b.arity()))
          .vjp(0, "", (n, a, g) -> Pooling.MEAN_GRADIENT.of(g, a.get("window"), n.layout(0)))
          .primitive(
              (a, in) -> {
                Window w = (Window) a.get("window");
                Strided out = places(in[0], w);
                WindowFold.mean(out, in[0], w);
                return out;
              });

  /** The adjoint of {@link #MEAN}. */
  private static final Primitive MEAN_GRADIENT =
      define("window-mean-gradient", "g, window: any, image: any")
          .internal()
          .linear()
          .batch(b -> Windows.eachImage(b, images(b), b.arity()))
          .vjp(0, "", (n, a, g) -> MEAN.of(g, a.get("window")))
          .primitive(
              (a, in) -> {
                Strided image = image(a, in[0]);
                WindowSpread.meanGradient(image, in[0], (Window) a.get("window"));
                return image;
              });

  /** The largest value in each place of a window. */
  public static final Composite MAX_POOL2D =
      define(
              "max-pool2d",
              "x, size: ints, stride: ints = nil, padding: ints = 0, dilation: ints = 1")
          .doc(
              "The largest element in the window at each of its positions, for every channel"
                  + " of images of shape [batch channels height width], or without the batch."
                  + " Padding, at most half of the window, counts as less than any element. The"
                  + " gradient is shared equally by tied elements (PyTorch gives it to the first).")
          .param("x", "the images")
          .param("size", "the window's size, one integer or one for each direction")
          .param("stride", "the window's step; its size when nil")
          .param("padding", "the padding on each side, one integer or one for each direction")
          .param(
              "dilation",
              "the spacing of the window's elements, one integer or one for each direction")
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
          .composite(a -> pooled(a, Windows.pair(a.ints("dilation"), "dilation", 1), LARGEST));

  /** The mean in each place of a window. */
  public static final Composite AVG_POOL2D =
      define("avg-pool2d", "x, size: ints, stride: ints = nil, padding: ints = 0")
          .doc(
              "The mean of the elements in the window at each of its positions, for every"
                  + " channel of images of shape [batch channels height width], or without the"
                  + " batch. The zeros of the padding are included. Integers and bool are averaged"
                  + " as float64.")
          .param("x", "the images")
          .param("size", "the window's size, one integer or one for each direction")
          .param("stride", "the window's step; its size when nil")
          .param(
              "padding",
              "the number of zeros added on each side, one integer or one for each direction")
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
          .composite(a -> pooled(a, new int[] {1, 1}, MEAN));

  /** The arguments with the images of all examples. */
  private static Args images(Batch b) {
    int[] shape = ((Layout) b.args().get("image")).shape();
    shape[0] *= b.size();
    return b.args().with("image", Layout.of(shape));
  }

  private static Strided places(Strided x, Window w) {
    Layout l = x.layout();
    return Strided.empty(
        x.dtype(), l.dim(0), l.dim(1), w.outHeight(l.dim(2)), w.outWidth(l.dim(3)));
  }

  private static Strided image(Args a, Strided g) {
    return Strided.empty(g.dtype(), ((Layout) a.get("image")).shape());
  }

  private static Tensor pooled(Args a, int[] dilation, Primitive pool) {
    Tensor x = a.tensor("x");
    if (x.ndim() != 3 && x.ndim() != 4) {
      throw Windows.misshapen("x", x, "[batch channels height width] or no batch");
    }
    int[] size = Windows.pair(a.ints("size"), "size", 1);
    int[] stride = a.has("stride") ? Windows.pair(a.ints("stride"), "stride", 1) : size;
    int[] padding = Windows.pair(a.ints("padding"), "padding", 0);
    if (pool == LARGEST && (2 * padding[0] > size[0] || 2 * padding[1] > size[1])) {
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
    Tensor images = Windows.images(x, 2);
    Window window =
        Windows.of(images, x, size, stride, Windows.sides(padding[0], padding[1]), dilation);
    int[] shape = x.shape();
    shape[x.ndim() - 2] = window.outHeight(images.dim(2));
    shape[x.ndim() - 1] = window.outWidth(images.dim(3));
    Tensor of = pool == MEAN ? Structural.cast(images, images.dtype().toFloating()) : images;
    return Linalg.reshape(pool.of(of, window), shape);
  }
}
