package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.lang.reflect.Array;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class BlocksTest extends InForm {

  /** Distances between neighbours in a row and between rows, of a place that holds a block. */
  private record Place(int step, int row) {}

  private static Place place(Random r, int rows, int n) {
    return switch (r.nextInt(3)) {
      case 0 -> new Place(1, n + r.nextInt(3));
      case 1 -> new Place(rows + r.nextInt(3), 1);
      default -> new Place(2, 2 * n);
    };
  }

  @Test
  void blocksGoFromAnyPlaceToAnyOtherAndNowhereElse() {
    for (DType dtype : DType.values()) {
      for (int seed = 0; seed < 300; seed++) {
        Random r = new Random(seed);
        int rows = 1 + r.nextInt(seed % 2 == 0 ? 10 : 70);
        int n = 1 + r.nextInt(seed % 3 == 0 ? 10 : 70);
        Place p = place(r, rows, n);
        Place q = place(r, rows, n);
        int first = r.nextInt(5);
        Object from = dtype.newArray(first + (rows - 1) * p.row + (n - 1) * p.step + 1);
        for (int i = 0; i < Array.getLength(from); i++) {
          set(from, i, 1 + i % 100);
        }
        Object to = dtype.newArray(2 + (rows - 1) * q.row + (n - 1) * q.step + 1 + r.nextInt(4));
        Object expected = dtype.newArray(Array.getLength(to));
        for (int i = 0; i < rows; i++) {
          for (int j = 0; j < n; j++) {
            int at = first + i * p.row + j * p.step;
            Array.set(expected, 2 + i * q.row + j * q.step, Array.get(from, at));
          }
        }
        Blocks.of(dtype)
            .copy(
                from,
                new int[] {0, first, 0, p.step, 0, p.row},
                1,
                to,
                new int[] {2, q.step, q.row},
                0,
                rows,
                n);
        for (int i = 0; i < Array.getLength(to); i++) {
          assertEquals(
              Array.get(expected, i), Array.get(to, i), dtype + ", seed " + seed + ", at " + i);
        }
      }
    }
  }

  @Test
  void rowsAreTurnedAndTurnedBackAndNothingElseIsWritten() {
    for (DType dtype : DType.values()) {
      for (int seed = 0; seed < 300; seed++) {
        Random r = new Random(seed);
        int m = 1 + r.nextInt(seed % 2 == 0 ? 20 : 200);
        int n = 1 + r.nextInt(40);
        int apart = n + r.nextInt(3);
        Object from = dtype.newArray(3 + (m - 1) * apart + n + r.nextInt(3));
        for (int i = 0; i < Array.getLength(from); i++) {
          set(from, i, 1 + i % 100);
        }
        int width = m + r.nextInt(20);
        Object turned = dtype.newArray(width * Math.max(n, Forms.lanes(dtype)));
        Blocks.of(dtype).turn(from, 3, apart, turned, width, m, n);
        Object back = dtype.newArray(m * n + 40);
        Object expected = dtype.newArray(m * n + 40);
        for (int i = 0; i < m; i++) {
          for (int j = 0; j < n; j++) {
            Object element = Array.get(from, 3 + i * apart + j);
            assertEquals(element, Array.get(turned, j * width + i), dtype + ", seed " + seed);
            Array.set(expected, 20 + i * n + j, element);
          }
        }
        Blocks.of(dtype).turnBack(turned, width, back, 20, m, n);
        for (int i = 0; i < m * n + 40; i++) {
          assertEquals(Array.get(expected, i), Array.get(back, i), dtype + ", seed " + seed);
        }
      }
    }
  }

  private static void set(Object array, int i, int value) {
    switch (array) {
      case boolean[] a -> a[i] = value % 3 == 0;
      case int[] a -> a[i] = value;
      case long[] a -> a[i] = value;
      case float[] a -> a[i] = value;
      default -> ((double[]) array)[i] = value;
    }
  }
}
