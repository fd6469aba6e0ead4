package ndgrad.optim;

import java.util.List;
import ndgrad.ArgumentException;

/**
 * Stochastic gradient descent, as PyTorch's {@code torch.optim.SGD} (Sutskever and others, "On the
 * importance of initialization and momentum in deep learning", 2013): with d = g + weightDecay p
 * and the buffer b = momentum b + (1 - dampening) d, which is d at the first step, a parameter
 * becomes p - lr b, or with Nesterov's momentum p - lr (d + momentum b).
 *
 * @param lr the learning rate
 * @param momentum the factor of the buffer; 0 for none
 * @param dampening the fraction of the gradient that does not enter the buffer
 * @param weightDecay the factor of the parameter that is added to its gradient
 * @param nesterov whether the momentum is Nesterov's
 */
public record Sgd(
    double lr, double momentum, double dampening, double weightDecay, boolean nesterov)
    implements Rule {

  /**
   * Checks the settings.
   *
   * @throws ArgumentException when one is negative, or for Nesterov's momentum without momentum or
   *     with dampening
   */
  public Sgd {
    Rule.requireRates(lr, weightDecay);
    Rule.require(momentum >= 0, "momentum must not be negative", momentum);
    Rule.require(dampening >= 0, "dampening must not be negative", dampening);
    if (nesterov && (momentum == 0 || dampening != 0)) {
      throw new ArgumentException(
          "nesterov needs a momentum and no dampening, got momentum "
              + momentum
              + " and dampening "
              + dampening,
          "momentum",
          momentum,
          "dampening",
          dampening);
    }
  }

  /**
   * Plain gradient descent, without momentum and weight decay.
   *
   * @param lr the learning rate
   * @return the rule
   */
  public static Sgd of(double lr) {
    return new Sgd(lr, 0, 0, 0, false);
  }

  /**
   * The same with momentum.
   *
   * @param factor the factor of the buffer
   * @return a new rule
   */
  public Sgd withMomentum(double factor) {
    return new Sgd(lr, factor, dampening, weightDecay, nesterov);
  }

  /**
   * The same with Nesterov's momentum.
   *
   * @param factor the factor of the buffer
   * @return a new rule
   */
  public Sgd withNesterov(double factor) {
    return new Sgd(lr, factor, 0, weightDecay, true);
  }

  /**
   * The same with weight decay.
   *
   * @param factor the factor of the parameter that is added to its gradient
   * @return a new rule
   */
  public Sgd withWeightDecay(double factor) {
    return new Sgd(lr, momentum, dampening, factor, nesterov);
  }

  /** {@inheritDoc} */
  @Override
  public Sgd withLr(double rate) {
    return new Sgd(rate, momentum, dampening, weightDecay, nesterov);
  }

  /** {@inheritDoc} */
  @Override
  public String name() {
    return "sgd";
  }

  /** {@inheritDoc} */
  @Override
  public List<String> slots() {
    return momentum == 0 ? List.of() : List.of("momentum");
  }

  /** {@inheritDoc} */
  @Override
  public Update update(long step) {
    return Update.sgd(this, step);
  }
}
