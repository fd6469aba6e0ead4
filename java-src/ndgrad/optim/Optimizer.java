package ndgrad.optim;

import java.util.ArrayList;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.IndexException;
import ndgrad.op.spec.Coerce;

/**
 * A rule, the parameters it updates in place, and what it remembers of them. For one thread at a
 * time.
 *
 * <pre>{@code
 * Optimizer opt = new Optimizer(AdamW.of(1e-3), List.of(w, b));
 * opt.zeroGrad();
 * loss(w, b).backward();
 * opt.step();
 * }</pre>
 */
public final class Optimizer {
  private final List<Array> params;
  private final List<List<Array>> slots = new ArrayList<>();
  private final long[] steps;
  private Rule rule;

  /**
   * Prepares the updates of some parameters.
   *
   * @param rule how they are updated
   * @param params leaves that require a gradient; each step modifies them
   */
  public Optimizer(Rule rule, List<Array> params) {
    this.rule = Coerce.given("rule", rule);
    Coerce.given("params", params).forEach(p -> Coerce.given("parameter", p));
    this.params = List.copyOf(params);
    this.steps = new long[params.size()];
    for (Array p : this.params) {
      slots.add(rule.init(p));
    }
  }

  /**
   * Updates every parameter that has a gradient; the others, and their slots, stay as they are.
   * When one is refused none is updated.
   *
   * @throws ArgumentException when a parameter is a broadcast view
   * @throws DTypeException when a gradient has another dtype than its parameter
   * @throws GraphException when one has become the result of a tracked op
   */
  public void step() {
    List<Step> due = new ArrayList<>();
    for (int i = 0; i < steps.length; i++) {
      Array p = params.get(i);
      if (p.hasGrad()) {
        due.add(new Step(rule, p, p.tensor().ownGrad(), slots.get(i), steps[i] + 1));
      }
    }
    Step.inPlace(due);
    for (int i = 0; i < steps.length; i++) {
      if (params.get(i).hasGrad()) {
        steps[i]++;
      }
    }
  }

  /** Forgets the gradients of all parameters. */
  public void zeroGrad() {
    params.forEach(Array::zeroGrad);
  }

  /**
   * How the parameters are updated.
   *
   * @return the rule
   */
  public Rule rule() {
    return rule;
  }

  /**
   * Changes how the parameters are updated from now on.
   *
   * @param changed a rule that remembers the same slots, such as {@link Rule#withLr} gives
   * @throws ArgumentException when it remembers others
   */
  public void rule(Rule changed) {
    if (!Coerce.given("rule", changed).slots().equals(rule.slots())) {
      throw new ArgumentException(
          changed.name()
              + " remembers "
              + changed.slots()
              + " of a parameter, this optimiser has "
              + rule.slots(),
          "slots",
          changed.slots());
    }
    rule = changed;
  }

  /**
   * The parameters.
   *
   * @return unmodifiable
   */
  public List<Array> params() {
    return params;
  }

  /**
   * What is remembered of a parameter.
   *
   * @param param its position
   * @return one array a slot of the rule, which the next step modifies
   * @throws IndexException when there is no parameter at that position
   */
  public List<Array> slots(int param) {
    if (param < 0 || param >= slots.size()) {
      throw new IndexException(
          "there is no parameter " + param + ", this optimiser has " + slots.size(),
          "index",
          param,
          "size",
          slots.size());
    }
    return slots.get(param);
  }
}
