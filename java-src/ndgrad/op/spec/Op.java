package ndgrad.op.spec;

import java.util.Map;
import ndgrad.NdException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;

/** An op: its declaration and how it is applied. */
public abstract sealed class Op permits Composite, Elementwise, Fused, Primitive, View {
  private final Spec spec;

  Op(Spec spec) {
    this.spec = spec;
  }

  /**
   * The declaration.
   *
   * @return the spec
   */
  public Spec spec() {
    return spec;
  }

  /**
   * The public name.
   *
   * @return in kebab-case
   */
  public String name() {
    return spec.name();
  }

  /**
   * Applies the op to what callers pass.
   *
   * @param args arguments in order; options without a value may be left off at the end
   * @return a Tensor, a List of Tensor, or a host value
   */
  public Object call(Object... args) {
    return call(Map.of(), args);
  }

  /**
   * Applies the op to what callers pass.
   *
   * @param options options by name
   * @param args arguments in order
   * @return a Tensor, a List of Tensor, or a host value
   */
  public Object call(Map<?, ?> options, Object... args) {
    try {
      return apply(spec.signature().bind(args, options));
    } catch (NdException e) {
      throw e.during(name());
    }
  }

  /**
   * Applies the op, whose result is one array.
   *
   * @param args arguments in order
   * @return the result
   */
  public Tensor of(Object... args) {
    return (Tensor) call(Map.of(), args);
  }

  abstract Object apply(Args args);

  static boolean tracked(Tensor... ins) {
    for (Tensor t : ins) {
      if (t.requiresGrad()) {
        return GradMode.isEnabled();
      }
    }
    return false;
  }

  @Override
  public String toString() {
    return name();
  }
}
