package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;

import ndgrad.DType;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.loop.RowProgram;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Structural;

/**
 * What softmax and its logarithm compute, and their gradients. Where the axes are the last ones of
 * row-major arrays the passes over a group of elements follow each other while it is in the cache,
 * and nothing but the result is allocated.
 */
final class Softmax {
  private Softmax() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr C = in(2);
  private static final Expr D = in(3);

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

  // The same over rows: of x and out, columns for the largest and the sum; or of out, g and dx, a
  // column for the sum.
  private static final RowProgram ROWS =
      RowProgram.of(
          new Fold(2, Fn2.MAX, A),
          new Each(1, of(Fn1.EXP, A.minus(C))),
          new Fold(3, Fn2.ADD, B),
          new Column(3, num(1).over(D)),
          new Each(1, B.times(D)));
  private static final RowProgram LOG_ROWS =
      RowProgram.of(
          new Fold(2, Fn2.MAX, A),
          new Fold(3, Fn2.ADD, of(Fn1.EXP, A.minus(C))),
          new Column(3, of(Fn1.LOG, D)),
          new Each(1, A.minus(C).minus(D)));
  private static final RowProgram GRADIENT_ROWS =
      RowProgram.of(new Fold(3, Fn2.ADD, A.times(B)), new Each(2, A.times(B.minus(D))));
  private static final RowProgram LOG_GRADIENT_ROWS =
      RowProgram.of(new Fold(3, Fn2.ADD, B), new Each(2, B.minus(of(Fn1.EXP, A).times(D))));

  /** The same by passes over all elements, where they do not lie in rows. */
  @FunctionalInterface
  private interface Sweeps {
    void run(Axes axes, Strided... operands);
  }

  static Strided softmax(Args args, Strided x) {
    Strided out = Strided.empty(x.dtype().toFloating(), x.layout().shape());
    DType dtype = out.dtype();
    run(
        axes(args, x.layout()),
        ROWS,
        (axes, o) -> {
          EXP_SHIFT.run(o[1], dtype, o[0], axes.run(LARGEST, dtype, dtype, o[0]));
          QUOTIENT.run(o[1], dtype, o[1], axes.run(SUM, dtype, dtype, o[1]));
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
        LOG_ROWS,
        (axes, o) -> {
          SHIFT.run(o[1], dtype, o[0], axes.run(LARGEST, dtype, dtype, o[0]));
          Strided sum = axes.run(SUM_EXP, dtype, dtype, o[1]);
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
            GRADIENT_ROWS,
            (axes, o) -> {
              Strided mean = axes.run(SUM_PRODUCT, dtype, dtype, o[0], o[1]);
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
            LOG_GRADIENT_ROWS,
            (axes, o) ->
                LOG_GRADIENT.run(o[2], dtype, o[0], o[1], axes.run(SUM, dtype, dtype, o[1])))
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

  private static Tensor fused(Args args, Tensor out, Tensor g, RowProgram rows, Sweeps sweeps) {
    Strided dx = Strided.empty(out.dtype(), out.shape());
    run(axes(args, out.layout()), rows, sweeps, out.strided(), g.strided(), dx);
    return new Tensor(dx);
  }

  private static void run(Axes axes, RowProgram program, Sweeps sweeps, Strided... operands) {
    Layout layout = operands[0].layout();
    if (layout.size() == 0) {
      return;
    }
    int[] list = axes.list();
    int kept = layout.ndim() - list.length;
    if (!isLast(list, kept) || !areRows(operands)) {
      sweeps.run(axes, operands);
      return;
    }
    int groups = 1;
    for (int i = 0; i < kept; i++) {
      groups *= layout.dim(i);
    }
    int length = layout.intSize() / groups;
    Strided[] rows = new Strided[operands.length];
    for (int k = 0; k < rows.length; k++) {
      rows[k] = operands[k].with(operands[k].layout().reshape(groups, length).orElseThrow());
    }
    program.run(groups, length, rows);
  }

  private static boolean isLast(int[] axes, int kept) {
    boolean last = true;
    for (int axis : axes) {
      last &= axis >= kept;
    }
    return last;
  }

  /** Whether all are row-major, and of one dtype. */
  private static boolean areRows(Strided[] operands) {
    DType dtype = operands[0].dtype();
    boolean rows = true;
    for (Strided x : operands) {
      rows &= x.dtype() == dtype && x.layout().isContiguous();
    }
    return rows;
  }

  private static Tensor sum(Tensor g, Args args) {
    return Structural.sumTo(g, axes(args, g.layout()).result(), g.dtype());
  }

  private static Axes axes(Args args, Layout layout) {
    return Axes.of(layout, (int[]) args.get("axis"), true);
  }
}
