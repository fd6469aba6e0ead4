package ndgrad;

/** A dtype that is unknown, not allowed here, or would have to be narrowed silently. */
public final class DTypeException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An error with its facts.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data alternating names and values
   */
  public DTypeException(String message, Object... data) {
    super(message, data);
  }
}
