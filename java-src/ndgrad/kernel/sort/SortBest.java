package ndgrad.kernel.sort;

/**
 * The first few of the sorted order of many keys, found in one pass: a heap holds the best so far,
 * the worst of them on top. Of equal keys the first ones are taken.
 */
final class SortBest {
  private final long[] keys;
  private final int[] index;
  private int count;

  /**
   * An empty selection.
   *
   * @param k how many are kept, at least 1
   */
  SortBest(int k) {
    keys = new long[k];
    index = new int[k];
  }

  /**
   * Looks at some more keys.
   *
   * @param some the keys
   * @param n how many
   * @param first the index of the first, higher than all before
   */
  void add(long[] some, int n, int first) {
    int i = 0;
    for (; i < n && count < keys.length; i++) {
      up(count++, some[i], first + i);
    }
    long worst = keys[0];
    for (; i < n; i++) {
      if (some[i] < worst) {
        down(keys.length, some[i], first + i);
        worst = keys[0];
      }
    }
  }

  /** Writes the indexes in order; the selection is empty then. */
  void drain(long[] out, int q, int qs) {
    for (int i = count - 1; i >= 0; i--) {
      out[q + i * qs] = index[0];
      down(i, keys[i], index[i]);
    }
    count = 0;
  }

  private void up(int place, long key, int at) {
    int i = place;
    while (i > 0) {
      int parent = i - 1 >> 1;
      if (!isWorse(key, at, parent)) {
        break;
      }
      set(i, keys[parent], index[parent]);
      i = parent;
    }
    set(i, key, at);
  }

  /** Replaces the top of the first n. */
  private void down(int n, long key, int at) {
    int i = 0;
    for (int child = 1; child < n; child = 2 * i + 1) {
      if (child + 1 < n && isWorse(keys[child + 1], index[child + 1], child)) {
        child++;
      }
      if (isWorse(key, at, child)) {
        break;
      }
      set(i, keys[child], index[child]);
      i = child;
    }
    set(i, key, at);
  }

  private boolean isWorse(long key, int at, int than) {
    return key > keys[than] || key == keys[than] && at > index[than];
  }

  private void set(int i, long key, int at) {
    keys[i] = key;
    index[i] = at;
  }
}
