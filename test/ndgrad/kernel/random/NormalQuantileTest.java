package ndgrad.kernel.random;

import static org.junit.jupiter.api.Assertions.assertEquals;

import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Against NormalDist().inv_cdf of Python's statistics module; see dev/draws.py. */
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
    double tail = p < 0.5 ? -p : 1 - p;
    double[] doubles = {tail};
    NormalQuantile.invert(new Strided(new Storage(doubles), Layout.of(1)), 0, 1);
    assertEquals(z, doubles[0], 4 * Math.ulp(z) + 1e-300);
    float[] singles = {(float) tail};
    if (Math.abs(tail) >= 0x1p-33) {
      NormalQuantile.invert(new Strided(new Storage(singles), Layout.of(1)), 2, 3);
      assertEquals(2 + 3 * z, singles[0], 1e-6 * (2 + 3 * Math.abs(z)));
    }
  }

  /** Numbers of 32 bits do not reach beyond these tails; the formula is of two pieces there. */
  @Test
  void float32GoesAsFarAsItsBits() {
    float[] tails = {-0x1p-33f, 0x1p-33f, 0.075f, -0.07499999f, 0.5f};
    double[] z = {
      -6.337957754553789, 6.337957754553789, 1.4395314498849903, -1.4395315551523238, 0
    };
    NormalQuantile.invert(new Strided(new Storage(tails), Layout.of(5)), 0, 1);
    for (int i = 0; i < z.length; i++) {
      assertEquals(z[i], tails[i], 1e-6 * Math.abs(z[i]));
    }
  }
}
