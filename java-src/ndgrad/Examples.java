package ndgrad;

import java.util.function.UnaryOperator;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Structural;

/**
 * An axis of an array as the examples of a batch, and back. The array may stand for something at
 * higher levels, too: a cotangent comes from transforms that began after the batch's.
 *
 * @param level the level of the batch
 * @param axis where the array has the examples
 * @param size how many there are
 */
record Examples(long level, int axis, int size) {

  /** What one example sees of an array of all. */
  Tensor split(Tensor x) {
    return switch (x.lift().orElse(null)) {
      case Lift.Dual d when d.level() > level ->
          recorded(
              "split-batch",
              x,
              Lifted.dual(d.level(), split(d.primal()), split(d.tangent())),
              this::join);
      case Lift.Batched b when b.level() > level ->
          recorded(
              "split-batch",
              x,
              Lifted.batched(b.level(), within().split(b.physical())),
              this::join);
      case null, default -> Lifted.batched(level, moved(x, axis, 0));
    };
  }

  /** The array of all examples; repeated where it is the same for all. */
  Tensor join(Tensor y) {
    return switch (y.lift().orElse(null)) {
      case Lift.Dual d when d.level() > level ->
          recorded(
              "join-batch",
              y,
              Lifted.dual(d.level(), join(d.primal()), join(d.tangent())),
              this::split);
      case Lift.Batched b when b.level() > level ->
          recorded(
              "join-batch", y, Lifted.batched(b.level(), within().join(b.physical())), this::split);
      case null, default -> moved(Lifted.physical(y, level, size), 0, axis);
    };
  }

  /** The same behind a batch of a higher level, whose examples are in front. */
  private Examples within() {
    return new Examples(level, axis + 1, size);
  }

  private static Tensor moved(Tensor x, int from, int to) {
    return from == to ? x : Structural.MOVE_AXIS.of(x, from, to);
  }

  private static Tensor recorded(
      String name, Tensor from, Tensor to, UnaryOperator<Tensor> transpose) {
    if (!GradMode.isEnabled() || !from.requiresGrad()) {
      return to;
    }
    Rule rule =
        new Rule() {
          @Override
          public String name() {
            return name;
          }

          @Override
          public Tensor vjp(Node node, int input, Tensor g) {
            return transpose.apply(g);
          }
        };
    return to.madeBy(new Node(rule, null, new Tensor[] {from}, to.layout(), to.dtype()));
  }
}
