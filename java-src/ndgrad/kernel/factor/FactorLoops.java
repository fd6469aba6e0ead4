package ndgrad.kernel.factor;

import ndgrad.DType;

/**
 * What is done with one matrix, of one dtype: a row-major stretch of a primitive array from {@code
 * at} on with the leading dimension {@code ld}. For one thread: it keeps arrays to work in.
 */
sealed interface FactorLoops permits DoubleFactors, FloatFactors {

  static FactorLoops of(DType dtype) {
    return dtype == DType.FLOAT32 ? new FloatFactors() : new DoubleFactors();
  }

  /**
   * Factors with partial pivoting: the strict lower triangle becomes L, whose diagonal is 1, the
   * upper one U.
   *
   * @param matrix of n rows and n + 1 columns; the last one is set to the row that each row of L U
   *     was
   */
  void lu(Object matrix, int at, int n);

  /**
   * Solves {@code op(A) X = B}.
   *
   * @param lu what {@link #lu} made of A
   * @param n rows and columns of A
   * @param transposed whether op is the transpose
   * @param x B, row-major, becomes X
   * @param m columns of B
   */
  void solve(Object lu, int at, int n, boolean transposed, Object x, int to, int m);

  /**
   * Solves {@code op(A) X = B} with a triangular matrix.
   *
   * @param n rows and columns of A
   * @param kind how A is read
   * @param x B, row-major, becomes X
   * @param m columns of B
   */
  void triangular(Object matrix, int at, int ld, int n, Triangle kind, Object x, int to, int m);

  /**
   * The lower triangle L of a positive definite matrix {@code L Lᵀ}, in its place.
   *
   * @param matrix of n rows and columns; the lower triangle is read, the upper one becomes 0
   * @return n, or how many rows and columns at the upper left are positive definite: then L is not
   *     complete
   */
  int cholesky(Object matrix, int at, int n);

  /**
   * The determinant.
   *
   * @param lu what {@link #lu} made of a matrix
   * @param n its rows and columns
   */
  Determinant determinant(Object lu, int at, int n);

  /**
   * How a triangular matrix is read.
   *
   * @param lower which triangle it is
   * @param transposed whether its transpose is meant
   * @param unit whether the diagonal is not read but taken for 1
   */
  record Triangle(boolean lower, boolean transposed, boolean unit) {
    static final Triangle L = new Triangle(true, false, true);
    static final Triangle U = new Triangle(false, false, false);

    Triangle transpose() {
      return new Triangle(lower, !transposed, unit);
    }

    /** Whether the first unknown is found first. */
    boolean isDown() {
      return lower != transposed;
    }
  }
}
