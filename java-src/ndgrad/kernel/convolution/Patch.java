package ndgrad.kernel.convolution;

import java.util.ArrayList;
import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * The same rectangle of some of many planes, which lie one behind the other. It may reach over the
 * planes' edges.
 *
 * @param plane the first plane
 * @param planes how many
 * @param row the first row
 * @param rows how many
 * @param column the first column
 * @param columns how many
 */
record Patch(int plane, int planes, int row, int rows, int column, int columns) {
  /** Bytes that a patch sees: with what is made of them less than a second cache. */
  private static final int ROOM = 1 << 17;

  /** Elements below which a patch is not worth a thread. */
  private static final int GRAIN = 8192;

  /** Patches of all results, as long as none is too small: the number of threads must not count. */
  private static final int PARTS = 32;

  /** Columns of results below which they are not cut. */
  private static final int NARROW = 1024;

  /**
   * What results see in one direction.
   *
   * @param step from what one of them sees to what the next one does
   * @param extent what one of them sees
   */
  record Sight(int step, int extent) {
    /** What neighbouring results see together. */
    private long of(long results) {
      return (results - 1) * step + extent;
    }

    /** How many results a part of them has that sees no more than fits, if it can be helped. */
    private int part(int results, long fits, int least) {
      // What neighbouring parts see in common should be the smaller part of it.
      int few = Math.min(results, Math.max(least, Math.ceilDiv(extent, step)));
      return Tile.even(results, Math.clamp((fits - extent) / step + 1, few, results));
    }
  }

  /**
   * Cuts results into patches, which see no more than fits into a cache if it can be helped.
   *
   * @param results [planes, rows, columns], not empty
   * @param down what they see downwards
   * @param along what they see along the rows
   * @param dtype of what they see
   */
  static List<Patch> cut(Layout results, Sight down, Sight along, DType dtype) {
    int planes = results.dim(0);
    int rows = results.dim(1);
    int columns = results.dim(2);
    long all = planes * down.of(rows) * along.of(columns);
    long room = Math.clamp(all / PARTS, GRAIN, ROOM / dtype.itemsize());
    int high = down.part(rows, room / along.of(columns), 1);
    int wide = along.part(columns, room / down.of(high), NARROW);
    long seen = down.of(high) * along.of(wide);
    int deep = Tile.even(planes, Math.clamp(room / seen, 1, planes));
    List<Patch> patches = new ArrayList<>();
    for (int p = 0; p < planes; p += deep) {
      int some = Math.min(deep, planes - p);
      for (int y = 0; y < rows; y += high) {
        for (int x = 0; x < columns; x += wide) {
          patches.add(
              new Patch(p, some, y, Math.min(high, rows - y), x, Math.min(wide, columns - x)));
        }
      }
    }
    return patches;
  }

  /**
   * Cuts the results of a window.
   *
   * @param results [planes, rows, columns], not empty
   * @param w the window
   * @param dtype of the image
   */
  static List<Patch> cut(Layout results, Window w, DType dtype) {
    Sight down = new Sight(w.strideH(), w.extentH());
    return cut(results, down, new Sight(w.strideW(), w.extentW()), dtype);
  }

  /**
   * The channels of all images, one behind the other.
   *
   * @param x [n, c, h, w]
   * @return [n * c, h, w] with rows of neighbours: a view where there is one, else a copy
   */
  static Strided planes(Strided x) {
    Layout l = x.layout();
    Layout all = Layout.of(l.dim(0) * l.dim(1), l.dim(2), l.dim(3));
    return l.dim(3) == 1 || l.stride(3) == 1
        ? l.reshape(all.shape()).map(x::with).orElseGet(() -> Copies.copyOf(x).with(all))
        : Copies.copyOf(x).with(all);
  }

  /** The number of elements. */
  int size() {
    return Math.multiplyExact(planes, Math.multiplyExact(rows, columns));
  }

  /** This part of planes; it must not reach over their edges. */
  Strided of(Strided x) {
    Layout l = x.layout();
    int[] shape = {planes, rows, columns};
    return x.with(Layout.of(shape, l.strides(), l.position(plane, row, column)));
  }

  /** Whether the rectangle lies inside of planes. */
  boolean isInside(Layout of) {
    return row >= 0 && column >= 0 && row + rows <= of.dim(1) && column + columns <= of.dim(2);
  }

  /** What these results of a window see of its image; may reach over the image's edges. */
  Patch seen(Window w) {
    return new Patch(
        plane,
        planes,
        row * w.strideH() - w.top(),
        (rows - 1) * w.strideH() + w.extentH(),
        column * w.strideW() - w.left(),
        (columns - 1) * w.strideW() + w.extentW());
  }

  /**
   * Copies what of this lies inside of planes.
   *
   * @param x the planes
   * @param buffer for all of this; modified
   */
  void lay(Strided x, Strided buffer) {
    Patch in = inside(x.layout());
    if (in.size() > 0) {
      Copies.copy(in.of(x), within(buffer, in));
    }
  }

  /** What of this lies inside of planes, perhaps nothing. */
  Patch inside(Layout of) {
    int top = Math.clamp(row, 0, of.dim(1));
    int left = Math.clamp(column, 0, of.dim(2));
    int bottom = Math.clamp(row + rows, top, of.dim(1));
    int right = Math.clamp(column + columns, left, of.dim(2));
    return new Patch(plane, planes, top, bottom - top, left, right - left);
  }

  /**
   * A part of a scratch array as planes one behind the other.
   *
   * @param scratch the array
   * @param offset of the first element
   * @param planes how many
   * @param rows of a plane
   * @param columns of a row
   */
  static Strided buffer(Storage scratch, int offset, int planes, int rows, int columns) {
    Layout l = Layout.of(planes, rows, columns);
    return new Strided(scratch, Layout.of(l.shape(), l.strides(), offset));
  }

  /** The part of a buffer for this that is for another patch inside of it. */
  Strided within(Strided buffer, Patch of) {
    return buffer.with(
        buffer
            .layout()
            .slice(1, of.row - row, of.rows, 1)
            .slice(2, of.column - column, of.columns, 1));
  }
}
