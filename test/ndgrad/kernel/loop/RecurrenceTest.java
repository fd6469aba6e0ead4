package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

class RecurrenceTest {
  private final Random random = new Random(3);

  /** Lines that run side by side, what is left of them, and lines that are columns. */
  @Test
  void everyElementIsMadeOfTheOneBeforeIt() {
    int[][] shapes = {{1, 1}, {4, 1}, {3, 5}, {9, 4}, {2, 7, 3}, {5, 1, 6}, {0, 3}, {3, 0}};
    for (int[] shape : shapes) {
      for (int axis = 0; axis < shape.length; axis++) {
        Strided a = Samples.array(random, DType.FLOAT64, shape);
        Strided b = Samples.array(random, DType.FLOAT64, shape);
        for (boolean reverse : new boolean[] {false, true}) {
          Strided y = Recurrence.solve(a, b, axis, reverse);
          assertArrayEquals(solved(a, b, axis, reverse), (double[]) y.array());
        }
      }
    }
  }

  private static double[] solved(Strided a, Strided b, int axis, boolean reverse) {
    Layout l = Layout.of(b.layout().shape());
    double[] y = new double[l.intSize()];
    int n = l.size() == 0 ? 0 : l.dim(axis);
    for (int step = 0; step < n; step++) {
      int at = reverse ? n - 1 - step : step;
      for (int i = 0; i < y.length; i++) {
        int[] index = Samples.unravel(i, l.shape());
        if (index[axis] == at) {
          y[i] = element(b, index);
          if (step > 0) {
            y[i] += element(a, index) * y[i + (reverse ? 1 : -1) * l.stride(axis)];
          }
        }
      }
    }
    return y;
  }

  private static double element(Strided x, int[] index) {
    return ((double[]) x.array())[x.layout().position(index)];
  }
}
