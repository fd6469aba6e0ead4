package ndgrad.kernel;

import java.util.function.Supplier;
import ndgrad.DType;

/** A kernel that is plain at first and of vectors once these are fast. */
final class AdaptiveKernel implements Kernel {
  private final Kernel plain;
  private final Warmup warmup;
  private final int cost;
  private volatile Kernel current;

  /**
   * Starts with the plain form.
   *
   * @param plain the plain form
   * @param vector makes the vector form
   * @param stored the dtype of each operand's array
   * @param units bit k is set when operand k has inner stride 1
   * @param lanes elements of one vector
   * @param cost of one element in units of 0.1 ns
   */
  AdaptiveKernel(
      Kernel plain, Supplier<Kernel> vector, DType[] stored, long units, int lanes, int cost) {
    this.plain = plain;
    this.current = plain;
    this.cost = cost;
    this.warmup =
        new Warmup(
            () -> {
              Kernel fast = vector.get();
              Tile tile = new Tile(stored, units, lanes);
              return new Warmup.Trial(
                  () -> tile.train(fast),
                  () -> tile.race(fast),
                  () -> tile.race(plain),
                  () -> current = fast);
            });
  }

  @Override
  public void run(Object[] data, int[] at, int outer, int inner) {
    Kernel kernel = current;
    kernel.run(data, at, outer, inner);
    if (kernel == plain) {
      warmup.count((long) outer * inner * cost);
    }
  }

  @Override
  public boolean isVector() {
    return current != plain;
  }

  /** Small arrays to run a kernel over. */
  private static final class Tile {
    private static final int RACE = 2048;

    private final Object[] data;
    private final int[] at;
    private final int[] inner;

    Tile(DType[] stored, long units, int lanes) {
      int n = stored.length;
      data = new Object[n];
      at = new int[3 * n];
      // All ways through the loops: whole vectors and a rest, either alone, none.
      inner = new int[] {24 * lanes + 3, 24 * lanes, lanes - 1, 1, lanes + 1, 16 * lanes + 1};
      for (int k = 0; k < n; k++) {
        data[k] = Warmup.numbers(stored[k], RACE + 1);
        at[n + k] = (int) (units >>> k & 1);
      }
    }

    void train(Kernel kernel) {
      for (int length : inner) {
        kernel.run(data, at, 2, length);
      }
    }

    void race(Kernel kernel) {
      kernel.run(data, at, 1, RACE + 1);
    }
  }
}
