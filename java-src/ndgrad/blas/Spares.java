package ndgrad.blas;

import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * Working memory that is used over and over again: as much as the processors can be busy with. Safe
 * for any number of threads.
 *
 * @param <T> a piece of it
 */
public final class Spares<T> {
  private static final int MOST = 2 * Runtime.getRuntime().availableProcessors();

  private final ConcurrentLinkedQueue<T> queue = new ConcurrentLinkedQueue<>();
  private final AtomicInteger idle = new AtomicInteger();

  /** Begins with none. */
  public Spares() {}

  /**
   * A piece that nobody uses, of some contents, or a new one.
   *
   * @param make makes a new one
   * @return the caller's until it is given back
   */
  public T take(Supplier<T> make) {
    T spare = queue.poll();
    if (spare == null) {
      return make.get();
    }
    idle.decrementAndGet();
    return spare;
  }

  /**
   * Takes a piece back.
   *
   * @param spare one that the caller will not use any more
   */
  public void give(T spare) {
    if (idle.get() < MOST) {
      idle.incrementAndGet();
      queue.add(spare);
    }
  }
}
