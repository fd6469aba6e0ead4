package ndgrad;

/**
 * A misuse of the computation graph: a freed graph, a missing upstream gradient, a forbidden change
 * of a leaf.
 */
public final class GraphException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public GraphException(String message, Object... data) {
    super(message, data);
  }
}
