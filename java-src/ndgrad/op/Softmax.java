package ndgrad.op;

import static ndgrad.kernel.Expr.in;
import static ndgrad.kernel.Expr.of;

import java.util.Arrays;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Blocks;
import ndgrad.kernel.Expr;
import ndgrad.kernel.Expr.Fn1;
import ndgrad.kernel.Expr.Fn2;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Program;
import ndgrad.kernel.Reduction;
import ndgrad.kernel.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Structural;

/**
 * What softmax and its logarithm compute, and their gradients. Where the axes are the last ones the
 * passes over a group of elements follow each other while it is in the cache, and nothing but the
 * result is allocated.
 */
final class Softmax {
  private Softmax() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr C = in(2);

  private static final Reduction LARGEST = Reduction.of(A, Fn2.MAX);
  private static final Reduction SUM = Reduction.of(A, Fn2.ADD);
  private static final Reduction SUM_EXP = Reduction.of(of(Fn1.EXP, A), Fn2.ADD);
  private static final Reduction SUM_PRODUCT = Reduction.of(A.times(B), Fn2.ADD);
  private static final Program SHIFT = Program.of(A.minus(B));
  private static final Program EXP_SHIFT = Program.of(of(Fn1.EXP, A.minus(B)));
  private static final Program QUOTIENT = Program.of(A.over(B));
  private static final Program LOG = Program.of(of(Fn1.LOG, A));

  /** out (g - mean), mean being the sum of out g. */
  private static final Program GRADIENT = Program.of(A.times(B.minus(C)));

  /** g - exp(out) sum. */
  private static final Program LOG_GRADIENT = Program.of(B.minus(of(Fn1.EXP, A).times(C)));

  /** The passes over some groups; all operands have the same shape. */
  @FunctionalInterface
  private interface Passes {
    void run(int[] axes, Strided... operands);
  }

  static Strided softmax(Args args, Strided x) {
    Strided out = Strided.empty(x.dtype().toFloating(), x.layout().shape());
    DType dtype = out.dtype();
    run(
        axes(args, x.layout()),
        (axes, o) -> {
          EXP_SHIFT.run(o[1], dtype, o[0], reduced(LARGEST, axes, dtype, o[0]));
          QUOTIENT.run(o[1], dtype, o[1], reduced(SUM, axes, dtype, o[1]));
        },
        x,
        out);
    return out;
  }

  static Strided logSoftmax(Args args, Strided x) {
    Strided out = Strided.empty(x.dtype().toFloating(), x.layout().shape());
    DType dtype = out.dtype();
    run(
        axes(args, x.layout()),
        (axes, o) -> {
          SHIFT.run(o[1], dtype, o[0], reduced(LARGEST, axes, dtype, o[0]));
          Strided sum = reduced(SUM_EXP, axes, dtype, o[1]);
          LOG.run(sum, dtype, sum);
          SHIFT.run(o[1], dtype, o[1], sum);
        },
        x,
        out);
    return out;
  }

  static Tensor gradient(Node node, Args args, Tensor g) {
    Tensor out = node.out();
    DType dtype = out.dtype();
    return plain(out, g)
        ? fused(
            args,
            out,
            g,
            (axes, o) -> {
              Strided mean = reduced(SUM_PRODUCT, axes, dtype, o[0], o[1]);
              GRADIENT.run(o[2], dtype, o[0], o[1], mean);
            })
        : product(out, args, g);
  }

  static Tensor logGradient(Node node, Args args, Tensor g) {
    Tensor out = node.out();
    DType dtype = out.dtype();
    return plain(out, g)
        ? fused(
            args,
            out,
            g,
            (axes, o) -> LOG_GRADIENT.run(o[2], dtype, o[0], o[1], reduced(SUM, axes, dtype, o[1])))
        : Arithmetic.SUB.of(g, Arithmetic.MUL.of(Functions.EXP.of(out), sum(g, args)));
  }

  /** The Jacobian of softmax is symmetric: its product with cotangents and with tangents. */
  static Tensor product(Tensor out, Args args, Tensor g) {
    return Arithmetic.MUL.of(out, Arithmetic.SUB.of(g, sum(Arithmetic.MUL.of(g, out), args)));
  }

  /** The tangent of log-softmax. */
  static Tensor logTangent(Tensor out, Args args, Tensor t) {
    return Arithmetic.SUB.of(t, sum(Arithmetic.MUL.of(Functions.EXP.of(out), t), args));
  }

  /**
   * Whether nothing would be recorded, so that a kernel may take the place of differentiable ops.
   */
  private static boolean plain(Tensor out, Tensor g) {
    return !GradMode.isEnabled() && out.level() == 0 && g.level() == 0;
  }

  private static Tensor fused(Args args, Tensor out, Tensor g, Passes passes) {
    Strided dx = Strided.empty(out.dtype(), out.shape());
    run(axes(args, out.layout()), passes, out.strided(), g.strided(), dx);
    return new Tensor(dx);
  }

  private static void run(int[] axes, Passes passes, Strided... operands) {
    Layout layout = operands[0].layout();
    if (layout.size() == 0) {
      return;
    }
    int kept = layout.ndim() - axes.length;
    int groups = 1;
    for (int i = 0; i < kept; i++) {
      groups *= layout.dim(i);
    }
    int length = layout.intSize() / groups;
    if (groups == 1 || !isLast(axes, kept) || !allContiguous(operands)) {
      passes.run(axes, operands);
      return;
    }
    Strided[] rows = new Strided[operands.length];
    for (int k = 0; k < rows.length; k++) {
      rows[k] =
          operands[k].with(
              Layout.of(
                  new int[] {groups, length},
                  new int[] {length, 1},
                  operands[k].layout().offset()));
    }
    int[] last = {1};
    Blocks.run(
        groups,
        length,
        (_, from, count) -> {
          Strided[] block = new Strided[rows.length];
          Arrays.setAll(block, k -> Blocks.of(rows[k], from, count));
          passes.run(last, block);
        });
  }

  private static boolean isLast(int[] axes, int kept) {
    return IntStream.of(axes).allMatch(axis -> axis >= kept);
  }

  private static boolean allContiguous(Strided[] operands) {
    return Arrays.stream(operands).allMatch(x -> x.layout().isContiguous());
  }

  private static Tensor sum(Tensor g, Args args) {
    return Structural.sumTo(g, kept(g.layout(), axes(args, g.layout())), g.dtype());
  }

  private static int[] axes(Args args, Layout layout) {
    if (!args.has("axis")) {
      return IntStream.range(0, layout.ndim()).toArray();
    }
    int[] axes = args.ints("axis");
    // As in PyTorch, a single number is normalised over an axis of length 1 that it does not have.
    return layout.ndim() == 0 && axes.length == 1 && Layout.axis(axes[0], 1) == 0
        ? new int[0]
        : layout.axes(axes);
  }

  /** The layout of one element for each group that is normalised together. */
  private static Layout kept(Layout layout, int[] axes) {
    int[] shape = layout.shape();
    for (int axis : axes) {
      shape[axis] = 1;
    }
    return Layout.of(shape);
  }

  private static Strided reduced(Reduction reduction, int[] axes, DType dtype, Strided... xs) {
    Layout layout = xs[0].layout();
    Strided out = Strided.empty(dtype, kept(layout, axes).shape());
    Layout squeezed = out.layout();
    for (int axis = layout.ndim() - 1; axis >= 0; axis--) {
      int at = axis;
      if (IntStream.of(axes).anyMatch(a -> a == at)) {
        squeezed = squeezed.squeeze(axis);
      }
    }
    reduction.run(out.with(squeezed), dtype, axes, xs);
    return out;
  }
}
