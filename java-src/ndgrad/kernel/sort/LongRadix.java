package ndgrad.kernel.sort;

import java.util.Arrays;

/**
 * A radix sort of {@code long} keys, and numbers that go with them, from the lowest digit. Equal
 * keys stay in their order.
 */
final class LongRadix {
  /** Bits of a digit of many keys, whose places still fit into the first-level cache. */
  private static final int BITS = 11;

  /** The same of few, for which finding the places would take longer than moving the keys. */
  private static final int FEW_BITS = 8;

  private static final int FEW = 1 << 12;

  private LongRadix() {}

  /**
   * Sorts a part of a line.
   *
   * @param line modified in this part
   * @param spare modified in the same part
   * @param p the part's first element
   * @param n how many
   * @param lowest the lowest bit to sort by
   * @return whether the sorted part is in {@code spare}
   */
  static boolean sort(LongSort.Line line, LongSort.Line spare, int p, int n, int lowest) {
    int bits = n < FEW ? FEW_BITS : BITS;
    int[] places = new int[1 << bits];
    boolean moved = false;
    for (int shift = lowest; shift < Long.SIZE; shift += bits) {
      LongSort.Line source = moved ? spare : line;
      if (count(source.keys(), source.at() + p, n, shift, places)) {
        move(source, moved ? line : spare, p, n, shift, places);
        moved = !moved;
      }
    }
    return moved;
  }

  /** Finds where the keys of each digit begin; false when all have the same digit. */
  private static boolean count(long[] keys, int from, int n, int shift, int[] places) {
    Arrays.fill(places, 0);
    int last = places.length - 1;
    for (int i = from; i < from + n; i++) {
      places[digit(keys[i], shift, last)]++;
    }
    if (n == 0 || places[digit(keys[from], shift, last)] == n) {
      return false;
    }
    int sum = 0;
    for (int d = 0; d < places.length; d++) {
      int count = places[d];
      places[d] = sum;
      sum += count;
    }
    return true;
  }

  private static void move(
      LongSort.Line from, LongSort.Line to, int p, int n, int shift, int[] places) {
    long[] keys = from.keys();
    long[] target = to.keys();
    int[] numbers = from.along();
    int[] along = to.along();
    int q = to.at() + p;
    int end = from.at() + p + n;
    int last = places.length - 1;
    if (numbers.length == 0) {
      for (int i = from.at() + p; i < end; i++) {
        long key = keys[i];
        target[q + places[digit(key, shift, last)]++] = key;
      }
      return;
    }
    for (int i = from.at() + p; i < end; i++) {
      long key = keys[i];
      int place = q + places[digit(key, shift, last)]++;
      target[place] = key;
      along[place] = numbers[i];
    }
  }

  /** The sign bit is flipped, so that negative keys come first. */
  @SuppressWarnings("cast") // of int keys there is nothing to cast
  private static int digit(long key, int shift, int last) {
    return (int) ((key ^ Long.MIN_VALUE) >>> shift) & last;
  }
}
