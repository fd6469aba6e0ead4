package ndgrad;

/**
 * In anomaly mode: an op made a NaN or an infinity from finite inputs. Data: {@code op}, {@code
 * shapes} or {@code input} and {@code shape}, {@code pass} ({@code "forward"} or {@code
 * "backward"}), {@code site} (where the user called it).
 */
public final class AnomalyException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An error with its facts.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data alternating names and values
   */
  public AnomalyException(String message, Object... data) {
    super(message, data);
  }
}
