package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.Index;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** Elements looked up by positions and masks, and what follows from them. */
public final class Lookup {
  private Lookup() {}

  /** Elements along an axis. */
  public static final Composite TAKE =
      define("take", "x, indices, axis: int = nil")
          .param(
              "indices", "the positions, integers of any shape, negative ones count from the end")
          .param("axis", "the axis to take along; nil for the flattened array")
          .doc(
              "A copy of the elements at positions along an axis; the shape of the indices"
                  + " replaces the axis.")
          .domain(-3, 3)
          .oracle("np.take(x, indices, axis=axis)")
          .samples(
              "#x [3 4] [0 2 2] {:axis 0}",
              "#x [3 4] [[0 1] [3 -1]] {:axis 1}",
              "#x [3 4] [0 5]",
              "#x [3 4] 1 {:axis -1}")
          .fails(IndexException.class, "#x [3] [3]", "#x [3] [0.5]")
          .fails(ShapeException.class, "#x [3] [0] {:axis 1}")
          .composite(a -> take(a.tensor("x"), a.tensor("indices"), (Integer) a.get("axis")));

  /** Where elements are not zero. */
  public static final Composite NONZERO =
      define("nonzero", "x")
          .doc(
              "The positions of elements that are not 0 (or true), in row-major order: one"
                  + " int64 array per axis. A 0-d array throws, as in NumPy 2.")
          .domain(-3, 3)
          .oracle("list(np.nonzero(x))")
          .gives(Spec.Result.ARRAYS)
          .samples("#b [3 4]", "#i [3]", "#b [0 2]", "#x [2 2]")
          .fails(ShapeException.class, "#b []")
          .nonDifferentiable("positions are integers")
          .composite(a -> nonzero(a.tensor("x")));

  private static final Primitive ROWS =
      define("argwhere", "x")
          .internal()
          .nonDifferentiable("positions are integers")
          .primitive((a, in) -> argwhere(in[0]));

  /** Where elements are not zero, as rows. */
  public static final Composite ARGWHERE =
      define("argwhere", "x")
          .doc(
              "The positions of elements that are not 0 (or true): an int64 array of shape"
                  + " [count, ndim], one row per element.")
          .domain(-3, 3)
          .oracle("np.argwhere(x)")
          .samples("#b [3 4]", "#i [3]", "#b [0 2]", "#b []")
          .nonDifferentiable("positions are integers")
          .composite(a -> argwhere(a.tensor("x")));

  private static final Elementwise CHOOSE =
      define("masked-fill", "mask, value, x")
          .internal()
          .elementwise(Typing.SELECT, select(in(0), in(1), in(2)));

  /** A value where a mask is true. */
  public static final Composite MASKED_FILL =
      define("masked-fill", "x, mask, value")
          .param("mask", "booleans, broadcast with x")
          .param("value", "the new value of these elements, broadcast with x")
          .doc(
              "The value where the mask is true, x elsewhere. Dtypes are promoted; plain"
                  + " numbers are weakly typed. The gradient of x is zero where the mask is true.")
          .domain(-3, 3)
          .oracle("np.where(mask, value, x)")
          .samples(
              "#x [3 4] #b [3 4] 0.0",
              "#x [3 4] #b [4] -10.0",
              "#x [3 4] #b [3 1] #x []",
              "#x [] true 2.0")
          .fails(ShapeException.class, "#x [3] #b [2] 0.0")
          .fails(ArgumentException.class, "#x [3] [0 1 1] 0.0")
          .inPlace()
          .composite(a -> CHOOSE.of(mask(a.tensor("mask")), a.tensor("value"), a.tensor("x")));

  /** The elements where a mask is true. */
  public static final Composite MASKED_SELECT =
      define("masked-select", "x, mask")
          .param("mask", "booleans, broadcast with x")
          .doc(
              "A 1-d copy of the elements where the mask is true, in row-major order; both are"
                  + " broadcast.")
          .domain(-3, 3)
          .oracle("np.broadcast_arrays(x, mask)[0][np.broadcast_arrays(x, mask)[1]]")
          .samples("#x [3 4] #b [3 4]", "#x [3 1] #b [4]")
          .fails(ShapeException.class, "#x [3] #b [2]")
          .fails(ArgumentException.class, "#x [3] [0 1 1]")
          .composite(
              a -> {
                Tensor x = a.tensor("x");
                Tensor mask = mask(a.tensor("mask"));
                int[] shape = Dimensions.broadcast(x.layout(), mask.layout());
                return Indexing.get(
                    Structural.BROADCAST_TO.of(x, shape),
                    Index.mask(Structural.BROADCAST_TO.of(mask, shape)));
              });

  /** Rows of a table. */
  public static final Composite EMBEDDING =
      define("embedding", "weight, indices")
          .param("weight", "the table, whose first axis is indexed")
          .param("indices", "the rows, integers of any shape; negative ones count from the end")
          .doc(
              "The rows of a table at the indices, in the shape of the indices followed by"
                  + " that of a row. The gradient of a row is the sum over its uses.")
          .domain(-3, 3)
          .oracle("weight[np.asarray(indices)]")
          .samples("#x [5 3] [0 4 0]", "#x [5 3] [[1 2] [3 1]]", "#x [5] [1 1]", "#x [5 3] 2")
          .fails(IndexException.class, "#x [5 3] [5]", "#x [5 3] [0.5]")
          .fails(ShapeException.class, "#x [] [0]")
          .composite(a -> take(a.tensor("weight"), a.tensor("indices"), 0));

  private static final Primitive INDICATORS =
      define("one-hot", "indices, num-classes: int = nil")
          .internal()
          .nonDifferentiable("the indices are integers")
          .batch(b -> b.args().has("num-classes") ? b.call(b.args()) : b.eachExample())
          .primitive((a, in) -> oneHot(in[0], (Integer) a.get("num-classes")));

  /** Classes as indicator vectors. */
  public static final Composite ONE_HOT =
      define("one-hot", "indices, num-classes: int = nil")
          .param("indices", "the classes, integers from 0, of any shape")
          .param("num-classes", "the number of classes; nil for the largest index plus one")
          .doc(
              "Adds a last axis of length num-classes with 1 at the index and 0 elsewhere."
                  + " int64, as in PyTorch; convert it with astype if floats are needed.")
          .domain(0, 5)
          .oracle("np.eye(num_classes or np.max(indices) + 1, dtype=np.int64)[np.asarray(indices)]")
          .samples("[0 2 1]", "[[0 2] [1 1]] {:num-classes 4}", "1 {:num-classes 3}")
          .fails(IndexException.class, "[0 3] {:num-classes 3}", "[-1 0]", "[0.5]")
          .fails(ArgumentException.class, "[]", "[0] {:num-classes 0}")
          .nonDifferentiable("the indices are integers")
          .composite(a -> oneHot(a.tensor("indices"), (Integer) a.get("num-classes")));

  /** One value everywhere. */
  public static final Composite FILL =
      define("fill", "x, value")
          .param("value", "the value, broadcast to the shape of x")
          .doc(
              "An array of the shape and dtype of x filled with a value, which is broadcast"
                  + " and converted as by NumPy's assignment. No gradient flows to x.")
          .domain(-3, 3)
          .oracle("np.full_like(x, value)")
          .samples("#x [3 4] 2.5", "#x [] 1", "#i [3] 7", "#x [2 3] #x []", "#x [0 2] 1.0")
          .fails(ShapeException.class, "#x [3] #x [2]")
          .inPlace()
          .composite(
              a -> {
                Tensor x = a.tensor("x");
                Tensor value = Indexing.fitted(a.tensor("value"), x.dtype(), x.shape());
                return Structural.COPY.of(value);
              });

  /** Values added at positions of an axis. */
  public static final Composite INDEX_ADD =
      define("index-add", "x, axis: int, indices, values")
          .param("indices", "positions along the axis, a 1-d list of integers")
          .param(
              "values",
              "the values to add, in the shape of x with as many positions on the axis as"
                  + " there are indices")
          .doc(
              "A copy with values added at positions along an axis, as PyTorch's index_add;"
                  + " the values of repeated positions add up. They are converted to the array's"
                  + " dtype as by NumPy's assignment.")
          .domain(-3, 3)
          .oracle("torch.index_add(x, axis, torch.as_tensor(indices).long(), values)")
          .samples(
              "#x [3 4] 0 [0 2 0] #x [3 4]", "#x [3 4] -1 [1 1] #x [3 2]", "#x [3] 0 [] #x [0]")
          .fails(IndexException.class, "#x [3] 0 [3] #x [1]")
          .fails(ShapeException.class, "#x [3] 1 [0] #x [1]", "#x [3] 0 [0 1] #x [3]")
          .composite(a -> indexAdd(a));

  private static Tensor mask(Tensor mask) {
    if (mask.dtype() != DType.BOOL) {
      throw new ArgumentException(
          "mask must be bool, this one is "
              + mask.dtype()
              + "; compare it, or convert it with astype",
          "argument",
          "mask",
          "dtype",
          mask.dtype().toString());
    }
    return mask;
  }

  /**
   * Index arrays must be integers; an empty one may be of any dtype, since an empty list has none.
   */
  static Tensor integers(Tensor indices) {
    requireIntegers(indices.dtype(), indices.layout());
    boolean none = !indices.dtype().isInteger();
    return none ? Indexing.cast(indices.detach(), DType.INT64) : indices;
  }

  private static void requireIntegers(DType dtype, Layout layout) {
    if (!dtype.isInteger() && layout.size() > 0) {
      throw new IndexException(
          "indices must be integers, these are " + dtype + "; convert them with astype",
          "dtype",
          dtype.toString());
    }
  }

  private static Tensor take(Tensor x, Tensor indices, Integer axis) {
    Tensor from = axis == null ? Shapes.RESHAPE.of(x, -1) : x;
    int at = axis == null ? 0 : x.layout().axis(axis);
    List<Index> items = new ArrayList<>(Collections.nCopies(at, Index.all()));
    items.add(Index.positions(integers(indices)));
    return Indexing.get(from, items);
  }

  private static List<Tensor> nonzero(Tensor x) {
    if (x.ndim() == 0) {
      throw new ShapeException(
          "needs an array of at least 1 dimension, this one is 0-d; reshape it to [1] first",
          "shape",
          x.shape());
    }
    Tensor rows = argwhere(x);
    List<Tensor> out = new ArrayList<>();
    for (int axis = 0; axis < x.ndim(); axis++) {
      out.add(Structural.COPY.of(Structural.SELECT.of(rows, 1, axis)));
    }
    return List.copyOf(out);
  }

  private static Tensor argwhere(Tensor x) {
    refuseTrace();
    return ROWS.of(x);
  }

  /** A fused function takes the shapes that it saw for those of all arguments of a kind. */
  private static void refuseTrace() {
    Trace.refuse("gets an array whose shape depends on elements");
  }

  private static Strided argwhere(Strided x) {
    int[] flat = Gather.nonzero(x);
    long[] rows = Gather.unravel(flat, x.layout().shape());
    return Strided.wrap(rows, flat.length, x.layout().ndim());
  }

  private static Tensor oneHot(Tensor indices, Integer classes) {
    if (classes == null) {
      refuseTrace();
    }
    return INDICATORS.of(indices, classes);
  }

  private static Strided oneHot(Strided indices, Integer classes) {
    requireIntegers(indices.dtype(), indices.layout());
    long[] at = (long[]) Copies.copyOf(indices, DType.INT64).array();
    if (classes == null && at.length == 0) {
      throw new ArgumentException(
          "needs num-classes when there are no indices", "argument", "num-classes");
    }
    long n = classes != null ? classes : Arrays.stream(at).max().getAsLong() + 1;
    if (classes != null && classes < 1) {
      throw new ArgumentException(
          "num-classes must be positive, got " + classes, "argument", "num-classes");
    }
    for (long i : at) {
      if (i < 0 || i >= n) {
        throw new IndexException(
            "class "
                + i
                + " is out of range; expected 0 "
                + (classes == null ? "or more" : "to " + (n - 1)),
            "index",
            i,
            "num-classes",
            n);
      }
    }
    int ndim = indices.layout().ndim();
    int[] shape = Arrays.copyOf(indices.layout().shape(), ndim + 1);
    shape[ndim] = (int) Math.min(n, Integer.MAX_VALUE);
    Strided out = Strided.zeros(DType.INT64, shape);
    long[] ones = (long[]) out.array();
    for (int i = 0; i < at.length; i++) {
      ones[(int) (i * n + at[i])] = 1;
    }
    return out;
  }

  private static Tensor indexAdd(Args a) {
    Tensor x = a.tensor("x");
    Tensor values = a.tensor("values");
    int axis = x.layout().axis(a.integer("axis"));
    Tensor indices = integers(a.tensor("indices"));
    List<Index> items = new ArrayList<>(Collections.nCopies(axis, Index.all()));
    items.add(Index.positions(indices));
    IndexUse use = IndexUse.of(x, items);
    if (indices.ndim() != 1 || !Arrays.equals(use.plan().shape(), values.shape())) {
      throw new ShapeException(
          "values of shape "
              + values.layout()
              + " do not fit "
              + indices.size()
              + " positions of axis "
              + axis
              + " of an array of shape "
              + x.layout(),
          "shapes",
          List.of(x.layout().shape(), values.layout().shape()));
    }
    return Indexing.ADD_AT.of(x, Indexing.cast(values, x.dtype()), use.arrays(), use.forTape());
  }
}
