// Generated from LongRadix.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.sort;

import java.util.Arrays;

/**
 * A radix sort of {@code int} keys, and numbers that go with them, from the lowest digit. Equal
 * keys stay in their order.
 */
final class IntRadix {
  private static final int BITS = 11;
  private static final int DIGITS = 1 << BITS;

  private IntRadix() {}

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
  static boolean sort(IntSort.Line line, IntSort.Line spare, int p, int n, int lowest) {
    int[] places = new int[DIGITS];
    boolean moved = false;
    for (int shift = lowest; shift < Integer.SIZE; shift += BITS) {
      IntSort.Line source = moved ? spare : line;
      if (count(source.keys(), source.at() + p, n, shift, places)) {
        move(source, moved ? line : spare, p, n, shift, places);
        moved = !moved;
      }
    }
    return moved;
  }

  /** Finds where the keys of each digit begin; false when all have the same digit. */
  private static boolean count(int[] keys, int from, int n, int shift, int[] places) {
    Arrays.fill(places, 0);
    for (int i = from; i < from + n; i++) {
      places[digit(keys[i], shift)]++;
    }
    if (n == 0 || places[digit(keys[from], shift)] == n) {
      return false;
    }
    int sum = 0;
    for (int d = 0; d < DIGITS; d++) {
      int count = places[d];
      places[d] = sum;
      sum += count;
    }
    return true;
  }

  private static void move(
      IntSort.Line from, IntSort.Line to, int p, int n, int shift, int[] places) {
    int[] keys = from.keys();
    int[] target = to.keys();
    int[] numbers = from.along();
    int[] along = to.along();
    int q = to.at() + p;
    int end = from.at() + p + n;
    if (numbers.length == 0) {
      for (int i = from.at() + p; i < end; i++) {
        int key = keys[i];
        target[q + places[digit(key, shift)]++] = key;
      }
      return;
    }
    for (int i = from.at() + p; i < end; i++) {
      int key = keys[i];
      int place = q + places[digit(key, shift)]++;
      target[place] = key;
      along[place] = numbers[i];
    }
  }

  /** The sign bit is flipped, so that negative keys come first. */
  @SuppressWarnings("cast") // of int keys there is nothing to cast
  private static int digit(int key, int shift) {
    return (int) ((key ^ Integer.MIN_VALUE) >>> shift) & DIGITS - 1;
  }
}
