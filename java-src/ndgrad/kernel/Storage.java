package ndgrad.kernel;

import ndgrad.DType;

/**
 * A primitive array and its version counter. Every view of an array shares one storage, hence one counter: a view that
 * forgets to share cannot be written.
 */
public final class Storage {
  private final Object array;
  private final DType dtype;
  private int version;
  private String lastMutation = "";
  private String lastMutationSite = "";

  /**
   * Wraps a primitive array without copying it.
   *
   * @param array a {@code float[] double[] int[] long[]} or {@code boolean[]}, shared from now on
   */
  public Storage(Object array) {
    this(array, DType.ofArray(array));
  }

  private Storage(Object array, DType dtype) {
    this.array = array;
    this.dtype = dtype;
  }

  /**
   * A fresh storage of zeros.
   *
   * @param dtype the element type
   * @param length number of elements
   * @return the storage
   */
  public static Storage allocate(DType dtype, int length) {
    return new Storage(dtype.newArray(length), dtype);
  }

  /**
   * The primitive array itself.
   *
   * @return a {@code float[] double[] int[] long[]} or {@code boolean[]}
   */
  public Object array() {
    return array;
  }

  /**
   * The element type.
   *
   * @return the dtype
   */
  public DType dtype() {
    return dtype;
  }

  /**
   * How many elements there is room for.
   *
   * @return the primitive array's length
   */
  public int length() {
    return DType.lengthOf(array);
  }

  /**
   * How many times the elements have been changed in place.
   *
   * @return the version, 0 for a fresh storage
   */
  public synchronized int version() {
    return version;
  }

  /**
   * The op that changed the elements last.
   *
   * @return its name, empty when none did
   */
  public synchronized String lastMutation() {
    return lastMutation;
  }

  /**
   * Records one in-place change.
   *
   * @param op the op that made it
   */
  public synchronized void bump(String op) {
    version++;
    lastMutation = op;
  }

  /**
   * Where the last in-place change was asked for.
   *
   * @return a place in the user's code, empty when nobody noted it
   */
  public synchronized String lastMutationSite() {
    return lastMutationSite;
  }

  /**
   * Notes where the last in-place change was asked for.
   *
   * @param site a place in the user's code
   */
  public synchronized void noteSite(String site) {
    lastMutationSite = site;
  }
}
