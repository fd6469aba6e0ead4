package ndgrad.kernel.sort;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.memory.Storage;

/**
 * Sorts keys and tells where they came from; equal keys stay in their order. Keys of 32 bits share
 * a long with their index, wider ones have an array of indexes beside them. Short arrays are
 * merged, longer ones go through a radix sort.
 */
final class Order {
  /** Fewer keys than this are not worth the counting of {@link LongRadix}. */
  private static final int RADIX = 4096;

  /** Runs up to this length are sorted by insertion. */
  private static final int RUN = 16;

  /** The keys to sort, to be filled by the caller. */
  final long[] keys;

  private final int n;
  private final boolean narrow;
  private long[] sorted;
  private int[] index;
  private long[] spareKeys = {};
  private int[] spareIndex = {};

  /**
   * Room for some keys.
   *
   * @param n number of keys
   * @param narrow whether all of them fit in 32 bits
   */
  Order(int n, boolean narrow) {
    this.n = n;
    this.narrow = narrow;
    keys = longs();
    sorted = longs();
    index = narrow ? new int[0] : ints();
    if (!narrow && n < RADIX) {
      spareKeys = longs();
      spareIndex = ints();
    }
  }

  private long[] longs() {
    return (long[]) Storage.uninitialised(DType.INT64, n).array();
  }

  private int[] ints() {
    return (int[]) Storage.uninitialised(DType.INT32, n).array();
  }

  /** Sorts the keys; they themselves stay as they are. */
  void sort() {
    if (narrow) {
      for (int i = 0; i < n; i++) {
        sorted[i] = keys[i] << 32 | i;
      }
    } else {
      System.arraycopy(keys, 0, sorted, 0, n);
      for (int i = 0; i < n; i++) {
        index[i] = i;
      }
    }
    if (n >= RADIX) {
      LongSort.sort(sorted, 0, n, narrow ? Integer.SIZE : 0, index);
    } else if (narrow) {
      Arrays.sort(sorted);
    } else {
      merge();
    }
  }

  /** Where the key at place i of the order came from. */
  int index(int i) {
    return narrow ? (int) sorted[i] : index[i];
  }

  /** Whether the key at place i > 0 differs from the one before it. */
  boolean differs(int i) {
    return narrow ? sorted[i] >> 32 != sorted[i - 1] >> 32 : sorted[i] != sorted[i - 1];
  }

  /** Writes the first k indexes of the order. */
  void indexes(long[] out, int q, int qs, int k) {
    for (int i = 0; i < k; i++) {
      out[q + i * qs] = index(i);
    }
  }

  private void swap() {
    long[] k = sorted;
    sorted = spareKeys;
    spareKeys = k;
    int[] i = index;
    index = spareIndex;
    spareIndex = i;
  }

  private void merge() {
    for (int from = 0; from < n; from += RUN) {
      insert(from, Math.min(n, from + RUN));
    }
    for (int run = RUN; run < n; run *= 2) {
      for (int from = 0; from < n; from += 2 * run) {
        merge(from, Math.min(n, from + run), Math.min(n, from + 2 * run));
      }
      swap();
    }
  }

  private void insert(int from, int to) {
    for (int i = from + 1; i < to; i++) {
      long key = sorted[i];
      int at = index[i];
      int j = i;
      for (; j > from && sorted[j - 1] > key; j--) {
        sorted[j] = sorted[j - 1];
        index[j] = index[j - 1];
      }
      sorted[j] = key;
      index[j] = at;
    }
  }

  private void merge(int from, int mid, int to) {
    int a = from;
    int b = mid;
    for (int i = from; i < to; i++) {
      boolean left = b >= to || a < mid && sorted[a] <= sorted[b];
      int j = left ? a++ : b++;
      spareKeys[i] = sorted[j];
      spareIndex[i] = index[j];
    }
  }
}
