package ndgrad.op;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Passes;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.View;

/**
 * The axes that a reduction removes from a shape, and what all reductions do with them: the shape
 * of the result, and bringing a result back to the shape of the input. Immutable.
 */
final class Axes {
  /** A power of two. */
  private static final int REMEMBERED = 64;

  /**
   * Axes of late: to find out about those of a small array takes longer than to reduce it. Races
   * lose at worst what another thread has noted.
   */
  private static final Axes[] LATELY = new Axes[REMEMBERED];

  private final Layout whole;
  private final int[] given;
  private final int[] shape;
  private final boolean[] reduced;
  private final boolean keepdims;
  private final int[] list;

  /** The layout of a fresh result without the axes, and of what callers get; null until needed. */
  private Layout removed;

  private Layout result;

  private Axes(Layout whole, int[] given, boolean[] reduced, boolean keepdims) {
    this.whole = whole;
    this.given = given;
    this.shape = whole.shape();
    this.reduced = reduced;
    this.keepdims = keepdims;
    this.list = pick(true, false);
  }

  /** Brings the result of a reduction to the shape of its input: a read-only view. */
  private static final View SPREAD =
      Spec.define("spread", "x, axes: any")
          .internal()
          .view(
              (a, l) -> Optional.of(((Axes) a.get("axes")).spread(l)),
              (n, a, g) -> {
                Axes axes = (Axes) a.get("axes");
                return Reductions.SUM.of(g, axes.given, axes.keepdims);
              });

  /**
   * The axes of a call.
   *
   * @param axes as the caller gave them; null for all. A 0-d array takes axis 0 or -1, as NumPy's
   *     and PyTorch's do
   */
  static Axes of(Layout x, int[] axes, boolean keepdims) {
    int place = 31 * x.place() + 2 * Arrays.hashCode(axes) + (keepdims ? 1 : 0) & REMEMBERED - 1;
    Axes known = LATELY[place];
    if (known == null
        || !known.whole.sameShape(x)
        || known.keepdims != keepdims
        || !Arrays.equals(known.given, axes)) {
      known = read(x, axes == null ? null : axes.clone(), keepdims);
      LATELY[place] = known;
    }
    return known;
  }

  private static Axes read(Layout x, int[] axes, boolean keepdims) {
    boolean[] reduced = new boolean[x.ndim()];
    if (axes == null) {
      Arrays.fill(reduced, true);
    } else if (x.ndim() > 0 || axes.length != 1 || axes[0] != 0 && axes[0] != -1) {
      for (int axis : x.axes(axes)) {
        reduced[axis] = true;
      }
    }
    return new Axes(x, axes, reduced, keepdims);
  }

  /** The axes of a call of an op with options {@code axis} and {@code keepdims}. */
  static Axes of(Args a, Layout x) {
    return of(x, (int[]) a.get("axis"), a.flag("keepdims"));
  }

  /** How many elements make one of the result. */
  long count() {
    long n = 1;
    for (int i = 0; i < shape.length; i++) {
      n *= reduced[i] ? shape[i] : 1;
    }
    return n;
  }

  /** The axes as ascending numbers; not to be modified. */
  int[] list() {
    return list;
  }

  /** All axes, those that are reduced behind the others. */
  int[] order() {
    int[] out = Arrays.copyOf(pick(false, false), shape.length);
    System.arraycopy(list, 0, out, shape.length - list.length, list.length);
    return out;
  }

  /** The layout of the result when the axes are removed. */
  private Layout removed() {
    if (removed == null) {
      removed = Layout.of(pick(false, true));
    }
    return removed;
  }

  /** The axes that are, or are not, reduced: their lengths or their numbers. */
  private int[] pick(boolean which, boolean lengths) {
    int[] out = new int[shape.length];
    int n = 0;
    for (int i = 0; i < shape.length; i++) {
      if (reduced[i] == which) {
        out[n++] = lengths ? shape[i] : i;
      }
    }
    return Arrays.copyOf(out, n);
  }

  /** The layout of a fresh result. */
  Layout result() {
    if (!keepdims) {
      return removed();
    }
    if (result == null) {
      int[] kept = shape.clone();
      for (int i = 0; i < kept.length; i++) {
        kept[i] = reduced[i] ? 1 : kept[i];
      }
      result = Layout.of(kept);
    }
    return result;
  }

  /**
   * Runs a reduction of this shape.
   *
   * @param kernel the reduction
   * @param dtype the dtype of the accumulation and its result
   * @param load the dtype in which the inputs are read
   * @param ins the inputs, whose broadcast shape is this one
   * @return a fresh array
   */
  Strided run(Reduction kernel, DType dtype, DType load, Strided... ins) {
    Strided out = Strided.empty(dtype, removed());
    kernel.run(out, load, list, ins);
    return keepdims ? out.with(result()) : out;
  }

  /**
   * Folds what has this shape.
   *
   * @param passes the fold of one input
   * @param dtype the dtype of the computation and its result
   * @param ddof what is taken from the number of elements
   * @param x of this shape
   * @return a fresh array
   */
  Strided run(Passes passes, DType dtype, double ddof, Strided x) {
    Strided out = Strided.empty(dtype, removed());
    passes.run(out, shape, list, ddof, x);
    return keepdims ? out.with(result()) : out;
  }

  /** Refuses a reduction over nothing of what has no value for nothing. */
  void requireElements(String what) {
    if (count() == 0) {
      throw new ShapeException(
          "an array of shape "
              + Layout.of(shape)
              + " has no elements along the reduced axes, and "
              + what
              + " of no elements is not defined",
          "shape",
          Layout.of(shape).shape());
    }
  }

  /** The layout under which a result of the reduction has the shape of its input. */
  Layout spread(Layout out) {
    Layout l = out;
    for (int i = 0; i < shape.length; i++) {
      l = reduced[i] && !keepdims ? l.unsqueeze(i) : l;
    }
    return l.broadcastTo(shape);
  }

  /**
   * A result of a reduction, or a gradient of it, at the shape of the input.
   *
   * @param t of the shape of the output
   * @param n the reduction's node
   * @param a its arguments
   */
  static Tensor spread(Tensor t, Node n, Args a) {
    return spread(t, n.layout(0), a);
  }

  /**
   * A result of a reduction at the shape of its input.
   *
   * @param t of the shape of the output
   * @param x the input
   * @param a the reduction's arguments
   */
  static Tensor spread(Tensor t, Tensor x, Args a) {
    return spread(t, x.layout(), a);
  }

  private static Tensor spread(Tensor t, Layout whole, Args a) {
    return t.layout().sameShape(whole) ? t : SPREAD.of(t, of(a, whole));
  }
}
