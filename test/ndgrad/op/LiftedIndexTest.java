package ndgrad.op;

import static ndgrad.op.Slopes.doubles;
import static ndgrad.op.Slopes.gradient;
import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.function.UnaryOperator;
import ndgrad.GraphException;
import ndgrad.Index;
import ndgrad.IndexException;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import org.junit.jupiter.api.Test;

/** Indexing inside functional transforms: indexes of their own for every example, and tangents. */
class LiftedIndexTest {
  private static Tensor array(Object nested) {
    return new Tensor(Nested.array(nested));
  }

  private static Tensor batched(long level, Object nested) {
    return Tensor.lifted(new Lift.Batched(level, array(nested)));
  }

  private static Tensor examples(Tensor t) {
    return ((Lift.Batched) t.lift().orElseThrow()).physical();
  }

  @Test
  void everyExampleHasItsOwnIndexes() {
    long level = Lift.newLevel();
    Tensor table = tracked(10, 20, 30);
    Tensor rows = batched(level, new int[][] {{0, 2}, {1, 1}});
    Tensor got = examples(Lookup.EMBEDDING.of(table, rows));
    assertArrayEquals(new int[] {2, 2}, got.shape());
    assertArrayEquals(new double[] {10, 30, 20, 20}, doubles(got));
    assertArrayEquals(new double[] {1, 2, 1}, doubles(gradient(got, table)));
    Tensor one = batched(level, new int[] {2, 0});
    assertArrayEquals(new double[] {30, 10}, doubles(examples(Indexing.get(table, one))));
    Tensor outside = batched(level, new int[] {2, 3});
    assertThrows(IndexException.class, () -> Indexing.get(table, outside));
  }

  @Test
  void aGradientInsideABatchUsesItsExamplesIndexes() {
    long level = Lift.newLevel();
    Tensor x = batched(level, new double[][] {{1, 2, 3}, {4, 5, 6}}).alias();
    x.requireGrad(true);
    Tensor one = batched(level, new int[] {2, 0});
    Tensor square = Indexing.get(Arithmetic.MUL.of(x, x), List.of(one));
    assertArrayEquals(new double[] {0, 0, 6, 8, 0, 0}, doubles(examples(gradient(square, x))));
    Tensor y = Indexing.SETITEM.of(x, List.of(one), 0.0);
    assertArrayEquals(new double[] {1, 1, 0, 0, 1, 1}, doubles(examples(gradient(y, x))));
    assertThrows(GraphException.class, () -> Indexing.set(array(new int[3]), one, 1L));
  }

  @Test
  void oneHotOfABatch() {
    Tensor classes = batched(Lift.newLevel(), new int[] {1, 0});
    Object hot = Lookup.ONE_HOT.call(classes, 2);
    Tensor physical = examples((Tensor) hot);
    assertArrayEquals(new long[] {0, 1, 1, 0}, (long[]) physical.strided().array());
  }

  @Test
  void tangentsTakeTheSameWayAsValues() {
    Tensor x = array(new double[][] {{1, 2, 3}, {4, 5, 6}});
    Tensor dx = array(new double[][] {{7, -1, 2}, {0, 3, 9}});
    List<UnaryOperator<Tensor>> linear =
        List.of(
            t -> Indexing.get(t, ":, [2, 0, 2]"),
            t -> Indexing.get(t, "1, ::-1"),
            t -> Indexing.SETITEM.of(t, List.of(0L, Index.of(1)), 0.0),
            t -> Indexing.SETITEM.of(t, List.of(0L), 0.0),
            t -> Rearranging.ROLL.of(t, 1),
            t -> Rearranging.TRIU.of(t, 1),
            t -> Rearranging.TILE.of(t, 2),
            t -> Rearranging.REPEAT.of(t, List.of(1L, 0L, 2L), 1),
            t -> Rearranging.PAD.of(t, 1),
            t -> Rearranging.PAD.of(t, 1, 0.0, "wrap"),
            t -> Joining.CAT.of(List.of(t, t), 1),
            t -> Joining.STACK.of(List.of(t, t)),
            t -> Sorting.TAKE_ALONG_AXIS.of(t, List.of(List.of(2L), List.of(0L))),
            t -> Shapes.RESHAPE.of(Shapes.TRANSPOSE.of(t), -1),
            t -> Shapes.DIAGONAL.of(t, 1),
            Rearranging.DIAG::of,
            Shapes.FLIP::of);
    for (int i = 0; i < linear.size(); i++) {
      Tensor dual = Tensor.lifted(new Lift.Dual(Lift.newLevel(), x, dx));
      Lift.Dual got = (Lift.Dual) linear.get(i).apply(dual).lift().orElseThrow();
      String what = "function " + i;
      assertArrayEquals(doubles(linear.get(i).apply(x)), doubles(got.primal()), what);
      assertArrayEquals(doubles(linear.get(i).apply(dx)), doubles(got.tangent()), what);
    }
  }
}
