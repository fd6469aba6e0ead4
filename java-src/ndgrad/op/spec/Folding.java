package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * The reduction over some axes that ends a fused op: a sum, divided by a number, or where nobody
 * differentiates the largest or the smallest. Axes are counted from the last, so that dimensions in
 * front, as of a batch, do not change them.
 *
 * @param axes negative, ascending
 * @param kept which of them stay with length 1
 * @param combine ADD, MAX or MIN
 * @param divisor that of a mean; otherwise 1
 */
record Folding(List<Integer> axes, List<Boolean> kept, Fn2 combine, double divisor) {
  /** No sum at all: an elementwise op. */
  static final Folding NONE = new Folding(List.of(), List.of(), Fn2.ADD, 1);

  private static final Program QUOTIENT = Program.of(Expr.in(0).over(Expr.in(1)));
  private static final Elementwise OVER =
      Spec.define("div", "a, b")
          .internal()
          .elementwise(Typing.FLOATING, Expr.in(0).over(Expr.in(1)));

  /** A reduction over axes of a shape of so many dimensions. */
  static Folding over(int[] axes, int ndim, boolean keepdims, Fn2 combine, double divisor) {
    int[] sorted = Arrays.stream(axes).map(i -> i - ndim).sorted().toArray();
    Boolean[] kept = new Boolean[axes.length];
    Arrays.fill(kept, keepdims);
    return new Folding(Arrays.stream(sorted).boxed().toList(), List.of(kept), combine, divisor);
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
    return axes.isEmpty() ? NONE : new Folding(List.copyOf(axes), List.copyOf(kept), Fn2.ADD, 1);
  }

  boolean isNone() {
    return axes.isEmpty();
  }

  /** What it is called, for people. */
  String name() {
    return switch (combine) {
      case MAX -> "max";
      case MIN -> "min";
      default -> divisor == 1 ? "sum" : "mean";
    };
  }

  /** Reduces the values of an expression. */
  Strided run(Reduction kernel, DType dtype, int[] shape, Strided[] ins) {
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
    kernel.run(out.with(Layout.of(without(shape, reduced))), dtype, over, ins);
    if (divisor != 1 && out.array() instanceof float[] one && one.length == 1) {
      one[0] = (float) (one[0] / (double) (float) divisor);
    } else if (divisor != 1 && out.array() instanceof double[] one && one.length == 1) {
      one[0] /= divisor;
    } else if (divisor != 1) {
      Strided by = new Strided(new Storage(new double[] {divisor}), Layout.of());
      QUOTIENT.run(out, dtype, out, by);
    }
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
   * A gradient of the sum as one of what is summed, by recorded ops: a view but for the division.
   */
  Tensor spread(Tensor g, int[] shape) {
    Tensor x = divisor == 1 ? g : OVER.of(g, Nested.tensor(divisor));
    if (x.ndim() > 0) {
      for (int i = 0; i < axes.size(); i++) {
        if (!kept.get(i)) {
          x = Structural.INSERT_AXIS.of(x, axes.get(i) + shape.length);
        }
      }
    }
    return Arrays.equals(x.shape(), shape) ? x : Structural.BROADCAST_TO.of(x, shape);
  }
}
