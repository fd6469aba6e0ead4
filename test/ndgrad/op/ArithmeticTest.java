package ndgrad.op;

import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Op;
import org.junit.jupiter.api.Test;

class ArithmeticTest {
  private static Tensor array(Object value) {
    return new Tensor(Nested.array(value));
  }

  @Test
  void subgradientsAtKinks() {
    assertArrayEquals(new double[] {-1, 0, 1}, Slopes.of(Arithmetic.ABS, 0, tracked(-2, 0, 2)));
    assertArrayEquals(new double[] {0, 0, 0}, Slopes.of(Arithmetic.SIGN, 0, tracked(-2, 0, 2)));
    Tensor a = tracked(1, 2, 3);
    Tensor b = tracked(2, 2, 2);
    assertArrayEquals(new double[] {0, 0.5, 1}, Slopes.of(Arithmetic.MAXIMUM, 0, a, b));
    assertArrayEquals(new double[] {1, 0.5, 0}, Slopes.of(Arithmetic.MAXIMUM, 1, a, b));
    assertArrayEquals(new double[] {1, 0.5, 0}, Slopes.of(Arithmetic.MINIMUM, 0, a, b));
    assertArrayEquals(new double[] {0, 0.5, 1}, Slopes.of(Arithmetic.MINIMUM, 1, a, b));
    assertArrayEquals(
        new double[] {0, 0.6},
        Slopes.of(Arithmetic.HYPOT, 0, tracked(0, 3), array(new double[] {0, 4})),
        1e-15);
  }

  @Test
  void powerHasAllDerivativesAtZero() {
    Tensor x = tracked(0, 0, 0, 0);
    Tensor y = array(new double[] {0, 1, 2, 3});
    Tensor first = Slopes.gradient(Arithmetic.POW.of(x, y), x);
    Tensor second = Slopes.gradient(first, x);
    Tensor third = Slopes.gradient(second, x);
    assertArrayEquals(new double[] {0, 1, 0, 0}, Slopes.doubles(first));
    assertArrayEquals(new double[] {0, 0, 2, 0}, Slopes.doubles(second));
    assertArrayEquals(new double[] {0, 0, 0, 6}, Slopes.doubles(third));
  }

  @Test
  void powerPassesAGradientToItsExponent() {
    assertArrayEquals(
        new double[] {8 * Math.log(2), 0, 0},
        Slopes.of(Arithmetic.POW, 1, array(new double[] {2, 0, 0}), tracked(3, 0, 2)),
        1e-14);
  }

  @Test
  void powerInPlaceIsTheSameAsApart() {
    double[] bases = {Double.NEGATIVE_INFINITY, -1.2, -0.0, 0, 0.3, 1e200};
    for (double exponent : new double[] {-2, -1, -0.5, 0, 0.5, 1, 2, 3, 4, 2.5}) {
      double[] apart = Slopes.doubles(Arithmetic.POW.of(array(bases), exponent));
      Tensor target = array(bases);
      for (int again = 0; again < 2; again++) {
        InPlace.assign(target, array(bases), "set!");
        InPlace.call(Arithmetic.POW, Map.of(), target, exponent);
        assertArrayEquals(apart, Slopes.doubles(target), "x^" + exponent);
      }
    }
  }

  @Test
  void integerPowersKeepTheirDtypeAndRefuseNegativeExponents() {
    Tensor eight = Arithmetic.POW.of(array(new int[] {2, -3}), 3);
    assertEquals(DType.INT32, eight.dtype());
    assertEquals(List.of(8L, -27L), Nested.toHost(eight));
    assertEquals(DType.INT64, Arithmetic.POW.of(array(new boolean[] {true}), true).dtype());
    assertEquals(List.of(0.25), Nested.toHost(Arithmetic.POW.of(array(new long[] {2}), -2.0)));

    Tensor target = array(new long[] {2, 3});
    int version = target.strided().storage().version();
    ArgumentException e =
        assertThrows(
            ArgumentException.class,
            () -> InPlace.call(Arithmetic.POW, Map.of(), target, array(new long[] {2, -1})));
    assertTrue(e.getMessage().contains("negative integer power -1"), e.getMessage());
    assertEquals(List.of(2L, 3L), Nested.toHost(target));
    assertEquals(version, target.strided().storage().version());
  }

  @Test
  void hostNumbersDoNotWiden() {
    Tensor x = array(new float[] {1, 2});
    for (Op op :
        List.of(Arithmetic.POW, Arithmetic.MAXIMUM, Arithmetic.REMAINDER, Arithmetic.HYPOT)) {
      assertEquals(DType.FLOAT32, op.of(x, 2.5).dtype(), op.name());
      assertEquals(DType.FLOAT32, op.of(x, 2L).dtype(), op.name());
    }
  }
}
