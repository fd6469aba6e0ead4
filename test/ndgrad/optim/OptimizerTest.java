package ndgrad.optim;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.IndexException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** Optimisers as Java callers meet them; what they compute is checked from Clojure. */
class OptimizerTest {
  private static final Rule SGD = Sgd.of(0.5);

  private static void refusesNull(String argument, Executable call) {
    assertEquals(
        argument + " must not be null", assertThrows(ArgumentException.class, call).getMessage());
  }

  @Test
  void nullIsRefusedByTheNameOfTheArgument() {
    Array x = Array.ones(2);
    refusesNull("rule", () -> new Optimizer(null, List.of(x)));
    refusesNull("params", () -> new Optimizer(SGD, null));
    refusesNull("parameter", () -> new Optimizer(SGD, Arrays.asList(x, null)));
    refusesNull("rule", () -> new Optimizer(SGD, List.of(x)).rule(null));
    refusesNull("parameter", () -> SGD.init(null));
    refusesNull("parameter", () -> SGD.apply(null, x, List.of(), 1));
    refusesNull("gradient", () -> SGD.apply(x, null, List.of(), 1));
    refusesNull("state", () -> SGD.next(x, x, null, 1));
    refusesNull("slot", () -> SGD.next(x, x, Arrays.asList(x, null), 1));
    refusesNull("grads", () -> SGD.applyAll(List.of(x), null, List.of(List.of()), 1));
    assertTrue(x.allclose(Array.ones(2)));
  }

  @Test
  void slotsAreThoseOfAParameter() {
    Optimizer opt = new Optimizer(Sgd.of(0.5).withMomentum(0.9), List.of(Array.ones(2)));
    assertEquals(1, opt.slots(0).size());
    assertThrows(IndexException.class, () -> opt.slots(1));
    assertThrows(IndexException.class, () -> opt.slots(-1));
  }
}
