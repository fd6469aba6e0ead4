package ndgrad.kernel.expr;

import java.util.List;

/**
 * One of the exact steps that {@link Functions} are spelled out in, beside sums, products,
 * quotients, roots, comparisons and choices. All arguments are floating numbers of one dtype; the
 * steps on bits take them for integers of the same width.
 *
 * @param op what it does
 * @param amount by how much a shift goes, else 0
 * @param args the arguments
 */
public record Step(Op op, int amount, List<Expr> args) implements Expr {

  /** What steps there are. */
  public enum Op {
    /** a * b + c, rounded once. */
    FMA,
    /** The sum of the bits. */
    ADD_BITS,
    /** The difference of the bits. */
    SUB_BITS,
    /** The bits that are set in both. */
    AND_BITS,
    /** The bits that are set in one of both. */
    XOR_BITS,
    /** The bits shifted to the left. */
    SHIFT_LEFT,
    /** The bits shifted to the right, copies of the sign moving in. */
    SHIFT_RIGHT,
    /** Whether the sign bit is set. */
    IS_NEGATIVE,
    /**
     * Where the bool a is set, which is nearly everywhere, b; elsewhere c, which is computed only
     * when some element asks for it.
     */
    USUALLY,
    /** Where the bool a is set, which is rare, the sine of b; elsewhere c. */
    SIN_OF_HUGE,
    /** Where the bool a is set, which is rare, the cosine of b; elsewhere c. */
    COS_OF_HUGE,
    /** Where the bool a is set, which is rare, the tangent of b; elsewhere c. */
    TAN_OF_HUGE,
    /** Where the bool a is set, which is rare, the remainder of b by c; elsewhere c. */
    REMAINDER_OF_HUGE,
    /** Where the bool a is set, which is rare, the quotient of b by c towards -∞; elsewhere c. */
    FLOOR_DIV_OF_HUGE;

    /**
     * Whether it is there for rare elements, so that vectors need another way around it.
     *
     * @return true for the functions of huge numbers
     */
    public boolean isRare() {
      return this == SIN_OF_HUGE || this == COS_OF_HUGE || this == TAN_OF_HUGE || isOfTwo();
    }

    /**
     * Whether it is the rare case of a function of two numbers.
     *
     * @return true for divisions
     */
    public boolean isOfTwo() {
      return this == REMAINDER_OF_HUGE || this == FLOOR_DIV_OF_HUGE;
    }
  }

  static Expr of(Op op, Expr... args) {
    return new Step(op, 0, List.of(args));
  }

  static Expr shift(Op op, Expr a, int amount) {
    return new Step(op, amount, List.of(a));
  }

  @Override
  public String toString() {
    return ExprPrinter.print(this);
  }
}
