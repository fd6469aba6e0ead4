package ndgrad.kernel.code;

import java.util.Arrays;
import java.util.function.BiConsumer;
import java.util.function.Consumer;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;

/**
 * A reducing kernel that is plain at first and of vectors once these are fast. Its two vector loops
 * are warmed up separately, for most are used in one of them only.
 */
final class AdaptiveFold implements FoldKernel {
  /** Elements of a run below which the plain form is the faster one. */
  private static final int SHORT = 24;

  /** Elements from which on it pays to have the JIT know the plain form first. */
  private static final int MANY = 1 << 14;

  private final FoldKernel plain;
  private final Spec spec;
  private final int cost;
  private final Warmup folds;
  private final Warmup rows;
  private volatile FoldKernel currentFolds;
  private volatile FoldKernel currentRows;
  private int calls;

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
    this.spec = spec;
    this.cost = dag.cost();
    int vectorCost = dag.vectorCost();
    this.currentFolds = isVector ? VectorFoldCompiler.compile(spec) : plain;
    this.currentRows = currentFolds;
    this.folds = warmup(vectorCost, Tile::trainFolds, Tile::raceFolds, fast -> currentFolds = fast);
    this.rows = warmup(vectorCost, Tile::trainRows, Tile::raceRows, fast -> currentRows = fast);
  }

  private Warmup warmup(
      int vectorCost,
      BiConsumer<Tile, FoldKernel> train,
      BiConsumer<Tile, FoldKernel> race,
      Consumer<FoldKernel> change) {
    return new Warmup(
        () -> {
          FoldKernel fast = VectorFoldCompiler.compile(spec);
          Tile tile = new Tile(spec);
          return new Warmup.Trial(
              (long) Tile.RUNS * Tile.RACE * vectorCost,
              RareWays.byTurns(fast, () -> train.accept(tile, fast)),
              () -> race.accept(tile, fast),
              () -> race.accept(tile, plain),
              () -> change.accept(fast));
        });
  }

  @Override
  public void fold(Object[] in, int[] at, int runs, int n, Object out, int slot, int step) {
    FoldKernel kernel = currentFolds;
    if (n < SHORT) {
      plain.fold(in, at, runs, n, out, slot, step);
    } else if (kernel == plain) {
      folds.count((long) runs * n, cost, () -> foldPlain(in, at, runs, n, out, slot, step));
    } else {
      kernel.fold(in, at, runs, n, out, slot, step);
    }
  }

  /**
   * Runs that are new one by one: the JIT compiles what has been called some hundred times long
   * before what has run through one long loop, which would be interpreted up to then.
   */
  private void foldPlain(Object[] in, int[] at, int runs, int n, Object out, int slot, int step) {
    if (calls >= Warmup.YOUNG) {
      plain.fold(in, at, runs, n, out, slot, step);
      return;
    }
    if (calls == 0 && (long) runs * n >= MANY) {
      new Tile(spec).introduce(plain);
    }
    int operands = in.length;
    int[] here = at.clone();
    for (int r = 0; r < runs; r++) {
      calls++;
      for (int k = 0; k < operands; k++) {
        here[k] = at[k] + r * at[2 * operands + k];
      }
      plain.fold(in, here, 1, n, out, slot + r * step, step);
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

    /** Calls, and elements of each, that have the JIT compile a loop for the first time. */
    private static final int CALLS = 200;

    private static final int FEW = 16;

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

    void introduce(FoldKernel kernel) {
      for (int i = 0; i < CALLS; i++) {
        kernel.fold(in, at, 1, FEW, out, 0, 1);
      }
    }

    void raceFolds(FoldKernel kernel) {
      kernel.fold(in, at, RUNS, RACE, out, 0, 1);
    }

    void raceRows(FoldKernel kernel) {
      kernel.rows(in, at, RUNS, RACE, out, 0);
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
        kernel.fold(in, at, 0, 0, out, 0, 1);
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
        kernel.rows(in, at, 0, 0, out, 0);
      }
    }

    /** The positions of rows the last of which ends its array: where hoisted checks may fail. */
    private int[] last(int rows, int n) {
      Arrays.fill(last, 0, in.length, Math.min(LENGTH, LENGTH + 1 - n - (rows - 1) * APART));
      return last;
    }
  }
}
