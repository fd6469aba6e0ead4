package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import ndgrad.GradCheck.Failure;
import ndgrad.GradCheck.Kind;
import ndgrad.GradCheck.Report;
import ndgrad.GradCheck.Settings;
import org.junit.jupiter.api.Test;

final class GradCheckTest {

  /** x, whose gradient arrives with the wrong factor in its last element. */
  private static Array wrong(Array x) {
    Array y = x.mul(1.0);
    if (y.requiresGrad()) {
      y.registerHook(g -> g.mul(Array.of(1.0, 1.0, 1.5)));
    }
    return y;
  }

  @Test
  void rightGradientsPass() {
    GradCheck.assertGradients(
        xs -> xs.get(0).mul(xs.get(1)).sin(), Array.of(0.5, 1.5), Array.of(2.0, 0.25));
  }

  @Test
  void theWrongElementIsReported() {
    Report report = GradCheck.check(xs -> wrong(xs.get(0)).exp(), Array.of(0.0, 0.5, 0.0));
    assertEquals(9, report.compared());
    assertEquals(1, report.failed());
    Failure f = report.failures().getFirst();
    assertEquals(Kind.GRADIENT, f.kind());
    assertEquals(List.of(2), f.element());
    assertEquals(List.of(2), f.outputElement());
    assertEquals(1.5, f.analytic());
    assertEquals(1.0, f.numeric(), 1e-9);
    AssertionError e =
        assertThrows(
            AssertionError.class,
            () -> GradCheck.assertGradients(xs -> wrong(xs.get(0)).exp(), Array.of(0.0, 0.5, 0.0)));
    assertTrue(e.getMessage().contains("with respect to input 0 at [2] is 1.5"), e.getMessage());
  }

  @Test
  void projectionsFindTheSameElement() {
    Report report =
        GradCheck.check(
            xs -> wrong(xs.get(0)).exp(), Settings.DEFAULT.projected(1), Array.of(0.0, 0.5, 0.0));
    assertFalse(report.full());
    assertEquals(List.of(2), report.failures().getFirst().element());
  }

  @Test
  void inputsKeepTheirLayoutAndContents() {
    Array x = Array.of(new double[][] {{1, 2, 3}, {4, 5, 6}}).transpose();
    Report report =
        GradCheck.check(
            xs -> {
              assertEquals(
                  List.of(8L, 24L), List.of(xs.get(0).strides()[0], xs.get(0).strides()[1]));
              return xs.get(0).square();
            },
            x);
    assertTrue(report.passed(), report.toString());
    assertEquals(36, report.compared());
    assertEquals(0, x.version());
  }

  @Test
  void integersArePassedAsTheyAre() {
    GradCheck.assertGradients(
        xs -> xs.get(0).get(xs.get(1)), Array.of(1.0, 2.0), Array.of(0L, 0L, 1L));
    assertThrows(ArgumentException.class, () -> GradCheck.check(xs -> xs.get(0), Array.of(1L)));
  }

  @Test
  void settingsAreChecked() {
    assertThrows(ArgumentException.class, () -> Settings.DEFAULT.projected(0));
    assertThrows(ArgumentException.class, () -> Settings.DEFAULT.tolerance(-1, 0));
  }
}
