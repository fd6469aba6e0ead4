package ndgrad.kernel.random;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;

import ndgrad.DType;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Strided;

/**
 * The inverse of the normal distribution function: M. J. Wichura, "Algorithm AS 241: The percentage
 * points of the normal distribution" (Applied Statistics 37, 1988). For float64 PPND16, with a
 * relative error of about 1e-16, for float32 PPND7, of about 1e-7.
 */
final class NormalQuantile {
  /** A quotient of polynomials of one degree, the highest power first. */
  private record Quotient(double[] top, double[] bottom) {}

  private static final Quotient CENTRE =
      new Quotient(
          new double[] {
            2.5090809287301226727e3, 3.3430575583588128105e4, 6.7265770927008700853e4,
            4.5921953931549871457e4, 1.3731693765509461125e4, 1.9715909503065514427e3,
            1.3314166789178437745e2, 3.3871328727963666080e0
          },
          new double[] {
            5.2264952788528545610e3, 2.8729085735721942674e4, 3.9307895800092710610e4,
            2.1213794301586595867e4, 5.3941960214247511077e3, 6.8718700749205790830e2,
            4.2313330701600911252e1, 1
          });
  private static final Quotient NEAR =
      new Quotient(
          new double[] {
            7.74545014278341407640e-4, 2.27238449892691845833e-2, 2.41780725177450611770e-1,
            1.27045825245236838258e0, 3.64784832476320460504e0, 5.76949722146069140550e0,
            4.63033784615654529590e0, 1.42343711074968357734e0
          },
          new double[] {
            1.05075007164441684324e-9, 5.47593808499534494600e-4, 1.51986665636164571966e-2,
            1.48103976427480074590e-1, 6.89767334985100004550e-1, 1.67638483018380384940e0,
            2.05319162663775882187e0, 1
          });
  private static final Quotient FAR =
      new Quotient(
          new double[] {
            2.01033439929228813265e-7, 2.71155556874348757815e-5, 1.24266094738807843860e-3,
            2.65321895265761230930e-2, 2.96560571828504891230e-1, 1.78482653991729133580e0,
            5.46378491116411436990e0, 6.65790464350110377720e0
          },
          new double[] {
            2.04426310338993978564e-15, 1.42151175831644588870e-7, 1.84631831751005468180e-5,
            7.86869131145613259100e-4, 1.48753612908506148525e-2, 1.36929880922735805310e-1,
            5.99832206555887937690e-1, 1
          });
  private static final Quotient SINGLE_CENTRE =
      new Quotient(
          new double[] {5.9109374720e1, 1.5929113202e2, 5.0434271938e1, 3.3871327179e0},
          new double[] {6.7187563600e1, 7.8757757664e1, 1.7895169469e1, 1});
  private static final Quotient SINGLE_NEAR =
      new Quotient(
          new double[] {1.7023821103e-1, 1.3067284816e0, 2.7568153900e0, 1.4234372777e0},
          new double[] {0, 1.2021132975e-1, 7.3700164250e-1, 1});
  private static final Program DOUBLES = Program.of(scaled(CENTRE, NEAR, FAR));

  /** The tails of float32 numbers of 32 bits do not reach beyond. */
  private static final Program SINGLES =
      Program.of(scaled(SINGLE_CENTRE, SINGLE_NEAR, SINGLE_NEAR));

  private NormalQuantile() {}

  /**
   * Replaces probabilities by the normal numbers beyond which such a tail lies.
   *
   * @param tails overwritten; probabilities up to a half, negative for the lower tail; float64, or
   *     float32 of at least 2⁻³³
   * @param mean the mean of the normal numbers
   * @param std their standard deviation
   */
  static void invert(Strided tails, double mean, double std) {
    DType dtype = tails.dtype();
    Program quantile = dtype == DType.FLOAT32 ? SINGLES : DOUBLES;
    quantile.run(tails, dtype, tails, Strided.number(mean, dtype), Strided.number(std, dtype));
  }

  private static Expr scaled(Quotient centre, Quotient near, Quotient far) {
    Expr tail = of(Fn1.ABS, in(0));
    Expr q = num(0.5).minus(tail);
    Expr r = of(Fn1.SQRT, of(Fn1.LOG, tail).negate());
    Expr isCentral = of(Fn2.LE, q, num(0.425));
    Expr isNear = of(Fn2.LE, r, num(5));
    Expr x =
        select(
            isCentral,
            num(0.180625).minus(q.times(q)),
            r.minus(choose(isNear, 1.6, near == far ? 1.6 : 5)));
    // One quotient of chosen coefficients: cheaper than to choose one of three.
    Expr[] sides = new Expr[2];
    for (int side = 0; side < 2; side++) {
      double[] c = side == 0 ? centre.top : centre.bottom;
      double[] n = side == 0 ? near.top : near.bottom;
      double[] f = side == 0 ? far.top : far.bottom;
      for (int i = 0; i < c.length; i++) {
        Expr coefficient = select(isCentral, num(c[i]), choose(isNear, n[i], f[i]));
        sides[side] = i == 0 ? coefficient : sides[side].times(x).plus(coefficient);
      }
    }
    Expr z = select(isCentral, q, num(1)).times(sides[0]).over(sides[1]);
    return in(1).plus(in(2).times(select(of(Fn2.LT, in(0), num(0)), z.negate(), z)));
  }

  private static Expr choose(Expr test, double yes, double no) {
    return yes == no ? num(yes) : select(test, num(yes), num(no));
  }
}
