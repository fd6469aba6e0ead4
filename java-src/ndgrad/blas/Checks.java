package ndgrad.blas;

import java.util.Arrays;
import ndgrad.ArgumentException;

/**
 * Argument checks that every engine shares, those of other libraries too: a native library must
 * never see a matrix that leaves its array.
 */
public final class Checks {
  private static final Batch ONE = Batch.of(1, 0, 0, 0);

  private Checks() {}

  /**
   * Checks the arguments of {@link Blas#gemm}, see there.
   *
   * @param transA whether {@code A} is stored transposed
   * @param transB whether {@code B} is stored transposed
   * @param m rows of {@code C}
   * @param n columns of {@code C}
   * @param k the dimension summed over
   * @param aLength length of the array of {@code A}
   * @param aOff where {@code A} starts
   * @param lda leading dimension of {@code A}
   * @param bLength length of the array of {@code B}
   * @param bOff where {@code B} starts
   * @param ldb leading dimension of {@code B}
   * @param cLength length of the array of {@code C}
   * @param cOff where {@code C} starts
   * @param ldc leading dimension of {@code C}
   * @throws ArgumentException when a matrix doesn't fit its array
   */
  public static void gemm(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int aLength,
      int aOff,
      int lda,
      int bLength,
      int bOff,
      int ldb,
      int cLength,
      int cOff,
      int ldc) {
    batch(transA, transB, m, n, k, aLength, aOff, lda, bLength, bOff, ldb, cLength, cOff, ldc, ONE);
  }

  static void batch(
      boolean transA,
      boolean transB,
      int m,
      int n,
      int k,
      int aLength,
      int aOff,
      int lda,
      int bLength,
      int bOff,
      int ldb,
      int cLength,
      int cOff,
      int ldc,
      Batch batch) {
    int count = batch.count();
    if ((m | n | k | count) < 0) {
      throw new ArgumentException(
          "matrix sizes must not be negative: m "
              + m
              + ", n "
              + n
              + ", k "
              + k
              + ", count "
              + count,
          "m",
          m,
          "n",
          n,
          "k",
          k,
          "count",
          count);
    }
    matrix("A", transA ? k : m, transA ? m : k, aLength, aOff, lda, batch, batch.stepsA());
    matrix("B", transB ? n : k, transB ? k : n, bLength, bOff, ldb, batch, batch.stepsB());
    matrix("C", m, n, cLength, cOff, ldc, batch, batch.stepsC());
  }

  private static void matrix(
      String name, int rows, int cols, int length, int off, int ld, Batch batch, int[] steps) {
    if (rows == 0 || cols == 0 || batch.count() == 0) {
      return;
    }
    long first = off + batch.before(steps);
    long last = off + batch.behind(steps) + (long) (rows - 1) * ld + (cols - 1);
    if (ld < cols || first < 0 || last >= length) {
      throw new ArgumentException(
          "matrix "
              + name
              + " of "
              + rows
              + "×"
              + cols
              + " doesn't fit its array of "
              + length
              + ": offset "
              + off
              + ", leading dimension "
              + ld
              + ", batch of "
              + Arrays.toString(batch.dims())
              + " with steps of "
              + Arrays.toString(steps),
          "matrix",
          name,
          "rows",
          rows,
          "cols",
          cols,
          "length",
          length,
          "offset",
          off,
          "ld",
          ld);
    }
  }

  /**
   * Checks a number of threads.
   *
   * @param threads the number
   * @throws ArgumentException when it is less than 1
   */
  public static void threads(int threads) {
    if (threads < 1) {
      throw new ArgumentException(
          "a number of threads must be at least 1, was " + threads, "threads", threads);
    }
  }
}
