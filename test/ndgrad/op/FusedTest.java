package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.function.Function;
import ndgrad.DType;
import ndgrad.IndexException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.Threads;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Structural;
import org.junit.jupiter.api.Test;

/**
 * Ops with kernels for forward and backward, on arrays of several blocks: against the same in other
 * ops, and the fused gradients against those that are recorded.
 */
class FusedTest {
  private static final int ROWS = 45;
  private static final int COLUMNS = 1000;

  private static Tensor random(long seed, DType dtype, int... shape) {
    Random r = new Random(seed);
    double[] a = r.doubles(Layout.of(shape).size(), -2, 2).toArray();
    Tensor t = new Tensor(new Strided(new Storage(a), Layout.of(shape)));
    Tensor leaf = new Tensor(Copies.copyOf(t.strided(), dtype));
    leaf.requireGrad(true);
    return leaf;
  }

  private static double[] values(Tensor t) {
    return (double[]) Copies.copyOf(t.strided(), DType.FLOAT64).array();
  }

  private static List<double[]> gradients(
      Function<Tensor[], Tensor> f, boolean record, Tensor g, Tensor... ins) {
    Tensor y = f.apply(ins);
    Tensor[] found = Reverse.gradients(List.of(y), Arrays.asList(g), List.of(ins), true, record);
    return Arrays.stream(found).map(FusedTest::values).toList();
  }

  /** Compares an op with what other ops make of the same, value and both kinds of gradient. */
  private static void check(
      Function<Tensor[], Tensor> op, Function<Tensor[], Tensor> plain, Tensor g, Tensor... ins) {
    double tolerance = ins[0].dtype() == DType.FLOAT32 ? 2e-4 : 1e-11;
    assertArrayEquals(values(plain.apply(ins)), values(op.apply(ins)), tolerance);
    List<double[]> expected = gradients(plain, false, g, ins);
    for (boolean record : new boolean[] {false, true}) {
      List<double[]> actual = gradients(op, record, g, ins);
      for (int i = 0; i < ins.length; i++) {
        assertArrayEquals(expected.get(i), actual.get(i), tolerance, "input " + i + " " + record);
      }
    }
  }

  private static Tensor mean(Tensor x) {
    return Reductions.MEAN.of(x, -1, true);
  }

  private static Tensor layerNorm(Tensor[] in) {
    Tensor d = Arithmetic.SUB.of(in[0], mean(in[0]));
    Tensor var = mean(Arithmetic.MUL.of(d, d));
    Tensor unit = Arithmetic.DIV.of(d, Functions.SQRT.of(Arithmetic.ADD.of(var, 1e-5)));
    return Arithmetic.ADD.of(Arithmetic.MUL.of(unit, in[1]), in[2]);
  }

  private static Tensor rmsNorm(Tensor[] in) {
    Tensor root = Functions.SQRT.of(Arithmetic.ADD.of(mean(Arithmetic.SQUARE.of(in[0])), 1e-5));
    return Arithmetic.MUL.of(Arithmetic.DIV.of(in[0], root), in[1]);
  }

  private static Tensor softmax(Tensor x) {
    Tensor e = Functions.EXP.of(x);
    return Arithmetic.DIV.of(e, Reductions.SUM.of(e, -1, true));
  }

  @Test
  void normalisationsOfSeveralBlocks() {
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
      Tensor x = random(1, dtype, ROWS, COLUMNS);
      Tensor w = random(2, dtype, COLUMNS);
      Tensor b = random(3, dtype, COLUMNS);
      Tensor g = random(4, dtype, ROWS, COLUMNS).detach();
      check(in -> Normalization.LAYER_NORM.of((Object[]) in), FusedTest::layerNorm, g, x, w, b);
      check(in -> Normalization.RMS_NORM.of((Object[]) in), FusedTest::rmsNorm, g, x, w);
      Tensor one = random(5, dtype, COLUMNS, ROWS);
      check(
          in -> Normalization.LAYER_NORM.of(Shapes.SWAPAXES.of(in[0], 0, 1), in[1], in[2]),
          in -> layerNorm(new Tensor[] {Shapes.SWAPAXES.of(in[0], 0, 1), in[1], in[2]}),
          g,
          one,
          w,
          b);
    }
  }

  @Test
  void softmaxOfSeveralBlocks() {
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
      Tensor x = random(1, dtype, ROWS, COLUMNS);
      Tensor g = random(2, dtype, ROWS, COLUMNS).detach();
      check(in -> Activations.SOFTMAX.of(in[0]), in -> softmax(in[0]), g, x);
      check(in -> Activations.LOG_SOFTMAX.of(in[0]), in -> Functions.LOG.of(softmax(in[0])), g, x);
    }
  }

  @Test
  void crossEntropyOfSeveralBlocks() {
    long[] classes = new Random(7).longs(ROWS, 0, COLUMNS).toArray();
    Tensor target = new Tensor(new Strided(new Storage(classes), Layout.of(ROWS)));
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
      Tensor x = random(1, dtype, ROWS, COLUMNS);
      Tensor hot = Structural.CAST.of(Lookup.ONE_HOT.of(target, COLUMNS), dtype);
      for (double smoothing : new double[] {0, 0.2}) {
        Tensor p = Arithmetic.ADD.of(Arithmetic.MUL.of(hot, 1 - smoothing), smoothing / COLUMNS);
        check(
            in ->
                (Tensor)
                    Losses.CROSS_ENTROPY.call(Map.of("label-smoothing", smoothing), in[0], target),
            in ->
                Arithmetic.DIV.of(
                    Reductions.SUM.of(Arithmetic.MUL.of(Functions.LOG.of(softmax(in[0])), p)),
                    -ROWS),
            null,
            x);
      }
    }
  }

  @Test
  void resultsDoNotDependOnTheNumberOfThreads() {
    Tensor x = random(1, DType.FLOAT32, ROWS, COLUMNS);
    Tensor w = random(2, DType.FLOAT32, COLUMNS);
    Tensor b = random(3, DType.FLOAT32, COLUMNS);
    Tensor g = random(4, DType.FLOAT32, ROWS, COLUMNS).detach();
    List<List<double[]>> found = new ArrayList<>();
    int before = Threads.numThreads();
    try {
      for (int threads : new int[] {1, 3}) {
        Threads.setNumThreads(threads);
        found.add(gradients(in -> Normalization.LAYER_NORM.of((Object[]) in), false, g, x, w, b));
      }
    } finally {
      Threads.setNumThreads(before);
    }
    for (int i = 0; i < 3; i++) {
      assertArrayEquals(found.get(0).get(i), found.get(1).get(i));
    }
  }

  @Test
  void aClassOutOfRangeIsNamed() {
    Tensor x = random(1, DType.FLOAT64, 2, 3);
    String message =
        assertThrows(IndexException.class, () -> Losses.CROSS_ENTROPY.of(x, List.of(0, 3)))
            .getMessage();
    assertTrue(message.contains("target 3") && message.contains("0 to 2"), message);
  }

  @Test
  void dropoutKeepsTheExpectationAndItsGradientTheZeros() {
    Tensor x = random(1, DType.FLOAT64, 200, 500);
    Random keys = new Random(3);
    Tensor y = (Tensor) Attention.DROPOUT.call(Map.of("p", 0.25, "key", keys), x);
    double[] in = values(x);
    double[] out = values(y);
    int zeros = 0;
    for (int i = 0; i < in.length; i++) {
      zeros += out[i] == 0 ? 1 : 0;
      assertTrue(out[i] == 0 || Math.abs(out[i] - in[i] / 0.75) < 1e-12);
    }
    // Six standard deviations of 100 000 draws.
    assertEquals(25_000, zeros, 6 * Math.sqrt(100_000 * 0.25 * 0.75));
    Tensor g =
        Reverse.gradients(
            List.of(Reductions.SUM.of(y)), Arrays.asList((Tensor) null), List.of(x), false, false)[
            0];
    double[] slopes = values(g);
    for (int i = 0; i < in.length; i++) {
      assertEquals(out[i] == 0 ? 0 : 1 / 0.75, slopes[i], 1e-12);
    }
  }
}
