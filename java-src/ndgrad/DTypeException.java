package ndgrad;

/** A dtype that is unknown, not supported by the op, or would have to be narrowed silently. */
public final class DTypeException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public DTypeException(String message, Object... data) {
    super(message, data);
  }
}
