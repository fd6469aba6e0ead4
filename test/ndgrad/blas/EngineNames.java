package ndgrad.blas;

import java.util.Arrays;
import java.util.stream.Stream;
import ndgrad.ArgumentException;

/**
 * The engines that the tests of all engines run on: those that the property {@code
 * ndgrad.test.engines} lists, by default the three that ndgrad brings.
 */
public final class EngineNames {
  private EngineNames() {}

  /** Their names. */
  public static Stream<String> all() {
    return Arrays.stream(System.getProperty("ndgrad.test.engines", "java,openblas,mkl").split(","));
  }

  /** Whether an engine is there; says so where it is not, and what is therefore left out. */
  public static boolean isAvailable(String engine, String what) {
    try {
      Engines.get(engine);
      return true;
    } catch (ArgumentException e) {
      System.out.println("SKIP " + what + " on " + engine + ": " + e.getMessage());
      return false;
    }
  }

  /** The names of those that are compared with the Java engine. */
  public static Stream<String> others() {
    return all().filter(name -> !name.equals("java"));
  }
}
