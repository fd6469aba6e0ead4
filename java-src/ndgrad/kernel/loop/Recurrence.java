package ndgrad.kernel.loop;

import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * First-order linear recurrences along an axis: y[i] = b[i] + a[i] y[i-1] with y[-1] = 0. They are
 * the gradients of cumulative products, free of division, and their own gradients are recurrences
 * again.
 */
public final class Recurrence {
  private static final int GRAIN = 8_192;

  /** Lines that run side by side. */
  private static final int LINES = 4;

  private Recurrence() {}

  /**
   * Solves the recurrence for every row along an axis, in double precision.
   *
   * @param a the factors; not modified
   * @param b the terms, of the same shape; not modified
   * @param axis from 0 to ndim-1
   * @param reverse whether it runs from the last element to the first: y[i] = b[i] + a[i] y[i+1]
   * @return a fresh row-major array of b's dtype
   */
  public static Strided solve(Strided a, Strided b, int axis, boolean reverse) {
    Layout shape = b.layout();
    int n = shape.dim(axis);
    int inner = 1;
    for (int i = axis + 1; i < shape.ndim(); i++) {
      inner *= shape.dim(i);
    }
    double[] factors = (double[]) Copies.copyOf(a, DType.FLOAT64).array();
    Strided out = Copies.copyOf(b, DType.FLOAT64);
    double[] y = (double[]) out.array();
    int block = n * inner;
    int row = inner;
    int outer = block == 0 ? 0 : y.length / block;
    Threads.parallelFor(
        outer,
        GRAIN / Math.max(1, block),
        (begin, end) -> {
          int o = begin;
          for (; row == 1 && o + LINES <= end; o += LINES) {
            lines(factors, y, o * block + (reverse ? n - 1 : 0), n, reverse ? -1 : 1);
          }
          for (; o < end; o++) {
            for (int i = 1; i < n; i++) {
              int at = o * block + (reverse ? n - 1 - i : i) * row;
              accumulate(factors, y, at, reverse ? at + row : at - row, row);
            }
          }
        });
    if (b.dtype() == DType.FLOAT64) {
      return out;
    }
    Strided narrow = Strided.empty(b.dtype(), shape.shape());
    Copies.copy(out, narrow);
    return narrow;
  }

  /** Some contiguous lines side by side, because each element waits for the one before it. */
  private static void lines(double[] a, double[] y, int first, int n, int step) {
    double y0 = y[first];
    double y1 = y[first + n];
    double y2 = y[first + 2 * n];
    double y3 = y[first + 3 * n];
    for (int i = 1, p = first + step; i < n; i++, p += step) {
      y0 = y[p] += a[p] * y0;
      y1 = y[p + n] += a[p + n] * y1;
      y2 = y[p + 2 * n] += a[p + 2 * n] * y2;
      y3 = y[p + 3 * n] += a[p + 3 * n] * y3;
    }
  }

  private static void accumulate(double[] a, double[] y, int at, int before, int n) {
    for (int j = 0; j < n; j++) {
      y[at + j] += a[at + j] * y[before + j];
    }
  }
}
