// Generated from DoubleTaps.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.convolution;

import java.util.Arrays;
import ndgrad.blas.MulAdd;
import ndgrad.kernel.code.TapKernel;

/**
 * The loops of {@link Taps} over {@code float[]}, and the text that those of the other dtypes are
 * derived from.
 */
final class FloatTaps extends Taps {
  private static final int LANES = TapKernel.LANE_BYTES / Float.BYTES;

  /** Elements of a row that are worked on at a time, so that they stay in the first cache. */
  private static final int CHUNK = 512;

  @Override
  TapKernel sum(int rows) {
    return (a, aAt, _, x, xAt, off, offAt, taps, n, out, outAt, outStep) -> {
      float[] to = (float[]) out;
      for (int p = 0; p < n; p += CHUNK) {
        int length = Math.min(CHUNK, n - p);
        for (int r = 0; r < rows; r++) {
          int at = outAt + r * outStep + p;
          Arrays.fill(to, at, at + length, ((float[]) a)[aAt + r]);
          int t = 0;
          for (; t + 3 < taps; t += 4) {
            four(
                (float[]) a,
                aAt + rows + t * rows + r,
                rows,
                (float[]) x,
                xAt + p,
                off,
                offAt + t,
                to,
                at,
                length);
          }
          for (; t < taps; t++) {
            one(
                ((float[]) a)[aAt + rows + t * rows + r],
                (float[]) x,
                xAt + p + off[offAt + t],
                to,
                at,
                length);
          }
        }
      }
    };
  }

  private static void four(
      float[] a,
      int w,
      int step,
      float[] x,
      int xAt,
      int[] off,
      int t,
      float[] out,
      int at,
      int n) {
    float w0 = a[w];
    float w1 = a[w + step];
    float w2 = a[w + 2 * step];
    float w3 = a[w + 3 * step];
    int p0 = xAt + off[t];
    int p1 = xAt + off[t + 1];
    int p2 = xAt + off[t + 2];
    int p3 = xAt + off[t + 3];
    for (int i = 0; i < n; i++) {
      float s = MulAdd.of(w0, x[p0 + i], out[at + i]);
      s = MulAdd.of(w1, x[p1 + i], s);
      s = MulAdd.of(w2, x[p2 + i], s);
      out[at + i] = MulAdd.of(w3, x[p3 + i], s);
    }
  }

  private static void one(float w, float[] x, int p, float[] out, int at, int n) {
    for (int i = 0; i < n; i++) {
      out[at + i] = MulAdd.of(w, x[p + i], out[at + i]);
    }
  }

  @Override
  TapKernel dot(int rows, int taps) {
    return (a, aAt, aStep, x, xAt, off, offAt, _, n, out, outAt, _) -> {
      for (int r = 0; r < rows; r++) {
        for (int t = 0; t < taps; t++) {
          for (int lane = 0; lane < LANES; lane += 8) {
            eight(
                (float[]) a,
                aAt + r * aStep + lane,
                (float[]) x,
                xAt + off[offAt + t] + lane,
                n,
                (float[]) out,
                outAt + (r * taps + t) * LANES + lane);
          }
        }
      }
    };
  }

  /** Eight lanes of one dot product. */
  private static void eight(float[] a, int p, float[] x, int q, int n, float[] out, int at) {
    float s0 = out[at];
    float s1 = out[at + 1];
    float s2 = out[at + 2];
    float s3 = out[at + 3];
    float s4 = out[at + 4];
    float s5 = out[at + 5];
    float s6 = out[at + 6];
    float s7 = out[at + 7];
    for (int i = 0; i < n; i += LANES) {
      s0 = MulAdd.of(a[p + i], x[q + i], s0);
      s1 = MulAdd.of(a[p + i + 1], x[q + i + 1], s1);
      s2 = MulAdd.of(a[p + i + 2], x[q + i + 2], s2);
      s3 = MulAdd.of(a[p + i + 3], x[q + i + 3], s3);
      s4 = MulAdd.of(a[p + i + 4], x[q + i + 4], s4);
      s5 = MulAdd.of(a[p + i + 5], x[q + i + 5], s5);
      s6 = MulAdd.of(a[p + i + 6], x[q + i + 6], s6);
      s7 = MulAdd.of(a[p + i + 7], x[q + i + 7], s7);
    }
    out[at] = s0;
    out[at + 1] = s1;
    out[at + 2] = s2;
    out[at + 3] = s3;
    out[at + 4] = s4;
    out[at + 5] = s5;
    out[at + 6] = s6;
    out[at + 7] = s7;
  }

  @Override
  void fold(Object lanes, int start, int rows, int taps, int used, Object out, int at, int step) {
    float[] from = (float[]) lanes;
    float[] to = (float[]) out;
    for (int r = 0; r < rows; r++) {
      for (int t = 0; t < used; t++) {
        int p = start + (r * taps + t) * LANES;
        float even = lane(from, p) + lane(from, p + 4) + (lane(from, p + 2) + lane(from, p + 6));
        float odd =
            lane(from, p + 1) + lane(from, p + 5) + (lane(from, p + 3) + lane(from, p + 7));
        to[at + r * step + t] += even + odd;
      }
    }
  }

  /** One of eight lanes, or the sum of those of two halves. */
  private static float lane(float[] x, int p) {
    return LANES == 8 ? x[p] : x[p] + x[p + 8];
  }

  @Override
  void pad(
      Object from,
      int p,
      int down,
      int along,
      int rows,
      Object to,
      int q,
      int width,
      int first,
      int last) {
    float[] source = (float[]) from;
    float[] target = (float[]) to;
    if (along == 1 && first == 0 && last == width && down == width) {
      System.arraycopy(source, p, target, q, rows * width);
      return;
    }
    for (int r = 0; r < rows; r++) {
      int at = q + r * width;
      for (int i = 0; i < first; i++) {
        target[at + i] = 0;
      }
      int start = p + r * down;
      if (along == 1) {
        System.arraycopy(source, start, target, at + first, last - first);
      } else {
        for (int i = 0; i < last - first; i++) {
          target[at + first + i] = source[start + i * along];
        }
      }
      for (int i = last; i < width; i++) {
        target[at + i] = 0;
      }
    }
  }

  @Override
  void clear(Object a, int from, int to) {
    Arrays.fill((float[]) a, from, to, 0);
  }

  @Override
  void crop(
      Object from, int p, int width, int rows, int columns, Object to, int q, int down, int along) {
    float[] source = (float[]) from;
    float[] target = (float[]) to;
    if (along == 1 && width == columns && down == columns) {
      System.arraycopy(source, p, target, q, rows * columns);
      return;
    }
    for (int r = 0; r < rows; r++) {
      int start = p + r * width;
      int at = q + r * down;
      if (along == 1) {
        System.arraycopy(source, start, target, at, columns);
      } else {
        for (int i = 0; i < columns; i++) {
          target[at + i * along] = source[start + i];
        }
      }
    }
  }

  @Override
  void gather(Object from, int p, int step, int n, Object to, int q, int toStep) {
    float[] source = (float[]) from;
    float[] target = (float[]) to;
    for (int i = 0; i < n; i++) {
      target[q + i * toStep] = source[p + i * step];
    }
  }

  @Override
  boolean areFinite(Object a, int p, int n) {
    float[] x = (float[]) a;
    // A product with 0 is NaN where there is an infinity or NaN, and so is their sum.
    float sum = 0;
    for (int i = 0; i < n; i++) {
      sum += x[p + i] * 0;
    }
    return sum == 0;
  }
}
