package ndgrad.kernel.code;

import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.expr.Expr;

/** Generated loops that combine the values of an expression over some inputs. */
public interface FoldKernel {

  /** How an input moves along the inner loop, fixed when the kernel is compiled. */
  enum Step {
    /** Not at all: loaded once. */
    ZERO,
    /** From element to element. */
    UNIT,
    /** By a variable stride. */
    STRIDED;

    /**
     * What a stride is.
     *
     * @param stride the stride of an input along the inner loop
     * @return the step that kernels are compiled for
     */
    public static Step of(int stride) {
      return stride == 0 ? ZERO : stride == 1 ? UNIT : STRIDED;
    }
  }

  /**
   * What a kernel is compiled for.
   *
   * @param prologue the expression whose values are combined
   * @param combine how two are combined
   * @param acc the dtype of the accumulation and its result
   * @param load the dtype that inputs are converted to
   * @param stored the dtype of each input's array
   * @param steps how each input moves along the inner loop
   */
  record Spec(
      Expr prologue,
      Expr.Fn2 combine,
      DType acc,
      DType load,
      List<DType> stored,
      List<Step> steps) {}

  /**
   * Combines the values of each run into one: element i into accumulator i modulo their number, and
   * then these pairwise.
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then its stride along a run, then that from run to run
   * @param runs number of runs
   * @param n number of elements of a run, may be 0
   * @param out where the results go, overwritten
   * @param slot the position of the first
   * @param step its stride
   */
  void fold(Object[] in, int[] at, int runs, int n, Object out, int slot, int step);

  /**
   * Combines rows element by element into a row: out[slot + i] = combine(out[slot + i], value of
   * row r at i).
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then their inner strides, then their outer strides
   * @param rows number of rows
   * @param n number of elements of a row
   * @param out the row that is updated
   * @param slot its position
   */
  void rows(Object[] in, int[] at, int rows, int n, Object out, int slot);

  /**
   * Combines each value with all before it in its row.
   *
   * @param in the primitive array of each input
   * @param at the position of each input, then their inner strides
   * @param n number of elements
   * @param out where the results go, overwritten
   * @param slot position of the first result
   * @param step its stride
   */
  void scan(Object[] in, int[] at, int n, Object out, int slot, int step);

  /**
   * The kernel for a combination.
   *
   * @param spec what it computes
   * @return a new kernel, to be kept by who asks for it, or, where elements are combined as they
   *     are, one that is shared
   */
  static FoldKernel of(Spec spec) {
    return FoldCompiler.kernel(spec);
  }

  /**
   * What an accumulation starts with: the identity, but for floating sums -0.0, which keeps even
   * -0.0 as it is.
   *
   * @param combine ADD, MUL, MAX, MIN, AND or OR
   * @param dtype that of the accumulation
   * @return a boxed number of the dtype
   */
  static Object start(Expr.Fn2 combine, DType dtype) {
    return combine != Expr.Fn2.ADD
        ? identity(combine, dtype)
        : switch (dtype) {
          case FLOAT32 -> -0.0f;
          case FLOAT64 -> -0.0;
          default -> identity(combine, dtype);
        };
  }

  /**
   * The combination of no elements.
   *
   * @param combine ADD, MUL, MAX, MIN, AND or OR
   * @param dtype that of the accumulation
   * @return a boxed number of the dtype
   */
  static Object identity(Expr.Fn2 combine, DType dtype) {
    double number =
        switch (combine) {
          case ADD, OR -> 0;
          case MUL, AND -> 1;
          case MAX -> Double.NEGATIVE_INFINITY;
          case MIN -> Double.POSITIVE_INFINITY;
          default -> throw new IllegalArgumentException(combine + " does not reduce");
        };
    return switch (dtype) {
      case BOOL -> number > 0;
      case INT32 -> (int) number; // the cast saturates
      case INT64 -> (long) number;
      case FLOAT32 -> (float) number;
      case FLOAT64 -> number;
    };
  }
}
