package ndgrad.autograd;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

class AnomalyTest {

  @Test
  void isOnForAllWhoSwitchedItOn() throws Exception {
    Callable<Integer> toggle =
        () -> {
          int lost = 0;
          for (int i = 0; i < 50_000; i++) {
            Anomaly.enter();
            for (int look = 0; look < 20; look++) {
              lost += Anomaly.isOn() ? 0 : 1;
            }
            Anomaly.leave();
          }
          return lost;
        };
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      for (Future<Integer> lost : threads.invokeAll(List.of(toggle, toggle))) {
        assertEquals(0, lost.get());
      }
    }
    assertFalse(Anomaly.isOn());
  }

  @Test
  void noFrameOfTheLibraryIsASite() throws IOException {
    for (String sources : List.of("src/ndgrad", "java-src/ndgrad")) {
      try (Stream<Path> files = Files.list(Path.of(sources))) {
        for (Path file : files.toList()) {
          String name = file.getFileName().toString().replaceAll("\\.\\w+$", "");
          String caller =
              Files.isDirectory(file) ? ".Some" : name.matches("[A-Z].*") ? "" : "$some";
          // One namespace may be in several files: those of its ops are core's.
          String className = "ndgrad." + name.replace("core_ops", "core") + caller;
          assertTrue(Anomaly.isInner(className), className);
        }
      }
    }
  }

  @Test
  void namespacesOfUsersAreSites() {
    for (String className :
        List.of("app.core$train", "ndgrad.check_test$f", "ndgrad.examples.charmodel$loss", "App")) {
      assertFalse(Anomaly.isInner(className), className);
    }
  }
}
