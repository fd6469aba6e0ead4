package ndgrad.op.spec;

import java.util.Optional;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Layout;

/**
 * An op that maps a layout to a layout: its result shares storage and version counter with its
 * input.
 */
public final class View extends Op implements Rule, Lifting.Liftable {

  /** From the layout of the array to that of the view. */
  @FunctionalInterface
  public interface Map {
    /**
     * The view's layout.
     *
     * @param args the arguments
     * @param layout the array's layout
     * @return the view's; empty when it can't be one, which makes the op copy to row-major order
     *     first
     */
    Optional<Layout> apply(Args args, Layout layout);
  }

  private final Map map;
  private final Primitive.Vjp adjoint;
  private View overBatch;

  View(Spec spec, Map map, Primitive.Vjp adjoint) {
    super(spec);
    this.map = map;
    this.adjoint = adjoint;
  }

  @Override
  Object apply(Args args) {
    return run(args, args.tensors());
  }

  @Override
  public Tensor run(Args args, Tensor[] ins) {
    Tensor x = ins[0];
    if (x.level() > 0 || Trace.isOn()) {
      Tensor out = Lifting.apply(this, args, ins, x.level());
      return tracked(x)
          ? out.madeBy(new Node(this, args.withoutTensors(), ins, out.layout(), out.dtype()))
          : out;
    }
    Optional<Layout> layout = map.apply(args, x.layout());
    if (layout.isEmpty()) {
      x = Structural.COPY.of(x);
      layout = map.apply(args, x.layout());
    }
    return view(x, layout.orElseThrow(), args);
  }

  @Override
  public Tensor jvp(Args args, Tensor[] primals, Tensor out, Tensor[] tangents) {
    return run(args, tangents);
  }

  @Override
  public boolean passes() {
    return true;
  }

  /** A view of every example is one view of the batch: what moves an example moves its view. */
  @Override
  public Tensor batch(Args args, Tensor[] physical, boolean[] batched, int size) {
    return overBatch().run(args, physical);
  }

  private synchronized View overBatch() {
    if (overBatch == null) {
      overBatch =
          new View(
              Spec.define(name(), spec().signature().toString()).internal(),
              (a, l) -> map.apply(a, l.first()).map(one -> one.repeated(l.dim(0), l.stride(0))),
              (n, a, g) -> Lifting.eachOf(g, one -> adjoint.apply(n.ofExample(), a, one)));
    }
    return overBatch;
  }

  private Tensor view(Tensor x, Layout layout, Args args) {
    x.storage().array(); // Throws where there are no elements any more.
    Tensor out = new Tensor(x.strided().with(layout));
    if (x.isReadOnly() || layout.isBroadcast()) {
      out.readOnly();
    }
    boolean tracked = tracked(x);
    if (tracked) {
      out.madeBy(new Node(this, args.withoutTensors(), new Tensor[] {x}, layout, x.dtype()));
    }
    // A view made without recording from a tracked array stays outside its history, as a detached
    // one does.
    return tracked || !x.requiresGrad() ? out.viewOf(x, Structural.VIEW) : out;
  }

  @Override
  public Tensor vjp(Node node, int input, Tensor cotangent) {
    return adjoint.apply(node, (Args) node.args(), cotangent);
  }
}
