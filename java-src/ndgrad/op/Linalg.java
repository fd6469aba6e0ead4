package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.View;

/** Products of vectors and matrices. */
public final class Linalg {
  private Linalg() {}

  /** The matrix product. */
  public static final Primitive MATMUL =
      define("matmul", "a, b")
          .alias("mm", "bmm")
          .doc(
              "The matrix product. [m k] times [k n] is [m n]; leading dimensions are"
                  + " batches and broadcast together. A 1-d first array counts as a row, a 1-d"
                  + " second one as a column, and the result lacks that dimension. Dtypes are"
                  + " promoted; integers wrap, and bool is combined by and and or. Empty sums are"
                  + " 0. 0-d arrays throw, as in NumPy: multiply by numbers with mul.")
          .param(
              "b",
              "the second array; its second-to-last dimension (or its only one) is summed"
                  + " over")
          .domain(-3, 3)
          .oracle("np.matmul(a, b)")
          .samples(
              "#x [2 3] #x [3 4]",
              "#x [3] #x [3]",
              "#x [2 3] #x [3]",
              "#x [3] #x [3 2]",
              "#x [4 2 3] #x [3 2]",
              "#x [2 3] #x [4 3 2]",
              "#x [2 1 2 3] #x [3 3 2]",
              "#x [2 2 3] #x [3]",
              "#x [3] #x [2 3 2]",
              "#x [0 3] #x [3 2]",
              "#x [2 0] #x [0 3]",
              "#x [0 2 3] #x [3 2]",
              "#i [2 3] #x [3 2]",
              "#b [2 3] #b [3 2]",
              "#i [5] #i [5]")
          .fails(
              ShapeException.class,
              "#x [2 3] #x [4 5]",
              "#x [] #x [3]",
              "#x [3] 2.0",
              "#x [3] #x [4]",
              "#x [2 2 3] #x [3 3 2]")
          .batch(Matmul::batched)
          .jvp((a, p, out, t) -> Matmul.tangent(p, t))
          .vjp(0, "b", (n, a, g) -> Matmul.gradientOfLeft(n, g))
          .vjp(1, "a", (n, a, g) -> Matmul.gradientOfRight(n, g))
          .primitive((args, in) -> Matmul.multiply(in[0], in[1]));

  /** The last two axes exchanged; what gradients of products read. */
  static final View MATRIX_TRANSPOSE =
      define("matrix-transpose", "x")
          .internal()
          .view(
              (a, l) -> Optional.of(l.swapped(l.ndim() - 2, l.ndim() - 1)),
              (n, a, g) -> Linalg.MATRIX_TRANSPOSE.of(g));

  /** NumPy's dot. */
  public static final Composite DOT =
      define("dot", "a, b")
          .doc(
              "The dot product, as in NumPy: the product with a number; the inner product of"
                  + " two vectors; the matrix product of two matrices; otherwise the sum over the"
                  + " last dimension of the first array and the second-to-last (or only) one of the"
                  + " second. The result has the other dimensions of the first array, then those of"
                  + " the second.")
          .param(
              "b",
              "the second array; its second-to-last dimension (or its only one) is summed"
                  + " over")
          .domain(-3, 3)
          .oracle("np.dot(a, b)")
          .samples(
              "#x [3] #x [3]",
              "#x [2 3] #x [3 4]",
              "#x [] #x [2 2]",
              "#x [2] #x []",
              "#x [2 2 3] #x [3]",
              "#x [3] #x [3 2]",
              "#x [2 2 3] #x [2 3 2]",
              "#x [3] #x [2 3 2]",
              "#x [0] #x [0]",
              "#i [2 2] #i [2 2]")
          .fails(
              ShapeException.class, "#x [3] #x [4]", "#x [2 3] #x [2 3]", "#x [2 2 3] #x [2 2 3]")
          .composite(a -> dot(a.tensor("a"), a.tensor("b")));

  /** The inner product over the last dimensions. */
  public static final Composite INNER =
      define("inner", "a, b")
          .doc(
              "The inner product over the last dimension of both arrays. The result has the"
                  + " other dimensions of the first array, then those of the second. With a number"
                  + " it is the product.")
          .param("b", "the second array; its last dimension is summed over")
          .domain(-3, 3)
          .oracle("np.inner(a, b)")
          .samples(
              "#x [3] #x [3]",
              "#x [2 3] #x [3]",
              "#x [2 3] #x [2 2 3]",
              "#x [] #x [3]",
              "#i [2 0] #i [3 0]")
          .fails(ShapeException.class, "#x [3] #x [4]", "#x [2 3] #x [3 2]")
          .composite(
              a -> {
                Tensor x = a.tensor("a");
                Tensor y = a.tensor("b");
                return x.ndim() == 0 || y.ndim() == 0
                    ? Arithmetic.MUL.of(x, y)
                    : contract(x, new int[] {x.ndim() - 1}, y, new int[] {y.ndim() - 1});
              });

  /** The outer product. */
  public static final Composite OUTER =
      define("outer", "a, b")
          .alias("ger")
          .doc(
              "The outer product of two vectors: element (i, j) is a[i]·b[j]. Arrays of"
                  + " other ranks are flattened first, as in NumPy.")
          .param("b", "the second array")
          .domain(-3, 3)
          .oracle("np.outer(a, b)")
          .samples(
              "#x [3] #x [2]", "#x [2 2] #x [3]", "#x [] #x [2]", "#x [0] #x [2]", "#b [2] #b [3]")
          .composite(
              a -> {
                Tensor x = a.tensor("a");
                Tensor y = a.tensor("b");
                return Arithmetic.MUL.of(
                    reshape(x, (int) x.size(), 1), reshape(y, 1, (int) y.size()));
              });

  /** The product of flattened arrays. */
  public static final Composite VDOT =
      define("vdot", "a, b")
          .doc(
              "The sum of the products of corresponding elements of two arrays of the same"
                  + " size, both flattened.")
          .param("b", "the second array, of the same size")
          .domain(-3, 3)
          .oracle("np.vdot(a, b)")
          .samples("#x [3] #x [3]", "#x [2 3] #x [3 2]", "#x [] #x []", "#x [0] #x [0 2]")
          .fails(ShapeException.class, "#x [3] #x [4]")
          .composite(
              a -> {
                Tensor x = a.tensor("a");
                Tensor y = a.tensor("b");
                return MATMUL.of(reshape(x, (int) x.size()), reshape(y, (int) y.size()));
              });

  /** The sum over several pairs of axes. */
  public static final Composite TENSORDOT =
      define("tensordot", "a, b, axes: any = 2")
          .doc(
              "The sum of products over pairs of axes. The result has the other dimensions"
                  + " of the first array, then those of the second.")
          .param("b", "the second array")
          .param(
              "axes",
              "the number of last axes of the first array to sum over with as many first"
                  + " axes of the second; or a pair, the axes of the first array and those of the"
                  + " second, each an integer or a list")
          .domain(-3, 3)
          .oracle("np.tensordot(a, b, axes=axes)")
          .samples(
              "#x [2 3 4] #x [3 4 2]",
              "#x [2 3] #x [3 2] {:axes 1}",
              "#x [2] #x [3] {:axes 0}",
              "#x [2 3 4] #x [4 2 5] {:axes [[0 2] [1 0]]}",
              "#x [2 3] #x [3] {:axes [-1 0]}",
              "#x [2 3] #x [3 2] {:axes [[0 1] [1 0]]}",
              "#i [2 0] #i [0 3] {:axes 1}")
          .fails(
              ShapeException.class,
              "#x [2 3] #x [2 3] {:axes 1}",
              "#x [3] #x [3]",
              "#x [2 3] #x [3 2] {:axes [[0 0] [1 1]]}",
              "#x [2 3] #x [3] {:axes [2 0]}")
          .fails(
              ArgumentException.class,
              "#x [2 3] #x [3 2] {:axes [[0 1] [1]]}",
              "#x [2] #x [2] {:axes -1}",
              "#x [2] #x [2] {:axes [0]}")
          .composite(a -> tensordot(a.tensor("a"), a.tensor("b"), a.get("axes")));

  /** The sum of a diagonal. */
  public static final Composite TRACE =
      define("trace", "x, offset: int = 0, axis1: int = 0, axis2: int = 1")
          .doc(
              "The sum of the elements on a diagonal of the planes spanned by two axes,"
                  + " which the result lacks. Integers and bool are summed as int64.")
          .domain(-3, 3)
          .oracle("np.trace(x, offset=offset, axis1=axis1, axis2=axis2)")
          .samples(
              "#x [3 3]",
              "#x [2 3] {:offset 1}",
              "#x [3 2] {:offset -2}",
              "#x [2 2] {:offset 5}",
              "#x [2 3 4] {:axis1 -1 :axis2 0}",
              "#i [2 2]",
              "#x [0 3]")
          .fails(ShapeException.class, "#x [3]", "#x [2 2] {:axis1 2}", "#x [2 2] {:axis2 0}")
          .composite(
              a ->
                  Reductions.SUM.of(
                      Shapes.DIAGONAL.of(
                          a.tensor("x"),
                          a.integer("offset"),
                          a.integer("axis1"),
                          a.integer("axis2")),
                      -1));

  /** The Kronecker product. */
  public static final Composite KRON =
      define("kron", "a, b")
          .doc(
              "The Kronecker product: the first array with each element replaced by its"
                  + " product with the second array. The array with fewer dimensions gets leading"
                  + " dimensions of length 1.")
          .param("b", "the second array")
          .domain(-3, 3)
          .oracle("np.kron(a, b)")
          .samples(
              "#x [2 2] #x [2 3]",
              "#x [2] #x [3]",
              "#x [2 1 2] #x [2 2]",
              "#x [] #x [2]",
              "#i [0 2] #i [2 2]")
          .composite(a -> kron(a.tensor("a"), a.tensor("b")));

  /** A reshaped view where strides allow it. */
  static Tensor reshape(Tensor x, int... shape) {
    return Arrays.equals(x.shape(), shape) ? x : Shapes.RESHAPE.of(x, shape);
  }

  /** A view with its axes in another order. */
  static Tensor permute(Tensor x, int... axes) {
    return Arrays.equals(axes, IntStream.range(0, axes.length).toArray())
        ? x
        : Shapes.TRANSPOSE.of(x, axes);
  }

  private static Tensor dot(Tensor a, Tensor b) {
    if (a.ndim() == 0 || b.ndim() == 0) {
      return Arithmetic.MUL.of(a, b);
    }
    return b.ndim() == 1 || a.ndim() <= 2 && b.ndim() == 2
        ? MATMUL.of(a, b)
        : contract(a, new int[] {a.ndim() - 1}, b, new int[] {b.ndim() - 2});
  }

  private static Tensor tensordot(Tensor a, Tensor b, Object axes) {
    if (axes instanceof Number) {
      return contractNeighbours(a, b, Coerce.integer("axes", axes));
    }
    List<?> pair =
        axes instanceof Object[] sides
            ? Arrays.asList(sides)
            : axes instanceof List<?> l ? l : null;
    if (pair == null && axes instanceof int[] ints) {
      pair = Arrays.stream(ints).boxed().toList();
    }
    if (pair == null || pair.size() != 2) {
      throw new ArgumentException(
          "axes must be an integer or a pair of axes, each an integer or a list; got "
              + Coerce.show(axes),
          "argument",
          "axes");
    }
    int[] first = Coerce.integers("axes", pair.get(0));
    int[] second = Coerce.integers("axes", pair.get(1));
    if (first.length != second.length) {
      throw new ArgumentException(
          "axes must name as many axes of the first array as of the second, got "
              + Arrays.toString(first)
              + " and "
              + Arrays.toString(second),
          "argument",
          "axes");
    }
    return contract(a, a.layout().axes(first), b, b.layout().axes(second));
  }

  /** The sum over the last axes of the first array and as many first ones of the second. */
  private static Tensor contractNeighbours(Tensor a, Tensor b, int n) {
    if (n < 0) {
      throw new ArgumentException(
          "axes must not be negative, got " + n, "argument", "axes", "value", n);
    }
    if (n > Math.min(a.ndim(), b.ndim())) {
      throw new ShapeException(
          "cannot sum over " + n + " axes of arrays of shapes " + a.layout() + " and " + b.layout(),
          "axes",
          n,
          "shapes",
          List.of(a.layout().shape(), b.layout().shape()));
    }
    return contract(
        a, IntStream.range(a.ndim() - n, a.ndim()).toArray(), b, IntStream.range(0, n).toArray());
  }

  /** The sum of products over pairs of axes, by one product of matrices. */
  private static Tensor contract(Tensor a, int[] axesA, Tensor b, int[] axesB) {
    int k = 1;
    for (int i = 0; i < axesA.length; i++) {
      if (a.dim(axesA[i]) != b.dim(axesB[i])) {
        throw new ShapeException(
            "shapes "
                + a.layout()
                + " and "
                + b.layout()
                + " do not fit: axis "
                + axesA[i]
                + " of the first has"
                + " length "
                + a.dim(axesA[i])
                + ", axis "
                + axesB[i]
                + " of the second "
                + b.dim(axesB[i]),
            "shapes",
            List.of(a.layout().shape(), b.layout().shape()));
      }
      k *= a.dim(axesA[i]);
    }
    int[] freeA = others(a.ndim(), axesA);
    int[] freeB = others(b.ndim(), axesB);
    int[] shapeA = Arrays.stream(freeA).map(a::dim).toArray();
    int[] shapeB = Arrays.stream(freeB).map(b::dim).toArray();
    Tensor left = reshape(permute(a, join(freeA, axesA)), product(shapeA), k);
    Tensor right = reshape(permute(b, join(axesB, freeB)), k, product(shapeB));
    return reshape(MATMUL.of(left, right), join(shapeA, shapeB));
  }

  private static int[] others(int ndim, int[] axes) {
    return IntStream.range(0, ndim)
        .filter(i -> Arrays.stream(axes).noneMatch(j -> i == j))
        .toArray();
  }

  static int[] join(int[]... parts) {
    return Arrays.stream(parts).flatMapToInt(Arrays::stream).toArray();
  }

  /** How many elements dimensions have that become one. */
  static int product(int[] dims) {
    return Layout.of(dims).intSize();
  }

  private static Tensor kron(Tensor a, Tensor b) {
    int d = Math.max(a.ndim(), b.ndim());
    int[] spreadA = new int[2 * d];
    int[] spreadB = new int[2 * d];
    int[] shape = new int[d];
    for (int i = 0; i < d; i++) {
      int ia = i - d + a.ndim();
      int ib = i - d + b.ndim();
      spreadA[2 * i] = ia < 0 ? 1 : a.dim(ia);
      spreadA[2 * i + 1] = 1;
      spreadB[2 * i] = 1;
      spreadB[2 * i + 1] = ib < 0 ? 1 : b.dim(ib);
      shape[i] = product(new int[] {spreadA[2 * i], spreadB[2 * i + 1]});
    }
    return reshape(Arithmetic.MUL.of(reshape(a, spreadA), reshape(b, spreadB)), shape);
  }
}
