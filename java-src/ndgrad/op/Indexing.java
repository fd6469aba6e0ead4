package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.RandomAccess;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.NdException;
import ndgrad.ShapeException;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Pool;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.View;

/** Reading and writing by index, exactly NumPy's. */
public final class Indexing {
  private Indexing() {}

  private static final String ITEMS =
      "integers, slices, :all, :newaxis, :ellipsis, lists or arrays of integers,"
          + " lists or arrays of booleans";

  /** A selection that is a view. */
  private static final View VIEW =
      define("get", "x, plan: any")
          .internal()
          .view(
              (a, l) -> Optional.of(plan(a).view(l)),
              (n, a, g) -> {
                Layout root = Layout.of(n.layout(0).shape());
                return Structural.STRIDED_ADD.of(g, root, plan(a).view(root));
              });

  /** A selection by arrays. */
  private static final Primitive GATHER =
      define("get", "x, arrays: arrays, use: any")
          .internal()
          .linear()
          .batch(IndexUse::gathered)
          .vjp(
              0,
              "arrays",
              (n, a, g) -> Indexing.SCATTER_ADD.of(g, IndexUse.saved(n, 1), a.get("use")))
          .primitive((a, in) -> gathered(in[0], plan(a, in, 1)));

  /** The adjoint of {@link #GATHER}. */
  private static final Primitive SCATTER_ADD =
      define("get-add", "x, arrays: arrays, use: any")
          .internal()
          .linear()
          .batch(b -> IndexUse.scattered(b, Indexing.SCATTER_ADD))
          .vjp(0, "arrays", (n, a, g) -> GATHER.of(g, IndexUse.saved(n, 1), a.get("use")))
          .primitive(
              (a, in) -> {
                IndexPlan plan = plan(a, in, 1);
                return addedTo(Strided.zeros(in[0].dtype(), plan.arrayShape()), in[0], plan);
              });

  /** A copy to which values are added at a selection by arrays. */
  static final Primitive ADD_AT =
      define("index-add", "x, values, arrays: arrays, use: any")
          .internal()
          .linear()
          .batch(b -> IndexUse.batched(b, 2))
          .vjp(0, "", (n, a, g) -> g)
          .vjp(1, "arrays", (n, a, g) -> GATHER.of(g, IndexUse.saved(n, 2), a.get("use")))
          .primitive((a, in) -> addedTo(Copies.copyOf(in[0]), in[1], plan(a, in, 2)));

  /** A copy in which a selection by arrays is replaced. */
  private static final Primitive PUT =
      define("setitem", "x, value, arrays: arrays, use: any")
          .internal()
          .linear()
          .batch(b -> IndexUse.batched(b, 2))
          .vjp(
              0,
              "arrays",
              (n, a, g) -> cleared(g, n.layout(1).ndim(), IndexUse.saved(n, 2), a.get("use")))
          .vjp(
              1,
              "arrays",
              (n, a, g) -> Indexing.GATHER_LAST.of(g, IndexUse.saved(n, 2), a.get("use")))
          .primitive((a, in) -> replaced(in[0], in[1], plan(a, in, 2)));

  /**
   * The adjoint of writing into zeros: where a position is written twice only the last one gets its
   * gradient.
   */
  private static final Primitive GATHER_LAST =
      define("setitem-gradient", "x, arrays: arrays, use: any")
          .internal()
          .linear()
          .batch(b -> IndexUse.batched(b, 1))
          .vjp(
              0,
              "arrays",
              (n, a, g) -> {
                Tensor zeros = Structural.zeros(g.dtype(), n.layout(0));
                return PUT.of(zeros, g, IndexUse.saved(n, 1), a.get("use"));
              })
          .primitive((a, in) -> gatheredLast(in[0], plan(a, in, 1)));

  /** A selection. */
  public static final Composite GET =
      define("get", "x, items: any")
          .param("items", ITEMS)
          .doc(
              "The selected elements, as NumPy's x[...]. Integers, slices, :newaxis and"
                  + " :ellipsis give a view that shares storage and version counter; an integer for"
                  + " every axis gives a 0-d view. Integer arrays and masks give a copy. Several"
                  + " arrays are broadcast together; the broadcast axes replace the indexed ones,"
                  + " or come first if a slice separates these, and integers beside arrays count as"
                  + " arrays. A mask counts as the positions of its true elements. The gradients of"
                  + " repeated positions add up.")
          .domain(-3, 3)
          .oracle("x[items]")
          .samples(
              "#x [3 4] [0]",
              "#x [3 4] [-1 2]",
              "#x [3 4] [:all :newaxis #slice [1 nil 2]]",
              "#x [3 4] [:ellipsis 0]",
              "#x [5] [#slice [nil nil -2]]",
              "#x [3 4] [[0 2 0]]",
              "#x [3 4] [[0 2] [1 1]]",
              "#x [2 3 4] [[0 1] :all [3 0]]",
              "#x [2 3 4] [:all [2 0] 1]",
              "#x [2 3 4] [:all [[0 2] [1 1]] #slice [1 3 nil]]",
              "#x [3] [[true false true]]",
              "#x [2 2] [[[true false] [true true]]]",
              "#x [2 3] [:all [true false true]]",
              "#x [] []",
              "#x [3] [[]]",
              "#x [0 3] [:all 1]",
              "#x [] [true]",
              "#x [2] [false :ellipsis]")
          .fails(
              IndexException.class,
              "#x [3] [3]",
              "#x [3] [-4]",
              "#x [3] [0 0]",
              "#x [3] [[0 3]]",
              "#x [3] [[true false]]",
              "#x [3 4] [[0 1] [0 1 2]]",
              "#x [3] [:ellipsis :ellipsis]",
              "#x [3] [1.5]",
              "#x [3] [[0.5]]",
              "#x [3] [:some]")
          .composite(a -> get(a.tensor("x"), a.get("items")));

  /** A copy with a selection replaced. */
  public static final Composite SETITEM =
      define("setitem", "x, items: any, value")
          .param("items", ITEMS)
          .param(
              "value",
              "the new value, broadcast to the shape of the selection and converted to the"
                  + " array's dtype")
          .doc(
              "A copy of the array with a selection replaced by a value. The gradient of x"
                  + " is zero where it was overwritten; that of value is the incoming gradient"
                  + " there. If a position is selected several times, the last one counts. The"
                  + " value is converted as by NumPy's assignment.")
          .domain(-3, 3)
          .oracle("[y := x.copy(), y.__setitem__(items, value)][0]")
          .samples(
              "#x [3 4] [0] #x [4]",
              "#x [3 4] [:all #slice [nil nil 2]] #x [2]",
              "#x [3 4] [[0 2 0]] #x [3 4]",
              "#x [3 4] [[0 2] [1 1]] 5.0",
              "#x [2 3 4] [:all [2 0] 1] #x [2 1]",
              "#x [3] [[true false true]] #x [2]",
              "#x [] [] 2.0",
              "#x [0 3] [:all 1] 1.0")
          .fails(IndexException.class, "#x [3] [3] 1.0", "#x [3] [[0 5]] 1.0")
          .fails(ShapeException.class, "#x [3] [#slice [0 2 1]] #x [3]", "#x [3] [[0 1]] #x [3]")
          .composite(a -> setitem(a.tensor("x"), a.get("items"), a.tensor("value")));

  /** How an in-place write by arrays goes back; the node's argument says where it wrote. */
  private static final Rule WRITE =
      new Rule() {
        @Override
        public String name() {
          return "set!";
        }

        @Override
        public Tensor vjp(Node node, int input, Tensor g) {
          Written w = (Written) node.args();
          Layout root = node.layout(0);
          Tensor seen = w.layout.equals(root) ? g : Structural.STRIDED_READ.of(g, root, w.layout);
          if (input == 1) {
            return GATHER_LAST.of(seen, List.of(), w.use);
          }
          Tensor cleared = cleared(seen, w.use.plan().shape().length, List.of(), w.use);
          return w.layout.equals(root)
              ? cleared
              : Structural.STRIDED_WRITE.of(g, cleared, root, w.layout);
        }
      };

  /** A selection by arrays that was written, of an array laid out so. */
  private record Written(Layout layout, IndexUse use) {}

  /**
   * Selects elements.
   *
   * @param x the array
   * @param items an index, or a list of them
   * @return a view or a copy, as {@link #GET} says
   * @throws IndexException when something is no index, out of range or too much
   */
  public static Tensor get(Tensor x, Object items) {
    if (items instanceof RandomAccess
        && items instanceof List<?> list
        && areIntegers(list, x.layout())) {
      return element(x, list);
    }
    IndexUse use = IndexUse.of(x, items);
    IndexPlan plan = use.plan();
    if (!plan.isView()) {
      return GATHER.of(x, use.arrays(), use.forTape());
    }
    Tensor view = VIEW.of(x, plan);
    return plan.isScalarArray() ? Structural.COPY.of(view) : view;
  }

  /** Whether the items are but host integers that are in range, of the first axes. */
  private static boolean areIntegers(List<?> items, Layout layout) {
    boolean fit = !items.isEmpty() && items.size() <= layout.ndim();
    for (int i = 0; fit && i < items.size(); i++) {
      fit =
          items.get(i) instanceof Long at && -layout.dim(i) <= at && at < layout.dim(i)
              || items.get(i) instanceof Integer n && -layout.dim(i) <= n && n < layout.dim(i);
    }
    return fit;
  }

  /** What the most common indexes select, without a plan. */
  private static Tensor element(Tensor x, List<?> items) {
    Tensor out = x;
    for (Object at : items) {
      out = Structural.SELECT.of(out, 0, at);
    }
    return out;
  }

  /**
   * Writes into a selection of an array, in place: the value is broadcast and converted as NumPy's
   * assignment does, and read before anything is written. The version goes up by one. Gradients are
   * those of the program as it ran; where a position is written twice the last value counts.
   *
   * @param x the array, modified
   * @param items an index, or a list of them
   * @param value an array, number or nested list
   * @return x
   * @throws IndexException when something is no index, out of range or too much
   * @throws ShapeException when the value does not broadcast to the selection
   * @throws ArgumentException when x is a read-only broadcast view
   */
  public static Tensor set(Tensor x, Object items, Object value) {
    try {
      IndexUse use = IndexUse.of(x, items);
      IndexPlan plan = use.plan();
      Tensor given = Nested.tensor(value);
      given = given.requiresGrad() && !x.dtype().isFloating() ? given.detach() : given;
      List<Tensor> read = new ArrayList<>(use.arrays());
      read.add(given);
      boolean tracked = InPlace.guard(x, read);
      Nested.requireFits(value, x.dtype());
      Tensor v = unpadded(given, plan.shape().length);
      requireBroadcast(v, plan.shape());
      if (plan.isView()) {
        Tensor target =
            tracked ? VIEW.of(x, plan) : new Tensor(x.strided().with(plan.view(x.layout())));
        InPlace.assign(target, v, "set!");
        return x;
      }
      Tensor full = tracked ? fitted(v, x.dtype(), plan.shape()) : v;
      put(x, plan, full);
      if (tracked) {
        Tensor root = x.root();
        Tensor[] ins = {root, full};
        root.madeBy(
            new Node(WRITE, new Written(x.layout(), use), ins, root.layout(), root.dtype()));
        root.rewritten();
      }
      return x;
    } catch (NdException e) {
      throw e.during("set!");
    }
  }

  private static void put(Tensor x, IndexPlan plan, Tensor value) {
    Strided v = value.strided();
    if (v.storage() == x.strided().storage() || v.dtype() != x.dtype()) {
      v = Copies.copyOf(v, x.dtype());
    }
    put(x.strided(), plan, v);
    InPlace.bump(x, "set!");
  }

  private static void put(Strided into, IndexPlan plan, Strided value) {
    int[] positions = plan.positions(into.layout());
    Layout inner = plan.inner(into.layout());
    Gather.put(into, positions, inner, rows(value, plan, positions.length, inner));
  }

  /** The value with the selection's leading axes merged into one that runs over the positions. */
  private static Strided rows(Strided value, IndexPlan plan, int count, Layout inner) {
    int[] shape = new int[inner.ndim() + 1];
    shape[0] = count;
    System.arraycopy(inner.shape(), 0, shape, 1, inner.ndim());
    Layout wide = value.layout().broadcastTo(plan.shape());
    Optional<Layout> merged = wide.reshape(shape);
    if (merged.isPresent()) {
      return value.with(merged.get());
    }
    Strided copy = Copies.copyOf(value.with(wide));
    return copy.with(copy.layout().reshape(shape).orElseThrow());
  }

  private static IndexPlan plan(Args a) {
    return (IndexPlan) a.get("plan");
  }

  private static IndexPlan plan(Args a, Strided[] ins, int from) {
    return ((IndexUse) a.get("use")).plan(ins, from);
  }

  private static Strided gathered(Strided x, IndexPlan plan) {
    Strided out = Strided.empty(x.dtype(), plan.shape());
    if (out.layout().size() > 0) {
      Gather.gather(out, x, plan.positions(x.layout()), plan.inner(x.layout()));
    }
    return out;
  }

  private static Strided addedTo(Strided out, Strided values, IndexPlan plan) {
    int[] positions = plan.positions(out.layout());
    Layout inner = plan.inner(out.layout());
    Gather.add(out, positions, inner, rows(values, plan, positions.length, inner), 1);
    return out;
  }

  private static Strided replaced(Strided x, Strided value, IndexPlan plan) {
    Strided out = Copies.copyOf(x);
    put(out, plan, value);
    return out;
  }

  private static Strided gatheredLast(Strided x, IndexPlan plan) {
    if (Layout.of(plan.shape()).size() == 0) {
      return Strided.zeros(x.dtype(), plan.shape());
    }
    // Each position is marked with the number of the last row written there; the other rows get
    // nothing.
    Strided owner = Strided.zeros(DType.INT32, plan.arrayShape());
    int[] marks = (int[]) owner.array();
    int[] positions = plan.positions(owner.layout());
    for (int i = 0; i < positions.length; i++) {
      marks[positions[i]] = i;
    }
    Strided out = gathered(x, plan);
    int row = plan.inner(owner.layout()).intSize();
    for (int i = 0; i < positions.length; i++) {
      if (marks[positions[i]] != i) {
        Pool.zero(out.array(), i * row, (i + 1) * row);
      }
    }
    return out;
  }

  /** A zero for all of a selection has as many axes, so that examples of a batch line up. */
  private static Tensor cleared(Tensor g, int ndim, List<Tensor> arrays, Object use) {
    int[] ones = new int[ndim];
    Arrays.fill(ones, 1);
    return PUT.of(g, new Tensor(Strided.zeros(g.dtype(), ones)), arrays, use);
  }

  private static Tensor setitem(Tensor x, Object items, Tensor value) {
    IndexUse use = IndexUse.of(x, items);
    IndexPlan plan = use.plan();
    Tensor full = fitted(unpadded(value, plan.shape().length), x.dtype(), plan.shape());
    if (plan.isView()) {
      Layout root = Layout.of(x.shape());
      return Structural.STRIDED_WRITE.of(x, full, root, plan.view(root));
    }
    return PUT.of(x, full, use.arrays(), use.forTape());
  }

  /**
   * Without leading axes of length 1 that the target has no room for, as NumPy's assignment drops
   * them.
   */
  private static Tensor unpadded(Tensor value, int ndim) {
    Tensor v = value;
    while (v.ndim() > ndim && v.dim(0) == 1) {
      v = Structural.SELECT.of(v, 0, 0);
    }
    return v;
  }

  private static void requireBroadcast(Tensor value, int[] shape) {
    try {
      value.layout().broadcastTo(shape);
    } catch (ShapeException e) {
      throw new ShapeException(
          "a value of shape "
              + value.layout()
              + " does not broadcast to "
              + Arrays.toString(shape)
              + ", the shape of what it is written to",
          "shapes",
          List.of(value.layout().shape(), shape));
    }
  }

  /** The value in a dtype and broadcast to a shape, by recorded ops. */
  static Tensor fitted(Tensor value, DType dtype, int[] shape) {
    InPlace.requireFits(dtype, value);
    requireBroadcast(value, shape);
    return Structural.BROADCAST_TO.of(cast(value, dtype), shape);
  }

  /** The value in a dtype; no gradient passes a conversion to integers. */
  static Tensor cast(Tensor value, DType dtype) {
    if (value.dtype() == dtype && !value.isWeak()) {
      return value;
    }
    return Structural.CAST.of(dtype.isFloating() ? value : value.detach(), dtype);
  }
}
