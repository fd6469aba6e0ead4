// Generated from LongSort.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.sort;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.SortKernel;
import ndgrad.kernel.memory.Scratch;

/**
 * Sorts {@code int} keys: alone by vectors once these are fast ({@link IntQuick}); before, and
 * where numbers go with them, by digits. Then each thread sorts a part of its own ({@link
 * IntRadix}), whose lines stay in its caches, and the parts are merged ({@link IntMerge}). Equal
 * keys stay in their order, so the result does not depend on the parts.
 */
final class IntSort {
  /** Up to so many keys are left to the JDK, which inserts them. */
  private static final int FEW = 32;

  /** Fewer keys than this are not worth the counting of {@link IntRadix}. */
  private static final int MANY = 1 << 13;

  /**
   * The same as int as vectors are to come: the JDK's sort is faster once the JIT has compiled it,
   * but much slower before.
   */
  private static final int MANY_AT_FIRST = 1 << 8;

  /** Keys worth a thread. */
  private static final int GRAIN = 1 << 14;

  private static final DType KEYS = DType.of(int.class);
  private static final int[] NONE = {};

  /**
   * Keys from one element on, and the numbers that go with them, if any.
   *
   * @param along empty where nothing goes with the keys
   */
  record Line(int[] keys, int[] along, int at) {
    void copy(int from, Line to, int q, int n) {
      System.arraycopy(keys, at + from, to.keys, to.at + q, n);
      if (along.length > 0) {
        System.arraycopy(along, at + from, to.along, to.at + q, n);
      }
    }
  }

  private IntSort() {}

  /**
   * Sorts keys.
   *
   * @param keys modified between {@code from} and {@code to}
   * @param from the first
   * @param to one after the last
   */
  static void sort(int[] keys, int from, int to) {
    int n = to - from;
    Optional<SortKernel> vectors = n <= FEW ? Optional.empty() : IntQuick.kernel(n);
    if (vectors.isPresent()) {
      IntQuick.sort(vectors.get(), keys, from, to);
    } else if (n >= (IntQuick.isAwaited() ? MANY_AT_FIRST : MANY)) {
      sort(keys, from, to, 0, NONE);
    } else {
      Arrays.sort(keys, from, to);
    }
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
  static void sort(int[] keys, int from, int to, int lowest, int[] along) {
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
      IntMerge.parts(source, target, n, parts, width);
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
  static int bound(int n, int parts, int part) {
    return part * (n / parts) + Math.min(part, n % parts);
  }

  /** Sorts a part, which ends in the line or in the spare one. */
  private static void part(Line line, Line spare, int p, int n, int lowest, boolean inSpare) {
    boolean moved = IntRadix.sort(line, spare, p, n, lowest);
    if (moved && !inSpare) {
      spare.copy(p, line, p, n);
    } else if (!moved && inSpare) {
      line.copy(p, spare, p, n);
    }
  }
}
