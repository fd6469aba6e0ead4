package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

class BatchTest {
  private static final Batch GRID =
      new Batch(new int[] {2, 3}, new int[] {100, -10}, new int[] {0, 7}, new int[] {12, 4});

  @Test
  void theLastDimensionIsTheFastest() {
    assertEquals(6, GRID.count());
    assertArrayEquals(
        new int[] {0, -10, -20, 100, 90, 80}, IntStream.range(0, 6).map(GRID::a).toArray());
    assertArrayEquals(new int[] {0, 7, 14, 0, 7, 14}, IntStream.range(0, 6).map(GRID::b).toArray());
    assertArrayEquals(
        new int[] {0, 4, 8, 12, 16, 20}, IntStream.range(0, 6).map(GRID::c).toArray());
  }

  @Test
  void theFarthestMatricesAreKnown() {
    assertEquals(-20, GRID.before(GRID.stepsA()));
    assertEquals(100, GRID.behind(GRID.stepsA()));
    assertEquals(0, GRID.before(GRID.stepsB()));
    assertEquals(14, GRID.behind(GRID.stepsB()));
  }

  @Test
  void noDimensionsAreABatchOfOne() {
    int[] none = {};
    Batch one = new Batch(none, none, none, none);
    assertEquals(1, one.count());
    assertEquals(0, one.a(0));
    assertEquals(-1, Batch.of(-1, 0, 0, 0).count());
  }
}
