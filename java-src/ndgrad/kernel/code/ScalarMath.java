package ndgrad.kernel.code;

import java.util.function.DoubleBinaryOperator;
import java.util.function.DoubleUnaryOperator;
import ndgrad.kernel.expr.Functions;

/**
 * Functions of one element that {@link Math} lacks or defines otherwise, beside those that {@link
 * Functions} spell out. Generated kernels call them.
 */
final class ScalarMath {
  private ScalarMath() {}

  /**
   * The number that has a key of {@link ExtremeKeys}, but a NaN where the key from the other end of
   * the order is one's. Without a branch: the JIT would leave out NaN, which it rarely sees.
   */
  static float fromKeys(int key, int other) {
    int number = key ^ key >> 31 & Integer.MAX_VALUE;
    int end = other ^ other >> 31 & Integer.MAX_VALUE;
    int nan = Float.floatToRawIntBits(Float.POSITIVE_INFINITY) - (end & Integer.MAX_VALUE) >> 31;
    return Float.intBitsToFloat(number & ~nan | end & nan);
  }

  /** The same for keys of float64. */
  static double fromKeys(long key, long other) {
    long number = key ^ key >> 63 & Long.MAX_VALUE;
    long end = other ^ other >> 63 & Long.MAX_VALUE;
    long nan = Double.doubleToRawLongBits(Double.POSITIVE_INFINITY) - (end & Long.MAX_VALUE) >> 63;
    return Double.longBitsToDouble(number & ~nan | end & nan);
  }

  /** Quotient towards -∞, 0 for a division by 0; wraps for MIN_VALUE / -1. */
  static int floorDiv(int x, int y) {
    return y == 0 ? 0 : Math.floorDiv(x, y);
  }

  /** Quotient towards -∞, 0 for a division by 0; wraps for MIN_VALUE / -1. */
  static long floorDiv(long x, long y) {
    return y == 0 ? 0 : Math.floorDiv(x, y);
  }

  /** What {@link #floorDiv(int, int)} leaves, with the sign of y; 0 for a division by 0. */
  static int remainder(int x, int y) {
    return y == 0 ? 0 : Math.floorMod(x, y);
  }

  /** What {@link #floorDiv(long, long)} leaves, with the sign of y; 0 for a division by 0. */
  static long remainder(long x, long y) {
    return y == 0 ? 0 : Math.floorMod(x, y);
  }

  /**
   * NumPy's floor_divide, for what {@code Quotients} leaves: the quotient that goes with {@link
   * #remainder(double, double)}. x / 0 is x / 0, a quotient of 0 has the sign of x / y.
   */
  static double floorDiv(double x, double y) {
    if (y == 0) {
      return x / y;
    }
    double rest = x % y;
    double quotient = (x - rest) / y - (rest * Math.signum(y) < 0 ? 1 : 0);
    double floor = Math.floor(quotient);
    return Math.copySign(quotient - floor > 0.5 ? floor + 1 : floor, x / y);
  }

  /** {@link #floorDiv(double, double)} in single precision, with its roundings. */
  static float floorDiv(float x, float y) {
    if (y == 0) {
      return x / y;
    }
    float rest = x % y;
    float quotient = (x - rest) / y - (rest * Math.signum(y) < 0 ? 1 : 0);
    float floor = (float) Math.floor(quotient);
    return Math.copySign(quotient - floor > 0.5f ? floor + 1 : floor, x / y);
  }

  /** The quotients towards -∞ of those elements of x whose bit is set, by y and into it. */
  static void floorDiv(long bits, double[] x, double[] y) {
    each(bits, x, y, ScalarMath::floorDiv);
  }

  /** The quotients towards -∞ of those elements of x whose bit is set, by y and into it. */
  static void floorDiv(long bits, float[] x, float[] y) {
    each(bits, x, y, (a, b) -> floorDiv((float) a, (float) b));
  }

  /** NumPy's remainder: the sign of y, also of a zero; NaN for y = 0 and infinite x. */
  static double remainder(double x, double y) {
    double rest = x % y;
    return rest == 0 ? Math.copySign(0.0, y) : rest * Math.signum(y) < 0 ? rest + y : rest;
  }

  /** {@link #remainder(double, double)} in single precision. */
  static float remainder(float x, float y) {
    float rest = x % y;
    return rest == 0 ? Math.copySign(0f, y) : rest * Math.signum(y) < 0 ? rest + y : rest;
  }

  /** The remainders of those elements of x whose bit is set, by y and into it. */
  static void remainder(long bits, double[] x, double[] y) {
    each(bits, x, y, ScalarMath::remainder);
  }

  /** The remainders of those elements of x whose bit is set, by y and into it. */
  static void remainder(long bits, float[] x, float[] y) {
    each(bits, x, y, (a, b) -> remainder((float) a, (float) b));
  }

  /** x to the power y by squaring, wrapping; 0 for a negative y unless x is 1 or -1. */
  static long pow(long x, long y) {
    if (y < 0) {
      return x == 1 ? 1 : x == -1 ? ((y & 1) == 0 ? 1 : -1) : 0;
    }
    long result = 1;
    for (long base = x, n = y; n != 0; n >>= 1, base *= base) {
      if ((n & 1) != 0) {
        result *= base;
      }
    }
    return result;
  }

  /**
   * x to the power y by squaring, wrapping; the low half of the long power is the wrapped int
   * power.
   */
  static int pow(int x, int y) {
    return (int) pow((long) x, (long) y);
  }

  /** The sine of an argument too large for the reduction of {@code Angles}. */
  static double sinOfHuge(double x) {
    return StrictMath.sin(x);
  }

  /** The same in single precision. */
  static float sinOfHuge(float x) {
    return (float) StrictMath.sin(x);
  }

  /** The sines of those elements of x whose bit is set. */
  static void sinOfHuge(long bits, double[] x, double[] y) {
    each(bits, x, y, StrictMath::sin);
  }

  /** The sines of those elements of x whose bit is set. */
  static void sinOfHuge(long bits, float[] x, float[] y) {
    each(bits, x, y, StrictMath::sin);
  }

  /** The cosine of an argument too large for the reduction of {@code Angles}. */
  static double cosOfHuge(double x) {
    return StrictMath.cos(x);
  }

  /** The same in single precision. */
  static float cosOfHuge(float x) {
    return (float) StrictMath.cos(x);
  }

  /** The cosines of those elements of x whose bit is set. */
  static void cosOfHuge(long bits, double[] x, double[] y) {
    each(bits, x, y, StrictMath::cos);
  }

  /** The cosines of those elements of x whose bit is set. */
  static void cosOfHuge(long bits, float[] x, float[] y) {
    each(bits, x, y, StrictMath::cos);
  }

  /** The tangent of an argument too large for the reduction of {@code Angles}. */
  static double tanOfHuge(double x) {
    return StrictMath.tan(x);
  }

  /** The same in single precision. */
  static float tanOfHuge(float x) {
    return (float) StrictMath.tan(x);
  }

  /** The tangents of those elements of x whose bit is set. */
  static void tanOfHuge(long bits, double[] x, double[] y) {
    each(bits, x, y, StrictMath::tan);
  }

  /** The tangents of those elements of x whose bit is set. */
  static void tanOfHuge(long bits, float[] x, float[] y) {
    each(bits, x, y, StrictMath::tan);
  }

  private static void each(long bits, double[] x, double[] y, DoubleUnaryOperator f) {
    each(bits, x, y, (a, _) -> f.applyAsDouble(a));
  }

  private static void each(long bits, float[] x, float[] y, DoubleUnaryOperator f) {
    each(bits, x, y, (a, _) -> f.applyAsDouble(a));
  }

  private static void each(long bits, double[] x, double[] y, DoubleBinaryOperator f) {
    for (long rest = bits; rest != 0; rest &= rest - 1) {
      int i = Long.numberOfTrailingZeros(rest);
      y[i] = f.applyAsDouble(x[i], y[i]);
    }
  }

  private static void each(long bits, float[] x, float[] y, DoubleBinaryOperator f) {
    for (long rest = bits; rest != 0; rest &= rest - 1) {
      int i = Long.numberOfTrailingZeros(rest);
      y[i] = (float) f.applyAsDouble(x[i], y[i]);
    }
  }
}
