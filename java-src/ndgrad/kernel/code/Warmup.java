package ndgrad.kernel.code;

import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.ThreadPoolExecutor;
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

  /** Wins in a row that show that the JIT is done. */
  private static final int WINS = 5;

  /** Rounds before the first comparison; the JIT wants some thousand calls. */
  private static final int ROUNDS = 10;

  /**
   * Calls with nothing to do in each round: the JIT counts calls, and vectors are slow until it has
   * counted.
   */
  static final int EMPTY = 500;

  /** Running time after which a kernel is left as it is. */
  private static final long PATIENCE = TimeUnit.SECONDS.toNanos(2);

  /** The longest rest between two rounds, in milliseconds. */
  private static final long REST = 20;

  /** Failures after which no more kernels are tried when none has succeeded. */
  private static final int ATTEMPTS = 3;

  private static final long IDLE_SECONDS = 5;

  private static final AtomicInteger SWITCHED = new AtomicInteger();
  private static final AtomicInteger REFUSED = new AtomicInteger();
  private static final ThreadPoolExecutor BACKGROUND = background();

  /** Whether kernels take the ways that are meant for rare elements, whatever the elements. */
  static boolean takesRareWays;

  private final Supplier<Trial> trial;
  private final AtomicInteger asked = new AtomicInteger();
  private long done;

  /**
   * A kernel's two forms to be compared.
   *
   * @param train runs the vector form through all its loops, briefly
   * @param vector runs the vector form over a tile
   * @param plain runs the plain form over the same
   * @param change puts the vector form in use
   */
  public record Trial(Runnable train, Runnable vector, Runnable plain, Runnable change) {}

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

  /**
   * Adds to the work that the plain form has done. Threads may lose each other's counts, which only
   * puts the start off.
   *
   * @param work in units of 0.1 ns
   */
  public void count(long work) {
    done += work;
    if (done >= ENOUGH && asked.get() == 0 && asked.compareAndSet(0, 1)) {
      BACKGROUND.execute(this::run);
    }
  }

  private static ThreadPoolExecutor background() {
    ThreadPoolExecutor pool =
        new ThreadPoolExecutor(
            1,
            1,
            IDLE_SECONDS,
            TimeUnit.SECONDS,
            new LinkedBlockingQueue<>(),
            task -> {
              Thread thread = new Thread(task, "ndgrad-warmup");
              thread.setDaemon(true);
              thread.setPriority(Thread.MIN_PRIORITY);
              return thread;
            });
    pool.allowCoreThreadTimeOut(true);
    return pool;
  }

  private void run() {
    boolean won = false;
    try {
      won = !isHopeless() && isWon(trial.get());
    } catch (LinkageError | RuntimeException e) {
      // A JDK whose Vector API differs: the plain form goes on.
      System.getLogger("ndgrad").log(System.Logger.Level.DEBUG, "a vector kernel failed", e);
    } catch (InterruptedException e) {
      Thread.currentThread().interrupt();
    }
    (won ? SWITCHED : REFUSED).incrementAndGet();
  }

  /** Whether no kernel has ever got fast, as on a JVM that runs without its optimising compiler. */
  private static boolean isHopeless() {
    return SWITCHED.get() == 0 && REFUSED.get() >= ATTEMPTS;
  }

  private static boolean isWon(Trial trial) throws InterruptedException {
    long spent = 0;
    int wins = 0;
    for (int round = 0; wins < WINS; round++) {
      long start = System.nanoTime();
      train(trial);
      if (round >= ROUNDS) {
        wins = time(trial.vector) < time(trial.plain) ? wins + 1 : 0;
      }
      long took = System.nanoTime() - start;
      spent += took;
      if (spent > PATIENCE) {
        return false;
      }
      // Others need the processor, among them the JIT.
      if (took > 100_000) {
        Thread.sleep(Math.clamp(TimeUnit.NANOSECONDS.toMillis(took) / 2, 1, REST));
      }
    }
    trial.change.run();
    return true;
  }

  private static void train(Trial trial) {
    takesRareWays = true;
    try {
      trial.train.run();
    } finally {
      takesRareWays = false;
    }
  }

  /** The shortest of some runs: others may get in between. */
  private static long time(Runnable run) {
    long best = Long.MAX_VALUE;
    for (int i = 0; i < 3; i++) {
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
