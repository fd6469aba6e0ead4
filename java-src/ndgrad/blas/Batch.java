package ndgrad.blas;

/**
 * Where the matrices of a batch of products lie, relative to the first ones: a grid of any number
 * of dimensions, the last one fastest. The arrays are not copied; nobody changes them.
 *
 * @param dims lengths of the grid's dimensions; none is a batch of one
 * @param stepsA from one {@code A} to the next along each dimension; 0 uses the same one again
 * @param stepsB the same for {@code B}
 * @param stepsC the same for {@code C}; the results must not overlap
 */
public record Batch(int[] dims, int[] stepsA, int[] stepsB, int[] stepsC) {
  /** Multiplications below which a task is not worth handing to another thread. */
  private static final long TASK = 1L << 19;

  /** One product of a batch. */
  interface Product {
    void run(int index, int threads);
  }

  /**
   * Products at even distances.
   *
   * @param count how many
   * @param strideA from one {@code A} to the next; 0 uses the same one for all
   * @param strideB the same for {@code B}
   * @param strideC the same for {@code C}
   * @return the batch
   */
  public static Batch of(int count, int strideA, int strideB, int strideC) {
    return new Batch(
        new int[] {count}, new int[] {strideA}, new int[] {strideB}, new int[] {strideC});
  }

  /**
   * How many products there are.
   *
   * @return the product of the dimensions; negative when one of them is
   */
  public int count() {
    int count = 1;
    for (int d : dims) {
      if (d < 0) {
        return d;
      }
      count *= d;
    }
    return count;
  }

  /**
   * Where the {@code A} of a product is.
   *
   * @param index the number of the product
   * @return its distance from the first one
   */
  public int a(int index) {
    return at(stepsA, index);
  }

  /**
   * Where the {@code B} of a product is.
   *
   * @param index the number of the product
   * @return its distance from the first one
   */
  public int b(int index) {
    return at(stepsB, index);
  }

  /**
   * Where the {@code C} of a product is.
   *
   * @param index the number of the product
   * @return its distance from the first one
   */
  public int c(int index) {
    return at(stepsC, index);
  }

  private int at(int[] steps, int index) {
    int at = 0;
    int rest = index;
    for (int d = dims.length - 1; d > 0; d--) {
      at += rest % dims[d] * steps[d];
      rest /= dims[d];
    }
    return dims.length == 0 ? 0 : at + rest * steps[0];
  }

  /** The distance of the matrix that lies farthest before the first one, 0 or less. */
  long before(int[] steps) {
    long before = 0;
    for (int d = 0; d < dims.length; d++) {
      before += Math.min(0, (long) steps[d] * (dims[d] - 1));
    }
    return before;
  }

  /** The distance of the matrix that lies farthest behind the first one, 0 or more. */
  long behind(int[] steps) {
    long behind = 0;
    for (int d = 0; d < dims.length; d++) {
      behind += Math.max(0, (long) steps[d] * (dims[d] - 1));
    }
    return behind;
  }

  /**
   * Spreads the products over threads: by product when there are enough of them, else inside each.
   *
   * @param cost multiplications of one product
   */
  void run(Workers workers, int threads, long cost, Product product) {
    int count = count();
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
