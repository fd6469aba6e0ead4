package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Spec;

/** Summaries of data beyond the plain reductions. */
public final class Statistics {
  private Statistics() {}

  private static final String KEEPS = " Floating arrays keep their dtype, others give float64.";

  private static final String[] NANS = {
    "[1.0 ##NaN 2.0]", "[[1.0 ##NaN] [##NaN ##NaN]] {:axis 1}", Reductions.NO_RESULT
  };

  /** Differences of neighbours. */
  public static final Composite DIFF =
      define("diff", "x, n: int = 1, axis: int = -1")
          .param("n", "the number of times to take differences; 0 gives a copy")
          .doc(
              "The differences of neighbours along an axis, x[i + 1] - x[i]; each time the"
                  + " axis gets one element shorter. For bool it is whether neighbours differ.")
          .domain(-3, 3)
          .oracle("np.diff(x, n, axis)")
          .samples(
              "#x [5]",
              "#x [2 4] {:n 2}",
              "#x [3 2] {:axis 0}",
              "#x [3] {:n 0}",
              "#x [2] {:n 3}",
              "#x [0 3] {:axis 0}",
              "#b [4]",
              "#i [2 3]")
          .fails(ShapeException.class, "#x []", "#x [3] {:axis 1}")
          .fails(ArgumentException.class, "#x [3] {:n -1}")
          .composite(a -> Summaries.diff(a.tensor("x"), a.integer("n"), a.integer("axis")));

  /** What a part of the elements is below. */
  public static final Composite QUANTILE =
      define("quantile", "x, q: any, axis: axes = nil, keepdims: flag = false")
          .param("q", "numbers from 0 to 1, one or a nested list of them")
          .doc(
              "The quantiles of the elements, 0.5 being the median, with linear"
                  + " interpolation between neighbours. The dimensions of q come first in the"
                  + " result. NaN if any element is NaN; throws for no elements."
                  + KEEPS
                  + " The gradient flows to the elements interpolated between; q has none.")
          .domain(-3, 3)
          .oracle(
              "np.quantile(x * 1.0, q, axis=axis, keepdims=keepdims).astype(np.result_type(x.dtype,"
                  + " np.float32) if x.dtype == np.float32 else np.float64)")
          .samples(
              "#x [5] 0.5",
              "#x [2 3] [0.25 0.5 1.0] {:axis 0}",
              "#x [2 3 4] 0.1 {:axis [0 2] :keepdims true}",
              "#x [4] [[0 1] [0.3 0.9]]",
              "#x [] 0.7",
              "#x [3] []",
              "#i [2 4] 0.4 {:axis 1}",
              "[1.0 ##NaN 2.0] 0.5",
              "[1.0 ##Inf 2.0] 0.25",
              "#x [0 3] 0.5 {:axis 1}")
          .fails(ArgumentException.class, "#x [3] 1.5", "#x [3] -0.1", "#x [3] ##NaN", "#x [3] :a")
          .fails(ShapeException.class, "#x [0] 0.5", "#x [2 0] 0.5 {:axis 1}", "#x [3] 1 {:axis 1}")
          .composite(a -> Summaries.quantile(a, 1));

  /** The same in hundredths. */
  public static final Composite PERCENTILE =
      define("percentile", "x, q: any, axis: axes = nil, keepdims: flag = false")
          .param("q", "numbers from 0 to 100, one or a nested list of them")
          .doc("The quantiles at percentages: see quantile.")
          .domain(-3, 3)
          .oracle(
              "np.percentile(x * 1.0, q, axis=axis, keepdims=keepdims).astype(np.result_type("
                  + "x.dtype, np.float32) if x.dtype == np.float32 else np.float64)")
          .samples("#x [5] 50", "#x [2 3] [25 50 100.0] {:axis 0}", "#i [4] 10")
          .fails(ArgumentException.class, "#x [3] 100.5", "#x [3] -1")
          .composite(a -> Summaries.quantile(a, 100));

  /** The weighted mean. */
  public static final Composite AVERAGE =
      define("average", "x, weights = nil, axis: axes = nil, keepdims: flag = false")
          .param("weights", "of the array's shape, or 1-d along one axis; nil for the mean")
          .doc(
              "The weighted mean: sum(x weights) / sum(weights). If the weights sum to 0,"
                  + " the result is infinite or NaN; NumPy raises an error."
                  + KEEPS)
          .domain(-3, 3)
          .domain(0.5, 2)
          .oracle("np.average(x * 1.0, axis=axis, weights=weights, keepdims=keepdims)")
          .samples(
              "#x [2 3]",
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3] {:axis 1}",
              "#x [2 3] #x [2] {:axis 0 :keepdims true}",
              "#x [2 3] #x [2 3] {:axis -1}",
              "#x [4] [1 2 3 4]")
          .fails(
              ShapeException.class,
              "#x [2 3] #x [3]",
              "#x [2 3] #x [2] {:axis 1}",
              "#x [2 3] #x [3 2]",
              "#x [2 3] {:axis 2}")
          .composite(Summaries::average);

  /** Covariances. */
  public static final Composite COV =
      define("cov", "x, rowvar: flag = true, ddof: number = 1")
          .param("rowvar", "whether variables are in the rows and observations in the columns")
          .doc(
              "The covariance matrix of variables, each a row of observations; 0-d for a"
                  + " single variable given as a 1-d array. The sums of products of deviations from"
                  + " the means are divided by the number of observations minus ddof."
                  + KEEPS)
          .domain(-3, 3)
          .oracle("np.cov(x, rowvar=rowvar, ddof=int(ddof), dtype=(x[..., :0] * 1.0).dtype)")
          .samples(
              "#x [2 5]",
              "#x [5 2] {:rowvar false}",
              "#x [4]",
              "#x [3 4] {:ddof 0}",
              "#x [1 4]",
              "#i [2 4]")
          .fails(ShapeException.class, "#x [2 2 2]", "#x []")
          .composite(a -> Summaries.covariance(a.tensor("x"), a.flag("rowvar"), a.number("ddof")));

  /** Correlations. */
  public static final Composite CORRCOEF =
      define("corrcoef", "x, rowvar: flag = true")
          .param("rowvar", "whether variables are in the rows and observations in the columns")
          .doc(
              "The correlation matrix of variables, each a row of observations: their"
                  + " covariances divided by their standard deviations; 0-d for a single variable"
                  + " given as a 1-d array. A constant variable gives NaN."
                  + KEEPS)
          .domain(-3, 3)
          .oracle("np.corrcoef(x, rowvar=rowvar, dtype=(x[..., :0] * 1.0).dtype)")
          .samples("#x [2 5]", "#x [5 3] {:rowvar false}", "#x [4]", "#i [2 4]")
          .fails(ShapeException.class, "#x [2 2 2]", "#x []")
          .composite(a -> Summaries.correlation(a.tensor("x"), a.flag("rowvar")));

  /** The largest number. */
  public static final Composite NANMAX =
      define("nanmax", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "The largest element that is not NaN; NaN when there is none. Keeps the dtype;"
                  + " throws for no elements.")
          .domain(-3, 3)
          .oracle("np.nanmax(x, axis=axis, keepdims=keepdims)")
          .samples(Reductions.AXES)
          .samples(NANS)
          .fails(ShapeException.class, Reductions.BAD_AXES)
          .fails(ShapeException.class, "#x [0]")
          .composite(a -> Summaries.extremeOfNumbers(a, true));

  /** The smallest number. */
  public static final Composite NANMIN =
      define("nanmin", "x, axis: axes = nil, keepdims: flag = false")
          .doc(
              "The smallest element that is not NaN; NaN when there is none. Keeps the"
                  + " dtype; throws for no elements.")
          .domain(-3, 3)
          .oracle("np.nanmin(x, axis=axis, keepdims=keepdims)")
          .samples(Reductions.AXES)
          .samples(NANS)
          .fails(ShapeException.class, Reductions.BAD_AXES)
          .fails(ShapeException.class, "#x [0]")
          .composite(a -> Summaries.extremeOfNumbers(a, false));

  /** The variance of the numbers. */
  public static final Composite NANVAR =
      define("nanvar", "x, axis: axes = nil, keepdims: flag = false, ddof: number = 0")
          .doc(
              "The variance of the elements that are not NaN; NaN if there are at most ddof"
                  + " of them."
                  + KEEPS)
          .domain(-3, 3)
          .oracle("np.nanvar(x, axis=axis, keepdims=keepdims, ddof=ddof)")
          .samples(Reductions.AXES)
          .samples(NANS)
          .samples("[1.0 ##NaN 2.0] {:ddof 1}", "[1.0 ##NaN] {:ddof 1}")
          .fails(ShapeException.class, Reductions.BAD_AXES)
          .composite(Summaries::varianceOfNumbers);

  /** The standard deviation of the numbers. */
  public static final Composite NANSTD =
      define("nanstd", "x, axis: axes = nil, keepdims: flag = false, ddof: number = 0")
          .doc(
              "The standard deviation of the elements that are not NaN: the square root of nanvar."
                  + KEEPS
                  + " Where it is 0 the gradient is 0.")
          .domain(-3, 3)
          .oracle("np.nanstd(x, axis=axis, keepdims=keepdims, ddof=ddof)")
          .samples("#x [2 3]", "#x [2 3] {:axis 1}", "[1.0 ##NaN 2.0] {:ddof 1}")
          .fails(ShapeException.class, Reductions.BAD_AXES)
          .composite(Summaries::deviationOfNumbers);

  /** Counts in bins. */
  public static final Composite HISTOGRAM =
      define("histogram", "x, bins: any = nil, range: any = nil, density: flag = false")
          .param(
              "bins",
              "the number of bins of equal width, 10 if nil; or the edges in ascending order")
          .param("range", "the outermost edges [low high]; the smallest and largest element if nil")
          .param(
              "density", "whether to divide by the number of elements and the widths of the bins")
          .gives(Spec.Result.ARRAYS)
          .doc(
              "The number of elements in each bin, int64, and the edges of the bins, float64"
                  + " and one more: a list of two arrays. A bin includes its lower edge, the last"
                  + " one also its upper edge. NaN, and elements outside the edges, are not"
                  + " counted. If all elements are equal, the range extends 0.5 to either side; if"
                  + " there are none, it is 0 to 1.")
          .domain(-3, 3)
          .oracle(
              "np.histogram(x.astype(np.float64), bins=10 if bins is None else bins, range=range,"
                  + " density=density)")
          .samples(
              "#x [20]",
              "#x [4 5] {:bins 4}",
              "#x [20] {:bins 3 :range [-1 2]}",
              "#x [9] {:bins [-2 0 0.5 3]}",
              "#x [9] {:bins 5 :density true}",
              "[2.0 2.0] {:bins 2}",
              "#x [0] {:bins 2}",
              "#i [10] {:bins 3}")
          .fails(
              ArgumentException.class,
              "#x [3] {:bins 0}",
              "#x [3] {:bins [1 0]}",
              "#x [3] {:bins :auto}",
              "#x [3] {:range [1 0]}",
              "[1.0 ##NaN]")
          .nonDifferentiable("counts")
          .composite(Summaries::histogram);
}
