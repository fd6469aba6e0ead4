package ndgrad.kernel.sort;

/**
 * Binary search of many keys without branches on data, which no processor could foresee, four at a
 * time, so that their memory accesses overlap.
 */
final class SortSearch {
  private SortSearch() {}

  /**
   * Finds where keys belong.
   *
   * @param sorted ascending
   * @param keys what is looked for; afterwards where each belongs
   * @param n how many
   * @param right whether behind equal ones
   */
  static void run(long[] sorted, long[] keys, int n, boolean right) {
    int i = 0;
    for (; i <= n - 4; i += 4) {
      four(sorted, keys, i, right ? 1 : 0);
    }
    for (; i < n; i++) {
      long[] one = {keys[i], keys[i], keys[i], keys[i]};
      four(sorted, one, 0, right ? 1 : 0);
      keys[i] = one[0];
    }
  }

  private static void four(long[] sorted, long[] keys, int i, int right) {
    long a = keys[i];
    long b = keys[i + 1];
    long c = keys[i + 2];
    long d = keys[i + 3];
    int p = 0;
    int q = 0;
    int r = 0;
    int s = 0;
    // Each place is within [p, p + length].
    for (int length = sorted.length; length > 0; ) {
      int half = length + 1 >>> 1;
      p += half & -goesOn(sorted[p + half - 1], a, right);
      q += half & -goesOn(sorted[q + half - 1], b, right);
      r += half & -goesOn(sorted[r + half - 1], c, right);
      s += half & -goesOn(sorted[s + half - 1], d, right);
      length -= half;
    }
    keys[i] = p;
    keys[i + 1] = q;
    keys[i + 2] = r;
    keys[i + 3] = s;
  }

  /** 1 when the place is behind an element: when that is less than the key, or not greater. */
  private static int goesOn(long element, long key, int right) {
    int less = LongMerge.less(element, key);
    return less | right & (LongMerge.less(key, element) ^ 1);
  }
}
