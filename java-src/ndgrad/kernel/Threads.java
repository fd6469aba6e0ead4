package ndgrad.kernel;

import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import java.util.concurrent.atomic.AtomicReference;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Supplier;
import ndgrad.ArgumentException;

/**
 * The threads that large loops are split over: a small pool of daemon threads that help whoever
 * calls {@link #parallelFor}. A helper looks for new work for some microseconds before it sleeps,
 * so that ops that follow each other closely find it awake. One loop is split at a time; a loop
 * inside another, or one that comes while the pool is busy, runs in its caller alone.
 */
public final class Threads {
  /**
   * How often a thread looks for what it waits for before it sleeps: about 40 µs, what it takes to
   * wake one. Beside other work looking longer harms: a sleeper is given the processor at once, one
   * that has been looking has used up its share.
   */
  private static final int SPINS = 2_000;

  private static final Job NONE = new Job(0, 0, 1, () -> (_, _) -> {}, null);
  private static final AtomicBoolean BUSY = new AtomicBoolean();
  private static volatile Job current = NONE;
  private static volatile Helper[] helpers = {};
  private static volatile int threads = initial();

  private Threads() {}

  /** A part of a loop. */
  @FunctionalInterface
  public interface Range {

    /**
     * Runs a part.
     *
     * @param from the first iteration
     * @param to one after the last
     */
    void run(int from, int to);
  }

  private static int initial() {
    int n = Integer.getInteger("ndgrad.threads", Runtime.getRuntime().availableProcessors());
    return Math.max(1, n);
  }

  /**
   * The number of threads that share a large loop, the caller among them. At first the system
   * property {@code ndgrad.threads}, without it the number of available processors.
   *
   * @return at least 1
   */
  public static int numThreads() {
    return threads;
  }

  /**
   * Sets the number of threads that share a large loop from now on.
   *
   * @param n at least 1, the caller being one of them
   * @throws ArgumentException when n is less than 1
   */
  public static void setNumThreads(int n) {
    if (n < 1) {
      throw new ArgumentException(
          "the number of threads must be at least 1, got " + n, "threads", n);
    }
    threads = n;
  }

  /**
   * Runs the iterations 0 to n-1, in parallel if there are at least two grains of them. Returns
   * when all are done.
   *
   * @param n number of iterations
   * @param grain the number of iterations below which a part is not worth a thread
   * @param body runs a part; parts may run at the same time and in any order, and need not have the
   *     same size
   * @throws RuntimeException what a part threw first; the parts not yet begun are then left out
   */
  public static void parallelFor(int n, int grain, Range body) {
    if (parts(n, grain) > 1) {
      parallelFor(n, grain, () -> body);
    } else if (n > 0) {
      body.run(0, n);
    }
  }

  /** The threads that a loop is worth. */
  private static int parts(int n, int grain) {
    return Math.min(n / Math.max(1, grain), threads);
  }

  /**
   * The same with a body for each thread, which can keep what it needs from part to part.
   *
   * @param n number of iterations
   * @param grain the number of iterations below which a part is not worth a thread
   * @param bodies makes a body: called at most once by each thread
   * @throws RuntimeException what a part threw first; the parts not yet begun are then left out
   */
  public static void parallelFor(int n, int grain, Supplier<? extends Range> bodies) {
    int parts = parts(n, grain);
    if (parts < 2 || !BUSY.compareAndSet(false, true)) {
      if (n > 0) {
        bodies.get().run(0, n);
      }
      return;
    }
    try {
      // Some more parts than threads, so that a helper that is late or slow does not hold up the
      // rest.
      int pieces = Math.min(n / Math.max(1, grain), 4 * parts);
      Job job = new Job(n, pieces, parts, bodies, Thread.currentThread());
      start(job, parts - 1);
      job.work(0);
      job.await();
      current = NONE;
      job.bodies = null;
      job.rethrow();
    } finally {
      BUSY.set(false);
    }
  }

  private static void start(Job job, int help) {
    Helper[] all = helpers;
    if (all.length != threads - 1) {
      all = resize(all, Math.max(help, threads - 1));
    }
    current = job;
    for (int i = 0; i < Math.min(help, all.length); i++) {
      all[i].wake();
    }
  }

  private static Helper[] resize(Helper[] old, int n) {
    Helper[] all = new Helper[n];
    for (int i = 0; i < n; i++) {
      all[i] = i < old.length ? old[i] : new Helper(i);
    }
    helpers = all;
    for (int i = n; i < old.length; i++) {
      old[i].dismiss();
    }
    for (int i = old.length; i < n; i++) {
      all[i].start();
    }
    return all;
  }

  /**
   * One loop. Each thread has its share of the parts, the same one in every loop of the length:
   * what it has written in one loop is in its caches when it reads it in the next. A thread that is
   * done with its own share goes on with what others have left.
   */
  private static final class Job {
    private final int n;
    private final int parts;
    private final int shares;
    private final Thread caller;

    /** Dropped when all is done, for a sleeping helper may hold its last job for long. */
    private Supplier<? extends Range> bodies;

    /** How many parts of each share are taken. */
    private final AtomicIntegerArray claimed;

    private final AtomicInteger done = new AtomicInteger();
    private final AtomicReference<Throwable> failure = new AtomicReference<>();

    Job(int n, int parts, int shares, Supplier<? extends Range> bodies, Thread caller) {
      this.n = n;
      this.parts = parts;
      this.shares = shares;
      this.claimed = new AtomicIntegerArray(shares);
      this.bodies = bodies;
      this.caller = caller;
    }

    /** Runs what there is to run, the share of a thread first. */
    void work(int thread) {
      Range body = null;
      for (int i = 0; i < shares; i++) {
        int share = (thread + i) % shares;
        int first = bound(parts, shares, share);
        int count = bound(parts, shares, share + 1) - first;
        for (int k = claimed.getAndIncrement(share);
            k < count;
            k = claimed.getAndIncrement(share)) {
          body = part(first + k, body);
        }
      }
    }

    /** Runs a part by this thread's body, which is made for the first one. */
    private Range part(int p, Range known) {
      Range body = known;
      if (failure.get() == null) {
        try {
          body = body == null ? bodies.get() : body;
          body.run(bound(n, parts, p), bound(n, parts, p + 1));
        } catch (Throwable t) {
          failure.compareAndSet(null, t);
        }
      }
      if (done.incrementAndGet() == parts && Thread.currentThread() != caller) {
        LockSupport.unpark(caller);
      }
      return body;
    }

    private static int bound(int all, int cuts, int cut) {
      return (int) ((long) all * cut / cuts);
    }

    void await() {
      boolean interrupted = false;
      for (int spins = 0; done.get() < parts; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          LockSupport.park(this);
          interrupted |= Thread.interrupted();
        }
      }
      if (interrupted) {
        caller.interrupt();
      }
    }

    void rethrow() {
      switch (failure.get()) {
        case null -> {}
        case RuntimeException e -> throw e;
        case Error e -> throw e;
        case Throwable t -> throw new IllegalStateException(t);
      }
    }
  }

  private static final class Helper extends Thread {
    private final int index;
    private volatile boolean asleep;
    private volatile boolean dismissed;

    Helper(int index) {
      super("ndgrad-" + (index + 1));
      this.index = index;
      setDaemon(true);
    }

    void wake() {
      if (asleep) {
        LockSupport.unpark(this);
      }
    }

    void dismiss() {
      dismissed = true;
      LockSupport.unpark(this);
    }

    @Override
    public void run() {
      Job job = NONE;
      for (job = next(job); !dismissed; job = next(job)) {
        job.work(index + 1);
      }
    }

    private Job next(Job last) {
      Job job = current;
      for (int spins = 0; (job == last || job == NONE) && !dismissed; spins++) {
        if (spins < SPINS) {
          Thread.onSpinWait();
        } else {
          asleep = true;
          // Looked at once more after the flag is up, or a wake-up in between would be lost.
          job = current;
          if ((job == last || job == NONE) && !dismissed) {
            LockSupport.park(this);
          }
          asleep = false;
        }
        job = current;
      }
      return job;
    }
  }
}
