package ndgrad.op;

import static ndgrad.kernel.Expr.in;
import static ndgrad.kernel.Expr.num;
import static ndgrad.kernel.Expr.of;
import static ndgrad.kernel.Expr.select;
import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Expr;
import ndgrad.kernel.Expr.Fn1;
import ndgrad.kernel.Expr.Fn2;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Typing;

/** The operators of arithmetic: elementwise, with broadcasting and NumPy 2's promotion. */
public final class Arithmetic {
  private Arithmetic() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);

  /** a + b. */
  public static final Elementwise ADD =
      define("add", "a, b")
          .doc("The elementwise sum. Integers wrap; for bool it is the logical or.")
          .domain(-3, 3)
          .oracle("np.add(a, b)")
          .samples("#x [2 3] #x [2 3]", "#x [2 3] #x [3]", "#x [2 1] #x [1 3]", "#x [] 2.5", "#x [0 3] #x [3]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.PROMOTE, A.plus(B));

  /** a - b. */
  public static final Elementwise SUB =
      define("sub", "a, b")
          .alias("subtract")
          .doc("The elementwise difference. Integers wrap; bool is refused, as NumPy refuses it.")
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
          .doc("The elementwise quotient. Integers and bool are divided as float64; x/0 is an infinity or NaN.")
          .domain(-3, 3)
          .domain(0.5, 3)
          .oracle("np.true_divide(a, b)")
          .samples("#x [2 3] #x [2 3]", "#x [2 3] #x [3]", "1 #x [4]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .inPlace()
          .elementwise(Typing.FLOATING, A.over(B), num(1).over(B), in(2).negate().over(B));
}
