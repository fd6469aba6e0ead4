package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Proxy;
import java.util.ArrayList;
import java.util.List;
import ndgrad.DType;
import ndgrad.blas.Blas;
import ndgrad.blas.Engines;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** How operands reach BLAS: as they lie where it can read them, in as few calls as possible. */
class MatrixProductTest {
  private record Call(String method, Object[] args) {
    boolean transposed(int operand) {
      return (Boolean) args[operand];
    }

    int rows() {
      return (Integer) args[2];
    }

    Object a() {
      return args[6];
    }

    Object b() {
      return args[method.equals("gemm") ? 9 : 10];
    }
  }

  private static final List<Call> CALLS = new ArrayList<>();

  /** The Java engine, with a record of its calls. */
  @BeforeAll
  static void register() {
    Engines.register(
        "recording",
        () ->
            (Blas)
                Proxy.newProxyInstance(
                    Blas.class.getClassLoader(),
                    new Class<?>[] {Blas.class},
                    (proxy, method, args) -> {
                      if (method.getName().startsWith("gemm")) {
                        CALLS.add(new Call(method.getName(), args));
                      }
                      try {
                        return method.invoke(Engines.java(), args);
                      } catch (InvocationTargetException e) {
                        throw e.getCause();
                      }
                    }));
  }

  @BeforeEach
  void forget() {
    CALLS.clear();
  }

  private static Strided counting(int... shape) {
    Strided x = Strided.zeros(DType.FLOAT64, shape);
    double[] a = (double[]) x.array();
    for (int i = 0; i < a.length; i++) {
      a[i] = i % 7 - 3;
    }
    return x;
  }

  /** Multiplies and compares with loops. */
  private static List<Call> multiply(Strided a, Strided b, int... batch) {
    int d = batch.length;
    int m = a.layout().dim(d);
    int k = a.layout().dim(d + 1);
    int n = b.layout().dim(d + 1);
    int[] shape = new int[d + 2];
    System.arraycopy(batch, 0, shape, 0, d);
    shape[d] = m;
    shape[d + 1] = n;
    Strided out = Strided.zeros(DType.FLOAT64, shape);
    Engines.with(
        "recording",
        () -> {
          MatrixProduct.run(out, a, b);
          return out;
        });
    double[] expected = new double[out.layout().intSize()];
    int[] index = new int[d + 2];
    for (int e = 0; e < expected.length; e++) {
      int rest = e;
      for (int i = d + 1; i >= 0; i--) {
        index[i] = rest % shape[i];
        rest /= shape[i];
      }
      int[] left = index.clone();
      int[] right = index.clone();
      for (int p = 0; p < k; p++) {
        left[d + 1] = p;
        right[d] = p;
        expected[e] +=
            ((double[]) a.array())[a.layout().position(left)]
                * ((double[]) b.array())[b.layout().position(right)];
      }
    }
    assertArrayEquals(expected, (double[]) out.array());
    return List.copyOf(CALLS);
  }

  @Test
  void transposedOperandsAreNotCopied() {
    Strided a = counting(5, 3);
    Strided b = counting(4, 5);
    List<Call> calls = multiply(a.with(a.layout().permute(1, 0)), b.with(b.layout().permute(1, 0)));
    assertEquals(1, calls.size());
    assertEquals("gemm", calls.getFirst().method());
    assertEquals(
        List.of(true, true),
        List.of(calls.getFirst().transposed(0), calls.getFirst().transposed(1)));
    assertSame(a.array(), calls.getFirst().a());
    assertSame(b.array(), calls.getFirst().b());
  }

  @Test
  void slicesWithARegularLeadingDimensionAreNotCopied() {
    Strided a = counting(8, 9);
    Strided b = counting(7, 10);
    Layout rows = a.layout().slice(0, 1, 3, 2).slice(1, 2, 4, 1);
    Layout columns = b.layout().slice(0, 1, 2, 3).slice(1, 3, 4, 1).permute(1, 0);
    List<Call> calls = multiply(a.with(rows), b.with(columns));
    assertSame(a.array(), calls.getFirst().a());
    assertSame(b.array(), calls.getFirst().b());
  }

  @Test
  void columnsCutOutOfRowsAreVectorsWithAStride() {
    Strided a = counting(4, 3);
    Strided b = counting(6, 5);
    Layout row = b.layout().slice(0, 2, 1, 1).slice(1, 0, 3, 2).permute(1, 0);
    List<Call> calls = multiply(a, b.with(row));
    assertSame(b.array(), calls.getFirst().b());
  }

  @Test
  void operandsWithoutContiguousRowsOrColumnsAreCopied() {
    Strided a = counting(6, 8);
    Strided b = counting(4, 5);
    List<Call> calls = multiply(a.with(a.layout().slice(1, 0, 4, 2)), b.with(b.layout().flip(1)));
    assertNotSame(a.array(), calls.getFirst().a());
    assertNotSame(b.array(), calls.getFirst().b());
  }

  @Test
  void aBatchOverOneMatrixIsOneTallProduct() {
    Strided a = counting(2, 3, 4, 5);
    Strided b = counting(5, 6);
    List<Call> calls = multiply(a, b.with(b.layout().broadcastTo(2, 3, 5, 6)), 2, 3);
    assertEquals(1, calls.size());
    assertEquals("gemm", calls.getFirst().method());
    assertEquals(24, calls.getFirst().rows());
  }

  @Test
  void regularBatchesAreOneCall() {
    Strided a = counting(2, 3, 4, 5);
    Strided b = counting(2, 3, 6, 5);
    List<Call> calls = multiply(a, b.with(b.layout().permute(0, 1, 3, 2)), 2, 3);
    assertEquals(1, calls.size());
    assertEquals("gemmBatched", calls.getFirst().method());
  }

  @Test
  void irregularBatchesAreOneCall() {
    Strided a = counting(2, 1, 4, 5);
    Strided b = counting(1, 3, 5, 6);
    List<Call> calls =
        multiply(
            a.with(a.layout().broadcastTo(2, 3, 4, 5)),
            b.with(b.layout().broadcastTo(2, 3, 5, 6)),
            2,
            3);
    assertEquals(1, calls.size());
    assertEquals("gemmBatched", calls.getFirst().method());
    assertSame(a.array(), calls.getFirst().a());
  }

  @Test
  void reversedBatchesAreRight() {
    Strided a = counting(3, 2, 2);
    Strided b = counting(3, 2, 2);
    multiply(a.with(a.layout().flip(0)), b, 3);
    assertEquals(1, CALLS.size());
  }

  @Test
  void sumsOverNothingAreZero() {
    Strided out = Strided.zeros(DType.FLOAT64, 2, 3);
    MatrixProduct.run(out, Strided.zeros(DType.FLOAT64, 2, 0), Strided.zeros(DType.FLOAT64, 0, 3));
    assertArrayEquals(new double[6], (double[]) out.array());
  }

  @Test
  void truthValuesAreCombinedByAndAndOr() {
    Strided a = new Strided(new Storage(new boolean[] {true, true, false, false}), Layout.of(2, 2));
    Strided b = new Strided(new Storage(new boolean[] {true, false, true, false}), Layout.of(2, 2));
    Strided out = Strided.zeros(DType.BOOL, 2, 2);
    MatrixProduct.run(out, a, b);
    assertArrayEquals(new boolean[] {true, false, false, false}, (boolean[]) out.array());
  }

  @Test
  void aLongRowTimesAColumnIsAReduction() {
    Strided row = counting(1, 5_000);
    Strided column = counting(5_000, 2);
    Strided second = column.with(column.layout().slice(1, 1, 1, 1));
    assertEquals(List.of(), multiply(row, second));
    assertEquals(List.of(), multiply(row, row.with(row.layout().permute(1, 0))));
    assertEquals(1, multiply(counting(1, 300), counting(300, 1)).size());
  }
}
