package ndgrad.kernel.expr;

import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * The functions that no single instruction computes, spelled out in exact steps: sums, products,
 * fused products and sums, quotients, roots and steps on bits, each of which has one result on
 * every machine. So the plain and the vector form of a kernel, which both follow the same steps,
 * give the same bits, and so do all machines. Where {@link Math#fma} is no instruction it is slow,
 * but right.
 */
public final class Functions {
  private static final Functions SINGLE = new Functions(DType.FLOAT32);
  private static final Functions DOUBLE = new Functions(DType.FLOAT64);

  private final Exponentials exponentials;
  private final Logarithms logarithms;
  private final Angles angles;
  private final Powers powers;
  private final Quotients quotients;

  private Functions(DType dtype) {
    exponentials = new Exponentials(dtype);
    logarithms = new Logarithms(dtype);
    angles = new Angles(dtype);
    powers = new Powers(dtype, logarithms, exponentials);
    quotients = new Quotients(dtype);
  }

  /**
   * Those of a floating dtype.
   *
   * @param dtype float32 or float64
   * @return its functions
   */
  public static Functions of(DType dtype) {
    return dtype == DType.FLOAT32 ? SINGLE : DOUBLE;
  }

  /**
   * A function of x in steps.
   *
   * @param fn the function
   * @param x its argument
   * @return the steps; empty for one that is a step itself
   */
  public Optional<Expr> spell(Fn1 fn, Expr x) {
    return Optional.ofNullable(
        switch (fn) {
          case EXP -> exponentials.exp(x);
          case EXP2 -> exponentials.exp2(x);
          case EXPM1 -> exponentials.expm1(x);
          case LOG -> logarithms.log(x);
          case LOG2 -> logarithms.log2(x);
          case LOG10 -> logarithms.log10(x);
          case LOG1P -> logarithms.log1p(x);
          case SIN -> angles.sin(x);
          case COS -> angles.cos(x);
          case TAN -> angles.tan(x);
          case ASIN -> angles.asin(x);
          case ACOS -> angles.acos(x);
          case ATAN -> angles.atan(x);
          case SINH -> exponentials.sinh(x);
          case COSH -> exponentials.cosh(x);
          case TANH -> exponentials.tanh(x);
          case ASINH -> logarithms.asinh(x);
          case ACOSH -> logarithms.acosh(x);
          case ATANH -> logarithms.atanh(x);
          case ERF -> exponentials.erf(x);
          case NORMAL -> exponentials.normal(x);
          case GELU -> exponentials.gelu(x);
          case CBRT -> powers.cbrt(x);
          case NEG, ABS, SIGN, SQRT, FLOOR, CEIL, RINT, NOT, ISNAN, ISINF, ISFINITE -> null;
        });
  }

  /**
   * A function of x and y in steps.
   *
   * @param fn the function
   * @param x its first argument
   * @param y its second argument
   * @return the steps; empty for one that is a step itself
   */
  public Optional<Expr> spell(Fn2 fn, Expr x, Expr y) {
    return Optional.ofNullable(
        switch (fn) {
          case POW -> powers.pow(x, y);
          case HYPOT -> powers.hypot(x, y);
          case ATAN2 -> angles.atan2(x, y);
          case FLOOR_DIV -> quotients.floorDiv(x, y);
          case REMAINDER -> quotients.remainder(x, y);
          default -> null;
        });
  }

  /**
   * Whether a function of two is spelled out.
   *
   * @param fn the function
   * @return false for one that is a step itself
   */
  public static boolean isSpelled(Fn2 fn) {
    return switch (fn) {
      case POW, HYPOT, ATAN2, FLOOR_DIV, REMAINDER -> true;
      default -> false;
    };
  }

  /**
   * Whether a function of one is spelled out.
   *
   * @param fn the function
   * @return false for one that is a step itself
   */
  public static boolean isSpelled(Fn1 fn) {
    return switch (fn) {
      case NEG, ABS, SIGN, SQRT, FLOOR, CEIL, RINT, NOT, ISNAN, ISINF, ISFINITE -> false;
      default -> true;
    };
  }

  /**
   * Spells out all functions of some outputs.
   *
   * @param dag the outputs
   * @param load the dtype of each input
   * @param number the dtype they are computed in
   * @return equal outputs in steps alone
   */
  public static Dag spell(Dag dag, DType[] load, DType number) {
    if (!number.isFloating() || !hasFunctions(dag)) {
      return dag;
    }
    Functions functions = of(number);
    DType[] types = Types.of(dag, load, number);
    Expr[] done = new Expr[dag.size()];
    for (int id = 0; id < done.length; id++) {
      int[] args = dag.node(id).args();
      done[id] =
          switch (dag.node(id).expr()) {
            case Expr.Apply1(Fn1 fn, Expr _) ->
                isSpelled(fn)
                    ? functions.spell(fn, number(done, types, args[0])).orElseThrow()
                    : Expr.of(fn, done[args[0]]);
            case Expr.Apply2(Fn2 fn, Expr _, Expr _) ->
                isSpelled(fn)
                    ? functions
                        .spell(fn, number(done, types, args[0]), number(done, types, args[1]))
                        .orElseThrow()
                    : Expr.of(fn, done[args[0]], done[args[1]]);
            case Expr.Select _ -> Expr.select(done[args[0]], done[args[1]], done[args[2]]);
            case Step _, Expr.In _, Expr.Const _ -> dag.node(id).expr();
          };
    }
    Expr[] outputs = new Expr[dag.outputs()];
    for (int j = 0; j < outputs.length; j++) {
      outputs[j] = done[dag.root(j)];
    }
    return new Dag(outputs);
  }

  /** An argument, a bool as 0 or 1. */
  private static Expr number(Expr[] done, DType[] types, int id) {
    return types[id] == DType.BOOL ? Expr.select(done[id], Expr.num(1), Expr.num(0)) : done[id];
  }

  private static boolean hasFunctions(Dag dag) {
    for (int id = 0; id < dag.size(); id++) {
      if (isSpelled(dag.node(id).expr())) {
        return true;
      }
    }
    return false;
  }

  /** Whether the outermost function of an expression is spelled out. */
  static boolean isSpelled(Expr e) {
    return e instanceof Expr.Apply1 one && isSpelled(one.fn())
        || e instanceof Expr.Apply2 two && isSpelled(two.fn());
  }
}
