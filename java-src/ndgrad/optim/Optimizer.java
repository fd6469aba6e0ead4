package ndgrad.optim;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.op.spec.Coerce;

/**
 * A rule, the parameters that it updates in place, and their state. Not thread-safe.
 *
 * <pre>{@code
 * Optimizer opt = new Optimizer(AdamW.of(1e-3), List.of(w, b));
 * opt.zeroGrad();
 * loss(w, b).backward();
 * opt.step();
 * }</pre>
 */
public final class Optimizer {
  private static final String STEP = "step";

  private final List<Array> params;
  private final List<List<Array>> slots = new ArrayList<>();
  private final long[] steps;
  private Rule rule;

  /**
   * An optimizer for parameters.
   *
   * @param rule the update rule
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
   * Updates every parameter that has a gradient, with its slots; the others are not modified. If it
   * throws, no parameter was updated.
   *
   * @throws ArgumentException when a parameter is a broadcast view
   * @throws DTypeException when a gradient has another dtype than its parameter
   * @throws GraphException when a parameter has become the result of a tracked op
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

  /** Discards the gradients of all parameters. */
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
   * Changes the update rule for subsequent steps.
   *
   * @param changed a rule with the same slots, such as from {@link Rule#withLr}
   * @throws ArgumentException when it has other slots
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
   * The state of a parameter.
   *
   * @param param the index of the parameter
   * @return one array per slot of the rule, which the next step modifies
   * @throws IndexException when there is no such parameter
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

  /**
   * All that is remembered of the parameters, as {@code Npz} saves and loads it. The rule and the
   * parameters are not part of it.
   *
   * @return copies: {@code "step"}, how many updates each parameter has had, and for each slot of
   *     the rule one array a parameter, by its position: {@code "m.0", "m.1", …, "v.0", …}
   */
  public Map<String, Array> state() {
    Map<String, Array> all = new LinkedHashMap<>();
    all.put(STEP, Array.of(steps));
    named().forEach((name, slot) -> all.put(name, slot.copy()));
    return Collections.unmodifiableMap(all);
  }

  /**
   * Goes on from what was remembered elsewhere. When a part of it is refused nothing is changed.
   *
   * @param saved what {@link #state()} gave for parameters of the same shapes and dtypes; not
   *     modified
   * @throws ArgumentException when it has other names, or steps that are no counts
   * @throws ShapeException when a slot has another shape than its parameter
   * @throws DTypeException when it has another dtype
   */
  public void state(Map<String, Array> saved) {
    requireNames(Coerce.given("state", saved).keySet());
    // An array has no elements where its scope is closed.
    saved.forEach((name, array) -> Coerce.given(name, array).tensor().strided().array());
    long[] counts = counts(saved.get(STEP));
    for (int i = 0; i < steps.length; i++) {
      Array param = params.get(i);
      String place = "." + i;
      List<Array> own = rule.slots().stream().map(slot -> saved.get(slot + place)).toList();
      new Step(rule, param, param.tensor(), own, counts[i] + 1).check();
    }
    named().forEach((name, slot) -> slot.assign(saved.get(name).detach()));
    System.arraycopy(counts, 0, steps, 0, steps.length);
  }

  /** The slots by the names that they have in a state. */
  private Map<String, Array> named() {
    Map<String, Array> all = new LinkedHashMap<>();
    for (int k = 0; k < rule.slots().size(); k++) {
      for (int i = 0; i < steps.length; i++) {
        all.put(rule.slots().get(k) + "." + i, slots.get(i).get(k));
      }
    }
    return all;
  }

  private void requireNames(Set<String> given) {
    List<String> names = new ArrayList<>(List.of(STEP));
    names.addAll(named().keySet());
    if (!given.equals(Set.copyOf(names))) {
      throw new ArgumentException(
          "expected the state of "
              + steps.length
              + " parameters of "
              + rule.name()
              + " with the names "
              + Coerce.show(names)
              + ", got "
              + Coerce.show(given),
          "expected",
          List.copyOf(names),
          "given",
          new ArrayList<>(given));
    }
  }

  private long[] counts(Array saved) {
    if (saved.dtype() == DType.INT64 && Arrays.equals(saved.shape(), new int[] {steps.length})) {
      long[] counts = saved.toLongArray();
      if (Arrays.stream(counts).allMatch(n -> 0 <= n && n < Long.MAX_VALUE)) {
        return counts;
      }
    }
    throw new ArgumentException(
        STEP + " must be a count for each of " + steps.length + " parameters, got " + saved,
        "shape",
        saved.shape(),
        "dtype",
        saved.dtype().toString());
  }
}
