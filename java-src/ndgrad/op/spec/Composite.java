package ndgrad.op.spec;

import ndgrad.autograd.Frames;

/** An op whose body is written in other ops; its gradient is theirs. */
public final class Composite extends Op {

  /** The body. */
  @FunctionalInterface
  public interface Body {
    /**
     * Computes the result.
     *
     * @param args the arguments
     * @return a Tensor, a List of Tensor, or a host value
     */
    Object apply(Args args);
  }

  private final Body body;

  Composite(Spec spec, Body body) {
    super(spec);
    this.body = body;
  }

  @Override
  Object apply(Args args) {
    return Frames.within(() -> body.apply(args));
  }
}
