package ndgrad.kernel.expr;

import static ndgrad.kernel.expr.Expr.num;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.UnaryOperator;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * Partial derivatives of scalar expressions, as expressions: derivatives of any order are
 * derivatives of derivatives.
 *
 * <p>At kinks, where only subgradients exist:
 *
 * <ul>
 *   <li>abs has the derivative sign(x), 0 at 0;
 *   <li>max and min of equal arguments have 1/2 for each;
 *   <li>floor, ceil, rint, sign, floor_div, comparisons and predicates have 0 everywhere;
 *   <li>select has the derivative of the value it selects; nothing of the other one, NaN included,
 *       gets through;
 *   <li>x^y has 0 in x where y = 0, also at x = 0, and 0 in y where x = 0 and y ≥ 0;
 *   <li>hypot and atan2 have 0 at the origin;
 *   <li>sqrt and cbrt have +∞ at 0, as their limits from above.
 * </ul>
 *
 * <p>A term whose factor is the constant 0 is dropped, even where its other factor might be
 * infinite or NaN.
 */
public final class Derivative {
  private static final Expr ZERO = num(0);
  private static final Expr ONE = num(1);
  private static final Expr HALF = num(0.5);

  /**
   * A subexpression whose partial derivatives are declared, because those of what it is written
   * with overflow, or are others at a kink.
   *
   * @param value the subexpression
   * @param args the parts of it that it is a function of
   * @param partials the derivative in each of them, in the same inputs as the value
   */
  public record Declared(Expr value, List<Expr> args, List<Expr> partials) {
    /**
     * The same of other inputs, or written in another way.
     *
     * @param rewrite what becomes of each expression
     * @return the new declaration
     */
    public Declared map(UnaryOperator<Expr> rewrite) {
      return new Declared(
          rewrite.apply(value),
          args.stream().map(rewrite).toList(),
          partials.stream().map(rewrite).toList());
    }
  }

  private Derivative() {}

  /**
   * The partial derivative in one input; bool inputs count as constants.
   *
   * @param e the expression, of floating numbers
   * @param input the position of the input
   * @return the derivative, simplified
   */
  public static Expr of(Expr e, int input) {
    return of(e, input, List.of());
  }

  /**
   * The partial derivative in one input, where those of some subexpressions are known.
   *
   * @param e the expression, of floating numbers
   * @param input the position of the input
   * @param declared subexpressions with derivatives of their own; those that do not occur are
   *     ignored
   * @return the derivative, simplified
   */
  public static Expr of(Expr e, int input, List<Declared> declared) {
    // The nodes of e come first: a declared value or argument that is not among them is behind.
    List<Expr> roots = new ArrayList<>(List.of(e));
    for (Declared known : declared) {
      roots.add(known.value);
      roots.addAll(known.args);
    }
    Dag dag = new Dag(roots.toArray(Expr[]::new));
    Map<Integer, Declared> declarations = new HashMap<>();
    Map<Declared, Integer> firstArg = new IdentityHashMap<>();
    int root = 1;
    for (Declared known : declared) {
      declarations.putIfAbsent(dag.root(root), known);
      firstArg.put(known, root + 1);
      root += 1 + known.args.size();
    }
    Expr[] d = new Expr[dag.root(0) + 1];
    for (int id = 0; id < d.length; id++) {
      Declared known = declarations.get(id);
      if (known != null) {
        d[id] = ZERO;
        for (int i = 0; i < known.args.size(); i++) {
          int arg = dag.root(firstArg.get(known) + i);
          d[id] = arg < id ? sum(d[id], within(known.partials.get(i), d[arg])) : d[id];
        }
        continue;
      }
      int[] args = dag.node(id).args();
      d[id] =
          switch (dag.node(id).expr()) {
            case Expr.In(int i) -> i == input ? ONE : ZERO;
            case Expr.Const _ -> ZERO;
            case Expr.Apply1 r -> isZero(d[args[0]]) ? ZERO : term(partial(r), d[args[0]]);
            case Expr.Apply2 r -> chain(r, d[args[0]], d[args[1]]);
            case Expr.Select s -> choose(s.test(), d[args[1]], d[args[2]]);
            case Step _ -> throw new IllegalStateException("spelled out already: " + e);
          };
    }
    return Simplify.of(d[dag.root(0)])[0];
  }

  /** The derivative of r = fn(x). */
  private static Expr partial(Expr.Apply1 r) {
    Expr x = r.a();
    return switch (r.fn()) {
      case NEG -> num(-1);
      case ABS -> Expr.of(Fn1.SIGN, x);
      case SQRT -> HALF.over(r);
      case CBRT -> ONE.over(num(3).times(square(r)));
      case EXP -> r;
      case EXP2 -> r.times(Math.log(2));
      case EXPM1 -> Expr.of(Fn1.EXP, x);
      case LOG -> ONE.over(x);
      case LOG2 -> ONE.over(x.times(Math.log(2)));
      case LOG10 -> ONE.over(x.times(Math.log(10)));
      case LOG1P -> ONE.over(ONE.plus(x));
      case SIN -> Expr.of(Fn1.COS, x);
      case COS -> Expr.of(Fn1.SIN, x).negate();
      case TAN -> ONE.plus(square(r));
      case ASIN -> ONE.over(sqrt(ONE.minus(x).times(ONE.plus(x))));
      case ACOS -> num(-1).over(sqrt(ONE.minus(x).times(ONE.plus(x))));
      case ATAN -> ONE.over(ONE.plus(square(x)));
      case SINH -> Expr.of(Fn1.COSH, x);
      case COSH -> Expr.of(Fn1.SINH, x);
      case TANH -> ONE.minus(square(r));
      case ASINH -> ONE.over(lengthWithOne(x));
      // Two roots: the root of the product would be a number below -1, where acosh is not defined.
      case ACOSH -> ONE.over(sqrt(x.minus(ONE)).times(sqrt(x.plus(ONE))));
      case ATANH -> ONE.over(ONE.minus(x).times(ONE.plus(x)));
      case ERF -> Expr.of(Fn1.EXP, square(x).negate()).times(2 / Math.sqrt(Math.PI));
      case NORMAL -> density(x);
      case GELU -> Expr.of(Fn1.NORMAL, x).plus(x.times(density(x)));
      case SIGN, FLOOR, CEIL, RINT, NOT, ISNAN, ISINF, ISFINITE -> ZERO;
    };
  }

  /** That of the normal distribution. */
  private static Expr density(Expr x) {
    return Expr.of(Fn1.EXP, square(x).times(-0.5)).times(1 / Math.sqrt(2 * Math.PI));
  }

  /** The derivative of r = fn(x, y), given those of x and y. */
  private static Expr chain(Expr.Apply2 r, Expr dx, Expr dy) {
    if (isZero(dx) && isZero(dy)) {
      return ZERO;
    }
    Expr x = r.a();
    Expr y = r.b();
    return switch (r.fn()) {
      case ADD -> sum(dx, dy);
      case SUB -> sum(dx, term(num(-1), dy));
      case MUL -> sum(term(y, dx), term(x, dy));
      case DIV -> sum(term(ONE.over(y), dx), term(r.over(y).negate(), dy));
      case REMAINDER -> sum(dx, term(Expr.of(Fn2.FLOOR_DIV, x, y).negate(), dy));
      case POW ->
          sum(
              isZero(dx) ? ZERO : term(powerInBase(x, y), dx),
              isZero(dy) ? ZERO : term(powerInExponent(r), dy));
      case MAX -> larger(x, y, dx, dy);
      case MIN -> larger(y, x, dx, dy);
      case HYPOT ->
          sum(term(atOrigin(r, ZERO, x.over(r)), dx), term(atOrigin(r, ZERO, y.over(r)), dy));
      case ATAN2 -> {
        // The first argument is the ordinate.
        Expr norm = square(x).plus(square(y));
        yield sum(
            term(atOrigin(norm, ZERO, y.over(norm)), dx),
            term(atOrigin(norm, ZERO, x.over(norm).negate()), dy));
      }
      case FLOOR_DIV, LT, LE, GT, GE, EQ, NE, AND, OR, XOR -> ZERO;
    };
  }

  private static Expr powerInBase(Expr x, Expr y) {
    Expr slope = y.times(Expr.of(Fn2.POW, x, y.minus(ONE)));
    return y instanceof Expr.Const
        ? isZero(y) ? ZERO : slope
        : Expr.select(Expr.of(Fn2.EQ, y, ZERO), ZERO, slope);
  }

  private static Expr powerInExponent(Expr.Apply2 r) {
    Expr flat = Expr.of(Fn2.AND, Expr.of(Fn2.EQ, r.a(), ZERO), Expr.of(Fn2.GE, r.b(), ZERO));
    return Expr.select(flat, ZERO, r.times(Expr.of(Fn1.LOG, r.a())));
  }

  /**
   * The derivative dx where x is above y, dy where it is below, their mean where they are equal,
   * and their sum where one is NaN, for nobody knows which is the larger. Written as a choice of
   * derivatives, so that an infinite one of the argument that lost is not multiplied by 0. Where
   * one argument is a constant and the other's derivative is one, as in relu, as arithmetic: it has
   * no branches for data to mispredict.
   */
  private static Expr larger(Expr x, Expr y, Expr dx, Expr dy) {
    if ((isFinite(x) || isFinite(y)) && isFinite(dx) && isFinite(dy)) {
      Expr half = HALF.times(Expr.of(Fn1.SIGN, x.minus(y)));
      return sum(term(HALF.plus(half), dx), term(HALF.minus(half), dy));
    }
    Expr both = sum(dx, dy);
    Expr notBelow = isZero(dy) ? dx : choose(Expr.of(Fn2.LT, y, x), dx, both);
    return Expr.select(
        Expr.of(Fn2.EQ, x, y), term(HALF, both), choose(Expr.of(Fn2.LT, x, y), dy, notBelow));
  }

  private static boolean isFinite(Expr e) {
    return e instanceof Expr.Const(double c) && Double.isFinite(c);
  }

  /** √(x² + 1); where x² may overflow, the 1 is below its last digit. */
  private static Expr lengthWithOne(Expr x) {
    Expr size = Expr.of(Fn1.ABS, x);
    Expr isLarge = Expr.of(Fn2.GT, size, num(0x1p32));
    return Expr.select(isLarge, size, sqrt(square(x).plus(ONE)));
  }

  private static Expr atOrigin(Expr norm, Expr there, Expr elsewhere) {
    return Expr.select(Expr.of(Fn2.EQ, norm, ZERO), there, elsewhere);
  }

  private static Expr choose(Expr test, Expr yes, Expr no) {
    return isZero(yes) && isZero(no) ? ZERO : Expr.select(test, yes, no);
  }

  private static Expr term(Expr partial, Expr d) {
    return isZero(partial) || isZero(d) ? ZERO : partial.times(d);
  }

  /** The term with the product inside choices: a partial derivative that is not chosen is none. */
  private static Expr within(Expr partial, Expr d) {
    return partial instanceof Expr.Select(Expr test, Expr yes, Expr no)
        ? choose(test, within(yes, d), within(no, d))
        : term(partial, d);
  }

  private static Expr sum(Expr a, Expr b) {
    return isZero(a) ? b : isZero(b) ? a : a.plus(b);
  }

  private static Expr square(Expr x) {
    return x.times(x);
  }

  private static Expr sqrt(Expr x) {
    return Expr.of(Fn1.SQRT, x);
  }

  private static boolean isZero(Expr e) {
    return Simplify.is(e, 0);
  }
}
