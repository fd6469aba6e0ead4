package ndgrad.autograd;

/** Ends the tracing of a function that does what no record of ops can repeat. */
public final class Untraceable extends RuntimeException {
  private static final long serialVersionUID = 1;

  /**
   * What cannot be traced.
   *
   * @param reason what the function does, to follow "it"
   */
  public Untraceable(String reason) {
    super(reason, null, false, false);
  }
}
