package ndgrad.kernel.expr;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.EnumMap;
import java.util.Map;
import java.util.Random;
import java.util.function.DoubleUnaryOperator;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

/** The functions beside those of StrictMath, whose errors are below 1 ulp in double precision. */
class FunctionsTest {
  private static final int COUNT = 20_000;
  private static final Map<Fn1, DoubleUnaryOperator> EXPECTED = new EnumMap<>(Fn1.class);

  static {
    EXPECTED.put(Fn1.EXP, StrictMath::exp);
    EXPECTED.put(Fn1.EXPM1, StrictMath::expm1);
    EXPECTED.put(Fn1.LOG, StrictMath::log);
    EXPECTED.put(Fn1.LOG10, StrictMath::log10);
    EXPECTED.put(Fn1.LOG1P, StrictMath::log1p);
    EXPECTED.put(Fn1.SIN, StrictMath::sin);
    EXPECTED.put(Fn1.COS, StrictMath::cos);
    EXPECTED.put(Fn1.TAN, StrictMath::tan);
    EXPECTED.put(Fn1.ASIN, StrictMath::asin);
    EXPECTED.put(Fn1.ACOS, StrictMath::acos);
    EXPECTED.put(Fn1.ATAN, StrictMath::atan);
    EXPECTED.put(Fn1.SINH, StrictMath::sinh);
    EXPECTED.put(Fn1.COSH, StrictMath::cosh);
    EXPECTED.put(Fn1.TANH, StrictMath::tanh);
  }

  /** Numbers of every size, many about 1 and about multiples of π/2, and all that are special. */
  private static double argument(Random r, int i) {
    double tiny = (i & 1) == 0 ? Float.MIN_VALUE : Double.MIN_VALUE;
    double[] special = {
      0.0,
      -0.0,
      1,
      -1,
      Double.NaN,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      tiny,
      -tiny,
      Float.MIN_NORMAL,
      Double.MIN_NORMAL,
      Float.MAX_VALUE,
      -Float.MAX_VALUE,
      Double.MAX_VALUE,
      88.72283,
      88.7229,
      -87.4,
      -103.9,
      -104,
      709.782712893384,
      709.7827128933841,
      -745.2,
      -708.5,
      89.4,
      89.42,
      710.47,
      710.48,
      0.5,
      2,
      0.9999999,
      1.0000001,
      1e5,
      1.4e5,
      1e10,
      1e22
    };
    if (i < 2 * special.length) {
      return special[i / 2];
    }
    return switch (i % 5) {
      case 0 -> Double.longBitsToDouble(r.nextLong());
      case 1 -> Float.intBitsToFloat(r.nextInt());
      case 2 -> (r.nextDouble() - 0.5) * 2.2;
      case 3 -> (r.nextDouble() - 0.5) * 200;
      default -> (r.nextInt(20_000) - 10_000) * (Math.PI / 2) + r.nextGaussian() * 1e-3;
    };
  }

  private static Object run(Fn1 fn, DType dtype, Object x) {
    Strided out = Strided.zeros(dtype, DType.lengthOf(x));
    Strided in = new Strided(new Storage(x), Layout.of(DType.lengthOf(x)));
    Program.of(Expr.of(fn, Expr.in(0))).run(out, dtype, in);
    return out.array();
  }

  @Test
  void singlePrecisionIsWithinOneUnitInTheLastPlace() {
    Random r = new Random(1);
    float[] x = new float[COUNT];
    for (int i = 0; i < COUNT; i++) {
      x[i] = (float) argument(r, i);
    }
    for (var e : EXPECTED.entrySet()) {
      float[] y = (float[]) run(e.getKey(), DType.FLOAT32, x);
      double bound = e.getKey() == Fn1.TAN ? 1.1 : 1;
      for (int i = 0; i < COUNT; i++) {
        double exact = e.getValue().applyAsDouble(x[i]);
        float nearest = (float) exact;
        boolean same = Float.compare(nearest, y[i]) == 0;
        double error = Math.abs(y[i] - exact) / Math.ulp(nearest);
        assertTrue(same || error <= bound, e.getKey() + " at " + x[i] + " is " + y[i]);
      }
    }
  }

  @Test
  void doublePrecisionIsWithinTwoUnitsOfStrictMath() {
    Random r = new Random(2);
    double[] x = new double[COUNT];
    for (int i = 0; i < COUNT; i++) {
      x[i] = argument(r, i);
    }
    for (var e : EXPECTED.entrySet()) {
      double[] y = (double[]) run(e.getKey(), DType.FLOAT64, x);
      for (int i = 0; i < COUNT; i++) {
        double expected = e.getValue().applyAsDouble(x[i]);
        boolean same = Double.compare(expected, y[i]) == 0;
        boolean near = Math.abs(y[i] - expected) <= 2 * Math.ulp(expected);
        assertTrue(same || near, e.getKey() + " at " + x[i] + " is " + y[i] + ", not " + expected);
      }
    }
  }

  @Test
  void singlePrecisionAgreesWithDoublePrecision() {
    Random r = new Random(3);
    float[] x = new float[COUNT];
    double[] wide = new double[COUNT];
    for (int i = 0; i < COUNT; i++) {
      x[i] = (float) argument(r, i);
      wide[i] = x[i];
    }
    for (Fn1 fn : new Fn1[] {Fn1.EXP2, Fn1.LOG2, Fn1.ASINH, Fn1.ACOSH, Fn1.ATANH, Fn1.ERF}) {
      float[] y = (float[]) run(fn, DType.FLOAT32, x);
      double[] exact = (double[]) run(fn, DType.FLOAT64, wide);
      for (int i = 0; i < COUNT; i++) {
        boolean same = Float.compare((float) exact[i], y[i]) == 0;
        double error = Math.abs(y[i] - exact[i]) / Math.ulp((float) exact[i]);
        assertTrue(same || error <= 1, fn + " at " + x[i] + " is " + y[i]);
      }
    }
  }

  /** The error of float32 is a last digit of 1, wherever it is. */
  @Test
  void theNormalDistributionIsThatOfTheErrorFunction() {
    int n = 200_001;
    double[] x = new double[n];
    float[] single = new float[n];
    for (int i = 0; i < n; i++) {
      single[i] = (i - n / 2) * 1e-4f;
      x[i] = single[i];
    }
    double[] special = {
      Double.NEGATIVE_INFINITY, Double.POSITIVE_INFINITY, Double.NaN, -1e30, 1e30
    };
    for (int i = 0; i < special.length; i++) {
      x[i] = special[i];
      single[i] = (float) special[i];
    }
    double[] y = (double[]) run(Fn1.NORMAL, DType.FLOAT64, x);
    double[] scaled = Arrays.stream(x).map(v -> v * Math.sqrt(0.5)).toArray();
    double[] erf = (double[]) run(Fn1.ERF, DType.FLOAT64, scaled);
    float[] close = (float[]) run(Fn1.NORMAL, DType.FLOAT32, single);
    for (int i = 0; i < n; i++) {
      assertEquals((1 + erf[i]) / 2, y[i], 0x1p-53, "at " + x[i]);
      assertEquals(y[i], close[i], 0x1p-23, "at " + x[i]);
    }
    assertEquals(0.5f, ((float[]) run(Fn1.NORMAL, DType.FLOAT32, new float[] {0}))[0]);
    double[] times = (double[]) run(Fn1.GELU, DType.FLOAT64, x);
    float[] product = (float[]) run(Fn1.GELU, DType.FLOAT32, single);
    for (int i = 0; i < n; i++) {
      double expected = x[i] == Double.NEGATIVE_INFINITY ? 0 : x[i] * y[i];
      double size = Math.abs(expected) > 1 ? Math.abs(expected) : 1;
      assertEquals(expected, times[i], 0x1p-52 * size, "at " + x[i]);
      assertEquals(expected, product[i], 0x1p-23 * size, "at " + x[i]);
    }
  }

  @Test
  void everyFunctionThatIsNoSingleStepIsSpelledOut() {
    for (Fn1 fn : Fn1.values()) {
      for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
        boolean spelled = Functions.of(dtype).spell(fn, Expr.in(0)).isPresent();
        assertEquals(Functions.isSpelled(fn), spelled, fn.name());
      }
    }
  }
}
