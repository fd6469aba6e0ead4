// Generated from LongRadix.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.rows;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Storage;

/**
 * A radix sort of {@code int} keys from the lowest digit, on all threads. Equal keys stay in their
 * order, so the result does not depend on how the keys are shared out. Digits that all keys have in
 * common are left out.
 *
 * <p>Each pass counts the digits of each part, from the counts finds where the part's first key of
 * each digit belongs, and moves the keys there: Knuth, The Art of Computer Programming, vol. 3,
 * 5.2.5, with a row of counters for each part.
 */
public final class IntRadix {
  /** Fewer keys than this are not worth the counting. */
  static final int MANY = 1 << 13;

  /** Keys worth a thread. */
  private static final int GRAIN = 1 << 14;

  private static final int BITS = 11;
  private static final int DIGITS = 1 << BITS;
  private static final DType KEYS = DType.of(int.class);

  private final int n;
  private final int parts;
  private final int[][] places;

  private IntRadix(int n) {
    this.n = n;
    this.parts = Math.clamp(n / GRAIN, 1, Threads.numThreads());
    this.places = new int[parts][DIGITS];
  }

  /**
   * Sorts keys.
   *
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   */
  static void sort(int[] keys, int from, int to) {
    sort(keys, from, to, 0, null);
  }

  /**
   * Sorts keys, and numbers along with them.
   *
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   * @param lowest the lowest bit to sort by
   * @param along a number for each key, moved with it; null for none
   */
  public static void sort(int[] keys, int from, int to, int lowest, int[] along) {
    int n = to - from;
    IntRadix radix = new IntRadix(n);
    int[] spare = (int[]) Storage.uninitialised(KEYS, n).array();
    int[] spareAlong = along == null ? null : (int[]) Storage.uninitialised(DType.INT32, n).array();
    boolean moved = false;
    for (int shift = lowest; shift < Integer.SIZE; shift += BITS) {
      boolean counted = moved ? radix.count(spare, 0, shift) : radix.count(keys, from, shift);
      if (counted && moved) {
        radix.move(spare, 0, spareAlong, keys, from, along, shift);
      } else if (counted) {
        radix.move(keys, from, along, spare, 0, spareAlong, shift);
      }
      moved ^= counted;
    }
    if (moved) {
      System.arraycopy(spare, 0, keys, from, n);
      if (along != null) {
        System.arraycopy(spareAlong, 0, along, from, n);
      }
    }
  }

  private int first(int part) {
    return part * (n / parts) + Math.min(part, n % parts);
  }

  /** Finds the places of a digit's keys; false when all have the same digit. */
  private boolean count(int[] keys, int p, int shift) {
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int part = begin; part < end; part++) {
            count(keys, p + first(part), p + first(part + 1), shift, places[part]);
          }
        });
    int sum = 0;
    for (int d = 0; d < DIGITS; d++) {
      int before = sum;
      for (int[] place : places) {
        int count = place[d];
        place[d] = sum;
        sum += count;
      }
      if (sum - before == n) {
        return false;
      }
    }
    return true;
  }

  private static void count(int[] keys, int from, int to, int shift, int[] counts) {
    Arrays.fill(counts, 0);
    for (int i = from; i < to; i++) {
      counts[digit(keys[i], shift)]++;
    }
  }

  private void move(
      int[] keys, int p, int[] along, int[] target, int q, int[] targetAlong, int shift) {
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int part = begin; part < end; part++) {
            int from = p + first(part);
            int to = p + first(part + 1);
            if (along == null) {
              move(keys, from, to, target, q, shift, places[part]);
            } else {
              move(keys, along, from, to, target, targetAlong, q, shift, places[part]);
            }
          }
        });
  }

  private static void move(
      int[] keys, int from, int to, int[] target, int q, int shift, int[] places) {
    for (int i = from; i < to; i++) {
      int key = keys[i];
      target[q + places[digit(key, shift)]++] = key;
    }
  }

  private static void move(
      int[] keys,
      int[] along,
      int from,
      int to,
      int[] target,
      int[] targetAlong,
      int q,
      int shift,
      int[] places) {
    for (int i = from; i < to; i++) {
      int key = keys[i];
      int place = q + places[digit(key, shift)]++;
      target[place] = key;
      targetAlong[place] = along[i];
    }
  }

  /** The sign bit is flipped, so that negative keys come first. */
  @SuppressWarnings("cast") // of int keys there is nothing to cast
  private static int digit(int key, int shift) {
    return (int) ((key ^ Integer.MIN_VALUE) >>> shift) & DIGITS - 1;
  }
}
