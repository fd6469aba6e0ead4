package ndgrad.op;

import static ndgrad.op.Numeric.check;
import static ndgrad.op.Numeric.gradient;
import static ndgrad.op.Numeric.leaf;
import static ndgrad.op.Numeric.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Structural;
import org.junit.jupiter.api.Test;

class ReductionsTest {
  private static final double EXACT = 0;

  @Test
  void productOfZerosHasTheProductOfTheOthersAsGradient() {
    Tensor one = leaf(2, 0, 3);
    assertArrayEquals(new double[] {0, 6, 0}, gradient(Reductions.PROD.of(one), one), EXACT);
    Tensor two = leaf(2, 0, 0);
    assertArrayEquals(new double[] {0, 0, 0}, gradient(Reductions.PROD.of(two), two), EXACT);
    check(x -> Reductions.PROD.of(x), 2, 0, 3, -1);
    check(x -> Reductions.PROD.of(x), 2, 0, 0, -1);
    check(x -> Reductions.PROD.of(x), 0, 0, 0);
  }

  @Test
  void productOverSeveralAxesWithZeros() {
    check(
        x -> Reductions.PROD.of(Shapes.RESHAPE.of(x, new int[] {2, 2, 2}), new int[] {0, 2}),
        2,
        0,
        3,
        0.5,
        -1,
        2,
        1.5,
        0);
    check(
        x -> Reductions.PROD.of(Shapes.RESHAPE.of(x, new int[] {2, 3}), null, true),
        2,
        0,
        3,
        0,
        -1,
        2);
  }

  @Test
  void productOutOfRangeKeepsItsGradient() {
    Tensor small = leaf(1e-200, 1e-200, 1e100);
    assertArrayEquals(
        new double[] {1e-100, 1e-100, 0}, gradient(Reductions.PROD.of(small), small), 1e-112);
    Tensor large = leaf(Double.POSITIVE_INFINITY, 2);
    double[] g = gradient(Reductions.PROD.of(large), large);
    assertArrayEquals(new double[] {2, Double.POSITIVE_INFINITY}, g, EXACT);
  }

  @Test
  void extremesShareTheGradientAmongTies() {
    Tensor x = leaf(1, 3, 3, 2);
    assertArrayEquals(new double[] {0, 0.5, 0.5, 0}, gradient(Reductions.MAX.of(x), x), EXACT);
    Tensor y = leaf(1, 1, 1, 2);
    double third = 1.0 / 3;
    assertArrayEquals(
        new double[] {third, third, third, 0}, gradient(Reductions.MIN.of(y), y), EXACT);
    Tensor nan = leaf(1, Double.NaN, 2);
    assertTrue(Double.isNaN(values(Reductions.MAX.of(nan))[0]));
    assertArrayEquals(new double[] {0, 1, 0}, gradient(Reductions.MAX.of(nan), nan), EXACT);
  }

  @Test
  void deviationAndNormHaveGradientZeroAtZero() {
    Tensor same = leaf(2, 2, 2);
    assertArrayEquals(new double[3], gradient(Reductions.STD.of(same), same), EXACT);
    Tensor zero = leaf(0, 0);
    for (Object ord : new Object[] {1, 2, 3, 1.5, "inf", "-inf"}) {
      Tensor norm = (Tensor) Reductions.NORM.call(Map.of("ord", ord), zero);
      assertArrayEquals(new double[2], gradient(norm, zero), EXACT, "ord " + ord);
    }
  }

  /** As PyTorch has it. */
  @Test
  void normsThatOverflowHaveGradientZero() {
    Tensor large = leaf(1e150, 1e-3);
    for (Object ord : new Object[] {3, 2.5}) {
      Tensor norm = (Tensor) Reductions.NORM.call(Map.of("ord", ord), large);
      assertArrayEquals(new double[2], gradient(norm, large), EXACT, "ord " + ord);
    }
  }

  @Test
  void logSumExpOfInfinities() {
    double low = Double.NEGATIVE_INFINITY;
    Tensor x = leaf(low, 0, 0);
    assertArrayEquals(new double[] {0, 0.5, 0.5}, gradient(Reductions.LOGSUMEXP.of(x), x), 1e-15);
    Tensor masked = leaf(low, low);
    Tensor total = Reductions.LOGSUMEXP.of(masked);
    assertEquals(low, values(total)[0]);
    assertArrayEquals(new double[2], gradient(total, masked), EXACT);
    assertEquals(1000 + Math.log(2), values(Reductions.LOGSUMEXP.of(leaf(1000, 1000)))[0], 1e-12);
  }

  @Test
  void medianGivesHalfOfTheGradientToEachOfTwo() {
    Tensor even = leaf(4, 1, 3, 2);
    assertArrayEquals(
        new double[] {0, 0, 0.5, 0.5}, gradient(Reductions.MEDIAN.of(even), even), EXACT);
    Tensor odd = leaf(4, 1, 3);
    assertArrayEquals(new double[] {0, 0, 1}, gradient(Reductions.MEDIAN.of(odd), odd), EXACT);
  }

  @Test
  void meansOfNumbersLeaveOutNaN() {
    Tensor x = leaf(1, Double.NaN, 5);
    assertArrayEquals(new double[] {1, 0, 1}, gradient(Reductions.NANSUM.of(x), x), EXACT);
    assertArrayEquals(new double[] {0.5, 0, 0.5}, gradient(Reductions.NANMEAN.of(x), x), EXACT);
  }

  @Test
  void manySmallNumbersAddUp() {
    float[] ones = new float[10_000_000];
    Arrays.fill(ones, 1);
    Tensor x = new Tensor(new Strided(new Storage(ones), Layout.of(ones.length)));
    assertEquals(1e7, values(Reductions.SUM.of(x))[0]);
    assertEquals(1, values(Reductions.MEAN.of(x))[0]);
    assertEquals(0, values(Reductions.VAR.of(x))[0]);
  }

  @Test
  void resultsThatAreNoNumbersOfTheFieldAreNotTracked() {
    Tensor x = leaf(1, 2);
    Tensor whole = (Tensor) Reductions.SUM.call(Map.of("dtype", DType.INT64), x);
    assertFalse(whole.requiresGrad());
    assertFalse(Reductions.ARGMAX.of(x).requiresGrad());
    assertFalse(Reductions.ALL.of(x).requiresGrad());
  }

  @Test
  void gradientsComeBackInTheInputsDtype() {
    Tensor x = new Tensor(Strided.zeros(DType.FLOAT32, 3));
    x.requireGrad(true);
    for (var op : List.of(Reductions.SUM, Reductions.MEAN, Reductions.PROD)) {
      Tensor y = (Tensor) op.call(Map.of("dtype", DType.FLOAT64), x);
      assertEquals(DType.FLOAT64, y.dtype());
      Tensor[] g =
          Reverse.gradients(List.of(y), Arrays.asList((Tensor) null), List.of(x), true, false);
      assertEquals(DType.FLOAT32, g[0].dtype(), op.name());
    }
  }

  private static Tensor many(Tensor x, int... shape) {
    return Structural.BROADCAST_TO.of(x, shape);
  }

  @Test
  void reducesViewsOfMoreElementsThanAnIntCounts() {
    int most = Integer.MAX_VALUE;
    Tensor one = leaf(1);
    assertEquals(most, values(Reductions.SUM.of(many(one, most)))[0]);
    assertEquals(65_536, values(Reductions.NORM.of(many(one, 65_536, 65_536)))[0]);
    assertArrayEquals(
        new double[] {most, most}, values(Reductions.SUM.of(many(one, 2, most), new int[] {1})));
    assertArrayEquals(
        new double[] {0x1p32}, gradient(Reductions.SUM.of(many(one, 65_536, 65_536)), one), EXACT);
    Tensor loss = (Tensor) Losses.MSE_LOSS.call(many(one, 65_536, 65_536), 3.0);
    assertEquals(4, values(loss)[0]);
  }

  @Test
  void whatNeedsAllElementsAtOnceRefusesTooMany() {
    Tensor x = many(leaf(1), 65_536, 65_536);
    assertThrows(ShapeException.class, () -> Reductions.MEDIAN.of(x));
    assertThrows(ShapeException.class, () -> Reductions.ARGMAX.of(x));
    assertThrows(ShapeException.class, () -> Scans.CUMSUM.of(x));
    assertThrows(ShapeException.class, () -> Lookup.NONZERO.of(x));
    assertThrows(ShapeException.class, () -> Linalg.TENSORDOT.of(x, x, 0));
    assertThrows(ShapeException.class, () -> Linalg.KRON.of(x, x));
    assertThrows(ShapeException.class, () -> many(x, 65_536, 65_536, 65_536, 65_536));
  }
}
