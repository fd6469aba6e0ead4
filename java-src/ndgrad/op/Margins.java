package ndgrad.op;

import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.NdException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;

/**
 * How many elements pad puts around an array, and what they are.
 *
 * @param before how many before each axis
 * @param after how many behind it
 */
record Margins(int[] before, int[] after) {

  /** As users give them: [[before after] ...], broadcast to all axes. */
  static Margins of(Object given, int ndim) {
    Strided w = Nested.tensor(given).strided();
    if (w.dtype() != DType.INT64 && w.dtype() != DType.INT32 && w.layout().size() > 0) {
      throw new ArgumentException(
          "widths must be integers, got " + Coerce.show(given), "argument", "widths");
    }
    boolean none = w.layout().size() == 0 && ndim == 0;
    Layout wide;
    try {
      wide = none ? Layout.of(0, 2) : w.layout().broadcastTo(ndim, 2);
    } catch (NdException e) {
      throw new ShapeException(
          "widths of shape "
              + w.layout()
              + " do not broadcast to [before after] for each of "
              + ndim
              + " axes",
          "widths",
          w.layout().shape(),
          "ndim",
          ndim);
    }
    long[] flat = (long[]) Copies.copyOf(w.with(wide), DType.INT64).array();
    int[][] out = new int[2][ndim];
    for (int i = 0; i < flat.length; i++) {
      out[i % 2][i / 2] = Coerce.integer("widths", flat[i]);
    }
    Rearranging.requireCounts("widths", out[0]);
    Rearranging.requireCounts("widths", out[1]);
    return new Margins(out[0], out[1]);
  }

  /** Widths with none for the axis of a batch in front. */
  static int[] behind(int[] widths) {
    int[] out = new int[widths.length + 1];
    System.arraycopy(widths, 0, out, 1, widths.length);
    return out;
  }

  boolean isWider(int axis) {
    return before[axis] > 0 || after[axis] > 0;
  }

  /** Which position of an axis each position of the padded one repeats. */
  int[] sources(String mode, Tensor x, int axis) {
    int n = x.dim(axis);
    int[] out = Rearranging.positions((long) n + before[axis] + after[axis], x, axis);
    for (int k = 0; k < out.length; k++) {
      int i = k - before[axis];
      out[k] =
          switch (mode) {
            case "edge" -> Math.clamp(i, 0, n - 1);
            case "wrap" -> Math.floorMod(i, n);
            case "reflect" -> {
              int m = Math.floorMod(i, Math.max(1, 2 * (n - 1)));
              yield Math.min(m, 2 * (n - 1) - m);
            }
            default -> {
              int m = Math.floorMod(i, 2 * n);
              yield Math.min(m, 2 * n - 1 - m);
            }
          };
    }
    return out;
  }

  /** A copy with a value all around. */
  static Strided around(Strided x, int[] before, int[] after, Tensor value) {
    int[] shape = x.layout().shape();
    for (int i = 0; i < shape.length; i++) {
      shape[i] = (int) Math.min(Integer.MAX_VALUE, (long) shape[i] + before[i] + after[i]);
    }
    requireFits(x.dtype(), value);
    Strided out = Strided.empty(x.dtype(), shape);
    Copies.copy(value.strided(), out);
    Layout inside = out.layout();
    for (int i = 0; i < shape.length; i++) {
      inside = inside.slice(i, before[i], x.layout().dim(i), 1);
    }
    Copies.copy(x, out.with(inside));
    return out;
  }

  private static void requireFits(DType dtype, Tensor value) {
    boolean whole = value.dtype().isInteger() || value.dtype() == DType.BOOL;
    if (!dtype.isFloating() && !whole) {
      throw new DTypeException(
          "the value "
              + Nested.item(value)
              + " would be cut to "
              + dtype
              + "; convert the array first",
          "value",
          Nested.item(value),
          "dtype",
          dtype.toString());
    }
    InPlace.requireFits(dtype, value);
  }
}
