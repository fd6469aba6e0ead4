package ndgrad.autograd;

import java.util.ArrayDeque;
import java.util.Collections;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.Set;

/**
 * Finds what tensors need to be used later: their elements, their gradients, and what their graphs
 * have saved.
 */
final class Reach {
  private final long start;
  private final Set<Object> seen = Collections.newSetFromMap(new IdentityHashMap<>());
  private final Deque<Object> pending = new ArrayDeque<>();

  /**
   * A search.
   *
   * @param start the latest node when the scope was opened: older ones know nothing of what was
   *     made inside; leaves' nodes have no age
   */
  Reach(long start) {
    this.start = start;
  }

  void add(Tensor t) {
    if (t != null && seen.add(t)) {
      pending.add(t);
    }
  }

  void add(Node n) {
    if (n != null && (n.isLeaf() || n.sequence() > start) && seen.add(n)) {
      pending.add(n);
    }
  }

  /** Goes through all that was added and what follows from it. */
  void run() {
    while (!pending.isEmpty()) {
      switch (pending.remove()) {
        case Tensor t -> t.reach(this);
        case Node n -> n.reach(this);
        default -> throw new IllegalStateException();
      }
    }
  }
}
