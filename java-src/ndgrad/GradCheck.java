package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.function.Function;
import ndgrad.op.spec.Coerce;

/**
 * Compares gradients with finite differences. For a function f of float64 arrays every entry
 * ∂f_k/∂x_j of the Jacobian from reverse mode is compared with the central difference (f_k(x + h
 * e_j) - f_k(x - h e_j)) / 2h. If the Jacobian is large, random projections uᵀJv are compared
 * instead, and a projection that differs is narrowed down to an entry. The step h is {@code step *
 * max(1, |x_j|)}, by default the cube root of the machine epsilon (6e-6), which balances the
 * truncation error h² against the rounding error ε/h.
 *
 * <p>An entry passes when {@code |analytic - numeric| <= atol + rtol * |numeric| + noise}; noise =
 * 32 ε max|f| / h bounds the effect of rounding in f. Entries that are NaN or infinite do not pass.
 * First f is called twice: it must return the same values up to rounding, and not modify its
 * inputs; a different number of results, or different shapes, throw. At a kink (relu at 0) the
 * central difference lies between the one-sided derivatives and the check fails: choose other
 * inputs.
 *
 * <pre>{@code
 * GradCheck.assertGradients(xs -> xs.get(0).mul(xs.get(1)).sin(), Array.of(0.5, 1.5), Array.of(2.0, 0.25));
 * }</pre>
 */
public final class GradCheck {
  private GradCheck() {}

  /**
   * Settings of the comparison.
   *
   * @param step the relative step of the differences
   * @param rtol the allowed relative error
   * @param atol the allowed absolute error
   * @param fullUpTo the largest Jacobian, in entries, that is compared in full; for larger ones
   *     projections are compared
   * @param projections the number of projections per input
   * @param seed the seed of the projections
   */
  public record Settings(
      double step, double rtol, double atol, long fullUpTo, int projections, long seed) {
    /**
     * Step 6e-6, rtol 1e-5, atol 1e-6, full comparison of up to 4096 entries, otherwise 4
     * projections.
     */
    public static final Settings DEFAULT =
        new Settings(Math.cbrt(Math.ulp(1.0)), 1e-5, 1e-6, 4096, 4, 0);

    /**
     * Checks the numbers.
     *
     * @throws ArgumentException when the step or the number of projections is not positive, or a
     *     tolerance is negative
     */
    public Settings {
      if (!(step > 0) || !(rtol >= 0) || !(atol >= 0) || projections < 1) {
        throw new ArgumentException(
                "the step and the number of projections must be positive, tolerances not"
                    + " negative; got step "
                    + step
                    + ", rtol "
                    + rtol
                    + ", atol "
                    + atol
                    + ", projections "
                    + projections)
            .during("gradcheck");
      }
    }

    /**
     * These settings with other tolerances.
     *
     * @param relative the allowed relative error
     * @param absolute the allowed absolute error
     * @return new settings
     */
    public Settings tolerance(double relative, double absolute) {
      return new Settings(step, relative, absolute, fullUpTo, projections, seed);
    }

    /**
     * These settings with projections instead of the full Jacobian, whatever its size.
     *
     * @param count the number of projections per input
     * @return new settings
     */
    public Settings projected(int count) {
      return new Settings(step, rtol, atol, 0, count, seed);
    }
  }

  /** The kinds of failure. */
  public enum Kind {
    /** An entry of the Jacobian differs. */
    GRADIENT,
    /** A gradient has another shape than its input. */
    SHAPE,
    /** The function modifies an input. */
    MODIFIES_INPUT,
    /** The function returns something else when it is called again. */
    NOT_DETERMINISTIC
  }

  /**
   * A failure.
   *
   * @param kind the kind of failure
   * @param input the index of the input, -1 when no single input is at fault
   * @param element the position in the input; empty for a 0-d input, or when no single element is
   *     at fault
   * @param output the index of the output, -1 when no single output is at fault
   * @param outputElement the position in the output
   * @param analytic the result of reverse mode, or the first of two results that should be equal
   * @param numeric the central difference, or the second result
   * @param tolerance the largest difference allowed
   */
  public record Failure(
      Kind kind,
      int input,
      List<Integer> element,
      int output,
      List<Integer> outputElement,
      double analytic,
      double numeric,
      double tolerance) {

    @Override
    public String toString() {
      String in = "input " + input + (element.isEmpty() ? "" : " at " + element);
      String out =
          output < 0
              ? "the outputs"
              : "output " + output + (outputElement.isEmpty() ? "" : " at " + outputElement);
      return switch (kind) {
        case GRADIENT ->
            String.format(
                Locale.ROOT,
                "the gradient of %s with respect to %s is %s, the central difference %s; they may"
                    + " differ by %.1e",
                out,
                in,
                analytic,
                numeric,
                tolerance);
        case SHAPE ->
            "the gradient of " + in + " has another shape than the input: " + outputElement;
        case MODIFIES_INPUT ->
            "the function changes " + in + " in place: it was " + analytic + " and is " + numeric;
        case NOT_DETERMINISTIC ->
            "the function is not deterministic: "
                + out
                + " was "
                + analytic
                + " and is "
                + numeric
                + " when it is called again";
      };
    }
  }

  /**
   * The outcome.
   *
   * @param full whether all entries were compared; false for projections
   * @param compared the number of entries or projections compared
   * @param failed how many of these differ
   * @param failures the first failures, by input and element; empty when the check passed
   */
  public record Report(boolean full, long compared, long failed, List<Failure> failures) {
    /**
     * Whether the check passed.
     *
     * @return true when every comparison passed
     */
    public boolean passed() {
      return failures.isEmpty();
    }

    @Override
    public String toString() {
      StringBuilder out = new StringBuilder("gradcheck: ");
      out.append(passed() ? "passed" : "failed").append(", ").append(compared);
      out.append(full ? " entries of the Jacobian" : " projections of the Jacobian")
          .append(" compared");
      if (failed > 0) {
        out.append(", ").append(failed).append(" differ");
      }
      failures.forEach(f -> out.append("\n  ").append(f));
      return out.toString();
    }
  }

  /**
   * Checks the gradients of a function with one result.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not modify them
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or the result is float32, which is too imprecise for
   *     differences
   */
  public static Report check(Function<List<Array>, Array> f, Array... inputs) {
    return check(f, Settings.DEFAULT, inputs);
  }

  /**
   * Checks the gradients of a function with one result.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not modify them
   * @param settings step, tolerances and limits
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or the result is float32, which is too imprecise for
   *     differences
   */
  public static Report check(Function<List<Array>, Array> f, Settings settings, Array... inputs) {
    Coerce.given("f", f);
    Coerce.given("inputs", inputs);
    return checkAll(xs -> Collections.singletonList(f.apply(xs)), settings, Arrays.asList(inputs));
  }

  /**
   * Checks the gradients of a function with several results.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not modify them
   * @param settings step, tolerances and limits
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or a result is float32, which is too imprecise for
   *     differences
   */
  public static Report checkAll(
      Function<List<Array>, List<Array>> f, Settings settings, List<Array> inputs) {
    return new GradCheckRun(f, settings, inputs).report();
  }

  /**
   * Checks the gradients of the gradients: those of (x, u) ↦ J(x)ᵀu. In the report the inputs are
   * followed by the cotangents u, and output i is the gradient of the i-th differentiated input.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not modify them
   * @param settings step, tolerances and limits
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or a result is float32, which is too imprecise for
   *     differences
   */
  public static Report checkSecond(
      Function<List<Array>, List<Array>> f, Settings settings, List<Array> inputs) {
    GradCheckRun run = new GradCheckRun(f, settings, inputs);
    List<Array> extended = new ArrayList<>(inputs);
    extended.addAll(run.cotangents());
    int count = inputs.size();
    return checkAll(
        xs -> pulledBack(f, xs.subList(0, count), xs.subList(count, xs.size())),
        settings,
        extended);
  }

  /** J(x)ᵀu, one array for each float64 x, differentiable. */
  static List<Array> pulledBack(
      Function<List<Array>, List<Array>> f, List<Array> inputs, List<Array> cotangents) {
    try (var _ = Autograd.enableGrad()) {
      List<Array> xs = new ArrayList<>();
      List<Array> moving = new ArrayList<>();
      for (Array x : inputs) {
        boolean moves = GradCheckSubject.moves(x);
        xs.add(moves && !x.requiresGrad() ? x.detach().requiresGrad(true) : x);
        if (moves) {
          moving.add(xs.getLast());
        }
      }
      List<Array> outputs = new ArrayList<>();
      List<Array> us = new ArrayList<>();
      List<Array> ys =
          f.apply(List.copyOf(xs)).stream().filter(y -> y.dtype().isFloating()).toList();
      GradCheckSubject.requireSame(GradCheckSubject.forms(cotangents), GradCheckSubject.forms(ys));
      for (int i = 0; i < ys.size(); i++) {
        if (ys.get(i).requiresGrad()) {
          outputs.add(ys.get(i));
          us.add(cotangents.get(i));
        }
      }
      List<Optional<Array>> found =
          outputs.isEmpty()
              ? moving.stream().map(x -> Optional.<Array>empty()).toList()
              : Autograd.gradients(outputs, us, moving, true, true);
      List<Array> out = new ArrayList<>();
      for (int i = 0; i < moving.size(); i++) {
        Array x = moving.get(i);
        out.add(found.get(i).orElseGet(() -> Array.wrap(new double[(int) x.size()], x.shape())));
      }
      return out;
    }
  }

  /**
   * Throws when the gradients are wrong.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not modify them
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @throws AssertionError when the check fails, with the report as its message
   * @throws DTypeException when an input or the result is float32, which is too imprecise for
   *     differences
   */
  public static void assertGradients(Function<List<Array>, Array> f, Array... inputs) {
    Report report = check(f, inputs);
    if (!report.passed()) {
      throw new AssertionError(report.toString());
    }
  }
}
