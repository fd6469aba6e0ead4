package ndgrad.kernel.expr;

import java.util.function.IntFunction;

/**
 * A scalar expression over the elements of some inputs: what an elementwise op is. Expressions are
 * data; a {@code Program} runs them, {@link Derivative} differentiates them, and the result is an
 * expression again.
 *
 * <p>Types: an input has the dtype it is loaded as, a constant that of the numbers around it,
 * comparisons and predicates are bool. Where a number is needed a bool counts as 0 or 1.
 */
public sealed interface Expr
    permits Expr.In, Expr.Const, Expr.Apply1, Expr.Apply2, Expr.Select, Step {

  /**
   * One element of an input.
   *
   * @param index the input's position
   */
  record In(int index) implements Expr {
    @Override
    public String toString() {
      return ExprPrinter.print(this);
    }
  }

  /**
   * A constant.
   *
   * @param value its value, converted to the dtype of the computation
   */
  record Const(double value) implements Expr {
    @Override
    public String toString() {
      return ExprPrinter.print(this);
    }
  }

  /**
   * A function of one argument.
   *
   * @param fn the function
   * @param a its argument
   */
  record Apply1(Fn1 fn, Expr a) implements Expr {
    @Override
    public boolean equals(Object other) {
      return other instanceof Expr e && Dag.isSame(this, e);
    }

    @Override
    public int hashCode() {
      return Dag.hash(this, 3);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(this);
    }
  }

  /**
   * A function of two arguments.
   *
   * @param fn the function
   * @param a the first argument
   * @param b the second argument
   */
  record Apply2(Fn2 fn, Expr a, Expr b) implements Expr {
    @Override
    public boolean equals(Object other) {
      return other instanceof Expr e && Dag.isSame(this, e);
    }

    @Override
    public int hashCode() {
      return Dag.hash(this, 3);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(this);
    }
  }

  /**
   * One of two values; both are computed.
   *
   * @param test a bool
   * @param yes the value where it is true
   * @param no the value where it is false
   */
  record Select(Expr test, Expr yes, Expr no) implements Expr {
    @Override
    public boolean equals(Object other) {
      return other instanceof Expr e && Dag.isSame(this, e);
    }

    @Override
    public int hashCode() {
      return Dag.hash(this, 3);
    }

    @Override
    public String toString() {
      return ExprPrinter.print(this);
    }
  }

  /** Functions of one argument; those from {@link #NOT} on give a bool. */
  enum Fn1 {
    /** -x; wraps for integers. */
    NEG,
    /** |x|. */
    ABS,
    /** -1, 0 or 1; NaN for NaN. */
    SIGN,
    /** Square root. */
    SQRT,
    /** Cube root. */
    CBRT,
    /** e^x. */
    EXP,
    /** 2^x. */
    EXP2,
    /** e^x - 1. */
    EXPM1,
    /** Natural logarithm. */
    LOG,
    /** Base-2 logarithm. */
    LOG2,
    /** Base-10 logarithm. */
    LOG10,
    /** log(1 + x). */
    LOG1P,
    /** Sine. */
    SIN,
    /** Cosine. */
    COS,
    /** Tangent. */
    TAN,
    /** Inverse sine. */
    ASIN,
    /** Inverse cosine. */
    ACOS,
    /** Inverse tangent. */
    ATAN,
    /** Hyperbolic sine. */
    SINH,
    /** Hyperbolic cosine. */
    COSH,
    /** Hyperbolic tangent. */
    TANH,
    /** Inverse hyperbolic sine. */
    ASINH,
    /** Inverse hyperbolic cosine. */
    ACOSH,
    /** Inverse hyperbolic tangent. */
    ATANH,
    /** The error function. */
    ERF,
    /** The normal distribution function, its absolute error a last digit of 1. */
    NORMAL,
    /** x times the normal distribution function of x; 0 at -infinity. */
    GELU,
    /** Largest integer not above x. */
    FLOOR,
    /** Smallest integer not below x. */
    CEIL,
    /** Nearest integer, ties to even. */
    RINT,
    /** Logical not: x is 0. */
    NOT,
    /** x is NaN. */
    ISNAN,
    /** x is an infinity. */
    ISINF,
    /** x is neither NaN nor an infinity. */
    ISFINITE
  }

  /** Functions of two arguments; those from {@link #LT} on give a bool. */
  enum Fn2 {
    /** Sum; or for bools. */
    ADD,
    /** Difference. */
    SUB,
    /** Product; and for bools. */
    MUL,
    /** Quotient of floating numbers. */
    DIV,
    /** Quotient rounded towards -∞; 0 for an integer division by 0. */
    FLOOR_DIV,
    /** x - floor_div(x, y)*y, the sign of y; 0 for an integer division by 0. */
    REMAINDER,
    /** x to the power y; integers by squaring, wrapping. */
    POW,
    /** The larger; NaN if either is. */
    MAX,
    /** The smaller; NaN if either is. */
    MIN,
    /** The angle of the point (y, x). */
    ATAN2,
    /** sqrt(x² + y²) without overflow. */
    HYPOT,
    /** Less than. */
    LT,
    /** At most. */
    LE,
    /** Greater than. */
    GT,
    /** At least. */
    GE,
    /** Equal. */
    EQ,
    /** Not equal. */
    NE,
    /** Logical and of truth values. */
    AND,
    /** Logical or of truth values. */
    OR,
    /** Logical exclusive or of truth values. */
    XOR
  }

  /**
   * Input {@code i}.
   *
   * @param i its position
   * @return the expression
   */
  static Expr in(int i) {
    return new In(i);
  }

  /**
   * A constant.
   *
   * @param value its value
   * @return the expression
   */
  static Expr num(double value) {
    return new Const(value);
  }

  /**
   * A function of one argument.
   *
   * @param fn the function
   * @param a its argument
   * @return the expression
   */
  static Expr of(Fn1 fn, Expr a) {
    return new Apply1(fn, a);
  }

  /**
   * A function of two arguments.
   *
   * @param fn the function
   * @param a the first argument
   * @param b the second argument
   * @return the expression
   */
  static Expr of(Fn2 fn, Expr a, Expr b) {
    return new Apply2(fn, a, b);
  }

  /**
   * One of two values.
   *
   * @param test a bool
   * @param yes the value where true
   * @param no the value where false
   * @return the expression
   */
  static Expr select(Expr test, Expr yes, Expr no) {
    return new Select(test, yes, no);
  }

  /**
   * this + b.
   *
   * @param b the other
   * @return the sum
   */
  default Expr plus(Expr b) {
    return of(Fn2.ADD, this, b);
  }

  /**
   * this - b.
   *
   * @param b the other
   * @return the difference
   */
  default Expr minus(Expr b) {
    return of(Fn2.SUB, this, b);
  }

  /**
   * this * b.
   *
   * @param b the other
   * @return the product
   */
  default Expr times(Expr b) {
    return of(Fn2.MUL, this, b);
  }

  /**
   * this * b.
   *
   * @param b a number
   * @return the product
   */
  default Expr times(double b) {
    return times(num(b));
  }

  /**
   * this / b.
   *
   * @param b the other
   * @return the quotient
   */
  default Expr over(Expr b) {
    return of(Fn2.DIV, this, b);
  }

  /**
   * -this.
   *
   * @return the negative
   */
  default Expr negate() {
    return of(Fn1.NEG, this);
  }

  /**
   * Whether the expression refers to an input.
   *
   * @param input the input's position
   * @return true when it occurs
   */
  default boolean uses(int input) {
    Dag dag = new Dag(this);
    return input < dag.inputs() && dag.usedInputs(dag.inputs())[input];
  }

  /**
   * Puts expressions in the place of the inputs; {@code e.substitute(i -> Expr.in(i + 2))}
   * renumbers them.
   *
   * @param replacement the expression for each input's position
   * @return the expression of the new inputs
   */
  default Expr substitute(IntFunction<Expr> replacement) {
    Dag dag = new Dag(this);
    Expr[] done = new Expr[dag.size()];
    for (int id = 0; id < done.length; id++) {
      int[] args = dag.node(id).args();
      done[id] =
          switch (dag.node(id).expr()) {
            case In(int i) -> replacement.apply(i);
            case Const c -> c;
            case Apply1(Fn1 fn, Expr _) -> of(fn, done[args[0]]);
            case Apply2(Fn2 fn, Expr _, Expr _) -> of(fn, done[args[0]], done[args[1]]);
            case Select _ -> select(done[args[0]], done[args[1]], done[args[2]]);
            case Step _ -> throw new IllegalStateException("spelled out already: " + this);
          };
    }
    return done[dag.root(0)];
  }
}
