package ndgrad.op;

import static ndgrad.op.Slopes.doubles;
import static ndgrad.op.Slopes.gradient;
import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import ndgrad.DType;
import ndgrad.MutationException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Structural;
import org.junit.jupiter.api.Test;

class ShapesTest {
  private static Tensor counted(int... shape) {
    Tensor t = new Tensor(Strided.zeros(DType.FLOAT64, shape));
    double[] values = (double[]) t.strided().array();
    for (int i = 0; i < values.length; i++) {
      values[i] = i;
    }
    return t;
  }

  private static Tensor call(ndgrad.op.spec.Op op, Map<String, ?> options, Object... args) {
    return (Tensor) op.call(options, args);
  }

  private static List<Tensor> viewsOf(Tensor x) {
    return List.of(
        Shapes.RESHAPE.of(x, new int[] {12, 2}),
        Shapes.FLATTEN.of(x),
        Shapes.TRANSPOSE.of(x),
        Shapes.SWAPAXES.of(x, 0, 2),
        Shapes.MOVEAXIS.of(x, 0, -1),
        Shapes.UNSQUEEZE.of(x, 1),
        Shapes.SQUEEZE.of(Shapes.UNSQUEEZE.of(x, 1)),
        Shapes.FLIP.of(x),
        Shapes.DIAGONAL.of(x),
        Shapes.NARROW.of(x, 0, 0, 1),
        Indexing.get(x, List.of(0L, 0L, 0L)),
        Indexing.get(x, ":, newaxis, ::-1"));
  }

  @Test
  void viewsShareStorageAndVersion() {
    Tensor x = counted(2, 3, 4);
    int version = 0;
    for (Tensor view : viewsOf(x)) {
      assertSame(x.strided().storage(), view.strided().storage());
      Indexing.set(view, ndgrad.Index.ellipsis(), -1.0);
      assertEquals(++version, x.strided().storage().version());
    }
    Tensor two = counted(4, 2);
    List<?> parts = (List<?>) Joining.SPLIT.call(two, 3);
    for (Object part : parts) {
      assertSame(two.strided().storage(), ((Tensor) part).strided().storage());
    }
  }

  @Test
  void writingThroughAnyViewOfASavedValueIsFound() {
    for (int i = 0; i < viewsOf(counted(2, 3, 4)).size(); i++) {
      Tensor x = counted(2, 3, 4);
      x.requireGrad(true);
      Tensor y = Arithmetic.MUL.of(x, 1.0);
      Tensor squares = Arithmetic.MUL.of(y, y);
      Indexing.set(viewsOf(y).get(i), ndgrad.Index.ellipsis(), 0.0);
      assertThrows(MutationException.class, () -> gradient(squares, x), "view " + i);
    }
  }

  @Test
  void reshapeCopiesOnlyWhereStridesForceIt() {
    Tensor x = counted(4, 6);
    Tensor wide = Shapes.TRANSPOSE.of(x);
    Tensor copied = Shapes.RESHAPE.of(wide, -1);
    assertNotSame(x.strided().storage(), copied.strided().storage());
    assertArrayEquals(new double[] {0, 6, 12, 18, 1}, doubles(Shapes.NARROW.of(copied, 0, 0, 5)));
    Tensor cut = Shapes.RESHAPE.of(wide, new int[] {2, 3, 2, 2});
    assertSame(x.strided().storage(), cut.strided().storage());
    Tensor rows = Shapes.RESHAPE.of(Indexing.get(x, "::2"), new int[] {2, 3, 2});
    assertSame(x.strided().storage(), rows.strided().storage());
    assertEquals(2 * 6, rows.layout().stride(0));
  }

  @Test
  void aCopyingReshapeHasTheSameGradient() {
    Tensor x = tracked(1, 2, 3, 4, 5, 6);
    Tensor matrix = Shapes.TRANSPOSE.of(Shapes.RESHAPE.of(x, new int[] {2, 3}));
    Tensor flat = Shapes.RESHAPE.of(matrix, -1);
    Tensor y = Arithmetic.MUL.of(flat, counted(6));
    assertArrayEquals(new double[] {0, 2, 4, 1, 3, 5}, doubles(gradient(y, x)));
  }

  @Test
  void joinedDtypesArePromotedAndGradientsConvertedBack() {
    Tensor narrow = new Tensor(Nested.array(new float[] {1, 2}));
    narrow.requireGrad(true);
    Tensor wide = tracked(3);
    Tensor ints = new Tensor(Nested.array(new int[] {4}));
    Tensor y = Joining.CAT.of(List.of(narrow, wide, ints));
    assertEquals(DType.FLOAT64, y.dtype());
    assertEquals(DType.FLOAT32, gradient(y, narrow).dtype());
    assertArrayEquals(new double[] {1}, doubles(gradient(y, wide)));
    Tensor twice = Joining.CAT.of(List.of(wide, wide));
    assertArrayEquals(new double[] {2}, doubles(gradient(twice, wide)));
  }

  @Test
  void piecesOfOneArrayBringTheirGradientsTogether() {
    Tensor x = tracked(1, 2, 3, 4, 5);
    List<Tensor> parts =
        ((List<?>) Joining.SPLIT.call(x, List.of(2L, 3L)))
            .stream().map(Tensor.class::cast).toList();
    Tensor y =
        Joining.CAT.of(
            Stream.of(Arithmetic.MUL.of(parts.get(0), 10.0), parts.get(1), parts.get(1)).toList());
    assertArrayEquals(new double[] {10, 10, 2, 2, 2}, doubles(gradient(y, x)));
  }

  @Test
  void repeatedPaddingAddsItsGradients() {
    Tensor x = tracked(1, 2, 3);
    Tensor edge = call(Rearranging.PAD, Map.of("mode", "edge"), x, List.of(2L, 1L));
    assertArrayEquals(new double[] {3, 1, 2}, doubles(gradient(edge, x)));
    Tensor wrap = call(Rearranging.PAD, Map.of("mode", "wrap"), x, 3L);
    assertArrayEquals(new double[] {3, 3, 3}, doubles(gradient(wrap, x)));
  }

  @Test
  void resultsThatAreNoViewsNeverAlias() {
    Tensor x = counted(1, 1);
    List<Tensor> copies =
        List.of(
            Rearranging.TILE.of(x, 1),
            Rearranging.REPEAT.of(x, 1),
            Rearranging.ROLL.of(x, 0),
            Rearranging.PAD.of(x, 0),
            call(Rearranging.PAD, Map.of("mode", "wrap"), x, 0L),
            Rearranging.DIAG.of(x),
            Joining.CAT.of(List.of(x)),
            Joining.STACK.of(List.of(x)),
            Lookup.FILL.of(x, x),
            Indexing.SETITEM.of(x, List.of(), x));
    for (Tensor copy : copies) {
      assertNotSame(x.strided().storage(), copy.strided().storage());
    }
    for (Object grid : (List<?>) Rearranging.MESHGRID.call(List.of(Shapes.FLATTEN.of(x)))) {
      assertNotSame(x.strided().storage(), ((Tensor) grid).strided().storage());
    }
  }

  @Test
  void axesAreCountedBeyondAnInt() {
    Tensor x = Structural.BROADCAST_TO.of(counted(1), new int[] {65_536, 65_536});
    assertEquals(64, Shapes.RESHAPE.of(x, new int[] {1024, -1, 65_536}).dim(1));
    int[] apart = {256, 256, 256, 256};
    assertArrayEquals(apart, Shapes.RESHAPE.of(x, apart).shape());
    assertThrows(ShapeException.class, () -> Shapes.RESHAPE.of(x, new int[] {-1}));
    assertThrows(ShapeException.class, () -> Shapes.FLATTEN.of(x));
  }
}
