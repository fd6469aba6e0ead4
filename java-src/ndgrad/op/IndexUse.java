package ndgrad.op;

import java.util.ArrayList;
import java.util.List;
import ndgrad.Index;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Layout;
import ndgrad.kernel.Strided;
import ndgrad.op.spec.Batch;

/**
 * An index expression applied to an array. Index arrays that differ from example to example of a
 * batch are inputs of the ops, which make a plan of their own for every example; otherwise there is
 * one plan.
 */
final class IndexUse {
  private final List<Index> items;
  private final IndexPlan plan;
  private final List<Tensor> arrays;

  private IndexUse(List<Index> items, IndexPlan plan, List<Tensor> arrays) {
    this.items = items;
    this.plan = plan;
    this.arrays = arrays;
  }

  /**
   * Reads an expression.
   *
   * @param x the array it is applied to
   * @param key an index, or a list of them
   * @return the use, with everything checked
   */
  static IndexUse of(Tensor x, Object key) {
    List<Index> items = IndexItems.of(key);
    boolean batched = false;
    for (Index item : items) {
      batched |= isBatched(array(item));
    }
    IndexPlan plan = IndexPlan.of(x.layout(), items, batched);
    if (!batched) {
      return new IndexUse(List.of(), plan, List.of());
    }
    List<Tensor> arrays = new ArrayList<>();
    for (Index item : items) {
      if (array(item) != null) {
        arrays.add(IndexItems.tensor(array(item), item instanceof Index.Mask));
      }
    }
    return new IndexUse(without(items), plan, arrays);
  }

  private static Object array(Index item) {
    return switch (item) {
      case Index.Positions p -> p.array();
      case Index.Mask m -> m.array();
      default -> null;
    };
  }

  private static boolean isBatched(Object array) {
    return switch (array) {
      case Tensor t -> varies(t);
      case Tensor.Face f -> varies(f.tensor());
      case null, default -> false;
    };
  }

  private static boolean varies(Tensor t) {
    return switch (t.lift().orElse(null)) {
      case Lift.Batched _ -> true;
      case Lift.Dual d -> varies(d.primal());
      case null -> false;
    };
  }

  /** The items with nothing where their arrays are, so that the tape keeps none alive. */
  private static List<Index> without(List<Index> items) {
    List<Index> out = new ArrayList<>();
    for (Index item : items) {
      out.add(
          switch (item) {
            case Index.Positions _ -> Index.positions(List.of());
            case Index.Mask _ -> Index.mask(List.of());
            default -> item;
          });
    }
    return out;
  }

  /**
   * Applies an op to all examples of a batch: at once where the indexes are the same for all.
   *
   * @param b the batch
   * @param from where among the inputs the index arrays begin
   */
  static Tensor batched(Batch b, int from) {
    if (b.arity() > from) {
      return b.eachExample();
    }
    IndexPlan all = ((IndexUse) b.args().get("use")).plan.repeated(b.size());
    return b.call(b.args().with("use", new IndexUse(List.of(), all, List.of())));
  }

  /** Index arrays that are inputs of their own. */
  List<Tensor> arrays() {
    return arrays;
  }

  /** The same, to be remembered by the tape. */
  IndexUse forTape() {
    return arrays.isEmpty() ? this : new IndexUse(items, plan, List.of());
  }

  /** The plan; in a batch that of its first example, whose shapes are those of all. */
  IndexPlan plan() {
    return plan;
  }

  /**
   * The plan of one application.
   *
   * @param ins the inputs of the op
   * @param from where among them the index arrays begin
   * @return the plan
   */
  IndexPlan plan(Strided[] ins, int from) {
    if (from == ins.length) {
      return plan;
    }
    List<Index> filled = new ArrayList<>();
    int k = from;
    for (Index item : items) {
      filled.add(
          switch (item) {
            case Index.Positions _ -> Index.positions(new Tensor(ins[k++]));
            case Index.Mask _ -> Index.mask(new Tensor(ins[k++]));
            default -> item;
          });
    }
    return IndexPlan.of(Layout.of(plan.arrayShape()), filled, true);
  }

  /** The index arrays that an application saved. */
  static List<Tensor> saved(Node node, int from) {
    List<Tensor> out = new ArrayList<>();
    for (int i = from; i < node.arity(); i++) {
      out.add(node.in(i));
    }
    return out;
  }
}
