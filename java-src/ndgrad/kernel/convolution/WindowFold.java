package ndgrad.kernel.convolution;

import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.convolution.AxisFold.Points;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * The largest or the mean of what a window sees at each of its places. What a patch of results sees
 * is folded downwards first, whole rows at a time, then along the rows. It is read where it lies,
 * but for patches that reach over the image's edges: these are laid out with what is there.
 */
public final class WindowFold {
  /** The scratch array of a patch; reductions have others. */
  static final int SCRATCH = 3;

  /** The largest step along rows at which all steps are taken, and some results picked. */
  static final int CLOSE = 4;

  private static final int DOWN = 1;
  private static final int ALONG = 2;

  /** A number through another. */
  static final Program QUOTIENT = Program.of(Expr.in(0).over(Expr.in(1)));

  private final AxisFold fold;
  private final Strided out;
  private final Strided image;
  private final Window w;

  private WindowFold(AxisFold fold, Strided out, Strided image, Window w) {
    this.fold = fold;
    this.out = Patch.planes(out);
    this.image = Patch.planes(image);
    this.w = w;
  }

  /**
   * The largest element at each place, NaN where there is one, the least number where the window
   * sees nothing of the image.
   *
   * @param out [n, c, y, x], row-major, for all places of the window; overwritten
   * @param image [n, c, h, w], any layout, of the same dtype
   * @param w the window
   */
  public static void largest(Strided out, Strided image, Window w) {
    if (out.layout().size() > 0) {
      new WindowFold(AxisFold.LARGEST, out, image, w).run(_ -> {});
    }
  }

  /**
   * The mean at each place; zeros around the image count.
   *
   * @param out [n, c, y, x], row-major, for all places of the window; overwritten
   * @param image [n, c, h, w], any layout, of the same floating dtype
   * @param w the window
   */
  public static void mean(Strided out, Strided image, Window w) {
    if (out.layout().size() > 0) {
      Strided points = points(w, out.dtype());
      new WindowFold(AxisFold.SUM, out, image, w)
          .run(sums -> QUOTIENT.run(sums, sums.dtype(), sums, points));
    }
  }

  /** How many points a window has. */
  static Strided points(Window w, DType dtype) {
    return Strided.number(w.points(), dtype);
  }

  private interface Finish {
    void apply(Strided results);
  }

  private void run(Finish finish) {
    List<Patch> patches = Patch.cut(out.layout(), w, out.dtype());
    Threads.parallelFor(
        patches.size(),
        1,
        (from, to) -> {
          for (Patch patch : patches.subList(from, to)) {
            run(patch);
            finish.apply(patch.of(out));
          }
        });
  }

  private void run(Patch results) {
    Patch seen = results.seen(w);
    boolean inside = seen.isInside(image.layout());
    int laid = inside ? 0 : seen.size();
    int rows = results.planes() * results.rows() * seen.columns();
    int length = Math.addExact(laid, Math.multiplyExact(2, rows));
    Storage scratch = new Storage(Scratch.array(out.dtype(), SCRATCH, length));
    Strided source = inside ? seen.of(image) : laid(seen, scratch);
    Points down = new Points(w.height(), 0, w.dilationH(), w.strideH());
    Strided to = results.of(out);
    if (w.width() == 1) {
      Layout columns = source.layout().slice(ALONG, 0, results.columns(), w.strideW());
      fold.run(to, source.with(columns), DOWN, down);
      return;
    }
    Strided folded = source.with(source.layout().slice(DOWN, 0, results.rows(), w.strideH()));
    if (w.height() > 1) {
      folded = Patch.buffer(scratch, laid, results.planes(), results.rows(), seen.columns());
      fold.run(folded, source, DOWN, down);
    }
    along(to, folded, scratch, laid + rows);
  }

  private Strided laid(Patch seen, Storage scratch) {
    Strided laid = Patch.buffer(scratch, 0, seen.planes(), seen.rows(), seen.columns());
    Object outside = fold.identity(out.dtype());
    Rows.of(out.dtype()).fill(laid.array(), 0, 1, seen.size(), outside);
    seen.lay(image, laid);
    return laid;
  }

  /**
   * Folds along rows. Places that lie close together are picked from those of a window that moves
   * by single steps: neighbouring operands are so much faster than stepped ones.
   */
  private void along(Strided to, Strided from, Storage scratch, int at) {
    Points stepped = new Points(w.width(), 0, w.dilationW(), w.strideW());
    if (w.strideW() == 1 || w.strideW() > CLOSE) {
      fold.run(to, from, ALONG, stepped);
      return;
    }
    Layout l = from.layout();
    int columns = l.dim(ALONG);
    int places = columns - w.extentW() + 1;
    Points single = new Points(w.width(), 0, w.dilationW(), 1);
    Strided every = Patch.buffer(scratch, at, l.dim(0), l.dim(DOWN), columns);
    if (l.isContiguous()) {
      // All rows are one. What a window sees of two of them is not picked.
      int n = l.intSize();
      fold.run(flat(every, n - columns + places), flat(from, n), 0, single);
    } else {
      fold.run(every.with(every.layout().slice(ALONG, 0, places, 1)), from, ALONG, single);
    }
    Layout picked = every.layout().slice(ALONG, 0, to.layout().dim(ALONG), w.strideW());
    Copies.copy(every.with(picked), to);
  }

  private static Strided flat(Strided x, int length) {
    return x.with(Layout.of(new int[] {length}, new int[] {1}, x.layout().offset()));
  }
}
