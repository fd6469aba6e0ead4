package ndgrad.kernel.rows;

/**
 * Sorts long numbers by a radix sort from the lowest digit. It leaves out the digits that all
 * numbers have in common.
 */
final class SortRadix {
  /** Fewer numbers than this are not worth the counting. */
  static final int MANY = 1 << 13;

  private static final int BITS = 11;
  private static final int DIGITS = 1 << BITS;
  private static final int PASSES = Math.ceilDiv(Long.SIZE, BITS);

  private SortRadix() {}

  /**
   * Sorts.
   *
   * @param a the numbers, modified
   * @param from the first
   * @param to one after the last
   */
  static void sort(long[] a, int from, int to) {
    int n = to - from;
    int[][] counts = count(a, from, to);
    long[] source = a;
    long[] target = new long[n];
    int p = from;
    int q = 0;
    for (int pass = 0; pass < PASSES; pass++) {
      int shift = pass * BITS;
      int[] places = counts[pass];
      if (places[digit(source[p], shift)] == n) {
        continue;
      }
      int sum = q;
      for (int d = 0; d < DIGITS; d++) {
        int count = places[d];
        places[d] = sum;
        sum += count;
      }
      for (int i = p; i < p + n; i++) {
        long x = source[i];
        target[places[digit(x, shift)]++] = x;
      }
      long[] swap = source;
      source = target;
      target = swap;
      int at = p;
      p = q;
      q = at;
    }
    if (source != a) {
      System.arraycopy(source, 0, a, from, n);
    }
  }

  private static int[][] count(long[] a, int from, int to) {
    int[][] counts = new int[PASSES][DIGITS];
    for (int i = from; i < to; i++) {
      for (int pass = 0; pass < PASSES; pass++) {
        counts[pass][digit(a[i], pass * BITS)]++;
      }
    }
    return counts;
  }

  /** The sign bit is flipped, so that negative numbers come first. */
  private static int digit(long x, int shift) {
    return (int) ((x ^ Long.MIN_VALUE) >>> shift) & DIGITS - 1;
  }
}
