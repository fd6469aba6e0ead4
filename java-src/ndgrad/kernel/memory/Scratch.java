package ndgrad.kernel.memory;

import java.lang.ref.SoftReference;
import ndgrad.DType;

/** Arrays that a thread uses over and over again while a kernel runs, of some contents. */
public final class Scratch {
  /** Elements above which an array is not kept. */
  private static final int KEPT = 1 << 20;

  /** The number of the array that reducing kernels accumulate in. */
  public static final int ACCUMULATORS = 4;

  /** The numbers from here on are those of arrays that elements are brought together in. */
  private static final int TOGETHER = 5;

  /** The numbers of all arrays are below. */
  private static final int NUMBERS = 8;

  private static final ThreadLocal<SoftReference<Object[]>> ARRAYS = new ThreadLocal<>();

  private Scratch() {}

  /**
   * An array that the calling thread may use until it asks for the same again.
   *
   * @param dtype of its elements
   * @param which a number from 0 to {@link #ACCUMULATORS}; arrays of different numbers are
   *     different
   * @param length its least length
   * @return the primitive array
   */
  public static Object array(DType dtype, int which, int length) {
    if (length > KEPT) {
      return dtype.newArray(length);
    }
    SoftReference<Object[]> kept = ARRAYS.get();
    Object[] arrays = kept == null ? null : kept.get();
    if (arrays == null) {
      arrays = new Object[NUMBERS * DType.values().length];
      ARRAYS.set(new SoftReference<>(arrays));
    }
    int slot = NUMBERS * dtype.ordinal() + which;
    if (arrays[slot] == null || DType.lengthOf(arrays[slot]) < length) {
      arrays[slot] = dtype.newArray(length);
    }
    return arrays[slot];
  }

  /**
   * An array that elements are brought together in. What the thread has used before is in its
   * caches; beyond some arrays at a time they are fresh.
   *
   * @param dtype of its elements
   * @param number how many such arrays the thread uses beside it
   * @param length its least length
   * @return the primitive array
   */
  public static Object together(DType dtype, int number, int length) {
    int which = TOGETHER + number;
    return which < NUMBERS ? array(dtype, which, length) : dtype.newArray(length);
  }
}
