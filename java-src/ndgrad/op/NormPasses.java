package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;

import java.util.ArrayList;
import java.util.List;
import ndgrad.DType;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.loop.RowProgram;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.loop.RowProgram.Pass;
import ndgrad.kernel.loop.RowProgram.Sum;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Primitive.Noted;

/**
 * The kernels of layer-norm and rms-norm: rows of an array are shifted and scaled. The forward
 * kernel notes the mean and 1/σ of each row, from which one backward pass makes the gradients of
 * the array, the weight and the bias.
 */
final class NormPasses {
  private NormPasses() {}

  // Operands of both passes.
  private static final Expr X = in(0);
  private static final Expr WEIGHT = in(1);
  private static final int SCALE = 2;
  private static final int MEAN = 3;
  private static final Expr N = in(4);

  // Operands of the forward pass.
  private static final Expr EPS = in(5);
  private static final Expr BIAS = in(6);
  private static final int OUT = 7;

  // Operands of the backward pass; the last two are columns of its own.
  private static final Expr G = in(5);
  private static final int DX = 6;
  private static final int DWEIGHT = 7;
  private static final int DBIAS = 8;
  private static final int LEVEL = 9;
  private static final int TILT = 10;

  private static final RowProgram LAYER = forward(true);
  private static final RowProgram RMS = forward(false);

  /** By whether the mean was subtracted, and by the gradients that are needed as bits. */
  private static final RowProgram[][] BACKWARD = new RowProgram[2][8];

  static {
    for (int needed = 0; needed < 8; needed++) {
      BACKWARD[0][needed] = backward(false, needed);
      BACKWARD[1][needed] = backward(true, needed);
    }
  }

  private static final Reduction TOTAL = Reduction.of(in(0), Fn2.ADD);
  private static final int[] ROWS = {0};

  private static Expr distance(boolean centred) {
    return centred ? X.minus(in(MEAN)) : X;
  }

  /** (x - mean) / sqrt(mean of (x - mean)² + eps) weight + bias. */
  private static RowProgram forward(boolean centred) {
    Expr distance = distance(centred);
    List<Pass> passes = new ArrayList<>();
    if (centred) {
      passes.add(new Fold(MEAN, Fn2.ADD, X));
      passes.add(new Column(MEAN, in(MEAN).over(N)));
    }
    passes.add(new Fold(SCALE, Fn2.ADD, distance.times(distance)));
    passes.add(new Column(SCALE, num(1).over(of(Fn1.SQRT, in(SCALE).over(N).plus(EPS)))));
    passes.add(new Each(OUT, distance.times(in(SCALE)).times(WEIGHT).plus(BIAS)));
    return RowProgram.of(passes.toArray(Pass[]::new));
  }

  /**
   * dx = scale (g weight - level - (x - mean) tilt), where level is the mean of g weight and tilt
   * scale² times that of g weight (x - mean).
   */
  private static RowProgram backward(boolean centred, int needed) {
    Expr scale = in(SCALE);
    Expr distance = distance(centred);
    Expr up = G.times(WEIGHT);
    List<Pass> passes = new ArrayList<>();
    if ((needed & 1) != 0) {
      if (centred) {
        passes.add(new Fold(LEVEL, Fn2.ADD, up));
        passes.add(new Column(LEVEL, in(LEVEL).over(N)));
      }
      passes.add(new Fold(TILT, Fn2.ADD, up.times(distance)));
      passes.add(new Column(TILT, in(TILT).times(scale).times(scale).over(N)));
      Expr level = centred ? up.minus(in(LEVEL)) : up;
      passes.add(new Each(DX, scale.times(level.minus(distance.times(in(TILT))))));
    }
    if ((needed & 2) != 0) {
      passes.add(new Sum(DWEIGHT, G.times(distance.times(scale))));
    }
    if ((needed & 4) != 0) {
      passes.add(new Sum(DBIAS, G));
    }
    return RowProgram.of(passes.toArray(Pass[]::new));
  }

  /** How an array is seen: rows that are normalised each by itself. */
  private record Shape(int rows, int length) {
    static Shape of(Layout layout, int dims) {
      int rows = 1;
      int length = 1;
      for (int i = 0; i < layout.ndim(); i++) {
        int d = layout.dim(i);
        rows *= i < layout.ndim() - dims ? d : 1;
        length *= i < layout.ndim() - dims ? 1 : d;
      }
      return new Shape(rows, length);
    }

    Strided of(Strided x) {
      Strided plain = x.layout().isContiguous() ? x : Copies.copyOf(x);
      return plain.with(plain.layout().reshape(rows, length).orElseThrow());
    }

    /** A weight or bias: one number a column, or one for all. */
    Strided row(Strided w) {
      if (w.layout().ndim() == 0) {
        return w;
      }
      Strided plain = w.layout().isContiguous() ? w : Copies.copyOf(w);
      return plain.with(plain.layout().reshape(length).orElseThrow());
    }
  }

  /**
   * Normalises.
   *
   * @param centred whether the mean is subtracted
   * @param dims how many of the last dimensions are normalised together
   * @param eps added to the variance
   * @param ins the array, the weight and the bias, of one dtype
   * @return the result, with the scales and the means of the rows as notes
   */
  static Noted forward(boolean centred, int dims, double eps, Strided... ins) {
    DType dtype = ins[0].dtype();
    Strided out = Strided.empty(dtype, ins[0].layout().shape());
    Shape shape = Shape.of(out.layout(), dims);
    Strided scales = Strided.empty(dtype, shape.rows, 1);
    Strided means = centred ? Strided.empty(dtype, shape.rows, 1) : Strided.number(0, dtype);
    if (out.layout().size() > 0) {
      (centred ? LAYER : RMS)
          .run(
              shape.rows,
              shape.length,
              shape.of(ins[0]),
              shape.row(ins[1]),
              scales,
              means,
              Strided.number(shape.length, dtype),
              Strided.number(eps, dtype),
              shape.row(ins[2]),
              shape.of(out));
    }
    return new Noted(out, scales, means);
  }

  /**
   * The gradients of the array, the weight and the bias.
   *
   * @param node the application: what it saved and noted
   * @param centred whether the mean was subtracted
   * @param dims how many of the last dimensions were normalised together
   * @param needed which of them are asked for
   * @param cotangent the gradient of the result
   * @return one an input; null for those not asked for
   */
  static Tensor[] backward(
      Node node, boolean centred, int dims, boolean[] needed, Tensor cotangent) {
    DType dtype = cotangent.dtype();
    Shape shape = Shape.of(cotangent.layout(), dims);
    int shares = RowProgram.shares(shape.rows, shape.length);
    Strided none = Strided.number(0, dtype);
    Strided dx = needed[0] ? Strided.empty(dtype, cotangent.shape()) : none;
    Strided dws = needed[1] ? Strided.zeros(dtype, shares, shape.length) : none;
    Strided dbs = needed[2] ? Strided.zeros(dtype, shares, shape.length) : none;
    if (cotangent.size() > 0) {
      int bits = (needed[0] ? 1 : 0) | (needed[1] ? 2 : 0) | (needed[2] ? 4 : 0);
      BACKWARD[centred ? 1 : 0][bits].run(
          shape.rows,
          shape.length,
          needed[0] || needed[1] ? shape.of(node.in(0).strided()) : none,
          needed[0] ? shape.row(node.in(1).strided()) : none,
          node.notes()[0],
          node.notes()[1],
          Strided.number(shape.length, dtype),
          shape.of(cotangent.strided()),
          needed[0] ? shape.of(dx) : none,
          dws,
          dbs);
    }
    return new Tensor[] {
      needed[0] ? new Tensor(dx) : null,
      needed[1] ? total(dws, node, 1) : null,
      needed[2] ? total(dbs, node, 2) : null
    };
  }

  /** The sum of the shares. */
  private static Tensor total(Strided shares, Node node, int input) {
    Strided out = Strided.empty(shares.dtype(), node.layout(input).shape());
    Strided row = out.with(Layout.of(shares.layout().dim(1)));
    TOTAL.run(row, shares.dtype(), ROWS, shares);
    return new Tensor(out);
  }
}
