package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.Random;
import java.util.function.Function;
import ndgrad.GradCheck.Failure;
import ndgrad.GradCheck.Kind;
import ndgrad.GradCheck.Report;
import ndgrad.GradCheck.Settings;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Coerce;

/** One comparison of gradients with differences; see {@link GradCheck}. */
final class GradCheckRun {
  private static final int LISTED = 16;
  private static final double EPSILON = Math.ulp(1.0);

  private final Function<List<Array>, List<Array>> f;
  private final Settings settings;
  private final List<Array> inputs;

  /** Values of the floating outputs at the inputs; null for outputs of other dtypes. */
  private double[][] base;

  private int[][] shapes;
  private List<String> forms;
  private List<Array> leaves;
  private List<Array> outputs;

  private final List<Failure> failures = new ArrayList<>();
  private long compared;
  private long failed;

  GradCheckRun(Function<List<Array>, List<Array>> f, Settings settings, List<Array> inputs) {
    Coerce.given("f", f);
    this.f =
        xs -> {
          List<Array> ys = f.apply(xs);
          Lifted.results(ys); // which refuses null
          return ys;
        };
    this.settings = Coerce.given("settings", settings);
    this.inputs = Coerce.given("inputs", inputs);
    for (int i = 0; i < inputs.size(); i++) {
      requireDouble("input " + i, Coerce.given("input " + i, inputs.get(i)));
    }
    if (inputs.stream().noneMatch(GradCheckRun::moves)) {
      throw new ArgumentException(
          "gradcheck: there is nothing to differentiate with respect to; pass at least one float64"
              + " array",
          "op",
          "gradcheck");
    }
  }

  private static void requireDouble(String what, Array x) {
    if (x.dtype() == DType.FLOAT32) {
      throw new DTypeException(
          "gradcheck: "
              + what
              + " is float32, whose differences are too coarse to tell a wrong gradient from"
              + " rounding; convert the inputs to float64 with astype and keep to float64 within"
              + " the function",
          "op",
          "gradcheck",
          "dtype",
          "float32",
          "where",
          what);
    }
  }

  private static boolean moves(Array x) {
    return x.dtype() == DType.FLOAT64;
  }

  Report report() {
    if (!isPure()) {
      return new Report(false, 0, 0, failures);
    }
    track();
    long entries = 0;
    for (Array x : inputs) {
      entries += moves(x) ? x.size() : 0;
    }
    long rows = Arrays.stream(base).mapToLong(y -> y == null ? 0 : y.length).sum();
    boolean full = rows * entries <= settings.fullUpTo();
    if (full) {
      compareAll();
    } else {
      compareProjections();
    }
    return new Report(full, compared, failed, List.copyOf(failures));
  }

  /** Random cotangents of the floating outputs. */
  List<Array> cotangents() {
    evaluateBase();
    Random random = new Random(settings.seed() + 1);
    List<Array> out = new ArrayList<>();
    for (int o = 0; o < base.length; o++) {
      if (base[o] != null) {
        out.add(Array.wrap(weights(random, base[o].length), shapes[o]));
      }
    }
    return out;
  }

  // ---- calling the function

  /** A copy that shares nothing, in the same layout unless that lets elements overlap. */
  private static Array twin(Array x) {
    Strided s = x.tensor().strided();
    if (s.layout().isBroadcast()) {
      return Array.of(new Tensor(Copies.copyOf(s, x.dtype())));
    }
    return sharing(x, Copies.copyOf(s.with(Layout.of(s.storage().length())), x.dtype()).array());
  }

  /** An array laid out as another, over given primitives. */
  private static Array sharing(Array x, Object primitives) {
    return Array.of(new Tensor(new Strided(new Storage(primitives), x.tensor().layout())));
  }

  private List<Array> twins() {
    return inputs.stream().map(GradCheckRun::twin).toList();
  }

  /** What must be the same of all results of a function: their number, dtypes and shapes. */
  static List<String> forms(List<Array> ys) {
    return ys.stream().map(y -> y.dtype() + Arrays.toString(y.shape())).toList();
  }

  static void requireSame(List<String> first, List<String> again) {
    if (!first.equals(again)) {
      throw new ShapeException(
          "gradcheck: the function returned "
              + first
              + " at first and "
              + again
              + " when it was called again; it must return as many arrays of the same dtypes and"
              + " shapes whenever it is called",
          "op",
          "gradcheck",
          "expected",
          first,
          "got",
          again);
    }
  }

  /** The results of the function, which are like those of the first call. */
  private List<Array> again(List<Array> xs) {
    List<Array> ys = f.apply(xs);
    requireSame(forms, forms(ys));
    return ys;
  }

  private double[][] values(List<Array> ys) {
    double[][] out = new double[ys.size()][];
    for (int o = 0; o < out.length; o++) {
      requireDouble("output " + o, ys.get(o));
      out[o] = moves(ys.get(o)) ? ys.get(o).toDoubleArray() : null;
    }
    return out;
  }

  private void evaluateBase() {
    List<Array> ys = f.apply(twins());
    shapes = ys.stream().map(Array::shape).toArray(int[][]::new);
    forms = forms(ys);
    base = values(ys);
    if (ys.stream().noneMatch(GradCheckRun::moves)) {
      throw new ArgumentException(
          "gradcheck: there is nothing to differentiate; the function must return a float64 array,"
              + " got "
              + forms,
          "op",
          "gradcheck",
          "got",
          forms);
    }
  }

  private boolean isPure() {
    evaluateBase();
    List<Array> xs = twins();
    double[][] again = values(again(xs));
    requireUnchanged(xs);
    for (int o = 0; o < base.length && failures.isEmpty(); o++) {
      int at = base[o] == null ? -1 : Arrays.mismatch(base[o], again[o]);
      if (at >= 0) {
        fail(
            Kind.NOT_DETERMINISTIC,
            -1,
            List.of(),
            o,
            index(shapes[o], at),
            base[o][at],
            again[o][at],
            0);
      }
    }
    return failures.isEmpty();
  }

  private void requireUnchanged(List<Array> xs) {
    for (int i = 0; i < xs.size(); i++) {
      double[] before = inputs.get(i).toDoubleArray();
      double[] after = xs.get(i).toDoubleArray();
      int at = Arrays.mismatch(before, after);
      if (at >= 0 || xs.get(i).version() > 0) {
        int shown = Math.max(at, 0);
        boolean any = shown < before.length;
        fail(
            Kind.MODIFIES_INPUT,
            i,
            any ? index(inputs.get(i).shape(), shown) : List.of(),
            -1,
            List.of(),
            any ? before[shown] : Double.NaN,
            any ? after[shown] : Double.NaN,
            0);
      }
    }
  }

  private void track() {
    try (var _ = Autograd.enableGrad()) {
      leaves = twins();
      leaves.forEach(x -> x.requiresGrad(moves(x)));
      outputs = again(leaves);
    }
  }

  /**
   * The gradients of the outputs, weighted, with respect to all inputs; zeros where there is none.
   */
  private double[][] pullback(double[][] weights) {
    List<Array> ys = new ArrayList<>();
    List<Array> us = new ArrayList<>();
    for (int o = 0; o < base.length; o++) {
      if (weights[o] != null && outputs.get(o).requiresGrad()) {
        ys.add(outputs.get(o));
        us.add(Array.wrap(weights[o].clone(), shapes[o]));
      }
    }
    double[][] out = new double[inputs.size()][];
    List<Array> moving = leaves.stream().filter(GradCheckRun::moves).toList();
    List<Optional<Array>> found =
        ys.isEmpty() ? List.of() : Autograd.gradients(ys, us, moving, true, false);
    int next = 0;
    for (int i = 0; i < out.length; i++) {
      if (moves(inputs.get(i))) {
        Optional<Array> g = ys.isEmpty() ? Optional.empty() : found.get(next++);
        out[i] = g.map(Array::toDoubleArray).orElse(new double[(int) inputs.get(i).size()]);
        int[] shape = g.map(Array::shape).orElse(inputs.get(i).shape());
        if (!Arrays.equals(shape, inputs.get(i).shape())) {
          fail(
              Kind.SHAPE,
              i,
              List.of(),
              -1,
              Arrays.stream(shape).boxed().toList(),
              Double.NaN,
              Double.NaN,
              0);
          out[i] = new double[(int) inputs.get(i).size()];
        }
      }
    }
    return out;
  }

  // ---- differences

  /**
   * The outputs where input i is moved along a direction by h, and by -h; halved and divided by h.
   */
  private double[][] difference(int i, double[] direction, double h) {
    double[][] up = moved(i, direction, h);
    double[][] down = moved(i, direction, -h);
    for (int o = 0; o < up.length; o++) {
      for (int k = 0; up[o] != null && k < up[o].length; k++) {
        up[o][k] = (up[o][k] - down[o][k]) / (2 * h);
      }
    }
    return up;
  }

  private double[][] moved(int i, double[] direction, double h) {
    List<Array> xs = new ArrayList<>(twins());
    Array x = xs.get(i);
    Layout layout = x.tensor().layout();
    double[] data = (double[]) x.data();
    for (int j = 0; j < direction.length; j++) {
      if (direction[j] != 0) {
        data[position(layout, j)] += h * direction[j];
      }
    }
    return values(again(xs));
  }

  private static int position(Layout layout, int element) {
    int rest = element;
    int at = layout.offset();
    for (int axis = layout.ndim() - 1; axis >= 0; axis--) {
      at += rest % layout.dim(axis) * layout.stride(axis);
      rest /= layout.dim(axis);
    }
    return at;
  }

  private static double[] unit(int n, int j) {
    double[] out = new double[n];
    out[j] = 1;
    return out;
  }

  private double noise(double h) {
    double largest = 0;
    for (double[] y : base) {
      for (int k = 0; y != null && k < y.length; k++) {
        largest = Double.isFinite(y[k]) ? Math.max(largest, Math.abs(y[k])) : largest;
      }
    }
    return 32 * EPSILON * largest / h;
  }

  private double step(int i, int from, int to) {
    double[] x = inputs.get(i).toDoubleArray();
    double scale = 1;
    for (int j = from; j < to; j++) {
      scale = Double.isFinite(x[j]) ? Math.max(scale, Math.abs(x[j])) : scale;
    }
    return settings.step() * scale;
  }

  private double tolerance(double numeric, double noise) {
    return settings.atol() + settings.rtol() * Math.abs(numeric) + noise;
  }

  private static boolean differs(double analytic, double numeric, double tolerance) {
    return !(Math.abs(analytic - numeric) <= tolerance);
  }

  // ---- every entry

  private void compareAll() {
    double[][][][] rows = new double[base.length][][][];
    for (int o = 0; o < base.length; o++) {
      rows[o] = new double[base[o] == null ? 0 : base[o].length][][];
      for (int k = 0; k < rows[o].length; k++) {
        double[][] weights = new double[base.length][];
        weights[o] = unit(base[o].length, k);
        rows[o][k] = pullback(weights);
      }
    }
    requireUnchanged(leaves);
    for (int i = 0; i < inputs.size(); i++) {
      for (int j = 0; moves(inputs.get(i)) && j < inputs.get(i).size(); j++) {
        compareColumn(i, j, rows);
      }
    }
  }

  private void compareColumn(int i, int j, double[][][][] rows) {
    double h = step(i, j, j + 1);
    double[][] numeric = difference(i, unit((int) inputs.get(i).size(), j), h);
    double noise = noise(h);
    for (int o = 0; o < base.length; o++) {
      for (int k = 0; k < rows[o].length; k++) {
        compare(i, j, o, k, rows[o][k][i][j], numeric[o][k], noise);
      }
    }
  }

  private void compare(int i, int j, int o, int k, double analytic, double numeric, double noise) {
    compared++;
    double tolerance = tolerance(numeric, noise);
    if (differs(analytic, numeric, tolerance)) {
      failed++;
      fail(
          Kind.GRADIENT,
          i,
          index(inputs.get(i).shape(), j),
          o,
          index(shapes[o], k),
          analytic,
          numeric,
          tolerance);
    }
  }

  // ---- projections

  private void compareProjections() {
    Random random = new Random(settings.seed());
    for (int i = 0; i < inputs.size(); i++) {
      for (int p = 0; moves(inputs.get(i)) && p < settings.projections(); p++) {
        double[][] u = new double[base.length][];
        for (int o = 0; o < u.length; o++) {
          u[o] = base[o] == null ? null : weights(random, base[o].length);
        }
        double[] v = weights(random, (int) inputs.get(i).size());
        compared++;
        if (v.length > 0 && new Projection(i, v, 0, v.length, u).differs()) {
          failed++;
          narrow(i, v, u);
        }
      }
    }
    requireUnchanged(leaves);
  }

  /**
   * Numbers between 1/2 and 1 of either sign: no entry is weighted so little that it goes unseen.
   */
  private static double[] weights(Random random, int n) {
    double[] out = new double[n];
    for (int i = 0; i < n; i++) {
      out[i] = (random.nextBoolean() ? 1 : -1) * (0.5 + random.nextDouble() / 2);
    }
    return out;
  }

  /** uᵀJv by both ways, where v is cut to a range of input i. */
  private final class Projection {
    final double analytic;
    final double numeric;
    final double tolerance;

    Projection(int i, double[] v, int from, int to, double[][] u) {
      double[] cut = new double[v.length];
      System.arraycopy(v, from, cut, from, to - from);
      double h = step(i, from, to);
      analytic = dot(pullback(u)[i], cut);
      double[][] moved = difference(i, cut, h);
      double sum = 0;
      double size = 0;
      for (int o = 0; o < u.length; o++) {
        if (u[o] != null) {
          sum += dot(u[o], moved[o]);
          size += Math.sqrt(dot(u[o], u[o]));
        }
      }
      numeric = sum;
      tolerance = tolerance(numeric, noise(h) * size);
    }

    boolean differs() {
      return GradCheckRun.differs(analytic, numeric, tolerance);
    }

    double excess() {
      double error = Math.abs(analytic - numeric) / tolerance;
      return Double.isNaN(error) ? Double.POSITIVE_INFINITY : error;
    }
  }

  private static double dot(double[] a, double[] b) {
    double sum = 0;
    for (int i = 0; i < a.length; i++) {
      sum += a[i] * b[i];
    }
    return sum;
  }

  /** Halves the direction, then the outputs, always keeping the half that differs more. */
  private void narrow(int i, double[] v, double[][] u) {
    int from = 0;
    int to = v.length;
    while (to - from > 1) {
      int middle = (from + to) >>> 1;
      boolean left =
          new Projection(i, v, from, middle, u).excess()
              >= new Projection(i, v, middle, to, u).excess();
      from = left ? from : middle;
      to = left ? middle : to;
    }
    double[] direction = unit(v.length, from);
    int first = 0;
    int last = Arrays.stream(u).mapToInt(w -> w == null ? 0 : w.length).sum();
    while (last - first > 1) {
      int middle = (first + last) >>> 1;
      boolean left =
          new Projection(i, direction, from, to, cut(u, first, middle)).excess()
              >= new Projection(i, direction, from, to, cut(u, middle, last)).excess();
      first = left ? first : middle;
      last = left ? middle : last;
    }
    report(i, from, first, new Projection(i, direction, from, to, ones(u, first)), v, u);
  }

  private void report(int i, int element, int row, Projection entry, double[] v, double[][] u) {
    if (entry.differs()) {
      int o = 0;
      int k = row;
      while (u[o] == null || k >= u[o].length) {
        k -= u[o] == null ? 0 : u[o].length;
        o++;
      }
      fail(
          Kind.GRADIENT,
          i,
          index(inputs.get(i).shape(), element),
          o,
          index(shapes[o], k),
          entry.analytic,
          entry.numeric,
          entry.tolerance);
    } else {
      Projection all = new Projection(i, v, 0, v.length, u);
      fail(Kind.GRADIENT, i, List.of(), -1, List.of(), all.analytic, all.numeric, all.tolerance);
    }
  }

  /** The weights from one row up to another, of all outputs in a line; zeros elsewhere. */
  private static double[][] cut(double[][] u, int first, int last) {
    double[][] out = new double[u.length][];
    int row = 0;
    for (int o = 0; o < u.length; o++) {
      if (u[o] != null) {
        out[o] = new double[u[o].length];
        for (int k = 0; k < u[o].length; k++, row++) {
          out[o][k] = row >= first && row < last ? u[o][k] : 0;
        }
      }
    }
    return out;
  }

  private static double[][] ones(double[][] u, int row) {
    double[][] out = cut(u, row, row + 1);
    for (double[] w : out) {
      for (int k = 0; w != null && k < w.length; k++) {
        w[k] = w[k] == 0 ? 0 : 1;
      }
    }
    return out;
  }

  // ---- reporting

  private void fail(
      Kind kind,
      int input,
      List<Integer> element,
      int output,
      List<Integer> outputElement,
      double analytic,
      double numeric,
      double tolerance) {
    Failure failure =
        new Failure(kind, input, element, output, outputElement, analytic, numeric, tolerance);
    if (failures.size() < LISTED && !failures.contains(failure)) {
      failures.add(failure);
    }
  }

  private static List<Integer> index(int[] shape, int element) {
    Integer[] out = new Integer[shape.length];
    int rest = element;
    for (int axis = shape.length - 1; axis >= 0; axis--) {
      out[axis] = rest % shape[axis];
      rest /= shape[axis];
    }
    return List.of(out);
  }
}
