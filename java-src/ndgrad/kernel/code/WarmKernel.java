package ndgrad.kernel.code;

import java.util.Optional;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import ndgrad.DType;

/**
 * A vector kernel for loops whose plain form is written by hand, in use once it is fast. Safe for
 * any number of threads.
 *
 * @param <K> the kernel's interface
 */
public final class WarmKernel<K> {
  private final DType dtype;
  private final Supplier<K> compile;
  private final Warmup warmup;
  private Optional<K> made = Optional.empty();
  private volatile Optional<K> warm = Optional.empty();

  /**
   * Prepares a kernel.
   *
   * @param dtype of its vectors
   * @param compile makes it, once
   * @param trial compares it with the plain loops, and is given what puts it in use
   */
  public WarmKernel(DType dtype, Supplier<K> compile, BiFunction<K, Runnable, Warmup.Trial> trial) {
    this.dtype = dtype;
    this.compile = compile;
    this.warmup =
        new Warmup(
            () -> {
              K kernel = made().orElseThrow();
              return trial.apply(kernel, () -> warm = Optional.of(kernel));
            });
  }

  /**
   * The kernel, when it should be used.
   *
   * @param work what the plain loops will do otherwise, in units of 0.1 ns
   * @return empty where there are no vectors, or as long as they are slow
   */
  public Optional<K> get(long work) {
    return switch (Forms.mode()) {
      case PLAIN -> Optional.empty();
      case VECTOR -> made();
      case AUTO -> {
        Optional<K> kernel = warm;
        if (kernel.isEmpty() && Forms.isAvailable()) {
          warmup.count(work);
        }
        yield kernel;
      }
    };
  }

  /**
   * Whether the kernel is to be tried, or is being so.
   *
   * @return false once it is in use, when it was no faster, and where there are no vectors
   */
  public boolean isAwaited() {
    return Forms.mode() == Forms.Mode.AUTO
        && Forms.isAvailable()
        && warm.isEmpty()
        && !warmup.isRefused();
  }

  private synchronized Optional<K> made() {
    if (made.isEmpty() && Forms.lanes(dtype) > 0) {
      made = Optional.of(compile.get());
    }
    return made;
  }
}
