package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.kernel.Gather;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Strided;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/**
 * Elements picked by their place along an axis, or in row-major order, and the gradients of picking
 * them.
 */
final class Lanes {
  private Lanes() {}

  private static final Layout ELEMENT = Layout.of();

  /** The elements at the given row-major indexes, in the given shape. */
  static final Primitive TAKE_AT =
      define("take-at", "x, at: any, shape: shape")
          .internal()
          .vjp(0, "", (n, a, g) -> Lanes.ADD_AT.of(g, a.get("at"), n.layout(0).shape()))
          .primitive(
              (a, in) -> {
                Strided x = in[0];
                int[] at = (int[]) a.get("at");
                Strided out = Strided.zeros(x.dtype(), a.ints("shape"));
                Gather.gather(
                    out.with(Layout.of(at.length)), x, Gather.positions(x.layout(), at), ELEMENT);
                return out;
              });

  /** Zeros of the given shape with the elements added at the given row-major indexes. */
  static final Primitive ADD_AT =
      define("add-at", "x, at: any, shape: shape")
          .internal()
          .vjp(0, "", (n, a, g) -> TAKE_AT.of(g, a.get("at"), n.layout(0).shape()))
          .primitive(
              (a, in) -> {
                Strided out = Strided.zeros(in[0].dtype(), a.ints("shape"));
                Gather.add(out, (int[]) a.get("at"), ELEMENT, flat(in[0]));
                return out;
              });

  /** All elements in row-major order along one axis; a view where strides allow it. */
  static Strided flat(Strided x) {
    int size = x.layout().intSize();
    return x.layout()
        .reshape(size)
        .map(x::with)
        .orElseGet(() -> Structural.converted(x, x.dtype()).with(Layout.of(size)));
  }

  /** 0 to n-1. */
  static int[] iota(int n) {
    int[] out = new int[n];
    for (int i = 0; i < n; i++) {
      out[i] = i;
    }
    return out;
  }

  /**
   * From indexes along an axis to row-major indexes.
   *
   * @param x the shape that is indexed
   * @param index integers, of x's shape but along the axis; negative ones count from the end
   * @param axis from 0 to ndim-1
   * @return in the row-major order of the index
   * @throws IndexException when one is out of range
   */
  static int[] flatIndex(Layout x, Strided index, int axis) {
    int n = x.dim(axis);
    int lanes = index.layout().dim(axis);
    int inner = 1;
    for (int i = axis + 1; i < x.ndim(); i++) {
      inner *= x.dim(i);
    }
    int[] out = new int[index.layout().intSize()];
    long[] along = (long[]) Structural.converted(index, DType.INT64).array();
    for (int i = 0, start = 0; i < out.length; start += n * inner) {
      for (int k = 0; k < lanes; k++) {
        for (int j = 0; j < inner; j++, i++) {
          long at = along[i] < 0 ? along[i] + n : along[i];
          if (at < 0 || at >= n) {
            throw new IndexException(
                "index "
                    + along[i]
                    + " is out of range for axis "
                    + axis
                    + " of length "
                    + n
                    + (n == 0 ? "" : "; expected " + -n + " to " + (n - 1)),
                "index",
                along[i],
                "axis",
                axis,
                "shape",
                x.toString());
          }
          out[i] = start + (int) at * inner + j;
        }
      }
    }
    return out;
  }
}
