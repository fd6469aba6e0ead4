package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.GraphException;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.sort.Sort;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** Order: sorting and what is found by it. NaN comes last in either direction. */
public final class Sorting {
  private Sorting() {}

  private static final String[] CALLS = {
    "#x [5]", "#x [2 3]", "#x [3 2] {:axis 0}", "#x [2 3 2] {:axis 1}", "#x [2 3] {:axis nil}",
    "#x [5] {:descending true}", "#x []  {:axis nil}", "#x [0]", "#x [0 3]", "#x [2 0] {:axis 0}",
    "#i [2 4] {:descending true}", "#b [4]", "[3.0 ##NaN 1.0]"
  };

  private static final String[] BAD_AXES = {"#x [2 3] {:axis 2}", "#x [2 3] {:axis -3}", "#x []"};

  /** The elements in order. */
  public static final Composite SORT =
      define("sort", "x, axis: int = -1, descending: flag = false")
          .param("axis", "the axis to sort along; nil flattens first")
          .doc(
              "The elements in ascending order along an axis. NaN comes last, also when"
                  + " descending. The gradient flows back to where each element came from.")
          .domain(-3, 3)
          .oracle(
              "np.sort(x, axis=axis) if not descending else"
                  + " np.flip(np.sort(x, axis=axis), axis=-1 if axis is None else axis)")
          .samples(CALLS)
          .fails(ShapeException.class, BAD_AXES)
          .inPlace()
          .composite(Sorting::sort);

  /** Where the elements in order are. */
  public static final Primitive ARGSORT =
      define("argsort", "x, axis: int = -1, descending: flag = false")
          .param("axis", "the axis to sort along; nil flattens first")
          .doc(
              "The indices that sort an array along an axis, int64. Stable: equal elements"
                  + " keep their order, also when descending. NaN comes last.")
          .domain(-3, 3)
          .oracle("np.argsort(-1.0 * x if descending else x, axis=axis, kind='stable')")
          .samples(CALLS)
          .fails(ShapeException.class, BAD_AXES)
          .nonDifferentiable("indexes")
          .batch(Batches::axisOrFlat)
          .primitive(
              (a, in) -> {
                Strided x = a.has("axis") ? in[0] : Lanes.flat(in[0]);
                return order(x, axis(a, x.layout()), a.flag("descending"));
              });

  /** The elements at indexes along an axis. */
  public static final Composite TAKE_ALONG_AXIS =
      define("take-along-axis", "x, indices, axis: int = -1")
          .alias("take-along-dim")
          .param(
              "indices",
              "integers, with as many dimensions as the array; negative ones count from the end")
          .param(
              "axis",
              "the axis that is indexed; nil flattens the array first, the indices must be 1-d"
                  + " then")
          .doc(
              "The elements at indices along an axis, such as those from argsort, or from"
                  + " argmax with keepdims. The other dimensions of both arrays broadcast. The"
                  + " gradients of repeated indices add up.")
          .domain(-3, 3)
          .oracle("np.take_along_axis(x, np.asarray(indices), axis)")
          .samples(
              "#x [5] [0 4 -1]",
              "#x [2 3] [[0 0] [2 1]]",
              "#x [2 3] [[1 0 1]] {:axis 0}",
              "#x [2 3] [[2 2 0 1]] {:axis 1}",
              "#x [1 3] [[0] [2]] {:axis 1}",
              "#x [2 3] [5 0] {:axis nil}",
              "#x [2 3] [[0 0 0]] {:axis -2}",
              "#i [3] [2 1]")
          .fails(
              ShapeException.class,
              "#x [2 3] [0]",
              "#x [2 3] [[0]] {:axis 2}",
              "#x [2 3] [[0] [0] [0]]")
          .fails(IndexException.class, "#x [3] [3]", "#x [3] [-4]", "#x [3] [0.5]")
          .composite(Sorting::takeAlongAxis);

  /** The largest elements. */
  public static final Composite TOPK =
      define("topk", "x, k: int, axis: int = -1, largest: flag = true")
          .param("k", "how many")
          .param("largest", "whether to choose the largest or the smallest")
          .param("axis", "the axis to search along; nil flattens first")
          .gives(Spec.Result.ARRAYS)
          .doc(
              "The k largest (or smallest) elements along an axis, best first, and their"
                  + " int64 indices: a list of two arrays. Of equal elements the first are chosen."
                  + " NaN always comes last (PyTorch counts it as largest). The gradient flows back"
                  + " to where each element came from.")
          .domain(-3, 3)
          .oracle(
              "(lambda i: (np.take_along_axis(x, i, axis), i))((lambda o: np.take(o, range(k),"
                  + " axis=axis))(np.argsort(-1.0 * x if largest else x, axis=axis,"
                  + " kind='stable')))")
          .samples(
              "#x [5] 2",
              "#x [2 4] 3 {:largest false}",
              "#x [4 2] 2 {:axis 0}",
              "#x [3] 0",
              "#i [5] 3",
              "#x [3] 3")
          .fails(ArgumentException.class, "#x [3] 4", "#x [3] -1")
          .fails(ShapeException.class, "#x [2 3] 1 {:axis 2}")
          .composite(Sorting::topk);

  /** The different values. */
  public static final Composite UNIQUE =
      define(
              "unique",
              "x, return-index: flag = false, return-inverse: flag = false, return-counts: flag ="
                  + " false")
          .param(
              "return-index",
              "whether to add the index of the first occurrence of each value in the"
                  + " flattened array")
          .param(
              "return-inverse",
              "whether to add the index of each element's value, in the array's shape")
          .param("return-counts", "whether to add how often each value occurs")
          .gives(Spec.Result.ARRAYS)
          .doc(
              "The distinct values in ascending order, 1-d; all NaNs are one value. Returns"
                  + " a list of arrays: the values, then the requested int64 arrays, in the order"
                  + " of the options.")
          .domain(-3, 3)
          .oracle(
              "(lambda r: r if isinstance(r, tuple) else (r,))"
                  + "(np.unique(x, return_index=return_index, return_inverse=return_inverse,"
                  + " return_counts=return_counts))")
          .samples(
              "#i [2 3]",
              "#i [7] {:return-index true}",
              "#i [2 4] {:return-inverse true :return-counts true}",
              "#b [5] {:return-index true :return-inverse true :return-counts true}",
              "#x [4]",
              "#x []",
              "#x [0]",
              "[##NaN 1.0 ##NaN] {:return-counts true}")
          .nonDifferentiable("the number of distinct values is not continuous")
          .composite(a -> unique(a.tensor("x"), a));

  /** Where values belong in a sorted array. */
  public static final Primitive SEARCHSORTED =
      define("searchsorted", "sorted, values, side: word = left")
          .param("sorted", "a 1-d array in ascending order")
          .param("values", "the values to insert, of any shape")
          .param("side", ":left for before equal elements, :right for after them")
          .doc(
              "The indices at which values would have to be inserted into a sorted array to"
                  + " keep it sorted, int64, in the shape of the values. NaN sorts last.")
          .domain(-3, 3)
          .oracle("np.searchsorted(sorted, values, side=side)")
          .samples(
              "[1.0 2.0 2.0 3.0] #x [4]",
              "[1 2 2 3] #i [2 3]",
              "[1 2 2 3] 2 {:side :right}",
              "[] #x [2]",
              "[1.0 2.0] [##NaN 2.0] :right",
              "[1 2 3] 1.5")
          .fails(ShapeException.class, "#x [2 3] 1.0", "#x [] 1.0")
          .fails(ArgumentException.class, "[1 2] 1 {:side :middle}")
          .nonDifferentiable("indexes")
          .batch(b -> b.has(0) ? b.eachExample() : b.call(b.args(), b.in(0), b.in(1)))
          .primitive((a, in) -> search(a, in[0], in[1]));

  private static int axis(Args a, Layout x) {
    return a.has("axis") ? x.axis(a.integer("axis")) : 0;
  }

  /** The indexes along an axis that sort it. */
  static Strided order(Strided x, int axis, boolean descending) {
    Strided out = Strided.empty(DType.INT64, x.layout().shape());
    Sort.argsort(out, x, axis, descending);
    return out;
  }

  private static Tensor sort(Args a) {
    Tensor x = a.has("axis") ? a.tensor("x") : Shapes.FLATTEN.of(a.tensor("x"));
    int axis = axis(a, x.layout());
    boolean descending = a.flag("descending");
    if (follows(x)) {
      return Lanes.pick(x, ARGSORT.of(x.detach(), axis, descending), axis);
    }
    Strided out = Copies.copyOf(x.strided());
    Sort.sort(out, axis, descending);
    return new Tensor(out);
  }

  /** Whether more than values is asked for: a history, or what a transform computes with them. */
  private static boolean follows(Tensor x) {
    return x.level() > 0 || x.requiresGrad() && GradMode.isEnabled();
  }

  private static Tensor takeAlongAxis(Args a) {
    Tensor x = a.has("axis") ? a.tensor("x") : Shapes.FLATTEN.of(a.tensor("x"));
    Tensor index = Lookup.integers(a.tensor("indices"));
    if (index.ndim() != x.ndim()) {
      throw new ShapeException(
          "indices must have as many dimensions as the array"
              + (a.has("axis") ? "" : " flattened")
              + ", got shapes "
              + index.layout()
              + " and "
              + x.layout(),
          "shapes",
          List.of(x.layout().shape(), index.layout().shape()));
    }
    int axis = axis(a, x.layout());
    int[] xs = x.shape();
    int[] is = index.shape();
    xs[axis] = 1;
    is[axis] = 1;
    int[] others = Dimensions.broadcast(Layout.of(xs), Layout.of(is));
    xs = others.clone();
    xs[axis] = x.dim(axis);
    others[axis] = index.dim(axis);
    return Lanes.pick(stretched(x, xs), stretched(index, others), axis);
  }

  private static Tensor stretched(Tensor x, int[] shape) {
    return Arrays.equals(x.shape(), shape) ? x : Structural.BROADCAST_TO.of(x, shape);
  }

  private static List<Tensor> topk(Args a) {
    Tensor x = a.has("axis") ? a.tensor("x") : Shapes.FLATTEN.of(a.tensor("x"));
    int axis = axis(a, x.layout());
    int k = a.integer("k");
    if (k < 0 || k > x.dim(axis)) {
      throw new ArgumentException(
          "k is "
              + k
              + ", but axis "
              + axis
              + " has "
              + x.dim(axis)
              + " elements; expected 0 to "
              + x.dim(axis),
          "k",
          k,
          "axis",
          axis,
          "shape",
          x.layout().shape());
    }
    boolean largest = a.flag("largest");
    if (follows(x)) {
      Tensor order = ARGSORT.of(x.detach(), axis, largest);
      Tensor best = Structural.COPY.of(Shapes.NARROW.of(order, axis, 0, k));
      return List.of(Lanes.pick(x, best, axis), best);
    }
    int[] shape = x.shape();
    shape[axis] = k;
    Strided values = Strided.empty(x.dtype(), shape);
    Strided indexes = Strided.empty(DType.INT64, shape);
    Sort.topK(values, indexes, x.strided(), axis, k, largest);
    return List.of(new Tensor(values), new Tensor(indexes));
  }

  private static List<Tensor> unique(Tensor x, Args a) {
    if (x.lift().orElse(null) instanceof Lift.Batched) {
      throw new GraphException(
          "inside vmap each example would have another number of different values",
          "shape",
          x.layout().shape());
    }
    Sort.Unique found = Sort.unique(x.strided());
    List<Tensor> out = new ArrayList<>(List.of(new Tensor(found.values())));
    if (a.flag("return-index")) {
      out.add(integers(found.first(), found.first().length));
    }
    if (a.flag("return-inverse")) {
      out.add(integers(found.inverse(), x.shape()));
    }
    if (a.flag("return-counts")) {
      out.add(integers(found.counts(), found.counts().length));
    }
    return out;
  }

  private static Tensor integers(long[] values, int... shape) {
    return new Tensor(Strided.wrap(values, shape));
  }

  private static Strided search(Args a, Strided sorted, Strided values) {
    if (sorted.layout().ndim() != 1) {
      throw new ShapeException(
          "the sorted array must have one dimension, got shape " + sorted.layout(),
          "shape",
          sorted.layout().shape());
    }
    String side = a.word("side");
    if (!side.equals("left") && !side.equals("right")) {
      throw new ArgumentException("side must be :left or :right, got :" + side, "side", side);
    }
    DType common = DType.promote(sorted.dtype(), values.dtype());
    Strided out = Strided.empty(DType.INT64, values.layout().shape());
    Sort.searchSorted(
        out, Copies.copyOf(sorted, common), Copies.copyOf(values, common), side.equals("right"));
    return out;
  }
}
