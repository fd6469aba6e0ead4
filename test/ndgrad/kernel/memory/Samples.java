package ndgrad.kernel.memory;

import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;

/** Random arrays under every kind of layout, and element access that is slow and plain. */
public final class Samples {
  private Samples() {}

  /**
   * An array of some shape under a random layout: contiguous, permuted, stepped, reversed,
   * broadcast or offset.
   */
  public static Strided array(Random r, DType dtype, int... shape) {
    int n = shape.length;
    Integer[] order = new Integer[n];
    Arrays.setAll(order, i -> i);
    if (r.nextBoolean()) {
      java.util.Collections.shuffle(Arrays.asList(order), r);
    }
    int[] strides = new int[n];
    int offset = r.nextInt(3);
    int step = 1;
    int kind = r.nextInt(4);
    for (int i = n - 1; i >= 0; i--) {
      int axis = order[i];
      int by = kind == 1 ? 1 + r.nextInt(2) : 1;
      boolean zero = kind == 2 && r.nextInt(3) == 0;
      boolean back = kind == 3 && r.nextBoolean();
      strides[axis] = zero ? 0 : back ? -step * by : step * by;
      offset += back ? step * by * Math.max(0, shape[axis] - 1) : 0;
      step *= zero ? 1 : by * Math.max(1, shape[axis]);
    }
    Object data = dtype.newArray(step + offset + 3);
    for (int i = 0; i < DType.lengthOf(data); i++) {
      set(data, i, value(r, dtype));
    }
    return new Strided(new Storage(data), Layout.of(shape, strides, offset));
  }

  /** Like array, but no two elements share a place. */
  public static Strided target(Random r, DType dtype, int... shape) {
    while (true) {
      Strided s = array(r, dtype, shape);
      if (!s.layout().isBroadcast()) {
        return s;
      }
    }
  }

  /** A shape of one to four dimensions, long and short ones, of about so many elements. */
  public static int[] largeShape(Random r, int size) {
    int[] shape = new int[1 + r.nextInt(4)];
    int rest = size / 2 + r.nextInt(size / 2);
    for (int i = 0; i < shape.length - 1; i++) {
      int most = (int) Math.pow(rest, 1.0 / (shape.length - i));
      shape[i] = r.nextInt(3) == 0 ? 1 + r.nextInt(9) : 1 + r.nextInt(2 * most);
      rest = Math.max(1, rest / shape[i]);
    }
    shape[shape.length - 1] = rest;
    int swap = r.nextInt(shape.length);
    int last = shape[shape.length - 1];
    shape[shape.length - 1] = shape[swap];
    shape[swap] = last;
    return shape;
  }

  /** Many short rows, or several times as many, that are shorter or longer than a vector. */
  public static int[] shortRows(Random r) {
    int m = 30 + r.nextInt(400);
    int n = 1 + r.nextInt(r.nextInt(4) == 0 ? 300 : 40);
    return r.nextInt(3) == 0 ? new int[] {2, m, n} : new int[] {m, n};
  }

  public static double value(Random r, DType dtype) {
    if (dtype.isFloating() && r.nextInt(40) == 0) {
      return new double[] {
            Double.NaN, -0.0, 0.0, Double.POSITIVE_INFINITY, Double.NEGATIVE_INFINITY
          }
          [r.nextInt(5)];
    }
    return dtype.isFloating() ? r.nextInt(17) / 4.0 - 2 : r.nextInt(9) - 4;
  }

  /** A boxed 7 of some dtype. */
  public static Object seven(DType dtype) {
    Object one = dtype.newArray(1);
    set(one, 0, 7);
    return java.lang.reflect.Array.get(one, 0);
  }

  public static double get(Object data, int i) {
    return switch (data) {
      case double[] a -> a[i];
      case float[] a -> a[i];
      case long[] a -> a[i];
      case int[] a -> a[i];
      default -> ((boolean[]) data)[i] ? 1 : 0;
    };
  }

  public static void set(Object data, int i, double v) {
    switch (data) {
      case double[] a -> a[i] = v;
      case float[] a -> a[i] = (float) v;
      case long[] a -> a[i] = (long) v;
      case int[] a -> a[i] = (int) v;
      default -> ((boolean[]) data)[i] = v != 0;
    }
  }

  public static double get(Strided s, int... index) {
    return get(s.array(), s.layout().position(index));
  }

  public static int[] unravel(int flat, int... shape) {
    int[] index = new int[shape.length];
    for (int axis = shape.length - 1; axis >= 0; axis--) {
      index[axis] = flat % shape[axis];
      flat /= shape[axis];
    }
    return index;
  }

  /** All elements in row-major order. */
  public static double[] values(Strided s) {
    int[] shape = s.layout().shape();
    double[] out = new double[(int) s.layout().size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = get(s, unravel(i, shape));
    }
    return out;
  }

  public static int[] shape(Random r, int minDims, int maxDims) {
    int[] shape = new int[minDims + r.nextInt(maxDims - minDims + 1)];
    for (int i = 0; i < shape.length; i++) {
      shape[i] = r.nextInt(12) == 0 ? 0 : 1 + r.nextInt(5);
    }
    return shape;
  }
}
