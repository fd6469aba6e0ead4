package ndgrad.op.spec;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.loop.Reduction;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * A fold of the values of an expression, which each pass computes: no array of them is made.
 * Immutable and safe to share between threads.
 */
public final class Passes {
  private static final Program QUOTIENT = Program.of(Expr.in(0).over(Expr.in(1)));

  private final Fold fold;
  private final Reduction first;
  private final Second second;

  /** The second pass, and what is computed before and after it. */
  private record Second(boolean dividesFirst, Program shift, Reduction sum, Program last) {}

  private Passes(Fold fold, Reduction first, Second second) {
    this.fold = fold;
    this.first = first;
    this.second = second;
  }

  /**
   * Prepares a fold; kernels are compiled when it runs first.
   *
   * @param fold what is made of the values
   * @param values the expression
   * @param arity the number of its inputs
   * @return the passes
   */
  public static Passes of(Fold fold, Expr values, int arity) {
    return switch (fold) {
      case Fold.Once(_, Fn2 combine, _) -> new Passes(fold, Reduction.of(values, combine), null);
      case Fold.Twice two -> {
        Expr summed = two.second().substitute(i -> i == 0 ? values : Expr.in(arity));
        yield new Passes(
            fold,
            Reduction.of(values, two.first().combine()),
            new Second(
                two.first().divides(),
                two.shift() == null ? null : Program.of(two.shift()),
                Reduction.of(summed, Fn2.ADD),
                Program.of(two.last())));
      }
    };
  }

  /**
   * Folds.
   *
   * @param out overwritten: a fresh array of the shape without the axes, in the dtype to compute in
   * @param shape the broadcast shape of the inputs
   * @param axes from 0 on, each once
   * @param ddof what is taken from the number of elements that the result is divided by
   * @param ins the inputs, not modified
   */
  public void run(Strided out, int[] shape, int[] axes, double ddof, Strided... ins) {
    DType dtype = out.dtype();
    double divisor = divisor(shape, axes, ddof);
    if (second == null) {
      first.run(out, dtype, axes, ins);
      if (fold.divides()) {
        divide(out, divisor);
      }
      return;
    }
    Strided shift = shift(out.layout(), dtype, shape, axes, ins);
    Strided[] shifted = new Strided[ins.length + 1];
    System.arraycopy(ins, 0, shifted, 0, ins.length);
    shifted[ins.length] = shift;
    second.sum.run(out, dtype, axes, shifted);
    Strided last = fold.divides() ? Strided.number(divisor, dtype) : shift.with(out.layout());
    second.last.run(out, dtype, out, last);
  }

  private Strided shift(Layout out, DType dtype, int[] shape, int[] axes, Strided[] ins) {
    int[] kept = shape.clone();
    for (int axis : axes) {
      kept[axis] = 1;
    }
    Strided found = Strided.empty(dtype, kept);
    first.run(found.with(out), dtype, axes, ins);
    if (second.dividesFirst) {
      divide(found, divisor(shape, axes, 0));
    }
    if (second.shift != null) {
      second.shift.run(found, dtype, found);
    }
    return found;
  }

  /**
   * The number of elements of one result, less something.
   *
   * @param shape what is folded
   * @param axes over which
   * @param ddof what is taken off
   * @return at least 0
   */
  public static double divisor(int[] shape, int[] axes, double ddof) {
    double count = 1;
    for (int axis : axes) {
      count *= shape[axis];
    }
    return Math.max(count - ddof, 0);
  }

  /** Divides a fresh array in place. */
  private static void divide(Strided x, double by) {
    if (x.array() instanceof float[] one && one.length == 1) {
      one[0] = (float) (one[0] / (double) (float) by);
    } else if (x.array() instanceof double[] one && one.length == 1) {
      one[0] /= by;
    } else {
      QUOTIENT.run(x, x.dtype(), x, Strided.number(by, x.dtype()));
    }
  }
}
