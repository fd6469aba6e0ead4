// Generated from DoubleTies.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.convolution;

import java.util.Arrays;

/**
 * The loops of {@link Ties} over {@code float[]}, and the text that those of the other dtypes are
 * derived from.
 */
final class FloatTies extends Ties {
  @Override
  int collect(Object sums, int p, int step, int n, int mask, int shift, int[] words, int at) {
    float[] from = (float[]) sums;
    int met = 0;
    if (shift == 0) {
      Arrays.fill(words, at, at + n, 0);
    }
    if (step == 1) {
      for (int i = 0; i < n; i++) {
        int bits = (int) from[p + i];
        met |= bits;
        words[at + i] |= (bits & mask) << shift;
      }
    } else {
      for (int i = 0; i < n; i++) {
        int bits = (int) from[p + i * step];
        met |= bits;
        words[at + i] |= (bits & mask) << shift;
      }
    }
    return met;
  }

  @Override
  int nans(Object x, int p, int... shift) {
    float[] from = (float[]) x;
    int bits = 0;
    for (int i = 0; i < shift.length; i++) {
      bits |= Float.isNaN(from[p + shift[i]]) ? 1 << i : 0;
    }
    return bits;
  }

  @Override
  void share(
      Bits bits, int place, int n, Object g, int q, Object out, int p, int step, int[] shift) {
    float[] from = (float[]) g;
    float[] to = (float[]) out;
    for (int i = 0; i < n; i++) {
      int word = bits.word(place + i, 0);
      int at = p + i * step;
      if (bits.count() == 1 && Integer.bitCount(word) == 1) {
        to[at + shift[Integer.numberOfTrailingZeros(word)]] += from[q + i];
        continue;
      }
      float each = from[q + i] / bits.ties(place + i);
      for (int k = 0; k < bits.count(); k++) {
        for (int rest = bits.word(place + i, k); rest != 0; rest &= rest - 1) {
          to[at + shift[32 * k + Integer.numberOfTrailingZeros(rest)]] += each;
        }
      }
    }
  }

  @Override
  void mean(
      Bits bits, int place, int n, Object x, int p, int step, int[] shift, Object out, int q) {
    float[] from = (float[]) x;
    float[] to = (float[]) out;
    for (int i = 0; i < n; i++) {
      float sum = 0;
      for (int k = 0; k < bits.count(); k++) {
        for (int rest = bits.word(place + i, k); rest != 0; rest &= rest - 1) {
          sum += from[p + i * step + shift[32 * k + Integer.numberOfTrailingZeros(rest)]];
        }
      }
      to[q + i] = sum / Math.max(1, bits.ties(place + i));
    }
  }
}
