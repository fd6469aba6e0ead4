package ndgrad;

import ndgrad.blas.Engines;

/**
 * Takes ops through their first calls in the background. A JVM links lambdas, switches and
 * generated classes when they are first run, which makes the first call of an op take a tenth of a
 * second; a thread that does so while the rest of a program is being loaded spares its user the
 * wait.
 */
public final class Preload {
  private static final Thread THREAD =
      Thread.ofPlatform().daemon().name("ndgrad-preload").unstarted(Preload::run);

  private Preload() {}

  /**
   * Starts the thread, unless it has been, or the system property {@code ndgrad.preload} is {@code
   * false}. It ends when it is done, and nothing depends on it. {@code ndgrad.core} does this when
   * it is loaded.
   *
   * <p>Example: {@code Preload.start();}
   */
  public static synchronized void start() {
    boolean wanted = !"false".equals(System.getProperty("ndgrad.preload"));
    if (wanted && THREAD.getState() == Thread.State.NEW) {
      THREAD.start();
    }
  }

  private static void run() {
    try {
      ops();
    } catch (RuntimeException | LinkageError e) {
      // Whoever calls the op will meet the same.
      System.getLogger("ndgrad").log(System.Logger.Level.DEBUG, "a first call failed", e);
    }
  }

  /** An op of each kind of kernel, of few elements. */
  static void ops() {
    Array x = Array.of(new float[][] {{1, 2, 3}, {4, 5, 6}});
    x.add(x).exp().sum();
    x.max(1);
    x.softmax(1);
    Array leaf = x.copy().requiresGrad(true);
    leaf.mul(leaf).sum().backward();
    Engines.link();
  }
}
