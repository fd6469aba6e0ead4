package ndgrad.kernel.expr;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Step.Op;

/**
 * Trigonometric functions and their inverses. The argument is reduced to k π/2 + r with |r| ≤ π/4
 * in three steps (Cody and Waite, Software Manual for the Elementary Functions, 1980, chapter 8),
 * which leaves all digits as far as k has a few thousand times fewer values than there are numbers;
 * larger arguments are rare and left to {@link StrictMath}.
 */
final class Angles extends Steps {
  private static final double PI_2 = Math.PI / 2;
  private static final double PI_2_REST = 6.123233995736766e-17;
  private static final double PI_2_LAST = -1.4973849048591698e-33;
  private static final double PI_2_REST_SINGLE = -4.371138828673793e-08;
  private static final double PI_2_LAST_SINGLE = -1.7151244994428829e-15;

  private final double half;
  private final double rest;
  private final double last;

  /** Above this the reduction is not exact enough. */
  private final double huge;

  Angles(DType dtype) {
    super(dtype);
    half = round(PI_2);
    rest = pick(PI_2_REST_SINGLE, PI_2_REST);
    last = pick(PI_2_LAST_SINGLE, PI_2_LAST);
    huge = pick(0x1p17, 0x1p28);
  }

  /**
   * An angle as quadrant π/2 + r + low.
   *
   * @param quadrant a number whose last two bits tell the quadrant
   * @param r the angle in it, -π/4 to π/4
   * @param low what r lacks
   */
  private record Turn(Expr quadrant, Expr r, Expr low) {}

  private Turn turn(Expr x) {
    Expr quadrant = fma(x, 2 / Math.PI, n(magic));
    Expr k = sub(quadrant, magic);
    // Exact: both have their last digit at the same place, and most cancels.
    Expr r1 = fma(k, -half, x);
    Expr p = k.times(rest);
    // The last digit of r1 is above that of p, so the sum's rounding error is exact whichever is
    // larger.
    Pair r = fastSum(r1, p.negate());
    Expr low = fma(k, -last, r.low().plus(fma(k, -rest, p)));
    return new Turn(quadrant, r.high(), low);
  }

  private static Expr bit(Expr quadrant, int which) {
    return Step.shift(Op.SHIFT_LEFT, quadrant, which);
  }

  private Expr sine(Turn t, Expr z) {
    double[] c = isSingle ? Coefficients.SIN_FLOAT : Coefficients.SIN_DOUBLE;
    return t.r.plus(fma(t.r.times(z), polynomial(c, z), t.low));
  }

  private Expr cosine(Turn t, Expr z) {
    double[] c = isSingle ? Coefficients.COS_FLOAT : Coefficients.COS_DOUBLE;
    Expr half = z.times(0.5);
    Expr w = ONE.minus(half);
    Expr lost = ONE.minus(w).minus(half);
    return w.plus(fma(z.times(z), polynomial(c, z), fma(t.r.negate(), t.low, lost)));
  }

  private Expr sineOrCosine(Expr x, int shift) {
    Turn t = turn(x);
    Expr z = t.r.times(t.r);
    Expr turned = shift == 0 ? t.quadrant : add(t.quadrant, 1);
    int top = isSingle ? 31 : 63;
    Expr odd = Step.of(Op.IS_NEGATIVE, bit(turned, top));
    Expr value = Expr.select(odd, cosine(t, z), sine(t, z));
    return flip(value, sign(bit(turned, top - 1)));
  }

  private Expr isHuge(Expr x) {
    return Expr.of(Fn2.GT, abs(x), n(huge));
  }

  private Expr small(Expr x, Expr value) {
    return where(abs(x), Fn2.LT, pick(0x1p-14, 0x1p-30), x, value);
  }

  Expr sin(Expr x) {
    return Step.of(Op.SIN_OF_HUGE, isHuge(x), x, small(x, sineOrCosine(x, 0)));
  }

  Expr cos(Expr x) {
    return Step.of(Op.COS_OF_HUGE, isHuge(x), x, sineOrCosine(x, 1));
  }

  Expr tan(Expr x) {
    Turn t = turn(x);
    Expr z = t.r.times(t.r);
    double[] c = isSingle ? Coefficients.TAN_FLOAT : Coefficients.TAN_DOUBLE;
    // The derivative is 1 + tan².
    Expr low = fma(t.low, z.times(1.5), t.low);
    Pair tan = fastSum(t.r, fma(t.r.times(z), polynomial(c, z), low));
    Expr inverse = n(-1).over(tan.high());
    Expr rest = fma(inverse, tan.low(), fma(inverse, tan.high(), ONE));
    Expr cotangent = fma(inverse, rest, inverse);
    Expr odd = Step.of(Op.IS_NEGATIVE, bit(t.quadrant, isSingle ? 31 : 63));
    Expr value = Expr.select(odd, cotangent, tan.high());
    return Step.of(Op.TAN_OF_HUGE, isHuge(x), x, small(x, value));
  }

  // ---- inverses

  /** To 1/2 by t = a, to 2 by π/4 and t = (a - 1)/(a + 1), then by π/2 and t = -1/a. */
  Expr atan(Expr x) {
    Expr a = abs(x);
    Expr steep = Expr.of(Fn2.GT, a, n(2));
    Expr flat = Expr.of(Fn2.LE, a, n(0.5));
    Pair sum = fastSum(ONE, a);
    Expr down = Expr.select(steep, a, sum.high());
    Expr up = Expr.select(steep, n(-1), sub(a, 1));
    Expr inverse = ONE.over(down);
    Expr q = up.times(inverse);
    Expr lost = fma(q.negate(), Expr.select(steep, n(0), sum.low()), fma(q.negate(), down, up));
    Expr low = where(a, Fn2.LT, pick(0x1p30, 0x1p60), lost.times(inverse), n(0));
    Expr t = Expr.select(flat, a, q);
    Expr base = Expr.select(steep, n(half), n(half / 2));
    Expr baseRest = Expr.select(steep, n(rest), n(rest / 2));
    Expr z = t.times(t);
    double[] c = isSingle ? Coefficients.ATAN_FLOAT : Coefficients.ATAN_DOUBLE;
    Expr curve = t.times(z).times(polynomial(c, z));
    Pair turned = fastSum(base, t);
    Expr value = turned.high().plus(turned.low().plus(baseRest.plus(low)).plus(curve));
    return flip(Expr.select(flat, t.plus(curve), value), sign(x));
  }

  /**
   * The angle of the point (x, y): that of the smaller coordinate over the larger by {@link
   * #ratio}, then turned and mirrored.
   */
  Expr atan2(Expr y, Expr x) {
    Expr a = abs(y);
    Expr b = abs(x);
    Expr steep = Expr.of(Fn2.GT, a, b);
    Expr most = Expr.select(steep, a, b);
    Expr least = Expr.select(steep, b, a);
    Expr infinity = n(Double.POSITIVE_INFINITY);
    Expr infinite = Expr.of(Fn2.EQ, most, infinity);
    Expr both = Expr.select(Expr.of(Fn2.EQ, least, infinity), ONE, n(0));
    Expr up = Expr.select(infinite, both, least);
    Expr down = Expr.select(infinite, ONE, where(most, Fn2.EQ, 0, ONE, most));
    double scale = Math.scalb(1.0, 2 * fraction);
    double large = Math.scalb(1.0, bias - 2);
    Expr small = where(down, Fn2.LT, minNormal * scale, n(scale), ONE);
    Expr to = where(down, Fn2.GT, large, n(0.25), small);
    Pair angle = ratio(up.times(to), down.times(to));
    angle = turnedIf(steep, half, rest, angle);
    angle = turnedIf(Step.of(Op.IS_NEGATIVE, x), 2 * half, 2 * rest, angle);
    Expr nan = Expr.of(Fn2.OR, Expr.of(Fn1.ISNAN, x), Expr.of(Fn1.ISNAN, y));
    return Expr.select(nan, n(Double.NaN), flip(angle.high().plus(angle.low()), sign(y)));
  }

  /** base + baseRest - angle where the test is true. */
  private static Pair turnedIf(Expr test, double base, double baseRest, Pair angle) {
    Pair turned = fastSum(n(base), angle.high().negate());
    Expr low = add(turned.low(), baseRest).minus(angle.low());
    return new Pair(
        Expr.select(test, turned.high(), angle.high()), Expr.select(test, low, angle.low()));
  }

  /** atan(a/b) for 0 ≤ a ≤ b, from 1/2 on by π/4 and (a - b)/(a + b). */
  private Pair ratio(Expr a, Expr b) {
    Expr flat = Expr.of(Fn2.LE, a, b.times(0.5));
    Pair sum = fastSum(b, a);
    Expr up = Expr.select(flat, a, a.minus(b));
    Expr down = Expr.select(flat, b, sum.high());
    Expr t = up.over(down);
    Expr lost = fma(t.negate(), Expr.select(flat, n(0), sum.low()), fma(t.negate(), down, up));
    Expr z = t.times(t);
    double[] c = isSingle ? Coefficients.ATAN_FLOAT : Coefficients.ATAN_DOUBLE;
    Expr low = fma(t.times(z), polynomial(c, z), lost.over(down));
    Pair turned = fastSum(n(half / 2), t);
    return new Pair(
        Expr.select(flat, t, turned.high()),
        Expr.select(flat, low, add(turned.low(), rest / 2).plus(low)));
  }

  /**
   * What asin(√z) has beyond √z to 1/2, and the root itself; above 1/2 those of √((1 - a)/2), the
   * sine of half the angle that is left to π/2.
   */
  private Pair asinParts(Expr a) {
    Expr steep = Expr.of(Fn2.GT, a, n(0.5));
    Expr left = ONE.minus(a).times(0.5);
    Expr z = Expr.select(steep, left, a.times(a));
    Expr root = sqrt(left);
    Expr lost = fma(root.negate(), root, left).over(add(root.plus(root), minNormal));
    Expr s = Expr.select(steep, root, a);
    double[] c = isSingle ? Coefficients.ASIN_FLOAT : Coefficients.ASIN_DOUBLE;
    return new Pair(s, fma(s.times(z), polynomial(c, z), Expr.select(steep, lost, n(0))));
  }

  private Expr isWithinHalf(Expr a) {
    return Expr.of(Fn2.LE, a, n(0.5));
  }

  Expr asin(Expr x) {
    Expr a = abs(x);
    Pair p = asinParts(a);
    Pair turned = fastSum(n(half), p.high().times(-2));
    Expr steep = turned.high().plus(add(turned.low(), rest).minus(p.low().times(2)));
    Expr value = Expr.select(isWithinHalf(a), p.high().plus(p.low()), steep);
    return flip(where(a, Fn2.LE, 1, value, n(Double.NaN)), sign(x));
  }

  Expr acos(Expr x) {
    Expr a = abs(x);
    Pair p = asinParts(a);
    Expr high = flip(p.high(), sign(x));
    Expr low = flip(p.low(), sign(x));
    Pair turned = fastSum(n(half), high.negate());
    Expr within = turned.high().plus(add(turned.low(), rest).minus(low));
    Expr near = p.high().plus(p.low()).times(2);
    Pair far = fastSum(n(2 * half), p.high().times(-2));
    Expr behind = far.high().plus(add(far.low(), 2 * rest).minus(p.low().times(2)));
    Expr steep = where(x, Fn2.GT, 0, near, behind);
    Expr value = Expr.select(isWithinHalf(a), within, steep);
    return where(a, Fn2.LE, 1, value, n(Double.NaN));
  }
}
