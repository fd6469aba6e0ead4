package ndgrad.optim;

import java.util.ArrayList;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.ShapeException;
import ndgrad.autograd.Trace;

/**
 * A way to update parameters from gradients: the numbers that govern it. Immutable; what it
 * remembers of a parameter from step to step, its slots, is passed in and out. Each update of a
 * parameter is a single pass over it, its gradient and its slots.
 */
public sealed interface Rule permits Sgd, Adam, AdamW {

  /**
   * The rule's name.
   *
   * @return in kebab-case
   */
  String name();

  /**
   * What is remembered of each parameter.
   *
   * @return the names of the slots: arrays of the parameter's shape and dtype that start as zeros
   */
  List<String> slots();

  /**
   * The learning rate.
   *
   * @return the rate
   */
  double lr();

  /**
   * The same with another learning rate, as schedules need it.
   *
   * @param rate the rate
   * @return a new rule
   */
  Rule withLr(double rate);

  /**
   * How one step is computed.
   *
   * @param step 1 for a parameter's first update
   * @return the kernel and its numbers
   */
  Update update(long step);

  /**
   * Zeros for what is remembered of a parameter.
   *
   * @param param the parameter, not modified
   * @return one fresh array a slot
   */
  default List<Array> init(Array param) {
    requireFloating(param);
    List<Array> zeros = new ArrayList<>();
    for (int i = 0; i < slots().size(); i++) {
      zeros.add(fresh(param));
    }
    return List.copyOf(zeros);
  }

  /**
   * Updates a parameter in place, which counts as one change of each array.
   *
   * @param param a leaf, whether or not it requires a gradient; modified
   * @param grad its gradient, of its shape and dtype; not modified
   * @param state its slots, modified
   * @param step 1 for its first update
   * @throws GraphException when the parameter is the result of a tracked op
   * @throws ArgumentException when the parameter is a broadcast view
   * @throws ShapeException when shapes differ
   * @throws DTypeException when dtypes differ or are not floating
   */
  default void apply(Array param, Array grad, List<Array> state, long step) {
    Trace.refuse("updates a parameter in place");
    check(param, grad, state, step);
    if (!param.isLeaf()) {
      throw new GraphException(
          name()
              + ": cannot update the result of a tracked op in place; pass the leaf, or use the"
              + " form that makes new arrays",
          "op",
          name(),
          "shape",
          param.shape());
    }
    if (param.tensor().isReadOnly()) {
      throw new ArgumentException(
          name() + ": cannot write into a broadcast view; copy it first", "op", name());
    }
    List<Array> targets = new ArrayList<>(state);
    targets.addFirst(param);
    update(step).run(targets, targets, grad);
    targets.forEach(t -> t.tensor().storage().bump(name()));
  }

  /**
   * What a parameter and its slots are after an update; nothing is modified.
   *
   * @param param the parameter
   * @param grad its gradient, of its shape and dtype
   * @param state its slots
   * @param step 1 for its first update
   * @return the new parameter, a leaf that requires a gradient if the old one did, and the new
   *     slots
   * @throws ShapeException when shapes differ
   * @throws DTypeException when dtypes differ or are not floating
   */
  default List<Array> next(Array param, Array grad, List<Array> state, long step) {
    check(param, grad, state, step);
    List<Array> sources = new ArrayList<>(state);
    sources.addFirst(param);
    List<Array> results = sources.stream().map(Rule::fresh).toList();
    update(step).run(results, sources, grad);
    results.getFirst().requiresGrad(param.requiresGrad());
    return results;
  }

  private static Array fresh(Array like) {
    return Array.wrap(like.dtype().newArray((int) like.size()), like.shape());
  }

  private void requireFloating(Array param) {
    if (!param.dtype().isFloating()) {
      throw new DTypeException(
          name() + ": parameters must be floating, this one is " + param.dtype(),
          "op",
          name(),
          "dtype",
          param.dtype().toString());
    }
  }

  private void check(Array param, Array grad, List<Array> state, long step) {
    requireFloating(param);
    if (step < 1) {
      throw new ArgumentException(name() + ": steps count from 1, got " + step, "step", step);
    }
    if (state.size() != slots().size()) {
      throw new ArgumentException(
          name() + " remembers " + slots() + " of a parameter, got " + state.size() + " arrays",
          "op",
          name(),
          "slots",
          slots());
    }
    requireLike(param, grad, "the gradient");
    for (int i = 0; i < state.size(); i++) {
      requireLike(param, state.get(i), slots().get(i));
    }
  }

  private void requireLike(Array param, Array other, String what) {
    if (!param.tensor().layout().sameShape(other.tensor().layout())) {
      throw new ShapeException(
          name()
              + ": "
              + what
              + " has shape "
              + other.tensor().layout()
              + ", the parameter "
              + param.tensor().layout(),
          "op",
          name(),
          "shapes",
          List.of(param.shape(), other.shape()));
    }
    if (param.dtype() != other.dtype()) {
      throw new DTypeException(
          name() + ": " + what + " is " + other.dtype() + ", the parameter " + param.dtype(),
          "op",
          name(),
          "dtypes",
          List.of(param.dtype().toString(), other.dtype().toString()));
    }
  }

  /**
   * Refuses a number outside its range.
   *
   * @param holds whether it is inside
   * @param what the parameter and its range
   * @param value the number
   */
  private static void require(boolean holds, String what, double value) {
    if (!holds) {
      throw new ArgumentException(what + ", got " + value, "value", value);
    }
  }

  /**
   * Refuses numbers that no optimiser takes.
   *
   * @param lr the learning rate
   * @param weightDecay the weight decay
   */
  static void requireRates(double lr, double weightDecay) {
    require(lr >= 0, "lr must not be negative", lr);
    require(weightDecay >= 0, "weight-decay must not be negative", weightDecay);
  }

  /**
   * Refuses factors of moving averages outside [0, 1).
   *
   * @param beta1 of the first moment
   * @param beta2 of the second moment
   * @param eps what is added to the root
   */
  static void requireMoments(double beta1, double beta2, double eps) {
    require(beta1 >= 0 && beta1 < 1, "beta1 must be from 0 to below 1", beta1);
    require(beta2 >= 0 && beta2 < 1, "beta2 must be from 0 to below 1", beta2);
    require(eps >= 0, "eps must not be negative", eps);
  }
}
