package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Expr;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Strided;
import ndgrad.kernel.Window;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/**
 * Windows that slide over signals and images. A convolution lays out the window's contents at all
 * its places as columns and is one batched product of matrices from there.
 */
public final class Convolution {
  private Convolution() {}

  /** Far more than memory holds, and twice as much is still an int. */
  private static final int MOST_PADDING = 1 << 28;

  private static final String TORCH_ARGS =
      "torch.from_numpy(np.array(x, 'float64')), torch.from_numpy(np.array(w, 'float64')),"
          + " None if bias is None else torch.from_numpy(np.array(bias, 'float64')),"
          + " stride, padding, dilation, groups).numpy()"
          + ".astype(np.result_type(x, w, x if bias is None else bias))";

  /**
   * The window's contents at all its places, as columns: [n, c, h, w] to [n, c·height·width,
   * places].
   */
  static final Primitive COLUMNS =
      define("columns", "x, window: any")
          .internal()
          .linear()
          .batch(b -> Convolution.eachImage(b, b.args()))
          .vjp(0, "", (n, a, g) -> Convolution.IMAGE.of(g, a.get("window"), n.layout(0)))
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
                return Convolution.eachImage(b, b.args().with("image", Layout.of(shape)));
              })
          .vjp(0, "", (n, a, g) -> COLUMNS.of(g, a.get("window")))
          .primitive(
              (a, in) -> {
                Strided image = Strided.zeros(in[0].dtype(), ((Layout) a.get("image")).shape());
                ndgrad.kernel.Convolution.col2im(image, in[0], (Window) a.get("window"));
                return image;
              });

  /** The values where the mask is true, elsewhere the least there is. */
  private static final Elementwise INSIDE =
      define("inside", "mask, x")
          .internal()
          .elementwise(
              Typing.SELECT,
              Expr.select(Expr.in(0), Expr.in(1), Expr.num(Double.NEGATIVE_INFINITY)));

  /** Convolution of images. */
  public static final Composite CONV2D =
      define(
              "conv2d",
              "x, w, bias = nil, stride: ints = 1, padding: any = 0, dilation: ints = 1, groups:"
                  + " int = 1")
          .doc(
              "Slides windows over images: out[n, o, y, x] is the sum over c, i and j of w[o, c, i,"
                  + " j] times x[n, c, y·stride + i·dilation - padding, x·stride + j·dilation -"
                  + " padding], plus bias[o]; the image is 0 outside. (As everywhere in machine"
                  + " learning, the window is not mirrored.) Images have shape [batch channels"
                  + " height width], or without the batch, and the windows [out-channels"
                  + " channels/groups height width].")
          .param("x", "the images")
          .param("w", "the windows")
          .param("bias", "one number for each output channel")
          .param("stride", "the window's step, one integer or one for each direction")
          .param(
              "padding",
              "how many zeros are put around the image, one integer or one for each direction;"
                  + " :valid for none, :same for as many as keep the size, for stride 1 (where"
                  + " their number is odd, the last one is at the end)")
          .param(
              "dilation",
              "the distance of the window's points, one integer or one for each direction")
          .param(
              "groups",
              "into how many groups the channels are split; each has its own share of the output"
                  + " channels")
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
                  + " and the windows [out-channels channels/groups length].")
          .param("x", "the signals")
          .param("w", "the windows")
          .param("bias", "one number for each output channel")
          .param("stride", "the window's step")
          .param(
              "padding",
              "how many zeros are put at both ends; :valid for none, :same for as many as keep the"
                  + " length, for stride 1 (where their number is odd, the last one is at the end)")
          .param("dilation", "the distance of the window's points")
          .param(
              "groups",
              "into how many groups the channels are split; each has its own share of the output"
                  + " channels")
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
                int[] padding = pair(a.ints("padding"), "padding", 0);
                int[] size = pair(a.ints("size"), "size", 1);
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
                return pooled(a, pair(a.ints("dilation"), "dilation", 1), Convolution::largest);
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
    ndgrad.kernel.Convolution.im2col(out, x, w);
    return out;
  }

  /** A convolution over the last one or two dimensions, done over two. */
  private static Tensor convolved(Args a, int spatial) {
    Tensor x = a.tensor("x");
    Tensor w = a.tensor("w");
    if (x.ndim() != spatial + 1 && x.ndim() != spatial + 2) {
      throw misshapen(
          "x",
          x,
          "[batch channels " + (spatial == 1 ? "length]" : "height width]") + " or no batch");
    }
    if (w.ndim() != spatial + 2) {
      throw misshapen(
          "w", w, "[out-channels channels " + (spatial == 1 ? "length]" : "height width]"));
    }
    int groups = a.integer("groups");
    checkChannels(
        x, x.dim(x.ndim() - spatial - 1), w, groups, a.optionalTensor("bias").orElse(null));
    int[] stride = sizes(a.ints("stride"), "stride", 1, spatial);
    int[] dilation = sizes(a.ints("dilation"), "dilation", 1, spatial);
    int[] total = padding(a.get("padding"), w, stride, dilation, spatial);
    int[] before = new int[] {(total[0] + 1) / 2, (total[1] + 1) / 2};
    Window window =
        new Window(
            spatial == 1 ? 1 : w.dim(2),
            w.dim(w.ndim() - 1),
            stride[0],
            stride[1],
            before[0],
            before[1],
            dilation[0],
            dilation[1]);
    Tensor images = images(x, spatial);
    checkFits(images, window, x, total);
    Tensor out = product(images, w, window, groups, a.optionalTensor("bias").orElse(null));
    if (total[0] % 2 + total[1] % 2 > 0) {
      // Where the number of zeros is odd, one too many was put in front.
      for (int i = 0; i < 2; i++) {
        int extra = total[i] % 2;
        out = Shapes.NARROW.of(out, 2 + i, extra, out.dim(2 + i) - extra);
      }
      out = Structural.COPY.of(out);
    }
    int[] shape = Arrays.copyOf(x.shape(), x.ndim());
    shape[x.ndim() - spatial - 1] = w.dim(0);
    for (int i = 0; i < spatial; i++) {
      shape[x.ndim() - 1 - i] = out.dim(3 - i);
    }
    return Linalg.reshape(out, shape);
  }

  /** The convolution of [n, c, h, w], of shape [n, o, y, x]. */
  private static Tensor product(Tensor images, Tensor w, Window window, int groups, Tensor bias) {
    int n = images.dim(0);
    int c = images.dim(1);
    int o = w.dim(0);
    int height = window.outHeight(images.dim(2));
    int width = window.outWidth(images.dim(3));
    boolean point = window.equals(new Window(1, 1, 1, 1, 0, 0, 1, 1));
    Tensor columns = point ? images : COLUMNS.of(images, window);
    int k = c / groups * window.height() * window.width();
    Tensor product =
        Linalg.MATMUL.of(
            Linalg.reshape(w, groups, o / groups, k),
            Linalg.reshape(columns, n, groups, k, height * width));
    Tensor out = Linalg.reshape(product, n, o, height, width);
    return bias == null ? out : Arithmetic.ADD.of(out, Linalg.reshape(bias, o, 1, 1));
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
      throw misshapen("bias", bias, "[" + w.dim(0) + "], one number for each output channel");
    }
  }

  /** How many zeros are put in both directions, front and back taken together. */
  private static int[] padding(Object given, Tensor w, int[] stride, int[] dilation, int spatial) {
    String word = String.valueOf(given);
    if (word.equals("valid") || word.equals(":valid")) {
      return new int[2];
    }
    if (word.equals("same") || word.equals(":same")) {
      if (stride[0] > 1 || stride[1] > 1) {
        throw new ArgumentException(
            "padding :same needs a stride of 1, got " + Arrays.toString(stride),
            "argument",
            "padding");
      }
      int down = spatial == 1 ? 0 : dilation[0] * (w.dim(2) - 1);
      return new int[] {down, dilation[1] * (w.dim(w.ndim() - 1) - 1)};
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
    int[] sides = sizes(Coerce.integers("padding", given), "padding", 0, spatial);
    return both(sides);
  }

  private static int[] both(int[] sides) {
    if (Math.max(sides[0], sides[1]) > MOST_PADDING) {
      throw new ShapeException(
          "padding " + Arrays.toString(sides) + " makes more places than an array can have",
          "padding",
          sides);
    }
    return new int[] {2 * sides[0], 2 * sides[1]};
  }

  /** One integer for each direction; signals have no extent downwards. */
  private static int[] sizes(int[] given, String name, int least, int spatial) {
    if (spatial == 2) {
      return pair(given, name, least);
    }
    if (given.length != 1) {
      throw new ArgumentException(
          name + " must be one integer, got " + Arrays.toString(given), "argument", name);
    }
    return new int[] {least, pair(given, name, least)[1]};
  }

  private static int[] pair(int[] given, String name, int least) {
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
  private static Tensor images(Tensor x, int spatial) {
    int d = x.ndim();
    return Linalg.reshape(
        x,
        d == spatial + 1 ? 1 : x.dim(0),
        x.dim(d - spatial - 1),
        spatial == 1 ? 1 : x.dim(d - 2),
        x.dim(d - 1));
  }

  private static void checkFits(Tensor images, Window w, Tensor x, int[] padding) {
    int height = images.dim(2) + padding[0];
    int width = images.dim(3) + padding[1];
    checkFits(w.height(), w.dilationH(), height, x, "high");
    checkFits(w.width(), w.dilationW(), width, x, "wide");
    // There are at most as many places of the window; what they count in integers fits then.
    Layout.of(height, width);
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

  private static ShapeException misshapen(String name, Tensor x, String expected) {
    return new ShapeException(
        name + " must have shape " + expected + ", got " + x.layout(),
        "argument",
        name,
        "shape",
        x.layout().shape());
  }

  private static Tensor pooled(Args a, int[] dilation, Pool pool) {
    Tensor x = a.tensor("x");
    if (x.ndim() != 3 && x.ndim() != 4) {
      throw misshapen("x", x, "[batch channels height width] or no batch");
    }
    int[] size = pair(a.ints("size"), "size", 1);
    int[] stride = a.has("stride") ? pair(a.ints("stride"), "stride", 1) : size;
    int[] padding = pair(a.ints("padding"), "padding", 0);
    Window window =
        new Window(
            size[0],
            size[1],
            stride[0],
            stride[1],
            padding[0],
            padding[1],
            dilation[0],
            dilation[1]);
    Tensor images = images(x, 2);
    checkFits(images, window, x, both(padding));
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
    if ((w.padH() > 0 || w.padW() > 0) && images.dtype() != DType.BOOL) {
      Strided image = Strided.zeros(DType.BOOL, 1, 1, images.dim(2), images.dim(3));
      Arrays.fill((boolean[]) image.array(), true);
      windows = INSIDE.of(new Tensor(columns(image, w)), windows);
    }
    return Reductions.MAX.of(windows, 2);
  }
}
