package ndgrad.optim;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.ShapeException;
import ndgrad.op.spec.Coerce;

/**
 * The settings of an optimiser: how it updates parameters from gradients. Immutable; the state of a
 * parameter, its slots, is passed in and returned. Each update of a parameter is a single pass over
 * it, its gradient and its slots.
 */
public sealed interface Rule permits Sgd, Moments {

  /**
   * The rule's name.
   *
   * @return in kebab-case
   */
  String name();

  /**
   * The state kept for each parameter.
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
   * The same with another learning rate, for schedules.
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
   * The initial slots of a parameter, zeros.
   *
   * @param param the parameter, not modified
   * @return one new array per slot
   */
  default List<Array> init(Array param) {
    Step.requireFloating(this, param);
    return slots().stream().map(_ -> Step.zeros(param)).toList();
  }

  /**
   * Updates a parameter and its slots in place, which increments the version of each by one.
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
    applyAll(
        Collections.singletonList(param),
        Collections.singletonList(grad),
        Collections.singletonList(state),
        step);
  }

  /**
   * Updates several parameters in place, all or none, as {@link #apply}: all checks come before the
   * first write.
   *
   * @param params leaves; modified
   * @param grads the gradient of each; not modified
   * @param states the slots of each, modified
   * @param step 1 for their first update
   * @throws ArgumentException when the numbers of parameters, gradients and states differ
   */
  default void applyAll(
      List<Array> params, List<Array> grads, List<List<Array>> states, long step) {
    Coerce.given("params", params);
    Coerce.given("grads", grads);
    Coerce.given("states", states);
    if (grads.size() != params.size() || states.size() != params.size()) {
      throw new ArgumentException(
          name()
              + ": there are "
              + params.size()
              + " parameters, but "
              + grads.size()
              + " gradients and "
              + states.size()
              + " states",
          "op",
          name());
    }
    List<Step> steps = new ArrayList<>();
    for (int i = 0; i < params.size(); i++) {
      steps.add(new Step(this, params.get(i), grads.get(i), states.get(i), step));
    }
    Step.inPlace(steps);
  }

  /**
   * A parameter and its slots after an update, without modifying anything.
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
    return new Step(this, param, grad, state, step).fresh();
  }

  /**
   * Refuses a number outside its range.
   *
   * @param holds whether it is inside
   * @param what the parameter and its range
   * @param value the number
   */
  static void require(boolean holds, String what, double value) {
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
