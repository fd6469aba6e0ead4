package ndgrad.kernel.sort;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.SortKernel;
import ndgrad.kernel.memory.Scratch;

/** Sorts stretches of arrays of any dtype in ascending order, NaN last. */
final class LineSort {
  /** Elements worth a thread. */
  private static final int GRAIN = 1 << 14;

  private LineSort() {}

  /**
   * Sorts a stretch; -0.0 comes before 0.0.
   *
   * @param line a primitive array, modified
   * @param from the first element
   * @param to one after the last
   */
  static void sort(Object line, int from, int to) {
    switch (line) {
      case boolean[] a -> sort(a, from, to);
      case int[] a -> IntSort.sort(a, from, to);
      case long[] a -> LongSort.sort(a, from, to);
      case float[] a -> sort(a, from, to);
      case double[] a -> sort(a, from, to);
      default -> throw new AssertionError(line.getClass());
    }
  }

  private static void sort(boolean[] a, int from, int to) {
    int ones = 0;
    for (int i = from; i < to; i++) {
      ones += a[i] ? 1 : 0;
    }
    Arrays.fill(a, from, to - ones, false);
    Arrays.fill(a, to - ones, to, true);
  }

  private static void sort(float[] a, int from, int to) {
    int n = to - from;
    int[] keys = (int[]) Scratch.array(DType.INT32, 0, n);
    Optional<SortKernel> kernel = IntQuick.kernel(0);
    int lanes = Forms.lanes(DType.INT32);
    convert(
        n,
        lanes,
        kernel,
        (k, p, m) -> k.toKeys(a, from + p, keys, p, m),
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            int bits = Float.floatToIntBits(a[from + i]);
            keys[i] = bits ^ bits >> 31 >>> 1;
          }
        });
    IntSort.sort(keys, 0, n);
    convert(
        n,
        lanes,
        kernel,
        (k, p, m) -> k.toNumbers(keys, p, a, from + p, m),
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            a[from + i] = Float.intBitsToFloat(keys[i] ^ keys[i] >> 31 >>> 1);
          }
        });
  }

  private static void sort(double[] a, int from, int to) {
    int n = to - from;
    long[] keys = (long[]) Scratch.array(DType.INT64, 0, n);
    Optional<SortKernel> kernel = LongQuick.kernel(0);
    int lanes = Forms.lanes(DType.INT64);
    convert(
        n,
        lanes,
        kernel,
        (k, p, m) -> k.toKeys(a, from + p, keys, p, m),
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            long bits = Double.doubleToLongBits(a[from + i]);
            keys[i] = bits ^ bits >> 63 >>> 1;
          }
        });
    LongSort.sort(keys, 0, n);
    convert(
        n,
        lanes,
        kernel,
        (k, p, m) -> k.toNumbers(keys, p, a, from + p, m),
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            a[from + i] = Double.longBitsToDouble(keys[i] ^ keys[i] >> 63 >>> 1);
          }
        });
  }

  /** What a kernel does with some whole vectors from a place on. */
  @FunctionalInterface
  private interface Vectors {
    void run(SortKernel kernel, int from, int n);
  }

  /** By all threads: whole vectors where there is a kernel, the rest one by one. */
  private static void convert(
      int n, int lanes, Optional<SortKernel> kernel, Vectors vectors, Threads.Range rest) {
    Threads.parallelFor(
        n,
        GRAIN,
        (begin, end) -> {
          int whole = kernel.isEmpty() ? 0 : end - begin & -lanes;
          kernel.ifPresent(k -> vectors.run(k, begin, whole));
          rest.run(begin + whole, end);
        });
  }
}
