package ndgrad.kernel.random;

import java.util.random.RandomGenerator;

/**
 * The counter-based generator Philox4x64-10 of Salmon, Moraes, Dror and Shaw, "Parallel random
 * numbers: as easy as 1, 2, 3" (SC 2011): the numbers are a keyed function of a counter, so every
 * part of a stream can be computed by itself. Its words are those of NumPy's {@code Philox} for the
 * same key and counter. Not safe for use by several threads; make one for each.
 */
public final class Philox implements RandomGenerator {
  private static final long MULTIPLIER_0 = 0xD2E7470EE14C6C93L;
  private static final long MULTIPLIER_1 = 0xCA5A826395121157L;
  private static final long WEYL_0 = 0x9E3779B97F4A7C15L;
  private static final long WEYL_1 = 0xBB67AE8584CAA73BL;

  private final long key0;
  private final long key1;
  private final long stream;
  private final long purpose;
  private final long[] words = new long[4];
  private long counter;
  private int next = 4;

  /**
   * The words of one stream of a key, from its beginning.
   *
   * @param key0 the first word of the key
   * @param key1 the second word of the key
   * @param stream which stream: the second word of the counter
   * @param purpose what it is for: the fourth word of the counter, so that streams for different
   *     ends never meet
   */
  public Philox(long key0, long key1, long stream, long purpose) {
    this.key0 = key0;
    this.key1 = key1;
    this.stream = stream;
    this.purpose = purpose;
  }

  /** {@inheritDoc} */
  @Override
  public long nextLong() {
    if (next == 4) {
      block(key0, key1, counter++, stream, 0, purpose, words);
      next = 0;
    }
    return words[next++];
  }

  /**
   * One block of four words.
   *
   * @param key0 the first word of the key
   * @param key1 the second word of the key
   * @param c0 the first word of the counter
   * @param c1 the second word of the counter
   * @param c2 the third word of the counter
   * @param c3 the fourth word of the counter
   * @param out four words, overwritten
   */
  public static void block(long key0, long key1, long c0, long c1, long c2, long c3, long[] out) {
    long k0 = key0;
    long k1 = key1;
    long x0 = c0;
    long x1 = c1;
    long x2 = c2;
    long x3 = c3;
    for (int round = 0; round < 10; round++) {
      long high0 = Math.unsignedMultiplyHigh(MULTIPLIER_0, x0);
      long low0 = MULTIPLIER_0 * x0;
      long high1 = Math.unsignedMultiplyHigh(MULTIPLIER_1, x2);
      long low1 = MULTIPLIER_1 * x2;
      x0 = high1 ^ x1 ^ k0;
      x1 = low1;
      x2 = high0 ^ x3 ^ k1;
      x3 = low0;
      k0 += WEYL_0;
      k1 += WEYL_1;
    }
    out[0] = x0;
    out[1] = x1;
    out[2] = x2;
    out[3] = x3;
  }
}
