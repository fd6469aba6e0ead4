package ndgrad;

import java.util.List;
import java.util.stream.Stream;
import ndgrad.blas.Engines;

/**
 * Runs ops for the first time in the background. A JVM links lambdas, switches and generated
 * classes on their first execution, so the first call of an op takes a tenth of a second;
 * background threads spare the user this wait while the rest of a program is being loaded.
 */
public final class Preload {
  private static final List<Thread> THREADS =
      Stream.<Runnable>of(Preload::ops, Engines::prepare).map(Preload::thread).toList();

  private Preload() {}

  /**
   * Starts the threads, unless they were started before or the system property {@code
   * ndgrad.preload} is {@code false}. They end when they are done, and nothing depends on them.
   * {@code ndgrad.core} does this when it is loaded.
   *
   * <p>Example: {@code Preload.start();}
   */
  public static synchronized void start() {
    boolean wanted = !"false".equals(System.getProperty("ndgrad.preload"));
    if (wanted && THREADS.getFirst().getState() == Thread.State.NEW) {
      THREADS.forEach(Thread::start);
    }
  }

  private static Thread thread(Runnable calls) {
    return Thread.ofPlatform()
        .daemon()
        .name("ndgrad-preload")
        .unstarted(
            () -> {
              try {
                calls.run();
              } catch (RuntimeException | LinkageError e) {
                // Whoever calls the op will meet the same.
                System.getLogger("ndgrad").log(System.Logger.Level.DEBUG, "a first call failed", e);
              }
            });
  }

  /** An op of each kind of kernel, of few elements. */
  static void ops() {
    Array x = Array.of(new float[][] {{1, 2, 3}, {4, 5, 6}});
    x.add(x).exp().sum();
    x.max(1);
    x.softmax(1);
    Array leaf = x.copy().requiresGrad(true);
    leaf.mul(leaf).sum().backward();
    Engines.with("java", () -> x.matmul(x.transpose()));
    x.argmax(1);
    x.sort(1);
  }
}
