package ndgrad.kernel.sort;

import ndgrad.DTypeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.RowWalk;
import ndgrad.kernel.rows.Rows;

/**
 * Sorting and searching. In either direction NaN comes last and -0.0 equals 0.0; what gives indexes
 * is stable. Indexes are found by sorting {@link Order keys}, so one radix sort serves all dtypes.
 */
public final class Sort {
  private static final int GRAIN = 4_096;

  /** Elements of which so few are picked one by one, if the line is long. */
  private static final int FEW = 512;

  /** Keys at a time, which stay in the first-level cache. */
  private static final int CHUNK = 1_024;

  private Sort() {}

  /**
   * Lines along an axis of arrays that are not empty: how many, how long, and where each begins in
   * up to two arrays.
   */
  private record Lines(RowWalk walk, int count, int n) {
    static Lines along(int axis, Layout... layouts) {
      Layout[] first = new Layout[layouts.length];
      int n = layouts[0].dim(axis);
      for (int k = 0; k < layouts.length; k++) {
        first[k] = layouts[k].slice(axis, 0, 1, 1).squeeze(axis);
      }
      RowWalk walk = new RowWalk(first);
      return new Lines(walk, walk.rows * walk.n, n);
    }

    int position(RowWalk.Cursor c, int k, int i) {
      return c.position(k) + i % walk.n * walk.step(k);
    }

    void next(RowWalk.Cursor c, int i) {
      if (i % walk.n == walk.n - 1) {
        c.next();
      }
    }

    RowWalk.Cursor at(int i) {
      return walk.at(i / walk.n);
    }

    int grain() {
      return Math.max(1, GRAIN / Math.max(1, n));
    }
  }

  /**
   * Sorts the lines along an axis.
   *
   * @param data modified; any dtype, any layout that is no broadcast
   * @param axis from 0 to ndim-1
   * @param descending true for the largest first; NaN comes last all the same
   */
  public static void sort(Strided data, int axis, boolean descending) {
    if (data.layout().size() == 0) {
      return;
    }
    Rows rows = Rows.of(data.dtype());
    Object array = data.array();
    int step = data.layout().dim(axis) == 1 ? 1 : data.layout().stride(axis);
    Lines lines = Lines.along(axis, data.layout());
    Threads.parallelFor(
        lines.count,
        lines.grain(),
        (begin, end) -> {
          Object line = data.dtype().newArray(step == 1 ? 0 : lines.n);
          RowWalk.Cursor c = lines.at(begin);
          for (int i = begin; i < end; i++) {
            int p = lines.position(c, 0, i);
            if (step == 1) {
              sort(rows, array, p, p + lines.n, descending);
            } else {
              rows.copy(array, p, step, line, 0, 1, lines.n);
              sort(rows, line, 0, lines.n, descending);
              rows.copy(line, 0, 1, array, p, step, lines.n);
            }
            lines.next(c, i);
          }
        });
  }

  private static void sort(Rows rows, Object line, int from, int to, boolean descending) {
    LineSort.sort(line, from, to);
    if (descending) {
      rows.reverse(line, from, to);
    }
  }

  /**
   * The indexes that sort the lines along an axis; equal elements stay in their order.
   *
   * @param out overwritten; int64, of the input's shape, any layout that is no broadcast
   * @param in any dtype and layout, not modified
   * @param axis from 0 to ndim-1
   * @param descending true for the largest first; NaN comes last all the same
   */
  public static void argsort(Strided out, Strided in, int axis, boolean descending) {
    order(out, in, axis, in.layout().dim(axis), descending);
  }

  /**
   * The first k of the sorted lines along an axis. Of equal elements the first are taken; NaN
   * counts as last, so it is taken only when there is nothing else.
   *
   * @param values overwritten; of the input's dtype and shape, but of length k along the axis
   * @param indexes overwritten; int64, of the same shape
   * @param in any dtype and layout, not modified
   * @param axis from 0 to ndim-1
   * @param k at most the length of the axis
   * @param largest true for the largest elements in descending order, false for the smallest in
   *     ascending order
   */
  public static void topK(
      Strided values, Strided indexes, Strided in, int axis, int k, boolean largest) {
    order(indexes, in, axis, k, largest);
    if (values.layout().size() == 0) {
      return;
    }
    Lines lines = Lines.along(axis, in.layout(), values.layout(), indexes.layout());
    int from = in.layout().stride(axis);
    int to = values.layout().stride(axis);
    int by = indexes.layout().stride(axis);
    long[] index = (long[]) indexes.array();
    Rows rows = Rows.of(in.dtype());
    RowWalk.Cursor c = lines.at(0);
    for (int i = 0; i < lines.count; i++) {
      int p = lines.position(c, 0, i);
      int q = lines.position(c, 1, i);
      int r = lines.position(c, 2, i);
      for (int j = 0; j < k; j++) {
        rows.copy(
            in.array(), p + (int) index[r + j * by] * from, 1, values.array(), q + j * to, 1, 1);
      }
      lines.next(c, i);
    }
  }

  private static void order(Strided out, Strided in, int axis, int k, boolean descending) {
    if (out.layout().size() == 0) {
      return;
    }
    if (k <= FEW && k <= in.layout().dim(axis) / 8) {
      best(out, in, axis, k, descending);
      return;
    }
    Rows rows = Rows.of(in.dtype());
    int step = in.layout().stride(axis);
    int to = out.layout().stride(axis);
    boolean narrow = in.dtype().itemsize() <= 4;
    Lines lines = Lines.along(axis, in.layout(), out.layout());
    Threads.parallelFor(
        lines.count,
        lines.grain(),
        (begin, end) -> {
          Order order = new Order(lines.n, narrow);
          RowWalk.Cursor c = lines.at(begin);
          for (int i = begin; i < end; i++) {
            rows.keys(in.array(), lines.position(c, 0, i), step, lines.n, descending, order.keys);
            order.sort();
            order.indexes((long[]) out.array(), lines.position(c, 1, i), to, k);
            lines.next(c, i);
          }
        });
  }

  /** The same for a few of many: no line is sorted as a whole. */
  private static void best(Strided out, Strided in, int axis, int k, boolean descending) {
    Rows rows = Rows.of(in.dtype());
    int step = in.layout().stride(axis);
    int to = out.layout().stride(axis);
    Lines lines = Lines.along(axis, in.layout(), out.layout());
    Threads.parallelFor(
        lines.count,
        lines.grain(),
        (begin, end) -> {
          SortBest best = new SortBest(k);
          long[] keys = new long[Math.min(CHUNK, lines.n)];
          RowWalk.Cursor c = lines.at(begin);
          for (int i = begin; i < end; i++) {
            int p = lines.position(c, 0, i);
            for (int j = 0; j < lines.n; j += keys.length) {
              int n = Math.min(keys.length, lines.n - j);
              rows.keys(in.array(), p + j * step, step, n, descending, keys);
              best.add(keys, n, j);
            }
            best.drain((long[]) out.array(), lines.position(c, 1, i), to);
            lines.next(c, i);
          }
        });
  }

  /**
   * Where values belong in a sorted array.
   *
   * @param out overwritten; int64, of the values' shape, any layout that is no broadcast
   * @param sorted of one dimension, ascending, NaN last; not modified
   * @param values of the same dtype, any shape and layout, not modified
   * @param right true to go behind equal elements, false to go before them
   * @throws DTypeException when the dtypes differ
   */
  public static void searchSorted(Strided out, Strided sorted, Strided values, boolean right) {
    if (sorted.dtype() != values.dtype()) {
      throw new DTypeException(
          "values of "
              + values.dtype()
              + " cannot be searched in an array of "
              + sorted.dtype()
              + "; convert one of them",
          "dtypes",
          values.dtype() + " " + sorted.dtype());
    }
    Rows rows = Rows.of(values.dtype());
    Layout line = sorted.layout();
    long[] keys = new long[line.dim(0)];
    rows.keys(sorted.array(), line.offset(), line.stride(0), keys.length, false, keys);
    RowWalk walk = new RowWalk(values.layout(), out.layout());
    int perRow = Math.ceilDiv(walk.n, CHUNK);
    long[] to = (long[]) out.array();
    Threads.parallelFor(
        walk.rows * perRow,
        Math.max(1, GRAIN / Math.max(1, Math.min(walk.n, CHUNK))),
        (begin, end) -> {
          long[] found = new long[Math.min(CHUNK, walk.n)];
          RowWalk.Cursor c = walk.at(begin / perRow);
          for (int i = begin; i < end; i++) {
            int j = i % perRow * CHUNK;
            int n = Math.min(CHUNK, walk.n - j);
            int p = c.position(0) + j * walk.step(0);
            rows.keys(values.array(), p, walk.step(0), n, false, found);
            SortSearch.run(keys, found, n, right);
            int q = c.position(1) + j * walk.step(1);
            for (int k = 0; k < n; k++) {
              to[q + k * walk.step(1)] = found[k];
            }
            if (i % perRow == perRow - 1) {
              c.next();
            }
          }
        });
  }

  /**
   * The distinct elements of an array.
   *
   * @param values they, ascending, in one dimension; all NaNs are one
   * @param first where each occurs first, by row-major index
   * @param inverse for each element of the array in row-major order its place in values
   * @param counts how often each occurs
   */
  public record Unique(Strided values, long[] first, long[] inverse, long[] counts) {}

  /**
   * Finds the distinct elements.
   *
   * @param in any dtype and layout, not modified
   * @return fresh arrays
   */
  public static Unique unique(Strided in) {
    int n = in.layout().intSize();
    Strided flat = Copies.copyOf(in);
    Rows rows = Rows.of(in.dtype());
    Order order = new Order(n, in.dtype().itemsize() <= 4);
    rows.keys(flat.array(), 0, 1, n, false, order.keys);
    order.sort();
    int distinct = 0;
    for (int i = 0; i < n; i++) {
      distinct += i == 0 || order.differs(i) ? 1 : 0;
    }
    int[] at = new int[distinct];
    long[] first = new long[distinct];
    long[] counts = new long[distinct];
    long[] inverse = new long[n];
    int u = -1;
    for (int i = 0; i < n; i++) {
      int index = order.index(i);
      if (i == 0 || order.differs(i)) {
        u++;
        at[u] = index;
        first[u] = index;
      }
      counts[u]++;
      inverse[index] = u;
    }
    Strided values = Strided.zeros(in.dtype(), distinct);
    rows.gather(flat.array(), at, 0, distinct, 0, values.array(), 0);
    return new Unique(values, first, inverse, counts);
  }
}
