package ndgrad.op.spec;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import ndgrad.NdException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;

/**
 * What a traced function does: a list of steps, each an application of an op to values that are
 * there.
 */
final class FusionPlan {

  /**
   * One step.
   *
   * @param op null for a value without its history
   * @param args its arguments
   * @param ins the slots of its inputs
   * @param out the slot of its result
   * @param dead slots that nothing reads any more
   * @param quiet whether it is not recorded on the tape
   * @param text what it does, for people
   */
  record Step(
      Lifting.Liftable op, Args args, int[] ins, int out, int[] dead, boolean quiet, String text) {}

  private final int arguments;
  private final Tensor[] slots;
  private final Step[] steps;
  private final int[] results;
  private final boolean[] copied;
  private final Tensor[] constants;
  private final boolean[] following;
  private final Map<Tensor, Integer> versions;

  /**
   * Puts a plan together.
   *
   * @param arguments the number of arguments, which have the first slots
   * @param slots the arrays from outside in their slots, null elsewhere
   * @param steps in order
   * @param results the slots of the results
   * @param versions of arrays from outside whose elements the function has read
   */
  FusionPlan(
      int arguments,
      Tensor[] slots,
      List<Step> steps,
      int[] results,
      Map<Tensor, Integer> versions) {
    this.arguments = arguments;
    this.slots = slots;
    this.steps = steps.toArray(Step[]::new);
    this.results = results;
    this.versions = versions;
    this.copied = new boolean[results.length];
    for (int i = 0; i < results.length; i++) {
      copied[i] = results[i] >= arguments && slots[results[i]] != null;
    }
    this.constants =
        Arrays.stream(slots).filter(t -> t != null && !t.isWeak()).toArray(Tensor[]::new);
    this.following = new boolean[constants.length];
    for (int i = 0; i < constants.length; i++) {
      following[i] = constants[i].requiresGrad();
    }
  }

  /** Whether the arrays from outside are still what they were. */
  boolean holds() {
    for (int i = 0; i < constants.length; i++) {
      if (constants[i].requiresGrad() != following[i] || !constants[i].isLeaf()) {
        return false;
      }
    }
    for (Map.Entry<Tensor, Integer> e : versions.entrySet()) {
      if (e.getKey().storage().version() != e.getValue()) {
        return false;
      }
    }
    return true;
  }

  Tensor[] run(Tensor[] xs) {
    Tensor[] values = slots.clone();
    System.arraycopy(xs, 0, values, 0, arguments);
    for (Step step : steps) {
      values[step.out] = step.op == null ? values[step.ins[0]].detach() : applied(step, values);
      for (int slot : step.dead) {
        values[slot] = null;
      }
    }
    Tensor[] out = new Tensor[results.length];
    for (int i = 0; i < out.length; i++) {
      Tensor y = values[results[i]];
      out[i] = copied[i] ? Structural.COPY.of(y) : y;
    }
    return out;
  }

  private static Tensor applied(Step step, Tensor[] values) {
    int[] from = step.ins;
    Tensor[] ins = new Tensor[from.length];
    for (int i = 0; i < ins.length; i++) {
      ins[i] = values[from[i]];
    }
    boolean before = !step.quiet || GradMode.set(false);
    try {
      return step.op.run(step.args, ins);
    } catch (NdException e) {
      throw e.during(((Op) step.op).name());
    } finally {
      if (step.quiet) {
        GradMode.set(before);
      }
    }
  }

  List<String> describe() {
    return Arrays.stream(steps).map(Step::text).toList();
  }
}
