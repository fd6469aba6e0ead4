package ndgrad.blas;

/**
 * Spreads a batch of products over threads: by product when there are enough of them, else inside
 * each.
 */
final class Batch {
  /** Multiplications below which a task is not worth handing to another thread. */
  private static final long TASK = 1L << 19;

  private Batch() {}

  /** One product of a batch. */
  interface Product {
    void run(int index, int threads);
  }

  static void run(Workers workers, int threads, int count, long cost, Product product) {
    // Some more tasks than threads, so that a thread that is late doesn't hold up the rest.
    int tasks = (int) Math.min(Math.min(4L * threads, count), Math.max(1, cost * count / TASK));
    if (threads == 1 || tasks <= 1 || count < 2 * threads && cost >= TASK * threads) {
      for (int i = 0; i < count; i++) {
        product.run(i, threads);
      }
      return;
    }
    int step = Math.ceilDiv(count, tasks);
    workers.run(
        Math.ceilDiv(count, step),
        t -> {
          int end = Math.min(count, (t + 1) * step);
          for (int i = t * step; i < end; i++) {
            product.run(i, 1);
          }
        });
  }
}
