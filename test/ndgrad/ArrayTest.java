package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Path;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.random.RandomGenerator;
import ndgrad.io.Npz;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.Executable;

class ArrayTest {
  private static void refusesNull(String argument, Executable call) {
    String message = assertThrows(ArgumentException.class, call).getMessage();
    assertTrue(message.endsWith(argument + " must not be null"), message);
  }

  @Test
  void nullIsRefusedByTheNameOfTheArgument() {
    Array x = Array.ones(2);
    Options none = null;
    refusesNull("sum: options", () -> x.sum(none));
    refusesNull("zeros: options", () -> Array.zeros(new int[] {2}, none));
    refusesNull("round: options", () -> x.roundInPlace(none));
    refusesNull("array: dtype", () -> Array.of(1, (DType) null));
    refusesNull("wrap: shape", () -> Array.wrap(new double[1], (int[]) null));
    refusesNull("get: index", () -> x.get((Object[]) null));
    refusesNull("index", () -> x.set(1, (Object[]) null));
    refusesNull("hook", () -> x.registerHook(null));
    refusesNull("array", () -> PrintOptions.DEFAULT.format(null));
    refusesNull("positions", () -> Index.of((int[]) null));
    refusesNull("text", () -> Index.parse(null));
    refusesNull("outputs", () -> Graph.of((Array[]) null));
    refusesNull("output", () -> Graph.of((Array) null));
    refusesNull("file", () -> Graph.of(Array.ones(1).requiresGrad(true)).draw(null));
    refusesNull("f", () -> Fuse.fuse(null));
    refusesNull("f", () -> Fuse.fuses(null));
    refusesNull("x", () -> Fuse.fuse(a -> a).apply(null));
    refusesNull("key", () -> Random.with((Random.Key) null));
    refusesNull("generator", () -> Random.with((RandomGenerator) null));
    refusesNull("shape", () -> Random.rand((int[]) null));
    refusesNull("size", () -> Random.draw().choice(3, (int[]) null));
    refusesNull("the array", () -> Random.choice(null, 3));
    refusesNull("low", () -> Random.draw().uniform(null, x, 2));
    refusesNull("p", () -> Random.draw().bernoulli(null, 2));
    refusesNull("f", () -> GradCheck.check(null, x));
    refusesNull("input 0", () -> GradCheck.check(xs -> xs.getFirst(), (Array) null));
    refusesNull("array", () -> Autograd.backward(Arrays.asList(x, null), List.of(), false, false));
    refusesNull("file", () -> Npz.load(null));
    refusesNull("arrays", () -> Npz.save(Path.of("none"), null));
    Map<String, Array> holds = new HashMap<>();
    holds.put("a", null);
    refusesNull("the array a", () -> Npz.save(Path.of("none"), holds));
  }

  @Test
  void noListOfArraysIsRefusedByItsOp() {
    Array[] none = null;
    for (Executable call :
        List.<Executable>of(
            () -> Array.stack(none), () -> Array.cat(none), () -> Array.einsum("i->", none))) {
      String message = assertThrows(ArgumentException.class, call).getMessage();
      assertTrue(message.endsWith(": argument xs must be given, got no value"), message);
    }
  }

  @Test
  void aNumberGivesWayToTheArrayBesideIt() {
    Array x = Array.of(1f, 2f);
    Array mask = Array.of(true, false);
    for (Array y :
        List.of(
            mask.where(x, 0),
            mask.where(0.5, x),
            x.maskedFill(mask, Double.NEGATIVE_INFINITY),
            x.lerp(x, 0.25),
            x.lerp(1, x))) {
      assertEquals(DType.FLOAT32, y.dtype());
    }
    assertEquals(List.of(1.0, 0.0), mask.where(x, 0).toList());
    assertEquals(List.of(7L, 2L), Array.of(1L, 2L).maskedFill(mask, 7).toList());
    assertEquals(List.of(0.5, 2.0), x.maskedFillInPlace(mask, 0.5).toList());
    assertEquals(List.of(1.25, 3.5), x.lerpInPlace(Array.of(3.5f, 8f), 0.25).toList());
    assertEquals(List.of(1.25, 9.0), x.setItem(1, 9).toList());
  }

  @Test
  void aGradientThatIsSetFitsItsArray() {
    Array leaf = Array.ones(3).astype(DType.FLOAT32).detach().requiresGrad(true);
    assertThrows(ArgumentException.class, () -> leaf.setGrad(null));
    assertThrows(DTypeException.class, () -> leaf.setGrad(Array.ones(3)));
    assertThrows(DTypeException.class, () -> leaf.setGrad(Array.ones(3).astype(DType.INT32)));
    assertThrows(ShapeException.class, () -> leaf.setGrad(Array.ones(2).astype(DType.FLOAT32)));
    assertFalse(leaf.hasGrad());
    Array gradient = Array.ones(3).astype(DType.FLOAT32);
    assertSame(leaf, leaf.setGrad(gradient));
    leaf.mul(2).sum().backward();
    assertEquals(DType.FLOAT32, leaf.grad().dtype());
    assertTrue(leaf.grad().allclose(Array.of(3.0)));
  }

  @Test
  void aFusedFunctionReadsNoGradientThatItKeeps() {
    Array outside = Array.ones(2).requiresGrad(true);
    outside.sum().backward();
    Fuse.One fused = Fuse.fuse(x -> x.add(outside.grad()));
    assertTrue(fused.apply(Array.ones(2)).allclose(Array.of(2.0)));
    outside.setGrad(Array.full(new int[] {2}, 5.0));
    assertTrue(fused.apply(Array.ones(2)).allclose(Array.of(6.0)));
  }
}
