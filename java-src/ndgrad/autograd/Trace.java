package ndgrad.autograd;

import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;

/**
 * A run of a function in which every op is noted, also those of arrays that do not depend on the
 * function's arguments. The arguments and all results are stand-ins ({@link Lift.Traced}) whose
 * elements nobody may read. Confined to the thread that runs it.
 */
public abstract class Trace {
  private static final ThreadLocal<Trace> CURRENT = new ThreadLocal<>();

  /** How many threads are tracing: where it is 0, nobody has to ask for the thread's own. */
  private static final AtomicInteger ACTIVE = new AtomicInteger();

  private final long level = Lift.newLevel();
  private String refused = "";

  /** For recorders. */
  protected Trace() {}

  /**
   * Whether this thread is tracing.
   *
   * @return false almost always, at the cost of reading a field
   */
  public static boolean isOn() {
    return ACTIVE.get() != 0 && CURRENT.get() != null;
  }

  /**
   * The trace of this thread.
   *
   * @return null when it is not tracing
   */
  public static Trace current() {
    return ACTIVE.get() == 0 ? null : CURRENT.get();
  }

  /**
   * Ends the trace of this thread, if there is one, before something is done that it cannot note.
   *
   * @param reason what is done, to follow "it"
   * @throws Untraceable when this thread is tracing
   */
  public static void refuse(String reason) {
    if (isOn()) {
      throw CURRENT.get().refusal(reason);
    }
  }

  /**
   * Notes why this trace cannot go on, in case the function catches what is thrown.
   *
   * @param reason what is done, to follow "it"
   * @return to be thrown
   */
  public final Untraceable refusal(String reason) {
    refused = refused.isEmpty() ? reason : refused;
    return new Untraceable(reason);
  }

  /** Ends the trace if it had been refused before. */
  protected final void requireComplete() {
    if (!refused.isEmpty()) {
      throw new Untraceable(refused);
    }
  }

  /**
   * The level of the stand-ins.
   *
   * @return higher than those of the transforms around, lower than those inside
   */
  public final long level() {
    return level;
  }

  /**
   * Runs something as a part of this trace.
   *
   * @param <T> what it gives
   * @param body what to run
   * @return what it gives
   */
  protected final <T> T run(Supplier<T> body) {
    return in(this, body);
  }

  /**
   * Runs something outside this trace.
   *
   * @param <T> what it gives
   * @param body what to run
   * @return what it gives
   */
  protected final <T> T paused(Supplier<T> body) {
    return in(null, body);
  }

  private static <T> T in(Trace trace, Supplier<T> body) {
    Trace before = CURRENT.get();
    ACTIVE.incrementAndGet();
    CURRENT.set(trace);
    try {
      return body.get();
    } finally {
      CURRENT.set(before);
      ACTIVE.decrementAndGet();
    }
  }

  /**
   * Notes that elements of an array outside the trace were read.
   *
   * @param x no stand-in
   */
  protected abstract void reads(Tensor x);

  /**
   * The same value without its history.
   *
   * @param x a stand-in
   * @return another stand-in
   */
  protected abstract Tensor detached(Tensor x);

  /**
   * Keeps the elements of an array from being recycled: a plan will read them.
   *
   * @param x an array from outside
   */
  protected static void keep(Tensor x) {
    x.escape();
  }
}
