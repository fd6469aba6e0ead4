package ndgrad.kernel.sort;

import ndgrad.kernel.Threads;

/**
 * Merges sorted runs of {@code long} keys, each merge by all threads (O. Green, S. Odeh, Y. Birk,
 * "Merge Path", arXiv:1406.2628). Equal keys stay in their order. There are no branches on keys,
 * which nobody could predict.
 */
final class LongMerge {
  private LongMerge() {}

  /**
   * Merges neighbours.
   *
   * @param from holds sorted runs of {@code width} parts each
   * @param to overwritten; holds runs twice as long
   * @param n how many keys there are
   * @param parts a power of two
   * @param width a smaller one
   */
  static void parts(LongSort.Line from, LongSort.Line to, int n, int parts, int width) {
    Threads.parallelFor(
        parts,
        1,
        (begin, end) -> {
          for (int share = begin; share < end; share++) {
            int pair = share & -2 * width;
            int low = LongSort.bound(n, parts, pair);
            Runs runs =
                new Runs(
                    from,
                    low,
                    LongSort.bound(n, parts, pair + width),
                    LongSort.bound(n, parts, pair + width),
                    LongSort.bound(n, parts, pair + 2 * width));
            int first = LongSort.bound(n, parts, share) - low;
            int last = LongSort.bound(n, parts, share + 1) - low;
            Runs piece = runs.piece(first, last);
            if (from.along().length > 0) {
              piece.mergeAlong(to, low + first);
            } else {
              piece.merge(to, low + first);
            }
          }
        });
  }

  /** Two sorted runs of a line: from a to aEnd and from b to bEnd. */
  private record Runs(LongSort.Line line, int a, int aEnd, int b, int bEnd) {

    private int size() {
      return aEnd - a + bEnd - b;
    }

    /** What the merged elements from first to last are merged from. */
    Runs piece(int first, int last) {
      int begin = split(first);
      int end = split(last);
      return new Runs(line, a + begin, a + end, b + first - begin, b + last - end);
    }

    /** How many of the first {@code count} merged elements come from the first run. */
    private int split(int count) {
      int least = Math.max(0, count - (bEnd - b));
      int most = Math.min(count, aEnd - a);
      while (least < most) {
        int taken = (least + most) >>> 1;
        long left = line.keys()[line.at() + a + taken];
        long right = line.keys()[line.at() + b + count - taken - 1];
        if (left <= right) {
          least = taken + 1;
        } else {
          most = taken;
        }
      }
      return least;
    }

    /** Pieces side by side, as each step of one waits for the one before it. */
    void merge(LongSort.Line to, int q) {
      int n = size() / 4;
      Runs r0 = piece(0, n);
      Runs r1 = piece(n, 2 * n);
      Runs r2 = piece(2 * n, 3 * n);
      Runs r3 = piece(3 * n, size());
      long[] keys = line.keys();
      long[] target = to.keys();
      int p = to.at() + q;
      int i0 = line.at() + r0.a;
      int i1 = line.at() + r1.a;
      int i2 = line.at() + r2.a;
      int i3 = line.at() + r3.a;
      // One of the two runs goes on at each step, so where the second is follows from the first.
      int c0 = i0 + line.at() + r0.b;
      int c1 = i1 + line.at() + r1.b;
      int c2 = i2 + line.at() + r2.b;
      int c3 = i3 + line.at() + r3.b;
      int s = 0;
      int safe = size();
      while (safe > 0) {
        safe = Math.min(r0.least(i0, c0 + s - i0), r1.least(i1, c1 + s - i1));
        safe = Math.min(safe, Math.min(r2.least(i2, c2 + s - i2), r3.least(i3, c3 + s - i3)));
        for (int end = s + safe; s < end; s++) {
          long x0 = keys[i0];
          long x1 = keys[i1];
          long x2 = keys[i2];
          long x3 = keys[i3];
          long y0 = keys[c0 + s - i0];
          long y1 = keys[c1 + s - i1];
          long y2 = keys[c2 + s - i2];
          long y3 = keys[c3 + s - i3];
          target[p + s] = Math.min(x0, y0);
          target[p + n + s] = Math.min(x1, y1);
          target[p + 2 * n + s] = Math.min(x2, y2);
          target[p + 3 * n + s] = Math.min(x3, y3);
          i0 += 1 - less(y0, x0);
          i1 += 1 - less(y1, x1);
          i2 += 1 - less(y2, x2);
          i3 += 1 - less(y3, x3);
        }
      }
      r0.rest(i0, c0 + s - i0, target, p + s);
      r1.rest(i1, c1 + s - i1, target, p + n + s);
      r2.rest(i2, c2 + s - i2, target, p + 2 * n + s);
      r3.rest(i3, c3 + s - i3, target, p + 3 * n + s);
    }

    /** How many keys are left at least in either run, at places in the array. */
    private int least(int i, int j) {
      return Math.min(line.at() + aEnd - i, line.at() + bEnd - j);
    }

    private void rest(int from, int with, long[] target, int q) {
      long[] keys = line.keys();
      int i = from;
      int j = with;
      int k = q;
      for (int safe = least(i, j); safe > 0; safe = least(i, j)) {
        for (int end = k + safe; k < end; k++) {
          long x = keys[i];
          long y = keys[j];
          int less = less(y, x);
          target[k] = Math.min(x, y);
          i += 1 - less;
          j += less;
        }
      }
      int left = line.at() + aEnd - i;
      System.arraycopy(keys, i, target, k, left);
      System.arraycopy(keys, j, target, k + left, line.at() + bEnd - j);
    }

    void mergeAlong(LongSort.Line to, int q) {
      long[] keys = line.keys();
      int[] along = line.along();
      int i = line.at() + a;
      int j = line.at() + b;
      int k = to.at() + q;
      int iEnd = line.at() + aEnd;
      int jEnd = line.at() + bEnd;
      while (i < iEnd && j < jEnd) {
        boolean left = keys[i] <= keys[j];
        int next = left ? i : j;
        to.keys()[k] = keys[next];
        to.along()[k++] = along[next];
        i += left ? 1 : 0;
        j += left ? 0 : 1;
      }
      line.copy(i - line.at(), to, k - to.at(), iEnd - i);
      line.copy(j - line.at(), to, k - to.at() + iEnd - i, jEnd - j);
    }
  }

  /** 1 when a is less than b. A comparison would become a branch. */
  @SuppressWarnings("cast") // of int keys there is nothing to cast
  static int less(long a, long b) {
    return (int) ((a & ~b | ~(a ^ b) & a - b) >>> Long.SIZE - 1);
  }
}
