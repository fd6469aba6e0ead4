package ndgrad.op.spec;

import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn2;

/**
 * What a reduction makes of floating elements, as data, so that it can be fused with what computes
 * them.
 */
public sealed interface Fold {
  /** The sum. */
  Once SUM = new Once("sum", Fn2.ADD, false);

  /** The mean. */
  Once MEAN = new Once("mean", Fn2.ADD, true);

  /** The largest. */
  Once MAX = new Once("max", Fn2.MAX, false);

  /** The smallest. */
  Once MIN = new Once("min", Fn2.MIN, false);

  /** The sum that leads to a {@code shape} that was broadcast; all others have axes. */
  Once SUM_TO = new Once("sum-to", Fn2.ADD, false);

  /**
   * What it is called, for people.
   *
   * @return a word
   */
  String name();

  /**
   * Whether the result is divided by the number of elements.
   *
   * @return true for means
   */
  boolean divides();

  /**
   * Whether it is differentiated as it is folded: each element by itself.
   *
   * @return false for the largest and the smallest, whose gradient looks at all elements again
   */
  boolean hasSlope();

  /**
   * One pass.
   *
   * @param name for people
   * @param combine ADD, MAX or MIN
   * @param divides whether the result is divided by the number of elements
   */
  record Once(String name, Fn2 combine, boolean divides) implements Fold {
    @Override
    public boolean hasSlope() {
      return combine == Fn2.ADD;
    }
  }

  /**
   * Two passes, of which the second reads what the first has found.
   *
   * @param name for people
   * @param first the first pass
   * @param shift what is made of its result (input 0); null for the result itself
   * @param second what the second pass adds up, of an element (input 0) and the shift (input 1)
   * @param divides whether the result is made with the number of elements, less the option {@code
   *     ddof}
   * @param last the result, of the sum (input 0) and that number or, without one, the shift (input
   *     1)
   * @param slope the partial derivative by an element, before any division: of the element (input
   *     0), the result (input 1) and, where the first pass finds it, the mean (input 2)
   */
  record Twice(
      String name, Once first, Expr shift, Expr second, boolean divides, Expr last, Expr slope)
      implements Fold {
    @Override
    public boolean hasSlope() {
      return true;
    }
  }
}
