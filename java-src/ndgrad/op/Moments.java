package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Reduction;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Fold;
import ndgrad.op.spec.Passes;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** What mean, var and std compute, and their gradients. */
final class Moments {
  private Moments() {}

  private static final Expr DISTANCE = in(0).minus(in(1));

  /** Squared distances from the mean. */
  static final Fold VARIANCE = spread("var", in(0).over(in(1)), num(2).times(in(0).minus(in(2))));

  /** The root of the same. */
  static final Fold DEVIATION =
      spread(
          "std",
          of(Fn1.SQRT, in(0).over(in(1))),
          select(of(Fn2.EQ, in(1), num(0)), num(0), in(0).minus(in(2)).over(in(1))));

  static final Passes MEANS = Passes.of(Fold.MEAN, in(0), 1);
  static final Passes VARIANCES = Passes.of(VARIANCE, in(0), 1);
  static final Passes DEVIATIONS = Passes.of(DEVIATION, in(0), 1);

  private static final Reduction PRESENT =
      Reduction.of(select(of(Fn1.ISNAN, in(0)), num(0), num(1)), Fn2.ADD);

  /** g where x is a number, 0 where it is NaN. */
  static final Elementwise WHERE_NUMBER =
      define("where-number", "g, x")
          .internal()
          .elementwise(Typing.PROMOTE, select(of(Fn1.ISNAN, in(1)), num(0), in(0)));

  /** How many elements are numbers, in the array's dtype. */
  static final Primitive COUNT_NUMBERS =
      define("count-numbers", "x, axis: axes = nil, keepdims: flag = false")
          .internal()
          .nonDifferentiable("a count")
          .batch(Batch.AXES)
          .primitive(
              (a, in) ->
                  Axes.of(a, in[0].layout()).run(PRESENT, in[0].dtype(), in[0].dtype(), in[0]));

  /** g (x - mean). */
  private static final Elementwise TIMES_DISTANCE =
      define("times-distance", "g, x, mean")
          .internal()
          .elementwise(Typing.PROMOTE, in(0).times(in(1).minus(in(2))));

  /** g / std, and 0 where std is 0. */
  private static final Elementwise OVER_DEVIATION =
      define("over-deviation", "g, std")
          .internal()
          .elementwise(
              Typing.PROMOTE, select(of(Fn2.EQ, in(1), num(0)), num(0), in(0).over(in(1))));

  private static Fold spread(String name, Expr last, Expr slope) {
    return new Fold.Twice(name, Fold.MEAN, null, DISTANCE.times(DISTANCE), true, last, slope);
  }

  /** var: g 2(x - mean) / divisor. */
  static Tensor varianceGradient(Node n, Args a, Tensor g) {
    double divisor = divisor(n, a);
    return fromMean(n, a, Arithmetic.MUL.of(g, 2 / divisor));
  }

  /** std: g (x - mean) / (divisor std). */
  static Tensor deviationGradient(Node n, Args a, Tensor g) {
    double divisor = divisor(n, a);
    return fromMean(n, a, OVER_DEVIATION.of(Arithmetic.DIV.of(g, divisor), n.out()));
  }

  private static double divisor(Node n, Args a) {
    return Math.max(Axes.of(a, n.layout(0)).count() - a.number("ddof"), 0);
  }

  private static Tensor fromMean(Node n, Args a, Tensor g) {
    Tensor x = n.in(0);
    Tensor mean = Reductions.MEAN.of(x, a.get("axis"), true);
    return TIMES_DISTANCE.of(Axes.spread(g, n, a), x, mean);
  }

  static Tensor meanOfNumbers(Args a) {
    Tensor x = Structural.cast(a.tensor("x"), a.tensor("x").dtype().toFloating());
    Object axis = a.get("axis");
    boolean keepdims = a.flag("keepdims");
    Tensor sum = Reductions.NANSUM.of(x, axis, keepdims);
    return Arithmetic.DIV.of(sum, COUNT_NUMBERS.of(x.detach(), axis, keepdims));
  }
}
