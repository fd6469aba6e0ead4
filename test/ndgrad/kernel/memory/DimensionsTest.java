package ndgrad.kernel.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import ndgrad.IndexException;
import ndgrad.ShapeException;
import org.junit.jupiter.api.Test;

class DimensionsTest {
  @Test
  void sizesAreProducts() {
    assertEquals(1, Dimensions.size());
    assertEquals(24, Dimensions.size(2, 3, 4));
    assertEquals(1L << 60, Dimensions.size(1 << 30, 1 << 30));
    assertEquals(0, Dimensions.size(1 << 30, 1 << 30, 1 << 30, 0));
    assertThrows(ShapeException.class, () -> Dimensions.size(2, -1));
    assertThrows(ShapeException.class, () -> Dimensions.size(0, -1));
  }

  @Test
  void sizesThatCannotBeCountedAreNotNamed() {
    for (Runnable counts :
        new Runnable[] {
          () -> Dimensions.size(1 << 30, 1 << 30, 1 << 30),
          () -> Layout.of(1 << 30, 1 << 30, 1 << 30)
        }) {
      ShapeException e = assertThrows(ShapeException.class, counts::run);
      assertTrue(e.getMessage().contains("more than 2⁶³-1 elements"), e.getMessage());
    }
  }

  @Test
  void axesAndPositionsCountFromEitherEnd() {
    assertEquals(1, Dimensions.axis(1, 3));
    assertEquals(2, Dimensions.axis(-1, 3));
    assertThrows(ShapeException.class, () -> Dimensions.axis(3, 3));
    assertThrows(ShapeException.class, () -> Dimensions.axis(-4, 3));
    assertArrayEquals(new int[] {2, 0}, Dimensions.axes(new int[] {-1, 0}, 3));
    assertThrows(ShapeException.class, () -> Dimensions.axes(new int[] {2, -1}, 3));
    int[] shape = {2, 5};
    assertEquals(4, Dimensions.index(shape, 1, -1));
    assertEquals(4, Dimensions.index(shape, 1, 4));
    assertThrows(IndexException.class, () -> Dimensions.index(shape, 1, 5));
    assertThrows(IndexException.class, () -> Dimensions.index(shape, 0, -3));
    assertThrows(IndexException.class, () -> Dimensions.index(shape, 0, Long.MAX_VALUE));
  }

  @Test
  void broadcastingFollowsNumpy() {
    assertArrayEquals(
        new int[] {4, 2, 3}, Dimensions.broadcast(Layout.of(2, 1), Layout.of(4, 1, 3)));
    assertArrayEquals(new int[] {0}, Dimensions.broadcast(Layout.of(1), Layout.of(0)));
    assertThrows(ShapeException.class, () -> Dimensions.broadcast(Layout.of(0), Layout.of(3)));
    assertThrows(ShapeException.class, () -> Dimensions.broadcast(Layout.of(3), Layout.of(0)));
    assertThrows(ShapeException.class, () -> Dimensions.broadcast(Layout.of(2, 3), Layout.of(2)));
  }
}
