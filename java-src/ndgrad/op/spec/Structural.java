package ndgrad.op.spec;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * The linear ops that the families themselves are made of: copies, dtype conversion, broadcasting
 * and its adjoint, and reading and writing a view of an array.
 */
public final class Structural {
  private Structural() {}

  private static final Reduction SUM = Reduction.of(Expr.in(0), Expr.Fn2.ADD);

  /** A row-major copy. */
  public static final Primitive COPY =
      Spec.define("copy", "x")
          .doc("A row-major copy that shares no elements with the array.")
          .domain(-3, 3)
          .oracle("np.array(x, order='C')")
          .samples("#x [3 4]", "#x []", "#x [0 3]")
          .linear()
          .batch(Batch.IN_FRONT)
          .vjp(0, "", (n, a, g) -> g)
          .primitive((a, in) -> Copies.copyOf(in[0]));

  /** Conversion between dtypes. */
  public static final Primitive CAST =
      Spec.define("astype", "x, dtype: dtype")
          .doc(
              "A copy converted to a dtype, also if it is the same. Differentiable between"
                  + " floating dtypes; a conversion to integers or bool has no gradient. To"
                  + " integers, floating numbers are truncated towards zero, NaN becomes 0, and"
                  + " numbers out of range become the nearest end of the range; int64 to int32"
                  + " wraps. To bool, everything but 0 becomes true.")
          .domain(-3, 3)
          .oracle("x.astype(dtype)")
          .samples("#x [3 4] :float32", "#x [3 4] :float64", "#i [3] :bool", "#x [] :int32")
          .fails(ndgrad.DTypeException.class, "#x [2] :complex64")
          .linear()
          .batch(Batch.IN_FRONT)
          .vjp(0, "", (n, a, g) -> Structural.CAST.of(g, n.dtype(0)))
          .primitive((a, in) -> Copies.copyOf(in[0], a.dtype("dtype").orElseThrow()));

  /** Stretches dimensions by zero strides. */
  public static final View BROADCAST_TO =
      Spec.define("broadcast-to", "x, shape: shape")
          .alias("expand")
          .doc(
              "A read-only view in a larger shape: dimensions of length 1 are repeated and"
                  + " missing ones added in front, by NumPy's broadcasting rules. There is no -1 as"
                  + " in PyTorch's expand.")
          .domain(-3, 3)
          .oracle("np.broadcast_to(x, shape)")
          .samples("#x [3 1] [2 3 4]", "#x [] [2 2]", "#x [3] [0 3]")
          .fails(ndgrad.ShapeException.class, "#x [3] [4]", "#x [2 3] [3]")
          .view(
              (a, l) -> Optional.of(l.broadcastTo(a.ints("shape"))),
              (n, a, g) -> sumTo(g, n.layout(0), n.dtype(0)));

  /** One index of an axis. */
  public static final View SELECT =
      Spec.define("select", "x, axis: int, index: int")
          .param("index", "the index; negative numbers count from the end")
          .doc("A view at one index of an axis, without that axis.")
          .domain(-3, 3)
          .oracle("np.take(x, index, axis=axis)")
          .samples("#x [3 4] 0 2", "#x [3 4] -1 -1", "#x [2 3 4] 1 0")
          .fails(ndgrad.IndexException.class, "#x [3] 0 3")
          .fails(ndgrad.ShapeException.class, "#x [3] 1 0")
          .view(
              (a, l) -> Optional.of(l.select(l.axis(a.integer("axis")), a.integer("index"))),
              (n, a, g) -> {
                Layout root = Layout.of(n.layout(0).shape());
                int axis = root.axis(a.integer("axis"));
                return Structural.STRIDED_ADD.of(g, root, root.select(axis, a.integer("index")));
              });

  /** The adjoint of broadcasting. */
  static final Primitive SUM_TO =
      Spec.define("sum-to", "x, shape: shape")
          .internal()
          .linear()
          .folds(Fold.SUM_TO)
          .batch(Structural::summedBatch)
          .vjp(0, "", (n, a, g) -> BROADCAST_TO.of(g, n.layout(0).shape()))
          .primitive((a, in) -> summed(in[0], a.ints("shape")));

  /** Reads a view of an array that is laid out as its root; both layouts are given. */
  public static final Primitive STRIDED_READ =
      Spec.define("view-read", "x, root: any, view: any")
          .internal()
          .linear()
          .batch(Structural::viewBatch)
          .vjp(0, "", (n, a, g) -> Structural.STRIDED_ADD.of(g, a.get("root"), a.get("view")))
          .primitive((a, in) -> Copies.copyOf(laidOut(in[0], root(a)).with(view(a))));

  /** The adjoint of {@link #STRIDED_READ}: adds a view into zeros of the root's shape. */
  public static final Primitive STRIDED_ADD =
      Spec.define("view-add", "x, root: any, view: any")
          .internal()
          .linear()
          .batch(Structural::viewBatch)
          .vjp(0, "", (n, a, g) -> STRIDED_READ.of(g, a.get("root"), a.get("view")))
          .primitive((a, in) -> added(in[0], root(a), view(a)));

  /** An array laid out as its root with a view of it replaced. */
  public static final Primitive STRIDED_WRITE =
      Spec.define("view-write", "x, value, root: any, view: any")
          .internal()
          .linear()
          .batch(Structural::viewBatch)
          .vjp(0, "", (n, a, g) -> overwritten(g, n.layout(1), a.get("root"), a.get("view")))
          .vjp(1, "", (n, a, g) -> STRIDED_READ.of(g, a.get("root"), a.get("view")))
          .primitive((a, in) -> written(in[0], in[1], root(a), view(a)));

  /** The history of a view whose root was rewritten; the node's argument is the view's layout. */
  static final Rule VIEW =
      new Rule() {
        @Override
        public String name() {
          return "view";
        }

        @Override
        public Tensor vjp(Node node, int input, Tensor g) {
          return STRIDED_ADD.of(g, node.layout(0), node.args());
        }
      };

  /**
   * The history of a root into a view of which a value was written; the node's argument is the
   * view's layout.
   */
  static final Rule WRITE =
      new Rule() {
        @Override
        public String name() {
          return "write";
        }

        @Override
        public Tensor vjp(Node node, int input, Tensor g) {
          Layout root = node.layout(0);
          return input == 0
              ? overwritten(g, node.layout(1), root, node.args())
              : STRIDED_READ.of(g, root, node.args());
        }
      };

  /** Arrays of one shape along a new axis, which is counted from 0. */
  public static final Primitive STACK =
      Spec.define("stack", "xs: arrays, axis: int")
          .internal()
          .linear()
          .batch(b -> b.call(b.args().with("axis", b.args().integer("axis") + 1)))
          .vjpEach("", (n, a, i, g) -> cast(SELECT.of(g, a.integer("axis"), i), n.dtype(i)))
          .primitive((a, in) -> stacked(in, a.integer("axis")));

  /**
   * A tangent of the result's shape and dtype.
   *
   * @param tangent of a shape that broadcasts to the result's
   * @param out the result
   * @return the tangent
   */
  static Tensor stretched(Tensor tangent, Tensor out) {
    Tensor full =
        tangent.layout().sameShape(out.layout()) ? tangent : BROADCAST_TO.of(tangent, out.shape());
    return cast(full, out.dtype());
  }

  /** Inputs of an op on batches such that their examples broadcast as they would one by one. */
  static Tensor[] alignedBatches(Tensor[] physical, boolean[] batched) {
    int rank = 0;
    for (int i = 0; i < physical.length; i++) {
      rank = Math.max(rank, physical[i].ndim() - (batched[i] ? 1 : 0));
    }
    Tensor[] aligned = physical.clone();
    for (int i = 0; i < physical.length; i++) {
      while (batched[i] && aligned[i].ndim() - 1 < rank) {
        aligned[i] = INSERT_AXIS.of(aligned[i], 1);
      }
    }
    return aligned;
  }

  /** One axis moved to another place. */
  public static final View MOVE_AXIS =
      Spec.define("move-axis", "x, from: int, to: int")
          .internal()
          .view(
              (a, l) -> Optional.of(l.move(a.integer("from"), a.integer("to"))),
              (n, a, g) -> Structural.MOVE_AXIS.of(g, a.integer("to"), a.integer("from")));

  /**
   * The same array several times along a new first axis.
   *
   * @param x the array
   * @param times how often
   * @return a read-only view
   */
  public static Tensor repeated(Tensor x, int times) {
    int[] shape = new int[x.ndim() + 1];
    shape[0] = times;
    System.arraycopy(x.shape(), 0, shape, 1, x.ndim());
    return BROADCAST_TO.of(x, shape);
  }

  private static Tensor summedBatch(Batch b) {
    int[] shape = b.args().ints("shape");
    int extra = b.example(0).ndim() - shape.length;
    int[] kept = new int[extra + shape.length];
    Arrays.fill(kept, 0, extra, 1);
    System.arraycopy(shape, 0, kept, extra, shape.length);
    Tensor summed = b.call(b.args().with("shape", b.with(kept)));
    for (int i = 0; i < extra; i++) {
      summed = SELECT.of(summed, 1, 0);
    }
    return summed;
  }

  /** The examples lie one after the other, each laid out as the root says. */
  private static Tensor viewBatch(Batch b) {
    Layout root = root(b.args());
    int span = root.span();
    return b.call(
        b.args()
            .with("root", root.repeated(b.size(), span))
            .with("view", view(b.args()).repeated(b.size(), span)));
  }

  /** A new axis of length 1. */
  static final View INSERT_AXIS =
      Spec.define("insert-axis", "x, axis: int")
          .internal()
          .view(
              (a, l) -> Optional.of(l.unsqueeze(a.integer("axis"))),
              (n, a, g) -> SELECT.of(g, a.integer("axis"), 0));

  /**
   * Sums what broadcasting had stretched, and converts: the gradient of an input whose shape and
   * dtype differ from the result's.
   *
   * @param g the gradient of the broadcast result
   * @param like the input's shape
   * @param dtype the input's dtype
   * @return the gradient of the input
   */
  public static Tensor sumTo(Tensor g, Layout like, DType dtype) {
    Tensor summed = g.layout().sameShape(like) ? g : SUM_TO.of(g, like.shape());
    return cast(summed, dtype);
  }

  /**
   * A tensor in a dtype.
   *
   * @param x the tensor
   * @param dtype the dtype
   * @return x where it has that dtype, else the result of {@link #CAST}
   */
  public static Tensor cast(Tensor x, DType dtype) {
    return x.dtype() == dtype ? x : CAST.of(x, dtype);
  }

  /**
   * Zeros of a shape.
   *
   * @param dtype the dtype
   * @param like the shape
   * @return the zeros
   */
  public static Tensor zeros(DType dtype, Layout like) {
    return new Tensor(Strided.zeros(dtype, like.shape()));
  }

  private static Strided summed(Strided x, int[] shape) {
    int extra = x.layout().ndim() - shape.length;
    int[] axes = new int[x.layout().ndim()];
    int count = 0;
    for (int i = 0; i < axes.length; i++) {
      if (i < extra || shape[i - extra] == 1 && x.layout().dim(i) != 1) {
        axes[count++] = i;
      }
    }
    Strided out = Strided.empty(x.dtype(), shape);
    Layout kept = out.layout();
    for (int i = shape.length - 1; i >= 0; i--) {
      if (shape[i] == 1 && x.layout().dim(i + extra) != 1) {
        kept = kept.squeeze(i);
      }
    }
    SUM.run(out.with(kept), x.dtype(), Arrays.copyOf(axes, count), x);
    return out;
  }

  private static Strided stacked(Strided[] xs, int axis) {
    int[] shape = xs[0].layout().unsqueeze(axis).shape();
    shape[axis] = xs.length;
    Strided out = Strided.empty(promoted(xs), shape);
    for (int i = 0; i < xs.length; i++) {
      Copies.copy(xs[i], out.with(out.layout().select(axis, i)));
    }
    return out;
  }

  /**
   * The dtype of arrays that become one.
   *
   * @param xs at least one
   * @return the promoted dtype
   */
  public static DType promoted(Strided... xs) {
    DType dtype = xs[0].dtype();
    for (Strided x : xs) {
      dtype = DType.promote(dtype, x.dtype());
    }
    return dtype;
  }

  private static Tensor overwritten(Tensor g, Layout value, Object root, Object view) {
    return STRIDED_WRITE.of(g, zeros(g.dtype(), value), root, view);
  }

  private static Layout root(Args a) {
    return (Layout) a.get("root");
  }

  private static Layout view(Args a) {
    return (Layout) a.get("view");
  }

  /** A copy of the elements at the places that the root's layout gives them. */
  private static Strided laidOut(Strided x, Layout root) {
    Strided out = new Strided(Storage.uninitialised(x.dtype(), root.span()), root);
    Copies.copy(x, out);
    return out;
  }

  private static Strided added(Strided g, Layout root, Layout view) {
    int[] once = view.shape();
    for (int i = 0; i < once.length; i++) {
      once[i] = view.stride(i) == 0 ? Math.min(once[i], 1) : once[i];
    }
    Strided out = new Strided(Storage.allocate(g.dtype(), root.span()), root);
    Strided sums = Arrays.equals(once, view.shape()) ? g : summed(g, once);
    Copies.copy(sums, out.with(Layout.of(once, view.strides(), view.offset())));
    return rowMajor(out);
  }

  private static Strided written(Strided x, Strided value, Layout root, Layout view) {
    Strided out = laidOut(x, root);
    Copies.copy(value, out.with(view));
    return rowMajor(out);
  }

  private static Strided rowMajor(Strided x) {
    return x.layout().isContiguous() && x.layout().offset() == 0 ? x : Copies.copyOf(x);
  }
}
