package ndgrad.kernel.sort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.Arrays;
import java.util.Random;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.SortKernel;
import ndgrad.kernel.code.VectorSorts;
import org.junit.jupiter.api.Test;

class LongQuickTest {
  private static final int N = 100_000;

  /** The kernel, and how many keys have been split by it. */
  private static final class Counting implements SortKernel {
    private final SortKernel kernel = VectorSorts.compile(DType.INT64);
    private long split;

    @Override
    public void blocks(Object keys, int from, int to) {
      kernel.blocks(keys, from, to);
    }

    @Override
    public int split(Object keys, int from, int to, long pivot, Object spare) {
      split += to - from;
      return kernel.split(keys, from, to, pivot, spare);
    }

    @Override
    public void toKeys(Object numbers, int p, Object keys, int q, int n) {
      kernel.toKeys(numbers, p, keys, q, n);
    }

    @Override
    public void toNumbers(Object keys, int p, Object numbers, int q, int n) {
      kernel.toNumbers(keys, p, numbers, q, n);
    }
  }

  /** Each value is split off twice at most, from what a sort of random keys would split. */
  @Test
  void equalKeysAreSplitOffAtOnce() {
    assumeTrue(Forms.lanes(DType.INT64) > 0, "vectors");
    Random random = new Random(1);
    for (int values : new int[] {1, 2, 3, 10, 100}) {
      long[] keys = IntStream.range(0, N).mapToLong(_ -> random.nextInt(values)).toArray();
      long[] want = keys.clone();
      Arrays.sort(want);
      Counting counting = new Counting();
      new LongQuick(counting, keys, 0, N).sort(0, N, 64);
      assertArrayEquals(want, keys);
      int levels = 2 + 2 * (Integer.SIZE - Integer.numberOfLeadingZeros(values - 1));
      assertTrue(
          counting.split <= (long) levels * N,
          values + " values: " + counting.split + " keys split");
    }
  }
}
