package ndgrad;

/**
 * A value that an op saved for its gradient was modified in place before {@code backward} used it.
 * Thrown before any gradient is written. Data: {@code op} (the op that saved it), {@code shape},
 * {@code dtype}, {@code saved-version}, {@code version}, {@code mutated-by} (the op that modified
 * it last).
 */
public final class MutationException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public MutationException(String message, Object... data) {
    super(message, data);
  }
}
