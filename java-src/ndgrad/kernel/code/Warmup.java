package ndgrad.kernel.code;

import java.util.concurrent.ScheduledThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import ndgrad.DType;

/**
 * Takes a vector kernel through the JIT, in a background thread and on small data, and puts it in
 * use when it has been seen to be faster than the plain one; on a machine whose vectors are slow it
 * never is. Starts when the plain kernel has run for about as long as that takes.
 */
public final class Warmup {
  /** Work of the plain form that is worth a warm-up, in units of 0.1 ns: 20 ms. */
  private static final long ENOUGH = 200_000_000;

  /** Elements of a run from which on looking at the clock does not matter. */
  private static final int TIMED = 1024;

  /** Calls of a plain form up to which the JIT may have something to learn. */
  static final int YOUNG = 4000;

  /** Wins in a row that show that the JIT is done. */
  private static final int WINS = 5;

  /** Rounds before the first comparison; the JIT wants some thousand calls. */
  private static final int ROUNDS = 10;

  /**
   * Calls with nothing to do in each round: the JIT counts calls, and vectors are slow until it has
   * counted.
   */
  public static final int EMPTY = 500;

  /** How often an assumption of the JIT has to fail before it compiles without it. */
  static final int TRAPS = 4;

  /**
   * How many times what it is reckoned to take a compiled vector form may take: where the first
   * compiler alone has been at work, it is more.
   */
  private static final int SLACK = 6;

  /** Comparisons after which a vector form is given up: its compilation went wrong. */
  private static final int COMPARISONS = 400;

  /** Vector forms that are tried before a kernel is left as it is. */
  private static final int FORMS = 3;

  /** Running time after which a vector form is given up. */
  private static final long PATIENCE = TimeUnit.SECONDS.toNanos(2);

  /**
   * What is left to the first call of an op, which is under way and wants the JIT to itself, in
   * milliseconds.
   */
  private static final long PAUSE = 60;

  /** The longest rest between two rounds, in milliseconds. */
  private static final long REST = 20;

  /** Running time of all kernels after which none is tried any more when none has succeeded. */
  private static final long HOPE = TimeUnit.SECONDS.toNanos(30);

  private static final long IDLE_SECONDS = 5;

  private static final AtomicInteger SWITCHED = new AtomicInteger();
  private static final AtomicInteger REFUSED = new AtomicInteger();
  private static final ScheduledThreadPoolExecutor BACKGROUND = background();

  /** Used by the background thread alone. */
  private static long spentByAll;

  private final Supplier<Trial> trial;
  private final AtomicInteger asked = new AtomicInteger();
  private long done;
  private volatile boolean refused;

  /**
   * A kernel's two forms to be compared.
   *
   * @param reckoned what one run of the vector form over a tile should take, in units of 0.1 ns
   * @param train runs the vector form through all its loops, briefly
   * @param vector runs the vector form over a tile
   * @param plain runs the plain form over the same
   * @param change puts the vector form in use
   */
  public record Trial(
      long reckoned, Runnable train, Runnable vector, Runnable plain, Runnable change) {

    /** What the vector form takes at most, in nanoseconds, once the JIT has been at work. */
    private long compiled() {
      return SLACK * reckoned / 10;
    }
  }

  /**
   * Prepares a warm-up.
   *
   * @param trial makes the vector form; called in the background
   */
  public Warmup(Supplier<Trial> trial) {
    this.trial = trial;
  }

  /** How many kernels have changed over to vectors in the background. */
  static int switched() {
    return SWITCHED.get();
  }

  /** How many kernels stay plain because their vector form was no faster or did not work. */
  static int refused() {
    return REFUSED.get();
  }

  /** Whether this kernel stays plain. */
  boolean isRefused() {
    return refused;
  }

  /**
   * Adds to the work that the plain form has done. Threads may lose each other's counts, which only
   * puts the start off.
   *
   * @param work in units of 0.1 ns
   */
  public void count(long work) {
    done += work;
    if (done >= ENOUGH && asked.get() == 0 && asked.compareAndSet(0, 1)) {
      BACKGROUND.schedule(new Course(), PAUSE, TimeUnit.MILLISECONDS);
    }
  }

  /**
   * Runs the plain form and adds what it takes to its work. Long runs are timed, for what an
   * element takes depends on how the JIT has fared; short ones are reckoned, as looking at the
   * clock would take longer.
   *
   * @param elements how many elements the run is over
   * @param cost what one is reckoned to take in units of 0.1 ns
   * @param plain the run
   */
  void count(long elements, int cost, Runnable plain) {
    if (elements < TIMED) {
      plain.run();
      count(elements * cost);
    } else {
      long start = System.nanoTime();
      plain.run();
      count(10 * (System.nanoTime() - start));
    }
  }

  private static ScheduledThreadPoolExecutor background() {
    ScheduledThreadPoolExecutor pool =
        new ScheduledThreadPoolExecutor(
            1,
            task -> {
              Thread thread = new Thread(task, "ndgrad-warmup");
              thread.setDaemon(true);
              thread.setPriority(Thread.MIN_PRIORITY);
              return thread;
            });
    pool.setKeepAliveTime(IDLE_SECONDS, TimeUnit.SECONDS);
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  /** Whether no kernel has ever got fast, as on a JVM that runs without its optimising compiler. */
  private static boolean isHopeless() {
    return SWITCHED.get() == 0 && spentByAll > HOPE;
  }

  /**
   * The way of one kernel through the JIT. Each run is a round; those of all kernels that are under
   * way take turns, so that none waits for another to be compiled.
   */
  private final class Course implements Runnable {
    private int forms;
    private Trial current;
    private int round;
    private int wins;

    /** The best time of the plain form: the JIT may be about to compile it anew. */
    private long plain;

    private long spent;

    @Override
    public void run() {
      try {
        if (isHopeless() || current == null && !begin()) {
          refuse();
          return;
        }
        long start = System.nanoTime();
        current.train.run();
        plain = Math.min(plain, time(current.plain, plain));
        if (round >= ROUNDS) {
          long enough = Math.min(plain, current.compiled());
          wins = time(current.vector, enough) < enough ? wins + 1 : 0;
        }
        long took = System.nanoTime() - start;
        spent += took;
        spentByAll += took;
        round++;
        if (wins == WINS) {
          current.change.run();
          SWITCHED.incrementAndGet();
          return;
        }
        if (spent > PATIENCE || round == ROUNDS + COMPARISONS) {
          current = null;
        }
        rest(took);
        BACKGROUND.execute(this);
      } catch (LinkageError | RuntimeException e) {
        // A JDK whose Vector API differs: the plain form goes on.
        System.getLogger("ndgrad").log(System.Logger.Level.DEBUG, "a vector kernel failed", e);
        refuse();
      } catch (InterruptedException e) {
        refuse();
        Thread.currentThread().interrupt();
      }
    }

    private void refuse() {
      refused = true;
      REFUSED.incrementAndGet();
    }

    /** Makes a vector form unless enough have been tried. */
    private boolean begin() {
      if (forms == FORMS) {
        return false;
      }
      forms++;
      current = trial.get();
      round = 0;
      wins = 0;
      plain = Long.MAX_VALUE;
      spent = 0;
      return true;
    }

    /** Others need the processor, among them the JIT, which a lost comparison waits for. */
    private void rest(long took) throws InterruptedException {
      if (took > 100_000 || round > ROUNDS && wins == 0) {
        Thread.sleep(Math.clamp(TimeUnit.NANOSECONDS.toMillis(took) / 2, 1, REST));
      }
    }
  }

  /**
   * The shortest of some runs, as others may get in between; of one when that is not short enough
   * by far.
   */
  private static long time(Runnable run, long enough) {
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 3 && (i == 0 || best / 4 < enough); i++) {
      long start = System.nanoTime();
      run.run();
      best = Math.min(best, System.nanoTime() - start);
    }
    return best;
  }

  /**
   * An array of some small numbers.
   *
   * @param dtype of its elements
   * @param length how many
   * @return a fresh primitive array
   */
  public static Object numbers(DType dtype, int length) {
    Object data = dtype.newArray(length);
    switch (data) {
      case boolean[] a -> {
        for (int i = 0; i < length; i++) {
          a[i] = i % 3 == 0;
        }
      }
      case int[] a -> {
        for (int i = 0; i < length; i++) {
          a[i] = i % 7 - 3;
        }
      }
      case long[] a -> {
        for (int i = 0; i < length; i++) {
          a[i] = i % 7 - 3;
        }
      }
      case float[] a -> {
        for (int i = 0; i < length; i++) {
          a[i] = i % 13 * 0.25f - 1.5f;
        }
      }
      case double[] a -> {
        for (int i = 0; i < length; i++) {
          a[i] = i % 13 * 0.25 - 1.5;
        }
      }
      default -> throw new AssertionError(dtype);
    }
    return data;
  }
}
