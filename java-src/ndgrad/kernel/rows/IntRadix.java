// Generated from LongRadix.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.rows;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Scratch;

/**
 * A radix sort of {@code int} keys from the lowest digit. Each thread sorts a part of its own,
 * whose lines stay in its caches; the parts are merged pairwise, each merge by all threads (O.
 * Green, S. Odeh, Y. Birk, "Merge Path", arXiv:1406.2628). Equal keys stay in their order, so the
 * result does not depend on the parts.
 */
public final class IntRadix {
  /** Fewer keys than this are not worth the counting. */
  static final int MANY = 1 << 13;

  /** Keys worth a thread. */
  private static final int GRAIN = 1 << 14;

  private static final int BITS = 11;
  private static final int DIGITS = 1 << BITS;
  private static final DType KEYS = DType.of(int.class);
  private static final int[] NONE = {};

  /**
   * Keys from one element on, and the numbers that go with them, if any.
   *
   * @param along empty where nothing goes with the keys
   */
  private record Line(int[] keys, int[] along, int at) {
    void copy(int from, Line to, int q, int n) {
      System.arraycopy(keys, at + from, to.keys, to.at + q, n);
      if (along.length > 0) {
        System.arraycopy(along, at + from, to.along, to.at + q, n);
      }
    }
  }

  private IntRadix() {}

  /**
   * Sorts keys.
   *
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   */
  static void sort(int[] keys, int from, int to) {
    sort(keys, from, to, 0, NONE);
  }

  /**
   * Sorts keys, and numbers along with them.
   *
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   * @param lowest the lowest bit to sort by
   * @param along a number for each of the keys array, moved with it; or an empty array
   */
  public static void sort(int[] keys, int from, int to, int lowest, int[] along) {
    int n = to - from;
    int parts = Integer.highestOneBit(Math.clamp(n / GRAIN, 1, Threads.numThreads()));
    Line line = new Line(keys, along, from);
    Line spare = spare(n, along.length > 0);
    // Each level of merging goes from one array to the other, and the last one ends in the keys.
    boolean odd = (Integer.numberOfTrailingZeros(parts) & 1) == 1;
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int part = begin; part < end; part++) {
            int first = bound(n, parts, part);
            part(line, spare, first, bound(n, parts, part + 1) - first, lowest, odd);
          }
        });
    Line source = odd ? spare : line;
    Line target = odd ? line : spare;
    for (int width = 1; width < parts; width *= 2) {
      merge(source, target, n, parts, width);
      Line swap = source;
      source = target;
      target = swap;
    }
  }

  private static Line spare(int n, boolean along) {
    int[] keys = (int[]) Scratch.array(KEYS, 1, n);
    int[] numbers = along ? (int[]) Scratch.array(DType.INT32, 2, n) : NONE;
    return new Line(keys, numbers, 0);
  }

  /** Where a part begins. */
  private static int bound(int n, int parts, int part) {
    return part * (n / parts) + Math.min(part, n % parts);
  }

  // ---- one part

  /** Sorts a part, which ends in the line or in the spare one. */
  private static void part(Line line, Line spare, int p, int n, int lowest, boolean inSpare) {
    int[] places = new int[DIGITS];
    boolean moved = false;
    for (int shift = lowest; shift < Integer.SIZE; shift += BITS) {
      Line source = moved ? spare : line;
      if (count(source.keys, source.at + p, n, shift, places)) {
        move(source, moved ? line : spare, p, n, shift, places);
        moved = !moved;
      }
    }
    if (moved && !inSpare) {
      spare.copy(p, line, p, n);
    } else if (!moved && inSpare) {
      line.copy(p, spare, p, n);
    }
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

  private static void move(Line from, Line to, int p, int n, int shift, int[] places) {
    int[] keys = from.keys;
    int[] target = to.keys;
    int q = to.at + p;
    int end = from.at + p + n;
    if (from.along.length == 0) {
      for (int i = from.at + p; i < end; i++) {
        int key = keys[i];
        target[q + places[digit(key, shift)]++] = key;
      }
      return;
    }
    for (int i = from.at + p; i < end; i++) {
      int key = keys[i];
      int place = q + places[digit(key, shift)]++;
      target[place] = key;
      to.along[place] = from.along[i];
    }
  }

  /** The sign bit is flipped, so that negative keys come first. */
  @SuppressWarnings("cast") // of int keys there is nothing to cast
  private static int digit(int key, int shift) {
    return (int) ((key ^ Integer.MIN_VALUE) >>> shift) & DIGITS - 1;
  }

  // ---- merging

  /** Merges neighbours of {@code width} parts each, a share of the result after the other. */
  private static void merge(Line from, Line to, int n, int parts, int width) {
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int share = begin; share < end; share++) {
            int pair = share & -2 * width;
            int low = bound(n, parts, pair);
            int mid = bound(n, parts, pair + width);
            int high = bound(n, parts, pair + 2 * width);
            int first = bound(n, parts, share) - low;
            int last = bound(n, parts, share + 1) - low;
            int a = low + split(from, low, mid, high, first);
            int aEnd = low + split(from, low, mid, high, last);
            int b = mid + low + first - a;
            merge(from, a, aEnd, b, mid + low + last - aEnd, to, low + first);
          }
        });
  }

  /** How many of the first {@code count} elements of two merged runs come from the first run. */
  private static int split(Line line, int low, int mid, int high, int count) {
    int least = Math.max(0, count - (high - mid));
    int most = Math.min(count, mid - low);
    while (least < most) {
      int taken = (least + most) >>> 1;
      int a = line.keys[line.at + low + taken];
      int b = line.keys[line.at + mid + count - taken - 1];
      if (a <= b) {
        least = taken + 1;
      } else {
        most = taken;
      }
    }
    return least;
  }

  private static void merge(Line from, int a, int aEnd, int b, int bEnd, Line to, int q) {
    if (from.along.length > 0) {
      mergeAlong(from, a, aEnd, b, bEnd, to, q);
      return;
    }
    int[] keys = from.keys;
    int[] target = to.keys;
    int i = from.at + a;
    int j = from.at + b;
    int k = to.at + q;
    int iEnd = from.at + aEnd;
    int jEnd = from.at + bEnd;
    while (i < iEnd && j < jEnd) {
      int x = keys[i];
      int y = keys[j];
      // Without a branch, which nobody could predict.
      int left = x <= y ? 1 : 0;
      target[k++] = Math.min(x, y);
      i += left;
      j += 1 - left;
    }
    System.arraycopy(keys, i, target, k, iEnd - i);
    System.arraycopy(keys, j, target, k + iEnd - i, jEnd - j);
  }

  private static void mergeAlong(Line from, int a, int aEnd, int b, int bEnd, Line to, int q) {
    int i = a;
    int j = b;
    int k = to.at + q;
    while (i < aEnd && j < bEnd) {
      boolean left = from.keys[from.at + i] <= from.keys[from.at + j];
      int next = from.at + (left ? i : j);
      to.keys[k] = from.keys[next];
      to.along[k++] = from.along[next];
      i += left ? 1 : 0;
      j += left ? 0 : 1;
    }
    from.copy(i, to, k - to.at, aEnd - i);
    from.copy(j, to, k - to.at + aEnd - i, bEnd - j);
  }
}
