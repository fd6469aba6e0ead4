package ndgrad.kernel.convolution;

import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.TapKernel;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Strided;

/**
 * A convolution, or the gradient of one with respect to its source, as sums over taps: what a tile
 * of results sees is laid out in a cache, and rows of results are summed up in registers. Each
 * result is a chain of products added in the order of channels and of the window's points, whatever
 * the tiles and threads are.
 */
final class TapSums {
  /** Bytes of what a tile sees: less than a core's second cache. */
  private static final int ROOM = 1 << 18;

  /** Products that are worth a thread. */
  private static final int GRAIN = 200_000;

  /** Tasks for each thread, so that the last ones are short. */
  private static final int TASKS = 4;

  private final Strided out;
  private final Strided source;
  private final int groups;
  private final int rows;
  private final int channels;
  private final DType dtype;

  /** Rows of one kernel, and how many such blocks are one group. */
  private final int block;

  private final int blocks;

  private TapSums(Strided out, Strided source, int groups) {
    this.out = out;
    this.source = source;
    this.groups = groups;
    this.rows = out.layout().dim(1) / groups;
    this.channels = source.layout().dim(1) / groups;
    this.dtype = out.dtype();
    this.block = TapKernels.sumRows(dtype, rows);
    this.blocks = Math.ceilDiv(rows, block);
  }

  /**
   * Convolves.
   *
   * @param out overwritten; [n, o, y, x], row-major, not empty
   * @param x the images [n, c, h, w], any layout
   * @param w the windows [o, c / groups, i, j], any layout
   * @param bias [o], or nothing for zeros
   * @param window the window
   * @param groups a divisor of c and o
   */
  static void forward(
      Strided out, Strided x, Strided w, Strided[] bias, Window window, int groups) {
    Layout l = out.layout();
    Line rows =
        Line.forward(window.height(), window.strideH(), window.top(), window.dilationH(), l.dim(2));
    Line columns =
        Line.forward(window.width(), window.strideW(), window.left(), window.dilationW(), l.dim(3));
    new TapSums(out, x, groups).run(rows, columns, grouped(w, groups, false), bias);
  }

  /**
   * The gradient of the images.
   *
   * @param out overwritten; [n, c, h, w], row-major, not empty
   * @param g the gradient of the result, [n, o, y, x], any layout
   * @param w the windows, all finite
   * @param window the window
   * @param groups a divisor of c and o
   */
  static void backward(Strided out, Strided g, Strided w, Window window, int groups) {
    Layout l = out.layout();
    TapSums sums = new TapSums(out, g, groups);
    Strided turned = grouped(w, groups, true);
    for (Line rows :
        Line.backward(
            window.height(), window.strideH(), window.top(), window.dilationH(), l.dim(2))) {
      for (Line columns :
          Line.backward(
              window.width(), window.strideW(), window.left(), window.dilationW(), l.dim(3))) {
        sums.run(rows, columns, turned);
      }
    }
  }

  /** As [groups, rows, channels, height, width], where rows are channels of the result. */
  private static Strided grouped(Strided w, int groups, boolean turned) {
    Layout l = w.layout();
    int each = l.dim(0) / groups;
    int r = turned ? 1 : 0;
    int c = 1 - r;
    return w.with(
        Layout.of(
            new int[] {
              groups, turned ? l.dim(1) : each, turned ? each : l.dim(1), l.dim(2), l.dim(3)
            },
            new int[] {each * l.stride(0), l.stride(r), l.stride(c), l.stride(2), l.stride(3)},
            l.offset()));
  }

  private void run(Line rowLine, Line columnLine, Strided weights, Strided... bias) {
    int points = rowLine.taps().length * columnLine.taps().length;
    Object panels = panels(rowLine, columnLine, weights, bias);
    int images = out.layout().dim(0);
    int wanted = Math.ceilDiv(TASKS * Threads.numThreads(), images * groups);
    List<Tile> tiles = Tile.cut(rowLine, columnLine, channels, ROOM / dtype.itemsize(), wanted);
    int slices = Math.clamp(wanted / tiles.size(), 1, blocks);
    int tasks = images * groups * tiles.size() * slices;
    Threads.parallelFor(
        tasks,
        grain(out.layout().size(), channels * Math.max(1, points), tasks),
        (from, to) -> {
          for (int i = from; i < to; i++) {
            int slice = i % slices;
            int image = i / slices;
            Tile tile = tiles.get(image % tiles.size());
            image /= tiles.size();
            sum(
                tile,
                image / groups,
                image % groups,
                panels,
                blocks * slice / slices,
                blocks * (slice + 1) / slices);
          }
        });
  }

  /**
   * How many tasks are worth a thread.
   *
   * @param results elements of the whole output
   * @param products of each result
   * @param tasks in all
   */
  static int grain(long results, int products, int tasks) {
    return Math.clamp(GRAIN / Math.max(1, results * products / tasks), 1, tasks);
  }

  /** Some blocks of a group's rows. */
  private void sum(Tile tile, int n, int group, Object panels, int from, int to) {
    int steps = channels * tile.points();
    int slack = TapKernels.slack(dtype);
    int length = tile.length();
    int row = length + slack;
    Object laid = Scratch.array(dtype, 0, channels * tile.channel() + slack);
    Object sums = Scratch.array(dtype, 1, block * row);
    if (steps > 0) {
      tile.lay(source, n, group * channels, channels, laid, 0);
    }
    int[] off = tile.offsets(channels, steps);
    TapKernel kernel = TapKernels.sum(dtype, block);
    Taps taps = Taps.of(dtype);
    Layout l = out.layout();
    Line down = tile.rows();
    Line along = tile.columns();
    for (int b = from; b < to; b++) {
      int panel = (group * blocks + b) * block * (1 + steps);
      kernel.run(panels, panel, 0, laid, 0, off, 0, steps, length, sums, 0, row);
      for (int r = 0; r < Math.min(block, rows - b * block); r++) {
        taps.crop(
            sums,
            r * row,
            tile.width(),
            down.count(),
            along.count(),
            out.array(),
            l.position(n, group * rows + b * block + r, down.target(), along.target()),
            down.targetStep() * l.stride(2),
            along.targetStep() * l.stride(3));
      }
    }
  }

  /** For each block of rows what they start from, and then their weights, tap by tap. */
  private Object panels(Line rowLine, Line columnLine, Strided weights, Strided... bias) {
    int steps = channels * rowLine.taps().length * columnLine.taps().length;
    int size = block * (1 + steps);
    Object panels = Scratch.array(dtype, 3, groups * blocks * size);
    Taps taps = Taps.of(dtype);
    Threads.parallelFor(
        groups * blocks,
        Math.max(1, GRAIN / 8 / size),
        (from, to) -> {
          for (int i = from; i < to; i++) {
            int first = i % blocks * block;
            int count = Math.min(block, rows - first);
            int at = i * size;
            taps.clear(panels, at, at + (count < block || bias.length == 0 ? size : 0));
            if (bias.length > 0) {
              Layout l = bias[0].layout();
              int p = l.position(i / blocks * rows + first);
              taps.gather(bias[0].array(), p, l.stride(0), count, panels, at, 1);
            }
            fill(panels, at + block, weights, i / blocks, first, count, rowLine, columnLine);
          }
        });
    return panels;
  }

  private void fill(
      Object panels,
      int at,
      Strided weights,
      int group,
      int first,
      int count,
      Line rowLine,
      Line columnLine) {
    Taps taps = Taps.of(dtype);
    Layout l = weights.layout();
    int points = rowLine.taps().length * columnLine.taps().length;
    int point = 0;
    for (int i : rowLine.taps()) {
      for (int j : columnLine.taps()) {
        for (int r = 0; r < count; r++) {
          taps.gather(
              weights.array(),
              l.position(group, first + r, 0, i, j),
              l.stride(2),
              channels,
              panels,
              at + point * block + r,
              points * block);
        }
        point++;
      }
    }
  }
}
