package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Recurrence;
import ndgrad.kernel.loop.Scan;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/** Cumulative ops along an axis; without one they flatten first. */
public final class Scans {
  private Scans() {}

  /** The index (input 2) where x (input 0) is the running extreme (input 1), else -1. */
  private static final Program ATTAINED =
      Program.of(
          select(of(Fn2.OR, of(Fn2.EQ, in(0), in(1)), of(Fn1.ISNAN, in(0))), in(2), num(-1)));

  private static final String[] CALLS = {
    "#x [4]", "#x [2 3]", "#x [2 3] {:axis 0}", "#x [2 3 2] {:axis 1}", "#x [2 3] {:axis -1}",
        "#x []",
    "#x [] {:axis 0}", "#x [0]", "#x [0 3] {:axis 0}", "#x [2 0] {:axis 0}", "#i [2 3] {:axis 1}",
        "#b [4]"
  };

  private static final String[] BAD_AXES = {"#x [2 3] {:axis 2}", "#x [2 3] {:axis -3}"};

  /** Running sums along an axis, from the front or from the back. */
  private static final Primitive RUNNING_SUM =
      define("running-sum", "x, axis: int, reverse: flag, dtype: dtype")
          .internal()
          .linear()
          .batch(Batch.AXIS)
          .vjp(
              0,
              "",
              (n, a, g) ->
                  Scans.RUNNING_SUM.of(g, a.integer("axis"), !a.flag("reverse"), n.dtype(0)))
          .primitive((a, in) -> scan(Fn2.ADD, a, in[0]));

  /** Running products along an axis, from the front or from the back. */
  private static final Primitive RUNNING_PRODUCT =
      define("running-product", "x, axis: int, reverse: flag, dtype: dtype")
          .internal()
          .batch(Batch.AXIS)
          .vjp(0, "x out", Scans::productGradient)
          .primitive((a, in) -> scan(Fn2.MUL, a, in[0]));

  /** The array moved along an axis by some places; what comes in is a constant. */
  private static final Primitive SHIFT =
      define("shift", "x, axis: int, by: int, fill: number")
          .internal()
          .batch(Batch.AXIS)
          .jvp((a, p, out, t) -> Scans.shift(t[0], a.integer("axis"), a.integer("by"), 0))
          .vjp(0, "", (n, a, g) -> Scans.shift(g, a.integer("axis"), -a.integer("by"), 0))
          .primitive(
              (a, in) -> shifted(in[0], a.integer("axis"), a.integer("by"), a.number("fill")));

  /** y[i] = b[i] + a[i] y[i-1], or with y[i+1] in reverse. */
  private static final Primitive RECURRENCE =
      define("recurrence", "a, b, axis: int, reverse: flag")
          .internal()
          .batch(Batch.AXIS)
          .vjp(0, "a out", Scans::factorGradient)
          .vjp(1, "a", Scans::termGradient)
          .primitive(
              (a, in) -> Recurrence.solve(in[0], in[1], a.integer("axis"), a.flag("reverse")));

  /** For each running extreme the row-major index of the latest element that has its value. */
  private static final Primitive HOLDERS =
      define("running-holders", "x, out, axis: int = nil")
          .internal()
          .nonDifferentiable("indexes")
          .batch(b -> Batches.apart(Batches.axisOrFlat(b), b.example(0).intSize()))
          .primitive((a, in) -> holders(a, in[0], in[1]));

  /** The running sum. */
  public static final Composite CUMSUM =
      define("cumsum", "x, axis: int = nil, dtype: dtype = nil")
          .param("axis", "the axis to sum along; nil flattens first")
          .doc(
              "The running sum: each element of the result is the sum of all elements up to"
                  + " it. Sums of bool and int32 are int64, others keep their dtype; with :dtype"
                  + " the elements are converted first.")
          .domain(-3, 3)
          .oracle("np.cumsum(x, axis=axis, dtype=dtype)")
          .samples(CALLS)
          .samples("#x [3] {:dtype :float64}", "#i [3] {:axis 0 :dtype :float32}")
          .fails(ShapeException.class, BAD_AXES)
          .composite(a -> running(RUNNING_SUM, a));

  /** The running product. */
  public static final Composite CUMPROD =
      define("cumprod", "x, axis: int = nil, dtype: dtype = nil")
          .param("axis", "the axis to multiply along; nil flattens first")
          .doc(
              "The running product: each element of the result is the product of all"
                  + " elements up to it. Dtypes as in cumsum. The gradient is correct for any"
                  + " number of zeros: it is computed by recurrences, without division.")
          .domain(-3, 3)
          .oracle("np.cumprod(x, axis=axis, dtype=dtype)")
          .samples(CALLS)
          .samples("#x [3] {:dtype :float64}", "#i [3] {:axis 0 :dtype :float32}")
          .fails(ShapeException.class, BAD_AXES)
          .composite(a -> running(RUNNING_PRODUCT, a));

  /** The running maximum. */
  public static final Primitive CUMMAX =
      define("cummax", "x, axis: int = nil")
          .param("axis", "the axis to run along; nil flattens first")
          .doc(
              "The running maximum, NaN from the first NaN on, as NumPy's"
                  + " maximum.accumulate. The gradient flows to the element that is the maximum,"
                  + " the last of equal ones as in PyTorch.")
          .domain(-3, 3)
          .oracle(
              "np.maximum.accumulate(np.ravel(x) if axis is None or x.ndim == 0 else x, axis=axis"
                  + " or 0)")
          .samples(CALLS)
          .fails(ShapeException.class, BAD_AXES)
          .batch(Batches::axisOrFlat)
          .jvp(Scans::extremeTangent)
          .vjp(0, "x out", Scans::extremeGradient)
          .primitive((a, in) -> extreme(Fn2.MAX, a, in[0]));

  /** The running minimum. */
  public static final Primitive CUMMIN =
      define("cummin", "x, axis: int = nil")
          .param("axis", "the axis to run along; nil flattens first")
          .doc(
              "The running minimum, NaN from the first NaN on, as NumPy's"
                  + " minimum.accumulate. The gradient flows to the element that is the minimum,"
                  + " the last of equal ones as in PyTorch.")
          .domain(-3, 3)
          .oracle(
              "np.minimum.accumulate(np.ravel(x) if axis is None or x.ndim == 0 else x, axis=axis"
                  + " or 0)")
          .samples(CALLS)
          .fails(ShapeException.class, BAD_AXES)
          .batch(Batches::axisOrFlat)
          .jvp(Scans::extremeTangent)
          .vjp(0, "x out", Scans::extremeGradient)
          .primitive((a, in) -> extreme(Fn2.MIN, a, in[0]));

  private static Tensor running(Primitive scan, Args a) {
    Tensor given = a.tensor("x");
    Tensor x = a.has("axis") && given.ndim() > 0 ? given : Shapes.FLATTEN.of(given);
    DType dtype = a.dtype("dtype").orElse(Reductions.counting(x.dtype()));
    return scan.of(x, axis(a, given.layout()), false, dtype);
  }

  /**
   * The axis of a call in the array that is scanned: a 0-d array is scanned as one of shape [1].
   */
  private static int axis(Args a, Layout x) {
    return a.has("axis") ? Dimensions.axis(a.integer("axis"), Math.max(1, x.ndim())) : 0;
  }

  private static Strided scan(Fn2 combine, Args a, Strided x) {
    return run(combine, x, a.integer("axis"), a.flag("reverse"), a.dtype("dtype").orElseThrow());
  }

  private static Strided run(Fn2 combine, Strided x, int axis, boolean reverse, DType dtype) {
    Strided out = Strided.empty(dtype, x.layout().shape());
    Scan.run(out, x, axis, combine, reverse);
    return out;
  }

  private static Strided extreme(Fn2 combine, Args a, Strided given) {
    Strided x = a.has("axis") && given.layout().ndim() > 0 ? given : Lanes.flat(given);
    return run(combine, x, axis(a, given.layout()), false, x.dtype());
  }

  /** Which element is the extreme is a constant. */
  private static Tensor extremeGradient(Node n, Args a, Tensor g) {
    Tensor at = HOLDERS.of(n.in(0).detach(), n.out().detach(), a.get("axis"));
    return Lanes.ADD_AT.of(g, at, n.layout(0).shape());
  }

  private static Tensor extremeTangent(Args a, Tensor[] primals, Tensor out, Tensor[] tangents) {
    return Lanes.TAKE_AT.of(
        tangents[0], HOLDERS.of(primals[0].detach(), out.detach(), a.get("axis")));
  }

  private static Strided holders(Args a, Strided given, Strided out) {
    Strided x = a.has("axis") && given.layout().ndim() > 0 ? given : Lanes.flat(given);
    int[] shape = x.layout().shape();
    Strided attained = Strided.empty(DType.INT32, shape);
    Strided numbers = Strided.wrap(Lanes.iota(x.layout().intSize()), shape);
    ATTAINED.run(
        new Strided[] {attained},
        new DType[] {x.dtype(), x.dtype(), DType.INT32},
        new Strided[] {x, out, numbers});
    return run(Fn2.MAX, attained, axis(a, given.layout()), false, DType.INT32);
  }

  /**
   * cumprod: dy[j]/dx[i] is the product of all up to j but i, so the gradient is the product before
   * i times S[i] = g[i] + x[i+1] S[i+1].
   */
  private static Tensor productGradient(Node n, Args a, Tensor g) {
    int axis = a.integer("axis");
    boolean reverse = a.flag("reverse");
    int back = reverse ? -1 : 1;
    Tensor x = Structural.cast(n.in(0), g.dtype());
    Tensor before = shift(n.out(), axis, back, 1);
    Tensor sums = RECURRENCE.of(shift(x, axis, -back, 0), g, axis, !reverse);
    return Structural.cast(Arithmetic.MUL.of(before, sums), n.dtype(0));
  }

  private static Tensor termGradient(Node n, Args a, Tensor g) {
    int axis = a.integer("axis");
    boolean reverse = a.flag("reverse");
    return RECURRENCE.of(shift(n.in(0), axis, reverse ? 1 : -1, 0), g, axis, !reverse);
  }

  private static Tensor factorGradient(Node n, Args a, Tensor g) {
    Tensor before = shift(n.out(), a.integer("axis"), a.flag("reverse") ? -1 : 1, 0);
    return Arithmetic.MUL.of(termGradient(n, a, g), before);
  }

  /** For each element the product of all others along an axis. */
  static Tensor productOfOthers(Tensor x, int axis) {
    Tensor before = shift(RUNNING_PRODUCT.of(x, axis, false, x.dtype()), axis, 1, 1);
    Tensor behind = shift(RUNNING_PRODUCT.of(x, axis, true, x.dtype()), axis, -1, 1);
    return Arithmetic.MUL.of(before, behind);
  }

  private static Tensor shift(Tensor x, int axis, int by, double fill) {
    return SHIFT.of(x, axis, by, fill);
  }

  private static Strided shifted(Strided x, int axis, int by, double fill) {
    Layout from = x.layout();
    Strided out = Strided.empty(x.dtype(), from.shape());
    int n = from.dim(axis);
    int kept = Math.max(0, n - Math.abs(by));
    int gap = n - kept;
    Strided one = Strided.wrap(new double[] {fill});
    Copies.copy(one, out.with(out.layout().slice(axis, by > 0 ? 0 : kept, gap, 1)));
    Layout source = from.slice(axis, Math.max(0, -by), kept, 1);
    Copies.copy(x.with(source), out.with(out.layout().slice(axis, Math.max(0, by), kept, 1)));
    return out;
  }
}
