package ndgrad.kernel.convolution;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class TapSumsTest {

  /** A group's results have few products each, but there are as many groups. */
  @Test
  void depthwiseConvolutionsAreWorthSeveralThreads() {
    int tasks = 8 * 64;
    assertTrue(TapSums.grain((long) tasks * 56 * 56, 9, tasks) <= tasks / 8);
    assertEquals(tasks, TapSums.grain((long) tasks * 2 * 2, 9, tasks));
  }
}
