package ndgrad.op;

import java.util.Arrays;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Derivative;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/**
 * A loss that is a scalar expression of each element of an array and of its target, and perhaps of
 * a further number. The sum is made while the expression is computed, and the gradient is one pass.
 */
final class PointLoss {
  private static final List<String> INPUTS = List.of("x", "target", "delta");

  /** Names of up to three operands and of g. */
  private static final String OPERANDS = "a, b, c, d";

  private final Elementwise each;
  private final Primitive sum;
  private final int arity;

  /**
   * A loss.
   *
   * @param name its op's name
   * @param expr the loss of in(0) given in(1), and perhaps in(2)
   * @param partials the partial derivatives, where they are to be other than the symbolic ones
   */
  PointLoss(String name, Expr expr, int arity, Expr... partials) {
    this.arity = arity;
    String inputs = String.join(", ", INPUTS.subList(0, arity));
    each = Spec.define(name, inputs).internal().elementwise(Typing.FLOATING, expr, partials);
    Reduction total = Reduction.of(expr, Fn2.ADD);
    Spec spec =
        Spec.define(name, inputs + ", axis: axes = nil, keepdims: flag = false")
            .internal()
            .batch(PointLoss::batch);
    for (int i = 0; i < arity; i++) {
      gradient(spec, i, i < partials.length ? partials[i] : Derivative.of(expr, i));
    }
    sum =
        spec.primitive(
            (a, in) -> Axes.of(a, in[0].layout()).run(total, in[0].dtype(), in[0].dtype(), in));
  }

  /** Adds the rule of one input: the partial derivative times g, of what it reads. */
  private void gradient(Spec spec, int input, Expr partial) {
    int[] read = IntStream.range(0, arity).filter(partial::uses).toArray();
    int count = read.length;
    Expr slope = partial.substitute(i -> Expr.in(Arrays.binarySearch(read, i)));
    Elementwise product =
        Spec.define(spec.name() + "-gradient", OPERANDS.substring(0, 3 * count + 1))
            .internal()
            .elementwise(Typing.PROMOTE, slope.times(Expr.in(count)));
    String saves = Arrays.stream(read).mapToObj(INPUTS::get).collect(Collectors.joining(" "));
    spec.vjp(
        input,
        saves,
        (n, a, g) -> {
          Object[] ins = new Object[count + 1];
          Arrays.setAll(ins, i -> i < count ? n.in(read[i]) : Axes.spread(g, n, a));
          return Structural.sumTo((Tensor) product.call(ins), n.layout(input), n.dtype(input));
        });
  }

  /**
   * The loss of a call with the option {@code reduction}.
   *
   * @param args the arguments
   * @return one number, or one an element
   */
  Tensor of(Args args) {
    Tensor[] ins = new Tensor[arity];
    ins[0] = args.tensor("x");
    ins[1] = args.tensor("target");
    if (arity == 3) {
      ins[2] = args.tensor("delta");
    }
    String reduction = reduction(args);
    if (reduction.equals("none")) {
      return (Tensor) each.call((Object[]) ins);
    }
    DType common = Typing.promote(ins).toFloating();
    int[] shape =
        Dimensions.broadcast(Arrays.stream(ins).map(Tensor::layout).toArray(Layout[]::new));
    for (int i = 0; i < 2; i++) {
      Tensor t = Structural.cast(ins[i], common);
      ins[i] = Arrays.equals(t.shape(), shape) ? t : Structural.BROADCAST_TO.of(t, shape);
    }
    Tensor total = (Tensor) sum.call((Object[]) ins);
    return reduction.equals("sum")
        ? total
        : Arithmetic.DIV.of(total, (double) Dimensions.size(shape));
  }

  /**
   * The option {@code reduction}.
   *
   * @param args the arguments
   * @return mean, sum or none
   * @throws ArgumentException when it is something else
   */
  static String reduction(Args args) {
    String word = args.word("reduction");
    if (!List.of("mean", "sum", "none").contains(word)) {
      throw new ArgumentException(
          "reduction must be mean, sum or none, got " + word,
          "argument",
          "reduction",
          "value",
          word);
    }
    return word;
  }

  private static Tensor batch(Batch b) {
    Tensor[] ins = new Tensor[b.arity()];
    ins[0] = b.full(0);
    ins[1] = b.full(1);
    if (ins.length == 3) {
      ins[2] = b.aligned(2, b.example(0).ndim());
    }
    return b.call(b.args().with("axis", b.shifted(b.args().ints("axis"))), ins);
  }
}
