package ndgrad;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.OptionalInt;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.function.Function;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

/** The functional transforms as Java callers meet them. */
class GradTest {
  private static final Array X = Array.of(0.5, -1.0, 2.0);

  private static void same(Array actual, double... expected) {
    assertArrayEquals(expected, actual.toDoubleArray(), 1e-12);
  }

  @Test
  void gradientsOfOneAndOfSeveral() {
    same(Grad.grad(x -> x.mul(x).sum()).apply(X), 1, -2, 4);
    Grad.Valued both = Grad.valueAndGrad(x -> x.mul(x).sum()).apply(X);
    same(both.value(), 5.25);
    same(both.gradient(), 1, -2, 4);
    List<Array> all =
        Grad.grads(xs -> xs.get(0).mul(xs.get(1)).sum()).apply(List.of(X, Array.ones(3), X));
    same(all.get(0), 1, 1, 1);
    same(all.get(1), 0.5, -1, 2);
    same(all.get(2), 0, 0, 0);
    assertFalse(all.get(0).requiresGrad());
  }

  @Test
  void bothDirections() {
    Grad.Vjp back = Grad.vjp(Array::exp, X);
    same(back.pullback().apply(Array.of(1.0, 0.0, 2.0)), Math.exp(0.5), 0, 2 * Math.exp(2));
    Grad.Jvp along = Grad.jvp(Array::exp, X, Array.of(1.0, 0.0, 2.0));
    same(along.value(), Math.exp(0.5), Math.exp(-1), Math.exp(2));
    same(along.tangent(), Math.exp(0.5), 0, 2 * Math.exp(2));
    Grad.Linear linear = Grad.linearize(x -> x.mul(x), X);
    same(linear.jvp().apply(Array.ones(3)), 1, -2, 4);
    same(linear.jvp().apply(X), 0.5, 2, 8);
    same(Grad.hvp(x -> x.pow(3).sum(), X, Array.of(1.0, 1.0, 0.0)), 3, -6, 0);
  }

  @Test
  void allDerivatives() {
    same(Grad.jacobian(x -> x.mul(x)).apply(X), 1, 0, 0, 0, -2, 0, 0, 0, 4);
    for (Grad.Mode mode : Grad.Mode.values()) {
      same(
          Grad.jacobian(x -> x.get(Index.slice(0, 2)).cumsum(), mode, 1).apply(X),
          1,
          0,
          0,
          1,
          1,
          0);
    }
    same(Grad.hessian(x -> x.pow(3).sum()).apply(X), 3, 0, 0, 0, -6, 0, 0, 0, 12);
    List<List<Array>> blocks =
        Grad.jacobians(
            xs -> List.of(xs.get(0).mul(xs.get(1)), xs.get(1).sum()),
            List.of(X, Array.of(2.0)),
            Grad.Mode.AUTO,
            Grad.CHUNK);
    assertEquals(2, blocks.size());
    same(blocks.get(0).get(0), 2, 0, 0, 0, 2, 0, 0, 0, 2);
    same(blocks.get(0).get(1), 0.5, -1, 2);
    same(blocks.get(1).get(0), 0, 0, 0);
    same(blocks.get(1).get(1), 1);
  }

  @Test
  void batches() {
    Array rows = Array.of(new double[][] {{1, 2, 3}, {4, 5, 6}});
    same(Grad.vmap(Grad.grad(x -> x.mul(x).sum())).apply(rows), 2, 4, 6, 8, 10, 12);
    List<Array> sums =
        Grad.vmaps(
                xs -> List.of(xs.get(0).mul(xs.get(1)), xs.get(1)),
                List.of(OptionalInt.of(1), OptionalInt.empty()),
                i -> i == 0 ? OptionalInt.of(1) : OptionalInt.empty())
            .apply(List.of(rows, Array.of(1.0, 10.0)));
    assertArrayEquals(new int[] {2, 3}, sums.get(0).shape());
    same(sums.get(0), 1, 2, 3, 40, 50, 60);
    same(sums.get(1), 1, 10);
  }

  @Test
  void viewsOfABatchShareItsStorage() {
    Array rows = Array.ones(4, 3, 2);
    List<Array> seen = new ArrayList<>();
    Grad.vmap(
            x -> {
              seen.add(x.transpose().get(0));
              return seen.getFirst();
            })
        .apply(rows);
    assertTrue(seen.getFirst().tensor().storage() == rows.tensor().storage());
    assertArrayEquals(new int[] {3}, seen.getFirst().shape());
  }

  @Test
  void checkpointsAndOwnRules() {
    Function<Array, Array> f = x -> x.sin().exp();
    same(
        Grad.grad(x -> Grad.checkpoint(f).apply(x).sum()).apply(X),
        Grad.grad(x -> f.apply(x).sum()).apply(X).toDoubleArray());
    Function<Array, Array> reversed = Grad.customVjp(Array::sum, (x, y, g) -> x.mul(g).neg());
    same(Grad.grad(reversed).apply(X), -0.5, 1, -2);
    same(Grad.jvp(Grad.customJvp(Array::sin, (x, y, t) -> t.mul(3)), X, X).tangent(), 1.5, -3, 6);
    same(Grad.grad(x -> x.mul(Grad.stopGradient(x)).sum()).apply(X), 0.5, -1, 2);
    Custom bare = Grad.custom(xs -> xs);
    assertThrows(GraphException.class, () -> bare.apply(List.of(X)));
  }

  @Test
  void aPullbackTellsWhatDoesNotMatter() {
    Pullback back =
        Grad.vjps(xs -> List.of(xs.get(0).exp(), xs.get(0).argmax()), List.of(X, X)).pullback();
    List<Array> one = new ArrayList<>(List.of(Array.ones(3)));
    one.add(null);
    assertTrue(back.gradients(one, true).get(0).isPresent());
    assertTrue(back.gradients(one, true).get(1).isEmpty());
    same(back.apply(List.of(Array.ones(3), Array.of(0L).sum())).get(1), 0, 0, 0);
    assertThrows(ArgumentException.class, () -> back.apply(List.of(X)));
    assertThrows(ShapeException.class, () -> back.apply(List.of(Array.ones(2), Array.ones(1))));
    back.gradients(one, false);
    assertThrows(GraphException.class, () -> back.gradients(one, true));
  }

  @Test
  void refusals() {
    assertThrows(DTypeException.class, () -> Grad.grad(x -> x.sum()).apply(Array.of(1L)));
    assertThrows(GraphException.class, () -> Grad.grad(x -> x).apply(X));
    assertThrows(ShapeException.class, () -> Grad.jvp(x -> x, X, Array.ones(2)));
    assertThrows(DTypeException.class, () -> Grad.jvp(x -> x, Array.of(1L), Array.of(1.0)));
    assertThrows(ArgumentException.class, () -> Grad.jacobian(x -> x, Grad.Mode.AUTO, 0).apply(X));
  }

  @Test
  void threadsDoNotMeet() throws Exception {
    try (var pool = Executors.newFixedThreadPool(4)) {
      List<Callable<Array>> tasks = new ArrayList<>();
      for (int k = 1; k <= 40; k++) {
        double scale = k;
        tasks.add(() -> Grad.vmap(Grad.grad(x -> x.mul(x).mul(scale))).apply(X));
      }
      var results = pool.invokeAll(tasks);
      for (int k = 1; k <= 40; k++) {
        same(results.get(k - 1).get(), k, -2 * k, 4 * k);
      }
    }
  }

  private static void refused(String message, Executable call) {
    assertEquals(message, assertThrows(ArgumentException.class, call).getMessage());
  }

  @Test
  void errorsNameTheTransformThatWasCalled() {
    Array two = Array.of(1.0, 2.0);
    String several = ": the function to differentiate must return one floating number";
    for (var entry :
        Map.<String, Executable>of(
                "hvp: the tangent has shape [2]",
                () -> Grad.hvp(x -> x.sum(), X, two),
                "hvp" + several,
                () -> Grad.hvp(Array::sin, X, X),
                "hessian" + several,
                () -> Grad.hessian(Array::sin).apply(X),
                "value-and-grad" + several,
                () -> Grad.valueAndGrad(Array::sin).apply(X),
                "grad" + several,
                () -> Grad.grad(Array::sin).apply(X),
                "grad: only floating arrays",
                () -> Grad.grads(xs -> X.sum()).apply(List.of(Array.of(1))))
            .entrySet()) {
      String found = assertThrows(NdException.class, entry.getValue()).getMessage();
      assertTrue(found.startsWith(entry.getKey()), found);
    }
  }

  @Test
  void whatIsNullIsNamed() {
    refused("f must not be null", () -> Grad.grad(null));
    refused("f must not be null", () -> Grad.jvps(null, List.of(X), List.of(X)));
    refused("f must not be null", () -> Grad.custom(null));
    refused("array must not be null", () -> Grad.grad(x -> x.sum()).apply(null));
    refused("array must not be null", () -> Grad.jvp(Array::exp, X, null));
    refused("array must not be null", () -> Grad.vmap(Array::exp).apply(null));
    refused("the list of arrays must not be null", () -> Grad.grads(xs -> X).apply(null));
    refused("cotangent must not be null", () -> Grad.vjp(Array::exp, X).pullback().apply(null));
    refused("mode must not be null", () -> Grad.jacobian(Array::exp, null, 1).apply(X));
    refused("x must not be null", () -> Grad.stopGradient(null));
    refused("rule must not be null", () -> Grad.customVjp(Array::exp, null));
  }

  @Test
  void functionsThatReturnNullAreToldSo() {
    String message = "what the function returns must not be null";
    refused(message, () -> Grad.grad(x -> null).apply(X));
    refused(message, () -> Grad.vjps(xs -> null, List.of(X)));
    refused(message, () -> Grad.jvp(x -> null, X, X));
    refused(message, () -> Grad.jacobian(x -> null).apply(X));
    refused(message, () -> Grad.vmap(x -> null).apply(X));
    refused(message, () -> Grad.checkpoint(x -> null).apply(X));
    refused(message, () -> Grad.customVjp(x -> null, (x, y, g) -> g).apply(X));
    refused(message, () -> Fuse.fuse(x -> null).apply(X));
    refused(message, () -> Fuse.formed(xs -> null).apply(List.of(X)));
    refused(message, () -> GradCheck.check(xs -> null, X));
    refused(
        "what the rule returns must not be null",
        () ->
            Grad.grad(
                    x ->
                        Grad.custom(xs -> xs)
                            .withVjp((xs, ys, gs) -> null)
                            .apply(List.of(x))
                            .getFirst()
                            .sum())
                .apply(X));
  }

  @Test
  void aRuleThatReturnsNullMeansZeros() {
    same(
        Grad.grad(x -> Grad.customVjp(Array::exp, (v, y, g) -> null).apply(x).sum()).apply(X),
        0,
        0,
        0);
  }
}
