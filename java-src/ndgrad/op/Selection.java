package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** Rounding, bounding and choosing, elementwise; integers stay integers. */
public final class Selection {
  private Selection() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr C = in(2);
  private static final Expr ZERO = num(0);
  private static final Expr ONE = num(1);
  private static final double[] INTEGERS = {-3, -2, -1, 0, 1, 2, 3};
  private static final double[] HALVES = {-2.5, -1.5, -0.5, 0.5, 1.5, 2.5};

  private static Spec rounding(String name, String summary) {
    return define(name, "x")
        .doc(summary + " Integers and bool are returned unchanged. The gradient is 0 everywhere.")
        .domain(-3, 3, INTEGERS)
        .oracle("np." + name + "(x)")
        .samples(
            "#x [2 3]",
            "#x []",
            "#x [0 3]",
            "[-1.5 -0.5 -0.0 2.0 1e300 ##Inf ##NaN]",
            "[-2 3]",
            "[true false]")
        .inPlace();
  }

  /** Largest integer not above. */
  public static final Elementwise FLOOR =
      rounding("floor", "The largest integer not greater than x.")
          .elementwise(Typing.PROMOTE, of(Fn1.FLOOR, A));

  /** Smallest integer not below. */
  public static final Elementwise CEIL =
      rounding("ceil", "The smallest integer not less than x.")
          .elementwise(Typing.PROMOTE, of(Fn1.CEIL, A));

  /** The integer part. */
  public static final Elementwise TRUNC =
      rounding("trunc", "The integer part of x: rounded towards 0.")
          .elementwise(
              Typing.PROMOTE, select(of(Fn2.LT, A, ZERO), of(Fn1.CEIL, A), of(Fn1.FLOOR, A)));

  private static final Elementwise RINT =
      define("round", "x").internal().elementwise(Typing.PROMOTE, of(Fn1.RINT, A));

  /** Rounds to multiples of 1/s, for decimals after the point. */
  private static final Elementwise RINT_PARTS =
      define("round", "x, s")
          .internal()
          .elementwise(Typing.PROMOTE, of(Fn1.RINT, A.times(B)).over(B), ZERO, ZERO);

  /** Rounds to multiples of s, for decimals before the point. */
  private static final Elementwise RINT_MULTIPLES =
      define("round", "x, s")
          .internal()
          .elementwise(Typing.FLOATING, of(Fn1.RINT, A.over(B)).times(B), ZERO, ZERO);

  /** Nearest number with some decimals. */
  public static final Composite ROUND =
      define("round", "x, decimals: int = 0")
          .param(
              "decimals",
              "the number of decimals to keep; negative ones round digits before the decimal"
                  + " point")
          .doc(
              "The nearest number with the given number of decimals, ties to even, computed"
                  + " as in NumPy: rint(x * 10^decimals) / 10^decimals. Integers keep their dtype"
                  + " and change only for negative decimals; bool is returned unchanged (float16 in"
                  + " NumPy). The gradient is 0 everywhere.")
          .domain(-3, 3, HALVES)
          .oracle("np.round(x, decimals)")
          .samples(
              "#x [2 3]",
              "#x [2 3] {:decimals 2}",
              "#x [] {:decimals 1}",
              "#x [0 3]",
              "#i [3] {:decimals 2}",
              "[15 25 -15 149] {:decimals -1}",
              "[15.0 25.0 -151.0] {:decimals -1}",
              "[0.5 1.5 2.5 -0.5 ##Inf ##NaN]")
          .inPlace()
          .composite(Selection::round);

  private static Object round(Args args) {
    Tensor x = args.tensor("x");
    int decimals = args.integer("decimals");
    if (decimals == 0) {
      return RINT.of(x);
    }
    double scale = Math.pow(10, Math.abs((double) decimals));
    if (decimals > 0) {
      return x.dtype().isFloating() ? RINT_PARTS.of(x, scale) : Structural.COPY.of(x);
    }
    if (x.dtype() == DType.BOOL) {
      return Structural.COPY.of(x);
    }
    Tensor rounded = RINT_MULTIPLES.of(x, scale);
    return x.dtype().isFloating() ? rounded : Structural.CAST.of(rounded, x.dtype());
  }

  /** One of two. */
  public static final Elementwise WHERE =
      define("where", "cond, a, b")
          .param("cond", "the condition; numbers are true unless they are 0")
          .param("a", "the values where the condition is true")
          .param("b", "the values where it is false")
          .doc(
              "a where the condition holds and b elsewhere; the three are broadcast"
                  + " together, the dtype is that of a and b promoted. The gradient flows to the"
                  + " selected one; the other gets exactly 0, even where the incoming gradient is"
                  + " infinite or NaN. The op that computed the other one may still turn that 0"
                  + " into NaN (log at 0): in such cases also select the op's argument by where.")
          .domain(-3, 3)
          .oracle("np.where(cond, a, b)")
          .samples(
              "#b [2 3] #x [2 3] #x [2 3]",
              "#b [2 1] #x [3] 0.0",
              "#b [] #x [2] #x [2]",
              "#b [3] 1 #x [3]",
              "#b [0 3] #x [3] #x [0 1]",
              "#b [3] #i [3] #x [3]",
              "[0 2 -1] #x [3] #x [3]",
              "[true false] [##Inf 1.0] [2.0 ##NaN]")
          .fails(ShapeException.class, "#b [2] #x [3] #x [3]", "#b [3] #x [3] #x [2]")
          .elementwise(Typing.SELECT, select(A, B, C));

  private static Elementwise bounded(String signature, Expr value, Expr... partials) {
    return define("clip", signature).internal().elementwise(Typing.PROMOTE, value, partials);
  }

  private static final Elementwise CLIP_LOW =
      bounded("x, lo", of(Fn2.MAX, A, B), when(of(Fn2.GE, A, B)), when(of(Fn2.LT, A, B)));

  private static final Elementwise CLIP_HIGH =
      bounded("x, hi", of(Fn2.MIN, A, B), when(of(Fn2.LE, A, B)), when(of(Fn2.GT, A, B)));

  private static final Elementwise CLIP_BOTH =
      bounded(
          "x, lo, hi",
          of(Fn2.MIN, of(Fn2.MAX, A, B), C),
          when(of(Fn2.AND, of(Fn2.GE, A, B), of(Fn2.LE, A, C))),
          when(of(Fn2.AND, of(Fn2.LT, A, B), of(Fn2.LT, B, C))),
          when(of(Fn2.OR, of(Fn2.GT, A, C), of(Fn2.LT, C, B))));

  private static Expr when(Expr test) {
    return select(test, ONE, ZERO);
  }

  /** Bounded from below and above. */
  public static final Composite CLIP =
      define("clip", "x, lo = nil, hi = nil")
          .alias("clamp")
          .param("lo", "the lower bound, broadcast with x; nil for none")
          .param("hi", "the upper bound, broadcast with x; nil for none")
          .doc(
              "min(max(x, lo), hi), elementwise; NaN stays NaN. Where lo > hi the result is"
                  + " hi, as in NumPy; without bounds it is a copy. Dtypes are promoted; plain"
                  + " numbers are weakly typed. The gradient of x is 1 inside and at the bounds, 0"
                  + " outside, as in PyTorch; a bound gets the gradient where it replaced x.")
          .domain(-3, 3)
          .domain(-2, -1)
          .domain(1, 2)
          .oracle("np.clip(x, lo, hi)")
          .samples(
              "#x [3 4] -1.0 1.0",
              "#x [3 4] nil 0.5",
              "#x [3 4] 0.25",
              "#x [3 4] #x [4] #x [3 1]",
              "#x [] -0.5 0.5",
              "#x [0 3] 0.0 1.0",
              "#x [4] 1.0 -1.0",
              "#x [4]",
              "#i [4] 0 2",
              "#i [4] 0.5 1.5",
              "[##NaN ##Inf ##-Inf] -1.0 1.0")
          .fails(ShapeException.class, "#x [3] #x [2] 1.0", "#x [3] nil #x [2]")
          .inPlace()
          .composite(Selection::clip);

  private static Object clip(Args args) {
    Tensor x = args.tensor("x");
    if (!args.has("lo")) {
      return args.has("hi") ? CLIP_HIGH.of(x, args.tensor("hi")) : Structural.COPY.of(x);
    }
    Tensor lo = args.tensor("lo");
    return args.has("hi") ? CLIP_BOTH.of((Object) x, lo, args.tensor("hi")) : CLIP_LOW.of(x, lo);
  }

  private static final Elementwise FINITE =
      define("nan-to-num", "x, nan, posinf, neginf")
          .internal()
          .elementwise(
              Typing.PROMOTE,
              select(
                  of(Fn1.ISNAN, A),
                  B,
                  select(of(Fn1.ISINF, A), select(of(Fn2.GT, A, ZERO), C, in(3)), A)));

  /** Finite numbers in the place of NaN and infinities. */
  public static final Composite NAN_TO_NUM =
      define("nan-to-num", "x, nan: number = 0.0, posinf: number = nil, neginf: number = nil")
          .param("nan", "the replacement of NaN")
          .param(
              "posinf", "the replacement of +infinity; nil for the dtype's largest finite number")
          .param("neginf", "the replacement of -infinity; nil for the dtype's lowest finite number")
          .doc(
              "A copy with NaN and infinities replaced by numbers; integers and bool are copied as"
                  + " they are. The gradient is 1 where x is finite, 0 elsewhere.")
          .domain(-3, 3)
          .oracle("np.nan_to_num(x, nan=nan, posinf=posinf, neginf=neginf)")
          .samples(
              "#x [2 3]",
              "#x []",
              "#x [0 3]",
              "#i [3]",
              "[1.0 ##NaN ##Inf ##-Inf]",
              "[1.0 ##NaN ##Inf ##-Inf] {:nan 2.0 :posinf 5.0 :neginf -5.0}")
          .inPlace()
          .composite(Selection::nanToNum);

  private static Object nanToNum(Args args) {
    Tensor x = args.tensor("x");
    if (!x.dtype().isFloating()) {
      return Structural.COPY.of(x);
    }
    double greatest = x.dtype() == DType.FLOAT32 ? Float.MAX_VALUE : Double.MAX_VALUE;
    return FINITE.of(
        x,
        args.number("nan"),
        args.has("posinf") ? args.number("posinf") : greatest,
        args.has("neginf") ? args.number("neginf") : -greatest);
  }

  /** Linear interpolation. */
  public static final Elementwise LERP =
      define("lerp", "a, b, weight")
          .param("weight", "0 gives a, 1 gives b; broadcast with both")
          .doc(
              "a + weight * (b - a), elementwise; computed from b for weights of 0.5 and"
                  + " more, so that both ends are exact. Integers and bool give float64.")
          .domain(-3, 3)
          .domain(-3, 3)
          .domain(0.1, 0.9, 0.5)
          .oracle("a + weight * (np.multiply(b, 1.0) - a)")
          .samples(
              "#x [2 3] #x [2 3] #x [3]",
              "#x [4] #x [4] 0.25",
              "#x [] #x [2] 1",
              "#x [0 3] #x [3] 0.5")
          .fails(ShapeException.class, "#x [2] #x [3] 0.5")
          .inPlace()
          .elementwise(
              Typing.FLOATING,
              select(
                  of(Fn2.LT, C, num(0.5)),
                  A.plus(C.times(B.minus(A))),
                  B.minus(B.minus(A).times(ONE.minus(C)))),
              ONE.minus(C),
              C,
              B.minus(A));
}
