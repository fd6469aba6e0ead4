package ndgrad.kernel;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.blas.Engines;
import ndgrad.kernel.loop.MatrixProduct;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ThreadsTest {
  private final int before = Threads.numThreads();

  @AfterEach
  void restore() {
    Threads.setNumThreads(before);
  }

  @Test
  void everyIterationRunsOnce() {
    for (int threads : new int[] {1, 2, 5, 3, 1, 4}) {
      Threads.setNumThreads(threads);
      assertEquals(threads, Threads.numThreads());
      for (int n : new int[] {0, 1, 2, 7, 100, 1001}) {
        for (int grain : new int[] {0, 1, 10, 5000}) {
          AtomicIntegerArray runs = new AtomicIntegerArray(n);
          Threads.parallelFor(
              n,
              grain,
              (from, to) -> {
                for (int i = from; i < to; i++) {
                  runs.incrementAndGet(i);
                }
              });
          for (int i = 0; i < n; i++) {
            assertEquals(1, runs.get(i));
          }
        }
      }
    }
  }

  @Test
  void aThreadKeepsItsBodyFromPartToPart() {
    Threads.setNumThreads(3);
    for (int round = 0; round < 20; round++) {
      AtomicIntegerArray runs = new AtomicIntegerArray(1200);
      ConcurrentHashMap<Thread, Integer> bodies = new ConcurrentHashMap<>();
      Threads.parallelFor(
          1200,
          1,
          () -> {
            Thread maker = Thread.currentThread();
            bodies.merge(maker, 1, Integer::sum);
            return (from, to) -> {
              for (int i = from; i < to; i++) {
                runs.addAndGet(i, maker == Thread.currentThread() ? 1 : 1000);
              }
            };
          });
      assertTrue(bodies.values().stream().allMatch(n -> n == 1), bodies::toString);
      for (int i = 0; i < 1200; i++) {
        assertEquals(1, runs.get(i));
      }
    }
  }

  @Test
  void aBodyThatCannotBeMadeIsAFailureOfTheLoop() {
    Threads.setNumThreads(2);
    IllegalStateException e =
        assertThrows(
            IllegalStateException.class,
            () ->
                Threads.parallelFor(
                    100,
                    1,
                    () -> {
                      throw new IllegalStateException("no body");
                    }));
    assertEquals("no body", e.getMessage());
  }

  @Test
  void eachThreadBeginsWithItsOwnShare() {
    Threads.setNumThreads(3);
    for (int round = 0; round < 20; round++) {
      ConcurrentHashMap<String, Integer> first = new ConcurrentHashMap<>();
      CountDownLatch all = new CountDownLatch(3);
      Threads.parallelFor(
          1200,
          1,
          (from, to) -> {
            if (first.putIfAbsent(Thread.currentThread().getName(), from) == null) {
              all.countDown();
              // Nobody goes on to what others have left before all have begun.
              try {
                all.await(10, TimeUnit.SECONDS);
              } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
              }
            }
          });
      assertEquals(
          Map.of(Thread.currentThread().getName(), 0, "ndgrad-1", 400, "ndgrad-2", 800), first);
    }
  }

  @Test
  void helpersHelpAndNestedLoopsRunInline() throws InterruptedException {
    Threads.setNumThreads(2);
    CountDownLatch both = new CountDownLatch(2);
    AtomicInteger inner = new AtomicInteger();
    Set<Thread> seen = ConcurrentHashMap.newKeySet();
    Threads.parallelFor(
        2,
        1,
        (from, to) -> {
          seen.add(Thread.currentThread());
          both.countDown();
          try {
            // Neither part ends before the other has begun: two threads must be at it.
            assertTrue(both.await(30, TimeUnit.SECONDS));
          } catch (InterruptedException e) {
            throw new IllegalStateException(e);
          }
          Thread me = Thread.currentThread();
          Threads.parallelFor(
              100,
              1,
              (a, b) -> {
                assertSame(me, Thread.currentThread());
                inner.addAndGet(b - a);
              });
        });
    assertEquals(2, seen.size());
    assertEquals(200, inner.get());
    assertTrue(seen.stream().filter(t -> t != Thread.currentThread()).allMatch(Thread::isDaemon));
  }

  @Test
  void helpersSleepWhenThereIsNothingToDo() throws InterruptedException {
    Threads.setNumThreads(3);
    AtomicInteger done = new AtomicInteger();
    for (int round = 0; round < 3; round++) {
      Threads.parallelFor(300, 1, (from, to) -> done.addAndGet(to - from));
      List<Thread> helpers =
          Thread.getAllStackTraces().keySet().stream()
              .filter(t -> t.getName().matches("ndgrad-\\d+"))
              .toList();
      assertEquals(2, helpers.stream().filter(t -> t.getName().matches("ndgrad-[12]")).count());
      for (Thread t : helpers) {
        // Waiting, not looking for work; one that never slept would make this go on for ever.
        while (t.isAlive() && t.getState() != Thread.State.WAITING) {
          Thread.sleep(1);
        }
      }
    }
    assertEquals(900, done.get(), "those who slept wake up");
  }

  @Test
  void productsInsideALoopAndFromSeveralThreadsAreThoseOfOneThread() throws InterruptedException {
    Strided a = Strided.zeros(DType.FLOAT32, 200, 150);
    Strided b = Strided.zeros(DType.FLOAT32, 150, 180);
    Random r = new Random(1);
    for (Strided x : List.of(a, b)) {
      float[] array = (float[]) x.array();
      for (int i = 0; i < array.length; i++) {
        array[i] = r.nextFloat();
      }
    }
    Threads.setNumThreads(1);
    float[] alone = product(a, b);
    Threads.setNumThreads(3);
    float[][] inLoop = new float[8][];
    Threads.parallelFor(
        8,
        1,
        (from, to) -> {
          for (int i = from; i < to; i++) {
            inLoop[i] = product(a, b);
          }
        });
    float[][] inThreads = new float[3][];
    Thread[] users = new Thread[3];
    for (int i = 0; i < users.length; i++) {
      int at = i;
      users[i] = Thread.ofPlatform().start(() -> inThreads[at] = product(a, b));
    }
    for (Thread user : users) {
      user.join();
    }
    for (float[] c : inLoop) {
      assertArrayEquals(alone, c);
    }
    for (float[] c : inThreads) {
      assertArrayEquals(alone, c);
    }
  }

  private static float[] product(Strided a, Strided b) {
    Strided c = Strided.zeros(DType.FLOAT32, a.layout().dim(0), b.layout().dim(1));
    // MKL's last bits vary with the addresses of the operands.
    Engines.with(
        "java",
        () -> {
          MatrixProduct.run(c, a, b);
          return null;
        });
    return (float[]) c.array();
  }

  @Test
  void whatAPartThrowsReachesTheCaller() {
    Threads.setNumThreads(3);
    for (int round = 0; round < 50; round++) {
      int bad = round;
      IllegalStateException e =
          assertThrows(
              IllegalStateException.class,
              () ->
                  Threads.parallelFor(
                      50,
                      1,
                      (from, to) -> {
                        if (from <= bad && bad < to) {
                          throw new IllegalStateException("part " + bad);
                        }
                      }));
      assertEquals("part " + bad, e.getMessage());
    }
    AtomicInteger runs = new AtomicInteger();
    Threads.parallelFor(50, 1, (from, to) -> runs.addAndGet(to - from));
    assertEquals(50, runs.get(), "the pool goes on after a failure");
  }

  @Test
  void manyCallersAtOnce() throws InterruptedException {
    Threads.setNumThreads(3);
    AtomicInteger sum = new AtomicInteger();
    Thread[] callers = new Thread[4];
    for (int c = 0; c < callers.length; c++) {
      callers[c] =
          new Thread(
              () -> {
                for (int i = 0; i < 500; i++) {
                  Threads.parallelFor(20, 1, (from, to) -> sum.addAndGet(to - from));
                }
              });
      callers[c].start();
    }
    for (Thread caller : callers) {
      caller.join();
    }
    assertEquals(4 * 500 * 20, sum.get());
  }

  @Test
  void atLeastOneThread() {
    assertThrows(ArgumentException.class, () -> Threads.setNumThreads(0));
    assertEquals(before, Threads.numThreads());
  }
}
