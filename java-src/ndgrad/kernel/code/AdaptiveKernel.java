package ndgrad.kernel.code;

import java.util.Arrays;
import ndgrad.DType;

/** A kernel that is plain at first and of vectors once these are fast. */
final class AdaptiveKernel implements Kernel {
  /** The first calls are short ones. */
  private static final int SHORT_CALLS = 300;

  private static final int SHORT = 64;
  private static final int LONG = 1024;

  private final Kernel plain;
  private final long strides;
  private final Warmup warmup;
  private final int cost;
  private volatile Kernel current;
  private int calls;

  /**
   * Starts with the plain form.
   *
   * @param plain the plain form
   * @param vectors what to compile the vector form from
   * @param part which rows it is for
   * @param length of rows that the forms are compared on, of those that are no shorter than vectors
   */
  AdaptiveKernel(
      Kernel plain, VectorKernelCompiler.Rows vectors, VectorKernelCompiler.Part part, int length) {
    this.plain = plain;
    this.current = plain;
    this.cost = vectors.dag().cost();
    this.strides = vectors.strides();
    this.warmup =
        new Warmup(
            () -> {
              Kernel fast = vectors.compile(part);
              int lanes = Forms.lanes(vectors.lanes());
              Tile tile =
                  part == VectorKernelCompiler.Part.ROWS
                      ? new Tile(vectors.stored(), strides, lanes, length)
                      : new ShortTile(vectors.stored(), strides, lanes);
              return new Warmup.Trial(
                  (Tile.RACE + 1L) * vectors.dag().vectorCost(),
                  RareWays.byTurns(fast, () -> tile.train(fast)),
                  () -> tile.race(fast),
                  () -> tile.race(plain),
                  () -> current = fast);
            });
  }

  @Override
  public void run(Object[] data, int[] at, int outer, int inner) {
    Kernel kernel = current;
    if (kernel == plain) {
      warmup.count((long) outer * inner, cost, () -> runPlain(data, at, outer, inner));
    } else {
      kernel.run(data, at, outer, inner);
    }
  }

  private void runPlain(Object[] data, int[] at, int outer, int inner) {
    if (calls < Warmup.YOUNG) {
      runInPieces(data, at, outer, inner);
    } else {
      plain.run(data, at, outer, inner);
    }
  }

  /**
   * Runs a kernel that is new: the JIT compiles what has been called a few hundred times long
   * before what has run through one long loop, which would be interpreted up to then.
   */
  private void runInPieces(Object[] data, int[] at, int outer, int inner) {
    int operands = data.length;
    int[] here = at.clone();
    for (int o = 0; o < outer; o++) {
      int length;
      for (int i = 0; i < inner; i += length) {
        for (int k = 0; k < operands; k++) {
          here[k] = at[k] + o * at[2 * operands + k] + InnerStrides.of(strides, k) * i;
        }
        length = calls++ < SHORT_CALLS ? SHORT : LONG;
        plain.run(data, here, 1, Math.min(length, inner - i));
      }
    }
  }

  @Override
  public boolean isVector() {
    return current != plain;
  }

  /** Small arrays to run a kernel over. */
  private static class Tile {
    static final int CALLS = 20;

    /** Vectors of a call that has the JIT see them often enough beside the empty calls. */
    private static final int OFTEN = 16;

    static final int RACE = 2048;

    final Object[] data;
    final int[] at;
    final int length;
    private final int[] last;
    private final int lanes;
    private final int rows;
    private final int usual;

    Tile(DType[] stored, long strides, int lanes, int length) {
      int n = stored.length;
      this.length = Math.min(length, RACE + 1);
      this.rows = Math.max(1, (RACE + 1 - lanes) / this.length);
      data = new Object[n];
      at = new int[3 * n];
      this.lanes = lanes;
      // Masks are stored by a method of the JDK that is inlined where the JIT has seen it often.
      this.usual = Arrays.asList(stored).contains(DType.BOOL) ? OFTEN * lanes : lanes;
      for (int k = 0; k < n; k++) {
        int stride = InnerStrides.of(strides, k);
        at[k] = stride < 0 ? RACE : 0;
        at[n + k] = stride;
        at[2 * n + k] = rows == 1 ? 0 : this.length * stride;
        data[k] = Warmup.numbers(stored[k], 1 + RACE * Math.max(1, stride));
      }
      last = at.clone();
    }

    /**
     * All ways through the loops: one vector, several, and a rest, also where arrays end. Mostly
     * one vector a call: the JIT compiles what has been called often sooner than what has long
     * loops.
     */
    void train(Kernel kernel) {
      for (int i = 0; i < CALLS; i++) {
        kernel.run(data, at, 1, usual);
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        kernel.run(data, at, 0, lanes);
      }
      kernel.run(data, at, 2, 5 * lanes + 3);
      for (int i = 0; i < Warmup.TRAPS; i++) {
        kernel.run(data, last(2 * lanes), 1, 2 * lanes);
        kernel.run(data, last(lanes + 1), 1, lanes + 1);
      }
    }

    /** The positions of runs that end where their arrays end. */
    private int[] last(int length) {
      for (int k = 0; k < data.length; k++) {
        int stride = at[data.length + k];
        last[k] = stride < 0 ? length - 1 : (RACE + 1 - length) * Math.max(1, stride);
      }
      return last;
    }

    final void race(Kernel kernel) {
      kernel.run(data, at, rows, length);
    }
  }

  /** The same for rows that are shorter than a vector. */
  private static final class ShortTile extends Tile {
    ShortTile(DType[] stored, long strides, int lanes) {
      super(stored, strides, lanes, lanes - 1);
    }

    @Override
    void train(Kernel kernel) {
      for (int i = 0; i < CALLS; i++) {
        kernel.run(data, at, 2, length);
      }
      for (int i = 0; i < Warmup.EMPTY; i++) {
        kernel.run(data, at, 0, 1);
      }
      kernel.run(data, at, 5, 1);
    }
  }
}
