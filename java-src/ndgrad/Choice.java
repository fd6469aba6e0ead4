package ndgrad;

import java.util.Arrays;
import java.util.Comparator;
import java.util.stream.IntStream;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.random.Samplers;

/** How elements are chosen: whether one is taken twice, and which are taken rather than others. */
final class Choice {
  static final Choice UNIFORM = new Choice(true, new double[0]);

  private final boolean replace;
  private final double[] weights;

  private Choice(boolean replace, double[] weights) {
    this.replace = replace;
    this.weights = weights;
  }

  Choice withoutReplacement() {
    return new Choice(false, weights);
  }

  /**
   * The same with probabilities.
   *
   * @param p one an element
   * @param tolerance by how much their sum may differ from 1
   */
  Choice probabilities(double[] p, double tolerance) {
    double sum = 0;
    for (double w : p) {
      sum += w >= 0 ? w : Double.NaN;
    }
    if (!(Math.abs(sum - 1) <= tolerance)) {
      throw new ArgumentException(
          "probabilities must not be negative and have the sum 1, got "
              + Arrays.toString(p.length > 10 ? Arrays.copyOf(p, 10) : p)
              + (p.length > 10 ? " and more" : ""),
          "sum",
          sum);
    }
    return new Choice(replace, p.clone());
  }

  /** Refuses to choose so many out of n. */
  void check(int n, long count) {
    if (count > 0 && n <= 0 || n < 0) {
      throw new ArgumentException("there must be something to choose from, got n = " + n, "n", n)
          .during("choice");
    }
    if (weights.length > 0 && weights.length != n) {
      throw new ArgumentException(
              "expected one probability for each of " + n + " elements, got " + weights.length,
              "n",
              n,
              "probabilities",
              weights.length)
          .during("choice");
    }
    long able = weights.length == 0 ? n : Arrays.stream(weights).filter(w -> w > 0).count();
    if (!replace && count > able) {
      throw new ArgumentException(
              "cannot take "
                  + count
                  + " out of "
                  + able
                  + (weights.length == 0 ? " elements" : " elements whose probability is not 0,")
                  + " without replacement",
              "size",
              count,
              "n",
              able)
          .during("choice");
    }
  }

  /** Numbers from 0 to n-1 in a fresh array of int64. */
  Strided draw(int n, Layout layout, Samplers.Source bits) {
    if (replace && weights.length == 0) {
      return Samplers.integers(layout.shape(), bits, 0, n);
    }
    int count = layout.intSize();
    long[] picked =
        replace ? weighted(count, bits) : Arrays.copyOf(withoutRepeats(n, count, bits), count);
    return Strided.wrap(picked, layout.shape());
  }

  private long[] withoutRepeats(int n, int count, Samplers.Source bits) {
    if (weights.length == 0) {
      return Samplers.order(n, count, bits);
    }
    // The smallest of exponential numbers with the weights as rates, in order: Efraimidis and
    // Spirakis, "Weighted random sampling with a reservoir" (2006).
    double[] times = reals(n, bits, Samplers.exponential(1));
    return IntStream.range(0, n)
        .filter(i -> weights[i] > 0)
        .boxed()
        .sorted(Comparator.comparingDouble(i -> times[i] / weights[i]))
        .mapToLong(i -> i)
        .toArray();
  }

  private long[] weighted(int count, Samplers.Source bits) {
    double[] sums = new double[weights.length];
    double sum = 0;
    int last = 0;
    for (int i = 0; i < sums.length; i++) {
      sum += weights[i];
      sums[i] = sum;
      last = weights[i] > 0 ? i : last;
    }
    double[] at = reals(count, bits, Samplers.uniform(0, sum, DType.FLOAT64));
    long[] out = new long[count];
    for (int i = 0; i < count; i++) {
      out[i] = Math.min(last, firstAbove(sums, at[i]));
    }
    return out;
  }

  private static double[] reals(int n, Samplers.Source bits, Samplers.Sampler sampler) {
    return (double[]) Samplers.reals(DType.FLOAT64, new int[] {n}, bits, sampler).array();
  }

  private static int firstAbove(double[] sorted, double x) {
    int low = 0;
    int high = sorted.length;
    while (low < high) {
      int middle = (low + high) >>> 1;
      if (sorted[middle] > x) {
        high = middle;
      } else {
        low = middle + 1;
      }
    }
    return low;
  }
}
