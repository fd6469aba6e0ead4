package ndgrad;

/**
 * A use of an array whose memory was given back when the {@link Scope} it was made in was closed,
 * or a scope that is closed by another thread than opened it.
 */
public final class ScopeException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An error with its facts.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data alternating names and values
   */
  public ScopeException(String message, Object... data) {
    super(message, data);
  }
}
