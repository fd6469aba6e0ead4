package ndgrad.kernel.sort;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.SortKernel;
import ndgrad.kernel.code.VectorSorts;
import ndgrad.kernel.code.WarmKernel;
import ndgrad.kernel.code.Warmup;
import ndgrad.kernel.memory.Scratch;

/**
 * A quicksort of {@code long} keys by vectors, down to blocks that are sorted in registers (B.
 * Bramas, "A novel hybrid quicksort algorithm vectorized using AVX-512 on Intel Skylake",
 * arXiv:1704.08579). Keys above a pivot wait in a spare array while those below move to the front.
 */
final class LongQuick {
  private static final DType KEYS = DType.of(long.class);

  /** What sorting a key takes by plain code, in units of 0.1 ns. */
  private static final int COST = 100;

  /** The same by vectors. */
  private static final int VECTOR_COST = 30;

  private static final WarmKernel<SortKernel> KERNEL =
      new WarmKernel<>(KEYS, () -> VectorSorts.compile(KEYS), LongQuick::trial);

  /** Keys worth a thread. */
  private static final int GRAIN = 1 << 14;

  /** Parts for each thread: some are longer than others. */
  private static final int PARTS = 4;

  /** Keys from which on the pivot is the median of many. */
  private static final int SAMPLED = 1 << 15;

  /** Blocks that are sorted to compare the ways. */
  private static final int BLOCKS = 16;

  private final SortKernel kernel;
  private final int block = VectorSorts.block(KEYS);
  private final int lanes = Forms.lanes(KEYS);
  private final long[] keys;
  private final long[] spare;

  LongQuick(SortKernel kernel, long[] keys, int from, int to) {
    this.kernel = kernel;
    this.keys = keys;
    this.spare = (long[]) Scratch.array(KEYS, 1, Math.max(to - from, block));
  }

  /**
   * The kernel, when this is the way to sort.
   *
   * @param n how many keys are to be sorted
   */
  static Optional<SortKernel> kernel(int n) {
    return KERNEL.get(Math.multiplyFull(n, COST));
  }

  /** Whether this is going to be the way to sort, but not yet. */
  static boolean isAwaited() {
    return KERNEL.isAwaited();
  }

  /**
   * Sorts keys, many of them on all threads.
   *
   * @param kernel from {@link #kernel}
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   */
  static void sort(SortKernel kernel, long[] keys, int from, int to) {
    int threads = Threads.numThreads();
    int parts = threads == 1 ? 1 : Math.clamp((to - from) / GRAIN, 1, PARTS * threads);
    parts = Integer.highestOneBit(parts);
    int[] bounds = new int[parts + 1];
    bounds[0] = from;
    bounds[parts] = to;
    for (int width = parts; width > 1; width /= 2) {
      halve(kernel, keys, bounds, width);
    }
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int part = begin; part < end; part++) {
            new LongQuick(kernel, keys, bounds[part], bounds[part + 1])
                .sort(bounds[part], bounds[part + 1]);
          }
        });
  }

  /** Splits stretches of so many parts in the middle. */
  private static void halve(SortKernel kernel, long[] keys, int[] bounds, int width) {
    Threads.parallelFor(
        (bounds.length - 1) / width,
        1,
        (begin, end) -> {
          for (int i = begin * width; i < end * width; i += width) {
            int from = bounds[i];
            int to = bounds[i + width];
            bounds[i + width / 2] =
                to - from < GRAIN ? from : new LongQuick(kernel, keys, from, to).halve(from, to);
          }
        });
  }

  private void sort(int from, int to) {
    sort(from, to, 2 * (Integer.SIZE - Integer.numberOfLeadingZeros(to - from)));
  }

  /** Sorts what is left after some splits, of which so many more are allowed. */
  void sort(int from, int to, int depth) {
    if (to - from <= block) {
      block(from, to);
    } else if (depth == 0) {
      // Pivots were bad time and again.
      Arrays.sort(keys, from, to);
    } else {
      long pivot = pivot(from, to - from);
      int mid = split(from, to, pivot);
      if (mid > from) {
        sort(from, mid, depth - 1);
        sort(mid, to, depth - 1);
      } else {
        // Those in front are all the same, and in order as they are.
        sort(above(from, to, pivot), to, depth - 1);
      }
    }
  }

  private void block(int from, int to) {
    int n = to - from;
    if (n == block) {
      kernel.blocks(keys, from, to);
    } else if (n > 1) {
      System.arraycopy(keys, from, spare, 0, n);
      Arrays.fill(spare, n, block, Long.MAX_VALUE);
      kernel.blocks(spare, 0, block);
      System.arraycopy(spare, 0, keys, from, n);
    }
  }

  /**
   * Moves smaller keys before the others; returns where those begin. One of the two may be empty
   * when all keys are equal.
   */
  private int halve(int from, int to) {
    long pivot = pivot(from, to - from);
    int mid = split(from, to, pivot);
    return mid > from ? mid : above(from, to, pivot);
  }

  /** Moves the smallest key, of which there may be many, before the others; where those begin. */
  private int above(int from, int to, long smallest) {
    return smallest == Long.MAX_VALUE ? to : split(from, to, smallest + 1);
  }

  /** Moves keys below a pivot before the others; returns where those begin. */
  private int split(int from, int to, long pivot) {
    int whole = to - (to - from) % lanes;
    int low = from + kernel.split(keys, from, whole, pivot, spare);
    int high = whole - low;
    for (int i = whole; i < to; i++) {
      long key = keys[i];
      int less = LongMerge.less(key, pivot);
      keys[low] = key;
      spare[high] = key;
      low += less;
      high += 1 - less;
    }
    System.arraycopy(spare, 0, keys, low, to - low);
    return low;
  }

  private long pivot(int from, int n) {
    if (n < SAMPLED) {
      // The middle one of three such ones of three keys each: Tukey's ninther.
      int step = n / 9;
      return middle(
          middle(from, step), middle(from + 3 * step, step), middle(from + 6 * step, step));
    }
    int step = n / block;
    for (int i = 0; i < block; i++) {
      spare[i] = keys[from + i * step];
    }
    kernel.blocks(spare, 0, block);
    return spare[block / 2];
  }

  private long middle(int i, int step) {
    return middle(keys[i], keys[i + step], keys[i + 2 * step]);
  }

  private static long middle(long a, long b, long c) {
    return Math.max(Math.min(a, b), Math.min(Math.max(a, b), c));
  }

  // ---- warming up

  @SuppressWarnings("cast") // of long keys there is nothing to cast
  private static Warmup.Trial trial(SortKernel kernel, Runnable change) {
    int block = VectorSorts.block(KEYS);
    long[] mixed = new long[BLOCKS * block];
    for (int i = 0; i < mixed.length; i++) {
      mixed[i] = (long) (i * 0x9E3779B97F4A7C15L >> 32);
    }
    long[] keys = mixed.clone();
    long[] spare = new long[mixed.length];
    Object numbers = (KEYS == DType.INT64 ? DType.FLOAT64 : DType.FLOAT32).newArray(2 * block);
    return new Warmup.Trial(
        Math.multiplyFull(mixed.length, VECTOR_COST),
        () -> {
          for (int i = 0; i < Warmup.EMPTY; i++) {
            kernel.blocks(keys, 0, 0);
            kernel.split(keys, 0, 0, 0, spare);
            kernel.toKeys(numbers, 0, keys, 0, 0);
            kernel.toNumbers(keys, 0, numbers, 0, 0);
          }
          System.arraycopy(mixed, 0, keys, 0, 2 * block);
          kernel.split(keys, 0, 2 * block, 0, spare);
          kernel.blocks(keys, 0, 2 * block);
          kernel.toNumbers(keys, 0, numbers, 0, 2 * block);
          kernel.toKeys(numbers, 0, keys, 0, 2 * block);
        },
        () -> {
          System.arraycopy(mixed, 0, keys, 0, keys.length);
          new LongQuick(kernel, keys, 0, keys.length).sort(0, keys.length);
        },
        () -> {
          System.arraycopy(mixed, 0, keys, 0, keys.length);
          Arrays.sort(keys);
        },
        change);
  }
}
