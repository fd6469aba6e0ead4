package ndgrad.kernel.memory;

import ndgrad.DType;
import ndgrad.ShapeException;

/**
 * What a kernel sees of an array: its storage and where in it the elements are.
 *
 * @param storage the primitive array with its version counter
 * @param layout shape, strides and offset in elements
 */
public record Strided(Storage storage, Layout layout) {

  /**
   * A fresh row-major array of zeros.
   *
   * @param dtype the element type
   * @param shape the shape
   * @return the array
   * @throws ShapeException when a dimension is negative, or the elements are more than one array or
   *     the heap can hold
   */
  public static Strided zeros(DType dtype, int... shape) {
    Layout layout = Layout.of(shape);
    try {
      return new Strided(Storage.allocate(dtype, layout.intSize()), layout);
    } catch (OutOfMemoryError e) {
      throw tooLarge(dtype, layout);
    }
  }

  /**
   * A fresh row-major array with anything in it, for who writes every element.
   *
   * @param dtype the element type
   * @param shape the shape
   * @return the array
   * @throws ShapeException when a dimension is negative, or the elements are more than one array or
   *     the heap can hold
   */
  public static Strided empty(DType dtype, int... shape) {
    return empty(dtype, Layout.of(shape));
  }

  /**
   * A fresh array with anything in it, for who writes every element.
   *
   * @param dtype the element type
   * @param layout that of a {@linkplain Layout#isFresh fresh array}
   * @return the array
   * @throws ShapeException when the elements are more than the heap can hold
   */
  public static Strided empty(DType dtype, Layout layout) {
    try {
      return new Strided(Storage.uninitialised(dtype, layout.intSize()), layout);
    } catch (OutOfMemoryError e) {
      throw tooLarge(dtype, layout);
    }
  }

  /**
   * A row-major array over a primitive one, without a copy.
   *
   * @param primitives a {@code float[] double[] int[] long[]} or {@code boolean[]}, shared from now
   *     on and never recycled
   * @param shape the shape, not kept
   * @return the array
   * @throws ndgrad.DTypeException when it is no such array
   * @throws ShapeException when the shape's size is not the length
   */
  public static Strided wrap(Object primitives, int... shape) {
    Storage storage = new Storage(primitives);
    Layout layout = Layout.of(shape);
    if (layout.size() != storage.length()) {
      throw new ShapeException(
          "an array of shape "
              + layout
              + " has "
              + layout.size()
              + " elements, the primitive array "
              + storage.length(),
          "shape",
          shape.clone(),
          "length",
          storage.length());
    }
    return new Strided(storage, layout);
  }

  /**
   * A number in a dtype of arrays, which it goes into a kernel with: those of one dtype are the
   * fastest.
   *
   * @param value the number, rounded to the dtype
   * @param dtype float32 or float64
   * @return a fresh 0-d array
   */
  public static Strided number(double value, DType dtype) {
    Object one = dtype == DType.FLOAT32 ? new float[] {(float) value} : new double[] {value};
    return wrap(one);
  }

  /** Only this one array did not fit; the program can go on without it. */
  private static ShapeException tooLarge(DType dtype, Layout layout) {
    return new ShapeException(
        "an array of shape "
            + layout
            + " and dtype "
            + dtype
            + " needs "
            + inUnits(layout.size() * dtype.itemsize())
            + ", more than the heap has left (at most "
            + Runtime.getRuntime().maxMemory() / (1 << 20)
            + " MiB; the flag -Xmx raises it)",
        "shape",
        layout.shape(),
        "dtype",
        dtype.toString());
  }

  private static String inUnits(long bytes) {
    return bytes < 1 << 10
        ? bytes + " bytes"
        : bytes < 1 << 20 ? (bytes >> 10) + " KiB" : (bytes >> 20) + " MiB";
  }

  /**
   * The primitive array of the storage.
   *
   * @return a {@code float[] double[] int[] long[]} or {@code boolean[]}
   */
  public Object array() {
    return storage.array();
  }

  /**
   * The element type.
   *
   * @return the dtype
   */
  public DType dtype() {
    return storage.dtype();
  }

  /**
   * The same storage under another layout.
   *
   * @param other the layout of the view
   * @return the view
   */
  public Strided with(Layout other) {
    return new Strided(storage, other);
  }
}
