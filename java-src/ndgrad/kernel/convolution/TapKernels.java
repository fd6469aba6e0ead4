package ndgrad.kernel.convolution;

import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Supplier;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.TapKernel;
import ndgrad.kernel.code.VectorTaps;
import ndgrad.kernel.code.WarmKernel;
import ndgrad.kernel.code.Warmup;

/**
 * The kernels of direct convolutions: made once, plain at first and of vectors once these are fast.
 */
final class TapKernels {
  /**
   * Registers that hold sums, of 32 and of 16; what is loaded needs some, too, and a single sum
   * without one halves the speed.
   */
  private static final int MANY_SUMS = 24;

  private static final int FEW_SUMS = 8;

  /** The same for dot products, which load on both sides: with 24 of 32 the JIT has to spill. */
  private static final int MANY_DOTS = 20;

  private record Key(DType dtype, int rows, int taps) {}

  private static final Map<Key, TapKernel> KERNELS = new ConcurrentHashMap<>();

  private TapKernels() {}

  /** How many rows a kernel of sums takes, out of many: as evenly as may be. */
  static int sumRows(DType dtype, int rows) {
    return even(rows, sums(dtype) == MANY_SUMS ? 8 : 4);
  }

  /** How many rows a kernel of dot products takes, out of many. */
  static int dotRows(DType dtype, int rows) {
    return even(rows, sums(dtype) == MANY_SUMS ? 4 : 2);
  }

  /** How many taps a kernel of dot products takes, out of many, when it takes so many rows. */
  static int dotTaps(DType dtype, int rows, int taps) {
    int parts = lanes(dtype) / Math.max(1, Math.min(Forms.lanes(dtype), lanes(dtype)));
    int dots = Math.min(sums(dtype), MANY_DOTS);
    return even(taps, Math.max(1, dots / (rows * Math.min(parts, 4))));
  }

  /** The parts of n that are as large as possible, up to a limit, and differ as little. */
  private static int even(int n, int limit) {
    return Math.max(1, Math.ceilDiv(n, Math.ceilDiv(Math.max(n, 1), limit)));
  }

  /** Partial sums of a dot product. */
  static int lanes(DType dtype) {
    return TapKernel.LANE_BYTES / dtype.itemsize();
  }

  /** Elements behind a row that a kernel may read or write. */
  static int slack(DType dtype) {
    return 2 * lanes(dtype);
  }

  private static int sums(DType dtype) {
    return Forms.registers(dtype) >= 32 ? MANY_SUMS : FEW_SUMS;
  }

  /** The kernel of sums of some rows. */
  static TapKernel sum(DType dtype, int rows) {
    return KERNELS.computeIfAbsent(
        new Key(dtype, rows, 0),
        _ -> {
          int vectors = Math.clamp(sums(dtype) / rows, 1, 4);
          return adaptive(
              dtype, rows, 0, Taps.of(dtype).sum(rows), () -> VectorTaps.sum(dtype, rows, vectors));
        });
  }

  /** The kernel of dot products of some rows and taps. */
  static TapKernel dot(DType dtype, int rows, int taps) {
    return KERNELS.computeIfAbsent(
        new Key(dtype, rows, taps),
        _ ->
            adaptive(
                dtype,
                rows,
                taps,
                Taps.of(dtype).dot(rows, taps),
                () -> VectorTaps.dot(dtype, rows, taps)));
  }

  private static TapKernel adaptive(
      DType dtype, int rows, int taps, TapKernel plain, Supplier<TapKernel> vector) {
    int lanes = Forms.lanes(dtype);
    boolean fits = lanes > 0 && lanes(dtype) % lanes == 0;
    return fits ? new Adaptive(dtype, rows, taps, plain, vector) : plain;
  }

  /** A kernel that is plain at first and of vectors once these are fast. */
  private static final class Adaptive implements TapKernel {
    /** What one step of the plain form costs, in units of 0.1 ns. */
    private static final int COST_OF_SUM = 1;

    private static final int COST_OF_DOT = 4;

    private final TapKernel plain;
    private final int rows;
    private final int cost;
    private final WarmKernel<TapKernel> vectors;

    Adaptive(DType dtype, int rows, int taps, TapKernel plain, Supplier<TapKernel> vector) {
      this.plain = plain;
      this.rows = rows;
      this.cost = taps == 0 ? COST_OF_SUM : COST_OF_DOT;
      this.vectors =
          new WarmKernel<>(
              dtype,
              vector,
              (fast, change) -> {
                Sample sample = new Sample(dtype, rows, taps);
                return new Warmup.Trial(
                    (long) rows * sample.off.length * Sample.LENGTH * cost,
                    () -> sample.train(fast),
                    () -> sample.run(fast, Sample.LENGTH),
                    () -> sample.run(plain, Sample.LENGTH),
                    change);
              });
    }

    @Override
    public void run(
        Object a,
        int aAt,
        int aStep,
        Object x,
        int xAt,
        int[] off,
        int offAt,
        int taps,
        int n,
        Object out,
        int outAt,
        int outStep) {
      vectors
          .get((long) rows * taps * n * cost)
          .orElse(plain)
          .run(a, aAt, aStep, x, xAt, off, offAt, taps, n, out, outAt, outStep);
    }
  }

  /** Small arrays to run a kernel over. */
  private static final class Sample {
    private static final int LENGTH = 500;
    private static final int TAPS = 9;

    private final int rows;
    private final int[] off;
    private final Object a;
    private final Object x;
    private final Object out;

    Sample(DType dtype, int rows, int taps) {
      this.rows = rows;
      off = new int[taps == 0 ? TAPS : taps];
      for (int t = 0; t < off.length; t++) {
        off[t] = t / 3 * 30 + t % 3;
      }
      int length = LENGTH + slack(dtype);
      a = Warmup.numbers(dtype, taps == 0 ? rows * (1 + TAPS) : rows * length);
      x = Warmup.numbers(dtype, length + off[off.length - 1]);
      out = dtype.newArray(taps == 0 ? rows * length : rows * taps * lanes(dtype));
    }

    void run(TapKernel kernel, int n) {
      kernel.run(a, 0, LENGTH, x, 0, off, 0, off.length, n, out, 0, LENGTH);
    }

    void train(TapKernel kernel) {
      for (int n : new int[] {LENGTH, 200, 60, 30, 7}) {
        run(kernel, n);
      }
    }
  }
}
