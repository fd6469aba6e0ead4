package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import java.util.function.UnaryOperator;
import ndgrad.autograd.Frames;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.FusedFunction;

/**
 * Fuses the ops of functions of arrays into fewer kernels. A fused function is traced once per
 * signature of its arguments (dtypes, shapes, which of them require a gradient). From then on a
 * chain of elementwise ops, together with the sum, mean, variance or logsumexp that follows it, is
 * one step, forward and backward, without intermediate arrays. Results, gradients and tangents are
 * those of the function up to rounding, also where they are infinite, NaN or -0, and so are
 * derivatives of every order, and gradients that several elements or results send to one value,
 * where no intermediate factor is 0, infinite or NaN.
 *
 * <p>The function must be pure. Numbers and arrays that it closes over are constants, as they were
 * when it was traced (though later in-place writes to such an array are seen). A function that does
 * something that cannot be traced (branches on elements, random numbers, in-place writes, custom
 * rules) runs unfused, and {@code report} says why.
 *
 * <pre>{@code
 * Fuse.One mish = Fuse.fuse(x -> x.mul(x.exp().log1p().tanh()));
 * mish.apply(Array.of(0.5, 1.0));
 * mish.report();                                       // one step: 4 ops in one
 * }</pre>
 */
public final class Fuse {
  private Fuse() {}

  /**
   * Several results with their form, for callers that rebuild other data from them.
   *
   * @param values the results
   * @param form anything; the same for all arguments of one signature
   */
  public record Formed(List<Array> values, Object form) {}

  /**
   * Fuses a function of one array.
   *
   * @param f the function
   * @return a function with the same results
   */
  public static One fuse(Function<Array, Array> f) {
    return new One(Coerce.given("f", f));
  }

  /**
   * Fuses a function of several arrays.
   *
   * @param f the function
   * @return a function with the same results
   */
  public static All fuses(Function<List<Array>, List<Array>> f) {
    Coerce.given("f", f);
    return new All(xs -> new Formed(f.apply(xs), null));
  }

  /**
   * Fuses a function of several arrays whose results have a form, for other languages.
   *
   * @param f the function
   * @return a function with the same results
   */
  public static All formed(Function<List<Array>, Formed> f) {
    return new All(Coerce.given("f", f));
  }

  /** A fused function of one array. Safe to share between threads. */
  public static final class One implements UnaryOperator<Array> {
    private final FusedFunction fused;

    private One(Function<Array, Array> f) {
      Function<List<Array>, List<Array>> all = Lifted.ofOne(f);
      fused = new FusedFunction(xs -> new FusedFunction.Output(Lifted.apply(all, xs), null));
    }

    @Override
    public Array apply(Array x) {
      return Array.of(fused.apply(Coerce.given("x", x).tensor()).values().getFirst());
    }

    /**
     * How the function was fused so far.
     *
     * @return for each signature of arguments, the latest first: {@code arguments}, {@code calls},
     *     {@code steps}, and {@code fallback}, the reason, if it runs unfused
     */
    public List<Map<String, Object>> report() {
      return fused.report();
    }
  }

  /** A fused function of several arrays. Safe to share between threads. */
  public static final class All implements UnaryOperator<List<Array>> {
    private final FusedFunction fused;

    private All(Function<List<Array>, Formed> f) {
      fused =
          new FusedFunction(
              xs -> {
                Formed ys =
                    Coerce.given(Lifted.RESULT, Frames.ofUser(() -> f.apply(Lifted.arrays(xs))));
                return new FusedFunction.Output(Lifted.results(ys.values()), ys.form());
              });
    }

    @Override
    public List<Array> apply(List<Array> xs) {
      return run(xs).values();
    }

    /**
     * Applies the function.
     *
     * @param xs its arguments
     * @return its results with their form
     */
    public Formed run(List<Array> xs) {
      Tensor[] ins = new Tensor[Coerce.given("xs", xs).size()];
      for (int i = 0; i < ins.length; i++) {
        ins[i] = Coerce.given("x", xs.get(i)).tensor();
      }
      FusedFunction.Output ys = fused.apply(ins);
      List<Array> values = new ArrayList<>(ys.values().size());
      for (Tensor y : ys.values()) {
        values.add(Array.of(y));
      }
      return new Formed(values, ys.form());
    }

    /**
     * How the function was fused so far.
     *
     * @return for each signature of arguments, the latest first: {@code arguments}, {@code calls},
     *     {@code steps}, and {@code fallback}, the reason, if it runs unfused
     */
    public List<Map<String, Object>> report() {
      return fused.report();
    }
  }
}
