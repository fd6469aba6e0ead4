package ndgrad.kernel;

import ndgrad.DType;
import ndgrad.kernel.Expr.Fn1;
import ndgrad.kernel.Expr.Fn2;

/**
 * Functions that the platform's vector library lacks, spelled out in those that it has. All their
 * branches are computed and one is chosen.
 */
final class VectorFunctions {
  /**
   * (erf(√z)/√z - 1) on 0 to 1, by interpolation at Chebyshev's points; highest power last. The
   * last digits are those of single precision.
   */
  private static final double[] ERF_SMALL = {
    0.12837916612625122, -0.37612637877464294, 0.11283782869577408, -0.026865437626838684,
    0.005221053492277861, -0.0008484396385028958, 0.00011268253729213029, -9.673590284364764e-06
  };

  /** -log(erfc(1 + s)) on 0 to 3, by the same. */
  private static final double[] ERFC_LOG = {
    1.8496055603027344, 2.638967990875244, 0.8431016802787781, 0.04158773273229599,
    -0.010100298561155796, 0.002077427227050066, -0.00033399209496565163, 3.767698581214063e-05,
    -2.5027472929650685e-06, 6.5828579920435e-08
  };

  /** Splits a double into two halves of 26 bits. */
  private static final double SPLITTER = 0x1p27 + 1;

  private VectorFunctions() {}

  /**
   * Spells out functions.
   *
   * @param dag some outputs
   * @param number the dtype they are computed in
   * @return outputs of the same values to 2 ulp
   */
  static Dag lower(Dag dag, DType number) {
    boolean any = false;
    Expr[] done = new Expr[dag.size()];
    for (int id = 0; id < done.length; id++) {
      int[] args = dag.node(id).args();
      done[id] =
          switch (dag.node(id).expr()) {
            case Expr.Apply1(Fn1 fn, Expr _) when fn == Fn1.ERF && number.isFloating() ->
                number == DType.FLOAT32 ? single(done[args[0]]) : erf(done[args[0]]);
            case Expr.Apply1(Fn1 fn, Expr _) -> Expr.of(fn, done[args[0]]);
            case Expr.Apply2(Fn2 fn, Expr _, Expr _) -> Expr.of(fn, done[args[0]], done[args[1]]);
            case Expr.Select _ -> Expr.select(done[args[0]], done[args[1]], done[args[2]]);
            case Expr leaf -> leaf;
          };
      any |= dag.node(id).expr() instanceof Expr.Apply1(Fn1 fn, Expr _) && fn == Fn1.ERF;
    }
    if (!any) {
      return dag;
    }
    Expr[] outputs = new Expr[dag.outputs()];
    for (int j = 0; j < outputs.length; j++) {
      outputs[j] = done[dag.root(j)];
    }
    return new Dag(outputs);
  }

  private static Expr n(double value) {
    return Expr.num(value);
  }

  private static Expr polynomial(double[] c, Expr x) {
    Expr y = n(c[c.length - 1]);
    for (int i = c.length - 2; i >= 0; i--) {
      y = y.times(x).plus(n(c[i]));
    }
    return y;
  }

  private static Expr select(Expr a, Fn2 compare, double bound, Expr yes, Expr no) {
    return Expr.select(Expr.of(compare, a, n(bound)), yes, no);
  }

  private static Expr exp(Expr a) {
    return Expr.of(Fn1.EXP, a);
  }

  /**
   * The error function in single precision: x + x P(x²) below 1, 1 - exp(-Q(|x| - 1)) above. NaN
   * takes the first way, which hands it on as it is.
   */
  private static Expr single(Expr x) {
    Expr a = Expr.of(Fn1.ABS, x);
    Expr small = x.plus(x.times(polynomial(ERF_SMALL, x.times(x))));
    Expr s = Expr.of(Fn2.MIN, a, n(4)).minus(n(1));
    Expr large = n(1).minus(exp(polynomial(ERFC_LOG, s).negate()));
    return select(a, Fn2.GE, 1, select(x, Fn2.LT, 0, large.negate(), large), small);
  }

  /** {@link ScalarMath#erf}, all of whose intervals are computed. */
  private static Expr erf(Expr x) {
    Expr a = Expr.of(Fn1.ABS, x);
    Expr z = x.times(x);
    Expr small =
        x.plus(
            x.times(
                polynomial(ScalarMath.ERF_SMALL_P, z).over(polynomial(ScalarMath.ERF_SMALL_Q, z))));
    Expr s = a.minus(n(1));
    Expr middle =
        n(ScalarMath.ERF_1)
            .plus(
                polynomial(ScalarMath.ERF_MIDDLE_P, s)
                    .over(polynomial(ScalarMath.ERF_MIDDLE_Q, s)));
    Expr large = select(a, Fn2.LT, 1.25, middle, n(1).minus(tail(Expr.of(Fn2.MIN, a, n(6)))));
    return select(a, Fn2.GE, 0.84375, select(x, Fn2.LT, 0, large.negate(), large), small);
  }

  /** 1 - erf(a) from 1.25 to 6. */
  private static Expr tail(Expr a) {
    Expr s = n(1).over(a.times(a));
    Expr low = polynomial(ScalarMath.ERFC_LOW_P, s).over(polynomial(ScalarMath.ERFC_LOW_Q, s));
    Expr high = polynomial(ScalarMath.ERFC_HIGH_P, s).over(polynomial(ScalarMath.ERFC_HIGH_Q, s));
    Expr r = select(a, Fn2.LT, 1 / 0.35, low, high);
    Expr shifted = a.times(SPLITTER);
    Expr z = shifted.minus(shifted.minus(a));
    return exp(z.times(z).negate().minus(n(0.5625)))
        .times(exp(z.minus(a).times(z.plus(a)).plus(r)))
        .over(a);
  }
}
