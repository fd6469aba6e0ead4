package ndgrad.kernel.expr;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.code.Interpreter;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import org.junit.jupiter.api.Test;

class DerivativeTest {
  private static final double NAN = Double.NaN;
  private static final double INF = Double.POSITIVE_INFINITY;
  private static final Expr X = Expr.in(0);
  private static final Expr Y = Expr.in(1);
  private static final Interpreter DOUBLES =
      new Interpreter(new DType[] {DType.FLOAT64, DType.FLOAT64}, DType.FLOAT64);

  private static double at(Expr e, double x, double y) {
    return (Double) Interpreter.convert(DOUBLES.eval(e, x, y), DType.FLOAT64);
  }

  /** A fourth-order central difference. */
  private static double slope(Expr e, int input, double x, double y) {
    double h = 1e-3;
    double sum = 0;
    double[] weights = {1, -8, 8, -1};
    double[] steps = {-2, -1, 1, 2};
    for (int i = 0; i < 4; i++) {
      double d = steps[i] * h;
      sum += weights[i] * (input == 0 ? at(e, x + d, y) : at(e, x, y + d));
    }
    return sum / (12 * h);
  }

  private static void check(Expr e, int input, double x, double y) {
    double expected = slope(e, input, x, y);
    double found = at(Derivative.of(e, input), x, y);
    double tolerance = 1e-6 * Math.max(1, Math.abs(expected));
    assertEquals(expected, found, tolerance, "d(" + e + ")/dx" + input + " at " + x + ", " + y);
  }

  /** A point inside the domain, off the kinks. */
  private static double inside(Fn1 fn, Random r) {
    double u = r.nextDouble();
    return switch (fn) {
      case ACOSH -> 1.3 + u;
      case SQRT, LOG, LOG2, LOG10, CBRT -> 0.4 + 2 * u;
      case LOG1P -> u - 0.4;
      case ASIN, ACOS, ATANH -> 1.4 * u - 0.7;
      case FLOOR, CEIL -> 3 + 0.1 + 0.8 * u;
      case RINT -> 3 - 0.4 + 0.8 * u;
      default -> r.nextBoolean() ? 0.1 + u : -0.1 - u;
    };
  }

  @Test
  void everyFunctionOfOneArgumentToThirdOrder() {
    Random r = new Random(1);
    for (Fn1 fn : Fn1.values()) {
      for (int i = 0; i < 10; i++) {
        double x = inside(fn, r);
        Expr e = Expr.of(fn, X);
        for (int order = 0; order < 3; order++) {
          check(e, 0, x, 0);
          e = Derivative.of(e, 0);
        }
      }
    }
  }

  @Test
  void everyFunctionOfTwoArgumentsToSecondOrderAndMixed() {
    Random r = new Random(2);
    for (Fn2 fn : Fn2.values()) {
      for (int i = 0; i < 10; i++) {
        boolean power = fn == Fn2.POW;
        double x = (power || r.nextBoolean() ? 1 : -1) * (0.5 + 0.4 * r.nextDouble());
        double y = (r.nextBoolean() ? 1 : -1) * (1.1 + 0.35 * r.nextDouble());
        Expr e = Expr.of(fn, X, Y);
        for (int first = 0; first < 2; first++) {
          check(e, first, x, y);
          for (int second = 0; second < 2; second++) {
            check(Derivative.of(e, first), second, x, y);
          }
        }
      }
    }
  }

  @Test
  void chainsOfSmoothFunctions() {
    Fn1[] smooth = {
      Fn1.SIN, Fn1.COS, Fn1.TANH, Fn1.ERF, Fn1.ATAN, Fn1.ASINH, Fn1.NEG, Fn1.EXP, Fn1.EXPM1
    };
    for (int seed = 0; seed < 300; seed++) {
      Random r = new Random(seed);
      Expr e = smooth(r, smooth, 4);
      double x = r.nextDouble() - 0.5;
      double y = r.nextDouble() - 0.5;
      for (int input = 0; input < 2; input++) {
        check(e, input, x, y);
        check(Derivative.of(e, input), 0, x, y);
      }
    }
  }

  private static Expr smooth(Random r, Fn1[] fns, int depth) {
    if (depth == 0) {
      return r.nextInt(3) == 0 ? Expr.num(r.nextInt(5) - 2) : Expr.in(r.nextInt(2));
    }
    Expr a = smooth(r, fns, depth - 1);
    Expr b = smooth(r, fns, depth - 1);
    return switch (r.nextInt(6)) {
      case 0 -> a.plus(b);
      case 1 -> a.minus(b);
      case 2 -> Expr.of(Fn1.SIN, a).times(b);
      case 3 -> a.over(Expr.of(Fn1.COSH, Expr.of(Fn1.SIN, b)));
      case 4 -> Expr.select(Expr.of(Fn2.LT, Expr.in(0), Expr.num(9)), a, Expr.of(Fn1.LOG, b));
      default -> Expr.of(fns[r.nextInt(fns.length)], Expr.of(Fn1.SIN, a));
    };
  }

  @Test
  void kinksFollowTheWrittenPolicy() {
    Object[][] rows = {
      {Expr.of(Fn1.ABS, X), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn1.SIGN, X), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn1.SQRT, X), 0, 0.0, 0.0, INF},
      {Expr.of(Fn1.CBRT, X), 0, 0.0, 0.0, INF},
      {Expr.of(Fn1.FLOOR, X), 0, 2.0, 0.0, 0.0},
      {Expr.of(Fn2.MAX, X, Y), 0, 1.0, 1.0, 0.5},
      {Expr.of(Fn2.MAX, X, Y), 1, 1.0, 1.0, 0.5},
      {Expr.of(Fn2.MIN, X, Y), 0, 1.0, 1.0, 0.5},
      {Expr.of(Fn2.MIN, X, Y), 1, 1.0, 2.0, 0.0},
      {Expr.of(Fn2.MAX, Expr.of(Fn1.LOG, X), Expr.num(0)), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.MAX, X, Expr.num(0)), 0, 0.0, 0.0, 0.5},
      {Expr.of(Fn2.MAX, X, Expr.num(0)), 0, -1.0, 0.0, 0.0},
      {Expr.of(Fn2.MAX, Expr.num(0), X), 0, INF, 0.0, 1.0},
      {Expr.of(Fn2.MIN, X.times(3), Expr.num(2)), 0, -INF, 0.0, 3.0},
      {Expr.of(Fn2.MIN, X, Expr.num(2)), 0, 2.0, 0.0, 0.5},
      {Expr.of(Fn2.MAX, X, Y), 0, INF, INF, 0.5},
      {Expr.of(Fn2.MAX, X, Y), 0, NAN, 1.0, 1.0},
      {Expr.of(Fn2.MAX, X, Y), 1, NAN, 1.0, 1.0},
      {Expr.of(Fn2.MIN, X, Y), 0, 1.0, NAN, 1.0},
      {Expr.of(Fn2.MIN, X, X.times(Y)), 0, NAN, 3.0, 4.0},
      {Expr.of(Fn2.POW, X, Y), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.POW, X, Y), 0, 0.0, 1.0, 1.0},
      {Expr.of(Fn2.POW, X, Y), 0, 0.0, 2.0, 0.0},
      {Expr.of(Fn2.POW, X, Y), 0, -2.0, 3.0, 12.0},
      {Expr.of(Fn2.POW, X, Y), 1, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.POW, X, Y), 1, 0.0, 2.0, 0.0},
      {Expr.of(Fn2.POW, X, Expr.num(0)), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.HYPOT, X, Y), 0, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.ATAN2, X, Y), 1, 0.0, 0.0, 0.0},
      {Expr.of(Fn2.REMAINDER, X, Y), 0, 7.0, -2.0, 1.0},
      {Expr.of(Fn2.REMAINDER, X, Y), 1, 7.0, -2.0, 4.0},
      {Expr.select(Expr.of(Fn2.GT, X, Expr.num(0)), Expr.of(Fn1.LOG, X), X), 0, 0.0, 0.0, 1.0},
      {Expr.select(Expr.of(Fn2.GT, X, Expr.num(0)), Expr.of(Fn1.SQRT, X), Y), 0, -1.0, 0.0, 0.0},
      {Expr.of(Fn1.ACOSH, X), 0, -2.0, 0.0, NAN},
    };
    for (Object[] row : rows) {
      Expr e = (Expr) row[0];
      double found = at(Derivative.of(e, (Integer) row[1]), (Double) row[2], (Double) row[3]);
      assertEquals((Double) row[4], found, 1e-12, e + " in x" + row[1]);
    }
    Expr second = Derivative.of(Derivative.of(Expr.of(Fn2.POW, X, Y), 0), 0);
    assertEquals(2, at(second, 0, 2), "x² at 0, the exponent being an input");
  }

  @Test
  void theDerivativeOfAsinhIsTheReciprocalWhereTheSquareOverflows() {
    Expr asinh = Derivative.of(Expr.of(Fn1.ASINH, X), 0);
    for (double x : new double[] {1e200, -1e200, 0x1p32, 0x1.000001p32, 1e-200}) {
      double slope = 1 / Math.hypot(x, 1);
      assertEquals(slope, at(asinh, x, 0), 1e-15 * slope, "asinh at " + x);
      double curve = -x / Math.pow(Math.hypot(x, 1), 3);
      assertEquals(curve, at(Derivative.of(asinh, 0), x, 0), 1e-14 * Math.abs(curve));
    }
  }

  @Test
  void derivativesOfHigherOrderStaySmall() {
    Expr gelu = X.times(0.5).times(Expr.num(1).plus(Expr.of(Fn1.ERF, X.times(Math.sqrt(0.5)))));
    Expr e = gelu;
    for (int order = 1; order <= 6; order++) {
      e = Derivative.of(e, 0);
      int nodes = new Dag(e).size();
      assertTrue(nodes < 60 * order, "order " + order + " has " + nodes + " nodes");
    }
    assertEquals("exp(x0)", Derivative.of(Expr.of(Fn1.EXP, X), 0).toString());
    assertEquals("2 * x0", Derivative.of(Expr.of(Fn2.POW, X, Expr.num(2)), 0).toString());
    assertEquals("0", Derivative.of(Expr.of(Fn1.EXP, X), 1).toString());
    assertEquals("x1", Derivative.of(X.times(Y), 0).toString());
    Expr tower = X;
    for (int i = 0; i < 200; i++) {
      tower = Expr.of(Fn1.SIN, tower).times(tower);
    }
    assertTrue(
        new Dag(Derivative.of(tower, 0)).size() < 2000, "shared subexpressions are one node");
  }
}
