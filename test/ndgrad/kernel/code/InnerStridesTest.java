package ndgrad.kernel.code;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

class InnerStridesTest {
  private static final int[] KNOWN = {0, 1, 2, -1};

  @Test
  void eachOperandHasItsStride() {
    for (int seed = 0; seed < 100; seed++) {
      Random r = new Random(seed);
      int operands = 1 + r.nextInt(InnerStrides.MAX_OPERANDS);
      int[] all = r.ints(operands, 0, KNOWN.length).map(i -> KNOWN[i]).toArray();
      long strides = 0;
      for (int k = 0; k < operands; k++) {
        strides = InnerStrides.with(strides, k, all[k]);
      }
      assertNotEquals(InnerStrides.VARIABLE, strides);
      int some = r.nextInt(operands + 1);
      long first = InnerStrides.first(strides, some);
      for (int k = 0; k < operands; k++) {
        assertEquals(all[k], InnerStrides.of(strides, k), "operand " + k + ", seed " + seed);
        assertEquals(k < some ? all[k] : 0, InnerStrides.of(first, k), "of the first " + some);
      }
    }
  }

  @Test
  void onesAreStridesOfOne() {
    for (int operands = 0; operands <= InnerStrides.MAX_OPERANDS; operands++) {
      long strides = InnerStrides.ones(operands);
      assertEquals(operands, Long.bitCount(strides));
      assertEquals(strides, InnerStrides.first(strides, operands));
    }
  }
}
