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
 * Compares gradients with differences. For a function f of float64 arrays every entry ∂f_k/∂x_j of
 * the Jacobian that reverse mode computes is compared with the central difference (f_k(x + h e_j) -
 * f_k(x - h e_j)) / 2h; where the Jacobian is large, random projections uᵀJv of it are, and a
 * projection that differs is narrowed down to an entry. The step h is {@code step * max(1, |x_j|)},
 * by default the cube root of the machine epsilon (6e-6), which balances the truncation error h²
 * against the rounding error ε/h.
 *
 * <p>An entry passes when {@code |analytic - numeric| <= atol + rtol * |numeric| + noise}; noise =
 * 32 ε max|f| / h is what rounding in f alone can do. Entries that are NaN or infinite do not pass.
 * Before gradients are compared, f is called twice: it must return the same both times, but for
 * rounding, and leave its inputs alone; another number of results, or other shapes, are an error.
 * At a kink (relu at 0) the difference is between the slopes of both sides and the check fails:
 * choose other inputs.
 *
 * <pre>{@code
 * GradCheck.assertGradients(xs -> xs.get(0).mul(xs.get(1)).sin(), Array.of(0.5, 1.5), Array.of(2.0, 0.25));
 * }</pre>
 */
public final class GradCheck {
  private GradCheck() {}

  /**
   * How to compare.
   *
   * @param step the relative step of the differences
   * @param rtol the allowed relative error
   * @param atol the allowed absolute error
   * @param fullUpTo the largest number of Jacobian entries that are all compared; beyond it
   *     projections are
   * @param projections how many projections an input gets
   * @param seed of the projections
   */
  public record Settings(
      double step, double rtol, double atol, long fullUpTo, int projections, long seed) {
    /** Step 6e-6, rtol 1e-5, atol 1e-6, all of up to 4096 entries, 4 projections beyond. */
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
     * Other tolerances.
     *
     * @param relative the allowed relative error
     * @param absolute the allowed absolute error
     * @return the settings with these
     */
    public Settings tolerance(double relative, double absolute) {
      return new Settings(step, relative, absolute, fullUpTo, projections, seed);
    }

    /**
     * Projections instead of the full Jacobian, whatever its size.
     *
     * @param count how many an input gets
     * @return the settings with these
     */
    public Settings projected(int count) {
      return new Settings(step, rtol, atol, 0, count, seed);
    }
  }

  /** What can be wrong. */
  public enum Kind {
    /** An entry of the Jacobian differs. */
    GRADIENT,
    /** A gradient has another shape than its input. */
    SHAPE,
    /** The function changes an input. */
    MODIFIES_INPUT,
    /** The function returns something else when it is called again. */
    NOT_DETERMINISTIC
  }

  /**
   * One thing that is wrong.
   *
   * @param kind what is
   * @param input the number of the input, -1 where it is no input's fault
   * @param element where in the input; empty for a 0-d input, or when it is not a single element's
   *     fault
   * @param output the number of the output, -1 where it is no single output's fault
   * @param outputElement where in the output
   * @param analytic what reverse mode computes, or the first of two results that should be equal
   * @param numeric the central difference, or the second result
   * @param tolerance by how much they may differ
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
   * @param compared how many entries or projections were
   * @param failed how many of them differ
   * @param failures the first of what is wrong, by input and element; empty when all is well
   */
  public record Report(boolean full, long compared, long failed, List<Failure> failures) {
    /**
     * Whether nothing is wrong.
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
   * Checks the gradients of a function of one result.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not change them
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or the result is float32: its differences are too coarse
   */
  public static Report check(Function<List<Array>, Array> f, Array... inputs) {
    return check(f, Settings.DEFAULT, inputs);
  }

  /**
   * Checks the gradients of a function of one result.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not change them
   * @param settings step, tolerances, size
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or the result is float32: its differences are too coarse
   */
  public static Report check(Function<List<Array>, Array> f, Settings settings, Array... inputs) {
    Coerce.given("f", f);
    Coerce.given("inputs", inputs);
    return checkAll(xs -> Collections.singletonList(f.apply(xs)), settings, Arrays.asList(inputs));
  }

  /**
   * Checks the gradients of a function of several results.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not change them
   * @param settings step, tolerances, size
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or a result is float32: its differences are too coarse
   */
  public static Report checkAll(
      Function<List<Array>, List<Array>> f, Settings settings, List<Array> inputs) {
    return new GradCheckRun(f, settings, inputs).report();
  }

  /**
   * Checks the gradients of the gradients: those of (x, u) ↦ J(x)ᵀu. In the report the inputs are
   * followed by the cotangents u, and output i is the gradient of the i-th differentiated input.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not change them
   * @param settings step, tolerances, size
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @return the outcome
   * @throws DTypeException when an input or a result is float32: its differences are too coarse
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
   * Fails when gradients are wrong.
   *
   * @param f called with arrays of the inputs' shapes, dtypes and layouts; must not change them
   * @param inputs float64 arrays are differentiated, integer and bool ones passed as they are; not
   *     modified
   * @throws AssertionError when something is wrong; its message is the report
   * @throws DTypeException when an input or the result is float32: its differences are too coarse
   */
  public static void assertGradients(Function<List<Array>, Array> f, Array... inputs) {
    Report report = check(f, inputs);
    if (!report.passed()) {
      throw new AssertionError(report.toString());
    }
  }
}
