package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.concurrent.atomic.AtomicBoolean;
import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Primitive;

/**
 * Elements picked by their place along an axis, or in row-major order, and the gradients of picking
 * them.
 */
final class Lanes {
  private Lanes() {}

  private static final Layout ELEMENT = Layout.of();
  private static final int GRAIN = 16_384;

  /**
   * The elements at row-major indexes, in the shape of the indexes. Those of each of {@code apart}
   * equal stretches of the indexes are in a part of the array of its own.
   */
  static final Primitive TAKE_AT =
      define("take-at", "x, at, apart: int = 1")
          .internal()
          .linear()
          .batch(
              b ->
                  b.has(0)
                      ? b.call(
                          apart(b), b.full(0), Batches.together(b.full(1), b.example(0).intSize()))
                      : b.call(b.args().with("apart", 1), b.in(0), b.in(1)))
          .vjp(
              0,
              "at",
              (n, a, g) -> Lanes.ADD_AT.of(g, n.in(1), n.layout(0).shape(), a.integer("apart")))
          .primitive(
              (a, in) -> {
                Strided x = in[0];
                Strided out = Strided.empty(x.dtype(), in[1].layout().shape());
                int[] at = Gather.positions(x.layout(), integers(in[1]));
                Gather.gather(out.with(Layout.of(at.length)), x, at, ELEMENT);
                return out;
              });

  /** Zeros of a shape with the elements added at row-major indexes, see {@link #TAKE_AT}. */
  static final Primitive ADD_AT =
      define("add-at", "x, at, shape: shape, apart: int = 1")
          .internal()
          .linear()
          .batch(
              b -> {
                int[] shape = b.args().ints("shape");
                return b.call(
                    apart(b).with("shape", b.with(shape)),
                    b.full(0),
                    Batches.together(b.full(1), Layout.of(shape).intSize()));
              })
          .vjp(0, "at", (n, a, g) -> TAKE_AT.of(g, n.in(1), a.integer("apart")))
          .primitive(
              (a, in) -> {
                Strided out = Strided.zeros(in[0].dtype(), a.ints("shape"));
                Gather.add(out, integers(in[1]), ELEMENT, flat(in[0]), a.integer("apart"));
                return out;
              });

  /** From indexes along an axis of a shape to row-major indexes. */
  static final Primitive FLAT_INDEX =
      define("take-along-axis", "index, shape: shape, axis: int")
          .internal()
          .nonDifferentiable("indexes")
          .batch(
              b -> {
                int[] shape = b.args().ints("shape");
                Args all =
                    b.args()
                        .with("shape", b.with(shape))
                        .with("axis", b.args().integer("axis") + 1);
                return Batches.apart(b.call(all), Layout.of(shape).intSize());
              })
          .primitive((a, in) -> flatIndex(Layout.of(a.ints("shape")), in[0], a.integer("axis")));

  /** The elements of an array at indexes along an axis; the other dimensions are the same. */
  static Tensor pick(Tensor x, Tensor index, int axis) {
    int apart = 1;
    for (int i = 0; i < axis; i++) {
      apart *= index.layout().dim(i);
    }
    return TAKE_AT.of(x, FLAT_INDEX.of(index, x.shape(), axis), Math.max(1, apart));
  }

  private static Args apart(Batch b) {
    return b.args().with("apart", b.args().integer("apart") * b.size());
  }

  /** The elements in row-major order, to be read only. */
  private static int[] integers(Strided x) {
    Object array = x.array();
    boolean whole = x.layout().isContiguous() && x.layout().offset() == 0;
    return array instanceof int[] a && whole && a.length == x.layout().size()
        ? a
        : (int[]) Copies.copyOf(x, DType.INT32).array();
  }

  /** All elements in row-major order along one axis; a view where strides allow it. */
  static Strided flat(Strided x) {
    int size = x.layout().intSize();
    return x.layout()
        .reshape(size)
        .map(x::with)
        .orElseGet(() -> Copies.copyOf(x).with(Layout.of(size)));
  }

  /** 0 to n-1. */
  static int[] iota(int n) {
    int[] out = new int[n];
    for (int i = 0; i < n; i++) {
      out[i] = i;
    }
    return out;
  }

  private static Strided flatIndex(Layout x, Strided index, int axis) {
    int n = x.dim(axis);
    int lanes = index.layout().dim(axis);
    int inner = 1;
    for (int i = axis + 1; i < x.ndim(); i++) {
      inner *= x.dim(i);
    }
    int width = inner;
    Strided flat = Strided.empty(DType.INT32, index.layout().shape());
    int[] out = (int[]) flat.array();
    boolean plain = index.dtype() == DType.INT64 && index.layout().isContiguous();
    Strided read = plain ? index : Copies.copyOf(index, DType.INT64);
    long[] along = (long[]) read.array();
    int first = read.layout().offset();
    int block = Math.max(1, lanes * width);
    AtomicBoolean outside = new AtomicBoolean();
    Threads.parallelFor(
        out.length / block,
        Math.max(1, GRAIN / block),
        (begin, end) -> {
          // No branch, so that the JIT makes vectors of it: the sign tells who is out of range.
          long signs = 0;
          for (int o = begin; o < end; o++) {
            int origin = o * n * width;
            for (int i = o * block; i < (o + 1) * block; i++) {
              long given = along[first + i];
              long at = given + (given >> 63 & n);
              signs |= at | n - 1 - at;
              out[i] = origin + (int) at * width;
            }
            for (int i = o * block; width > 1 && i < (o + 1) * block; i++) {
              out[i] += (i - o * block) % width;
            }
          }
          if (signs < 0) {
            outside.set(true);
          }
        });
    if (outside.get()) {
      throw outOfRange(along, first, n, axis, x);
    }
    return flat;
  }

  private static IndexException outOfRange(long[] along, int first, int n, int axis, Layout x) {
    int i = first;
    while (-n <= along[i] && along[i] < n) {
      i++;
    }
    return new IndexException(
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
        x.shape());
  }
}
