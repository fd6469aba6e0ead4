package ndgrad.kernel.random;

import static org.junit.jupiter.api.Assertions.assertEquals;

import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against NormalDist().inv_cdf of Python's statistics module. */
class NormalQuantileTest {
  @ParameterizedTest
  @CsvSource({
    "1e-300, -37.0470962993612",
    "1e-20, -9.262340089798405",
    "1e-12, -7.034483825301132",
    "0.001, -3.090232306167813",
    "0.07, -1.4757910281791702",
    "0.3, -0.5244005127080407",
    "0.5, 0.0",
    "0.9, 1.2815515655446008",
    "0.93, 1.4757910281791708",
    "0.999, 3.090232306167813",
    "0.999999999999, 7.0344869100478356"
  })
  void agreesWithPython(double p, double z) {
    assertEquals(z, NormalQuantile.of(p), 4 * Math.ulp(z) + 1e-300);
  }
}
