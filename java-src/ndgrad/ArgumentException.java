package ndgrad;

/** An argument or option that is unknown, missing, of the wrong kind or outside its range. */
public final class ArgumentException extends NdException {
  private static final long serialVersionUID = 1L;

  /**
   * An error with its facts.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data alternating names and values
   */
  public ArgumentException(String message, Object... data) {
    super(message, data);
  }

  /**
   * That something is null which cannot be left out.
   *
   * @param name the parameter
   * @return to be thrown
   */
  public static ArgumentException missing(String name) {
    return new ArgumentException(name + " must not be null", "argument", name);
  }
}
