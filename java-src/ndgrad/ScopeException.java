package ndgrad;

/**
 * A use of an array whose memory was recycled when the {@link Scope} it was created in was closed,
 * or a scope closed by another thread than the one that opened it.
 */
public final class ScopeException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public ScopeException(String message, Object... data) {
    super(message, data);
  }
}
