package ndgrad.optim;

import static ndgrad.kernel.expr.Expr.in;

import java.util.Arrays;
import java.util.List;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Strided;

/**
 * One step of a rule: a kernel whose outputs are the new parameter and slots. Its inputs are the
 * parameter, the slots, the gradient, and some numbers.
 */
public final class Update {
  private final Program program;
  private final double[] numbers;

  private Update(Program program, double... numbers) {
    this.program = program;
    this.numbers = numbers;
  }

  private static Expr call(Fn1 fn, Expr x) {
    return Expr.of(fn, x);
  }

  /** p - lr (g + decay p). */
  private static final Program PLAIN =
      Program.of(in(0).minus(in(2).times(in(1).plus(in(3).times(in(0))))));

  private static final Program MOMENTUM = momentum(false);
  private static final Program NESTEROV = momentum(true);
  private static final Program MOMENTS = moments();

  /** b = momentum b + damping (g + decay p); p - lr b, or p - lr (g + decay p + momentum b). */
  private static Program momentum(boolean nesterov) {
    Expr g = in(2).plus(in(4).times(in(0)));
    Expr buffer = in(5).times(in(1)).plus(in(6).times(g));
    Expr direction = nesterov ? g.plus(in(5).times(buffer)) : buffer;
    return Program.of(in(0).minus(in(3).times(direction)), buffer);
  }

  /**
   * m = β₁ m + (1-β₁) (g + l2 p), v = β₂ v + (1-β₂) (g + l2 p)²; shrink p - rate m / (scale √v +
   * eps).
   */
  private static Program moments() {
    Expr g = in(3).plus(in(4).times(in(0)));
    Expr m = in(6).times(in(1)).plus(in(7).times(g));
    Expr v = in(8).times(in(2)).plus(in(9).times(g).times(g));
    Expr root = call(Fn1.SQRT, v).times(in(11)).plus(in(12));
    return Program.of(in(5).times(in(0)).minus(in(10).times(m).over(root)), m, v);
  }

  static Update sgd(Sgd rule, long step) {
    if (rule.momentum() == 0) {
      return new Update(PLAIN, rule.lr(), rule.weightDecay());
    }
    double damping = step == 1 ? 1 : 1 - rule.dampening();
    return new Update(
        rule.nesterov() ? NESTEROV : MOMENTUM,
        rule.lr(),
        rule.weightDecay(),
        rule.momentum(),
        damping);
  }

  static Update moments(
      double lr, double beta1, double beta2, double eps, double l2, double decay, long step) {
    double correction1 = 1 - Math.pow(beta1, step);
    double correction2 = 1 - Math.pow(beta2, step);
    return new Update(
        MOMENTS,
        l2,
        1 - lr * decay,
        beta1,
        1 - beta1,
        beta2,
        1 - beta2,
        lr / correction1,
        1 / Math.sqrt(correction2),
        eps);
  }

  /** Runs the kernel. */
  void run(List<Array> targets, List<Array> sources, Tensor grad) {
    int n = sources.size();
    Strided[] outs = targets.stream().map(Update::strided).toArray(Strided[]::new);
    Strided[] ins = new Strided[n + 1 + numbers.length];
    Arrays.setAll(
        ins,
        i ->
            i < n
                ? strided(sources.get(i))
                : i == n ? grad.strided() : Strided.number(numbers[i - n - 1], grad.dtype()));
    DType[] load = new DType[ins.length];
    Arrays.fill(load, grad.dtype());
    program.run(outs, load, ins);
  }

  private static Strided strided(Array a) {
    return a.tensor().strided();
  }
}
