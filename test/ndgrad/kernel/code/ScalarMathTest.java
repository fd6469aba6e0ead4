package ndgrad.kernel.code;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.math.BigDecimal;
import java.math.MathContext;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

/** The tables hold arguments and values that mpmath gives at 60 digits. */
class ScalarMathTest {
  private static final double NAN = Double.NaN;
  private static final double INF = Double.POSITIVE_INFINITY;

  private static final double[][] ERF = {
    {1e-300, 1.1283791670955126e-300},
    {1e-10, 1.1283791670955126e-10},
    {0.1, 0.1124629160182849},
    {0.3, 0.3286267594591274},
    {0.5, 0.5204998778130465},
    {0.8, 0.7421009647076605},
    {0.84375, 0.7672256612323416},
    {0.9, 0.7969082124228322},
    {1.0, 0.8427007929497149},
    {1.2, 0.9103139782296353},
    {1.25, 0.9229001282564583},
    {1.5, 0.9661051464753108},
    {2.0, 0.9953222650189527},
    {2.5, 0.999593047982555},
    {2.857, 0.9999466417399131},
    {2.9, 0.9999589021219005},
    {3.5, 0.9999992569016276},
    {4.5, 0.9999999998033839},
    {5.5, 0.9999999999999927},
    {5.9, 0.9999999999999999},
    {6.5, 1.0},
    {-0.7, -0.6778011938374184},
    {-1.1, -0.8802050695740817},
    {-3.0, -0.9999779095030014}
  };

  private static final double[][] LOG2 = {
    {5e-324, -1074.0},
    {1e-310, -1029.7977094150824},
    {1e-300, -996.5784284662087},
    {0.1, -3.321928094887362},
    {0.5, -1.0},
    {0.7, -0.5145731728297583},
    {0.71, -0.4941090702700427},
    {0.999999, -1.4426957622784505e-06},
    {1.0000001, 1.4426949695965583e-07},
    {1.4, 0.48542682717024166},
    {1.42, 0.5058909297299573},
    {2.0, 1.0},
    {3.0, 1.584962500721156},
    {10000000000.0, 33.219280948873624},
    {1e+300, 996.5784284662087}
  };

  private static final double[][] ASINH = {
    {1e-300, 1e-300},
    {1e-09, 1e-09},
    {0.0001, 9.999999983333334e-05},
    {0.1, 0.09983407889920756},
    {0.9, 0.8088669356527824},
    {2.0, 1.4436354751788103},
    {50.0, 4.605270170991424},
    {100000.0, 12.206072645555174},
    {10000000000.0, 23.7189981105004},
    {1e+300, 691.4686750787737},
    {-0.3, -0.29567304756342244},
    {-4.0, -2.0947125472611012}
  };

  private static final double[][] ACOSH = {
    {1.0, 0.0}, {1.0000001, 0.0004472135919037347}, {1.001, 0.04471763360830685},
    {1.5, 0.9624236501192069}, {2.0, 1.3169578969248168}, {10.0, 2.993222846126381},
    {100000.0, 12.206072645505174}, {10000000000.0, 23.7189981105004}, {1e+300, 691.4686750787737}
  };

  private static final double[][] ATANH = {
    {1e-300, 1e-300},
    {1e-09, 1e-09},
    {0.01, 0.010000333353334763},
    {0.3, 0.3095196042031117},
    {0.49, 0.5360603366105666},
    {0.51, 0.5627297693521489},
    {0.9, 1.4722194895832204},
    {0.999999, 7.254328619247669},
    {-0.2, -0.2027325540540822},
    {-0.8, -1.0986122886681098}
  };

  private static double value(Fn1 fn, double x) {
    Strided out = Strided.zeros(DType.FLOAT64);
    Strided in = new Strided(new Storage(new double[] {x}), Layout.of());
    Program.of(Expr.of(fn, Expr.in(0))).run(out, DType.FLOAT64, in);
    return ((double[]) out.array())[0];
  }

  private static void check(double[][] table, DoubleUnaryOperator f, double ulps) {
    for (double[] row : table) {
      assertEquals(row[1], f.applyAsDouble(row[0]), ulps * Math.ulp(row[1]), "at " + row[0]);
    }
  }

  @Test
  void accurateToAFewUnitsInTheLastPlace() {
    check(ERF, x -> value(Fn1.ERF, x), 1);
    check(LOG2, x -> value(Fn1.LOG2, x), 2);
    check(ASINH, x -> value(Fn1.ASINH, x), 2);
    check(ACOSH, x -> value(Fn1.ACOSH, x), 2);
    check(ATANH, x -> value(Fn1.ATANH, x), 2);
  }

  @Test
  void erfAgreesWithItsSeries() {
    Random r = new Random(1);
    for (int i = 0; i < 300; i++) {
      double x = r.nextDouble() * 6.2 - 0.1;
      double expected = series(x);
      assertEquals(expected, value(Fn1.ERF, x), Math.ulp(expected), "at " + x);
    }
  }

  /** 2/sqrt(pi) sum of (-1)^n x^(2n+1) / (n! (2n+1)) at 60 digits. */
  private static double series(double at) {
    MathContext digits = new MathContext(60);
    BigDecimal x = new BigDecimal(at);
    BigDecimal square = x.multiply(x, digits).negate();
    BigDecimal power = x;
    BigDecimal sum = BigDecimal.ZERO;
    for (int n = 0; n < 250; n++) {
      sum = sum.add(power.divide(BigDecimal.valueOf(2 * n + 1), digits), digits);
      power = power.multiply(square, digits).divide(BigDecimal.valueOf(n + 1), digits);
    }
    BigDecimal pi = new BigDecimal("3.14159265358979323846264338327950288419716939937510582097");
    return sum.multiply(BigDecimal.TWO).divide(pi.sqrt(digits), digits).doubleValue();
  }

  @Test
  void exactWherePowersOfTwoAre() {
    for (int n = -1074; n < 1024; n++) {
      assertEquals(n, value(Fn1.LOG2, Math.scalb(1.0, n)), 0);
      assertEquals(Math.scalb(1.0, n), value(Fn1.EXP2, n), 0);
    }
  }

  @Test
  void specialValues() {
    assertEquals(NAN, value(Fn1.ERF, NAN));
    assertEquals(1, value(Fn1.ERF, INF));
    assertEquals(-1, value(Fn1.ERF, -INF));
    assertEquals(-0.0, value(Fn1.ERF, -0.0));
    assertEquals(NAN, value(Fn1.LOG2, -1));
    assertEquals(-INF, value(Fn1.LOG2, 0));
    assertEquals(INF, value(Fn1.LOG2, INF));
    assertEquals(NAN, value(Fn1.LOG2, NAN));
    assertEquals(-INF, value(Fn1.ASINH, -INF));
    assertEquals(-0.0, value(Fn1.ASINH, -0.0));
    assertEquals(NAN, value(Fn1.ACOSH, 0.5));
    assertEquals(NAN, value(Fn1.ACOSH, -3));
    assertEquals(INF, value(Fn1.ACOSH, INF));
    assertEquals(INF, value(Fn1.ATANH, 1));
    assertEquals(-INF, value(Fn1.ATANH, -1));
    assertEquals(NAN, value(Fn1.ATANH, 1.5));
  }

  /** Rows of x, y, floor_divide(x, y), remainder(x, y) as NumPy gives them. */
  private static final double[][] DIVISIONS = {
    {7.0, 2.0, 3.0, 1.0},
    {-7.0, 2.0, -4.0, 1.0},
    {7.0, -2.0, -4.0, -1.0},
    {-7.0, -2.0, 3.0, -1.0},
    {6.0, 3.0, 2.0, 0.0},
    {-6.0, 3.0, -2.0, 0.0},
    {0.0, 3.0, 0.0, 0.0},
    {-0.0, 3.0, -0.0, 0.0},
    {0.0, -3.0, -0.0, -0.0},
    {1.0, 0.0, INF, NAN},
    {-1.0, 0.0, -INF, NAN},
    {0.0, 0.0, NAN, NAN},
    {1.0, -0.0, -INF, NAN},
    {5.0, INF, 0.0, 5.0},
    {-5.0, INF, -1.0, INF},
    {5.0, -INF, -1.0, -INF},
    {-5.0, -INF, 0.0, -5.0},
    {INF, 2.0, NAN, NAN},
    {-INF, 2.0, NAN, NAN},
    {INF, INF, NAN, NAN},
    {NAN, 1.0, NAN, NAN},
    {1.0, NAN, NAN, NAN},
    {1.0, 0.1, 9.0, 0.09999999999999995},
    {0.3, 0.1, 2.0, 0.09999999999999998},
    {1e+300, 3.0, 3.3333333333333335e+299, 0.0},
    {0.5, 0.25, 2.0, 0.0},
    {-0.25, 4.0, -1.0, 3.75},
    {5e-324, 3.0, 0.0, 5e-324},
    {-5e-324, 3.0, -1.0, 3.0}
  };

  private static final double[] ENDS = {
    0,
    -0.0,
    1,
    -1,
    NAN,
    INF,
    -INF,
    Double.MIN_VALUE,
    Double.MAX_VALUE,
    1e-310,
    0.1,
    -0.3,
    0x1p22,
    0x1p23 + 1,
    -0x1p51,
    0x1p53,
    3
  };

  @Test
  void divisionOfFloatingNumbersIsNumpys() {
    for (double[] row : DIVISIONS) {
      String at = row[0] + " by " + row[1];
      assertEquals(row[2], ScalarMath.floorDiv(row[0], row[1]), at);
      assertEquals(row[3], ScalarMath.remainder(row[0], row[1]), at);
      if ((float) row[0] == row[0] && (float) row[1] == row[1] || row[0] != row[0]) {
        assertEquals((float) row[2], ScalarMath.floorDiv((float) row[0], (float) row[1]), at);
        assertEquals((float) row[3], ScalarMath.remainder((float) row[0], (float) row[1]), at);
      }
    }
  }

  /** Those of the remainder operator, whose way kernels take for huge quotients alone. */
  @Test
  void divisionsInStepsAreTheSame() {
    Random r = new Random(5);
    int n = 200_000;
    double[] x = new double[n + ENDS.length * ENDS.length];
    double[] y = new double[x.length];
    for (int i = 0; i < n; i++) {
      int scale = r.nextInt(i % 2 == 0 ? 4 : 140) - (i % 2 == 0 ? 2 : 70);
      y[i] = (r.nextInt(40) - 20) * (i % 3 == 0 ? 1 : r.nextDouble());
      x[i] = i % 5 == 0 ? y[i] * r.nextInt(1000) : r.nextGaussian() * Math.scalb(1, scale);
      x[i] = i % 7 == 0 ? Math.nextUp(x[i]) : x[i];
    }
    for (int i = n; i < x.length; i++) {
      x[i] = ENDS[(i - n) / ENDS.length];
      y[i] = ENDS[(i - n) % ENDS.length];
    }
    double[] quotients = (double[]) divided(Fn2.FLOOR_DIV, x, y);
    double[] rests = (double[]) divided(Fn2.REMAINDER, x, y);
    float[] a = singles(x);
    float[] b = singles(y);
    float[] singleQuotients = (float[]) divided(Fn2.FLOOR_DIV, a, b);
    float[] singleRests = (float[]) divided(Fn2.REMAINDER, a, b);
    for (int i = 0; i < x.length; i++) {
      String what = x[i] + " by " + y[i];
      assertEquals(ScalarMath.floorDiv(x[i], y[i]), quotients[i], what);
      assertEquals(ScalarMath.remainder(x[i], y[i]), rests[i], what);
      assertEquals(ScalarMath.floorDiv(a[i], b[i]), singleQuotients[i], what);
      assertEquals(ScalarMath.remainder(a[i], b[i]), singleRests[i], what);
    }
  }

  private static float[] singles(double[] x) {
    float[] out = new float[x.length];
    for (int i = 0; i < x.length; i++) {
      out[i] = (float) x[i];
    }
    return out;
  }

  private static Object divided(Fn2 fn, Object x, Object y) {
    Storage a = new Storage(x);
    Layout layout = Layout.of(a.length());
    Strided out = Strided.zeros(a.dtype(), a.length());
    Program.of(Expr.of(fn, Expr.in(0), Expr.in(1)))
        .run(out, a.dtype(), new Strided(a, layout), new Strided(new Storage(y), layout));
    return out.array();
  }

  @Test
  void integerPowersWrap() {
    assertEquals(1L << 62, ScalarMath.pow(2L, 62L));
    assertEquals(0, ScalarMath.pow(2L, 64L));
    assertEquals(1, ScalarMath.pow(0, 0));
    assertEquals(-243, ScalarMath.pow(-3, 5));
    assertEquals(0, ScalarMath.pow(2, -1));
    assertEquals(-1, ScalarMath.pow(-1, -3));
    long product = 1;
    for (int n = 0; n < 100; n++, product *= 7) {
      assertEquals(product, ScalarMath.pow(7L, (long) n));
      assertEquals((int) product, ScalarMath.pow(7, n));
    }
    assertTrue(product != 0);
  }
}
