package ndgrad.kernel.code;

import ndgrad.DType;

/**
 * A kernel that takes rows by their length, so that each loop is warmed up for what it is used for.
 *
 * @param plain rows of fewer elements than a vector has lanes, where an array ends before the
 *     vector would: to find out which lanes are in the array takes longer than the elements
 * @param shorter other rows of so few elements
 * @param rows all others
 * @param lanes of a vector
 * @param strides the {@link InnerStrides}
 */
record ByLength(Kernel plain, Kernel shorter, Kernel rows, int lanes, long strides)
    implements Kernel {

  @Override
  public void run(Object[] data, int[] at, int outer, int inner) {
    if (inner >= lanes) {
      rows.run(data, at, outer, inner);
      return;
    }
    int inside = shorter == plain ? 0 : inside(data, at, outer);
    if (inside > 0) {
      shorter.run(data, at, inside, inner);
    }
    if (inside < outer) {
      plain.run(data, inside > 0 ? below(at, inside) : at, outer - inside, inner);
    }
  }

  /** The positions some rows on. */
  private static int[] below(int[] at, int rows) {
    int operands = at.length / 3;
    int[] there = at.clone();
    for (int k = 0; k < operands; k++) {
      there[k] += rows * at[2 * operands + k];
    }
    return there;
  }

  /**
   * How many of the first rows could be as long as a vector, in all arrays; 0 where they are too
   * few to be run by themselves.
   */
  private int inside(Object[] data, int[] at, int outer) {
    int rows = outer;
    for (int k = 0; k < data.length && rows > 0; k++) {
      if (InnerStrides.of(strides, k) != 0) {
        int room = DType.lengthOf(data[k]) - lanes - at[k];
        int down = outer == 1 ? 0 : at[2 * data.length + k];
        rows = room < 0 ? 0 : down > 0 ? Math.min(rows, room / down + 1) : rows;
      }
    }
    return 2 * rows < outer ? 0 : rows;
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
