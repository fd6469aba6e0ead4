package ndgrad.kernel.code;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.expr.Types;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.Registry;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Op;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The plain and the vector form of kernels side by side. */
class FormsTest {
  private static final DType[] NUMBERS = {DType.INT32, DType.INT64, DType.FLOAT32, DType.FLOAT64};
  private static final Expr.Fn1[] WHOLE = {Expr.Fn1.NEG, Expr.Fn1.ABS, Expr.Fn1.SIGN, Expr.Fn1.NOT};
  private static final Expr X = Expr.in(0);
  private static final Expr Y = Expr.in(1);
  private final Forms.Mode before = Forms.mode();

  @AfterEach
  void useTheFormerMode() {
    Forms.use(before);
  }

  static void assumeVectors() {
    assumeTrue(Forms.isAvailable(), "the Vector API is not there");
  }

  // ---- data

  private static double special(Random r, DType dtype) {
    double tiny = dtype == DType.FLOAT32 ? Float.MIN_VALUE : Double.MIN_VALUE;
    double huge = dtype == DType.FLOAT32 ? Float.MAX_VALUE : Double.MAX_VALUE;
    double[] all = {
      Double.NaN,
      0.0,
      -0.0,
      Double.POSITIVE_INFINITY,
      Double.NEGATIVE_INFINITY,
      tiny,
      -tiny,
      1000 * tiny,
      huge,
      -huge,
      1,
      -1,
      0.5,
      -0.5,
      1.5,
      2.5,
      -2.5,
      0.49999997,
      8388607.5,
      4503599627370495.5,
      -4503599627370497.0,
      1e30
    };
    return all[r.nextInt(all.length)];
  }

  static Strided numbers(Random r, DType dtype, int n) {
    Object data = dtype.newArray(n);
    for (int i = 0; i < n; i++) {
      switch (data) {
        case int[] a -> a[i] = r.nextInt(4) == 0 ? r.nextInt() : r.nextInt(5) - 2;
        case long[] a -> a[i] = r.nextInt(4) == 0 ? r.nextLong() : r.nextInt(5) - 2;
        default ->
            Samples.set(
                data, i, r.nextInt(4) == 0 ? special(r, dtype) : (r.nextDouble() - 0.5) * 8);
      }
    }
    return new Strided(new Storage(data), Layout.of(n));
  }

  private static long bits(Object data, int i) {
    return switch (data) {
      case float[] a -> Float.floatToIntBits(a[i]); // one NaN for all
      case double[] a -> Double.doubleToLongBits(a[i]);
      case long[] a -> a[i];
      case int[] a -> a[i];
      default -> ((boolean[]) data)[i] ? 1 : 0;
    };
  }

  static void assertSameBits(Object plain, Object vector, Object what) {
    for (int i = 0; i < DType.lengthOf(plain); i++) {
      if (bits(plain, i) != bits(vector, i)) {
        assertEquals(Samples.get(plain, i), Samples.get(vector, i), what + " at " + i);
      }
    }
  }

  // ---- elementwise

  /** A random expression of two numbers, a number that may be broadcast, and a bool. */
  private static Expr expr(Random r, DType dtype, int depth) {
    if (depth == 0) {
      int leaf = r.nextInt(6);
      return leaf == 5 ? Expr.num(r.nextInt(7) - 3) : Expr.in(Math.min(leaf, 3));
    }
    Expr a = expr(r, dtype, depth - 1);
    Expr b = expr(r, dtype, depth - 1);
    Expr.Fn2[] twos = {
      Expr.Fn2.ADD, Expr.Fn2.SUB, Expr.Fn2.MUL, Expr.Fn2.MAX, Expr.Fn2.MIN, Expr.Fn2.LT,
      Expr.Fn2.LE, Expr.Fn2.GT, Expr.Fn2.GE, Expr.Fn2.EQ, Expr.Fn2.NE, Expr.Fn2.AND,
      Expr.Fn2.OR, Expr.Fn2.XOR, Expr.Fn2.DIV
    };
    Expr.Fn1[] ones = dtype.isFloating() ? Expr.Fn1.values() : WHOLE;
    boolean floating = dtype.isFloating();
    return switch (r.nextInt(5)) {
      case 0, 1 -> Expr.of(twos[r.nextInt(twos.length - (floating ? 0 : 1))], a, b);
      case 2, 3 -> Expr.of(ones[r.nextInt(ones.length)], a);
      default -> Expr.select(a, b, expr(r, dtype, depth - 1));
    };
  }

  private static Object run(Forms.Mode mode, Expr[] exprs, DType[] to, DType dtype, Strided[] ins) {
    Forms.use(mode);
    Strided[] outs = new Strided[exprs.length];
    for (int j = 0; j < outs.length; j++) {
      outs[j] = Strided.zeros(to[j], ins[0].layout().shape());
    }
    DType[] load = Arrays.stream(ins).map(Strided::dtype).toArray(DType[]::new);
    Program.of(exprs).run(outs, load, ins);
    return outs.length == 1 ? outs[0].array() : new Object[] {outs[0].array(), outs[1].array()};
  }

  @Test
  void expressionsHaveTheSameBitsInBothForms() {
    assumeVectors();
    int vectors = 0;
    for (int seed = 0; seed < 400; seed++) {
      Random r = new Random(seed);
      DType dtype = NUMBERS[seed % 4];
      int n = r.nextInt(100);
      int rows = 1 + r.nextInt(3);
      Strided x = numbers(r, dtype, rows * n + 3);
      Strided bools = numbers(r, DType.BOOL, rows * n);
      Layout block = Layout.of(rows, n);
      Strided[] ins = {
        numbers(r, dtype, rows * n).with(block),
        // Somewhere else than the others, or a row for all, or one number for all.
        seed % 3 == 0
            ? x.with(Layout.of(new int[] {rows, n}, new int[] {n, 1}, 3))
            : x.with(Layout.of(new int[] {rows, n}, new int[] {0, seed % 3 == 1 ? 1 : 0}, 1)),
        numbers(r, dtype, 1),
        bools.with(block)
      };
      Expr[] exprs = {expr(r, dtype, 1 + r.nextInt(4)), expr(r, dtype, 2)};
      DType[] to = {r.nextBoolean() ? dtype : DType.BOOL, dtype};
      DType[] stored = {dtype, dtype, dtype, DType.BOOL};
      vectors +=
          VectorEmitter.lanes(new Dag(Simplify.of(exprs)), dtype, to, stored, stored, _ -> false)
                  .isPresent()
              ? 1
              : 0;
      Object[] plain = (Object[]) run(Forms.Mode.PLAIN, exprs, to, dtype, ins);
      Object[] vector = (Object[]) run(Forms.Mode.VECTOR, exprs, to, dtype, ins);
      for (int j = 0; j < 2; j++) {
        assertSameBits(plain[j], vector[j], exprs[j] + " of " + dtype + " seed " + seed);
      }
    }
    assertTrue(vectors > 200, "only " + vectors + " of the expressions had a vector form");
  }

  @Test
  void functionsHaveTheSameBitsInBothForms() {
    assumeVectors();
    Random r = new Random(3);
    int n = 1_003;
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
      Strided[] ins = {numbers(r, dtype, n), numbers(r, dtype, n)};
      for (Strided in : ins) {
        for (int i = 0; i < n; i++) {
          // From the middle on moderate numbers alone: vectors without any rare element.
          boolean moderate = i > n / 2;
          double range = i % 4 == 1 ? 1 : i % 4 == 2 && !moderate ? 800 : 10;
          if (moderate || i % 4 != 0) {
            double x = (r.nextDouble() * 2 - 1) * range * Math.pow(10, -r.nextInt(10));
            Samples.set(in.array(), i, x);
          }
        }
      }
      for (Expr.Fn1 fn : Expr.Fn1.values()) {
        assertSameInBothForms(Expr.of(fn, X), dtype, ins[0]);
      }
      for (Expr.Fn2 fn : Expr.Fn2.values()) {
        assertSameInBothForms(Expr.of(fn, X, Y), dtype, ins);
      }
    }
  }

  private static void assertSameInBothForms(Expr e, DType dtype, Strided... ins) {
    Object plain = run(Forms.Mode.PLAIN, new Expr[] {e}, new DType[] {dtype}, dtype, ins);
    Object vector = run(Forms.Mode.VECTOR, new Expr[] {e}, new DType[] {dtype}, dtype, ins);
    assertSameBits(plain, vector, e + " of " + dtype);
  }

  /** Arrays begin with the first element that is read, and end with the last. */
  @Test
  void everySecondElementAndReversedOnesAreThoseOfACopy() {
    assumeVectors();
    Expr[] all = {X, X.plus(Y), Y.minus(X), Expr.of(Expr.Fn2.GT, X, Y), Expr.of(Expr.Fn1.ABS, X)};
    Expr exp = Expr.of(Expr.Fn1.EXP, X).times(Y);
    for (DType dtype : NUMBERS) {
      for (int n = 1; n < 3 * Forms.lanes(dtype) + 2; n++) {
        Random r = new Random(n);
        for (int rows = 1; rows < 4; rows++) {
          for (Expr e : all) {
            assertPicked(r, e, dtype, rows, n);
          }
          if (dtype.isFloating()) {
            assertPicked(r, exp, dtype, rows, n);
          }
        }
      }
    }
  }

  private static void assertPicked(Random r, Expr e, DType dtype, int rows, int n) {
    DType out = Types.of(new Dag(e), new DType[] {dtype, dtype}, dtype)[new Dag(e).root(0)];
    int size = rows * n;
    Object[] near = {numbers(r, dtype, size).array(), numbers(r, dtype, size).array()};
    int[] at = {0, 0, 0, 1, 1, 1, n, n, n};
    Forms.use(Forms.Mode.PLAIN);
    Object expected = picked(e, out, dtype, near, at, rows, n);
    for (int x : new int[] {1, 2, -1}) {
      for (int y : new int[] {1, 2, -1}) {
        Object[] data = {laid(near[0], dtype, size, x), laid(near[1], dtype, size, y)};
        int[] there = {0, x < 0 ? size - 1 : 0, y < 0 ? size - 1 : 0, 1, x, y, n, x * n, y * n};
        for (Forms.Mode mode : new Forms.Mode[] {Forms.Mode.PLAIN, Forms.Mode.VECTOR}) {
          Forms.use(mode);
          Object result = picked(e, out, dtype, data, there, rows, n);
          String what = e + " of " + dtype + ", strides " + x + " and " + y;
          assertSameBits(expected, result, what + ", " + rows + " rows of " + n);
        }
      }
    }
  }

  /** The elements with a stride between them. */
  private static Object laid(Object near, DType dtype, int size, int stride) {
    Object far = dtype.newArray(1 + (size - 1) * Math.abs(stride));
    for (int i = 0; i < size; i++) {
      System.arraycopy(near, i, far, stride < 0 ? size - 1 - i : i * stride, 1);
    }
    return far;
  }

  private static Object picked(
      Expr e, DType out, DType dtype, Object[] ins, int[] at, int rows, int n) {
    long strides = InnerStrides.ones(1);
    for (int k = 1; k < 3; k++) {
      strides = InnerStrides.with(strides, k, at[3 + k]);
      assertEquals(at[3 + k], InnerStrides.of(strides, k));
    }
    Object result = out.newArray(rows * n);
    DType[] stored = {out, dtype, dtype};
    Forms.kernel(new Dag(e), stored, new DType[] {dtype, dtype}, Kernel.Form.FIXED, strides)
        .run(new Object[] {result, ins[0], ins[1]}, at, rows, n);
    return result;
  }

  @Test
  void elementwiseOpsHaveTheSameBitsInBothForms() {
    assumeVectors();
    Random r = new Random(6);
    int ops = 0;
    for (Op op : Registry.ops()) {
      if (op instanceof Elementwise elementwise) {
        for (DType dtype : NUMBERS) {
          Expr e = elementwise.expr();
          Strided[] ins = new Strided[Math.max(1, new Dag(e).inputs())];
          Arrays.setAll(ins, _ -> numbers(r, dtype, 37));
          assertSameInBothForms(e, dtype, ins);
          ops++;
        }
      }
    }
    assertTrue(ops > 200, "only " + ops + " ops and dtypes");
  }

  // ---- reductions

  @Test
  void reductionsHaveTheSameBitsInBothForms() {
    assumeVectors();
    Random r = new Random(4);
    Expr[] prologues = {
      X,
      X.times(X),
      X.minus(Y).times(X.minus(Y)),
      X.times(Y).plus(X).minus(Y.times(3)).plus(X),
      Expr.of(Expr.Fn1.EXP, X.minus(Y))
    };
    Expr.Fn2[] combines = {Expr.Fn2.ADD, Expr.Fn2.MUL, Expr.Fn2.MAX, Expr.Fn2.MIN};
    int[][] some = {{1, 1}, {1, 15}, {3, 16}, {2, 17}, {70, 33}, {5, 5000}, {300, 7}, {129, 40}};
    List<int[]> shapes = new ArrayList<>(List.of(some));
    for (int length = 3; length < 140; length += 4) {
      shapes.add(new int[] {3, length});
      shapes.add(new int[] {2, length + 1});
    }
    for (DType dtype : NUMBERS) {
      for (int[] shape : shapes) {
        int n = shape[0] * shape[1];
        Strided x = numbers(r, dtype, n + 1);
        x = x.with(Layout.of(shape, new int[] {shape[1], 1}, 1));
        Strided y = numbers(r, dtype, shape[1]);
        for (Expr prologue : prologues) {
          for (Expr.Fn2 combine : combines) {
            for (int[] axes : new int[][] {{0}, {1}, {0, 1}}) {
              Object plain = reduce(Forms.Mode.PLAIN, prologue, combine, axes, x, y);
              Object vector = reduce(Forms.Mode.VECTOR, prologue, combine, axes, x, y);
              assertSameBits(plain, vector, combine + " of " + prologue + " of " + dtype);
            }
          }
        }
      }
    }
  }

  private static Object reduce(
      Forms.Mode mode, Expr prologue, Expr.Fn2 combine, int[] axes, Strided x, Strided y) {
    Forms.use(mode);
    int[] kept = axes.length == 2 ? new int[0] : new int[] {x.layout().dim(1 - axes[0])};
    Strided out = Strided.zeros(x.dtype(), kept);
    Strided[] ins = prologue.uses(1) ? new Strided[] {x, y} : new Strided[] {x};
    Reduction.of(prologue, combine).run(out, x.dtype(), axes, ins);
    return out.array();
  }

  // ---- choosing

  @Test
  void whatHasNoVectorFormStaysPlain() {
    assumeVectors();
    Forms.use(Forms.Mode.VECTOR);
    DType[] doubles = {DType.FLOAT64, DType.FLOAT64};
    DType[] mixed = {DType.FLOAT64, DType.FLOAT32};
    Dag exp = new Dag(Expr.of(Expr.Fn1.EXP, X));
    Dag remainder = new Dag(Expr.of(Expr.Fn2.REMAINDER, X, X));
    assertTrue(isVector(exp, doubles, Kernel.Form.FIXED));
    assertFalse(isVector(exp, doubles, Kernel.Form.STRIDED));
    assertFalse(isVector(exp, mixed, Kernel.Form.FIXED), "two dtypes of numbers");
    assertTrue(isVector(remainder, doubles, Kernel.Form.FIXED));
    DType[] longs = {DType.INT64, DType.INT64};
    assertFalse(isVector(remainder, longs, Kernel.Form.FIXED), "integers");
  }

  /** Such as the exponent of a power, which a caller gives as a double. */
  @Test
  void aNumberOfAnotherDtypeThatStaysTheSameIsNoHindrance() {
    assumeVectors();
    Forms.use(Forms.Mode.AUTO);
    DType[] stored = {DType.FLOAT32, DType.FLOAT32, DType.FLOAT64};
    DType[] load = {DType.FLOAT32, DType.FLOAT32};
    Expr pow = Expr.of(Expr.Fn2.POW, X, Y);
    long strides = InnerStrides.with(InnerStrides.ones(2), 2, 0);
    Kernel kernel = Forms.kernel(new Dag(pow), stored, load, Kernel.Form.FIXED, strides);
    assertTrue(kernel instanceof ByLength);
    FoldKernel.Spec sum =
        new FoldKernel.Spec(
            pow,
            Expr.Fn2.ADD,
            DType.FLOAT32,
            DType.FLOAT32,
            List.of(DType.FLOAT32, DType.FLOAT64),
            List.of(FoldKernel.Step.UNIT, FoldKernel.Step.ZERO));
    assertTrue(Forms.fold(sum) instanceof AdaptiveFold);
  }

  private static boolean isVector(Dag dag, DType[] stored, Kernel.Form form) {
    DType[] load = {stored[1]};
    Forms.use(Forms.Mode.AUTO);
    return Forms.kernel(
            dag,
            stored,
            load,
            form,
            form == Kernel.Form.STRIDED ? InnerStrides.VARIABLE : InnerStrides.ones(2))
        instanceof ByLength;
  }

  // ---- without the module

  /** What the second JVM runs. */
  public static final class Main {
    private Main() {}

    /**
     * Computes the square roots of some numbers and their sum.
     *
     * @param args not used
     */
    public static void main(String[] args) {
      Strided x = new Strided(new Storage(new double[] {1, 4, 9}), Layout.of(3));
      Strided out = Strided.zeros(DType.FLOAT64, 3);
      Strided sum = Strided.zeros(DType.FLOAT64);
      try {
        Program.of(Expr.of(Expr.Fn1.SQRT, X)).run(out, DType.FLOAT64, x);
        Reduction.of(X, Expr.Fn2.ADD).run(sum, DType.FLOAT64, new int[] {0}, out);
        System.out.println(Forms.isAvailable() + " " + ((double[]) sum.array())[0]);
      } catch (ArgumentException e) {
        System.out.println(e.getMessage());
      }
    }
  }

  private static String second(String... flags) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(List.of(flags));
    command.addAll(List.of("-cp", System.getProperty("java.class.path"), Main.class.getName()));
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    // The JVM would say among the output that it picks it up.
    builder.environment().remove("JAVA_TOOL_OPTIONS");
    Process process = builder.start();
    return new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
  }

  @Test
  void theModuleMayBeAbsent() throws IOException {
    assertEquals("false 6.0", second());
    String refusal = second("-Dndgrad.kernels=vector");
    assertTrue(refusal.contains("--add-modules jdk.incubator.vector"), refusal);
    String vector = second("-Dndgrad.kernels=vector", "--add-modules", "jdk.incubator.vector");
    assertTrue(vector.endsWith("true 6.0"), vector);
    assertEquals("false 6.0", second("-Dndgrad.kernels=plain"));
    assertTrue(second("-Dndgrad.kernels=quick").contains("must be plain, vector or auto"));
  }

  @Test
  void vectorsThatAreAskedForMustBeThere() {
    if (Forms.isAvailable()) {
      Forms.use(Forms.Mode.VECTOR);
      assertEquals(Forms.Mode.VECTOR, Forms.mode());
    } else {
      assertThrows(ArgumentException.class, () -> Forms.use(Forms.Mode.VECTOR));
    }
  }
}
