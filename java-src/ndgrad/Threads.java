package ndgrad;

import ndgrad.blas.Engines;

/** The number of threads that large ops use, including BLAS. Results do not depend on it. */
public final class Threads {
  private Threads() {}

  /**
   * The number of threads that share a large op. The default is the system property {@code
   * ndgrad.threads}, or else the number of available processors.
   *
   * @return at least 1
   */
  public static int numThreads() {
    return ndgrad.kernel.Threads.numThreads();
  }

  /**
   * Sets the number of threads that share a large op from now on, in the whole process and for
   * every BLAS engine.
   *
   * <pre>{@code
   * Threads.setNumThreads(1);   // leave the other cores to other work
   * }</pre>
   *
   * @param n at least 1, including the calling thread
   * @throws ArgumentException when n is less than 1; nothing has changed then
   */
  public static void setNumThreads(int n) {
    ndgrad.kernel.Threads.setNumThreads(n);
    Engines.setThreads(n);
  }
}
