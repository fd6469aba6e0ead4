package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** Arrays put together and cut into pieces. */
public final class Joining {
  private Joining() {}

  private static final Primitive CAT_AXIS =
      define("cat", "xs: arrays, axis: int")
          .internal()
          .linear()
          .batch(Batch.AXIS)
          .vjpEach(
              "",
              (n, a, input, g) -> {
                int axis = a.integer("axis");
                int start = 0;
                for (int i = 0; i < input; i++) {
                  start += n.layout(i).dim(axis);
                }
                Tensor part = Shapes.NARROW.of(g, axis, start, n.layout(input).dim(axis));
                return Indexing.cast(part, n.dtype(input));
              })
          .primitive((a, in) -> cat(in, a.integer("axis")));

  /** Arrays along an axis. */
  public static final Composite CAT =
      define("cat", "xs: arrays, axis: int = 0")
          .alias("concatenate", "concat")
          .param("axis", "the axis to join along; nil joins the flattened arrays")
          .doc(
              "The arrays concatenated along an existing axis; the other axes must agree."
                  + " Dtypes are promoted.")
          .domain(-3, 3)
          .oracle("np.concatenate(xs, axis=axis)")
          .samples(
              "[#x [2 3] #x [1 3]]",
              "[#x [2 3] #x [2 1] #x [2 0]] {:axis 1}",
              "[#x [2 3]] {:axis -1}",
              "[#x [2 3] #x [4]] {:axis nil}",
              "[#x [3] #i [2]]")
          .fails(
              ShapeException.class,
              "[#x [2 3] #x [2 2]]",
              "[#x [2] #x [2 1]]",
              "[#x [] #x []]",
              "[#x [2] #x [2]] {:axis 1}")
          .fails(ArgumentException.class, "[]", "1.0")
          .composite(a -> cat(a.tensors("xs"), (Integer) a.get("axis")));

  /** Arrays along a new axis. */
  public static final Composite STACK =
      define("stack", "xs: arrays, axis: int = 0")
          .param("axis", "the position of the new axis in the result")
          .doc("The arrays, all of one shape, joined along a new axis. Dtypes are promoted.")
          .domain(-3, 3)
          .oracle("np.stack(xs, axis=axis)")
          .samples(
              "[#x [2 3] #x [2 3]]",
              "[#x [2 3] #x [2 3]] {:axis -1}",
              "[#x [3]] {:axis 1}",
              "[#x [] #x []]",
              "[#x [0] #x [0]]")
          .fails(ShapeException.class, "[#x [2] #x [3]]", "[#x [2] #x [2]] {:axis 2}")
          .fails(ArgumentException.class, "[]")
          .composite(a -> stack(a.tensors("xs"), a.integer("axis")));

  /** Arrays beside each other. */
  public static final Composite HSTACK =
      define("hstack", "xs: arrays")
          .doc("The arrays joined horizontally: along axis 1, or along axis 0 if they are 1-d.")
          .domain(-3, 3)
          .oracle("np.hstack(xs)")
          .samples("[#x [2] #x [3]]", "[#x [2 1] #x [2 3]]", "[#x [] #x [2]]")
          .fails(ShapeException.class, "[#x [2 1] #x [3 1]]")
          .fails(ArgumentException.class, "[]")
          .composite(
              a -> {
                List<Tensor> xs = a.tensors("xs").stream().map(t -> atLeast(t, 1)).toList();
                return cat(xs, xs.isEmpty() || xs.getFirst().ndim() == 1 ? 0 : 1);
              });

  /** Arrays below each other. */
  public static final Composite VSTACK =
      define("vstack", "xs: arrays")
          .doc("The arrays joined vertically: along axis 0, 1-d arrays as rows.")
          .domain(-3, 3)
          .oracle("np.vstack(xs)")
          .samples("[#x [3] #x [3]]", "[#x [2 3] #x [3]]", "[#x [] #x []]")
          .fails(ShapeException.class, "[#x [2] #x [3]]")
          .fails(ArgumentException.class, "[]")
          .composite(a -> cat(a.tensors("xs").stream().map(t -> atLeast(t, 2)).toList(), 0));

  /** Pieces of given lengths. */
  public static final Composite SPLIT =
      define("split", "x, sizes: any, axis: int = 0")
          .param(
              "sizes",
              "the length of every piece (the last may be shorter), or a list of all lengths")
          .doc(
              "Views of consecutive pieces of an axis. sizes has the meaning of PyTorch's"
                  + " split, not NumPy's.")
          .domain(-3, 3)
          .oracle("list(torch.split(x, sizes, axis))")
          .gives(Spec.Result.ARRAYS)
          .samples(
              "#x [5 2] 2",
              "#x [5 2] [1 4]",
              "#x [2 5] [2 0 3] {:axis 1}",
              "#x [4] 4",
              "#x [0 2] 1")
          .fails(
              ShapeException.class,
              "#x [5] [1 3]",
              "#x [5] 2 {:axis 1}",
              "#x [5] [6 -1]",
              "#x [] 1")
          .fails(ArgumentException.class, "#x [5] 0", "#x [5] -1")
          .composite(
              a -> {
                Tensor x = a.tensor("x");
                int axis = x.layout().axis(a.integer("axis"));
                return pieces(x, lengths(a.get("sizes"), x, axis), axis);
              });

  /** Nearly equal pieces. */
  public static final Composite CHUNK =
      define("chunk", "x, n: int, axis: int = 0")
          .param("n", "the maximum number of pieces")
          .doc(
              "Views of at most n pieces of an axis, all of the same length but the last, as"
                  + " PyTorch's chunk; there may be fewer than n.")
          .domain(-3, 3)
          .oracle("list(torch.chunk(x, n, axis))")
          .gives(Spec.Result.ARRAYS)
          .samples("#x [5 2] 2", "#x [2 6] 3 {:axis 1}", "#x [2] 4", "#x [5] 4")
          .fails(ShapeException.class, "#x [5] 2 {:axis 1}", "#x [] 1")
          .fails(ArgumentException.class, "#x [5] 0")
          .composite(
              a -> {
                Tensor x = a.tensor("x");
                int axis = x.layout().axis(a.integer("axis"));
                int n = positive("n", a.integer("n"));
                int length = (int) (((long) x.dim(axis) + n - 1) / n);
                return pieces(x, length == 0 ? new int[n] : lengths((long) length, x, axis), axis);
              });

  private static Tensor atLeast(Tensor t, int ndim) {
    Tensor out = t;
    while (out.ndim() < ndim) {
      out = Shapes.UNSQUEEZE.of(out, 0);
    }
    return out;
  }

  private static void requireSome(List<Tensor> xs) {
    if (xs.isEmpty()) {
      throw new ArgumentException("needs at least one array", "argument", "xs");
    }
  }

  private static Tensor cat(List<Tensor> xs, Integer axis) {
    requireSome(xs);
    if (axis == null) {
      return CAT_AXIS.of(xs.stream().map(x -> Shapes.RESHAPE.of(x, -1)).toList(), 0);
    }
    if (xs.getFirst().ndim() == 0) {
      throw new ShapeException("0-d arrays have no axis to be joined along; use stack");
    }
    int at = xs.getFirst().layout().axis(axis);
    Layout first = xs.getFirst().layout();
    for (Tensor x : xs) {
      boolean fits = x.ndim() == first.ndim();
      for (int i = 0; fits && i < first.ndim(); i++) {
        fits = i == at || x.dim(i) == first.dim(i);
      }
      if (!fits) {
        throw mismatch(
            xs, "do not fit together along axis " + at + "; all other dimensions must agree");
      }
    }
    return CAT_AXIS.of(xs, at);
  }

  private static ShapeException mismatch(List<Tensor> xs, String what) {
    List<String> shapes = xs.stream().map(x -> x.layout().toString()).distinct().toList();
    return new ShapeException(
        "arrays of shapes " + String.join(" and ", shapes) + " " + what, "shapes", shapes);
  }

  private static Strided cat(Strided[] xs, int axis) {
    int[] shape = xs[0].layout().shape();
    long length = 0;
    for (Strided x : xs) {
      length += x.layout().dim(axis);
    }
    if (length != (int) length) {
      throw new ShapeException("the joined axis would have " + length + " positions", "axis", axis);
    }
    shape[axis] = (int) length;
    Strided out = Strided.empty(Structural.promoted(xs), shape);
    int start = 0;
    for (Strided x : xs) {
      int n = x.layout().dim(axis);
      Copies.copy(x, out.with(out.layout().slice(axis, start, n, 1)));
      start += n;
    }
    return out;
  }

  private static Tensor stack(List<Tensor> xs, int axis) {
    requireSome(xs);
    Layout first = xs.getFirst().layout();
    int at = Dimensions.axis(axis, first.ndim() + 1);
    for (Tensor x : xs) {
      if (!x.layout().sameShape(first)) {
        throw mismatch(xs, "cannot be stacked; all must be equal");
      }
    }
    return Structural.STACK.of(xs, at);
  }

  private static int positive(String name, int n) {
    if (n < 1) {
      throw new ArgumentException(
          name + " must be positive, got " + n, "argument", name, "value", n);
    }
    return n;
  }

  private static int[] lengths(Object sizes, Tensor x, int axis) {
    int dim = x.dim(axis);
    if (sizes instanceof Number) {
      int size = positive("sizes", Coerce.integer("sizes", sizes));
      int[] out = new int[Math.max(1, (int) (((long) dim + size - 1) / size))];
      Arrays.fill(out, size);
      out[out.length - 1] = dim - (out.length - 1) * size;
      return out;
    }
    int[] out = Coerce.integers("sizes", sizes);
    long sum = 0;
    for (int n : out) {
      sum += n < 0 ? Integer.MAX_VALUE : n;
    }
    if (sum != dim) {
      throw new ShapeException(
          "sizes "
              + Arrays.toString(out)
              + " must not be negative and add up to the length of axis "
              + axis
              + ", "
              + dim,
          "sizes",
          out,
          "axis",
          axis,
          "shape",
          x.layout().shape());
    }
    return out;
  }

  private static List<Tensor> pieces(Tensor x, int[] lengths, int axis) {
    List<Tensor> out = new ArrayList<>(lengths.length);
    int start = 0;
    for (int n : lengths) {
      out.add(Shapes.NARROW.of(x, axis, start, n));
      start += n;
    }
    return List.copyOf(out);
  }
}
