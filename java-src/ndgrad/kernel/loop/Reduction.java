package ndgrad.kernel.loop;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * Reductions over axes of the values of an expression, in one pass: no array of the values is made.
 * Floating sums are blocked and the blocks added pairwise (N. J. Higham, "The accuracy of floating
 * point summation", SIAM J. Sci. Comput. 14, 1993); the blocks depend on the shapes and strides
 * alone, so results do not depend on the number of threads. NaN wins in MAX and MIN. Immutable and
 * safe to share between threads.
 */
public final class Reduction {
  /** Inputs whose dtypes and steps fit into one long beside the other two dtypes. */
  private static final int NARROW = 10;

  /** A power of two. */
  private static final int REMEMBERED = 8;

  private final Expr prologue;
  private final Expr.Fn2 combine;
  private final ConcurrentHashMap<Object, FoldKernel> kernels = new ConcurrentHashMap<>();

  /**
   * What ran lately: small arrays take longer to plan for than to reduce. Races lose at worst what
   * another thread has planned.
   */
  private final Planned[] lately = new Planned[REMEMBERED];

  /**
   * What a run depends on but for elements and offsets, and what came of it.
   *
   * @param stored the dtypes of the inputs
   */
  private record Planned(
      DType acc,
      DType load,
      int[] axes,
      Layout out,
      Layout[] ins,
      DType[] stored,
      FoldPlan plan,
      FoldKernel kernel,
      FoldKernel merge,
      Object start) {

    boolean fits(Strided to, DType loaded, int[] over, Strided[] from) {
      boolean fits =
          to.dtype() == acc
              && loaded == load
              && from.length == ins.length
              && to.layout().sameSteps(out)
              && Arrays.equals(over, axes);
      for (int k = 0; fits && k < ins.length; k++) {
        fits = from[k].dtype() == stored[k] && from[k].layout().sameSteps(ins[k]);
      }
      return fits;
    }

    void run(Strided to, Strided[] from) {
      plan.run(kernel, merge, start, to, from);
    }
  }

  private Reduction(Expr prologue, Expr.Fn2 combine) {
    this.prologue = prologue;
    this.combine = combine;
  }

  /**
   * Prepares a reduction; kernels are compiled when it runs first.
   *
   * @param prologue what is computed of the inputs' elements
   * @param combine ADD, MUL, MAX, MIN, AND or OR
   * @return the reduction
   */
  public static Reduction of(Expr prologue, Expr.Fn2 combine) {
    FoldKernel.identity(combine, DType.FLOAT64);
    return new Reduction(Simplify.of(prologue)[0], combine);
  }

  /**
   * Reduces over axes. Of no elements the result is the identity of the combination: 0, 1, true,
   * false, or for MAX and MIN the least and the greatest number of the dtype.
   *
   * @param out overwritten, any layout that is no broadcast; its shape is the broadcast shape of
   *     the inputs without the axes, its dtype is that of the accumulation
   * @param load the dtype that inputs are converted to
   * @param axes the axes of the broadcast shape that are reduced, from 0 to ndim-1, each once
   * @param ins the inputs, not modified; in another storage than the output
   * @throws ShapeException when the inputs do not broadcast or the output's shape does not fit
   */
  public void run(Strided out, DType load, int[] axes, Strided... ins) {
    int place = 31 * ins[0].layout().place() + Arrays.hashCode(axes) & REMEMBERED - 1;
    Planned planned = lately[place];
    if (planned == null || !planned.fits(out, load, axes, ins)) {
      Layout[] layouts = layouts(ins);
      int[] shape = shape(layouts);
      boolean[] reduced = new boolean[shape.length];
      for (int axis : axes) {
        reduced[axis] = true;
      }
      check(out.layout(), shape, reduced);
      if (out.layout().size() == 0) {
        return;
      }
      FoldPlan plan = new FoldPlan(out.layout(), shape, reduced, layouts);
      if (plan.isEmpty()) {
        fill(out);
        return;
      }
      planned = planned(out, load, axes.clone(), layouts, ins, plan);
      lately[place] = planned;
    }
    planned.run(out, ins);
  }

  private Planned planned(
      Strided out, DType load, int[] axes, Layout[] layouts, Strided[] ins, FoldPlan plan) {
    DType[] stored = new DType[ins.length];
    for (int k = 0; k < ins.length; k++) {
      stored[k] = ins[k].dtype();
    }
    DType acc = out.dtype();
    return new Planned(
        acc,
        load,
        axes,
        out.layout(),
        layouts,
        stored,
        plan,
        kernel(acc, load, ins, plan),
        combine(combine, acc),
        FoldKernel.start(combine, acc));
  }

  private static Layout[] layouts(Strided[] ins) {
    Layout[] layouts = new Layout[ins.length];
    for (int k = 0; k < ins.length; k++) {
      layouts[k] = ins[k].layout();
    }
    return layouts;
  }

  private static int[] shape(Layout[] layouts) {
    boolean same = true;
    for (Layout layout : layouts) {
      same &= layouts[0].sameShape(layout);
    }
    return same ? layouts[0].shape() : Dimensions.broadcast(layouts);
  }

  private static void check(Layout out, int[] shape, boolean[] reduced) {
    int kept = 0;
    boolean fits = true;
    for (int axis = 0; axis < shape.length; axis++) {
      if (!reduced[axis]) {
        fits &= kept < out.ndim() && out.dim(kept) == shape[axis];
        kept++;
      }
    }
    if (!fits || kept != out.ndim()) {
      throw new ShapeException(
          "the output of a reduction of shape "
              + Arrays.toString(shape)
              + " has shape "
              + out
              + ", expected the dimensions that are not reduced",
          "shape",
          shape,
          "out",
          out.toString());
    }
  }

  private void fill(Strided out) {
    Strided one = Strided.zeros(out.dtype());
    Rows.of(out.dtype()).fill(one.array(), 0, 1, 1, FoldKernel.identity(combine, out.dtype()));
    Copies.copy(one, out);
  }

  private FoldKernel kernel(DType acc, DType load, Strided[] ins, FoldPlan plan) {
    if (ins.length > NARROW) {
      return kernels.computeIfAbsent(
          spec(acc, load, ins, plan), s -> FoldKernel.of((FoldKernel.Spec) s));
    }
    long key = acc.ordinal() << 3 | load.ordinal();
    for (int k = 0; k < ins.length; k++) {
      key = key << 5 | ins[k].dtype().ordinal() << 2 | plan.step(k).ordinal();
    }
    key = key << 4 | ins.length;
    FoldKernel known = kernels.get(key);
    return known != null
        ? known
        : kernels.computeIfAbsent(key, _ -> FoldKernel.of(spec(acc, load, ins, plan)));
  }

  private FoldKernel.Spec spec(DType acc, DType load, Strided[] ins, FoldPlan plan) {
    DType[] stored = new DType[ins.length];
    FoldKernel.Step[] steps = new FoldKernel.Step[ins.length];
    for (int k = 0; k < ins.length; k++) {
      stored[k] = ins[k].dtype();
      steps[k] = plan.step(k);
    }
    return new FoldKernel.Spec(prologue, combine, acc, load, List.of(stored), List.of(steps));
  }

  /** The kernel that combines values of one array of the accumulation's dtype. */
  static FoldKernel combine(Expr.Fn2 combine, DType acc) {
    return FoldKernel.of(
        new FoldKernel.Spec(
            Expr.in(0), combine, acc, acc, List.of(acc), List.of(FoldKernel.Step.UNIT)));
  }
}
