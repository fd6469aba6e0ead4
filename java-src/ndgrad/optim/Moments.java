package ndgrad.optim;

import java.util.List;

/**
 * A rule that keeps moving averages of a parameter's gradients and of their squares; the rules
 * differ in how they apply weight decay.
 *
 * @param <R> the rule itself
 */
public sealed interface Moments<R extends Moments<R>> extends Rule permits Adam, AdamW {

  /**
   * The factor of the moving average m of gradients.
   *
   * @return a number in [0, 1)
   */
  double beta1();

  /**
   * The factor of the moving average v of squared gradients.
   *
   * @return a number in [0, 1)
   */
  double beta2();

  /**
   * The number added to the square root of v.
   *
   * @return not negative
   */
  double eps();

  /**
   * The weight decay.
   *
   * @return not negative
   */
  double weightDecay();

  /**
   * A rule of this kind with other settings.
   *
   * @param lr the learning rate
   * @param beta1 the factor of the moving average of gradients
   * @param beta2 the factor of the moving average of their squares
   * @param eps added to the square root of the second
   * @param weightDecay the weight decay
   * @return a new rule
   */
  R with(double lr, double beta1, double beta2, double eps, double weightDecay);

  /**
   * The same with other moving averages.
   *
   * @param first the factor of the average of gradients
   * @param second the factor of the average of their squares
   * @return a new rule
   */
  default R withBetas(double first, double second) {
    return with(lr(), first, second, eps(), weightDecay());
  }

  /**
   * The same with another eps.
   *
   * @param small the number added to the square root of v
   * @return a new rule
   */
  default R withEps(double small) {
    return with(lr(), beta1(), beta2(), small, weightDecay());
  }

  /**
   * The same with another weight decay.
   *
   * @param factor the weight decay
   * @return a new rule
   */
  default R withWeightDecay(double factor) {
    return with(lr(), beta1(), beta2(), eps(), factor);
  }

  /** {@inheritDoc} */
  @Override
  default R withLr(double rate) {
    return with(rate, beta1(), beta2(), eps(), weightDecay());
  }

  /** {@inheritDoc} */
  @Override
  default List<String> slots() {
    return List.of("m", "v");
  }
}
