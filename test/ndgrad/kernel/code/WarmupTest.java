package ndgrad.kernel.code;

import static ndgrad.kernel.code.FormsTest.assertSameBits;
import static ndgrad.kernel.code.FormsTest.assumeVectors;
import static ndgrad.kernel.code.FormsTest.numbers;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import java.util.List;
import java.util.Random;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicBoolean;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Kernels that are plain at first and change over to vectors. */
class WarmupTest {
  private static final Expr X = Expr.in(0);
  private static final Expr Y = Expr.in(1);
  private final Forms.Mode before = Forms.mode();

  @BeforeEach
  void startPlain() {
    assumeVectors();
    Forms.use(Forms.Mode.AUTO);
  }

  @AfterEach
  void useTheFormerMode() {
    Forms.use(before);
  }

  /** Runs until a kernel has been tried out in the background, a minute at most. */
  private static void runUntilTried(Runnable run) {
    int tried = Warmup.switched() + Warmup.refused();
    long end = System.nanoTime() + 60_000_000_000L;
    while (Warmup.switched() + Warmup.refused() == tried) {
      assertTrue(System.nanoTime() < end, "no kernel was tried out");
      run.run();
    }
  }

  @Test
  void anAutomaticKernelChangesOverOnceItHasDoneEnough() {
    Random r = new Random(5);
    Strided x = numbers(r, DType.FLOAT64, 100_000);
    Strided out = Strided.zeros(DType.FLOAT64, 100_000);
    Expr relu = Expr.select(Expr.of(Expr.Fn2.GT, X, Expr.num(0)), X, Expr.num(0));
    Program program = Program.of(relu.times(1.25));
    program.run(out, DType.FLOAT64, x);
    Object first = ((double[]) out.array()).clone();
    runUntilTried(() -> program.run(out, DType.FLOAT64, x));
    program.run(out, DType.FLOAT64, x);
    assertSameBits(first, out.array(), "after the change");
    Strided sum = Strided.zeros(DType.FLOAT64);
    Reduction reduction = Reduction.of(relu.times(1.25), Expr.Fn2.MAX);
    reduction.run(sum, DType.FLOAT64, new int[] {0}, x);
    double most = ((double[]) sum.array())[0];
    runUntilTried(() -> reduction.run(sum, DType.FLOAT64, new int[] {0}, x));
    reduction.run(sum, DType.FLOAT64, new int[] {0}, x);
    assertEquals(most, ((double[]) sum.array())[0]);
  }

  @Test
  void functionsKeepTheirBitsWhenTheirKernelChangesOver() {
    Random r = new Random(9);
    for (DType dtype : new DType[] {DType.FLOAT32, DType.FLOAT64}) {
      Strided x = numbers(r, dtype, 20_000);
      for (Expr.Fn1 fn : List.of(Expr.Fn1.EXP, Expr.Fn1.LOG1P, Expr.Fn1.SIN, Expr.Fn1.TANH)) {
        Strided out = Strided.zeros(dtype, 20_000);
        Program program = Program.of(Expr.of(fn, X));
        program.run(out, dtype, x);
        Object first =
            out.array() instanceof float[] f ? f.clone() : ((double[]) out.array()).clone();
        runUntilTried(() -> program.run(out, dtype, x));
        program.run(out, dtype, x);
        assertSameBits(first, out.array(), fn + " of " + dtype);
      }
    }
  }

  /** A warm-up has its kernel take usual ways with rare elements, too. */
  @Test
  void aKernelInUseKeepsItsBitsWhileOthersWarmUp() throws Exception {
    int n = 2000;
    Strided x = Strided.zeros(DType.FLOAT64, n);
    for (int i = 0; i < n; i++) {
      Samples.set(x.array(), i, i % 3 == 0 ? -740 : i % 3 == 1 ? 1e20 : 0.5);
    }
    Program program = Program.of(Expr.of(Expr.Fn1.EXP, X).plus(Expr.of(Expr.Fn1.SIN, X)));
    Strided first = Strided.zeros(DType.FLOAT64, n);
    program.run(first, DType.FLOAT64, x);
    changeOver(() -> program.run(Strided.zeros(DType.FLOAT64, n), DType.FLOAT64, x));
    AtomicBoolean done = new AtomicBoolean();
    Callable<Long> compare =
        () -> {
          Strided out = Strided.zeros(DType.FLOAT64, n);
          long runs = 0;
          for (; !done.get() || runs == 0; runs++) {
            program.run(out, DType.FLOAT64, x);
            assertSameBits(first.array(), out.array(), "run " + runs);
          }
          return runs;
        };
    try (ExecutorService other = Executors.newSingleThreadExecutor()) {
      Future<Long> compared = other.submit(compare);
      Strided y = numbers(new Random(13), DType.FLOAT64, 20_000);
      Strided out = Strided.zeros(DType.FLOAT64, 20_000);
      try {
        for (int i = 2; i < 5; i++) {
          Program warming = Program.of(Expr.of(Expr.Fn1.EXP, X).times(1.0 / i));
          runUntilTried(() -> warming.run(out, DType.FLOAT64, y));
        }
      } finally {
        done.set(true);
      }
      assertTrue(compared.get() > 0);
    }
  }

  /** The JIT would have to compile a kernel anew; until then it makes an object of each vector. */
  @Test
  void aKernelThatHasChangedOverKnowsRareElementsAndAllLengths() {
    Strided x = numbers(new Random(10), DType.FLOAT64, 20_000);
    for (int i = 0; i < 20_000; i++) {
      Samples.set(x.array(), i, i % 100 * 0.01);
    }
    Strided out = Strided.zeros(DType.FLOAT64, 20_000);
    Program program = Program.of(Expr.of(Expr.Fn1.EXP, X).times(0.75));
    Runnable all = () -> program.run(out, DType.FLOAT64, x);
    runUntilTried(all);
    Samples.set(x.array(), 7, 1000);
    fewBytes("a rare element", all, all);
    for (int n = 1; n < 40; n++) {
      Strided some = Strided.zeros(DType.FLOAT64, n);
      fewBytes(n + " elements", () -> program.run(some, DType.FLOAT64, some), all);
    }
  }

  @Test
  void kernelsOfSecondAndOfReversedElementsChangeOver() {
    Strided x = numbers(new Random(11), DType.FLOAT32, 40_000);
    Layout second = Layout.of(40_000).slice(0, 1, 20_000, 2);
    Layout reversed = Layout.of(20_000).flip(0);
    for (Layout layout : new Layout[] {second, reversed}) {
      Strided y = x.with(layout);
      Strided out = Strided.zeros(DType.FLOAT32, 20_000);
      Program program = Program.of(X.plus(X));
      Runnable all = () -> program.run(out, DType.FLOAT32, y);
      runUntilTried(all);
      fewBytes(layout.toString(), all, all);
    }
  }

  /** A mask that is no object is stored by code that the JIT has taken in. */
  @Test
  void aKernelThatStoresMasksChangesOver() {
    Strided x = numbers(new Random(12), DType.FLOAT32, 20_000);
    Strided out = Strided.zeros(DType.BOOL, 20_000);
    Program program = Program.of(Expr.of(Expr.Fn2.GT, X, Y));
    Runnable all = () -> program.run(out, DType.FLOAT32, x, x);
    changeOver(all);
    fewBytes("nothing", all, all);
  }

  @Test
  void aFoldThatHasChangedOverKnowsAllLengths() {
    Strided x = numbers(new Random(11), DType.FLOAT32, 20_000);
    for (Expr.Fn2 combine : List.of(Expr.Fn2.ADD, Expr.Fn2.MAX)) {
      Reduction reduction = Reduction.of(X.times(0.75), combine);
      Strided out = Strided.zeros(DType.FLOAT32);
      Runnable all = () -> reduction.run(out, DType.FLOAT32, new int[] {0}, x);
      runUntilTried(all);
      for (int n = 32; n < 300; n += 7) {
        Strided some = numbers(new Random(n), DType.FLOAT32, n);
        Runnable run = () -> reduction.run(out, DType.FLOAT32, new int[] {0}, some);
        fewBytes(combine + " of " + n + " elements", run, all);
      }
    }
  }

  /** Runs until a kernel has been tried out, and checks that its vectors are in use now. */
  private static void changeOver(Runnable run) {
    int before = Warmup.switched();
    runUntilTried(run);
    assertEquals(before + 1, Warmup.switched(), "vectors are at work");
  }

  /** Checks that a run over 20 000 elements makes no object of each vector after another run. */
  private static void fewBytes(String what, Runnable news, Runnable all) {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    // Some assumptions of the JIT fail several times before it gives them up.
    for (int i = 0; i < 2 * Warmup.TRAPS; i++) {
      news.run();
    }
    long least = Long.MAX_VALUE;
    for (int i = 0; i < 5; i++) {
      long before = threads.getCurrentThreadAllocatedBytes();
      all.run();
      least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - before);
    }
    assertTrue(least < 50_000, least + " bytes after " + what);
  }

  /** The JIT's second compiler does not get to see what is too long for the first. */
  @Test
  void aFoldOfALongExpressionChangesOver() {
    Expr softplus =
        Expr.of(Expr.Fn1.LOG1P, Expr.of(Expr.Fn1.EXP, Expr.of(Expr.Fn1.ABS, X).times(-1)));
    Expr loss = Expr.of(Expr.Fn2.MAX, X, Expr.num(0)).minus(X.times(Y)).plus(softplus);
    Strided x = numbers(new Random(15), DType.FLOAT32, 20_000);
    Strided target = Strided.zeros(DType.BOOL, 20_000);
    Strided out = Strided.zeros(DType.FLOAT32);
    Reduction sum = Reduction.of(loss, Expr.Fn2.ADD);
    changeOver(() -> sum.run(out, DType.FLOAT32, new int[] {0}, x, target));
  }

  /** Short rows have loops of their own, which are warmed up when there have been many. */
  @Test
  void rowsShorterThanAVectorChangeOverByThemselves() {
    Strided x = numbers(new Random(13), DType.FLOAT32, 24_000);
    Strided rows = x.with(Layout.of(4000, 6).slice(1, 1, 3, 1));
    Strided out = Strided.zeros(DType.FLOAT32, 4000, 3);
    Program program = Program.of(Expr.of(Expr.Fn1.EXP, X));
    Runnable all = () -> program.run(out, DType.FLOAT32, rows);
    changeOver(all);
    fewBytes("nothing", all, all);
  }

  /** Long runs of them stay with the plain loops, of which the JIT makes vectors itself. */
  @Test
  void shortRowsOfASumChangeOver() {
    Strided x = numbers(new Random(14), DType.FLOAT64, 30_000);
    Strided rows = x.with(Layout.of(1000, 30));
    Strided column = x.with(Layout.of(1000, 1));
    Strided out = Strided.zeros(DType.FLOAT64, 1000, 30);
    Program program = Program.of(X.plus(Y));
    Runnable all = () -> program.run(out, DType.FLOAT64, rows, column);
    changeOver(all);
    fewBytes("nothing", all, all);
  }
}
