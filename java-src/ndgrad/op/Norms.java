package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** The norms of vectors and matrices that {@link Reductions#NORM} chooses from. */
final class Norms {
  private Norms() {}

  private static final Expr ABS = of(Fn1.ABS, in(0));
  private static final Reduction SQUARES = Reduction.of(in(0).times(in(0)), Fn2.ADD);
  private static final Program ROOT = Program.of(of(Fn1.SQRT, in(0)));

  /** g x / norm, and 0 where the norm is 0. */
  private static final Elementwise DIRECTION =
      define("norm-direction", "g, x, norm")
          .internal()
          .elementwise(
              Typing.PROMOTE,
              select(of(Fn2.EQ, in(2), num(0)), num(0), in(0).times(in(1)).over(in(2))));

  /** The root of the sum of squares of a floating array. */
  private static final Primitive EUCLIDEAN =
      define("euclidean-norm", "x, axis: axes = nil, keepdims: flag = false")
          .internal()
          .batch(Batch.AXES)
          .vjp(
              0,
              "x out",
              (n, a, g) ->
                  Norms.DIRECTION.of(Axes.spread(g, n, a), n.in(0), Axes.spread(n.out(), n, a)))
          .primitive(
              (a, in) -> {
                Strided x = in[0];
                Strided out = Axes.of(a, x.layout()).run(SQUARES, x.dtype(), x.dtype(), x);
                ROOT.run(out, x.dtype(), out);
                return out;
              });

  private static final Elementwise NONZERO =
      define("indicator", "x")
          .internal()
          .elementwise(Typing.PROMOTE, select(of(Fn2.NE, in(0), num(0)), num(1), num(0)));

  /** |x|^p with derivative 0 at 0. */
  private static final Elementwise POWER =
      define("norm-power", "x, p")
          .internal()
          .elementwise(
              Typing.PROMOTE,
              of(Fn2.POW, ABS, in(1)),
              select(
                  of(Fn2.EQ, in(0), num(0)),
                  num(0),
                  in(1).times(of(Fn1.SIGN, in(0))).times(of(Fn2.POW, ABS, in(1).minus(num(1))))),
              num(0));

  /** s^(1/p) with derivative 0 at 0, and where the sum has overflowed. */
  private static final Elementwise POWER_ROOT =
      define("norm-root", "s, p")
          .internal()
          .elementwise(
              Typing.PROMOTE,
              of(Fn2.POW, in(0), num(1).over(in(1))),
              select(
                  of(Fn2.OR, of(Fn2.EQ, in(0), num(0)), of(Fn1.ISINF, in(0))),
                  num(0),
                  in(2).over(in(1).times(in(0)))),
              num(0));

  static Tensor norm(Args a) {
    Tensor x = Structural.cast(a.tensor("x"), a.tensor("x").dtype().toFloating());
    int[] axis = a.ints("axis");
    boolean keepdims = a.flag("keepdims");
    if (!a.has("ord")) {
      return EUCLIDEAN.of(x, axis, keepdims);
    }
    int[] over = axis != null ? x.layout().axes(axis) : all(x.ndim());
    Object ord = order(a.get("ord"));
    return switch (over.length) {
      case 1 -> vector(x, ord, over[0], keepdims);
      case 2 -> matrix(x, ord, over[0], over[1], keepdims);
      default ->
          throw new ShapeException(
              "ord is defined for vectors and matrices, one axis or two, got "
                  + (axis == null ? "an array of shape " + x.layout() : over.length + " axes")
                  + "; name the axis or axes, or leave ord off",
              "shape",
              x.layout().shape(),
              "ord",
              ord.toString());
    };
  }

  private static int[] all(int ndim) {
    int[] axes = new int[ndim];
    for (int i = 0; i < ndim; i++) {
      axes[i] = i;
    }
    return axes;
  }

  /** A Double, or a word that no number stands for. */
  private static Object order(Object given) {
    if (given instanceof Number n) {
      return n.doubleValue();
    }
    String word = Coerce.show(given).replaceAll("^:|^\"|\"$", "");
    return switch (word) {
      case "inf" -> Double.POSITIVE_INFINITY;
      case "-inf" -> Double.NEGATIVE_INFINITY;
      case "fro" -> "fro";
      case "nuc" -> "nuc";
      default -> throw wrong(word, "", "a number, :inf, :-inf or :fro");
    };
  }

  private static ArgumentException wrong(Object ord, String of, String expected) {
    return new ArgumentException(
        "there is no norm of order " + ord + of + "; expected " + expected, "ord", ord.toString());
  }

  private static Tensor vector(Tensor x, Object ord, int axis, boolean keepdims) {
    if (!(ord instanceof Double p)) {
      throw wrong(ord, " of vectors", "a number, :inf or :-inf; or name two axes");
    }
    if (p == 2) {
      return EUCLIDEAN.of(x, axis, keepdims);
    }
    if (p == 0) {
      return Reductions.SUM.of(NONZERO.of(x), axis, keepdims);
    }
    if (p == 1) {
      return Reductions.SUM.of(Arithmetic.ABS.of(x), axis, keepdims);
    }
    if (p.isInfinite()) {
      return extreme(Arithmetic.ABS.of(x), p > 0, axis, keepdims);
    }
    return POWER_ROOT.of(Reductions.SUM.of(POWER.of(x, p), axis, keepdims), p);
  }

  private static Tensor matrix(Tensor x, Object ord, int rows, int columns, boolean keepdims) {
    if (ord.equals("fro")) {
      return EUCLIDEAN.of(x, new int[] {rows, columns}, keepdims);
    }
    if (!(ord instanceof Double p) || Math.abs(p) != 1 && !p.isInfinite()) {
      throw wrong(
          ord,
          " of matrices",
          "no value, :fro, 1, -1, :inf or :-inf (others need singular values)");
    }
    int summed = p.isInfinite() ? columns : rows;
    int other = p.isInfinite() ? rows : columns;
    Tensor sums = Reductions.SUM.of(Arithmetic.ABS.of(x), summed, keepdims);
    return extreme(sums, p > 0, !keepdims && other > summed ? other - 1 : other, keepdims);
  }

  /** The largest, 0 of nothing as NumPy has it, or the smallest. */
  private static Tensor extreme(Tensor x, boolean largest, int axis, boolean keepdims) {
    if (!largest) {
      return Reductions.MIN.of(x, axis, keepdims);
    }
    return x.dim(axis) == 0
        ? Reductions.SUM.of(x, axis, keepdims)
        : Reductions.MAX.of(x, axis, keepdims);
  }
}
