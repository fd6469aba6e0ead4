package ndgrad.op.spec;

import java.util.Arrays;
import java.util.Map;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.Frames;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Arena;
import ndgrad.kernel.memory.Strided;

/** An op with a kernel of its own and a rule for each input. */
public final class Primitive extends Op implements Rule, Lifting.Liftable {

  /** The kernel. */
  @FunctionalInterface
  public interface Forward {
    /**
     * Computes the result.
     *
     * @param args the arguments
     * @param ins the inputs
     * @return a fresh row-major array
     */
    Strided apply(Args args, Strided[] ins);
  }

  /**
   * A result and what the kernel found out on the way to it.
   *
   * @param out a fresh row-major array
   * @param notes what a gradient with a kernel of its own reads, from {@link Node#notes}
   */
  public record Noted(Strided out, Strided... notes) {}

  /** A kernel that leaves notes for the gradient's. */
  @FunctionalInterface
  public interface Noting {
    /**
     * Computes the result.
     *
     * @param args the arguments
     * @param ins the inputs
     * @return the result with its notes
     */
    Noted apply(Args args, Strided[] ins);
  }

  /** The vector-Jacobian product of one input. */
  @FunctionalInterface
  public interface Vjp {
    /**
     * The gradient of the input.
     *
     * @param node saved values, shapes and dtypes of the application
     * @param args the options of the call; arrays only through the node
     * @param cotangent the gradient of the output
     * @return the gradient of the input
     */
    Tensor apply(Node node, Args args, Tensor cotangent);
  }

  /** The vector-Jacobian product of any input. */
  @FunctionalInterface
  public interface VjpEach {
    /**
     * The gradient of an input.
     *
     * @param node saved values, shapes and dtypes of the application
     * @param args the options of the call; arrays only through the node
     * @param input which input
     * @param cotangent the gradient of the output
     * @return the gradient of the input
     */
    Tensor apply(Node node, Args args, int input, Tensor cotangent);
  }

  /** The vector-Jacobian products of all inputs together. */
  @FunctionalInterface
  public interface VjpTogether {
    /**
     * The gradients of the inputs.
     *
     * @param node saved values, shapes and dtypes of the application
     * @param args the options of the call; arrays only through the node
     * @param needed which inputs' gradients are asked for
     * @param cotangent the gradient of the output
     * @return one an input; null where none was asked for
     */
    Tensor[] apply(Node node, Args args, boolean[] needed, Tensor cotangent);
  }

  /** What is found out about an application when it is recorded. */
  @FunctionalInterface
  public interface Find {
    /**
     * Finds out what the rules need to know.
     *
     * @param args the options of the call; arrays only through the inputs
     * @param ins the inputs
     * @param out the result
     * @return what the node keeps
     */
    Tensor apply(Args args, Tensor[] ins, Tensor out);
  }

  /** The Jacobian-vector product. */
  @FunctionalInterface
  public interface Jvp {
    /**
     * The tangent of the result.
     *
     * @param args the options of the call; arrays only through the primals
     * @param primals the inputs
     * @param out the result
     * @param tangents their tangents, null for zero; not all are null
     * @return of the result's shape and dtype
     */
    Tensor apply(Args args, Tensor[] primals, Tensor out, Tensor[] tangents);
  }

  record Gradient(String saves, Vjp rule) {}

  record EachGradient(String saves, VjpEach rule) {}

  /** What the tape keeps of an op whose gradients are found together. */
  private record Together(Primitive op, VjpTogether rule) implements Rule.Joint {
    @Override
    public String name() {
      return op.name();
    }

    @Override
    public Tensor[] vjps(Node node, boolean[] needed, Tensor cotangent) {
      return rule.apply(node, (Args) node.args(), needed, cotangent);
    }
  }

  private static final int OUT = -1;
  private static final int FROM = -2;

  private static final Strided[] NONE = {};

  private final Forward forward;
  private final Noting noting;
  private final Gradient[] gradients;
  private final EachGradient each;
  private final Rule rule;
  private final int[][] saves;
  private final int[] eachSaves;

  Primitive(
      Spec spec,
      Forward forward,
      Noting noting,
      Map<Integer, Gradient> gradients,
      EachGradient each) {
    super(spec);
    this.forward = forward;
    this.noting = noting;
    int rules = gradients.keySet().stream().mapToInt(i -> i + 1).max().orElse(0);
    this.gradients = new Gradient[rules];
    this.saves = new int[rules][];
    this.each = each;
    this.rule = spec.together() == null ? this : new Together(this, spec.together());
    gradients.forEach(
        (i, g) -> {
          this.gradients[i] = g;
          saves[i] = positions(g.saves);
        });
    this.eachSaves = each == null ? new int[0] : positions(each.saves);
  }

  /**
   * Whether the op has a rule for some input.
   *
   * @return false for ops that no gradient passes
   */
  public boolean isDifferentiable() {
    return each != null || gradients.length > 0;
  }

  @Override
  Object apply(Args args) {
    return run(args, args.tensors());
  }

  @Override
  public Tensor run(Args args, Tensor[] ins) {
    long level = Lifting.level(ins);
    if (level > 0 || Trace.isOn()) {
      return recorded(args, ins, Lifting.apply(this, args, ins, level), NONE);
    }
    Arena arena = Arena.current();
    int frame = arena.enter();
    boolean open = true;
    try {
      Tensor out = compute(args, ins);
      open = false;
      Frames.leave(arena, frame, out);
      return out;
    } finally {
      if (open) {
        arena.abandon(frame);
      }
    }
  }

  private Tensor compute(Args args, Tensor[] ins) {
    if (noting == null) {
      return recorded(args, ins, new Tensor(forward.apply(args, operands(ins))), NONE);
    }
    Noted noted = noting.apply(args, operands(ins));
    return recorded(args, ins, new Tensor(noted.out()), noted.notes());
  }

  private Tensor recorded(Args args, Tensor[] ins, Tensor out, Strided[] notes) {
    if (Anomaly.isOn()) {
      Anomaly.checkForward(name(), ins, out);
    }
    if (out.dtype().isFloating() && isDifferentiable() && tracked(ins)) {
      boolean[] needed = new boolean[ins.length];
      boolean any = false;
      for (int i = 0; i < ins.length; i++) {
        needed[i] = hasRule(i) && ins[i].requiresGrad();
        any |= needed[i];
      }
      if (any) {
        Node node = node(args, ins, out, needed);
        node.note(notes);
        out.madeBy(node);
      }
    }
    return out;
  }

  private static Strided[] operands(Tensor[] ins) {
    Strided[] operands = new Strided[ins.length];
    for (int i = 0; i < ins.length; i++) {
      operands[i] = ins[i].strided();
    }
    return operands;
  }

  private boolean hasRule(int input) {
    return each != null || input < gradients.length && gradients[input] != null;
  }

  /** The application on the tape, with what the rules of the needed inputs read. */
  private Node node(Args args, Tensor[] ins, Tensor out, boolean[] needed) {
    Node node = new Node(rule, args.withoutTensors(), ins, out.layout(), out.dtype());
    for (int i = 0; i < ins.length; i++) {
      if (needed[i]) {
        for (int saved : each != null ? eachSaves : saves[i]) {
          save(node, ins, out, saved);
        }
      }
    }
    if (spec().find() != null) {
      node.save(ins.length + 1, spec().find().apply(args, ins, out));
    }
    return node;
  }

  @Override
  public Tensor jvp(Args args, Tensor[] primals, Tensor out, Tensor[] tangents) {
    if (spec().jvp() != null) {
      return spec().jvp().apply(args, primals, out, tangents);
    }
    return spec().isLinear()
        ? run(args, Lifting.directions(primals, tangents, this::hasRule))
        : Lifting.transposedVjp(this, tangents, needed -> node(args, primals, out, needed), out);
  }

  @Override
  public boolean passes() {
    return isDifferentiable();
  }

  @Override
  public Tensor batch(Args args, Tensor[] physical, boolean[] batched, int size) {
    Batch batch = new Batch(this, args, physical, batched, size);
    return spec().batch() == null ? batch.eachExample() : spec().batch().apply(batch);
  }

  private static void save(Node node, Tensor[] ins, Tensor out, int position) {
    if (position == OUT) {
      node.save(ins.length, out);
    } else if (position <= FROM) {
      for (int i = FROM - position; i < ins.length; i++) {
        node.save(i, ins[i]);
      }
    } else {
      node.save(position, ins[position]);
    }
  }

  /** Positions of the named values among the inputs. */
  private int[] positions(String names) {
    return names.isEmpty()
        ? new int[0]
        : Arrays.stream(names.split(" ")).mapToInt(this::position).toArray();
  }

  private int position(String name) {
    if (name.equals("out")) {
      return OUT;
    }
    Signature signature = spec().signature();
    int at = signature.indexOf(name);
    int position = (int) signature.params().subList(0, at).stream().filter(Param::isArray).count();
    // A list of arrays is the last of the arrays: everything from its first one on.
    return signature.params().get(at).kind() == Param.Kind.ARRAYS ? FROM - position : position;
  }

  @Override
  public Tensor vjp(Node node, int input, Tensor cotangent) {
    Args args = (Args) node.args();
    if (!hasRule(input)) {
      return null;
    }
    return each != null
        ? each.rule.apply(node, args, input, cotangent)
        : gradients[input].rule.apply(node, args, cotangent);
  }
}
