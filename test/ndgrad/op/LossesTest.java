package ndgrad.op;

import static ndgrad.op.Slopes.doubles;
import static ndgrad.op.Slopes.gradient;
import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import ndgrad.autograd.Tensor;
import org.junit.jupiter.api.Test;

class LossesTest {
  private static double[][] slopes(String reduction, double... logits) {
    Tensor x = tracked(logits);
    Tensor target = tracked(new double[logits.length]);
    Tensor y = (Tensor) Losses.BINARY_CROSS_ENTROPY_WITH_LOGITS.call(x, target, reduction);
    Tensor first = gradient(y, x);
    Tensor second = gradient(first, x);
    Tensor fourth = gradient(gradient(second, x), x);
    return new double[][] {doubles(first), doubles(second), doubles(fourth)};
  }

  @Test
  void derivativesOfTheLogisticLossOfAllOrdersStayFiniteFarOut() {
    for (String reduction : new String[] {"sum", "none"}) {
      double[][] far = slopes(reduction, -1000, 1000);
      assertArrayEquals(new double[] {0, 1}, far[0], 1e-300);
      assertArrayEquals(new double[2], far[1], 1e-300);
      assertArrayEquals(new double[2], far[2], 1e-300);
      double tail = Math.exp(-40);
      assertArrayEquals(new double[] {tail}, slopes(reduction, -40)[0], 1e-14 * tail);
      assertArrayEquals(new double[] {tail}, slopes(reduction, -40)[1], 1e-14 * tail);
      double[][] zero = slopes(reduction, 0);
      assertArrayEquals(new double[] {0.5}, zero[0], 1e-15);
      assertArrayEquals(new double[] {0.25}, zero[1], 1e-15);
      assertArrayEquals(new double[] {-0.125}, zero[2], 1e-15);
    }
  }
}
