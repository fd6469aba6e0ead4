package ndgrad.autograd;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import ndgrad.Array;
import ndgrad.GraphException;
import ndgrad.Scope;
import org.junit.jupiter.api.Test;

class BackwardTest {
  private static final int ROWS = 300;

  /**
   * A pass through each graph in turn, together with the other thread's; whether it was refused.
   */
  private static boolean[] passes(List<Array> ys, boolean retain, AtomicInteger arrived) {
    boolean[] refused = new boolean[ys.size()];
    for (int i = 0; i < refused.length; i++) {
      arrived.incrementAndGet();
      while (arrived.get() < 2 * (i + 1)) {
        Thread.yield();
      }
      try {
        ys.get(i).backward(null, retain && i % 2 == 0, false);
      } catch (GraphException e) {
        refused[i] = true;
      } catch (RuntimeException e) {
        arrived.set(Integer.MAX_VALUE / 2); // the other thread need not wait any more
        throw e;
      }
      // Takes the memory that the pass has given back.
      try (Scope _ = Scope.open()) {
        Array.full(new int[] {ROWS}, Double.NaN);
        Array.full(new int[] {ROWS, 4}, Double.NaN);
      }
    }
    return refused;
  }

  private static void race(int tries, double[][] data, UnaryOperator<Array> f) throws Exception {
    Array alone = Array.of(data).requiresGrad(true);
    f.apply(alone).backward();
    double[] once = alone.grad().toDoubleArray();
    List<Array> xs = Stream.generate(() -> Array.of(data).requiresGrad(true)).limit(tries).toList();
    List<Array> ys = xs.stream().map(f).toList();
    AtomicInteger arrived = new AtomicInteger();
    try (ExecutorService threads = Executors.newFixedThreadPool(2)) {
      Future<boolean[]> retaining = threads.submit(() -> passes(ys, true, arrived));
      Future<boolean[]> freeing = threads.submit(() -> passes(ys, false, arrived));
      for (int i = 0; i < tries; i++) {
        int given = (retaining.get()[i] ? 0 : 1) + (freeing.get()[i] ? 0 : 1);
        double[] expected = Arrays.stream(once).map(g -> g * given).toArray();
        Array found = xs.get(i).grad();
        assertArrayEquals(
            expected,
            found == null ? new double[once.length] : found.toDoubleArray(),
            "try " + i + ", " + given + " passes");
      }
    }
  }

  @Test
  void passesThroughOneGraphAtATimeAreRightOrRefused() throws Exception {
    race(5000, new double[][] {{0.1, 0.2}}, x -> x.sin().mul(x).sin().sum());
    double[][] rows = new double[ROWS][4];
    Arrays.setAll(rows, i -> new double[] {i, 2, i * i % 7, -i});
    // Nobody but the graph has some of what layer norm saves.
    race(300, rows, x -> x.sin().layerNorm().pow(3).sum());
  }
}
