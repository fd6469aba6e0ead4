package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.junit.jupiter.api.Test;

/** Modes as Java callers open and close them. */
class AutogradTest {
  private static final Array NEGATIVE = Array.of(-1.0);

  @Test
  void aModeIsClosedOnce() {
    Autograd.Scope first = Autograd.noGrad();
    first.close();
    try (var _ = Autograd.noGrad()) {
      first.close();
      assertFalse(Autograd.isEnabled());
    }
    assertTrue(Autograd.isEnabled());
  }

  @Test
  void aModeIsClosedByItsThread() {
    try (var _ = Autograd.noGrad();
        var on = Autograd.enableGrad()) {
      CompletableFuture<Void> elsewhere = CompletableFuture.runAsync(on::close);
      Throwable cause = assertThrows(CompletionException.class, elsewhere::join).getCause();
      assertEquals(ScopeException.class, cause.getClass());
      assertTrue(CompletableFuture.supplyAsync(Autograd::isEnabled).join());
    }
    assertTrue(Autograd.isEnabled());
  }

  @Test
  void anomalyModeIsClosedOnce() {
    Autograd.Scope first = Autograd.detectAnomaly();
    try (var _ = Autograd.detectAnomaly()) {
      first.close();
      first.close();
      assertThrows(AnomalyException.class, NEGATIVE::log);
    }
    assertTrue(Double.isNaN(NEGATIVE.log().item()));
    try (var _ = Autograd.detectAnomaly()) {
      assertThrows(AnomalyException.class, NEGATIVE::log);
    }
  }
}
