package ndgrad.op;

import static ndgrad.op.Slopes.tracked;
import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;

import java.util.Collections;
import java.util.List;
import java.util.Map;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import org.junit.jupiter.api.Test;

class SelectionTest {
  private static final double INF = Double.POSITIVE_INFINITY;

  private static Tensor array(Object value) {
    return new Tensor(Nested.array(value));
  }

  @Test
  void nothingGetsThroughTheBranchNotTaken() {
    Tensor a = tracked(1, 2, 3, 4);
    Tensor b = tracked(5, 6, 7, 8);
    Tensor cond = array(new boolean[] {true, false, true, false});
    Tensor y = Selection.WHERE.of((Object) cond, a, b);
    Tensor upstream = array(new double[] {Double.NaN, Double.NaN, INF, INF});
    Tensor[] g = Reverse.gradients(List.of(y), List.of(upstream), List.of(a, b), true, false);
    assertArrayEquals(new double[] {Double.NaN, 0, INF, 0}, Slopes.doubles(g[0]));
    assertArrayEquals(new double[] {0, Double.NaN, 0, INF}, Slopes.doubles(g[1]));
  }

  @Test
  void clipPassesGradientsInsideAndAtTheBounds() {
    Tensor x = tracked(-2, -1, 0, 1, 2);
    assertArrayEquals(new double[] {0, 1, 1, 1, 0}, Slopes.of(Selection.CLIP, 0, x, -1.0, 1.0));
    assertArrayEquals(
        new double[] {0, 1, 1, 1, 1}, Slopes.of(Selection.CLIP, 0, Map.of("lo", -1.0), x));
    assertArrayEquals(
        new double[] {1, 1, 1, 1, 0}, Slopes.of(Selection.CLIP, 0, Map.of("hi", 1.0), x));
  }

  @Test
  void clipPassesGradientsToTheBoundThatReplacedAnElement() {
    Tensor x = array(new double[] {-2, 0, 2, 0});
    Tensor lo = tracked(-1, -1, -1, 2);
    Tensor hi = tracked(1, 1, 1, 1);
    assertArrayEquals(new double[] {1, 0, 0, 0}, Slopes.of(Selection.CLIP, 1, x, lo, hi));
    assertArrayEquals(new double[] {0, 0, 1, 1}, Slopes.of(Selection.CLIP, 2, x, lo, hi));
  }

  @Test
  void hostNumbersGiveWayToArraysOnEitherSideOfThem() {
    boolean[] mask = {true, false};
    float[] single = {0.5f, 2};
    int[] integers = {1, 2};
    assertEquals(DType.FLOAT32, Selection.CLIP.of((Object) mask, 0.5, single).dtype());
    assertEquals(DType.FLOAT32, Selection.CLIP.of((Object) mask, single, 0.5).dtype());
    assertEquals(DType.INT32, Selection.CLIP.of((Object) mask, 2, integers).dtype());
    assertEquals(DType.FLOAT64, Selection.CLIP.of((Object) mask, 0.5, 1.5).dtype());
    assertEquals(DType.FLOAT64, Selection.CLIP.of((Object) integers, 0.5, single).dtype());
    assertEquals(DType.FLOAT32, Selection.LERP.of((Object) mask, 0.5, single).dtype());
  }

  @Test
  void withoutBoundsClipCopies() {
    Tensor x = tracked(1, 2);
    Tensor y = (Tensor) Selection.CLIP.call(x, null, null);
    assertNotSame(x.strided().storage(), y.strided().storage());
    assertArrayEquals(new double[] {1, 1}, Slopes.doubles(Slopes.gradient(y, x)));
  }

  @Test
  void inPlaceOnTheTapeKeepsWhatItsGradientReads() {
    Tensor x = tracked(-2, 0, 2);
    Tensor y = Arithmetic.MUL.of(x, 3.0);
    InPlace.call(Selection.CLIP, Map.of(), y, -1.0, 7.0);
    assertArrayEquals(new double[] {-1, 0, 6}, Slopes.doubles(y));
    assertArrayEquals(new double[] {0, 3, 3}, Slopes.doubles(Slopes.gradient(y, x)));
  }

  @Test
  void clipInPlaceTakesTheArrayItselfAsABound() {
    Tensor x = tracked(-2, 2);
    Tensor y = Arithmetic.MUL.of(x, 3.0);
    InPlace.call(Selection.CLIP, Map.of(), y, 0.0, y);
    assertArrayEquals(new double[] {-6, 6}, Slopes.doubles(y));
    assertArrayEquals(new double[] {3, 3}, Slopes.doubles(Slopes.gradient(y, x)));
  }

  @Test
  void nanToNumUsesTheLimitsOfTheDtype() {
    Tensor x = array(new float[] {Float.POSITIVE_INFINITY, Float.NEGATIVE_INFINITY, Float.NaN, 1});
    Tensor y = Selection.NAN_TO_NUM.of(x);
    assertEquals(DType.FLOAT32, y.dtype());
    float max = Float.MAX_VALUE;
    assertArrayEquals(new float[] {max, -max, 0, 1}, (float[]) y.strided().array());
    assertArrayEquals(
        new double[] {1, 0, 0, 0},
        Slopes.of(Selection.NAN_TO_NUM, 0, tracked(1, Double.NaN, INF, -INF)));
  }

  @Test
  void roundingHasNoSlope() {
    Tensor x = tracked(-1.5, 0, 0.25, 2);
    for (var op : List.of(Selection.FLOOR, Selection.CEIL, Selection.TRUNC, Selection.ROUND)) {
      assertArrayEquals(new double[4], Slopes.of(op, 0, x), op.name());
    }
    assertArrayEquals(new double[4], Slopes.of(Selection.ROUND, 0, Map.of("decimals", 1), x));
    Tensor y = Selection.FLOOR.of(x);
    Tensor infinite = array(new double[] {INF, INF, INF, INF});
    Tensor[] g =
        Reverse.gradients(List.of(y), List.of(infinite), Collections.singletonList(x), true, false);
    assertArrayEquals(new double[4], Slopes.doubles(g[0]));
  }

  @Test
  void wholeNumbersStayWhole() {
    Array x = Array.of(1L, 5L);
    assertEquals(List.of(2L, 3L), x.clip(2, 3).toList());
    assertEquals(List.of(2L, 5L), x.clip(2).toList());
    assertEquals(List.of(1.5, 3.0), x.clip(1.5, 3).toList());
    assertEquals(List.of(7L, 8L), x.gt(3).logicalNot().where(7, 8).toList());
    assertEquals(List.of(2L, 3L), x.clipInPlace(2, 3).toList());
  }
}
