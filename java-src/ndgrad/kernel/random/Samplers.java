package ndgrad.kernel.random;

import java.util.function.DoubleSupplier;
import java.util.random.RandomGenerator;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Fills arrays with random numbers. An array is filled in chunks of fixed length, each from a
 * generator of its own, so that the numbers do not depend on how many threads share the work; and
 * only exact arithmetic, StrictMath and kernels, whose bits are the same everywhere, take part, so
 * that they do not depend on the machine. A number of float64 takes 64 random bits, one of float32
 * takes 32.
 */
public final class Samplers {
  private static final int CHUNK = 4096;

  /** Numbers from which on an order is found in parts. */
  private static final int SCATTERED = 1 << 16;

  private static final int PARTS = 1 << Byte.SIZE;

  /** Bytes of a chunk's words. */
  private static final int BYTES = CHUNK * Long.BYTES;

  /** A chunk that is behind those of all bytes that there can be. */
  private static final int BEHIND_BYTES = 1 << 16;

  /** Normal numbers that are drawn at a time where they are used one by one. */
  private static final int SOME = 64;

  private static final double UNIT = 0x1p-53;
  private static final double SINGLE_UNIT = 0x1p-24;

  private Samplers() {}

  /** Where the bits come from. */
  public interface Source {
    /**
     * The generator of one chunk.
     *
     * @param chunk which chunk
     * @return a generator that no other thread uses meanwhile
     */
    RandomGenerator chunk(int chunk);

    /**
     * Whether chunks may be filled at the same time.
     *
     * @return false when all share one generator
     */
    boolean isParallel();
  }

  /** A distribution of real numbers. */
  @FunctionalInterface
  public interface Sampler {
    /**
     * Draws some numbers.
     *
     * @param g where the bits come from
     * @param out overwritten; float32 or float64, of one dimension, its elements side by side
     */
    void fill(RandomGenerator g, Strided out);
  }

  /**
   * Draws a row-major array of reals.
   *
   * @param dtype float32 or float64
   * @param shape the shape
   * @param source where the bits come from
   * @param sampler the distribution
   * @return a fresh array
   */
  public static Strided reals(DType dtype, int[] shape, Source source, Sampler sampler) {
    Strided out = Strided.empty(dtype, shape);
    Layout all = Layout.of(out.layout().intSize());
    chunks(
        all.intSize(),
        source,
        (g, from, to) -> sampler.fill(g, out.with(all.slice(0, from, to - from, 1))));
    return out;
  }

  /**
   * Draws a row-major array of int64, uniform over {@code low <= n < low + range}, without bias.
   *
   * @param shape the shape
   * @param source where the bits come from
   * @param low the least number
   * @param range how many numbers there are, unsigned; 0 stands for all 2⁶⁴
   * @return a fresh array
   */
  public static Strided integers(int[] shape, Source source, long low, long range) {
    Strided out = Strided.empty(DType.INT64, shape);
    long[] a = (long[]) out.array();
    chunks(
        a.length,
        source,
        (g, from, to) -> {
          Bounded bounded = new Bounded(g);
          for (int i = from; i < to; i++) {
            a[i] = low + bounded.below(range);
          }
        });
    return out;
  }

  /**
   * Draws a row-major array of truth values.
   *
   * @param shape the shape
   * @param source where the bits come from
   * @param p the probability of true, from 0 to 1, taken in units of 2⁻³²
   * @return a fresh array
   */
  public static Strided truths(int[] shape, Source source, double p) {
    Strided out = Strided.empty(DType.BOOL, shape);
    boolean[] a = (boolean[]) out.array();
    long bound = Math.round(p * 0x1p32);
    chunks(
        a.length,
        source,
        (g, from, to) -> {
          for (int i = from; i < to; i += 2) {
            long bits = g.nextLong();
            a[i] = bits >>> 32 < bound;
            if (i + 1 < to) {
              a[i + 1] = (bits & 0xFFFFFFFFL) < bound;
            }
          }
        });
    return out;
  }

  /**
   * A random order of 0 to n-1: the shuffle of Fisher and Yates, as Durstenfeld wrote it; of many
   * numbers {@link #scattered} first, so that each shuffle stays in the caches of a thread.
   *
   * @param n how many numbers
   * @param first how many of them are needed
   * @param source where the bits come from
   * @return a fresh array, whose first numbers are a uniform draw without replacement
   * @throws ShapeException when all of them are more than the heap can hold
   */
  public static long[] order(int n, int first, Source source) {
    long[] a = (long[]) Strided.empty(DType.INT64, n).storage().escape();
    if (first == n && n >= SCATTERED && source.isParallel()) {
      scattered(a, source);
      return a;
    }
    for (int i = 0; i < n; i++) {
      a[i] = i;
    }
    shuffle(a, 0, n, first, source.chunk(0));
    return a;
  }

  /**
   * Each number goes to one of 256 parts at random, and each part is shuffled (C. R. Rao,
   * "Generation of random permutations of given number of elements using random sampling numbers",
   * 1961).
   */
  private static void scattered(long[] a, Source source) {
    int n = a.length;
    byte[] part = new byte[n];
    chunks(
        n,
        BYTES,
        source,
        (g, from, to) -> {
          for (int i = from; i < to; i += Long.BYTES) {
            long word = g.nextLong();
            for (int k = i; k < Math.min(to, i + Long.BYTES); k++, word >>>= Byte.SIZE) {
              part[k] = (byte) word;
            }
          }
        });
    int[] ends = new int[PARTS];
    for (byte p : part) {
      ends[p & PARTS - 1]++;
    }
    for (int p = 0, sum = 0; p < PARTS; p++) {
      int count = ends[p];
      ends[p] = sum;
      sum += count;
    }
    for (int i = 0; i < n; i++) {
      a[ends[part[i] & PARTS - 1]++] = i;
    }
    Threads.parallelFor(
        PARTS,
        1,
        (from, to) -> {
          for (int p = from; p < to; p++) {
            int begin = p == 0 ? 0 : ends[p - 1];
            shuffle(a, begin, ends[p], ends[p] - begin, source.chunk(BEHIND_BYTES + p));
          }
        });
  }

  /** Shuffles a stretch of an array, of which the first so many places are needed. */
  private static void shuffle(long[] a, int from, int to, int first, RandomGenerator g) {
    Bounded bounded = new Bounded(g);
    for (int i = from; i < from + Math.min(first, to - from - 1); i++) {
      int j = i + (int) bounded.below(to - i);
      long swap = a[i];
      a[i] = a[j];
      a[j] = swap;
    }
  }

  /**
   * Numbers below a bound, without bias: D. Lemire, "Fast random integer generation in an interval"
   * (2019). Up to a bound of 2³² each word of bits serves two, the upper half first.
   */
  private static final class Bounded {
    private static final long HALF = 0xFFFFFFFFL;

    private final RandomGenerator g;
    private long word;
    private boolean isHalf;

    Bounded(RandomGenerator g) {
      this.g = g;
    }

    /** A number less than the bound, unsigned; 0 stands for 2⁶⁴. */
    long below(long bound) {
      if (bound <= 0 || bound > HALF) {
        return far(bound);
      }
      long product = half() * bound;
      if ((product & HALF) < bound) {
        long threshold = (HALF + 1) % bound;
        while ((product & HALF) < threshold) {
          product = half() * bound;
        }
      }
      return product >>> 32;
    }

    private long half() {
      if (isHalf) {
        isHalf = false;
        return word & HALF;
      }
      word = g.nextLong();
      isHalf = true;
      return word >>> 32;
    }

    private long far(long bound) {
      long x = g.nextLong();
      if (bound == 0) {
        return x;
      }
      long low = x * bound;
      if (Long.compareUnsigned(low, bound) < 0) {
        long threshold = Long.remainderUnsigned(-bound, bound);
        while (Long.compareUnsigned(low, threshold) < 0) {
          x = g.nextLong();
          low = x * bound;
        }
      }
      return Math.unsignedMultiplyHigh(x, bound);
    }
  }

  private interface Part {
    void fill(RandomGenerator g, int from, int to);
  }

  private static void chunks(int n, Source source, Part part) {
    chunks(n, CHUNK, source, part);
  }

  /** The same in chunks of another size. */
  private static void chunks(int n, int size, Source source, Part part) {
    int chunks = (int) (((long) n + size - 1) / size);
    Threads.Range all =
        (from, to) -> {
          for (int c = from; c < to; c++) {
            part.fill(source.chunk(c), c * size, (int) Math.min(n, (c + 1L) * size));
          }
        };
    if (source.isParallel()) {
      Threads.parallelFor(chunks, 1, all);
    } else {
      all.run(0, chunks);
    }
  }

  /**
   * Uniform numbers.
   *
   * @param low the least number
   * @param high the bound, which is not reached
   * @param dtype the dtype they are meant for, which decides how fine they are
   * @return the distribution
   */
  public static Sampler uniform(double low, double high, DType dtype) {
    return dtype == DType.FLOAT32 ? singles(low, high) : doubles(low, high);
  }

  private static Sampler doubles(double low, double high) {
    double width = high - low;
    double last = Math.nextDown(high);
    return (g, out) -> {
      double[] d = (double[]) out.array();
      int from = out.layout().offset();
      for (int i = from; i < from + out.layout().intSize(); i++) {
        double v = low + width * ((g.nextLong() >>> 11) * UNIT);
        // Rounding may reach the bound.
        d[i] = v < high || low == high ? v : last;
      }
    };
  }

  private static Sampler singles(double low, double high) {
    double width = high - low;
    float last = Math.nextDown((float) high);
    return (g, out) ->
        halves(
            g,
            out,
            bits -> {
              float v = (float) (low + width * ((bits >>> 8) * SINGLE_UNIT));
              return v < high || low == high ? v : last;
            });
  }

  /** A float32 number of 32 random bits. */
  @FunctionalInterface
  private interface OfBits {
    float of(int bits);
  }

  /** Numbers of the upper half of each word and, after it, of the lower. */
  private static void halves(RandomGenerator g, Strided out, OfBits number) {
    float[] f = (float[]) out.array();
    int from = out.layout().offset();
    int to = from + out.layout().intSize();
    for (int i = from; i < to; i += 2) {
      long word = g.nextLong();
      f[i] = number.of((int) (word >>> 32));
      if (i + 1 < to) {
        f[i + 1] = number.of((int) word);
      }
    }
  }

  /**
   * Normal numbers, by inversion: {@link NormalQuantile}.
   *
   * @param mean the mean
   * @param std the standard deviation
   * @return the distribution
   */
  public static Sampler normal(double mean, double std) {
    return (g, out) -> {
      tails(g, out);
      NormalQuantile.invert(out, mean, std);
    };
  }

  /**
   * The probability of a normal number's tail, uniform between 0 and a half and neither; negative
   * for the lower tail. Exact.
   */
  private static void tails(RandomGenerator g, Strided out) {
    // No branch on which tail it is, for nobody could predict it.
    if (out.array() instanceof double[] d) {
      int from = out.layout().offset();
      for (int i = from; i < from + out.layout().intSize(); i++) {
        long word = g.nextLong();
        double tail = (((word ^ word >> 63) >>> 12) + 0.5) * 0x1p-52;
        d[i] = Math.copySign(tail, ~word);
      }
    } else {
      halves(g, out, bits -> Math.copySign((float) (((bits ^ bits >> 31) + 0.5) * 0x1p-32), ~bits));
    }
  }

  /** A uniform number between 0 and 1 that is neither. */
  private static double open(RandomGenerator g) {
    return ((g.nextLong() >>> 12) + 0.5) * 0x1p-52;
  }

  /** Numbers that are drawn one by one. */
  private static void each(Strided out, DoubleSupplier number) {
    int from = out.layout().offset();
    int to = from + out.layout().intSize();
    for (int i = from; i < to; i++) {
      switch (out.array()) {
        case double[] d -> d[i] = number.getAsDouble();
        case float[] f -> f[i] = (float) number.getAsDouble();
        default -> throw new AssertionError(out.dtype());
      }
    }
  }

  /**
   * Exponential numbers, by inversion.
   *
   * @param scale the mean
   * @return the distribution
   */
  public static Sampler exponential(double scale) {
    return (g, out) -> each(out, () -> -scale * StrictMath.log(open(g)));
  }

  /**
   * Normal numbers conditioned on an interval, by the rejection methods of C. P. Robert,
   * "Simulation of truncated normal variables" (Statistics and Computing 5, 1995), which accept
   * often however far in the tail the interval lies.
   *
   * @param mean the mean before truncation
   * @param std the standard deviation before truncation, positive
   * @param low the least number
   * @param high the greatest number
   * @return the distribution
   */
  public static Sampler truncatedNormal(double mean, double std, double low, double high) {
    double a = (low - mean) / std;
    double b = (high - mean) / std;
    boolean mirrored = b < 0;
    // A quotient that has overflowed would take the interval with it.
    double near = Math.min(mirrored ? -b : a, Double.MAX_VALUE);
    double far = mirrored ? -a : b;
    return (g, out) -> {
      DoubleSupplier normals = normals(g);
      each(
          out,
          () -> {
            double z = near > 0 ? tail(g, near, far) : around(g, normals, near, far);
            return Math.clamp(mean + std * (mirrored ? -z : z), low, high);
          });
    };
  }

  /** Standard normal numbers, drawn some at a time. */
  private static DoubleSupplier normals(RandomGenerator g) {
    Strided some = Strided.zeros(DType.FLOAT64, SOME);
    double[] z = (double[]) some.array();
    int[] next = {SOME};
    Sampler standard = normal(0, 1);
    return () -> {
      if (next[0] == SOME) {
        standard.fill(g, some);
        next[0] = 0;
      }
      return z[next[0]++];
    };
  }

  /** The interval holds 0. */
  private static double around(RandomGenerator g, DoubleSupplier normals, double a, double b) {
    boolean wide = b - a > StrictMath.sqrt(2 * Math.PI);
    while (true) {
      double z = wide ? normals.getAsDouble() : a + (b - a) * open(g);
      if (wide ? z >= a && z <= b : open(g) <= StrictMath.exp(-0.5 * z * z)) {
        return z;
      }
    }
  }

  /** The interval lies right of 0. */
  private static double tail(RandomGenerator g, double a, double b) {
    if (a > 1e8) {
      return a; // what is beyond differs by less than rounding
    }
    double root = StrictMath.sqrt(a * a + 4);
    double rate = 0.5 * (a + root);
    boolean wide = b > a + 2 / (a + root) * StrictMath.exp(0.5 + 0.25 * (a * a - a * root));
    while (true) {
      double z = wide ? a - StrictMath.log(open(g)) / rate : a + (b - a) * open(g);
      double log = wide ? -0.5 * (z - rate) * (z - rate) : 0.5 * (a - z) * (a + z);
      if (z <= b && open(g) <= StrictMath.exp(log)) {
        return z;
      }
    }
  }
}
