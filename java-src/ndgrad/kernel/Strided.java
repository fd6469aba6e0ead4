package ndgrad.kernel;

import ndgrad.DType;

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
   * @param shape the shape, not copied
   * @return the array
   */
  public static Strided zeros(DType dtype, int... shape) {
    Layout layout = Layout.of(shape);
    return new Strided(Storage.allocate(dtype, layout.intSize()), layout);
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
