package ndgrad.kernel;

import java.util.Arrays;
import ndgrad.ShapeException;

/**
 * The loops of one elementwise call: the dimensions of all operands, merged where all of them allow
 * it and put in an order that suits the memory. The two innermost run inside the kernel, the others
 * here.
 */
final class Nest {
  /** Side of the square tiles in which operands of different orientation are walked. */
  private static final int TILE = 32;

  /** A stride up to which neighbours share a cache line. */
  private static final int NEAR = 8;

  private final int operands;
  private final int[] first;
  private final int[] dims;
  private final int[][] strides;
  private int ndim;
  private boolean tiled;

  private Nest(int operands, int ndim) {
    this.operands = operands;
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
    Nest nest = new Nest(outs.length + ins.length, shape.ndim());
    for (int k = 0; k < nest.operands; k++) {
      nest.first[k] = (k < outs.length ? outs[k] : ins[k - outs.length]).layout().offset();
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
    nest.tile(outs.length);
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
   * Where some input has its neighbours along another dimension than the output, that dimension
   * becomes the outer loop of the kernel, and the two are walked in tiles.
   */
  private void tile(int outs) {
    int inner = ndim - 1;
    for (int k = outs; k < operands && !tiled; k++) {
      if (Math.abs(strides[inner][k]) <= NEAR || dims[inner] < 2 * TILE) {
        continue;
      }
      int near = 0;
      for (int i = 1; i < inner; i++) {
        if (distance(i, k) <= distance(near, k)) {
          near = i;
        }
      }
      if (inner > 0 && distance(near, k) <= NEAR && dims[near] >= 2 * TILE) {
        for (int i = near; i < inner - 1; i++) {
          swap(i, i + 1);
        }
        tiled = true;
      }
    }
  }

  private int distance(int i, int k) {
    return strides[i][k] == 0 ? Integer.MAX_VALUE : Math.abs(strides[i][k]);
  }

  /** Bit k is set when operand k has inner stride 1; -1 when some operand's is neither 1 nor 0. */
  long units(int outs) {
    if (tiled || operands > Kernel.MAX_UNIT_OPERANDS) {
      return -1;
    }
    long units = 0;
    int[] inner = strides[ndim - 1];
    for (int k = 0; k < operands; k++) {
      if (inner[k] == 1) {
        units |= 1L << k;
      } else if (inner[k] != 0 || k < outs) {
        return -1;
      }
    }
    return units;
  }

  /** Whether all operands of inner stride 1 are always at the same position. */
  boolean aligned(long units) {
    for (int k = 1; k < operands; k++) {
      if ((units >>> k & 1) != 0) {
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
    long size = 1;
    int axis = 0;
    for (int i = 0; i < ndim; i++) {
      size *= dims[i];
      axis = dims[axis] >= 4 * Threads.numThreads() || dims[axis] >= dims[i] ? axis : i;
    }
    if (size < 2L * grain || Threads.numThreads() == 1) {
      run(kernel, data, 0, 0, dims[0]);
      return;
    }
    int split = axis;
    long step = size / dims[split];
    Threads.parallelFor(
        dims[split],
        (int) Math.max(1, grain / step),
        (from, to) -> run(kernel, data, split, from, to));
  }

  private void run(Kernel kernel, Object[] data, int axis, int from, int to) {
    int[] n = dims.clone();
    n[axis] = to - from;
    int[] at = new int[3 * operands];
    int inner = ndim - 1;
    for (int k = 0; k < operands; k++) {
      at[k] = first[k] + from * strides[axis][k];
      at[operands + k] = strides[inner][k];
      at[2 * operands + k] = inner > 0 ? strides[inner - 1][k] : 0;
    }
    int[] index = new int[ndim];
    int outer = inner > 0 ? n[inner - 1] : 1;
    do {
      if (tiled) {
        tiles(kernel, data, at, outer, n[inner]);
      } else {
        kernel.run(data, at, outer, n[inner]);
      }
    } while (advance(at, index, n, inner - 2));
  }

  /** Steps the outer loops; false when they have come to their end. */
  private boolean advance(int[] at, int[] index, int[] n, int last) {
    for (int i = last; i >= 0; i--) {
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
    int[] tile = at.clone();
    for (int i = 0; i < outer; i += TILE) {
      for (int j = 0; j < inner; j += TILE) {
        for (int k = 0; k < operands; k++) {
          tile[k] = at[k] + i * at[2 * operands + k] + j * at[operands + k];
        }
        kernel.run(data, tile, Math.min(TILE, outer - i), Math.min(TILE, inner - j));
      }
    }
  }
}
