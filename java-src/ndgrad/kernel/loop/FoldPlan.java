package ndgrad.kernel.loop;

import java.util.function.IntFunction;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * How one reduction is walked. Dimensions that are kept and such that are reduced are each put in
 * order of their strides and merged. Then either a reduced dimension is the inner loop, and each
 * run of it is folded into one number; or a kept one is, and rows of it are combined into a row. A
 * tile is a row of outputs that are accumulated at once. Its values come in blocks of fixed length,
 * which are combined pairwise; when there are few tiles, their blocks are dealt out in parts.
 *
 * <p>A plan depends on shapes and strides alone, and is good for all arrays that have them.
 */
final class FoldPlan {
  /** Elements folded into the accumulators of a kernel before these are combined. */
  private static final int SEGMENT = 8192;

  /** Segments of a run that are folded with one call, and their results with another. */
  private static final int GROUP = 8;

  /** Elements of the runs that are folded with one call. */
  private static final int RUNS = 16_384;

  /** Rows combined one after the other. */
  private static final int ROWS = 128;

  /** Elements of a row of outputs that are accumulated at once. */
  private static final int WIDTH = 2048;

  /**
   * The same where inputs step over memory, so that the lines that are touched stay in the cache.
   */
  private static final int STRIDED_WIDTH = 128;

  /** Runs that are shorter are not worth turning. */
  private static final int FEW = 8;

  /** Inner loops shorter than this are avoided. */
  private static final int TINY = 16;

  /** Parts that a large reduction is cut into at least. */
  private static final int PARTS = 16;

  /** Elements that are worth a thread. */
  private static final int GRAIN = 32_768;

  private final int ins;
  private final Dims kept;
  private final Dims reduced;
  private final boolean byRows;

  /** Whether short runs are turned into rows. */
  private final boolean turned;

  private final int[] along;
  private final int[] across;
  private final int segment;
  private final int rowLength;
  private final int runLength;
  private final int width;
  private final int chunks;
  private final int tiles;
  private final int segments;
  private final long blocks;
  private final int parts;
  private final long size;

  /** Dimensions with the strides of all inputs and, last, of the output. */
  private static final class Dims {
    private final int[] length;
    private final int[][] stride;
    private int n;

    Dims(int capacity) {
      length = new int[capacity];
      stride = new int[capacity][];
    }

    void add(int dim, int[] strides) {
      // By insertion: the largest strides of the inputs first.
      int at = n++;
      for (; at > 0 && reach(stride[at - 1]) < reach(strides); at--) {
        length[at] = length[at - 1];
        stride[at] = stride[at - 1];
      }
      length[at] = dim;
      stride[at] = strides;
    }

    static int reach(int[] strides) {
      int most = 0;
      for (int k = 0; k < strides.length - 1; k++) {
        most = Math.max(most, Math.abs(strides[k]));
      }
      return most;
    }

    void merge() {
      int last = 0;
      for (int i = 1; i < n; i++) {
        boolean even = true;
        for (int k = 0; even && k < stride[i].length; k++) {
          even = stride[last][k] == stride[i][k] * length[i];
        }
        if (even && (long) length[last] * length[i] > Integer.MAX_VALUE) {
          // No storage is so large: these are broadcast, and the longer one makes the better loop.
          even = false;
          int longer = Math.max(length[last], length[i]);
          length[last] = Math.min(length[last], length[i]);
          length[i] = longer;
        }
        last += even ? 0 : 1;
        length[last] = even ? length[last] * length[i] : length[i];
        stride[last] = stride[i];
      }
      n = Math.min(n, last + 1);
    }

    long count() {
      long count = 1;
      for (int i = 0; i < n; i++) {
        count *= length[i];
      }
      return count;
    }

    /** Takes the last dimension off; one of length 1 when there is none. */
    int[] pop(int operands) {
      return n == 0 ? new int[operands] : stride[--n];
    }

    int lastLength() {
      return n == 0 ? 1 : length[n - 1];
    }

    int lastReach() {
      return n == 0 ? Integer.MAX_VALUE : reach(stride[n - 1]);
    }

    /** Adds the offsets of the index-th combination of these dimensions to positions. */
    void offset(long index, int[] positions, int operands) {
      long rest = index;
      for (int i = n - 1; i >= 0; i--) {
        int j = (int) (i == 0 ? rest : rest % length[i]);
        rest = i == 0 ? 0 : rest / length[i];
        for (int k = 0; k < operands; k++) {
          positions[k] += j * stride[i][k];
        }
      }
    }
  }

  FoldPlan(Layout out, int[] shape, boolean[] isReduced, Layout[] layouts) {
    ins = layouts.length;
    int operands = ins + 1;
    kept = new Dims(shape.length);
    reduced = new Dims(shape.length);
    int outAxis = 0;
    for (int axis = 0; axis < shape.length; axis++) {
      int[] strides = new int[operands];
      for (int k = 0; k < ins; k++) {
        Layout l = layouts[k];
        int own = axis - (shape.length - l.ndim());
        strides[k] = own < 0 || l.dim(own) == 1 ? 0 : l.stride(own);
      }
      strides[ins] = isReduced[axis] ? 0 : out.stride(outAxis++);
      if (shape[axis] != 1) {
        (isReduced[axis] ? reduced : kept).add(shape[axis], strides);
      }
    }
    size = Dimensions.size(shape);
    kept.merge();
    reduced.merge();
    boolean rows = choose();
    runLength = reduced.lastLength();
    rowLength = kept.lastLength();
    along = reduced.pop(operands);
    across = kept.pop(operands);
    turned = areShort();
    byRows = rows || turned;
    segment = byRows ? ROWS : GROUP * SEGMENT;
    width = Math.min(rowLength, width());
    chunks = size == 0 ? 0 : Math.ceilDiv(rowLength, width);
    tiles = (int) kept.count() * chunks;
    segments = Math.ceilDiv(runLength, segment);
    blocks = reduced.count() * segments;
    parts =
        tiles >= PARTS || size < 2 * GRAIN
            ? 1
            : (int) Math.min(blocks, PARTS / Math.max(1, tiles) + 1);
  }

  /** Whether runs of neighbours are short, many, and apart from each other. */
  private boolean areShort() {
    boolean near = runLength >= FEW && ShortRows.areMany(rowLength, runLength);
    for (int k = 0; k < ins; k++) {
      near &= along[k] == 0 || along[k] == 1;
    }
    return near && Dims.reach(across) > 1;
  }

  private boolean isTurned(int k) {
    return turned && along[k] == 1;
  }

  private int width() {
    if (turned) {
      return ShortRows.block(rowLength, runLength);
    }
    return byRows
        ? Dims.reach(across) > 1 ? STRIDED_WIDTH : WIDTH
        : Math.max(1, RUNS / Math.clamp(runLength, 1, segment));
  }

  private boolean choose() {
    if (kept.n == 0 || reduced.n == 0) {
      return reduced.n == 0;
    }
    int row = kept.lastLength();
    int run = reduced.lastLength();
    if (row < TINY) {
      return run < TINY && row > run;
    }
    return kept.lastReach() <= reduced.lastReach() || run < TINY;
  }

  boolean isEmpty() {
    return size == 0;
  }

  /** How input k moves along the inner loop. */
  FoldKernel.Step step(int k) {
    return FoldKernel.Step.of(isTurned(k) ? 1 : (byRows ? across : along)[k]);
  }

  /**
   * Runs the reduction.
   *
   * @param kernel of the prologue, for this plan's steps
   * @param merge the kernel that combines rows of accumulators
   * @param start what accumulators start with
   * @param out of the layout that was planned for, but for its offset
   * @param inputs the same
   */
  void run(FoldKernel kernel, FoldKernel merge, Object start, Strided out, Strided[] inputs) {
    if (isOneCall()) {
      call(kernel, start, out, inputs);
      return;
    }
    Run run = new Run(kernel, merge, start, out, inputs);
    int units = tiles * parts;
    if (units == 1) {
      run.worker().unit(0, run.partial);
      return;
    }
    long each = Math.max(1, size / units);
    Threads.parallelFor(
        units,
        (int) Math.max(1, GRAIN / each),
        () -> {
          Worker worker = run.worker();
          return (from, to) -> {
            for (int unit = from; unit < to; unit++) {
              worker.unit(unit, run.partial);
            }
          };
        });
    if (parts > 1) {
      run.join();
    }
  }

  /** Whether the kernel is called once, as it is for a few elements. */
  private boolean isOneCall() {
    boolean direct = byRows ? !turned && across[ins] == 1 : runLength <= SEGMENT;
    return direct && tiles == 1 && blocks == 1;
  }

  private void call(FoldKernel kernel, Object start, Strided out, Strided[] inputs) {
    Object[] data = new Object[ins];
    int[] at = new int[3 * ins];
    for (int k = 0; k < ins; k++) {
      data[k] = inputs[k].array();
      at[k] = inputs[k].layout().offset();
    }
    steps(at);
    int to = out.layout().offset();
    if (byRows) {
      Rows.of(out.dtype()).fill(out.array(), to, 1, rowLength, start);
      kernel.rows(data, at, runLength, rowLength, out.array(), to);
    } else {
      kernel.fold(data, at, rowLength, runLength, out.array(), to, across[ins]);
    }
  }

  /**
   * Sets how inputs move along the inner and the outer loop of a kernel, behind their positions.
   */
  private void steps(int[] at) {
    System.arraycopy(byRows ? across : along, 0, at, ins, ins);
    System.arraycopy(byRows ? along : across, 0, at, 2 * ins, ins);
  }

  private static void merge(FoldKernel merge, Object acc, int from, int to, int n) {
    merge.rows(new Object[] {acc}, new int[] {from, 1, 0}, 1, n, acc, to);
  }

  /** The arrays of one run. */
  private final class Run {
    private final FoldKernel kernel;
    private final FoldKernel merge;
    private final Object start;
    private final Strided out;
    private final Rows rows;
    private final IntFunction<DType> dtypes;
    private final Object[] data = new Object[ins];
    private final int[] first = new int[ins + 1];

    /** Where units leave their results: an element, or a row, for each. */
    private final Object partial;

    Run(FoldKernel kernel, FoldKernel merge, Object start, Strided out, Strided[] inputs) {
      this.kernel = kernel;
      this.merge = merge;
      this.start = start;
      this.out = out;
      this.rows = Rows.of(out.dtype());
      this.dtypes = k -> inputs[k].dtype();
      for (int k = 0; k < ins; k++) {
        data[k] = inputs[k].array();
        first[k] = inputs[k].layout().offset();
      }
      first[ins] = out.layout().offset();
      partial = parts > 1 ? Scratch.array(out.dtype(), 1, tiles * parts * width) : out.array();
    }

    Worker worker() {
      return new Worker(this);
    }

    /** Sets the positions of a tile; returns its width. */
    int place(int tile, int[] at) {
      System.arraycopy(first, 0, at, 0, at.length);
      int chunk = chunks == 1 ? 0 : tile % chunks;
      kept.offset(chunks == 1 ? tile : tile / chunks, at, at.length);
      if (chunk > 0) {
        for (int k = 0; k < at.length; k++) {
          at[k] += chunk * width * across[k];
        }
      }
      return Math.min(width, rowLength - chunk * width);
    }

    /** Combines the parts of each tile pairwise. */
    void join() {
      int[] at = new int[ins + 1];
      for (int tile = 0; tile < tiles; tile++) {
        int begin = tile * parts * width;
        int n = place(tile, at);
        for (int gap = 1; gap < parts; gap *= 2) {
          for (int p = 0; p + gap < parts; p += 2 * gap) {
            merge(merge, partial, begin + (p + gap) * width, begin + p * width, n);
          }
        }
        rows.copy(partial, begin, 1, out.array(), at[ins], across[ins], n);
      }
    }
  }

  /** What one thread needs: positions and a stack of accumulators. */
  private final class Worker {
    private final Run run;
    private final int[] tileAt = new int[ins + 1];
    private final int[] at = new int[3 * ins];

    /** The inputs, buffers in place of those that are turned. */
    private final Object[] near;

    Worker(Run run) {
      this.run = run;
      steps(at);
      near =
          turned
              ? ShortRows.buffers(run.dtypes, run.data, FoldPlan.this::isTurned, width, runLength)
              : run.data;
    }

    void unit(int unit, Object dest) {
      int tile = parts == 1 ? unit : unit / parts;
      int part = parts == 1 ? 0 : unit % parts;
      int n = run.place(tile, tileAt);
      long from = bound(part);
      long to = bound(part + 1);
      int q = parts > 1 ? unit * width : tileAt[ins];
      int step = parts > 1 ? 1 : across[ins];
      if (to - from == 1 && (step == 1 || !byRows)) {
        block(from, n, dest, q, step);
        return;
      }
      int levels = 2 + (64 - Long.numberOfLeadingZeros(to - from));
      Object acc = Scratch.array(run.out.dtype(), 0, levels * width);
      int top = 0;
      for (long b = from; b < to; b++) {
        block(b, n, acc, top * width, 1);
        top++;
        for (long t = b - from + 1; (t & 1) == 0; t >>= 1) {
          top--;
          merge(run.merge, acc, top * width, (top - 1) * width, n);
        }
      }
      for (; top > 1; top--) {
        merge(run.merge, acc, (top - 1) * width, (top - 2) * width, n);
      }
      run.rows.copy(acc, 0, 1, dest, q, step, n);
    }

    /** The first block of a part. */
    private long bound(int part) {
      return blocks / parts * part + blocks % parts * part / parts;
    }

    private void block(long block, int n, Object to, int slot, int step) {
      System.arraycopy(tileAt, 0, at, 0, ins);
      int begin = segments == 1 ? 0 : (int) (block % segments) * segment;
      reduced.offset(segments == 1 ? block : block / segments, at, ins);
      for (int k = 0; begin > 0 && k < ins; k++) {
        at[k] += begin * along[k];
      }
      int length = Math.min(segment, runLength - begin);
      if (byRows) {
        if (turned) {
          turn(n);
        }
        run.rows.fill(to, slot, 1, n, run.start);
        run.kernel.rows(near, at, length, n, to, slot);
      } else if (length <= SEGMENT) {
        run.kernel.fold(run.data, at, n, length, to, slot, step);
      } else {
        group(length, to, slot);
      }
    }

    private void turn(int n) {
      for (int k = 0; k < ins; k++) {
        if (isTurned(k)) {
          Blocks blocks = Blocks.of(run.dtypes.apply(k));
          blocks.turn(run.data[k], at[k], across[k], near[k], width, n, runLength);
          at[k] = 0;
          at[ins + k] = 1;
          at[2 * ins + k] = width;
        }
      }
    }

    /** Folds several segments of one run, of which there is one at a time then. */
    private void group(int length, Object to, int slot) {
      Object folded = Scratch.array(run.out.dtype(), 2, GROUP);
      int whole = length / SEGMENT;
      int rest = length - whole * SEGMENT;
      for (int k = 0; k < ins; k++) {
        at[2 * ins + k] = SEGMENT * along[k];
      }
      run.kernel.fold(run.data, at, whole, SEGMENT, folded, 0, 1);
      if (rest > 0) {
        for (int k = 0; k < ins; k++) {
          at[k] += whole * SEGMENT * along[k];
        }
        run.kernel.fold(run.data, at, 1, rest, folded, whole, 1);
      }
      int count = rest > 0 ? whole + 1 : whole;
      run.merge.fold(new Object[] {folded}, new int[] {0, 1, 0}, 1, count, to, slot, 1);
    }
  }
}
