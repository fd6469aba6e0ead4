package ndgrad.kernel.convolution;

import java.util.function.IntConsumer;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * Which points of a window hold its largest element: one as a rule, several where elements tie,
 * none where the window sees nothing of the image. The points of a place are the bits of int32
 * words, all that the gradient of the largest elements needs.
 */
public final class WindowTies {
  /** Points times places that are worth a thread. */
  private static final int GRAIN = 16_384;

  private final DType dtype;
  private final Ties loops;
  private final Layout places;
  private final Ties.Bits bits;
  private final Layout image;
  private final Window w;

  /** From where the window is to each of its points. */
  private final int[] shift;

  private WindowTies(Strided ties, Strided image, Window w) {
    this.dtype = image.dtype();
    this.loops = Ties.of(dtype);
    Strided all = dense(ties);
    this.places = all.layout();
    int plane = places.dim(3) * places.dim(4);
    this.bits = new Ties.Bits((int[]) all.array(), places.offset(), plane, places.dim(2));
    this.image = image.layout();
    this.w = w;
    this.shift = new int[w.points()];
    for (int point = 0; point < shift.length; point++) {
      shift[point] = w.row(point) * this.image.stride(2) + w.column(point) * this.image.stride(3);
    }
  }

  /**
   * How many words the points of a window take.
   *
   * @param w the window
   * @return one for every 32 points
   */
  public static int words(Window w) {
    return Math.ceilDiv(w.points(), Integer.SIZE);
  }

  /**
   * Finds the ties.
   *
   * @param ties int32, [n, c, words, y, x], row-major; overwritten
   * @param image [n, c, h, w], any layout, floating
   * @param largest what {@link WindowFold#largest} found in it, any layout
   * @param w the window
   */
  public static void find(Strided ties, Strided image, Strided largest, Window w) {
    if (largest.layout().size() > 0) {
      new TieSearch(image, largest, new WindowTies(ties, image, w).bits, w).run();
    }
  }

  /**
   * The gradient of the largest elements with respect to their image: an equal share for each of
   * those that tie.
   *
   * @param out [n, c, h, w], row-major; overwritten
   * @param g the gradient of the largest elements, [n, c, y, x], any layout, of the same dtype
   * @param ties as {@link #find} leaves them, any layout
   * @param w the window
   */
  public static void gradient(Strided out, Strided g, Strided ties, Window w) {
    Strided from = dense(g);
    new WindowTies(ties, out, w).share(from.array(), from.layout().offset(), out.array());
  }

  /**
   * The mean of the elements that tie at each place.
   *
   * @param out [n, c, y, x], row-major; overwritten
   * @param x [n, c, h, w], any layout, of the same dtype
   * @param ties as {@link #find} leaves them, any layout
   * @param w the window
   */
  public static void mean(Strided out, Strided x, Strided ties, Window w) {
    new WindowTies(ties, x, w).mean(x.array(), out.array(), out.layout().offset());
  }

  private static Strided dense(Strided x) {
    return x.layout().isContiguous() ? x : Copies.copyOf(x);
  }

  private void share(Object g, int q, Object out) {
    int size = image.dim(2) * image.dim(3);
    Rows rows = Rows.of(dtype);
    Object zero = AxisFold.SUM.identity(dtype);
    eachPlane(
        k -> {
          rows.fill(out, image.offset() + k * size, 1, size, zero);
          for (int y = 0; y < places.dim(3); y++) {
            int place = y * places.dim(4);
            int from = q + k * bits.step() + place;
            loops.share(
                bits.of(k), place, places.dim(4), g, from, out, window(k, y), step(), shift);
          }
        });
  }

  private void mean(Object x, Object out, int q) {
    eachPlane(
        k -> {
          for (int y = 0; y < places.dim(3); y++) {
            int place = y * places.dim(4);
            int to = q + k * bits.step() + place;
            loops.mean(bits.of(k), place, places.dim(4), x, window(k, y), step(), shift, out, to);
          }
        });
  }

  private void eachPlane(IntConsumer body) {
    int work = Math.max(1, bits.step() * shift.length);
    Threads.parallelFor(
        places.dim(0) * places.dim(1),
        Math.max(1, GRAIN / work),
        (from, to) -> {
          for (int k = from; k < to; k++) {
            body.accept(k);
          }
        });
  }

  /** Where the window is at the first place of a row of places, perhaps outside of the image. */
  private int window(int plane, int y) {
    int channels = places.dim(1);
    return image.position(plane / channels, plane % channels, y * w.strideH() - w.top(), -w.left());
  }

  /** From where the window is to where it is at the next place. */
  private int step() {
    return w.strideW() * image.stride(3);
  }
}
