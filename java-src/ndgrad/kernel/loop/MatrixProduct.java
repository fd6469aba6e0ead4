package ndgrad.kernel.loop;

import java.util.Arrays;
import java.util.function.IntConsumer;
import ndgrad.DType;
import ndgrad.blas.Batch;
import ndgrad.blas.Blas;
import ndgrad.blas.Engines;
import ndgrad.blas.Workers;
import ndgrad.kernel.Threads;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Products of matrices and of batches of them, by the {@link Blas} engine of the moment. Operands
 * whose rows or columns are contiguous go to it as they lie, transposed or cut out of larger
 * arrays; others are copied first. A batch over one and the same right-hand matrix becomes one tall
 * product; other batches are one call. A long row times a column is a reduction, by all threads.
 */
public final class MatrixProduct {
  /** Elements of a row and a column from which on their product is a reduction. */
  private static final int LONG = 1 << 12;

  private static final Reduction DOT = Reduction.of(Expr.in(0).times(Expr.in(1)), Expr.Fn2.ADD);

  static {
    Engines.setTileKernels(new ProductKernels());
    Engines.setWorkers(
        new Workers() {
          @Override
          public int width() {
            return Threads.numThreads();
          }

          @Override
          public void run(int tasks, IntConsumer task) {
            Threads.parallelFor(
                tasks,
                1,
                (from, to) -> {
                  for (int i = from; i < to; i++) {
                    task.accept(i);
                  }
                });
          }
        });
  }

  private final Object a;
  private final Object b;
  private final Object c;
  private final int offsetA;
  private final int offsetB;
  private final int offsetC;
  private int m;
  private final int n;
  private final int k;

  // Strides of the rows and columns of one matrix.
  private int rowsA;
  private final int columnsA;
  private final int rowsB;
  private final int columnsB;

  // The batch: lengths and what each operand moves by, outermost first; only the first ndim count.
  private final int[] dims;
  private final int[] stepsA;
  private final int[] stepsB;
  private final int[] stepsC;
  private int ndim;

  private MatrixProduct(Strided out, Strided left, Strided right) {
    Layout la = left.layout();
    Layout lb = right.layout();
    Layout lc = out.layout();
    int batch = lc.ndim() - 2;
    a = left.array();
    b = right.array();
    c = out.array();
    offsetA = la.offset();
    offsetB = lb.offset();
    offsetC = lc.offset();
    m = lc.dim(batch);
    n = lc.dim(batch + 1);
    k = la.dim(batch + 1);
    rowsA = la.stride(batch);
    columnsA = la.stride(batch + 1);
    rowsB = lb.stride(batch);
    columnsB = lb.stride(batch + 1);
    dims = Arrays.copyOf(lc.shape(), batch);
    stepsA = la.strides();
    stepsB = lb.strides();
    stepsC = lc.strides();
    ndim = batch;
    collapse();
    fold();
  }

  /**
   * Multiplies: out[…, i, j] = Σₚ a[…, i, p] · b[…, p, j]. Integers wrap; for bool the sum is the
   * logical or of the logical and.
   *
   * @param out of shape [batch…, m, n], row-major; overwritten, but left alone where k is 0
   * @param a of shape [batch…, m, k], zero strides along the batch allowed, of the same dtype
   * @param b of shape [batch…, k, n], zero strides along the batch allowed, of the same dtype
   */
  public static void run(Strided out, Strided a, Strided b) {
    if (out.layout().size() == 0 || a.layout().size() == 0) {
      return;
    }
    if (out.dtype() == DType.BOOL) {
      Strided counts = Strided.zeros(DType.INT32, out.layout().shape());
      run(counts, counted(a), counted(b));
      Copies.copy(counts, out);
      return;
    }
    if (out.layout().ndim() == 2 && out.layout().size() == 1 && a.layout().dim(1) >= LONG) {
      Layout one = out.layout().select(0, 0).select(0, 0);
      Strided row = a.with(a.layout().select(0, 0));
      Strided column = b.with(b.layout().select(1, 0));
      DOT.run(out.with(one), out.dtype(), new int[] {0}, row, column);
      return;
    }
    Strided x = packed(a);
    Strided y = packed(b);
    if (out.layout().ndim() == 2) {
      single(out, x, y);
    } else {
      new MatrixProduct(out, x, y).multiply();
    }
  }

  /**
   * The engine of the moment, for those who lay out their products themselves.
   *
   * @return one that uses the threads and kernels of this library
   */
  public static Blas engine() {
    return Engines.current();
  }

  /** One product of two matrices, without the preparations for a batch. */
  private static void single(Strided out, Strided left, Strided right) {
    Layout a = left.layout();
    Layout b = right.layout();
    Layout c = out.layout();
    int lda = leading(a.dim(0), a.dim(1), a.stride(0), a.stride(1));
    int ldb = leading(b.dim(0), b.dim(1), b.stride(0), b.stride(1));
    new Product(c.dim(0), c.dim(1), a.dim(1), lda, ldb)
        .run(left.array(), a.offset(), right.array(), b.offset(), out.array(), c.offset());
  }

  private static Strided counted(Strided bools) {
    return compact(bools, DType.INT32);
  }

  /** The operand itself where BLAS can read it as it lies, else a copy that it can read. */
  private static Strided packed(Strided x) {
    Layout l = x.layout();
    int d = l.ndim() - 2;
    return leading(l.dim(d), l.dim(d + 1), l.stride(d), l.stride(d + 1)) != 0
        ? x
        : compact(x, x.dtype());
  }

  /**
   * A copy with row-major matrices that repeats nothing along stretched dimensions of the batch.
   */
  private static Strided compact(Strided x, DType dtype) {
    Layout once = x.layout();
    int[] shape = once.shape();
    for (int i = 0; i < shape.length - 2; i++) {
      once = once.stride(i) == 0 ? once.slice(i, 0, 1, 1) : once;
    }
    Strided copy = Copies.copyOf(x.with(once), dtype);
    return copy.with(copy.layout().broadcastTo(shape));
  }

  /**
   * The leading dimension of a matrix.
   *
   * @return positive when rows are contiguous, negative when columns are, so that it is read as a
   *     transpose; 0 when neither are
   */
  private static int leading(int rows, int columns, int rowStride, int columnStride) {
    if (columnStride == 1 || columns == 1) {
      if (rows == 1) {
        return columns;
      }
      if (rowStride >= columns) {
        return rowStride;
      }
    }
    if (rowStride == 1 || rows == 1) {
      if (columns == 1) {
        return -rows;
      }
      if (columnStride >= rows) {
        return -columnStride;
      }
    }
    return 0;
  }

  /**
   * Drops dimensions of length 1 and joins neighbours that are one regular run for all operands.
   */
  private void collapse() {
    int last = -1;
    for (int i = 0; i < ndim; i++) {
      int d = dims[i];
      if (d == 1) {
        continue;
      }
      boolean joins =
          last >= 0
              && stepsA[last] == d * stepsA[i]
              && stepsB[last] == d * stepsB[i]
              && stepsC[last] == d * stepsC[i];
      last = joins ? last : last + 1;
      dims[last] = joins ? dims[last] * d : d;
      stepsA[last] = stepsA[i];
      stepsB[last] = stepsB[i];
      stepsC[last] = stepsC[i];
    }
    ndim = last + 1;
  }

  /**
   * Makes more rows of the innermost dimension of the batch where the right-hand matrix is always
   * the same.
   */
  private void fold() {
    while (ndim > 0 && stepsB[ndim - 1] == 0) {
      int rows = dims[ndim - 1] * m;
      int step = m == 1 ? stepsA[ndim - 1] : rowsA;
      if (stepsA[ndim - 1] != m * step || leading(rows, k, step, columnsA) == 0) {
        return;
      }
      m = rows;
      rowsA = step;
      ndim--;
    }
  }

  private void multiply() {
    Product product =
        new Product(m, n, k, leading(m, k, rowsA, columnsA), leading(k, n, rowsB, columnsB));
    if (ndim == 0) {
      product.run(a, offsetA, b, offsetB, c, offsetC);
      return;
    }
    Batch batch =
        new Batch(
            Arrays.copyOf(dims, ndim),
            Arrays.copyOf(stepsA, ndim),
            Arrays.copyOf(stepsB, ndim),
            Arrays.copyOf(stepsC, ndim));
    product.run(a, offsetA, b, offsetB, c, offsetC, batch);
  }

  /**
   * One product, but for where its operands are.
   *
   * @param leadingA the {@link #leading} dimension of the left matrix
   * @param leadingB that of the right one
   */
  private record Product(int m, int n, int k, int leadingA, int leadingB) {
    boolean ta() {
      return leadingA < 0;
    }

    boolean tb() {
      return leadingB < 0;
    }

    int lda() {
      return Math.abs(leadingA);
    }

    int ldb() {
      return Math.abs(leadingB);
    }

    /** Only the Java engine does integers. */
    void run(Object a, int p, Object b, int q, Object c, int r) {
      switch (c) {
        case float[] z -> {
          float[] x = (float[]) a;
          float[] y = (float[]) b;
          Blas blas = Engines.current();
          blas.gemm(ta(), tb(), m, n, k, 1f, x, p, lda(), y, q, ldb(), 0f, z, r, n);
        }
        case double[] z -> {
          double[] x = (double[]) a;
          double[] y = (double[]) b;
          Blas blas = Engines.current();
          blas.gemm(ta(), tb(), m, n, k, 1.0, x, p, lda(), y, q, ldb(), 0.0, z, r, n);
        }
        case int[] z -> {
          int[] x = (int[]) a;
          int[] y = (int[]) b;
          Engines.java().gemm(ta(), tb(), m, n, k, 1, x, p, lda(), y, q, ldb(), 0, z, r, n);
        }
        default -> {
          long[] x = (long[]) a;
          long[] y = (long[]) b;
          long[] z = (long[]) c;
          Engines.java().gemm(ta(), tb(), m, n, k, 1L, x, p, lda(), y, q, ldb(), 0L, z, r, n);
        }
      }
    }

    /** A batch of them. */
    void run(Object a, int p, Object b, int q, Object c, int r, Batch batch) {
      switch (c) {
        case float[] z -> {
          float[] x = (float[]) a;
          float[] y = (float[]) b;
          Blas blas = Engines.current();
          blas.gemmBatched(ta(), tb(), m, n, k, 1f, x, p, lda(), y, q, ldb(), 0f, z, r, n, batch);
        }
        case double[] z -> {
          double[] x = (double[]) a;
          double[] y = (double[]) b;
          Blas blas = Engines.current();
          blas.gemmBatched(ta(), tb(), m, n, k, 1.0, x, p, lda(), y, q, ldb(), 0.0, z, r, n, batch);
        }
        default -> {
          int count = batch.count();
          for (int i = 0; i < count; i++) {
            run(a, p + batch.a(i), b, q + batch.b(i), c, r + batch.c(i));
          }
        }
      }
    }
  }
}
