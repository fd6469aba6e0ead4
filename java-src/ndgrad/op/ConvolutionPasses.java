package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Optional;
import ndgrad.DType;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.convolution.Window;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/**
 * A convolution of images and its two gradients. All three are linear in either of their arrays,
 * and the gradients of each are the other two, so there is nothing else to derive.
 */
final class ConvolutionPasses {
  private ConvolutionPasses() {}

  /** [n, c, h, w] and windows [o, c / groups, i, j] to [n, o, y, x]. */
  private static final Primitive CONVOLVE =
      define("convolve", "x, w, window: any, groups: int")
          .internal()
          .batch(b -> b.has(1) ? b.eachExample() : Windows.eachImage(b, b.args(), 1))
          .jvp((a, p, out, t) -> tangent(ConvolutionPasses.CONVOLVE, a, p, t))
          .vjp(0, "w", (n, a, g) -> imageGradient(n, a, g))
          .vjp(1, "x", (n, a, g) -> windowGradient(n, a, g))
          .primitive((a, in) -> forward(a, in));

  /** The same, plus one number for each channel of the result. */
  private static final Primitive CONVOLVE_AND_ADD =
      define("convolve", "x, w, bias, window: any, groups: int")
          .internal()
          .batch(b -> b.has(1) || b.has(2) ? b.eachExample() : Windows.eachImage(b, b.args(), 1))
          .vjp(0, "w", (n, a, g) -> imageGradient(n, a, g))
          .vjp(1, "x", (n, a, g) -> windowGradient(n, a, g))
          .vjp(2, "", (n, a, g) -> Reductions.SUM.of(g, new int[] {0, 2, 3}))
          .primitive((a, in) -> forward(a, in, in[2]));

  /** From the gradient of the result and the windows to that of the images. */
  private static final Primitive IMAGE_GRADIENT =
      define("image-gradient", "g, w, window: any, groups: int, image: any")
          .internal()
          .batch(
              b -> {
                if (b.has(1)) {
                  return b.eachExample();
                }
                int[] shape = ((Layout) b.args().get("image")).shape();
                shape[0] *= b.size();
                return Windows.eachImage(b, b.args().with("image", Layout.of(shape)), 1);
              })
          .jvp((a, p, out, t) -> tangent(ConvolutionPasses.IMAGE_GRADIENT, a, p, t))
          .vjp(0, "w", (n, a, g) -> CONVOLVE.of(g, n.in(1), a.get("window"), a.integer("groups")))
          .vjp(
              1,
              "g",
              (n, a, g) ->
                  ConvolutionPasses.WINDOW_GRADIENT.of(
                      g, n.in(0), a.get("window"), a.integer("groups"), n.layout(1)))
          .primitive(
              (a, in) -> {
                Strided out = Strided.empty(in[0].dtype(), ((Layout) a.get("image")).shape());
                ndgrad.kernel.convolution.Convolution.backward(
                    out, in[0], in[1], (Window) a.get("window"), a.integer("groups"));
                return out;
              });

  /** From the images and the gradient of the result to that of the windows. */
  private static final Primitive WINDOW_GRADIENT =
      define("window-gradient", "x, g, window: any, groups: int, windows: any")
          .internal()
          .jvp((a, p, out, t) -> tangent(ConvolutionPasses.WINDOW_GRADIENT, a, p, t))
          .vjp(
              0,
              "g",
              (n, a, g) ->
                  IMAGE_GRADIENT.of(n.in(1), g, a.get("window"), a.integer("groups"), n.layout(0)))
          .vjp(1, "x", (n, a, g) -> CONVOLVE.of(n.in(0), g, a.get("window"), a.integer("groups")))
          .primitive(
              (a, in) -> {
                Strided out = Strided.zeros(in[0].dtype(), ((Layout) a.get("windows")).shape());
                ndgrad.kernel.convolution.Convolution.windowGradient(
                    out, in[0], in[1], (Window) a.get("window"), a.integer("groups"));
                return out;
              });

  /**
   * Convolves.
   *
   * @param x the images, [n, c, h, w]
   * @param w the windows, [o, c / groups, i, j]
   * @param bias [o], if any
   * @param window the window
   * @param groups a divisor of c and o
   * @return [n, o, y, x], of the promoted dtype
   */
  static Tensor convolve(Tensor x, Tensor w, Optional<Tensor> bias, Window window, int groups) {
    DType both = DType.promote(x.dtype(), w.dtype());
    DType dtype = bias.map(b -> DType.promote(both, b.dtype())).orElse(both);
    Tensor images = Structural.cast(x, dtype);
    Tensor windows = Structural.cast(w, dtype);
    return bias.isEmpty()
        ? CONVOLVE.of(images, windows, window, groups)
        : CONVOLVE_AND_ADD.of(images, windows, Structural.cast(bias.get(), dtype), window, groups);
  }

  private static Strided forward(Args a, Strided[] in, Strided... bias) {
    Window window = (Window) a.get("window");
    Layout x = in[0].layout();
    Strided out =
        Strided.empty(
            in[0].dtype(),
            x.dim(0),
            in[1].layout().dim(0),
            window.outHeight(x.dim(2)),
            window.outWidth(x.dim(3)));
    ndgrad.kernel.convolution.Convolution.forward(
        out, in[0], in[1], window, a.integer("groups"), bias);
    return out;
  }

  private static Tensor imageGradient(Node n, Args a, Tensor g) {
    return IMAGE_GRADIENT.of(g, n.in(1), a.get("window"), a.integer("groups"), n.layout(0));
  }

  private static Tensor windowGradient(Node n, Args a, Tensor g) {
    return WINDOW_GRADIENT.of(n.in(0), g, a.get("window"), a.integer("groups"), n.layout(1));
  }

  /** The sum over both inputs of the op on a tangent and the other's value. */
  private static Tensor tangent(Primitive op, Args a, Tensor[] primals, Tensor[] tangents) {
    Tensor left = tangents[0] == null ? null : op.run(a, new Tensor[] {tangents[0], primals[1]});
    Tensor right = tangents[1] == null ? null : op.run(a, new Tensor[] {primals[0], tangents[1]});
    return left == null ? right : right == null ? left : Arithmetic.ADD.of(left, right);
  }
}
