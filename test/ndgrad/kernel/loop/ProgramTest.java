package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.reflect.Array;
import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InForm;
import ndgrad.kernel.code.Interpreter;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.expr.Types;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedClass;
import org.junit.jupiter.params.provider.EnumSource;

@ParameterizedClass
@EnumSource(
    value = Forms.Mode.class,
    names = {"PLAIN", "VECTOR"})
class ProgramTest extends InForm {
  private static final DType[] DTYPES = DType.values();

  /** A random expression of some inputs, any function over any other. */
  static Expr expr(Random r, int inputs, int depth) {
    if (depth == 0 || r.nextInt(8) == 0) {
      return r.nextInt(4) == 0 ? Expr.num(r.nextInt(9) - 4) : Expr.in(r.nextInt(inputs));
    }
    Expr a = expr(r, inputs, depth - 1);
    int kind = r.nextInt(10);
    if (kind < 4) {
      Expr.Fn1[] functions = Expr.Fn1.values();
      return Expr.of(functions[r.nextInt(functions.length)], a);
    }
    // Subexpressions are shared often, as they are in derivatives.
    Expr b = r.nextInt(4) == 0 ? a : expr(r, inputs, depth - 1);
    return kind == 9
        ? Expr.select(expr(r, inputs, depth - 1), a, b)
        : Expr.of(Expr.Fn2.values()[r.nextInt(Expr.Fn2.values().length)], a, b);
  }

  private static Object boxed(Strided s, int[] index) {
    return Array.get(s.array(), s.layout().position(index));
  }

  /** Runs a program and compares every element with the interpreter's. */
  private static void check(Expr[] exprs, Strided[] outs, DType[] load, Strided[] ins) {
    int[] shape = outs[0].layout().shape();
    int size = (int) outs[0].layout().size();
    DType[] stored = Arrays.stream(outs).map(Strided::dtype).toArray(DType[]::new);
    Interpreter interpreter = new Interpreter(load, Types.number(load, stored));
    Object[][] expected = new Object[outs.length][size];
    Expr[] simple = Simplify.of(exprs);
    for (int i = 0; i < size; i++) {
      int[] index = Samples.unravel(i, shape);
      Object[] at =
          Arrays.stream(ins)
              .map(in -> boxed(in.with(in.layout().broadcastTo(shape)), index))
              .toArray();
      for (int j = 0; j < outs.length; j++) {
        expected[j][i] = Interpreter.convert(interpreter.eval(simple[j], at), stored[j]);
      }
    }
    Program program = Program.of(exprs);
    program.run(outs, load, ins);
    for (int j = 0; j < outs.length; j++) {
      for (int i = 0; i < size; i++) {
        Object found = boxed(outs[j], Samples.unravel(i, shape));
        if (!same(expected[j][i], found)) {
          assertEquals(
              expected[j][i],
              found,
              exprs[j] + " loaded as " + Arrays.toString(load) + " of shape " + outs[j].layout());
        }
      }
    }
  }

  /** Equal, the sign of a zero aside. */
  private static boolean same(Object a, Object b) {
    return a.equals(b)
        || a instanceof Double x && b instanceof Double y && x == 0 && y == 0
        || a instanceof Float v && b instanceof Float w && v == 0 && w == 0;
  }

  /** An input's shape that broadcasts to another. */
  private static int[] narrower(Random r, int[] shape) {
    int[] own =
        Arrays.copyOfRange(
            shape, r.nextInt(4) == 0 ? r.nextInt(shape.length + 1) : 0, shape.length);
    for (int i = 0; i < own.length; i++) {
      own[i] = r.nextInt(5) == 0 ? 1 : own[i];
    }
    return own;
  }

  @Test
  void agreesWithTheInterpreterOnAnyExpressionDtypeAndLayout() {
    for (int seed = 0; seed < (mode == Forms.Mode.PLAIN ? 1500 : 600); seed++) {
      Random r = new Random(seed);
      int inputs = 1 + r.nextInt(4);
      int outputs = 1 + r.nextInt(2);
      int[] shape = Samples.shape(r, 0, r.nextInt(10) == 0 ? 7 : 4);
      if (shape.length > 0 && r.nextInt(3) == 0) {
        shape[shape.length - 1] = 1 + r.nextInt(70); // whole vectors and a rest
      }
      DType common = DTYPES[r.nextInt(DTYPES.length)];
      boolean mixed = r.nextInt(3) == 0;
      Strided[] ins = new Strided[inputs];
      DType[] load = new DType[inputs];
      for (int i = 0; i < inputs; i++) {
        load[i] = mixed ? DTYPES[r.nextInt(DTYPES.length)] : common;
        DType stored = r.nextInt(3) == 0 ? DTYPES[r.nextInt(DTYPES.length)] : load[i];
        ins[i] = Samples.array(r, stored, narrower(r, shape));
      }
      Strided[] outs = new Strided[outputs];
      Expr[] exprs = new Expr[outputs];
      for (int j = 0; j < outputs; j++) {
        outs[j] = Samples.target(r, DTYPES[r.nextInt(DTYPES.length)], shape.clone());
        exprs[j] = expr(r, inputs, 1 + r.nextInt(4));
      }
      check(exprs, outs, load, ins);
    }
  }

  @Test
  void everyFunctionOnEveryDtype() {
    Random r = new Random(1);
    for (DType dtype : DTYPES) {
      Strided[] ins = {Samples.array(r, dtype, 40), Samples.array(r, dtype, 40)};
      DType[] load = {dtype, dtype};
      for (DType to : DTYPES) {
        for (Expr.Fn1 fn : Expr.Fn1.values()) {
          check(
              new Expr[] {Expr.of(fn, Expr.in(0))},
              new Strided[] {Strided.zeros(to, 40)},
              load,
              ins);
        }
        for (Expr.Fn2 fn : Expr.Fn2.values()) {
          check(
              new Expr[] {Expr.of(fn, Expr.in(0), Expr.in(1))},
              new Strided[] {Strided.zeros(to, 40)},
              load,
              ins);
        }
      }
    }
  }

  @Test
  void integersWrapAndDivideTowardsMinusInfinity() {
    Expr x = Expr.in(0);
    Expr y = Expr.in(1);
    Strided a = wrap(new int[] {7, -7, 7, -7, 5, Integer.MIN_VALUE, Integer.MAX_VALUE, 3});
    Strided b = wrap(new int[] {2, 2, -2, -2, 0, -1, 1, 40});
    Strided out = Strided.zeros(DType.INT32, 8);
    Program.of(Expr.of(Expr.Fn2.FLOOR_DIV, x, y)).run(out, DType.INT32, a, b);
    assertArrayEquals(
        new int[] {3, -4, -4, 3, 0, Integer.MIN_VALUE, Integer.MAX_VALUE, 0}, (int[]) out.array());
    Program.of(Expr.of(Expr.Fn2.REMAINDER, x, y)).run(out, DType.INT32, a, b);
    assertArrayEquals(new int[] {1, 1, -1, -1, 0, 0, 0, 3}, (int[]) out.array());
    Program.of(x.plus(y)).run(out, DType.INT32, a, b);
    assertEquals(Integer.MIN_VALUE, ((int[]) out.array())[6]);
    Program.of(Expr.of(Expr.Fn2.POW, x, y)).run(out, DType.INT32, a, b);
    assertEquals((int) 0xa8b8b452291fe821L, ((int[]) out.array())[7], "the low half of 3^40");
  }

  @Test
  void outputsMayShareStorageWithInputs() {
    for (int seed = 0; seed < 300; seed++) {
      Random r = new Random(seed);
      int n = 2 + r.nextInt(20);
      double[] data = r.doubles(4 * n * n).toArray();
      Storage storage = new Storage(data);
      Strided in = new Strided(storage, view(r, n));
      Strided out = new Strided(storage, view(r, n));
      double[] expected = Samples.values(in);
      double[] old = Samples.values(out);
      Program.of(Expr.in(0).times(2).plus(Expr.in(1))).run(out, DType.FLOAT64, in, out);
      double[] found = Samples.values(out);
      for (int i = 0; i < expected.length; i++) {
        assertEquals(2 * expected[i] + old[i], found[i], 0);
      }
    }
  }

  private static Layout view(Random r, int n) {
    Layout l = Layout.of(2 * n, 2 * n);
    for (int axis = 0; axis < 2; axis++) {
      l = l.slice(axis, r.nextInt(n), n, 1);
      l = r.nextBoolean() ? l.flip(axis) : l;
    }
    return r.nextBoolean() ? l.permute(1, 0) : l;
  }

  @Test
  void largeArraysInTilesAndOnSeveralThreads() {
    int before = Threads.numThreads();
    try {
      for (int threads = 1; threads <= 4; threads++) {
        Threads.setNumThreads(threads);
        Random r = new Random(threads);
        Strided flat = wrap(r.doubles(300_000).toArray());
        Strided a = flat.with(Layout.of(2, 300, 500));
        Strided b = flat.with(Layout.of(500, 2, 300).permute(1, 2, 0));
        Strided c = flat.with(Layout.of(300, 1));
        Strided d = flat.with(Layout.of(2, 500, 300).permute(0, 2, 1).flip(2).flip(0));
        Strided out = Strided.zeros(DType.FLOAT32, 500, 300, 2);
        Expr sum = Expr.in(0).plus(Expr.in(1)).times(Expr.in(2)).minus(Expr.in(3));
        DType[] load = {DType.FLOAT64, DType.FLOAT64, DType.FLOAT64, DType.FLOAT64};
        check(
            new Expr[] {sum},
            new Strided[] {out.with(out.layout().permute(2, 1, 0))},
            load,
            new Strided[] {a, b, c, d});
        check(
            new Expr[] {sum},
            new Strided[] {Strided.zeros(DType.FLOAT64, 2, 300, 500)},
            load,
            new Strided[] {a, b, c, d});
        check(
            new Expr[] {Expr.in(0).times(3)},
            new Strided[] {Strided.zeros(DType.INT64, 300_000)},
            new DType[] {DType.FLOAT64},
            new Strided[] {flat});
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void shortRowsBesideARowAndAColumn() {
    Expr matrix = Expr.in(0);
    Expr[] exprs = {
      matrix.plus(Expr.in(1)),
      matrix.times(Expr.in(2)),
      matrix.plus(Expr.in(1)).times(Expr.in(2)).minus(Expr.in(3)),
      Expr.of(Expr.Fn1.EXP, matrix.minus(Expr.in(2))),
      Expr.of(Expr.Fn2.GT, matrix, Expr.in(1)),
      Expr.in(1).minus(Expr.in(2))
    };
    int before = Threads.numThreads();
    try {
      for (int seed = 0; seed < 60; seed++) {
        Random r = new Random(seed);
        Threads.setNumThreads(1 + r.nextInt(3));
        int[] shape = Samples.shortRows(r);
        int last = shape.length - 1;
        int[] row = new int[shape.length];
        Arrays.fill(row, 1);
        row[last] = shape[last];
        row[0] = r.nextInt(2) == 0 ? shape[0] == 2 ? 2 : 1 : 1;
        int[] column = shape.clone();
        column[last] = 1;
        DType dtype = DTYPES[1 + r.nextInt(4)];
        Strided x =
            r.nextInt(3) == 0 ? Samples.target(r, dtype, shape) : Strided.zeros(dtype, shape);
        for (int i = 0; i < DType.lengthOf(x.array()); i++) {
          Samples.set(x.array(), i, r.nextInt(9) - 4);
        }
        Strided[] ins = {
          x,
          Samples.array(r, dtype, row),
          Samples.array(r, dtype, column),
          Samples.array(r, dtype, new int[0])
        };
        Expr expr = exprs[r.nextInt(exprs.length)];
        DType made = expr == exprs[4] ? DType.BOOL : dtype;
        boolean inPlace = made == dtype && r.nextBoolean();
        Strided out = inPlace ? x : Strided.zeros(made, shape);
        DType[] load = new DType[4];
        Arrays.fill(load, dtype);
        check(new Expr[] {expr}, new Strided[] {out}, load, ins);
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void largeArraysOfAnyLayout() {
    int before = Threads.numThreads();
    try {
      for (int seed = 0; seed < 40; seed++) {
        Random r = new Random(seed);
        Threads.setNumThreads(1 + r.nextInt(3));
        int[] shape = Samples.largeShape(r, 40_000);
        DType[] dtypes = DType.values();
        Strided a = Samples.array(r, dtypes[1 + r.nextInt(4)], shape.clone());
        Strided b = Samples.array(r, dtypes[1 + r.nextInt(4)], shape.clone());
        Strided x = Samples.target(r, DType.FLOAT64, shape.clone());
        Strided y = Samples.target(r, DType.FLOAT32, shape.clone());
        check(
            new Expr[] {Expr.in(0).minus(Expr.in(1)), Expr.in(0).times(Expr.in(2))},
            new Strided[] {x, y},
            new DType[] {DType.FLOAT64, DType.FLOAT64, DType.FLOAT64},
            new Strided[] {a, b, x});
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void manyInputs() {
    for (int inputs : new int[] {7, 8, 9, 30, 31, 80}) {
      Random r = new Random(inputs);
      Strided[] ins = new Strided[inputs];
      DType[] load = new DType[inputs];
      Expr sum = Expr.num(0.5);
      for (int i = 0; i < inputs; i++) {
        ins[i] =
            Samples.array(
                r, DTYPES[i % DTYPES.length], i % 3 == 0 ? new int[] {5} : new int[] {4, 5});
        load[i] = DType.FLOAT64;
        sum = sum.plus(Expr.in(i).times(i + 1));
      }
      check(new Expr[] {sum}, new Strided[] {Strided.zeros(DType.FLOAT64, 4, 5)}, load, ins);
    }
  }

  @Test
  void aKernelIsCompiledOncePerDtypesAndKindOfLayout() {
    Program p = Program.of(Expr.in(0).plus(Expr.in(1)));
    Strided a = Strided.zeros(DType.FLOAT32, 3, 4);
    Strided row = Strided.zeros(DType.FLOAT32, 4);
    Strided doubles = Strided.zeros(DType.FLOAT64, 3, 4);
    p.run(a, DType.FLOAT32, a, a);
    assertEquals(1, p.kernels());
    Strided one = Strided.zeros(DType.FLOAT32);
    p.run(one, DType.FLOAT32, one, one);
    Strided deep = Strided.zeros(DType.FLOAT32, 2, 1, 3, 2);
    p.run(deep, DType.FLOAT32, deep, deep);
    assertEquals(1, p.kernels(), "scalars and any rank run in the contiguous kernel");
    p.run(a, DType.FLOAT32, a, one);
    assertEquals(2, p.kernels(), "a broadcast scalar is hoisted");
    p.run(doubles, DType.FLOAT64, doubles, doubles);
    assertEquals(3, p.kernels());
    Strided stepped = Strided.zeros(DType.FLOAT32, 3, 8);
    p.run(a, DType.FLOAT32, a, stepped.with(stepped.layout().slice(1, 0, 4, 2)));
    p.run(a, DType.FLOAT32, stepped.with(stepped.layout().slice(1, 1, 4, 2)), a);
    assertEquals(4, p.kernels(), "one strided kernel for all other layouts");
    p.run(a, DType.FLOAT32, a, row);
    p.run(row, DType.FLOAT32, row, a.with(a.layout().select(0, 1)));
    assertEquals(5, p.kernels(), "rows that are not at the same position");
  }

  @Test
  void cheapExpressionsWriteSteppedOutputsWhereTheyLie() {
    Expr sum = Expr.in(0).plus(Expr.in(1));
    assertEquals(1, kernelsOfSteppedOutputs(sum), "one strided kernel for small and large");
    Expr costly = Expr.of(Expr.Fn1.EXP, Expr.in(0)).plus(Expr.in(1));
    assertEquals(2, kernelsOfSteppedOutputs(costly), "a large output goes through a buffer");
  }

  /** Runs in place over every other column of a small and of a large matrix. */
  private static int kernelsOfSteppedOutputs(Expr e) {
    Program p = Program.of(e);
    for (int n : new int[] {8, 200}) {
      Random r = new Random(n);
      Strided x = wrap(r.doubles(2 * n * n).toArray());
      Strided columns = x.with(Layout.of(n, 2 * n).slice(1, 1, n, 2));
      Strided y = wrap(r.doubles(n * n).toArray()).with(Layout.of(n, n));
      double[] old = ((double[]) x.array()).clone();
      Strided expected = Strided.zeros(DType.FLOAT64, n, n);
      Program.of(e).run(expected, DType.FLOAT64, Copies.copyOf(columns), y);
      p.run(columns, DType.FLOAT64, columns, y);
      for (int i = 0; i < n * n; i++) {
        old[2 * i + 1] = ((double[]) expected.array())[i];
      }
      assertArrayEquals(old, (double[]) x.array(), "nothing else is written");
    }
    return p.kernels();
  }

  @Test
  void shapesThatDoNotFitAreRefusedBeforeAnythingIsWritten() {
    Program p = Program.of(Expr.in(0).plus(Expr.in(1)));
    Strided out = wrap(new double[] {1, 2, 3});
    Strided four = Strided.zeros(DType.FLOAT64, 4);
    Strided deep = Strided.zeros(DType.FLOAT64, 2, 3);
    assertThrows(ShapeException.class, () -> p.run(out, DType.FLOAT64, out, four));
    assertThrows(ShapeException.class, () -> p.run(out, DType.FLOAT64, deep, out));
    DType[] load = {DType.FLOAT64};
    Program two = Program.of(Expr.in(0), Expr.in(0));
    assertThrows(
        ShapeException.class,
        () ->
            two.run(new Strided[] {out, four}, load, new Strided[] {Strided.zeros(DType.FLOAT64)}));
    assertThrows(IllegalArgumentException.class, () -> p.run(out, DType.FLOAT64, out));
    assertArrayEquals(new double[] {1, 2, 3}, (double[]) out.array());
  }

  @Test
  void constantsFillAnyDtype() {
    for (DType dtype : DTYPES) {
      Strided out = Strided.zeros(dtype, 2, 3);
      Program.of(Expr.num(3)).run(new Strided[] {out}, new DType[0], new Strided[0]);
      for (double v : Samples.values(out)) {
        assertEquals(dtype == DType.BOOL ? 1 : 3, v);
      }
    }
  }

  private static Strided wrap(Object data) {
    return new Strided(new Storage(data), Layout.of(DType.lengthOf(data)));
  }
}
