package ndgrad.op;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.Index;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;

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
    return of(x.layout(), key);
  }

  private static IndexUse of(Layout x, Object key) {
    List<Index> items = IndexItems.of(key);
    boolean batched = false;
    for (Index item : items) {
      batched |= isBatched(array(item));
    }
    IndexPlan plan = IndexPlan.of(x, items, batched);
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
      case Tensor t -> t.isBatched() || t.isTraced();
      case Tensor.Face f -> isBatched(f.tensor());
      case null, default -> false;
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
    return repeated(b);
  }

  private static Tensor repeated(Batch b) {
    IndexPlan all = ((IndexUse) b.args().get("use")).plan.repeated(b.size());
    return b.call(b.args().with("use", new IndexUse(List.of(), all, List.of())));
  }

  /**
   * Selects from all examples of a batch: examples with indexes of their own by one more index
   * array, which numbers the examples.
   *
   * @param b the batch; its inputs are the array and the index arrays
   */
  static Tensor gathered(Batch b) {
    IndexUse use = (IndexUse) b.args().get("use");
    if (b.arity() == 1) {
      return repeated(b);
    }
    if (!use.hasPositionsOnly()) {
      return b.eachExample();
    }
    int place = use.plan.place();
    if (!b.has(0)) {
      // The examples are one more axis of the index arrays; gradients go to the one array at once.
      Tensor shared = Indexing.get(b.in(0), use.filled(b));
      return place == 0 ? shared : Structural.MOVE_AXIS.of(shared, place, 0);
    }
    Tensor all = Indexing.get(b.in(0), use.numbered(b));
    return place == 0 ? all : Shapes.MOVEAXIS.of(all, count(1, b), count(1 + place, b));
  }

  /**
   * The adjoint of {@link #gathered}.
   *
   * @param b the batch; its inputs are the selection and the index arrays
   * @param add adds selections into zeros of the shape of an array
   */
  static Tensor scattered(Batch b, Primitive add) {
    IndexUse use = (IndexUse) b.args().get("use");
    if (b.arity() == 1) {
      return repeated(b);
    }
    if (!use.hasPositionsOnly()) {
      return b.eachExample();
    }
    int place = use.plan.place();
    Tensor g = b.full(0);
    Tensor rows = place == 0 ? g : Shapes.MOVEAXIS.of(g, count(1 + place, b), count(1, b));
    Layout all = Layout.of(b.with(use.plan.arrayShape()));
    IndexUse numbered = of(all, use.numbered(b));
    return add.of(rows, numbered.arrays(), numbered.forTape());
  }

  private boolean hasPositionsOnly() {
    return items.stream().noneMatch(Index.Mask.class::isInstance);
  }

  /** As many axes from one on as index arrays have together in an example. */
  private static int[] count(int from, Batch b) {
    int[] axes = new int[rank(b)];
    Arrays.setAll(axes, i -> from + i);
    return axes;
  }

  private static int rank(Batch b) {
    int rank = 0;
    for (int i = 1; i < b.arity(); i++) {
      rank = Math.max(rank, b.example(i).ndim());
    }
    return rank;
  }

  /** The items over all examples, with the numbers of the examples in front. */
  private List<Index> numbered(Batch b) {
    int rank = rank(b);
    int[] numbers = new int[b.size()];
    Arrays.setAll(numbers, i -> i);
    int[] ones = new int[rank + 1];
    Arrays.fill(ones, 1);
    ones[0] = b.size();
    List<Index> out = filled(b);
    out.addFirst(Index.positions(new Tensor(Strided.wrap(numbers, ones))));
    return out;
  }

  /** The items with the index arrays of all examples. */
  private List<Index> filled(Batch b) {
    int rank = rank(b);
    List<Index> out = new ArrayList<>();
    int k = 1;
    for (Index item : items) {
      out.add(item instanceof Index.Positions ? Index.positions(b.aligned(k++, rank)) : item);
    }
    return out;
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
