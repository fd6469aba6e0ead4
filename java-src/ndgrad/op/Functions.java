package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.ShapeException;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Typing;

/** The functions of analysis, elementwise; integers and bool are taken as float64. */
public final class Functions {
  private Functions() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr ZERO = num(0);
  private static final Expr ONE = num(1);

  /** The output in the partial derivative of a function of one argument. */
  private static final Expr OUT = in(1);

  private static final String UNARY_DTYPE = " Integers and bool give float64.";

  private static Spec unary(String name, String doc, double low, double high) {
    return define(name, "x")
        .doc(doc + UNARY_DTYPE)
        .domain(low, high)
        .oracle("np." + name + "(np.multiply(x, 1.0))")
        .samples("#x [2 3]", "#x []", "#x [0 3]")
        .inPlace();
  }

  /** e^x. */
  public static final Elementwise EXP =
      unary("exp", "The exponential e^x.", -2, 2)
          .samples("[-1000.0 0.0 1000.0 ##Inf ##-Inf ##NaN]")
          .elementwise(Typing.FLOATING, of(Fn1.EXP, A), OUT);

  /** e^x - 1. */
  public static final Elementwise EXPM1 =
      unary("expm1", "e^x - 1, accurate also for small x.", -2, 2)
          .samples("[1e-12 -1e-12 -1000.0 1000.0]")
          .elementwise(Typing.FLOATING, of(Fn1.EXPM1, A));

  /** 2^x. */
  public static final Elementwise EXP2 =
      unary("exp2", "2^x.", -2, 2)
          .samples("[-3.0 0.0 10.0 2000.0]")
          .elementwise(Typing.FLOATING, of(Fn1.EXP2, A), OUT.times(Math.log(2)));

  /** Natural logarithm. */
  public static final Elementwise LOG =
      unary("log", "The natural logarithm; -infinity at 0, NaN below.", 0.3, 3)
          .samples("[0.0 -1.0 1e-300 ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.LOG, A));

  /** log(1 + x). */
  public static final Elementwise LOG1P =
      unary("log1p", "log(1 + x), accurate also for small x; -infinity at -1, NaN below.", -0.7, 3)
          .samples("[1e-12 -1.0 -2.0 ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.LOG1P, A));

  /** Base-2 logarithm. */
  public static final Elementwise LOG2 =
      unary(
              "log2",
              "The logarithm to base 2, exact for powers of 2; -infinity at 0, NaN below.",
              0.3,
              3)
          .samples("[0.0 -1.0 8.0 0.125 ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.LOG2, A));

  /** Base-10 logarithm. */
  public static final Elementwise LOG10 =
      unary("log10", "The logarithm to base 10; -infinity at 0, NaN below.", 0.3, 3)
          .samples("[0.0 -1.0 1000.0 ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.LOG10, A));

  /** Square root. */
  public static final Elementwise SQRT =
      unary(
              "sqrt",
              "The square root; NaN below 0. The gradient at 0 is +infinity, its limit.",
              0.3,
              3)
          .samples("[0.0 -1.0 ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.SQRT, A), num(0.5).over(OUT));

  /** 1 / sqrt(x). */
  public static final Elementwise RSQRT =
      unary("rsqrt", "The reciprocal square root 1/sqrt(x); +infinity at 0, NaN below.", 0.3, 3)
          .oracle("np.divide(1.0, np.sqrt(np.multiply(x, 1.0)))")
          .samples("[0.0 -1.0 ##Inf]")
          .elementwise(
              Typing.FLOATING, ONE.over(of(Fn1.SQRT, A)), OUT.times(OUT).times(OUT).times(-0.5));

  /** Cube root. */
  public static final Elementwise CBRT =
      unary(
              "cbrt",
              "The cube root, negative for negative x. The gradient at 0 is +infinity.",
              0.3,
              3)
          .samples("[-8.0 0.0 27.0]")
          .elementwise(Typing.FLOATING, of(Fn1.CBRT, A), ONE.over(OUT.times(OUT).times(3)));

  /** Sine. */
  public static final Elementwise SIN =
      unary("sin", "The sine, of radians.", -3, 3).elementwise(Typing.FLOATING, of(Fn1.SIN, A));

  /** Cosine. */
  public static final Elementwise COS =
      unary("cos", "The cosine, of radians.", -3, 3).elementwise(Typing.FLOATING, of(Fn1.COS, A));

  /** Tangent. */
  public static final Elementwise TAN =
      unary("tan", "The tangent, of radians.", -1.2, 1.2)
          .elementwise(Typing.FLOATING, of(Fn1.TAN, A), ONE.plus(OUT.times(OUT)));

  /** Inverse sine. */
  public static final Elementwise ASIN =
      unary(
              "asin",
              "The inverse sine, in radians from -π/2 to π/2; NaN outside -1 to 1.",
              -0.8,
              0.8)
          .alias("arcsin")
          .oracle("np.arcsin(np.multiply(x, 1.0))")
          .samples("[-1.0 1.0 2.0]")
          .elementwise(Typing.FLOATING, of(Fn1.ASIN, A));

  /** Inverse cosine. */
  public static final Elementwise ACOS =
      unary("acos", "The inverse cosine, in radians from 0 to π; NaN outside -1 to 1.", -0.8, 0.8)
          .alias("arccos")
          .oracle("np.arccos(np.multiply(x, 1.0))")
          .samples("[-1.0 1.0 2.0]")
          .elementwise(Typing.FLOATING, of(Fn1.ACOS, A));

  /** Inverse tangent. */
  public static final Elementwise ATAN =
      unary("atan", "The inverse tangent, in radians from -π/2 to π/2.", -3, 3)
          .alias("arctan")
          .oracle("np.arctan(np.multiply(x, 1.0))")
          .samples("[##-Inf ##Inf]")
          .elementwise(Typing.FLOATING, of(Fn1.ATAN, A));

  /** The angle of a point. */
  public static final Elementwise ATAN2 =
      define("atan2", "a, b")
          .alias("arctan2")
          .param("a", "the ordinate (y)")
          .param("b", "the abscissa (x); broadcast with the ordinate")
          .doc(
              "The angle of the point (b, a), in radians from -π to π, in the quadrant given"
                  + " by the signs."
                  + UNARY_DTYPE
                  + " The gradient at the origin is 0.")
          .domain(-3, 3)
          .oracle("np.arctan2(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [] 0.5",
              "#x [0 3] #x [3]",
              "[0.0 -0.0 0.0 1.0 ##Inf] [0.0 -1.0 -1.0 0.0 ##Inf]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.FLOATING, of(Fn2.ATAN2, A, B));

  /** Hyperbolic sine. */
  public static final Elementwise SINH =
      unary("sinh", "The hyperbolic sine.", -2, 2).elementwise(Typing.FLOATING, of(Fn1.SINH, A));

  /** Hyperbolic cosine. */
  public static final Elementwise COSH =
      unary("cosh", "The hyperbolic cosine.", -2, 2).elementwise(Typing.FLOATING, of(Fn1.COSH, A));

  /** Hyperbolic tangent. */
  public static final Elementwise TANH =
      unary("tanh", "The hyperbolic tangent.", -2, 2)
          .samples("[-1000.0 0.0 1000.0 ##NaN]")
          .elementwise(Typing.FLOATING, of(Fn1.TANH, A), ONE.minus(OUT).times(ONE.plus(OUT)));

  /** Inverse hyperbolic sine. */
  public static final Elementwise ASINH =
      unary("asinh", "The inverse hyperbolic sine.", -3, 3)
          .alias("arcsinh")
          .oracle("np.arcsinh(np.multiply(x, 1.0))")
          .samples("[1e-12 1e200 -1e200]")
          .elementwise(Typing.FLOATING, of(Fn1.ASINH, A));

  /** Inverse hyperbolic cosine. */
  public static final Elementwise ACOSH =
      unary("acosh", "The inverse hyperbolic cosine; NaN below 1.", 1.3, 4)
          .alias("arccosh")
          .oracle("np.arccosh(np.multiply(x, 1.0))")
          .samples("[1.0 0.5 1e200]")
          .elementwise(Typing.FLOATING, of(Fn1.ACOSH, A));

  /** Inverse hyperbolic tangent. */
  public static final Elementwise ATANH =
      unary("atanh", "The inverse hyperbolic tangent; infinite at ±1, NaN outside.", -0.8, 0.8)
          .alias("arctanh")
          .oracle("np.arctanh(np.multiply(x, 1.0))")
          .samples("[-1.0 1.0 2.0 1e-12]")
          .elementwise(Typing.FLOATING, of(Fn1.ATANH, A));

  /** The error function. */
  public static final Elementwise ERF =
      unary(
              "erf",
              "The error function 2/√π ∫₀ˣ exp(-t²) dt, to about one unit in the last place.",
              -2,
              2)
          .oracle("torch.erf(torch.as_tensor(np.multiply(x, 1.0))).numpy()")
          .samples("[1e-12 -6.0 1000.0 ##-Inf ##NaN]")
          .elementwise(Typing.FLOATING, of(Fn1.ERF, A));

  /** Normalised cardinal sine. */
  public static final Elementwise SINC =
      unary(
              "sinc",
              "The normalised cardinal sine sin(πx)/(πx), 1 at 0 with a gradient of 0.",
              -3,
              3)
          .samples("[0.0 1e-9 0.5 1.0]")
          .elementwise(Typing.FLOATING, sinc(), sincSlope());

  private static Expr sinc() {
    Expr u = A.times(Math.PI);
    return select(of(Fn2.EQ, A, ZERO), ONE, of(Fn1.SIN, u).over(u));
  }

  /**
   * (cos(πx) - sinc x) / x, and by its Taylor series about 0, where the difference cancels: π times
   * the sum over k of (-1)^k 2k u^(2k-1) / (2k+1)! with u = πx. Five terms leave less than 1e-16 at
   * the seam.
   */
  private static Expr sincSlope() {
    Expr square = A.times(Math.PI).times(A.times(Math.PI));
    Expr sum = num(-1.0 / 3991680);
    for (double divisor : new double[] {45360, -840, 30, -3}) {
      sum = sum.times(square).plus(num(1 / divisor));
    }
    Expr series = sum.times(A).times(Math.PI * Math.PI);
    Expr exact = of(Fn1.COS, A.times(Math.PI)).minus(OUT).over(A);
    return select(of(Fn2.LT, of(Fn1.ABS, A), num(0.05)), series, exact);
  }

  /** log(e^a + e^b). */
  public static final Elementwise LOGADDEXP =
      define("logaddexp", "a, b")
          .doc(
              "log(exp(a) + exp(b)) without overflow, as max(a, b) + log1p(exp(-|a - b|))."
                  + UNARY_DTYPE
                  + " The gradients are exp(a - out) and exp(b - out); equal infinities get half"
                  + " each.")
          .domain(-3, 3)
          .oracle("np.logaddexp(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [] 0.5",
              "#x [0 3] #x [3]",
              "[1000.0 -1000.0 1000.0 ##Inf ##-Inf ##-Inf] [1000.0 -1000.0 -1000.0 ##Inf ##-Inf"
                  + " 2.0]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.FLOATING, logaddexp(), share(A, B), share(B, A));

  private static Expr logaddexp() {
    Expr apart = of(Fn1.EXP, of(Fn1.ABS, A.minus(B)).negate());
    Expr sum = of(Fn2.MAX, A, B).plus(of(Fn1.LOG1P, apart));
    return select(of(Fn2.EQ, A, B), A.plus(num(Math.log(2))), sum);
  }

  /**
   * exp(x - out), where it is not the difference of two infinities: then x is out, and its share is
   * all or half.
   */
  private static Expr share(Expr x, Expr other) {
    Expr out = in(2);
    Expr all = select(of(Fn2.EQ, other, out), num(0.5), ONE);
    return select(of(Fn2.EQ, x, out), all, of(Fn1.EXP, x.minus(out)));
  }
}
