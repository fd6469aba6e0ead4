package ndgrad.autograd;

import java.util.Collections;
import java.util.IdentityHashMap;
import java.util.Set;
import ndgrad.ScopeException;
import ndgrad.kernel.memory.Arena;

/**
 * What a user's scope is to the tape: when it is closed the storages made inside it are recycled,
 * but for those that are needed by kept tensors or by tensors of outside that got a gradient or a
 * history inside.
 */
public final class Region {
  private final Arena arena = Arena.current();
  private final long start = Node.latest();
  private Set<Tensor> kept = identitySet();
  private Set<Tensor> touched = identitySet();
  private final Region outer;
  private final int frame;

  private Region() {
    outer = (Region) arena.scope();
    frame = arena.enterScope(this);
  }

  private static Set<Tensor> identitySet() {
    return Collections.newSetFromMap(new IdentityHashMap<>());
  }

  /**
   * Opens a scope on this thread.
   *
   * @return the scope, to be closed by the same thread
   */
  public static Region open() {
    return new Region();
  }

  /**
   * The innermost open scope of this thread.
   *
   * @return null where none is open
   */
  public static Region current() {
    return Arena.anyScope() ? (Region) Arena.current().scope() : null;
  }

  /** Notes that a tensor, which may be older than the scope, now refers to others. */
  static void touch(Tensor t) {
    Region inner = current();
    if (inner != null) {
      inner.note(t);
    }
  }

  /**
   * What was made inside needs no note, and a long loop would make many: it ends with the scope.
   */
  private void note(Tensor t) {
    if (!isAround(t.scope())) {
      touched.add(t);
    }
  }

  private boolean isAround(Region scope) {
    Region r = scope;
    while (r != null && r != this) {
      r = r.outer;
    }
    return r == this;
  }

  /**
   * Lets a tensor, with its gradient and its graph, outlive the scope. Does nothing once it is
   * closed.
   *
   * @param t the tensor
   */
  public void keep(Tensor t) {
    if (arena.isOpen(this, frame)) {
      kept.add(t);
    }
  }

  /**
   * Recycles what was made inside the scope and does not leave it. Does nothing the second time.
   *
   * @throws ScopeException on another thread than that which opened it
   */
  public void close() {
    if (Arena.current() != arena) {
      throw new ScopeException("a scope must be closed by the thread that opened it");
    }
    if (!arena.isOpen(this, frame)) {
      return;
    }
    for (Region inner = current(); inner != this; inner = current()) {
      inner.close();
    }
    arena.pend(frame);
    Reach reach = new Reach(start);
    touched.forEach(reach::add);
    kept.forEach(reach::add);
    reach.run();
    arena.leaveScope(frame);
    if (outer != null) {
      touched.forEach(outer::note);
    }
    // Tensors that were made inside know this scope as long as they live.
    touched = Set.of();
    kept = Set.of();
  }
}
