package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.convolution.Window;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Composite;

/** Weighted sums of what windows that slide over signals and images see. */
public final class Convolution {
  private Convolution() {}

  private static final String TORCH_ARGS =
      "torch.from_numpy(np.array(x, 'float64')), torch.from_numpy(np.array(w, 'float64')),"
          + " None if bias is None else torch.from_numpy(np.array(bias, 'float64')),"
          + " stride, padding, dilation, groups).numpy()"
          + ".astype(np.result_type(x, w, x if bias is None else bias))";

  /** Convolution of images. */
  public static final Composite CONV2D =
      define(
              "conv2d",
              "x, w, bias = nil, stride: ints = 1, padding: any = 0, dilation: ints = 1, groups:"
                  + " int = 1")
          .doc(
              "Slides windows over images: out[n, o, y, x] is the sum over c, i and j of"
                  + " w[o, c, i, j] times x[n, c, y·stride + i·dilation - padding, x·stride +"
                  + " j·dilation - padding], plus bias[o]; the image is 0 outside. (As usual in"
                  + " machine learning, the window is not flipped.) Images have shape [batch"
                  + " channels height width], or without the batch, and the windows [out-channels"
                  + " channels/groups height width]. Dtypes are promoted; integers wrap, bool is"
                  + " combined by and and or.")
          .param("x", "the images")
          .param("w", "the windows")
          .param("bias", "one number for each output channel")
          .param("stride", "the window's step, one integer or one for each direction")
          .param(
              "padding",
              "the number of zeros added on each side, one integer or one for each"
                  + " direction; :valid for none, :same for as many as keep the size, with stride 1"
                  + " only (of an odd number the extra one is at the end)")
          .param(
              "dilation",
              "the spacing of the window's elements, one integer or one for each direction")
          .param(
              "groups",
              "the number of groups that the channels are split into; each has its own share"
                  + " of the output channels")
          .domain(-3, 3)
          .oracle("torch.nn.functional.conv2d(" + TORCH_ARGS)
          .samples(
              "#x [2 3 5 4] #x [2 3 3 2]",
              "#x [1 2 4 4] #x [3 2 2 2] {:bias #x [3]}",
              "#x [2 4 4] #x [1 2 1 1]",
              "#x [1 2 5 5] #x [2 2 3 3] {:stride 2 :padding 1}",
              "#x [1 1 5 6] #x [1 1 2 3] {:stride [1 2] :padding [0 1]}",
              "#x [1 1 6 5] #x [1 1 2 2] {:dilation [3 2]}",
              "#x [1 4 3 3] #x [4 2 2 2] {:groups 2 :bias #x [4]}",
              "#x [1 2 3 3] #x [2 1 2 2] {:groups 2}",
              "#x [1 1 4 5] #x [1 1 3 2] {:padding :same}",
              "#x [1 1 3 3] #x [1 1 2 2] {:padding :valid}",
              "#x [2 2 3 3] #x [2 2 1 1]",
              "#x [0 2 3 3] #x [2 2 2 2]",
              "#x [2 3 3] #x [2 2 2 2]")
          .fails(
              ShapeException.class,
              "#x [3 3] #x [1 1 2 2]",
              "#x [1 1 3 3] #x [1 2 2]",
              "#x [1 3 4 4] #x [2 2 2 2]",
              "#x [1 1 2 2] #x [1 1 3 3]",
              "#x [1 1 3 3] #x [2 1 2 2] {:bias #x [3]}",
              "#x [1 4 3 3] #x [3 2 2 2] {:groups 2}",
              "#x [1 3 3 3] #x [2 1 2 2] {:groups 2}",
              "#x [1 1 3 3] #x [1 1 0 1]")
          .fails(
              ArgumentException.class,
              "#x [1 1 3 3] #x [1 1 2 2] {:stride 0}",
              "#x [1 1 3 3] #x [1 1 2 2] {:padding -1}",
              "#x [1 1 3 3] #x [1 1 2 2] {:dilation [1 1 1]}",
              "#x [1 1 3 3] #x [1 1 2 2] {:groups 0}",
              "#x [1 1 3 3] #x [1 1 2 2] {:padding :full}",
              "#x [1 1 3 3] #x [1 1 2 2] {:padding :same :stride 2}")
          .composite(a -> convolved(a, 2));

  /** Convolution of signals. */
  public static final Composite CONV1D =
      define(
              "conv1d",
              "x, w, bias = nil, stride: ints = 1, padding: any = 0, dilation: ints = 1, groups:"
                  + " int = 1")
          .doc(
              "Slides windows over signals: out[n, o, t] is the sum over c and i of w[o, c, i]"
                  + " times x[n, c, t·stride + i·dilation - padding], plus bias[o]; the signal is 0"
                  + " outside. Signals have shape [batch channels length], or without the batch,"
                  + " and the windows [out-channels channels/groups length]. Dtypes are promoted;"
                  + " integers wrap, bool is combined by and and or.")
          .param("x", "the signals")
          .param("w", "the windows")
          .param("bias", "one number for each output channel")
          .param("stride", "the window's step")
          .param(
              "padding",
              "the number of zeros added at each end; :valid for none, :same for as many as"
                  + " keep the length, with stride 1 only (of an odd number the extra one is at the"
                  + " end)")
          .param("dilation", "the spacing of the window's elements")
          .param(
              "groups",
              "the number of groups that the channels are split into; each has its own share"
                  + " of the output channels")
          .domain(-3, 3)
          .oracle("torch.nn.functional.conv1d(" + TORCH_ARGS)
          .samples(
              "#x [2 3 6] #x [2 3 3]",
              "#x [1 2 5] #x [2 1 2] {:groups 2 :bias #x [2] :stride 2}",
              "#x [2 5] #x [1 2 2]",
              "#x [1 1 6] #x [1 1 3] {:padding 2 :dilation 2}",
              "#x [1 1 5] #x [1 1 2] {:padding :same}")
          .fails(
              ShapeException.class,
              "#x [3] #x [1 1 2]",
              "#x [1 1 3 3] #x [1 1 2]",
              "#x [1 1 2] #x [1 1 3]",
              "#x [1 3 4] #x [2 2 2]")
          .fails(ArgumentException.class, "#x [1 1 3] #x [1 1 2] {:stride [1 1]}")
          .composite(a -> convolved(a, 1));

  /** A convolution over the last one or two dimensions, done over two. */
  private static Tensor convolved(Args a, int spatial) {
    Tensor x = a.tensor("x");
    Tensor w = a.tensor("w");
    if (x.ndim() != spatial + 1 && x.ndim() != spatial + 2) {
      throw Windows.misshapen(
          "x",
          x,
          "[batch channels " + (spatial == 1 ? "length]" : "height width]") + " or no batch");
    }
    if (w.ndim() != spatial + 2) {
      throw Windows.misshapen(
          "w", w, "[out-channels channels " + (spatial == 1 ? "length]" : "height width]"));
    }
    int groups = a.integer("groups");
    checkChannels(
        x, x.dim(x.ndim() - spatial - 1), w, groups, a.optionalTensor("bias").orElse(null));
    int[] stride = sizes(a.ints("stride"), "stride", 1, spatial);
    int[] dilation = sizes(a.ints("dilation"), "dilation", 1, spatial);
    int[] sides = padding(a.get("padding"), w, stride, dilation, spatial);
    Tensor images = Windows.images(x, spatial);
    int[] size = {spatial == 1 ? 1 : w.dim(2), w.dim(w.ndim() - 1)};
    Window window = Windows.of(images, x, size, stride, sides, dilation);
    Tensor out =
        ConvolutionPasses.convolve(
            images,
            Linalg.reshape(w, w.dim(0), w.dim(1), size[0], size[1]),
            a.optionalTensor("bias"),
            window,
            groups);
    int[] shape = x.shape();
    shape[x.ndim() - spatial - 1] = w.dim(0);
    for (int i = 0; i < spatial; i++) {
      shape[x.ndim() - 1 - i] = out.dim(3 - i);
    }
    return Linalg.reshape(out, shape);
  }

  private static void checkChannels(Tensor x, int channels, Tensor w, int groups, Tensor bias) {
    if (groups < 1) {
      throw new ArgumentException(
          "groups must be at least 1, got " + groups, "argument", "groups", "value", groups);
    }
    if (channels % groups != 0 || w.dim(0) % groups != 0) {
      throw new ShapeException(
          "the "
              + channels
              + " channels of x "
              + x.layout()
              + " and the "
              + w.dim(0)
              + " output channels of w "
              + w.layout()
              + " must both be divisible by groups, "
              + groups,
          "shapes",
          List.of(x.layout().shape(), w.layout().shape()),
          "groups",
          groups);
    }
    if (w.dim(1) != channels / groups) {
      throw new ShapeException(
          "x "
              + x.layout()
              + " has "
              + channels
              + " channels, so w must have "
              + channels / groups
              + (groups == 1 ? "" : " for each of " + groups + " groups")
              + " in dimension 1; it has shape "
              + w.layout(),
          "shapes",
          List.of(x.layout().shape(), w.layout().shape()),
          "groups",
          groups);
    }
    if (bias != null && (bias.ndim() != 1 || bias.dim(0) != w.dim(0))) {
      throw Windows.misshapen(
          "bias", bias, "[" + w.dim(0) + "], one number for each output channel");
    }
  }

  /** How many zeros are put above, to the left, below and to the right. */
  private static int[] padding(Object given, Tensor w, int[] stride, int[] dilation, int spatial) {
    String word = String.valueOf(given);
    if (word.equals("valid") || word.equals(":valid")) {
      return new int[4];
    }
    if (word.equals("same") || word.equals(":same")) {
      if (stride[0] > 1 || stride[1] > 1) {
        throw new ArgumentException(
            "padding :same needs a stride of 1, got " + Arrays.toString(stride),
            "argument",
            "padding");
      }
      long down = spatial == 1 ? 0 : (long) dilation[0] * (w.dim(2) - 1);
      long along = (long) dilation[1] * (w.dim(w.ndim() - 1) - 1);
      int[] before = Windows.sides(down / 2, along / 2);
      return new int[] {before[0], before[1], (int) (down - before[0]), (int) (along - before[1])};
    }
    if (given instanceof String || word.startsWith(":")) {
      throw new ArgumentException(
          "padding must be an integer, "
              + (spatial == 1 ? "" : "a pair of them, ")
              + ":valid or :same, got "
              + given,
          "argument",
          "padding",
          "value",
          word);
    }
    int[] both = sizes(Coerce.integers("padding", given), "padding", 0, spatial);
    return Windows.sides(both[0], both[1]);
  }

  /** One integer for each direction; signals have no extent downwards. */
  private static int[] sizes(int[] given, String name, int least, int spatial) {
    if (spatial == 2) {
      return Windows.pair(given, name, least);
    }
    if (given.length != 1) {
      throw new ArgumentException(
          name + " must be one integer, got " + Arrays.toString(given), "argument", name);
    }
    return new int[] {least, Windows.pair(given, name, least)[1]};
  }
}
