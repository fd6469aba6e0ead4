package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Derivative;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Typing;

/** The activation functions of neural networks. */
public final class Activations {
  private Activations() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr ZERO = num(0);
  private static final Expr ONE = num(1);

  /** The output in the partial derivative of a function of one argument. */
  private static final Expr OUT = in(1);

  /** Behind this all tails are at their limits in float64, and cubes are finite in float32. */
  private static final double FAR = 1000;

  /** The argument, or the bound of its sign that has the same limits: no ∞ * 0 behind it. */
  private static final Expr BOUNDED =
      select(of(Fn2.LE, of(Fn1.ABS, A), num(FAR)), A, of(Fn1.SIGN, A).times(FAR));

  private static final Expr BOUNDED_BELOW = of(Fn2.MAX, A, num(-FAR));
  private static final Expr POSITIVE_PART = of(Fn2.MAX, A, ZERO);
  private static final Expr NEGATIVE_PART = of(Fn2.MIN, A, ZERO);
  private static final String EXTREMES = "[-1000.0 -30.0 -0.0 0.0 30.0 1000.0 ##NaN]";
  private static final String FLOATS = " Integers and bool give float64.";

  private static Spec activation(String name, String signature, String doc, String torch) {
    return define(name, signature)
        .doc(doc)
        .domain(-3, 3, 0)
        .oracle("torch." + torch.replace("#", "torch.as_tensor(np.multiply(x, 1.0))") + ".numpy()")
        .samples("#x [2 3]", "#x []", "#x [0 3]", EXTREMES)
        .inPlace();
  }

  /** 1 / (1 + e^-x). */
  public static final Elementwise SIGMOID =
      activation(
              "sigmoid",
              "x",
              "The logistic function 1 / (1 + exp(-x)), without overflow." + FLOATS,
              "sigmoid(#)")
          .elementwise(Typing.FLOATING, sigmoid(), OUT.times(ONE.minus(OUT)));

  /**
   * By an exponential that does not overflow: its reciprocal keeps its digits where e^-x cannot.
   */
  private static Expr sigmoid() {
    Expr e = exp(of(Fn1.ABS, A).negate());
    return select(of(Fn2.LT, A, ZERO), e, ONE).over(ONE.plus(e));
  }

  /** log(1 / (1 + e^-x)). */
  public static final Elementwise LOG_SIGMOID =
      activation(
              "log-sigmoid",
              "x",
              "The logarithm of the logistic function, min(x, 0) - log1p(exp(-|x|)), accurate at"
                  + " both ends."
                  + FLOATS,
              "nn.functional.logsigmoid(#)")
          .elementwise(
              Typing.FLOATING,
              NEGATIVE_PART.minus(of(Fn1.LOG1P, exp(of(Fn1.ABS, A).negate()))),
              of(Fn1.EXPM1, OUT).negate());

  /** max(x, 0). */
  public static final Elementwise RELU =
      activation(
              "relu",
              "x",
              "max(x, 0): the rectifier. Integers keep their dtype, bool counts as int64. The"
                  + " gradient at 0 is 0.",
              "relu(#)")
          .oracle("np.maximum(x, 0)")
          .elementwise(Typing.COUNTING, POSITIVE_PART, select(of(Fn2.LE, OUT, ZERO), ZERO, ONE));

  /** x or slope * x. */
  public static final Elementwise LEAKY_RELU =
      activation(
              "leaky-relu",
              "x, slope = 0.01",
              "x where it is positive, slope * x elsewhere."
                  + FLOATS
                  + " The gradient at 0 is the slope.",
              "nn.functional.leaky_relu(#, slope)")
          .param("slope", "the factor of negative numbers")
          .domain(0.01, 0.3)
          .samples("#x [2 3] {:slope 0.2}")
          .elementwise(
              Typing.FLOATING,
              POSITIVE_PART.plus(B.times(NEGATIVE_PART)),
              select(of(Fn2.GT, A, ZERO), ONE, B),
              NEGATIVE_PART);

  /** x or alpha (e^x - 1). */
  public static final Elementwise ELU =
      activation(
              "elu",
              "x, alpha = 1",
              "x where it is positive, alpha * (exp(x) - 1) elsewhere."
                  + FLOATS
                  + " The gradient at 0 is alpha.",
              "nn.functional.elu(#, alpha)")
          .param("alpha", "the negated limit for large negative numbers")
          .domain(0.5, 2)
          .samples("#x [2 3] {:alpha 0.5}")
          .elementwise(
              Typing.FLOATING,
              POSITIVE_PART.plus(B.times(of(Fn1.EXPM1, NEGATIVE_PART))),
              select(of(Fn2.GT, A, ZERO), ONE, B.times(exp(A))),
              of(Fn1.EXPM1, NEGATIVE_PART));

  /** x / (1 + e^-x). */
  public static final Elementwise SILU =
      activation(
              "silu",
              "x",
              "x * sigmoid(x), without overflow, with its limits at the infinities." + FLOATS,
              "nn.functional.silu(#)")
          .alias("swish")
          .elementwise(Typing.FLOATING, BOUNDED_BELOW.times(sigmoid()), siluSlope());

  /**
   * s (1 + x (1 - s)) with s = sigmoid(x), written on either side of 0 so that neither it nor its
   * derivatives overflow. The sides meet in all derivatives.
   */
  private static Expr siluSlope() {
    Expr below = exp(BOUNDED).over(ONE.plus(exp(BOUNDED)));
    Expr above = ONE.over(ONE.plus(exp(BOUNDED.negate())));
    Expr s = select(of(Fn2.LT, A, ZERO), below, above);
    return s.times(ONE.plus(BOUNDED.times(ONE.minus(s))));
  }

  /** log(1 + e^(beta x)) / beta. */
  public static final Elementwise SOFTPLUS =
      activation(
              "softplus",
              "x, beta = 1",
              "log(1 + exp(beta * x)) / beta, a smooth relu, computed as log1p(exp(-|t|)) /"
                  + " beta, plus x where t > 0, with t = beta * x: accurate everywhere, also where"
                  + " t overflows, without PyTorch's threshold."
                  + FLOATS,
              "nn.functional.softplus(#, beta, 100)")
          .param("beta", "how sharp the bend at 0 is")
          .domain(0.5, 2)
          .samples(
              "#x [2 3] {:beta 2.0}",
              "#x [2 3] {:beta -2.0}",
              "[1e300 -1e300 0.0 2.0] {:beta 1e10}",
              "[1e300 -1e300 0.0 2.0] {:beta -1e10}")
          .elementwise(Typing.FLOATING, softplus(), softplusSlope(), softplusInBeta());

  private static Expr softplus() {
    Expr t = A.times(B);
    Expr bend = of(Fn1.LOG1P, exp(of(Fn1.ABS, t).negate()));
    return select(of(Fn2.GT, t, ZERO), A, ZERO).plus(bend.over(B));
  }

  /** sigmoid(beta x) = 1 - exp(-beta out). */
  private static Expr softplusSlope() {
    return of(Fn1.EXPM1, B.times(in(2)).negate()).negate();
  }

  private static Expr softplusInBeta() {
    return A.times(softplusSlope()).minus(in(2)).over(B);
  }

  private static final Elementwise GELU_ERF =
      define("gelu", "x").internal().elementwise(Typing.FLOATING, of(Fn1.GELU, A), geluSlope());

  private static final Elementwise GELU_TANH =
      define("gelu", "x")
          .internal()
          .elementwise(
              Typing.FLOATING,
              BOUNDED_BELOW.times(0.5).times(ONE.plus(geluTanh())),
              geluTanhSlope());

  /** Φ(x) + x φ(x). */
  private static Expr geluSlope() {
    return Derivative.of(of(Fn1.GELU, A), 0).substitute(i -> BOUNDED);
  }

  private static Expr geluTanh() {
    Expr cube = BOUNDED.times(BOUNDED).times(BOUNDED);
    return of(Fn1.TANH, BOUNDED.plus(cube.times(0.044715)).times(Math.sqrt(2 / Math.PI)));
  }

  /** (1 + t)/2 + x/2 (1 - t²) √(2/π) (1 + 3 * 0.044715 x²), t being the tanh. */
  private static Expr geluTanhSlope() {
    Expr t = geluTanh();
    Expr inner = ONE.plus(BOUNDED.times(BOUNDED).times(3 * 0.044715)).times(Math.sqrt(2 / Math.PI));
    Expr moved = BOUNDED.times(0.5).times(ONE.minus(t.times(t))).times(inner);
    return ONE.plus(t).times(0.5).plus(moved);
  }

  /** x Φ(x). */
  public static final Composite GELU =
      activation(
              "gelu",
              "x, approximate: word = none",
              "x * Φ(x) with Φ the normal distribution function: the Gaussian error linear"
                  + " unit, by erf, or by 0.5 x (1 + tanh(√(2/π) (x + 0.044715 x³))) (Hendrycks and"
                  + " Gimpel 2016), with its limits at the infinities."
                  + FLOATS,
              // PyTorch's erf of float32 is 40 last digits off in the tail.
              "nn.functional.gelu(#.double(), approximate=approximate).to(#.dtype)")
          .param("approximate", "none for the form with erf, tanh for the form with tanh")
          .samples("#x [2 3] {:approximate :tanh}", EXTREMES + " {:approximate :tanh}")
          .fails(ArgumentException.class, "#x [2] {:approximate :erf}")
          .composite(Activations::gelu);

  private static Tensor gelu(Args args) {
    return switch (args.word("approximate")) {
      case "none" -> GELU_ERF.of(args.tensor("x"));
      case "tanh" -> GELU_TANH.of(args.tensor("x"));
      case String other ->
          throw new ArgumentException(
              "approximate must be none or tanh, got " + other,
              "argument",
              "approximate",
              "value",
              other);
    };
  }

  private static Expr exp(Expr x) {
    return of(Fn1.EXP, x);
  }

  private static Spec normalised(String name, String doc, String torch) {
    return define(name, "x, axis: axes = -1")
        .param("axis", "the axis, or axes, over which the exponentials sum to 1; nil for all")
        .doc(
            doc
                + " Elements of -infinity have probability 0; if all are -infinity, or one is"
                + " +infinity, the result is NaN."
                + FLOATS
                + " A 0-d array counts as one element.")
        .domain(-3, 3)
        .oracle("torch." + torch + "(torch.as_tensor(np.multiply(x, 1.0)), axis[0]).numpy()")
        .samples(
            "#x [3 4]",
            "#x [3 4] {:axis 0}",
            "#x [2 3 4] {:axis 1}",
            "#x []",
            "#x [0 3]",
            "#x [3 0]",
            "#i [2 3]",
            "[[1000.0 0.0 -1000.0] [##-Inf 0.0 1.0] [##-Inf ##-Inf 5.0]]",
            "[[1.0 ##NaN] [##-Inf ##-Inf]]")
        .fails(
            ShapeException.class,
            "#x [3] {:axis 1}",
            "#x [3 4] {:axis -3}",
            "#x [3 4] {:axis [0 0]}");
  }

  /** Exponentials that sum to 1. */
  public static final Primitive SOFTMAX =
      normalised(
              "softmax",
              "exp(x) divided by its sum along an axis; the maximum is subtracted first, so nothing"
                  + " overflows.",
              "softmax")
          .batch(Batch.AXES)
          .jvp((a, p, out, t) -> Softmax.product(out, a, t[0]))
          .vjp(0, "out", Softmax::gradient)
          .primitive((args, ins) -> Softmax.softmax(args, ins[0]));

  /** The logarithm of softmax. */
  public static final Primitive LOG_SOFTMAX =
      normalised(
              "log-softmax",
              "x minus the logarithm of the sum of exp(x) along an axis: the logarithm of softmax,"
                  + " accurate where that is near 0.",
              "log_softmax")
          .batch(Batch.AXES)
          .jvp((a, p, out, t) -> Softmax.logTangent(out, a, t[0]))
          .vjp(0, "out", Softmax::logGradient)
          .primitive((args, ins) -> Softmax.logSoftmax(args, ins[0]));
}
