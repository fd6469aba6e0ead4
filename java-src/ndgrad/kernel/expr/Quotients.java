package ndgrad.kernel.expr;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Step.Op;

/**
 * The quotient towards -∞ and what it leaves, which has the sign of the divisor. The quotient is
 * rounded to an integer that is the right one or the next; what it leaves is then exact, or rounded
 * once where it is so small beside the divisor that it can't be.
 */
final class Quotients extends Steps {
  /** Up to this size of a quotient integers are found by adding {@link #magic}. */
  private final double huge;

  private final double largest;

  Quotients(DType dtype) {
    super(dtype);
    huge = pick(0x1p22, 0x1p51);
    largest = pick(Float.MAX_VALUE, Double.MAX_VALUE);
  }

  /**
   * A division whose quotient is not huge.
   *
   * @param quotient x / y
   * @param integer the integer nearest to it
   * @param rest x - y * integer
   * @param isBeyond whether the integer is one too large: the rest has the wrong sign
   */
  private record Division(Expr quotient, Expr integer, Expr rest, Expr isBeyond) {}

  private Division divide(Expr x, Expr y) {
    Expr quotient = x.over(y);
    Expr integer = sub(add(quotient, magic), magic);
    Expr rest = fma(integer.negate(), y, x);
    Expr isBeyond = Expr.of(Fn2.LT, flip(rest, sign(y)), n(0));
    return new Division(quotient, integer, rest, isBeyond);
  }

  /** Whether another way is to be taken, by numbers that are no NaN. */
  private Expr isHuge(Division d, Expr y) {
    return Expr.of(
        Fn2.OR, Expr.of(Fn2.GT, abs(d.quotient), n(huge)), Expr.of(Fn2.GT, abs(y), n(largest)));
  }

  Expr remainder(Expr x, Expr y) {
    Division d = divide(x, y);
    Expr rest = Expr.select(d.isBeyond, d.rest.plus(y), d.rest);
    Expr signed = where(rest, Fn2.EQ, 0, sign(y), rest);
    return unlessHuge(Op.REMAINDER_OF_HUGE, d, x, y, signed);
  }

  Expr floorDiv(Expr x, Expr y) {
    Division d = divide(x, y);
    Expr floor = Expr.select(d.isBeyond, sub(d.integer, 1), d.integer);
    Expr signed = flip(abs(floor), sign(d.quotient));
    return unlessHuge(Op.FLOOR_DIV_OF_HUGE, d, x, y, signed);
  }

  private Expr unlessHuge(Op rare, Division d, Expr x, Expr y, Expr usual) {
    Expr isHuge = isHuge(d, y);
    return Step.of(rare, isHuge, x, Expr.select(isHuge, y, usual));
  }
}
