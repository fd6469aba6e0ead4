package ndgrad.kernel.code;

import ndgrad.DType;

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
   * @param cost of one element in units of 0.1 ns
   */
  AdaptiveFold(FoldKernel plain, Spec spec, int cost) {
    this.plain = plain;
    this.cost = cost;
    this.currentFolds = plain;
    this.currentRows = plain;
    this.folds =
        new Warmup(
            () -> {
              FoldKernel fast = VectorFoldCompiler.compile(spec);
              Tile tile = new Tile(spec);
              return new Warmup.Trial(
                  () -> tile.trainFolds(fast),
                  () -> tile.fold(fast, 4, 500),
                  () -> tile.fold(plain, 4, 500),
                  () -> currentFolds = fast);
            });
    this.rows =
        new Warmup(
            () -> {
              FoldKernel fast = VectorFoldCompiler.compile(spec);
              Tile tile = new Tile(spec);
              return new Warmup.Trial(
                  () -> tile.trainRows(fast),
                  () -> tile.rows(fast, 4, 500),
                  () -> tile.rows(plain, 4, 500),
                  () -> currentRows = fast);
            });
  }

  @Override
  public void fold(Object[] in, int[] at, int runs, int n, Object out, int slot, int step) {
    FoldKernel kernel = n < SHORT ? plain : currentFolds;
    kernel.fold(in, at, runs, n, out, slot, step);
    if (kernel == plain && n >= SHORT) {
      folds.count((long) runs * n * cost);
    }
  }

  @Override
  public void rows(Object[] in, int[] at, int rows, int n, Object out, int slot) {
    FoldKernel kernel = currentRows;
    kernel.rows(in, at, rows, n, out, slot);
    if (kernel == plain) {
      this.rows.count((long) rows * n * cost);
    }
  }

  @Override
  public void scan(Object[] in, int[] at, int n, Object out, int slot, int step) {
    plain.scan(in, at, n, out, slot, step);
  }

  /** Small arrays to run a kernel over. */
  private static final class Tile {
    private static final int LENGTH = 2000;

    private final Object[] in;
    private final int[] at;
    private final Object out;

    Tile(Spec spec) {
      int n = spec.stored().size();
      in = new Object[n];
      at = new int[3 * n];
      for (int k = 0; k < n; k++) {
        DType stored = spec.stored().get(k);
        in[k] = Warmup.numbers(stored, LENGTH + 1);
        at[n + k] = spec.steps().get(k) == Step.UNIT ? 1 : 0;
        at[2 * n + k] = at[n + k] * 100;
      }
      out = spec.acc().newArray(LENGTH);
    }

    void fold(FoldKernel kernel, int runs, int n) {
      kernel.fold(in, at, runs, n, out, 0, 1);
    }

    void rows(FoldKernel kernel, int rows, int n) {
      kernel.rows(in, at, rows, n, out, 0);
    }

    /** All ways through the loops: groups and a rest, either alone. */
    void trainFolds(FoldKernel kernel) {
      for (int n : new int[] {323, 320, 5, 17, 211}) {
        fold(kernel, 6, n);
        fold(kernel, 1, n);
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        fold(kernel, 0, 0);
      }
    }

    void trainRows(FoldKernel kernel) {
      for (int n : new int[] {163, 160, 3, 17}) {
        rows(kernel, 6, n);
        rows(kernel, 1, n);
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        rows(kernel, 0, 0);
      }
    }
  }
}
