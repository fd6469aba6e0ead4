package ndgrad;

/**
 * Shapes that do not fit each other or the op: broadcasting, reshape, matmul, ragged nesting, an
 * axis out of range.
 */
public final class ShapeException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public ShapeException(String message, Object... data) {
    super(message, data);
  }
}
