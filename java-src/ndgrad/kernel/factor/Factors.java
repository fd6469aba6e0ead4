package ndgrad.kernel.factor;

import java.util.Arrays;
import java.util.function.ToDoubleFunction;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.factor.FactorLoops.Triangle;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;

/**
 * Factors of float32 and float64 matrices, and the solutions of equations with them. All take
 * stacks of matrices in the last two dimensions, of shapes that were checked; several of a stack
 * are worked on at a time.
 */
public final class Factors {
  /** Multiplications worth a thread. */
  private static final long GRAIN = 1 << 15;

  /** What a matrix takes whatever its size, in multiplications. */
  private static final long CALL = 200;

  private Factors() {}

  /**
   * The factors {@code P A = L U} of square matrices, with partial pivoting.
   *
   * @param x of shape [..., n, n]
   * @return of shape [..., n, n + 1]: U in the upper triangle, L below it without its diagonal of
   *     ones, and in the last column the rows of A in the order in which P puts them
   */
  public static Strided lu(Strided x) {
    int d = x.layout().ndim();
    int n = x.layout().dim(d - 1);
    int[] shape = x.layout().shape();
    shape[d - 1] = n + 1;
    Strided out = Strided.empty(x.dtype(), shape);
    Copies.copy(x, out.with(out.layout().slice(d - 1, 0, n, 1)));
    int[] at = starts(out.layout(), batch(shape));
    each(x.dtype(), at.length, n, n, (loops, i) -> loops.lu(out.array(), at[i], n));
    return out;
  }

  /**
   * Whether factors have a 0 on the diagonal, so that equations have no solution or many.
   *
   * @param lu from {@link #lu}
   * @return whether that is so for any matrix
   */
  public static boolean isSingular(Strided lu) {
    int d = lu.layout().ndim();
    Strided pivots = lu.with(lu.layout().diagonal(0, d - 2, d - 1));
    double[] all = (double[]) Copies.copyOf(pivots, DType.FLOAT64).array();
    return Arrays.stream(all).anyMatch(pivot -> pivot == 0);
  }

  /**
   * The determinants of matrices.
   *
   * @param lu from {@link #lu}
   * @return of shape [...]
   */
  public static Strided determinants(Strided lu) {
    return summary(lu, Determinant::product);
  }

  /**
   * The signs of the determinants of matrices.
   *
   * @param lu from {@link #lu}
   * @return of shape [...]: 1, -1, or 0 for singular matrices
   */
  public static Strided signs(Strided lu) {
    return summary(lu, Determinant::sign);
  }

  /**
   * The logarithms of the sizes of the determinants of matrices.
   *
   * @param lu from {@link #lu}
   * @return of shape [...]: -infinity for singular matrices
   */
  public static Strided logDeterminants(Strided lu) {
    return summary(lu, Determinant::logarithm);
  }

  private static Strided summary(Strided lu, ToDoubleFunction<Determinant> part) {
    Determinant[] found = all(lu);
    Strided out = Strided.empty(lu.dtype(), batch(lu.layout().shape()));
    switch (out.array()) {
      case float[] a -> {
        for (int i = 0; i < found.length; i++) {
          a[i] = (float) part.applyAsDouble(found[i]);
        }
      }
      default -> Arrays.setAll((double[]) out.array(), i -> part.applyAsDouble(found[i]));
    }
    return out;
  }

  private static Determinant[] all(Strided lu) {
    Strided factors = rowMajor(lu);
    int n = lu.layout().dim(lu.layout().ndim() - 2);
    int[] at = starts(factors.layout(), batch(lu.layout().shape()));
    Determinant[] found = new Determinant[at.length];
    each(
        lu.dtype(),
        at.length,
        n,
        1,
        (loops, i) -> found[i] = loops.determinant(factors.array(), at[i], n));
    return found;
  }

  /** Factors as they are made, one matrix after the other. */
  private static Strided rowMajor(Strided lu) {
    return lu.layout().isContiguous() ? lu : Copies.copyOf(lu);
  }

  /**
   * Solves {@code op(A) X = B}.
   *
   * @param lu what {@link #lu} made of A
   * @param b of shape [..., n, m]; the dimensions in front broadcast
   * @param transposed whether op is the transpose
   * @return X, a fresh array of shape [..., n, m]
   */
  public static Strided solve(Strided lu, Strided b, boolean transposed) {
    Strided factors = rowMajor(lu);
    int n = b.layout().dim(b.layout().ndim() - 2);
    int m = b.layout().dim(b.layout().ndim() - 1);
    Strided out = spread(lu.layout(), b);
    int[] at = starts(factors.layout(), batch(out.layout().shape()));
    each(
        out.dtype(),
        at.length,
        n,
        m,
        (loops, i) ->
            loops.solve(factors.array(), at[i], n, transposed, out.array(), i * n * m, m));
    return out;
  }

  /**
   * Solves {@code A X = B} with triangular matrices.
   *
   * @param a of shape [..., n, n]
   * @param b of shape [..., n, m]; the dimensions in front broadcast
   * @param lower which triangle of A is read
   * @param unit whether the diagonal is not read but taken for 1
   * @return X, a fresh array of shape [..., n, m]
   */
  public static Strided triangular(Strided a, Strided b, boolean lower, boolean unit) {
    int d = a.layout().ndim() - 2;
    int n = a.layout().dim(d);
    int m = b.layout().dim(b.layout().ndim() - 1);
    // A matrix whose columns are contiguous is read as the transpose of the other triangle.
    boolean turned = a.layout().stride(d) == 1 && a.layout().stride(d + 1) >= n;
    boolean plain = a.layout().stride(d + 1) == 1 && a.layout().stride(d) >= n;
    Strided matrix = turned || plain ? a : Copies.copyOf(a);
    boolean transposed = turned && !plain;
    Triangle kind = new Triangle(lower != transposed, transposed, unit);
    int ld = matrix.layout().stride(transposed ? d + 1 : d);
    Strided out = spread(a.layout(), b);
    int[] at = starts(matrix.layout(), batch(out.layout().shape()));
    each(
        out.dtype(),
        at.length,
        n,
        m,
        (loops, i) ->
            loops.triangular(matrix.array(), at[i], ld, n, kind, out.array(), i * n * m, m));
    return out;
  }

  /**
   * The lower triangles L of positive definite matrices {@code L Lᵀ}.
   *
   * @param x of shape [..., n, n]; the lower triangles are read
   * @param definite set for each matrix to n, or to how many rows and columns at its upper left are
   *     positive definite where not all are
   * @return a fresh array of the same shape
   */
  public static Strided cholesky(Strided x, int[] definite) {
    Strided out = Copies.copyOf(x);
    int n = out.layout().dim(out.layout().ndim() - 1);
    each(
        out.dtype(),
        definite.length,
        n,
        n,
        (loops, i) -> definite[i] = loops.cholesky(out.array(), i * n * n, n));
    return out;
  }

  /** A copy of B with the dimensions in front that the matrices give it. */
  private static Strided spread(Layout matrices, Strided b) {
    Layout own = Layout.of(batch(b.layout().shape()));
    int[] batch = Dimensions.broadcast(Layout.of(batch(matrices.shape())), own);
    return Copies.copyOf(b.with(stretched(b.layout(), batch)));
  }

  /** A stack of matrices with other dimensions in front. */
  private static Layout stretched(Layout l, int[] batch) {
    int[] shape = Arrays.copyOf(batch, batch.length + 2);
    System.arraycopy(l.shape(), l.ndim() - 2, shape, batch.length, 2);
    return l.broadcastTo(shape);
  }

  /** The dimensions in front of the last two. */
  private static int[] batch(int[] shape) {
    return Arrays.copyOf(shape, shape.length - 2);
  }

  /** Where each matrix of a stack starts, stretched to those dimensions in front. */
  private static int[] starts(Layout l, int[] batch) {
    Layout full = stretched(l, batch);
    Layout firsts = Layout.of(batch, Arrays.copyOf(full.strides(), batch.length), full.offset());
    return Gather.positions(firsts, IntStream.range(0, firsts.intSize()).toArray());
  }

  /** Work on one matrix of a stack. */
  @FunctionalInterface
  private interface Work {
    void on(FactorLoops loops, int i);
  }

  /** Works on each matrix of a stack, by about n²m multiplications. */
  private static void each(DType dtype, int count, int n, int m, Work work) {
    long cost = CALL + (long) n * n * m;
    Threads.parallelFor(
        count,
        (int) Math.max(1, GRAIN / cost),
        () -> {
          FactorLoops loops = FactorLoops.of(dtype);
          return (from, to) -> {
            for (int i = from; i < to; i++) {
              work.on(loops, i);
            }
          };
        });
  }
}
