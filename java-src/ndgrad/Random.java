package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.random.RandomGenerator;
import ndgrad.kernel.random.Keys;
import ndgrad.kernel.random.Philox;

/**
 * Random arrays. The methods here draw from a global generator, which {@link #manualSeed} seeds;
 * {@link #with(Key)} draws from an explicit key, for functional code, and {@link #draw()} takes
 * options such as dtype or {@code requiresGrad}.
 *
 * <p>The same seed gives the same numbers on every machine, with any number of threads. The global
 * generator is thread-safe; threads that call it take its numbers in the order of their calls.
 *
 * <pre>{@code
 * Random.manualSeed(0);
 * Array w = Random.draw().dtype(DType.FLOAT32).requiresGrad(true).randn(3, 2);
 * Array noise = Random.with(Random.key(1)).uniform(-1, 1, 10);
 * }</pre>
 */
public final class Random {
  private static final long SPLIT = 1;
  private static final long FOLD = 2;

  /** What a key takes in a list, at least. */
  private static final long BYTES = 36;

  private Random() {}

  /**
   * An immutable source of random numbers: the same key gives the same numbers whenever it is used,
   * so use each key once and derive others by {@link #split} or {@link #foldIn}. It is a key of
   * Philox4x64-10, a generator that computes its numbers from a counter (Salmon and others,
   * "Parallel random numbers: as easy as 1, 2, 3", SC 2011).
   *
   * @param first the first word
   * @param second the second word
   */
  public record Key(long first, long second) implements Keys.Key {

    /**
     * Independent keys, to use instead of this one.
     *
     * @param n how many, at least 0
     * @return n keys; the first ones are the same whatever n is
     * @throws ArgumentException when n is negative, or the heap cannot hold so many keys
     */
    public List<Key> split(int n) {
      if (n < 0) {
        throw new ArgumentException("the number of keys must not be negative, got " + n, "n", n)
            .during("split");
      }
      long heap = Runtime.getRuntime().maxMemory();
      if (n > heap / BYTES) {
        throw new ArgumentException(
                n
                    + " keys need "
                    + (n * BYTES >> 20)
                    + " MiB, more than the heap can have ("
                    + (heap >> 20)
                    + " MiB; the flag -Xmx raises it)",
                "n",
                n)
            .during("split");
      }
      List<Key> keys = new ArrayList<>(n);
      for (int i = 0; i < n; i++) {
        keys.add(child(SPLIT, i));
      }
      return List.copyOf(keys);
    }

    /**
     * A key derived from this one and a number, such as the index of a step or a layer.
     *
     * @param number any number
     * @return a key independent of those of other numbers
     */
    public Key foldIn(long number) {
      return child(FOLD, number);
    }

    /**
     * The random bits of this key as a generator of the JDK.
     *
     * @return a new generator, for one thread at a time
     */
    public RandomGenerator generator() {
      return Keys.stream(this, 0);
    }

    private Key child(long purpose, long number) {
      long[] words = new long[4];
      Philox.block(first, second, number, 0, 0, purpose, words);
      return new Key(words[0], words[1]);
    }
  }

  /**
   * The key of a seed.
   *
   * @param seed any number
   * @return the key
   */
  public static Key key(long seed) {
    return new Key(seed, 0);
  }

  /**
   * Seeds the global generator, so that subsequent draws are reproducible.
   *
   * @param seed any number
   */
  public static void manualSeed(long seed) {
    Keys.seed(seed);
  }

  /**
   * Draws from the global generator, with options.
   *
   * @return a Draw, to set options and draw
   */
  public static Draw draw() {
    return Draw.fromProcess();
  }

  /**
   * Draws from a key: the same call gives the same numbers every time.
   *
   * @param key the key
   * @return a Draw, to set options and draw
   */
  public static Draw with(Key key) {
    return Draw.from(key);
  }

  /**
   * Draws from a generator of the JDK, in row-major order.
   *
   * @param generator the generator, which advances
   * @return a Draw, to set options and draw
   */
  public static Draw with(RandomGenerator generator) {
    return Draw.from(generator);
  }

  /**
   * Uniform numbers in [0, 1).
   *
   * @param shape the shape
   * @return float64
   */
  public static Array rand(int... shape) {
    return draw().rand(shape);
  }

  /**
   * Standard normal numbers.
   *
   * @param shape the shape
   * @return float64
   */
  public static Array randn(int... shape) {
    return draw().randn(shape);
  }

  /**
   * Uniform integers.
   *
   * @param low the inclusive lower bound
   * @param high the exclusive upper bound
   * @param shape the shape
   * @return int64
   * @throws ArgumentException when low is not below high
   */
  public static Array randint(long low, long high, int... shape) {
    return draw().randint(low, high, shape);
  }

  /**
   * Uniform numbers.
   *
   * @param low the inclusive lower bound
   * @param high the exclusive upper bound
   * @param shape the shape
   * @return float64
   * @throws ArgumentException when low is greater than high, or one is not finite
   */
  public static Array uniform(double low, double high, int... shape) {
    return draw().uniform(low, high, shape);
  }

  /**
   * Normal numbers.
   *
   * @param mean the mean
   * @param std the standard deviation
   * @param shape the shape
   * @return float64
   * @throws ArgumentException when std is negative
   */
  public static Array normal(double mean, double std, int... shape) {
    return draw().normal(mean, std, shape);
  }

  /**
   * Booleans.
   *
   * @param p the probability of true
   * @param shape the shape
   * @return bool
   * @throws ArgumentException when p is not between 0 and 1
   */
  public static Array bernoulli(double p, int... shape) {
    return draw().bernoulli(p, shape);
  }

  /**
   * A sample of the elements of an array, with replacement.
   *
   * @param from the array, sampled along its first axis
   * @param size the shape of the sample; none for a single element
   * @return an array of that shape, followed by the array's other dimensions
   * @throws ArgumentException when there is nothing to draw from
   */
  public static Array choice(Array from, int... size) {
    return draw().choice(from, size);
  }

  /**
   * The integers in [0, n) in random order.
   *
   * @param n how many
   * @return int64, shape [n]
   */
  public static Array randperm(int n) {
    return draw().randperm(n);
  }

  /**
   * A copy in random order along the first axis.
   *
   * @param x an array of at least one dimension
   * @return the copy
   */
  public static Array permutation(Array x) {
    return draw().permutation(x);
  }
}
