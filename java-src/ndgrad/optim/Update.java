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

  /**
   * A kernel without weight decay, and with it: then its factor is the last of the numbers. A
   * factor of 0 would not do, for 0 times an infinite parameter is NaN.
   */
  private record Kernel(Program plain, Program decaying) {
    Update with(double decay, double... others) {
      if (decay == 0) {
        return new Update(plain, others);
      }
      double[] all = Arrays.copyOf(others, others.length + 1);
      all[others.length] = decay;
      return new Update(decaying, all);
    }
  }

  private static final Kernel PLAIN = new Kernel(plain(false), plain(true));
  private static final Kernel MOMENTUM = new Kernel(momentum(false, false), momentum(false, true));
  private static final Kernel NESTEROV = new Kernel(momentum(true, false), momentum(true, true));
  private static final Kernel MOMENTS = new Kernel(moments(false), moments(true));

  /** The gradient, plus decay p. */
  private static Expr direction(Expr gradient, boolean decays, int decay) {
    return decays ? gradient.plus(in(decay).times(in(0))) : gradient;
  }

  /** p - lr (g + decay p). */
  private static Program plain(boolean decays) {
    return Program.of(in(0).minus(in(2).times(direction(in(1), decays, 3))));
  }

  /** b = momentum b + damping (g + decay p); p - lr b, or p - lr (g + decay p + momentum b). */
  private static Program momentum(boolean nesterov, boolean decays) {
    Expr g = direction(in(2), decays, 6);
    Expr buffer = in(4).times(in(1)).plus(in(5).times(g));
    Expr step = nesterov ? g.plus(in(4).times(buffer)) : buffer;
    return Program.of(in(0).minus(in(3).times(step)), buffer);
  }

  /**
   * m = β₁ m + (1-β₁) (g + l2 p), v = β₂ v + (1-β₂) (g + l2 p)²; shrink p - rate m / (scale √v +
   * eps).
   */
  private static Program moments(boolean decays) {
    Expr g = direction(in(3), decays, 12);
    Expr m = in(5).times(in(1)).plus(in(6).times(g));
    Expr v = in(7).times(in(2)).plus(in(8).times(g).times(g));
    Expr root = call(Fn1.SQRT, v).times(in(10)).plus(in(11));
    return Program.of(in(4).times(in(0)).minus(in(9).times(m).over(root)), m, v);
  }

  static Update sgd(Sgd rule, long step) {
    if (rule.momentum() == 0) {
      return PLAIN.with(rule.weightDecay(), rule.lr());
    }
    double damping = step == 1 ? 1 : 1 - rule.dampening();
    return (rule.nesterov() ? NESTEROV : MOMENTUM)
        .with(rule.weightDecay(), rule.lr(), rule.momentum(), damping);
  }

  static Update moments(
      double lr, double beta1, double beta2, double eps, double l2, double decay, long step) {
    double correction1 = 1 - Math.pow(beta1, step);
    double correction2 = 1 - Math.pow(beta2, step);
    return MOMENTS.with(
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
