package ndgrad.kernel.memory;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.concurrent.atomic.AtomicLong;
import ndgrad.DType;
import ndgrad.ScopeException;

/**
 * A primitive array and its version counter. Every view of an array shares one storage, hence one
 * counter: a view that forgets to share cannot be written.
 *
 * <p>A storage also knows when its array may be used again. What the user's own memory is, or was
 * handed to the user, is never recycled. The rest belongs to the innermost {@link Arena} frame that
 * was open when it was made, and goes back to the {@link Pool} when the frame is left, unless
 * somebody needs it longer: users see it ({@link #expose}), or the tape does ({@link #hold}).
 */
public final class Storage {
  private static final VarHandle ARRAY;
  private static final VarHandle HOLDS;

  static {
    try {
      MethodHandles.Lookup lookup = MethodHandles.lookup();
      ARRAY = lookup.findVarHandle(Storage.class, "array", Object.class);
      HOLDS = lookup.findVarHandle(Storage.class, "holds", int.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private record Mutation(String op, String site) {
    static final Mutation NONE = new Mutation("", "");
  }

  private static final AtomicLong AGE = new AtomicLong();

  private final DType dtype;
  private final boolean pooled;
  private final long age = AGE.get();
  private Object array;
  private int holds;
  private volatile int version;
  private Mutation mutation = Mutation.NONE;
  private boolean escaped;
  private boolean exposed;
  private boolean internal;
  private boolean pending;
  private boolean claimed;

  /**
   * Wraps a primitive array without copying it.
   *
   * @param array a {@code float[] double[] int[] long[]} or {@code boolean[]}, shared from now on
   *     and never recycled
   */
  public Storage(Object array) {
    this(array, DType.ofArray(array), false);
    escaped = true;
  }

  private Storage(Object array, DType dtype, boolean pooled) {
    this.array = array;
    this.dtype = dtype;
    this.pooled = pooled;
  }

  /**
   * A storage of zeros.
   *
   * @param dtype the element type
   * @param length number of elements
   * @return the storage
   */
  public static Storage allocate(DType dtype, int length) {
    return Pool.takes(dtype, length) ? pooled(dtype, length, true) : small(dtype, length, true);
  }

  /**
   * A storage with anything in it, for who writes every element.
   *
   * @param dtype the element type
   * @param length number of elements
   * @return the storage
   */
  public static Storage uninitialised(DType dtype, int length) {
    return Pool.takes(dtype, length) ? pooled(dtype, length, false) : small(dtype, length, false);
  }

  private static Storage small(DType dtype, int length, boolean zeros) {
    Object array = dtype.newArray(length);
    if (Pool.POISON && !zeros) {
      Pool.poison(array);
    }
    Storage made = new Storage(array, dtype, false);
    if (Arena.anyScope()) {
      Arena.current().addSmall(made);
    }
    return made;
  }

  private static Storage pooled(DType dtype, int length, boolean zeros) {
    Object array = Pool.shared().take(dtype, length);
    if (array == null) {
      array = dtype.newArray(length);
      if (Pool.POISON && !zeros) {
        Pool.poison(array);
      }
    } else if (zeros) {
      Pool.zero(array);
    }
    Storage made = new Storage(array, dtype, true);
    Arena.current().add(made);
    return made;
  }

  /**
   * Begins an age: tells what is made from now on from what is there.
   *
   * @return the age, for {@link #isOlderThan}
   */
  public static long beginAge() {
    return AGE.incrementAndGet();
  }

  /**
   * Whether this was made before an age began.
   *
   * @param began what {@link #beginAge} gave
   * @return false for what was made since, by any thread
   */
  public boolean isOlderThan(long began) {
    return age < began;
  }

  /**
   * The primitive array itself.
   *
   * @return a {@code float[] double[] int[] long[]} or {@code boolean[]}
   * @throws ScopeException when it has gone back to the pool
   */
  public Object array() {
    Object a = array;
    if (a == null) {
      throw returned();
    }
    return a;
  }

  /**
   * The primitive array for somebody who may keep it: it is not recycled any more.
   *
   * @return a {@code float[] double[] int[] long[]} or {@code boolean[]}
   * @throws ScopeException when it has gone back to the pool
   */
  public Object escape() {
    escaped = true;
    return array();
  }

  private ScopeException returned() {
    return new ScopeException(
        "this array of "
            + dtype
            + " was made inside a scope that is closed, and its memory has been given back; return"
            + " it from the scope, or keep it there",
        "dtype",
        dtype.toString());
  }

  /**
   * Whether the array has gone back to the pool.
   *
   * @return true when its elements cannot be used any more
   */
  public boolean isReturned() {
    return array == null;
  }

  /** Notes that users can reach this storage: only a scope of theirs can end it. */
  public void expose() {
    exposed = true;
  }

  /** Keeps the array from being recycled when the frame it was made in is left. */
  public void hold() {
    if (pooled) {
      HOLDS.getAndAdd(this, 1);
    }
  }

  /** Takes a {@link #hold} back; the last one recycles what nobody else can reach. */
  public void release() {
    if (pooled && (int) HOLDS.getAndAdd(this, -1) == 1 && internal && !exposed) {
      recycle();
    }
  }

  /** Takes a {@link #hold} back and leaves the array to its new owner. */
  public void handOver() {
    if (pooled) {
      internal = false;
      HOLDS.getAndAdd(this, -1);
    }
  }

  /**
   * Whether one holder alone can reach this storage, which was made inside the library.
   *
   * @return true when that holder may overwrite it
   */
  public boolean isHeldOnce() {
    return internal && !exposed && !escaped && holds == 1;
  }

  /**
   * Takes this storage for the gradient of one array alone.
   *
   * @return false when it has been taken before: the gradient must be a copy
   */
  public boolean claim() {
    boolean first = !claimed;
    claimed = true;
    return first;
  }

  /** Whether a frame of the library that is left cannot end this storage; notes who can. */
  boolean outlivesFrame() {
    if (!pooled || exposed || escaped) {
      return true;
    }
    internal = (int) HOLDS.getVolatile(this) > 0;
    return internal;
  }

  long bytes() {
    Object a = array;
    return a == null ? 0 : (long) DType.lengthOf(a) * dtype.itemsize();
  }

  void recycle() {
    if (!escaped) {
      Object a = ARRAY.getAndSet(this, null);
      if (a != null && pooled) {
        Pool.shared().give(dtype, a);
      }
    }
  }

  void pend() {
    pending = !escaped;
  }

  /** Notes that this outlives the scope that is being closed. */
  public void reach() {
    pending = false;
  }

  /**
   * Whether this ends with the scope that is being closed, as far as is known: it was made inside
   * and has not been reached from outside.
   */
  boolean isPending() {
    return pending;
  }

  /**
   * The element type.
   *
   * @return the dtype
   */
  public DType dtype() {
    return dtype;
  }

  /**
   * How many elements there is room for.
   *
   * @return the primitive array's length
   */
  public int length() {
    return DType.lengthOf(array());
  }

  /**
   * How many times the elements have been changed in place.
   *
   * @return the version, 0 for a fresh storage
   */
  public int version() {
    return version;
  }

  /**
   * The op that changed the elements last.
   *
   * @return its name, empty when none did
   */
  public synchronized String lastMutation() {
    return mutation.op;
  }

  /**
   * Records one in-place change.
   *
   * @param op the op that made it
   */
  public synchronized void bump(String op) {
    version++;
    mutation = new Mutation(op, mutation.site);
  }

  /**
   * Where the last in-place change was asked for.
   *
   * @return a place in the user's code, empty when nobody noted it
   */
  public synchronized String lastMutationSite() {
    return mutation.site;
  }

  /**
   * Notes where the last in-place change was asked for.
   *
   * @param site a place in the user's code
   */
  public synchronized void noteSite(String site) {
    mutation = new Mutation(mutation.op, site);
  }
}
