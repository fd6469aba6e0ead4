package ndgrad.kernel.code;

import java.math.BigInteger;
import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Functions;
import ndgrad.kernel.expr.Step;

/**
 * Evaluates an expression for one element, slowly and by the book: what {@code Program} is compared
 * with.
 */
public final class Interpreter {
  private final DType[] load;
  private final DType number;

  public Interpreter(DType[] load, DType number) {
    this.load = load;
    this.number = number;
  }

  static DType typeOf(Object value) {
    return switch (value) {
      case Boolean _ -> DType.BOOL;
      case Integer _ -> DType.INT32;
      case Long _ -> DType.INT64;
      case Float _ -> DType.FLOAT32;
      default -> DType.FLOAT64;
    };
  }

  /** A value of another dtype, by the rules of conversion. */
  public static Object convert(Object value, DType to) {
    if (value instanceof Boolean b) {
      return to == DType.BOOL ? b : convert(b ? 1 : 0, to);
    }
    Number n = (Number) value;
    return switch (to) {
      case BOOL -> n.doubleValue() != 0;
      case INT32 -> n.intValue();
      case INT64 -> n.longValue();
      case FLOAT32 -> n.floatValue();
      case FLOAT64 -> n.doubleValue();
    };
  }

  public Object eval(Expr e, Object... ins) {
    return switch (e) {
      case Expr.In(int i) -> convert(ins[i], load[i]);
      case Expr.Const(double c) -> convert(c, number);
      case Expr.Apply1(Expr.Fn1 fn, Expr a) -> apply(fn, eval(a, ins));
      case Expr.Apply2(Expr.Fn2 fn, Expr a, Expr b) -> apply(fn, eval(a, ins), eval(b, ins));
      case Expr.Select(Expr test, Expr yes, Expr no) -> {
        Object y = eval(yes, ins);
        Object n = eval(no, ins);
        DType type = DType.promote(typeOf(y), typeOf(n));
        yield convert(isTrue(eval(test, ins)) ? y : n, type);
      }
      case Step step -> throw new IllegalArgumentException(step.toString());
    };
  }

  private static boolean isTrue(Object value) {
    return (Boolean) convert(value, DType.BOOL);
  }

  private Object apply(Expr.Fn1 fn, Object a) {
    DType type = typeOf(a);
    double x = (Double) convert(a, DType.FLOAT64);
    switch (fn) {
      case NOT:
        return !isTrue(a);
      case ISNAN:
        return Double.isNaN(x);
      case ISINF:
        return Double.isInfinite(x);
      case ISFINITE:
        return Double.isFinite(x);
      case NEG, SIGN, ABS:
        if (type == DType.BOOL && fn == Expr.Fn1.ABS) {
          return a;
        }
        return signs(fn, type == DType.BOOL ? convert(a, number) : a);
      case FLOOR, CEIL, RINT:
        return type.isFloating() ? convert(real(fn, x), type) : a;
      default:
        DType floating = (type == DType.BOOL ? number : type).toFloating();
        return Functions.isSpelled(fn)
            ? spelled(fn, convert(a, floating))
            : convert(real(fn, x), floating);
    }
  }

  private static Object signs(Expr.Fn1 fn, Object a) {
    if (!(a instanceof Double || a instanceof Float)) {
      BigInteger x = BigInteger.valueOf(((Number) a).longValue());
      BigInteger y =
          switch (fn) {
            case NEG -> x.negate();
            case ABS -> x.abs();
            default -> BigInteger.valueOf(x.signum());
          };
      return wrap(y, typeOf(a));
    }
    double x = ((Number) a).doubleValue();
    double y =
        switch (fn) {
          case NEG -> -x;
          case ABS -> Math.abs(x);
          default -> x > 0 ? 1 : x < 0 ? -1 : x;
        };
    return convert(y, typeOf(a));
  }

  private static Object wrap(BigInteger value, DType type) {
    return type == DType.INT32 ? (Object) value.intValue() : (Object) value.longValue();
  }

  /** A function by its steps, one after the other; their accuracy is FunctionsTest's concern. */
  private static Object spelled(Expr.Fn1 fn, Object x) {
    DType type = typeOf(x);
    Expr body = Functions.of(type).spell(fn, Expr.in(0)).orElseThrow();
    return new Interpreter(new DType[] {type}, type).shared(body, x);
  }

  /** Evaluates an expression whose subexpressions occur many times, each once. */
  private Object shared(Expr e, Object... ins) {
    Dag dag = new Dag(e);
    Object[] values = new Object[dag.size()];
    for (int id = 0; id < values.length; id++) {
      int[] args = dag.node(id).args();
      Object[] at = Arrays.stream(args).mapToObj(i -> values[i]).toArray();
      values[id] =
          switch (dag.node(id).expr()) {
            case Expr.Apply1(Expr.Fn1 fn, Expr _) -> apply(fn, at[0]);
            case Expr.Apply2(Expr.Fn2 fn, Expr _, Expr _) -> apply(fn, at[0], at[1]);
            case Expr.Select _ -> isTrue(at[0]) ? at[1] : at[2];
            case Step step -> step(step, at);
            case Expr leaf -> eval(leaf, ins);
          };
    }
    return values[dag.root(0)];
  }

  private static Object step(Step step, Object[] at) {
    return switch (step.op()) {
      case FMA -> at[0] instanceof Float ? fmaSingle(at) : fma(at);
      case SIN_OF_HUGE -> isTrue(at[0]) ? huge(StrictMath::sin, at[1]) : at[2];
      case COS_OF_HUGE -> isTrue(at[0]) ? huge(StrictMath::cos, at[1]) : at[2];
      case TAN_OF_HUGE -> isTrue(at[0]) ? huge(StrictMath::tan, at[1]) : at[2];
      case REMAINDER_OF_HUGE -> isTrue(at[0]) ? divide(Expr.Fn2.REMAINDER, at) : at[2];
      case FLOOR_DIV_OF_HUGE -> isTrue(at[0]) ? divide(Expr.Fn2.FLOOR_DIV, at) : at[2];
      case IS_NEGATIVE -> bits(at[0]) < 0;
      case USUALLY -> isTrue(at[0]) ? at[1] : at[2];
      default -> onBits(step, at);
    };
  }

  private static Object divide(Expr.Fn2 fn, Object[] at) {
    return at[1] instanceof Float
        ? (Object) singles(fn, (Float) at[1], (Float) at[2])
        : (Object) doubles(fn, (Double) at[1], (Double) at[2]);
  }

  private static Object fmaSingle(Object[] at) {
    return Math.fma((Float) at[0], (Float) at[1], (Float) at[2]);
  }

  private static Object fma(Object[] at) {
    return Math.fma((Double) at[0], (Double) at[1], (Double) at[2]);
  }

  private static Object huge(DoubleUnaryOperator f, Object x) {
    return convert(f.applyAsDouble(((Number) x).doubleValue()), typeOf(x));
  }

  private static long bits(Object x) {
    return x instanceof Float f
        ? Float.floatToRawIntBits(f)
        : Double.doubleToRawLongBits((Double) x);
  }

  private static Object onBits(Step step, Object[] at) {
    long a = bits(at[0]);
    long b = at.length > 1 ? bits(at[1]) : 0;
    long y =
        switch (step.op()) {
          case ADD_BITS -> a + b;
          case SUB_BITS -> a - b;
          case AND_BITS -> a & b;
          case XOR_BITS -> a ^ b;
          case SHIFT_LEFT -> a << step.amount();
          case SHIFT_RIGHT -> a >> step.amount();
          default -> throw new IllegalArgumentException(step.toString());
        };
    return at[0] instanceof Float
        ? (Object) Float.intBitsToFloat((int) y)
        : (Object) Double.longBitsToDouble(y);
  }

  private static double real(Expr.Fn1 fn, double x) {
    return switch (fn) {
      case SQRT -> Math.sqrt(x);
      case FLOOR -> Math.floor(x);
      case CEIL -> Math.ceil(x);
      case RINT -> Math.rint(x);
      default -> throw new IllegalArgumentException(fn.toString());
    };
  }

  private Object apply(Expr.Fn2 fn, Object a, Object b) {
    DType type = DType.promote(typeOf(a), typeOf(b));
    switch (fn) {
      case AND:
        return isTrue(a) && isTrue(b);
      case OR:
        return isTrue(a) || isTrue(b);
      case XOR:
        return isTrue(a) != isTrue(b);
      case ADD, MAX:
        if (type == DType.BOOL) {
          return isTrue(a) || isTrue(b);
        }
        break;
      case MUL, MIN:
        if (type == DType.BOOL) {
          return isTrue(a) && isTrue(b);
        }
        break;
      case SUB, FLOOR_DIV, REMAINDER, POW:
        type = type == DType.BOOL ? number : type;
        break;
      case DIV, ATAN2, HYPOT:
        type = (type == DType.BOOL ? number : type).toFloating();
        break;
      default:
        return compare(fn, convert(a, type), convert(b, type));
    }
    Object x = convert(a, type);
    Object y = convert(b, type);
    if (type.isFloating() && Functions.isSpelled(fn)) {
      Expr body = Functions.of(type).spell(fn, Expr.in(0), Expr.in(1)).orElseThrow();
      return new Interpreter(new DType[] {type, type}, type).shared(body, x, y);
    }
    return switch (type) {
      case FLOAT32 -> singles(fn, (Float) x, (Float) y);
      case FLOAT64 -> doubles(fn, (Double) x, (Double) y);
      default -> wrap(integers(fn, ((Number) x).longValue(), ((Number) y).longValue()), type);
    };
  }

  private static boolean compare(Expr.Fn2 fn, Object a, Object b) {
    if (a instanceof Double || a instanceof Float) {
      double x = ((Number) a).doubleValue();
      double y = ((Number) b).doubleValue();
      return switch (fn) {
        case LT -> x < y;
        case LE -> x <= y;
        case GT -> x > y;
        case GE -> x >= y;
        case EQ -> x == y;
        default -> x != y;
      };
    }
    long x = (Long) convert(a, DType.INT64);
    long y = (Long) convert(b, DType.INT64);
    return switch (fn) {
      case LT -> x < y;
      case LE -> x <= y;
      case GT -> x > y;
      case GE -> x >= y;
      case EQ -> x == y;
      default -> x != y;
    };
  }

  private static BigInteger integers(Expr.Fn2 fn, long a, long b) {
    BigInteger x = BigInteger.valueOf(a);
    BigInteger y = BigInteger.valueOf(b);
    return switch (fn) {
      case ADD -> x.add(y);
      case SUB -> x.subtract(y);
      case MUL -> x.multiply(y);
      case MAX -> x.max(y);
      case MIN -> x.min(y);
      case POW ->
          b < 0
              ? BigInteger.valueOf(Math.abs(a) == 1 ? (b % 2 == 0 ? 1 : a) : 0)
              : x.modPow(y, BigInteger.TWO.pow(64));
      case FLOOR_DIV -> b == 0 ? BigInteger.ZERO : floorDiv(x, y);
      case REMAINDER -> b == 0 ? BigInteger.ZERO : x.subtract(floorDiv(x, y).multiply(y));
      default -> throw new IllegalArgumentException(fn.toString());
    };
  }

  private static BigInteger floorDiv(BigInteger x, BigInteger y) {
    BigInteger[] qr = x.divideAndRemainder(y);
    boolean below = qr[1].signum() != 0 && qr[1].signum() != y.signum();
    return below ? qr[0].subtract(BigInteger.ONE) : qr[0];
  }

  private static double doubles(Expr.Fn2 fn, double x, double y) {
    return switch (fn) {
      case ADD -> x + y;
      case SUB -> x - y;
      case MUL -> x * y;
      case DIV -> x / y;
      case MAX -> List.of(x, y).contains(Double.NaN) ? Double.NaN : x > y ? x : y;
      case MIN -> List.of(x, y).contains(Double.NaN) ? Double.NaN : x < y ? x : y;
      case FLOOR_DIV -> ScalarMath.floorDiv(x, y);
      case REMAINDER -> ScalarMath.remainder(x, y);
      default -> throw new IllegalArgumentException(fn.toString());
    };
  }

  private static float singles(Expr.Fn2 fn, float x, float y) {
    return switch (fn) {
      case ADD -> x + y;
      case SUB -> x - y;
      case MUL -> x * y;
      case DIV -> x / y;
      case FLOOR_DIV -> ScalarMath.floorDiv(x, y);
      case REMAINDER -> ScalarMath.remainder(x, y);
      default -> (float) doubles(fn, x, y);
    };
  }
}
