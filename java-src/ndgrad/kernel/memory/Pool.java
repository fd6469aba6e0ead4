package ndgrad.kernel.memory;

import java.lang.ref.SoftReference;
import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.Threads;

/**
 * Primitive arrays that wait to be used again: a fresh array costs a cache miss a line, one used a
 * moment ago does not. Arrays come back in the order last in, first out, by exact length, because
 * users see an array's length. The pool never holds more than its limit; what it holds is dropped
 * from the sizes unused for longest, and all of it when the heap runs short. Safe for any number of
 * threads.
 */
public final class Pool {
  /**
   * A check of the library: fills what is handed out uninitialised, and what comes back, with
   * garbage, and pools arrays of every size.
   */
  static final boolean POISON = Boolean.getBoolean("ndgrad.pool.poison");

  /** Smaller arrays are not pooled: a fresh one is not worth a look-up. */
  static final int MIN_BYTES = POISON ? 1 : 2048;

  /** Zeros worth a thread. */
  private static final int ZEROS = 1 << 17;

  private static final int MAX_SHELVES = 1024;
  private static final int HEADER = 16;
  private static final Pool SHARED = new Pool(defaultLimit());

  /** Arrays of one dtype and length. */
  private static final class Shelf {
    final DType dtype;
    final int length;
    final long bytes;
    Object[] arrays = new Object[2];
    int count;
    Shelf chained;
    Shelf older;
    Shelf newer;

    Shelf(DType dtype, int length) {
      this.dtype = dtype;
      this.length = length;
      this.bytes = bytes(dtype, length);
    }
  }

  /** All that the pool holds, let go as a whole when the heap runs short. */
  private static final class Shelves {
    final Shelf[] table = new Shelf[256];
    final Shelf ends = new Shelf(DType.BOOL, -1);
    int shelves;
    int arrays;
    long held;

    Shelves() {
      ends.older = ends;
      ends.newer = ends;
    }
  }

  /**
   * The state of a pool.
   *
   * @param held bytes that wait to be used again
   * @param limit the most bytes that may wait
   * @param arrays how many arrays wait
   * @param hits how often an array was used again
   * @param misses how often there was none of the size
   */
  public record Stats(long held, long limit, int arrays, long hits, long misses) {}

  private SoftReference<Shelves> contents = new SoftReference<>(new Shelves());
  private long limit;
  private long hits;
  private long misses;

  Pool(long limit) {
    this.limit = limit;
  }

  /**
   * The pool of the process.
   *
   * @return the one that all storages are taken from
   */
  public static Pool shared() {
    return SHARED;
  }

  private static long defaultLimit() {
    long given = Long.getLong("ndgrad.pool.bytes", -1);
    return given >= 0 ? given : Runtime.getRuntime().maxMemory() / 4;
  }

  private static long bytes(DType dtype, int length) {
    return (long) length * dtype.itemsize() + HEADER;
  }

  /** Whether arrays of a size are pooled. */
  static boolean takes(DType dtype, int length) {
    return (long) length * dtype.itemsize() >= MIN_BYTES;
  }

  /**
   * An array that has been used before, with whatever is in it.
   *
   * @param dtype the element type
   * @param length the exact number of elements
   * @return the array, or null when none waits
   */
  synchronized Object take(DType dtype, int length) {
    Shelves all = contents.get();
    Shelf shelf = all == null ? null : find(all, dtype, length);
    if (shelf == null || shelf.count == 0) {
      misses++;
      return null;
    }
    hits++;
    Object array = remove(all, shelf);
    renew(all, shelf);
    return array;
  }

  /**
   * Takes an array that nobody will touch any more.
   *
   * @param dtype the element type
   * @param array of that type; the caller's last use of it
   */
  void give(DType dtype, Object array) {
    if (POISON) {
      poison(array);
    }
    int length = DType.lengthOf(array);
    synchronized (this) {
      long bytes = bytes(dtype, length);
      Shelves all = bytes > limit ? null : shelves();
      if (all == null) {
        return;
      }
      Shelf shelf = find(all, dtype, length);
      if (shelf == null) {
        shelf = add(all, dtype, length);
      } else {
        renew(all, shelf);
      }
      trim(all, limit - bytes);
      if (shelf.count == shelf.arrays.length) {
        shelf.arrays = Arrays.copyOf(shelf.arrays, 2 * shelf.count);
      }
      shelf.arrays[shelf.count++] = array;
      all.arrays++;
      all.held += bytes;
    }
  }

  /**
   * What the pool holds and how it has done.
   *
   * @return a snapshot
   */
  public synchronized Stats stats() {
    Shelves all = contents.get();
    return new Stats(all == null ? 0 : all.held, limit, all == null ? 0 : all.arrays, hits, misses);
  }

  /**
   * Changes how much may wait; what is too much is let go at once.
   *
   * @param bytes the most bytes; 0 switches the pool off
   */
  public synchronized void limit(long bytes) {
    limit = bytes;
    Shelves all = contents.get();
    if (all != null) {
      trim(all, bytes);
    }
  }

  /** Lets go of all that waits. */
  public synchronized void clear() {
    contents = new SoftReference<>(new Shelves());
  }

  private Shelves shelves() {
    Shelves all = contents.get();
    if (all == null) {
      all = new Shelves();
      contents = new SoftReference<>(all);
    }
    return all;
  }

  private static int slot(Shelves all, DType dtype, int length) {
    int h = (length * 8 + dtype.ordinal()) * 0x9E3779B9;
    return h >>> 24 & all.table.length - 1;
  }

  private static Shelf find(Shelves all, DType dtype, int length) {
    Shelf s = all.table[slot(all, dtype, length)];
    while (s != null && (s.length != length || s.dtype != dtype)) {
      s = s.chained;
    }
    return s;
  }

  private static Shelf add(Shelves all, DType dtype, int length) {
    if (all.shelves == MAX_SHELVES) {
      Shelf oldest = all.ends.newer;
      while (oldest.count > 0) {
        remove(all, oldest);
      }
      forget(all, oldest);
    }
    Shelf shelf = new Shelf(dtype, length);
    int slot = slot(all, dtype, length);
    shelf.chained = all.table[slot];
    all.table[slot] = shelf;
    all.shelves++;
    link(all, shelf);
    return shelf;
  }

  private static void forget(Shelves all, Shelf shelf) {
    unlink(shelf);
    int slot = slot(all, shelf.dtype, shelf.length);
    if (all.table[slot] == shelf) {
      all.table[slot] = shelf.chained;
    } else {
      Shelf before = all.table[slot];
      while (before.chained != shelf) {
        before = before.chained;
      }
      before.chained = shelf.chained;
    }
    all.shelves--;
  }

  private static Object remove(Shelves all, Shelf shelf) {
    Object array = shelf.arrays[--shelf.count];
    shelf.arrays[shelf.count] = null;
    all.arrays--;
    all.held -= shelf.bytes;
    return array;
  }

  /**
   * Lets go of arrays, those of the sizes unused for longest first, until no more than some bytes
   * are held.
   */
  private static void trim(Shelves all, long bytes) {
    Shelf oldest = all.ends.newer;
    while (all.held > bytes) {
      if (oldest.count > 0) {
        remove(all, oldest);
      } else {
        oldest = oldest.newer;
      }
    }
  }

  private static void renew(Shelves all, Shelf shelf) {
    if (all.ends.older != shelf) {
      unlink(shelf);
      link(all, shelf);
    }
  }

  private static void link(Shelves all, Shelf shelf) {
    shelf.older = all.ends.older;
    shelf.newer = all.ends;
    shelf.older.newer = shelf;
    all.ends.older = shelf;
  }

  private static void unlink(Shelf shelf) {
    shelf.older.newer = shelf.newer;
    shelf.newer.older = shelf.older;
  }

  /** Garbage that shows: NaN, and numbers far from any that is expected. */
  static void poison(Object array) {
    switch (array) {
      case double[] a -> Arrays.fill(a, Double.NaN);
      case float[] a -> Arrays.fill(a, Float.NaN);
      case long[] a -> Arrays.fill(a, 0x5A5A5A5A5A5A5A5AL);
      case int[] a -> Arrays.fill(a, 0x5A5A5A5A);
      default -> Arrays.fill((boolean[]) array, true);
    }
  }

  static void zero(Object array) {
    Threads.parallelFor(DType.lengthOf(array), ZEROS, (from, to) -> zero(array, from, to));
  }

  /**
   * Sets a range of a primitive array to zero.
   *
   * @param array modified; a {@code float[] double[] int[] long[]} or {@code boolean[]}
   * @param from the first element
   * @param to one after the last
   */
  public static void zero(Object array, int from, int to) {
    switch (array) {
      case double[] a -> Arrays.fill(a, from, to, 0);
      case float[] a -> Arrays.fill(a, from, to, 0);
      case long[] a -> Arrays.fill(a, from, to, 0);
      case int[] a -> Arrays.fill(a, from, to, 0);
      default -> Arrays.fill((boolean[]) array, from, to, false);
    }
  }
}
