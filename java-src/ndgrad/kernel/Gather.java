package ndgrad.kernel;

import java.util.Arrays;

/**
 * Moves rows between an array and a list of positions in another's storage: advanced indexing,
 * embeddings and masks. Row {@code p} of the list is the view {@code inner}, a layout with offset
 * 0, at {@code positions[p]}.
 */
public final class Gather {
  private static final int GRAIN = 16_384;

  private Gather() {}

  /**
   * Copies the listed rows: out[p, r…] = source.array[positions[p] + inner.position(r…)].
   *
   * @param out modified; row-major of shape [positions.length, inner.shape…], of the source's dtype
   * @param source the array whose storage is read; its layout is not looked at
   * @param positions absolute positions of elements in the source's storage
   * @param inner shape and strides of what lies at each position, offset 0
   */
  public static void gather(Strided out, Strided source, int[] positions, Layout inner) {
    Rows rows = Rows.of(out.dtype());
    RowWalk walk = new RowWalk(inner);
    int size = inner.intSize();
    int q = out.layout().offset();
    Object from = source.array();
    Object to = out.array();
    int[] starts = walk.starts(0);
    Threads.parallelFor(
        positions.length,
        GRAIN / Math.max(1, size),
        (begin, end) -> {
          if (size == 1) {
            rows.gather(from, positions, begin, end, inner.offset(), to, q);
            return;
          }
          int k = q + begin * size;
          for (int p = begin; p < end; p++) {
            for (int start : starts) {
              rows.copy(from, positions[p] + start, walk.step(0), to, k, 1, walk.n);
              k += walk.n;
            }
          }
        });
  }

  /**
   * Writes the listed rows: dest.array[positions[p] + inner.position(r…)] = values[p, r…]. Where
   * positions repeat, the last one's values stay.
   *
   * @param dest modified; the array whose storage is written
   * @param positions absolute positions of elements in its storage
   * @param inner shape and strides of what lies at each position, offset 0
   * @param values of shape [positions.length, inner.shape…] under any layout, of the same dtype, in
   *     another storage
   */
  public static void put(Strided dest, int[] positions, Layout inner, Strided values) {
    scatter(dest, positions, inner, values, false);
  }

  /**
   * Adds to the listed rows: dest.array[positions[p] + inner.position(r…)] += values[p, r…]. Where
   * positions repeat, their values add up, in the order of the list; bools are combined by or.
   *
   * @param dest modified; the array whose storage is written
   * @param positions absolute positions of elements in its storage
   * @param inner shape and strides of what lies at each position, offset 0
   * @param values of shape [positions.length, inner.shape…] under any layout, of the same dtype, in
   *     another storage
   */
  public static void add(Strided dest, int[] positions, Layout inner, Strided values) {
    scatter(dest, positions, inner, values, true);
  }

  private static void scatter(
      Strided dest, int[] positions, Layout inner, Strided values, boolean add) {
    if (values.layout().size() == 0) {
      return;
    }
    Rows rows = Rows.of(dest.dtype());
    Layout all = values.layout();
    int step = all.stride(0);
    int p = all.offset();
    Object from = values.array();
    Object to = dest.array();
    if (inner.size() == 1) {
      if (add) {
        rows.scatterAdd(from, p, step, to, positions, 0, positions.length, inner.offset());
      } else {
        rows.scatter(from, p, step, to, positions, 0, positions.length, inner.offset());
      }
      return;
    }
    RowWalk walk = new RowWalk(inner, withoutFirst(all));
    int[] starts = walk.starts(0);
    int[] sources = walk.starts(1);
    for (int i = 0; i < positions.length; i++, p += step) {
      for (int r = 0; r < starts.length; r++) {
        int at = positions[i] + starts[r];
        if (add) {
          rows.add(from, p + sources[r], walk.step(1), to, at, walk.step(0), walk.n);
        } else {
          rows.copy(from, p + sources[r], walk.step(1), to, at, walk.step(0), walk.n);
        }
      }
    }
  }

  private static Layout withoutFirst(Layout l) {
    int[] shape = l.shape();
    int[] strides = l.strides();
    return Layout.of(
        Arrays.copyOfRange(shape, 1, shape.length),
        Arrays.copyOfRange(strides, 1, strides.length),
        0);
  }

  /**
   * Where the elements of a mask are true (or not 0).
   *
   * @param mask any dtype and layout
   * @return their row-major indexes, ascending
   */
  public static int[] nonzero(Strided mask) {
    Rows rows = Rows.of(mask.dtype());
    RowWalk walk = new RowWalk(mask.layout());
    int count = 0;
    RowWalk.Cursor c = walk.at(0);
    for (int row = 0; row < walk.rows; row++, c.next()) {
      count += rows.countNonzero(mask.array(), c.position(0), walk.step(0), walk.n);
    }
    int[] found = new int[count + 1]; // every element is written, some are overwritten
    c = walk.at(0);
    int k = 0;
    for (int row = 0; row < walk.rows; row++, c.next()) {
      k = rows.nonzero(mask.array(), c.position(0), walk.step(0), walk.n, row * walk.n, found, k);
    }
    return Arrays.copyOf(found, count);
  }

  /**
   * The indexes along each axis of elements given by their row-major indexes.
   *
   * @param flat row-major indexes
   * @param shape the shape they count in
   * @return one array per axis, each of the length of flat
   */
  public static long[][] unravel(int[] flat, int... shape) {
    long[][] out = new long[shape.length][flat.length];
    for (int i = 0; i < flat.length; i++) {
      int rest = flat[i];
      for (int axis = shape.length - 1; axis >= 0; axis--) {
        out[axis][i] = rest % shape[axis];
        rest /= shape[axis];
      }
    }
    return out;
  }

  /**
   * The storage positions of elements given by their row-major indexes.
   *
   * @param layout the layout they are looked up in
   * @param flat row-major indexes
   * @return absolute positions in the storage
   */
  public static int[] positions(Layout layout, int[] flat) {
    int[] shape = layout.shape();
    int[] strides = layout.strides();
    boolean contiguous = layout.isContiguous();
    int[] out = new int[flat.length];
    for (int i = 0; i < flat.length; i++) {
      int p = layout.offset();
      int rest = flat[i];
      for (int axis = contiguous ? -1 : shape.length - 1; axis >= 0; axis--) {
        p += rest % shape[axis] * strides[axis];
        rest /= shape[axis];
      }
      out[i] = contiguous ? p + rest : p;
    }
    return out;
  }
}
