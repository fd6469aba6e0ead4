package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;

import java.util.Random;
import ndgrad.DType;
import ndgrad.blas.Engines;
import ndgrad.blas.JavaBlas;
import ndgrad.blas.MulAdd;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Products by tiles and by plain loops, against the chains of products that both promise, to the
 * last bit.
 */
@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class ProductKernelsTest extends InForm {
  /** Ranks that are added up from zero before they are added to the result. */
  private static final int BLOCK = 256;

  private static final int[][] SIZES = {
    {4, 16, 9},
    {5, 17, 8},
    {8, 32, 2},
    {3, 70, 11},
    {70, 3, 11},
    {64, 64, 64},
    {33, 47, 259},
    {261, 18, 5},
    {2, 530, 300},
    {130, 600, 20},
    {300, 40, 513}
  };

  /** One random product: where the matrices lie, and what becomes of the old result. */
  private record Case(
      boolean ta, boolean tb, int m, int n, int k, int lda, int ldb, int ldc, int beta) {
    static Case of(Random r, int[] size) {
      boolean ta = r.nextBoolean();
      boolean tb = r.nextBoolean();
      int m = size[0];
      int n = size[1];
      int k = size[2];
      return new Case(
          ta,
          tb,
          m,
          n,
          k,
          (ta ? m : k) + r.nextInt(3),
          (tb ? k : n) + r.nextInt(3),
          n + r.nextInt(3),
          r.nextInt(2));
    }

    int a(int i, int p) {
      return 1 + (ta ? p * lda + i : i * lda + p);
    }

    int b(int p, int j) {
      return 2 + (tb ? j * ldb + p : p * ldb + j);
    }

    int c(int i, int j) {
      return 3 + i * ldc + j;
    }

    int lengthA() {
      return a(m - 1, k - 1) + 1;
    }

    int lengthB() {
      return b(k - 1, n - 1) + 1;
    }

    int lengthC() {
      return c(m - 1, n - 1) + 1;
    }
  }

  private static JavaBlas java;

  /** The product's class lends its kernels to the engines when it is first used. */
  @BeforeAll
  static void lend() {
    Strided one = Strided.zeros(DType.FLOAT32, 1, 1);
    MatrixProduct.run(Strided.zeros(DType.FLOAT32, 1, 1), one, one);
    java = Engines.java();
  }

  private static float[] floats(Random r, int n, double scale) {
    float[] x = new float[n];
    for (int i = 0; i < n; i++) {
      x[i] = (float) (r.nextGaussian() * scale);
    }
    return x;
  }

  @Test
  void float32IsAChainOfProducts() {
    Random r = new Random(1);
    for (int round = 0; round < 4; round++) {
      // Squares of the last scale underflow, to zeros of either sign.
      double scale = round < 3 ? 1 : 1e-23;
      for (int[] size : SIZES) {
        Case s = Case.of(r, size);
        float[] a = floats(r, s.lengthA(), scale);
        float[] b = floats(r, s.lengthB(), scale);
        float[] c = floats(r, s.lengthC(), scale * scale);
        float[] want = c.clone();
        for (int i = 0; i < s.m; i++) {
          for (int j = 0; j < s.n; j++) {
            for (int p = 0; p < s.k; p += BLOCK) {
              float sum = 0;
              for (int q = p; q < Math.min(s.k, p + BLOCK); q++) {
                sum = MulAdd.of(a[s.a(i, q)], b[s.b(q, j)], sum);
              }
              want[s.c(i, j)] = p == 0 && s.beta == 0 ? sum : sum + want[s.c(i, j)];
            }
          }
        }
        java.gemm(s.ta, s.tb, s.m, s.n, s.k, 1f, a, 1, s.lda, b, 2, s.ldb, s.beta, c, 3, s.ldc);
        for (int i = 0; i < c.length; i++) {
          assertEquals(
              Float.floatToRawIntBits(want[i]), Float.floatToRawIntBits(c[i]), s + " " + i);
        }
      }
    }
  }

  @Test
  void float64IsAChainOfProducts() {
    Random r = new Random(2);
    for (int round = 0; round < 4; round++) {
      double scale = round < 3 ? 1 : 1e-162;
      for (int[] size : SIZES) {
        Case s = Case.of(r, size);
        double[] a = r.doubles(s.lengthA()).map(x -> (x - 0.5) * scale).toArray();
        double[] b = r.doubles(s.lengthB()).map(x -> (x - 0.5) * scale).toArray();
        double[] c = r.doubles(s.lengthC()).map(x -> (x - 0.5) * scale * scale).toArray();
        double[] want = c.clone();
        for (int i = 0; i < s.m; i++) {
          for (int j = 0; j < s.n; j++) {
            for (int p = 0; p < s.k; p += BLOCK) {
              double sum = 0;
              for (int q = p; q < Math.min(s.k, p + BLOCK); q++) {
                sum = MulAdd.of(a[s.a(i, q)], b[s.b(q, j)], sum);
              }
              want[s.c(i, j)] = p == 0 && s.beta == 0 ? sum : sum + want[s.c(i, j)];
            }
          }
        }
        java.gemm(s.ta, s.tb, s.m, s.n, s.k, 1.0, a, 1, s.lda, b, 2, s.ldb, s.beta, c, 3, s.ldc);
        for (int i = 0; i < c.length; i++) {
          assertEquals(
              Double.doubleToRawLongBits(want[i]), Double.doubleToRawLongBits(c[i]), s + " " + i);
        }
      }
    }
  }

  @Test
  void integersWrap() {
    Random r = new Random(3);
    for (int[] size : SIZES) {
      Case s = Case.of(r, size);
      int[] a = r.ints(s.lengthA()).toArray();
      int[] b = r.ints(s.lengthB()).toArray();
      int[] c = r.ints(s.lengthC()).toArray();
      long[] al = r.longs(s.lengthA()).toArray();
      long[] bl = r.longs(s.lengthB()).toArray();
      long[] cl = r.longs(s.lengthC()).toArray();
      int[] want = c.clone();
      long[] wantl = cl.clone();
      for (int i = 0; i < s.m; i++) {
        for (int j = 0; j < s.n; j++) {
          int sum = s.beta * c[s.c(i, j)];
          long suml = s.beta * cl[s.c(i, j)];
          for (int p = 0; p < s.k; p++) {
            sum += 5 * a[s.a(i, p)] * b[s.b(p, j)];
            suml += 5 * al[s.a(i, p)] * bl[s.b(p, j)];
          }
          want[s.c(i, j)] = sum;
          wantl[s.c(i, j)] = suml;
        }
      }
      java.gemm(s.ta, s.tb, s.m, s.n, s.k, 5, a, 1, s.lda, b, 2, s.ldb, s.beta, c, 3, s.ldc);
      assertArrayEquals(want, c, s.toString());
      java.gemm(s.ta, s.tb, s.m, s.n, s.k, 5L, al, 1, s.lda, bl, 2, s.ldb, s.beta, cl, 3, s.ldc);
      assertArrayEquals(wantl, cl, s.toString());
    }
  }

  @Test
  void scaledProductsAreTheSameInBothForms() {
    Random r = new Random(4);
    for (int[] size : SIZES) {
      Case s = Case.of(r, size);
      float[] a = floats(r, s.lengthA(), 1);
      float[] b = floats(r, s.lengthB(), 1);
      float[] c = floats(r, s.lengthC(), 1);
      float[] plain = c.clone();
      Forms.use(Forms.Mode.PLAIN);
      java.gemm(s.ta, s.tb, s.m, s.n, s.k, 0.7f, a, 1, s.lda, b, 2, s.ldb, -1.5f, plain, 3, s.ldc);
      Forms.use(mode);
      java.gemm(s.ta, s.tb, s.m, s.n, s.k, 0.7f, a, 1, s.lda, b, 2, s.ldb, -1.5f, c, 3, s.ldc);
      assertArrayEquals(plain, c, s.toString());
    }
  }

  @Test
  void whatIsNotFiniteStaysInItsRowAndColumn() {
    int m = 9;
    int n = 35;
    int k = 7;
    float[] a = floats(new Random(5), m * k, 1);
    float[] b = floats(new Random(6), k * n, 1);
    a[8 * k + 6] = Float.NaN;
    b[6 * n + 34] = Float.POSITIVE_INFINITY;
    float[] c = new float[m * n];
    java.gemm(false, false, m, n, k, 1f, a, 0, k, b, 0, n, 0f, c, 0, n);
    for (int i = 0; i < 8; i++) {
      for (int j = 0; j < 34; j++) {
        assertFalse(Float.isNaN(c[i * n + j]) || Float.isInfinite(c[i * n + j]), i + " " + j);
      }
      assertFalse(Float.isFinite(c[i * n + 34]), "row " + i);
    }
    for (int j = 0; j < n; j++) {
      assertEquals(Float.NaN, c[8 * n + j]);
    }
  }
}
