package ndgrad.kernel.memory;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.ArrayList;
import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import ndgrad.DType;
import ndgrad.ScopeException;
import ndgrad.kernel.rows.Rows;
import org.junit.jupiter.api.Test;

class PoolTest {
  private static final DType F = DType.FLOAT32;

  @Test
  void givesTheLatestOfTheExactSizeBack() {
    Pool pool = new Pool(1 << 20);
    float[] first = new float[1000];
    float[] second = new float[1000];
    pool.give(F, first);
    pool.give(F, second);
    pool.give(DType.INT32, new int[1000]);
    assertNull(pool.take(F, 999));
    assertNull(pool.take(DType.FLOAT64, 1000));
    assertSame(second, pool.take(F, 1000));
    assertSame(first, pool.take(F, 1000));
    assertNull(pool.take(F, 1000));
    assertEquals(new Pool.Stats(4016, 1 << 20, 1, 2, 3), pool.stats());
  }

  @Test
  void neverHoldsMoreThanItWasTold() {
    Random random = new Random(7);
    Pool pool = new Pool(50_000);
    for (int i = 0; i < 5000; i++) {
      int length = 500 * (1 + random.nextInt(30));
      if (random.nextBoolean()) {
        pool.give(F, new float[length]);
      } else {
        pool.take(F, length);
      }
      if (i % 500 == 0) {
        pool.limit(10_000 + random.nextInt(100_000));
      }
      Pool.Stats s = pool.stats();
      assertTrue(s.held() <= s.limit(), s.toString());
    }
    pool.give(F, new float[1_000_000]);
    assertNull(pool.take(F, 1_000_000));
    pool.limit(0);
    assertEquals(0, pool.stats().held());
    pool.give(F, new float[1000]);
    assertEquals(0, pool.stats().arrays());
  }

  @Test
  void letsGoOfTheSizesThatWereUnusedForLongest() {
    Pool pool = new Pool(3 * 4016);
    pool.give(F, new float[1000]);
    pool.give(DType.INT32, new int[1000]);
    pool.give(F, new float[1000]);
    assertEquals(3, pool.stats().arrays());
    pool.give(DType.FLOAT64, new double[500]);
    assertNull(pool.take(DType.INT32, 1000), "the int arrays are the oldest");
    assertEquals(3, pool.stats().arrays());
  }

  @Test
  void forgetsSizesThatNobodyAsksFor() {
    Pool pool = new Pool(Long.MAX_VALUE);
    for (int n = 1; n <= 5000; n++) {
      pool.give(F, new float[n]);
    }
    assertTrue(pool.stats().arrays() <= 1024, pool.stats().toString());
    assertEquals(5000, ((float[]) pool.take(F, 5000)).length);
    assertNull(pool.take(F, 1));
  }

  @Test
  void handsNoArrayOutTwice() throws Exception {
    Pool pool = new Pool(1 << 16);
    Set<Object> out =
        Collections.synchronizedSet(Collections.newSetFromMap(new IdentityHashMap<>()));
    Callable<Boolean> work =
        () -> {
          Random random = new Random();
          List<Object> mine = new ArrayList<>();
          boolean alone = true;
          for (int i = 0; i < 20_000; i++) {
            Object array = pool.take(F, 600 + random.nextInt(4));
            array = array == null ? new float[600 + random.nextInt(4)] : array;
            alone &= out.add(array);
            mine.add(array);
            if (mine.size() > 5) {
              Object back = mine.remove(random.nextInt(5));
              out.remove(back);
              pool.give(F, back);
            }
          }
          return alone;
        };
    try (var threads = Executors.newFixedThreadPool(4)) {
      for (var done : threads.invokeAll(Collections.nCopies(4, work))) {
        assertTrue(done.get());
      }
    }
    assertTrue(pool.stats().held() <= 1 << 16);
  }

  @Test
  void storagesOfZerosAreZero() {
    Arena arena = Arena.current();
    for (DType dtype : DType.values()) {
      int frame = arena.enter();
      Storage dirty = Storage.uninitialised(dtype, 5003);
      Rows.of(dtype).fill(dirty.array(), 0, 1, 5003, one(dtype));
      arena.leave(frame);
      Storage zeros = Storage.allocate(dtype, 5003);
      Object fresh = dtype.newArray(5003);
      assertTrue(
          new Strided(zeros, Layout.of(5003)).array() != null && equal(fresh, zeros.array()),
          dtype.toString());
    }
  }

  private static Object one(DType dtype) {
    return switch (dtype) {
      case BOOL -> true;
      case INT32 -> 1;
      case INT64 -> 1L;
      case FLOAT32 -> 1f;
      case FLOAT64 -> 1.0;
    };
  }

  private static boolean equal(Object a, Object b) {
    return java.util.Objects.deepEquals(a, b);
  }

  @Test
  void frameRecyclesWhatNobodyHolds() {
    Arena arena = Arena.current();
    int frame = arena.enter();
    Storage temporary = Storage.allocate(F, 4001);
    Storage held = Storage.allocate(F, 4001);
    Storage seen = Storage.allocate(F, 4001);
    Storage mine = new Storage(new float[4001]);
    Storage given = Storage.allocate(F, 4001);
    held.hold();
    seen.expose();
    Object escaped = given.escape();
    Object array = temporary.array();
    int inner = arena.enter();
    arena.leave(inner);
    arena.leave(frame);
    assertTrue(temporary.isReturned());
    assertThrows(ScopeException.class, temporary::array);
    for (Storage s : List.of(held, seen, mine, given)) {
      assertFalse(s.isReturned());
    }
    assertSame(escaped, given.array());
    assertSame(array, Storage.uninitialised(F, 4001).array());
    held.release();
    assertTrue(held.isReturned());
    seen.hold();
    seen.release();
    assertFalse(seen.isReturned());
  }

  @Test
  void whatStaysBelongsToTheFrameAround() {
    Arena arena = Arena.current();
    int outer = arena.enter();
    int inner = arena.enter();
    Storage s = Storage.allocate(F, 4003);
    s.hold();
    arena.leave(inner);
    s.handOver();
    assertFalse(s.isReturned());
    arena.leave(outer);
    assertTrue(s.isReturned());
  }

  @Test
  void abandonedFramesRecycleNothing() {
    Arena arena = Arena.current();
    int frame = arena.enter();
    arena.enter();
    Storage s = Storage.allocate(F, 4005);
    arena.abandon(frame);
    assertFalse(s.isReturned());
    assertNotSame(s.array(), Storage.allocate(F, 4005).array());
  }

  @Test
  void manyStoragesInOneFrame() {
    Arena arena = Arena.current();
    int outer = arena.enter();
    Storage first = Storage.allocate(F, 700);
    int inner = arena.enter();
    List<Storage> held = new ArrayList<>();
    for (int i = 0; i < 3000; i++) {
      Storage s = Storage.allocate(F, 701);
      if (i % 7 == 0) {
        s.hold();
        held.add(s);
      }
      int body = arena.enter();
      Storage.allocate(F, 702);
      arena.leave(body);
    }
    arena.leave(inner);
    assertFalse(first.isReturned());
    assertTrue(held.stream().noneMatch(Storage::isReturned));
    arena.leave(outer);
    assertTrue(first.isReturned());
    assertTrue(held.stream().noneMatch(Storage::isReturned));
  }
}
