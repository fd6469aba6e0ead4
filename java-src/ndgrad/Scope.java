package ndgrad;

import ndgrad.autograd.Region;

/**
 * Gives the memory of the arrays made inside it back when it is closed, to be used by the next
 * ones: a loop whose body is a scope makes no garbage. What leaves a scope stays as it is, and
 * belongs to the scope around it:
 *
 * <ul>
 *   <li>arrays that were {@linkplain #keep kept}, with their gradients and what their graphs need
 *       for a backward pass;
 *   <li>gradients of arrays made outside, and the history of such arrays that were written in
 *       place;
 *   <li>arrays over memory that the user has: wrapped, or asked for by {@link Array#data()};
 *   <li>arrays made by other threads.
 * </ul>
 *
 * Any other use of an array made inside, or of a view of it, after the scope has been closed is a
 * {@link ScopeException}; its shape and dtype can still be asked for. Scopes belong to the thread
 * that opens them and may be nested.
 *
 * <p>Functions do not keep the arrays they close over. Those in the graph of something that leaves
 * ({@linkplain Grad#checkpoint checkpointed} ones, rules of {@link Custom} functions, hooks) need
 * {@link #keep} for what they take from inside; a {@link Pullback}, or what {@link Grad#linearize}
 * gives, ends with the scope.
 *
 * <pre>{@code
 * try (Scope s = Scope.open()) {
 *   Array loss = s.keep(model.apply(batch));
 *   loss.backward();
 *   optimizer.step();
 *   optimizer.zeroGrad();
 * }
 * }</pre>
 */
public final class Scope implements AutoCloseable {
  private final Region region = Region.open();

  private Scope() {}

  /**
   * Opens a scope on this thread, inside those that are open.
   *
   * @return the scope
   */
  public static Scope open() {
    return new Scope();
  }

  /**
   * Lets arrays outlive this scope. Does nothing for arrays made outside it.
   *
   * @param <T> the type of the data
   * @param x an Array, or data with arrays in it: lists and other iterables, maps, object arrays,
   *     optionals, records
   * @return the same
   * @throws ArgumentException when a record's module does not let its components be read
   */
  public <T> T keep(T x) {
    keepAll(region, x);
    return x;
  }

  /**
   * Lets arrays outlive the innermost scope that is open on this thread, if there is one.
   *
   * @param <T> the type of the data
   * @param x as for {@link #keep}
   * @return the same
   */
  public static <T> T keepInner(T x) {
    Region inner = Region.current();
    if (inner != null) {
      keepAll(inner, x);
    }
    return x;
  }

  private static void keepAll(Region region, Object x) {
    ArraysIn.forEach(x, a -> region.keep(a.tensor()));
  }

  /**
   * Gives back the memory of what was made inside and does not leave. Scopes that were opened
   * inside and not closed are closed with it; closing it again does nothing.
   *
   * @throws ScopeException on another thread than that which opened it
   */
  @Override
  public void close() {
    region.close();
  }
}
