package ndgrad.blas;

import java.lang.foreign.Arena;
import java.lang.foreign.MemorySegment;
import java.util.ArrayList;
import java.util.List;

/** Native memory for the operands of one long call, kept for the next one. */
final class OffHeap implements AutoCloseable {
  /** The most that is kept while no call needs it. */
  private static final long KEEP = 256L << 20;

  /** Copies stop for a safepoint after this many bytes. */
  private static final long CHUNK = 1L << 20;

  private static final long LINE = 64;
  private static final List<OffHeap> IDLE = new ArrayList<>();

  private final Arena arena = Arena.ofShared();
  private final MemorySegment memory;
  private long used;

  private OffHeap(long bytes) {
    memory = arena.allocate(bytes, LINE);
  }

  /** Memory for at least {@code bytes}, rounded up per segment. */
  static OffHeap take(long bytes) {
    long size = bytes + 4 * LINE;
    synchronized (IDLE) {
      for (int i = 0; i < IDLE.size(); i++) {
        if (IDLE.get(i).memory.byteSize() >= size) {
          return IDLE.remove(i);
        }
      }
    }
    return new OffHeap(size);
  }

  @Override
  public void close() {
    used = 0;
    List<OffHeap> surplus = new ArrayList<>();
    synchronized (IDLE) {
      IDLE.add(this);
      while (IDLE.stream().mapToLong(o -> o.memory.byteSize()).sum() > KEEP) {
        surplus.add(IDLE.remove(0));
      }
    }
    surplus.forEach(o -> o.arena.close());
  }

  MemorySegment segment(long bytes) {
    MemorySegment s = memory.asSlice(used, bytes);
    used += (bytes + LINE - 1) & -LINE;
    return s;
  }

  /** A compact copy of a matrix that starts at the start of {@code from}; counts in bytes. */
  MemorySegment copyOf(MemorySegment from, long rows, long rowBytes, long ldBytes) {
    MemorySegment to = segment(rows * rowBytes);
    copy(from, ldBytes, to, rowBytes, rows, rowBytes);
    return to;
  }

  /** Copies a matrix between leading dimensions; all counts but {@code rows} in bytes. */
  static void copy(
      MemorySegment from, long fromLd, MemorySegment to, long toLd, long rows, long rowBytes) {
    if (fromLd == rowBytes && toLd == rowBytes) {
      long total = rows * rowBytes;
      for (long at = 0; at < total; at += CHUNK) {
        MemorySegment.copy(from, at, to, at, Math.min(CHUNK, total - at));
      }
      return;
    }
    for (long i = 0; i < rows; i++) {
      MemorySegment.copy(from, i * fromLd, to, i * toLd, rowBytes);
    }
  }
}
