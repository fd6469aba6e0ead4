package ndgrad.op;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Random;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.blas.EngineNames;
import ndgrad.blas.Engines;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Op;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/**
 * The same linear algebra on every engine that is on the class path: against loops, and against
 * each other.
 */
class EnginesTest {
  private static final int[] SIZES = {0, 1, 2, 3, 5, 16, 33};

  /**
   * Random elements under a random layout: contiguous, transposed, cut out, every second, reversed
   * or stretched.
   */
  private static Tensor random(Random r, DType dtype, int... shape) {
    int d = shape.length;
    Strided plain = Strided.zeros(dtype, shape);
    for (int i = 0; i < DType.lengthOf(plain.array()); i++) {
      double v = r.nextInt(-16, 17) / 8.0;
      if (plain.array() instanceof float[] a) {
        a[i] = (float) v;
      } else {
        ((double[]) plain.array())[i] = v;
      }
    }
    int kind = r.nextInt(5);
    int[] larger = shape.clone();
    Layout view;
    if (kind == 0) {
      larger[d - 1] = shape[d - 2];
      larger[d - 2] = shape[d - 1];
      int[] axes = new int[d];
      Arrays.setAll(axes, i -> i < d - 2 ? i : i == d - 2 ? d - 1 : d - 2);
      view = Layout.of(larger).permute(axes);
    } else if (kind == 1) {
      larger[d - 1] += 3;
      view = Layout.of(larger).slice(d - 1, 2, shape[d - 1], 1);
    } else if (kind == 2) {
      larger[d - 1] *= 2;
      view = Layout.of(larger).slice(d - 1, 0, shape[d - 1], 2);
    } else if (kind == 3) {
      view = Layout.of(shape);
      view = shape[d - 2] == 0 ? view : view.flip(d - 2);
    } else {
      return new Tensor(plain);
    }
    Strided out = new Strided(Strided.zeros(dtype, larger).storage(), view);
    Copies.copy(plain, out);
    return new Tensor(out);
  }

  private static double at(Tensor t, int... index) {
    int p = t.layout().position(index);
    return t.strided().array() instanceof float[] a ? a[p] : ((double[]) t.strided().array())[p];
  }

  private static double[] elements(Tensor t) {
    Strided plain = Strided.zeros(DType.FLOAT64, t.shape());
    Copies.copy(t.strided(), plain);
    return (double[]) plain.array();
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#all")
  void productsAgreeWithLoops(String engine) {
    assumeTrue(EngineNames.isAvailable(engine, "linear algebra"));
    Random r = new Random(engine.length());
    for (int round = 0; round < 300; round++) {
      DType dtype = r.nextBoolean() ? DType.FLOAT32 : DType.FLOAT64;
      int batch = r.nextInt(1, 4);
      int m = SIZES[r.nextInt(SIZES.length)];
      int n = SIZES[r.nextInt(SIZES.length)];
      int k = SIZES[r.nextInt(SIZES.length)];
      int one = r.nextBoolean() ? 1 : batch;
      Tensor a = random(r, dtype, r.nextBoolean() ? 1 : batch, m, k);
      Tensor b = random(r, dtype, one, k, n);
      Tensor c = Engines.with(engine, () -> Linalg.MATMUL.of(a, b));
      assertArrayEquals(new int[] {Math.max(a.dim(0), one), m, n}, c.shape());
      assertEquals(dtype, c.dtype());
      assertTrue(c.layout().isContiguous());
      for (int t = 0; t < c.dim(0); t++) {
        for (int i = 0; i < m; i++) {
          for (int j = 0; j < n; j++) {
            double sum = 0;
            for (int p = 0; p < k; p++) {
              sum += at(a, Math.min(t, a.dim(0) - 1), i, p) * at(b, Math.min(t, one - 1), p, j);
            }
            // Products of small multiples of 1/8 are exact in float32, in whatever order they are
            // added.
            assertEquals(
                sum, at(c, t, i, j), 0, a.layout() + " times " + b.layout() + " in " + dtype);
          }
        }
      }
    }
  }

  private record Call(Op op, List<Object> args, Map<String, Object> options, List<Tensor> inputs) {
    static Call of(Op op, Map<String, Object> options, Object... args) {
      List<Tensor> inputs = new ArrayList<>();
      for (Object a : args) {
        List<?> several = a instanceof List<?> l ? l : List.of(a);
        several.stream()
            .filter(Tensor.class::isInstance)
            .map(Tensor.class::cast)
            .forEach(inputs::add);
      }
      inputs.forEach(t -> t.requireGrad(true));
      return new Call(op, List.of(args), options, inputs);
    }

    /** The result, its gradients, and the gradients of their sums. */
    List<double[]> run() {
      List<double[]> out = new ArrayList<>();
      Tensor y = (Tensor) op.call(options, args.toArray());
      out.add(elements(y));
      Tensor[] first = Reverse.gradients(List.of(y), List.of(y.detach()), inputs, true, true);
      List<Tensor> tracked = new ArrayList<>();
      for (Tensor g : first) {
        out.add(elements(g));
        if (g.requiresGrad()) {
          tracked.add(g);
        }
      }
      List<Tensor> upstream = tracked.stream().map(Tensor::detach).toList();
      for (Tensor g : Reverse.gradients(tracked, upstream, inputs, true, false)) {
        out.add(elements(g));
      }
      return out;
    }
  }

  private static Tensor diagonal(DType dtype, int n, double value) {
    Tensor eye = (Tensor) Creation.EYE.call(Map.of("dtype", dtype), n);
    return Arithmetic.MUL.of(eye, value);
  }

  private static List<Call> suite(DType dtype) {
    Random r = new Random(7);
    List<Call> calls = new ArrayList<>();
    for (int round = 0; round < 4; round++) {
      calls.add(
          Call.of(Linalg.MATMUL, Map.of(), random(r, dtype, 5, 17, 9), random(r, dtype, 9, 12)));
      calls.add(
          Call.of(Linalg.MATMUL, Map.of(), random(r, dtype, 7, 9), random(r, dtype, 3, 9, 4)));
      calls.add(
          Call.of(
              Linalg.TENSORDOT,
              Map.of("axes", List.of(List.of(0, 2), List.of(1, 0))),
              random(r, dtype, 3, 5, 4),
              random(r, dtype, 4, 3, 6)));
      calls.add(
          Call.of(
              Einsum.EINSUM,
              Map.of(),
              "bij,kj,Bkb->iB",
              List.of(
                  random(r, dtype, 3, 6, 5), random(r, dtype, 4, 5), random(r, dtype, 2, 4, 3))));
      calls.add(
          Call.of(
              Convolution.CONV2D,
              Map.of("padding", 1, "stride", 2, "groups", 2),
              random(r, dtype, 2, 4, 9, 8),
              random(r, dtype, 6, 2, 3, 3)));
      // A diagonal that dominates keeps both engines' solutions accurate.
      Tensor regular = Arithmetic.ADD.of(random(r, dtype, 2, 19, 19), diagonal(dtype, 19, 20));
      calls.add(Call.of(Solving.SOLVE, Map.of(), regular.detach(), random(r, dtype, 19, 3)));
    }
    return calls;
  }

  @ParameterizedTest
  @MethodSource("ndgrad.blas.EngineNames#others")
  void resultsAndGradientsAgreeWithTheJavaEngine(String engine) {
    assumeTrue(EngineNames.isAvailable(engine, "linear algebra"));
    for (DType dtype : List.of(DType.FLOAT32, DType.FLOAT64)) {
      double tolerance = dtype == DType.FLOAT32 ? 1e-5 : 1e-13;
      for (Call call : suite(dtype)) {
        List<double[]> expected = Engines.with("java", call::run);
        List<double[]> actual = Engines.with(engine, call::run);
        for (int i = 0; i < expected.size(); i++) {
          double size = Arrays.stream(expected.get(i)).map(Math::abs).max().orElse(0);
          assertTrue(size > 0);
          assertArrayEquals(
              expected.get(i), actual.get(i), tolerance * size, call.op() + " value " + i);
        }
      }
    }
  }
}
