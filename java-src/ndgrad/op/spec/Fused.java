package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.IntFunction;
import java.util.function.Supplier;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.NdException;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.expr.Derivative;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Several elementwise ops, and perhaps a reduction of what they give, as one: a scalar expression,
 * whose slopes are again expressions of which fused ops are made. So every order of derivative is
 * one of fused ops, forward and backward. Without recording, the gradients of all inputs of the
 * result's shape come from one kernel, and those of broadcast ones are summed as they are computed.
 */
final class Fused extends Op implements Rule.Joint, Lifting.Liftable {
  private final Expr expr;
  private final boolean[] loadsBool;
  private final int arity;
  private final DType compute;
  private final DType result;
  private final Folding folding;
  private final Expr[] slopes;
  private final Push push;
  private final Fused mean;
  private final List<Derivative.Declared> declared;
  private final boolean[][] reads;
  private final DType[] load;
  private final Program program;
  private final Passes passes;
  private final Map<GradientKey, Derived> gradients = new ConcurrentHashMap<>();
  private final Map<Long, Together> together = new ConcurrentHashMap<>();
  private final Map<List<Integer>, Derived> tangents = new ConcurrentHashMap<>();

  /** The tangent of a result whose inputs move. */
  @FunctionalInterface
  interface Push {
    /**
     * Carries tangents forward as the ops do one after the other: all together, for where one is
     * infinite their sum depends on the order.
     *
     * @param moving the inputs that move
     * @return an expression of their tangents, in this order, then the inputs, the output and the
     *     mean
     */
    Expr along(List<Integer> moving);
  }

  private record GradientKey(int input, Folding folding) {}

  /**
   * An op of directions and operands: input numbers, n for the output, n+1 for the mean of the
   * values.
   */
  private record Derived(Fused op, int[] operands) {}

  /** A kernel of a direction and operands, with one output an input. */
  private record Together(Program program, int[] operands, DType[] load) {}

  /**
   * An expression and its derivatives.
   *
   * @param expr of the inputs
   * @param loadsBool which inputs are truth values
   * @param compute the dtype that the others are converted to
   * @param result the dtype of the expression
   * @param folding the reduction that follows
   * @param slopes for each input a direction (input 0) times the partial derivative, as an
   *     expression of the inputs (from 1 on), the output (n+1) and the mean (n+2); null for zero
   * @param push the tangent along inputs that have slopes, without the output: multiplied in the
   *     order of forward mode, for where an inner partial derivative is NaN it may differ
   * @param mean the op of the mean of the same values; null where no slope reads it
   * @param declared parts of the slopes, over the same inputs, whose derivatives are those that
   *     their ops declare
   */
  Fused(
      Expr expr,
      boolean[] loadsBool,
      DType compute,
      DType result,
      Folding folding,
      Expr[] slopes,
      Push push,
      Fused mean,
      List<Derivative.Declared> declared) {
    super(Spec.define("fused", "xs: arrays").internal());
    this.expr = expr;
    this.loadsBool = loadsBool;
    this.arity = loadsBool.length;
    this.compute = compute;
    this.result = result;
    this.folding = folding;
    this.slopes = slopes;
    this.push = push;
    this.mean = mean;
    this.declared = declared;
    this.reads = new boolean[arity][arity + 2];
    for (int i = 0; i < arity; i++) {
      for (int k = 0; k < arity + 2 && slopes[i] != null; k++) {
        reads[i][k] = slopes[i].uses(k + 1);
      }
    }
    this.load = loads(loadsBool);
    this.program = folding.isNone() ? Program.of(expr) : null;
    this.passes = folding.isNone() ? null : Passes.of(folding.fold(), expr, arity);
  }

  private DType[] loads(boolean[] bools) {
    DType[] out = new DType[bools.length];
    Arrays.setAll(out, i -> bools[i] ? DType.BOOL : compute);
    return out;
  }

  /** An op whose slopes follow from its expression and from what is declared of parts of it. */
  private Fused derived(Expr e, boolean[] bools, Folding after, List<Derivative.Declared> parts) {
    Expr[] found = new Expr[bools.length];
    for (int i = 0; i < found.length; i++) {
      Expr partial = bools[i] ? Expr.num(0) : Derivative.of(e, i, parts);
      boolean zero = partial instanceof Expr.Const(double value) && value == 0;
      found[i] =
          zero ? null : Elementwise.scaled(Expr.in(0), partial.substitute(k -> Expr.in(k + 1)));
    }
    // Derivatives are simplified, and so must be what is looked for in them.
    List<Derivative.Declared> inFound =
        parts.stream()
            .map(p -> p.map(x -> Simplify.of(x)[0].substitute(k -> Expr.in(k + 1))))
            .toList();
    return new Fused(
        e, bools, compute, compute, after, found, moving -> sum(found, moving), null, inFound);
  }

  /** The sum of derivatives along some inputs. */
  private static Expr sum(Expr[] derivatives, List<Integer> inputs) {
    int directions = inputs.size();
    Expr total = null;
    for (int d = 0; d < directions; d++) {
      Expr direction = Expr.in(d);
      Expr term =
          derivatives[inputs.get(d)].substitute(
              i -> i == 0 ? direction : Expr.in(i - 1 + directions));
      total = total == null ? term : total.plus(term);
    }
    return total;
  }

  @Override
  Object apply(Args args) {
    return run(null, args.tensors());
  }

  @Override
  public Tensor run(Args args, Tensor[] ins) {
    try {
      long level = Lifting.level(ins);
      Tensor out =
          level == 0 && !Trace.isOn()
              ? new Tensor(computed(ins))
              : Lifting.apply(this, args, ins, level);
      if (Anomaly.isOn()) {
        Anomaly.checkForward(name(), ins, out);
      }
      return result.isFloating() && tracked(ins) ? recorded(ins, out) : out;
    } catch (NdException e) {
      throw e.during(name());
    }
  }

  private Strided computed(Tensor[] ins) {
    Strided[] operands = new Strided[arity];
    Layout[] layouts = new Layout[arity];
    for (int i = 0; i < arity; i++) {
      operands[i] = ins[i].strided();
      layouts[i] = operands[i].layout();
    }
    int[] shape = Dimensions.broadcast(layouts);
    if (!folding.isNone()) {
      return folding.run(passes, compute, shape, operands);
    }
    Strided out = Strided.empty(result, shape);
    program.run(new Strided[] {out}, load, operands);
    return out;
  }

  private Tensor recorded(Tensor[] ins, Tensor out) {
    boolean[] saved = new boolean[arity + 1];
    boolean any = false;
    boolean means = false;
    for (int i = 0; i < arity; i++) {
      if (slopes[i] != null && ins[i].requiresGrad()) {
        any = true;
        for (int k = 0; k <= arity; k++) {
          saved[k] |= reads[i][k];
        }
        means |= reads[i][arity + 1];
      }
    }
    if (!any) {
      return out;
    }
    Node node = new Node(this, Lifting.level(ins), ins, out.layout(), out.dtype());
    for (int k = 0; k <= arity; k++) {
      if (saved[k] || means && k < arity) {
        node.save(k, k == arity ? out : ins[k]);
      }
    }
    return out.madeBy(node);
  }

  @Override
  public boolean passes() {
    return result.isFloating() && Arrays.stream(slopes).anyMatch(s -> s != null);
  }

  @Override
  public Tensor batch(Args args, Tensor[] physical, boolean[] batched, int size) {
    return run(args, Structural.alignedBatches(physical, batched));
  }

  // ---- tangents

  @Override
  public Tensor jvp(Args args, Tensor[] primals, Tensor out, Tensor[] moves) {
    List<Integer> moving = new ArrayList<>();
    List<Tensor> operands = new ArrayList<>();
    for (int i = 0; i < arity; i++) {
      if (moves[i] != null && slopes[i] != null) {
        moving.add(i);
        operands.add(moves[i]);
      }
    }
    if (moving.isEmpty()) {
      return null;
    }
    int[] shape =
        Dimensions.broadcast(Arrays.stream(primals).map(Tensor::layout).toArray(Layout[]::new));
    if (!folding.isNone()) {
      operands.set(0, Structural.BROADCAST_TO.of(operands.getFirst(), shape));
    }
    Derived derived =
        tangents.computeIfAbsent(
            moving, m -> derive(push.along(m), m.size(), folding.ofTangents()));
    Operands read = new Operands(k -> primals[k], () -> out, shape);
    for (int operand : derived.operands) {
      operands.add(read.get(operand));
    }
    Tensor tangent = derived.op.run(null, operands.toArray(Tensor[]::new));
    return Structural.stretched(tangent, out);
  }

  /** The op of an expression of some directions, then the operands. */
  private Derived derive(Expr e, int directions, Folding after) {
    int[] used = used(List.of(e), directions);
    int[] place = new int[arity + 2];
    boolean[] bools = new boolean[directions + used.length];
    for (int i = 0; i < used.length; i++) {
      place[used[i]] = directions + i;
      bools[directions + i] = used[i] < arity && loadsBool[used[i]];
    }
    Expr total = e.substitute(i -> Expr.in(i < directions ? i : place[i - directions]));
    List<Derivative.Declared> parts =
        declared.stream()
            .filter(p -> reads(p.value(), used))
            .map(p -> p.map(x -> x.substitute(i -> Expr.in(place[i - 1]))))
            .toList();
    return new Derived(derived(total, bools, after, parts), used);
  }

  /** Whether an expression reads none but some operands. */
  private boolean reads(Expr e, int[] operands) {
    List<Integer> some = Arrays.stream(operands).boxed().toList();
    return IntStream.range(0, arity + 2).allMatch(k -> some.contains(k) || !e.uses(k + 1));
  }

  /** The operands that some expressions of directions and operands read. */
  private int[] used(List<Expr> derivatives, int directions) {
    return IntStream.range(0, arity + 2)
        .filter(k -> derivatives.stream().anyMatch(e -> e.uses(k + directions)))
        .toArray();
  }

  // ---- gradients

  @Override
  public Tensor[] vjps(Node node, boolean[] needed, Tensor cotangent) {
    Layout[] layouts = new Layout[arity];
    for (int i = 0; i < arity; i++) {
      layouts[i] = node.layout(i);
    }
    int[] shape = Dimensions.broadcast(layouts);
    Layout full = Layout.of(shape);
    Tensor g = folding.spread(cotangent, shape);
    Operands operands = new Operands(node::in, node::out, shape);
    boolean plain =
        !GradMode.isEnabled()
            && g.level() == 0
            && (long) node.args() == 0
            && !Trace.isOn()
            && !Anomaly.isOn();
    Tensor[] out = new Tensor[arity];
    long all = 0;
    for (int i = 0; i < arity; i++) {
      if (needed[i] && slopes[i] != null) {
        if (plain && !(slopes[i] instanceof Expr.In) && layouts[i].sameShape(full)) {
          all |= 1L << i;
        } else {
          out[i] = gradient(node, i, g, full, operands);
        }
      }
    }
    if (all != 0) {
      Together kernel = together.computeIfAbsent(all, this::together);
      together(kernel, node, all, g, operands, out);
    }
    return out;
  }

  private Tensor gradient(Node node, int input, Tensor g, Layout full, Operands operands) {
    Layout like = node.layout(input);
    if (slopes[input] instanceof Expr.In) {
      return Structural.sumTo(g, like, node.dtype(input));
    }
    Derived derived =
        gradients.computeIfAbsent(
            new GradientKey(input, Folding.toward(full, like)),
            key -> derive(slopes[key.input], 1, key.folding));
    Tensor[] ins = new Tensor[derived.operands.length + 1];
    ins[0] = g;
    for (int i = 1; i < ins.length; i++) {
      ins[i] = operands.get(derived.operands[i - 1]);
    }
    return Structural.sumTo(derived.op.run(null, ins), like, node.dtype(input));
  }

  /**
   * What the slopes read of one application: its inputs, and the result and the mean at the shape
   * of the values.
   */
  private final class Operands {
    private final IntFunction<Tensor> in;
    private final Supplier<Tensor> out;
    private final int[] shape;
    private final Tensor[] found = new Tensor[2];

    Operands(IntFunction<Tensor> in, Supplier<Tensor> out, int[] shape) {
      this.in = in;
      this.out = out;
      this.shape = shape;
    }

    Tensor get(int operand) {
      if (operand < arity) {
        return in.apply(operand);
      }
      int k = operand - arity;
      if (found[k] == null) {
        Tensor value = k == 0 ? out.get() : mean.run(null, inputs());
        found[k] = folding.isNone() ? value : folding.stretch(value, shape);
      }
      return found[k];
    }

    private Tensor[] inputs() {
      Tensor[] inputs = new Tensor[arity];
      Arrays.setAll(inputs, in);
      return inputs;
    }
  }

  private Together together(long inputs) {
    List<Integer> chosen = new ArrayList<>();
    for (int i = 0; i < arity; i++) {
      if ((inputs >>> i & 1) != 0) {
        chosen.add(i);
      }
    }
    int[] used = used(chosen.stream().map(i -> slopes[i]).toList(), 1);
    int[] place = new int[arity + 3];
    boolean[] bools = new boolean[used.length + 1];
    for (int i = 0; i < used.length; i++) {
      place[used[i] + 1] = i + 1;
      bools[i + 1] = used[i] < arity && loadsBool[used[i]];
    }
    Expr[] outs =
        chosen.stream().map(i -> slopes[i].substitute(k -> Expr.in(place[k]))).toArray(Expr[]::new);
    return new Together(Program.of(outs), used, loads(bools));
  }

  private void together(
      Together kernel, Node node, long inputs, Tensor g, Operands operands, Tensor[] out) {
    Strided[] ins = new Strided[kernel.operands.length + 1];
    ins[0] = g.strided();
    for (int i = 1; i < ins.length; i++) {
      ins[i] = operands.get(kernel.operands[i - 1]).strided();
    }
    Strided[] made = new Strided[Long.bitCount(inputs)];
    int n = 0;
    for (int i = 0; i < arity; i++) {
      if ((inputs >>> i & 1) != 0) {
        made[n] = Strided.empty(node.dtype(i), operands.shape.clone());
        out[i] = new Tensor(made[n++]);
      }
    }
    kernel.program.run(made, kernel.load, ins);
  }

  /** The expression, and what is reduced over. */
  String describe() {
    return folding.isNone()
        ? expr.toString()
        : folding.fold().name() + " over " + folding.axes() + " of " + expr;
  }
}
