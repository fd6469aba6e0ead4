package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import java.util.function.DoubleUnaryOperator;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Op;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** The bodies of the ops of {@link Statistics}. */
final class Summaries {
  private static final int BINS = 10;

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final Expr C = in(2);

  /**
   * From a to b by a straight line, as lerp, but from the side of an infinite end the other is
   * nowhere near, and equal ends are the result without a product: infinity times 0 is NaN.
   */
  private static final Elementwise BETWEEN =
      define("quantile", "a, b, part")
          .internal()
          .elementwise(
              Typing.FLOATING,
              select(
                  of(Fn2.EQ, A, B),
                  A,
                  select(
                      of(Fn1.ISINF, A),
                      B.minus(B.minus(A).times(num(1).minus(C))),
                      A.plus(B.minus(A).times(C)))),
              num(1).minus(C),
              C,
              B.minus(A));

  private Summaries() {}

  private static Tensor floating(Tensor x) {
    return Structural.cast(x, x.dtype().toFloating());
  }

  static Tensor diff(Tensor x, int n, int given) {
    int axis = x.layout().axis(given);
    if (n < 0) {
      throw new ArgumentException("n must be at least 0, got " + n, "n", n);
    }
    int times = Math.min(n, x.dim(axis));
    Tensor out = times == 0 ? Structural.COPY.of(x) : x;
    for (int i = 0; i < times; i++) {
      int length = Math.max(0, out.dim(axis) - 1);
      int skipped = out.dim(axis) - length;
      Tensor next = Shapes.NARROW.of(out, axis, skipped, length);
      Tensor before = Shapes.NARROW.of(out, axis, 0, length);
      out = (x.dtype() == DType.BOOL ? Comparison.NE : Arithmetic.SUB).of(next, before);
    }
    return out;
  }

  // ---- quantiles ----

  static Tensor quantile(Args a, double whole) {
    Tensor x = floating(a.tensor("x"));
    Axes axes = Axes.of(a, x.layout());
    Strided parts = parts(a.get("q"), whole);
    double[] q = (double[]) parts.array();
    int n = Math.toIntExact(axes.count());
    int[] rest = axes.result().shape();
    if (n == 0 && Dimensions.size(rest) > 0) {
      throw new ShapeException(
          "no elements have no quantiles: the shape is " + x.layout(), "shape", x.shape());
    }
    int[] lanes = Arrays.copyOf(rest, rest.length + 1);
    lanes[rest.length] = n;
    Tensor last = Shapes.RESHAPE.of(Shapes.TRANSPOSE.of(x, axes.order()), lanes);
    Tensor sorted = Sorting.SORT.of(last, -1);
    Tensor low = at(sorted, q, p -> Math.floor(p * (n - 1)));
    Tensor high = at(sorted, q, p -> Math.ceil(p * (n - 1)));
    Tensor between = row(x.dtype(), q, p -> p * (n - 1) - Math.floor(p * (n - 1)));
    Tensor out = BETWEEN.of(low, high, between);
    Tensor worst = Shapes.NARROW.of(sorted, -1, Math.max(0, n - 1), Math.min(n, 1));
    out = Selection.WHERE.of(Comparison.ISNAN.of(worst), worst, out);
    int[] shape = Arrays.copyOf(parts.layout().shape(), parts.layout().ndim() + rest.length);
    System.arraycopy(rest, 0, shape, parts.layout().ndim(), rest.length);
    return Shapes.RESHAPE.of(Shapes.MOVEAXIS.of(out, -1, 0), shape);
  }

  /** The parts from 0 to 1, float64. */
  private static Strided parts(Object given, double whole) {
    if (given instanceof Tensor.Face f && carriesDerivative(f.tensor())) {
      throw new ArgumentException("q has no gradient; detach it", "argument", "q");
    }
    Strided q = Nested.array(given, DType.FLOAT64);
    double[] parts = (double[]) q.array();
    for (int i = 0; i < parts.length; i++) {
      if (!(parts[i] >= 0 && parts[i] <= whole)) {
        throw new ArgumentException(
            "q must be from 0 to " + (int) whole + ", got " + parts[i], "q", parts[i]);
      }
      parts[i] /= whole;
    }
    return q;
  }

  private static boolean carriesDerivative(Tensor x) {
    return x.requiresGrad() || x.lift().orElse(null) instanceof Lift.Dual;
  }

  private static Tensor at(Tensor sorted, double[] q, DoubleUnaryOperator place) {
    long[] at = Arrays.stream(q).map(place).mapToLong(p -> (long) p).toArray();
    Tensor places = new Tensor(Strided.wrap(at, at.length));
    return Lookup.TAKE.of(sorted, places, -1);
  }

  private static Tensor row(DType dtype, double[] q, DoubleUnaryOperator number) {
    double[] numbers = Arrays.stream(q).map(number).toArray();
    Strided row = Strided.wrap(numbers, numbers.length);
    return Structural.cast(new Tensor(row), dtype);
  }

  // ---- means and variances ----

  static Tensor average(Args a) {
    Tensor x = floating(a.tensor("x"));
    Object axis = a.get("axis");
    boolean keepdims = a.flag("keepdims");
    Axes axes = Axes.of(a, x.layout());
    if (!a.has("weights")) {
      return Reductions.MEAN.of(x, axis, keepdims);
    }
    Tensor weights = a.tensor("weights");
    DType dtype = DType.promote(x.dtype(), weights.dtype());
    weights = Structural.cast(weights, dtype);
    Tensor each = Structural.BROADCAST_TO.of(fitted(weights, x, axes), x.shape());
    Tensor sum = Reductions.SUM.of(Arithmetic.MUL.of(x, each), axis, keepdims);
    return Arithmetic.DIV.of(sum, Reductions.SUM.of(each, axis, keepdims));
  }

  private static Tensor fitted(Tensor weights, Tensor x, Axes axes) {
    if (weights.layout().sameShape(x.layout())) {
      return weights;
    }
    int[] reduced = axes.list();
    if (weights.ndim() != 1 || reduced.length != 1 || weights.dim(0) != x.dim(reduced[0])) {
      throw new ShapeException(
          "weights must have the array's shape "
              + x.layout()
              + ", or be 1-d along the one axis that is given, got shape "
              + weights.layout(),
          "shapes",
          List.of(x.shape(), weights.shape()));
    }
    int[] shape = new int[x.ndim()];
    Arrays.fill(shape, 1);
    shape[reduced[0]] = weights.dim(0);
    return Shapes.RESHAPE.of(weights, shape);
  }

  static Tensor covariance(Tensor given, boolean rowvar, double ddof) {
    if (given.ndim() < 1 || given.ndim() > 2) {
      throw new ShapeException(
          "needs a 1-d array, one variable, or a 2-d one, got shape " + given.layout(),
          "shape",
          given.shape());
    }
    Tensor x = floating(given);
    boolean one = x.ndim() == 1;
    Tensor rows = one ? Shapes.UNSQUEEZE.of(x, 0) : rowvar ? x : Linalg.MATRIX_TRANSPOSE.of(x);
    Tensor distances = Arithmetic.SUB.of(rows, Reductions.MEAN.of(rows, 1, true));
    Tensor products = Linalg.MATMUL.of(distances, Linalg.MATRIX_TRANSPOSE.of(distances));
    Tensor out = Arithmetic.DIV.of(products, Math.max(0, rows.dim(1) - ddof));
    return one || rows.dim(0) == 1 ? Shapes.RESHAPE.of(out, new int[0]) : out;
  }

  static Tensor correlation(Tensor x, boolean rowvar) {
    Tensor c = covariance(x, rowvar, 1);
    if (c.ndim() == 0) {
      return Arithmetic.DIV.of(c, c);
    }
    Tensor std = Functions.SQRT.of(Shapes.DIAGONAL.of(c));
    Tensor rows = Arithmetic.DIV.of(c, Shapes.UNSQUEEZE.of(std, 1));
    return Selection.CLIP.of(Arithmetic.DIV.of(rows, std), -1.0, 1.0);
  }

  // ---- without NaN ----

  static Tensor extremeOfNumbers(Args a, boolean largest) {
    Tensor x = a.tensor("x");
    Object axis = a.get("axis");
    boolean keepdims = a.flag("keepdims");
    Op extreme = largest ? Reductions.MAX : Reductions.MIN;
    if (!x.dtype().isFloating()) {
      return extreme.of(x, axis, keepdims);
    }
    double least = largest ? Double.NEGATIVE_INFINITY : Double.POSITIVE_INFINITY;
    Tensor isNan = Comparison.ISNAN.of(x);
    Tensor found = extreme.of(Selection.WHERE.of(isNan, least, x), axis, keepdims);
    return Selection.WHERE.of(Reductions.ALL.of(isNan, axis, keepdims), Double.NaN, found);
  }

  static Tensor varianceOfNumbers(Args a) {
    Tensor x = floating(a.tensor("x"));
    Object axis = a.get("axis");
    boolean keepdims = a.flag("keepdims");
    Tensor isNan = Comparison.ISNAN.of(x);
    Tensor given = x.detach();
    Tensor sum = Reductions.SUM.of(Selection.WHERE.of(isNan, 0.0, x), axis, true);
    Tensor mean = Arithmetic.DIV.of(sum, Moments.COUNT_NUMBERS.of(given, axis, true));
    Tensor distance = Selection.WHERE.of(isNan, 0.0, Arithmetic.SUB.of(x, mean));
    Tensor squares = Reductions.SUM.of(Arithmetic.SQUARE.of(distance), axis, keepdims);
    Tensor numbers = Moments.COUNT_NUMBERS.of(given, axis, keepdims);
    Tensor divisor = Arithmetic.SUB.of(numbers, a.number("ddof"));
    Tensor out = Arithmetic.DIV.of(squares, divisor);
    return Selection.WHERE.of(Comparison.GT.of(divisor, 0.0), out, Double.NaN);
  }

  /** The root of the same, whose slope is infinite at 0: there the gradient is 0. */
  static Tensor deviationOfNumbers(Args a) {
    Tensor variance = varianceOfNumbers(a);
    Tensor isZero = Comparison.EQ.of(variance, 0.0);
    Tensor root = Functions.SQRT.of(Selection.WHERE.of(isZero, 1.0, variance));
    return Selection.WHERE.of(isZero, 0.0, root);
  }

  // ---- histograms ----

  /** The edges of bins, which depend on the least and the greatest element. */
  private static final Primitive EDGES =
      define("histogram", "x, bins: any = nil, range: any = nil")
          .internal()
          .nonDifferentiable("edges")
          .primitive((a, in) -> edges(a, in[0]));

  static List<Tensor> histogram(Args a) {
    Tensor flat = Shapes.RESHAPE.of(a.tensor("x").detach(), -1);
    Tensor x = Structural.cast(flat, DType.FLOAT64);
    Tensor edges = EDGES.of(x, a.get("bins"), a.get("range"));
    int bins = edges.dim(0) - 1;
    Tensor sorted = Sorting.SORT.of(x);
    Tensor below = Sorting.SEARCHSORTED.of(sorted, Shapes.NARROW.of(edges, 0, 0, bins));
    Tensor last = Shapes.NARROW.of(edges, 0, bins, 1);
    Tensor end = Sorting.SEARCHSORTED.of(sorted, last, "right");
    Tensor counts = diff(Joining.CAT.of(List.of(below, end)), 1, 0);
    if (!a.flag("density")) {
      return List.of(counts, edges);
    }
    Tensor heights = Arithmetic.DIV.of(counts, diff(edges, 1, 0));
    return List.of(Arithmetic.DIV.of(heights, Reductions.SUM.of(counts)), edges);
  }

  private static Strided edges(Args a, Strided x) {
    Object bins = a.get("bins");
    if (bins != null && !(bins instanceof Number)) {
      return ascending(Nested.array(bins, DType.FLOAT64));
    }
    int count = bins == null ? BINS : Coerce.integer("bins", bins);
    if (count < 1 || count == Integer.MAX_VALUE) {
      throw new ArgumentException(
          "bins must be from 1 to " + (Integer.MAX_VALUE - 1) + ", got " + count, "bins", count);
    }
    double[] range = range(a, x);
    return Creation.LINSPACE.of(range[0], range[1], count + 1).strided();
  }

  private static double[] range(Args a, Strided x) {
    double[] range = {0, 1};
    if (a.has("range")) {
      range = (double[]) Nested.array(a.get("range"), DType.FLOAT64).array();
    } else if (x.layout().size() > 0) {
      double[] elements = (double[]) Copies.copyOf(x).array();
      range[0] = Arrays.stream(elements).reduce(Double.POSITIVE_INFINITY, Math::min);
      range[1] = Arrays.stream(elements).reduce(Double.NEGATIVE_INFINITY, Math::max);
    }
    if (range.length != 2 || !(range[0] <= range[1]) || !Double.isFinite(range[1] - range[0])) {
      throw new ArgumentException(
          "the range must be two finite numbers in order, got "
              + Arrays.toString(range)
              + (a.has("range") ? "" : ", those of the elements: give one with the option range"),
          "range",
          range);
    }
    if (range[0] == range[1]) {
      return new double[] {range[0] - 0.5, range[1] + 0.5};
    }
    return range;
  }

  private static Strided ascending(Strided edges) {
    double[] e = (double[]) edges.array();
    boolean ordered = edges.layout().ndim() == 1 && e.length > 1;
    for (int i = 1; i < e.length; i++) {
      ordered &= e[i - 1] <= e[i];
    }
    if (!ordered) {
      throw new ArgumentException(
          "bins must be a number, or a 1-d list of two or more edges in ascending order",
          "bins",
          e);
    }
    return edges;
  }
}
