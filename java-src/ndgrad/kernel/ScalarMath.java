package ndgrad.kernel;

/**
 * The scalar functions that {@link Math} lacks or defines otherwise. Generated kernels call them.
 * Functions of one {@code double} serve {@code float32} too, whose results are rounded once.
 */
final class ScalarMath {
  private static final double LN2 = Math.log(2);
  private static final double LOG2_E = 1 / LN2;
  private static final double TWO_28 = 0x1p28;

  private ScalarMath() {}

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
   * NumPy's floor_divide: the quotient that goes with {@link #remainder(double, double)}, which is
   * computed exactly, so that x is never a rounding error away from {@code y * floorDiv +
   * remainder}. x / 0 is x / 0, a quotient of 0 has the sign of x / y.
   */
  static double floorDiv(double x, double y) {
    if (y == 0) {
      return x / y;
    }
    double rest = x % y;
    double quotient = (x - rest) / y;
    if (rest != 0 && (y < 0) != (rest < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return Math.copySign(0.0, x / y);
    }
    return Math.rint(quotient);
  }

  /**
   * {@link #floorDiv(double, double)} in single precision; the exact steps are the same in both.
   */
  static float floorDiv(float x, float y) {
    if (y == 0) {
      return x / y;
    }
    float rest = x % y;
    float quotient = (x - rest) / y;
    if (rest != 0 && (y < 0) != (rest < 0)) {
      quotient -= 1;
    }
    if (quotient == 0) {
      return Math.copySign(0f, x / y);
    }
    return (float) Math.rint(quotient);
  }

  /** NumPy's remainder: the sign of y, also of a zero; NaN for y = 0 and infinite x. */
  static double remainder(double x, double y) {
    double rest = x % y;
    if (rest == 0) {
      return Math.copySign(0.0, y);
    }
    return (y < 0) != (rest < 0) ? rest + y : rest;
  }

  /** {@link #remainder(double, double)} in single precision. */
  static float remainder(float x, float y) {
    float rest = x % y;
    if (rest == 0) {
      return Math.copySign(0f, y);
    }
    return (y < 0) != (rest < 0) ? rest + y : rest;
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

  /** x to the power y in double precision, rounded once. */
  static float pow(float x, float y) {
    return (float) Math.pow(x, y);
  }

  /** x to the power y. */
  static double pow(double x, double y) {
    return Math.pow(x, y);
  }

  /** sqrt(x² + y²); double precision holds the squares of all floats. */
  static float hypot(float x, float y) {
    if (Float.isInfinite(x) || Float.isInfinite(y)) {
      return Float.POSITIVE_INFINITY;
    }
    return (float) Math.sqrt((double) x * x + (double) y * y);
  }

  /** sqrt(x² + y²) without overflow. */
  static double hypot(double x, double y) {
    return Math.hypot(x, y);
  }

  /** The angle of the point (x, y), computed in double precision. */
  static float atan2(float y, float x) {
    return (float) Math.atan2(y, x);
  }

  /** The angle of the point (x, y). */
  static double atan2(double y, double x) {
    return Math.atan2(y, x);
  }

  /** 2^x, exact for integers. */
  static double exp2(double x) {
    return Math.pow(2, x);
  }

  /**
   * Base-2 logarithm, exact for powers of two: the exponent is split off, so that log sees a number
   * about 1.
   */
  static double log2(double x) {
    if (!(x > 0) || x == Double.POSITIVE_INFINITY) {
      return Math.log(x);
    }
    int e = Math.getExponent(x);
    if (e < Double.MIN_EXPONENT) {
      return log2(x * 0x1p54) - 54;
    }
    double m = Math.scalb(x, -e);
    return m > 1.414 ? e + 1 + Math.log(m / 2) * LOG2_E : e + Math.log(m) * LOG2_E;
  }

  /**
   * Inverse hyperbolic sine; log1p keeps the digits of small x, and x² is left out where it would
   * overflow.
   */
  static double asinh(double x) {
    double a = Math.abs(x);
    double r = a > TWO_28 ? Math.log(a) + LN2 : Math.log1p(a + a * a / (1 + Math.sqrt(a * a + 1)));
    return Math.copySign(r, x);
  }

  /** Inverse hyperbolic cosine, NaN below 1; in terms of x - 1, which is exact near 1. */
  static double acosh(double x) {
    if (x < 1) {
      return Double.NaN;
    }
    if (x > TWO_28) {
      return Math.log(x) + LN2;
    }
    double t = x - 1;
    return Math.log1p(t + Math.sqrt(2 * t + t * t));
  }

  /** Inverse hyperbolic tangent, infinite at ±1, NaN outside. */
  static double atanh(double x) {
    double a = Math.abs(x);
    double r = 0.5 * Math.log1p(a < 0.5 ? 2 * a + 2 * a * a / (1 - a) : 2 * a / (1 - a));
    return Math.copySign(r, x);
  }

  static final double ERF_1 = 0.845062911510467529297;
  static final double[] ERF_SMALL_P = {
    1.28379167095512558561e-01,
    -3.25042107247001499370e-01,
    -2.84817495755985104766e-02,
    -5.77027029648944159157e-03,
    -2.37630166566501626084e-05
  };
  static final double[] ERF_SMALL_Q = {
    1,
    3.97917223959155352819e-01,
    6.50222499887672944485e-02,
    5.08130628187576562776e-03,
    1.32494738004321644526e-04,
    -3.96022827877536812320e-06
  };
  static final double[] ERF_MIDDLE_P = {
    -2.36211856075265944077e-03, 4.14856118683748331666e-01, -3.72207876035701323847e-01,
    3.18346619901161753674e-01, -1.10894694282396677476e-01, 3.54783043256182359371e-02,
    -2.16637559486879084300e-03
  };
  static final double[] ERF_MIDDLE_Q = {
    1,
    1.06420880400844228286e-01,
    5.40397917702171048937e-01,
    7.18286544141962662868e-02,
    1.26171219808761642112e-01,
    1.36370839120290507362e-02,
    1.19844998467991074170e-02
  };
  static final double[] ERFC_LOW_P = {
    -9.86494403484714822705e-03, -6.93858572707181764372e-01, -1.05586262253232909814e+01,
    -6.23753324503260060396e+01, -1.62396669462573470355e+02, -1.84605092906711035994e+02,
    -8.12874355063065934246e+01, -9.81432934416914548592e+00
  };
  static final double[] ERFC_LOW_Q = {
    1,
    1.96512716674392571292e+01,
    1.37657754143519042600e+02,
    4.34565877475229228821e+02,
    6.45387271733267880336e+02,
    4.29008140027567833386e+02,
    1.08635005541779435134e+02,
    6.57024977031928170135e+00,
    -6.04244152148580987438e-02
  };
  static final double[] ERFC_HIGH_P = {
    -9.86494292470009928597e-03, -7.99283237680523006574e-01, -1.77579549177547519889e+01,
    -1.60636384855821916062e+02, -6.37566443368389627722e+02, -1.02509513161107724954e+03,
    -4.83519191608651397019e+02
  };
  static final double[] ERFC_HIGH_Q = {
    1,
    3.03380607434824582924e+01,
    3.25792512996573918826e+02,
    1.53672958608443695994e+03,
    3.19985821950859553908e+03,
    2.55305040643316442583e+03,
    4.74528541206955367215e+02,
    -2.24409524465858183362e+01
  };

  /**
   * The error function to about one unit in the last place, by the rational approximations on four
   * intervals that Sun Microsystems published with fdlibm's s_erf (1993): x + x R(x²) below
   * 0.84375, a polynomial about 1 below 1.25, and 1 - exp(-x²) R(1/x²) / x above.
   */
  static double erf(double x) {
    double a = Math.abs(x);
    if (a < 0.84375) {
      double z = x * x;
      return x + x * (polynomial(ERF_SMALL_P, z) / polynomial(ERF_SMALL_Q, z));
    }
    if (a < 1.25) {
      double s = a - 1;
      double r = ERF_1 + polynomial(ERF_MIDDLE_P, s) / polynomial(ERF_MIDDLE_Q, s);
      return Math.copySign(r, x);
    }
    if (a >= 6) {
      return Math.copySign(1.0, x);
    }
    if (Double.isNaN(x)) {
      return x;
    }
    double s = 1 / (a * a);
    double r =
        a < 1 / 0.35
            ? polynomial(ERFC_LOW_P, s) / polynomial(ERFC_LOW_Q, s)
            : polynomial(ERFC_HIGH_P, s) / polynomial(ERFC_HIGH_Q, s);
    // exp(-a²) is taken in two factors, the square of a shortened a being exact.
    double z = Double.longBitsToDouble(Double.doubleToRawLongBits(a) & 0xffffffff00000000L);
    double tail = Math.exp(-z * z - 0.5625) * Math.exp((z - a) * (z + a) + r) / a;
    return Math.copySign(1 - tail, x);
  }

  private static double polynomial(double[] c, double x) {
    double y = c[c.length - 1];
    for (int i = c.length - 2; i >= 0; i--) {
      y = y * x + c[i];
    }
    return y;
  }
}
