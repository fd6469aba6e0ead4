package ndgrad;

import java.util.Arrays;
import java.util.List;
import java.util.function.Supplier;
import java.util.random.RandomGenerator;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.random.Keys;
import ndgrad.kernel.random.Samplers;
import ndgrad.op.spec.Coerce;

/**
 * How to draw random arrays: the source of random bits, the dtype, whether the result requires a
 * gradient. Immutable; created by {@link Random}. The methods throw a {@link ShapeException} for a
 * negative dimension or parameters that do not broadcast to the shape, and a {@link DTypeException}
 * for a dtype that cannot hold the numbers drawn.
 *
 * <pre>{@code
 * Random.with(Random.key(0)).dtype(DType.FLOAT32).uniform(-1, 1, 2, 3)
 * Random.draw().withoutReplacement().choice(Array.arange(10), 3)
 * }</pre>
 */
public final class Draw {
  /** What to do where an array of the numbers from 0 to n-1 was meant. */
  private static final String COUNT = "; an integer n stands for 0 to n-1";

  private static final Draw PROCESS =
      new Draw(() -> Keys.source(Keys.next()), null, false, Choice.UNIFORM);

  private final Supplier<Samplers.Source> source;
  private final DType dtype;
  private final boolean requiresGrad;
  private final Choice choice;

  private Draw(Supplier<Samplers.Source> source, DType dtype, boolean requiresGrad, Choice choice) {
    this.source = source;
    this.dtype = dtype;
    this.requiresGrad = requiresGrad;
    this.choice = choice;
  }

  private Samplers.Source bits() {
    Trace.refuse("draws random numbers");
    return source.get();
  }

  static Draw fromProcess() {
    return PROCESS;
  }

  static Draw from(Random.Key key) {
    Coerce.given("key", key);
    return new Draw(() -> Keys.source(key), null, false, Choice.UNIFORM);
  }

  static Draw from(RandomGenerator generator) {
    Samplers.Source shared = Keys.source(Coerce.given("generator", generator));
    return new Draw(() -> shared, null, false, Choice.UNIFORM);
  }

  /**
   * The same with this dtype for the results.
   *
   * @param wanted float32 or float64 for floating numbers; integers and booleans also take others
   * @return a new Draw
   */
  public Draw dtype(DType wanted) {
    return new Draw(source, wanted, requiresGrad, choice);
  }

  /**
   * The same with results that require a gradient, or do not.
   *
   * @param required whether they do
   * @return a new Draw
   */
  public Draw requiresGrad(boolean required) {
    return new Draw(source, dtype, required, choice);
  }

  /**
   * The same, but {@link #choice} samples without replacement.
   *
   * @return a new Draw
   */
  public Draw withoutReplacement() {
    return new Draw(source, dtype, requiresGrad, choice.withoutReplacement());
  }

  /**
   * The same, but {@link #choice} samples with these probabilities.
   *
   * @param p one per element, not negative, with sum 1
   * @return a new Draw
   * @throws ArgumentException when one is negative or the sum is not 1
   */
  public Draw probabilities(double... p) {
    return probabilities(Coerce.given("p", p), 1e-7);
  }

  /**
   * The same, but {@link #choice} samples with these probabilities.
   *
   * @param p one per element, not negative, with sum 1 up to rounding in its dtype
   * @return a new Draw
   * @throws ArgumentException when one is negative or the sum is not 1
   * @throws ShapeException when p is not one-dimensional
   */
  public Draw probabilities(Array p) {
    if (Coerce.given("p", p).ndim() != 1) {
      throw new ShapeException(
          "probabilities must have one dimension, got shape " + p.tensor().layout(),
          "shape",
          p.shape());
    }
    // As NumPy, which lets a softmax of float32 pass.
    return probabilities(
        p.toDoubleArray(), p.dtype() == DType.FLOAT32 ? Math.sqrt(Math.ulp(1f)) : 1e-7);
  }

  private Draw probabilities(double[] p, double tolerance) {
    return new Draw(source, dtype, requiresGrad, choice.probabilities(p, tolerance));
  }

  /**
   * Uniform numbers in [0, 1).
   *
   * @param shape the shape
   * @return float64 unless a dtype is set
   */
  public Array rand(int... shape) {
    return uniform(0, 1, shape);
  }

  /**
   * Standard normal numbers.
   *
   * @param shape the shape
   * @return float64 unless a dtype is set
   */
  public Array randn(int... shape) {
    return normal(0, 1, shape);
  }

  /**
   * Uniform numbers.
   *
   * @param low the inclusive lower bound
   * @param high the exclusive upper bound; may equal low
   * @param shape the shape
   * @return float64 unless a dtype is set
   * @throws ArgumentException when low is greater than high, or one is not finite
   */
  public Array uniform(double low, double high, int... shape) {
    checkBounds(high - low, low, high);
    return reals(shape, Samplers.uniform(low, high, real()));
  }

  /**
   * Uniform numbers between arrays of bounds; gradients flow to these.
   *
   * @param low the inclusive lower bounds
   * @param high the exclusive upper bounds; may equal low
   * @param shape the shape, to which both must broadcast
   * @return the dtype of the bounds unless one is set
   * @throws ArgumentException when one of low is above that of high, or they are not finite
   */
  public Array uniform(Array low, Array high, int... shape) {
    Draw d = like(Coerce.given("low", low), Coerce.given("high", high));
    Array from = d.converted(low);
    Array to = d.converted(high);
    Array width = to.sub(from);
    checkBounds(from, to, width);
    Array drawn = d.rand(shape).mul(width).add(from);
    // Rounding may reach the bound; going round to the least, all numbers stay as likely.
    return combined(drawn.eq(to).where(from, drawn), shape);
  }

  private static void checkBounds(double width, double low, double high) {
    check(
        width >= 0 && Double.isFinite(width),
        "uniform",
        "needs finite low <= high, got ",
        low,
        high);
  }

  private static void checkBounds(Array low, Array high, Array width) {
    double[] widths = elements(width);
    for (int i = 0; i < widths.length; i++) {
      if (!(widths[i] >= 0 && Double.isFinite(widths[i]))) {
        // Stretched as the widths are, over examples too.
        Array all = width.eq(width);
        checkBounds(
            widths[i], elements(all.where(low, low))[i], elements(all.where(high, high))[i]);
      }
    }
  }

  /**
   * Normal numbers.
   *
   * @param mean the mean
   * @param std the standard deviation
   * @param shape the shape
   * @return float64 unless a dtype is set
   * @throws ArgumentException when std is negative or one is not finite
   */
  public Array normal(double mean, double std, int... shape) {
    check(
        std >= 0 && Double.isFinite(std + mean),
        "normal",
        "needs a finite mean and std >= 0, got ",
        mean,
        std);
    return reals(shape, Samplers.normal(mean, std));
  }

  /**
   * Normal numbers with arrays of means and standard deviations; gradients flow to both.
   *
   * @param mean the means
   * @param std the standard deviations
   * @param shape the shape, to which both must broadcast
   * @return the dtype of the parameters unless one is set
   * @throws ArgumentException when a standard deviation is negative
   */
  public Array normal(Array mean, Array std, int... shape) {
    Coerce.given("mean", mean);
    for (double s : elements(Coerce.given("std", std))) {
      check(s >= 0, "normal", "needs std >= 0, got ", s);
    }
    return combined(like(mean, std).randn(shape).mul(std).add(mean), shape);
  }

  /** Of a parameter; where it differs between examples, of all of them. */
  private static double[] elements(Array parameter) {
    Trace.refuse("draws random numbers");
    return (double[])
        Copies.copyOf(Lifted.allElements(parameter.tensor()), DType.FLOAT64).storage().escape();
  }

  private Draw like(Array a, Array b) {
    DType d = orElse(DType.promote(a.dtype(), b.dtype()).toFloating());
    return new Draw(source, d, false, choice);
  }

  private Array combined(Array made, int[] shape) {
    if (!Arrays.equals(made.shape(), shape)) {
      throw new ShapeException(
          "the parameters broadcast to shape "
              + made.tensor().layout()
              + ", the shape asked for is "
              + Arrays.toString(shape),
          "shapes",
          List.of(made.shape(), shape));
    }
    return finished(made);
  }

  /** What was made of other arrays, with the dtype and the gradient asked for. */
  private Array finished(Array made) {
    Array converted = converted(made);
    return requiresGrad ? converted.requiresGrad(true) : converted;
  }

  private Array converted(Array x) {
    return dtype == null || x.dtype() == dtype ? x : x.astype(dtype);
  }

  /**
   * Normal numbers conditioned to lie in an interval, by the rejection methods of C. P. Robert,
   * "Simulation of truncated normal variables" (1995).
   *
   * @param mean the mean before truncation
   * @param std the standard deviation before truncation
   * @param low the lower bound, may be infinite
   * @param high the upper bound, may be infinite
   * @param shape the shape
   * @return float64 unless a dtype is set
   * @throws ArgumentException when std is not positive or low is not below high
   */
  public Array truncatedNormal(double mean, double std, double low, double high, int... shape) {
    check(
        std > 0 && Double.isFinite(std + mean) && low < high,
        "truncated-normal",
        "needs a finite mean, std > 0 and low < high, got ",
        mean,
        std,
        low,
        high);
    return reals(shape, Samplers.truncatedNormal(mean, std, low, high));
  }

  /**
   * Exponential numbers.
   *
   * @param scale the mean, the inverse of the rate
   * @param shape the shape
   * @return float64 unless a dtype is set
   * @throws ArgumentException when the scale is negative or not finite
   */
  public Array exponential(double scale, int... shape) {
    check(
        scale >= 0 && Double.isFinite(scale),
        "exponential",
        "needs a finite scale >= 0, got ",
        scale);
    return reals(shape, Samplers.exponential(scale));
  }

  /**
   * Uniform integers.
   *
   * @param low the inclusive lower bound
   * @param high the exclusive upper bound
   * @param shape the shape
   * @return int64 unless a dtype is set
   * @throws ArgumentException when low is not below high
   * @throws DTypeException when the numbers do not fit the dtype
   */
  public Array randint(long low, long high, int... shape) {
    if (low >= high) {
      throw new ArgumentException(
              "needs low < high, got " + low + " and " + high, "low", low, "high", high)
          .during("randint");
    }
    Coerce.given("shape", shape);
    DType d = integers(low, high);
    return leaf(d, () -> Samplers.integers(shape.clone(), bits(), low, high - low));
  }

  /**
   * Booleans.
   *
   * @param p the probability of true
   * @param shape the shape
   * @return bool unless a dtype is set; then 0 and 1
   * @throws ArgumentException when p is not between 0 and 1
   */
  public Array bernoulli(double p, int... shape) {
    check(p >= 0 && p <= 1, "bernoulli", "needs a probability from 0 to 1, got ", p);
    return bernoulli(Array.scalar(p), shape);
  }

  /**
   * Booleans with an array of probabilities.
   *
   * @param p the probabilities of true
   * @param shape the shape, to which p must broadcast
   * @return bool unless a dtype is set; then 0 and 1
   * @throws ArgumentException when one is not between 0 and 1
   */
  public Array bernoulli(Array p, int... shape) {
    for (double q : elements(Coerce.given("p", p))) {
      check(q >= 0 && q <= 1, "bernoulli", "needs probabilities from 0 to 1, got ", q);
    }
    requireTrackable(orElse(DType.BOOL));
    return combined(plain().rand(shape).lt(p.detach()), shape);
  }

  /**
   * The integers in [0, n) in random order.
   *
   * @param n how many
   * @return int64 unless a dtype is set, shape [n]
   * @throws DTypeException when the numbers do not fit the dtype
   */
  public Array randperm(int n) {
    Layout.of(n);
    return leaf(integers(0, n), () -> vector(Samplers.order(n, n, bits())));
  }

  /**
   * A copy in random order along the first axis.
   *
   * @param x an array of at least one dimension
   * @return the copy, in the dtype of x unless one is set
   * @throws ShapeException for a 0-d array
   */
  public Array permutation(Array x) {
    int n = length(x, "permutation", COUNT);
    return finished(x.take(plain().randperm(n), 0));
  }

  /**
   * Shuffles an array in place along its first axis.
   *
   * @param x an array of at least one dimension, modified
   * @return x
   * @throws ShapeException for a 0-d array
   */
  public Array shuffleInPlace(Array x) {
    int n = length(x, "shuffle!", "");
    return x.assign(x.take(plain().randperm(n), 0));
  }

  /**
   * A sample of the integers in [0, n), subject to {@link #withoutReplacement} and {@link
   * #probabilities}.
   *
   * @param n the exclusive upper bound
   * @param size the shape of the sample; none for a single number
   * @return int64 unless a dtype is set
   * @throws ArgumentException when the sample is larger than the population, or there are not n
   *     probabilities
   * @throws DTypeException when the numbers do not fit the dtype
   */
  public Array choice(int n, int... size) {
    Layout layout = Layout.of(Coerce.given("size", size).clone());
    choice.check(n, layout.size());
    return leaf(integers(0, n), () -> choice.draw(n, layout, bits()));
  }

  /**
   * A sample of the elements of an array along its first axis, subject to {@link
   * #withoutReplacement} and {@link #probabilities}.
   *
   * @param from the array
   * @param size the shape of the sample; none for a single element
   * @return an array of that shape, followed by the array's other dimensions, in its dtype unless
   *     one is set
   * @throws ArgumentException when the sample is larger than the population
   * @throws ShapeException for a 0-d array
   */
  public Array choice(Array from, int... size) {
    int n = length(from, "choice", COUNT);
    return finished(from.take(plain().choice(n, size), 0));
  }

  private Draw plain() {
    return new Draw(source, null, false, choice);
  }

  private static int length(Array x, String op, String hint) {
    if (Coerce.given("the array", x).ndim() == 0) {
      throw new ShapeException(
              "needs an array of at least one dimension, got a 0-d array" + hint,
              "shape",
              new int[0])
          .during(op);
    }
    return x.shape()[0];
  }

  private DType orElse(DType fallback) {
    return dtype == null ? fallback : dtype;
  }

  /** The dtype of integers from low to below high, which must hold each of them. */
  private DType integers(long low, long high) {
    DType d = orElse(DType.INT64);
    long most =
        switch (d) {
          case BOOL -> 1;
          case INT32 -> Integer.MAX_VALUE;
          case INT64 -> Long.MAX_VALUE;
          case FLOAT32 -> 1L << 24;
          case FLOAT64 -> 1L << 53;
        };
    long least = d == DType.BOOL ? 0 : d.isInteger() ? -most - 1 : -most;
    if (low < high && (low < least || high - 1 > most)) {
      throw new DTypeException(
          "integers from " + low + " to below " + high + " do not fit " + d,
          "low",
          low,
          "high",
          high,
          "dtype",
          d.toString());
    }
    return d;
  }

  private DType real() {
    DType d = orElse(DType.FLOAT64);
    if (!d.isFloating()) {
      throw new DTypeException(
          "random real numbers need the dtype float32 or float64, got " + d, "dtype", d.toString());
    }
    return d;
  }

  private Array reals(int[] shape, Samplers.Sampler sampler) {
    Coerce.given("shape", shape);
    DType d = real();
    return leaf(d, () -> Samplers.reals(d, shape.clone(), bits(), sampler));
  }

  private Array leaf(DType d, Supplier<Strided> made) {
    requireTrackable(d);
    Strided drawn = made.get();
    Strided s = drawn.dtype() == d ? drawn : Copies.copyOf(drawn, d);
    return Array.of(new Tensor(s)).requiresGrad(requiresGrad);
  }

  private void requireTrackable(DType d) {
    if (requiresGrad && !d.isFloating()) {
      throw new DTypeException(
          "only floating arrays can require a gradient, this one would be "
              + d
              + "; ask for the dtype float32 or float64",
          "dtype",
          d.toString());
    }
  }

  private static Strided vector(long[] a) {
    return Strided.wrap(a, a.length);
  }

  private static void check(boolean fits, String op, String message, double... values) {
    if (!fits) {
      String given = Arrays.toString(values);
      throw new ArgumentException(
              message + given.substring(1, given.length() - 1),
              "given",
              Arrays.stream(values).boxed().toList())
          .during(op);
    }
  }
}
