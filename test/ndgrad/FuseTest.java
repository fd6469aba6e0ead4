package ndgrad;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;

/** Fused functions as Java callers meet them; what they compute is tested by ndgrad.fuse-test. */
class FuseTest {
  private static final Array X = Array.of(0.5, -1.0, 2.0);

  private static Array mish(Array x) {
    return x.mul(x.exp().log1p().tanh());
  }

  @Test
  void ofOneArray() {
    AtomicInteger runs = new AtomicInteger();
    Fuse.One fused =
        Fuse.fuse(
            x -> {
              runs.incrementAndGet();
              return mish(x);
            });
    for (int i = 0; i < 3; i++) {
      assertArrayEquals(mish(X).toDoubleArray(), fused.apply(X).toDoubleArray(), 1e-15);
    }
    assertEquals(1, runs.get());
    assertEquals(3L, fused.report().getFirst().get("calls"));
    assertEquals(1, ((List<?>) fused.report().getFirst().get("steps")).size());
    assertArrayEquals(
        Grad.grad(x -> mish(x).sum()).apply(X).toDoubleArray(),
        Grad.grad(x -> fused.apply(x).sum()).apply(X).toDoubleArray(),
        1e-15);
  }

  @Test
  void ofSeveral() {
    Fuse.All fused =
        Fuse.fuses(xs -> List.of(xs.get(0).mul(xs.get(1)).sin(), xs.get(1).exp().add(1).sum()));
    List<Array> ys = fused.apply(List.of(X, X.add(1)));
    assertArrayEquals(X.mul(X.add(1)).sin().toDoubleArray(), ys.get(0).toDoubleArray(), 1e-15);
    assertEquals(X.add(1).exp().add(1).sum().item(), ys.get(1).item(), 1e-12);
    assertEquals(1, fused.report().size());
    assertFalse(fused.report().getFirst().containsKey("fallback"));
  }

  @Test
  void whatCannotBeTracedRunsAsItIs() {
    Fuse.One fused = Fuse.fuse(x -> x.sum().item() > 0 ? x.sin() : x.cos());
    assertArrayEquals(X.sin().toDoubleArray(), fused.apply(X).toDoubleArray());
    assertArrayEquals(X.neg().cos().toDoubleArray(), fused.apply(X.neg()).toDoubleArray());
    assertTrue(fused.report().getFirst().get("fallback").toString().contains("reads elements"));
    assertThrows(ShapeException.class, () -> Fuse.fuse(x -> x.add(Array.ones(2))).apply(X));
  }
}
