package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Spec;

/** Equations with square matrices, their determinants and factors. */
public final class Solving {
  private Solving() {}

  private static final String STACKS = " Leading dimensions are stacks of matrices";

  private static final String FLOATING = " Floating arrays keep their dtype, others give float64.";

  private static final String[] SQUARES = {
    "[[4.0 2.0] [2.0 3.0]]",
    "#x [3 3]",
    "#x [1 1]",
    "#x [2 2 2]",
    "#x [0 0]",
    "#x [0 2 2]",
    "#i [2 2]"
  };

  private static final String[] NOT_SQUARE = {"#x [2 3]", "#x [3]", "#x []", "#x [2 3 2]"};

  private static final String SINGULAR = "[[1.0 2.0] [2.0 4.0]]";

  private static final String[] DEFINITE = {
    "[[4.0 2.0] [2.0 3.0]]",
    "[[[4.0]] [[2.25]]]",
    "[[9.0 7.0 7.0] [3.0 5.0 7.0] [-1.5 0.5 2.0]]",
    "#x [0 0]"
  };

  /** The solution of equations. */
  public static final Composite SOLVE =
      define("solve", "a, b")
          .param("a", "the square matrix of coefficients, or a stack of them")
          .param("b", "the right-hand side: a vector if it is 1-d, otherwise matrices")
          .doc(
              "The solution x of the linear system a x = b, by LU factorisation with partial"
                  + " pivoting."
                  + STACKS
                  + ", and broadcast together."
                  + FLOATING
                  + " An exactly singular matrix throws. Gradients reuse the factors.")
          .domain(-3, 3)
          .oracle("np.linalg.solve(a, b)")
          .samples(
              "[[4.0 2.0] [2.0 3.0]] [1.0 2.0]",
              "#x [2 2] #x [2 3]",
              "#x [3 3] #x [3]",
              "#x [2 2 2] #x [2 1]",
              "#x [2 2] #x [3 2 1]",
              "#x [2 1 3 3] #x [3 3 2]",
              "#x [2 2 2] #x [2]",
              "#x [0 0] #x [0]",
              "#x [0 2 2] #x [2 1]",
              "#x [2 2] #x [2 0]",
              "#i [2 2] #i [2]")
          .fails(
              ShapeException.class,
              "#x [2 3] #x [2]",
              "#x [3] #x [3]",
              "#x [2 2] #x [3]",
              "#x [2 2] #x []",
              "#x [2 2] #x [3 1]",
              "#x [2 2 2] #x [3 2 1]")
          .fails(ArgumentException.class, SINGULAR + " [1.0 2.0]")
          .composite(a -> Systems.solve(a.tensor("a"), a.tensor("b")));

  /** The inverse. */
  public static final Composite INV =
      define("inv", "x")
          .alias("inverse")
          .doc(
              "The inverse of a square matrix: the solution of x y = 1."
                  + STACKS
                  + "."
                  + FLOATING
                  + " An exactly singular matrix throws. To multiply by the inverse, solve is"
                  + " faster and more accurate.")
          .domain(-3, 3)
          .oracle("np.linalg.inv(x)")
          .samples(SQUARES)
          .fails(ShapeException.class, NOT_SQUARE)
          .fails(ArgumentException.class, SINGULAR)
          .composite(a -> Systems.inverse(a.tensor("x")));

  /** The determinant. */
  public static final Composite DET =
      define("det", "x")
          .doc(
              "The determinant of a square matrix; 1 for an empty one."
                  + STACKS
                  + "."
                  + FLOATING
                  + " The gradient is det(x) times the transposed inverse (Jacobi's formula); for"
                  + " a singular matrix, which has no inverse, it is NaN. Determinants of large"
                  + " matrices overflow: see slogdet.")
          .domain(-3, 3)
          .oracle("np.linalg.det(x)")
          .samples(SQUARES)
          .fails(ShapeException.class, NOT_SQUARE)
          .composite(a -> Systems.determinant(a.tensor("x")));

  /** The logarithm of the determinant. */
  public static final Composite SLOGDET =
      define("slogdet", "x")
          .gives(Spec.Result.ARRAYS)
          .doc(
              "The sign and the logarithm of the absolute value of the determinant of a"
                  + " square matrix: a list of two arrays, so that det(x) is sign·exp(logarithm)."
                  + " For a singular matrix 0 and -infinity."
                  + STACKS
                  + "."
                  + FLOATING
                  + " The gradient of the logarithm is the transposed inverse; the sign has none.")
          .domain(-3, 3)
          .oracle("tuple(np.linalg.slogdet(x))")
          .samples(SQUARES)
          .fails(ShapeException.class, NOT_SQUARE)
          .composite(a -> Systems.logDeterminant(a.tensor("x")));

  /** The Cholesky factor. */
  public static final Composite CHOLESKY =
      define("cholesky", "x")
          .doc(
              "The lower triangular factor L of a positive definite matrix L Lᵀ. Only the"
                  + " lower triangle of x is read; x is assumed to be symmetric."
                  + STACKS
                  + "."
                  + FLOATING
                  + " A matrix that is not positive definite throws. The gradient is that of a"
                  + " symmetric matrix, shared equally by mirrored elements as in PyTorch (I."
                  + " Murray, \"Differentiation of the Cholesky decomposition\","
                  + " arXiv:1602.07527).")
          .domain(-3, 3)
          .oracle("np.linalg.cholesky(x)")
          .samples(DEFINITE)
          .fails(ShapeException.class, NOT_SQUARE)
          .fails(ArgumentException.class, "[[1.0 2.0] [2.0 1.0]]", "[[##NaN]]", "[[0.0]]")
          .composite(a -> Systems.cholesky(a.tensor("x")));

  /** The solution of equations with a triangular matrix. */
  public static final Composite SOLVE_TRIANGULAR =
      define("solve-triangular", "a, b, upper: flag = false, unitriangular: flag = false")
          .param("a", "the triangular matrix, or a stack of them; the other triangle is not read")
          .param("b", "the right-hand side: a vector if it is 1-d, otherwise matrices")
          .param("upper", "whether the matrix is upper triangular rather than lower triangular")
          .param("unitriangular", "whether the diagonal is assumed to be 1 and not read")
          .doc(
              "The solution x of the linear system a x = b with a triangular matrix."
                  + STACKS
                  + ", and broadcast together."
                  + FLOATING
                  + " A 0 on the diagonal does not throw: the results are infinite or NaN.")
          .domain(0.25, 3)
          .oracle(
              "(lambda t: np.linalg.solve(np.where(np.eye(t.shape[-1], dtype=bool), 1, t) if"
                  + " unitriangular else t, b))(np.triu(a) if upper else np.tril(a))")
          .samples(
              "[[4.0 0.0] [2.0 3.0]] [1.0 2.0]",
              "#x [3 3] #x [3]",
              "#x [3 3] #x [3 2] {:upper true}",
              "#x [3 3] #x [3 1] {:unitriangular true}",
              "#x [3 3] #x [3 2] {:upper true :unitriangular true}",
              "#x [2 2 2] #x [2 1]",
              "#x [2 2] #x [3 2 1]",
              "#x [2 2 2] #x [2]",
              "#x [0 0] #x [0]")
          .fails(
              ShapeException.class,
              "#x [2 3] #x [2]",
              "#x [3] #x [3]",
              "#x [2 2] #x [3]",
              "#x [2 2] #x [3 1]")
          .composite(Systems::triangular);
}
