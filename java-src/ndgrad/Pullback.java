package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.op.Reverse;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Structural;

/**
 * The vector-Jacobian product of one run of a function: from cotangents of its results to gradients
 * of its arguments. Created by {@link Grad#vjps}; can be applied any number of times.
 */
public final class Pullback {
  private final List<Tensor> inputs;
  private final List<Tensor> outputs;
  private final boolean linked;

  private Pullback(List<Tensor> inputs, List<Tensor> outputs, boolean linked) {
    this.inputs = inputs;
    this.outputs = outputs;
    this.linked = linked;
  }

  /** Runs a function on fresh points of the graph. */
  static Pullback of(String op, Function<List<Array>, List<Array>> f, List<Array> xs) {
    List<Tensor> given = Lifted.tensors(xs);
    Lifted.requireFloating(op, given);
    boolean outer = GradMode.isEnabled();
    List<Tensor> inputs = given.stream().map(x -> Lifted.fresh(x, outer)).toList();
    // The function sees views, so that it cannot overwrite its arguments unnoticed.
    List<Tensor> outputs =
        Lifted.recording(
            true,
            () ->
                Lifted.apply(
                    f,
                    inputs.stream().map(x -> Structural.BROADCAST_TO.of(x, x.shape())).toList()));
    boolean linked =
        outer
            && (Lifted.anyFollowed(given)
                || Reverse.dependsOnMore(
                    outputs.stream().flatMap(Lifted::layers).toList(), inputs));
    return new Pullback(inputs, outputs, linked);
  }

  /** The results, outside the graph unless something outside the function is differentiated. */
  List<Array> values() {
    return outputs.stream()
        .map(y -> Array.of(linked || !y.isFollowed() ? y : Lifted.unfollowed(y)))
        .toList();
  }

  List<Tensor> inputs() {
    return inputs;
  }

  List<Tensor> outputs() {
    return outputs;
  }

  boolean isLinked() {
    return linked;
  }

  /**
   * The gradients of the arguments.
   *
   * @param cotangents one for each result, of its shape
   * @return one for each argument, of its shape and dtype; zeros where no result depends on it
   * @throws ShapeException when a cotangent has another shape than its result
   * @throws ArgumentException when the numbers of cotangents and results differ
   */
  public List<Array> apply(List<Array> cotangents) {
    List<Optional<Array>> found = gradients(cotangents, true);
    List<Array> out = new ArrayList<>();
    for (int i = 0; i < inputs.size(); i++) {
      Tensor x = inputs.get(i);
      out.add(found.get(i).orElseGet(() -> Array.of(Lifted.zeros(x))));
    }
    return List.copyOf(out);
  }

  /**
   * The gradients of the arguments, empty for those that no result depends on.
   *
   * @param cotangents one for each result, of its shape; null for zeros
   * @param keep whether this can be applied again; otherwise its saved values are released
   * @return one for each argument, empty where no result depends on it
   * @throws ShapeException when a cotangent has another shape than its result
   * @throws ArgumentException when the numbers of cotangents and results differ
   */
  public List<Optional<Array>> gradients(List<Array> cotangents, boolean keep) {
    Lifted.requireCount(
        "vjp", "cotangent", outputs.size(), Coerce.given("cotangents", cotangents).size());
    List<Tensor> given = new ArrayList<>();
    for (Array c : cotangents) {
      given.add(c == null ? null : c.tensor());
    }
    return Arrays.stream(pull(given, keep))
        .map(g -> Optional.ofNullable(g).map(Pullback::own).map(Array::of))
        .toList();
  }

  /**
   * A derivative that may be written in place: the same array can be that of another argument or
   * result, too, or what was given to be carried. Where all writes are refused, or the gradient has
   * a graph, it stays as it is.
   */
  static Tensor own(Tensor g) {
    boolean plain = g.level() == 0 && !g.requiresGrad() && !Trace.isOn();
    return plain && !g.layout().isBroadcast() && !g.storage().claim() ? Structural.COPY.of(g) : g;
  }

  /** The gradients; null where no output depends on the input. */
  Tensor[] pull(List<Tensor> cotangents, boolean keep) {
    List<Tensor> live = new ArrayList<>();
    List<Tensor> upstream = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Tensor y = outputs.get(i);
      Tensor c = cotangents.get(i);
      if (c != null) {
        Tensor checked = Lifted.direction("vjp", "cotangent", c, y);
        if (y.requiresGrad()) {
          live.add(y);
          upstream.add(checked);
        }
      }
    }
    boolean create = GradMode.isEnabled() && (linked || Lifted.anyFollowed(upstream));
    return Reverse.gradients(live, upstream, inputs, keep || create, create);
  }
}
