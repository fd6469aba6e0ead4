package ndgrad.kernel.convolution;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Folds what the points of a window see along one axis, at all places of the window: a few points
 * are operands of one kernel, many are an axis that is reduced. Either reads the elements where
 * they lie.
 */
final class AxisFold {
  /** Points that are operands at most: so many a {@link Program} tells apart quickly. */
  private static final int FEW = 7;

  /** Finds the largest. */
  static final AxisFold LARGEST = new AxisFold(Expr.Fn2.MAX);

  /** Adds up. */
  static final AxisFold SUM = new AxisFold(Expr.Fn2.ADD);

  private final Expr.Fn2 combine;
  private final Program[] few = new Program[FEW + 1];
  private final Reduction many;

  /**
   * The points of a window along an axis.
   *
   * @param count how many, at least 1
   * @param first where the first one is at the window's first place
   * @param distance from one point to the next
   * @param step from place to place
   */
  record Points(int count, int first, int distance, int step) {
    /** What a point sees. */
    Layout see(Layout from, int axis, int point, int places) {
      return from.slice(axis, first + point * distance, places, step);
    }

    /** What all points see, along a new last axis. */
    private Layout see(Layout from, int axis, int places) {
      Layout one = see(from, axis, 0, places);
      int n = from.ndim();
      int[] shape = Arrays.copyOf(one.shape(), n + 1);
      int[] strides = Arrays.copyOf(one.strides(), n + 1);
      shape[n] = count;
      strides[n] = distance * from.stride(axis);
      return Layout.of(shape, strides, one.offset());
    }
  }

  private AxisFold(Expr.Fn2 combine) {
    this.combine = combine;
    this.many = Reduction.of(Expr.in(0), combine);
    for (int n = 2; n <= FEW; n++) {
      few[n] = Program.of(pairwise(0, n));
    }
  }

  private Expr pairwise(int from, int to) {
    int middle = (from + to) / 2;
    return to - from == 1
        ? Expr.in(from)
        : Expr.of(combine, pairwise(from, middle), pairwise(middle, to));
  }

  /** What changes nothing that it is folded with; a boxed number of the dtype. */
  Object identity(DType dtype) {
    return FoldKernel.identity(combine, dtype);
  }

  /**
   * Folds.
   *
   * @param to overwritten; has as many elements along the axis as there are places
   * @param from what is folded, of the same dtype, in other places
   * @param axis along which the window moves
   * @param points the window's points
   */
  void run(Strided to, Strided from, int axis, Points points) {
    Layout l = from.layout();
    int places = to.layout().dim(axis);
    DType dtype = to.dtype();
    if (points.count > FEW) {
      many.run(to, dtype, new int[] {l.ndim()}, from.with(points.see(l, axis, places)));
      return;
    }
    if (points.count == 1) {
      Copies.copy(from.with(points.see(l, axis, 0, places)), to);
      return;
    }
    Strided[] ins = new Strided[points.count];
    Arrays.setAll(ins, i -> from.with(points.see(l, axis, i, places)));
    DType[] load = new DType[points.count];
    Arrays.fill(load, dtype);
    few[points.count].run(new Strided[] {to}, load, ins);
  }
}
