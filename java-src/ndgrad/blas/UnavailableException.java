package ndgrad.blas;

/**
 * Why an engine can't be had here; {@link Engines} turns it into an answer or into the caller's
 * error.
 */
final class UnavailableException extends RuntimeException {
  private static final long serialVersionUID = 1L;

  UnavailableException(String message) {
    super(message);
  }

  UnavailableException(String message, Throwable cause) {
    super(message, cause);
  }
}
