package ndgrad;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.IntFunction;
import java.util.function.UnaryOperator;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.op.Reverse;
import ndgrad.op.spec.Coerce;

/**
 * Function transforms: derivatives in reverse and forward mode, vectorisation over batches, and
 * custom derivative rules. They nest in any order and to any depth without confusing each other's
 * derivatives, and arrays that the function closes over remain part of the graph.
 *
 * <p>Functions under {@code jvp} and {@code vmap} cannot write in place, and those under {@code
 * grad} cannot write into their arguments: use {@code setItem}.
 *
 * <p>Derivatives share no elements with arguments or with each other. Values are what the function
 * returns: if that is an argument, or a view of one, it shares its elements.
 *
 * <p>Methods with a singular name take functions of one array; those with a plural name take
 * functions of a list of arrays.
 *
 * <pre>{@code
 * Grad.grad(x -> x.mul(x).sum()).apply(Array.of(1.0, 2.0));              // [2, 4]
 * Grad.jvp(x -> x.sin(), Array.of(0.5), Array.of(1.0)).tangent();        // [cos 0.5]
 * Grad.vmap(Grad.grad(x -> x.mul(x).sum())).apply(Array.ones(8, 2));     // per-example gradients
 * Grad.hessian(x -> x.pow(3).sum()).apply(Array.of(1.0, 2.0));           // [[6, 0], [0, 12]]
 * }</pre>
 */
public final class Grad {
  /** How many rows of a Jacobian are computed at once by default. */
  public static final int CHUNK = 128;

  private Grad() {}

  /** The direction in which derivatives are propagated. */
  public enum Mode {
    /** Forward, by tangents: one basis vector per element of the arguments. */
    FORWARD,
    /** Backward, by cotangents: one basis vector per element of the results. */
    REVERSE,
    /** Forward if the arguments have fewer elements than the results, otherwise reverse. */
    AUTO
  }

  /**
   * A value and a gradient.
   *
   * @param value what the function returned
   * @param gradient of the argument's shape and dtype
   */
  public record Valued(Array value, Array gradient) {}

  /**
   * A value and its gradients.
   *
   * @param value what the function returned
   * @param gradients one for each argument, of its shape and dtype
   */
  public record ValuedAll(Array value, List<Array> gradients) {}

  /**
   * A result and its pullback.
   *
   * @param value what the function returned
   * @param pullback from a cotangent of the result to the gradient of the argument; can be applied
   *     repeatedly
   */
  public record Vjp(Array value, UnaryOperator<Array> pullback) {}

  /**
   * Results and their pullback.
   *
   * @param values what the function returned
   * @param pullback from cotangents of the results to gradients of the arguments
   */
  public record VjpAll(List<Array> values, Pullback pullback) {}

  /**
   * A result and its directional derivative.
   *
   * @param value what the function returned
   * @param tangent of its shape
   */
  public record Jvp(Array value, Array tangent) {}

  /**
   * Results and their directional derivatives.
   *
   * @param values what the function returned
   * @param tangents one for each result, of its shape; zeros for results that do not depend on the
   *     arguments
   */
  public record JvpAll(List<Array> values, List<Array> tangents) {}

  /**
   * A result and the derivative as a linear map.
   *
   * @param value what the function returned
   * @param jvp from a tangent of the argument to that of the result
   */
  public record Linear(Array value, UnaryOperator<Array> jvp) {}

  /**
   * Results and the derivative as a linear map.
   *
   * @param values what the function returned
   * @param jvp from tangents of the arguments to those of the results
   */
  public record LinearAll(List<Array> values, UnaryOperator<List<Array>> jvp) {}

  /**
   * The gradient of a function that returns a single number.
   *
   * @param f the function
   * @return from the argument to the gradient; throws GraphException when the value has several
   *     elements
   */
  public static UnaryOperator<Array> grad(Function<Array, Array> f) {
    return grad("grad", f);
  }

  private static UnaryOperator<Array> grad(String op, Function<Array, Array> f) {
    Coerce.given("f", f);
    Function<List<Array>, ValuedAll> both = valueAndGrads(op, xs -> f.apply(xs.getFirst()));
    return x -> both.apply(Collections.singletonList(x)).gradients().getFirst();
  }

  /**
   * The gradients of a function that returns a single number.
   *
   * @param f the function
   * @return from the arguments to their gradients
   */
  public static UnaryOperator<List<Array>> grads(Function<List<Array>, Array> f) {
    Function<List<Array>, ValuedAll> both = valueAndGrads("grad", f);
    return xs -> both.apply(xs).gradients();
  }

  /**
   * Value and gradient of a function that returns a single number.
   *
   * @param f the function
   * @return from the argument to both; throws GraphException when the value has several elements
   */
  public static Function<Array, Valued> valueAndGrad(Function<Array, Array> f) {
    Coerce.given("f", f);
    Function<List<Array>, ValuedAll> both = valueAndGrads(xs -> f.apply(xs.getFirst()));
    return x -> {
      ValuedAll all = both.apply(Collections.singletonList(x));
      return new Valued(all.value(), all.gradients().getFirst());
    };
  }

  /**
   * Value and gradients of a function that returns a single number.
   *
   * @param f the function
   * @return from the arguments to both; throws GraphException when the value has several elements
   */
  public static Function<List<Array>, ValuedAll> valueAndGrads(Function<List<Array>, Array> f) {
    return valueAndGrads("value-and-grad", f);
  }

  private static Function<List<Array>, ValuedAll> valueAndGrads(
      String op, Function<List<Array>, Array> f) {
    Coerce.given("f", f);
    return xs -> {
      Pullback pass = Pullback.of(op, ins -> Collections.singletonList(f.apply(ins)), xs);
      Array value = pass.values().getFirst();
      List<Optional<Array>> found = pass.gradients(List.of(one(op, value)), false);
      List<Array> gradients = new ArrayList<>();
      for (int i = 0; i < xs.size(); i++) {
        Tensor x = xs.get(i).tensor();
        gradients.add(found.get(i).orElseGet(() -> Array.of(Lifted.zeros(x))));
      }
      return new ValuedAll(value, List.copyOf(gradients));
    };
  }

  /**
   * The cotangent 1 of a value that is a single number.
   *
   * @param op the name of the function that was called, for the message
   * @param value an array of one element
   * @return a one of its shape and dtype
   * @throws GraphException when it has another number of elements, or is not floating
   */
  public static Array one(String op, Array value) {
    if (Coerce.given("value", value).size() != 1 || !value.dtype().isFloating()) {
      throw new GraphException(
          op
              + ": the function to differentiate must return one floating number, got shape "
              + value.tensor().layout()
              + ", "
              + value.dtype()
              + "; use vjp or jacobian for other results",
          "op",
          op,
          "shape",
          value.shape(),
          "dtype",
          value.dtype().toString());
    }
    return Array.ones(value.shape()).astype(value.dtype());
  }

  /**
   * A result and the function that propagates gradients back through it.
   *
   * @param f the function
   * @param x its argument, floating
   * @return the result and the vector-Jacobian product
   */
  public static Vjp vjp(Function<Array, Array> f, Array x) {
    VjpAll all = vjps(Lifted.ofOne(f), Collections.singletonList(x));
    return new Vjp(
        all.values().getFirst(),
        g -> all.pullback().apply(List.of(Coerce.given("cotangent", g))).getFirst());
  }

  /**
   * Results and the function that propagates gradients back through them.
   *
   * @param f the function
   * @param xs its arguments
   * @return the results and the vector-Jacobian product
   * @throws DTypeException when an argument is not floating
   */
  public static VjpAll vjps(Function<List<Array>, List<Array>> f, List<Array> xs) {
    Pullback pass = Pullback.of("vjp", Coerce.given("f", f), xs);
    return new VjpAll(pass.values(), pass);
  }

  /**
   * A result and its derivative along a direction, in one forward pass.
   *
   * @param f the function
   * @param x its argument, floating
   * @param tangent the direction, of the argument's shape
   * @return both
   * @throws ShapeException when the direction has another shape
   */
  public static Jvp jvp(Function<Array, Array> f, Array x, Array tangent) {
    JvpAll all =
        jvps(Lifted.ofOne(f), Collections.singletonList(x), Collections.singletonList(tangent));
    return new Jvp(all.values().getFirst(), all.tangents().getFirst());
  }

  /**
   * Results and their derivatives along a direction, in one forward pass.
   *
   * @param f the function
   * @param xs its arguments
   * @param tangents the direction, one array for each argument, of its shape
   * @return both
   * @throws DTypeException when an argument is not floating
   * @throws ShapeException when a tangent has another shape than its argument
   */
  public static JvpAll jvps(
      Function<List<Array>, List<Array>> f, List<Array> xs, List<Array> tangents) {
    return jvps("jvp", f, xs, tangents);
  }

  /**
   * The same for a transform that is built on it.
   *
   * @param op the name of the function that was called, for messages
   * @param f the function
   * @param xs its arguments
   * @param tangents the direction, one array for each argument, of its shape
   * @return results and derivatives
   */
  public static JvpAll jvps(
      String op, Function<List<Array>, List<Array>> f, List<Array> xs, List<Array> tangents) {
    Coerce.given("f", f);
    List<Tensor> points = Lifted.tensors(xs);
    List<Tensor> along = Lifted.tensors(tangents);
    Lifted.requireCount(op, "tangent", points.size(), along.size());
    Lifted.requireFloating(op, points);
    long level = Lift.newLevel();
    List<Tensor> ins = new ArrayList<>();
    along.stream().filter(t -> t.level() == 0).forEach(t -> t.storage().claim());
    for (int i = 0; i < points.size(); i++) {
      Tensor x = points.get(i);
      ins.add(Lifted.dual(level, x, Lifted.direction(op, "tangent", along.get(i), x)));
    }
    List<Tensor> outs = Lifted.apply(f, ins);
    return new JvpAll(
        outs.stream().map(y -> Array.of(Lifted.primal(y, level))).toList(),
        outs.stream().map(y -> Array.of(Pullback.own(Lifted.tangent(y, level)))).toList());
  }

  /**
   * The Hessian of a function that returns a single number, times a vector: forward over reverse,
   * at a small multiple of the cost of the gradient.
   *
   * @param f the function
   * @param x its argument
   * @param v the vector, of the argument's shape
   * @return of the argument's shape
   */
  public static Array hvp(Function<Array, Array> f, Array x, Array v) {
    Function<List<Array>, List<Array>> slope = Lifted.ofOne(grad("hvp", f));
    return jvps("hvp", slope, Collections.singletonList(x), Collections.singletonList(v))
        .tangents()
        .getFirst();
  }

  /**
   * A result and the derivative at its argument as a linear map, which does not run the function
   * again.
   *
   * @param f the function
   * @param x its argument
   * @return both
   */
  public static Linear linearize(Function<Array, Array> f, Array x) {
    LinearAll all = linearizes(Lifted.ofOne(f), Collections.singletonList(x));
    return new Linear(
        all.values().getFirst(), t -> all.jvp().apply(Collections.singletonList(t)).getFirst());
  }

  /**
   * Results and the derivative at their arguments as a linear map, which does not run the function
   * again: the transpose of the vector-Jacobian product.
   *
   * @param f the function
   * @param xs its arguments
   * @return both
   */
  public static LinearAll linearizes(Function<List<Array>, List<Array>> f, List<Array> xs) {
    Pullback pass = Pullback.of("linearize", Coerce.given("f", f), xs);
    List<Tensor> ys = pass.outputs();
    List<Tensor> us = ys.stream().map(Lifted::zeros).toList();
    us.stream().filter(u -> u.dtype().isFloating()).forEach(u -> u.requireGrad(true));
    Tensor[] pulled = Lifted.recording(true, () -> pass.pull(us, true));
    return new LinearAll(pass.values(), ts -> pushed(pass, us, pulled, ts));
  }

  private static List<Array> pushed(
      Pullback pass, List<Tensor> us, Tensor[] pulled, List<Array> tangents) {
    List<Tensor> xs = pass.inputs();
    List<Tensor> given = Lifted.tensors(tangents);
    Lifted.requireCount("linearize", "tangent", xs.size(), given.size());
    List<Tensor> live = new ArrayList<>();
    List<Tensor> along = new ArrayList<>();
    for (int i = 0; i < pulled.length; i++) {
      Tensor t = Lifted.direction("linearize", "tangent", given.get(i), xs.get(i));
      if (pulled[i] != null && pulled[i].requiresGrad()) {
        live.add(pulled[i]);
        along.add(t);
      }
    }
    List<Tensor> points = us.stream().filter(Tensor::requiresGrad).toList();
    boolean create = Autograd.isEnabled() && (pass.isLinked() || Lifted.anyFollowed(along));
    Tensor[] found = Reverse.gradients(live, along, points, true, create);
    List<Array> out = new ArrayList<>();
    int k = 0;
    for (Tensor u : us) {
      Tensor t = u.requiresGrad() ? found[k++] : null;
      out.add(Array.of(t == null ? Lifted.zeros(u) : Pullback.own(t)));
    }
    return List.copyOf(out);
  }

  /**
   * The Jacobian.
   *
   * @param f the function
   * @return from the argument to an array of the result's shape followed by the argument's, of the
   *     argument's dtype
   */
  public static UnaryOperator<Array> jacobian(Function<Array, Array> f) {
    return jacobian(f, Mode.AUTO, CHUNK);
  }

  /**
   * The Jacobian.
   *
   * @param f the function
   * @param mode the direction of propagation
   * @param chunkSize how many basis vectors are propagated at once: memory use grows with it
   * @return from the argument to an array of the result's shape followed by the argument's, of the
   *     argument's dtype
   */
  public static UnaryOperator<Array> jacobian(Function<Array, Array> f, Mode mode, int chunkSize) {
    return jacobian("jacobian", f, mode, chunkSize);
  }

  private static UnaryOperator<Array> jacobian(
      String op, Function<Array, Array> f, Mode mode, int chunkSize) {
    Function<List<Array>, List<Array>> all = Lifted.ofOne(f);
    return x ->
        jacobians(op, all, Collections.singletonList(x), mode, chunkSize).getFirst().getFirst();
  }

  /**
   * The Jacobians of several results with respect to several arguments.
   *
   * @param f the function
   * @param xs its arguments
   * @param mode the direction of propagation
   * @param chunkSize how many basis vectors are propagated at once
   * @return for each result, for each argument, an array of the result's shape followed by the
   *     argument's, of the argument's dtype
   */
  public static List<List<Array>> jacobians(
      Function<List<Array>, List<Array>> f, List<Array> xs, Mode mode, int chunkSize) {
    return jacobians("jacobian", f, xs, mode, chunkSize);
  }

  /**
   * The same for a transform that is built on it.
   *
   * @param op the name of the function that was called, for messages
   * @param f the function
   * @param xs its arguments
   * @param mode the direction of propagation
   * @param chunkSize how many basis vectors are propagated at once
   * @return for each result, for each argument, a block
   */
  public static List<List<Array>> jacobians(
      String op, Function<List<Array>, List<Array>> f, List<Array> xs, Mode mode, int chunkSize) {
    return Jacobians.blocks(op, Coerce.given("f", f), xs, Coerce.given("mode", mode), chunkSize);
  }

  /**
   * The Hessian of a function that returns a single number, forward over reverse.
   *
   * @param f the function
   * @return from the argument to an array whose shape is the argument's shape twice
   */
  public static UnaryOperator<Array> hessian(Function<Array, Array> f) {
    return jacobian("hessian", grad("hessian", f), Mode.FORWARD, CHUNK);
  }

  /**
   * Vectorises a function of one example into a function of a batch.
   *
   * @param f the function of one example
   * @return from an array with the examples along its first axis to their results along the first
   *     axis
   */
  public static UnaryOperator<Array> vmap(Function<Array, Array> f) {
    UnaryOperator<List<Array>> all =
        vmaps(Lifted.ofOne(f), List.of(OptionalInt.of(0)), i -> OptionalInt.of(0));
    return x -> all.apply(Collections.singletonList(x)).getFirst();
  }

  /**
   * Vectorises a function of one example into a function of a batch.
   *
   * @param f the function of one example; it cannot read elements of the arrays
   * @param inAxes the batch axis of each argument, empty for one that all examples share
   * @param outAxes from the index of a result to its batch axis; empty for a result that is the
   *     same for all examples
   * @return from batches to batches; throws ShapeException when batch sizes differ or an axis is
   *     out of range
   */
  public static UnaryOperator<List<Array>> vmaps(
      Function<List<Array>, List<Array>> f,
      List<OptionalInt> inAxes,
      IntFunction<OptionalInt> outAxes) {
    Coerce.given("f", f);
    Coerce.given("inAxes", inAxes);
    Coerce.given("outAxes", outAxes);
    return xs -> Vmap.run(f, xs, inAxes, outAxes);
  }

  /**
   * The same function, but saving none of its intermediate values: the backward pass runs it again,
   * with the same draws from the global random generator and from generators of the JDK, whose
   * words are kept. When recorded, a result that is an array from outside the function or a view of
   * one is copied.
   *
   * @param f the function, which must give the same results on each run
   * @return a function with the same results and gradients
   */
  public static UnaryOperator<Array> checkpoint(Function<Array, Array> f) {
    UnaryOperator<List<Array>> all = checkpoints(Lifted.ofOne(f));
    return x -> all.apply(Collections.singletonList(x)).getFirst();
  }

  /**
   * The same function, but saving none of its intermediate values: the backward pass runs it again,
   * with the same draws from the global random generator and from generators of the JDK, whose
   * words are kept. When recorded, a result that is an array from outside the function or a view of
   * one is copied.
   *
   * @param f the function, which must give the same results on each run
   * @return a function with the same results and gradients
   */
  public static UnaryOperator<List<Array>> checkpoints(Function<List<Array>, List<Array>> f) {
    return new Checkpoint(Coerce.given("f", f))::apply;
  }

  /**
   * The same value as a constant: no gradient or tangent flows through it.
   *
   * @param x an array
   * @return the array outside all graphs and without tangents; the storage is shared
   */
  public static Array stopGradient(Array x) {
    return Coerce.given("x", x).detach();
  }

  /** A rule for functions of one array. */
  @FunctionalInterface
  public interface RuleOfOne {
    /**
     * A vector-Jacobian or a Jacobian-vector product.
     *
     * @param x the argument
     * @param y the result
     * @param direction the cotangent of the result, or the tangent of the argument
     * @return the gradient of the argument, or the tangent of the result; null for zeros
     */
    Array apply(Array x, Array y, Array direction);
  }

  /**
   * A function with a custom gradient rule. A result that is the argument, another array from
   * outside or a view of one is copied.
   *
   * @param f the function
   * @param rule from the cotangent of the result to the gradient of the argument
   * @return the function
   */
  public static UnaryOperator<Array> customVjp(Function<Array, Array> f, RuleOfOne rule) {
    return ofOne(custom(Lifted.ofOne(f)).withVjp(ofOne(rule)::apply));
  }

  /**
   * A function with a custom tangent rule. A result that is the argument, another array from
   * outside or a view of one is copied.
   *
   * @param f the function
   * @param rule from the tangent of the argument to the tangent of the result; linear in it
   * @return the function
   */
  public static UnaryOperator<Array> customJvp(Function<Array, Array> f, RuleOfOne rule) {
    return ofOne(custom(Lifted.ofOne(f)).withJvp(ofOne(rule)::apply));
  }

  private static UnaryOperator<Array> ofOne(Custom all) {
    return x -> all.apply(Collections.singletonList(x)).getFirst();
  }

  private static Custom.VjpRule ofOne(RuleOfOne rule) {
    Coerce.given("rule", rule);
    return (xs, ys, ds) ->
        Collections.singletonList(rule.apply(xs.getFirst(), ys.getFirst(), ds.getFirst()));
  }

  /**
   * A function to be given custom derivative rules.
   *
   * @param f the function
   * @return the function without rules; add them by {@link Custom#withVjp}, {@link Custom#withJvp}
   *     or both
   */
  public static Custom custom(Function<List<Array>, List<Array>> f) {
    return new Custom(Coerce.given("f", f), Optional.empty(), Optional.empty());
  }
}
