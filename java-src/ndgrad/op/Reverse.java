package ndgrad.op;

import java.util.List;
import ndgrad.autograd.Backward;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Strided;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Structural;

/** Reverse mode with the arithmetic it needs. */
public final class Reverse {
  private Reverse() {}

  private static final Backward.Arithmetic ARITHMETIC =
      new Backward.Arithmetic() {
        @Override
        public Tensor add(Tensor a, Tensor b) {
          return Arithmetic.ADD.of(a, b);
        }

        @Override
        public void addInto(Tensor a, Tensor b) {
          InPlace.call(Arithmetic.ADD, List.of(a, b), java.util.Map.of());
        }

        @Override
        public Tensor copy(Tensor a) {
          return Structural.COPY.of(a);
        }

        @Override
        public Tensor onesLike(Tensor like) {
          Tensor ones = new Tensor(Strided.zeros(like.dtype(), like.shape()));
          return InPlace.assign(ones, Nested.tensor(1L), "ones");
        }
      };

  /**
   * Accumulates the gradients of an output in the leaves it depends on.
   *
   * @param outputs what to differentiate
   * @param upstream their cotangents; null for 1 where one has a single element
   * @param retainGraph whether the graph can be used again
   * @param createGraph whether the pass is recorded
   */
  public static void backward(
      List<Tensor> outputs, List<Tensor> upstream, boolean retainGraph, boolean createGraph) {
    Backward.run(outputs, upstream, retainGraph, createGraph, ARITHMETIC);
  }

  /**
   * The gradients of outputs with respect to chosen arrays, which are left alone.
   *
   * @param outputs what to differentiate
   * @param upstream their cotangents; null for 1 where one has a single element
   * @param inputs with respect to what
   * @param retainGraph whether the graph can be used again
   * @param createGraph whether the pass is recorded
   * @return one an input; null where no output depends on it
   */
  public static Tensor[] gradients(
      List<Tensor> outputs,
      List<Tensor> upstream,
      List<Tensor> inputs,
      boolean retainGraph,
      boolean createGraph) {
    return Backward.gradients(outputs, upstream, inputs, retainGraph, createGraph, ARITHMETIC);
  }
}
