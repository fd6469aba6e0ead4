package ndgrad.kernel.memory;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.ValueLayout;
import java.util.List;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.memory.NativeCopies.Stripes;
import org.junit.jupiter.api.Test;

/** Copies of stripes between arrays and memory, against one element after the other. */
class NativeCopiesTest {
  private static final int ROOM = 20_000;
  private static final List<DType> DTYPES =
      List.of(DType.FLOAT64, DType.FLOAT32, DType.INT64, DType.INT32);

  /** Stripes on both sides, such that they fit into ROOM elements. */
  private record Case(int count, int length, int memoryStep, int arrayStep) {
    static Case random(Random r) {
      int count = r.nextInt(7);
      int length = r.nextInt(12);
      return new Case(count, length, step(r, length), step(r, length));
    }

    private static int step(Random r, int length) {
      int step = r.nextInt(3) == 0 ? length : length + r.nextInt(5);
      return r.nextInt(3) == 0 ? -step : step;
    }

    /** The first element's place. */
    int memory() {
      return 5 + Math.max(0, -memoryStep * (count - 1));
    }

    int array() {
      return 7 + Math.max(0, -arrayStep * (count - 1));
    }
  }

  private static final List<Case> LONG =
      List.of(
          new Case(3000, 1, 3, 1),
          new Case(3000, 1, -3, 1),
          new Case(3000, 1, 3, 2),
          new Case(1, 15_000, 0, 0),
          new Case(100, 150, 150, 150));

  private static Object random(Random r, DType dtype, int n) {
    Object a = dtype.newArray(n);
    for (int i = 0; i < n; i++) {
      switch (a) {
        // All bits, NaNs among them, must arrive.
        case double[] d -> d[i] = Double.longBitsToDouble(r.nextLong());
        case float[] f -> f[i] = Float.intBitsToFloat(r.nextInt());
        case long[] l -> l[i] = r.nextLong();
        default -> ((int[]) a)[i] = r.nextInt();
      }
    }
    return a;
  }

  private static MemorySegment segment(Object a) {
    return switch (a) {
      case double[] d -> MemorySegment.ofArray(d);
      case float[] f -> MemorySegment.ofArray(f);
      case long[] l -> MemorySegment.ofArray(l);
      default -> MemorySegment.ofArray((int[]) a);
    };
  }

  private static byte[] bytes(MemorySegment s) {
    return s.toArray(ValueLayout.JAVA_BYTE);
  }

  private static void check(Random r, DType dtype, Case c) {
    int size = dtype.itemsize();
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocate((long) ROOM * size, 64);
      MemorySegment.copy(segment(random(r, dtype, ROOM)), 0, memory, 0, memory.byteSize());
      Object array = random(r, dtype, ROOM);
      byte[] wantLoaded = bytes(segment(array));
      byte[] wantStored = bytes(memory);
      byte[] before = bytes(memory);
      for (int s = 0; s < c.count; s++) {
        for (int e = 0; e < c.length; e++) {
          int m = c.memory() + s * c.memoryStep + e;
          int a = c.array() + s * c.arrayStep + e;
          System.arraycopy(before, m * size, wantLoaded, a * size, size);
          System.arraycopy(
              bytes(segment(array).asSlice((long) a * size, size)), 0, wantStored, m * size, size);
        }
      }
      Stripes stripes = new Stripes(c.count, c.length, c.memoryStep);
      long address = memory.address() + (long) c.memory() * size;

      Object loaded = copy(array);
      NativeCopies.load(address, stripes, loaded, c.array(), c.arrayStep);
      assertArrayEquals(wantLoaded, bytes(segment(loaded)), () -> "load " + dtype + " " + c);
      assertArrayEquals(before, bytes(memory), "reading must not write");

      byte[] untouched = bytes(segment(array));
      NativeCopies.store(array, c.array(), c.arrayStep, address, stripes);
      assertArrayEquals(wantStored, bytes(memory), () -> "store " + dtype + " " + c);
      assertArrayEquals(untouched, bytes(segment(array)), "reading must not write");
    }
  }

  private static Object copy(Object array) {
    return switch (array) {
      case double[] d -> d.clone();
      case float[] f -> f.clone();
      case long[] l -> l.clone();
      default -> ((int[]) array).clone();
    };
  }

  @Test
  void everyElementArrivesAndNothingElseChanges() {
    Random r = new Random(3);
    for (DType dtype : DTYPES) {
      for (Case c : LONG) {
        check(r, dtype, c);
      }
      for (int i = 0; i < 150; i++) {
        check(r, dtype, Case.random(r));
      }
    }
  }

  @Test
  void whatDoesNotFitTheArrayIsRefused() {
    try (Arena arena = Arena.ofConfined()) {
      MemorySegment memory = arena.allocateFrom(ValueLayout.JAVA_INT, 1, 2, 3, 4);
      int[] array = new int[3];
      Stripes all = new Stripes(2, 2, 2);
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> NativeCopies.load(memory.address(), all, array, 0, 2));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> NativeCopies.store(array, 0, -2, memory.address(), all));
      assertThrows(
          IndexOutOfBoundsException.class,
          () -> NativeCopies.load(memory.address(), new Stripes(1, 2, 0), array, -1, 0));
      assertArrayEquals(new int[3], array);
      assertEquals(3, memory.getAtIndex(ValueLayout.JAVA_INT, 2));
    }
  }
}
