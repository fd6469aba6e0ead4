package ndgrad;

/** An argument or option that is unknown, missing, of the wrong kind or outside its range. */
public final class ArgumentException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values
   */
  public ArgumentException(String message, Object... data) {
    super(message, data);
  }

  /**
   * The exception for an argument that must not be null.
   *
   * @param name the parameter
   * @return the exception, to be thrown
   */
  public static ArgumentException missing(String name) {
    return new ArgumentException(name + " must not be null", "argument", name);
  }
}
