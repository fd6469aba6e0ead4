package ndgrad.optim;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DTypeException;
import ndgrad.IndexException;
import ndgrad.NdException;
import ndgrad.Scope;
import ndgrad.ScopeException;
import ndgrad.ShapeException;
import ndgrad.io.Npz;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;
import org.junit.jupiter.api.io.TempDir;

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

  private static final List<Rule> RULES =
      List.of(SGD, Sgd.of(0.1).withMomentum(0.9), Adam.of(0.1), AdamW.of(0.1));

  private static List<Array> parameters() {
    return List.of(
        Array.of(1.0, -2.0).requiresGrad(true),
        Array.of(new float[] {3}).requiresGrad(true),
        Array.scalar(0.5).requiresGrad(true));
  }

  /** Steps of each parameter whose gradient is asked for; the last one has none in the first. */
  private static void train(Optimizer opt, int from, int to) {
    for (int n = from; n < to; n++) {
      opt.zeroGrad();
      for (Array p : opt.params().subList(0, n == 0 ? 2 : 3)) {
        p.mul(p).mul(n + 1).sum().backward();
      }
      opt.step();
    }
  }

  @Test
  void aStateThatWasSavedGoesOn(@TempDir Path folder) {
    for (Rule rule : RULES) {
      Optimizer whole = new Optimizer(rule, parameters());
      train(whole, 0, 2);
      Path file = folder.resolve("state.npz");
      Npz.save(file, whole.state());
      List<Array> copies = whole.params().stream().map(p -> p.detach().copy()).toList();
      copies.forEach(p -> p.requiresGrad(true));
      train(whole, 2, 5);
      Optimizer later = new Optimizer(rule, copies);
      later.state(Npz.load(file));
      assertArrayEquals(new long[] {2, 2, 1}, later.state().get("step").toLongArray());
      train(later, 2, 5);
      for (int i = 0; i < 3; i++) {
        assertTrue(whole.params().get(i).arrayEqual(later.params().get(i)), rule.name());
      }
    }
  }

  @Test
  void aStateIsNamedCopies() {
    Optimizer opt = new Optimizer(Adam.of(0.1), parameters());
    Map<String, Array> before = opt.state();
    assertEquals(
        List.of("step", "m.0", "m.1", "m.2", "v.0", "v.1", "v.2"), List.copyOf(before.keySet()));
    train(opt, 0, 3);
    assertEquals(0.0, before.get("m.0").sum().item());
    assertEquals(0L, before.get("step").sum().item());
    List<Array> slots = opt.slots(0);
    opt.state(before);
    assertEquals(0.0, slots.getFirst().sum().item());
    assertEquals(List.of("step"), List.copyOf(new Optimizer(SGD, parameters()).state().keySet()));
  }

  @Test
  void aStateThatDoesNotFitChangesNothing() {
    Optimizer opt = new Optimizer(Adam.of(0.1), parameters());
    train(opt, 0, 2);
    Map<String, Array> own = opt.state();
    refuses(opt, ArgumentException.class, "v.2", null);
    refuses(opt, ArgumentException.class, "w.0", Array.ones(2));
    refuses(opt, ArgumentException.class, "step", Array.of(1.0, 1.0, 1.0));
    refuses(opt, ArgumentException.class, "step", Array.of(1L, 1L));
    refuses(opt, ArgumentException.class, "step", Array.of(1L, -1L, 1L));
    refuses(opt, ShapeException.class, "v.2", Array.ones(2));
    Array gone;
    try (Scope _ = Scope.open()) {
      gone = Array.scalar(0).add(1.0);
    }
    refuses(opt, ScopeException.class, "v.2", gone);
    refuses(opt, DTypeException.class, "v.1", Array.ones(1));
    refusesNull("state", () -> opt.state(null));
    own.forEach((name, array) -> assertTrue(array.arrayEqual(opt.state().get(name)), name));
    assertEquals(
        "expected the state of 3 parameters of adam with the names"
            + " [\"step\" \"m.0\" \"m.1\" \"m.2\" \"v.0\" ...], got [\"step\"]",
        assertThrows(
                ArgumentException.class, () -> opt.state(new Optimizer(SGD, parameters()).state()))
            .getMessage());
  }

  /** A state of zeros with another array in it. */
  private static void refuses(
      Optimizer opt, Class<? extends NdException> error, String name, Array other) {
    Map<String, Array> state = new HashMap<>(new Optimizer(opt.rule(), parameters()).state());
    state.put(name, other);
    assertThrows(error, () -> opt.state(state), name);
  }

  @Test
  void slotsAreThoseOfAParameter() {
    Optimizer opt = new Optimizer(Sgd.of(0.5).withMomentum(0.9), List.of(Array.ones(2)));
    assertEquals(1, opt.slots(0).size());
    assertThrows(IndexException.class, () -> opt.slots(1));
    assertThrows(IndexException.class, () -> opt.slots(-1));
  }
}
