package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

class ScanTest {
  private final Random random = new Random(3);

  private static double combine(Expr.Fn2 fn, DType dtype, double a, double b) {
    double result =
        switch (fn) {
          case ADD -> a + b;
          case MUL -> a * b;
          case MAX -> Math.max(a, b);
          default -> Math.min(a, b);
        };
    return switch (dtype) {
      case BOOL -> result != 0 ? 1 : 0;
      case FLOAT32 -> (float) result;
      case FLOAT64 -> result;
      default -> result + 0.0; // no -0.0 among integers
    };
  }

  @Test
  void agreesWithANaiveLoopAlongAnyAxisLayoutAndDtype() {
    Expr.Fn2[] fns = {Expr.Fn2.ADD, Expr.Fn2.MUL, Expr.Fn2.MAX, Expr.Fn2.MIN};
    for (int round = 0; round < 1500; round++) {
      Expr.Fn2 fn = fns[random.nextInt(4)];
      int[] shape = round % 15 == 1 ? Samples.shortRows(random) : Samples.shape(random, 1, 4);
      if (round % 4 == 0) {
        shape[random.nextInt(shape.length)] = 10 + random.nextInt(600);
      }
      int axis = random.nextInt(shape.length);
      boolean reverse = random.nextBoolean();
      DType from = DType.values()[round % 5];
      DType to =
          random.nextBoolean() ? from : DType.promote(from, DType.values()[random.nextInt(5)]);
      Strided in = Samples.array(random, from, shape);
      if (fn == Expr.Fn2.MUL) { // no overflow
        for (int i = 0; i < DType.lengthOf(in.array()); i++) {
          Samples.set(in.array(), i, Math.signum(Samples.get(in.array(), i)));
        }
      }
      Strided out = Samples.target(random, to, shape);
      boolean inPlace = from == to && !in.layout().isBroadcast() && random.nextInt(3) == 0;
      double[] want = naive(in, to, axis, fn, reverse);
      Scan.run(inPlace ? in : out, in, axis, fn, reverse);
      assertArrayEquals(
          want,
          Samples.values(inPlace ? in : out),
          fn + " " + from + " " + to + in.layout() + Arrays.toString(in.layout().strides()) + axis);
    }
  }

  @Test
  void longLinesInBlocksAndManyAtOnce() {
    int before = Threads.numThreads();
    try {
      for (int round = 0; round < 40; round++) {
        Threads.setNumThreads(1 + round % 3);
        int n = 30_000 + random.nextInt(40_000);
        int[] shape = round % 2 == 0 ? new int[] {n, 1 + random.nextInt(3)} : new int[] {9, n / 8};
        if (random.nextBoolean()) {
          shape = new int[] {shape[1], shape[0]};
        }
        int axis = random.nextInt(2);
        boolean reverse = random.nextBoolean();
        DType dtype = DType.values()[1 + random.nextInt(4)];
        Expr.Fn2 fn = List.of(Expr.Fn2.ADD, Expr.Fn2.MAX).get(random.nextInt(2));
        Strided in = Samples.target(random, dtype, shape);
        for (int i = 0; i < DType.lengthOf(in.array()); i++) { // sums without rounding
          Samples.set(in.array(), i, random.nextInt(5) - 2);
        }
        double[] want = naive(in, dtype, axis, fn, reverse);
        Strided out = random.nextBoolean() ? in : Samples.target(random, dtype, shape);
        Scan.run(out, in, axis, fn, reverse);
        assertArrayEquals(want, Samples.values(out));
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void theSameBitsOnAnyNumberOfThreads() {
    int before = Threads.numThreads();
    try {
      for (int[] shape : new int[][] {{100_003}, {3, 70_000}, {70, 999}, {999, 70}}) {
        Strided in = Strided.zeros(DType.FLOAT32, shape);
        float[] x = (float[]) in.array();
        for (int i = 0; i < x.length; i++) {
          x[i] = random.nextFloat();
        }
        float[][] found = new float[3][];
        for (int threads = 1; threads <= 3; threads++) {
          Threads.setNumThreads(threads);
          Strided out = Strided.zeros(DType.FLOAT32, shape);
          Scan.run(out, in, shape.length - 1, Expr.Fn2.ADD, false);
          found[threads - 1] = (float[]) out.array();
        }
        assertArrayEquals(found[0], found[1]);
        assertArrayEquals(found[0], found[2]);
        Scan.run(in, in, shape.length - 1, Expr.Fn2.ADD, false);
        assertArrayEquals(found[0], x, "in place");
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void theFirstNegativeZeroStays() {
    for (int[] shape : new int[][] {{5, 3}, {2, 40_000}}) {
      Strided in = Strided.zeros(DType.FLOAT64, shape);
      Arrays.fill((double[]) in.array(), -0.0);
      Strided out = Strided.zeros(DType.FLOAT64, shape);
      Scan.run(out, in, 1, Expr.Fn2.ADD, false);
      assertArrayEquals((double[]) in.array(), (double[]) out.array());
    }
  }

  private static double[] naive(Strided in, DType to, int axis, Expr.Fn2 fn, boolean reverse) {
    int[] shape = in.layout().shape();
    Layout flat = Layout.of(shape);
    double[] want = new double[flat.intSize()];
    for (int k = 0; k < want.length; k++) {
      int i = reverse ? want.length - 1 - k : k;
      int[] index = Samples.unravel(i, shape);
      double value = combine(Expr.Fn2.MAX, to, Samples.get(in, index), Samples.get(in, index));
      int[] before = index.clone();
      before[axis] += reverse ? 1 : -1;
      boolean first = before[axis] < 0 || before[axis] == shape[axis];
      want[i] = first ? value : combine(fn, to, want[flat.position(before)], value);
    }
    return want;
  }

  @Test
  void nanStaysOnceItHasCome() {
    double[] a = {1, 3, Double.NaN, 2, 5};
    Strided out = Strided.zeros(DType.FLOAT64, 5);
    Scan.run(out, new Strided(new Storage(a), Layout.of(5)), 0, Expr.Fn2.MAX, false);
    assertArrayEquals(
        new double[] {1, 3, Double.NaN, Double.NaN, Double.NaN}, (double[]) out.array());
  }

  @Test
  void readsOverlappingViewsBeforeItWrites() {
    int[] a = {1, 2, 3, 4};
    Strided s = new Strided(new Storage(a), Layout.of(4));
    Scan.run(s, s.with(s.layout().flip(0)), 0, Expr.Fn2.ADD, false);
    assertArrayEquals(new int[] {4, 7, 9, 10}, a);
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    Strided in = Samples.target(random, DType.FLOAT32, 300, 7, 100);
    int before = Threads.numThreads();
    try {
      for (int axis = 0; axis < 3; axis++) {
        Strided one = Strided.zeros(DType.FLOAT32, 300, 7, 100);
        Threads.setNumThreads(1);
        Scan.run(one, in, axis, Expr.Fn2.ADD, false);
        Strided many = Strided.zeros(DType.FLOAT32, 300, 7, 100);
        Threads.setNumThreads(4);
        Scan.run(many, in, axis, Expr.Fn2.ADD, false);
        assertArrayEquals((float[]) one.array(), (float[]) many.array());
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void anOutputOfAnotherShapeIsRefused() {
    Strided in = Strided.zeros(DType.FLOAT32, 2, 3);
    ShapeException e =
        assertThrows(
            ShapeException.class,
            () -> Scan.run(Strided.zeros(DType.FLOAT32, 3, 2), in, 0, Expr.Fn2.ADD, false));
    assertEquals("[3, 2]", e.data().get("out"));
  }
}
