package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import ndgrad.DType;

/**
 * Finds the largest or smallest number of floating vectors by keys: their bits, those of negative
 * numbers but the sign reversed, which are in order as integers are. Then -0 is less than 0 and all
 * numbers lie between the NaNs of either sign. So the largest key and the smallest together tell
 * the result of {@link Math#max} or {@link Math#min} over all, in four instructions a vector where
 * x86 takes six that wait for each other.
 */
final class ExtremeKeys {
  private final VectorOps ops;
  private final boolean largest;
  private final int magnitude;
  private int high;
  private int low;

  /**
   * Writes what all runs share.
   *
   * @param largest false for the smallest
   */
  ExtremeKeys(CodeBuilder code, VectorOps ops, boolean largest) {
    this.ops = ops;
    this.largest = largest;
    ops.magnitudeBits(code);
    this.magnitude = VectorOps.keep(code);
  }

  /** Whether keys are faster: not for vectors of 128 bits, nor for long keys in those of 256. */
  static boolean pay(DType dtype) {
    return dtype.isFloating() && Forms.lanes(dtype) >= 8;
  }

  /** Begins a run. */
  void begin(CodeBuilder code) {
    ops.signBits(code);
    high = VectorOps.keep(code);
    code.aload(magnitude);
    low = VectorOps.keep(code);
  }

  /** vector → ; folds its keys. */
  void fold(CodeBuilder code) {
    ops.bits(code);
    int bits = VectorOps.keep(code);
    code.aload(bits).aload(bits);
    ops.shift(code, "ASHR", ops.dtype().itemsize() * Byte.SIZE - 1);
    code.aload(magnitude);
    ops.onBits(code, "AND");
    ops.onBits(code, "XOR");
    int key = VectorOps.keep(code);
    code.aload(high).aload(key);
    ops.onBits(code, "MAX");
    code.astore(high).aload(low).aload(key);
    ops.onBits(code, "MIN");
    code.astore(low);
  }

  /** → the result of the run. */
  void result(CodeBuilder code) {
    code.aload(largest ? high : low);
    ops.reduceBits(code, largest ? "MAX" : "MIN");
    code.aload(largest ? low : high);
    ops.reduceBits(code, largest ? "MIN" : "MAX");
    ops.fromKeys(code);
  }
}
