package ndgrad.kernel;

import ndgrad.ShapeException;

/** Copies between arrays of any layouts and dtypes. */
public final class Copies {
  private static final Program IDENTITY = Program.of(Expr.in(0));

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
    if (from.dtype() == to.dtype()
        && source.size() == target.size()
        && source.isContiguous()
        && target.isContiguous()
        && source.sameShape(target)) {
      // The offset of an empty view may lie outside its storage.
      if (target.size() > 0) {
        System.arraycopy(
            from.array(), source.offset(), to.array(), target.offset(), (int) target.size());
      }
      return;
    }
    IDENTITY.run(to, from.dtype(), from);
  }

  /**
   * A row-major copy.
   *
   * @param from the source, not modified
   * @return a fresh array of the same dtype and shape
   */
  public static Strided copyOf(Strided from) {
    Strided to = Strided.empty(from.dtype(), from.layout().shape());
    copy(from, to);
    return to;
  }
}
