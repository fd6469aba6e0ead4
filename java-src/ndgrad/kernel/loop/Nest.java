package ndgrad.kernel.loop;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.InnerStrides;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Strided;

/**
 * The loops of one elementwise call: the dimensions of all operands, merged where all of them allow
 * it and put in an order that suits the memory. The two innermost run inside the kernel, the others
 * here.
 *
 * <p>Where an operand's neighbours are farther apart than a kernel can take the nest is walked in
 * tiles. The operand's part of a tile is brought into a small buffer first, in order, so that the
 * kernel finds all operands contiguous: the kernel is the fast one, and the rearrangement is done
 * by loops made for it.
 */
final class Nest {
  /** Inner length of the tiles in which operands of different orientation are walked. */
  private static final int TILE = 64;

  /**
   * The same for operands that are larger than a second-level cache: the hardware fetches ahead on
   * long runs.
   */
  private static final int LONG_TILE = 4 * TILE;

  private static final int LARGE_BYTES = 1 << 20;

  /** Bytes of one operand's part of a tile, where it is no long one. */
  private static final int TILE_BYTES = 1 << 14;

  /** Elements below which arranging them would take longer than walking them as they lie. */
  private static final int SMALL = 2048;

  /** Rows that are shorter are moved column by column. */
  private static final int FEW = 4;

  /** Rows that are shorter are worth repeating. */
  private static final int SHORT = 256;

  /** Cost of an element up to which it is computed where it lies rather than moved there. */
  private static final int CHEAP = 16;

  private final int outs;
  private final int operands;
  private final DType[] dtypes;
  private final int[] first;
  private final int[] dims;
  private final int[][] strides;
  private int ndim;
  private boolean tiled;
  private boolean[] arranged = {};

  private Nest(Strided[] outs, Strided[] ins, int ndim) {
    this.outs = outs.length;
    this.operands = outs.length + ins.length;
    this.dtypes = new DType[operands];
    this.first = new int[operands];
    this.dims = new int[Math.max(ndim, 1)];
    this.strides = new int[Math.max(ndim, 1)][];
  }

  /**
   * Plans the loops.
   *
   * @param outs the outputs, all of one shape that is not empty
   * @param ins the inputs, broadcast to it
   * @return the loops
   * @throws ShapeException when an input does not broadcast
   */
  static Nest of(Strided[] outs, Strided[] ins) {
    Layout shape = outs[0].layout();
    Nest nest = new Nest(outs, ins, shape.ndim());
    for (int k = 0; k < nest.operands; k++) {
      Strided operand = k < outs.length ? outs[k] : ins[k - outs.length];
      nest.first[k] = operand.layout().offset();
      nest.dtypes[k] = operand.dtype();
    }
    for (int axis = 0; axis < shape.ndim(); axis++) {
      if (shape.dim(axis) > 1) {
        nest.add(shape, axis, outs, ins);
      }
    }
    nest.sort();
    nest.merge();
    if (nest.ndim == 0) {
      nest.dims[0] = 1;
      nest.strides[0] = new int[nest.operands];
      Arrays.fill(nest.strides[0], 1);
      nest.ndim = 1;
    }
    nest.tile();
    return nest;
  }

  private void add(Layout shape, int axis, Strided[] outs, Strided[] ins) {
    int[] s = new int[operands];
    for (int k = 0; k < operands; k++) {
      s[k] =
          k < outs.length
              ? outs[k].layout().stride(axis)
              : broadcastStride(ins[k - outs.length].layout(), shape, axis);
    }
    if (s[0] < 0) {
      for (int k = 0; k < operands; k++) {
        first[k] += (shape.dim(axis) - 1) * s[k];
        s[k] = -s[k];
      }
    }
    dims[ndim] = shape.dim(axis);
    strides[ndim++] = s;
  }

  /** The stride of a layout along an axis of the shape that it is broadcast to. */
  private static int broadcastStride(Layout layout, Layout shape, int axis) {
    int own = axis - (shape.ndim() - layout.ndim());
    return own < 0 || layout.dim(own) == 1 ? 0 : layout.stride(own);
  }

  /** Largest stride of the first output first; a few dimensions, usually in order. */
  private void sort() {
    for (int i = 1; i < ndim; i++) {
      for (int j = i; j > 0 && strides[j - 1][0] < strides[j][0]; j--) {
        swap(j - 1, j);
      }
    }
  }

  private void swap(int i, int j) {
    int d = dims[i];
    dims[i] = dims[j];
    dims[j] = d;
    int[] s = strides[i];
    strides[i] = strides[j];
    strides[j] = s;
  }

  private void merge() {
    int last = 0;
    for (int i = 1; i < ndim; i++) {
      if (mergeable(strides[last], strides[i], dims[i])) {
        dims[last] *= dims[i];
        strides[last] = strides[i];
      } else {
        last++;
        dims[last] = dims[i];
        strides[last] = strides[i];
      }
    }
    ndim = Math.min(ndim, last + 1);
  }

  private boolean mergeable(int[] outer, int[] inner, int dim) {
    for (int k = 0; k < operands; k++) {
      if (outer[k] != inner[k] * dim) {
        return false;
      }
    }
    return true;
  }

  /**
   * Where some input has closer neighbours along another dimension than along the inner one, that
   * dimension becomes the outer loop of the kernel, and the two are walked in tiles.
   */
  private void tile() {
    int inner = ndim - 1;
    for (int k = outs; k < operands && inner > 0; k++) {
      int near = 0;
      for (int i = 1; i < inner; i++) {
        if (distance(i, k) <= distance(near, k)) {
          near = i;
        }
      }
      if (distance(near, k) < Math.abs(strides[inner][k])) {
        for (int i = near; i < inner - 1; i++) {
          swap(i, i + 1);
        }
        tiled = true;
        return;
      }
    }
  }

  private int distance(int i, int k) {
    return strides[i][k] == 0 ? Integer.MAX_VALUE : Math.abs(strides[i][k]);
  }

  /**
   * The inner strides that the kernel has to be compiled for: those of the operands, or 1 where a
   * buffer brings the elements together.
   *
   * @param cost that of one element in plain loops, in units of 0.1 ns
   * @param arithmetic whether the kernel only adds, multiplies and the like, without a branch: then
   *     its loads may step, too
   */
  long innerStrides(int cost, boolean arithmetic) {
    if (operands > InnerStrides.MAX_OPERANDS) {
      return InnerStrides.VARIABLE;
    }
    long known = 0;
    boolean[] apart = new boolean[operands];
    boolean simple = true;
    boolean near = true;
    boolean stepped = false;
    int[] inner = strides[ndim - 1];
    for (int k = 0; k < operands; k++) {
      if (inner[k] != 0 || k < outs) {
        known = InnerStrides.with(known, k, isNear(k) ? inner[k] : 1);
        apart[k] = !isNear(k);
        near &= !apart[k];
        simple &= inner[k] == 1;
        stepped |= apart[k] && (k < outs || arithmetic);
      }
    }
    if (simple && areRepeated()) {
      for (int k = outs; k < operands; k++) {
        apart[k] = !isOneRun(k);
      }
      arranged = apart;
      return known;
    }
    if (simple || near && size() >= SMALL) {
      return known;
    }
    if (size() < SMALL || stepped && !tiled && cost <= CHEAP) {
      return InnerStrides.VARIABLE;
    }
    arranged = apart;
    return known;
  }

  /**
   * Whether rows are short, the same in some inputs and one behind the other in the rest: those of
   * a tile are one run where the former are repeated in a buffer.
   */
  private boolean areRepeated() {
    int last = ndim - 1;
    boolean any = false;
    boolean run = last > 0 && dims[last] < SHORT && size() >= SMALL;
    for (int k = 0; run && k < operands; k++) {
      boolean repeated = k >= outs && strides[last][k] == 1 && strides[last - 1][k] == 0;
      any |= repeated;
      run = repeated || isOneRun(k);
    }
    return run && any;
  }

  /** Whether the two innermost dimensions of an operand are one. */
  private boolean isOneRun(int k) {
    int last = ndim - 1;
    return strides[last - 1][k] == dims[last] * strides[last][k];
  }

  /** Whether a kernel takes an operand that moves along rows from where it lies. */
  private boolean isNear(int k) {
    return strides[ndim - 1][k] == 1 || isPicked(k);
  }

  /** The same for one whose neighbours are every second element, or in reverse. */
  private boolean isPicked(int k) {
    int inner = strides[ndim - 1][k];
    return (inner == 2 || inner == -1) && k >= outs && dtypes[k] != DType.BOOL;
  }

  /** Whether the only input is such a one, and many elements long. */
  boolean isOfPicked() {
    return strides[ndim - 1][0] == 1 && isPicked(operands - 1) && size() >= SMALL;
  }

  /** Whether the only input is a column, whose numbers fill rows of some elements. */
  boolean isOfColumn() {
    int[] inner = strides[ndim - 1];
    boolean fills = inner[0] == 1 && inner[operands - 1] == 0;
    return fills && dims[ndim - 1] >= FEW && size() >= SMALL;
  }

  private long size() {
    long size = 1;
    for (int i = 0; i < ndim; i++) {
      size *= dims[i];
    }
    return size;
  }

  /** Whether all operands that move along rows are always at the same position. */
  boolean aligned(long inner) {
    if (arranged.length > 0) {
      return false;
    }
    for (int k = 1; k < operands; k++) {
      if (InnerStrides.of(inner, k) != 0) {
        boolean together = first[k] == first[0];
        for (int i = 0; i < ndim; i++) {
          together &= strides[i][k] == strides[i][0];
        }
        if (!together) {
          return false;
        }
      }
    }
    return true;
  }

  /**
   * Runs all loops, split over the threads where there is enough to do.
   *
   * @param kernel the two inner loops
   * @param data the primitive array of each operand
   * @param grain number of elements that are worth a thread
   */
  void run(Kernel kernel, Object[] data, int grain) {
    long size = size();
    int axis = 0;
    for (int i = 0; i < ndim; i++) {
      axis = dims[axis] >= 4 * Threads.numThreads() || dims[axis] >= dims[i] ? axis : i;
    }
    if (size < 2L * grain || Threads.numThreads() == 1) {
      run(kernel, data, first);
      return;
    }
    int split = axis;
    long step = size / dims[split];
    Threads.parallelFor(
        dims[split], (int) Math.max(1, grain / step), () -> new Walk(kernel, data, first, split));
  }

  /**
   * Runs all loops on this thread.
   *
   * @param kernel the two inner loops
   * @param data the primitive array of each operand
   * @param first where each operand begins; strides of the outputs are not negative
   */
  void run(Kernel kernel, Object[] data, int[] first) {
    new Walk(kernel, data, first, 0).run(0, dims[0]);
  }

  /** The loops of one thread, over parts of one dimension. */
  private final class Walk implements Threads.Range {
    private final Kernel kernel;
    private final Object[] data;
    private final int[] first;
    private final int axis;
    private final int[] at = new int[3 * operands];

    Walk(Kernel kernel, Object[] data, int[] first, int axis) {
      this.kernel = arranged.length > 0 ? new Arranged(kernel) : kernel;
      this.data = data;
      this.first = first;
      this.axis = axis;
      int last = ndim - 1;
      for (int k = 0; k < operands; k++) {
        at[operands + k] = strides[last][k];
        at[2 * operands + k] = last > 0 ? strides[last - 1][k] : 0;
      }
    }

    @Override
    public void run(int from, int to) {
      for (int k = 0; k < operands; k++) {
        at[k] = first[k] + from * strides[axis][k];
      }
      int last = ndim - 1;
      int inner = axis == last ? to - from : dims[last];
      int outer = last == 0 ? 1 : axis == last - 1 ? to - from : dims[last - 1];
      if (last < 2) {
        inner(outer, inner);
        return;
      }
      int[] n = dims.clone();
      n[axis] = to - from;
      int[] index = new int[last - 1];
      do {
        inner(outer, inner);
      } while (advance(at, index, n));
    }

    /** The two innermost loops. */
    private void inner(int outer, int inner) {
      if (tiled || arranged.length > 0) {
        tiles(kernel, data, at, outer, inner);
      } else {
        kernel.run(data, at, outer, inner);
      }
    }
  }

  /** Steps the outer loops; false when they have come to their end. */
  private boolean advance(int[] at, int[] index, int[] n) {
    for (int i = index.length - 1; i >= 0; i--) {
      boolean wraps = ++index[i] == n[i];
      for (int k = 0; k < operands; k++) {
        at[k] += wraps ? (1 - n[i]) * strides[i][k] : strides[i][k];
      }
      if (!wraps) {
        return true;
      }
      index[i] = 0;
    }
    return false;
  }

  private void tiles(Kernel kernel, Object[] data, int[] at, int outer, int inner) {
    int columns = columns(outer, inner);
    int rows = Math.min(outer, elements() / columns);
    int[] tile = at.clone();
    for (int i = 0; i < outer; i += rows) {
      for (int j = 0; j < inner; j += columns) {
        for (int k = 0; k < operands; k++) {
          tile[k] = at[k] + i * at[2 * operands + k] + j * at[operands + k];
        }
        kernel.run(data, tile, Math.min(rows, outer - i), Math.min(columns, inner - j));
      }
    }
  }

  /**
   * The inner length of a tile: short where operands differ in orientation, otherwise long. Whole
   * rows that are not much longer make one run of a tile.
   */
  private int columns(int outer, int inner) {
    int most = elements();
    if (tiled && arranged.length > 0 && inner <= 2 * usualColumns()) {
      return inner;
    }
    int rows = tiled ? Math.min(outer, most / usualColumns()) : 1;
    return Math.min(inner, most / rows);
  }

  /** Elements of a tile at most. */
  private int elements() {
    int most = TILE_BYTES / itemsize();
    return tiled ? most / TILE * usualColumns() : most;
  }

  private int usualColumns() {
    return size() * itemsize() > LARGE_BYTES ? LONG_TILE : TILE;
  }

  private int itemsize() {
    int itemsize = 4;
    for (DType dtype : dtypes) {
      itemsize = Math.max(itemsize, dtype.itemsize());
    }
    return itemsize;
  }

  /** A kernel behind the buffers of one thread. */
  private final class Arranged implements Kernel {
    private final Kernel kernel;
    private final Object[] buffers = new Object[operands];

    /** How many rows a buffer holds that are all the one at a position, and that position. */
    private final int[] repeated = new int[operands];

    private final int[] origin = new int[operands];

    Arranged(Kernel kernel) {
      this.kernel = kernel;
      int number = 0;
      for (int k = 0; k < operands; k++) {
        if (arranged[k]) {
          buffers[k] = Scratch.together(dtypes[k], number++, elements());
        }
      }
    }

    @Override
    public void run(Object[] data, int[] at, int outer, int inner) {
      Object[] near = data.clone();
      int[] there = at.clone();
      for (int k = 0; k < operands; k++) {
        if (arranged[k]) {
          near[k] = buffers[k];
          there[k] = 0;
          there[operands + k] = 1;
          there[2 * operands + k] = inner;
          if (k >= outs && !isThere(k, at, outer)) {
            Blocks.of(dtypes[k]).copy(data[k], at, k, near[k], there, k, outer, inner);
          }
        }
      }
      if (isOneRun(there, inner)) {
        kernel.run(near, there, 1, outer * inner);
      } else {
        kernel.run(near, there, outer, inner);
      }
      for (int k = 0; k < outs; k++) {
        if (arranged[k]) {
          Blocks.of(dtypes[k]).copy(near[k], there, k, data[k], at, k, outer, inner);
        }
      }
    }

    /** Whether a buffer has an operand's rows from the tile before, as they are all the same. */
    private boolean isThere(int k, int[] at, int outer) {
      boolean same = at[2 * operands + k] == 0 && origin[k] == at[k];
      boolean there = same && repeated[k] >= outer;
      repeated[k] = there ? repeated[k] : at[2 * operands + k] == 0 ? outer : 0;
      origin[k] = at[k];
      return there;
    }

    private boolean isOneRun(int[] at, int inner) {
      for (int k = 0; k < operands; k++) {
        if (at[2 * operands + k] != inner * at[operands + k]) {
          return false;
        }
      }
      return true;
    }
  }
}
