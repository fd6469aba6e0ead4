package ndgrad.op;

import java.util.List;
import ndgrad.autograd.Backward;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Sums;

/** Reverse mode with the arithmetic it needs. */
public final class Reverse {
  private Reverse() {}

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
    Backward.run(outputs, upstream, retainGraph, createGraph, Sums.INSTANCE);
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
    return Backward.gradients(outputs, upstream, inputs, retainGraph, createGraph, Sums.INSTANCE);
  }

  /**
   * The gradients of outputs with respect to chosen arrays, as if those depended on nothing; the
   * graph is kept.
   *
   * @param outputs what to differentiate
   * @param upstream their cotangents
   * @param inputs with respect to what
   * @param createGraph whether the pass is recorded
   * @return one an input; null where no output depends on it
   */
  public static Tensor[] gradientsUpTo(
      List<Tensor> outputs, List<Tensor> upstream, List<Tensor> inputs, boolean createGraph) {
    return Backward.gradientsUpTo(outputs, upstream, inputs, createGraph, Sums.INSTANCE);
  }

  /**
   * Whether outputs depend on a tracked array other than through some inputs.
   *
   * @param outputs what was computed
   * @param inputs with respect to what it is differentiated
   * @return true when somebody else may differentiate them, too
   */
  public static boolean dependsOnMore(List<Tensor> outputs, List<Tensor> inputs) {
    return !Backward.boundary(outputs, inputs, Node::isLeaf).isEmpty();
  }
}
