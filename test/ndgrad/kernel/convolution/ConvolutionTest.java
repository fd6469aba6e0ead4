package ndgrad.kernel.convolution;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;
import org.junit.jupiter.api.Test;

class ConvolutionTest {
  private final Random random = new Random(6);

  private Window window() {
    return new Window(
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        random.nextInt(3),
        random.nextInt(3),
        random.nextInt(3),
        random.nextInt(3),
        1 + random.nextInt(2),
        1 + random.nextInt(2));
  }

  @Test
  void laysOutWhatTheWindowSeesAndAddsItBack() {
    for (int round = 0; round < 400; round++) {
      DType dtype = round % 2 == 0 ? DType.FLOAT32 : DType.FLOAT64;
      Window w = window();
      Strided image =
          Samples.target(
              random,
              dtype,
              random.nextInt(3),
              1 + random.nextInt(3),
              1 + random.nextInt(8),
              1 + random.nextInt(8));
      Layout l = image.layout();
      int oh = w.outHeight(l.dim(2));
      int ow = w.outWidth(l.dim(3));
      Strided cols = Strided.zeros(dtype, l.dim(0), l.dim(1) * w.height() * w.width(), oh * ow);
      Rows.of(dtype).fill(cols.array(), 0, 1, DType.lengthOf(cols.array()), Samples.seven(dtype));
      Convolution.im2col(cols, image, w);
      Strided back = Samples.target(random, dtype, l.shape());
      double[] want = Samples.values(back);
      Layout flat = Layout.of(l.shape());
      for (int i = 0; i < cols.layout().size(); i++) {
        int[] at = Samples.unravel(i, l.dim(0), l.dim(1), w.height(), w.width(), oh, ow);
        int y = at[4] * w.strideH() - w.top() + at[2] * w.dilationH();
        int x = at[5] * w.strideW() - w.left() + at[3] * w.dilationW();
        boolean inside = y >= 0 && y < l.dim(2) && x >= 0 && x < l.dim(3);
        double element = inside ? Samples.get(image, at[0], at[1], y, x) : 0;
        assertEquals(element, Samples.get(cols.array(), i), w + " of " + l);
        if (inside) {
          want[flat.position(at[0], at[1], y, x)] += element;
        }
      }
      Convolution.col2im(back, cols, w);
      double[] got = Samples.values(back);
      for (int i = 0; i < want.length; i++) {
        assertEquals(want[i], got[i], 1e-4, w + " of " + l);
      }
    }
  }

  @Test
  void countsThePlacesOfAWindow() {
    assertEquals(3, new Window(3, 3, 1, 1, 0, 0, 0, 0, 1, 1).outHeight(5));
    assertEquals(3, new Window(3, 3, 2, 2, 1, 1, 1, 1, 1, 1).outWidth(5));
    assertEquals(1, new Window(3, 3, 1, 1, 0, 0, 0, 0, 2, 2).outWidth(5));
    assertEquals(0, new Window(4, 4, 1, 1, 0, 0, 0, 0, 1, 1).outWidth(3));
  }

  // ---- convolutions and their gradients against their definition

  /** A problem of random sizes and layouts. */
  private record Problem(Window window, int groups, Strided x, Strided w, Strided g) {
    int each() {
      return w.layout().dim(0) / groups;
    }

    /**
     * Calls back for each product: positions of the result, the window and the image, row-major.
     */
    void products(Product product) {
      Layout image = Layout.of(x.layout().shape());
      Layout out = Layout.of(g.layout().shape());
      Layout weights = Layout.of(w.layout().shape());
      for (int i = 0; i < out.size(); i++) {
        int[] at = Samples.unravel(i, out.shape());
        for (int j = 0; j < weights.size() / weights.dim(0); j++) {
          int[] of = Samples.unravel(j, weights.dim(1), weights.dim(2), weights.dim(3));
          int y = at[2] * window.strideH() - window.top() + of[1] * window.dilationH();
          int z = at[3] * window.strideW() - window.left() + of[2] * window.dilationW();
          boolean inside = y >= 0 && y < image.dim(2) && z >= 0 && z < image.dim(3);
          int channel = at[1] / each() * weights.dim(1) + of[0];
          product.accept(
              i,
              weights.position(at[1], of[0], of[1], of[2]),
              inside ? image.position(at[0], channel, y, z) : -1);
        }
      }
    }
  }

  private interface Product {
    void accept(int result, int weight, int element);
  }

  /** What is to be overwritten. */
  private static Strided filled(DType dtype, int... shape) {
    Strided x = Strided.zeros(dtype, shape);
    Rows.of(dtype).fill(x.array(), 0, 1, DType.lengthOf(x.array()), Samples.seven(dtype));
    return x;
  }

  private Problem problem(DType dtype) {
    while (true) {
      Window w = window();
      int groups = random.nextInt(3) == 0 ? 1 + random.nextInt(3) : 1;
      int each = 1 + random.nextInt(random.nextInt(4) == 0 ? 20 : 4);
      int channels = 1 + random.nextInt(3);
      boolean large = random.nextInt(4) == 0;
      int n = random.nextInt(10) == 0 ? 0 : 1 + random.nextInt(large ? 12 : 3);
      int height = 1 + random.nextInt(large ? 20 : 8);
      int width = 1 + random.nextInt(large ? 40 : 8);
      if (w.outHeight(height) > 0 && w.outWidth(width) > 0) {
        return new Problem(
            w,
            groups,
            Samples.array(random, dtype, n, groups * channels, height, width),
            Samples.array(random, dtype, groups * each, channels, w.height(), w.width()),
            Samples.array(random, dtype, n, groups * each, w.outHeight(height), w.outWidth(width)));
      }
    }
  }

  @Test
  void convolvesAsDefined() {
    for (int round = 0; round < 500; round++) {
      DType dtype = DType.values()[round % 5];
      Problem p = problem(dtype);
      Strided bias = Samples.array(random, dtype, p.w.layout().dim(0));
      Strided out = filled(dtype, p.g.layout().shape());
      double[] x = Samples.values(p.x);
      double[] w = Samples.values(p.w);
      double[] b = Samples.values(bias);
      double[] want = new double[DType.lengthOf(out.array())];
      boolean biased = random.nextBoolean();
      for (int i = 0; i < want.length; i++) {
        want[i] = biased ? b[Samples.unravel(i, out.layout().shape())[1]] : 0;
      }
      p.products((i, j, k) -> want[i] += w[j] * (k < 0 ? 0 : x[k]));
      if (biased) {
        Convolution.forward(out, p.x, p.w, p.window, p.groups, bias);
      } else {
        Convolution.forward(out, p.x, p.w, p.window, p.groups);
      }
      for (int i = 0; i < want.length; i++) {
        double expected = dtype == DType.BOOL ? Math.min(want[i], 1) : want[i];
        assertEquals(expected, Samples.get(out.array(), i), p + " in " + dtype);
      }
    }
  }

  @Test
  void findsTheGradientsOfImagesAndWindows() {
    for (int round = 0; round < 600; round++) {
      DType dtype = round % 2 == 0 ? DType.FLOAT32 : DType.FLOAT64;
      Problem p = problem(dtype);
      double[] x = Samples.values(p.x);
      double[] w = Samples.values(p.w);
      double[] g = Samples.values(p.g);
      double[] wantImage = new double[x.length];
      double[] wantWindow = new double[w.length];
      p.products(
          (i, j, k) -> {
            if (k >= 0) {
              wantImage[k] += g[i] * w[j];
            }
            wantWindow[j] += g[i] * (k < 0 ? 0 : x[k]);
          });
      Strided image = filled(dtype, p.x.layout().shape());
      Convolution.backward(image, p.g, p.w, p.window, p.groups);
      for (int i = 0; i < x.length; i++) {
        assertEquals(wantImage[i], Samples.get(image.array(), i), p + " in " + dtype);
      }
      Strided windows = Strided.zeros(dtype, p.w.layout().shape());
      Convolution.windowGradient(windows, p.x, p.g, p.window, p.groups);
      for (int i = 0; i < w.length; i++) {
        assertEquals(wantWindow[i], Samples.get(windows.array(), i), p + " in " + dtype);
      }
    }
  }

  /** Large enough to be cut into tiles and parts. */
  private static List<Problem> large(DType dtype) {
    Random r = new Random(3);
    Window same = new Window(3, 3, 1, 1, 1, 1, 1, 1, 1, 1);
    Window stepped = new Window(5, 5, 2, 3, 2, 1, 2, 1, 1, 2);
    Window line = new Window(1, 5, 1, 1, 0, 2, 0, 2, 1, 1);
    return List.of(
        problem(r, dtype, same, 1, 9, 20, 24, 24, 10),
        problem(r, dtype, same, 1, 2, 30, 90, 90, 9),
        problem(r, dtype, stepped, 2, 3, 6, 40, 50, 14),
        problem(r, dtype, same, 16, 3, 16, 30, 30, 16),
        problem(r, dtype, line, 1, 1, 40, 1, 3000, 12));
  }

  private static Problem problem(
      Random r, DType dtype, Window w, int groups, int n, int c, int height, int width, int o) {
    return new Problem(
        w,
        groups,
        finite(r, dtype, n, c, height, width),
        finite(r, dtype, o, c / groups, w.height(), w.width()),
        finite(r, dtype, n, o, w.outHeight(height), w.outWidth(width)));
  }

  private static Strided finite(Random r, DType dtype, int... shape) {
    Strided x = Strided.zeros(dtype, shape);
    for (int i = 0; i < DType.lengthOf(x.array()); i++) {
      Samples.set(x.array(), i, r.nextGaussian());
    }
    return x;
  }

  private static List<Strided> results(Problem p) {
    DType dtype = p.x.dtype();
    Strided out = Strided.zeros(dtype, p.g.layout().shape());
    Convolution.forward(out, p.x, p.w, p.window, p.groups);
    Strided image = filled(dtype, p.x.layout().shape());
    Convolution.backward(image, p.g, p.w, p.window, p.groups);
    Strided windows = Strided.zeros(dtype, p.w.layout().shape());
    Convolution.windowGradient(windows, p.x, p.g, p.window, p.groups);
    return List.of(out, image, windows);
  }

  @Test
  void largeOnesAreAsDefinedToo() {
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
      double tolerance = dtype == DType.FLOAT32 ? 2e-4 : 1e-12;
      for (Problem p : large(dtype)) {
        double[] x = Samples.values(p.x);
        double[] w = Samples.values(p.w);
        double[] g = Samples.values(p.g);
        List<double[]> want =
            List.of(new double[g.length], new double[x.length], new double[w.length]);
        p.products(
            (i, j, k) -> {
              if (k >= 0) {
                want.get(0)[i] += w[j] * x[k];
                want.get(1)[k] += g[i] * w[j];
                want.get(2)[j] += g[i] * x[k];
              }
            });
        List<Strided> got = results(p);
        for (int t = 0; t < 3; t++) {
          double[] expected = want.get(t);
          double size = Arrays.stream(expected).map(Math::abs).max().orElseThrow();
          for (int i = 0; i < expected.length; i++) {
            assertEquals(
                expected[i], Samples.get(got.get(t).array(), i), tolerance * size, p.toString());
          }
        }
      }
    }
  }

  @Test
  void bitsDependOnNeitherFormNorThreads() {
    Forms.Mode mode = Forms.mode();
    int threads = Threads.numThreads();
    try {
      for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
        for (Problem p : large(dtype)) {
          Forms.use(Forms.Mode.PLAIN);
          Threads.setNumThreads(1);
          List<Strided> alone = results(p);
          Threads.setNumThreads(3);
          assertSameBits(alone, results(p), p);
          if (Forms.isAvailable()) {
            Forms.use(Forms.Mode.VECTOR);
            assertSameBits(alone, results(p), p);
          }
        }
      }
    } finally {
      Forms.use(mode);
      Threads.setNumThreads(threads);
    }
  }

  private static void assertSameBits(List<Strided> want, List<Strided> got, Problem p) {
    for (int t = 0; t < want.size(); t++) {
      assertArrayEquals(Samples.values(want.get(t)), Samples.values(got.get(t)), p + " value " + t);
    }
  }
}
