package ndgrad.kernel.expr;

import java.util.function.Function;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Step.Op;

/**
 * Logarithms and what is made of them. The argument is 2^k (1 + f) with 1 + f between √½ and √2.
 * With s = f/(2 + f) log(1 + f) is f - (f²/2 - s (f²/2 + R(s²))), R being a minimax polynomial (K.
 * C. Ng, in the documentation of fdlibm's log, Sun Microsystems 1993); of float32 it is f - f²/2 +
 * f³ P(f), which needs no quotient.
 */
final class Logarithms extends Steps {
  private static final double LOG2_E = 1.4426950408889634;
  private static final double LOG2_E_REST = 2.0355273740931033e-17;
  private static final double LOG2_E_REST_SINGLE = 1.9259629911266175e-08;
  private static final double LOG10_E = 0.4342944819032518;
  private static final double LOG10_E_REST = 1.098319650216765e-17;
  private static final double LOG10_E_REST_SINGLE = -1.0103050052231683e-08;
  private static final double LOG10_2 = 0.30102999566398120;

  /** What LOG10_2 lacks. */
  private static final double LOG10_2_REST = -2.8037281277851704e-18;

  private final double[] log;

  Logarithms(DType dtype) {
    super(dtype);
    log = isSingle ? Coefficients.LOG1P_FLOAT : Coefficients.LOG_DOUBLE;
  }

  /**
   * The logarithm of a number as k ln 2 + f + rest.
   *
   * @param k the exponent
   * @param f the greater part of the logarithm of the fraction
   * @param rest the smaller part
   */
  private record Parts(Expr k, Expr f, Expr rest) {}

  /**
   * A number as 2^k (1 + f).
   *
   * @param k the exponent
   * @param f the fraction, from √½ - 1 to √2 - 1
   */
  record Split(Expr k, Expr f) {}

  /** A constant without its last digits, so that its product with an exponent is exact. */
  double shortened(double c) {
    return isSingle
        ? Float.intBitsToFloat(Float.floatToIntBits((float) c) & -1 << 9)
        : Double.longBitsToDouble(Double.doubleToLongBits(c) & -1L << 12);
  }

  private Split splitNormal(Expr x) {
    Expr above = Step.of(Op.SUB_BITS, x, n(round(Math.sqrt(0.5))));
    Expr exponent = Step.shift(Op.SHIFT_RIGHT, above, fraction);
    Expr k = sub(Step.of(Op.ADD_BITS, exponent, n(magic)), magic);
    // The bits of -∞ are those of sign and exponent.
    Expr shift = Step.of(Op.AND_BITS, above, n(Double.NEGATIVE_INFINITY));
    Expr f = sub(Step.of(Op.SUB_BITS, x, shift), 1);
    return new Split(k, f);
  }

  /** Splits a positive number. */
  Split split(Expr x) {
    return split(scaled(x));
  }

  private Split split(Scaled scaled) {
    Split split = splitNormal(scaled.x);
    return new Split(Expr.select(scaled.isScaled, sub(split.k, fraction), split.k), split.f);
  }

  /**
   * A number, made normal.
   *
   * @param isScaled whether it had to be multiplied for that, by 2 to the bits of a fraction
   */
  private record Scaled(Expr isScaled, Expr x) {}

  private Scaled scaled(Expr x) {
    Expr small = Expr.of(Fn2.LT, x, n(minNormal));
    return new Scaled(small, Expr.select(small, x.times(Math.scalb(1.0, fraction)), x));
  }

  private Parts parts(Split x) {
    Expr f = x.f;
    Expr halfF = f.times(0.5);
    Expr half = halfF.times(f);
    Expr lost = fma(halfF.negate(), f, half);
    Expr rest = isSingle ? fma(half.times(f), polynomial(log, f), lost) : byQuotient(f, half, lost);
    return new Parts(x.k, f, rest.minus(half));
  }

  /** s (f²/2 + R(s²)) + lost. */
  private Expr byQuotient(Expr f, Expr half, Expr lost) {
    Expr s = f.over(add(f, 2));
    Expr z = s.times(s);
    return fma(s, fma(z, polynomial(log, z), half), lost);
  }

  /** The parts of log(u + c), c being a rounding error of u. */
  private Parts parts(Pair u) {
    Parts parts = parts(splitNormal(u.high()));
    return new Parts(parts.k, parts.f, parts.rest.plus(u.low().over(u.high())));
  }

  private Expr natural(Parts l) {
    double ln2 = shortened(LN2);
    Pair a = fastSum(l.k.times(ln2), l.f);
    return a.high().plus(l.rest.plus(fma(l.k, LN2 - ln2 + LN2_REST, a.low())));
  }

  /** Whether a number is positive and finite. */
  Expr isPositiveNumber(Expr x) {
    return isNormal(scaled(x).x);
  }

  /** Whether a number is positive, normal and finite. */
  private Expr isNormal(Expr x) {
    // Of the next greater bits, those of ∞ are NaN and those of NaN no greater than 0.
    Expr next = Step.of(Op.ADD_BITS, x, n(isSingle ? Float.MIN_VALUE : Double.MIN_VALUE));
    return Expr.of(Fn2.GT, next, n(minNormal));
  }

  /** A logarithm made of the parts of one. */
  private Expr ofParts(Expr x, Function<Parts, Expr> made) {
    Expr usual = made.apply(parts(splitNormal(x)));
    Scaled scaled = scaled(x);
    Expr root = sqrt(x);
    // -∞ of 0, ∞ of ∞ and NaN of what is negative.
    Expr limit = root.minus(ONE.over(abs(root)));
    Expr small = made.apply(parts(split(scaled)));
    Expr rare = Expr.select(isNormal(scaled.x), small, limit);
    return usually(isNormal(x), usual, rare);
  }

  Expr log(Expr x) {
    return ofParts(x, this::natural);
  }

  Expr log2(Expr x) {
    double rest = pick(LOG2_E_REST_SINGLE, LOG2_E_REST);
    return ofParts(x, parts -> times(parts, 1, 0, round(LOG2_E), rest));
  }

  Expr log10(Expr x) {
    double high = shortened(LOG10_2);
    double rest = pick(LOG10_E_REST_SINGLE, LOG10_E_REST);
    double low = LOG10_2 - high + LOG10_2_REST;
    return ofParts(x, parts -> times(parts, high, low, round(LOG10_E), rest));
  }

  /** k (high + low) + (f + rest) (e + eRest). */
  private Expr times(Parts l, double high, double low, double e, double eRest) {
    Pair p = product(l.f, n(e));
    Expr rest = fma(l.rest, e, fma(l.f, eRest, p.low()));
    Pair a = fastSum(l.k.times(high), p.high());
    return a.high().plus(a.low().plus(fma(l.k, low, rest)));
  }

  Expr log1p(Expr x) {
    Expr value = natural(parts(sum(ONE, x)));
    Expr infinity = n(Double.POSITIVE_INFINITY);
    Expr edge = where(x, Fn2.EQ, -1, n(Double.NEGATIVE_INFINITY), n(Double.NaN));
    Expr inside = Expr.select(Expr.of(Fn2.EQ, x, infinity), infinity, value);
    Expr tiny = where(abs(x), Fn2.LT, pick(0x1p-30, 0x1p-60), x, inside);
    return where(x, Fn2.GT, -1, tiny, edge);
  }

  // ---- inverse hyperbolic functions

  /** From here on the square of a number makes that of its neighbours up to 1. */
  private Expr isLarge(Expr a) {
    return Expr.of(Fn2.GT, a, n(pick(0x1p13, 0x1p28)));
  }

  /** log(2 a) where a is large, else log(u). */
  private Expr logOfDouble(Expr a, Pair u) {
    Expr large = isLarge(a);
    Expr high = Expr.select(large, a, u.high());
    Parts l = parts(new Pair(high, Expr.select(large, n(0), u.low())));
    Expr k = l.k.plus(Expr.select(large, ONE, n(0)));
    Expr infinity = n(Double.POSITIVE_INFINITY);
    Expr value = natural(new Parts(k, l.f, l.rest));
    return Expr.select(Expr.of(Fn2.LT, a, infinity), value, a);
  }

  /** The root of a number in two parts; of 0 it is 0. */
  private Pair root(Pair square) {
    Expr w = sqrt(square.high());
    Expr rest = fma(w.negate(), w, square.high()).plus(square.low());
    return new Pair(w, rest.over(add(w.plus(w), minNormal)));
  }

  private static Pair plus(Expr a, Pair b) {
    Pair s = sum(a, b.high());
    return new Pair(s.high(), s.low().plus(b.low()));
  }

  private Expr odd(double[] c, Expr a) {
    Expr z = a.times(a);
    return fma(a.times(z), polynomial(c, z), a);
  }

  Expr asinh(Expr x) {
    Expr a = abs(x);
    Pair square = product(a, a);
    Pair root = root(plus(ONE, square));
    Expr large = logOfDouble(a, plus(a, root));
    Expr small = odd(isSingle ? Coefficients.ASINH_FLOAT : Coefficients.ASINH_DOUBLE, a);
    return flip(where(a, Fn2.LT, 0.5, small, large), sign(x));
  }

  /** log(1 + t + √(t² + 2t)) with t = x - 1, which is exact where that matters. */
  Expr acosh(Expr x) {
    Expr t = sub(x, 1);
    Pair square = product(t, t);
    Pair root = root(plus(t.plus(t), square));
    Pair s = plus(t, root);
    Pair u = sum(ONE, s.high());
    Expr value = logOfDouble(x, new Pair(u.high(), u.low().plus(s.low())));
    return where(x, Fn2.GE, 1, value, n(Double.NaN));
  }

  Expr atanh(Expr x) {
    Expr a = abs(x);
    Pair up = sum(ONE, a);
    Expr down = ONE.minus(a);
    Expr q = up.high().over(down);
    Expr rest = fma(q.negate(), down, up.high()).plus(up.low()).over(down);
    Expr large = natural(parts(new Pair(q, rest))).times(0.5);
    Expr edge = where(a, Fn2.EQ, 1, n(Double.POSITIVE_INFINITY), n(Double.NaN));
    Expr small = odd(isSingle ? Coefficients.ATANH_FLOAT : Coefficients.ATANH_DOUBLE, a);
    Expr inside = where(a, Fn2.LT, 0.5, small, large);
    return flip(where(a, Fn2.LT, 1, inside, edge), sign(x));
  }
}
