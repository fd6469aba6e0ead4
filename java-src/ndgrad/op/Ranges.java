package ndgrad.op;

import java.util.function.DoubleUnaryOperator;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Coerce;

/**
 * The numbers of {@code arange}, {@code linspace} and {@code logspace}, to the last bit as NumPy
 * computes them.
 */
final class Ranges {
  /** Numbers worth a thread. */
  private static final int GRAIN = 1 << 15;

  private Ranges() {}

  static Strided arange(Args a) {
    Object start = a.has("stop") ? a.get("start") : (Object) 0L;
    Object stop = a.has("stop") ? a.get("stop") : a.get("start");
    Object step = a.has("step") ? a.get("step") : (Object) 1L;
    boolean whole = isWhole(start) && isWhole(stop) && isWhole(step);
    DType dtype = Creation.dtype(a, whole ? DType.INT64 : DType.FLOAT64);
    if (dtype == DType.BOOL) {
      throw new DTypeException(
          "there is no range of bool; make integers and compare them", "dtype", "bool");
    }
    double by = real(step);
    if (by == 0 || !Double.isFinite(by)) {
      throw new ArgumentException(
          "step must be a finite number other than 0, got " + step, "step", step);
    }
    int length =
        length(
            whole
                ? wholeSteps(integer(start), integer(stop), integer(step))
                : Math.ceil((real(stop) - real(start)) / by),
            start,
            stop,
            step);
    Strided out = Strided.empty(dtype, length);
    if (dtype.isInteger()) {
      long first = integer(start);
      // NumPy cuts the first two numbers to the dtype and keeps their distance.
      long distance = whole ? integer(step) : (long) (real(start) + by) - first;
      if (length > 0) {
        requireFits(first, dtype);
        requireFits(first + (length - 1) * distance, dtype);
      }
      integers(out.array(), length, first, distance);
    } else {
      reals(out.array(), length, real(start), by);
    }
    return out;
  }

  private static void reals(Object array, int length, double first, double by) {
    double second = first + by;
    Threads.parallelFor(
        length,
        GRAIN,
        (from, to) -> {
          if (array instanceof float[] f) {
            float start = (float) first;
            float distance = (float) second - start;
            for (int i = from; i < to; i++) {
              f[i] = start + i * distance;
            }
          } else {
            double[] d = (double[]) array;
            double distance = second - first;
            for (int i = from; i < to; i++) {
              d[i] = first + i * distance;
            }
          }
        });
    // The first two are as given, also where their distance is not finite.
    double[] given = {first, second};
    for (int i = 0; i < Math.min(2, length); i++) {
      if (array instanceof float[] f) {
        f[i] = (float) given[i];
      } else {
        ((double[]) array)[i] = given[i];
      }
    }
  }

  private static void integers(Object array, int length, long first, long distance) {
    Threads.parallelFor(
        length,
        GRAIN,
        (from, to) -> {
          if (array instanceof long[] l) {
            for (int i = from; i < to; i++) {
              l[i] = first + i * distance;
            }
          } else {
            int[] n = (int[]) array;
            for (int i = from; i < to; i++) {
              n[i] = (int) (first + i * distance);
            }
          }
        });
  }

  /** How many steps lead from start up to stop; exact where doubles would round. */
  private static double wholeSteps(long start, long stop, long step) {
    if (step > 0 ? stop <= start : stop >= start) {
      return 0;
    }
    // Subtraction may wrap; as an unsigned number the distance is right all the same.
    long distance = step > 0 ? stop - start : start - stop;
    long size = step > 0 ? step : -step;
    long steps = Long.divideUnsigned(distance - 1, size) + 1;
    return steps < 0 ? Double.MAX_VALUE : steps;
  }

  private static int length(double steps, Object start, Object stop, Object step) {
    if (Double.isNaN(steps)) {
      throw new ArgumentException(
          "start and stop must be numbers with a distance, got " + start + " and " + stop,
          "start",
          start,
          "stop",
          stop);
    }
    if (steps > Dimensions.MOST_ELEMENTS) {
      throw new ShapeException(
          "the range from "
              + start
              + " to "
              + stop
              + " by "
              + step
              + " is too long; at most "
              + Dimensions.MOST_ELEMENTS
              + " elements fit in one array",
          "start",
          start,
          "stop",
          stop,
          "step",
          step);
    }
    return (int) Math.max(0, steps);
  }

  static Strided linspace(Args a) {
    DType dtype = Creation.dtype(a, DType.FLOAT64);
    Strided numbers = spaced(a);
    if (dtype.isInteger()) {
      replace(numbers, Math::floor);
    }
    return as(dtype, numbers);
  }

  static Strided logspace(Args a) {
    DType dtype = Creation.dtype(a, DType.FLOAT64);
    Strided numbers = spaced(a);
    double base = real(a.get("base"));
    replace(numbers, exponent -> StrictMath.pow(base, exponent));
    return as(dtype, numbers);
  }

  private static void replace(Strided numbers, DoubleUnaryOperator by) {
    double[] d = (double[]) numbers.array();
    Threads.parallelFor(
        d.length,
        GRAIN,
        (from, to) -> {
          for (int i = from; i < to; i++) {
            d[i] = by.applyAsDouble(d[i]);
          }
        });
  }

  private static Strided spaced(Args a) {
    int num = a.integer("num");
    if (num < 0) {
      throw new ArgumentException("num must not be negative, got " + num, "num", num);
    }
    double start = real(a.get("start"));
    double stop = real(a.get("stop"));
    boolean endpoint = a.flag("endpoint");
    int gaps = endpoint ? num - 1 : num;
    double width = stop - start;
    double step = width / gaps;
    Strided out = Strided.empty(DType.FLOAT64, num);
    double[] d = (double[]) out.array();
    Threads.parallelFor(
        num,
        GRAIN,
        (from, to) -> {
          for (int i = from; i < to; i++) {
            // A width so small that the step vanishes is spread by a product in the other order.
            d[i] =
                gaps <= 0
                    ? i * width + start
                    : step == 0 ? (double) i / gaps * width + start : i * step + start;
          }
        });
    if (endpoint && num > 1) {
      d[num - 1] = stop;
    }
    return out;
  }

  private static Strided as(DType dtype, Strided numbers) {
    return dtype == DType.FLOAT64 ? numbers : Copies.copyOf(numbers, dtype);
  }

  static void requireFits(long value, DType dtype) {
    if (dtype == DType.INT32 && value != (int) value) {
      throw Coerce.tooWide(value, "ask for int64");
    }
  }

  private static boolean isWhole(Object number) {
    return !(number instanceof Double);
  }

  private static long integer(Object number) {
    return number instanceof Boolean b ? (b ? 1 : 0) : ((Number) number).longValue();
  }

  private static double real(Object number) {
    return number instanceof Boolean b ? (b ? 1 : 0) : ((Number) number).doubleValue();
  }
}
