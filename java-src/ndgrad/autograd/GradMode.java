package ndgrad.autograd;

/** Whether ops on this thread are recorded. Confined to the thread; on by default. */
public final class GradMode {
  private static final ThreadLocal<boolean[]> OFF = ThreadLocal.withInitial(() -> new boolean[1]);

  private GradMode() {}

  /**
   * Whether ops of this thread are recorded.
   *
   * @return true unless switched off
   */
  public static boolean isEnabled() {
    return !OFF.get()[0];
  }

  /**
   * Switches recording for this thread.
   *
   * @param enabled whether to record from now on
   * @return what it was before, to be restored by the caller
   */
  public static boolean set(boolean enabled) {
    boolean[] off = OFF.get();
    boolean before = !off[0];
    off[0] = !enabled;
    return before;
  }
}
