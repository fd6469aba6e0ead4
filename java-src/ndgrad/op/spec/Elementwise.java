package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReferenceArray;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.NdException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Derivative;
import ndgrad.kernel.Expr;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Program;
import ndgrad.kernel.Strided;

/**
 * An op that applies a scalar expression to every element of its broadcast inputs. Its gradient is another one, made
 * from the derivative of the expression, so there is a derivative of every order.
 */
public final class Elementwise extends Op implements Rule {

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
  private final int arity;
  private final Expr expr;
  private final Expr[] partials;
  private final Program program;
  private final AtomicReferenceArray<Gradient> gradients;

  /** The op {@code cotangent * partial} and where its operands come from: input numbers, n for the output. */
  private record Gradient(Elementwise op, int[] operands) {}

  Elementwise(Spec spec, Typing typing, Expr expr, Expr... partials) {
    this(spec, typing, bools(spec, typing), expr, partials);
  }

  private Elementwise(Spec spec, Typing typing, boolean[] loadsBool, Expr expr, Expr... partials) {
    super(spec);
    this.typing = typing;
    this.loadsBool = loadsBool;
    this.arity = loadsBool.length;
    this.expr = expr;
    this.partials = partials;
    this.program = Program.of(expr);
    this.gradients = new AtomicReferenceArray<>(arity);
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
    try {
      DType compute = typing.compute(loadsBool, ins);
      Strided out = Strided.zeros(typing.givesBool() ? DType.BOOL : compute, shape(ins));
      execute(out, compute, ins);
      Tensor result = new Tensor(out);
      return out.dtype().isFloating() && isDifferentiable() && tracked(ins) ? record(ins, result) : result;
    } catch (NdException e) {
      throw e.during(name());
    }
  }

  private static int[] shape(Tensor[] ins) {
    if (ins.length == 1) {
      return ins[0].shape();
    }
    Layout[] layouts = new Layout[ins.length];
    for (int i = 0; i < ins.length; i++) {
      layouts[i] = ins[i].layout();
    }
    return Layout.broadcast(layouts);
  }

  private void execute(Strided out, DType promoted, Tensor[] ins) {
    if (out.layout().size() > 0) {
      spec().check().accept(promoted, ins);
    }
    DType compute = typing == Typing.COMPARE ? comparable(promoted, ins) : promoted;
    DType[] load = new DType[arity];
    Strided[] operands = new Strided[arity];
    for (int i = 0; i < arity; i++) {
      load[i] = loadsBool[i] ? DType.BOOL : compute;
      operands[i] = ins[i].strided();
      if (ins[i].isWeak() && compute == DType.INT32) {
        requireFits(operands[i]);
      }
    }
    program.run(new Strided[] {out}, load, operands);
  }

  private static void requireFits(Strided weak) {
    if (!fitsInt32(weak)) {
      long value = ((long[]) weak.array())[0];
      throw new DTypeException(
          "the number " + value + " does not fit int32; convert the array to int64 first",
          "value",
          value,
          "dtype",
          "int32");
    }
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
   * Applies the op and writes the result into its first input.
   *
   * @param ins the inputs; the first is modified
   * @return whether the elements were written; false when the result must be computed apart, because it is recorded
   */
  boolean runInto(Tensor[] ins) {
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
    execute(target, compute, ins);
    return true;
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
    Gradient gradient = gradient(input);
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

  private Gradient gradient(int input) {
    Gradient made = gradients.get(input);
    if (made == null) {
      made = makeGradient(input);
      gradients.set(input, made);
    }
    return made;
  }

  private Gradient makeGradient(int input) {
    Expr partial =
        input < partials.length && partials[input] != null ? partials[input] : Derivative.of(expr, input);
    if (partial instanceof Expr.Const(double value) && value == 1) {
      return new Gradient(null, new int[0]);
    }
    List<Integer> used = new ArrayList<>();
    for (int i = 0; i <= arity; i++) {
      if (partial.uses(i)) {
        used.add(i);
      }
    }
    boolean[] bools = new boolean[used.size() + 1];
    for (int i = 0; i < used.size(); i++) {
      bools[i + 1] = used.get(i) < arity && loadsBool[used.get(i)];
    }
    Expr product = scaled(Expr.in(0), partial.substitute(i -> Expr.in(used.indexOf(i) + 1)));
    Spec spec = Spec.define(name() + "-gradient", "").internal();
    return new Gradient(
        new Elementwise(spec, Typing.PROMOTE, bools, product),
        used.stream().mapToInt(Integer::intValue).toArray());
  }

  /**
   * g * partial, multiplied inside choices: where the chosen partial is 0, an infinite or NaN g
   * gives 0 too.
   */
  private static Expr scaled(Expr g, Expr partial) {
    return switch (partial) {
      case Expr.Select(Expr test, Expr yes, Expr no) ->
          Expr.select(test, scaled(g, yes), scaled(g, no));
      case Expr.Const(double value) when value == 0 -> partial;
      case Expr.Const(double value) when value == 1 -> g;
      default -> g.times(partial);
    };
  }
}
