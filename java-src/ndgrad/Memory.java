package ndgrad;

import ndgrad.kernel.memory.Pool;

/**
 * The pool of recycled memory. It receives the memory of arrays when a {@link Scope} is closed, and
 * of the library's own temporaries: intermediate values of ops and backward passes, and gradients
 * that were never read.
 */
public final class Memory {
  private Memory() {}

  /**
   * The state of the pool.
   *
   * @param held the size of the pool in bytes; it is released when the heap runs short
   * @param limit the maximum size in bytes
   * @param arrays the number of primitive arrays in the pool
   * @param hits how often an array was reused
   * @param misses how often a new array was allocated because the pool had none of that size
   */
  public record Kept(long held, long limit, int arrays, long hits, long misses) {}

  /**
   * The current state of the pool.
   *
   * @return a snapshot
   */
  public static Kept kept() {
    Pool.Stats s = Pool.shared().stats();
    return new Kept(s.held(), s.limit(), s.arrays(), s.hits(), s.misses());
  }

  /**
   * Sets the maximum size of the pool; any excess is released at once. The default is the system
   * property {@code ndgrad.pool.bytes}, or else a quarter of the maximum heap.
   *
   * @param bytes 0 or more; 0 switches the pool off
   * @throws ArgumentException when it is negative; nothing has changed then
   */
  public static void setLimit(long bytes) {
    if (bytes < 0) {
      throw new ArgumentException(
          "the bytes that are kept must not be negative, got " + bytes, "bytes", bytes);
    }
    Pool.shared().limit(bytes);
  }

  /** Empties the pool. */
  public static void clear() {
    Pool.shared().clear();
  }
}
