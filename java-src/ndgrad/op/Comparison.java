package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Typing;

/** Comparisons, logic on truth values, and tests of floating numbers: they give untracked bool. */
public final class Comparison {
  private Comparison() {}

  private static final Expr A = in(0);
  private static final Expr B = in(1);
  private static final String STEP = "the result is boolean";

  /** a &gt; b. */
  public static final Elementwise GT =
      comparison("gt", Fn2.GT, "Whether a is greater than b, elementwise.", "greater");

  /** a &lt; b. */
  public static final Elementwise LT =
      comparison("lt", Fn2.LT, "Whether a is less than b, elementwise.", "less");

  /** a &gt;= b. */
  public static final Elementwise GE =
      comparison(
          "ge", Fn2.GE, "Whether a is greater than or equal to b, elementwise.", "greater-equal");

  /** a &lt;= b. */
  public static final Elementwise LE =
      comparison("le", Fn2.LE, "Whether a is less than or equal to b, elementwise.", "less-equal");

  /** a == b. */
  public static final Elementwise EQ =
      comparison("eq", Fn2.EQ, "Whether a and b are equal, elementwise.", "equal");

  /** a != b. */
  public static final Elementwise NE =
      comparison("ne", Fn2.NE, "Whether a and b differ, elementwise.", "not-equal");

  private static Elementwise comparison(String name, Fn2 fn, String summary, String alias) {
    return define(name, "a, b")
        .alias(alias)
        .doc(
            summary
                + " Compares in the promoted dtype and returns untracked bool; an integer number"
                + " that does not fit int32 is compared as int64. NaN is unequal to everything,"
                + " including itself, and neither less nor greater.")
        .domain(-3, 3)
        .oracle("np." + alias.replace('-', '_') + "(a, b)")
        .samples(
            "#x [2 3] #x [2 3]",
            "#x [2 3] #x [3]",
            "#x [2 1] 0.5",
            "#x [] #x []",
            "#x [0 3] #x [3]",
            "#i [3 4] #i [4]",
            "#i [4] 1.5",
            "[1.0 ##NaN ##Inf -0.0] [1.0 ##NaN ##Inf 0.0]",
            "[true false] [true true]")
        .fails(ShapeException.class, "#x [2 3] #x [4]")
        .nonDifferentiable(STEP)
        .elementwise(Typing.COMPARE, of(fn, A, B));
  }

  /** a and b. */
  public static final Elementwise LOGICAL_AND =
      logic("logical-and", Fn2.AND, "Whether both elements are true.");

  /** a or b. */
  public static final Elementwise LOGICAL_OR =
      logic("logical-or", Fn2.OR, "Whether at least one of the elements is true.");

  /** Exactly one of a and b. */
  public static final Elementwise LOGICAL_XOR =
      logic("logical-xor", Fn2.XOR, "Whether exactly one of the elements is true.");

  private static Elementwise logic(String name, Fn2 fn, String summary) {
    return define(name, "a, b")
        .doc(summary + " Numbers are true unless they are 0, NaN is true. Returns untracked bool.")
        .domain(-3, 3)
        .oracle("np." + name.replace('-', '_') + "(a, b)")
        .samples(
            "#b [2 3] #b [2 3]",
            "#b [2 3] #b [3]",
            "#x [2] #b [2]",
            "#b [] true",
            "#b [0 3] #b [3]",
            "[0 2 0 -1] [0 0 3 5]",
            "[0.0 ##NaN 0.5 -0.0] [true true false false]")
        .fails(ShapeException.class, "#b [2 3] #b [4]")
        .nonDifferentiable(STEP)
        .elementwise(Typing.LOGICAL, of(fn, A, B));
  }

  /** Not x. */
  public static final Elementwise LOGICAL_NOT =
      define("logical-not", "x")
          .doc("Whether the element is false: 0 or false; NaN is true. Returns untracked bool.")
          .domain(-3, 3)
          .oracle("np.logical_not(x)")
          .samples("#b [2 3]", "#x [4]", "#b []", "#b [0 3]", "[0 1 -2]", "[0.0 -0.0 ##NaN 0.5]")
          .nonDifferentiable(STEP)
          .elementwise(Typing.LOGICAL, of(Fn1.NOT, A));

  /** Is x NaN. */
  public static final Elementwise ISNAN =
      predicate("isnan", Fn1.ISNAN, "Whether the element is NaN; false for integers and bool.");

  /** Is x an infinity. */
  public static final Elementwise ISINF =
      predicate(
          "isinf",
          Fn1.ISINF,
          "Whether the element is an infinity of either sign; false for integers and bool.");

  /** Is x finite. */
  public static final Elementwise ISFINITE =
      predicate(
          "isfinite",
          Fn1.ISFINITE,
          "Whether the element is neither an infinity nor NaN; true for integers and bool.");

  private static Elementwise predicate(String name, Fn1 fn, String summary) {
    return define(name, "x")
        .doc(summary + " Returns untracked bool.")
        .domain(-3, 3)
        .oracle("np." + name + "(x)")
        .samples("#x [2 3]", "#x []", "#x [0 3]", "#i [3]", "[1.0 ##NaN ##Inf ##-Inf 0.0]")
        .nonDifferentiable(STEP)
        .elementwise(Typing.PREDICATE, of(fn, A));
  }

  /** The test of {@link #ISCLOSE} without its option: |a - b| &lt;= atol + rtol |b|, or equal. */
  private static final Elementwise NEAR =
      define("isclose", "a, b, rtol, atol")
          .internal()
          .nonDifferentiable(STEP)
          .elementwise(
              Typing.PREDICATE,
              of(
                  Fn2.OR,
                  of(Fn2.EQ, A, B),
                  of(
                      Fn2.AND,
                      of(Fn1.ISFINITE, B),
                      of(
                          Fn2.LE,
                          of(Fn1.ABS, A.minus(B)),
                          in(3).plus(in(2).times(of(Fn1.ABS, B)))))));

  private static final String RTOL = "the tolerance relative to |b|";
  private static final String ATOL = "the absolute tolerance";
  private static final String EQUAL_NAN = "whether NaN counts as equal to NaN";

  /** Near each other, elementwise. */
  public static final Composite ISCLOSE =
      define("isclose", "a, b, rtol = 1e-5, atol = 1e-8, equal-nan: flag = false")
          .param("rtol", RTOL)
          .param("atol", ATOL)
          .param("equal-nan", EQUAL_NAN)
          .doc(
              "Whether |a - b| <= atol + rtol*|b|, elementwise; infinities are close only to"
                  + " themselves. Not symmetric in a and b, as in NumPy. Integers are compared as"
                  + " float64. Returns untracked bool.")
          .domain(-3, 3)
          .oracle("np.isclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3] {:atol 1.0}",
              "#x [2] 0.5 {:rtol 0.5}",
              "#x [0 3] #x [3]",
              "[1.0 1.0 ##NaN ##Inf ##Inf] [1.000001 1.1 ##NaN ##Inf 1.0]",
              "[##NaN ##NaN 1.0] [##NaN 1.0 1.0] {:equal-nan true}")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .nonDifferentiable(STEP)
          .composite(Comparison::isclose);

  private static Tensor isclose(Args args) {
    Tensor a = args.tensor("a");
    Tensor b = args.tensor("b");
    // First, so that an error names these two shapes only.
    Dimensions.broadcast(a.layout(), b.layout());
    Tensor near = NEAR.of(a, b, args.tensor("rtol"), args.tensor("atol"));
    return args.flag("equal-nan") ? LOGICAL_OR.of(near, bothNan(a, b)) : near;
  }

  private static Tensor bothNan(Tensor a, Tensor b) {
    return LOGICAL_AND.of(ISNAN.of(a), ISNAN.of(b));
  }

  /** All elements near each other. */
  public static final Composite ALLCLOSE =
      define("allclose", "a, b, rtol = 1e-5, atol = 1e-8, equal-nan: flag = false")
          .param("rtol", RTOL)
          .param("atol", ATOL)
          .param("equal-nan", EQUAL_NAN)
          .doc(
              "Whether isclose holds for all elements of the broadcast arrays: |a - b| <="
                  + " atol + rtol*|b|. Returns a plain boolean; true for empty arrays.")
          .domain(-3, 3)
          .oracle("np.allclose(a, b, rtol=rtol, atol=atol, equal_nan=equal_nan)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [2 3] {:atol 10}",
              "#x [0 3] #x [3]",
              "[1.0 2.0] [1.000001 2.0]",
              "[1.0 ##NaN] [1.0 ##NaN]",
              "[1.0 ##NaN] [1.0 ##NaN] {:equal-nan true}",
              "[##Inf 1.0] [##Inf 1.0]")
          .fails(ShapeException.class, "#x [2 3] #x [4]")
          .gives(Spec.Result.BOOLEAN)
          .nonDifferentiable(STEP)
          .composite(args -> allTrue(isclose(args)));

  /** Same shape and elements. */
  public static final Composite ARRAY_EQUAL =
      define("array-equal", "a, b, equal-nan: flag = false")
          .param("b", "the second array")
          .param("equal-nan", EQUAL_NAN)
          .doc(
              "Whether two arrays have the same shape and equal elements, whatever their"
                  + " dtypes. Returns a plain boolean; shapes are not broadcast.")
          .domain(-3, 3)
          .oracle("np.array_equal(a, b, equal_nan=equal_nan)")
          .samples(
              "#x [2 3] #x [2 3]",
              "#x [2 3] #x [3]",
              "#x [0 3] #x [0 3]",
              "#x [0 3] #x [3 0]",
              "[1 2] [1.0 2.0]",
              "[1.0 ##NaN] [1.0 ##NaN]",
              "[1.0 ##NaN] [1.0 ##NaN] {:equal-nan true}")
          .gives(Spec.Result.BOOLEAN)
          .nonDifferentiable(STEP)
          .composite(Comparison::arrayEqual);

  private static boolean arrayEqual(Args args) {
    Tensor a = args.tensor("a");
    Tensor b = args.tensor("b");
    if (!Arrays.equals(a.shape(), b.shape())) {
      return false;
    }
    Tensor same = EQ.of(a, b);
    return allTrue(args.flag("equal-nan") ? LOGICAL_OR.of(same, bothNan(a, b)) : same);
  }

  private static boolean allTrue(Tensor fresh) {
    for (boolean each : (boolean[]) fresh.strided().array()) {
      if (!each) {
        return false;
      }
    }
    return true;
  }
}
