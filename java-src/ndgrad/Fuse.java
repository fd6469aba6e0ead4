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
 * Functions of arrays as few kernels. A fused function is run once for each kind of arguments
 * (dtypes, shapes, which of them require a gradient) to see which ops it applies; from then on
 * chains of elementwise ops, with the sums, means, variances and logsumexps that follow them, are
 * one step each, forward and backward, without arrays for what is in between. Results, gradients
 * and tangents are those of the function to rounding, also where they are infinite, NaN or -0, and
 * so are derivatives of every order where no factor on the way is 0, infinite or NaN.
 *
 * <p>A function to be fused depends on its arguments alone and does nothing else: host numbers, and
 * arrays that it takes from outside, are those that it saw when it was traced (what is written into
 * such an array later is seen). Where it does what cannot be traced (branches on elements, random
 * numbers, writing in place, rules of one's own) it is run as it is, and {@code report} says why.
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
   * Several results and what the caller wants to know of them.
   *
   * @param values the results
   * @param form anything; the same for all arguments of a kind
   */
  public record Formed(List<Array> values, Object form) {}

  /**
   * A function of one array, fused.
   *
   * @param f the function
   * @return a function with the same results
   */
  public static One fuse(Function<Array, Array> f) {
    return new One(Coerce.given("f", f));
  }

  /**
   * A function of several arrays, fused.
   *
   * @param f the function
   * @return a function with the same results
   */
  public static All fuses(Function<List<Array>, List<Array>> f) {
    Coerce.given("f", f);
    return new All(xs -> new Formed(f.apply(xs), null));
  }

  /**
   * A function of several arrays, fused, for hosts that make something else of its results.
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
     * What was made of the function so far.
     *
     * @return for each kind of arguments, the latest first: {@code arguments}, {@code calls},
     *     {@code steps}, and {@code fallback}, the reason, where it is run as it is
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
     * What was made of the function so far.
     *
     * @return for each kind of arguments, the latest first: {@code arguments}, {@code calls},
     *     {@code steps}, and {@code fallback}, the reason, where it is run as it is
     */
    public List<Map<String, Object>> report() {
      return fused.report();
    }
  }
}
