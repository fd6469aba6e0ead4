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
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Coerce;

/** One comparison of gradients with differences; see {@link GradCheck}. */
final class GradCheckRun {
  /**
   * How far results may be from those of another call, relative to the largest: the last bits of
   * MKL's depend on where in memory arrays lie.
   */
  private static final double ROUNDING = 1e-9;

  private static final int LISTED = 16;
  private static final double EPSILON = Math.ulp(1.0);

  private final Settings settings;
  private final List<Array> inputs;
  private final GradCheckSubject subject;

  private final List<Failure> failures = new ArrayList<>();
  private long compared;
  private long failed;

  GradCheckRun(Function<List<Array>, List<Array>> f, Settings settings, List<Array> inputs) {
    Coerce.given("f", f);
    this.settings = Coerce.given("settings", settings);
    this.inputs = Coerce.given("inputs", inputs);
    this.subject = new GradCheckSubject(f, inputs);
  }

  Report report() {
    if (!isPure()) {
      return new Report(false, 0, 0, failures);
    }
    subject.track();
    long entries = 0;
    for (Array x : inputs) {
      entries += GradCheckSubject.moves(x) ? x.size() : 0;
    }
    long rows = Arrays.stream(subject.base()).mapToLong(y -> y == null ? 0 : y.length).sum();
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
    subject.evaluate();
    double[][] base = subject.base();
    Random random = new Random(settings.seed() + 1);
    List<Array> out = new ArrayList<>();
    for (int o = 0; o < base.length; o++) {
      if (base[o] != null) {
        out.add(Array.wrap(weights(random, base[o].length), subject.shape(o)));
      }
    }
    return out;
  }

  private boolean isPure() {
    subject.evaluate();
    double[][] base = subject.base();
    List<Array> xs = subject.twins();
    double[][] again = subject.at(xs);
    requireUnchanged(xs);
    for (int o = 0; o < base.length && failures.isEmpty(); o++) {
      double tolerance = base[o] == null ? 0 : ROUNDING * size(base[o]);
      int at = base[o] == null ? -1 : mismatch(base[o], again[o], tolerance);
      if (at >= 0) {
        fail(
            Kind.NOT_DETERMINISTIC,
            -1,
            List.of(),
            o,
            index(subject.shape(o), at),
            base[o][at],
            again[o][at],
            tolerance);
      }
    }
    return failures.isEmpty();
  }

  /** The first place where results differ, or -1. */
  private static int mismatch(double[] before, double[] again, double tolerance) {
    for (int i = 0; i < before.length; i++) {
      boolean same =
          Math.abs(before[i] - again[i]) <= tolerance || Double.compare(before[i], again[i]) == 0;
      if (!same) {
        return i;
      }
    }
    return -1;
  }

  /** The largest finite size of an element, at least 1. */
  private static double size(double[] elements) {
    return Arrays.stream(elements).map(Math::abs).filter(Double::isFinite).reduce(1, Math::max);
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

  /**
   * The gradients of the outputs, weighted, with respect to all inputs; zeros where there is none.
   */
  private double[][] pullback(double[][] weights) {
    List<Optional<Array>> found = subject.gradients(weights);
    double[][] out = new double[inputs.size()][];
    for (int i = 0; i < out.length; i++) {
      Array x = inputs.get(i);
      if (GradCheckSubject.moves(x)) {
        Array g = found.get(i).orElse(null);
        boolean fits = g == null || Arrays.equals(g.shape(), x.shape());
        out[i] = g == null || !fits ? new double[(int) x.size()] : g.toDoubleArray();
        if (!fits) {
          List<Integer> shape = Arrays.stream(g.shape()).boxed().toList();
          fail(Kind.SHAPE, i, List.of(), -1, shape, Double.NaN, Double.NaN, 0);
        }
      }
    }
    return out;
  }

  private static double[] unit(int n, int j) {
    double[] out = new double[n];
    out[j] = 1;
    return out;
  }

  private double noise(double h) {
    return 32 * EPSILON * subject.largestOutput() / h;
  }

  private double step(int i, int from, int to) {
    return settings.step() * subject.scale(i, from, to);
  }

  private double tolerance(double numeric, double noise) {
    return settings.atol() + settings.rtol() * Math.abs(numeric) + noise;
  }

  private static boolean differs(double analytic, double numeric, double tolerance) {
    return !(Math.abs(analytic - numeric) <= tolerance);
  }

  // ---- every entry

  private void compareAll() {
    double[][] base = subject.base();
    double[][][][] rows = new double[base.length][][][];
    for (int o = 0; o < base.length; o++) {
      rows[o] = new double[base[o] == null ? 0 : base[o].length][][];
      for (int k = 0; k < rows[o].length; k++) {
        double[][] weights = new double[base.length][];
        weights[o] = unit(base[o].length, k);
        rows[o][k] = pullback(weights);
      }
    }
    requireUnchanged(subject.leaves());
    for (int i = 0; i < inputs.size(); i++) {
      for (int j = 0; GradCheckSubject.moves(inputs.get(i)) && j < inputs.get(i).size(); j++) {
        compareColumn(i, j, rows);
      }
    }
  }

  private void compareColumn(int i, int j, double[][][][] rows) {
    double h = step(i, j, j + 1);
    double[][] numeric = subject.difference(i, unit((int) inputs.get(i).size(), j), h);
    double noise = noise(h);
    for (int o = 0; o < rows.length; o++) {
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
          index(subject.shape(o), k),
          analytic,
          numeric,
          tolerance);
    }
  }

  // ---- projections

  private void compareProjections() {
    double[][] base = subject.base();
    Random random = new Random(settings.seed());
    for (int i = 0; i < inputs.size(); i++) {
      for (int p = 0; GradCheckSubject.moves(inputs.get(i)) && p < settings.projections(); p++) {
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
    requireUnchanged(subject.leaves());
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
      double[][] moved = subject.difference(i, cut, h);
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
          index(subject.shape(o), k),
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
    long[] along = Gather.unravel(new int[] {element}, shape);
    return Arrays.stream(along).mapToObj(Math::toIntExact).toList();
  }
}
