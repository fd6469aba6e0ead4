package ndgrad.kernel.memory;

import java.util.Arrays;

/**
 * The layouts of fresh arrays. Those of late are remembered, each at the place of its shape's hash:
 * arrays of one shape share them, so that who has met a layout knows it again by a glance.
 */
final class FreshLayouts {
  private static final Layout SCALAR = new Layout(new int[0], new int[0], 0, 1, 0);

  /** A power of two. */
  private static final int REMEMBERED = 256;

  /** Races are harmless, for a layout is immutable. */
  private static final Layout[] LATELY = new Layout[REMEMBERED];

  static {
    Arrays.fill(LATELY, SCALAR);
  }

  private FreshLayouts() {}

  /** The row-major layout of a shape, which is not kept. */
  static Layout of(int[] shape) {
    if (shape.length == 0) {
      return SCALAR;
    }
    int place = place(Arrays.hashCode(shape));
    Layout known = LATELY[place];
    if (known.hasShape(shape)) {
      return known;
    }
    int size = Dimensions.arraySize(shape);
    Layout made = new Layout(shape.clone(), Dimensions.rowMajor(shape), 0, size, place);
    LATELY[place] = made;
    return made;
  }

  /** From a hash to a number below 256. */
  static int place(int hash) {
    // Dimensions are often powers of two: the product brings all their bits to the upper ones.
    return hash * 0x9E3779B9 >>> 32 - Integer.numberOfTrailingZeros(REMEMBERED);
  }
}
