package ndgrad.kernel.code;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;

/**
 * A reducing kernel that is plain at first and of vectors once these are fast. Its two vector loops
 * are warmed up separately, for most are used in one of them only.
 */
final class AdaptiveFold implements FoldKernel {
  /** Elements of a run below which the plain form is the faster one. */
  private static final int SHORT = 32;

  private final FoldKernel plain;
  private final int cost;
  private final Warmup folds;
  private final Warmup rows;
  private volatile FoldKernel currentFolds;
  private volatile FoldKernel currentRows;

  /**
   * Starts with the plain form.
   *
   * @param plain the plain form
   * @param spec what to compile the vector form from
   * @param dag the values that are combined
   * @param isVector whether the vector form is put in use at once
   */
  AdaptiveFold(FoldKernel plain, Spec spec, Dag dag, boolean isVector) {
    this.plain = plain;
    this.cost = dag.cost();
    int vectorCost = dag.vectorCost();
    this.currentFolds = isVector ? VectorFoldCompiler.compile(spec) : plain;
    this.currentRows = currentFolds;
    this.folds =
        new Warmup(
            () -> {
              FoldKernel fast = VectorFoldCompiler.compile(spec);
              Tile tile = new Tile(spec);
              return new Warmup.Trial(
                  (long) Tile.RUNS * Tile.RACE * vectorCost,
                  () -> tile.trainFolds(fast),
                  () -> tile.fold(fast, Tile.RUNS, Tile.RACE),
                  () -> tile.fold(plain, Tile.RUNS, Tile.RACE),
                  () -> currentFolds = fast);
            });
    this.rows =
        new Warmup(
            () -> {
              FoldKernel fast = VectorFoldCompiler.compile(spec);
              Tile tile = new Tile(spec);
              return new Warmup.Trial(
                  (long) Tile.RUNS * Tile.RACE * vectorCost,
                  () -> tile.trainRows(fast),
                  () -> tile.rows(fast, Tile.RUNS, Tile.RACE),
                  () -> tile.rows(plain, Tile.RUNS, Tile.RACE),
                  () -> currentRows = fast);
            });
  }

  @Override
  public void fold(Object[] in, int[] at, int runs, int n, Object out, int slot, int step) {
    FoldKernel kernel = currentFolds;
    if (n < SHORT) {
      plain.fold(in, at, runs, n, out, slot, step);
    } else if (kernel == plain) {
      folds.count((long) runs * n, cost, () -> plain.fold(in, at, runs, n, out, slot, step));
    } else {
      kernel.fold(in, at, runs, n, out, slot, step);
    }
  }

  @Override
  public void rows(Object[] in, int[] at, int rows, int n, Object out, int slot) {
    FoldKernel kernel = currentRows;
    if (kernel == plain) {
      this.rows.count((long) rows * n, cost, () -> plain.rows(in, at, rows, n, out, slot));
    } else {
      kernel.rows(in, at, rows, n, out, slot);
    }
  }

  @Override
  public void scan(Object[] in, int[] at, int n, Object out, int slot, int step) {
    plain.scan(in, at, n, out, slot, step);
  }

  /** Small arrays to run a kernel over. */
  private static final class Tile {
    private static final int LENGTH = 2000;
    private static final int RUNS = 4;
    private static final int RACE = 500;

    /** From a row to the next. */
    private static final int APART = 100;

    private final Object[] in;
    private final Object[] shortest;
    private final int[] at;
    private final int[] last;
    private final Object out;
    private final int lanes;
    private final int width;

    Tile(Spec spec) {
      lanes = FoldCompiler.lanes(spec);
      width = Forms.lanes(spec.acc());
      int n = spec.stored().size();
      in = new Object[n];
      shortest = new Object[n];
      at = new int[3 * n];
      for (int k = 0; k < n; k++) {
        DType stored = spec.stored().get(k);
        in[k] = Warmup.numbers(stored, LENGTH + 1);
        shortest[k] = Warmup.numbers(stored, 1);
        at[n + k] = spec.steps().get(k) == Step.UNIT ? 1 : 0;
        at[2 * n + k] = at[n + k] * APART;
      }
      last = at.clone();
      out = spec.acc().newArray(LENGTH);
    }

    void fold(FoldKernel kernel, int runs, int n) {
      kernel.fold(in, at, runs, n, out, 0, 1);
    }

    void rows(FoldKernel kernel, int rows, int n) {
      kernel.rows(in, at, rows, n, out, 0);
    }

    /**
     * All ways through the loops: whole groups or none, and any number of whole vectors behind
     * them, but one in all, with and without a rest. The JIT leaves out what it has never seen
     * taken, and starts anew when it is.
     */
    void trainFolds(FoldKernel kernel) {
      for (int groups = 0; groups <= 2 * lanes; groups += 2 * lanes) {
        for (int n = Math.max(groups, width); n < groups + lanes; n += width) {
          kernel.fold(in, last(1, n), 1, n, out, 0, 1);
          kernel.fold(in, last(2, n + 1), 2, n + 1, out, 0, 1);
        }
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        fold(kernel, 0, 0);
      }
    }

    void trainRows(FoldKernel kernel) {
      for (int n : new int[] {163, 160, 3, 17}) {
        kernel.rows(in, last(6, n), 6, n, out, 0);
        kernel.rows(in, last(1, n), 1, n, out, 0);
      }
      for (int i = 0; i < Warmup.TRAPS; i++) {
        kernel.rows(shortest, at, 1, 1, out, 0);
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        rows(kernel, 0, 0);
      }
    }

    /** The positions of rows the last of which ends its array: where hoisted checks may fail. */
    private int[] last(int rows, int n) {
      Arrays.fill(last, 0, in.length, Math.min(LENGTH, LENGTH + 1 - n - (rows - 1) * APART));
      return last;
    }
  }
}
