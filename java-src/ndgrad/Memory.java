package ndgrad;

import ndgrad.kernel.memory.Pool;

/**
 * The memory that ndgrad keeps to use again. Arrays come to it from a {@link Scope} that is closed,
 * and from inside the library: intermediate values of ops and backward passes, gradients that
 * nobody has looked at.
 */
public final class Memory {
  private Memory() {}

  /**
   * What waits to be used again, and how often it was.
   *
   * @param held bytes that wait; they are let go when the heap runs short
   * @param limit the most bytes that may wait
   * @param arrays how many primitive arrays wait
   * @param hits how often one was used again
   * @param misses how often there was none of the size, so that a fresh one was made
   */
  public record Kept(long held, long limit, int arrays, long hits, long misses) {}

  /**
   * What the process keeps now.
   *
   * @return a snapshot
   */
  public static Kept kept() {
    Pool.Stats s = Pool.shared().stats();
    return new Kept(s.held(), s.limit(), s.arrays(), s.hits(), s.misses());
  }

  /**
   * Sets how much may wait to be used again; what is more is let go at once. At first the system
   * property {@code ndgrad.pool.bytes}, without it a quarter of the largest heap.
   *
   * @param bytes 0 or more; with 0 nothing is kept
   * @throws ArgumentException when it is negative; nothing has changed then
   */
  public static void setLimit(long bytes) {
    if (bytes < 0) {
      throw new ArgumentException(
          "the bytes that are kept must not be negative, got " + bytes, "bytes", bytes);
    }
    Pool.shared().limit(bytes);
  }

  /** Lets go of all that waits. */
  public static void clear() {
    Pool.shared().clear();
  }
}
