package ndgrad;

/** A misuse of the computation graph: freed graph, missing upstream gradient, leaf rules. */
public final class GraphException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An error with its facts.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data alternating names and values
   */
  public GraphException(String message, Object... data) {
    super(message, data);
  }
}
