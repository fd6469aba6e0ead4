package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.NdException;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.expr.Derivative;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * An op that applies a scalar expression to every element of its broadcast inputs. Its gradient is
 * another one, made from the derivative of the expression, so there is a derivative of every order.
 */
public final class Elementwise extends Op implements Rule, Lifting.Liftable {

  /** A test of the inputs' values. */
  @FunctionalInterface
  public interface Check {
    /**
     * Refuses inputs by throwing; not called when the result is empty.
     *
     * @param compute the dtype the op computes in
     * @param ins the inputs; not modified
     */
    void accept(DType compute, Tensor[] ins);
  }

  private final Typing typing;
  private final boolean[] loadsBool;

  /** How the inputs are loaded, for each dtype to compute in. */
  private final DType[][] loads;

  private final int arity;
  private final Expr expr;
  private final Expr[] partials;
  private final Program program;
  private final Map<Double, Elementwise> specialised = new HashMap<>();
  private final Calls calls = new Calls();
  private final Derived[] gradients;
  private final Map<List<Integer>, Derived> tangents = new ConcurrentHashMap<>();

  /**
   * An op of given directions and of operands: input numbers, n for the output. Null stands for the
   * direction itself.
   */
  private record Derived(Elementwise op, int[] operands) {}

  Elementwise(Spec spec, Typing typing, Expr expr, Expr... partials) {
    this(spec, typing, bools(spec, typing), expr, partials);
  }

  private Elementwise(Spec spec, Typing typing, boolean[] loadsBool, Expr expr, Expr... partials) {
    super(spec);
    this.typing = typing;
    this.loadsBool = loadsBool;
    this.arity = loadsBool.length;
    this.loads = loads(loadsBool);
    this.expr = expr;
    this.partials = partials;
    this.program = Program.of(expr);
    this.gradients = new Derived[arity];
    spec.specialised()
        .forEach(
            (second, form) -> {
              Spec unary = Spec.define(spec.name(), "a").internal();
              Expr special =
                  form.orElseGet(
                      () -> expr.substitute(i -> i == 0 ? Expr.in(0) : Expr.num(second)));
              specialised.put(second, new Elementwise(unary, typing, special));
            });
  }

  private static DType[][] loads(boolean[] loadsBool) {
    DType[] all = DType.values();
    DType[][] loads = new DType[all.length][loadsBool.length];
    for (DType compute : all) {
      for (int i = 0; i < loadsBool.length; i++) {
        loads[compute.ordinal()][i] = loadsBool[i] ? DType.BOOL : compute;
      }
    }
    return loads;
  }

  private static boolean[] bools(Spec spec, Typing typing) {
    boolean[] out = new boolean[spec.signature().params().size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = typing.loadsBool(i);
    }
    return out;
  }

  /**
   * Applies the op to one array; further ones have their defaults.
   *
   * @param a the input
   * @return the result
   */
  public Tensor of(Tensor a) {
    return arity == 1 ? run(a) : (Tensor) call(a);
  }

  /**
   * Applies the op to two arrays; further ones have their defaults.
   *
   * @param a the first input
   * @param b the second input
   * @return the result
   */
  public Tensor of(Tensor a, Tensor b) {
    return arity == 2 ? run(a, b) : (Tensor) call(a, b);
  }

  /**
   * The scalar expression.
   *
   * @return over inputs 0 to n-1
   */
  public Expr expr() {
    return expr;
  }

  /**
   * Whether a gradient passes this op.
   *
   * @return false for results that are not floating
   */
  public boolean isDifferentiable() {
    return !typing.givesBool() && spec().nonDifferentiable().isEmpty();
  }

  @Override
  Object apply(Args args) {
    return run(args.tensors());
  }

  private Tensor run(Tensor... ins) {
    Elementwise special = special(ins);
    return special == null ? runGeneral(ins) : special.runGeneral(ins[0]);
  }

  /** The op of the first input alone where the second is one of the numbers it is declared for. */
  private Elementwise special(Tensor[] ins) {
    return !specialised.isEmpty() && ins[1].isWeak() && ins[0].dtype().isFloating()
        ? specialised.get(((Number) Nested.item(ins[1])).doubleValue())
        : null;
  }

  private Tensor runGeneral(Tensor... ins) {
    try {
      long level = Lifting.level(ins);
      Tensor result =
          level == 0 && !Trace.isOn() ? compute(ins) : Lifting.apply(this, null, ins, level);
      if (Anomaly.isOn()) {
        Anomaly.checkForward(name(), ins, result);
      }
      return result.dtype().isFloating() && isDifferentiable() && tracked(ins)
          ? record(ins, result)
          : result;
    } catch (NdException e) {
      throw e.during(name());
    }
  }

  private Tensor compute(Tensor... ins) {
    Calls.Call known = calls.find(ins);
    if (known != null) {
      Strided out = Strided.empty(known.dtype(), known.layout());
      execute(known, out, ins);
      return new Tensor(out);
    }
    DType compute = typing.compute(loadsBool, ins);
    Strided out = Strided.empty(typing.givesBool() ? DType.BOOL : compute, layout(ins));
    Strided[] operands = operands(ins);
    execute(out, compute, ins, operands);
    remember(ins, compute, out, operands);
    return new Tensor(out);
  }

  private void remember(Tensor[] ins, DType compute, Strided out, Strided[] operands) {
    // Beside an int32 array, it depends on the number in which dtype is computed.
    if (compute != DType.INT32) {
      calls.remember(ins, compute, out, program.few(out, loads[compute.ordinal()], operands));
    }
  }

  private void execute(Calls.Call known, Strided out, Tensor[] ins) {
    spec().check().accept(known.compute(), ins);
    known.run().run(out, operands(ins));
  }

  private Strided[] operands(Tensor[] ins) {
    Strided[] operands = new Strided[arity];
    for (int i = 0; i < arity; i++) {
      operands[i] = ins[i].strided();
    }
    return operands;
  }

  @Override
  public Tensor run(Args args, Tensor[] ins) {
    return run(ins);
  }

  @Override
  public Tensor jvp(Args args, Tensor[] primals, Tensor out, Tensor[] tangents) {
    List<Integer> moving = new ArrayList<>();
    List<Tensor> operands = new ArrayList<>();
    for (int i = 0; i < arity; i++) {
      if (tangents[i] != null && !loadsBool[i]) {
        moving.add(i);
        operands.add(tangents[i]);
      }
    }
    if (moving.isEmpty()) {
      return null;
    }
    Derived derived = tangents(moving);
    for (int operand : derived.operands) {
      operands.add(operand == arity ? out : primals[operand]);
    }
    Tensor tangent = derived.op.run(operands.toArray(Tensor[]::new));
    return Structural.stretched(tangent, out);
  }

  private Derived tangents(List<Integer> moving) {
    return tangents.computeIfAbsent(moving, this::derive);
  }

  @Override
  public boolean passes() {
    return isDifferentiable();
  }

  @Override
  public Tensor batch(Args args, Tensor[] physical, boolean[] batched, int size) {
    return run(Structural.alignedBatches(physical, batched));
  }

  /**
   * The result's layout: that of the input of most dimensions where all have its shape, or are
   * numbers, and it is that of a fresh array.
   */
  private static Layout layout(Tensor[] ins) {
    Layout most = ins[0].layout();
    for (int i = 1; i < ins.length; i++) {
      Layout other = ins[i].layout();
      most = other.ndim() > most.ndim() ? other : most;
    }
    boolean shared = most.isFresh();
    for (int i = 0; shared && i < ins.length; i++) {
      Layout other = ins[i].layout();
      shared = other.ndim() == 0 || other.sameShape(most);
    }
    return shared ? most : Layout.of(shape(ins));
  }

  private static int[] shape(Tensor[] ins) {
    if (ins.length == 1) {
      return ins[0].shape();
    }
    Layout[] layouts = new Layout[ins.length];
    for (int i = 0; i < ins.length; i++) {
      layouts[i] = ins[i].layout();
    }
    return Dimensions.broadcast(layouts);
  }

  private void execute(Strided out, DType promoted, Tensor[] ins, Strided[] operands) {
    if (out.layout().size() > 0) {
      spec().check().accept(promoted, ins);
    }
    DType compute = typing == Typing.COMPARE ? comparable(promoted, ins) : promoted;
    for (int i = 0; compute == DType.INT32 && i < arity; i++) {
      InPlace.requireFits(compute, ins[i]);
    }
    program.run(new Strided[] {out}, loads[compute.ordinal()], operands);
  }

  private static boolean fitsInt32(Strided weak) {
    return !(weak.array() instanceof long[] a) || a[0] == (int) a[0];
  }

  /** Comparisons with a host number too large for int32 have an answer all the same. */
  private static DType comparable(DType promoted, Tensor[] ins) {
    if (promoted == DType.INT32) {
      for (Tensor t : ins) {
        if (t.isWeak() && !fitsInt32(t.strided())) {
          return DType.INT64;
        }
      }
    }
    return promoted;
  }

  /**
   * Writes the result into the first input where the op was lately called with inputs of the same
   * layouts and dtypes, and the result has those of the first.
   *
   * @param ins the inputs; the first is modified
   * @return whether the elements were written
   */
  boolean runIntoAgain(Tensor[] ins) {
    Elementwise special = special(ins);
    if (special != null) {
      return special.runIntoAgain(new Tensor[] {ins[0]});
    }
    Calls.Call known = calls.find(ins);
    if (known == null || !known.isInPlace(ins)) {
      return false;
    }
    execute(known, ins[0].strided(), ins);
    return true;
  }

  /**
   * Applies the op and writes the result into its first input, which has its shape and dtype.
   *
   * @param ins the inputs; the first is modified
   * @return whether the elements were written; false when the result must be computed apart,
   *     because another input would be overwritten before it is read
   */
  boolean runInto(Tensor[] ins) {
    Elementwise special = special(ins);
    if (special != null) {
      return special.runInto(new Tensor[] {ins[0]});
    }
    DType compute = typing.compute(loadsBool, ins);
    Strided target = ins[0].strided();
    for (int i = 1; i < ins.length; i++) {
      Strided other = ins[i].strided();
      // Elements of another view of the same storage would be read after they were written.
      if (other.storage() == target.storage()
          && !other.layout().equals(target.layout())
          && other.layout().mayOverlap(target.layout())) {
        return false;
      }
    }
    Strided[] operands = operands(ins);
    execute(target, compute, ins, operands);
    remember(ins, compute, target, operands);
    return true;
  }

  /** How an input is loaded: as a truth value, or in the dtype the op computes in. */
  boolean loadsBool(int input) {
    return loadsBool[input];
  }

  /** A rough cost of one element in units of 0.1 ns. */
  int cost() {
    return program.cost();
  }

  /** The size of the expression. */
  int nodes() {
    return program.nodes();
  }

  /** The dtype the op computes in; that of truth values where it loads nothing else. */
  DType computeDtype(Tensor[] ins) {
    return typing.compute(loadsBool, ins);
  }

  /** The dtype of the result. */
  DType resultDtype(Tensor[] ins) {
    DType compute = typing.compute(loadsBool, ins);
    return typing.givesBool() ? DType.BOOL : compute;
  }

  /** Whether the gradient of some input that needs one reads input {@code at}. */
  boolean saves(Tensor[] ins, int at) {
    for (int i = 0; i < arity; i++) {
      if (ins[i].requiresGrad()) {
        for (int operand : gradient(i).operands) {
          if (operand == at) {
            return true;
          }
        }
      }
    }
    return false;
  }

  private Tensor record(Tensor[] ins, Tensor out) {
    Node node = new Node(this, null, ins, out.layout(), out.dtype());
    for (int i = 0; i < arity; i++) {
      if (node.needs(i)) {
        for (int operand : gradient(i).operands) {
          node.save(operand, operand == arity ? out : ins[operand]);
        }
      }
    }
    return out.madeBy(node);
  }

  @Override
  public Tensor vjp(Node node, int input, Tensor cotangent) {
    Derived gradient = gradient(input);
    Tensor g = cotangent;
    if (gradient.op != null) {
      Tensor[] ins = new Tensor[gradient.operands.length + 1];
      ins[0] = cotangent;
      for (int i = 1; i < ins.length; i++) {
        int operand = gradient.operands[i - 1];
        ins[i] = operand == arity ? node.out() : node.in(operand);
      }
      g = gradient.op.run(ins);
    }
    return Structural.sumTo(g, node.layout(input), node.dtype(input));
  }

  private Derived gradient(int input) {
    Derived made = gradients[input];
    if (made == null) {
      made =
          partial(input) instanceof Expr.Const(double value) && value == 1
              ? new Derived(null, new int[0])
              : derive(List.of(input));
      gradients[input] = made;
    }
    return made;
  }

  /** Whether some partial derivatives are not those of the expression. */
  boolean declaresPartials() {
    return partials.length > 0;
  }

  /** The partial derivative in an input, in inputs and output. */
  Expr partial(int input) {
    return input < partials.length && partials[input] != null
        ? partials[input]
        : Derivative.of(expr, input);
  }

  /** The sum of direction times partial over some inputs. */
  private Derived derive(List<Integer> inputs) {
    int directions = inputs.size();
    List<Integer> used = new ArrayList<>();
    for (int i = 0; i <= arity; i++) {
      int operand = i;
      if (inputs.stream().anyMatch(input -> partial(input).uses(operand))) {
        used.add(i);
      }
    }
    boolean[] bools = new boolean[directions + used.size()];
    for (int i = 0; i < used.size(); i++) {
      bools[directions + i] = used.get(i) < arity && loadsBool[used.get(i)];
    }
    Expr sum = null;
    for (int d = 0; d < directions; d++) {
      Expr partial = partial(inputs.get(d)).substitute(i -> Expr.in(directions + used.indexOf(i)));
      Expr term = scaled(Expr.in(d), partial);
      sum = sum == null ? term : sum.plus(term);
    }
    Spec spec = Spec.define(name() + "-gradient", "").internal();
    return new Derived(
        new Elementwise(spec, Typing.PROMOTE, bools, sum),
        used.stream().mapToInt(Integer::intValue).toArray());
  }

  /**
   * g * partial, multiplied inside choices: where the chosen partial is 0, an infinite or NaN g
   * gives 0 too.
   */
  static Expr scaled(Expr g, Expr partial) {
    return switch (partial) {
      case Expr.Select(Expr test, Expr yes, Expr no) ->
          Expr.select(test, scaled(g, yes), scaled(g, no));
      case Expr.Const(double value) when value == 0 -> partial;
      case Expr.Const(double value) when value == 1 -> g;
      default -> g.times(partial);
    };
  }
}
