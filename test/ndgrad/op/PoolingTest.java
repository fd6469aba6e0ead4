package ndgrad.op;

import static ndgrad.op.Numeric.array;
import static ndgrad.op.Numeric.check;
import static ndgrad.op.Numeric.gradient;
import static ndgrad.op.Numeric.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.UnaryOperator;
import ndgrad.DType;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Structural;
import org.junit.jupiter.api.Test;

class PoolingTest {
  private static final double LOW = Double.NEGATIVE_INFINITY;

  private static Tensor image(int height, int width, double... values) {
    Tensor x = array(values, 1, height, width);
    x.requireGrad(true);
    return x;
  }

  private static Tensor largest(Tensor x, Object size, Map<String, Object> options) {
    return (Tensor) Pooling.MAX_POOL2D.call(options, x, size);
  }

  private static Tensor mean(Tensor x, Object size, Map<String, Object> options) {
    return (Tensor) Pooling.AVG_POOL2D.call(options, x, size);
  }

  @Test
  void tiesShareTheGradient() {
    Tensor x = image(2, 4, 3, 1, 2, 2, 3, 3, 2, 2);
    Tensor y = largest(x, 2, Map.of());
    double third = 1.0 / 3;
    assertArrayEquals(
        new double[] {third, 0, 0.5, 0.5, third, third, 0.5, 0.5}, gradient(y, x), 1e-15);
    Tensor signed = image(1, 2, -0.0, 0.0);
    Tensor zero = largest(signed, new int[] {1, 2}, Map.of());
    assertEquals(0.0, values(zero)[0]);
    assertArrayEquals(new double[] {0.5, 0.5}, gradient(zero, signed), 0);
  }

  @Test
  void whatIsNanTakesTheGradient() {
    Tensor x = image(2, 2, 1, Double.NaN, 9, Double.NaN);
    Tensor y = largest(x, 2, Map.of());
    assertEquals(Double.NaN, values(y)[0]);
    assertArrayEquals(new double[] {0, 0.5, 0, 0.5}, gradient(y, x), 0);
  }

  @Test
  void paddingIsLessThanAnyElement() {
    Tensor x = image(1, 2, LOW, LOW);
    Tensor y = largest(x, new int[] {1, 2}, Map.of("padding", new int[] {0, 1}, "stride", 2));
    assertArrayEquals(new double[] {LOW, LOW}, values(y));
    assertArrayEquals(new double[] {1, 2}, gradient(y, x), 0);
    Tensor narrow = image(1, 1, 5);
    Tensor none =
        largest(narrow, new int[] {1, 2}, Map.of("padding", new int[] {0, 1}, "dilation", 2));
    assertArrayEquals(new double[] {LOW}, values(none));
    assertArrayEquals(new double[] {0}, gradient(none, narrow), 0);
  }

  @Test
  void anArrayMayBeChangedOnceItIsPooled() {
    Tensor leaf = image(2, 2, 1, 4, 3, 2);
    Tensor x = Arithmetic.MUL.of(leaf, 2.0);
    Tensor most = largest(x, 2, Map.of());
    Tensor mean = mean(x, 2, Map.of());
    Tensor y = Arithmetic.ADD.of(most, mean);
    InPlace.call(Arithmetic.ADD, Map.of(), x, 1.0);
    assertArrayEquals(new double[] {8 + 5}, values(y));
    assertArrayEquals(new double[] {0.5, 2.5, 0.5, 0.5}, gradient(y, leaf), 0);
  }

  /** A permutation: no two elements are equal, or close enough for a difference to swap them. */
  private static double[] shuffled(int n) {
    double[] x = new double[n];
    Arrays.setAll(x, i -> i * 0.37 - 2);
    Random random = new Random(4);
    for (int i = n - 1; i > 0; i--) {
      int j = random.nextInt(i + 1);
      double t = x[i];
      x[i] = x[j];
      x[j] = t;
    }
    return x;
  }

  private static Tensor images(Tensor flat) {
    Tensor x = Shapes.RESHAPE.of(flat, new int[] {2, 2, 5, 4});
    return Arithmetic.MUL.of(x, x);
  }

  @Test
  void derivativesAreThoseOfTheElements() {
    double[] at = shuffled(80);
    Map<String, Object> wide = Map.of("stride", 2, "padding", 1);
    check(x -> largest(images(x), 2, Map.of()), at);
    check(x -> largest(images(x), 3, wide), at);
    check(x -> largest(images(x), new int[] {5, 1}, Map.of("stride", 1)), at);
    check(x -> mean(images(x), 2, Map.of()), at);
    check(x -> mean(images(x), 3, wide), at);
    check(x -> mean(images(x), new int[] {1, 3}, Map.of("stride", new int[] {3, 1})), at);
  }

  @Test
  void eachExampleOfABatchIsPooledAlone() {
    double[] at = shuffled(80);
    List<UnaryOperator<Tensor>> pools =
        List.of(
            x -> largest(Arithmetic.MUL.of(x, x), 2, Map.of("stride", 1)),
            x -> mean(Arithmetic.MUL.of(x, x), 3, Map.of("stride", 2, "padding", 1)));
    for (UnaryOperator<Tensor> pool : pools) {
      Tensor x = array(at, 4, 5, 4);
      x.requireGrad(true);
      Tensor together = pool.apply(x);
      Tensor batch = array(at, 4, 5, 4);
      long level = Lift.newLevel();
      Tensor each =
          Tensor.lifted(new Lift.Batched(level, Shapes.RESHAPE.of(batch, new int[] {4, 1, 5, 4})))
              .alias();
      each.requireGrad(true);
      Tensor alone = pool.apply(each);
      assertArrayEquals(values(together), values(examples(alone)));
      Tensor dx = Slopes.gradient(alone, each);
      double[] want = values(Slopes.gradient(together, x));
      assertArrayEquals(want, values(examples(dx)), 1e-15);
    }
  }

  private static Tensor examples(Tensor t) {
    return ((Lift.Batched) t.lift().orElseThrow()).physical();
  }

  @Test
  void meansOfIntegersAreFloating() {
    Tensor x = Structural.CAST.of(array(new double[] {1, 2, 4, 5}, 1, 2, 2), DType.INT32);
    Tensor y = mean(x, 2, Map.of());
    assertEquals(DType.FLOAT64, y.dtype());
    assertArrayEquals(new double[] {3}, values(y));
  }
}
