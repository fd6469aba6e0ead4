package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeoutPreemptively;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.time.Duration;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.Options;
import ndgrad.ShapeException;
import org.junit.jupiter.api.Test;

/** What the table of ops does not say about the factories. */
class CreationTest {
  private static final Options FLOAT32 = Options.of().dtype(DType.FLOAT32);

  @Test
  void readNaturallyInJava() {
    assertArrayEquals(new int[] {2, 3}, Array.zeros(2, 3).shape());
    assertArrayEquals(new int[0], Array.ones().shape());
    assertArrayEquals(new long[] {0, 1, 2, 3, 4}, Array.arange(5).toLongArray());
    assertArrayEquals(new long[] {2, 3}, Array.arange(2, 4).toLongArray());
    assertArrayEquals(new double[] {1, 0.75, 0.5, 0.25}, Array.arange(1, 0, -0.25).toDoubleArray());
    assertArrayEquals(new double[] {0, 0.5, 1}, Array.linspace(0, 1, 3).toDoubleArray());
    assertEquals(DType.INT64, Array.full(new int[] {2}, 7).dtype());
    assertEquals(DType.FLOAT64, Array.full(new int[] {2}, 7.5).dtype());
    assertEquals(DType.FLOAT32, Array.arange(0, 3, FLOAT32).dtype());
    assertEquals(DType.FLOAT32, Array.zeros(new int[] {2}, DType.FLOAT32).onesLike().dtype());
    assertTrue(Array.eye(3, FLOAT32.k(1).requiresGrad(true)).requiresGrad());
  }

  @Test
  void rangesOfLargeIntegersAreExact() {
    long big = (1L << 60) + 1;
    assertArrayEquals(new long[] {big, big + 1}, Array.arange(big, big + 2).toLongArray());
    assertArrayEquals(
        new long[] {Long.MIN_VALUE, -1, Long.MAX_VALUE - 1},
        Array.arange(Long.MIN_VALUE, Long.MAX_VALUE, Long.MAX_VALUE).toLongArray());
    assertThrows(ShapeException.class, () -> Array.arange(Long.MIN_VALUE, Long.MAX_VALUE));
    assertThrows(
        DTypeException.class,
        () -> Array.arange(0, 1L << 32, 1L << 31, Options.of().dtype(DType.INT32)));
  }

  @Test
  void whatDoesNotFitTheHeapIsAnError() {
    long elements = Runtime.getRuntime().maxMemory() / 8 + (1 << 20);
    int rows = (int) Math.min(elements / 1000, (Integer.MAX_VALUE - 8) / 1000);
    if (1000L * rows * 8 > Runtime.getRuntime().maxMemory()) {
      ShapeException e = assertThrows(ShapeException.class, () -> Array.zeros(rows, 1000));
      assertTrue(e.getMessage().contains("MiB"), e.getMessage());
    }
    assertThrows(ShapeException.class, () -> Array.ones(1 << 16, 1 << 16));
    assertArrayEquals(new int[] {0, 1 << 30, 1 << 30}, Array.zeros(0, 1 << 30, 1 << 30).shape());
  }

  @Test
  void aTriangleWithoutColumnsTakesNoTime() {
    Array none = assertTimeoutPreemptively(Duration.ofSeconds(5), () -> Array.tri(1 << 30, 0));
    assertArrayEquals(new int[] {1 << 30, 0}, none.shape());
    int least = Integer.MIN_VALUE;
    assertEquals(0, Array.tri(3, Options.of().k(least)).sum().item());
    assertEquals(9, Array.tri(3, Options.of().k(Integer.MAX_VALUE)).sum().item());
  }

  @Test
  void aTrackedValueKeepsItsGradient() {
    Array v = Array.of(1.0, 2.0, 3.0).requiresGrad(true);
    Array.full(new int[] {4, 3}, v).sum().backward();
    assertArrayEquals(new double[] {4, 4, 4}, v.grad().toDoubleArray());
    Array x = Array.scalar(2).requiresGrad(true);
    Array made = Array.zeros(2, 2).fullLike(x, DType.FLOAT32);
    assertEquals(0, made.version());
    made.sum().backward();
    assertEquals(4.0, x.grad().item());
  }
}
