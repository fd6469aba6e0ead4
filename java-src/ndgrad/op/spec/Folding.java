package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * The reduction over some axes that ends a fused op. Axes are counted from the last, so that
 * dimensions in front, as of a batch, do not change them.
 *
 * @param axes negative, ascending
 * @param kept which of them stay with length 1
 * @param fold what is made of the elements; without a slope only where nobody differentiates
 * @param ddof what is taken from the number of elements before a result is divided by it
 */
record Folding(List<Integer> axes, List<Boolean> kept, Fold fold, double ddof) {
  /** No reduction at all: an elementwise op. */
  static final Folding NONE = new Folding(List.of(), List.of(), Fold.SUM, 0);

  private static final Elementwise OVER =
      Spec.define("div", "a, b")
          .internal()
          .elementwise(Typing.FLOATING, Expr.in(0).over(Expr.in(1)));

  /** A reduction over axes of a shape of so many dimensions. */
  static Folding over(int[] axes, int ndim, boolean keepdims, Fold fold, double ddof) {
    int[] sorted = Arrays.stream(axes).map(i -> i - ndim).sorted().toArray();
    Boolean[] kept = new Boolean[axes.length];
    Arrays.fill(kept, keepdims);
    return new Folding(Arrays.stream(sorted).boxed().toList(), List.of(kept), fold, ddof);
  }

  /** The sum that undoes the broadcasting of a shape. */
  static Folding toward(Layout from, Layout to) {
    ArrayList<Integer> axes = new ArrayList<>();
    ArrayList<Boolean> kept = new ArrayList<>();
    int extra = from.ndim() - to.ndim();
    for (int i = 0; i < from.ndim(); i++) {
      if (i < extra || to.dim(i - extra) == 1 && from.dim(i) != 1) {
        axes.add(i - from.ndim());
        kept.add(i >= extra);
      }
    }
    return axes.isEmpty() ? NONE : new Folding(List.copyOf(axes), List.copyOf(kept), Fold.SUM, 0);
  }

  boolean isNone() {
    return axes.isEmpty();
  }

  /** The sum or mean that this is of tangents, once each is multiplied by its slope. */
  Folding ofTangents() {
    return fold instanceof Fold.Once
        ? this
        : new Folding(axes, kept, fold.divides() ? Fold.MEAN : Fold.SUM, ddof);
  }

  /** The mean of the same elements. */
  Folding mean() {
    return new Folding(axes, kept, Fold.MEAN, 0);
  }

  /** Reduces the values of an expression. */
  Strided run(Passes passes, DType dtype, int[] shape, Strided[] ins) {
    int n = shape.length;
    int[] over = new int[axes.size()];
    int[] result = shape.clone();
    boolean[] gone = new boolean[n];
    boolean[] reduced = new boolean[n];
    for (int i = 0; i < over.length; i++) {
      over[i] = axes.get(i) + n;
      result[over[i]] = 1;
      reduced[over[i]] = true;
      gone[over[i]] = !kept.get(i);
    }
    Strided out = Strided.empty(dtype, without(result, gone));
    passes.run(out.with(Layout.of(without(shape, reduced))), shape, over, ddof, ins);
    return out;
  }

  private static int[] without(int[] shape, boolean[] gone) {
    int[] left = new int[shape.length];
    int n = 0;
    for (int i = 0; i < shape.length; i++) {
      if (!gone[i]) {
        left[n++] = shape[i];
      }
    }
    return Arrays.copyOf(left, n);
  }

  /**
   * A gradient of the result as one of what is reduced, before it is multiplied by slopes, by
   * recorded ops: a view but for the division.
   */
  Tensor spread(Tensor g, int[] shape) {
    return stretch(fold.divides() ? OVER.of(g, Nested.tensor(divisor(shape))) : g, shape);
  }

  /** A result at the shape of what is reduced: a view. */
  Tensor stretch(Tensor result, int[] shape) {
    Tensor x = result;
    if (x.ndim() > 0) {
      for (int i = 0; i < axes.size(); i++) {
        if (!kept.get(i)) {
          x = Structural.INSERT_AXIS.of(x, axes.get(i) + shape.length);
        }
      }
    }
    return Arrays.equals(x.shape(), shape) ? x : Structural.BROADCAST_TO.of(x, shape);
  }

  private double divisor(int[] shape) {
    int[] over = axes.stream().mapToInt(axis -> axis + shape.length).toArray();
    return Passes.divisor(shape, over, ddof);
  }
}
