package ndgrad.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import org.junit.jupiter.api.Test;

class RowsTest {
  @Test
  void specialisationsAreUpToDate() throws Exception {
    String java = Path.of(System.getProperty("java.home"), "bin", "java").toString();
    Process check =
        new ProcessBuilder(java, "dev/SpecializeRows.java", "--check").inheritIO().start();
    assertEquals(0, check.waitFor(), "run java dev/SpecializeRows.java");
  }
}
