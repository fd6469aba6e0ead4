package ndgrad.op.spec;

import java.util.Arrays;
import ndgrad.autograd.Backward;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Strided;

/** The arithmetic that reverse mode needs to add gradients up. */
public final class Sums implements Backward.Arithmetic {
  /** The only instance. */
  public static final Sums INSTANCE = new Sums();

  private static final Elementwise PLUS =
      Spec.define("accumulate", "a, b")
          .internal()
          .elementwise(Typing.PROMOTE, Expr.in(0).plus(Expr.in(1)));

  private Sums() {}

  @Override
  public Tensor add(Tensor a, Tensor b) {
    return PLUS.of(a, b);
  }

  @Override
  public void addInto(Tensor a, Tensor b) {
    PLUS.runInto(new Tensor[] {a, b});
  }

  @Override
  public Tensor copy(Tensor a) {
    return a.level() == 0 && !GradMode.isEnabled()
        ? new Tensor(Copies.copyOf(a.strided()))
        : Structural.COPY.of(a);
  }

  @Override
  public Tensor onesLike(Tensor like) {
    Strided ones = Strided.empty(like.dtype(), like.shape());
    if (ones.array() instanceof float[] floats) {
      Arrays.fill(floats, 1);
    } else {
      Arrays.fill((double[]) ones.array(), 1);
    }
    return new Tensor(ones);
  }
}
