package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.List;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import org.junit.jupiter.api.Test;

class ComparisonTest {
  @Test
  void hostIntegersBeyondInt32AreCompared() {
    Tensor x = new Tensor(Nested.array(new int[] {Integer.MIN_VALUE, 0, Integer.MAX_VALUE}));
    assertEquals(List.of(true, true, true), Nested.toHost(Comparison.LT.of(x, 1L << 40)));
    assertEquals(List.of(false, false, false), Nested.toHost(Comparison.EQ.of(x, 1L << 32)));
    assertEquals(List.of(true, true, true), Nested.toHost(Comparison.GT.of(x, -(1L << 40))));
  }

  @Test
  void resultsAreNotTracked() {
    Tensor x = Slopes.tracked(1, 2);
    assertFalse(Comparison.GT.of(x, 1.5).requiresGrad());
    assertFalse(Comparison.ISNAN.of(x).requiresGrad());
    assertEquals(true, Comparison.ALLCLOSE.call(x, x));
  }

  @Test
  void closenessIsRelativeToTheSecond() {
    assertEquals(
        List.of(true, false),
        Nested.toHost(
            Comparison.ISCLOSE.of(new double[] {10, 11}, new double[] {11, 10}, 0.095, 0.0)));
  }
}
