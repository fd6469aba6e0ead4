package ndgrad.kernel.expr;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.code.Interpreter;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import org.junit.jupiter.api.Test;

class ExprTest {
  private static final Expr X = Expr.in(0);
  private static final Expr Y = Expr.in(1);

  @Test
  void printsAsAPersonWouldWrite() {
    assertEquals("x0 * exp(-x1)", X.times(Expr.of(Fn1.EXP, Y.negate())).toString());
    assertEquals(
        "(x0 + x1) * (x0 - (x1 - 2))", X.plus(Y).times(X.minus(Y.minus(Expr.num(2)))).toString());
    assertEquals("x0 / (x1 / x0) / x1", X.over(Y.over(X)).over(Y).toString());
    assertEquals("-(x0 + 1)", X.plus(Expr.num(1)).negate().toString());
    assertEquals("(-0.5) * x0", Expr.num(-0.5).times(X).toString());
    assertEquals(
        "select(x0 < x1, pow(x0, 2), (x0 < x1) * x1)",
        Expr.select(
                Expr.of(Fn2.LT, X, Y),
                Expr.of(Fn2.POW, X, Expr.num(2)),
                Expr.of(Fn2.LT, X, Y).times(Y))
            .toString());
    Expr large = X;
    for (int i = 0; i < 100; i++) {
      large = large.times(large);
    }
    assertTrue(large.toString().endsWith("…"));
  }

  @Test
  void knowsAndReplacesItsInputs() {
    Expr e = X.plus(Expr.of(Fn1.SIN, Expr.in(2)));
    assertTrue(e.uses(0));
    assertFalse(e.uses(1));
    assertTrue(e.uses(2));
    assertFalse(e.uses(7));
    assertEquals("x3 + sin(x5)", e.substitute(i -> Expr.in(i + 3)).toString());
    assertEquals("2 + sin(2)", e.substitute(_ -> Expr.num(2)).toString());
  }

  @Test
  void simplifies() {
    String[][] rows = {
      {"x0", simple(X.times(1).minus(Expr.num(0)))},
      {"x0", simple(X.plus(Expr.num(-0.0)))},
      {"x0 + 0", simple(X.plus(Expr.num(0)))},
      {"0 - x0", simple(Expr.num(0).minus(X))},
      {"-(x0 - x1)", simple(X.minus(Y).negate())},
      {"0 * 2 * x0", simple(X.times(2).times(0))},
      {"pow(x0, 0.5)", simple(Expr.of(Fn2.POW, X, Expr.num(0.5)))},
      {"x0", simple(X.negate().negate())},
      {"x0 - x1", simple(X.plus(Y.negate()))},
      {"x0 + x1", simple(X.minus(Y.negate()))},
      {"x0 * x1", simple(X.negate().times(Y.negate()))},
      {"6 * x0", simple(X.times(2).times(3))},
      {"x0 * x0", simple(Expr.of(Fn2.POW, X, Expr.num(2)))},
      {"x0", simple(Expr.select(Expr.of(Fn2.LT, X, Y), X, Expr.in(0)))},
      {"0 * x0", simple(X.times(0))},
      {"5", simple(Expr.num(2).plus(Expr.num(3)))},
      {"x0 / 0", simple(X.over(Expr.num(0)))},
      {"2147483647 + 1", simple(Expr.num(Integer.MAX_VALUE).plus(Expr.num(1)))},
      {"1 * (x0 < x1)", simple(Expr.of(Fn2.LT, X, Y).times(1))},
    };
    for (String[] row : rows) {
      assertEquals(row[0], row[1]);
    }
  }

  private static String simple(Expr e) {
    return Simplify.of(e)[0].toString();
  }

  @Test
  void simplifyingKeepsTheValue() {
    DType[] load = {DType.FLOAT64, DType.FLOAT64, DType.FLOAT64};
    Interpreter interpreter = new Interpreter(load, DType.FLOAT64);
    Fn2[] arithmetic = {Fn2.ADD, Fn2.SUB, Fn2.MUL, Fn2.DIV, Fn2.MAX, Fn2.POW, Fn2.LT};
    for (int seed = 0; seed < 5000; seed++) {
      Random r = new Random(seed);
      Expr e = arithmetic(r, arithmetic, 4);
      Object[] at = new Object[3];
      for (int i = 0; i < 3; i++) {
        at[i] = r.nextInt(12) == 0 ? Double.NaN : r.nextInt(16) / 8.0 + 0.125;
      }
      double expected = (Double) Interpreter.convert(interpreter.eval(e, at), DType.FLOAT64);
      Expr simple = Simplify.of(e)[0];
      double found = (Double) Interpreter.convert(interpreter.eval(simple, at), DType.FLOAT64);
      if (Double.isFinite(expected)) {
        assertEquals(expected, found, 1e-9 * Math.abs(expected) + 1e-12, e + " became " + simple);
      } else {
        assertFalse(Double.isNaN(expected) && !Double.isNaN(found), e + " became " + simple);
      }
    }
  }

  private static Expr arithmetic(Random r, Fn2[] fns, int depth) {
    if (depth == 0) {
      return r.nextBoolean() ? Expr.num(r.nextInt(5) - 2) : Expr.in(r.nextInt(3));
    }
    Expr a = arithmetic(r, fns, r.nextInt(depth));
    return r.nextInt(4) == 0
        ? a.negate()
        : Expr.of(fns[r.nextInt(fns.length)], a, arithmetic(r, fns, r.nextInt(depth)));
  }
}
