package ndgrad.op.spec;

/**
 * What was found out about keys lately, by their identity: callers use the same few keywords and
 * literals, and to spell one out takes longer than a small op. Races lose at worst what another
 * thread has noted.
 *
 * @param <V> what is known of a key
 */
public final class Lately<V> {
  /** A power of two. */
  private static final int REMEMBERED = 8;

  private final Known<?>[] known = new Known<?>[REMEMBERED];

  private record Known<V>(Object key, V value) {}

  /** Knows nothing yet. */
  public Lately() {}

  /**
   * What is known of a key.
   *
   * @param key anything
   * @return null when it is not known, or not any more
   */
  @SuppressWarnings("unchecked")
  public V find(Object key) {
    Known<?> found = known[place(key)];
    return found != null && found.key == key ? (V) found.value : null;
  }

  /**
   * Notes what is known of a key, if that stays true as long as it lives.
   *
   * @param key anything; only those that never change are noted, which are strings and Clojure's
   *     keywords and symbols
   * @param value what is known
   */
  public void note(Object key, V value) {
    if (key instanceof String || key != null && Coerce.isName(key)) {
      known[place(key)] = new Known<>(key, value);
    }
  }

  private static int place(Object key) {
    return System.identityHashCode(key) & REMEMBERED - 1;
  }
}
