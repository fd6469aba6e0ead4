package ndgrad.op;

import java.util.Arrays;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;

/** How ops of several families are applied to all examples of a batch at once. */
final class Batches {
  private Batches() {}

  /** For ops with an option {@code axis}, one axis, where nil flattens first. */
  static Tensor axisOrFlat(Batch b) {
    if (hasAxis(b)) {
      return b.call(b.args().with("axis", b.example(0).axis(b.args().integer("axis")) + 1));
    }
    return flat(b, b.args().with("axis", 1));
  }

  /** For ops that find one place along an axis, or in the flattened array. */
  static Tensor place(Batch b) {
    if (hasAxis(b)) {
      return axisOrFlat(b);
    }
    Tensor found = flat(b, b.args().with("axis", 1).with("keepdims", false));
    if (!b.args().flag("keepdims")) {
      return found;
    }
    int[] ones = new int[b.example(0).ndim()];
    Arrays.fill(ones, 1);
    return Shapes.RESHAPE.of(found, b.with(ones));
  }

  /** For ops that move elements around: along axes, or in the flattened array. */
  static Tensor rolled(Batch b) {
    int[] axes = b.args().ints("axis");
    if (axes == null) {
      Tensor lines = flat(b, b.args().with("axis", new int[] {1}));
      return Shapes.RESHAPE.of(lines, b.with(b.example(0).shape()));
    }
    int[] shifted = Arrays.stream(axes).map(i -> b.example(0).axis(i) + 1).toArray();
    return b.call(b.args().with("axis", shifted));
  }

  private static boolean hasAxis(Batch b) {
    if (!b.args().has("axis")) {
      return false;
    }
    // A 0-d example is one of shape [1].
    Dimensions.axis(b.args().integer("axis"), Math.max(1, b.example(0).ndim()));
    return b.example(0).ndim() > 0;
  }

  private static Tensor flat(Batch b, Args args) {
    Tensor[] lines = new Tensor[b.arity()];
    Arrays.setAll(
        lines, i -> Shapes.RESHAPE.of(b.full(i), new int[] {b.size(), b.example(i).intSize()}));
    return b.call(args, lines);
  }

  /**
   * Indexes in all examples together from indexes in each.
   *
   * @param index one for each example along the first axis
   * @param size of an example
   */
  static Tensor together(Tensor index, int size) {
    return Arithmetic.ADD.of(index, starts(index, size));
  }

  /** Indexes in each example from indexes in all together. */
  static Tensor apart(Tensor index, int size) {
    return Arithmetic.SUB.of(index, starts(index, size));
  }

  private static Tensor starts(Tensor index, int size) {
    int[] at = new int[index.dim(0)];
    Arrays.setAll(at, i -> i * size);
    int[] ones = new int[index.ndim()];
    Arrays.fill(ones, 1);
    ones[0] = at.length;
    return new Tensor(Strided.wrap(at, ones));
  }
}
