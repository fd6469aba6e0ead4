package ndgrad.kernel.expr;

import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * Rewrites expressions into shorter ones of the same value, for every dtype they may be computed
 * in, also where it is infinite, NaN or a zero of either sign: {@code x * 0} is not 0 here, nor
 * {@code x + 0} x, which would keep -0. Rounding alone may differ: constants are folded in double
 * precision, factors that are integers are multiplied first, and small integer powers are made of
 * products. Only {@link Derivative} drops terms, those whose derivative is the constant 0. Nodes
 * that occur several times are rewritten once, so the work is linear in their number.
 */
public final class Simplify {
  /** Folding stops here, so that integers wrap at run time as they would have without it. */
  private static final double FOLD_LIMIT = 0x1p31;

  private static final Expr NEGATIVE_ZERO = Expr.num(-0.0);

  private Simplify() {}

  /**
   * Simplifies expressions together.
   *
   * @param exprs the expressions
   * @return equal ones, sharing their common subexpressions
   */
  public static Expr[] of(Expr... exprs) {
    Dag dag = new Dag(exprs);
    Expr[] done = new Expr[dag.size()];
    for (int id = 0; id < done.length; id++) {
      int[] args = dag.node(id).args();
      done[id] =
          switch (dag.node(id).expr()) {
            case Expr.Apply1(Fn1 fn, Expr _) -> apply(fn, done[args[0]]);
            case Expr.Apply2(Fn2 fn, Expr _, Expr _) -> apply(fn, done[args[0]], done[args[1]]);
            case Expr.Select _ -> select(done[args[0]], done[args[1]], done[args[2]]);
            case Step _, Expr.In _, Expr.Const _ -> dag.node(id).expr();
          };
    }
    Expr[] out = new Expr[exprs.length];
    for (int j = 0; j < out.length; j++) {
      out[j] = done[dag.root(j)];
    }
    return out;
  }

  static boolean is(Expr e, double value) {
    return e instanceof Expr.Const(double c) && c == value;
  }

  private static Expr apply(Fn1 fn, Expr a) {
    if (fn == Fn1.NEG) {
      return negate(a);
    }
    if (a instanceof Expr.Const(double c) && (fn == Fn1.SQRT || fn == Fn1.ABS)) {
      double folded = fn == Fn1.SQRT ? Math.sqrt(c) : Math.abs(c);
      return folds(folded) ? Expr.num(folded) : Expr.of(fn, a);
    }
    return Expr.of(fn, a);
  }

  private static Expr negate(Expr a) {
    return switch (a) {
      case Expr.Const(double c) -> Expr.num(-c);
      case Expr.Apply1(Fn1 fn, Expr x) when fn == Fn1.NEG && !isBool(x) -> x;
      default -> a.negate();
    };
  }

  private static Expr apply(Fn2 fn, Expr a, Expr b) {
    if (a instanceof Expr.Const(double x) && b instanceof Expr.Const(double y)) {
      double folded =
          switch (fn) {
            case ADD -> x + y;
            case SUB -> x - y;
            case MUL -> x * y;
            case DIV -> x / y;
            default -> Double.NaN;
          };
      if (folds(folded)) {
        return Expr.num(folded);
      }
    }
    return switch (fn) {
      case ADD -> add(a, b);
      case SUB -> subtract(a, b);
      case MUL -> multiply(a, b);
      case DIV -> is(b, 1) && !isBool(a) ? a : Expr.of(fn, a, b);
      case POW -> power(a, b);
      case MAX, MIN -> a == b ? a : Expr.of(fn, a, b);
      default -> Expr.of(fn, a, b);
    };
  }

  private static Expr add(Expr a, Expr b) {
    if (isNegativeZero(b) && !isBool(a)) {
      return a;
    }
    if (isNegativeZero(a) && !isBool(b)) {
      return b;
    }
    if (b instanceof Expr.Apply1(Fn1 fn, Expr y) && fn == Fn1.NEG) {
      return Expr.of(Fn2.SUB, a, y);
    }
    if (a instanceof Expr.Apply1(Fn1 fn, Expr x) && fn == Fn1.NEG) {
      return Expr.of(Fn2.SUB, b, x);
    }
    return Expr.of(Fn2.ADD, a, b);
  }

  private static Expr subtract(Expr a, Expr b) {
    if (is(b, 0) && !isNegativeZero(b) && !isBool(a)) {
      return a;
    }
    if (isNegativeZero(a)) {
      return negate(b);
    }
    if (b instanceof Expr.Apply1(Fn1 fn, Expr y) && fn == Fn1.NEG && !isBool(y)) {
      return Expr.of(Fn2.ADD, a, y);
    }
    return Expr.of(Fn2.SUB, a, b);
  }

  private static Expr multiply(Expr a, Expr b) {
    if (b instanceof Expr.Const && !(a instanceof Expr.Const)) {
      return multiply(b, a);
    }
    if (a instanceof Expr.Const(double c)) {
      if (c == 1 && !isBool(b)) {
        return b;
      }
      if (c == -1) {
        return negate(b);
      }
      if (b instanceof Expr.Apply1(Fn1 fn, Expr y) && fn == Fn1.NEG) {
        return multiply(Expr.num(-c), y);
      }
      if (b instanceof Expr.Apply2(Fn2 fn, Expr.Const(double d), Expr y)
          && fn == Fn2.MUL
          // 0 * (d * y) is NaN where d * y overflows.
          && c != 0
          && folds(c * d)
          && isWhole(c)
          && isWhole(d)) {
        return multiply(Expr.num(c * d), y);
      }
    }
    if (a instanceof Expr.Apply1(Fn1 fn, Expr x) && fn == Fn1.NEG) {
      return negate(multiply(x, b));
    }
    if (b instanceof Expr.Apply1(Fn1 fn, Expr y) && fn == Fn1.NEG) {
      return negate(multiply(a, y));
    }
    return Expr.of(Fn2.MUL, a, b);
  }

  private static Expr power(Expr a, Expr b) {
    if (b instanceof Expr.Const(double y) && !isBool(a)) {
      if (y == 0) {
        return Expr.num(1);
      } else if (y == 1) {
        return a;
      } else if (y == 2) {
        return a.times(a);
      } else if (y == 3) {
        return a.times(a).times(a);
      } else if (y == 4) {
        return a.times(a).times(a.times(a));
      } else if (y == -2) {
        return Expr.num(1).over(a.times(a));
      } else if (y == -1) {
        return Expr.num(1).over(a);
      }
    }
    return Expr.of(Fn2.POW, a, b);
  }

  private static Expr select(Expr test, Expr yes, Expr no) {
    if (test instanceof Expr.Const(double c)) {
      return c != 0 ? yes : no;
    }
    if (test instanceof Expr.Apply2(Fn2 fn, Expr.Const(double a), Expr.Const(double b))
        && fn == Fn2.EQ) {
      return a == b ? yes : no;
    }
    return yes == no || yes instanceof Expr.Const && yes.equals(no)
        ? yes
        : Expr.select(test, yes, no);
  }

  private static boolean folds(double value) {
    return Math.abs(value) < FOLD_LIMIT;
  }

  private static boolean isNegativeZero(Expr e) {
    return e instanceof Expr.Const c && c.equals(NEGATIVE_ZERO);
  }

  private static boolean isWhole(double c) {
    return c == Math.rint(c);
  }

  /**
   * Whether an expression gives a bool whatever its inputs are. Such a one must stay the operand of
   * the arithmetic that makes a number of it: 1 * (x < y) adds up, x < y is or-ed.
   */
  private static boolean isBool(Expr e) {
    return switch (e) {
      case Expr.Apply1(Fn1 fn, Expr _) -> fn.compareTo(Fn1.NOT) >= 0;
      case Expr.Apply2(Fn2 fn, Expr a, Expr b) ->
          fn.compareTo(Fn2.LT) >= 0
              || (fn == Fn2.ADD || fn == Fn2.MUL || fn == Fn2.MAX || fn == Fn2.MIN)
                  && isBool(a)
                  && isBool(b);
      case Expr.Select(Expr _, Expr yes, Expr no) -> isBool(yes) && isBool(no);
      default -> false;
    };
  }
}
