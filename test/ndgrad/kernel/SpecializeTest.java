package ndgrad.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

/** The sources derived from others are what those give today. */
class SpecializeTest {
  @Test
  void specialisationsAreUpToDate() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process check = new ProcessBuilder(java, "dev/Specialize.java", "--check").inheritIO().start();
    assertEquals(0, check.waitFor(), "run java dev/Specialize.java");
  }
}
