package ndgrad.kernel.code;

/**
 * A kernel that takes rows by their length, so that each loop is warmed up for what it is used for.
 *
 * @param shorter rows of fewer elements than a vector has lanes
 * @param rows all others
 * @param lanes of a vector
 */
record ByLength(Kernel shorter, Kernel rows, int lanes) implements Kernel {

  @Override
  public void run(Object[] data, int[] at, int outer, int inner) {
    (inner < lanes ? shorter : rows).run(data, at, outer, inner);
  }

  @Override
  public boolean isVector() {
    return rows.isVector();
  }

  /**
   * Plain loops that the JIT makes vectors of and unrolls, but for rows that are over before that
   * pays.
   *
   * @param runs the plain loops
   * @param rows for several rows of one call
   */
  record Unrolled(Kernel runs, Kernel rows) implements Kernel {
    private static final int LONG = 256;

    /** A length of shorter rows that is no multiple of a vector's. */
    static final int USUAL = 50;

    @Override
    public void run(Object[] data, int[] at, int outer, int inner) {
      (outer == 1 || inner >= LONG ? runs : rows).run(data, at, outer, inner);
    }
  }
}
