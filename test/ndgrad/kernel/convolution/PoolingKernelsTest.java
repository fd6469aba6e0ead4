package ndgrad.kernel.convolution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;
import org.junit.jupiter.api.Test;

/** The largest and the mean of what a window sees, and their gradients, point by point. */
class PoolingKernelsTest {
  private static final List<DType> FLOATS = List.of(DType.FLOAT32, DType.FLOAT64);

  private final Random random = new Random(8);

  private Window window() {
    int[] stride = {1, 1, 2, 2, 3, 6};
    boolean large = random.nextInt(6) == 0;
    return new Window(
        1 + random.nextInt(large ? 10 : 4),
        1 + random.nextInt(large ? 12 : 4),
        stride[random.nextInt(stride.length)],
        stride[random.nextInt(stride.length)],
        random.nextInt(4),
        random.nextInt(4),
        random.nextInt(4),
        random.nextInt(4),
        1 + random.nextInt(3) / 2,
        1 + random.nextInt(3) / 2);
  }

  /** Images of random values, some of them equal or not finite, and gradients of the results. */
  private record Problem(Window w, Strided x, Strided g) {
    /** What the window sees at a place: positions in the image, row-major; -1 outside. */
    int[] seen(int place) {
      int[] at = Samples.unravel(place, g.layout().shape());
      Layout image = Layout.of(x.layout().shape());
      int[] seen = new int[w.height() * w.width()];
      for (int p = 0; p < seen.length; p++) {
        int row = at[2] * w.strideH() - w.top() + p / w.width() * w.dilationH();
        int column = at[3] * w.strideW() - w.left() + p % w.width() * w.dilationW();
        boolean inside = row >= 0 && row < image.dim(2) && column >= 0 && column < image.dim(3);
        seen[p] = inside ? image.position(at[0], at[1], row, column) : -1;
      }
      return seen;
    }

    @Override
    public String toString() {
      return w + " over " + x.layout() + " of " + x.dtype();
    }
  }

  private Problem problem(DType dtype) {
    while (true) {
      Window w = window();
      boolean wide = random.nextInt(4) == 0;
      int height = random.nextInt(wide ? 40 : 9);
      int width = random.nextInt(wide ? 60 : 9);
      if (w.outHeight(height) > 0 && w.outWidth(width) > 0) {
        int n = random.nextInt(4);
        int c = 1 + random.nextInt(3);
        return new Problem(
            w,
            Samples.array(random, dtype, n, c, height, width),
            Samples.array(random, dtype, n, c, w.outHeight(height), w.outWidth(width)));
      }
    }
  }

  /** Large enough for several patches. */
  private List<Problem> large(DType dtype) {
    List<Problem> problems = new ArrayList<>();
    for (Window w :
        List.of(
            new Window(2, 2, 2, 2, 0, 0, 0, 0, 1, 1),
            new Window(3, 3, 2, 2, 1, 1, 1, 1, 1, 1),
            new Window(3, 3, 1, 1, 1, 1, 1, 1, 1, 1),
            new Window(1, 9, 1, 5, 0, 4, 0, 4, 1, 1),
            new Window(9, 1, 3, 1, 2, 0, 2, 0, 2, 1),
            new Window(12, 10, 3, 4, 2, 3, 0, 1, 1, 2))) {
      for (int[] shape :
          new int[][] {{2, 23, 28, 29}, {1, 1, 140, 260}, {1, 1, 23, 1700}, {1, 1, 2200, 17}}) {
        int[] places = shape.clone();
        places[2] = w.outHeight(shape[2]);
        places[3] = w.outWidth(shape[3]);
        problems.add(new Problem(w, plain(dtype, shape), plain(dtype, places)));
      }
    }
    return problems;
  }

  private Strided plain(DType dtype, int... shape) {
    Strided x = Strided.zeros(dtype, shape);
    for (int i = 0; i < DType.lengthOf(x.array()); i++) {
      Samples.set(x.array(), i, random.nextInt(1000) / 8.0);
    }
    return x;
  }

  private static Strided filled(DType dtype, int... shape) {
    Strided x = Strided.zeros(dtype, shape);
    Rows.of(dtype).fill(x.array(), 0, 1, DType.lengthOf(x.array()), Samples.seven(dtype));
    return x;
  }

  private static double least(DType dtype) {
    return switch (dtype) {
      case BOOL -> 0;
      case INT32 -> Integer.MIN_VALUE;
      case INT64 -> Long.MIN_VALUE;
      default -> Double.NEGATIVE_INFINITY;
    };
  }

  private static Strided largest(Problem p) {
    Strided out = filled(p.x.dtype(), p.g.layout().shape());
    WindowFold.largest(out, p.x, p.w);
    return out;
  }

  private static void checkLargest(Problem p) {
    double[] x = Samples.values(p.x);
    Strided got = largest(p);
    for (int i = 0; i < got.layout().size(); i++) {
      double want = least(p.x.dtype());
      for (int at : p.seen(i)) {
        want = at < 0 ? want : Math.max(want, x[at]);
      }
      assertEquals(want, Samples.get(got.array(), i), p.toString());
    }
  }

  @Test
  void findsTheLargest() {
    for (int round = 0; round < 400; round++) {
      checkLargest(problem(DType.values()[round % 5]));
    }
    large(DType.FLOAT32).forEach(PoolingKernelsTest::checkLargest);
  }

  private static void checkMeans(Problem p) {
    double points = p.w.height() * p.w.width();
    double[] x = Samples.values(p.x);
    double[] g = Samples.values(p.g);
    double[] back = new double[x.length];
    Strided means = filled(p.x.dtype(), p.g.layout().shape());
    WindowFold.mean(means, p.x, p.w);
    // Sums of few binary digits are exact in any order.
    for (int i = 0; i < g.length; i++) {
      double sum = 0;
      for (int at : p.seen(i)) {
        sum += at < 0 ? 0 : x[at];
        if (at >= 0) {
          back[at] += g[i] / points;
        }
      }
      double want = p.x.dtype() == DType.FLOAT32 ? (float) (sum / points) : sum / points;
      assertEquals(want, Samples.get(means.array(), i) + 0.0, p.toString());
    }
    double tolerance = p.x.dtype() == DType.FLOAT32 ? 1e-3 : 1e-11;
    Strided image = filled(p.x.dtype(), p.x.layout().shape());
    WindowSpread.meanGradient(image, p.g, p.w);
    for (int i = 0; i < back.length; i++) {
      assertEquals(back[i], Samples.get(image.array(), i), tolerance, p.toString());
    }
  }

  @Test
  void findsMeansAndTheirGradients() {
    for (int round = 0; round < 400; round++) {
      checkMeans(problem(FLOATS.get(round % 2)));
    }
    large(DType.FLOAT32).forEach(PoolingKernelsTest::checkMeans);
  }

  private static Strided ties(Problem p, Strided largest) {
    int[] places = p.g.layout().shape();
    Strided ties =
        filled(DType.INT32, places[0], places[1], WindowTies.words(p.w), places[2], places[3]);
    WindowTies.find(ties, p.x, largest, p.w);
    return ties;
  }

  private static void checkTies(Problem p) {
    double[] x = Samples.values(p.x);
    double[] g = Samples.values(p.g);
    double[] back = new double[x.length];
    double[] means = new double[g.length];
    Strided largest = largest(p);
    Strided ties = ties(p, largest);
    for (int i = 0; i < g.length; i++) {
      double most = Samples.get(largest.array(), i);
      int[] seen = p.seen(i);
      int[] tied =
          Arrays.stream(seen)
              .filter(at -> at >= 0 && (x[at] == most || Double.isNaN(x[at])))
              .toArray();
      int[] at = Samples.unravel(i, p.g.layout().shape());
      for (int point = 0; point < seen.length; point++) {
        int element = seen[point];
        boolean tie = element >= 0 && Arrays.stream(tied).anyMatch(t -> t == element);
        int word = (int) Samples.get(ties, at[0], at[1], point / 32, at[2], at[3]);
        assertEquals(tie ? 1 : 0, word >>> point & 1, p + " point " + point);
      }
      for (int t : tied) {
        back[t] += g[i] / tied.length;
        means[i] += x[t] / tied.length;
      }
    }
    double tolerance = p.x.dtype() == DType.FLOAT32 ? 1e-3 : 1e-11;
    Strided image = filled(p.x.dtype(), p.x.layout().shape());
    WindowTies.gradient(image, p.g, ties, p.w);
    for (int i = 0; i < back.length; i++) {
      assertEquals(back[i], Samples.get(image.array(), i), tolerance, p.toString());
    }
    Strided mean = filled(p.x.dtype(), p.g.layout().shape());
    WindowTies.mean(mean, p.x, ties, p.w);
    for (int i = 0; i < means.length; i++) {
      assertEquals(means[i], Samples.get(mean.array(), i), tolerance, p.toString());
    }
  }

  @Test
  void findsTiesAndSharesGradientsAmongThem() {
    for (int round = 0; round < 400; round++) {
      checkTies(problem(FLOATS.get(round % 2)));
    }
    large(DType.FLOAT32).forEach(PoolingKernelsTest::checkTies);
  }

  private static List<double[]> results(Problem p) {
    Strided largest = largest(p);
    Strided ties = ties(p, largest);
    Strided means = filled(p.x.dtype(), p.g.layout().shape());
    WindowFold.mean(means, p.x, p.w);
    Strided spread = filled(p.x.dtype(), p.x.layout().shape());
    WindowSpread.meanGradient(spread, p.g, p.w);
    Strided shared = filled(p.x.dtype(), p.x.layout().shape());
    WindowTies.gradient(shared, p.g, ties, p.w);
    return List.of(
        Samples.values(largest),
        Samples.values(ties),
        Samples.values(means),
        Samples.values(spread),
        Samples.values(shared));
  }

  @Test
  void bitsDependOnNoThreads() {
    int threads = Threads.numThreads();
    try {
      for (DType dtype : FLOATS) {
        for (Problem p : large(dtype)) {
          Threads.setNumThreads(1);
          List<double[]> alone = results(p);
          Threads.setNumThreads(3);
          List<double[]> shared = results(p);
          for (int i = 0; i < alone.size(); i++) {
            assertArrayEquals(alone.get(i), shared.get(i), p + " result " + i);
          }
        }
      }
    } finally {
      Threads.setNumThreads(threads);
    }
  }
}
