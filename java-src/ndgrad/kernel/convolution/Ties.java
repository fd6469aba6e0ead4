package ndgrad.kernel.convolution;

import ndgrad.DType;

/**
 * The loops of {@link WindowTies} over a row of a window's places, for one dtype. {@link FloatTies}
 * is derived from the text of {@link DoubleTies} by {@code dev/Specialize.java}.
 */
abstract class Ties {
  private static final Ties FLOATS = new FloatTies();
  private static final Ties DOUBLES = new DoubleTies();

  static Ties of(DType dtype) {
    return dtype == DType.FLOAT32 ? FLOATS : DOUBLES;
  }

  /**
   * The ties at all places of a plane: bit b of a place's word i stands for point 32 i + b.
   *
   * @param words not modified
   * @param at the first word of the first place; those of the others follow
   * @param step from word to word of a place
   * @param count words of a place
   */
  record Bits(int[] words, int at, int step, int count) {
    /** The ties of a later plane. */
    Bits of(int plane) {
      return new Bits(words, at + plane * count * step, step, count);
    }

    int word(int place, int i) {
      return words[at + i * step + place];
    }

    /** How many points tie at a place. */
    int ties(int place) {
      int n = 0;
      for (int i = 0; i < count; i++) {
        n += Integer.bitCount(word(place, i));
      }
      return n;
    }
  }

  /**
   * Writes the bits of some points to the words of a row of places.
   *
   * @param sums the bits, as numbers
   * @param p those of the first place
   * @param step to those of the next place
   * @param n how many places
   * @param mask the bits that count
   * @param shift where in the words the bits belong; lower ones have been written
   * @param words modified
   * @param at that of the first place
   * @return all bits that were met
   */
  abstract int collect(
      Object sums, int p, int step, int n, int mask, int shift, int[] words, int at);

  /**
   * The points that see NaN.
   *
   * @param x the image
   * @param p where the window is
   * @param shift from there to each of the points, at most 32
   * @return their bits
   */
  abstract int nans(Object x, int p, int... shift);

  /**
   * Adds to the ties of each place equal shares of what it gives.
   *
   * @param bits the ties
   * @param place the first place
   * @param n how many places
   * @param g what they give
   * @param q that of the first place
   * @param out the image, modified
   * @param p where the window is at the first place
   * @param step from there to where it is at the next one
   * @param shift from there to each of the points
   */
  abstract void share(
      Bits bits, int place, int n, Object g, int q, Object out, int p, int step, int[] shift);

  /**
   * The mean of the ties of each place, 0 where there are none.
   *
   * @param bits the ties
   * @param place the first place
   * @param n how many places
   * @param x the image
   * @param p where the window is at the first place
   * @param step from there to where it is at the next one
   * @param shift from there to each of the points
   * @param out overwritten
   * @param q that of the first place
   */
  abstract void mean(
      Bits bits, int place, int n, Object x, int p, int step, int[] shift, Object out, int q);
}
