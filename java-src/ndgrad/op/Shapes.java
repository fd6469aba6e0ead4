package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.View;

/**
 * Other shapes of the same elements: views that share storage and version counter with their array.
 */
public final class Shapes {
  private Shapes() {}

  /** The same elements under another shape. */
  public static final View RESHAPE =
      define("reshape", "x, shape: shape")
          .alias("view")
          .param(
              "shape", "the new shape; one dimension may be -1, which is inferred from the others")
          .doc(
              "The same elements in row-major order in another shape. A view where the"
                  + " strides allow it, otherwise a copy. view is a synonym and copies in the same"
                  + " cases, unlike PyTorch's.")
          .domain(-3, 3)
          .oracle("np.reshape(x, shape)")
          .samples(
              "#x [2 3] [3 2]",
              "#x [2 3] [-1]",
              "#x [2 3 4] [4 -1 2]",
              "#x [] [1 1]",
              "#x [1] []",
              "#x [0 3] [3 0]",
              "#x [4] [2 1 2]")
          .fails(
              ShapeException.class,
              "#x [2 3] [4]",
              "#x [2 3] [-1 4]",
              "#x [2 3] [-1 -1]",
              "#x [2 3] [-2 3]",
              "#x [0 3] [0 -1]")
          .view((a, l) -> l.reshape(resolve(a.ints("shape"), l)), (n, a, g) -> back(n, g));

  /** Some axes laid out as one. */
  public static final View FLATTEN =
      define("flatten", "x, start: int = 0, end: int = -1")
          .alias("ravel")
          .param("start", "the first axis to merge")
          .param("end", "the last axis to merge")
          .doc(
              "The axes from start to end merged into one, in row-major order; by default all of"
                  + " them. A view where the strides allow it, otherwise a copy. A 0-d array"
                  + " becomes one of shape [1].")
          .domain(-3, 3)
          .oracle(
              "x.reshape(x.shape[:start % max(x.ndim, 1)] + (-1,) + (x.shape[end % x.ndim + 1:] if"
                  + " x.ndim else ()))")
          .samples(
              "#x [2 3 4]",
              "#x [2 3 4] {:start 1}",
              "#x [2 3 4] {:end 1}",
              "#x []",
              "#x [2 3] {:start 1}")
          .fails(ShapeException.class, "#x [2 3] {:start 2}", "#x [2 3] {:start 1 :end 0}")
          .view((a, l) -> l.reshape(flat(a, l)), (n, a, g) -> back(n, g));

  /** The axes in another order. */
  public static final View TRANSPOSE =
      define("transpose", "x, axes: axes = nil")
          .alias("permute")
          .param("axes", "a permutation of the axes; nil for the reverse order")
          .doc("A view with the axes in another order; by default reversed.")
          .domain(-3, 3)
          .oracle("np.transpose(x, axes)")
          .samples(
              "#x [2 3]",
              "#x [2 3 4] [1 0 2]",
              "#x [2 3 4] [-1 0 1]",
              "#x [3]",
              "#x []",
              "#x [0 2]")
          .fails(ShapeException.class, "#x [2 3] [0]", "#x [2 3] [0 0]", "#x [2 3] [0 2]")
          .view(
              (a, l) -> Optional.of(l.permute(order(a.ints("axes"), l.ndim()))),
              (n, a, g) -> Shapes.TRANSPOSE.of(g, inverse(n, order(a.ints("axes"), g.ndim()))));

  /** Two axes in each other's place. */
  public static final View SWAPAXES =
      define("swapaxes", "x, axis1: int, axis2: int")
          .alias("swapdims")
          .doc("A view with two axes exchanged.")
          .domain(-3, 3)
          .oracle("np.swapaxes(x, axis1, axis2)")
          .samples("#x [2 3] 0 1", "#x [2 3 4] 0 -1", "#x [3] 0 0")
          .fails(ShapeException.class, "#x [2 3] 0 2", "#x [] 0 0")
          .view(
              (a, l) ->
                  Optional.of(l.swapped(l.axis(a.integer("axis1")), l.axis(a.integer("axis2")))),
              (n, a, g) -> Shapes.SWAPAXES.of(g, a.integer("axis1"), a.integer("axis2")));

  /** Axes moved elsewhere. */
  public static final View MOVEAXIS =
      define("moveaxis", "x, source: axes, destination: axes")
          .alias("movedim")
          .param("source", "the axes to move")
          .param("destination", "the new position of each")
          .doc("A view with some axes moved to other positions; the others keep their order.")
          .domain(-3, 3)
          .oracle("np.moveaxis(x, source, destination)")
          .samples("#x [2 3 4] 0 -1", "#x [2 3 4] [0 1] [-1 0]", "#x [2 3] 1 0")
          .fails(ShapeException.class, "#x [2 3] 2 0", "#x [2 3] [0 1] [0]", "#x [2 3] [0 0] [0 1]")
          .view(
              (a, l) -> Optional.of(l.permute(moved(a, l))),
              (n, a, g) -> Shapes.MOVEAXIS.of(g, a.ints("destination"), a.ints("source")));

  /** Axes of length 1 left out. */
  public static final View SQUEEZE =
      define("squeeze", "x, axis: axes = nil")
          .param("axis", "the axes to remove, each of length 1; nil for all of length 1")
          .doc(
              "A view without axes of length 1. An axis of another length throws, as in"
                  + " NumPy.")
          .domain(-3, 3)
          .oracle("np.squeeze(x, axis=axis)")
          .samples(
              "#x [1 3 1]", "#x [1 3 1] {:axis 0}", "#x [1 3 1] {:axis [0 -1]}", "#x []", "#x [1]")
          .fails(
              ShapeException.class,
              "#x [1 3] {:axis 1}",
              "#x [1 3] {:axis 2}",
              "#x [1 1] {:axis [0 0]}")
          .view((a, l) -> Optional.of(squeezed(l, a.ints("axis"))), (n, a, g) -> back(n, g));

  /** Axes of length 1 put in. */
  public static final View UNSQUEEZE =
      define("unsqueeze", "x, axis: axes")
          .alias("expand-dims")
          .param(
              "axis",
              "the positions of the new axes in the result; negative numbers count from its"
                  + " end")
          .doc("A view with new axes of length 1.")
          .domain(-3, 3)
          .oracle("np.expand_dims(x, axis)")
          .samples("#x [2 3] 0", "#x [2 3] -1", "#x [2 3] [0 2]", "#x [] 0", "#x [2 3] 2")
          .fails(ShapeException.class, "#x [2 3] 3", "#x [2 3] [0 0]")
          .view((a, l) -> Optional.of(unsqueezed(l, a.ints("axis"))), (n, a, g) -> back(n, g));

  /** Axes in reverse. */
  public static final View FLIP =
      define("flip", "x, axis: axes = nil")
          .param("axis", "which axes to reverse; nil for all")
          .doc(
              "A view with the elements along some axes in reverse order, as NumPy's flip;"
                  + " PyTorch's copies.")
          .domain(-3, 3)
          .oracle("np.flip(x, axis=axis)")
          .samples(
              "#x [2 3]", "#x [2 3] {:axis 0}", "#x [2 3 4] {:axis [0 -1]}", "#x []", "#x [0 2]")
          .fails(ShapeException.class, "#x [2 3] {:axis 2}", "#x [2 3] {:axis [0 -2]}")
          .view(
              (a, l) -> Optional.of(flipped(l, a.ints("axis"))),
              (n, a, g) -> Shapes.FLIP.of(g, a.get("axis")));

  /** The diagonals of planes. */
  public static final View DIAGONAL =
      define("diagonal", "x, offset: int = 0, axis1: int = 0, axis2: int = 1")
          .doc(
              "A view of the diagonals of the planes that two axes span; the diagonal"
                  + " becomes the last axis. It is writable, unlike NumPy's.")
          .domain(-3, 3)
          .oracle("np.diagonal(x, offset, axis1, axis2)")
          .samples(
              "#x [3 3]",
              "#x [3 4] {:offset 1}",
              "#x [3 4] {:offset -2}",
              "#x [2 3 4] {:axis1 0 :axis2 2}",
              "#x [2 3] {:offset 5}",
              "#x [2 3 4] {:axis1 -1 :axis2 -2}")
          .fails(ShapeException.class, "#x [3]", "#x [3 3] {:axis1 1}", "#x [3 3] {:axis2 2}")
          .view(
              (a, l) -> Optional.of(diagonal(a, l)),
              (n, a, g) -> {
                Layout root = Layout.of(n.layout(0).shape());
                return Structural.STRIDED_ADD.of(g, root, diagonal(a, root));
              });

  /** A range of one axis. */
  public static final View NARROW =
      define("narrow", "x, axis: int, start: int, length: int")
          .param("start", "the first position; negative numbers count from the end")
          .param("length", "how many positions")
          .doc(
              "A view of a range of one axis, as PyTorch's narrow. The range must lie within the"
                  + " axis.")
          .domain(-3, 3)
          .oracle(
              "np.take(x, range(start % x.shape[axis], start % x.shape[axis] + length), axis=axis)")
          .samples("#x [4 3] 0 1 2", "#x [4 3] -1 0 3", "#x [4 3] 0 -2 1", "#x [4 3] 1 1 0")
          .fails(IndexException.class, "#x [4] 0 2 3", "#x [4] 0 5 0", "#x [4] 0 0 -1")
          .fails(ShapeException.class, "#x [4] 1 0 1")
          .view(
              (a, l) -> Optional.of(narrowed(a, l)),
              (n, a, g) -> {
                Layout root = Layout.of(n.layout(0).shape());
                return Structural.STRIDED_ADD.of(g, root, narrowed(a, root));
              });

  private static Tensor back(Node node, Tensor g) {
    return RESHAPE.of(g, node.layout(0).shape());
  }

  private static int[] resolve(int[] target, Layout l) {
    int open = -1;
    long known = 1;
    for (int i = 0; i < target.length; i++) {
      if (target[i] == -1 && open < 0) {
        open = i;
      } else if (target[i] < 0) {
        throw cannot(
            target,
            l,
            target[i] == -1
                ? "; only one dimension can be -1"
                : "; dimensions must not be negative");
      } else {
        long product = known * target[i];
        known = Math.multiplyHigh(known, target[i]) != 0 || product < 0 ? Long.MAX_VALUE : product;
      }
    }
    if (open >= 0) {
      long length = known == 0 ? 0 : l.size() / known;
      if (known == 0 || length * known != l.size()) {
        throw cannot(
            target,
            l,
            known == 0
                ? "; no length of the -1 dimension follows from a size of 0"
                : ", which is not a multiple of " + known);
      }
      if (length > Integer.MAX_VALUE) {
        throw cannot(
            target,
            l,
            ", so the -1 dimension would be " + length + ", more than one axis can have");
      }
      target[open] = (int) length;
    } else if (known != l.size()) {
      throw cannot(target, l, ", the shape asks for " + known);
    }
    return target;
  }

  private static ShapeException cannot(int[] target, Layout l, String why) {
    return new ShapeException(
        "cannot reshape an array of shape "
            + l
            + " to "
            + Arrays.toString(target)
            + ": it has "
            + l.size()
            + " elements"
            + why,
        "shape",
        l.shape(),
        "target",
        target,
        "size",
        l.size());
  }

  private static int[] flat(Args a, Layout l) {
    if (l.ndim() == 0) {
      return new int[] {1};
    }
    int start = l.axis(a.integer("start"));
    int end = l.axis(a.integer("end"));
    if (end < start) {
      throw new ShapeException(
          "the first axis to merge, " + start + ", comes after the last, " + end,
          "start",
          start,
          "end",
          end);
    }
    int[] shape = l.shape();
    int[] out = Arrays.copyOf(shape, shape.length - (end - start));
    long run = 1;
    for (int i = start; i <= end; i++) {
      run *= shape[i];
    }
    if (run > Integer.MAX_VALUE) {
      throw new ShapeException(
          "cannot merge axes "
              + start
              + " to "
              + end
              + " of shape "
              + l
              + ": they have "
              + run
              + " elements, more than one axis can",
          "shape",
          shape,
          "start",
          start,
          "end",
          end);
    }
    out[start] = (int) run;
    System.arraycopy(shape, end + 1, out, start + 1, shape.length - end - 1);
    return out;
  }

  private static int[] order(int[] axes, int ndim) {
    if (axes != null) {
      return axes;
    }
    int[] reversed = new int[ndim];
    Arrays.setAll(reversed, i -> ndim - 1 - i);
    return reversed;
  }

  private static int[] inverse(Node node, int[] order) {
    int[] out = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      out[node.layout(0).axis(order[i])] = i;
    }
    return out;
  }

  private static int[] moved(Args a, Layout l) {
    int[] source = l.axes(a.ints("source"));
    int[] destination = l.axes(a.ints("destination"));
    if (source.length != destination.length) {
      throw new ShapeException(
          source.length
              + " axes cannot be moved to "
              + destination.length
              + " places; give one place an axis",
          "source",
          Arrays.toString(source),
          "destination",
          Arrays.toString(destination));
    }
    int[] order = new int[l.ndim()];
    Arrays.fill(order, -1);
    boolean[] taken = new boolean[l.ndim()];
    for (int i = 0; i < source.length; i++) {
      order[destination[i]] = source[i];
      taken[source[i]] = true;
    }
    int next = 0;
    for (int i = 0; i < order.length; i++) {
      if (order[i] < 0) {
        while (taken[next]) {
          next++;
        }
        order[i] = next++;
      }
    }
    return order;
  }

  private static Layout squeezed(Layout l, int[] axes) {
    boolean[] drop = new boolean[l.ndim()];
    if (axes == null) {
      for (int i = 0; i < drop.length; i++) {
        drop[i] = l.dim(i) == 1;
      }
    } else {
      for (int axis : l.axes(axes)) {
        if (l.dim(axis) != 1) {
          throw new ShapeException(
              "cannot leave out axis "
                  + axis
                  + " of shape "
                  + l
                  + ": its length is "
                  + l.dim(axis)
                  + ", not 1",
              "axis",
              axis,
              "shape",
              l.shape());
        }
        drop[axis] = true;
      }
    }
    Layout out = l;
    for (int i = drop.length - 1; i >= 0; i--) {
      out = drop[i] ? out.squeeze(i) : out;
    }
    return out;
  }

  private static Layout unsqueezed(Layout l, int[] axes) {
    int[] made = Dimensions.axes(axes, l.ndim() + axes.length);
    Arrays.sort(made);
    Layout out = l;
    for (int axis : made) {
      out = out.unsqueeze(axis);
    }
    return out;
  }

  private static Layout flipped(Layout l, int[] axes) {
    Layout out = l;
    int[] all = new int[l.ndim()];
    Arrays.setAll(all, i -> i);
    for (int axis : axes == null ? all : l.axes(axes)) {
      out = out.flip(axis);
    }
    return out;
  }

  private static Layout diagonal(Args a, Layout l) {
    if (l.ndim() < 2) {
      throw new ShapeException(
          "needs an array of at least 2 dimensions, this one has shape " + l, "shape", l.shape());
    }
    int[] axes = l.axes(a.integer("axis1"), a.integer("axis2"));
    return l.diagonal(a.integer("offset"), axes[0], axes[1]);
  }

  private static Layout narrowed(Args a, Layout l) {
    int axis = l.axis(a.integer("axis"));
    int dim = l.dim(axis);
    int start = a.integer("start");
    int length = a.integer("length");
    int from = start < 0 ? start + dim : start;
    if (from < 0 || from > dim || length < 0 || length > dim - from) {
      throw new IndexException(
          "a range of "
              + length
              + " from "
              + start
              + " does not lie within axis "
              + axis
              + " of length "
              + dim,
          "start",
          start,
          "length",
          length,
          "axis",
          axis,
          "shape",
          l.shape());
    }
    return l.slice(axis, from, length, 1);
  }
}
