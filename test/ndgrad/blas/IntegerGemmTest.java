package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Random;
import org.junit.jupiter.api.Test;

/** The integer products of the Java engine, exactly, overflow included. */
class IntegerGemmTest {
  private static final int[][] SIZES = {
    {0, 3, 2},
    {2, 0, 3},
    {2, 3, 0},
    {1, 1, 1},
    {3, 4, 5},
    {40, 1, 60},
    {1, 40, 60},
    {33, 70, 9},
    {70, 3, 300},
    {130, 140, 150}
  };

  private final JavaBlas java = new JavaBlas(Workers.commonPool());

  @Test
  void int64WrapsLikeJava() {
    Random r = new Random(1);
    for (int[] s : SIZES) {
      for (int t = 0; t < 4; t++) {
        boolean ta = (t & 1) != 0;
        boolean tb = (t & 2) != 0;
        int m = s[0];
        int n = s[1];
        int k = s[2];
        int lda = (ta ? m : k) + 1;
        int ldb = (tb ? k : n) + 2;
        long[] a = r.longs(2 + (ta ? k : m) * lda).toArray();
        long[] b = r.longs(1 + (tb ? n : k) * ldb).toArray();
        long[] c = r.longs(3 + m * n).toArray();
        long[] want = c.clone();
        for (int i = 0; i < m; i++) {
          for (int j = 0; j < n; j++) {
            long sum = 0;
            for (int p = 0; p < k; p++) {
              sum +=
                  a[2 + (ta ? p * lda + i : i * lda + p)] * b[1 + (tb ? j * ldb + p : p * ldb + j)];
            }
            want[3 + i * n + j] = 3 * sum - 2 * c[3 + i * n + j];
          }
        }
        java.gemm(ta, tb, m, n, k, 3L, a, 2, lda, b, 1, ldb, -2L, c, 3, n);
        assertArrayEquals(want, c);
      }
    }
  }

  @Test
  void int32WrapsLikeJava() {
    Random r = new Random(2);
    for (int[] s : SIZES) {
      int m = s[0];
      int n = s[1];
      int k = s[2];
      int[] a = r.ints(m * k).toArray();
      int[] b = r.ints(k * n).toArray();
      int[] c = r.ints(m * n).toArray();
      int[] want = new int[m * n];
      for (int i = 0; i < m; i++) {
        for (int j = 0; j < n; j++) {
          for (int p = 0; p < k; p++) {
            want[i * n + j] += a[i * k + p] * b[p * n + j];
          }
        }
      }
      java.gemm(false, false, m, n, k, 1, a, 0, k, b, 0, n, 0, c, 0, n);
      assertArrayEquals(want, c);
    }
  }
}
