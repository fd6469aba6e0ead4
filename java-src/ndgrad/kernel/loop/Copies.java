package ndgrad.kernel.loop;

import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/** Copies between arrays of any layouts and dtypes. */
public final class Copies {
  private static final Program IDENTITY = Program.of(Expr.in(0));

  /** Elements worth handing to another thread: some 6 µs. */
  private static final int GRAIN = 32_768;

  private static final Kernel[] MOVES = moves();

  private Copies() {}

  /**
   * Copies all elements, converting them to the destination's dtype: floating numbers to integers
   * as Java casts do (towards 0, NaN to 0, saturating), numbers to bool by {@code x != 0}. Where
   * both share a storage the result is as if the source had been read before anything was written.
   * The version counter is the caller's to bump.
   *
   * @param from the source, broadcast to the destination's shape; not modified
   * @param to the destination, overwritten; not a broadcast view
   * @throws ShapeException when the source does not broadcast to the destination
   */
  public static void copy(Strided from, Strided to) {
    Layout source = from.layout();
    Layout target = to.layout();
    if (from.dtype() != to.dtype()) {
      IDENTITY.run(to, from.dtype(), from);
      return;
    }
    boolean shared = from.array() == to.array() && source.mayOverlap(target);
    Layout wide = source.broadcastTo(target.shape());
    // The offset of an empty view may lie outside its storage.
    if (target.size() == 0) {
      return;
    }
    if (wide.isContiguous() && target.isContiguous()) {
      bulk(from.array(), wide.offset(), to.array(), target.offset(), target.intSize(), shared);
    } else if (wide.isOneElement() && target.isContiguous()) {
      fill(from, wide.offset(), to.array(), target.offset(), target.intSize());
    } else {
      Strided read = shared && !source.equals(target) ? copyOf(from) : from;
      Nest nest = Nest.of(new Strided[] {to}, new Strided[] {read});
      if (nest.isOfPicked() || nest.isOfColumn()) {
        IDENTITY.run(to, to.dtype(), read);
      } else {
        nest.run(MOVES[to.dtype().ordinal()], new Object[] {to.array(), read.array()}, GRAIN);
      }
    }
  }

  /** Copies one run of elements; two runs of one array that overlap must not be cut. */
  private static void bulk(Object from, int p, Object to, int q, int n, boolean shared) {
    Threads.parallelFor(
        n,
        shared ? n : 4 * GRAIN,
        (begin, end) -> System.arraycopy(from, p + begin, to, q + begin, end - begin));
  }

  /** Writes one element, such as the gradient of a sum, to every place of a run. */
  private static void fill(Strided from, int p, Object to, int q, int n) {
    Rows rows = Rows.of(from.dtype());
    Threads.parallelFor(
        n, 4 * GRAIN, (begin, end) -> rows.copy(from.array(), p, 0, to, q + begin, 1, end - begin));
  }

  private static Kernel[] moves() {
    DType[] dtypes = DType.values();
    Kernel[] moves = new Kernel[dtypes.length];
    for (DType dtype : dtypes) {
      Blocks blocks = Blocks.of(dtype);
      moves[dtype.ordinal()] =
          (data, at, outer, inner) -> blocks.copy(data[1], at, 1, data[0], at, 0, outer, inner);
    }
    return moves;
  }

  /**
   * A row-major copy.
   *
   * @param from the source, not modified
   * @return a fresh array of the same dtype and shape
   */
  public static Strided copyOf(Strided from) {
    return copyOf(from, from.dtype());
  }

  /**
   * A row-major copy in a dtype.
   *
   * @param from the source, not modified
   * @param dtype that of the copy
   * @return a fresh array of the same shape
   */
  public static Strided copyOf(Strided from, DType dtype) {
    Strided to = Strided.empty(dtype, from.layout().shape());
    copy(from, to);
    return to;
  }
}
