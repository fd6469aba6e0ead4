package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Typing;

/** The operators of arithmetic: elementwise, with broadcasting and NumPy 2's promotion. */
public final class Arithmetic {
  private Arithmetic() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr ZERO = num(0);
  private static final Reduction LEAST = Reduction.of(A, Fn2.MIN);

  /** a + b. */
  public static final Elementwise ADD =
      define("add", "a, b")
          .doc("The elementwise sum. Integers wrap; for bool it is the logical or.")
          .domain(-3, 3)
          .oracle("np.add(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [2 1] #x [1 3]",
              "#x [] 2.5",
              "#x [0 3] #x [3]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, A.plus(B));

  /** a - b. */
  public static final Elementwise SUB =
      define("sub", "a, b")
          .alias("subtract")
          .doc("The elementwise difference. Integers wrap; bool throws, as in NumPy.")
          .domain(-3, 3)
          .oracle("np.subtract(a, b)")
          .samples("#x [2 3] #x [2 3]", "#x [2 3] #x [3]", "1 #x [4]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .fails(DTypeException.class, "#b [2] #b [2]")
          .inPlace()
          .elementwise(Typing.NUMERIC, A.minus(B));

  /** a * b. */
  public static final Elementwise MUL =
      define("mul", "a, b")
          .alias("multiply")
          .doc("The elementwise product. Integers wrap; for bool it is the logical and.")
          .domain(-3, 3)
          .oracle("np.multiply(a, b)")
          .samples("#x [2 3] #x [2 3]", "#x [2 3] #x [2 1]", "#x [4] 2")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, A.times(B));

  /** a / b. */
  public static final Elementwise DIV =
      define("div", "a, b")
          .alias("divide", "true-divide")
          .doc(
              "The elementwise quotient. Integers and bool are divided as float64; x/0 is an"
                  + " infinity or NaN.")
          .domain(-3, 3)
          .domain(0.5, 3)
          .oracle("np.true_divide(a, b)")
          .samples("#x [2 3] #x [2 3]", "#x [2 3] #x [3]", "1 #x [4]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.FLOATING, A.over(B), num(1).over(B), in(2).negate().over(B));

  /** -x. */
  public static final Elementwise NEG =
      define("neg", "x")
          .alias("negative")
          .doc(
              "The elementwise negation. Integers wrap; bool throws, as in NumPy: use"
                  + " logical-not.")
          .domain(-3, 3)
          .oracle("np.negative(x)")
          .samples("#x [2 3]", "#x []", "#x [0 3]")
          .fails(DTypeException.class, "#b [2]")
          .inPlace()
          .elementwise(Typing.NUMERIC, A.negate());

  /** a to the power b. */
  public static final Elementwise POW =
      define("pow", "a, b")
          .alias("power")
          .doc(
              "The elementwise power. Integers stay integers and wrap, bool counts as int64"
                  + " (int8 in NumPy); an integer to a negative integer power throws an"
                  + " ArgumentException, as in NumPy: convert the base to floating first. A"
                  + " negative base with a fractional exponent is NaN. If the exponent is the"
                  + " number 0.5 or -0.5, square roots are used, as in PyTorch: -infinity gives"
                  + " NaN, whereas an array of such exponents gives infinity and 0. The gradient of"
                  + " the base is 0 where the exponent is 0; that of the exponent is 0 where the"
                  + " base is 0 and the exponent is not negative, NaN where the base is negative.")
          .param("a", "the base")
          .param("b", "the exponent; broadcast with the base")
          .domain(0.3, 2.5)
          .domain(0.5, 3)
          .oracle("np.power(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [4] 2",
              "#x [3] -1.5",
              "2 #x [4]",
              "#x [] 0.5",
              "#x [0 3] #x [3]",
              "[-2.0 0.0 3.0 ##Inf ##NaN] 0",
              "[-2.0 0.0 -1.5] [3.0 0.0 0.5]",
              "[2 -3 7] 3")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .fails(ArgumentException.class, "#i [3] -1", "[1 2] [2 -2]", "true -1")
          .inPlace()
          .specialise(-2, -1, 0, 1, 2, 3, 4)
          .specialise(0.5, of(Fn1.SQRT, A))
          .specialise(-0.5, num(1).over(of(Fn1.SQRT, A)))
          .check(Arithmetic::requireNatural)
          .elementwise(
              Typing.COUNTING,
              of(Fn2.POW, A, B),
              null,
              select(
                  of(Fn2.AND, of(Fn2.EQ, A, ZERO), of(Fn2.GE, B, ZERO)),
                  ZERO,
                  in(2).times(of(Fn1.LOG, A))));

  private static void requireNatural(DType compute, Tensor[] ins) {
    DType exponent = ins[1].dtype();
    if (compute.isInteger() && exponent.isInteger()) {
      Strided least = Strided.zeros(DType.INT64);
      int[] axes = IntStream.range(0, ins[1].ndim()).toArray();
      LEAST.run(least, DType.INT64, axes, ins[1].strided());
      long n = (Long) Nested.item(new Tensor(least));
      if (n < 0) {
        throw new ArgumentException(
            "integers cannot be raised to the negative integer power "
                + n
                + "; convert the base to float64 with astype, or use a floating exponent",
            "exponent",
            n,
            "dtype",
            compute.toString());
      }
    }
  }

  /** floor(a / b). */
  public static final Elementwise FLOOR_DIVIDE =
      define("floor-divide", "a, b")
          .doc(
              "The quotient rounded towards -infinity, as NumPy's and Python's //. Integers"
                  + " divided by 0 give 0, floating numbers an infinity or NaN; bool counts as"
                  + " int64 (int8 in NumPy). The gradient is 0, also at the discontinuities.")
          .domain(3.2, 3.8)
          .domain(1.01, 1.05)
          .oracle("np.floor_divide(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [] 1.01",
              "#x [0 3] #x [3]",
              "[-7 7 -7 7 0 5] [3 3 -3 -3 3 0]",
              "[-7.5 7.5 -7.5 7.5 1.0 -1.0 ##Inf] [2.0 2.0 -2.0 -2.0 0.0 0.0 2.0]",
              "[1.0e16 -1.0e16 7.878208e7 3.8797472e7 -0.0 -5.0] [3.0 3.0 11.0 6.0 3.0 ##Inf]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.COUNTING, of(Fn2.FLOOR_DIV, A, B));

  /** a - b * floor(a / b). */
  public static final Elementwise REMAINDER =
      define("remainder", "a, b")
          .alias("mod")
          .doc(
              "The remainder of floor-divide, with the sign of the divisor, as NumPy's and"
                  + " Python's %. Integers modulo 0 give 0, floating numbers NaN; bool counts as"
                  + " int64 (int8 in NumPy). The gradient is 1 for the dividend and -floor(a/b) for"
                  + " the divisor, also at the discontinuities.")
          .domain(3.2, 3.8)
          .domain(1.01, 1.05)
          .oracle("np.remainder(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [] 1.01",
              "#x [0 3] #x [3]",
              "[-7 7 -7 7 0 5] [3 3 -3 -3 3 0]",
              "[-7.5 7.5 -7.5 7.5 1.0 -1.0 ##Inf] [2.0 2.0 -2.0 -2.0 0.0 0.0 2.0]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.COUNTING, of(Fn2.REMAINDER, A, B));

  /** The larger. */
  public static final Elementwise MAXIMUM =
      define("maximum", "a, b")
          .doc(
              "The larger of two elements; NaN if either is. For bool it is the logical or. The"
                  + " gradient goes to the larger, half to each where they are equal, and to both"
                  + " where either is NaN.")
          .domain(-3, 3)
          .oracle("np.maximum(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [4] 0.25",
              "#x [] #x [2]",
              "#x [0 3] #x [3]",
              "[1.0 ##NaN 2.0 ##-Inf] [2.0 0.0 ##NaN ##Inf]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, of(Fn2.MAX, A, B));

  /** The smaller. */
  public static final Elementwise MINIMUM =
      define("minimum", "a, b")
          .doc(
              "The smaller of two elements; NaN if either is. For bool it is the logical and. The"
                  + " gradient goes to the smaller, half to each where they are equal, and to both"
                  + " where either is NaN.")
          .domain(-3, 3)
          .oracle("np.minimum(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [4] 0.25",
              "#x [] #x [2]",
              "#x [0 3] #x [3]",
              "[1.0 ##NaN 2.0 ##-Inf] [2.0 0.0 ##NaN ##Inf]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, of(Fn2.MIN, A, B));

  /** sqrt(a² + b²). */
  public static final Elementwise HYPOT =
      define("hypot", "a, b")
          .doc(
              "The length sqrt(a² + b²) without intermediate overflow. Integers and bool"
                  + " give float64. The gradient at the origin is 0.")
          .domain(-3, 3)
          .oracle("np.hypot(a, b)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [4] 1",
              "#x [] 0.5",
              "#x [0 3] #x [3]",
              "[3.0 1e200 0.0 ##Inf] [4.0 1e200 0.0 ##NaN]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.FLOATING, of(Fn2.HYPOT, A, B), ratioToLength(A), ratioToLength(B));

  private static Expr ratioToLength(Expr side) {
    return select(of(Fn2.EQ, in(2), ZERO), ZERO, side.over(in(2)));
  }

  /** x². */
  public static final Elementwise SQUARE =
      define("square", "x")
          .doc(
              "The elementwise square. Integers stay integers and wrap; bool counts as int64 (int8"
                  + " in NumPy).")
          .domain(-3, 3)
          .oracle("np.square(x)")
          .samples("#x [2 3]", "#x []", "#x [0 3]")
          .inPlace()
          .elementwise(Typing.COUNTING, A.times(A));

  /** 1 / x. */
  public static final Elementwise RECIPROCAL =
      define("reciprocal", "x")
          .doc(
              "The elementwise 1/x. Integers and bool give float64, unlike NumPy, whose integer"
                  + " reciprocal is 0 for everything beyond ±1; 1/0 is an infinity.")
          .domain(0.5, 3)
          .oracle("np.reciprocal(np.multiply(x, 1.0))")
          .samples("#x [2 3]", "#x []", "#x [0 3]", "[-2.0 0.0 ##Inf]")
          .inPlace()
          .elementwise(Typing.FLOATING, num(1).over(A), in(1).times(in(1)).negate());

  /** |x|. */
  public static final Elementwise ABS =
      define("abs", "x")
          .alias("absolute")
          .doc(
              "The elementwise absolute value. Integers and bool keep their dtype; the"
                  + " smallest integer is unchanged, because its negation does not fit. The"
                  + " gradient at 0 is 0.")
          .domain(-3, 3, 0)
          .oracle("np.abs(x)")
          .samples(
              "#x [2 3]", "#x []", "#x [0 3]", "[-0.0 ##-Inf ##NaN]", "[-9223372036854775808 -3 4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, of(Fn1.ABS, A));

  /** The sign. */
  public static final Elementwise SIGN =
      define("sign", "x")
          .doc(
              "-1, 0 or 1 by the sign of each element, NaN for NaN. Integers keep their"
                  + " dtype; bool throws, as in NumPy. The gradient is 0 everywhere, also at 0.")
          .domain(-3, 3, 0)
          .oracle("np.sign(x)")
          .samples("#x [2 3]", "#x []", "#x [0 3]", "[-0.0 0.0 ##-Inf ##NaN]", "[-3 0 4]")
          .fails(DTypeException.class, "#b [2]")
          .inPlace()
          .elementwise(Typing.NUMERIC, of(Fn1.SIGN, A));
}
