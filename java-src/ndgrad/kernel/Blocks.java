package ndgrad.kernel;

/**
 * Work on groups of neighbouring elements that takes several passes over each group: done for a
 * block of groups at a time, so that the block stays in the cache from one pass to the next. The
 * blocks depend on the shape alone, and run in parallel.
 */
public final class Blocks {
  /** Elements of a block: of several float32 arrays they fit into the second-level cache. */
  private static final int ELEMENTS = 1 << 14;

  private Blocks() {}

  /** All passes over one block. */
  @FunctionalInterface
  public interface Body {

    /**
     * Does one block.
     *
     * @param block its number
     * @param from its first group
     * @param count how many groups it has
     */
    void run(int block, int from, int count);
  }

  /**
   * How many blocks there are.
   *
   * @param groups the number of groups
   * @param length elements of a group
   * @return at least 1 unless there are no groups
   */
  public static int count(int groups, int length) {
    int each = each(length);
    return (groups + each - 1) / each;
  }

  /**
   * Runs all blocks.
   *
   * @param groups the number of groups
   * @param length elements of a group
   * @param body does one block; blocks may run at the same time
   */
  public static void run(int groups, int length, Body body) {
    int each = each(length);
    Threads.parallelFor(
        count(groups, length),
        1,
        (from, to) -> {
          for (int b = from; b < to; b++) {
            body.run(b, b * each, Math.min(each, groups - b * each));
          }
        });
  }

  private static int each(int length) {
    return Math.max(1, ELEMENTS / Math.max(1, length));
  }

  /**
   * Some groups of an array.
   *
   * @param x an array whose first axis counts the groups
   * @param from the first group
   * @param count how many
   * @return a view
   */
  public static Strided of(Strided x, int from, int count) {
    return x.with(x.layout().slice(0, from, count, 1));
  }
}
