package ndgrad;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.LongStream;
import ndgrad.kernel.Threads;
import ndgrad.kernel.random.Philox;
import org.junit.jupiter.api.Test;

/** Known answers, moments, independence of threads, and what is refused. */
class RandomTest {
  private static final int MANY = 200_000;
  private static final Random.Key KEY = Random.key(42);

  /**
   * Words of NumPy's Philox(key=[1, 2], counter=[2**64-1, 3, 4, 5]), which counts up before its
   * first block.
   */
  @Test
  void philoxGivesTheWordsOfNumPys() {
    long[] words = new long[4];
    Philox.block(1, 2, 0, 4, 4, 5, words);
    String[] expected = {
      "17150360182531561553", "831164606786344429", "14934250909629186868", "6138245461530176909"
    };
    assertArrayEquals(expected, LongStream.of(words).mapToObj(Long::toUnsignedString).toArray());
    Philox.block(0, 0, 0, 0, 0, 0, words);
    String[] zeros = {
      "16554d9eca36314c", "db20fe9d672d0fdc", "d7e772cee186176b", "7e68b68aec7ba23b"
    };
    assertArrayEquals(zeros, LongStream.of(words).mapToObj(Long::toHexString).toArray());
  }

  /** From dev/draws.py: NumPy's Philox and the normal quantile of Python's statistics module. */
  @Test
  void aSeedGivesTheseNumbersEverywhere() {
    double[] uniform = {
      0.653938184773127,
      0.2982192438997011,
      0.9142282759283867,
      0.8852731545474829,
      0.8201981478608876
    };
    double[] normal = {
      0.3959747840709414,
      -0.5295290645051612,
      1.3672612016448187,
      1.2017673184853805,
      0.9161204856345221
    };
    float[] single = {
      0.6539381742477417f, 0.20618611574172974f, 0.2982192039489746f, 0.5870640873908997f
    };
    float[] singleNormal = {
      0.3959747850894928f, -0.8197259902954102f, -0.5295290350914001f, 0.21999917924404144f
    };
    assertArrayEquals(uniform, Random.with(KEY).rand(5).toDoubleArray());
    assertArrayEquals(normal, Random.with(KEY).randn(5).toDoubleArray(), 1e-15);
    Draw singles = Random.with(KEY).dtype(DType.FLOAT32);
    assertArrayEquals(single, singles.rand(4).toFloatArray());
    assertArrayEquals(Arrays.copyOf(single, 3), singles.rand(3).toFloatArray());
    assertArrayEquals(singleNormal, singles.randn(4).toFloatArray(), 1e-6f);
    assertArrayEquals(new long[] {6, 2, 2, 5, 9}, Random.with(KEY).randint(0, 10, 5).toLongArray());
    assertArrayEquals(
        new long[] {65393818477L, 29821924389L, 91422827592L},
        Random.with(KEY).randint(0, 100_000_000_000L, 3).toLongArray());
    double[] more = Random.with(KEY).rand(4098).toDoubleArray();
    assertEquals(0.07809626210893295, more[4096]);
    assertEquals(0.8596270680807414, more[4097]);
  }

  @Test
  void numbersDoNotDependOnTheThreads() {
    int before = Threads.numThreads();
    Function<Draw, Array> all =
        d ->
            d.truncatedNormal(0, 1, -1, 3, MANY)
                .add(d.randn(MANY))
                .add(d.randint(0, 1L << 62, MANY).astype(DType.FLOAT64))
                .add(d.randint(0, 10, MANY))
                .add(d.randperm(MANY));
    try {
      Threads.setNumThreads(1);
      double[] alone = all.apply(Random.with(KEY)).toDoubleArray();
      Threads.setNumThreads(4);
      assertArrayEquals(alone, all.apply(Random.with(KEY)).toDoubleArray());
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void seedsAndKeysRepeat() {
    Random.manualSeed(7);
    double[] first = Random.randn(3).toDoubleArray();
    double[] second = Random.randn(3).toDoubleArray();
    Random.manualSeed(7);
    assertArrayEquals(first, Random.randn(3).toDoubleArray());
    assertArrayEquals(second, Random.randn(3).toDoubleArray());
    assertTrue(!Arrays.equals(first, second));
    assertEquals(KEY.split(2), KEY.split(3).subList(0, 2));
    assertNotEquals(KEY.split(2).get(0), KEY.split(2).get(1));
    assertNotEquals(KEY.split(1).get(0), KEY.foldIn(0));
    assertEquals(KEY.foldIn(5), Random.key(42).foldIn(5));
    assertArrayEquals(
        Random.with(KEY.generator()).rand(5000).toDoubleArray(),
        Random.with(KEY.generator()).rand(5000).toDoubleArray());
  }

  /** Five standard errors, which a right generator passes for this key and a wrong one hardly. */
  private static void moments(Array drawn, double mean, double variance, double kurtosis) {
    double[] d = drawn.toDoubleArray();
    double m = Arrays.stream(d).average().orElseThrow();
    double v = Arrays.stream(d).map(x -> (x - m) * (x - m)).average().orElseThrow();
    assertEquals(mean, m, 5 * Math.sqrt(variance / d.length));
    assertEquals(variance, v, 5 * variance * Math.sqrt((kurtosis - 1) / d.length));
  }

  @Test
  void momentsAreRight() {
    moments(Random.with(KEY).rand(MANY), 0.5, 1 / 12.0, 1.8);
    moments(Random.with(KEY).dtype(DType.FLOAT32).uniform(-3, 1, MANY), -1, 16 / 12.0, 1.8);
    moments(Random.with(KEY).normal(2, 3, MANY), 2, 9, 3);
    moments(Random.with(KEY).dtype(DType.FLOAT32).normal(2, 3, MANY), 2, 9, 3);
    moments(Random.with(KEY).exponential(2, MANY), 2, 4, 9);
    moments(Random.with(KEY).randint(-5, 6, MANY), 0, 10, 1.8);
    moments(Random.with(KEY).bernoulli(0.3, MANY), 0.3, 0.21, 1.77);
    // Means and variances by numerical integration of the normal density over the interval.
    moments(Random.with(KEY).truncatedNormal(0, 1, 0, 1, MANY), 0.45986219064, 0.07965190095, 2.2);
    moments(Random.with(KEY).truncatedNormal(0, 1, -2, 2, MANY), 0, 0.77374166853, 2.5);
    moments(Random.with(KEY).truncatedNormal(0, 1, 8, 8.5, MANY), 8.11373587868, 0.01052574515, 5);
    moments(
        Random.with(KEY).truncatedNormal(0, 1, -50, -40, MANY), -40.0249663488, 6.226684540e-4, 9);
    moments(Random.with(KEY).truncatedNormal(0, 1, -7, -3, MANY), -3.2830977218, 0.07055920420, 7);
  }

  @Test
  void rangesAreKept() {
    double inf = Double.POSITIVE_INFINITY;
    assertEquals(1e10, Random.with(KEY).truncatedNormal(0, 1e-300, 1e10, inf, 1).item());
    assertEquals(-1e10, Random.with(KEY).truncatedNormal(0, 1e-300, -inf, -1e10, 1).item());
    double[] t = Random.with(KEY).truncatedNormal(5, 2, -9, -1, MANY).toDoubleArray();
    assertTrue(Arrays.stream(t).allMatch(x -> x >= -9 && x <= -1));
    float[] f =
        Random.with(KEY).dtype(DType.FLOAT32).uniform(1, Math.nextUp(1f), MANY).toFloatArray();
    for (float x : f) {
      assertEquals(1f, x);
    }
    long[] wide = Random.with(KEY).randint(Long.MIN_VALUE, Long.MAX_VALUE, 1000).toLongArray();
    assertTrue(LongStream.of(wide).filter(x -> x < 0).count() > 400);
    assertEquals(DType.INT32, Random.with(KEY).dtype(DType.INT32).randint(0, 3, 2).dtype());
  }

  @Test
  void ordersAndChoices() {
    long[] order = Random.with(KEY).randperm(1000).toLongArray();
    assertArrayEquals(LongStream.range(0, 1000).toArray(), LongStream.of(order).sorted().toArray());
    assertTrue(!Arrays.equals(LongStream.range(0, 1000).toArray(), order));
    Array x = Array.of(new double[][] {{1, 2}, {3, 4}, {5, 6}});
    Array p = Random.with(KEY).permutation(x);
    assertEquals(21.0, p.sum().item());
    assertArrayEquals(new int[] {3, 2}, p.shape());
    assertEquals(-1.0, p.toDoubleArray()[0] - p.toDoubleArray()[1]);
    long[] none = Random.with(KEY).withoutReplacement().choice(50, 50).toLongArray();
    assertEquals(50, LongStream.of(none).distinct().count());
    long[] weighted =
        Random.with(KEY).withoutReplacement().probabilities(0.2, 0, 0.8).choice(3, 2).toLongArray();
    assertArrayEquals(new long[] {0, 2}, LongStream.of(weighted).sorted().toArray());
    moments(Random.with(KEY).probabilities(0.25, 0, 0.75).choice(3, MANY), 1.5, 0.75, 2.4);
    assertArrayEquals(new int[] {2, 5, 2}, Random.with(KEY).choice(x, 2, 5).shape());
    Array s = Array.arange(20);
    assertEquals(s, Random.with(KEY).shuffleInPlace(s));
    assertEquals(190.0, s.sum().item());
    assertEquals(1, s.version());
  }

  @Test
  void elementsOfArraysHaveTheDtypeAskedFor() {
    Draw d = Random.with(KEY).dtype(DType.FLOAT32).requiresGrad(true);
    for (Array drawn : List.of(d.permutation(Array.arange(3)), d.choice(Array.arange(3), 2))) {
      assertEquals(DType.FLOAT32, drawn.dtype());
      assertTrue(drawn.requiresGrad());
    }
    assertEquals(DType.INT64, Random.with(KEY).permutation(Array.arange(3)).dtype());
    assertEquals(DType.INT64, d.shuffleInPlace(Array.arange(3)).dtype());
    assertEquals(DType.BOOL, Random.with(KEY).dtype(DType.BOOL).randint(0, 2, 3).dtype());
    assertThrows(DTypeException.class, () -> Random.with(KEY).dtype(DType.BOOL).randint(0, 3, 3));
  }

  /** Between 1024 and 1025 there are 8191 numbers of float32, so many draws round to the bound. */
  @Test
  void uniformNumbersBetweenArraysStayBelowTheBound() {
    for (DType bounds : new DType[] {DType.FLOAT32, DType.FLOAT64, DType.INT64}) {
      Array low = Array.of(1024.0, 1025.0).astype(bounds);
      Array high = Array.of(1025.0, 1025.0).astype(bounds);
      Array drawn = Random.with(KEY).dtype(DType.FLOAT32).uniform(low, high, MANY, 2);
      assertEquals(DType.FLOAT32, drawn.dtype());
      double[] columns = drawn.max(0).toDoubleArray();
      assertTrue(columns[0] < 1025, "below the bound");
      assertEquals(1024.0, drawn.min().item());
      assertEquals(1025, columns[1], "unless it is the least");
    }
    Array low = Array.of(1.0, 2.0).requiresGrad(true);
    Array high = Array.of(3.0, 3.0).requiresGrad(true);
    Random.with(KEY).uniform(low, high, 5, 2).sum().backward();
    double[] share = Random.with(KEY).rand(5, 2).sum(0).toDoubleArray();
    assertArrayEquals(share, high.grad().toDoubleArray(), 1e-12);
    assertArrayEquals(new double[] {5, 5}, high.grad().add(low.grad()).toDoubleArray(), 1e-12);
  }

  @Test
  void integersAreRefusedByADtypeThatDoesNotHoldThem() {
    Draw bool = Random.with(KEY).dtype(DType.BOOL);
    Draw single = Random.with(KEY).dtype(DType.FLOAT32);
    Draw real = Random.with(KEY).dtype(DType.FLOAT64);
    assertThrows(DTypeException.class, () -> bool.randperm(3));
    assertThrows(DTypeException.class, () -> bool.choice(3, 2));
    assertThrows(DTypeException.class, () -> single.choice((1 << 24) + 2, 2));
    assertThrows(DTypeException.class, () -> single.randint(0, (1L << 24) + 2, 2));
    assertThrows(DTypeException.class, () -> real.randint(-(1L << 53) - 1, 0, 2));
    assertEquals(2, bool.randperm(2).size());
    assertEquals(0, bool.randperm(0).size());
    assertEquals(0, bool.choice(0, 0).size());
    assertEquals(1 << 24, (int) single.randint(1L << 24, (1L << 24) + 1, 1).item());
  }

  /** What float32 rounds in a softmax is more than float64 does. */
  @Test
  void probabilitiesMayBeASoftmaxInFloat32() {
    for (int i = 0; i < 100; i++) {
      Array p = Random.with(KEY.foldIn(i)).dtype(DType.FLOAT32).randn(2000).softmax();
      assertEquals(3, Random.with(KEY).probabilities(p).choice(2000, 3).size());
    }
    Draw d = Random.with(KEY);
    assertThrows(ArgumentException.class, () -> d.probabilities(Array.of(0.5, 0.50001)));
    assertThrows(
        ShapeException.class, () -> d.probabilities(Array.of(new double[][] {{0.5, 0.5}})));
  }

  /** The chance of each order of three is 1/6. */
  @Test
  void everyOrderIsAsLikely() {
    int[] count = new int[27];
    for (int i = 0; i < 6000; i++) {
      long[] o = Random.with(KEY.foldIn(i)).randperm(3).toLongArray();
      count[(int) (9 * o[0] + 3 * o[1] + o[2])]++;
    }
    int[] seen = Arrays.stream(count).filter(c -> c > 0).toArray();
    assertEquals(6, seen.length);
    for (int c : seen) {
      assertEquals(1000, c, 5 * Math.sqrt(6000 * 5 / 36.0));
    }
  }

  /** Numbers of each sixteenth go to each sixteenth of the places alike; so do all neighbours. */
  @Test
  void anOrderOfManyIsUniform() {
    int n = MANY + 5;
    long[] order = Random.with(KEY).randperm(n).toLongArray();
    assertArrayEquals(LongStream.range(0, n).toArray(), LongStream.of(order).sorted().toArray());
    int[] places = new int[256];
    int[] neighbours = new int[256];
    for (int i = 0; i < n; i++) {
      places[(int) (16L * i / n * 16 + 16 * order[i] / n)]++;
      neighbours[(int) (16 * order[(i + 1) % n] / n * 16 + 16 * order[i] / n)]++;
    }
    for (int[] counts : List.of(places, neighbours)) {
      double expected = n / 256.0;
      double chi = Arrays.stream(counts).mapToDouble(c -> (c - expected) * (c - expected)).sum();
      assertEquals(225, chi / expected, 5 * Math.sqrt(2 * 225));
    }
  }

  @Test
  void parametersCarryGradients() {
    Array mean = Array.of(1.0, 2.0).requiresGrad(true);
    Array std = Array.of(0.1, 0.2).requiresGrad(true);
    Array z = Random.with(KEY).randn(3, 2);
    Array drawn = Random.with(KEY).normal(mean, std, 3, 2);
    drawn.sum().backward();
    assertArrayEquals(new double[] {3, 3}, mean.grad().toDoubleArray());
    assertArrayEquals(z.sum(0).toDoubleArray(), std.grad().toDoubleArray(), 1e-12);
    assertTrue(Random.draw().requiresGrad(true).randn(2).isLeaf());
  }

  @Test
  void wrongParametersAreRefused() {
    Draw d = Random.with(KEY);
    assertThrows(ArgumentException.class, () -> d.uniform(1, 0, 2));
    assertThrows(ArgumentException.class, () -> d.uniform(-1e308, 1e308, 2));
    assertEquals(
        List.of(3.0, 2.0),
        assertThrows(
                ArgumentException.class, () -> d.uniform(Array.of(1.0, 3.0), Array.scalar(2), 2))
            .data()
            .get("given"));
    assertEquals(
        "shuffle!: needs an array of at least one dimension, got a 0-d array",
        assertThrows(ShapeException.class, () -> d.shuffleInPlace(Array.scalar(1))).getMessage());
    assertThrows(ArgumentException.class, () -> d.normal(0, -1, 2));
    assertThrows(ArgumentException.class, () -> d.normal(Double.NaN, 1, 2));
    assertThrows(ArgumentException.class, () -> d.truncatedNormal(0, 1, 2, 1, 2));
    assertThrows(ArgumentException.class, () -> d.bernoulli(1.5, 2));
    assertThrows(ArgumentException.class, () -> d.bernoulli(Array.of(0.5, Double.NaN), 2));
    assertThrows(ArgumentException.class, () -> d.randint(3, 3, 2));
    assertThrows(ArgumentException.class, () -> d.choice(0, 2));
    assertEquals(
        "choice: cannot take 4 out of 3 elements without replacement",
        assertThrows(ArgumentException.class, () -> d.withoutReplacement().choice(3, 4))
            .getMessage());
    assertThrows(ArgumentException.class, () -> d.probabilities(0.5, 0.6));
    assertThrows(ArgumentException.class, () -> d.probabilities(1.5, -0.5));
    assertThrows(ArgumentException.class, () -> d.probabilities(0.5, 0.5).choice(3, 4));
    assertThrows(ArgumentException.class, () -> KEY.split(-1));
    assertThrows(ShapeException.class, () -> d.rand(-1));
    assertThrows(ShapeException.class, () -> d.permutation(Array.scalar(1)));
    assertThrows(ShapeException.class, () -> d.normal(Array.of(1.0, 2.0), Array.of(1.0), 3));
    assertThrows(DTypeException.class, () -> d.dtype(DType.INT64).rand(2));
    assertThrows(DTypeException.class, () -> d.dtype(DType.INT32).randint(0, 1L << 40, 2));
    assertThrows(DTypeException.class, () -> d.requiresGrad(true).randint(0, 4, 2));
  }
}
