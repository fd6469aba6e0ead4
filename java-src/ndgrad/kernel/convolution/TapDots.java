package ndgrad.kernel.convolution;

import java.util.ArrayList;
import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.TapKernel;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * The gradient of a convolution's windows as dot products: of what each tap sees of some images
 * with the gradients of the results. How the images are split, and so the order of additions,
 * depends on shapes alone.
 */
final class TapDots {
  /**
   * Bytes of what is laid out at a time: no more than the third cache has for a core. A few rows of
   * it, which are in use at a time, are in nearer caches.
   */
  private static final int ROOM = 1 << 22;

  /** Bytes of all partial sums. */
  private static final int PARTIAL = 1 << 22;

  /** The most parts that images are split into, and how many tasks are wanted. */
  private static final int PARTS = 16;

  private static final int TASKS = 8;

  /**
   * Elements of dot products below which images are taken together: adding up their lanes takes as
   * long as some hundred elements.
   */
  private static final int LONG = 4096;

  /** Bytes of a row that are worked on at a time: some rows of them fit into the first cache. */
  private static final int CHUNK = 1 << 12;

  /** Products that are worth a thread. */
  private static final int GRAIN = 200_000;

  /** Some images, or a part of one. */
  private record Piece(Tile tile, int image) {}

  private final Strided x;
  private final Strided g;
  private final int groups;
  private final int rows;
  private final int channels;
  private final DType dtype;
  private final List<Piece> pieces;

  /** Rows and taps of one kernel, and how many such blocks there are. */
  private final int block;

  private final int blocks;
  private final int taps;
  private final int tapBlock;

  private TapDots(Strided x, Strided g, Window window, int groups) {
    this.x = x;
    this.g = g;
    this.groups = groups;
    this.rows = g.layout().dim(1) / groups;
    this.channels = x.layout().dim(1) / groups;
    this.dtype = x.dtype();
    this.taps = channels * window.height() * window.width();
    this.block = TapKernels.dotRows(dtype, rows);
    this.blocks = Math.ceilDiv(rows, block);
    this.tapBlock = TapKernels.dotTaps(dtype, block, taps);
    this.pieces = pieces(window);
  }

  /**
   * The gradient of the windows.
   *
   * @param out zeros; [o, c / groups, i, j], row-major, not empty
   * @param x the images [n, c, h, w], any layout, not empty
   * @param g the gradient of the result, [n, o, y, x], any layout, not empty
   * @param window the window
   * @param groups a divisor of c and o
   */
  static void run(Strided out, Strided x, Strided g, Window window, int groups) {
    new TapDots(x, g, window, groups).run(out);
  }

  private List<Piece> pieces(Window w) {
    Layout l = g.layout();
    Line down = Line.forward(w.height(), w.strideH(), w.top(), w.dilationH(), l.dim(2));
    Line along = Line.forward(w.width(), w.strideW(), w.left(), w.dilationW(), l.dim(3));
    Tile whole = new Tile(down, along, 1);
    int room = ROOM / dtype.itemsize();
    long image = (long) channels * whole.channel() + (long) rows * whole.plane();
    int n = l.dim(0);
    List<Piece> found = new ArrayList<>();
    if (image <= room) {
      int wanted = Math.max(n / TASKS, Math.ceilDiv(LONG, whole.plane()));
      int each = Tile.even(n, Math.clamp(Math.min(room / image, wanted), 1, n));
      for (int i = 0; i < n; i += each) {
        found.add(new Piece(new Tile(down, along, Math.min(each, n - i)), i));
      }
    } else {
      int share = (int) (room * channels * (double) whole.channel() / image);
      List<Tile> tiles = Tile.cut(down, along, channels, share, 1);
      for (int i = 0; i < n; i++) {
        for (Tile tile : tiles) {
          found.add(new Piece(tile, i));
        }
      }
    }
    return found;
  }

  private void run(Strided out) {
    int size = out.layout().intSize();
    int most = Math.clamp(PARTIAL / ((long) size * dtype.itemsize()), 1, PARTS);
    int parts = Math.min(most, pieces.size());
    int slices = Math.clamp(TASKS / ((long) parts * groups), 1, blocks);
    Object[] partial = new Object[parts];
    partial[0] = out.array();
    for (int i = 1; i < parts; i++) {
      partial[i] = Strided.zeros(dtype, size).array();
    }
    int tasks = groups * parts * slices;
    long products = g.layout().size() * taps;
    Threads.parallelFor(
        tasks,
        Math.clamp(GRAIN / Math.max(1, products / tasks), 1, tasks),
        (from, to) -> {
          for (int i = from; i < to; i++) {
            int slice = i % slices;
            int part = i / slices % parts;
            int first = blocks * slice / slices;
            int last = blocks * (slice + 1) / slices;
            int end = (int) ((long) pieces.size() * (part + 1) / parts);
            for (int p = (int) ((long) pieces.size() * part / parts); p < end; p++) {
              add(pieces.get(p), i / slices / parts, first, last, partial[part]);
            }
          }
        });
    Rows adder = Rows.of(dtype);
    for (int i = 1; i < parts; i++) {
      adder.add(partial[i], 0, 1, partial[0], 0, 1, size);
    }
  }

  /** Adds a piece's share of some blocks of a group's rows. */
  private void add(Piece piece, int group, int from, int to, Object out) {
    Tile tile = piece.tile;
    int lanes = TapKernels.lanes(dtype);
    int step = Math.ceilDiv(tile.images() * tile.plane(), lanes) * lanes;
    int slack = TapKernels.slack(dtype);
    int end = channels * tile.channel();
    Object laid = Scratch.array(dtype, 0, end + slack);
    Object left = Scratch.array(dtype, 1, (to - from) * block * step);
    int tapBlocks = Math.ceilDiv(taps, tapBlock);
    int each = block * tapBlock * lanes;
    Object sums = Scratch.array(dtype, 2, tapBlocks * each);
    Taps plain = Taps.of(dtype);
    int firstRow = from * block;
    int count = Math.min(to * block, rows) - firstRow;
    for (int i = 0; i < tile.images(); i++) {
      tile.lay(x, piece.image + i, group * channels, channels, laid, i);
      tile.layResults(g, piece.image + i, group * rows + firstRow, count, left, step, i);
    }
    plain.clear(laid, end, end + slack);
    int[] off = tile.offsets(channels, tapBlocks * tapBlock);
    TapKernel kernel = TapKernels.dot(dtype, block, tapBlock);
    int chunk = CHUNK / dtype.itemsize();
    for (int b = from; b < to; b++) {
      int above = (b - from) * block * step;
      plain.clear(sums, 0, tapBlocks * each);
      for (int p = 0; p < tile.length(); p += chunk) {
        int n = Math.min(chunk, tile.length() - p);
        for (int t = 0; t < tapBlocks; t++) {
          kernel.run(
              left, above + p, step, laid, p, off, t * tapBlock, tapBlock, n, sums, t * each, 0);
        }
      }
      int used = Math.min(block, rows - b * block);
      int at = (group * rows + b * block) * taps;
      for (int t = 0; t < tapBlocks; t++) {
        int first = t * tapBlock;
        plain.fold(
            sums,
            t * each,
            used,
            tapBlock,
            Math.min(tapBlock, taps - first),
            out,
            at + first,
            taps);
      }
    }
  }
}
