package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** Layers that shift and scale: normalisation over features, and over examples. */
public final class Normalization {
  private Normalization() {}

  private static Spec layer(String name, String parameters, String doc) {
    return define(name, parameters)
        .param("weight", "the factor of the result, in the shape of the axes; nil for 1")
        .param("axis", "the axis, or axes, that are normalised together; nil for all")
        .param("eps", "added to the variance, to avoid division by 0")
        .doc(
            doc
                + " Integers and bool give float64; dtypes are promoted. Forward and backward"
                + " take a single pass over the array each if the axes are the last ones and the"
                + " array is row-major.")
        .domain(-3, 3)
        .fails(
            ShapeException.class,
            "#x [2 3] #x [2]",
            "#x [2 3] {:axis 2}",
            "#x [2 3] {:axis [1 1]}",
            "#x []")
        .fails(ArgumentException.class, "#x [2 3] {:eps -1.0}");
  }

  private static final String AXES =
      "tuple(sorted(i % np.ndim(x) for i in (range(np.ndim(x)) if axis is None else axis)))";

  /** (x - mean) / sqrt(var + eps) * weight + bias over features. */
  public static final Composite LAYER_NORM =
      layer(
              "layer-norm",
              "x, weight = nil, bias = nil, axis: axes = -1, eps: number = 1e-5",
              "(x - mean) / sqrt(var + eps) * weight + bias, with the mean and the (biased)"
                  + " variance over the axes (Ba, Kiros and Hinton, \"Layer normalization\","
                  + " 2016).")
          .param("bias", "added to the result, in the shape of the axes; nil for 0")
          .oracle(
              "(lambda ax, last, of: torch.moveaxis(torch.nn.functional.layer_norm(torch.moveaxis("
                  + "of(x), ax, last), [np.shape(x)[i] for i in ax], of(weight), of(bias), eps),"
                  + " last, ax))("
                  + AXES
                  + ", tuple(range(-len("
                  + AXES
                  + "), 0)), lambda v: None if v is None else torch.as_tensor(np.array(v,"
                  + " np.multiply(np.zeros((), np.result_type(x, *(p for p in (weight, bias) if p"
                  + " is not None))), 1.0).dtype)))")
          .samples(
              "#x [3 4]",
              "#x [3 4] #x [4] #x [4]",
              "#x [2 3 4] #x [3 4] {:axis [-2 -1]}",
              "#x [3 4] {:axis 0 :eps 0.5}",
              "#x [2 3] {:axis nil}",
              "#x [0 3] #x [3]",
              "#x [1 3]")
          .fails(ShapeException.class, "#x [2 3] #x [3] #x [2]")
          .composite(a -> normalised(a, true, a.optionalTensor("bias")));

  /** x / sqrt(mean(x²) + eps) * weight. */
  public static final Composite RMS_NORM =
      layer(
              "rms-norm",
              "x, weight = nil, axis: axes = -1, eps: number = 1e-5",
              "x / sqrt(mean(x²) + eps) * weight, with the mean over the axes (Zhang and Sennrich,"
                  + " \"Root mean square layer normalization\", 2019).")
          .oracle(
              "(lambda v, w: v / np.sqrt(np.mean(np.square(v), axis=axis, keepdims=True) +"
                  + " np.asarray(eps, v.dtype)) * w)(*(np.array(v, np.multiply(np.zeros((),"
                  + " np.result_type(x, False if weight is None else weight)), 1.0).dtype) for v in"
                  + " (x, 1 if weight is None else weight)))")
          .samples(
              "#x [3 4]",
              "#x [3 4] #x [4]",
              "#x [2 3 4] #x [3 4] {:axis [-2 -1]}",
              "#x [3 4] {:axis 0 :eps 0.5}",
              "#x [2 3] {:axis nil}",
              "#x [0 3] #x [3]")
          .composite(a -> normalised(a, false, Optional.empty()));

  /** Normalisation of the last dimensions; weight and bias are of their shape, or 0-d. */
  private static final Primitive ROWS =
      define("layer-norm", "x, weight, bias, centred: flag, dims: int, eps: number")
          .internal()
          .batch(Normalization::batch)
          .vjp(0, "x weight", (n, a, g) -> gradient(n, a, 0, g))
          .vjp(1, "x", (n, a, g) -> gradient(n, a, 1, g))
          .vjp(2, "", (n, a, g) -> gradient(n, a, 2, g))
          .vjpTogether(Normalization::gradients)
          .noting(
              (a, in) ->
                  NormPasses.forward(a.flag("centred"), a.integer("dims"), a.number("eps"), in));

  private static Tensor normalised(Args a, boolean centred, Optional<Tensor> bias) {
    Tensor x = a.tensor("x");
    double eps = a.number("eps");
    if (!(eps >= 0)) {
      throw new ArgumentException("eps must not be negative, got " + eps, "argument", "eps");
    }
    if (x.ndim() == 0) {
      throw new ShapeException("needs an array of at least 1 dimension, this one is 0-d");
    }
    Optional<Tensor> weight = a.optionalTensor("weight");
    int[] axes = a.has("axis") ? x.layout().axes(a.ints("axis")) : Lanes.iota(x.ndim());
    Arrays.sort(axes);
    weight.ifPresent(w -> requireShape("weight", w, x, axes));
    bias.ifPresent(b -> requireShape("bias", b, x, axes));
    DType dtype = dtype(x, weight, bias);
    Tensor rows = Structural.cast(x, dtype);
    boolean moved = axes.length > 0 && axes[0] != x.ndim() - axes.length;
    int[] last = moved ? last(x, axes.length) : axes;
    Tensor out =
        ROWS.of(
            moved ? Shapes.MOVEAXIS.of(rows, axes, last) : rows,
            orNumber(weight, 1, dtype),
            orNumber(bias, 0, dtype),
            centred,
            axes.length,
            eps);
    return moved ? Shapes.MOVEAXIS.of(out, last, axes) : out;
  }

  private static Tensor orNumber(Optional<Tensor> given, double number, DType dtype) {
    return given.isPresent()
        ? Structural.cast(given.get(), dtype)
        : new Tensor(Strided.number(number, dtype));
  }

  private static int[] last(Tensor x, int dims) {
    return IntStream.range(x.ndim() - dims, x.ndim()).toArray();
  }

  private static DType dtype(Tensor x, Optional<Tensor> weight, Optional<Tensor> bias) {
    DType dtype = x.dtype();
    dtype = weight.isPresent() ? DType.promote(dtype, weight.get().dtype()) : dtype;
    dtype = bias.isPresent() ? DType.promote(dtype, bias.get().dtype()) : dtype;
    return dtype.toFloating();
  }

  private static void requireShape(String what, Tensor t, Tensor x, int[] axes) {
    int[] lengths = Arrays.stream(axes).map(x::dim).toArray();
    if (!Arrays.equals(t.shape(), lengths)) {
      throw new ShapeException(
          what
              + " has shape "
              + t.layout()
              + ", expected "
              + Layout.of(lengths)
              + ", the lengths of the normalised axes",
          "shapes",
          List.of(t.shape(), lengths));
    }
  }

  private static Tensor gradient(Node n, Args a, int input, Tensor g) {
    boolean[] needed = new boolean[3];
    needed[input] = true;
    return gradients(n, a, needed, g)[input];
  }

  /** By the kernel; where that must be recorded, in ops. */
  private static Tensor[] gradients(Node n, Args a, boolean[] needed, Tensor g) {
    if (n.notes().length > 0 && g.level() == 0 && !GradMode.isEnabled()) {
      return NormPasses.backward(n, a.flag("centred"), a.integer("dims"), needed, g);
    }
    Tensor[] out = new Tensor[3];
    Arrays.setAll(out, i -> needed[i] ? recorded(n, a, i, g) : null);
    return out;
  }

  private static Tensor recorded(Node n, Args a, int input, Tensor g) {
    if (input == 2) {
      return sumTo(g, n, 2);
    }
    boolean centred = a.flag("centred");
    int dims = a.integer("dims");
    Tensor x = n.in(0);
    int[] axes = last(x, dims);
    Tensor distance = centred ? Arithmetic.SUB.of(x, mean(x, axes)) : x;
    Tensor variance = mean(Arithmetic.SQUARE.of(distance), axes);
    Tensor scale = Functions.RSQRT.of(Arithmetic.ADD.of(variance, a.number("eps")));
    Tensor unit = Arithmetic.MUL.of(distance, scale);
    if (input == 1) {
      return sumTo(Arithmetic.MUL.of(g, unit), n, 1);
    }
    Tensor up = Arithmetic.MUL.of(g, n.in(1));
    Tensor tilt = Arithmetic.MUL.of(unit, mean(Arithmetic.MUL.of(up, unit), axes));
    Tensor level = centred ? Arithmetic.SUB.of(up, mean(up, axes)) : up;
    return Arithmetic.MUL.of(scale, Arithmetic.SUB.of(level, tilt));
  }

  private static Tensor mean(Tensor x, int[] axes) {
    return Reductions.MEAN.of(x, axes, true);
  }

  private static Tensor sumTo(Tensor g, Node n, int input) {
    return Structural.sumTo(g, n.layout(input), n.dtype(input));
  }

  /** A weight or bias for each example is applied behind the kernel, which knows one for all. */
  private static Tensor batch(Batch b) {
    Tensor weight = b.has(1) ? one(b, 1.0) : b.in(1);
    Tensor bias = b.has(1) || b.has(2) ? one(b, 0.0) : b.in(2);
    Tensor out = b.call(b.args(), b.full(0), weight, bias);
    int rank = b.example(0).ndim();
    if (b.has(1)) {
      out = Arithmetic.MUL.of(out, b.aligned(1, rank));
    }
    return b.has(1) || b.has(2) ? Arithmetic.ADD.of(out, b.aligned(2, rank)) : out;
  }

  private static Tensor one(Batch b, double value) {
    return new Tensor(Strided.number(value, b.in(0).dtype()));
  }
}
