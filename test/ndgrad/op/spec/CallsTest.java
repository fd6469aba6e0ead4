package ndgrad.op.spec;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

/** What was found out of a call serves the next one, and only one like it. */
class CallsTest {

  private static final Program SUM = Program.of(Expr.in(0).plus(Expr.in(1)));

  private static Tensor zeros(DType dtype, int... shape) {
    return new Tensor(Strided.zeros(dtype, shape));
  }

  private static Optional<Program.Run> run(Tensor out, Tensor... ins) {
    DType[] load = {out.dtype(), out.dtype()};
    return SUM.few(out.strided(), load, new Strided[] {ins[0].strided(), ins[1].strided()});
  }

  private static Tensor[] remembered(Calls calls, Tensor... ins) {
    Tensor out = zeros(DType.FLOAT64, 2, 3);
    calls.remember(ins, DType.FLOAT64, out.strided(), run(out, ins));
    return ins;
  }

  @Test
  void callsWithSuchInputsAreFound() {
    Calls calls = new Calls();
    assertNull(calls.find(new Tensor[] {zeros(DType.FLOAT64, 2, 3), zeros(DType.FLOAT64, 2, 3)}));
    remembered(calls, zeros(DType.FLOAT64, 2, 3), zeros(DType.FLOAT64, 2, 3));
    Calls.Call known =
        calls.find(new Tensor[] {zeros(DType.FLOAT64, 2, 3), zeros(DType.FLOAT64, 2, 3)});
    assertNotNull(known);
    assertEquals(DType.FLOAT64, known.dtype());
    assertEquals(Layout.of(2, 3), known.layout());
  }

  @Test
  void callsWithOtherInputsAreNot() {
    Calls calls = new Calls();
    Tensor x = zeros(DType.FLOAT64, 2, 3);
    remembered(calls, x, zeros(DType.FLOAT64));
    assertNull(calls.find(new Tensor[] {x, zeros(DType.FLOAT32)}));
    assertNull(calls.find(new Tensor[] {x, Tensor.weak(Strided.zeros(DType.FLOAT64))}));
    assertNull(calls.find(new Tensor[] {x, zeros(DType.FLOAT64, 1)}));
    assertNull(calls.find(new Tensor[] {zeros(DType.FLOAT64, 3, 2), zeros(DType.FLOAT64)}));
    Tensor rows = new Tensor(x.strided().with(Layout.of(2, 3).flip(0)));
    assertNull(calls.find(new Tensor[] {rows, zeros(DType.FLOAT64)}));
  }

  @Test
  void outputsThatAreViewsAndManyElementsAreNotRemembered() {
    Tensor x = zeros(DType.FLOAT64, 3, 3);
    Tensor view = new Tensor(x.strided().with(x.layout().swapped(0, 1)));
    assertEquals(Optional.empty(), run(view, x, x));
    Tensor many = zeros(DType.FLOAT64, 1 << 10, 1 << 10);
    assertEquals(Optional.empty(), run(many, many, many));
    Tensor none = zeros(DType.FLOAT64, 0);
    assertEquals(Optional.empty(), run(none, none, none));
  }

  /** Views with the same steps are added by the loops of the first ones, wherever they begin. */
  @Test
  void viewsAreRememberedWhereverTheyBegin() {
    double[] numbers = new double[100];
    Arrays.setAll(numbers, i -> i * i);
    Storage storage = new Storage(numbers);
    Layout fresh = Layout.of(2, 3);
    Layout[] views = {
      fresh,
      Layout.of(new int[] {2, 3}, new int[] {3, 1}, 40),
      Layout.of(new int[] {2, 3}, new int[] {1, 2}, 41),
      Layout.of(new int[] {2, 3}, new int[] {-5, 2}, 42),
      Layout.of(new int[] {2, 3}, new int[] {7, -1}, 43),
      Layout.of(new int[] {2, 3}, new int[] {0, 1}, 44),
      Layout.of(new int[] {3}, new int[] {2}, 45),
      Layout.of(new int[0], new int[0], 46)
    };
    for (Layout a : views) {
      for (Layout b : views) {
        Calls calls = new Calls();
        Tensor x = new Tensor(new Strided(storage, a));
        Tensor y = new Tensor(new Strided(storage, b));
        remembered(calls, x, y);
        for (int by : new int[] {0, 1, 30}) {
          Strided p = moved(x, by);
          Strided q = moved(y, by / 2);
          Calls.Call known = calls.find(new Tensor[] {new Tensor(p), new Tensor(q)});
          assertNotNull(known, a + " and " + b + " by " + by);
          Strided want = Strided.zeros(DType.FLOAT64, 2, 3);
          SUM.run(want, DType.FLOAT64, p, q);
          Strided out = Strided.zeros(DType.FLOAT64, 2, 3);
          known.run().run(out, new Strided[] {p, q});
          assertArrayEquals((double[]) want.array(), (double[]) out.array());
        }
      }
    }
  }

  private static Strided moved(Tensor x, int by) {
    Layout l = x.layout();
    return l.isFresh()
        ? x.strided()
        : x.strided().with(Layout.of(l.shape(), l.strides(), l.offset() + by));
  }

  @Test
  void broadcastInputsAreRemembered() {
    Tensor row = new Tensor(new Strided(new Storage(new double[] {1, 2, 3}), Layout.of(3)));
    Tensor column = new Tensor(new Strided(new Storage(new double[] {10, 20}), Layout.of(2, 1)));
    Tensor out = zeros(DType.FLOAT64, 2, 3);
    Strided[] ins = {column.strided(), row.strided()};
    run(out, column, row).orElseThrow().run(out.strided(), ins);
    assertArrayEquals(new double[] {11, 12, 13, 21, 22, 23}, (double[]) out.strided().array());
  }

  @Test
  void whatDependsOnValuesIsLookedAtEachTime() {
    Array longs = Array.of(2L, 3L);
    Array ints = Array.of(6, 8);
    for (int i = 0; i < 3; i++) {
      assertArrayEquals(new long[] {2, 9}, (long[]) longs.pow(Array.of(1L, 2L)).toArray());
      assertThrows(ArgumentException.class, () -> longs.pow(Array.of(1L, -1L)));
      assertArrayEquals(new int[] {7, 9}, (int[]) ints.add(1L).toArray());
      assertThrows(DTypeException.class, () -> ints.add(1L << 40));
      assertArrayEquals(new boolean[] {true, true}, (boolean[]) ints.gt(1L).toArray());
      assertArrayEquals(new boolean[] {false, false}, (boolean[]) ints.gt(1L << 40).toArray());
    }
  }

  @Test
  void resultsOverwriteTheFirstInputWhereThatIsAsItWouldBe() {
    Calls calls = new Calls();
    Tensor x = zeros(DType.FLOAT64, 2, 3);
    Tensor one = zeros(DType.FLOAT64);
    assertTrue(calls.find(remembered(calls, x, one)).isInPlace(new Tensor[] {x, one}));
    assertFalse(calls.find(remembered(calls, one, x)).isInPlace(new Tensor[] {one, x}));
    // Later elements would read what was written into the first.
    Tensor first = new Tensor(x.strided().with(Layout.of()));
    assertFalse(calls.find(remembered(calls, x, first)).isInPlace(new Tensor[] {x, first}));
    Tensor narrow = zeros(DType.FLOAT32, 2, 3);
    assertFalse(calls.find(remembered(calls, narrow, x)).isInPlace(new Tensor[] {narrow, x}));
  }
}
