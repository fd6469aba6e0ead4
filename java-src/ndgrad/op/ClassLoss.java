package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.of;

import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.RowProgram;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Primitive.Noted;

/**
 * The kernels of cross-entropy: for each row of logits its maximum and the logarithm of the sum of
 * exponentials, which are the notes, and the logit of its class. The gradient is softmax less the
 * class's indicator, in one pass.
 */
final class ClassLoss {
  private ClassLoss() {}

  private static final Expr X = in(0);
  private static final int MAX = 1;
  private static final int LOG = 2;
  private static final int GAPS = 3;
  private static final Expr EXP = of(Fn1.EXP, X.minus(in(MAX)));

  private static final RowProgram FORWARD =
      RowProgram.of(
          new Fold(MAX, Fn2.MAX, X),
          new Fold(LOG, Fn2.ADD, EXP),
          new Column(LOG, of(Fn1.LOG, in(LOG))));

  /** The same with the sum of the distances from the maximum, which smoothing asks for. */
  private static final RowProgram SMOOTHED =
      RowProgram.of(
          new Fold(MAX, Fn2.MAX, X),
          new Fold(LOG, Fn2.ADD, EXP),
          new Column(LOG, of(Fn1.LOG, in(LOG))),
          new Fold(GAPS, Fn2.ADD, in(MAX).minus(X)));

  /** Of the logits, their maximum, the logarithm of the sum, g and what is taken off: softmax g. */
  private static final RowProgram GRADIENT =
      RowProgram.of(
          new Each(5, of(Fn1.EXP, X.minus(in(MAX)).minus(in(LOG))).times(in(3)).minus(in(4))));

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
    Strided gaps = smoothing > 0 ? Strided.zeros(dtype, labels.length, 1) : log;
    (smoothing > 0 ? SMOOTHED : FORWARD)
        .run(
            labels.length,
            classes,
            (from, to) -> {
              for (int r = from; r < to; r++) {
                if (labels[r] >= 0) {
                  int at = x.layout().offset() + r * classes + (int) labels[r];
                  double gap = get(max, r) - get(x, at);
                  double mean = smoothing > 0 ? smoothing * get(gaps, r) / classes : 0;
                  set(out, r, (1 - smoothing) * gap + mean + get(log, r));
                }
              }
            },
            x,
            max,
            log,
            gaps);
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
    Strided g = Copies.copyOf(cotangent.strided(), dtype).with(column(labels.length));
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
    GRADIENT.run(
        labels.length,
        classes,
        (from, end) -> {
          for (int r = from; r < end; r++) {
            if (labels[r] >= 0) {
              int at = r * classes + (int) labels[r];
              set(dx, at, get(dx, at) - (1 - smoothing) * get(g, r));
            }
          }
        },
        x,
        max,
        log,
        g,
        taken,
        to);
    return new Tensor(dx);
  }

  /** The classes' numbers; -1 for those that are {@code ignored}, an Integer or null for none. */
  static Strided checked(Object ignored, Strided target, int classes) {
    Strided out = Copies.copyOf(target, DType.INT64);
    long[] labels = (long[]) out.array();
    for (int i = 0; i < labels.length; i++) {
      if (ignored instanceof Integer number && labels[i] == number) {
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
    return out;
  }

  private static long[] labels(Args args, Strided target, int classes) {
    return (long[]) checked(args.get("ignore-index"), target, classes).array();
  }

  private static Strided rows(Strided x, int rows, int classes) {
    Strided plain = x.layout().isContiguous() ? x : Copies.copyOf(x);
    return plain.with(plain.layout().reshape(rows, classes).orElseThrow());
  }

  private static Layout column(int rows) {
    return Layout.of(rows, 1);
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
