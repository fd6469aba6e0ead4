package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/**
 * Einstein summation. Operands are multiplied two at a time, as {@link EinsumPlan} has it; each
 * time it is one batched product of matrices, so that BLAS does the work.
 */
public final class Einsum {
  private Einsum() {}

  /** Sums of products over named indexes. */
  public static final Composite EINSUM =
      define("einsum", "equation: word, xs: arrays")
          .doc(
              "Sums of products of arrays over named indices: \"ij,jk->ik\" is the matrix"
                  + " product. Each letter names a dimension; letters missing from the output are"
                  + " summed over; a letter repeated in one operand takes the diagonal. Without"
                  + " \"->\" the output has the letters that occur once, in the order of their"
                  + " characters. \"...\" stands for unnamed dimensions, which broadcast together."
                  + " Upper and lower case letters differ, spaces are ignored. Dimensions of length"
                  + " 1 broadcast, as in NumPy. Dtypes are promoted; bool is combined by and and"
                  + " or. The result shares no elements with the operands.")
          .param(
              "equation",
              "the letters of each operand, separated by commas, then -> and those of the output")
          .param(
              "xs",
              "as many arrays as the equation has operands, as separate arguments or as one"
                  + " list that contains an Array")
          .domain(-3, 3)
          .oracle("np.einsum(equation, *xs)")
          .samples(
              "\"ij,jk->ik\" [#x [2 3] #x [3 4]]",
              "\"ij,jk\" [#x [2 3] #x [3 2]]",
              "\"ij->ji\" [#x [2 3]]",
              "\"ij->i\" [#x [2 3]]",
              "\"ij\" [#x [2 3]]",
              "\"ba\" [#x [2 3]]",
              "\"ii->i\" [#x [3 3]]",
              "\"ii\" [#x [3 3]]",
              "\"iij->ij\" [#x [2 2 3]]",
              "\"i,i->\" [#x [3] #x [3]]",
              "\"i,j->ij\" [#x [2] #x [3]]",
              "\"i,i->i\" [#x [3] #x [3]]",
              "\"bij,bjk->bik\" [#x [2 2 3] #x [2 3 2]]",
              "\"bij,bjk->kbi\" [#x [2 2 3] #x [2 3 2]]",
              "\"...ij,...jk->...ik\" [#x [2 1 2 3] #x [2 3 2]]",
              "\"...i,i\" [#x [2 2 3] #x [3]]",
              "\"i...->...\" [#x [2 3]]",
              "\"aB, Bc -> ca\" [#x [2 3] #x [3 2]]",
              "\"ij,jk,kl->il\" [#x [2 3] #x [3 2] #x [2 3]]",
              "\"i,ij,j->\" [#x [2] #x [2 3] #x [3]]",
              "\"ij,ij->ij\" [#x [1 3] #x [2 3]]",
              "\"ij,kj->\" [#x [2 1] #x [2 3]]",
              "\"->\" [#x []]",
              "\"i,->i\" [#x [3] #x []]",
              "\"ij,jk->ik\" [#x [2 0] #x [0 3]]",
              "\"ij,jk->ik\" [#i [2 3] #x [3 2]]",
              "\"ij,jk->ik\" [#b [2 3] #b [3 2]]",
              "\"ij->i\" [#b [2 3]]",
              "\"iij,jk->k\" [#i [2 2 3] #i [3 2]]")
          .fails(
              ArgumentException.class,
              "\"ij->ik\" [#x [2 2]]",
              "\"i,j->ij\" [#x [2]]",
              "\"i\" [#x [2] #x [2]]",
              "\"i->ii\" [#x [2]]",
              "\"i1->i\" [#x [2 2]]",
              "\"i->j->k\" [#x [2]]",
              "\"..i\" [#x [2 2]]",
              "\"...i->i\" [#x [2 2]]",
              "\"\" []",
              "\"i......\" [#x [2]]")
          .fails(
              ShapeException.class,
              "\"ij,jk->ik\" [#x [2 3] #x [2 3]]",
              "\"ij->ij\" [#x [2]]",
              "\"i->i\" [#x [2 2]]",
              "\"ii->i\" [#x [2 3]]",
              "\"...ij->...ij\" [#x [2]]",
              "\"...i,...i\" [#x [2 3] #x [4 3]]")
          .composite(a -> evaluate(a.word("equation"), a.tensors("xs")));

  private static Tensor evaluate(String equation, List<Tensor> operands) {
    EinsumPlan plan = EinsumPlan.of(equation, operands.stream().map(Tensor::layout).toList());
    DType dtype = Typing.promote(operands.toArray(Tensor[]::new));
    List<Tensor> factors = new ArrayList<>();
    for (int i = 0; i < operands.size(); i++) {
      Tensor x = operands.get(i);
      Tensor cast = Structural.cast(x, dtype);
      factors.add(factor(cast, plan.factors().get(i)));
    }
    for (EinsumPlan.Product p : plan.products()) {
      Tensor product = product(p, factors.get(p.left()), factors.get(p.right()));
      factors.remove(Math.max(p.left(), p.right()));
      factors.set(Math.min(p.left(), p.right()), product);
    }
    Tensor result = Linalg.permute(factors.getFirst(), plan.order());
    boolean shared = operands.stream().anyMatch(x -> x.storage() == result.storage());
    return shared || !result.layout().isContiguous() ? Structural.COPY.of(result) : result;
  }

  private static Tensor factor(Tensor operand, EinsumPlan.Factor plan) {
    Tensor x = operand;
    for (int[] axes : plan.diagonals()) {
      x = Shapes.DIAGONAL.of(x, 0, axes[0], axes[1]);
    }
    x = Linalg.reshape(x, plan.shape());
    return plan.summed().length == 0 ? x : Reductions.SUM.of(x, plan.summed(), false, x.dtype());
  }

  private static Tensor product(EinsumPlan.Product plan, Tensor left, Tensor right) {
    Tensor a = laidOut(left, plan.a());
    Tensor b = laidOut(right, plan.b());
    Tensor product = plan.isMatrix() ? Linalg.MATMUL.of(a, b) : Arithmetic.MUL.of(a, b);
    return Linalg.reshape(product, plan.shape());
  }

  private static Tensor laidOut(Tensor x, EinsumPlan.Side side) {
    return Linalg.reshape(Linalg.permute(x, side.axes()), side.shape());
  }
}
