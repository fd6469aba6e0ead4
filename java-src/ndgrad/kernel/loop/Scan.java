package ndgrad.kernel.loop;

import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InnerStrides;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.code.ScanKernel;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.RowWalk;
import ndgrad.kernel.rows.Rows;

/**
 * Running sums, products, maxima and minima along an axis; NaN stays once it has come in MAX and
 * MIN.
 */
public final class Scan {
  private static final int GRAIN = 16_384;

  /** Lines that run side by side, so that none waits for its own last result. */
  private static final int WIDTH = 4096;

  /** Columns that are worth a thread. */
  private static final int NARROW = 256;

  /** The same when neighbouring lines are not next to each other. */
  private static final int LINES = 16;

  /** Elements from which a line that has few beside it is cut into blocks. */
  private static final int LONG = 1 << 15;

  /** Elements of such a block; no power of two, or several blocks would compete for cache sets. */
  private static final int BLOCK = 2080;

  private static final ConcurrentHashMap<Key, Kernel> STEPS = new ConcurrentHashMap<>();
  private static final ConcurrentHashMap<FoldKey, FoldKernel> FOLDS = new ConcurrentHashMap<>();

  private Scan() {}

  private record Key(Expr.Fn2 combine, DType out, DType in, long strides) {}

  private record FoldKey(
      Expr.Fn2 combine, DType out, DType in, FoldKernel.Step step, Forms.Mode mode) {}

  /**
   * Combines each element with all before it: out[i] = combine(out[i - 1], in[i]) along the axis.
   * Of a few very long lines blocks are combined first, whose length is fixed, and each block goes
   * on from what those before it give; so the order of floating sums depends on the layout alone.
   *
   * @param out overwritten; of the input's shape, any layout that is no broadcast; its dtype is
   *     computed in. It may be the input itself
   * @param in not modified, converted to the output's dtype when it is loaded
   * @param axis from 0 to ndim-1
   * @param combine ADD, MUL, MAX or MIN
   * @param reverse true to begin at the end: out[i] = combine(out[i + 1], in[i])
   * @throws ShapeException when the shapes differ
   */
  public static void run(Strided out, Strided in, int axis, Expr.Fn2 combine, boolean reverse) {
    if (!out.layout().sameShape(in.layout())) {
      throw new ShapeException(
          "a scan of shape " + in.layout() + " was given an output of shape " + out.layout(),
          "shape",
          in.layout().shape(),
          "out",
          out.layout().toString());
    }
    if (in.layout().size() == 0) {
      return;
    }
    Strided source = in;
    if (in.array() == out.array() && !in.layout().equals(out.layout())) {
      source = Copies.copyOf(in);
    }
    Layout from = reverse ? source.layout().flip(axis) : source.layout();
    Layout to = reverse ? out.layout().flip(axis) : out.layout();
    Line line = new Line(from.dim(axis), from.stride(axis), to.stride(axis));
    RowWalk walk = new RowWalk(from.select(axis, 0), to.select(axis, 0));
    int count = walk.rows * walk.n;
    if (line.n >= LONG && count < 2 * ScanKernel.LINES && combine != Expr.Fn2.MUL) {
      for (int i = 0; i < count; i++) {
        blocks(out, source, combine, line, walk, i);
      }
    } else if (line.n < 2 || walk.n < ScanKernel.LINES) {
      lines(out, source, combine, line, walk);
    } else if (Math.abs(line.to) < Math.abs(walk.step(1))) {
      groups(out, source, combine, line, walk);
    } else {
      columns(out, source, combine, line, walk);
    }
  }

  private record Line(int n, int from, int to) {}

  /** One line after the other. */
  private static void lines(Strided out, Strided in, Expr.Fn2 combine, Line line, RowWalk walk) {
    FoldKernel kernel = fold(combine, out.dtype(), in.dtype(), line.from);
    Threads.parallelFor(
        walk.rows * walk.n,
        Math.max(1, GRAIN / line.n),
        (begin, end) -> {
          Object[] data = {in.array()};
          RowWalk.Cursor c = walk.at(begin / walk.n);
          int j = begin % walk.n;
          for (int i = begin; i < end; i++) {
            int[] at = {c.position(0) + j * walk.step(0), line.from};
            kernel.scan(data, at, line.n, out.array(), c.position(1) + j * walk.step(1), line.to);
            if (++j == walk.n) {
              j = 0;
              c.next();
            }
          }
        });
  }

  private static FoldKernel fold(Expr.Fn2 combine, DType out, DType in, int step) {
    // A key of its own: what tells a kernel from all others takes as long to hash as a few rows.
    FoldKey key = new FoldKey(combine, out, in, FoldKernel.Step.of(step), Forms.mode());
    FoldKernel known = FOLDS.get(key);
    return known != null ? known : FOLDS.computeIfAbsent(key, Scan::fold);
  }

  private static FoldKernel fold(FoldKey key) {
    return FoldKernel.of(
        new FoldKernel.Spec(
            Expr.in(0), key.combine, key.out, key.out, List.of(key.in), List.of(key.step)));
  }

  /** Some contiguous lines at a time, and what is left over one by one. */
  private static void groups(Strided out, Strided in, Expr.Fn2 combine, Line line, RowWalk walk) {
    boolean unit = line.from == 1 && line.to == 1;
    ScanKernel kernel = ScanKernel.of(new ScanKernel.Spec(combine, out.dtype(), in.dtype(), unit));
    FoldKernel one = fold(combine, out.dtype(), in.dtype(), line.from);
    Object start = out.dtype().newArray(ScanKernel.LINES);
    Rows.of(out.dtype())
        .fill(start, 0, 1, ScanKernel.LINES, FoldKernel.start(combine, out.dtype()));
    int parts = Math.ceilDiv(walk.n, ScanKernel.LINES);
    Threads.parallelFor(
        walk.rows * parts,
        Math.max(1, GRAIN / (ScanKernel.LINES * line.n)),
        (begin, end) -> {
          RowWalk.Cursor c = walk.at(begin / parts);
          int i = begin;
          while (i < end) {
            int j = i % parts * ScanKernel.LINES;
            int p = c.position(0) + j * walk.step(0);
            int q = c.position(1) + j * walk.step(1);
            int whole = Math.min(end - i, (walk.n - j) / ScanKernel.LINES);
            if (whole > 0) {
              int[] at = {p, walk.step(0), line.from, q, walk.step(1), line.to};
              kernel.run(in.array(), out.array(), at, whole, line.n, start, 0);
              i += whole;
            } else {
              for (int k = 0; k < walk.n - j; k++) {
                int[] at = {p + k * walk.step(0), line.from};
                Object[] data = {in.array()};
                one.scan(data, at, line.n, out.array(), q + k * walk.step(1), line.to);
              }
              i++;
            }
            if (i % parts == 0) {
              c.next();
            }
          }
        });
  }

  /** One long line: the blocks' totals first, then each block from the totals before it. */
  private static void blocks(
      Strided out, Strided in, Expr.Fn2 combine, Line line, RowWalk walk, int number) {
    RowWalk.Cursor c = walk.at(number / walk.n);
    int p = c.position(0) + number % walk.n * walk.step(0);
    int q = c.position(1) + number % walk.n * walk.step(1);
    int groups = line.n / (ScanKernel.LINES * BLOCK);
    int whole = groups * ScanKernel.LINES;
    Object[] data = {in.array()};
    Object totals = out.dtype().newArray(whole + 1);
    Rows.of(out.dtype()).fill(totals, 0, 1, 1, FoldKernel.start(combine, out.dtype()));
    FoldKernel fold = fold(combine, out.dtype(), in.dtype(), line.from);
    Threads.parallelFor(
        whole,
        2 * GRAIN / BLOCK,
        (begin, end) -> {
          int[] at = {p + begin * BLOCK * line.from, line.from, BLOCK * line.from};
          fold.fold(data, at, end - begin, BLOCK, totals, begin + 1, 1);
        });
    fold(combine, out.dtype(), out.dtype(), 1)
        .scan(new Object[] {totals}, new int[] {0, 1}, whole + 1, totals, 0, 1);
    boolean unit = line.from == 1 && line.to == 1;
    ScanKernel kernel = ScanKernel.of(new ScanKernel.Spec(combine, out.dtype(), in.dtype(), unit));
    Threads.parallelFor(
        groups,
        GRAIN / (ScanKernel.LINES * BLOCK),
        (begin, end) -> {
          for (int i = begin; i < end; i++) {
            int first = i * ScanKernel.LINES;
            int[] at = {
              p + first * BLOCK * line.from,
              BLOCK * line.from,
              line.from,
              q + first * BLOCK * line.to,
              BLOCK * line.to,
              line.to
            };
            kernel.run(in.array(), out.array(), at, 1, BLOCK, totals, first);
          }
        });
    // The rest is one line, LINES times the same: each element is read by all, then written.
    int begin = whole * BLOCK;
    Object last = out.dtype().newArray(ScanKernel.LINES);
    Rows.of(out.dtype()).copy(totals, whole, 0, last, 0, 1, ScanKernel.LINES);
    int[] at = {p + begin * line.from, 0, line.from, q + begin * line.to, 0, line.to};
    kernel.run(in.array(), out.array(), at, 1, line.n - begin, last, 0);
  }

  /**
   * Several lines side by side: row i of the output is combined of its row i - 1 and the input's
   * row i.
   */
  private static void columns(Strided out, Strided in, Expr.Fn2 combine, Line line, RowWalk walk) {
    boolean unit = walk.step(0) == 1 && walk.step(1) == 1;
    int share = Math.ceilDiv(walk.n, Threads.numThreads());
    int width = unit ? Math.clamp(share, NARROW, WIDTH) : LINES;
    Kernel kernel =
        step(combine, out.dtype(), in.dtype(), unit ? InnerStrides.ones(3) : InnerStrides.VARIABLE);
    int chunks = Math.ceilDiv(walk.n, width);
    Rows rows = Rows.of(out.dtype());
    Threads.parallelFor(
        walk.rows * chunks,
        Math.max(1, GRAIN / (line.n * Math.min(width, walk.n))),
        (begin, end) -> {
          Object[] data = {out.array(), out.array(), in.array()};
          RowWalk.Cursor c = walk.at(begin / chunks);
          for (int i = begin; i < end; i++) {
            int j = i % chunks * width;
            int n = Math.min(width, walk.n - j);
            int p = c.position(0) + j * walk.step(0);
            int q = c.position(1) + j * walk.step(1);
            if (i % chunks == chunks - 1) {
              c.next();
            }
            first(rows, in, p, walk.step(0), out, q, walk.step(1), n);
            int[] at = {
              q + line.to,
              q,
              p + line.from,
              walk.step(1),
              walk.step(1),
              walk.step(0),
              line.to,
              line.to,
              line.from
            };
            kernel.run(data, at, line.n - 1, n);
          }
        });
  }

  private static void first(
      Rows rows, Strided in, int p, int ps, Strided out, int q, int qs, int n) {
    if (in.dtype() == out.dtype()) {
      rows.copy(in.array(), p, ps, out.array(), q, qs, n);
    } else {
      int[] shape = {n};
      Copies.copy(
          in.with(Layout.of(shape, new int[] {ps}, p)),
          out.with(Layout.of(shape, new int[] {qs}, q)));
    }
  }

  private static Kernel step(Expr.Fn2 combine, DType out, DType in, long strides) {
    return STEPS.computeIfAbsent(
        new Key(combine, out, in, strides),
        _ ->
            Forms.kernel(
                new Dag(Expr.of(combine, Expr.in(0), Expr.in(1))),
                new DType[] {out, out, in},
                new DType[] {out, out},
                strides == InnerStrides.VARIABLE ? Kernel.Form.STRIDED : Kernel.Form.FIXED,
                strides));
  }
}
