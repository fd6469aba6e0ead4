package ndgrad.blas;

import java.util.concurrent.ForkJoinPool;
import java.util.function.IntConsumer;
import java.util.stream.IntStream;

/** Threads that an engine may borrow: the one thing engines need from their surroundings. */
public interface Workers {

  /**
   * How many tasks can make progress at once, the caller's thread included.
   *
   * @return at least 1
   */
  int width();

  /**
   * Runs {@code task} for 0 … {@code tasks - 1}, in any order, possibly at once, and returns when
   * all are done.
   *
   * @param tasks how many
   * @param task what to run; its first exception is thrown on the caller's thread
   */
  void run(int tasks, IntConsumer task);

  /**
   * Workers that run everything on the caller's thread.
   *
   * @return workers of width 1
   */
  static Workers serial() {
    return new Workers() {
      @Override
      public int width() {
        return 1;
      }

      @Override
      public void run(int tasks, IntConsumer task) {
        for (int i = 0; i < tasks; i++) {
          task.accept(i);
        }
      }
    };
  }

  /**
   * Workers over the JDK's common pool.
   *
   * @return workers as wide as that pool and its caller
   */
  static Workers commonPool() {
    return new Workers() {
      @Override
      public int width() {
        return Math.max(1, ForkJoinPool.getCommonPoolParallelism() + 1);
      }

      @Override
      public void run(int tasks, IntConsumer task) {
        if (tasks <= 1) {
          serial().run(tasks, task);
        } else {
          IntStream.range(0, tasks).parallel().forEach(task);
        }
      }
    };
  }
}
