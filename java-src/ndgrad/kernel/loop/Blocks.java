package ndgrad.kernel.loop;

import java.util.Optional;
import ndgrad.DType;
import ndgrad.kernel.code.BlockKernel;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.VectorTransposes;
import ndgrad.kernel.code.WarmKernel;
import ndgrad.kernel.code.Warmup;
import ndgrad.kernel.rows.Rows;

/** Copies blocks of rows of one dtype, in the order that suits the two places. */
final class Blocks {
  /** What moving an element costs in plain loops, in units of 0.1 ns. */
  private static final int COST = 5;

  /** The same for vectors. */
  private static final int VECTOR_COST = 3;

  private static final Blocks[] BY_DTYPE = new Blocks[DType.values().length];

  static {
    for (DType dtype : DType.values()) {
      BY_DTYPE[dtype.ordinal()] = new Blocks(dtype);
    }
  }

  private final DType dtype;
  private final Rows rows;

  /** Elements of a vector, and rows that are transposed at once. */
  private final int side;

  private final WarmKernel<BlockKernel> transposes;

  private Blocks(DType dtype) {
    this.dtype = dtype;
    this.rows = Rows.of(dtype);
    this.side = Forms.lanes(dtype);
    this.transposes = new WarmKernel<>(dtype, () -> VectorTransposes.compile(dtype), this::trial);
  }

  static Blocks of(DType dtype) {
    return BY_DTYPE[dtype.ordinal()];
  }

  /**
   * Copies a block; one of a few thousand elements is best. Where it lies is said as kernels are
   * told it: an array holds for each of some operands where it begins, then for each the distance
   * from an element of a row to the next, then for each that from a row to the next.
   *
   * @param from the source
   * @param source where operands lie, not modified
   * @param s which of them the source is
   * @param to the target, overwritten; shares no elements with the source
   * @param target where operands lie, not modified
   * @param t which of them the target is
   * @param m how many rows
   * @param n elements of a row
   */
  void copy(Object from, int[] source, int s, Object to, int[] target, int t, int m, int n) {
    int p = source[s];
    int ps = source[source.length / 3 + s];
    int pr = source[2 * (source.length / 3) + s];
    int q = target[t];
    int qs = target[target.length / 3 + t];
    int qr = target[2 * (target.length / 3) + t];
    boolean large = m >= Rows.LANES && n >= Rows.LANES;
    if (ps == 1 && qs == 1 && pr == 0 && qr == n) {
      repeat(from, p, to, q, m, n);
    } else if (ps == 1 && qs == 1) {
      rows.copyRows(from, p, pr, to, q, qr, m, n);
    } else if (pr == 1 && qs == 1 && large) {
      transpose(from, p, ps, to, q, qr, m, n);
    } else if (ps == 1 && qr == 1 && large) {
      transpose(from, p, pr, to, q, qs, n, m);
    } else if (m > n) {
      for (int j = 0; j < n; j++) {
        rows.copy(from, p + j * ps, pr, to, q + j * qs, qr, m);
      }
    } else {
      for (int i = 0; i < m; i++) {
        rows.copy(from, p + i * pr, ps, to, q + i * qr, qs, n);
      }
    }
  }

  /** Copies a row m times, one behind the other: what has been copied is copied again. */
  private void repeat(Object from, int p, Object to, int q, int m, int n) {
    System.arraycopy(from, p, to, q, n);
    int done = n;
    for (int most = m * n; done < most; done *= 2) {
      System.arraycopy(to, q, to, q + done, Math.min(done, most - done));
    }
  }

  /**
   * Turns rows: {@code to[j*width + i] = from[p + i*ps + j]} for i &lt; m, j &lt; n.
   *
   * @param from the source
   * @param p where the first row begins
   * @param ps from a row to the next
   * @param to the target, overwritten; what is behind row n of it, too, up to a vector's lanes
   * @param width from a row of the target to the next
   * @param m how many rows
   * @param n elements of a row
   */
  void turn(Object from, int p, int ps, Object to, int width, int m, int n) {
    if (!isPartOfSquare(n)) {
      transpose(from, p, ps, to, 0, width, n, m);
      return;
    }
    Optional<BlockKernel> kernel = kernel(m, n);
    int whole = kernel.isPresent() ? readable(from, p, ps, m) : 0;
    kernel.ifPresent(k -> k.run(from, p, ps, to, 0, width, side, whole));
    rows.transpose(from, p + whole * ps, ps, to, whole, width, n, m - whole);
  }

  /** How many rows, whole squares of them, vectors can read: not behind the end of the array. */
  private int readable(Object from, int p, int ps, int m) {
    int whole = m & -side;
    int end = DType.lengthOf(from) - side;
    while (whole > 0 && p + Math.max(0, (whole - 1) * ps) > end) {
      whole -= side;
    }
    return whole;
  }

  /**
   * Turns rows back: {@code to[q + i*n + j] = from[j*width + i]} for i &lt; m, j &lt; n.
   *
   * @param from the source; holds a vector's lanes of rows at least
   * @param width from a row of the source to the next
   * @param to the target, overwritten
   * @param q where the first row goes
   * @param m how many rows, one behind the other
   * @param n elements of a row
   */
  void turnBack(Object from, int width, Object to, int q, int m, int n) {
    if (!isPartOfSquare(n)) {
      transpose(from, 0, width, to, q, n, m, n);
      return;
    }
    // What a vector writes behind its row the next rows overwrite.
    Optional<BlockKernel> kernel = kernel(m, n);
    int whole = kernel.isPresent() ? Math.max(0, m + 1 - Math.ceilDiv(side, n)) & -side : 0;
    kernel.ifPresent(k -> k.run(from, 0, width, to, q, n, whole, side));
    rows.transpose(from, whole, width, to, q + whole * n, n, m - whole, n);
  }

  /** Whether rows are shorter than a vector, but not so short that moving squares is slow. */
  private boolean isPartOfSquare(int n) {
    return n < side && 4 * n >= side;
  }

  private Optional<BlockKernel> kernel(int m, int n) {
    return dtype == DType.BOOL ? Optional.empty() : transposes.get((long) m * n * COST);
  }

  private void transpose(Object from, int p, int ps, Object to, int q, int qs, int m, int n) {
    Optional<BlockKernel> kernel = kernel(m, n);
    if (kernel.isPresent() && m >= side && n >= side) {
      transpose(kernel.get(), from, p, ps, to, q, qs, m, n);
    } else {
      rows.transpose(from, p, ps, to, q, qs, m, n);
    }
  }

  /** The squares at the far edges overlap those before them, which does no harm. */
  private void transpose(
      BlockKernel kernel, Object from, int p, int ps, Object to, int q, int qs, int m, int n) {
    int high = m & -side;
    int wide = n & -side;
    int bottom = m - side;
    int right = n - side;
    kernel.run(from, p, ps, to, q, qs, high, wide);
    if (wide < n) {
      kernel.run(from, p + right * ps, ps, to, q + right, qs, high, side);
    }
    if (high < m) {
      kernel.run(from, p + bottom, ps, to, q + bottom * qs, qs, side, wide);
    }
    if (wide < n && high < m) {
      kernel.run(from, p + right * ps + bottom, ps, to, q + bottom * qs + right, qs, side, side);
    }
  }

  /** Compares a kernel with the plain loops, on blocks of many forms. */
  private Warmup.Trial trial(BlockKernel kernel, Runnable change) {
    int most = 4 * side;
    Object from = Warmup.numbers(dtype, most * most);
    Object to = dtype.newArray(most * most);
    return new Warmup.Trial(
        (long) most * most * VECTOR_COST,
        () -> {
          for (int n = 0; n <= most; n += side) {
            kernel.run(from, 0, most, to, 0, most, n, most - n);
          }
        },
        () -> kernel.run(from, 0, most, to, 0, most, most, most),
        () -> rows.transpose(from, 0, most, to, 0, most, most, most),
        change);
  }
}
