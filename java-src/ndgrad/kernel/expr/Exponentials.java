package ndgrad.kernel.expr;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * Exponentials and what is made of them. The argument is reduced to k ln 2 + r with |r| ≤ ln 2 / 2
 * in two steps (Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 6), e^r
 * is a minimax polynomial. Where a sum would lose digits its rounding error is carried along.
 */
final class Exponentials extends Steps {
  /** From here on the tail of the normal distribution is 0 to the last digit of 1 in float32. */
  private static final double NO_TAIL = 5.7;

  private static final double LOG2_E = 1.4426950408889634;

  /** What ln 2 lacks in float32. */
  private static final double LN2_REST_SINGLE = -1.904654299957768e-09;

  private final double ln2;
  private final double ln2Rest;
  private final double[] exp;

  /** From here on exp is infinite. */
  private final double top;

  /** Below this exp is 0. */
  private final double bottom;

  /** Up to this size of x both e^x and its reciprocal are normal numbers. */
  private final double moderate;

  /** Below this odd functions are their arguments. */
  private final double tiny;

  Exponentials(DType dtype) {
    super(dtype);
    ln2 = round(LN2);
    ln2Rest = pick(LN2_REST_SINGLE, LN2_REST);
    exp = isSingle ? Coefficients.EXP_FLOAT : Coefficients.EXP_DOUBLE;
    top = pick(88.722839f, 709.782712893384);
    bottom = pick(-103.97208f, -745.1332191019412);
    moderate = pick(87, 708);
    tiny = pick(0x1p-14, 0x1p-30);
  }

  /**
   * e^x as 2^k (1 + r + rest) with |r| ≤ ln 2 / 2.
   *
   * @param k an integer
   * @param r the greater part of the reduced argument
   * @param rest what is to be added, of the size of r²
   */
  private record Parts(Expr k, Expr r, Expr rest) {}

  private Expr integer(Expr x) {
    return sub(integerAndMagic(x), magic);
  }

  /** The multiple of ln 2 that is nearest to x, plus {@link #magic}. */
  private Expr integerAndMagic(Expr x) {
    return fma(x, LOG2_E, n(magic));
  }

  private Parts parts(Expr x) {
    Expr k = integer(x);
    // Exact: both have their last digit at the same place, and most cancels.
    Expr r1 = fma(k, -ln2, x);
    Expr r = fma(k, -ln2Rest, r1);
    Expr lost = fma(k, -ln2Rest, r1.minus(r));
    return new Parts(k, r, fma(r.times(r), polynomial(exp, r), lost));
  }

  private Expr outside(Expr x, Expr value, double low, double atLow) {
    return where(
        x, Fn2.GT, top, n(Double.POSITIVE_INFINITY), where(x, Fn2.LT, low, n(atLow), value));
  }

  /** p * 2^k for e^x; 0 and infinity where they are due. */
  private Expr scaled(Expr x, Expr p) {
    Expr rare = outside(x, scale(p, integer(x)), bottom, 0);
    return usually(isModerate(x), scaleNormal(p, integerAndMagic(x)), rare);
  }

  /** e^(x + low), low being small beside x; 0 and infinity where they are due. */
  Expr exp(Expr x, Expr low) {
    return scaled(x, fractionOfExp(x, low));
  }

  /** The same where {@link #isModerate} says that it is a normal number. */
  Expr expOfNormal(Expr x, Expr low) {
    return scaleNormal(fractionOfExp(x, low), integerAndMagic(x));
  }

  /** Whether e^x is far from the ends of the normal numbers. */
  Expr isModerate(Expr x) {
    return Expr.of(Fn2.LE, abs(x), n(moderate));
  }

  private Expr fractionOfExp(Expr x, Expr low) {
    Expr k = integer(x);
    Expr r1 = fma(k, -ln2, x);
    Expr r0 = fma(k, -ln2Rest, r1);
    Pair r = sum(r0, low);
    Expr lost = fma(k, -ln2Rest, r1.minus(r0)).plus(r.low());
    Expr square = r.high().times(r.high());
    Pair h = fastSum(ONE, r.high());
    return h.high().plus(h.low().plus(fma(square, polynomial(exp, r.high()), lost)));
  }

  Expr exp(Expr x) {
    return scaled(x, exponential(reduced(x)));
  }

  /** What x is above the multiple of ln 2 that is nearest to it. */
  private Expr reduced(Expr x) {
    Expr k = integer(x);
    return fma(k, -ln2Rest, fma(k, -ln2, x));
  }

  /** e^r for |r| ≤ ln 2 / 2. */
  private Expr exponential(Expr r) {
    return fma(r, fma(r, polynomial(exp, r), ONE), ONE);
  }

  /** e^x for a normal result, or NaN. */
  private Expr expOfModerate(Expr x) {
    return exponential(reduced(x)).times(power(integer(x)));
  }

  /** e^(x + low) for a normal result, or NaN. */
  private Expr expOfModerate(Expr x, Expr low) {
    return exponential(reduced(x).plus(low)).times(power(integer(x)));
  }

  /** e^(a·b + c) for a normal result, or NaN, where rounding the exponent would cost digits. */
  private Expr expOfProduct(Expr a, Expr b, Expr c) {
    Expr k = integer(fma(a, b, c));
    Expr r = fma(k, -ln2Rest, fma(a, b, fma(k, -ln2, c)));
    return exponential(r).times(power(k));
  }

  Expr exp2(Expr x) {
    double limit = pick(128, 1024);
    double least = pick(-150, -1075);
    Expr sum = add(x, magic);
    Expr k = sub(sum, magic);
    Expr r = x.minus(k);
    Expr high = r.times(ln2);
    Expr low = fma(r, ln2Rest, fma(r, n(ln2), high.negate()));
    Expr p = ONE.plus(fma(high.times(high), polynomial(exp, high), low).plus(high));
    Expr inside = where(x, Fn2.LE, least, n(0), scale(p, k));
    Expr rare = where(x, Fn2.GE, limit, n(Double.POSITIVE_INFINITY), inside);
    return usually(x, pick(126, 1022), scaleNormal(p, sum), rare);
  }

  /** Half of e^x - 1 in two parts. */
  private Pair halfExpm1(Expr x) {
    Parts e = parts(x);
    Expr t = power(sub(e.k, 1));
    Expr w = sub(t, 0.5);
    Expr lost = sub(t.minus(w), 0.5);
    Expr s = fma(t, e.r, w);
    Expr rounding = fma(t, e.r, w.minus(s));
    return new Pair(s, rounding.plus(fma(t, e.rest, lost)));
  }

  Expr expm1(Expr x) {
    Pair half = halfExpm1(x);
    Expr value = half.high().plus(half.low()).times(2);
    return where(abs(x), Fn2.LT, tiny * tiny, x, outside(x, value, pick(-18, -38), -1));
  }

  Expr tanh(Expr x) {
    Expr a = abs(x);
    return flip(isSingle ? tanhWithoutQuotient(a) : tanhFromQuotient(a), sign(x));
  }

  /** a + a³ P(a²) below 1; 1 - 2t/(1 + t), t being e^-2a, above: 1 to the last digit from 10 on. */
  private Expr tanhWithoutQuotient(Expr a) {
    Expr z = a.times(a);
    Expr small = fma(polynomial(Coefficients.TANH_FLOAT, z).times(z), a, a);
    Expr t = expOfModerate(where(a, Fn2.GT, 10, n(10), a).times(-2));
    Expr large = fma(fma(polynomial(Coefficients.TANH_TAIL_FLOAT, t), t, n(-2)), t, ONE);
    return where(a, Fn2.LT, 1, small, large);
  }

  /** (e^2a - 1)/(e^2a + 1), the quotient's rest taken along. */
  private Expr tanhFromQuotient(Expr a) {
    Pair half = halfExpm1(a.plus(a));
    Pair up = fastSum(half.high(), half.low());
    Pair down = sum(ONE, up.high());
    Expr inverse = ONE.over(down.high());
    Expr q = up.high().times(inverse);
    Expr low = down.low().plus(up.low());
    Expr rest = fma(q.negate(), low, fma(q.negate(), down.high(), up.high()).plus(up.low()));
    Expr value = fma(rest, inverse, q);
    Expr inside = where(a, Fn2.LT, tiny, a, value);
    return where(a, Fn2.GE, 19.07, ONE, inside);
  }

  Expr sinh(Expr x) {
    Expr a = abs(x);
    Expr z = x.times(x);
    double[] c = isSingle ? Coefficients.SINH_FLOAT : Coefficients.SINH_DOUBLE;
    Expr small = fma(a.times(z), polynomial(c, z), a);
    return flip(where(a, Fn2.LT, 1, small, hyperbolic(a, -1)), sign(x));
  }

  Expr cosh(Expr x) {
    return hyperbolic(abs(x), 1);
  }

  /** (e^a ± e^-a)/2 for an a ≥ 0, from 1 on where the sign is minus. */
  private Expr hyperbolic(Expr a, int sign) {
    Parts e = parts(a);
    Pair h = fastSum(ONE, e.r);
    Expr low = h.low().plus(e.rest);
    Expr inverse = n(sign).over(h.high().plus(low)).times(power(e.k.times(-2)));
    inverse = where(e.k, Fn2.GT, pick(20, 40), n(0), inverse);
    Pair s = fastSum(h.high(), inverse);
    Expr value = scale(s.high().plus(s.low().plus(low)), sub(e.k, 1));
    Expr limit = n(Double.POSITIVE_INFINITY);
    return where(a, Fn2.GT, pick(89.41599f, 710.4758600739439), limit, value);
  }

  /** The error function: x + x P(x²) below 1, 1 - erfc(x) above. */
  Expr erf(Expr x) {
    Expr a = abs(x);
    Expr z = x.times(x);
    Expr small =
        fma(a, polynomial(isSingle ? Coefficients.ERF_FLOAT : Coefficients.ERF_DOUBLE, z), a);
    Expr large = isSingle ? erfFromLogarithm(a) : erfFromTail(a);
    return flip(where(a, Fn2.LT, 1, small, large), sign(x));
  }

  /**
   * The normal distribution function. In float32 the tail is 2^(a P(a) - 1), for one exponential is
   * cheaper than two ways of erf, and 0 to the last digit of 1 from 5.7 on; its absolute error is
   * what counts, so nothing is carried along.
   */
  Expr normal(Expr x) {
    if (!isSingle) {
      return fma(erf(x.times(Math.sqrt(0.5))), 0.5, n(0.5));
    }
    Expr a = abs(x);
    Expr tail = where(a, Fn2.GT, NO_TAIL, n(0), tail(a));
    return where(x, Fn2.LT, 0, tail, ONE.minus(tail));
  }

  /**
   * x times the same. What the tail takes from x is 0 where the tail is, also of infinity; in
   * float32 that is no step more than the product.
   */
  Expr gelu(Expr x) {
    if (!isSingle) {
      return where(x, Fn2.LT, -40, n(0), x.times(normal(x)));
    }
    Expr a = abs(x);
    Expr taken = where(a, Fn2.GT, NO_TAIL, n(0), a.times(tail(a)));
    return where(x, Fn2.LT, 0, n(0), x).minus(taken);
  }

  /** What is beyond a of the normal distribution, in float32. */
  private Expr tail(Expr a) {
    Expr exponent = fma(a, polynomial(Coefficients.LOG2_NORMAL_FLOAT, a), n(-1));
    Expr sum = add(exponent, magic);
    Expr f = exponent.minus(sub(sum, magic));
    return scaleNormal(fma(f, polynomial(Coefficients.EXP2_FLOAT, f), ONE), sum);
  }

  /** 1 - exp(x P(x) - x) from 1 on: 1 to the last digit from 4 on. */
  private Expr erfFromLogarithm(Expr a) {
    Expr b = where(a, Fn2.GT, 4, n(4), a);
    Expr p = polynomial(Coefficients.LOG_ERFC_FLOAT, b);
    return ONE.minus(expOfProduct(p, b, b.negate()));
  }

  /** 1 - exp(-x²) Q((x - c)/(x + c)) from 1 on: 1 to the last digit from 6 on. */
  private Expr erfFromTail(Expr a) {
    double c = 2.5;
    Expr b = where(a, Fn2.GT, 6, n(6), a);
    Pair square = product(b, b);
    Expr u = sub(b, c).over(add(b, c));
    Expr tail = polynomial(Coefficients.ERFC_DOUBLE, u);
    Expr e = expOfModerate(square.high().negate(), square.low().negate());
    return fma(e.negate(), tail, ONE);
  }
}
