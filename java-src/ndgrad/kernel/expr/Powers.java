package ndgrad.kernel.expr;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * Powers and roots. A power is e^(y log x) with the logarithm in two parts, whose last digits the
 * exponential magnifies (the scheme of fdlibm's pow, Sun Microsystems 1993).
 */
final class Powers extends Steps {
  private static final double INFINITY = Double.POSITIVE_INFINITY;

  private final Logarithms logarithms;
  private final Exponentials exponentials;

  Powers(DType dtype, Logarithms logarithms, Exponentials exponentials) {
    super(dtype);
    this.logarithms = logarithms;
    this.exponentials = exponentials;
  }

  /** log x in two parts, x being positive. */
  private Pair log(Expr x) {
    Logarithms.Split split = logarithms.split(x);
    Expr f = split.f();
    Pair down = fastSum(n(2), f);
    Expr inverse = ONE.over(down.high());
    Expr s = f.times(inverse);
    Expr lost = fma(s.negate(), down.low(), fma(s.negate(), down.high(), f));
    Pair root = new Pair(s, lost.times(inverse));
    Pair square = times(root, root);
    double[] c = isSingle ? Coefficients.LOG_REST_FLOAT : Coefficients.LOG_REST_DOUBLE;
    double third = round(2.0 / 3);
    Pair t = fastSum(n(third), square.high().times(polynomial(c, square.high())));
    // 2/3 less its value in either dtype.
    double rest = pick(2.0 / 3 - (float) (2.0 / 3), 3.700743415417188e-17);
    Pair cubic = times(times(root, square), new Pair(t.high(), add(t.low(), rest)));
    Pair fraction = fastSum(s.times(2), cubic.high());
    Expr low = fma(root.low(), 2, cubic.low()).plus(fraction.low());
    double ln2 = logarithms.shortened(LN2);
    Pair sum = fastSum(split.k().times(ln2), fraction.high());
    Expr rests = fma(split.k(), LN2 - ln2 + LN2_REST, low);
    return fastSum(sum.high(), sum.low().plus(rests));
  }

  private static Pair times(Pair a, Pair b) {
    Pair p = product(a.high(), b.high());
    return new Pair(p.high(), fma(a.high(), b.low(), fma(a.low(), b.high(), p.low())));
  }

  private static Expr is(Expr a, double value) {
    return Expr.of(Fn2.EQ, a, n(value));
  }

  private static Expr isWhole(Expr a) {
    return Expr.of(Fn2.EQ, a, Expr.of(Fn1.RINT, a));
  }

  private static Expr and(Expr a, Expr b) {
    return Expr.of(Fn2.AND, a, b);
  }

  private static Expr not(Expr a) {
    return Expr.of(Fn1.NOT, a);
  }

  /** IEEE 754's pow: 1 for an exponent of 0 and for a base of 1, also with NaN. */
  Expr pow(Expr x, Expr y) {
    Expr a = abs(x);
    Pair log = log(a);
    Expr p = y.times(log.high());
    Expr size = exponentials.expOfNormal(p, productRest(y, log.high(), p, log.low()));
    Expr test = and(logarithms.isPositiveNumber(a), exponentials.isModerate(p));
    return usually(test, signed(x, y, size, Expr.of(Fn2.LT, x, n(0))), rarePow(x, y, log));
  }

  /** y (high + low) less p, the rounded product of the first two. */
  private static Expr productRest(Expr y, Expr high, Expr p, Expr low) {
    return fma(y, low, fma(y, high, p.negate()));
  }

  /** Where a base is 0, infinite or NaN, or so is the power. */
  private Expr rarePow(Expr x, Expr y, Pair log) {
    Expr a = abs(x);
    Expr finite = Expr.of(Fn2.LT, a, n(INFINITY));
    Expr high = Expr.select(is(a, 0), n(-INFINITY), Expr.select(finite, log.high(), a));
    Expr p = y.times(high);
    Expr size = exponentials.exp(p, productRest(y, high, p, log.low()));
    size = Expr.select(and(is(a, 1), not(Expr.of(Fn1.ISNAN, y))), ONE, size);
    Expr value = signed(x, y, size, and(Expr.of(Fn2.LT, x, n(0)), finite));
    return Expr.select(Expr.of(Fn2.OR, is(y, 0), is(x, 1)), ONE, value);
  }

  /** The power of a size: negative for odd powers of negative numbers; roots of these are NaN. */
  private static Expr signed(Expr x, Expr y, Expr size, Expr isNegative) {
    Expr whole = isWhole(y);
    Expr odd = and(whole, not(isWhole(y.times(0.5))));
    Expr value = flip(size, Expr.select(odd, sign(x), n(0)));
    return Expr.select(and(isNegative, not(whole)), n(Double.NaN), value);
  }

  /**
   * The cube root: that of the fraction from its inverse, which Halley's iteration finds without a
   * division.
   */
  Expr cbrt(Expr x) {
    Expr a = abs(x);
    Logarithms.Split split = logarithms.split(a);
    Expr third = sub(fma(split.k(), 1.0 / 3, n(magic)), magic);
    Expr w = add(split.f(), 1).times(power(fma(third, -3, split.k())));
    Expr r = polynomial(isSingle ? Coefficients.CBRT_FLOAT : Coefficients.CBRT_DOUBLE, w);
    for (int i = 0; i < (isSingle ? 1 : 2); i++) {
      Expr h = fma(w.times(r).negate(), r.times(r), ONE);
      r = fma(r.times(h), fma(h, 2.0 / 9, n(1.0 / 3)), r);
    }
    Expr y = w.times(r).times(r);
    Pair square = product(y, y);
    Expr error = fma(square.high(), y, w.negate()).plus(square.low().times(y));
    Expr root = fma(error.times(-1.0 / 3), r.times(r), y).times(power(third));
    Expr usual = and(Expr.of(Fn2.GT, a, n(0)), Expr.of(Fn2.LT, a, n(INFINITY)));
    return Expr.select(usual, flip(root, sign(x)), x);
  }

  /** √(x² + y²), scaled so that no square overflows or vanishes; infinite where either is. */
  Expr hypot(Expr x, Expr y) {
    Expr a = abs(x);
    Expr b = abs(y);
    Expr swap = Expr.of(Fn2.LT, a, b);
    Expr most = Expr.select(swap, b, a);
    Expr least = Expr.select(swap, a, b);
    int by = isSingle ? 80 : 700;
    double large = Math.scalb(1.0, isSingle ? 50 : 500);
    Expr isLarge = Expr.of(Fn2.GT, most, n(large));
    Expr isSmall = Expr.of(Fn2.LT, most, n(1 / large));
    Expr down = n(Math.scalb(1.0, -by));
    Expr up = n(Math.scalb(1.0, by));
    Expr to = Expr.select(isLarge, down, Expr.select(isSmall, up, ONE));
    Expr back = Expr.select(isLarge, up, Expr.select(isSmall, down, ONE));
    Pair p = product(most.times(to), most.times(to));
    Pair q = product(least.times(to), least.times(to));
    Pair sum = fastSum(p.high(), q.high());
    Expr root = sqrt(sum.high());
    Expr rest = fma(root.negate(), root, sum.high()).plus(sum.low().plus(p.low().plus(q.low())));
    Expr value = root.plus(rest.over(add(root.plus(root), minNormal))).times(back);
    Expr infinite = Expr.of(Fn2.OR, is(a, INFINITY), is(b, INFINITY));
    return Expr.select(infinite, n(INFINITY), value);
  }
}
