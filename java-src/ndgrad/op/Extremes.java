package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.DType;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.ArgReduction;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Fold;
import ndgrad.op.spec.Passes;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** What max, min, prod and logsumexp compute, and their gradients. */
final class Extremes {
  private Extremes() {}

  /** x is the extreme m; where that is NaN, x is one of those that made it so. */
  private static final Expr TIE = of(Fn2.OR, of(Fn2.EQ, in(0), in(1)), of(Fn1.ISNAN, in(0)));

  private static final Reduction TIES = Reduction.of(select(TIE, num(1), num(0)), Fn2.ADD);
  private static final Reduction ORDINARY =
      Reduction.of(of(Fn2.AND, of(Fn1.ISFINITE, in(0)), of(Fn2.NE, in(0), num(0))), Fn2.AND);

  /** Exponentials of the distances from the largest, where that is finite. */
  static final Fold LOG_SUM_EXP =
      new Fold.Twice(
          "logsumexp",
          Fold.MAX,
          select(of(Fn1.ISFINITE, in(0)), in(0), num(0)),
          of(Fn1.EXP, in(0).minus(in(1))),
          false,
          of(Fn1.LOG, in(0)).plus(in(1)),
          select(
              of(Fn2.EQ, in(0), num(Double.NEGATIVE_INFINITY)),
              num(0),
              of(Fn1.EXP, in(0).minus(in(1)))));

  static final Passes LOG_SUM_EXPS = Passes.of(LOG_SUM_EXP, in(0), 1);

  /** g where x ties with the extreme. */
  private static final Elementwise WHERE_TIE =
      define("where-tie", "x, m, g")
          .internal()
          .elementwise(Typing.PROMOTE, select(TIE, in(2), num(0)));

  /** How many elements tie with the extreme, in the array's dtype. */
  private static final Primitive COUNT_TIES =
      define("count-ties", "x, out, axis: axes = nil, keepdims: flag = false")
          .internal()
          .nonDifferentiable("a count")
          .batch(Batch.AXES)
          .primitive(
              (a, in) -> {
                Axes axes = Axes.of(a, in[0].layout());
                Strided m = in[1].with(axes.spread(in[1].layout()));
                return axes.run(TIES, in[0].dtype(), in[0].dtype(), in[0], m);
              });

  /** g exp(x - total): the gradient of a logsumexp; elements of -∞ have no share. */
  static final Elementwise EXP_SHARE =
      define("exp-share", "g, x, total")
          .internal()
          .elementwise(
              Typing.PROMOTE,
              select(
                  of(Fn2.EQ, in(1), num(Double.NEGATIVE_INFINITY)),
                  num(0),
                  in(0).times(of(Fn1.EXP, in(1).minus(in(2))))));

  static Strided extreme(Axes axes, Reduction kernel, String what, Strided x) {
    axes.requireElements(what);
    return axes.run(kernel, x.dtype(), x.dtype(), x);
  }

  /** argmax and argmin. */
  static Strided place(Args a, String what, boolean largest, Strided given) {
    boolean flat = !a.has("axis") || given.layout().ndim() == 0;
    int[] axis = a.has("axis") ? new int[] {a.integer("axis")} : null;
    Axes axes = Axes.of(given.layout(), axis, a.flag("keepdims"));
    axes.requireElements(what);
    Strided x = flat ? Lanes.flat(given) : given;
    int along = flat ? 0 : axes.list()[0];
    Strided out = Strided.empty(DType.INT64, axes.result());
    Layout removed = a.flag("keepdims") && !flat ? out.layout().squeeze(along) : out.layout();
    ArgReduction.run(out.with(flat ? Layout.of() : removed), x, along, largest);
    return out;
  }

  /** max and min: an even share for each of those that tie. Which do is a constant. */
  static Tensor extremeGradient(Node n, Args a, Tensor g) {
    Tensor x = n.in(0).detach();
    Tensor out = n.out().detach();
    Tensor ties = COUNT_TIES.of(x, out, a.get("axis"), a.flag("keepdims"));
    Tensor share = Arithmetic.DIV.of(g, ties);
    return WHERE_TIE.of(x, Axes.spread(out, n, a), Axes.spread(share, n, a));
  }

  /** max and min: the mean tangent of those that tie. */
  static Tensor extremeTangent(Args a, Tensor[] primals, Tensor out, Tensor[] tangents) {
    Tensor x = primals[0].detach();
    Tensor m = out.detach();
    Object axis = a.get("axis");
    boolean keepdims = a.flag("keepdims");
    Tensor chosen = WHERE_TIE.of(x, Axes.spread(m, x, a), tangents[0]);
    return Arithmetic.DIV.of(
        Reductions.SUM.of(chosen, axis, keepdims), COUNT_TIES.of(x, m, axis, keepdims));
  }

  /**
   * prod: the product of the others, which is out / x where nothing is 0, infinite or out of range,
   * and else is made of the products of what comes before and what comes after.
   */
  static Tensor productGradient(Node n, Args a, Tensor g) {
    Tensor x = Structural.cast(n.in(0), g.dtype());
    Tensor out = n.out();
    Tensor gradient;
    if (isOrdinary(out)) {
      gradient = Arithmetic.DIV.of(Axes.spread(Arithmetic.MUL.of(g, out), n, a), x);
    } else {
      gradient = Axes.spread(g, n, a);
      Tensor rest = x;
      for (int axis : Axes.of(a, n.layout(0)).list()) {
        gradient = Arithmetic.MUL.of(gradient, Scans.productOfOthers(rest, axis));
        rest = Reductions.PROD.of(rest, axis, true);
      }
    }
    return Structural.cast(gradient, n.dtype(0));
  }

  /** Whether division is safe; a lifted value may stand for several examples, so it is not. */
  private static boolean isOrdinary(Tensor out) {
    if (out.level() > 0) {
      return false;
    }
    Strided all = Strided.zeros(DType.BOOL);
    ORDINARY.run(all, out.dtype(), Axes.of(out.layout(), null, false).list(), out.strided());
    return ((boolean[]) all.array())[0];
  }
}
