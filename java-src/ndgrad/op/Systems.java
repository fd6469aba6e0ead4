package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.BinaryOperator;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.factor.Factors;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

/**
 * What the ops of {@link Solving} are made of. A matrix is factored once, and its factors stand for
 * it: the ops that read them take and give tangents and gradients of the matrix, in its first n
 * columns of theirs. So all derivatives, of every order, read the same factors.
 */
final class Systems {
  private Systems() {}

  /** The factors of a matrix; {@code regular} refuses singular ones. */
  private static final Primitive LU =
      define("lu", "x, regular: flag = false")
          .internal()
          .batch(Batch.IN_FRONT)
          .vjp(0, "", (n, a, g) -> ofMatrix(g))
          .primitive((a, in) -> factors(in[0], a.flag("regular")));

  /** The solution of op(a) x = b, where op is the transpose or nothing. */
  private static final Primitive SOLUTION =
      define("solve", "lu, b, transposed: flag = false")
          .internal()
          .batch(Batch.BROADCAST)
          .jvp(Systems::tangent)
          .vjp(0, "lu out", Systems::gradientOfMatrix)
          .vjp(1, "lu", Systems::gradientOfSide)
          .primitive((a, in) -> Factors.solve(in[0], in[1], a.flag("transposed")));

  private static final Primitive DETERMINANT =
      define("det", "lu")
          .internal()
          .batch(Batch.IN_FRONT)
          .vjp(0, "lu out", (n, a, g) -> timesInverse(n, Arithmetic.MUL.of(g, n.out())))
          .primitive((a, in) -> Factors.determinants(in[0]));

  private static final Primitive LOG_DETERMINANT =
      define("slogdet", "lu")
          .internal()
          .batch(Batch.IN_FRONT)
          .vjp(0, "lu", (n, a, g) -> timesInverse(n, g))
          .primitive((a, in) -> Factors.logDeterminants(in[0]));

  private static final Primitive SIGN =
      define("slogdet", "lu")
          .internal()
          .nonDifferentiable("a sign")
          .batch(Batch.IN_FRONT)
          .primitive((a, in) -> Factors.signs(in[0]));

  private static final Primitive CHOLESKY =
      define("cholesky", "x")
          .internal()
          .batch(Batch.IN_FRONT)
          .vjp(0, "out", (n, a, g) -> gradientOfDefinite(n.out(), g))
          .primitive((a, in) -> cholesky(in[0]));

  private static final Primitive TRIANGULAR =
      define("solve-triangular", "a, b, upper: flag, unitriangular: flag")
          .internal()
          .batch(Batch.BROADCAST)
          .vjp(0, "a out", Systems::gradientOfTriangle)
          .vjp(1, "a", (n, a, g) -> Structural.sumTo(backwards(n, a, g), n.layout(1), n.dtype(1)))
          .primitive(
              (a, in) ->
                  Factors.triangular(in[0], in[1], !a.flag("upper"), a.flag("unitriangular")));

  static Tensor solve(Tensor a, Tensor b) {
    return solved(a, b, (matrix, side) -> SOLUTION.of(LU.of(matrix, true), side));
  }

  static Tensor inverse(Tensor x) {
    Tensor lu = LU.of(square(x), true);
    return SOLUTION.of(lu, identity(lu));
  }

  static Tensor determinant(Tensor x) {
    return DETERMINANT.of(LU.of(square(x)));
  }

  static List<Tensor> logDeterminant(Tensor x) {
    Tensor lu = LU.of(square(x));
    return List.of(SIGN.of(lu), LOG_DETERMINANT.of(lu));
  }

  static Tensor cholesky(Tensor x) {
    return CHOLESKY.of(square(x));
  }

  static Tensor triangular(Args args) {
    return solved(
        args.tensor("a"),
        args.tensor("b"),
        (matrix, side) ->
            TRIANGULAR.of(matrix, side, args.flag("upper"), args.flag("unitriangular")));
  }

  /** In one floating dtype, a vector as a matrix of one column. */
  private static Tensor solved(Tensor a, Tensor b, BinaryOperator<Tensor> way) {
    checkSides(a, b);
    DType dtype = DType.promote(a.dtype().toFloating(), b.dtype().toFloating());
    Tensor matrix = Structural.cast(a, dtype);
    Tensor side = Structural.cast(b, dtype);
    return b.ndim() > 1
        ? way.apply(matrix, side)
        : Shapes.SQUEEZE.of(way.apply(matrix, Shapes.UNSQUEEZE.of(side, -1)), -1);
  }

  // ---- kernels ----

  private static Strided factors(Strided x, boolean regular) {
    Strided lu = Factors.lu(x);
    if (regular && Factors.isSingular(lu)) {
      throw new ArgumentException(
          (x.layout().ndim() > 2 ? "a matrix of the stack" : "the matrix")
              + " is singular: equations with it have no solution or many",
          "shape",
          x.layout().shape());
    }
    return lu;
  }

  private static Strided cholesky(Strided x) {
    int[] shape = x.layout().shape();
    int n = shape[shape.length - 1];
    int[] definite = new int[(int) Dimensions.size(Arrays.copyOf(shape, shape.length - 2))];
    Strided out = Factors.cholesky(x, definite);
    for (int i = 0; i < definite.length; i++) {
      if (definite[i] < n) {
        throw new ArgumentException(
            (definite.length > 1 ? "matrix " + i + " of the stack" : "the matrix")
                + " is not positive definite: the "
                + (definite[i] + 1)
                + " rows and columns at its upper left are not",
            "shape",
            shape);
      }
    }
    return out;
  }

  // ---- checks ----

  private static void checkSquare(Tensor x) {
    int d = x.ndim();
    if (d < 2 || x.dim(d - 1) != x.dim(d - 2)) {
      throw new ShapeException(
          "a square matrix is needed, or a stack of them in the last two dimensions, got shape "
              + x.layout(),
          "shape",
          x.shape());
    }
  }

  /** The array in a floating dtype. */
  private static Tensor square(Tensor x) {
    checkSquare(x);
    return Structural.cast(x, x.dtype().toFloating());
  }

  private static void checkSides(Tensor a, Tensor b) {
    checkSquare(a);
    int n = a.dim(a.ndim() - 1);
    int rows = b.ndim() == 0 ? -1 : b.dim(Math.max(0, b.ndim() - 2));
    if (rows != n) {
      throw new ShapeException(
          "the right-hand side needs "
              + n
              + " rows, one for each row of a: for a of shape "
              + a.layout()
              + " a vector of "
              + n
              + " elements or matrices of shape (..., "
              + n
              + ", m), got shape "
              + b.layout(),
          "shapes",
          List.of(a.shape(), b.shape()));
    }
    if (b.ndim() > 2) {
      Dimensions.broadcast(front(a), front(b));
    }
  }

  private static Layout front(Tensor x) {
    return Layout.of(Arrays.copyOf(x.shape(), x.ndim() - 2));
  }

  // ---- derivatives ----

  private static Tensor identity(Tensor rows) {
    int n = rows.dim(rows.ndim() - 2);
    return (Tensor) Creation.EYE.call(Map.of("dtype", rows.dtype()), n);
  }

  /** What factors have of their matrix: a tangent, a gradient. */
  private static Tensor ofMatrix(Tensor ofFactors) {
    return Shapes.NARROW.of(ofFactors, -1, 0, ofFactors.dim(ofFactors.ndim() - 2));
  }

  /** The same the other way round. */
  private static Tensor ofFactors(Tensor ofMatrix, Node n) {
    int[] shape = ofMatrix.shape();
    int last = shape.length - 1;
    shape[last]++;
    Layout wide = Layout.of(shape);
    Layout matrix = wide.slice(last, 0, shape[last] - 1, 1);
    Tensor g = Structural.STRIDED_ADD.of(ofMatrix, wide, matrix);
    return Structural.sumTo(g, n.layout(0), n.dtype(0));
  }

  private static Tensor transpose(Tensor x) {
    return Linalg.MATRIX_TRANSPOSE.of(x);
  }

  /** op(a)⁻¹ (db - op(da) x). */
  private static Tensor tangent(Args args, Tensor[] p, Tensor out, Tensor[] t) {
    boolean transposed = args.flag("transposed");
    Tensor side = t[1];
    if (t[0] != null) {
      Tensor matrix = ofMatrix(t[0]);
      Tensor moved = Linalg.MATMUL.of(transposed ? transpose(matrix) : matrix, out);
      side = side == null ? Arithmetic.NEG.of(moved) : Arithmetic.SUB.of(side, moved);
    }
    return SOLUTION.of(p[0], side, transposed);
  }

  /** The gradient of the right-hand side, stretched as the result is: op(a)⁻ᵀ g. */
  private static Tensor backwards(Node n, boolean transposed, Tensor g) {
    return SOLUTION.of(n.in(0), g, !transposed);
  }

  private static Tensor gradientOfSide(Node n, Args a, Tensor g) {
    Tensor side = backwards(n, a.flag("transposed"), g);
    return Structural.sumTo(side, n.layout(1), n.dtype(1));
  }

  /** -(op(a)⁻ᵀ g) xᵀ, transposed where op is. */
  private static Tensor gradientOfMatrix(Node n, Args a, Tensor g) {
    boolean transposed = a.flag("transposed");
    Tensor side = Arithmetic.NEG.of(backwards(n, transposed, g));
    Tensor product =
        transposed
            ? Linalg.MATMUL.of(n.out(), transpose(side))
            : Linalg.MATMUL.of(side, transpose(n.out()));
    return ofFactors(product, n);
  }

  /** A number for each matrix times its transposed inverse. */
  private static Tensor timesInverse(Node n, Tensor g) {
    Tensor inverse = SOLUTION.of(n.in(0), identity(n.in(0)), true);
    Tensor factor = Shapes.UNSQUEEZE.of(Shapes.UNSQUEEZE.of(g, -1), -1);
    return ofFactors(Arithmetic.MUL.of(factor, inverse), n);
  }

  /** a⁻ᵀ g. */
  private static Tensor backwards(Node n, Args a, Tensor g) {
    return TRIANGULAR.of(transpose(n.in(0)), g, !a.flag("upper"), a.flag("unitriangular"));
  }

  private static Tensor gradientOfTriangle(Node n, Args a, Tensor g) {
    Tensor product = Linalg.MATMUL.of(Arithmetic.NEG.of(backwards(n, a, g)), transpose(n.out()));
    int k = a.flag("unitriangular") ? 1 : 0;
    Tensor read =
        a.flag("upper") ? Rearranging.TRIU.of(product, k) : Rearranging.TRIL.of(product, -k);
    return Structural.sumTo(read, n.layout(0), n.dtype(0));
  }

  /** ½ L⁻ᵀ (Φ + Φᵀ) L⁻¹ with Φ the lower triangle of Lᵀg, half of its diagonal. */
  private static Tensor gradientOfDefinite(Tensor l, Tensor g) {
    Tensor triangle = Rearranging.TRIL.of(Linalg.MATMUL.of(transpose(l), g));
    Tensor twice = Arithmetic.ADD.of(triangle, transpose(triangle));
    Tensor middle = Arithmetic.SUB.of(twice, Arithmetic.MUL.of(triangle, identity(l)));
    Tensor left = TRIANGULAR.of(transpose(l), middle, true, false);
    Tensor both = TRIANGULAR.of(transpose(l), transpose(left), true, false);
    return Arithmetic.MUL.of(both, 0.5);
  }
}
