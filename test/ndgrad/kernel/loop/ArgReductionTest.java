package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class ArgReductionTest extends InForm {
  private final Random random = new Random(4);

  @Test
  void findsTheFirstNanElseTheFirstExtreme() {
    for (int round = 0; round < 1200; round++) {
      int[] shape = Samples.shape(random, 1, 4);
      int axis = random.nextInt(shape.length);
      shape[axis] = Math.max(1, shape[axis]);
      if (round % 3 == 0) {
        int big = random.nextInt(shape.length);
        shape[big] = shape[big] == 0 ? 0 : 10 + random.nextInt(600);
      }
      boolean max = random.nextBoolean();
      Strided in = Samples.array(random, DType.values()[round % 5], shape);
      int[] kept = without(shape, axis);
      Strided out = Samples.target(random, DType.INT64, kept);
      ArgReduction.run(out, in, axis, max);
      double[] want = new double[(int) out.layout().size()];
      for (int i = 0; i < want.length; i++) {
        want[i] = first(in, Samples.unravel(i, kept), axis, max);
      }
      assertArrayEquals(
          want,
          Samples.values(out),
          in.layout() + Arrays.toString(in.layout().strides()) + axis + " " + max + in.dtype());
    }
  }

  @Test
  void manyShortRunsAreSearchedAsEachIs() {
    for (int round = 0; round < 60; round++) {
      int n = 1 + random.nextInt(33);
      int[] shape = round % 2 == 0 ? new int[] {5000 / n, n} : new int[] {41, n, 120 / n + 1};
      DType dtype = DType.values()[round % 5];
      Strided in = Samples.array(random, dtype, shape);
      Strided out = Samples.target(random, DType.INT64, without(shape, 1));
      boolean max = random.nextBoolean();
      ArgReduction.run(out, in, 1, max);
      for (int i = 0; i < out.layout().size(); i++) {
        int[] kept = Samples.unravel(i, without(shape, 1));
        assertEquals(
            first(in, kept, 1, max), Samples.get(out, kept), shape[0] + " by " + n + dtype);
      }
    }
  }

  @Test
  void aLongRunIsOneWhateverItsParts() {
    int n = 200_000;
    for (int[] shape : new int[][] {{n}, {n, 2}, {2, n}, {2, n, 2}}) {
      int axis = shape[0] == n ? 0 : 1;
      for (double special : new double[] {9, -9, Double.NaN}) {
        Strided in = Strided.zeros(DType.FLOAT32, shape);
        // The same at several places: the first is wanted.
        for (int at : new int[] {99_999, 40_000, 131_072, n - 1}) {
          for (int i = 0; i < in.layout().size() / n; i++) {
            int[] kept = Samples.unravel(i, without(shape, axis));
            int[] index = new int[shape.length];
            System.arraycopy(kept, 0, index, 0, axis);
            index[axis] = at + (at == 40_000 ? i : 0);
            System.arraycopy(kept, axis, index, axis + 1, kept.length - axis);
            Samples.set(in.array(), in.layout().position(index), special);
          }
        }
        for (boolean max : new boolean[] {true, false}) {
          Strided out = Strided.zeros(DType.INT64, without(shape, axis));
          ArgReduction.run(out, in, axis, max);
          boolean wins = Double.isNaN(special) || max == special > 0;
          for (int i = 0; i < out.layout().size(); i++) {
            assertEquals(wins ? 40_000 + i : 0, ((long[]) out.array())[i]);
          }
        }
      }
    }
  }

  private static int[] without(int[] shape, int axis) {
    int[] out = new int[shape.length - 1];
    System.arraycopy(shape, 0, out, 0, axis);
    System.arraycopy(shape, axis + 1, out, axis, out.length - axis);
    return out;
  }

  private static int first(Strided in, int[] kept, int axis, boolean max) {
    int at = 0;
    double best = Double.NaN;
    for (int i = 0; i < in.layout().dim(axis); i++) {
      int[] index = new int[kept.length + 1];
      System.arraycopy(kept, 0, index, 0, axis);
      index[axis] = i;
      System.arraycopy(kept, axis, index, axis + 1, kept.length - axis);
      double x = Samples.get(in, index);
      if (Double.isNaN(x)) {
        return i;
      }
      if (i == 0 || (max ? x > best : x < best)) {
        best = x;
        at = i;
      }
    }
    return at;
  }
}
