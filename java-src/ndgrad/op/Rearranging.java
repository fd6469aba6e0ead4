package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.Index;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Pool;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** Copies with elements repeated, shifted, padded, or cut to a triangle or diagonal. */
public final class Rearranging {
  private Rearranging() {}

  /** The whole array several times. */
  public static final Composite TILE =
      define("tile", "x, reps: ints")
          .param("reps", "the number of repetitions along each axis, aligned with the last axes")
          .doc(
              "A copy that repeats the whole array along its axes. If there are more"
                  + " repetitions than axes, the array gets new axes in front; if there are fewer,"
                  + " the first axes are not repeated.")
          .domain(-3, 3)
          .oracle("np.tile(x, reps)")
          .samples(
              "#x [2 3] 2",
              "#x [2 3] [2 1]",
              "#x [3] [2 1 2]",
              "#x [] [2]",
              "#x [2 3] [0 1]",
              "#x [1 3] [4 1]")
          .fails(ArgumentException.class, "#x [2] -1")
          .composite(a -> tile(a.tensor("x"), a.ints("reps")));

  /** Every element several times. */
  public static final Composite REPEAT =
      define("repeat", "x, repeats: ints, axis: int = nil")
          .param("repeats", "the number of repetitions: one for all, or one for each position")
          .param("axis", "the axis; nil for the flattened array")
          .doc(
              "A copy with each element, or position of an axis, repeated consecutively, as"
                  + " NumPy's repeat.")
          .domain(-3, 3)
          .oracle("np.repeat(x, repeats, axis=axis)")
          .samples(
              "#x [2 3] 2",
              "#x [2 3] 2 {:axis 0}",
              "#x [2 3] [1 0 2] {:axis 1}",
              "#x [] 3",
              "#x [3] 0")
          .fails(ShapeException.class, "#x [2 3] [1 2] {:axis 1}", "#x [2] 2 {:axis 1}")
          .fails(ArgumentException.class, "#x [2] -1")
          .composite(Rearranging::repeat);

  /** Positions shifted around. */
  public static final Primitive ROLL =
      define("roll", "x, shift: ints, axis: axes = nil")
          .linear()
          .param("shift", "the number of positions; one for all axes, or one per axis")
          .param("axis", "the axes; nil for the flattened array")
          .doc(
              "A copy with the elements shifted along axes; those shifted beyond one end"
                  + " reappear at the other.")
          .domain(-3, 3)
          .oracle("np.roll(x, shift, axis=axis)")
          .samples(
              "#x [2 3] 1",
              "#x [2 3] -1 {:axis 1}",
              "#x [3 4] [1 -2] {:axis [0 1]}",
              "#x [3 4] 2 {:axis [0 1]}",
              "#x [3] 7",
              "#x [] 1",
              "#x [0 2] 1 {:axis 0}")
          .fails(ShapeException.class, "#x [2] 1 {:axis 1}")
          .fails(ArgumentException.class, "#x [2 3] [1 2] {:axis [0 1 0]}")
          .batch(Batches::rolled)
          .vjp(
              0,
              "",
              (n, a, g) ->
                  Rearranging.ROLL.of(
                      g, Arrays.stream(a.ints("shift")).map(s -> -s).toArray(), a.get("axis")))
          .primitive((a, in) -> rolled(in[0], a.ints("shift"), a.ints("axis")));

  private static final Primitive PAD_CONSTANT =
      define("pad", "x, before: ints, after: ints, value: any")
          .internal()
          .batch(
              b ->
                  b.call(
                      b.args()
                          .with("before", Margins.behind(b.args().ints("before")))
                          .with("after", Margins.behind(b.args().ints("after")))))
          .jvp(
              (a, p, out, t) ->
                  Rearranging.PAD_CONSTANT.of(t[0], a.ints("before"), a.ints("after"), 0L))
          .vjp(
              0,
              "",
              (n, a, g) -> {
                int[] before = a.ints("before");
                Tensor inside = g;
                for (int axis = 0; axis < before.length; axis++) {
                  inside = Shapes.NARROW.of(inside, axis, before[axis], n.layout(0).dim(axis));
                }
                return inside;
              })
          .primitive(
              (a, in) ->
                  Margins.around(
                      in[0], a.ints("before"), a.ints("after"), Nested.tensor(a.get("value"))));

  /** A margin around. */
  public static final Composite PAD =
      define("pad", "x, widths: any, value: number = 0, mode: word = constant")
          .param(
              "widths",
              "the width before and after each axis: [[before after] ...], broadcast to"
                  + " [ndim 2]")
          .param("value", "the value of the padding in mode :constant")
          .param(
              "mode",
              ":constant; :edge repeats the border, :reflect mirrors without the border,"
                  + " :symmetric mirrors with it, :wrap continues at the other end")
          .doc(
              "A copy with padding, in the array's dtype; a value that this dtype cannot"
                  + " hold, such as 0.5 for integers, throws a DTypeException. In modes that repeat"
                  + " elements their gradients add up.")
          .domain(-3, 3)
          .oracle(
              "np.pad(x, widths, mode, **({'constant_values': value} if mode == 'constant' else"
                  + " {}))")
          .samples(
              "#x [2 3] 1",
              "#x [2 3] [[1 0] [0 2]]",
              "#x [2 3] [[1 2]] {:value 5}",
              "#x [2 3] [1 2]",
              "#x [2 3] [[1] [2]]",
              "#x [3] 2 {:mode :edge}",
              "#x [3] [[4 5]] {:mode :reflect}",
              "#x [2 3] [[1 1] [2 4]] {:mode :wrap}",
              "#x [3] 4 {:mode :symmetric}",
              "#x [] 1",
              "#x [0] 2",
              "#x [1] 2 {:mode :reflect}")
          .fails(ArgumentException.class, "#x [2] -1", "#x [2] 1 {:mode :mirror}", "#x [2] 1.5")
          .fails(ShapeException.class, "#x [2] [[1 1] [1 1]]", "#x [0] 1 {:mode :edge}")
          .composite(Rearranging::pad);

  /** The upper triangle. */
  public static final Primitive TRIU =
      define("triu", "x, k: int = 0")
          .linear()
          .doc(
              "A copy with zeros below a diagonal of the last two axes. Needs at least two, unlike"
                  + " NumPy's.")
          .domain(-3, 3)
          .oracle("np.triu(x, k)")
          .samples(
              "#x [3 3]", "#x [3 4] {:k 1}", "#x [2 4 3] {:k -1}", "#x [3 3] {:k 9}", "#x [0 3]")
          .fails(ShapeException.class, "#x [3]", "#x []")
          .batch(Rearranging::triangles)
          .vjp(0, "", (n, a, g) -> Rearranging.TRIU.of(g, a.integer("k")))
          .primitive((a, in) -> triangle(in[0], a.integer("k"), true));

  /** The lower triangle. */
  public static final Primitive TRIL =
      define("tril", "x, k: int = 0")
          .linear()
          .doc(
              "A copy with zeros above a diagonal of the last two axes. Needs at least two, unlike"
                  + " NumPy's.")
          .domain(-3, 3)
          .oracle("np.tril(x, k)")
          .samples(
              "#x [3 3]", "#x [3 4] {:k 1}", "#x [2 4 3] {:k -1}", "#x [3 3] {:k -9}", "#x [0 3]")
          .fails(ShapeException.class, "#x [3]", "#x []")
          .batch(Rearranging::triangles)
          .vjp(0, "", (n, a, g) -> Rearranging.TRIL.of(g, a.integer("k")))
          .primitive((a, in) -> triangle(in[0], a.integer("k"), false));

  /** A diagonal, or a matrix of one. */
  public static final Composite DIAG =
      define("diag", "x, k: int = 0")
          .doc(
              "For a 1-d array the square matrix with it on a diagonal, for a 2-d one a copy"
                  + " of its diagonal; diagonal returns a view.")
          .domain(-3, 3)
          .oracle("np.diag(x, k)")
          .samples(
              "#x [3]", "#x [2] {:k 1}", "#x [2] {:k -2}", "#x [3 4]", "#x [3 4] {:k 1}", "#x [0]")
          .fails(ShapeException.class, "#x []", "#x [2 2 2]")
          .composite(a -> diag(a.tensor("x"), a.integer("k")));

  /** Grids of coordinates. */
  public static final Composite MESHGRID =
      define("meshgrid", "xs: arrays, indexing: word = xy")
          .param(
              "indexing",
              ":xy, where the first array runs along axis 1, or :ij, where it runs along axis 0")
          .doc(
              "The coordinates of the grid spanned by 1-d arrays: one array for each of"
                  + " them, in the shape of the grid.")
          .domain(-3, 3)
          .oracle("list(np.meshgrid(*xs, indexing=indexing))")
          .gives(Spec.Result.ARRAYS)
          .samples(
              "[#x [2] #x [3]]",
              "[#x [2] #x [3]] {:indexing :ij}",
              "[#x [2] #x [3] #x [2]]",
              "[#x [3]]",
              "[#x [] #x [2]]",
              "[]")
          .fails(ArgumentException.class, "[#x [2] #x [3]] {:indexing :yx}")
          .fails(ShapeException.class, "[#x [2 2]]")
          .composite(a -> meshgrid(a.tensors("xs"), a.word("indexing")));

  static void requireCounts(String name, int[] counts) {
    for (int n : counts) {
      if (n < 0) {
        throw new ArgumentException(
            name + " must not be negative, got " + Arrays.toString(counts),
            "argument",
            name,
            "value",
            n);
      }
    }
  }

  private static Tensor tile(Tensor x, int[] reps) {
    requireCounts("reps", reps);
    int ndim = Math.max(x.ndim(), reps.length);
    int[] apart = new int[2 * ndim];
    int[] wide = new int[2 * ndim];
    int[] shape = new int[ndim];
    for (int i = 0; i < ndim; i++) {
      int d = i - (ndim - x.ndim());
      int r = i - (ndim - reps.length);
      wide[2 * i] = r < 0 ? 1 : reps[r];
      wide[2 * i + 1] = d < 0 ? 1 : x.dim(d);
      apart[2 * i] = 1;
      apart[2 * i + 1] = wide[2 * i + 1];
      shape[i] = Layout.of(wide[2 * i], wide[2 * i + 1]).intSize();
    }
    return merged(Shapes.RESHAPE.of(x, apart), wide, shape);
  }

  /** Stretches an array, copies it, and merges axes of the copy. */
  private static Tensor merged(Tensor x, int[] wide, int[] shape) {
    return Shapes.RESHAPE.of(Structural.COPY.of(Structural.BROADCAST_TO.of(x, wide)), shape);
  }

  private static Tensor repeat(Args a) {
    Tensor given = a.tensor("x");
    Tensor x = a.has("axis") ? given : Shapes.RESHAPE.of(given, -1);
    int axis = x.layout().axis(a.has("axis") ? a.integer("axis") : 0);
    int[] repeats = a.ints("repeats");
    requireCounts("repeats", repeats);
    if (repeats.length == 1) {
      Tensor apart = Shapes.UNSQUEEZE.of(x, axis + 1);
      int[] wide = apart.shape();
      wide[axis + 1] = repeats[0];
      int[] shape = x.shape();
      shape[axis] = Layout.of(shape[axis], repeats[0]).intSize();
      return merged(apart, wide, shape);
    }
    if (repeats.length != x.dim(axis)) {
      throw new ShapeException(
          repeats.length
              + " counts do not fit axis "
              + axis
              + " of length "
              + x.dim(axis)
              + "; give one, or one for each position",
          "axis",
          axis,
          "shape",
          x.layout().shape());
    }
    int[] positions = positions(Arrays.stream(repeats).asLongStream().sum(), x, axis);
    int k = 0;
    for (int i = 0; i < repeats.length; i++) {
      Arrays.fill(positions, k, k + repeats[i], i);
      k += repeats[i];
    }
    return along(x, axis, positions);
  }

  /** Room for the positions of an axis, in the place of one of x. */
  static int[] positions(long length, Tensor x, int axis) {
    if (length > Integer.MAX_VALUE) {
      throw new ShapeException(
          "axis "
              + axis
              + " of shape "
              + x.layout()
              + " would get a length of "
              + length
              + ", more than an array can have",
          "axis",
          axis,
          "shape",
          x.layout().shape());
    }
    return (int[]) Strided.empty(DType.INT32, (int) length).storage().escape();
  }

  private static Tensor along(Tensor x, int axis, int[] positions) {
    List<Index> items = new ArrayList<>(Collections.nCopies(axis, Index.all()));
    items.add(Index.positions(positions));
    return Indexing.get(x, items);
  }

  private static Strided rolled(Strided x, int[] shift, int[] axes) {
    if (axes == null) {
      if (shift.length != 1) {
        throw new ArgumentException("several shifts need as many axes", "argument", "shift");
      }
      Strided flat = Copies.copyOf(x);
      Strided out = Strided.empty(x.dtype(), x.layout().shape());
      Layout line = Layout.of(flat.layout().intSize());
      roll(flat.with(line), out.with(line), new int[] {shift[0]}, 0);
      return out;
    }
    boolean fits = shift.length == axes.length || shift.length == 1 || axes.length == 1;
    if (!fits || Math.min(shift.length, axes.length) == 0 && shift.length != axes.length) {
      throw new ArgumentException(
          shift.length + " shifts do not fit " + axes.length + " axes",
          "shift",
          shift,
          "axis",
          axes);
    }
    int[] by = new int[x.layout().ndim()];
    for (int i = 0; i < Math.max(shift.length, axes.length); i++) {
      int axis = x.layout().axis(axes[axes.length == 1 ? 0 : i]);
      int dim = Math.max(1, x.layout().dim(axis));
      by[axis] =
          Math.floorMod(by[axis] + Math.floorMod(shift[shift.length == 1 ? 0 : i], dim), dim);
    }
    Strided out = Strided.empty(x.dtype(), x.layout().shape());
    roll(x, out, by, 0);
    return out;
  }

  private static void roll(Strided from, Strided to, int[] by, int axis) {
    if (axis == by.length || from.layout().size() == 0) {
      Copies.copy(from, to);
      return;
    }
    int n = from.layout().dim(axis);
    int s = Math.floorMod(by[axis], n);
    part(from, 0, to, s, n - s, by, axis);
    if (s > 0) {
      part(from, n - s, to, 0, s, by, axis);
    }
  }

  private static void part(Strided from, int at, Strided to, int into, int n, int[] by, int axis) {
    roll(
        from.with(from.layout().slice(axis, at, n, 1)),
        to.with(to.layout().slice(axis, into, n, 1)),
        by,
        axis + 1);
  }

  private static Tensor pad(Args a) {
    Tensor x = a.tensor("x");
    Margins margins = Margins.of(a.get("widths"), x.ndim());
    String mode = a.word("mode");
    if (mode.equals("constant")) {
      // Not as an array: it is no input, and a plan of a fused function would forget its element.
      return PAD_CONSTANT.of(x, margins.before(), margins.after(), a.get("value"));
    }
    if (!List.of("edge", "reflect", "symmetric", "wrap").contains(mode)) {
      throw new ArgumentException(
          "unknown mode " + mode + "; expected constant, edge, reflect, symmetric or wrap",
          "argument",
          "mode",
          "value",
          mode);
    }
    for (int axis = 0; axis < x.ndim(); axis++) {
      if (x.dim(axis) == 0 && margins.isWider(axis)) {
        throw new ShapeException(
            "mode "
                + mode
                + " has nothing to repeat on axis "
                + axis
                + " of length 0; use constant",
            "axis",
            axis,
            "shape",
            x.layout().shape());
      }
    }
    Tensor out = x;
    for (int axis = 0; axis < x.ndim(); axis++) {
      if (margins.isWider(axis)) {
        out = along(out, axis, margins.sources(mode, x, axis));
      }
    }
    return out == x ? Structural.COPY.of(x) : out;
  }

  private static Tensor triangles(Batch b) {
    requireMatrix(b.example(0));
    return b.call(b.args());
  }

  private static void requireMatrix(Layout x) {
    if (x.ndim() < 2) {
      throw new ShapeException(
          "needs an array of at least 2 dimensions, this one has shape " + x, "shape", x.shape());
    }
  }

  private static Strided triangle(Strided x, int k, boolean upper) {
    requireMatrix(x.layout());
    int ndim = x.layout().ndim();
    Strided out = Copies.copyOf(x);
    int rows = x.layout().dim(ndim - 2);
    int cols = x.layout().dim(ndim - 1);
    int all = cols == 0 ? 0 : out.layout().intSize() / cols;
    for (int r = 0; r < all; r++) {
      int edge = Math.clamp((long) (r % rows) + k + (upper ? 0 : 1), 0, cols);
      int from = r * cols + (upper ? 0 : edge);
      Pool.zero(out.array(), from, r * cols + (upper ? edge : cols));
    }
    return out;
  }

  private static Tensor diag(Tensor x, int k) {
    if (x.ndim() == 2) {
      return Structural.COPY.of(Shapes.DIAGONAL.of(x, k));
    }
    if (x.ndim() != 1) {
      throw new ShapeException(
          "needs a 1-d or 2-d array, this one has shape " + x.layout(),
          "shape",
          x.layout().shape());
    }
    int n = (int) Math.min(Integer.MAX_VALUE, x.dim(0) + Math.abs((long) k));
    Layout root = Layout.of(n, n);
    return Structural.STRIDED_ADD.of(x, root, root.diagonal(k, 0, 1));
  }

  private static List<Tensor> meshgrid(List<Tensor> xs, String indexing) {
    if (!indexing.equals("xy") && !indexing.equals("ij")) {
      throw new ArgumentException(
          "unknown indexing " + indexing + "; expected xy or ij",
          "argument",
          "indexing",
          "value",
          indexing);
    }
    int n = xs.size();
    int[] shape = new int[n];
    for (int i = 0; i < n; i++) {
      if (xs.get(i).ndim() > 1) {
        throw new ShapeException(
            "needs arrays of one dimension, number " + i + " has shape " + xs.get(i).layout(),
            "shape",
            xs.get(i).layout().shape());
      }
      shape[place(i, n, indexing)] = (int) xs.get(i).size();
    }
    List<Tensor> out = new ArrayList<>(n);
    for (int i = 0; i < n; i++) {
      int[] own = new int[n];
      Arrays.fill(own, 1);
      own[place(i, n, indexing)] = (int) xs.get(i).size();
      Tensor line = Shapes.RESHAPE.of(xs.get(i), own);
      out.add(Structural.COPY.of(Structural.BROADCAST_TO.of(line, shape)));
    }
    return List.copyOf(out);
  }

  private static int place(int i, int n, String indexing) {
    return indexing.equals("xy") && n > 1 && i < 2 ? 1 - i : i;
  }
}
