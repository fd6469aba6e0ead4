package ndgrad.kernel.random;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.SplittableRandom;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import ndgrad.kernel.memory.Dimensions;

/**
 * The keys of {@link Philox}, from which all random numbers come, and the process's sequence of
 * them, which threads share in the order in which they ask.
 */
public final class Keys {
  private static final long DRAW = 0;
  private static final long CALL = 3;
  private static final ThreadLocal<Replay> REPLAY = new ThreadLocal<>();

  private static volatile Calls calls = new Calls(new SplittableRandom().nextLong());

  private Keys() {}

  /** A key: 128 bits. */
  public interface Key {
    /**
     * The first half.
     *
     * @return any number
     */
    long first();

    /**
     * The second half.
     *
     * @return any number
     */
    long second();
  }

  private record Words(long first, long second) implements Key {}

  /** The process's generator: each call takes the next key. */
  private record Calls(long seed, AtomicLong count) {
    Calls(long seed) {
      this(seed, new AtomicLong());
    }
  }

  /**
   * Seeds the process's sequence of keys.
   *
   * @param seed any number
   */
  public static void seed(long seed) {
    calls = new Calls(seed);
  }

  /**
   * The next key of the process's sequence, or of the computation that this thread repeats.
   *
   * @return a key that nobody else is given
   */
  public static Key next() {
    Replay replay = REPLAY.get();
    return replay == null ? fresh() : replay.next();
  }

  private static Key fresh() {
    Calls now = calls;
    long[] words = new long[4];
    Philox.block(now.seed, 0, now.count.getAndIncrement(), 0, 0, CALL, words);
    return new Words(words[0], words[1]);
  }

  /**
   * The bits of one stream of a key.
   *
   * @param key the key
   * @param number which stream
   * @return a new generator, for one thread at a time
   */
  public static RandomGenerator stream(Key key, long number) {
    return new Philox(key.first(), key.second(), number, DRAW);
  }

  /**
   * The bits of a key for arrays, a stream for each chunk.
   *
   * @param key the key
   * @return where to draw from
   */
  public static Samplers.Source source(Key key) {
    return new Samplers.Source() {
      @Override
      public RandomGenerator chunk(int chunk) {
        return stream(key, chunk);
      }

      @Override
      public boolean isParallel() {
        return true;
      }
    };
  }

  /**
   * The bits of a generator of the JDK for arrays, in row-major order. A generator cannot be put
   * back, so a computation that may be repeated keeps its words.
   *
   * @param generator the generator, which advances where they are not repeated
   * @return where to draw from
   */
  public static Samplers.Source source(RandomGenerator generator) {
    return new Samplers.Source() {
      @Override
      public RandomGenerator chunk(int chunk) {
        Replay replay = REPLAY.get();
        return replay == null ? generator : () -> replay.word(generator);
      }

      @Override
      public boolean isParallel() {
        return false;
      }
    };
  }

  /**
   * The keys that a computation took from the process's sequence, and the words it drew from
   * generators of the JDK, to be given to it again when it is repeated.
   */
  public static final class Replay {
    private static final int SOME_WORDS = 64;

    private final List<Key> keys = new ArrayList<>();
    private int at;
    private long[] words = {};
    private int drawn;
    private int wordAt;
    private Replay outer;

    /** Of a computation that has not run yet. */
    public Replay() {}

    /**
     * Runs a computation on this thread: for the first time, or with the keys of the first time.
     *
     * @param <T> what it gives
     * @param body the computation
     * @return what it gives
     */
    public synchronized <T> T run(Supplier<T> body) {
      outer = REPLAY.get();
      at = 0;
      wordAt = 0;
      REPLAY.set(this);
      try {
        return body.get();
      } finally {
        REPLAY.set(outer);
        outer = null;
      }
    }

    private Key next() {
      if (at == keys.size()) {
        keys.add(outer == null ? fresh() : outer.next());
      }
      return keys.get(at++);
    }

    private long word(RandomGenerator generator) {
      if (wordAt == drawn) {
        if (drawn == words.length) {
          words =
              Arrays.copyOf(words, Math.clamp(2L * drawn, SOME_WORDS, Dimensions.MOST_ELEMENTS));
        }
        words[drawn++] = outer == null ? generator.nextLong() : outer.word(generator);
      }
      return words[wordAt++];
    }
  }
}
