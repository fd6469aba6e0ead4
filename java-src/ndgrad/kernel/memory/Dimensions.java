package ndgrad.kernel.memory;

import java.util.Arrays;
import ndgrad.IndexException;
import ndgrad.ShapeException;

/**
 * What is known of dimensions without a storage: how many elements a shape has, which axis or
 * position a number names, what shapes broadcast to, and the strides under which elements take
 * another shape. Shapes and strides are read and never kept.
 */
public final class Dimensions {
  /** How many elements one primitive array has at most. */
  public static final int MOST_ELEMENTS = Integer.MAX_VALUE - 8;

  private Dimensions() {}

  /**
   * The number of elements of a shape.
   *
   * @param shape the shape
   * @return the product of the dimensions
   * @throws ShapeException when a dimension is negative or there are more than 2⁶³-1 elements
   */
  public static long size(int... shape) {
    long size = 1;
    boolean empty = false;
    for (int d : shape) {
      if (d < 0) {
        throw new ShapeException(
            "dimensions must not be negative, got shape " + Arrays.toString(shape), "shape", shape);
      }
      empty |= d == 0;
      size = size > Long.MAX_VALUE / Math.max(d, 1) ? Long.MAX_VALUE : size * Math.max(d, 1);
    }
    if (empty) {
      return 0;
    }
    if (size == Long.MAX_VALUE) {
      throw new ShapeException(
          "an array of shape "
              + Arrays.toString(shape)
              + " has more than 2⁶³-1 elements, which cannot be counted",
          "shape",
          shape);
    }
    return size;
  }

  /** The number of elements of an array that is to be made; one primitive array must hold them. */
  static int arraySize(int[] shape) {
    long size = size(shape);
    if (size > MOST_ELEMENTS) {
      throw new ShapeException(
          "an array of shape "
              + Arrays.toString(shape)
              + " has "
              + size
              + " elements; at most "
              + MOST_ELEMENTS
              + " fit in one array",
          "shape",
          shape);
    }
    return (int) size;
  }

  /** The strides of elements that lie one behind the other. */
  static int[] rowMajor(int[] shape) {
    int[] strides = new int[shape.length];
    int step = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      strides[i] = step;
      step *= Math.max(shape[i], 1);
    }
    return strides;
  }

  /**
   * Resolves an axis that may count from the end.
   *
   * @param axis from -ndim to ndim-1
   * @param ndim the number of dimensions
   * @return the axis from 0 to ndim-1
   * @throws ShapeException when it is out of range
   */
  public static int axis(int axis, int ndim) {
    if (axis < -ndim || axis >= ndim) {
      throw new ShapeException(
          "axis "
              + axis
              + " is out of range for an array of "
              + ndim
              + " dimensions"
              + (ndim == 0 ? "" : "; expected " + -ndim + " to " + (ndim - 1)),
          "axis",
          axis,
          "ndim",
          ndim);
    }
    return axis < 0 ? axis + ndim : axis;
  }

  /**
   * Resolves several axes.
   *
   * @param axes each from -ndim to ndim-1
   * @param ndim the number of dimensions
   * @return the axes from 0 to ndim-1 in the given order, a fresh array
   * @throws ShapeException when one is out of range or named twice
   */
  public static int[] axes(int[] axes, int ndim) {
    int[] out = new int[axes.length];
    boolean[] seen = new boolean[ndim];
    for (int i = 0; i < axes.length; i++) {
      out[i] = axis(axes[i], ndim);
      if (seen[out[i]]) {
        throw new ShapeException(
            "axis " + axes[i] + " is named twice in " + Arrays.toString(axes), "axis", axes[i]);
      }
      seen[out[i]] = true;
    }
    return out;
  }

  /** Resolves a position of an axis that may count from the end. */
  static int index(int[] shape, int axis, long index) {
    int d = shape[axis];
    if (index < -d || index >= d) {
      throw new IndexException(
          "index "
              + index
              + " is out of range for axis "
              + axis
              + " of length "
              + d
              + (d == 0 ? "" : "; expected " + -d + " to " + (d - 1)),
          "index",
          index,
          "axis",
          axis,
          "shape",
          shape.clone());
    }
    return (int) (index < 0 ? index + d : index);
  }

  /**
   * The common shape of NumPy's broadcasting.
   *
   * @param layouts the operands
   * @return the broadcast shape
   * @throws ShapeException naming all shapes when they do not fit
   */
  public static int[] broadcast(Layout... layouts) {
    int ndim = 0;
    for (Layout l : layouts) {
      ndim = Math.max(ndim, l.ndim());
    }
    int[] out = new int[ndim];
    Arrays.fill(out, 1);
    for (Layout l : layouts) {
      int shift = ndim - l.ndim();
      for (int i = 0; i < l.ndim(); i++) {
        int d = l.dim(i);
        int have = out[i + shift];
        if (have == 1) {
          out[i + shift] = d;
        } else if (d != 1 && d != have) {
          throw apart(layouts);
        }
      }
    }
    return out;
  }

  private static ShapeException apart(Layout[] layouts) {
    String shapes =
        Arrays.stream(layouts).map(Layout::toString).reduce((x, y) -> x + " and " + y).orElse("");
    return new ShapeException(
        "shapes "
            + shapes
            + " do not broadcast together; aligned from the right, dimensions must be"
            + " equal or 1",
        "shapes",
        Arrays.stream(layouts).map(Layout::shape).toList());
  }

  /**
   * The strides under which elements have another shape of the same size, in the same row-major
   * order; null when there are none.
   */
  static int[] reshaped(int[] shape, int[] strides, int[] target) {
    int[] s = new int[target.length];
    int t = target.length - 1;
    int axis = shape.length - 1;
    while (axis >= 0) {
      // A run of dimensions that are contiguous among themselves can be cut anew.
      int step = strides[axis];
      long run = shape[axis];
      while (axis > 0 && (shape[axis - 1] == 1 || strides[axis - 1] == step * run)) {
        axis--;
        run *= shape[axis];
      }
      if (run == 1 && axis > 0 && shape[axis] == 1) {
        axis--;
        continue;
      }
      long filled = 1;
      while (t >= 0 && filled * target[t] <= run) {
        s[t] = (int) (step * filled);
        filled *= target[t];
        t--;
      }
      if (filled != run) {
        return null;
      }
      axis--;
    }
    while (t >= 0) {
      s[t--] = 1;
    }
    return s;
  }

  /** A copy without one number. */
  static int[] without(int[] a, int at) {
    int[] out = new int[a.length - 1];
    System.arraycopy(a, 0, out, 0, at);
    System.arraycopy(a, at + 1, out, at, out.length - at);
    return out;
  }

  /** A copy with one number put in. */
  static int[] with(int[] a, int at, int value) {
    int[] out = new int[a.length + 1];
    System.arraycopy(a, 0, out, 0, at);
    out[at] = value;
    System.arraycopy(a, at, out, at + 1, a.length - at);
    return out;
  }
}
