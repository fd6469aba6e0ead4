package ndgrad.kernel.code;

/** Looks for a number in a run of an array. */
@FunctionalInterface
public interface SearchKernel {

  /**
   * Where a number is first.
   *
   * @param a the array, not modified
   * @param p where the run begins
   * @param n its elements, a multiple of the number of lanes
   * @param number an array that holds the number, not modified
   * @param at its index there; NaN is never found
   * @return the number's first place in the run, {@code n} when there is none
   */
  int first(Object a, int p, int n, Object number, int at);
}
