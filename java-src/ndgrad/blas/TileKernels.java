package ndgrad.blas;

import java.util.Optional;

/** Where the Java loops get faster innermost loops from, once there are any. */
public interface TileKernels {
  /** Leaves everything to the plain loops. */
  TileKernels NONE =
      new TileKernels() {
        @Override
        public boolean areExpected() {
          return false;
        }

        @Override
        public Optional<TileKernel> kernel(Class<?> type, long products) {
          return Optional.empty();
        }
      };

  /**
   * Whether there will be kernels sooner or later. It does not change while a program runs, so that
   * the choice of an engine, and with it the result's last bits, may depend on it.
   *
   * @return false where products stay with the plain loops
   */
  boolean areExpected();

  /**
   * The kernel for matrices of a type.
   *
   * @param type of the elements: {@code float}, {@code double}, {@code int} or {@code long}
   * @param products how many multiplications it is wanted for; enough of them make it worth its
   *     while to prepare one
   * @return empty as long as the plain loops are faster
   */
  Optional<TileKernel> kernel(Class<?> type, long products);
}
