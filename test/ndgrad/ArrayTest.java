package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import org.junit.jupiter.api.Test;

class ArrayTest {

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
