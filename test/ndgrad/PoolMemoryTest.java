package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** The memory that is kept must not be what a program is short of. */
class PoolMemoryTest {

  /** In a heap of 64 MiB: 45 MB wait to be used again when 40 MB are asked for. */
  static final class Short {
    public static void main(String[] args) {
      Memory.setLimit(50_000_000);
      for (int i = 0; i < 9; i++) {
        try (Scope _ = Scope.open()) {
          for (int j = 0; j < 5; j++) {
            Array.zeros(125_000 + 5 * i + j);
          }
        }
      }
      long held = Memory.kept().held();
      Array large = Array.zeros(5_000_000);
      System.out.println(
          (held > 40_000_000) + " " + large.size() + " " + (Memory.kept().held() < held));
    }
  }

  /** In a heap of 64 MiB: a scope around a loop that makes 800 MB of garbage. */
  static final class Long {
    public static void main(String[] args) {
      Array sum = Array.zeros(125_000);
      try (Scope s = Scope.open()) {
        Array first = Array.zeros(10);
        for (int i = 0; i < 800; i++) {
          sum.addInPlace(Array.ones(125_000).exp());
        }
        s.keep(first);
        System.out.println(first.add(1).get(0).item());
      }
    }
  }

  /** In a heap of 64 MiB: a scope around a loop that makes 900 MB of gradients. */
  static final class Gradients {
    public static void main(String[] args) {
      try (Scope _ = Scope.open()) {
        for (int i = 0; i < 300; i++) {
          Array x = Array.ones(125_000).requiresGrad(true);
          x.mul(x).sum().backward();
        }
      }
      System.out.println("done");
    }
  }

  /** In a heap of 64 MiB: arrays of 900 kB until it is full. */
  static final class Full {
    public static void main(String[] args) {
      List<Array> all = new ArrayList<>();
      try {
        while (true) {
          all.add(Array.zeros(112_500));
        }
      } catch (ShapeException e) {
        all.clear();
        System.out.println(e.getMessage());
      }
    }
  }

  private static String run(Class<?> main) throws IOException, InterruptedException {
    Process p =
        new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx64m",
                "-cp",
                System.getProperty("java.class.path"),
                main.getName())
            .redirectErrorStream(true)
            .start();
    String output = new String(p.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    assertEquals(0, p.waitFor(), output);
    return output.lines().toList().getLast();
  }

  @Test
  void isLetGoWhenTheHeapRunsShort() throws Exception {
    assertEquals("true 5000000 true", run(Short.class));
  }

  @Test
  void aLongScopeKeepsItsGarbageFromNobody() throws Exception {
    assertEquals("1.0", run(Long.class));
  }

  @Test
  void aLongScopeKeepsItsGradientsFromNobody() throws Exception {
    assertEquals("done", run(Gradients.class));
  }

  @Test
  void whatDoesNotFitIsTold() throws Exception {
    String message = run(Full.class);
    assertTrue(message.contains("needs 878 KiB"), message);
  }

  @Test
  void theLimitIsKept() {
    long before = Memory.kept().limit();
    try {
      Memory.setLimit(100_000);
      try (Scope _ = Scope.open()) {
        for (int i = 0; i < 10; i++) {
          Array.zeros(5000);
        }
      }
      assertTrue(Memory.kept().held() <= 100_000);
      assertThrows(ArgumentException.class, () -> Memory.setLimit(-1));
      assertEquals(100_000, Memory.kept().limit());
      Memory.clear();
      assertEquals(0, Memory.kept().held());
    } finally {
      Memory.setLimit(before);
    }
  }
}
