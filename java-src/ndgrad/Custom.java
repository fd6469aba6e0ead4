package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.OptionalLong;
import java.util.function.Function;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Storage;
import ndgrad.op.Reductions;
import ndgrad.op.Reverse;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Structural;

/**
 * A function with custom derivative rules: one for gradients, one for tangents, or both; if one is
 * missing, it is derived from the other by transposition. Immutable; created by {@link
 * Grad#custom}. Rules are written in ops, so they can be differentiated in turn, and work inside
 * {@code vmap}. Arrays that the function closes over are constants. A result that is an argument,
 * another array from outside or a view of one is copied.
 *
 * <pre>{@code
 * Custom halved = Grad.custom(xs -> List.of(xs.get(0)))
 *     .withVjp((xs, ys, gs) -> List.of(gs.get(0).mul(0.5)));
 * }</pre>
 */
public final class Custom implements Function<List<Array>, List<Array>> {

  /** Gradients of the arguments from cotangents of the results. */
  @FunctionalInterface
  public interface VjpRule {
    /**
     * The vector-Jacobian product.
     *
     * @param xs the arguments
     * @param ys the results
     * @param cotangents one for each result, zeros for results without a cotangent
     * @return one gradient for each argument, of its shape; null for zeros
     */
    List<Array> apply(List<Array> xs, List<Array> ys, List<Array> cotangents);
  }

  /** Tangents of the results from tangents of the arguments. */
  @FunctionalInterface
  public interface JvpRule {
    /**
     * The Jacobian-vector product; linear in the tangents.
     *
     * @param xs the arguments
     * @param ys the results
     * @param tangents one for each argument, zeros for arguments without a tangent
     * @return one tangent for each result, of its shape; null for zeros
     */
    List<Array> apply(List<Array> xs, List<Array> ys, List<Array> tangents);
  }

  /** Stands before "must not be null". */
  private static final String RETURNED = "what the rule returns";

  private final Function<List<Array>, List<Array>> f;
  private final Optional<VjpRule> vjp;
  private final Optional<JvpRule> jvp;

  Custom(Function<List<Array>, List<Array>> f, Optional<VjpRule> vjp, Optional<JvpRule> jvp) {
    this.f = f;
    this.vjp = vjp;
    this.jvp = jvp;
  }

  /**
   * The same function with this rule for gradients.
   *
   * @param rule the rule
   * @return a new function
   */
  public Custom withVjp(VjpRule rule) {
    return new Custom(f, Optional.of(Coerce.given("rule", rule)), jvp);
  }

  /**
   * The same function with this rule for tangents.
   *
   * @param rule the rule
   * @return a new function
   */
  public Custom withJvp(JvpRule rule) {
    return new Custom(f, vjp, Optional.of(Coerce.given("rule", rule)));
  }

  /**
   * Applies the function.
   *
   * @param xs the arguments
   * @return the results
   * @throws GraphException when it has no rule
   */
  @Override
  public List<Array> apply(List<Array> xs) {
    if (vjp.isEmpty() && jvp.isEmpty()) {
      throw new GraphException(
          "a custom function needs a rule: give it one by custom-vjp or custom-jvp");
    }
    return Lifted.arrays(run(Lifted.tensors(xs)));
  }

  private List<Tensor> run(List<Tensor> xs) {
    Trace.refuse("calls a function with rules of its own (custom-vjp, custom-jvp)");
    long age = Storage.beginAge();
    // Neither gradients nor tangents go through the function, also not by what it closes over.
    List<Tensor> points = xs.stream().map(Tensor::detach).toList();
    List<Tensor> ys =
        Lifted.recording(false, () -> Lifted.apply(f, points)).stream()
            .map(Tensor::detach)
            .toList();
    return linked(xs, ys, age);
  }

  /** Results of the function that depend on its arguments by the rules. */
  private List<Tensor> linked(List<Tensor> xs, List<Tensor> ys, long age) {
    long level = Lifted.level(xs);
    OptionalLong batch = Packing.batchLevel(xs, ys);
    List<Tensor> outs;
    if (batch.isPresent()) {
      outs = batched(xs, ys, batch.getAsLong(), age);
    } else if (level == 0) {
      outs = ys.stream().map(y -> Lifted.uprooted(y, age)).toList();
    } else {
      outs = dual(xs, ys, level, age);
    }
    boolean floating = outs.stream().anyMatch(y -> y.dtype().isFloating());
    return floating && GradMode.isEnabled() && Lifted.anyTracked(xs)
        ? new Run().record(xs, outs)
        : outs;
  }

  private List<Tensor> batched(List<Tensor> xs, List<Tensor> ys, long level, long age) {
    int size = Packing.size(xs, ys, level);
    return overBatch(Packing.batched(xs, level), level, size)
        .linked(Packing.peeled(xs, level), Packing.physical(ys, level, size), age)
        .stream()
        .map(y -> Lifted.batched(level, y))
        .toList();
  }

  private List<Tensor> dual(List<Tensor> xs, List<Tensor> ys, long level, long age) {
    List<Tensor> primals = xs.stream().map(x -> Lifted.primal(x, level)).toList();
    List<Tensor> tangents = xs.stream().map(x -> Lifted.tangent(x, level)).toList();
    List<Tensor> values = linked(primals, ys, age);
    List<Tensor> ts = push(primals, values, tangents);
    List<Tensor> outs = new ArrayList<>();
    for (int i = 0; i < values.size(); i++) {
      Tensor y = values.get(i);
      // A rule that closes over what moves gives a tangent that moves, which is of second order.
      outs.add(y.dtype().isFloating() ? Lifted.dual(level, y, Lifted.primal(ts.get(i), level)) : y);
    }
    return outs;
  }

  /** Tangents by the rule for them, or as the gradient of ⟨vjp(u), t⟩ by u. */
  private List<Tensor> push(List<Tensor> xs, List<Tensor> ys, List<Tensor> tangents) {
    return jvp.isPresent()
        ? byJvp(xs, ys, tangents)
        : transposed(ys, tangents, us -> byVjp(xs, ys, us));
  }

  /** Gradients by the rule for them, or as the gradient of ⟨jvp(t), g⟩ by t. */
  private List<Tensor> pull(List<Tensor> xs, List<Tensor> ys, List<Tensor> cotangents) {
    return vjp.isPresent()
        ? byVjp(xs, ys, cotangents)
        : transposed(xs, cotangents, ts -> byJvp(xs, ys, ts));
  }

  private List<Tensor> byJvp(List<Tensor> xs, List<Tensor> ys, List<Tensor> tangents) {
    List<Array> given =
        jvp.orElseThrow().apply(Lifted.arrays(xs), Lifted.arrays(ys), Lifted.arrays(tangents));
    return checked("custom-jvp", "tangent", "result", given, ys);
  }

  private List<Tensor> byVjp(List<Tensor> xs, List<Tensor> ys, List<Tensor> cotangents) {
    List<Array> given =
        vjp.orElseThrow().apply(Lifted.arrays(xs), Lifted.arrays(ys), Lifted.arrays(cotangents));
    return checked("custom-vjp", "gradient", "argument", given, xs);
  }

  /** The transpose of a linear function, applied to directions of its results. */
  static List<Tensor> transposed(
      List<Tensor> domain, List<Tensor> directions, Function<List<Tensor>, List<Tensor>> linear) {
    boolean create = GradMode.isEnabled();
    List<Tensor> points = domain.stream().map(Lifted::zeros).toList();
    points.stream().filter(p -> p.dtype().isFloating()).forEach(p -> p.requireGrad(true));
    List<Tensor> moving = points.stream().filter(Tensor::requiresGrad).toList();
    List<Tensor> outs = Lifted.recording(true, () -> linear.apply(points));
    List<Tensor> live = new ArrayList<>();
    List<Tensor> upstream = new ArrayList<>();
    for (int i = 0; i < outs.size(); i++) {
      if (outs.get(i) != null && outs.get(i).requiresGrad()) {
        live.add(outs.get(i));
        upstream.add(directions.get(i));
      }
    }
    Tensor[] found = Reverse.gradients(live, upstream, moving, true, create);
    List<Tensor> all = new ArrayList<>();
    for (int i = 0, k = 0; i < points.size(); i++) {
      Tensor p = points.get(i);
      Tensor g = p.requiresGrad() ? found[k++] : null;
      all.add(g == null ? Lifted.zeros(p) : g);
    }
    return all;
  }

  private static List<Tensor> checked(
      String op, String what, String whose, List<Array> given, List<Tensor> like) {
    Lifted.requireCount(op, what, like.size(), Coerce.given(RETURNED, given).size());
    List<Tensor> out = new ArrayList<>();
    for (int i = 0; i < like.size(); i++) {
      Tensor l = like.get(i);
      Array g = given.get(i);
      if (g == null || !l.dtype().isFloating()) {
        out.add(Lifted.zeros(l));
      } else if (g.tensor().layout().sameShape(l.layout())) {
        Tensor d = Structural.cast(g.tensor(), l.dtype());
        // The rule may have it elsewhere, too, so no leaf may take it for its gradient.
        d.storage().claim();
        out.add(d);
      } else {
        throw new ShapeException(
            op
                + ": the rule gave a "
                + what
                + " of shape "
                + g.tensor().layout()
                + " for "
                + whose
                + " "
                + i
                + " of shape "
                + l.layout(),
            "op",
            op,
            "shapes",
            List.of(g.shape(), l.shape()));
      }
    }
    return out;
  }

  /**
   * The rules for one example as rules for a batch. They run at its level, as they may close over
   * others of its arrays.
   */
  private Custom overBatch(boolean[] batched, long level, int size) {
    Examples all = new Examples(level, 0, size);
    Optional<VjpRule> pulled =
        vjp.map(
            rule ->
                (xs, ys, gs) -> {
                  Trace.refuse("uses a rule of custom-vjp inside vmap");
                  List<Array> found =
                      rule.apply(
                          lift(xs, batched, level),
                          lift(ys, level),
                          gs.stream().map(g -> Array.of(all.split(g.tensor()))).toList());
                  Lifted.requireCount(
                      "custom-vjp", "gradient", xs.size(), Coerce.given(RETURNED, found).size());
                  List<Array> out = new ArrayList<>();
                  for (int i = 0; i < xs.size(); i++) {
                    out.add(gathered(found.get(i), all, batched[i]));
                  }
                  return out;
                });
    Optional<JvpRule> pushed =
        jvp.map(
            rule ->
                (xs, ys, ts) ->
                    Coerce.given(
                            RETURNED,
                            rule.apply(
                                lift(xs, batched, level),
                                lift(ys, level),
                                lift(ts, batched, level)))
                        .stream()
                        .map(t -> gathered(t, all, true))
                        .toList());
    return new Custom(f, pulled, pushed);
  }

  private static List<Array> lift(List<Array> xs, long level) {
    boolean[] all = new boolean[xs.size()];
    Arrays.fill(all, true);
    return lift(xs, all, level);
  }

  private static List<Array> lift(List<Array> xs, boolean[] batched, long level) {
    return Lifted.arrays(Packing.lifted(Lifted.tensors(xs), batched, level));
  }

  /** What belongs to all examples; the sum where they share one argument. Null stays null: zero. */
  private static Array gathered(Array found, Examples all, boolean apart) {
    if (found == null) {
      return null;
    }
    Tensor each = all.join(found.tensor());
    return Array.of(apart ? each : Reductions.SUM.of(each, 0));
  }

  /** One application. */
  private final class Run implements Rule.Joint {
    private Packing packing;

    List<Tensor> record(List<Tensor> xs, List<Tensor> outs) {
      packing = Packing.of(outs);
      Tensor packed = packing.pack(outs);
      Tensor[] ins = xs.toArray(Tensor[]::new);
      Node node = new Node(this, null, ins, packed.layout(), packed.dtype());
      for (int i = 0; i < ins.length; i++) {
        node.save(i, ins[i]);
      }
      packed.madeBy(node);
      node.save(ins.length, packed);
      return packing.unpack(packed, outs);
    }

    @Override
    public String name() {
      return "custom";
    }

    @Override
    public Tensor[] vjps(Node node, boolean[] needed, Tensor cotangent) {
      List<Tensor> xs = new ArrayList<>();
      for (int i = 0; i < node.arity(); i++) {
        xs.add(node.in(i));
      }
      List<Tensor> found = pull(xs, packing.whole(node.out()), packing.whole(cotangent));
      Tensor[] out = new Tensor[needed.length];
      for (int i = 0; i < out.length; i++) {
        out[i] = needed[i] ? found.get(i) : null;
      }
      return out;
    }
  }
}
