package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/**
 * The median: finds the middle elements, which are then picked and averaged by differentiable ops.
 */
final class Medians {
  private Medians() {}

  private static final Program IS_NAN = Program.of(of(Fn1.ISNAN, in(0)));

  /** The row-major indexes of the one or two middle elements, along a new last axis. */
  private static final Primitive MIDDLE =
      define("median", "x, axis: axes = nil, keepdims: flag = false")
          .internal()
          .nonDifferentiable("indexes")
          .batch(b -> Batches.apart(Batch.AXES.apply(b), b.example(0).intSize()))
          .primitive((a, in) -> middle(in[0], Axes.of(a, in[0].layout())));

  static Tensor median(Args a) {
    Tensor given = a.tensor("x");
    Tensor x = Structural.cast(given, given.dtype().toFloating());
    Axes axes = Axes.of(a, x.layout());
    if (axes.count() == 0) {
      return Arithmetic.DIV.of(Structural.zeros(x.dtype(), axes.result()), 0L);
    }
    Tensor at = MIDDLE.of(x.detach(), a.get("axis"), a.flag("keepdims"));
    return Reductions.MEAN.of(Lanes.TAKE_AT.of(x, at), -1);
  }

  /**
   * The row-major indexes of the middle element of each lane, or of the lower and the upper one; of
   * a NaN where there is one.
   */
  private static Strided middle(Strided x, Axes axes) {
    int size = x.layout().intSize();
    int n = (int) axes.count();
    int[] shape = axes.result().shape();
    int middles = 2 - n % 2;
    int[] found = Arrays.copyOf(shape, shape.length + 1);
    found[shape.length] = middles;
    Strided lanes = lanes(x, axes, n);
    int[] from = (int[]) lanes(Strided.wrap(Lanes.iota(size), x.layout().shape()), axes, n).array();
    long[] order = (long[]) Sorting.order(lanes, 1, false).array();
    int[] at = new int[middles * lanes.layout().dim(0)];
    Strided nan = Strided.zeros(DType.BOOL, lanes.layout().shape());
    IS_NAN.run(nan, lanes.dtype(), lanes);
    boolean[] isNan = (boolean[]) nan.array();
    for (int row = 0; row < lanes.layout().dim(0); row++) {
      int start = row * n;
      boolean bad = isNan[start + (int) order[start + n - 1]];
      for (int i = 0; i < middles; i++) {
        int rank = bad ? n - 1 : (n - 1) / 2 + i;
        at[middles * row + i] = from[start + (int) order[start + rank]];
      }
    }
    return Strided.wrap(at, found);
  }

  /** A row-major copy with one row for each element of the result. */
  private static Strided lanes(Strided x, Axes axes, int n) {
    Strided copy = Copies.copyOf(x.with(x.layout().permute(axes.order())));
    return copy.with(Layout.of(copy.layout().intSize() / n, n));
  }
}
