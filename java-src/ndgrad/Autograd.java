package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicBoolean;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;
import ndgrad.op.Reverse;
import ndgrad.op.spec.Coerce;

/**
 * Switches recording on and off for the current thread, and computes gradients without accumulating
 * them in leaves.
 *
 * <pre>{@code
 * try (var off = Autograd.noGrad()) {
 *   weights.subInPlace(weights.grad().mul(0.1));
 * }
 * }</pre>
 */
public final class Autograd {
  private Autograd() {}

  /** Ends a mode or removes a hook when it is closed; closing it again does nothing. */
  public interface Scope extends AutoCloseable {
    /**
     * Ends the mode or removes the hook.
     *
     * @throws ScopeException when it is a mode of another thread, which is not ended then
     */
    @Override
    void close();
  }

  /**
   * Stops recording on this thread until the scope is closed.
   *
   * @return the scope
   */
  public static Scope noGrad() {
    return mode(false);
  }

  /**
   * Resumes recording on this thread until the scope is closed, inside a {@link #noGrad()}.
   *
   * @return the scope
   */
  public static Scope enableGrad() {
    return mode(true);
  }

  private static Scope mode(boolean enabled) {
    boolean before = GradMode.set(enabled);
    Thread owner = Thread.currentThread();
    Scope back = once(() -> GradMode.set(before));
    return () -> {
      if (Thread.currentThread() != owner) {
        throw new ScopeException("a mode must be set back by the thread that it belongs to");
      }
      back.close();
    };
  }

  private static Scope once(Runnable undo) {
    AtomicBoolean open = new AtomicBoolean(true);
    return () -> {
      if (open.getAndSet(false)) {
        undo.run();
      }
    };
  }

  /**
   * Turns on anomaly mode until the scope is closed, in all threads: the first op that produces a
   * NaN or an infinity from finite inputs, forward or backward, throws an {@link AnomalyException}
   * that names it and the place in the user's code that called it; a {@link MutationException}
   * names the places where the value was saved and where it was modified. Slow; free when off.
   *
   * @return the scope
   */
  public static Scope detectAnomaly() {
    Anomaly.enter();
    return once(Anomaly::leave);
  }

  /**
   * Whether ops on this thread are recorded.
   *
   * @return true by default
   */
  public static boolean isEnabled() {
    return GradMode.isEnabled();
  }

  /**
   * Accumulates the gradients of several outputs in the leaves they depend on.
   *
   * @param outputs what to differentiate
   * @param upstream one cotangent per output, or an empty list for ones when each output has a
   *     single element
   * @param retainGraph whether the graph can be used again
   * @param createGraph whether the gradients can be differentiated again
   * @throws GraphException when there is no graph, it was freed, or an upstream gradient is missing
   * @throws ArgumentException when the numbers of upstream gradients and outputs differ
   * @throws ShapeException when an upstream gradient has another shape than its output
   * @throws MutationException when a saved value was modified in place; nothing has been written
   *     then
   */
  public static void backward(
      List<Array> outputs, List<Array> upstream, boolean retainGraph, boolean createGraph) {
    Reverse.backward(
        Lifted.tensors(outputs), cotangents(outputs, upstream), retainGraph, createGraph);
  }

  /**
   * The gradients of outputs with respect to chosen arrays, without accumulating them in leaves.
   *
   * @param outputs what to differentiate
   * @param upstream one cotangent per output, or an empty list for ones when each output has a
   *     single element
   * @param inputs the arrays to differentiate with respect to; each requires a gradient
   * @param retainGraph whether the graph can be used again
   * @param createGraph whether the gradients can be differentiated again
   * @return one for each input, empty where no output depends on it
   * @throws GraphException when an input requires no gradient, or as {@link #backward}
   * @throws ArgumentException when the numbers of upstream gradients and outputs differ
   * @throws ShapeException when an upstream gradient has another shape than its output
   * @throws MutationException when a saved value was modified in place
   */
  public static List<Optional<Array>> gradients(
      List<Array> outputs,
      List<Array> upstream,
      List<Array> inputs,
      boolean retainGraph,
      boolean createGraph) {
    Tensor[] found =
        Reverse.gradients(
            Lifted.tensors(outputs),
            cotangents(outputs, upstream),
            Lifted.tensors(inputs),
            retainGraph,
            createGraph);
    return Arrays.stream(found).map(t -> Optional.ofNullable(t).map(Array::of)).toList();
  }

  private static List<Tensor> cotangents(List<Array> outputs, List<Array> upstream) {
    if (!Coerce.given("upstream", upstream).isEmpty() && upstream.size() != outputs.size()) {
      throw new ArgumentException(
          "expected one upstream gradient for each of "
              + outputs.size()
              + " outputs, got "
              + upstream.size());
    }
    List<Tensor> out = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      out.add(upstream.isEmpty() || upstream.get(i) == null ? null : upstream.get(i).tensor());
    }
    return out;
  }
}
