package ndgrad.op;

import static ndgrad.kernel.Expr.in;
import static ndgrad.kernel.Expr.num;
import static ndgrad.kernel.Expr.of;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Blocks;
import ndgrad.kernel.Expr;
import ndgrad.kernel.Expr.Fn1;
import ndgrad.kernel.Expr.Fn2;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Program;
import ndgrad.kernel.Reduction;
import ndgrad.kernel.Storage;
import ndgrad.kernel.Strided;
import ndgrad.op.spec.Primitive.Noted;
import ndgrad.op.spec.Structural;

/**
 * The kernels of layer-norm and rms-norm: rows of an array are shifted and scaled, block by block.
 * The forward kernel notes the mean and 1/σ of each row, from which one backward pass makes the
 * gradients of the array, the weight and the bias.
 */
final class NormPasses {
  private NormPasses() {}

  private static final Reduction SUM = Reduction.of(in(0), Fn2.ADD);
  private static final Expr DISTANCE = in(0).minus(in(1));
  private static final Reduction SQUARES = Reduction.of(DISTANCE.times(DISTANCE), Fn2.ADD);
  private static final Program QUOTIENT = Program.of(in(0).over(in(1)));

  /** 1 / sqrt(sum of squares / n + eps). */
  private static final Program SCALE =
      Program.of(num(1).over(of(Fn1.SQRT, in(0).over(in(1)).plus(in(2)))));

  /** (x - mean) scale weight + bias. */
  private static final Program NORMALISE =
      Program.of(in(0).minus(in(1)).times(in(2)).times(in(3)).plus(in(4)));

  /** Of g, weight, x, mean: the sums of g weight (x - mean). */
  private static final Reduction SLOPES =
      Reduction.of(in(0).times(in(1)).times(in(2).minus(in(3))), Fn2.ADD);

  private static final Reduction PRODUCTS = Reduction.of(in(0).times(in(1)), Fn2.ADD);

  /** scale² slope / n. */
  private static final Program TILT = Program.of(in(0).times(in(1)).times(in(1)).over(in(2)));

  /** Of g, weight, x, mean, scale, level, tilt: scale (g weight - level - (x - mean) tilt). */
  private static final Program GRADIENT =
      Program.of(
          in(4).times(in(0).times(in(1)).minus(in(5)).minus(in(2).minus(in(3)).times(in(6)))));

  /** Of g, x, mean, scale: the sums of g (x - mean) scale. */
  private static final Reduction WEIGHTS =
      Reduction.of(in(0).times(in(1).minus(in(2)).times(in(3))), Fn2.ADD);

  private static final int[] ROWS = {0};
  private static final int[] COLUMNS = {1};

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
      Strided plain = x.layout().isContiguous() ? x : Structural.converted(x, x.dtype());
      return plain.with(plain.layout().reshape(rows, length).orElseThrow());
    }

    /** A weight or bias: one number a column, or one for all. */
    Strided row(Strided w) {
      if (w.layout().ndim() == 0) {
        return w;
      }
      Strided plain = w.layout().isContiguous() ? w : Structural.converted(w, w.dtype());
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
   * @return the result, with the means and scales of the rows as notes
   */
  static Noted forward(boolean centred, int dims, double eps, Strided... ins) {
    DType dtype = ins[0].dtype();
    Strided out = Strided.empty(dtype, ins[0].layout().shape());
    Shape shape = Shape.of(out.layout(), dims);
    Strided means = centred ? Strided.zeros(dtype, shape.rows, 1) : scalar(0, dtype);
    Strided scales = Strided.zeros(dtype, shape.rows, 1);
    if (out.layout().size() == 0) {
      return new Noted(out, means, scales);
    }
    Strided x = shape.of(ins[0]);
    Strided weight = shape.row(ins[1]);
    Strided bias = shape.row(ins[2]);
    Strided y = shape.of(out);
    Strided n = scalar(shape.length, dtype);
    Strided e = scalar(eps, dtype);
    Blocks.run(
        shape.rows,
        shape.length,
        (_, from, count) -> {
          Strided rows = Blocks.of(x, from, count);
          Strided mean = centred ? Blocks.of(means, from, count) : means;
          Strided scale = Blocks.of(scales, from, count);
          if (centred) {
            SUM.run(flat(mean), dtype, COLUMNS, rows);
            QUOTIENT.run(mean, dtype, mean, n);
          }
          SQUARES.run(flat(scale), dtype, COLUMNS, rows, mean);
          SCALE.run(scale, dtype, scale, n, e);
          run(NORMALISE, Blocks.of(y, from, count), rows, mean, scale, weight, bias);
        });
    return new Noted(out, means, scales);
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
    Strided dx = needed[0] ? Strided.empty(dtype, cotangent.shape()) : null;
    int blocks = Blocks.count(shape.rows, shape.length);
    Strided dws = needed[1] ? Strided.zeros(dtype, blocks, shape.length) : null;
    Strided dbs = needed[2] ? Strided.zeros(dtype, blocks, shape.length) : null;
    if (cotangent.size() > 0) {
      Strided g = shape.of(cotangent.strided());
      Strided x = needed[0] || needed[1] ? shape.of(node.in(0).strided()) : g;
      Strided weight = needed[0] ? shape.row(node.in(1).strided()) : scalar(1, dtype);
      Strided[] notes = node.notes();
      Blocks.run(
          shape.rows,
          shape.length,
          (block, from, count) -> {
            Strided rows = Blocks.of(x, from, count);
            Strided up = Blocks.of(g, from, count);
            Strided mean = centred ? Blocks.of(notes[0], from, count) : notes[0];
            Strided scale = Blocks.of(notes[1], from, count);
            if (dx != null) {
              Strided to = Blocks.of(shape.of(dx), from, count);
              gradient(to, centred, up, weight, rows, mean, scale);
            }
            if (dws != null) {
              WEIGHTS.run(at(dws, block), dtype, ROWS, up, rows, mean, scale);
            }
            if (dbs != null) {
              SUM.run(at(dbs, block), dtype, ROWS, up);
            }
          });
    }
    return new Tensor[] {
      dx == null ? null : new Tensor(dx), total(dws, node, 1), total(dbs, node, 2)
    };
  }

  private static void gradient(
      Strided to,
      boolean centred,
      Strided g,
      Strided weight,
      Strided x,
      Strided mean,
      Strided scale) {
    DType dtype = to.dtype();
    int count = to.layout().dim(0);
    Strided n = scalar(to.layout().dim(1), dtype);
    Strided level = centred ? Strided.zeros(dtype, count, 1) : scalar(0, dtype);
    if (centred) {
      PRODUCTS.run(flat(level), dtype, COLUMNS, g, weight);
      QUOTIENT.run(level, dtype, level, n);
    }
    Strided tilt = Strided.zeros(dtype, count, 1);
    SLOPES.run(flat(tilt), dtype, COLUMNS, g, weight, x, mean);
    TILT.run(tilt, dtype, tilt, scale, n);
    run(GRADIENT, to, g, weight, x, mean, scale, level, tilt);
  }

  /** The sum of the blocks' shares, in the order of the blocks. */
  private static Tensor total(Strided shares, Node node, int input) {
    if (shares == null) {
      return null;
    }
    Strided out = Strided.zeros(shares.dtype(), node.layout(input).shape());
    SUM.run(out.with(Layout.of(shares.layout().dim(1))), shares.dtype(), ROWS, shares);
    return new Tensor(out);
  }

  private static Strided at(Strided shares, int block) {
    return shares.with(shares.layout().select(0, block));
  }

  private static Strided flat(Strided column) {
    return column.with(column.layout().squeeze(1));
  }

  private static void run(Program program, Strided out, Strided... ins) {
    DType[] load = new DType[ins.length];
    Arrays.fill(load, out.dtype());
    program.run(new Strided[] {out}, load, ins);
  }

  /** A number in the dtype of the arrays: kernels of one dtype are the fastest. */
  private static Strided scalar(double value, DType dtype) {
    Object one = dtype == DType.FLOAT32 ? new float[] {(float) value} : new double[] {value};
    return new Strided(new Storage(one), Layout.of());
  }
}
