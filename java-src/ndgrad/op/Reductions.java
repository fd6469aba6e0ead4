package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Reduction;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Fold;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/**
 * Reductions over all axes ({@code axis} nil), one or several; over an empty list of axes nothing
 * is reduced. Every rule brings the gradient of the output to the shape of the input with {@link
 * Axes#spread}, a view.
 */
public final class Reductions {
  private Reductions() {}

  private static final Reduction SUMS = Reduction.of(in(0), Fn2.ADD);
  private static final Reduction PRODUCTS = Reduction.of(in(0), Fn2.MUL);
  private static final Reduction LARGEST = Reduction.of(in(0), Fn2.MAX);
  private static final Reduction SMALLEST = Reduction.of(in(0), Fn2.MIN);
  private static final Reduction EVERY = Reduction.of(in(0), Fn2.AND);
  private static final Reduction SOME = Reduction.of(in(0), Fn2.OR);
  private static final Reduction NUMBERS =
      Reduction.of(select(of(Fn1.ISNAN, in(0)), num(0), in(0)), Fn2.ADD);

  /** Calls over which every reduction is tested. */
  static final String[] AXES = {
    "#x [2 3]",
    "#x [2 3] {:axis 0}",
    "#x [2 3 4] {:axis [0 2]}",
    "#x [2 3 4] {:axis -2 :keepdims true}",
    "#x [2 3] {:axis nil :keepdims true}",
    "#x [2 3] {:axis []}",
    "#x []",
    "#i [2 3] {:axis 1}",
    "#b [4]"
  };

  /** Calls whose result has no elements. */
  static final String NO_RESULT = "#x [0 3] {:axis 1}";

  /** Calls whose result is made of no elements. */
  private static final String[] OF_NOTHING = {
    "#x [0]", "#x [0 3] {:axis 0}", "#x [2 0] {:axis 1 :keepdims true}"
  };

  /** Calls with axes that are not there. */
  static final String[] BAD_AXES = {
    "#x [2 3] {:axis 2}", "#x [2 3] {:axis -3}", "#x [2 3] {:axis [0 0]}"
  };

  private static final String[] PLACES = {
    "#x [5]",
    "#x [2 3]",
    "#x [2 3] {:axis 0}",
    "#x [2 3 4] {:axis -2 :keepdims true}",
    "#x [2 3] {:keepdims true}",
    "#x []",
    "#x [] {:axis 0}",
    "#i [2 4] {:axis 1}",
    "#b [2 3] {:axis 0}",
    "#x [0 3] {:axis 1}",
    "[1.0 ##NaN 2.0]"
  };

  private static final String[] BAD_PLACES = {
    "#x [2 3] {:axis 2}", "#x [2 3] {:axis -3}", "#x [0]", "#x [2 0] {:axis 1}"
  };

  /** The sum. */
  public static final Primitive SUM =
      define("sum", "x, axis: axes = nil, keepdims: flag = false, dtype: dtype = nil")
          .doc(
              "The sum of the elements. Sums of bool and int32 are int64, others keep their"
                  + " dtype; with :dtype the elements are converted first. The sum of no elements"
                  + " is 0. Floating sums are blocked and pairwise; integers wrap.")
          .domain(-3, 3)
          .oracle("np.sum(x, axis=axis, keepdims=keepdims, dtype=dtype)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(
              NO_RESULT,
              "#x [3] {:dtype :float64}",
              "#i [3] {:dtype :float32}",
              "#x [3] {:dtype :int32}")
          .fails(ShapeException.class, BAD_AXES)
          .folds(Fold.SUM)
          .linear()
          .batch(Batch.AXES)
          .vjp(0, "", (n, a, g) -> Axes.spread(Structural.cast(g, n.dtype(0)), n, a))
          .primitive(
              (a, in) -> {
                DType d = a.dtype("dtype").orElse(counting(in[0].dtype()));
                return Axes.of(a, in[0].layout()).run(SUMS, d, d, in[0]);
              });

  /** The mean. */
  public static final Primitive MEAN =
      define("mean", "x, axis: axes = nil, keepdims: flag = false, dtype: dtype = nil")
          .doc(
              "The arithmetic mean. Floating arrays keep their dtype, others give float64; with"
                  + " :dtype the sum is computed in that dtype. The mean of no elements is NaN.")
          .domain(-3, 3)
          .oracle("np.mean(x, axis=axis, keepdims=keepdims, dtype=dtype)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "#x [3] {:dtype :float64}", "#i [4] {:dtype :float32}")
          .fails(ShapeException.class, BAD_AXES)
          .folds(Fold.MEAN)
          .linear()
          .batch(Batch.AXES)
          .vjp(
              0,
              "",
              (n, a, g) -> {
                double count = Axes.of(a, n.layout(0)).count();
                return Axes.spread(Structural.cast(Arithmetic.DIV.of(g, count), n.dtype(0)), n, a);
              })
          .primitive(
              (a, in) -> {
                DType d = a.dtype("dtype").orElse(in[0].dtype().toFloating());
                return Axes.of(a, in[0].layout()).run(Moments.MEANS, d, 0, in[0]);
              });

  /** The product. */
  public static final Primitive PROD =
      define("prod", "x, axis: axes = nil, keepdims: flag = false, dtype: dtype = nil")
          .doc(
              "The product of the elements. Products of bool and int32 are int64, others"
                  + " keep their dtype; with :dtype the elements are converted first. The product"
                  + " of no elements is 1. The gradient of an element is the product of the others,"
                  + " also where elements are 0.")
          .domain(-3, 3)
          .oracle("np.prod(x, axis=axis, keepdims=keepdims, dtype=dtype)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "#x [3] {:dtype :float64}", "#i [3] {:dtype :float32}")
          .fails(ShapeException.class, BAD_AXES)
          .batch(Batch.AXES)
          .vjp(0, "x out", Extremes::productGradient)
          .primitive(
              (a, in) -> {
                DType d = a.dtype("dtype").orElse(counting(in[0].dtype()));
                return Axes.of(a, in[0].layout()).run(PRODUCTS, d, d, in[0]);
              });

  /** The largest element. */
  public static final Primitive MAX =
      define("max", "x, axis: axes = nil, keepdims: flag = false")
          .alias("amax")
          .doc(
              "The largest element; NaN if any element is NaN. Keeps the dtype; throws for"
                  + " no elements. The gradient is shared equally among tied elements, as in"
                  + " PyTorch's amax.")
          .domain(-3, 3)
          .oracle("np.max(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(NO_RESULT)
          .fails(ShapeException.class, BAD_AXES)
          .fails(ShapeException.class, OF_NOTHING)
          .folds(Fold.MAX)
          .batch(Batch.AXES)
          .jvp(Extremes::extremeTangent)
          .vjp(0, "x out", Extremes::extremeGradient)
          .primitive(
              (a, in) ->
                  Extremes.extreme(Axes.of(a, in[0].layout()), LARGEST, "the largest", in[0]));

  /** The smallest element. */
  public static final Primitive MIN =
      define("min", "x, axis: axes = nil, keepdims: flag = false")
          .alias("amin")
          .doc(
              "The smallest element; NaN if any element is NaN. Keeps the dtype; throws for"
                  + " no elements. The gradient is shared equally among tied elements, as in"
                  + " PyTorch's amin.")
          .domain(-3, 3)
          .oracle("np.min(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(NO_RESULT)
          .fails(ShapeException.class, BAD_AXES)
          .fails(ShapeException.class, OF_NOTHING)
          .folds(Fold.MIN)
          .batch(Batch.AXES)
          .jvp(Extremes::extremeTangent)
          .vjp(0, "x out", Extremes::extremeGradient)
          .primitive(
              (a, in) ->
                  Extremes.extreme(Axes.of(a, in[0].layout()), SMALLEST, "the smallest", in[0]));

  /** Where the largest element is. */
  public static final Primitive ARGMAX =
      define("argmax", "x, axis: int = nil, keepdims: flag = false")
          .param("axis", "the axis to search along; nil flattens first")
          .doc(
              "The index of the largest element, int64: along an axis, or in the flattened"
                  + " array. The first of equal ones, or the first NaN if there is one. Throws for"
                  + " no elements.")
          .domain(-3, 3)
          .oracle("np.argmax(x, axis=axis, keepdims=keepdims)")
          .samples(PLACES)
          .fails(ShapeException.class, BAD_PLACES)
          .nonDifferentiable("an index")
          .batch(Batches::place)
          .primitive((a, in) -> Extremes.place(a, "the place of the largest", true, in[0]));

  /** Where the smallest element is. */
  public static final Primitive ARGMIN =
      define("argmin", "x, axis: int = nil, keepdims: flag = false")
          .param("axis", "the axis to search along; nil flattens first")
          .doc(
              "The index of the smallest element, int64: along an axis, or in the flattened"
                  + " array. The first of equal ones, or the first NaN if there is one. Throws for"
                  + " no elements.")
          .domain(-3, 3)
          .oracle("np.argmin(x, axis=axis, keepdims=keepdims)")
          .samples(PLACES)
          .fails(ShapeException.class, BAD_PLACES)
          .nonDifferentiable("an index")
          .batch(Batches::place)
          .primitive((a, in) -> Extremes.place(a, "the place of the smallest", false, in[0]));

  /** The variance. */
  public static final Primitive VAR =
      define("var", "x, axis: axes = nil, keepdims: flag = false, ddof: number = 0")
          .doc(
              "The variance: the sum of squared distances from the mean, divided by the"
                  + " count minus ddof (default 0 as in NumPy; PyTorch's default is 1). Computed in"
                  + " two passes. Floating arrays keep their dtype, others give float64. A divisor"
                  + " of 0 gives NaN or infinity.")
          .domain(-3, 3)
          .oracle("np.var(x, axis=axis, keepdims=keepdims, ddof=ddof)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(
              NO_RESULT, "#x [2 3] {:axis 1 :ddof 1}", "#x [4] {:ddof 1.5}", "#x [1] {:ddof 1}")
          .fails(ShapeException.class, BAD_AXES)
          .folds(Moments.VARIANCE)
          .batch(Batch.AXES)
          .vjp(0, "x", Moments::varianceGradient)
          .primitive(
              (a, in) ->
                  Axes.of(a, in[0].layout())
                      .run(Moments.VARIANCES, in[0].dtype().toFloating(), a.number("ddof"), in[0]));

  /** The standard deviation. */
  public static final Primitive STD =
      define("std", "x, axis: axes = nil, keepdims: flag = false, ddof: number = 0")
          .doc(
              "The standard deviation: the square root of var, with the same options. Where it is 0"
                  + " the gradient is 0, as in PyTorch.")
          .domain(-3, 3)
          .oracle("np.std(x, axis=axis, keepdims=keepdims, ddof=ddof)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "#x [2 3] {:axis 1 :ddof 1}", "#x [1] {:ddof 1}")
          .fails(ShapeException.class, BAD_AXES)
          .folds(Moments.DEVIATION)
          .batch(Batch.AXES)
          .vjp(0, "x out", Moments::deviationGradient)
          .primitive(
              (a, in) ->
                  Axes.of(a, in[0].layout())
                      .run(
                          Moments.DEVIATIONS, in[0].dtype().toFloating(), a.number("ddof"), in[0]));

  /** Whether all elements are true. */
  public static final Primitive ALL =
      define("all", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "Whether all elements are true (not 0); NaN is true. True for no elements. The"
                  + " result is a bool array; use item on it for a condition.")
          .domain(-3, 3)
          .oracle("np.all(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT)
          .fails(ShapeException.class, BAD_AXES)
          .nonDifferentiable("the result is boolean")
          .batch(Batch.AXES)
          .primitive(
              (a, in) -> Axes.of(a, in[0].layout()).run(EVERY, DType.BOOL, DType.BOOL, in[0]));

  /** Whether any element is true. */
  public static final Primitive ANY =
      define("any", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "Whether any element is true (not 0); NaN is true. False for no elements. The"
                  + " result is a bool array; use item on it for a condition.")
          .domain(-3, 3)
          .oracle("np.any(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT)
          .fails(ShapeException.class, BAD_AXES)
          .nonDifferentiable("the result is boolean")
          .batch(Batch.AXES)
          .primitive(
              (a, in) -> Axes.of(a, in[0].layout()).run(SOME, DType.BOOL, DType.BOOL, in[0]));

  /** How many elements are not 0. */
  public static final Primitive COUNT_NONZERO =
      define("count-nonzero", "x, axis: axes = nil, keepdims: flag = false")
          .doc("The number of elements that are not 0, int64; NaN counts.")
          .domain(-3, 3)
          .oracle("np.count_nonzero(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT)
          .fails(ShapeException.class, BAD_AXES)
          .nonDifferentiable("a count")
          .batch(Batch.AXES)
          .primitive(
              (a, in) -> Axes.of(a, in[0].layout()).run(SUMS, DType.INT64, DType.BOOL, in[0]));

  /** The sum of the numbers. */
  public static final Primitive NANSUM =
      define("nansum", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "The sum of the elements that are not NaN, with the dtypes of sum. NaN elements get"
                  + " gradient 0.")
          .domain(-3, 3)
          .oracle("np.nansum(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "[1.0 ##NaN 2.0]", "[##NaN ##NaN]")
          .fails(ShapeException.class, BAD_AXES)
          .batch(Batch.AXES)
          .jvp(
              (a, p, out, t) ->
                  Reductions.SUM.of(
                      Moments.WHERE_NUMBER.of(t[0], p[0].detach()),
                      a.get("axis"),
                      a.flag("keepdims")))
          .vjp(0, "x", (n, a, g) -> Moments.WHERE_NUMBER.of(Axes.spread(g, n, a), n.in(0).detach()))
          .primitive(
              (a, in) -> {
                DType d = counting(in[0].dtype());
                return Axes.of(a, in[0].layout()).run(NUMBERS, d, d, in[0]);
              });

  /** The mean of the numbers. */
  public static final Composite NANMEAN =
      define("nanmean", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "The mean of the elements that are not NaN; NaN when there are none. Dtypes as in"
                  + " mean.")
          .domain(-3, 3)
          .oracle("np.nanmean(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "[1.0 ##NaN 2.0]", "[##NaN ##NaN]")
          .fails(ShapeException.class, BAD_AXES)
          .composite(Moments::meanOfNumbers);

  /** The logarithm of the sum of exponentials. */
  public static final Primitive LOGSUMEXP =
      define("logsumexp", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "log(sum(exp(x))); the maximum is subtracted first, so nothing overflows."
                  + " Floating arrays keep their dtype, others give float64. It is -infinity for no"
                  + " elements. Its gradient is softmax(x); elements of -infinity get 0.")
          .domain(-3, 3)
          .oracle("np.logaddexp.reduce(x * 1.0, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(NO_RESULT, "[1000.0 1000.0]", "[##-Inf ##-Inf]")
          .fails(ShapeException.class, BAD_AXES)
          .folds(Extremes.LOG_SUM_EXP)
          .batch(Batch.AXES)
          .jvp(
              (a, p, out, t) ->
                  Reductions.SUM.of(
                      Extremes.EXP_SHARE.of(t[0], p[0], Axes.spread(out, p[0], a)),
                      a.get("axis"),
                      a.flag("keepdims")))
          .vjp(
              0,
              "x out",
              (n, a, g) ->
                  Extremes.EXP_SHARE.of(Axes.spread(g, n, a), n.in(0), Axes.spread(n.out(), n, a)))
          .primitive(
              (a, in) ->
                  Axes.of(a, in[0].layout())
                      .run(Extremes.LOG_SUM_EXPS, in[0].dtype().toFloating(), 0, in[0]));

  /** The middle of the elements in order. */
  public static final Composite MEDIAN =
      define("median", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "The middle element of the sorted ones, or the mean of the two middle ones as"
                  + " in NumPy (PyTorch takes the lower); NaN if any element is NaN or there are"
                  + " none. Floating arrays keep their dtype, others give float64. The gradient"
                  + " goes to the middle element, half to each of two.")
          .domain(-3, 3)
          .oracle("np.median(x, axis=axis, keepdims=keepdims)")
          .samples(AXES)
          .samples(OF_NOTHING)
          .samples(
              NO_RESULT,
              "#x [5]",
              "#x [3 5] {:axis 1}",
              "[1.0 ##NaN 2.0]",
              "[1.7e308 1.75e308 1.0]")
          .fails(ShapeException.class, BAD_AXES)
          .composite(Medians::median);

  /** Vector and matrix norms. */
  public static final Composite NORM =
      define("norm", "x, ord: any = nil, axis: axes = nil, keepdims: flag = false")
          .param(
              "ord",
              "nil for the square root of the sum of squares (Frobenius); for vectors (one"
                  + " axis) a number, :inf or :-inf; for matrices (two axes) :fro, 1, -1, :inf or"
                  + " :-inf")
          .param("axis", "the axis of vectors, the two of matrices, or nil for the whole array")
          .doc(
              "The norm of vectors or matrices. Without ord it is the square root of the sum"
                  + " of squares over the axes. With ord and one axis it is sum(|x|^ord)^(1/ord),"
                  + " the largest |x| for :inf, the smallest for :-inf, the number of elements that"
                  + " are not 0 for 0; with two axes, rows and columns, it is the largest sum of"
                  + " |x| over a column for 1, over a row for :inf, the smallest for -1 and :-inf."
                  + " Without axis, ord needs an array of one or two dimensions. The orders 2, -2"
                  + " and :nuc of matrices need singular values and are not supported. Floating"
                  + " arrays keep their dtype, others give float64. The gradient is 0 where the"
                  + " norm is 0; tied elements share it.")
          .domain(-3, 3, 0)
          .oracle(
              "np.linalg.norm(x, {'inf': np.inf, '-inf': -np.inf}.get(ord, ord), axis=axis,"
                  + " keepdims=keepdims)")
          .samples(
              "#x [2 3]",
              "#x [2 3] {:axis 0}",
              "#x [2 3 4] {:axis [0 2] :keepdims true}",
              "#x []",
              "#x [0]",
              "#x [0 3] {:axis 0}",
              "#i [2 3]",
              "#x [4] {:ord 1}",
              "#x [4] {:ord 3}",
              "#x [2 3] {:ord 1.5 :axis 1}",
              "#x [2 3] {:ord :inf :axis 1}",
              "#x [4] {:ord :-inf}",
              "#x [4] {:ord 0}",
              "#x [4] {:ord 2}",
              "#x [3] {:ord -1}",
              "#x [2 3] {:ord :fro}",
              "#x [2 3] {:ord 1}",
              "#x [2 3] {:ord -1}",
              "#x [2 3] {:ord :inf}",
              "#x [2 3] {:ord :-inf :keepdims true}",
              "#x [2 3 4] {:ord 1 :axis [2 0]}",
              "#x [2 3 4] {:ord :inf :axis [0 1] :keepdims true}")
          .fails(ShapeException.class, BAD_AXES)
          .fails(ShapeException.class, "#x [2 2 2] {:ord 1}", "#x [2 2 2] {:ord 1 :axis [0 1 2]}")
          .fails(
              ArgumentException.class,
              "#x [2 3] {:ord 2}",
              "#x [2 3] {:ord :nuc}",
              "#x [3] {:ord :fro}",
              "#x [3] {:ord :nope}",
              "#x [2 3] {:ord 3}")
          .composite(Norms::norm);

  /** The dtype of sums and products: that of counts for bool and int32. */
  static DType counting(DType d) {
    return d.isFloating() ? d : DType.INT64;
  }
}
