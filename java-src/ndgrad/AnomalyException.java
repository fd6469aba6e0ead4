package ndgrad;

/**
 * Thrown in anomaly mode when an op produces a NaN or an infinity from finite inputs. Data: {@code
 * op}, {@code shapes} or {@code input} and {@code shape}, {@code pass} ({@code "forward"} or {@code
 * "backward"}), {@code site} (the place in the user's code that called it).
 */
public final class AnomalyException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public AnomalyException(String message, Object... data) {
    super(message, data);
  }
}
