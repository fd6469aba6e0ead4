package ndgrad.examples;

import ndgrad.Array;
import ndgrad.Autograd;
import ndgrad.Random;
import ndgrad.Scope;

/**
 * Fits a line to noisy points by gradient descent.
 *
 * <pre>{@code
 * bin/clj -P && java -cp target/classes examples/ndgrad/examples/LinearRegression.java
 * }</pre>
 */
public final class LinearRegression {
  private LinearRegression() {}

  /** What is fitted: y = slope x + intercept. */
  record Line(Array slope, Array intercept) {

    static Line unknown() {
      return new Line(Array.of(0.0).requiresGrad(true), Array.of(0.0).requiresGrad(true));
    }

    Array at(Array x) {
      return x.mul(slope).add(intercept);
    }

    /** The mean of the squared errors. */
    Array loss(Array x, Array y) {
      return at(x).sub(y).square().mean();
    }

    /** One step of gradient descent, in place. */
    void descend(Array x, Array y, double rate) {
      try (var _ = Scope.open()) {
        loss(x, y).backward();
        try (var _ = Autograd.noGrad()) {
          slope.subInPlace(slope.grad().mul(rate));
          intercept.subInPlace(intercept.grad().mul(rate));
        }
        slope.zeroGrad();
        intercept.zeroGrad();
      }
    }
  }

  /**
   * Prints the line found.
   *
   * @param args not used
   */
  public static void main(String[] args) {
    Random.manualSeed(1);
    Array x = Random.uniform(-1, 1, 200);
    Array y = x.mul(2).add(1).add(Random.randn(200).mul(0.1));
    Line line = Line.unknown();
    for (int step = 0; step < 200; step++) {
      line.descend(x, y, 0.3);
    }
    System.out.printf(
        "y = %.2f x + %.2f, mean squared error %.4f%n",
        line.slope().item(), line.intercept().item(), line.loss(x, y).item());
  }
}
