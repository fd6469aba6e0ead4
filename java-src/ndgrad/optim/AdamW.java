package ndgrad.optim;

import ndgrad.ArgumentException;

/**
 * AdamW, as PyTorch's {@code torch.optim.AdamW} (Loshchilov and Hutter, "Decoupled weight decay
 * regularization", 2019): with m = β₁ m + (1 - β₁) g and v = β₂ v + (1 - β₂) g², at step t a
 * parameter becomes (1 - lr weightDecay) p - lr m̂ / (√v̂ + eps), where m̂ = m / (1 - β₁ᵗ) and v̂ =
 * v / (1 - β₂ᵗ).
 *
 * @param lr the learning rate
 * @param beta1 the factor of the moving average m of gradients
 * @param beta2 the factor of the moving average v of their squares
 * @param eps added to the square root of v
 * @param weightDecay the fraction of the parameter, times the learning rate, that each step
 *     subtracts from it
 */
public record AdamW(double lr, double beta1, double beta2, double eps, double weightDecay)
    implements Moments<AdamW> {

  /**
   * Checks the settings.
   *
   * @throws ArgumentException when one is negative, or a factor is not less than 1
   */
  public AdamW {
    Rule.requireRates(lr, weightDecay);
    Rule.requireMoments(beta1, beta2, eps);
  }

  /**
   * AdamW with PyTorch's defaults: the factors 0.9 and 0.999, eps 1e-8 and weight decay 0.01.
   *
   * @param lr the learning rate
   * @return the rule
   */
  public static AdamW of(double lr) {
    return new AdamW(lr, 0.9, 0.999, 1e-8, 0.01);
  }

  /** {@inheritDoc} */
  @Override
  public AdamW with(double lr, double beta1, double beta2, double eps, double weightDecay) {
    return new AdamW(lr, beta1, beta2, eps, weightDecay);
  }

  /** {@inheritDoc} */
  @Override
  public String name() {
    return "adamw";
  }

  /** {@inheritDoc} */
  @Override
  public Update update(long step) {
    return Update.moments(lr, beta1, beta2, eps, 0, weightDecay, step);
  }
}
