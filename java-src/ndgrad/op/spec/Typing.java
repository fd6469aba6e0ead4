package ndgrad.op.spec;

import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.autograd.Tensor;

/**
 * The dtype rules of elementwise ops: in what dtype they compute and what they give (NumPy 2, NEP
 * 50).
 */
public enum Typing {
  /** Computes and gives the promoted dtype. */
  PROMOTE,
  /** As {@link #PROMOTE}, but refuses bool as NumPy's subtract does. */
  NUMERIC,
  /** As {@link #PROMOTE}, with bool counted as int64. */
  COUNTING,
  /** Computes and gives the promoted dtype if it is floating, else float64. */
  FLOATING,
  /** Computes in the promoted dtype, gives bool. */
  COMPARE,
  /** Takes truth values, gives bool. */
  LOGICAL,
  /** Looks at floating properties, gives bool. */
  PREDICATE,
  /** The first input is a truth value, the others are promoted. */
  SELECT;

  boolean loadsBool(int input) {
    return this == LOGICAL || this == SELECT && input == 0;
  }

  boolean givesBool() {
    return this == COMPARE || this == LOGICAL || this == PREDICATE;
  }

  DType compute(boolean[] loadsBool, Tensor... ins) {
    DType promoted = null;
    boolean weak = true;
    for (int i = 0; i < ins.length; i++) {
      if (!loadsBool[i]) {
        Tensor t = ins[i];
        promoted = promoted == null ? t.dtype() : promote(promoted, weak, t.dtype(), t.isWeak());
        weak &= t.isWeak();
      }
    }
    return switch (this) {
      case LOGICAL -> DType.BOOL;
      case FLOATING, PREDICATE -> promoted.toFloating();
      case COUNTING -> promoted == DType.BOOL ? DType.INT64 : promoted;
      case NUMERIC -> {
        if (promoted == DType.BOOL) {
          throw new DTypeException(
              "is not defined for bool; use logical-xor, logical-not, or astype first",
              "dtype",
              "bool");
        }
        yield promoted;
      }
      default -> promoted;
    };
  }

  /**
   * Promotion in which a host number gives way to an array.
   *
   * @param a a dtype
   * @param weakA whether it is a host number's
   * @param b another
   * @param weakB whether it is a host number's
   * @return the common dtype
   */
  public static DType promote(DType a, boolean weakA, DType b, boolean weakB) {
    if (weakA == weakB) {
      return DType.promote(a, b);
    }
    DType weak = weakA ? a : b;
    DType strong = weakA ? b : a;
    return rank(weak) <= rank(strong) ? strong : weak;
  }

  private static int rank(DType d) {
    return d == DType.BOOL ? 0 : d.isInteger() ? 1 : 2;
  }
}
