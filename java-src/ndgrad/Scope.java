package ndgrad;

import ndgrad.autograd.Region;

/**
 * Recycles the memory of the arrays created inside it when it is closed: a loop whose body is a
 * scope produces no garbage. These outlive a scope, and belong to the enclosing one:
 *
 * <ul>
 *   <li>arrays that were {@linkplain #keep kept}, with their gradients and what their graphs need
 *       for a backward pass;
 *   <li>gradients of arrays created outside, and the graph of in-place updates to such arrays;
 *   <li>arrays over memory that the user can reach: wrapped, or exposed by {@link Array#data()};
 *   <li>arrays created by other threads.
 * </ul>
 *
 * Using any other array created inside, or a view of it, after the scope was closed throws a {@link
 * ScopeException}; only its shape and dtype can still be read. A scope belongs to the thread that
 * opens it. Scopes may be nested.
 *
 * <p>Functions do not keep the arrays they close over. Functions in the graph of something that
 * outlives the scope ({@linkplain Grad#checkpoint checkpointed} ones, rules of {@link Custom}
 * functions, hooks) need {@link #keep} for arrays from inside that they close over; a {@link
 * Pullback}, or the function that {@link Grad#linearize} returns, is valid only inside the scope.
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
   * Lets arrays outlive this scope. Does nothing for arrays created outside it.
   *
   * @param <T> the type of the data
   * @param x an Array, or data that contains Arrays: lists and other iterables, maps, object
   *     arrays, optionals, records
   * @return the same
   * @throws ArgumentException when the components of a record cannot be read because of its module
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
   * Recycles the memory of what was created inside and does not outlive the scope. Scopes opened
   * inside that are still open are closed, too; closing it again does nothing.
   *
   * @throws ScopeException on another thread than the one that opened it
   */
  @Override
  public void close() {
    region.close();
  }
}
