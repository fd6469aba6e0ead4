package ndgrad.kernel.rows;

import java.util.Arrays;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Moves rows between an array and a list of positions in another's storage: advanced indexing,
 * embeddings and masks. Row {@code p} of the list is the view {@code inner}, a layout with offset
 * 0, at {@code positions[p]}.
 */
public final class Gather {
  private static final int GRAIN = 16_384;

  /** Columns of a row that are not divided among threads: a cache line or two. */
  private static final int COLUMNS = 16;

  /** Elements of a mask that are searched at a time. */
  private static final int CHUNK = 1 << 14;

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
    scatter(dest, positions, inner, values, false, 1);
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
   * @param apart a divisor of the number of positions: each of so many equal stretches of the list
   *     adds to elements of its own
   */
  public static void add(Strided dest, int[] positions, Layout inner, Strided values, int apart) {
    scatter(dest, positions, inner, values, true, apart);
  }

  private static void scatter(
      Strided dest, int[] positions, Layout inner, Strided values, boolean add, int apart) {
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
      int n = positions.length / apart;
      Threads.parallelFor(
          apart,
          GRAIN / n,
          (begin, end) -> {
            if (add) {
              rows.scatterAdd(from, p, step, to, positions, begin * n, end * n, inner.offset());
            } else {
              rows.scatter(from, p, step, to, positions, begin * n, end * n, inner.offset());
            }
          });
      return;
    }
    RowWalk walk = new RowWalk(inner, withoutFirst(all));
    int[] starts = walk.starts(0);
    int[] sources = walk.starts(1);
    // Threads share the columns, so that the values of a row arrive in the order of the list.
    Threads.parallelFor(
        Math.max(1, walk.n / COLUMNS),
        (int) Math.max(1, GRAIN / (COLUMNS * (long) positions.length * starts.length)),
        (begin, end) -> {
          int first = begin * COLUMNS;
          int n = (walk.n < (end + 1) * COLUMNS ? walk.n : end * COLUMNS) - first;
          int source = p + first * walk.step(1);
          for (int i = 0; i < positions.length; i++, source += step) {
            for (int r = 0; r < starts.length; r++) {
              int at = positions[i] + starts[r] + first * walk.step(0);
              if (add) {
                rows.add(from, source + sources[r], walk.step(1), to, at, walk.step(0), n);
              } else {
                rows.copy(from, source + sources[r], walk.step(1), to, at, walk.step(0), n);
              }
            }
          }
        });
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
   * @throws ShapeException when the mask has more elements than one array can hold, so that their
   *     indexes are no ints
   */
  public static int[] nonzero(Strided mask) {
    mask.layout().intSize();
    Rows rows = Rows.of(mask.dtype());
    RowWalk walk = new RowWalk(mask.layout());
    int perRow = Math.ceilDiv(walk.n, CHUNK);
    int chunks = walk.rows * perRow;
    int[] begins = new int[chunks + 1];
    chunks(
        walk,
        perRow,
        (i, p, n) -> begins[i + 1] = rows.countNonzero(mask.array(), p, walk.step(0), n));
    for (int i = 0; i < chunks; i++) {
      begins[i + 1] += begins[i];
    }
    int[] found = new int[begins[chunks]];
    chunks(
        walk,
        perRow,
        (i, p, n) -> {
          int count = begins[i + 1] - begins[i];
          if (count > 0) {
            int[] some = new int[count + 1]; // every element is written, some are overwritten
            int first = i / perRow * walk.n + i % perRow * CHUNK;
            rows.nonzero(mask.array(), p, walk.step(0), n, first, some, 0);
            System.arraycopy(some, 0, found, begins[i], count);
          }
        });
    return found;
  }

  private interface Chunk {
    void run(int i, int p, int n);
  }

  /** Runs over all rows in chunks. */
  private static void chunks(RowWalk walk, int perRow, Chunk body) {
    Threads.parallelFor(
        walk.rows * perRow,
        Math.max(1, 4 * GRAIN / Math.max(1, Math.min(walk.n, CHUNK))),
        (begin, end) -> {
          RowWalk.Cursor c = walk.at(begin / perRow);
          for (int i = begin; i < end; i++) {
            int j = i % perRow * CHUNK;
            body.run(i, c.position(0) + j * walk.step(0), Math.min(CHUNK, walk.n - j));
            if (i % perRow == perRow - 1) {
              c.next();
            }
          }
        });
  }

  /**
   * The indexes along each axis of elements given by their row-major indexes.
   *
   * @param flat row-major indexes, ascending
   * @param shape the shape they count in
   * @return a row for each element: its index along each axis
   */
  public static long[] unravel(int[] flat, int... shape) {
    int ndim = shape.length;
    long[] out = new long[flat.length * ndim];
    if (ndim == 0) {
      return out;
    }
    int inner = shape[ndim - 1];
    Threads.parallelFor(
        flat.length,
        GRAIN,
        (begin, end) -> {
          int row = 0; // where the row of the last element began
          for (int i = begin; i < end; i++) {
            if (i == begin || flat[i] - row >= inner) {
              int rest = flat[i] / inner;
              row = rest * inner;
              for (int axis = ndim - 2; axis >= 0; axis--) {
                out[i * ndim + axis] = rest % shape[axis];
                rest /= shape[axis];
              }
            } else {
              System.arraycopy(out, (i - 1) * ndim, out, i * ndim, ndim - 1);
            }
            out[i * ndim + ndim - 1] = flat[i] - row;
          }
        });
    return out;
  }

  /**
   * The storage positions of elements given by their row-major indexes.
   *
   * @param layout the layout they are looked up in
   * @param flat row-major indexes
   * @return absolute positions in the storage, not to be modified: they may be flat itself
   */
  public static int[] positions(Layout layout, int[] flat) {
    boolean contiguous = layout.isContiguous();
    int offset = layout.offset();
    if (contiguous && offset == 0) {
      return flat;
    }
    int[] shape = layout.shape();
    int[] strides = layout.strides();
    int[] out = new int[flat.length];
    Threads.parallelFor(
        flat.length,
        GRAIN,
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            int p = offset;
            int rest = flat[i];
            for (int axis = contiguous ? -1 : shape.length - 1; axis >= 0; axis--) {
              p += rest % shape[axis] * strides[axis];
              rest /= shape[axis];
            }
            out[i] = contiguous ? p + rest : p;
          }
        });
    return out;
  }
}
