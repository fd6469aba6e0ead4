package ndgrad.kernel.loop;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.RowWalk;
import ndgrad.kernel.rows.Rows;

/**
 * Where the largest or smallest element is: the first of equal ones; a NaN, and of NaNs the first,
 * wins over all.
 */
public final class ArgReduction {
  private static final int GRAIN = 32_768;

  /** Columns searched side by side. */
  private static final int WIDTH = 512;

  /** Runs at least as long are searched one by one. */
  private static final int LONG = 16;

  /** Runs at least as long are searched by their extremes, which vectors find. */
  private static final int FAST = 64;

  /** Runs shorter than this are worth turning into columns, */
  private static final int FEW = 32;

  /** from so many elements in all on. */
  private static final int MANY = 1 << 12;

  /** Elements that are looked through, where their extreme is that of the run. */
  private static final int BLOCK = 2048;

  private static final Reduction LARGEST = Reduction.of(Expr.in(0), Expr.Fn2.MAX);
  private static final Reduction SMALLEST = Reduction.of(Expr.in(0), Expr.Fn2.MIN);

  private static final Program LARGER = better(Expr.Fn2.GT);
  private static final Program SMALLER = better(Expr.Fn2.LT);

  private ArgReduction() {}

  /**
   * Finds the index of the largest or smallest element along an axis.
   *
   * @param out overwritten; int64, of the input's shape without the axis, any layout
   * @param in any dtype and layout, not modified; the axis is not empty
   * @param axis from 0 to ndim-1
   * @param max true for the largest, false for the smallest
   */
  public static void run(Strided out, Strided in, int axis, boolean max) {
    if (out.layout().size() == 0) {
      return;
    }
    Layout l = in.layout();
    int n = l.dim(axis);
    int step = l.stride(axis);
    Layout first = l.slice(axis, 0, 1, 1).squeeze(axis);
    RowWalk walk = new RowWalk(first, out.layout());
    boolean isShort = n < FEW && Math.abs(step) < Math.abs(walk.step(0));
    if (isShort && l.size() >= MANY && in.dtype().isFloating()) {
      sideBySide(out, in, axis, max);
      return;
    }
    // Columns are searched together when neighbours of the input are columns, not elements of one
    // run.
    boolean byRuns = n >= LONG && (Math.abs(step) <= Math.abs(walk.step(0)) || walk.n < LONG);
    if (byRuns && n >= FAST) {
      blocks(out, in, axis, max);
    } else if (byRuns) {
      runs(out, in, max, new Line(n, step), walk);
    } else {
      columns(out, in, max, new Line(n, step), walk);
    }
  }

  /**
   * Turns many short runs into columns and goes through all of them at once, by kernels without a
   * branch: where the best of a few is, nobody could predict. Places are numbers of the input's
   * dtype meanwhile, so that these become vectors.
   */
  private static void sideBySide(Strided out, Strided in, int axis, boolean max) {
    Layout l = in.layout();
    DType dtype = in.dtype();
    Strided turned = Copies.copyOf(in.with(l.move(axis, 0)));
    int n = l.dim(axis);
    Layout all = Layout.of(n, l.intSize() / n);
    Strided best = Copies.copyOf(turned.with(all.slice(0, 0, 1, 1).squeeze(0)));
    Strided place = Strided.zeros(dtype, best.layout().intSize());
    Strided[] state = {best, place};
    DType[] load = {dtype, dtype, dtype, dtype};
    for (int i = 1; i < n; i++) {
      Strided row = turned.with(all.slice(0, i, 1, 1).squeeze(0));
      (max ? LARGER : SMALLER)
          .run(state, load, new Strided[] {row, best, place, Strided.number(i, dtype)});
    }
    Copies.copy(place.with(place.layout().reshape(out.layout().shape()).orElseThrow()), out);
  }

  /** The best of columns and its place, given another row, what was the best, and its place. */
  private static Program better(Expr.Fn2 compare) {
    Expr x = Expr.in(0);
    Expr best = Expr.in(1);
    Expr isFirstNaN =
        Expr.of(
            Expr.Fn2.AND,
            Expr.of(Expr.Fn1.ISNAN, x),
            Expr.of(Expr.Fn1.NOT, Expr.of(Expr.Fn1.ISNAN, best)));
    Expr isBetter = Expr.of(Expr.Fn2.OR, Expr.of(compare, x, best), isFirstNaN);
    return Program.of(
        Expr.select(isBetter, x, best), Expr.select(isBetter, Expr.in(3), Expr.in(2)));
  }

  private record Line(int n, int step) {}

  /** What is done with run j of a row of runs. */
  @FunctionalInterface
  private interface OnRun {
    void run(RowWalk.Cursor c, int j);
  }

  private static void eachRun(RowWalk walk, int grain, OnRun body) {
    Threads.parallelFor(
        walk.rows * walk.n,
        Math.max(1, grain),
        (begin, end) -> {
          RowWalk.Cursor c = walk.at(begin / walk.n);
          int j = begin % walk.n;
          for (int i = begin; i < end; i++) {
            body.run(c, j);
            if (++j == walk.n) {
              j = 0;
              c.next();
            }
          }
        });
  }

  private static void runs(Strided out, Strided in, boolean max, Line line, RowWalk walk) {
    Rows rows = Rows.of(in.dtype());
    long[] to = (long[]) out.array();
    eachRun(
        walk,
        GRAIN / line.n,
        (c, j) -> {
          int p = c.position(0) + j * walk.step(0);
          to[c.position(1) + j * walk.step(1)] = rows.best(in.array(), p, line.step, line.n, max);
        });
  }

  /**
   * First finds the block that has the best element, by searching the blocks' extremes in the same
   * way, then the element in it.
   */
  private static void blocks(Strided out, Strided in, int axis, boolean max) {
    Strided best = extremes(in, axis, max);
    run(out, best, axis, max);
    Layout first = in.layout().slice(axis, 0, 1, 1).squeeze(axis);
    Layout firstBest = best.layout().slice(axis, 0, 1, 1).squeeze(axis);
    RowWalk walk = new RowWalk(first, firstBest, out.layout());
    int step = in.layout().stride(axis);
    int bestStep = best.layout().stride(axis);
    Searches search = Searches.of(in.dtype());
    int n = in.layout().dim(axis);
    long[] to = (long[]) out.array();
    eachRun(
        walk,
        GRAIN / Math.min(n, BLOCK),
        (c, j) -> {
          int q = c.position(2) + j * walk.step(2);
          int block = (int) to[q];
          int p = c.position(0) + j * walk.step(0) + block * BLOCK * step;
          int m = c.position(1) + j * walk.step(1) + block * bestStep;
          to[q] =
              block * BLOCK
                  + search.first(
                      in.array(), p, step, Math.min(BLOCK, n - block * BLOCK), best.array(), m);
        });
  }

  /** The best element of each block of an axis; the axis counts blocks then. */
  private static Strided extremes(Strided in, int axis, boolean max) {
    Reduction extreme = max ? LARGEST : SMALLEST;
    Layout all = in.layout();
    int n = all.dim(axis);
    int blocks = n / BLOCK;
    int[] shape = all.shape();
    shape[axis] = Math.ceilDiv(n, BLOCK);
    Strided best = Strided.empty(in.dtype(), shape);
    int[] cut = new int[shape.length + 1];
    for (int i = 0; i < cut.length; i++) {
      cut[i] = i == axis ? blocks : i == axis + 1 ? BLOCK : shape[i < axis ? i : i - 1];
    }
    if (blocks > 0) {
      Layout whole = all.slice(axis, 0, blocks * BLOCK, 1).reshape(cut).orElseThrow();
      Layout to = best.layout().slice(axis, 0, blocks, 1);
      extreme.run(best.with(to), in.dtype(), new int[] {axis + 1}, in.with(whole));
    }
    if (blocks * BLOCK < n) {
      Layout rest = all.slice(axis, blocks * BLOCK, n - blocks * BLOCK, 1);
      Layout last = best.layout().slice(axis, blocks, 1, 1).squeeze(axis);
      extreme.run(best.with(last), in.dtype(), new int[] {axis}, in.with(rest));
    }
    return best;
  }

  private static void columns(Strided out, Strided in, boolean max, Line line, RowWalk walk) {
    int width = Math.min(WIDTH, walk.n);
    int chunks = Math.ceilDiv(walk.n, width);
    Threads.parallelFor(
        walk.rows * chunks,
        Math.max(1, GRAIN / (line.n * width)),
        (begin, end) -> {
          Search search = new Search(in, max, line, walk.step(0), width);
          RowWalk.Cursor c = walk.at(begin / chunks);
          for (int i = begin; i < end; i++) {
            int j = i % chunks * width;
            int n = Math.min(width, walk.n - j);
            int q = c.position(1) + j * walk.step(1);
            search.find(c.position(0) + j * walk.step(0), n, (long[]) out.array(), q, walk.step(1));
            if (i % chunks == chunks - 1) {
              c.next();
            }
          }
        });
  }

  private static final class Search {
    private final Strided in;
    private final boolean max;
    private final Line line;
    private final int step;
    private final Object best;
    private final int[] index;

    Search(Strided in, boolean max, Line line, int step, int width) {
      this.in = in;
      this.max = max;
      this.line = line;
      this.step = step;
      this.best = in.dtype().newArray(width);
      this.index = new int[width];
    }

    void find(int p, int width, long[] out, int q, int qs) {
      Rows rows = Rows.of(in.dtype());
      rows.copy(in.array(), p, step, best, 0, 1, width);
      Arrays.fill(index, 0, width, 0);
      for (int i = 1; i < line.n; i++) {
        rows.improve(in.array(), p + i * line.step, step, width, i, best, index, max);
      }
      for (int j = 0; j < width; j++) {
        out[q + j * qs] = index[j];
      }
    }
  }
}
