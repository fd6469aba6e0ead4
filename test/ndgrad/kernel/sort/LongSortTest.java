package ndgrad.kernel.sort;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Comparator;
import java.util.Random;
import java.util.stream.IntStream;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class LongSortTest extends InForm {
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

  /** All but two elements before and three behind, as longs and as ints. */
  private static void sorts(long[] keys, String what) {
    int to = keys.length - 3;
    int[] ints = Arrays.stream(keys).mapToInt(k -> (int) k).toArray();
    int[] wantInts = ints.clone();
    Arrays.sort(wantInts, 2, to);
    IntSort.sort(ints, 2, to);
    assertArrayEquals(wantInts, ints, what + ", ints");
    long[] longs = keys.clone();
    long[] want = keys.clone();
    Arrays.sort(want, 2, to);
    LongSort.sort(longs, 2, to);
    assertArrayEquals(want, longs, what);
  }

  @Test
  void sortsInAnyNumberOfParts() {
    for (int t : new int[] {1, 2, 3, 4, 9}) {
      Threads.setNumThreads(t);
      for (int n : new int[] {0, 1, 40, 16_384 * t - 1, 16_384 * t, 150_001}) {
        for (int bits : new int[] {0, 3, 20, 33, 64}) {
          sorts(keys(n + 5, bits), n + " keys of " + bits + " bits on " + t);
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
        LongSort.sort(keys, 0, n, 0, along);
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
    LongSort.sort(keys, 0, n, 32, new int[0]);
    assertArrayEquals(want, keys);
  }

  @Test
  void digitsSortAnyNumberOfKeys() {
    for (int n : new int[] {0, 1, 2, 255, 256, 1000, 4095, 4096, 5000}) {
      for (int bits : new int[] {0, 9, 40, 64}) {
        long[] longs = keys(n, bits);
        int[] ints = Arrays.stream(longs).mapToInt(k -> (int) k).toArray();
        long[] want = longs.clone();
        Arrays.sort(want);
        LongSort.sort(longs, 0, n, 0, new int[0]);
        assertArrayEquals(want, longs, n + " keys of " + bits + " bits");
        int[] wantInts = ints.clone();
        Arrays.sort(wantInts);
        IntSort.sort(ints, 0, n, 0, new int[0]);
        assertArrayEquals(wantInts, ints, n + " ints of " + bits + " bits");
      }
    }
  }

  @Test
  void sortsAnyLengthAroundABlock() {
    for (int n = 0; n < 600; n += n < 80 ? 1 : 7) {
      sorts(keys(n + 5, 64), n + " keys");
      sorts(keys(n + 5, 2), n + " keys of few values");
    }
  }

  @Test
  void sortsWhatHasAnOrderAlready() {
    int n = 40_000;
    sorts(IntStream.range(0, n).mapToLong(i -> i).toArray(), "ascending");
    sorts(IntStream.range(0, n).mapToLong(i -> -i).toArray(), "descending");
    sorts(IntStream.range(0, n).mapToLong(i -> Math.abs(i - n / 2)).toArray(), "down and up");
    sorts(IntStream.range(0, n).mapToLong(i -> i % 1000).toArray(), "a saw");
    long[] ends = {Long.MIN_VALUE, Long.MAX_VALUE, Integer.MIN_VALUE, Integer.MAX_VALUE};
    sorts(IntStream.range(0, n).mapToLong(i -> ends[random.nextInt(4)]).toArray(), "ends");
    sorts(IntStream.range(0, n).mapToLong(i -> Long.MAX_VALUE).toArray(), "the largest");
    sorts(IntStream.range(0, n).mapToLong(i -> Integer.MAX_VALUE).toArray(), "the largest int");
  }

  @Test
  void badPivotsAreGivenUp() {
    LongQuick.kernel(0)
        .ifPresent(
            kernel -> {
              long[] keys = keys(5_000, 64);
              long[] want = keys.clone();
              Arrays.sort(want);
              new LongQuick(kernel, keys, 0, keys.length).sort(0, keys.length, 2);
              assertArrayEquals(want, keys);
            });
  }
}
