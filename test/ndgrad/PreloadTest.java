package ndgrad;

import static org.junit.jupiter.api.Assertions.assertDoesNotThrow;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import org.junit.jupiter.api.Test;

class PreloadTest {
  private static List<Thread> running() {
    return Thread.getAllStackTraces().keySet().stream()
        .filter(t -> t.getName().equals("ndgrad-preload"))
        .toList();
  }

  @Test
  void theOpsItCallsWork() {
    assertDoesNotThrow(Preload::ops);
  }

  @Test
  void startsOnceAndEnds() throws InterruptedException {
    Preload.start();
    for (Thread thread : running()) {
      thread.join(30_000);
      assertFalse(thread.isAlive());
    }
    Preload.start();
    assertTrue(running().isEmpty(), "started again");
  }
}
