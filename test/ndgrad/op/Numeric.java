package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.function.UnaryOperator;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Nested;

/** Values in and out of tensors, and derivatives by central differences. */
final class Numeric {
  private static final double STEP = 1e-5;

  private Numeric() {}

  /** A fresh float64 tensor. */
  static Tensor array(double[] values, int... shape) {
    return new Tensor(new Strided(new Storage(values.clone()), Layout.of(shape)));
  }

  /** A fresh 1-d float64 leaf that requires a gradient. */
  static Tensor leaf(double... values) {
    Tensor x = array(values, values.length);
    x.requireGrad(true);
    return x;
  }

  static double[] values(Tensor x) {
    Strided copy = Strided.zeros(DType.FLOAT64, x.shape());
    Copies.copy(x.strided(), copy);
    return (double[]) copy.array();
  }

  /** The gradient of the sum of an array, weighted 1, 2, 3, …, with respect to a leaf. */
  static double[] gradient(Tensor y, Tensor x) {
    return values(tracked(y, x));
  }

  private static Tensor tracked(Tensor y, Tensor x) {
    return Reverse.gradients(
        List.of(weighted(y)), Collections.singletonList(null), List.of(x), true, true)[0];
  }

  private static Tensor weighted(Tensor y) {
    double[] weights = new double[(int) y.size()];
    Arrays.setAll(weights, i -> i + 1);
    return Reductions.SUM.of(Arithmetic.MUL.of(y, array(weights, y.shape())));
  }

  /** Compares the gradient, and the gradient of the gradient, with central differences. */
  static void check(UnaryOperator<Tensor> f, double... at) {
    checkFirst(f, at);
    checkFirst(
        x -> {
          Tensor g = tracked(f.apply(x), x);
          // A gradient that is constant carries no history.
          return g.requiresGrad()
              ? g
              : Arithmetic.ADD.of(g, Arithmetic.MUL.of(x, Nested.tensor(0.0)));
        },
        at);
  }

  private static void checkFirst(UnaryOperator<Tensor> f, double[] at) {
    Tensor x = leaf(at);
    double[] got = gradient(f.apply(x), x);
    for (int i = 0; i < at.length; i++) {
      double[] up = at.clone();
      double[] down = at.clone();
      up[i] += STEP;
      down[i] -= STEP;
      double slope =
          (values(weighted(f.apply(leaf(up))))[0] - values(weighted(f.apply(leaf(down))))[0])
              / (2 * STEP);
      assertEquals(slope, got[i], 1e-5 * (1 + Math.abs(slope)), "element " + i);
    }
  }
}
