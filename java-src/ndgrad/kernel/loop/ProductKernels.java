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
import ndgrad.kernel.code.Warmup;

/** The vector kernels of products of matrices, each in use once it is fast. */
final class ProductKernels implements TileKernels {
  /** What one multiplication of the plain loops costs, in units of 0.1 ns. */
  private static final int COST = 1;

  private static final Map<Class<?>, Kernel> KERNELS =
      Map.of(
          float.class, new Kernel(DType.FLOAT32),
          double.class, new Kernel(DType.FLOAT64),
          int.class, new Kernel(DType.INT32),
          long.class, new Kernel(DType.INT64));

  @Override
  public boolean areExpected() {
    return Forms.isAvailable();
  }

  @Override
  public Optional<TileKernel> kernel(Class<?> type, long products) {
    Kernel kernel = KERNELS.get(type);
    return switch (Forms.mode()) {
      case PLAIN -> Optional.empty();
      case VECTOR -> kernel.made();
      case AUTO -> kernel.warm(products);
    };
  }

  /** That of one dtype. */
  private static final class Kernel {
    private final DType dtype;
    private final Warmup warmup;
    private Optional<TileKernel> made = Optional.empty();
    private volatile Optional<TileKernel> warm = Optional.empty();

    Kernel(DType dtype) {
      this.dtype = dtype;
      this.warmup =
          new Warmup(
              () -> {
                TileKernel fast = made().orElseThrow();
                Sample sample = new Sample(dtype, fast);
                return new Warmup.Trial(
                    (long) sample.m * sample.n * Sample.RANKS * COST,
                    sample::train,
                    sample::vector,
                    sample::plain,
                    () -> warm = Optional.of(fast));
              });
    }

    synchronized Optional<TileKernel> made() {
      if (made.isEmpty() && Forms.lanes(dtype) > 0) {
        made = Optional.of(VectorTiles.compile(dtype));
      }
      return made;
    }

    Optional<TileKernel> warm(long products) {
      Optional<TileKernel> kernel = warm;
      if (kernel.isEmpty() && Forms.isAvailable()) {
        warmup.count(products * COST);
      }
      return kernel;
    }
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
        case float[] z ->
            LOOPS.gemm(
                false,
                false,
                m,
                n,
                RANKS,
                1f,
                (float[]) a,
                0,
                RANKS,
                (float[]) b,
                0,
                n,
                0f,
                z,
                0,
                n);
        case double[] z ->
            LOOPS.gemm(
                false,
                false,
                m,
                n,
                RANKS,
                1.0,
                (double[]) a,
                0,
                RANKS,
                (double[]) b,
                0,
                n,
                0.0,
                z,
                0,
                n);
        case int[] z ->
            LOOPS.gemm(
                false, false, m, n, RANKS, 1, (int[]) a, 0, RANKS, (int[]) b, 0, n, 0, z, 0, n);
        case long[] z ->
            LOOPS.gemm(
                false, false, m, n, RANKS, 1L, (long[]) a, 0, RANKS, (long[]) b, 0, n, 0L, z, 0, n);
        default -> throw new AssertionError(c);
      }
    }
  }
}
