package ndgrad.op;

import static ndgrad.op.Numeric.check;
import static ndgrad.op.Numeric.gradient;
import static ndgrad.op.Numeric.leaf;
import static ndgrad.op.Numeric.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import ndgrad.autograd.Tensor;
import org.junit.jupiter.api.Test;

class ScansTest {
  @Test
  void cumulativeProductsOfZerosAreDifferentiable() {
    check(x -> Scans.CUMPROD.of(x), 2, 0, 3, -1);
    check(x -> Scans.CUMPROD.of(x), 0, 2, 0, 3);
    check(x -> Scans.CUMPROD.of(x), 0, 0, 0);
    check(x -> Scans.CUMPROD.of(Shapes.RESHAPE.of(x, new int[] {3, 2}), 0), 2, 0, 0, 3, 1.5, -1);
  }

  @Test
  void gradientsOfRunningExtremesGoToTheLatestOfEqualOnes() {
    Tensor x = leaf(1, 3, 2, 3, 5);
    assertArrayEquals(new double[] {1, 5, 0, 4, 5}, gradient(Scans.CUMMAX.of(x), x), 0);
    Tensor nan = leaf(1, Double.NaN, 2);
    assertArrayEquals(new double[] {1, 5, 0}, gradient(Scans.CUMMAX.of(nan), nan), 0);
    Tensor y = leaf(3, 1, 1, 2);
    assertArrayEquals(new double[] {1, 2, 7, 0}, gradient(Scans.CUMMIN.of(y), y), 0);
  }

  @Test
  void runningExtremesKeepNaN() {
    double nan = Double.NaN;
    assertArrayEquals(new double[] {2, nan, nan}, values(Scans.CUMMIN.of(leaf(2, nan, 1))), 0);
  }
}
