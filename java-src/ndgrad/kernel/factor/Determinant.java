package ndgrad.kernel.factor;

/**
 * A determinant while it is multiplied: {@code mantissa · 2^exponent}, so that what is between the
 * first factor and the last neither overflows nor vanishes.
 */
final class Determinant {
  /** More than the exponents of all doubles. */
  private static final int FAR = 1 << 12;

  /** Exponents between which a product is as good as normalised. */
  private static final int ORDINARY = 500;

  private double mantissa = 1;
  private long exponent;

  void times(double x) {
    double product = mantissa * x;
    if (Math.abs(Math.getExponent(product)) < ORDINARY && Math.abs(product) > 0) {
      mantissa = product;
      return;
    }
    int e = Math.getExponent(x);
    mantissa *= Math.scalb(x, -e);
    int over = Math.getExponent(mantissa);
    mantissa = Math.scalb(mantissa, -over);
    exponent += e + over;
  }

  void turn() {
    mantissa = -mantissa;
  }

  double product() {
    return Math.scalb(mantissa, Math.clamp(exponent, -FAR, FAR)) + 0.0; // 0 has no sign
  }

  /** 1, -1, or 0. */
  double sign() {
    return Math.signum(mantissa) + 0.0;
  }

  /** Of the size; -infinity of 0. */
  double logarithm() {
    double log = Math.log(Math.abs(mantissa));
    return Double.isFinite(log) ? log + exponent * Math.log(2) : log;
  }
}
