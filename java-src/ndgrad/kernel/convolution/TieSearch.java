package ndgrad.kernel.convolution;

import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Scratch;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * Compares what the points of a window see with the largest of it. Each point is an operand of a
 * kernel that adds up the powers of two that bits are. To make all of them rows of neighbours,
 * places of a window that makes short steps are computed at single steps, and some are picked.
 */
final class TieSearch {
  /** Points of one kernel, a part of those of a word. */
  private static final int FEW = 8;

  /** Rows of buffers are multiples of this: kernels of vectors are slow on what is left over. */
  private static final int ALIGNED = 16;

  private static final Program[] KERNELS = new Program[FEW + 1];

  static {
    Expr sum = Expr.num(0);
    for (int n = 1; n <= FEW; n++) {
      Expr tie = Expr.of(Fn2.EQ, Expr.in(n), Expr.in(0));
      Expr bit = Expr.select(tie, Expr.num(1 << n - 1), Expr.num(0));
      sum = n == 1 ? bit : sum.plus(bit);
      // NaN equals nothing; its own bit says that it was met.
      KERNELS[n] = Program.of(Expr.select(Expr.of(Fn1.ISNAN, Expr.in(0)), Expr.num(1 << n), sum));
    }
  }

  private final DType dtype;
  private final Strided x;
  private final Strided largest;
  private final Ties.Bits bits;
  private final Window w;

  /** Along rows of what is seen, from one computed place to the next. */
  private final int step;

  /** Along rows of computed places, from one of the window's to the next. */
  private final int pick;

  /**
   * Prepares a search.
   *
   * @param x the image, [n, c, h, w], any layout
   * @param largest what is the largest at each place, [n, c, y, x], any layout
   * @param bits those of all planes, overwritten
   * @param w the window
   */
  TieSearch(Strided x, Strided largest, Ties.Bits bits, Window w) {
    this.dtype = x.dtype();
    this.x = Patch.planes(x);
    this.largest = Patch.planes(largest);
    this.bits = bits;
    this.w = w;
    boolean close = w.strideW() <= WindowFold.CLOSE;
    this.step = close ? 1 : w.strideW();
    this.pick = close ? w.strideW() : 1;
  }

  void run() {
    List<Patch> patches = Patch.cut(largest.layout(), w, dtype);
    Threads.parallelFor(
        patches.size(),
        1,
        (from, to) -> {
          for (Patch patch : patches.subList(from, to)) {
            new Part(patch).run();
          }
        });
  }

  private static int aligned(int length) {
    return Math.multiplyExact(Math.ceilDiv(length, ALIGNED), ALIGNED);
  }

  /** Sets a bit for each position that lies in the image. */
  private static void mark(int[] bits, int first, int step, int length, int bit) {
    for (int i = 0; i < bits.length; i++) {
      int at = first + i * step;
      bits[i] |= at >= 0 && at < length ? bit : 0;
    }
  }

  /** The search for the ties of a patch of results. */
  private final class Part {
    private final Patch results;
    private final Patch seen;

    /** What the window sees, what is the largest of it, and what the bits add up to. */
    private final Strided image;

    private final Strided most;
    private final Strided sums;

    Part(Patch results) {
      this.results = results;
      this.seen = results.seen(w);
      int planes = results.planes();
      int rows = results.rows();
      int width = aligned(seen.columns());
      int columns = step == 1 ? width : results.columns();
      // The last row of what is seen is read beyond its end.
      int laid = Math.addExact(planes * seen.rows() * width, w.extentW());
      int places = planes * rows * columns;
      int length = Math.addExact(laid, 2 * places);
      Storage scratch = new Storage(Scratch.array(dtype, WindowFold.SCRATCH, length));
      image = Patch.buffer(scratch, 0, planes, seen.rows(), width);
      most = Patch.buffer(scratch, laid, planes, rows, columns);
      sums = Patch.buffer(scratch, laid + places, planes, rows, columns);
    }

    void run() {
      seen.lay(x, image);
      Layout picked = most.layout().slice(2, 0, results.columns(), pick);
      Copies.copy(results.of(largest), most.with(picked));
      for (int first = 0; first < w.points(); first += FEW) {
        int[] shift = new int[Math.min(FEW, w.points() - first)];
        for (int i = 0; i < shift.length; i++) {
          shift[i] = w.row(first + i) * image.layout().stride(1) + w.column(first + i);
        }
        compare(shift);
        collect(first, shift);
      }
    }

    /** Adds up the bits of some points, which are at shifts from where the window is. */
    private void compare(int... shift) {
      Layout l = image.layout();
      int[] strides = {l.stride(0), w.strideH() * l.stride(1), step};
      int n = shift.length;
      Strided[] ins = new Strided[n + 1];
      ins[0] = most;
      for (int i = 0; i < n; i++) {
        ins[i + 1] = image.with(Layout.of(most.layout().shape(), strides, shift[i]));
      }
      DType[] load = new DType[n + 1];
      Arrays.fill(load, dtype);
      KERNELS[n].run(new Strided[] {sums}, load, ins);
    }

    /** Writes the bits of some points to words, but for those that see nothing of the image. */
    private void collect(int first, int... shift) {
      int[] rows = new int[results.rows()];
      int[] columns = new int[results.columns()];
      Layout l = x.layout();
      for (int i = 0; i < shift.length; i++) {
        mark(rows, seen.row() + w.row(first + i), w.strideH(), l.dim(1), 1 << i);
        mark(columns, seen.column() + w.column(first + i), w.strideW(), l.dim(2), 1 << i);
      }
      int all = (1 << shift.length) - 1;
      int[] edges = IntStream.range(0, columns.length).filter(i -> columns[i] != all).toArray();
      Ties ties = Ties.of(dtype);
      int width = largest.layout().dim(2);
      int begin = first % Integer.SIZE;
      for (int k = 0; k < results.planes(); k++) {
        int word = bits.of(results.plane() + k).at() + first / Integer.SIZE * bits.step();
        for (int y = 0; y < rows.length; y++) {
          int at = word + (results.row() + y) * width + results.column();
          int p = sums.layout().position(k, y, 0);
          int met =
              ties.collect(sums.array(), p, pick, columns.length, rows[y], begin, bits.words(), at);
          if (met > all) {
            int from = image.layout().position(k, y * w.strideH(), 0);
            for (int i = 0; i < columns.length; i++) {
              int nans = ties.nans(image.array(), from + i * w.strideW(), shift);
              bits.words()[at + i] |= (nans & rows[y]) << begin;
            }
          }
          for (int i : edges) {
            bits.words()[at + i] &= ~((all & ~columns[i]) << begin);
          }
        }
      }
    }
  }
}
