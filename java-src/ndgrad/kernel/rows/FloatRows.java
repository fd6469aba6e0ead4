// Generated from DoubleRows.java by dev/Specialize.java: edit that, then run it.
package ndgrad.kernel.rows;

import static ndgrad.kernel.rows.Scalars.above;
import static ndgrad.kernel.rows.Scalars.below;
import static ndgrad.kernel.rows.Scalars.isTrue;
import static ndgrad.kernel.rows.Scalars.key;

import java.util.Arrays;

/**
 * The loops of {@link Rows} over {@code float[]}, and the text that those of the other dtypes are
 * derived from.
 */
final class FloatRows extends Rows {
  @Override
  public void fill(Object a, int p, int ps, int n, Object value) {
    float[] x = (float[]) a;
    float v = (float) value;
    if (ps == 1) {
      Arrays.fill(x, p, p + n, v);
      return;
    }
    for (int i = 0; i < n; i++) {
      x[p + i * ps] = v;
    }
  }

  @Override
  public void copy(Object from, int p, int ps, Object to, int q, int qs, int n) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    if (ps == 1 && qs == 1) {
      System.arraycopy(x, p, y, q, n);
    } else if (ps == 0 && qs == 1) {
      Arrays.fill(y, q, q + n, x[p]);
    } else if (ps == -1 && qs == 1) {
      for (int i = 0; i < n; i++) {
        y[q + i] = x[p - i];
      }
    } else if (ps == 2 && qs == 1) {
      // Steps that are known save a third of the time.
      for (int i = 0; i < n; i++) {
        y[q + i] = x[p + 2 * i];
      }
    } else if (ps == 1 && qs == 2) {
      for (int i = 0; i < n; i++) {
        y[q + 2 * i] = x[p + i];
      }
    } else {
      int a = p;
      int b = q;
      for (int i = 0; i < n; i++) {
        y[b] = x[a];
        a += ps;
        b += qs;
      }
    }
  }

  @Override
  public void copyRows(Object from, int p, int ps, Object to, int q, int qs, int rows, int n) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    // A loop over the elements is slower even for a few: the JIT cannot tell that x and y, at
    // different offsets, don't overlap.
    for (int i = 0; i < rows; i++) {
      System.arraycopy(x, p + i * ps, y, q + i * qs, n);
    }
  }

  @Override
  public void transpose(Object from, int p, int ps, Object to, int q, int qs, int rows, int n) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    int j = 0;
    for (; j <= n - LANES; j += LANES) {
      int a = p + j * ps;
      int b = a + ps;
      int c = b + ps;
      int d = c + ps;
      int e = d + ps;
      int f = e + ps;
      int g = f + ps;
      int h = g + ps;
      int k = q + j;
      for (int i = 0; i < rows; i++, k += qs) {
        y[k] = x[a + i];
        y[k + 1] = x[b + i];
        y[k + 2] = x[c + i];
        y[k + 3] = x[d + i];
        y[k + 4] = x[e + i];
        y[k + 5] = x[f + i];
        y[k + 6] = x[g + i];
        y[k + 7] = x[h + i];
      }
    }
    for (; j < n; j++) {
      copy(from, p + j * ps, 1, to, q + j, qs, rows);
    }
  }

  @Override
  public void add(Object from, int p, int ps, Object to, int q, int qs, int n) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    if (ps == 1 && qs == 1) {
      for (int i = 0; i < n; i++) {
        y[q + i] = Scalars.add(y[q + i], x[p + i]);
      }
    } else {
      for (int i = 0; i < n; i++) {
        y[q + i * qs] = Scalars.add(y[q + i * qs], x[p + i * ps]);
      }
    }
  }

  @Override
  public void gather(Object from, int[] at, int start, int end, int shift, Object to, int q) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    for (int i = start; i < end; i++) {
      y[q + i] = x[at[i] + shift];
    }
  }

  @Override
  void scatter(Object from, int p, int ps, Object to, int[] at, int start, int end, int shift) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    for (int i = start; i < end; i++) {
      y[at[i] + shift] = x[p + i * ps];
    }
  }

  @Override
  void scatterAdd(Object from, int p, int ps, Object to, int[] at, int start, int end, int shift) {
    float[] x = (float[]) from;
    float[] y = (float[]) to;
    for (int i = start; i < end; i++) {
      int k = at[i] + shift;
      y[k] = Scalars.add(y[k], x[p + i * ps]);
    }
  }

  @Override
  int nonzero(Object a, int p, int ps, int n, int first, int[] found, int count) {
    float[] x = (float[]) a;
    int k = count;
    for (int i = 0; i < n; i++) {
      found[k] = first + i;
      k += isTrue(x[p + i * ps]) ? 1 : 0;
    }
    return k;
  }

  @Override
  int countNonzero(Object a, int p, int ps, int n) {
    float[] x = (float[]) a;
    int k = 0;
    for (int i = 0; i < n; i++) {
      k += isTrue(x[p + i * ps]) ? 1 : 0;
    }
    return k;
  }

  @Override
  public int best(Object a, int p, int ps, int n, boolean largest) {
    float[] x = (float[]) a;
    float best = x[p];
    int at = 0;
    if (largest) {
      for (int i = 1; i < n; i++) {
        float b = x[p + i * ps];
        if (above(b, best)) {
          best = b;
          at = i;
        }
      }
    } else {
      for (int i = 1; i < n; i++) {
        float b = x[p + i * ps];
        if (below(b, best)) {
          best = b;
          at = i;
        }
      }
    }
    return at;
  }

  @Override
  public boolean isNaN(Object a, int at) {
    return Scalars.isNaN(((float[]) a)[at]);
  }

  @Override
  public int first(Object a, int p, int ps, Object number, int at) {
    float[] x = (float[]) a;
    float b = ((float[]) number)[at];
    int i = 0;
    if (Scalars.isNaN(b)) {
      while (!Scalars.isNaN(x[p + i * ps])) {
        i++;
      }
    } else {
      while (x[p + i * ps] != b) {
        i++;
      }
    }
    return i;
  }

  @Override
  public void improve(
      Object a, int p, int ps, int n, int i, Object best, int[] index, boolean largest) {
    float[] x = (float[]) a;
    float[] y = (float[]) best;
    if (largest) {
      for (int j = 0; j < n; j++) {
        float b = x[p + j * ps];
        if (above(b, y[j])) {
          y[j] = b;
          index[j] = i;
        }
      }
    } else {
      for (int j = 0; j < n; j++) {
        float b = x[p + j * ps];
        if (below(b, y[j])) {
          y[j] = b;
          index[j] = i;
        }
      }
    }
  }

  @Override
  public void keys(Object a, int p, int ps, int n, boolean descending, long[] keys) {
    float[] x = (float[]) a;
    for (int i = 0; i < n; i++) {
      keys[i] = key(x[p + i * ps], descending);
    }
  }

  @Override
  public void reverse(Object a, int from, int to) {
    float[] x = (float[]) a;
    int last = to - 1;
    while (last >= from && Scalars.isNaN(x[last])) {
      last--;
    }
    for (int i = from; i < last; i++, last--) {
      float b = x[i];
      x[i] = x[last];
      x[last] = b;
    }
  }
}
