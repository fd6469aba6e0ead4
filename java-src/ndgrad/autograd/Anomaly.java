package ndgrad.autograd;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.regex.Pattern;
import ndgrad.AnomalyException;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Strided;

/**
 * Anomaly mode: names the first op that makes a NaN or an infinity from finite inputs, and where
 * the user called it. One read of a static field when it is off.
 */
public final class Anomaly {
  private static final AtomicInteger SCOPES = new AtomicInteger();
  private static final ThreadLocal<Boolean> SWEEPING = ThreadLocal.withInitial(() -> false);

  private static final Program FINITE = Program.of(Expr.of(Expr.Fn1.ISFINITE, Expr.in(0)));

  /**
   * Frames of the library and of what carries it; a user's namespace may well be called
   * ndgrad.something.
   */
  private static final Pattern INNER =
      Pattern.compile(
          "(java|javax|jdk|sun|clojure)\\..*"
              + "|ndgrad\\.([A-Z]\\w*|(op|autograd|kernel|blas|io|optim|core|call|check|generators|neanderthal|random"
              + "|fuse|transform|tree)([.$].*)?)");

  private Anomaly() {}

  static boolean isInner(String className) {
    return INNER.matcher(className).matches();
  }

  /**
   * Whether the mode is on, in any thread.
   *
   * @return false by default
   */
  public static boolean isOn() {
    return SCOPES.get() > 0;
  }

  /** Switches the mode on until {@link #leave()} has been called as often. */
  public static void enter() {
    SCOPES.incrementAndGet();
  }

  /** Takes one {@link #enter()} back. */
  public static void leave() {
    SCOPES.decrementAndGet();
  }

  /**
   * Fails when an op made something that is not finite from finite inputs.
   *
   * @param op the op's name
   * @param ins its inputs
   * @param out its result
   * @throws AnomalyException naming op, shapes and call site
   */
  public static void checkForward(String op, Tensor[] ins, Tensor out) {
    if (SWEEPING.get() || isFinite(out)) {
      return;
    }
    for (Tensor t : ins) {
      if (!isFinite(t)) {
        return;
      }
    }
    List<int[]> shapes = Arrays.stream(ins).map(Tensor::shape).toList();
    throw new AnomalyException(
        op
            + " made a NaN or an infinity from finite inputs of shapes "
            + shapes.stream().map(Arrays::toString).toList()
            + ", called at "
            + site(),
        "op",
        op,
        "shapes",
        shapes,
        "pass",
        "forward",
        "site",
        site());
  }

  /** Runs a backward pass, whose own ops are checked as a whole, node by node. */
  static void sweeping(Runnable sweep) {
    boolean before = SWEEPING.get();
    SWEEPING.set(true);
    try {
      sweep.run();
    } finally {
      SWEEPING.set(before);
    }
  }

  static void checkBackward(Node node, int input, Tensor cotangent, Tensor gradient) {
    if (gradient != null && !isFinite(gradient) && isFinite(cotangent)) {
      throw new AnomalyException(
          "the gradient of "
              + node.name()
              + " made a NaN or an infinity for its input "
              + input
              + " of shape "
              + node.layout(input)
              + " from a finite gradient of shape "
              + node.outLayout()
              + "; the op was called at "
              + node.site(),
          "op",
          node.name(),
          "input",
          input,
          "shape",
          node.layout(input).shape(),
          "pass",
          "backward",
          "site",
          node.site());
    }
  }

  private static boolean isFinite(Tensor t) {
    if (!t.dtype().isFloating() || t.lift().isPresent()) {
      return true;
    }
    Strided finite = Strided.zeros(DType.BOOL, t.shape());
    FINITE.run(finite, t.dtype(), t.strided());
    for (boolean b : (boolean[]) finite.array()) {
      if (!b) {
        return false;
      }
    }
    return true;
  }

  /**
   * Where the user's code called into ndgrad.
   *
   * @return a stack frame as Java prints it
   */
  public static String site() {
    return StackWalker.getInstance()
        .walk(
            frames ->
                frames
                    .filter(f -> !isInner(f.getClassName()))
                    .findFirst()
                    .map(StackWalker.StackFrame::toString)
                    .orElse("an unknown place"));
  }
}
