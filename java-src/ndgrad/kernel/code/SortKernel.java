package ndgrad.kernel.code;

/**
 * The steps of a quicksort of keys, a vector at a time: see {@link VectorSorts}. The key of a
 * floating number is its bits as an integer, all but the sign flipped where that is set; all NaNs
 * have one key, above all others.
 */
public interface SortKernel {

  /**
   * Sorts blocks of {@link VectorSorts#block} elements, each by itself.
   *
   * @param keys an {@code int[]} or {@code long[]}, modified
   * @param from where the first block begins
   * @param to where the last one ends
   */
  void blocks(Object keys, int from, int to);

  /**
   * Splits whole vectors of keys: those below a pivot stay, moved to the front, the others go
   * elsewhere, both in their order.
   *
   * @param keys an {@code int[]} or {@code long[]}, modified
   * @param from the first
   * @param to one after the last; there are a multiple of the number of lanes
   * @param pivot within the range of the keys
   * @param spare of the keys' type; overwritten from the first element on, as many as there are
   *     keys
   * @return how many stay
   */
  int split(Object keys, int from, int to, long pivot, Object spare);

  /**
   * Finds the keys of floating numbers, in whole vectors.
   *
   * @param numbers a {@code float[]} or {@code double[]}, not modified
   * @param p the first
   * @param keys an {@code int[]} or {@code long[]}, overwritten
   * @param q where the first key goes
   * @param n how many, a multiple of the number of lanes
   */
  void toKeys(Object numbers, int p, Object keys, int q, int n);

  /**
   * Finds the floating numbers of keys, in whole vectors.
   *
   * @param keys an {@code int[]} or {@code long[]}, not modified
   * @param p the first
   * @param numbers a {@code float[]} or {@code double[]}, overwritten
   * @param q where the first number goes
   * @param n how many, a multiple of the number of lanes
   */
  void toNumbers(Object keys, int p, Object numbers, int q, int n);
}
