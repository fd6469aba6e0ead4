package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import ndgrad.NdException;
import ndgrad.kernel.expr.Expr;

/**
 * The declaration of an op, made where the op is defined and nowhere else: the fluent Java method,
 * the Clojure function, the reference page and the rows of the test matrix are derived from it.
 *
 * <p>Samples are lines of EDN, the positional arguments and options of a call, where {@code #x [2
 * 3]} stands for a floating array of that shape drawn from the op's domain, {@code #i [2 3]} for
 * one of small integers and {@code #b [2 3]} for one of truth values.
 */
public final class Spec {

  /**
   * Where an op may be sampled.
   *
   * @param low the least value
   * @param high the greatest value
   * @param kinks points at which the op has no derivative
   */
  public record Domain(double low, double high, List<Double> kinks) {}

  /**
   * A call that must fail.
   *
   * @param error what it throws
   * @param call the arguments, as in a sample
   */
  public record Failure(Class<? extends NdException> error, String call) {}

  /** What an op gives. */
  public enum Result {
    /** One array. */
    ARRAY,
    /** A list of arrays. */
    ARRAYS,
    /** A truth value of the host. */
    BOOLEAN
  }

  private final String name;
  private final Signature signature;
  private final List<String> aliases = new ArrayList<>();
  private final List<Domain> domains = new ArrayList<>();
  private final List<String> samples = new ArrayList<>();
  private final List<Failure> failures = new ArrayList<>();
  private final Map<String, String> paramDocs = new HashMap<>();
  private final Map<Integer, Primitive.Gradient> gradients = new HashMap<>();
  private Primitive.EachGradient each;
  private Primitive.VjpTogether together;
  private Primitive.Jvp jvp;
  private Primitive.Find find;
  private Batch.Rule batch;
  private String doc = "";
  private String oracle = "";
  private String nonDifferentiable = "";
  private Result result = Result.ARRAY;
  private Elementwise.Check check = (compute, ins) -> {};
  private boolean inPlace;
  private boolean linear;
  private Fold fold;
  private final Map<Double, Optional<Expr>> common = new HashMap<>();
  private boolean listed = true;

  private Spec(String name, String signature) {
    this.name = name;
    this.signature = Signature.parse(signature);
  }

  /**
   * Starts a declaration.
   *
   * @param name the public name in kebab-case
   * @param signature the parameters, as {@link Signature} reads them
   * @return the declaration
   */
  public static Spec define(String name, String signature) {
    return new Spec(name, signature);
  }

  /**
   * Other public names of the same op.
   *
   * @param names the synonyms
   * @return this
   */
  public Spec alias(String... names) {
    aliases.addAll(Arrays.asList(names));
    return this;
  }

  /**
   * What the op does: the first sentence is the summary.
   *
   * @param text meaning, shapes, dtypes, errors, subgradients, source of a formula
   * @return this
   */
  public Spec doc(String text) {
    doc = text;
    return this;
  }

  /**
   * What a parameter means.
   *
   * @param param its name
   * @param text what it means
   * @return this
   */
  public Spec param(String param, String text) {
    signature.indexOf(param);
    paramDocs.put(param, text);
    return this;
  }

  /**
   * Where the next input (in order of calls; the last call holds for all further ones) may be
   * sampled.
   *
   * @param low the least value
   * @param high the greatest value
   * @param kinks points at which the op has no derivative
   * @return this
   */
  public Spec domain(double low, double high, double... kinks) {
    domains.add(new Domain(low, high, Arrays.stream(kinks).boxed().toList()));
    return this;
  }

  /**
   * The same call in NumPy or PyTorch, an expression of Python in the parameters' names.
   *
   * @param python the expression
   * @return this
   */
  public Spec oracle(String python) {
    oracle = python;
    return this;
  }

  /**
   * Example calls for the test matrix.
   *
   * @param calls the arguments of each
   * @return this
   */
  public Spec samples(String... calls) {
    samples.addAll(Arrays.asList(calls));
    return this;
  }

  /**
   * A call that must fail.
   *
   * @param error what it throws
   * @param calls the arguments of each
   * @return this
   */
  public Spec fails(Class<? extends NdException> error, String... calls) {
    for (String c : calls) {
      failures.add(new Failure(error, c));
    }
    return this;
  }

  /**
   * Declares that there is a form that writes its result into the first array.
   *
   * @return this
   */
  public Spec inPlace() {
    inPlace = true;
    return this;
  }

  /**
   * What the op gives, where that is not one array.
   *
   * @param kind what it gives
   * @return this
   */
  public Spec gives(Result kind) {
    result = kind;
    return this;
  }

  /**
   * What an elementwise op demands of its inputs' values.
   *
   * @param test throws for inputs it refuses, before anything is computed
   * @return this
   */
  public Spec check(Elementwise.Check test) {
    check = test;
    return this;
  }

  /**
   * Declares that no gradient flows, on purpose.
   *
   * @param why the reason
   * @return this
   */
  public Spec nonDifferentiable(String why) {
    nonDifferentiable = why;
    return this;
  }

  /**
   * Declares a helper of other ops that has no public name.
   *
   * @return this
   */
  public Spec internal() {
    listed = false;
    return this;
  }

  /**
   * Host numbers for which an elementwise op of two inputs has a form of its own: with such a
   * second operand the expression is simplified, and compiled, with the number in its place.
   *
   * @param seconds the numbers
   * @return this
   */
  public Spec specialise(double... seconds) {
    for (double second : seconds) {
      common.put(second, Optional.empty());
    }
    return this;
  }

  /**
   * Declares the form for one host number.
   *
   * @param second the number
   * @param form the expression of the first input
   * @return this
   */
  public Spec specialise(double second, Expr form) {
    common.put(second, Optional.of(form));
    return this;
  }

  /**
   * Declares that the op is linear in its floating inputs together: its tangent is the op of the
   * tangents.
   *
   * @return this
   */
  public Spec linear() {
    linear = true;
    return this;
  }

  /**
   * Declares a primitive to be a plain reduction of its first input, so that it can be fused with
   * the elementwise ops that compute its elements; its options are {@code axis}, {@code keepdims}
   * and, where two passes divide, {@code ddof}.
   *
   * @param kind what it makes of floating elements
   * @return this
   */
  public Spec folds(Fold kind) {
    fold = kind;
    return this;
  }

  /**
   * The gradient of one input.
   *
   * @param input its position
   * @param saves names of the array parameters the rule reads, and {@code out} for the output;
   *     separated by spaces
   * @param rule the vector-Jacobian product, written in differentiable ops
   * @return this
   */
  public Spec vjp(int input, String saves, Primitive.Vjp rule) {
    gradients.put(input, new Primitive.Gradient(saves, rule));
    return this;
  }

  /**
   * What the rules read besides what they save: it is computed when the op is recorded, so that
   * inputs and output may be changed or forgotten afterwards.
   *
   * @param rule finds it, by an op that no gradient passes; the rules get it from {@link
   *     ndgrad.autograd.Node#found}
   * @return this
   */
  public Spec finds(Primitive.Find rule) {
    find = rule;
    return this;
  }

  /**
   * The gradient of any input, for ops of a list of arrays.
   *
   * @param saves names of the array parameters the rule reads, and {@code out} for the output;
   *     separated by spaces
   * @param rule the vector-Jacobian product, written in differentiable ops
   * @return this
   */
  public Spec vjpEach(String saves, Primitive.VjpEach rule) {
    each = new Primitive.EachGradient(saves, rule);
    return this;
  }

  /**
   * The gradients of all inputs, where one pass makes them; what it may read of the arguments is
   * said by {@link #vjp}, whose rules give the same.
   *
   * @param rule the vector-Jacobian products, written in differentiable ops where they are recorded
   * @return this
   */
  public Spec vjpTogether(Primitive.VjpTogether rule) {
    together = rule;
    return this;
  }

  /**
   * The tangent of the result, where that is cheaper than what follows from the gradients.
   *
   * @param rule the Jacobian-vector product, written in differentiable ops
   * @return this
   */
  public Spec jvp(Primitive.Jvp rule) {
    jvp = rule;
    return this;
  }

  /**
   * How the op is applied to all examples of a batch at once; without it they are taken one after
   * the other.
   *
   * @param rule the rule
   * @return this
   */
  public Spec batch(Batch.Rule rule) {
    batch = rule;
    return this;
  }

  /**
   * An op that applies a scalar expression to every element.
   *
   * @param typing the dtype rule
   * @param expr the expression
   * @param partials its partial derivatives in the inputs, then the output (input number n), where
   *     they are cheaper or more stable than the symbolic ones; null for the symbolic one
   * @return the op
   */
  public Elementwise elementwise(Typing typing, Expr expr, Expr... partials) {
    return new Elementwise(this, typing, expr, partials);
  }

  /**
   * An op with a kernel and a rule.
   *
   * @param forward the kernel
   * @return the op
   */
  public Primitive primitive(Primitive.Forward forward) {
    return new Primitive(this, forward, null, gradients, each);
  }

  /**
   * An op with a rule and a kernel that leaves notes for the gradient's.
   *
   * @param forward the kernel
   * @return the op
   */
  public Primitive noting(Primitive.Noting forward) {
    return new Primitive(this, null, forward, gradients, each);
  }

  /**
   * An op that maps a layout to a layout over the same storage.
   *
   * @param map the layout of the view; empty makes the op copy to row-major order first
   * @param adjoint the gradient
   * @return the op
   */
  public View view(View.Map map, Primitive.Vjp adjoint) {
    return new View(this, map, adjoint);
  }

  /**
   * An op written in other ops.
   *
   * @param body takes the arguments; returns a Tensor, a List of Tensor, or a host value
   * @return the op
   */
  public Composite composite(Composite.Body body) {
    return new Composite(this, body);
  }

  /**
   * The public name.
   *
   * @return in kebab-case
   */
  public String name() {
    return name;
  }

  /**
   * The parameters.
   *
   * @return the signature
   */
  public Signature signature() {
    return signature;
  }

  /**
   * The synonyms.
   *
   * @return unmodifiable
   */
  public List<String> aliases() {
    return List.copyOf(aliases);
  }

  /**
   * What the op does.
   *
   * @return the text
   */
  public String doc() {
    return doc;
  }

  /**
   * What a parameter means.
   *
   * @param param its name
   * @return the text, empty when nobody said
   */
  public String paramDoc(String param) {
    return paramDocs.containsKey(param)
        ? paramDocs.get(param)
        : signature.params().stream()
            .filter(p -> p.name().equals(param))
            .map(Param::glossary)
            .findFirst()
            .orElse("");
  }

  /**
   * Where inputs may be sampled.
   *
   * @return one for each input; the last holds for all further ones
   */
  public List<Domain> domains() {
    return List.copyOf(domains);
  }

  /**
   * The same call in Python.
   *
   * @return an expression, empty when there is none
   */
  public String oracle() {
    return oracle;
  }

  /**
   * Example calls.
   *
   * @return unmodifiable
   */
  public List<String> samples() {
    return List.copyOf(samples);
  }

  /**
   * Calls that must fail.
   *
   * @return unmodifiable
   */
  public List<Failure> failures() {
    return List.copyOf(failures);
  }

  /**
   * What the op gives.
   *
   * @return one array unless declared otherwise
   */
  public Result gives() {
    return result;
  }

  Elementwise.Check check() {
    return check;
  }

  /**
   * Why no gradient flows.
   *
   * @return empty when one does
   */
  public String nonDifferentiable() {
    return nonDifferentiable;
  }

  /**
   * Whether there is an in-place form.
   *
   * @return true when there is
   */
  public boolean isInPlace() {
    return inPlace;
  }

  /** The host numbers with a form of their own, and it where it is declared. */
  Map<Double, Optional<Expr>> specialised() {
    return common;
  }

  /**
   * Whether the op is linear in its floating inputs together.
   *
   * @return true when declared so
   */
  public boolean isLinear() {
    return linear;
  }

  /** What it makes of floating elements; null for what is no plain reduction. */
  Fold fold() {
    return fold;
  }

  Primitive.VjpTogether together() {
    return together;
  }

  Primitive.Jvp jvp() {
    return jvp;
  }

  Primitive.Find find() {
    return find;
  }

  Batch.Rule batch() {
    return batch;
  }

  /**
   * Whether the op has a public name.
   *
   * @return false for helpers of other ops
   */
  public boolean isListed() {
    return listed;
  }
}
