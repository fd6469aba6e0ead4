package ndgrad.kernel.factor;

import java.util.Arrays;
import ndgrad.blas.Blas;
import ndgrad.kernel.loop.MatrixProduct;

/**
 * Factors of {@code double} matrices. Each is found by halves: those of the left columns, what they
 * make of the rest (a matrix product), those of the rest (F. G. Gustavson, "Recursion leads to
 * automatic variable blocking for dense linear-algebra algorithms", IBM Journal of Research and
 * Development 41(6), 1997). A few columns or rows are copied, so that each lies in an array of its
 * own: loops over two of these become vectors.
 */
@SuppressWarnings("cast") // of double there is nothing to cast
final class DoubleFactors implements FactorLoops {
  /** Columns that are no longer halved. */
  private static final int FEW = 16;

  /** Columns of a right-hand side that are found one by one, where they lie. */
  private static final int NARROW = 8;

  private final Blas blas = MatrixProduct.engine();

  /** Columns or rows of the moment. */
  private double[][] lines = new double[FEW][0];

  /** A right-hand side while its rows are put in order. */
  private double[] given = {};

  @Override
  public void lu(Object matrix, int at, int n) {
    double[] a = (double[]) matrix;
    int ld = n + 1;
    for (int i = 0; i < n; i++) {
      a[at + i * ld + n] = i;
    }
    if (n <= FEW) {
      small(a, at, n);
      return;
    }
    int[] swaps = new int[n];
    lu(a, at, ld, n, 0, n, swaps);
    swap(a, at + n, ld, 1, 0, n, swaps);
  }

  /** Factors a matrix of few rows where it lies; its last column moves along. */
  private static void small(double[] a, int at, int n) {
    int ld = n + 1;
    for (int j = 0; j < n; j++) {
      int top = at + j * ld;
      int pivot = top;
      for (int i = top + ld; i < at + n * ld; i += ld) {
        pivot = Math.abs(a[i + j]) > Math.abs(a[pivot + j]) ? i : pivot;
      }
      exchange(a, top, pivot, ld);
      double divisor = a[top + j];
      for (int i = top + ld; i < at + n * ld && divisor != 0; i += ld) {
        double factor = a[i + j] / divisor;
        a[i + j] = factor;
        for (int c = j + 1; c < n; c++) {
          a[i + c] -= factor * a[top + c];
        }
      }
    }
  }

  /**
   * Factors the columns from {@code s} on, below and at their diagonal.
   *
   * @param w how many columns
   * @param swaps set to the row that each row is exchanged with, for these columns
   */
  private void lu(double[] a, int at, int ld, int n, int s, int w, int[] swaps) {
    if (w <= FEW) {
      panel(a, at + s * ld + s, ld, n - s, w, s, swaps);
      return;
    }
    int t = s + w / 2;
    int rest = s + w - t;
    int right = at + s * ld + t;
    int below = at + t * ld + s;
    lu(a, at, ld, n, s, t - s, swaps);
    swap(a, at + t, ld, rest, s, t, swaps);
    triangular(a, at + s * ld + s, ld, t - s, Triangle.L, a, right, ld, rest);
    subtract(false, false, n - t, rest, t - s, a, below, ld, a, right, ld, a, at + t * ld + t, ld);
    lu(a, at, ld, n, t, rest, swaps);
    swap(a, at + s, ld, t - s, t, s + w, swaps);
  }

  /** Exchanges rows of some columns as it was found for others. */
  private static void swap(double[] a, int at, int ld, int columns, int from, int to, int[] swaps) {
    for (int i = from; i < to; i++) {
      exchange(a, at + i * ld, at + swaps[i] * ld, columns);
    }
  }

  private static void exchange(double[] a, int p, int q, int n) {
    for (int i = 0; i < n && p != q; i++) {
      double x = a[p + i];
      a[p + i] = a[q + i];
      a[q + i] = x;
    }
  }

  /** Factors a few columns. */
  private void panel(double[] a, int at, int ld, int rows, int w, int first, int[] swaps) {
    double[][] columns = columns(a, at, ld, rows, w);
    for (int j = 0; j < w; j++) {
      double[] column = columns[j];
      int pivot = largest(column, j, rows);
      swaps[first + j] = first + pivot;
      for (int c = 0; c < w; c++) {
        exchange(columns[c], j, pivot, 1);
      }
      if (column[j] != 0) {
        divide(column, column[j], j + 1, rows);
      }
      for (int c = j + 1; c < w; c++) {
        subtract(columns[c], column, columns[c][j], j + 1, rows);
      }
    }
    store(columns, a, at, ld, rows, w);
  }

  private static int largest(double[] column, int from, int to) {
    int at = from;
    double most = Math.abs(column[from]);
    for (int i = from + 1; i < to; i++) {
      double size = Math.abs(column[i]);
      if (size > most) {
        most = size;
        at = i;
      }
    }
    return at;
  }

  private static void divide(double[] x, double divisor, int from, int to) {
    for (int i = from; i < to; i++) {
      x[i] /= divisor;
    }
  }

  /** {@code x -= factor * y}. */
  private static void subtract(double[] x, double[] y, double factor, int from, int to) {
    for (int i = from; i < to; i++) {
      x[i] -= factor * y[i];
    }
  }

  /** Room for some columns or rows, until it is asked for again. */
  private double[][] lines(int length) {
    if (lines[0].length < length) {
      lines = new double[FEW][length];
    }
    return lines;
  }

  private double[][] columns(double[] a, int at, int ld, int rows, int w) {
    double[][] columns = lines(rows);
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < w; j++) {
        columns[j][i] = a[at + i * ld + j];
      }
    }
    return columns;
  }

  private static void store(double[][] columns, double[] a, int at, int ld, int rows, int w) {
    for (int i = 0; i < rows; i++) {
      for (int j = 0; j < w; j++) {
        a[at + i * ld + j] = columns[j][i];
      }
    }
  }

  @Override
  public void solve(Object lu, int at, int n, boolean transposed, Object x, int to, int m) {
    double[] a = (double[]) lu;
    double[] b = (double[]) x;
    int ld = n + 1;
    if (transposed) {
      triangular(a, at, ld, n, Triangle.U.transpose(), b, to, m, m);
      triangular(a, at, ld, n, Triangle.L.transpose(), b, to, m, m);
    }
    given = given.length < n * m ? new double[n * m] : given;
    System.arraycopy(b, to, given, 0, n * m);
    for (int i = 0; i < n; i++) {
      int row = (int) a[at + i * ld + n];
      int from = (transposed ? i : row) * m;
      int place = to + (transposed ? row : i) * m;
      for (int c = 0; c < m; c++) {
        b[place + c] = given[from + c];
      }
    }
    if (!transposed) {
      triangular(a, at, ld, n, Triangle.L, b, to, m, m);
      triangular(a, at, ld, n, Triangle.U, b, to, m, m);
    }
  }

  @Override
  public void triangular(
      Object matrix, int at, int ld, int n, Triangle kind, Object x, int to, int m) {
    triangular((double[]) matrix, at, ld, n, kind, (double[]) x, to, m, m);
  }

  /** The same with rows of X that lie {@code ldx} apart. */
  private void triangular(
      double[] a, int at, int ld, int n, Triangle kind, double[] x, int to, int ldx, int m) {
    if (n <= FEW) {
      substitute(a, at, ld, n, kind, x, to, ldx, m);
      return;
    }
    int h = n / 2;
    int rest = n - h;
    int corner = at + h * ld + h;
    int block = kind.lower() ? at + h * ld : at + h;
    int below = to + h * ldx;
    boolean t = kind.transposed();
    if (kind.isDown()) {
      triangular(a, at, ld, h, kind, x, to, ldx, m);
      subtract(t, false, rest, m, h, a, block, ld, x, to, ldx, x, below, ldx);
      triangular(a, corner, ld, rest, kind, x, below, ldx, m);
    } else {
      triangular(a, corner, ld, rest, kind, x, below, ldx, m);
      subtract(t, false, h, m, rest, a, block, ld, x, below, ldx, x, to, ldx);
      triangular(a, at, ld, h, kind, x, to, ldx, m);
    }
  }

  /** The same with few rows and one column. */
  private static void column(
      double[] a, int at, int ld, int n, Triangle kind, double[] x, int to, int ldx) {
    boolean down = kind.isDown();
    int along = kind.transposed() ? ld : 1;
    int across = kind.transposed() ? 1 : ld;
    for (int step = 0; step < n; step++) {
      int i = down ? step : n - 1 - step;
      double sum = x[to + i * ldx];
      for (int done = 0; done < step; done++) {
        int k = down ? done : n - 1 - done;
        sum -= a[at + i * across + k * along] * x[to + k * ldx];
      }
      x[to + i * ldx] = kind.unit() ? sum : sum / a[at + i * ld + i];
    }
  }

  /** The same with few rows. */
  private void substitute(
      double[] a, int at, int ld, int n, Triangle kind, double[] x, int to, int ldx, int m) {
    if (m < NARROW) {
      for (int c = 0; c < m; c++) {
        column(a, at, ld, n, kind, x, to + c, ldx);
      }
      return;
    }
    double[][] rows = lines(m);
    for (int step = 0; step < n; step++) {
      int i = kind.isDown() ? step : n - 1 - step;
      double[] row = rows[i];
      System.arraycopy(x, to + i * ldx, row, 0, m);
      for (int done = 0; done < step; done++) {
        int k = kind.isDown() ? done : n - 1 - done;
        int p = kind.transposed() ? at + k * ld + i : at + i * ld + k;
        subtract(row, rows[k], a[p], 0, m);
      }
      if (!kind.unit()) {
        divide(row, a[at + i * ld + i], 0, m);
      }
      System.arraycopy(row, 0, x, to + i * ldx, m);
    }
  }

  @Override
  public int cholesky(Object matrix, int at, int n) {
    double[] a = (double[]) matrix;
    int definite = cholesky(a, at, n, n);
    for (int i = 0; i < n; i++) {
      Arrays.fill(a, at + i * n + i + 1, at + i * n + n, 0);
    }
    return definite;
  }

  private int cholesky(double[] a, int at, int ld, int n) {
    if (n <= FEW) {
      return fewCholesky(a, at, ld, n);
    }
    int h = n / 2;
    int rest = n - h;
    int definite = cholesky(a, at, ld, h);
    if (definite < h) {
      return definite;
    }
    int below = at + h * ld;
    fromRight(a, at, ld, h, below, rest);
    subtract(false, true, rest, rest, h, a, below, ld, a, below, ld, a, below + h, ld);
    return h + cholesky(a, below + h, ld, rest);
  }

  private static int fewCholesky(double[] a, int at, int ld, int n) {
    for (int i = 0; i < n; i++) {
      int p = at + i * ld;
      for (int j = 0; j <= i; j++) {
        int q = at + j * ld;
        double sum = a[p + j];
        for (int k = 0; k < j; k++) {
          sum -= a[p + k] * a[q + k];
        }
        if (j < i) {
          a[p + j] = sum / a[q + j];
        } else if (sum > 0) {
          a[p + i] = (double) Math.sqrt(sum);
        } else {
          return i;
        }
      }
    }
    return n;
  }

  /** Solves {@code X Lᵀ = B} with a lower triangle; B has m rows in the same array. */
  private void fromRight(double[] a, int at, int ld, int n, int to, int m) {
    if (n <= FEW) {
      double[][] columns = columns(a, to, ld, m, n);
      for (int j = 0; j < n; j++) {
        for (int k = 0; k < j; k++) {
          subtract(columns[j], columns[k], a[at + j * ld + k], 0, m);
        }
        divide(columns[j], a[at + j * ld + j], 0, m);
      }
      store(columns, a, to, ld, m, n);
      return;
    }
    int h = n / 2;
    int block = at + h * ld;
    fromRight(a, at, ld, h, to, m);
    subtract(false, true, m, n - h, h, a, to, ld, a, block, ld, a, to + h, ld);
    fromRight(a, block + h, ld, n - h, to + h, m);
  }

  @Override
  public Determinant determinant(Object lu, int at, int n) {
    double[] a = (double[]) lu;
    Determinant found = new Determinant();
    boolean[] seen = new boolean[n];
    for (int i = 0; i < n; i++) {
      found.times(a[at + i * (n + 1) + i]);
      // Each cycle of the rows' order is one exchange less than it has rows.
      int row = i;
      for (int length = 0; !seen[row]; length++) {
        seen[row] = true;
        row = (int) a[at + row * (n + 1) + n];
        if (length > 0) {
          found.turn();
        }
      }
    }
    return found;
  }

  /** {@code C -= op(A) op(B)}. */
  private void subtract(
      boolean ta,
      boolean tb,
      int m,
      int n,
      int k,
      double[] a,
      int p,
      int lda,
      double[] b,
      int q,
      int ldb,
      double[] c,
      int r,
      int ldc) {
    blas.gemm(ta, tb, m, n, k, -1, a, p, lda, b, q, ldb, 1, c, r, ldc);
  }
}
