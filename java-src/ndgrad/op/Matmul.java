package ndgrad.op;

import java.util.Arrays;
import java.util.List;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.loop.MatrixProduct;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Structural;

/** What matmul does with vectors, matrices and batches of them, and its derivatives. */
final class Matmul {
  private Matmul() {}

  static Strided multiply(Strided a, Strided b) {
    Layout la = a.layout();
    Layout lb = b.layout();
    check(la, lb);
    DType dtype = DType.promote(a.dtype(), b.dtype());
    if (la.ndim() == 2 && lb.ndim() == 2) {
      Strided out = result(dtype, la.dim(1), la.dim(0), lb.dim(1));
      MatrixProduct.run(out, as(a, dtype), as(b, dtype));
      return out;
    }
    boolean row = la.ndim() == 1;
    boolean column = lb.ndim() == 1;
    la = row ? la.unsqueeze(0) : la;
    lb = column ? lb.unsqueeze(1) : lb;
    int[] batch = batch(la, lb, a.layout(), b.layout());
    int d = batch.length;
    int m = la.dim(la.ndim() - 2);
    int k = la.dim(la.ndim() - 1);
    int n = lb.dim(lb.ndim() - 1);
    Strided out = result(dtype, k, with(batch, m, n));
    MatrixProduct.run(
        out, as(a.with(la), dtype, with(batch, m, k)), as(b.with(lb), dtype, with(batch, k, n)));
    Layout shown = column ? out.layout().squeeze(d + 1) : out.layout();
    return row || column ? out.with(Layout.of((row ? shown.squeeze(d) : shown).shape())) : out;
  }

  /** Room for a result; zeros where there is nothing to add up. */
  private static Strided result(DType dtype, int k, int... shape) {
    return k == 0 ? Strided.zeros(dtype, shape) : Strided.empty(dtype, shape);
  }

  /** dA B + A dB. */
  static Tensor tangent(Tensor[] primals, Tensor[] tangents) {
    Tensor left = tangents[0] == null ? null : Linalg.MATMUL.of(tangents[0], primals[1]);
    Tensor right = tangents[1] == null ? null : Linalg.MATMUL.of(primals[0], tangents[1]);
    return left == null ? right : right == null ? left : Arithmetic.ADD.of(left, right);
  }

  /** Where only one side differs, its vectors become rows of one product. */
  static Tensor batched(Batch b) {
    int left = b.example(0).ndim();
    int right = b.example(1).ndim();
    check(b.example(0), b.example(1));
    if (!b.has(1) && right <= 2) {
      return Linalg.MATMUL.of(b.in(0), b.in(1));
    }
    if (!b.has(0) && right == 1 && left <= 2) {
      return Linalg.MATMUL.of(b.in(1), left == 2 ? Linalg.MATRIX_TRANSPOSE.of(b.in(0)) : b.in(0));
    }
    int rank = Math.max(Math.max(left, right), 2);
    Tensor x = left == 1 ? Shapes.UNSQUEEZE.of(b.in(0), -2) : b.in(0);
    Tensor y = right == 1 ? Shapes.UNSQUEEZE.of(b.in(1), -1) : b.in(1);
    Tensor out = Linalg.MATMUL.of(b.has(0) ? deep(x, rank) : x, b.has(1) ? deep(y, rank) : y);
    out = left == 1 ? Structural.SELECT.of(out, -2, 0) : out;
    return right == 1 ? Structural.SELECT.of(out, -1, 0) : out;
  }

  /** A batch with axes of length 1 behind its first, up to a rank of its examples. */
  private static Tensor deep(Tensor batch, int rank) {
    Tensor out = batch;
    while (out.ndim() - 1 < rank) {
      out = Shapes.UNSQUEEZE.of(out, 1);
    }
    return out;
  }

  private static Strided as(Strided x, DType dtype) {
    return x.dtype() == dtype ? x : Copies.copyOf(x, dtype);
  }

  private static Strided as(Strided x, DType dtype, int[] shape) {
    Strided y = as(x, dtype);
    return y.with(y.layout().broadcastTo(shape));
  }

  private static int[] with(int[] batch, int rows, int columns) {
    int[] out = Arrays.copyOf(batch, batch.length + 2);
    out[batch.length] = rows;
    out[batch.length + 1] = columns;
    return out;
  }

  private static void check(Layout a, Layout b) {
    if (a.ndim() == 0 || b.ndim() == 0) {
      throw new ShapeException(
          "the "
              + (a.ndim() == 0 ? "first" : "second")
              + " array has no dimensions; a matrix product needs at least one: multiply by a"
              + " number with mul",
          "shapes",
          List.of(a.shape(), b.shape()));
    }
    int k = a.dim(a.ndim() - 1);
    int rows = b.dim(Math.max(0, b.ndim() - 2));
    if (k != rows) {
      throw new ShapeException(
          "shapes "
              + a
              + " and "
              + b
              + " do not fit: the last dimension of the first, "
              + k
              + ", must equal the "
              + (b.ndim() == 1 ? "only" : "second to last")
              + " one of the second, "
              + rows,
          "shapes",
          List.of(a.shape(), b.shape()));
    }
  }

  private static int[] batch(Layout la, Layout lb, Layout a, Layout b) {
    int[] da = Arrays.copyOf(la.shape(), la.ndim() - 2);
    int[] db = Arrays.copyOf(lb.shape(), lb.ndim() - 2);
    if (Arrays.equals(da, db)) {
      return da;
    }
    try {
      return Dimensions.broadcast(Layout.of(da), Layout.of(db));
    } catch (ShapeException e) {
      throw new ShapeException(
          "shapes "
              + a
              + " and "
              + b
              + " do not fit: their batch dimensions "
              + Arrays.toString(da)
              + " and "
              + Arrays.toString(db)
              + " do not broadcast together",
          "shapes",
          List.of(a.shape(), b.shape()));
    }
  }

  static Tensor gradientOfLeft(Node node, Tensor g) {
    Layout a = node.layout(0);
    Tensor b = node.in(1);
    if (g.ndim() == 0) {
      return Structural.sumTo(Arithmetic.MUL.of(g, b), a, node.dtype(0));
    }
    Tensor matrix = b.ndim() == 1 ? Linalg.reshape(b, b.dim(0), 1) : b;
    Tensor product = Linalg.MATMUL.of(asMatrices(node, g), Linalg.MATRIX_TRANSPOSE.of(matrix));
    return Structural.sumTo(product, a, node.dtype(0));
  }

  static Tensor gradientOfRight(Node node, Tensor g) {
    Layout b = node.layout(1);
    Tensor a = node.in(0);
    if (g.ndim() == 0) {
      return Structural.sumTo(Arithmetic.MUL.of(g, a), b, node.dtype(1));
    }
    Tensor matrix = a.ndim() == 1 ? Linalg.reshape(a, 1, a.dim(0)) : a;
    Tensor cotangent = asMatrices(node, g);
    if (b.ndim() <= 2 && matrix.ndim() > 2) {
      // Every matrix of the batch was multiplied by the same one: the sum over the batch is one
      // tall product.
      int k = matrix.dim(matrix.ndim() - 1);
      int rows = Linalg.product(Arrays.copyOf(cotangent.shape(), cotangent.ndim() - 1));
      matrix = Linalg.reshape(matrix, rows, k);
      cotangent = Linalg.reshape(cotangent, rows, cotangent.dim(cotangent.ndim() - 1));
    }
    Tensor product = Linalg.MATMUL.of(Linalg.MATRIX_TRANSPOSE.of(matrix), cotangent);
    if (b.ndim() == 1) {
      product = Linalg.reshape(product, Arrays.copyOf(product.shape(), product.ndim() - 1));
    }
    return Structural.sumTo(product, b, node.dtype(1));
  }

  /** The gradient of the result with the dimensions that 1-d inputs took from it. */
  private static Tensor asMatrices(Node node, Tensor g) {
    Layout l = g.layout();
    return node.layout(0).ndim() == 1
        ? Linalg.reshape(g, l.unsqueeze(l.ndim() - 1).shape())
        : node.layout(1).ndim() == 1 ? Linalg.reshape(g, l.unsqueeze(l.ndim()).shape()) : g;
  }
}
