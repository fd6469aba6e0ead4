package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;

import java.util.Arrays;
import java.util.List;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Nested;
import org.junit.jupiter.api.Test;

/** What a table of values can't say about einsum. */
class EinsumTest {
  private static Tensor ones(int length) {
    double[] a = new double[length];
    Arrays.fill(a, 1);
    return new Tensor(new Strided(new Storage(a), Layout.of(length)));
  }

  @Test
  void pairsThatShrinkComeFirst() {
    Tensor x = ones(50_000);
    // From left to right the first step would be an array of 2.5e9 elements.
    Tensor y = Einsum.EINSUM.of("i,j,i,j->", List.of(x, x, x, x));
    assertEquals(2.5e9, Nested.item(y));
  }

  @Test
  void aNumberGivesWayToAnArrayBehindIt() {
    List<Object> operands = List.of(new boolean[] {true, false}, 0.5, new float[] {1, 2});
    assertEquals(DType.FLOAT32, Einsum.EINSUM.of("i,,i->i", operands).dtype());
  }

  @Test
  void theOutputSharesNothingWithAnOperand() {
    Tensor x = ones(3);
    assertNotSame(x.strided().storage(), Einsum.EINSUM.of("i->i", List.of(x)).strided().storage());
  }

  @Test
  void upperAndLowerCaseAreDifferentLettersSortedByCharacter() {
    Tensor x =
        new Tensor(new Strided(new Storage(new double[] {1, 2, 3, 4, 5, 6}), Layout.of(2, 3)));
    Tensor y = Einsum.EINSUM.of("iI", List.of(x));
    assertArrayEquals(new int[] {3, 2}, y.shape());
    assertArrayEquals(new double[] {1, 4, 2, 5, 3, 6}, (double[]) y.strided().array());
  }
}
