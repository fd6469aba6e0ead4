package ndgrad.kernel.code;

import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;

import java.lang.ref.WeakReference;
import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import org.junit.jupiter.api.Test;

class FoldKernelTest {
  private static FoldKernel.Spec sum(Expr of) {
    return new FoldKernel.Spec(
        of,
        Expr.Fn2.ADD,
        DType.FLOAT64,
        DType.FLOAT64,
        List.of(DType.FLOAT64),
        List.of(FoldKernel.Step.UNIT));
  }

  @Test
  void kernelsOfElementsAsTheyAreAreShared() {
    assertSame(FoldKernel.of(sum(Expr.in(0))), FoldKernel.of(sum(Expr.in(0))));
  }

  /** There are as many expressions as numbers in them: who keeps all their kernels never ends. */
  @Test
  void kernelsOfExpressionsAreKeptByTheirUsersOnly() throws InterruptedException {
    WeakReference<FoldKernel> made =
        new WeakReference<>(FoldKernel.of(sum(Expr.in(0).times(1.2345))));
    for (int i = 0; i < 100 && made.get() != null; i++) {
      System.gc();
      Thread.sleep(10);
    }
    assertNull(made.get());
  }
}
