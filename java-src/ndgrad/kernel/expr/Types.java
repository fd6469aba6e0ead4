package ndgrad.kernel.expr;

import ndgrad.DType;

/**
 * The dtypes that the parts of expressions are computed in: an input has its load dtype, a constant
 * the {@code number} dtype of the whole computation; two operands meet in {@link DType#promote};
 * functions of floating numbers take integers as {@code float64}; bools stay bools under ADD, MUL,
 * MAX, MIN and ABS and count as 0 or 1 of the {@code number} dtype elsewhere.
 */
public final class Types {
  private Types() {}

  /**
   * The dtype of constants: what all numeric inputs promote to; without any, that of the numeric
   * outputs, else float64.
   *
   * @param load the dtypes of the inputs
   * @param outs the dtypes of the outputs
   * @return a dtype other than bool
   */
  public static DType number(DType[] load, DType... outs) {
    DType number = DType.BOOL;
    for (DType d : load) {
      number = DType.promote(number, d);
    }
    if (number == DType.BOOL) {
      for (DType d : outs) {
        number = DType.promote(number, d);
      }
    }
    return number == DType.BOOL ? DType.FLOAT64 : number;
  }

  /**
   * The dtype of each node.
   *
   * @param dag the expressions
   * @param load the dtype of each input
   * @param number the dtype of constants
   * @return by the nodes' ids
   */
  public static DType[] of(Dag dag, DType[] load, DType number) {
    DType[] types = new DType[dag.size()];
    for (int id = 0; id < types.length; id++) {
      int[] args = dag.node(id).args();
      types[id] =
          switch (dag.node(id).expr()) {
            case Expr.In(int i) -> load[i];
            case Expr.Const _ -> number;
            case Expr.Apply1(Expr.Fn1 fn, Expr _) -> type(fn, types[args[0]], number);
            case Expr.Apply2(Expr.Fn2 fn, Expr _, Expr _) ->
                type(fn, DType.promote(types[args[0]], types[args[1]]), number);
            case Expr.Select _ -> DType.promote(types[args[1]], types[args[2]]);
            case Step(Step.Op op, int _, var _) ->
                op == Step.Op.IS_NEGATIVE ? DType.BOOL : types[args[args.length - 1]];
          };
    }
    return types;
  }

  /**
   * The dtype that a function of two arguments takes them in.
   *
   * @param fn the function
   * @param a the dtype of the first
   * @param b the dtype of the second
   * @param result the dtype of what it gives
   * @return that of the result, but for comparisons
   */
  public static DType operand(Expr.Fn2 fn, DType a, DType b, DType result) {
    return switch (fn) {
      case LT, LE, GT, GE, EQ, NE -> DType.promote(a, b);
      default -> result;
    };
  }

  private static DType type(Expr.Fn1 fn, DType arg, DType number) {
    return switch (fn) {
      case NOT, ISNAN, ISINF, ISFINITE -> DType.BOOL;
      case ABS, FLOOR, CEIL, RINT -> arg;
      case NEG, SIGN -> arg == DType.BOOL ? number : arg;
      default -> floating(arg, number);
    };
  }

  private static DType type(Expr.Fn2 fn, DType args, DType number) {
    return switch (fn) {
      case ADD, MUL, MAX, MIN -> args;
      case SUB, FLOOR_DIV, REMAINDER, POW -> args == DType.BOOL ? number : args;
      case DIV, ATAN2, HYPOT -> floating(args, number);
      case LT, LE, GT, GE, EQ, NE, AND, OR, XOR -> DType.BOOL;
    };
  }

  private static DType floating(DType arg, DType number) {
    return (arg == DType.BOOL ? number : arg).toFloating();
  }
}
