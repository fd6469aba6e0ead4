package ndgrad.kernel.loop;

import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.SearchKernel;
import ndgrad.kernel.code.VectorSearches;
import ndgrad.kernel.code.WarmKernel;
import ndgrad.kernel.code.Warmup;
import ndgrad.kernel.rows.Rows;

/** Looks for numbers that are known to be there, in runs of one dtype. */
final class Searches {
  /** What looking at an element costs in plain loops, in units of 0.1 ns. */
  private static final int COST = 5;

  /** The same for vectors. */
  private static final int VECTOR_COST = 1;

  private static final Searches[] BY_DTYPE = new Searches[DType.values().length];

  static {
    for (DType dtype : DType.values()) {
      BY_DTYPE[dtype.ordinal()] = new Searches(dtype);
    }
  }

  private final DType dtype;
  private final Rows rows;
  private final int lanes;
  private final WarmKernel<SearchKernel> vectors;

  private Searches(DType dtype) {
    this.dtype = dtype;
    this.rows = Rows.of(dtype);
    this.lanes = Forms.lanes(dtype);
    this.vectors = new WarmKernel<>(dtype, () -> VectorSearches.compile(dtype), this::trial);
  }

  static Searches of(DType dtype) {
    return BY_DTYPE[dtype.ordinal()];
  }

  /**
   * Where a number is first, or the first NaN when it is one.
   *
   * @param a not modified
   * @param p the first element
   * @param ps the step to the next
   * @param n how many; the number is one of them
   * @param number an array that holds the number, not modified
   * @param at its index
   * @return its index in the run
   */
  int first(Object a, int p, int ps, int n, Object number, int at) {
    Optional<SearchKernel> kernel =
        ps != 1 || dtype == DType.BOOL ? Optional.empty() : vectors.get((long) n * COST);
    int from = 0;
    if (kernel.isPresent()) {
      int whole = n & -lanes;
      from = kernel.get().first(a, p, whole, number, at);
      if (from < whole) {
        return from;
      }
      // Behind the whole vectors, or a NaN, which equals nothing.
      from = rows.isNaN(number, at) ? 0 : whole;
    }
    return from + rows.first(a, p + from * ps, ps, number, at);
  }

  private Warmup.Trial trial(SearchKernel kernel, Runnable change) {
    int n = 64 * lanes;
    Object number = Warmup.numbers(dtype, 1);
    Object among = dtype.newArray(n);
    rows.copy(number, 0, 1, among, n - 1, 1, 1);
    return new Warmup.Trial(
        (long) n * VECTOR_COST,
        () -> {
          for (int m = 0; m < n; m += lanes) {
            kernel.first(among, 0, m, number, 0);
            kernel.first(among, m, n - m, number, 0);
          }
        },
        () -> kernel.first(among, 0, n, number, 0),
        () -> rows.first(among, 0, 1, number, 0),
        change);
  }
}
