package ndgrad.optim;

import ndgrad.ArgumentException;

/**
 * Adam, as PyTorch's {@code torch.optim.Adam} (Kingma and Ba, "Adam: a method for stochastic
 * optimization", 2015): with d = g + weightDecay p, m = β₁ m + (1 - β₁) d and v = β₂ v + (1 - β₂)
 * d², at step t a parameter becomes p - lr m̂ / (√v̂ + eps), where m̂ = m / (1 - β₁ᵗ) and v̂ = v /
 * (1 - β₂ᵗ).
 *
 * @param lr the learning rate
 * @param beta1 the factor of the moving average m of gradients
 * @param beta2 the factor of the moving average v of their squares
 * @param eps added to the square root of v
 * @param weightDecay the factor of the parameter that is added to its gradient
 */
public record Adam(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Moments<Adam> {

  /**
   * Checks the settings.
   *
   * @throws ArgumentException when one is negative, or a factor is not less than 1
   */
  public Adam {
    Rule.requireRates(lr, weightDecay);
    Rule.requireMoments(beta1, beta2, eps);
  }

  /**
   * Adam with the factors 0.9 and 0.999, eps 1e-8 and no weight decay.
   *
   * @param lr the learning rate
   * @return the rule
   */
  public static Adam of(double lr) {
    return new Adam(lr, 0.9, 0.999, 1e-8, 0);
  }

  /** {@inheritDoc} */
  @Override
  public Adam with(double lr, double beta1, double beta2, double eps, double weightDecay) {
    return new Adam(lr, beta1, beta2, eps, weightDecay);
  }

  /** {@inheritDoc} */
  @Override
  public String name() {
    return "adam";
  }

  /** {@inheritDoc} */
  @Override
  public Update update(long step) {
    return Update.moments(lr, beta1, beta2, eps, weightDecay, 0, step);
  }
}
