package ndgrad.kernel.rows;

import java.util.Arrays;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

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

  /** Fewer runs than this are cut into parts when they are long. */
  private static final int FEW = 8;

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
    // Columns are searched together when neighbours of the input are columns, not elements of one
    // run.
    if (walk.rows * walk.n < FEW && n >= 2 * GRAIN) {
      longRuns(out, in, max, new Line(n, step), walk);
    } else if (n >= LONG && (Math.abs(step) <= Math.abs(walk.step(0)) || walk.n < LONG)) {
      runs(out, in, max, new Line(n, step), walk);
    } else {
      columns(out, in, max, new Line(n, step), walk);
    }
  }

  private record Line(int n, int step) {}

  private static void runs(Strided out, Strided in, boolean max, Line line, RowWalk walk) {
    Rows rows = Rows.of(in.dtype());
    long[] to = (long[]) out.array();
    int all = walk.rows * walk.n;
    Threads.parallelFor(
        all,
        Math.max(1, GRAIN / line.n),
        (begin, end) -> {
          RowWalk.Cursor c = walk.at(begin / walk.n);
          int j = begin % walk.n;
          for (int i = begin; i < end; i++) {
            int p = c.position(0) + j * walk.step(0);
            to[c.position(1) + j * walk.step(1)] = rows.best(in.array(), p, line.step, line.n, max);
            if (++j == walk.n) {
              j = 0;
              c.next();
            }
          }
        });
  }

  /** Run after run: the best of each part, and then the best of these. */
  private static void longRuns(Strided out, Strided in, boolean max, Line line, RowWalk walk) {
    Rows rows = Rows.of(in.dtype());
    int parts = (line.n + GRAIN - 1) / GRAIN;
    int[] place = new int[parts];
    Object best = in.dtype().newArray(parts);
    RowWalk.Cursor c = walk.at(0);
    for (int i = 0; i < walk.rows * walk.n; i++) {
      int j = i % walk.n;
      int p = c.position(0) + j * walk.step(0);
      Threads.parallelFor(
          parts,
          1,
          (begin, end) -> {
            for (int part = begin; part < end; part++) {
              int from = part * GRAIN;
              int first = p + from * line.step;
              int n = Math.min(GRAIN, line.n - from);
              int found = rows.best(in.array(), first, line.step, n, max);
              place[part] = from + found;
              rows.copy(in.array(), first + found * line.step, 1, best, part, 1, 1);
            }
          });
      int q = c.position(1) + j * walk.step(1);
      ((long[]) out.array())[q] = place[rows.best(best, 0, 1, parts, max)];
      if (j == walk.n - 1) {
        c.next();
      }
    }
  }

  private static void columns(Strided out, Strided in, boolean max, Line line, RowWalk walk) {
    int chunks = (walk.n + WIDTH - 1) / WIDTH;
    Threads.parallelFor(
        walk.rows * chunks,
        Math.max(1, GRAIN / (line.n * Math.min(WIDTH, walk.n))),
        (begin, end) -> {
          Search search = new Search(in, max, line, walk.step(0));
          RowWalk.Cursor c = walk.at(begin / chunks);
          for (int i = begin; i < end; i++) {
            int j = i % chunks * WIDTH;
            int width = Math.min(WIDTH, walk.n - j);
            int q = c.position(1) + j * walk.step(1);
            search.find(
                c.position(0) + j * walk.step(0), width, (long[]) out.array(), q, walk.step(1));
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
    private final int[] index = new int[WIDTH];

    Search(Strided in, boolean max, Line line, int step) {
      this.in = in;
      this.max = max;
      this.line = line;
      this.step = step;
      this.best = in.dtype().newArray(WIDTH);
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
