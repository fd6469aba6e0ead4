package ndgrad.op;

import static ndgrad.op.Slopes.tracked;
import static ndgrad.op.Slopes.trackedFloats;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Op;
import org.junit.jupiter.api.Test;

class ActivationsTest {
  private static final double INF = Double.POSITIVE_INFINITY;

  /** The ops with their derivatives at large negative and positive arguments. */
  private static final Map<Op, double[]> SATURATED =
      Map.of(
          Activations.SIGMOID, new double[] {0, 0},
          Activations.LOG_SIGMOID, new double[] {1, 0},
          Activations.RELU, new double[] {0, 1},
          Activations.LEAKY_RELU, new double[] {0.01, 1},
          Activations.ELU, new double[] {0, 1},
          Activations.SILU, new double[] {0, 1},
          Activations.GELU, new double[] {0, 1},
          Activations.SOFTPLUS, new double[] {0, 1},
          Functions.TANH, new double[] {0, 0});

  @Test
  void gradientsOfAllOrdersStayFiniteFarOut() {
    SATURATED.forEach(
        (op, expected) -> {
          assertArrayEquals(expected, Slopes.of(op, 0, tracked(-1000, 1000)), 1e-300, op.name());
          assertArrayEquals(new double[2], Slopes.second(op, -1000, 1000), 1e-300, op.name());
        });
    assertArrayEquals(
        new double[] {0, 1},
        Slopes.of(Activations.GELU, 0, Map.of("approximate", "tanh"), tracked(-1000, 1000)),
        1e-300);
  }

  /** Where x² and x³ overflow, and at the infinities. */
  @Test
  void smoothActivationsHaveTheirLimitsAtTheEnds() {
    double[] ends = {-INF, -1e300, -1e160, -1e105, 1e105, 1e160, 1e300, INF};
    float[] single = {Float.NEGATIVE_INFINITY, -3e38f, -1e20f, 1e20f, 3e38f, 1 / 0f};
    for (Op op : List.of(Activations.SILU, Activations.GELU)) {
      for (Map<?, ?> options :
          op == Activations.SILU
              ? List.of(Map.of())
              : List.of(Map.of(), Map.of("approximate", "tanh"))) {
        String what = op.name() + options;
        assertArrayEquals(
            new double[] {0, 0, 0, 0, 1e105, 1e160, 1e300, INF},
            Slopes.doubles((Tensor) op.call(options, (Object) ends)),
            1e-300,
            what);
        Tensor x = tracked(ends);
        Tensor slope = Slopes.gradient((Tensor) op.call(options, x), x);
        assertArrayEquals(
            new double[] {0, 0, 0, 0, 1, 1, 1, 1}, Slopes.doubles(slope), 1e-300, what);
        Tensor curve = Slopes.gradient(slope, x);
        assertArrayEquals(new double[8], Slopes.doubles(curve), 1e-300, what);
        assertArrayEquals(new double[8], Slopes.doubles(Slopes.gradient(curve, x)), 1e-300, what);
        Tensor y = trackedFloats(single);
        slope = Slopes.gradient((Tensor) op.call(options, y), y);
        assertArrayEquals(new float[] {0, 0, 0, 1, 1, 1}, Slopes.floats(slope), 1e-45f, what);
        curve = Slopes.gradient(slope, y);
        assertArrayEquals(new float[6], Slopes.floats(curve), 1e-45f, what);
      }
    }
  }

  @Test
  void sigmoidAndSiluKeepTheirDigitsWhereTheExponentialOfMinusXOverflows() {
    float[] at = new float[20_401];
    for (int i = 0; i < at.length; i++) {
      at[i] = i / 100f - 104;
    }
    Tensor x = trackedFloats(at);
    Tensor sigmoid = Activations.SIGMOID.of(x);
    float[] s = Slopes.floats(sigmoid);
    float[] ds = Slopes.floats(Slopes.gradient(sigmoid, x));
    Tensor silu = Activations.SILU.of(x);
    float[] y = Slopes.floats(silu);
    float[] dy = Slopes.floats(Slopes.gradient(silu, x));
    for (int i = 0; i < at.length; i++) {
      double exact = 1 / (1 + Math.exp(-(double) at[i]));
      double other = 1 / (1 + Math.exp(at[i]));
      double least = Float.MIN_VALUE;
      assertEquals(exact, s[i], 2e-7 * exact + least);
      assertEquals(exact * other, ds[i], 1e-7 + 2e-7 * exact);
      if (at[i] < -20) {
        assertEquals(exact * other, ds[i], 3e-7 * exact + least);
      }
      assertEquals(at[i] * exact, y[i], 3e-7 * Math.abs(at[i] * exact) + 105 * least);
      double slope = exact * (1 + at[i] * other);
      assertEquals(slope, dy[i], 1e-5 * exact + 105 * least);
    }
    for (double z : new double[] {-708, -709.5, -710, -730, -744}) {
      double exact = Math.exp(z);
      assertEquals(exact, Slopes.doubles(Activations.SIGMOID.of(z))[0], 1e-15 * exact);
      assertEquals(exact, Slopes.of(Activations.SIGMOID, 0, tracked(z))[0], 1e-15 * exact);
      assertEquals(z * exact, Slopes.doubles(Activations.SILU.of(z))[0], 1e-15 * -z * exact);
    }
  }

  @Test
  void subgradientsAtZeroAndNan() {
    assertArrayEquals(new double[] {0}, Slopes.of(Activations.RELU, 0, tracked(0)));
    assertArrayEquals(new double[] {1}, Slopes.of(Activations.RELU, 0, tracked(Double.NaN)));
    assertArrayEquals(new double[] {0.01}, Slopes.of(Activations.LEAKY_RELU, 0, tracked(0)));
    assertArrayEquals(new double[] {1}, Slopes.of(Activations.ELU, 0, tracked(0)));
  }

  @Test
  void smoothActivationsCurveAtZero() {
    assertArrayEquals(new double[] {0}, Slopes.second(Activations.SIGMOID, 0), 1e-15);
    assertArrayEquals(new double[] {0.25}, Slopes.second(Activations.SOFTPLUS, 0), 1e-15);
    assertArrayEquals(new double[] {-0.25}, Slopes.second(Activations.LOG_SIGMOID, 0), 1e-15);
    assertArrayEquals(new double[] {0.5}, Slopes.second(Activations.SILU, 0), 1e-15);
    assertArrayEquals(
        new double[] {2 / Math.sqrt(2 * Math.PI)}, Slopes.second(Activations.GELU, 0), 1e-15);
  }

  @Test
  void tailsKeepTheirDigits() {
    double tail = Math.exp(-40);
    double[] softplus = Slopes.doubles(Activations.SOFTPLUS.of(tracked(-40)));
    assertEquals(tail, softplus[0], 1e-14 * tail);
    assertEquals(tail, Slopes.of(Activations.SOFTPLUS, 0, tracked(-40))[0], 1e-14 * tail);
    double[] logSigmoid = Slopes.doubles(Activations.LOG_SIGMOID.of(tracked(40)));
    assertEquals(-tail, logSigmoid[0], 1e-14 * tail);
    assertEquals(tail, Slopes.of(Activations.LOG_SIGMOID, 0, tracked(40))[0], 1e-14 * tail);
  }

  @Test
  void siluKeepsItsSlopeFarBelowZero() {
    double slope = Math.exp(-60) * (1 - 60);
    double[] found = Slopes.of(Activations.SILU, 0, tracked(-60));
    assertArrayEquals(new double[] {slope}, found, 1e-14 * -slope);
    double curve = Math.exp(-60) * (2 - 60);
    assertArrayEquals(new double[] {curve}, Slopes.second(Activations.SILU, -60), 1e-12 * -curve);
  }

  @Test
  void softplusPassesAGradientToBeta() {
    Tensor beta = tracked(0.7);
    double b = 0.7;
    double x = 1.3;
    double out = Math.log1p(Math.exp(b * x)) / b;
    double expected = (x / (1 + Math.exp(-b * x)) - out) / b;
    assertEquals(expected, Slopes.of(Activations.SOFTPLUS, 1, x, beta)[0], 1e-13);
  }

  @Test
  void softplusIsItsArgumentWhereTheProductWithBetaOverflows() {
    for (double sign : new double[] {1, -1}) {
      double x = sign * 1e300;
      double beta = sign * 1e10;
      double[] found = Slopes.doubles(Activations.SOFTPLUS.of(new double[] {x, -x}, beta));
      assertArrayEquals(new double[] {x, 0}, found, 1e-300);
      assertArrayEquals(
          new double[] {1, 0}, Slopes.of(Activations.SOFTPLUS, 0, tracked(x, -x), beta), 1e-300);
      assertArrayEquals(
          new double[] {0}, Slopes.of(Activations.SOFTPLUS, 1, x, tracked(beta)), 1e-300);
    }
    Tensor single = Activations.SOFTPLUS.of(new float[] {1e30f}, 1e10);
    assertArrayEquals(new float[] {1e30f}, (float[]) single.strided().array());
  }

  @Test
  void softmaxTakesInfinitelyUnlikelyElements() {
    Tensor x = tracked(-INF, 0, 1000, 1000);
    assertArrayEquals(
        new double[] {0, 0, 0.5, 0.5}, Slopes.doubles(Activations.SOFTMAX.of(x)), 1e-15);
    Tensor y = Arithmetic.MUL.of(Activations.SOFTMAX.of(x), new double[] {1, 2, 3, 4});
    assertArrayEquals(
        new double[] {0, 0, -0.25, 0.25}, Slopes.doubles(Slopes.gradient(y, x)), 1e-15);
    Tensor logs = Activations.LOG_SOFTMAX.of(x);
    assertArrayEquals(
        new double[] {-INF, -1000 - Math.log(2), -Math.log(2), -Math.log(2)},
        Slopes.doubles(logs),
        1e-12);
    assertArrayEquals(new double[] {1, 1, -1, -1}, Slopes.doubles(Slopes.gradient(logs, x)), 1e-12);
  }

  @Test
  void softmaxGoesOverAnyAxes() {
    double[][] rows = {{1, 2}, {3, 4}};
    Tensor all = (Tensor) Activations.SOFTMAX.call(Map.of("axis", List.of(0, 1)), (Object) rows);
    Tensor flat = Activations.SOFTMAX.of(new double[] {1, 2, 3, 4});
    assertArrayEquals(Slopes.doubles(flat), Slopes.doubles(all), 1e-15);
    assertEquals(1.0, Nested.item(Activations.SOFTMAX.of(7)));
    assertTrue(Activations.SOFTMAX.of(7).layout().ndim() == 0);
  }
}
