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
  private final int[] high;
  private final int[] low;

  /**
   * Writes what all runs share.
   *
   * @param largest false for the smallest
   * @param count pairs of vectors that keys are folded into
   */
  ExtremeKeys(CodeBuilder code, VectorOps ops, boolean largest, int count) {
    this.ops = ops;
    this.largest = largest;
    this.high = new int[count];
    this.low = new int[count];
    ops.bitConstant(code, Long.MAX_VALUE);
    this.magnitude = VectorOps.keep(code);
  }

  /** Whether keys are faster: not for vectors of 128 bits, nor for long keys without AVX-512. */
  static boolean pay(DType dtype) {
    int bytes = Forms.lanes(dtype) * dtype.itemsize();
    return dtype == DType.FLOAT32 && bytes >= 32 || dtype == DType.FLOAT64 && bytes >= 64;
  }

  /** Begins a run. */
  void begin(CodeBuilder code) {
    for (int v = 0; v < high.length; v++) {
      ops.bitConstant(code, Long.MIN_VALUE);
      high[v] = VectorOps.keep(code);
      code.aload(magnitude);
      low[v] = VectorOps.keep(code);
    }
  }

  /** vector → ; folds its keys into a pair. */
  void fold(CodeBuilder code, int pair) {
    ops.bits(code);
    int bits = VectorOps.keep(code);
    code.aload(bits).aload(bits);
    ops.shift(code, "ASHR", 63);
    code.aload(magnitude);
    ops.onBits(code, "AND");
    ops.onBits(code, "XOR");
    int key = VectorOps.keep(code);
    combine(code, high[pair], key, "MAX");
    combine(code, low[pair], key, "MIN");
  }

  private void combine(CodeBuilder code, int into, int key, String operator) {
    code.aload(into).aload(key);
    ops.onBits(code, operator);
    code.astore(into);
  }

  /** → the result of the run. */
  void result(CodeBuilder code) {
    for (int v = 1; v < high.length; v++) {
      combine(code, high[0], high[v], "MAX");
      combine(code, low[0], low[v], "MIN");
    }
    code.aload(largest ? high[0] : low[0]);
    ops.reduceBits(code, largest ? "MAX" : "MIN");
    code.aload(largest ? low[0] : high[0]);
    ops.reduceBits(code, largest ? "MIN" : "MAX");
    ops.fromKeys(code);
  }
}
