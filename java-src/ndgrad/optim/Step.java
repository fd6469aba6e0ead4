package ndgrad.optim;

import java.util.ArrayList;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.op.spec.Coerce;

/**
 * One update of one parameter. Nothing of its size is made but what {@link #fresh} returns.
 *
 * @param rule how
 * @param param the parameter
 * @param grad its gradient
 * @param state its slots
 * @param number 1 for its first update
 */
record Step(Rule rule, Array param, Tensor grad, List<Array> state, long number) {

  Step {
    Coerce.given("parameter", param);
    Coerce.given("state", state).forEach(slot -> Coerce.given("slot", slot));
  }

  Step(Rule rule, Array param, Array grad, List<Array> state, long number) {
    this(rule, param, Coerce.given("gradient", grad).tensor(), state, number);
  }

  /**
   * Updates parameters and their slots, all or none: what can be refused is before any is written.
   */
  static void inPlace(List<Step> steps) {
    Trace.refuse("updates a parameter in place");
    steps.forEach(Step::checkTargets);
    steps.forEach(Step::write);
  }

  private void checkTargets() {
    check();
    if (!param.isLeaf()) {
      throw new GraphException(
          rule.name()
              + ": cannot update the result of a tracked op in place; pass the leaf, or use the"
              + " form that makes new arrays",
          "op",
          rule.name(),
          "shape",
          param.shape());
    }
    grad.storage().array(); // a ScopeException unless it is still there
    for (Array target : arrays()) {
      target.tensor().storage().array();
      if (target.tensor().isReadOnly()) {
        throw new ArgumentException(
            rule.name() + ": cannot write into a broadcast view; copy it first", "op", rule.name());
      }
    }
  }

  private void write() {
    List<Array> targets = arrays();
    rule.update(number).run(targets, targets, grad);
    targets.forEach(t -> t.tensor().storage().bump(rule.name()));
  }

  /** The new parameter, a leaf that requires a gradient if the old one did, and the new slots. */
  List<Array> fresh() {
    check();
    List<Array> sources = arrays();
    List<Array> results = sources.stream().map(Step::zeros).toList();
    rule.update(number).run(results, sources, grad);
    results.getFirst().requiresGrad(param.requiresGrad());
    return results;
  }

  /** The parameter and its slots. */
  private List<Array> arrays() {
    List<Array> arrays = new ArrayList<>(state);
    arrays.addFirst(param);
    return arrays;
  }

  static Array zeros(Array like) {
    return Array.wrap(like.dtype().newArray((int) like.size()), like.shape());
  }

  static void requireFloating(Rule rule, Array param) {
    if (!Coerce.given("parameter", param).dtype().isFloating()) {
      throw new DTypeException(
          rule.name() + ": parameters must be floating, this one is " + param.dtype(),
          "op",
          rule.name(),
          "dtype",
          param.dtype().toString());
    }
  }

  /** Refuses what does not go together. */
  void check() {
    requireFloating(rule, param);
    if (number < 1) {
      throw new ArgumentException(
          rule.name() + ": steps count from 1, got " + number, "step", number);
    }
    List<String> slots = rule.slots();
    if (state.size() != slots.size()) {
      throw new ArgumentException(
          rule.name() + " remembers " + slots + " of a parameter, got " + state.size() + " arrays",
          "op",
          rule.name(),
          "slots",
          slots);
    }
    requireLike(grad, "the gradient");
    for (int i = 0; i < state.size(); i++) {
      requireLike(state.get(i).tensor(), slots.get(i));
    }
  }

  private void requireLike(Tensor other, String what) {
    Tensor own = param.tensor();
    if (!own.layout().sameShape(other.layout())) {
      throw new ShapeException(
          rule.name()
              + ": "
              + what
              + " has shape "
              + other.layout()
              + ", the parameter "
              + own.layout(),
          "op",
          rule.name(),
          "shapes",
          List.of(own.shape(), other.shape()));
    }
    if (own.dtype() != other.dtype()) {
      throw new DTypeException(
          rule.name() + ": " + what + " is " + other.dtype() + ", the parameter " + own.dtype(),
          "op",
          rule.name(),
          "dtypes",
          List.of(own.dtype().toString(), other.dtype().toString()));
    }
  }
}
