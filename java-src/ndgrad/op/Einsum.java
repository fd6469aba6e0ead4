package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/**
 * Einstein summation. Operands are combined two at a time, the pair first whose result is smallest
 * beside what it replaces; each combination is one batched product of matrices, so that BLAS does
 * the work.
 */
public final class Einsum {
  private Einsum() {}

  /** Sums of products over named indexes. */
  public static final Composite EINSUM =
      define("einsum", "equation: word, xs: arrays")
          .doc(
              "Sums of products of arrays over named indexes: \"ij,jk->ik\" is the matrix product."
                  + " Each letter names a dimension; letters that the output lacks are summed over;"
                  + " a letter twice in one operand takes the diagonal. Without \"->\" the output"
                  + " has the letters that occur once, in the order of their characters. \"...\""
                  + " stands for dimensions without names, which broadcast together. Upper and"
                  + " lower case are different letters, spaces mean nothing. Dimensions of length 1"
                  + " broadcast, as in NumPy. The result has the promoted dtype of the operands and"
                  + " shares nothing with them; bool is combined by and and or.")
          .param(
              "equation",
              "the letters of each operand, separated by commas, then -> and those of the output")
          .param("xs", "as many arrays as the equation has operands")
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

  /** A factor of the product whose dimensions have one label each. */
  private record Factor(Tensor x, int[] labels) {
    boolean has(int label) {
      return contains(labels, label);
    }

    int[] lengths(int... some) {
      return Arrays.stream(some).map(l -> x.dim(axis(l))).toArray();
    }

    private int axis(int label) {
      int i = 0;
      while (labels[i] != label) {
        i++;
      }
      return i;
    }

    /** With its dimensions in the order of the labels. */
    Tensor ordered(int... order) {
      return Linalg.permute(x, Arrays.stream(order).map(this::axis).toArray());
    }

    /** Summed over the dimensions whose labels nobody needs. */
    Factor keeping(int[] needed) {
      int[] kept = Arrays.stream(labels).filter(l -> contains(needed, l)).toArray();
      int[] axes =
          IntStream.range(0, labels.length).filter(i -> !contains(kept, labels[i])).toArray();
      return axes.length == 0
          ? this
          : new Factor(Reductions.SUM.of(x, axes, false, x.dtype()), kept);
    }
  }

  private static Tensor evaluate(String text, List<Tensor> operands) {
    EinsumEquation equation =
        EinsumEquation.of(text, operands.stream().map(Tensor::layout).toList());
    DType dtype = promoted(operands);
    List<Factor> factors = new ArrayList<>();
    for (int i = 0; i < operands.size(); i++) {
      Tensor x = operands.get(i);
      Tensor cast = x.dtype() == dtype ? x : Structural.CAST.of(x, dtype);
      factors.add(unstretched(diagonals(cast, equation.input(i)), equation));
    }
    for (int i = 0; i < factors.size(); i++) {
      factors.set(i, factors.get(i).keeping(needed(factors, equation.output(), i, i)));
    }
    while (factors.size() > 1) {
      combineCheapest(factors, equation.output());
    }
    Tensor result = factors.getFirst().ordered(equation.output());
    boolean shared = operands.stream().anyMatch(x -> x.storage() == result.storage());
    return shared || !result.layout().isContiguous() ? Structural.COPY.of(result) : result;
  }

  private static DType promoted(List<Tensor> operands) {
    DType dtype = operands.getFirst().dtype();
    boolean weak = operands.getFirst().isWeak();
    for (Tensor t : operands) {
      dtype = Typing.promote(dtype, weak, t.dtype(), t.isWeak());
      weak &= t.isWeak();
    }
    return dtype;
  }

  /** Takes the diagonal of dimensions with the same label. */
  private static Factor diagonals(Tensor x, int[] labels) {
    for (int i = 0; i < labels.length; i++) {
      for (int j = i + 1; j < labels.length; j++) {
        int label = labels[i];
        if (labels[j] == label) {
          int first = i;
          int second = j;
          IntStream rest =
              IntStream.range(0, labels.length)
                  .filter(k -> k != first && k != second)
                  .map(k -> labels[k]);
          // The diagonal becomes the last dimension.
          return diagonals(
              Shapes.DIAGONAL.of(x, 0, i, j),
              IntStream.concat(rest, IntStream.of(label)).toArray());
        }
      }
    }
    return new Factor(x, labels);
  }

  /** Drops dimensions of length 1 that another operand's stretch. */
  private static Factor unstretched(Factor f, EinsumEquation equation) {
    int[] kept =
        IntStream.range(0, f.labels.length)
            .filter(i -> f.x.dim(i) == equation.length(f.labels[i]))
            .map(i -> f.labels[i])
            .toArray();
    return kept.length == f.labels.length
        ? f
        : new Factor(Linalg.reshape(f.x, f.lengths(kept)), kept);
  }

  /** The labels of the output and of all factors but two. */
  private static int[] needed(List<Factor> factors, int[] output, int one, int other) {
    IntStream others =
        IntStream.range(0, factors.size())
            .filter(i -> i != one && i != other)
            .flatMap(i -> Arrays.stream(factors.get(i).labels));
    return IntStream.concat(Arrays.stream(output), others).toArray();
  }

  private static void combineCheapest(List<Factor> factors, int[] output) {
    int one = 0;
    int other = 1;
    double least = Double.POSITIVE_INFINITY;
    for (int i = 0; factors.size() > 2 && i < factors.size(); i++) {
      for (int j = i + 1; j < factors.size(); j++) {
        Factor a = factors.get(i);
        Factor b = factors.get(j);
        double cost = resultSize(a, b, needed(factors, output, i, j)) - a.x.size() - b.x.size();
        if (cost < least) {
          least = cost;
          one = i;
          other = j;
        }
      }
    }
    int[] needed = needed(factors, output, one, other);
    Factor b = factors.remove(other);
    factors.set(one, combined(factors.get(one), b, needed));
  }

  private static double resultSize(Factor a, Factor b, int[] needed) {
    double size = 1;
    for (int l : a.labels) {
      size *= contains(needed, l) ? a.lengths(l)[0] : 1;
    }
    for (int l : b.labels) {
      size *= contains(needed, l) && !a.has(l) ? b.lengths(l)[0] : 1;
    }
    return size;
  }

  /** The product of two factors, summed over the labels they share and nobody else needs. */
  private static Factor combined(Factor a, Factor b, int[] needed) {
    int[] shared = Arrays.stream(a.labels).filter(b::has).toArray();
    int[] batch = Arrays.stream(shared).filter(l -> contains(needed, l)).toArray();
    int[] inner = Arrays.stream(shared).filter(l -> !contains(needed, l)).toArray();
    int[] freeA = Arrays.stream(a.labels).filter(l -> !b.has(l)).toArray();
    int[] freeB = Arrays.stream(b.labels).filter(l -> !a.has(l)).toArray();
    if (freeA.length > 0
        && freeB.length > 0
        && Arrays.equals(Linalg.join(batch, freeB, freeA), needed)) {
      // In the other order the result is the output as it stands.
      return combined(b, a, needed);
    }
    int[] batchShape = a.lengths(batch);
    int[] shapeA = a.lengths(freeA);
    int[] shapeB = b.lengths(freeB);
    Tensor product;
    if (inner.length == 0) {
      Tensor left = a.ordered(Linalg.join(batch, freeA));
      product =
          Arithmetic.MUL.of(
              Linalg.reshape(left, Linalg.join(left.shape(), ones(freeB.length))),
              Linalg.reshape(
                  b.ordered(Linalg.join(batch, freeB)),
                  Linalg.join(batchShape, ones(freeA.length), shapeB)));
    } else {
      int k = size(a.lengths(inner));
      Tensor left = a.ordered(Linalg.join(batch, freeA, inner));
      Tensor right = b.ordered(Linalg.join(batch, inner, freeB));
      product =
          Linalg.MATMUL.of(
              Linalg.reshape(left, Linalg.join(batchShape, new int[] {size(shapeA), k})),
              Linalg.reshape(right, Linalg.join(batchShape, new int[] {k, size(shapeB)})));
    }
    return new Factor(
        Linalg.reshape(product, Linalg.join(batchShape, shapeA, shapeB)),
        Linalg.join(batch, freeA, freeB));
  }

  private static int[] ones(int count) {
    int[] ones = new int[count];
    Arrays.fill(ones, 1);
    return ones;
  }

  private static int size(int[] lengths) {
    return Math.toIntExact(Linalg.product(lengths));
  }

  private static boolean contains(int[] labels, int label) {
    for (int l : labels) {
      if (l == label) {
        return true;
      }
    }
    return false;
  }
}
