package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Random;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.IntConsumer;
import org.junit.jupiter.api.Test;

/** How products are cut into calls, seen by a library that only takes notes. */
class TilingTest {
  /** The longest call on a slow machine of 10 thousand million multiplications of floats: 14 ms. */
  private static final long LONG = 1L << 27;

  /** One call: the block of C and the range of the sum. */
  private record Call(long at, int m, int n, int k, float beta) {}

  private static final class Notes implements Cblas {
    final List<Call> calls = Collections.synchronizedList(new ArrayList<>());

    @Override
    public void gemm(
        boolean transA,
        boolean transB,
        int m,
        int n,
        int k,
        float alpha,
        MemorySegment a,
        int lda,
        MemorySegment b,
        int ldb,
        float beta,
        MemorySegment c,
        int ldc) {
      calls.add(new Call(c.address(), m, n, k, beta));
    }

    @Override
    public void gemm(
        boolean transA,
        boolean transB,
        int m,
        int n,
        int k,
        double alpha,
        MemorySegment a,
        int lda,
        MemorySegment b,
        int ldb,
        double beta,
        MemorySegment c,
        int ldc) {
      throw new UnsupportedOperationException();
    }

    @Override
    public void gemv(
        boolean trans,
        int rows,
        int cols,
        float alpha,
        MemorySegment a,
        int lda,
        MemorySegment x,
        int incX,
        float beta,
        MemorySegment y,
        int incY) {
      calls.add(new Call(y.address(), trans ? cols : rows, 1, trans ? rows : cols, beta));
    }

    @Override
    public void gemv(
        boolean trans,
        int rows,
        int cols,
        double alpha,
        MemorySegment a,
        int lda,
        MemorySegment x,
        int incX,
        double beta,
        MemorySegment y,
        int incY) {
      throw new UnsupportedOperationException();
    }
  }

  /** Workers that do everything in turn and count the tasks. */
  private record Counting(int width, AtomicInteger tasks) implements Workers {
    @Override
    public void run(int count, IntConsumer task) {
      tasks.addAndGet(count);
      Workers.serial().run(count, task);
    }
  }

  private static List<Call> calls(
      boolean fine, boolean ta, boolean tb, int m, int n, int k, Counting workers) {
    Notes notes = new Notes();
    float[] a = new float[m * k];
    float[] b = new float[k * n];
    float[] c = new float[m * n];
    int lda = ta ? m : k;
    int ldb = tb ? k : n;
    if (m == 1 || n == 1) {
      FloatMatrixVector.of(notes, ta, tb, m, n, k, 1, a, 0, lda, b, 0, ldb, 3, c, 0, n)
          .run(workers, workers.width());
    } else {
      Tiling tiling =
          fine ? Tiling.fine(ta, tb, m, n, k, Float.BYTES) : Tiling.coarse(m, n, k, Float.BYTES);
      new FloatTiles(notes, tiling, ta, tb, m, n, k, 1, a, 0, lda, b, 0, ldb, 3, c, 0, n)
          .run(workers, workers.width());
    }
    List<Call> calls = notes.calls;
    calls.sort((x, y) -> x.toString().compareTo(y.toString()));
    return calls;
  }

  private static final int[][] SIZES = {
    {128, 128, 128},
    {64, 256, 784},
    {784, 256, 64},
    {1000, 1, 900},
    {1, 1000, 900},
    {2, 2, 300_000},
    {1, 1, 3_000_000},
    {600, 300, 70},
    {333, 555, 222},
    {1500, 1200, 40},
    {40, 3000, 513},
    {2, 100_000, 9},
    {100_000, 3, 8}
  };

  @Test
  void theCallsDependOnTheShapeAlone() {
    int shared = 0;
    for (int[] s : SIZES) {
      for (int t = 0; t < 8; t++) {
        boolean fine = (t & 4) != 0;
        boolean ta = (t & 1) != 0;
        boolean tb = (t & 2) != 0;
        Counting alone = new Counting(1, new AtomicInteger());
        List<Call> expected = calls(fine, ta, tb, s[0], s[1], s[2], alone);
        assertEquals(0, alone.tasks.get());
        for (int width : new int[] {2, 5, 64}) {
          Counting several = new Counting(width, new AtomicInteger());
          assertEquals(expected, calls(fine, ta, tb, s[0], s[1], s[2], several));
          shared += several.tasks.get() > 1 ? 1 : 0;
        }
      }
    }
    assertTrue(shared > 100, "few products were shared by threads: " + shared);
  }

  @Test
  void theCallsCoverEachProductOnceAndAreShort() {
    for (int[] s : SIZES) {
      for (int t = 0; t < 8; t++) {
        List<Call> calls =
            calls(
                (t & 4) != 0,
                (t & 1) != 0,
                (t & 2) != 0,
                s[0],
                s[1],
                s[2],
                new Counting(4, new AtomicInteger()));
        long done = 0;
        long first = 0;
        for (Call c : calls) {
          long cost = (long) c.m * c.n * c.k;
          done += cost;
          first += c.beta == 3 ? (long) c.m * c.n : 0;
          assertTrue(cost <= LONG, c.toString());
        }
        assertEquals((long) s[0] * s[1] * s[2], done, "each multiplication once");
        assertEquals((long) s[0] * s[1], first, "the old C is scaled once");
      }
    }
  }

  @Test
  void callsOfTheFineTilingAreSmallEnoughForTheSmallKernels() {
    Random r = new Random(1);
    for (int i = 0; i < 2000; i++) {
      int m = r.nextInt(1, 1500);
      int n = r.nextInt(1, 1500);
      int k = r.nextInt(1, 1500);
      for (int bytes : new int[] {4, 8}) {
        Tiling tiling = Tiling.fine(r.nextBoolean(), false, m, n, k, bytes);
        assertTrue(
            (long) tiling.rows() * tiling.columns() * tiling.depth() <= 1_000_000,
            () -> m + "×" + n + "×" + k + ": " + tiling);
        assertTrue(tiling.rows() >= Math.min(m, 8), () -> m + "×" + n + "×" + k + ": " + tiling);
      }
    }
  }
}
