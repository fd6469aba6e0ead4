package ndgrad.op;

import static ndgrad.kernel.Expr.in;
import static ndgrad.kernel.Expr.of;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.IndexException;
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
import ndgrad.op.spec.Primitive.Noted;
import ndgrad.op.spec.Structural;

/**
 * The kernels of cross-entropy: for each row of logits its maximum and the logarithm of the sum of
 * exponentials, which are the notes, and the logit of its class. The gradient is softmax less the
 * class's indicator, in one pass.
 */
final class ClassLoss {
  private ClassLoss() {}

  private static final Expr X = in(0);
  private static final Expr MAX = in(1);
  private static final Reduction LARGEST = Reduction.of(X, Fn2.MAX);
  private static final Reduction SUM_EXP = Reduction.of(of(Fn1.EXP, X.minus(MAX)), Fn2.ADD);
  private static final Reduction SUM_GAPS = Reduction.of(MAX.minus(X), Fn2.ADD);
  private static final Program LOG = Program.of(of(Fn1.LOG, X));

  /** Of the logits, their maximum, the logarithm of the sum, g and what is taken off: softmax g. */
  private static final Program GRADIENT =
      Program.of(of(Fn1.EXP, X.minus(MAX).minus(in(2))).times(in(3)).minus(in(4)));

  private static final int[] COLUMNS = {1};

  /**
   * The losses of all rows.
   *
   * @param args with {@code label-smoothing} and {@code ignore-index}
   * @param logits the classes along the last axis
   * @param target the classes' numbers
   * @return one loss a row; the maxima and logarithms as notes
   */
  static Noted forward(Args args, Strided logits, Strided target) {
    DType dtype = logits.dtype();
    int classes = logits.layout().dim(logits.layout().ndim() - 1);
    long[] labels = labels(args, target, classes);
    Strided out = Strided.zeros(dtype, target.layout().shape());
    Strided max = Strided.zeros(dtype, labels.length, 1);
    Strided log = Strided.zeros(dtype, labels.length, 1);
    if (labels.length == 0) {
      return new Noted(out, max, log);
    }
    double smoothing = args.number("label-smoothing");
    Strided x = rows(logits, labels.length, classes);
    Strided gaps = Strided.zeros(dtype, labels.length);
    Blocks.run(
        labels.length,
        classes,
        (_, from, count) -> {
          Strided block = Blocks.of(x, from, count);
          Strided m = Blocks.of(max, from, count);
          Strided l = Blocks.of(log, from, count);
          LARGEST.run(flat(m), dtype, COLUMNS, block);
          SUM_EXP.run(flat(l), dtype, COLUMNS, block, m);
          LOG.run(l, dtype, l);
          if (smoothing > 0) {
            SUM_GAPS.run(Blocks.of(gaps, from, count), dtype, COLUMNS, block, m);
          }
          for (int r = from; r < from + count; r++) {
            if (labels[r] >= 0) {
              int at = x.layout().offset() + r * classes + (int) labels[r];
              double gap = get(max, r) - get(x, at);
              double mean = smoothing > 0 ? smoothing * get(gaps, r) / classes : 0;
              set(out, r, (1 - smoothing) * gap + mean + get(log, r));
            }
          }
        });
    return new Noted(out, max, log);
  }

  /**
   * The gradient of the logits.
   *
   * @param node the application: what it saved and noted
   * @param args with {@code label-smoothing} and {@code ignore-index}
   * @param cotangent the gradients of the losses
   * @return of the logits' shape
   */
  static Tensor backward(Node node, Args args, Tensor cotangent) {
    DType dtype = cotangent.dtype();
    Strided dx = Strided.empty(dtype, node.layout(0).shape());
    int classes = dx.layout().dim(dx.layout().ndim() - 1);
    long[] labels = labels(args, node.in(1).strided(), classes);
    if (labels.length == 0) {
      return new Tensor(dx);
    }
    double smoothing = args.number("label-smoothing");
    Strided g = Structural.converted(cotangent.strided(), dtype).with(column(labels.length));
    Strided taken = Strided.zeros(dtype, labels.length, 1);
    for (int r = 0; r < labels.length; r++) {
      double up = labels[r] < 0 ? 0 : get(g, r);
      set(g, r, up);
      set(taken, r, up * smoothing / classes);
    }
    Strided x = rows(node.in(0).strided(), labels.length, classes);
    Strided to = rows(dx, labels.length, classes);
    Strided max = node.notes()[0];
    Strided log = node.notes()[1];
    DType[] load = new DType[5];
    Arrays.fill(load, dtype);
    Blocks.run(
        labels.length,
        classes,
        (_, from, count) -> {
          Strided[] ins = {x, max, log, g, taken};
          Arrays.setAll(ins, i -> Blocks.of(ins[i], from, count));
          GRADIENT.run(new Strided[] {Blocks.of(to, from, count)}, load, ins);
          for (int r = from; r < from + count; r++) {
            if (labels[r] >= 0) {
              int at = r * classes + (int) labels[r];
              set(dx, at, get(dx, at) - (1 - smoothing) * get(g, r));
            }
          }
        });
    return new Tensor(dx);
  }

  /** The classes' numbers; -1 for those that are ignored. */
  private static long[] labels(Args args, Strided target, int classes) {
    long[] labels = (long[]) Structural.converted(target, DType.INT64).array();
    Integer ignored = (Integer) args.get("ignore-index");
    for (int i = 0; i < labels.length; i++) {
      if (ignored != null && labels[i] == ignored) {
        labels[i] = -1;
      } else if (labels[i] < 0 || labels[i] >= classes) {
        throw new IndexException(
            "target "
                + labels[i]
                + " is out of range; expected a class from 0 to "
                + (classes - 1)
                + (ignored == null ? "" : ", or the ignored " + ignored),
            "index",
            labels[i],
            "num-classes",
            classes);
      }
    }
    return labels;
  }

  private static Strided rows(Strided x, int rows, int classes) {
    Strided plain = x.layout().isContiguous() ? x : Structural.converted(x, x.dtype());
    return plain.with(plain.layout().reshape(rows, classes).orElseThrow());
  }

  private static Layout column(int rows) {
    return Layout.of(rows, 1);
  }

  private static Strided flat(Strided column) {
    return column.with(column.layout().squeeze(1));
  }

  private static double get(Strided x, int at) {
    return x.array() instanceof float[] f ? f[at] : ((double[]) x.array())[at];
  }

  private static void set(Strided x, int at, double value) {
    if (x.array() instanceof float[] f) {
      f[at] = (float) value;
    } else {
      ((double[]) x.array())[at] = value;
    }
  }
}
