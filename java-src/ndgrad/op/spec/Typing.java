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
    DType promoted = promote(loadsBool, ins);
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
   * Promotion in which host numbers give way to arrays, wherever they stand.
   *
   * @param ins arrays and host numbers, one at least
   * @return the common dtype
   */
  public static DType promote(Tensor... ins) {
    return promote(new boolean[ins.length], ins);
  }

  /** The common dtype of those that are not loaded as bool; null where all are. */
  private static DType promote(boolean[] loadsBool, Tensor... ins) {
    DType strong = null;
    DType weak = null;
    for (int i = 0; i < ins.length; i++) {
      if (!loadsBool[i]) {
        DType d = ins[i].dtype();
        if (ins[i].isWeak()) {
          weak = weak == null ? d : DType.promote(weak, d);
        } else {
          strong = strong == null ? d : DType.promote(strong, d);
        }
      }
    }
    return strong == null || weak != null && rank(weak) > rank(strong) ? weak : strong;
  }

  private static int rank(DType d) {
    return d == DType.BOOL ? 0 : d.isInteger() ? 1 : 2;
  }
}
