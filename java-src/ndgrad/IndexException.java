package ndgrad;

/** An index out of range, too many indexes, or something that is not an index. */
public final class IndexException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public IndexException(String message, Object... data) {
    super(message, data);
  }
}
