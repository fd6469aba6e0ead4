package ndgrad.kernel.memory;

import static java.lang.foreign.ValueLayout.JAVA_INT_UNALIGNED;
import static java.lang.foreign.ValueLayout.JAVA_LONG_UNALIGNED;

import java.lang.foreign.MemorySegment;
import java.util.Objects;
import ndgrad.DType;

/**
 * Copies between primitive arrays and memory outside the heap that another library owns. A matrix
 * there is so many stripes, its rows or its columns, of elements that lie side by side; a vector
 * with a stride is stripes of one element. Elements keep their bits.
 */
public final class NativeCopies {
  /** A copy in one piece holds up the garbage collector, so it stops for it after so many bytes. */
  private static final long CHUNK = 1L << 20;

  /** How many single elements are copied at a time. */
  private static final int BATCH = 1024;

  private NativeCopies() {}

  /**
   * Where stripes lie.
   *
   * @param count how many stripes
   * @param length elements of each
   * @param step from the start of one to the start of the next, in elements; may be negative
   */
  public record Stripes(int count, int length, long step) {
    /** How many elements lie between the lowest and the first, and all that is spanned. */
    private long before() {
      return Math.max(0, -step * (count - 1));
    }

    private long span() {
      return Math.abs(step) * (count - 1) + length;
    }

    private boolean isEmpty() {
      return count == 0 || length == 0;
    }
  }

  /**
   * Copies from memory into an array.
   *
   * @param address of the first element; for this memory the caller vouches
   * @param from the stripes there
   * @param array a {@code float[] double[] int[]} or {@code long[]}, modified
   * @param offset of the first element in the array
   * @param step from one stripe to the next in the array
   * @throws IndexOutOfBoundsException when the stripes don't fit the array; nothing is written then
   */
  public static void load(long address, Stripes from, Object array, int offset, int step) {
    if (!from.isEmpty()) {
      Stripes to = new Stripes(from.count, from.length, step);
      int size = DType.ofArray(array).itemsize();
      copy(memory(address, from, size), from, heap(array, offset, to, size), to, size);
    }
  }

  /**
   * Copies from an array into memory.
   *
   * @param array a {@code float[] double[] int[]} or {@code long[]}, not modified
   * @param offset of the first element in the array
   * @param step from one stripe to the next in the array
   * @param address of the first element in memory; for this memory the caller vouches
   * @param to the stripes there
   * @throws IndexOutOfBoundsException when the array doesn't hold the stripes; nothing is written
   *     then
   */
  public static void store(Object array, int offset, int step, long address, Stripes to) {
    if (!to.isEmpty()) {
      Stripes from = new Stripes(to.count, to.length, step);
      int size = DType.ofArray(array).itemsize();
      copy(heap(array, offset, from, size), from, memory(address, to, size), to, size);
    }
  }

  private static MemorySegment memory(long address, Stripes s, int size) {
    return MemorySegment.ofAddress(address - s.before() * size).reinterpret(s.span() * size);
  }

  private static MemorySegment heap(Object array, int offset, Stripes s, int size) {
    long low = offset - s.before();
    Objects.checkFromIndexSize(low, s.span(), DType.lengthOf(array));
    MemorySegment all =
        switch (array) {
          case double[] a -> MemorySegment.ofArray(a);
          case float[] a -> MemorySegment.ofArray(a);
          case long[] a -> MemorySegment.ofArray(a);
          default -> MemorySegment.ofArray((int[]) array);
        };
    return all.asSlice(low * size, s.span() * size);
  }

  private static void copy(MemorySegment from, Stripes f, MemorySegment to, Stripes t, int size) {
    int count = f.count;
    int length = f.length;
    if (count == 1 || f.step == length && t.step == length) {
      long bytes = (long) count * length * size;
      for (long at = 0; at < bytes; at += CHUNK) {
        MemorySegment.copy(from, at, to, at, Math.min(CHUNK, bytes - at));
      }
    } else if (length == 1 && t.step == 1 && from.isNative()) {
      gather(from, f, to, size);
    } else if (length == 1 && f.step == 1 && to.isNative()) {
      scatter(from, to, t, size);
    } else {
      for (int s = 0; s < count; s++) {
        MemorySegment.copy(
            from,
            (f.before() + s * f.step) * size,
            to,
            (t.before() + s * t.step) * size,
            (long) length * size);
      }
    }
  }

  // Single elements go by way of a small array of one type, whose loops the JIT compiles well
  // whatever the type of the array they come from or go to. Floating numbers travel as integers:
  // bits are bits.

  private static void gather(MemorySegment from, Stripes f, MemorySegment to, int size) {
    int batch = Math.min(f.count, BATCH);
    long[] longs = new long[size == Long.BYTES ? batch : 0];
    int[] ints = new int[size == Long.BYTES ? 0 : batch];
    for (int s = 0; s < f.count; s += batch) {
      int n = Math.min(batch, f.count - s);
      long first = f.before() + s * f.step;
      if (size == Long.BYTES) {
        for (int i = 0; i < n; i++) {
          longs[i] = from.get(JAVA_LONG_UNALIGNED, (first + i * f.step) * Long.BYTES);
        }
        MemorySegment.copy(MemorySegment.ofArray(longs), 0, to, (long) s * size, (long) n * size);
      } else {
        for (int i = 0; i < n; i++) {
          ints[i] = from.get(JAVA_INT_UNALIGNED, (first + i * f.step) * Integer.BYTES);
        }
        MemorySegment.copy(MemorySegment.ofArray(ints), 0, to, (long) s * size, (long) n * size);
      }
    }
  }

  private static void scatter(MemorySegment from, MemorySegment to, Stripes t, int size) {
    int batch = Math.min(t.count, BATCH);
    long[] longs = new long[size == Long.BYTES ? batch : 0];
    int[] ints = new int[size == Long.BYTES ? 0 : batch];
    for (int s = 0; s < t.count; s += batch) {
      int n = Math.min(batch, t.count - s);
      long first = t.before() + s * t.step;
      if (size == Long.BYTES) {
        MemorySegment.copy(from, (long) s * size, MemorySegment.ofArray(longs), 0, (long) n * size);
        for (int i = 0; i < n; i++) {
          to.set(JAVA_LONG_UNALIGNED, (first + i * t.step) * Long.BYTES, longs[i]);
        }
      } else {
        MemorySegment.copy(from, (long) s * size, MemorySegment.ofArray(ints), 0, (long) n * size);
        for (int i = 0; i < n; i++) {
          to.set(JAVA_INT_UNALIGNED, (first + i * t.step) * Integer.BYTES, ints[i]);
        }
      }
    }
  }
}
