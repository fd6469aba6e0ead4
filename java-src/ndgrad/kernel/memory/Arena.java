package ndgrad.kernel.memory;

import java.lang.ref.WeakReference;
import java.util.Arrays;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * The storages that a thread has made inside frames, the frames nested in one another. The library
 * opens a frame around what it computes with temporaries: when it is left, those that nobody holds
 * and no user sees are recycled. Users open frames by scopes: when one is closed, all that was not
 * reached from outside is recycled. What stays belongs to the frame around. Confined to its thread.
 */
public final class Arena {
  private static final ThreadLocal<Arena> CURRENT = ThreadLocal.withInitial(Arena::new);
  private static final AtomicInteger SCOPES = new AtomicInteger();

  /** As much as the frames of a thread keep from the garbage collector. */
  private static final long BUDGET = Runtime.getRuntime().maxMemory() / 4;

  private Object[] made = new Object[64];
  private int top;
  private long bytes;
  private int[] marks = new int[16];
  private Object[] scopes = new Object[16];
  private int depth;
  private int open;

  private Arena() {}

  /**
   * The arena of this thread.
   *
   * @return always the same one
   */
  public static Arena current() {
    return CURRENT.get();
  }

  /**
   * Whether some thread has a scope open.
   *
   * @return false where none has
   */
  public static boolean anyScope() {
    return SCOPES.get() != 0;
  }

  /**
   * Opens a frame of the library.
   *
   * @return the frame, for {@link #leave}
   */
  public int enter() {
    return push(null);
  }

  /**
   * Opens a user's frame.
   *
   * @param scope what stands for it
   * @return the frame, for {@link #leaveScope}
   */
  public int enterScope(Object scope) {
    SCOPES.incrementAndGet();
    open++;
    return push(scope);
  }

  private int push(Object scope) {
    if (depth == marks.length) {
      marks = Arrays.copyOf(marks, 2 * depth);
      scopes = Arrays.copyOf(scopes, 2 * depth);
    }
    marks[depth] = top;
    scopes[depth] = scope;
    return depth++;
  }

  /**
   * The innermost scope that is open on this thread.
   *
   * @return what was given to {@link #enterScope}, or null
   */
  public Object scope() {
    for (int i = open == 0 ? -1 : depth - 1; i >= 0; i--) {
      if (scopes[i] != null) {
        return scopes[i];
      }
    }
    return null;
  }

  /**
   * Whether a scope is still open, at the frame where it was opened.
   *
   * @param scope what was given to {@link #enterScope}
   * @param frame what that gave
   * @return false once it, or a frame around it, has been left
   */
  public boolean isOpen(Object scope, int frame) {
    return frame < depth && scopes[frame] == scope;
  }

  void add(Storage s) {
    if (depth > 0) {
      if (top == made.length || bytes > BUDGET) {
        makeRoom();
      }
      made[top++] = s;
      bytes += s.bytes();
    }
  }

  /** Small storages are not recycled, but those of a scope end with it all the same. */
  void addSmall(Storage s) {
    if (open > 0) {
      add(s);
    }
  }

  /**
   * Leaves a frame of the library: recycles what was made in it, but for what is held or seen by
   * users.
   *
   * @param frame what {@link #enter} gave
   */
  public void leave(int frame) {
    if (frame >= depth) {
      return; // A user has closed a scope around it.
    }
    int from = marks[frame];
    if (top == from) {
      pop(frame);
      return;
    }
    int kept = from;
    for (int i = from; i < top; i++) {
      Storage s = at(i);
      if (s != null && !s.isReturned()) {
        if (s.outlivesFrame()) {
          made[kept++] = made[i];
        } else {
          s.recycle();
        }
      }
    }
    truncate(frame, kept);
  }

  /**
   * Leaves a frame of the library without recycling anything, because what escaped from it is not
   * known.
   *
   * @param frame what {@link #enter} gave
   */
  public void abandon(int frame) {
    if (frame < depth) {
      truncate(frame, top);
    }
  }

  /**
   * Leaves a frame in which users' code ran: they may have put what was made in it anywhere.
   *
   * @param frame what {@link #enter} gave
   */
  public void leaveToUser(int frame) {
    if (frame < depth) {
      for (int i = marks[frame]; i < top; i++) {
        Storage s = at(i);
        if (s != null) {
          s.expose();
        }
      }
      truncate(frame, top);
    }
  }

  /**
   * Whether nothing was made in a frame.
   *
   * @param frame what {@link #enter} gave
   * @return true when leaving it has nothing to do
   */
  public boolean isEmpty(int frame) {
    return frame < depth && marks[frame] == top;
  }

  /**
   * Marks all that was made in a frame as pending.
   *
   * @param frame what {@link #enterScope} gave
   */
  public void pend(int frame) {
    for (int i = marks[frame]; i < top; i++) {
      Storage s = at(i);
      if (s != null && !s.isReturned()) {
        s.pend();
      }
    }
  }

  /**
   * Leaves a user's frame: recycles what is still pending.
   *
   * @param frame what {@link #enterScope} gave
   */
  public void leaveScope(int frame) {
    int kept = marks[frame];
    for (int i = marks[frame]; i < top; i++) {
      Storage s = at(i);
      if (s != null && !s.isReturned()) {
        if (s.isPending()) {
          s.recycle();
        } else {
          made[kept++] = made[i];
        }
      }
    }
    truncate(frame, kept);
  }

  private Storage at(int i) {
    return made[i] instanceof WeakReference<?> weak ? (Storage) weak.get() : (Storage) made[i];
  }

  /** Closes a frame and those inside it; what is left of it goes to the frame around. */
  private void truncate(int frame, int kept) {
    int end = frame == 0 ? 0 : kept;
    if (end < top) {
      Arrays.fill(made, end, top, null);
      top = end;
    }
    if (top == 0) {
      bytes = 0;
    }
    pop(frame);
  }

  private void pop(int frame) {
    while (depth > frame) {
      depth--;
      if (scopes[depth] != null) {
        scopes[depth] = null;
        open--;
        SCOPES.decrementAndGet();
      }
    }
  }

  /**
   * Drops what has been recycled. Once the rest is too much it is held weakly: a long scope gives
   * its garbage to the collector, as if there were no scope.
   */
  private void makeRoom() {
    bytes = 0;
    int kept = 0;
    int frame = 0;
    for (int i = 0; i < top; i++) {
      while (frame < depth && marks[frame] == i) {
        marks[frame++] = kept;
      }
      Storage s = at(i);
      if (s != null && !s.isReturned()) {
        bytes += made[i] == s ? s.bytes() : 0;
        made[kept++] = made[i];
      }
    }
    Arrays.fill(marks, frame, depth, kept);
    Arrays.fill(made, kept, top, null);
    top = kept;
    if (bytes > BUDGET / 2) {
      weaken();
    }
    if (top > made.length / 2) {
      made = Arrays.copyOf(made, 2 * made.length);
    }
  }

  private void weaken() {
    for (int i = 0; i < top; i++) {
      if (made[i] instanceof Storage s) {
        made[i] = new WeakReference<>(s);
      }
    }
    bytes = 0;
  }
}
