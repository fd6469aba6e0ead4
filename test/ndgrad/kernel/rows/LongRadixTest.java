package ndgrad.kernel.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import ndgrad.kernel.Threads;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class LongRadixTest {
  private final int threads = Threads.numThreads();
  private final Random random = new Random(3);

  @AfterEach
  void putThreadsBack() {
    Threads.setNumThreads(threads);
  }

  /** Few and many, some equal; bits are those that differ between keys. */
  private long[] keys(int n, int bits) {
    return IntStream.range(0, n)
        .mapToLong(i -> bits == 0 ? 7 : random.nextLong() >> Long.SIZE - bits)
        .toArray();
  }

  @Test
  void sortsInAnyNumberOfParts() {
    for (int t : new int[] {1, 2, 3, 4, 9}) {
      Threads.setNumThreads(t);
      for (int n : new int[] {0, 1, 40, 16_384 * t - 1, 16_384 * t, 150_001}) {
        for (int bits : new int[] {0, 3, 20, 33, 64}) {
          long[] keys = keys(n + 5, bits);
          long[] want = keys.clone();
          Arrays.sort(want, 2, 2 + n);
          LongRadix.sort(keys, 2, 2 + n);
          assertArrayEquals(want, keys, n + " keys of " + bits + " bits on " + t);
        }
      }
    }
  }

  @Test
  void numbersMoveWithTheirKeysAndEqualKeysStayInOrder() {
    for (int t : new int[] {1, 2, 5}) {
      Threads.setNumThreads(t);
      for (int bits : new int[] {4, 15, 64}) {
        int n = 90_000;
        long[] keys = keys(n, bits);
        long[] before = keys.clone();
        int[] along = IntStream.range(0, n).toArray();
        LongRadix.sort(keys, 0, n, 0, along);
        int[] want =
            IntStream.range(0, n)
                .boxed()
                .sorted(Comparator.comparingLong(i -> before[i])) // stable
                .mapToInt(i -> i)
                .toArray();
        assertArrayEquals(want, along, bits + " bits on " + t);
        for (int i = 0; i < n; i++) {
          assertEquals(before[along[i]], keys[i]);
        }
      }
    }
  }

  @Test
  void bitsBelowTheLowestDoNotCount() {
    Threads.setNumThreads(2);
    int n = 70_000;
    long[] keys = new long[n];
    for (int i = 0; i < n; i++) {
      keys[i] = (long) random.nextInt(500) - 250 << 32 | i;
    }
    long[] want = keys.clone();
    Arrays.sort(want);
    LongRadix.sort(keys, 0, n, 32, new int[0]);
    assertArrayEquals(want, keys);
  }
}
