package ndgrad.op;

import static ndgrad.op.Numeric.array;
import static ndgrad.op.Numeric.gradient;
import static ndgrad.op.Numeric.leaf;
import static ndgrad.op.Numeric.values;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.InPlace;
import org.junit.jupiter.api.Test;

class SortingTest {
  @Test
  void sortsInPlace() {
    Tensor x = array(new double[] {3, 1, 2, 0, 5, 4}, 2, 3);
    assertSame(x, InPlace.call(Sorting.SORT, Map.of(), x));
    assertArrayEquals(new double[] {1, 2, 3, 0, 4, 5}, values(x), 0);
    assertEquals(1, x.strided().storage().version());
    Map<String, Object> flat = new java.util.HashMap<>();
    flat.put("axis", null);
    assertThrows(ShapeException.class, () -> InPlace.call(Sorting.SORT, flat, x));
  }

  @Test
  void sortingInPlaceIsRecorded() {
    Tensor x = leaf(3, 1, 2);
    Tensor y = Arithmetic.MUL.of(x, 2.0);
    InPlace.call(Sorting.SORT, Map.of(), y);
    assertArrayEquals(new double[] {6, 2, 4}, gradient(y, x), 0);
  }

  @Test
  void nanComesLastInBothDirections() {
    double nan = Double.NaN;
    Tensor x = leaf(2, nan, 3, 1);
    assertArrayEquals(new double[] {1, 2, 3, nan}, values(Sorting.SORT.of(x.detach())), 0);
    assertArrayEquals(new double[] {3, 2, 1, nan}, values(Sorting.SORT.of(x, -1, true)), 0);
    assertArrayEquals(
        new double[] {3, 2, 1, nan}, values(Sorting.SORT.of(x.detach(), -1, true)), 0);
    assertArrayEquals(new double[] {2, 0, 3, 1}, values(Sorting.ARGSORT.of(x, -1, true)), 0);
  }

  @Test
  void equalElementsKeepTheirOrder() {
    Tensor x = leaf(1, 0, 1, 0);
    assertArrayEquals(new double[] {1, 3, 0, 2}, values(Sorting.ARGSORT.of(x)), 0);
    assertArrayEquals(new double[] {0, 2, 1, 3}, values(Sorting.ARGSORT.of(x, -1, true)), 0);
  }

  @Test
  void gradientsOfElementsTakenTwiceAddUp() {
    Tensor x = leaf(5, 6, 7);
    Tensor taken = Sorting.TAKE_ALONG_AXIS.of(x, List.of(2L, 0L, 2L, -1L));
    assertArrayEquals(new double[] {7, 5, 7, 7}, values(taken), 0);
    assertArrayEquals(new double[] {2, 0, 8}, gradient(taken, x), 0);
  }

  @Test
  void anEmptyListOfIndexesHasNoDtype() {
    Tensor x = leaf(5, 6, 7);
    assertArrayEquals(new double[0], values(Sorting.TAKE_ALONG_AXIS.of(x, List.of())), 0);
  }

  @Test
  void whatUniqueAddsRebuildsTheArray() {
    Tensor x = array(new double[] {2, 1, 2, Double.NaN, 1, Double.NaN}, 2, 3);
    List<?> parts = (List<?>) Sorting.UNIQUE.call(x, true, true, true);
    Tensor unique = (Tensor) parts.get(0);
    assertArrayEquals(new double[] {1, 2, Double.NaN}, values(unique), 0);
    assertArrayEquals(new double[] {1, 0, 3}, values((Tensor) parts.get(1)), 0);
    Tensor inverse = (Tensor) parts.get(2);
    assertArrayEquals(new int[] {2, 3}, inverse.shape());
    Tensor flat = Shapes.FLATTEN.of(inverse);
    assertArrayEquals(values(x), values(Sorting.TAKE_ALONG_AXIS.of(unique, flat)), 0);
    assertArrayEquals(new double[] {2, 2, 2}, values((Tensor) parts.get(3)), 0);
  }
}
