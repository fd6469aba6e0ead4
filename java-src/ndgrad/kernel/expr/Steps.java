package ndgrad.kernel.expr;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Step.Op;

/**
 * The vocabulary that functions of one floating dtype are spelled out in, and the format of its
 * numbers.
 */
class Steps {
  static final Expr ONE = Expr.num(1);
  static final double LN2 = 0.6931471805599453;

  /** What LN2 lacks. */
  static final double LN2_REST = 2.3190468138462996e-17;

  /** Terms from which steps that wait for each other cost more than some more steps. */
  private static final int MANY_TERMS = 8;

  /** Whether this is float32. */
  final boolean isSingle;

  /** Bits of the fraction. */
  final int fraction;

  /** What the exponent's bits are above the exponent. */
  final int bias;

  /** 1.5 * 2^fraction: a sum with it is rounded to an integer, which its lowest bits hold. */
  final double magic;

  /** The smallest normal number. */
  final double minNormal;

  Steps(DType dtype) {
    isSingle = dtype == DType.FLOAT32;
    fraction = isSingle ? 23 : 52;
    bias = isSingle ? Float.MAX_EXPONENT : Double.MAX_EXPONENT;
    magic = Math.scalb(1.5, fraction);
    minNormal = isSingle ? Float.MIN_NORMAL : Double.MIN_NORMAL;
  }

  /** One of two numbers. */
  final double pick(double single, double twice) {
    return isSingle ? single : twice;
  }

  /** A constant rounded to the dtype. */
  final double round(double value) {
    return isSingle ? (float) value : value;
  }

  static Expr n(double value) {
    return Expr.num(value);
  }

  static Expr fma(Expr a, Expr b, Expr c) {
    return Step.of(Op.FMA, a, b, c);
  }

  static Expr fma(Expr a, double b, Expr c) {
    return fma(a, n(b), c);
  }

  static Expr add(Expr a, double b) {
    return a.plus(n(b));
  }

  static Expr sub(Expr a, double b) {
    return a.minus(n(b));
  }

  static Expr abs(Expr a) {
    return Expr.of(Fn1.ABS, a);
  }

  static Expr sqrt(Expr a) {
    return Expr.of(Fn1.SQRT, a);
  }

  /** yes where a compares to the bound, which NaN never does, else no. */
  static Expr where(Expr a, Fn2 compare, double bound, Expr yes, Expr no) {
    return Expr.select(Expr.of(compare, a, n(bound)), yes, no);
  }

  /**
   * usual where |a| is no greater than a bound, which NaN never is, as nearly always; else rare.
   */
  static Expr usually(Expr a, double bound, Expr usual, Expr rare) {
    return usually(Expr.of(Fn2.LE, abs(a), n(bound)), usual, rare);
  }

  /** usual where a test is true, as nearly always; else rare. */
  static Expr usually(Expr test, Expr usual, Expr rare) {
    return Step.of(Op.USUALLY, test, usual, rare);
  }

  /**
   * c[0] + c[1] x + c[2] x² + …. Of many terms by Estrin's scheme (G. Estrin, "Organization of
   * computer systems", 1960), in which few steps wait for each other; of few by Horner's rule,
   * which has fewer steps.
   */
  static Expr polynomial(double[] c, Expr x) {
    return c.length < MANY_TERMS ? horner(c, x) : estrin(c, x);
  }

  private static Expr horner(double[] c, Expr x) {
    Expr y = n(c[c.length - 1]);
    for (int i = c.length - 2; i >= 0; i--) {
      y = fma(y, x, n(c[i]));
    }
    return y;
  }

  /** Pairs of terms are joined by x, pairs of these by x², and so on. */
  private static Expr estrin(double[] c, Expr x) {
    Expr[] terms = new Expr[c.length];
    Arrays.setAll(terms, i -> n(c[i]));
    Expr power = x;
    for (int n = c.length; n > 1; n = (n + 1) / 2) {
      for (int i = 0; i < n; i += 2) {
        terms[i / 2] = i + 1 < n ? fma(terms[i + 1], power, terms[i]) : terms[i];
      }
      power = power.times(power);
    }
    return terms[0];
  }

  /** The sign bit of a number, as a zero. */
  static Expr sign(Expr a) {
    return Step.of(Op.AND_BITS, a, n(-0.0));
  }

  /** a with its sign changed where the other's sign bit is set. */
  static Expr flip(Expr a, Expr sign) {
    return Step.of(Op.XOR_BITS, a, sign);
  }

  /** 2^k for an integer k whose result is normal. */
  final Expr power(Expr k) {
    return Step.shift(Op.SHIFT_LEFT, add(k, magic + bias), fraction);
  }

  /**
   * p * 2^k for a p about 1 and an integer k whose result is normal.
   *
   * @param sum k plus {@link #magic}
   */
  final Expr scaleNormal(Expr p, Expr sum) {
    return Step.of(Op.ADD_BITS, p, Step.shift(Op.SHIFT_LEFT, sum, fraction));
  }

  /**
   * p * 2^k rounded once for a p about 1 and any integer k whose half is an exponent: two factors,
   * the first of which leaves a normal number.
   */
  final Expr scale(Expr p, Expr k) {
    double one = magic + bias;
    Expr half = fma(k, 0.5, n(one));
    Expr rest = add(k.minus(sub(half, one)), one);
    Expr low = Step.shift(Op.SHIFT_LEFT, half, fraction);
    Expr high = Step.shift(Op.SHIFT_LEFT, rest, fraction);
    return p.times(low).times(high);
  }

  /**
   * A sum and what rounding took from it (Dekker 1971, Fast2Sum).
   *
   * @param a 0, or no smaller than b
   */
  static Pair fastSum(Expr a, Expr b) {
    Expr s = a.plus(b);
    return new Pair(s, b.minus(s.minus(a)));
  }

  /** A sum and what rounding took from it (Knuth, TAOCP 2, section 4.2.2, theorem C). */
  static Pair sum(Expr a, Expr b) {
    Expr s = a.plus(b);
    Expr t = s.minus(a);
    return new Pair(s, a.minus(s.minus(t)).plus(b.minus(t)));
  }

  /** A product and what rounding took from it. */
  static Pair product(Expr a, Expr b) {
    Expr p = a.times(b);
    return new Pair(p, fma(a, b, p.negate()));
  }

  /**
   * A number in two parts.
   *
   * @param high the number, rounded
   * @param low what is left
   */
  record Pair(Expr high, Expr low) {}
}
