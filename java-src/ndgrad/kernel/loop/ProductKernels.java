package ndgrad.kernel.loop;

import java.util.Map;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.blas.JavaBlas;
import ndgrad.blas.TileKernel;
import ndgrad.blas.TileKernels;
import ndgrad.blas.Workers;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.VectorTiles;
import ndgrad.kernel.code.WarmKernel;
import ndgrad.kernel.code.Warmup;

/** The vector kernels of products of matrices, each in use once it is fast. */
final class ProductKernels implements TileKernels {
  /** What one multiplication of the plain loops costs, in units of 0.1 ns. */
  private static final int COST = 1;

  private static final Map<Class<?>, WarmKernel<TileKernel>> KERNELS =
      Map.of(
          float.class, kernel(DType.FLOAT32),
          double.class, kernel(DType.FLOAT64),
          int.class, kernel(DType.INT32),
          long.class, kernel(DType.INT64));

  private static WarmKernel<TileKernel> kernel(DType dtype) {
    return new WarmKernel<>(
        dtype,
        () -> VectorTiles.compile(dtype),
        (kernel, change) -> {
          Sample sample = new Sample(dtype, kernel);
          return new Warmup.Trial(
              (long) sample.m * sample.n * Sample.RANKS * COST,
              sample::train,
              sample::vector,
              sample::plain,
              change);
        });
  }

  @Override
  public boolean areExpected() {
    return Forms.isAvailable();
  }

  @Override
  public Optional<TileKernel> kernel(Class<?> type, long products) {
    return KERNELS.get(type).get(products * COST);
  }

  /** Two small matrices and their product, which is one tile. */
  private static final class Sample {
    private static final int RANKS = 256;
    private static final JavaBlas LOOPS = new JavaBlas(Workers.serial());

    private final TileKernel kernel;
    private final int m;
    private final int n;
    private final Object a;
    private final Object b;
    private final Object packed;
    private final Object c;

    Sample(DType dtype, TileKernel kernel) {
      this.kernel = kernel;
      m = kernel.rows();
      n = kernel.columns();
      a = Warmup.numbers(dtype, m * RANKS);
      b = Warmup.numbers(dtype, n * RANKS);
      packed = dtype.newArray(n * RANKS);
      c = dtype.newArray(m * n);
    }

    void train() {
      for (int k : new int[] {RANKS, 64, 8}) {
        kernel.pack(b, 0, n, k, packed, 0);
        kernel.run(a, 0, RANKS, packed, 0, k, false, c, 0, n);
        kernel.run(a, 0, RANKS, packed, 0, k, true, c, 0, n);
      }
    }

    void vector() {
      kernel.pack(b, 0, n, RANKS, packed, 0);
      kernel.run(a, 0, RANKS, packed, 0, RANKS, false, c, 0, n);
    }

    void plain() {
      switch (c) {
        case float[] z -> {
          float[] x = (float[]) a;
          float[] y = (float[]) b;
          LOOPS.gemm(false, false, m, n, RANKS, 1f, x, 0, RANKS, y, 0, n, 0f, z, 0, n);
        }
        case double[] z -> {
          double[] x = (double[]) a;
          double[] y = (double[]) b;
          LOOPS.gemm(false, false, m, n, RANKS, 1.0, x, 0, RANKS, y, 0, n, 0.0, z, 0, n);
        }
        case int[] z -> {
          int[] x = (int[]) a;
          int[] y = (int[]) b;
          LOOPS.gemm(false, false, m, n, RANKS, 1, x, 0, RANKS, y, 0, n, 0, z, 0, n);
        }
        case long[] z -> {
          long[] x = (long[]) a;
          long[] y = (long[]) b;
          LOOPS.gemm(false, false, m, n, RANKS, 1L, x, 0, RANKS, y, 0, n, 0L, z, 0, n);
        }
        default -> throw new AssertionError(c);
      }
    }
  }
}
