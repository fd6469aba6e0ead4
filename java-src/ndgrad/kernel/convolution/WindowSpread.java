package ndgrad.kernel.convolution;

import java.util.HashMap;
import java.util.List;
import java.util.Map;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.convolution.AxisFold.Points;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * The gradient of the means of what a window sees. Each element of the image is seen from some
 * places of the window, and gets the sum of their shares. Which places these are depends on the
 * remainder of its position by the window's step alone, so they are added up along the rows and
 * then downwards for one remainder after the other ({@link Line}).
 */
public final class WindowSpread {
  private static final int DOWN = 1;
  private static final int ALONG = 2;

  private final Strided out;
  private final Strided g;
  private final Window w;

  /** The lines of each patch, by where it begins. */
  private final Map<Integer, List<Line>> down = new HashMap<>();

  private final Map<Integer, List<Line>> along = new HashMap<>();

  private WindowSpread(Strided out, Strided g, Window w) {
    this.out = Patch.planes(out);
    this.g = Patch.planes(g);
    this.w = w;
  }

  /**
   * The gradient of {@link WindowFold#mean} with respect to its image.
   *
   * @param out [n, c, h, w], row-major; overwritten
   * @param g the gradient of the means, [n, c, y, x], any layout, of the same floating dtype
   * @param w the window
   */
  public static void meanGradient(Strided out, Strided g, Window w) {
    if (out.layout().size() > 0) {
      new WindowSpread(out, g, w).run();
    }
  }

  private void run() {
    List<Patch> patches =
        Patch.cut(
            out.layout(),
            new Patch.Sight(1, w.extentH()),
            new Patch.Sight(1, w.extentW()),
            out.dtype());
    for (Patch p : patches) {
      down.computeIfAbsent(
          p.row(),
          y -> Line.backward(w.height(), w.strideH(), w.top() + y, w.dilationH(), p.rows()));
      along.computeIfAbsent(
          p.column(),
          x -> Line.backward(w.width(), w.strideW(), w.left() + x, w.dilationW(), p.columns()));
    }
    Strided points = WindowFold.points(w, out.dtype());
    Threads.parallelFor(
        patches.size(),
        1,
        (from, to) -> {
          for (Patch patch : patches.subList(from, to)) {
            run(patch, points);
          }
        });
  }

  private void run(Patch patch, Strided points) {
    List<Line> rows = down.get(patch.row());
    List<Line> columns = along.get(patch.column());
    int top = first(rows);
    int left = first(columns);
    Patch seen =
        new Patch(patch.plane(), patch.planes(), top, last(rows) - top, left, last(columns) - left);
    int wide = patch.planes() * seen.rows() * patch.columns();
    int length = Math.addExact(seen.size(), wide);
    Storage scratch = new Storage(Scratch.array(out.dtype(), WindowFold.SCRATCH, length));
    Strided shares = shares(seen, points, scratch);
    Strided sums = Patch.buffer(scratch, seen.size(), patch.planes(), seen.rows(), patch.columns());
    spread(sums, shares, ALONG, columns, left);
    spread(patch.of(out), sums, DOWN, rows, top);
  }

  /** What each place gives to all that it sees, 0 where there is no place. */
  private Strided shares(Patch seen, Strided points, Storage scratch) {
    DType dtype = out.dtype();
    Strided shares = Patch.buffer(scratch, 0, seen.planes(), seen.rows(), seen.columns());
    Patch places = seen.inside(g.layout());
    if (places.size() < seen.size()) {
      Rows.of(dtype).fill(shares.array(), 0, 1, seen.size(), AxisFold.SUM.identity(dtype));
    }
    if (places.size() > 0) {
      WindowFold.QUOTIENT.run(seen.within(shares, places), dtype, places.of(g), points);
    }
    return shares;
  }

  private static int first(List<Line> lines) {
    return lines.stream().mapToInt(line -> line.start()[0]).min().orElseThrow();
  }

  private static int last(List<Line> lines) {
    return lines.stream().mapToInt(line -> line.start()[0] + line.extent()).max().orElseThrow();
  }

  /** The results of all lines; {@code from} begins with the place {@code first}. */
  private static void spread(Strided to, Strided from, int axis, List<Line> lines, int first) {
    if (lines.stream().anyMatch(line -> line.taps().length == 0)) {
      Copies.copy(Strided.number(0, to.dtype()), to);
    }
    for (Line line : lines) {
      int[] shift = line.shift();
      int n = shift.length;
      if (n > 0) {
        // The points that see an element are equally far apart, the last one is at the front.
        int distance = n == 1 ? 0 : shift[0] - shift[1];
        int start = line.start()[0] + shift[n - 1] - first;
        Layout results = to.layout().slice(axis, line.target(), line.count(), line.targetStep());
        AxisFold.SUM.run(to.with(results), from, axis, new Points(n, start, distance, 1));
      }
    }
  }
}
