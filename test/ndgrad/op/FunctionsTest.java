package ndgrad.op;

import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import org.junit.jupiter.api.Test;

class FunctionsTest {
  private static final double INF = Double.POSITIVE_INFINITY;

  @Test
  void gradientsAtTheEdgesOfDomains() {
    assertArrayEquals(new double[] {INF}, Slopes.of(Functions.SQRT, 0, tracked(0)));
    assertArrayEquals(new double[] {INF}, Slopes.of(Functions.CBRT, 0, tracked(0)));
    assertArrayEquals(new double[] {INF}, Slopes.of(Functions.LOG, 0, tracked(0)));
    assertArrayEquals(new double[] {0}, Slopes.of(Functions.ATAN2, 0, tracked(0), 0.0));
    assertArrayEquals(new double[] {0}, Slopes.of(Functions.ATAN2, 1, 0.0, tracked(0)));
  }

  @Test
  void acoshIsUndefinedBelowOne() {
    double[] x = {0.99, -1, -1e12, -1e300, -INF};
    for (double y : Slopes.doubles(Functions.ACOSH.of(tracked(x)))) {
      assertTrue(Double.isNaN(y));
    }
  }

  @Test
  void tanhKeepsTheDigitsOfSmallSlopes() {
    double slope = 1 / Math.pow(Math.cosh(9.7), 2);
    assertEquals(slope, Slopes.of(Functions.TANH, 0, tracked(9.7))[0], 1e-8 * slope);
  }

  @Test
  void sincIsSmoothAtZero() {
    double third = Math.PI * Math.PI / 3;
    double[] x = {0, 1e-9, -1e-5, 1e-3};
    double[] first = Slopes.of(Functions.SINC, 0, tracked(x));
    for (int i = 0; i < x.length; i++) {
      double u = Math.PI * x[i];
      assertEquals(
          -third * x[i] * (1 - u * u / 10 * (1 - u * u / 28)), first[i], 1e-12 * Math.abs(x[i]));
    }
    assertArrayEquals(new double[] {-third, -third}, Slopes.second(Functions.SINC, 0, 1e-9), 1e-12);
  }

  @Test
  void sincSlopeHasNoSeamWhereTheSeriesEnds() {
    double[] x = {0.05 - 1e-12, 0.05 + 1e-12, -0.05 - 1e-12, -0.05 + 1e-12};
    double[] slopes = Slopes.of(Functions.SINC, 0, tracked(x));
    assertEquals(slopes[0], slopes[1], 2e-11);
    assertEquals(slopes[2], slopes[3], 2e-11);
  }

  @Test
  void logaddexpSharesItsGradientWithoutNaN() {
    double[] a = {1000, -1000, 1000, INF, -INF, -INF, 0};
    Tensor b = new Tensor(Nested.array(new double[] {1000, -1000, -1000, INF, -INF, 2, INF}));
    double[] expected = {0.5, 0.5, 1, 0.5, 0.5, 0, 0};
    assertArrayEquals(expected, Slopes.of(Functions.LOGADDEXP, 0, tracked(a), b), 1e-12);
    assertArrayEquals(expected, Slopes.of(Functions.LOGADDEXP, 1, b, tracked(a)), 1e-12);
  }

  @Test
  void logaddexpCurvesAtEqualArguments() {
    Tensor x = tracked(0.3, 1000);
    Tensor b = new Tensor(Nested.array(new double[] {0.3, 1000}));
    Tensor slope = Slopes.gradient(Functions.LOGADDEXP.of(x, b), x);
    assertArrayEquals(new double[] {0.25, 0.25}, Slopes.doubles(Slopes.gradient(slope, x)), 1e-12);
  }
}
