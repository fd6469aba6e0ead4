package ndgrad.op.spec;

import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.NdException;
import ndgrad.ShapeException;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.Frames;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;

/**
 * Ops that write into their first array. The history of the array, or of the root it is a view of,
 * is rewritten, so that gradients are those of the program as it ran; every view of the root
 * follows.
 */
public final class InPlace {
  private InPlace() {}

  /**
   * The in-place form of an op.
   *
   * @param op the op
   * @param options its options
   * @param positional its arguments; the first array is modified
   * @return the first array
   * @throws ArgumentException when the array is a read-only broadcast view
   * @throws DTypeException when the result would have to be narrowed
   * @throws ShapeException when the result has another shape than the array
   * @throws GraphException when a leaf that requires a gradient would have to be differentiated
   *     through
   */
  public static Tensor call(Op op, Map<?, ?> options, Object... positional) {
    try {
      return Frames.within(() -> write(op, options, positional));
    } catch (NdException e) {
      throw e.during(op.name() + "!");
    }
  }

  private static Tensor write(Op op, Map<?, ?> options, Object[] positional) {
    Args args = op.spec().signature().bind(positional, options);
    Tensor[] ins = args.tensors();
    Tensor target = ins[0];
    boolean tracked = guard(target, Arrays.asList(ins).subList(1, ins.length));
    if (op instanceof Elementwise e) {
      return elementwise(e, target, ins, tracked);
    }
    Tensor first = tracked ? snapshot(target) : target;
    return replace(
        target, tracked, op.name(), t -> (Tensor) op.call(options, with(positional, first)));
  }

  private static Object[] with(Object[] positional, Tensor first) {
    Object[] out = new Object[positional.length];
    Arrays.setAll(out, i -> positional[i] == positional[0] ? first : positional[i]);
    return out;
  }

  private static Tensor elementwise(Elementwise op, Tensor target, Tensor[] ins, boolean tracked) {
    // Anomaly mode looks at a result before it is written.
    boolean direct = !tracked && !Anomaly.isOn();
    boolean written = direct && op.runIntoAgain(ins);
    if (!written) {
      requireDtype(target, op.resultDtype(ins));
      Layout[] layouts = Arrays.stream(ins).map(Tensor::layout).toArray(Layout[]::new);
      requireShape(target, Layout.of(Dimensions.broadcast(layouts)));
      written = direct && op.runInto(ins);
    }
    if (written) {
      bump(target, op.name() + "!");
      return target;
    }
    Tensor first = tracked && savesTarget(op, ins) ? snapshot(target) : target;
    Tensor[] operands = ins.clone();
    for (int i = 0; i < operands.length; i++) {
      operands[i] = operands[i] == target ? first : operands[i];
    }
    return replace(target, tracked, op.name(), t -> (Tensor) op.call((Object[]) operands));
  }

  /** Whether a gradient reads the target, which may be more than one of the inputs. */
  private static boolean savesTarget(Elementwise op, Tensor[] ins) {
    for (int i = 0; i < ins.length; i++) {
      if (ins[i] == ins[0] && op.saves(ins, i)) {
        return true;
      }
    }
    return false;
  }

  /** What the array was, with its history, for rules that read it after it was overwritten. */
  private static Tensor snapshot(Tensor target) {
    Tensor copy = new Tensor(Copies.copyOf(target.strided()));
    target.gradFn().ifPresent(copy::madeBy);
    return copy;
  }

  private static Tensor replace(
      Tensor target, boolean tracked, String name, Function<Tensor, Tensor> compute) {
    boolean before = GradMode.set(tracked);
    Tensor result;
    try {
      result = compute.apply(target);
    } finally {
      GradMode.set(before);
    }
    requireDtype(target, result.dtype());
    requireShape(target, result.layout());
    write(target, result, name + "!");
    if (tracked) {
      if (target.root() == target && result.gradFn().isPresent()) {
        target.madeBy(result.gradFn().get());
        target.rewritten();
      } else {
        rewrite(target, result);
      }
    }
    return target;
  }

  /**
   * Overwrites every element of an array, converting the value's dtype as NumPy's assignment does.
   *
   * @param target the array, modified
   * @param value broadcast to its shape
   * @param name the op to name as the one that changed it
   * @return the target
   */
  public static Tensor assign(Tensor target, Tensor value, String name) {
    boolean tracked = guard(target, List.of(value));
    Layout stretched = value.layout().broadcastTo(target.shape());
    requireFits(target.dtype(), value);
    if (!tracked) {
      write(target, new Tensor(value.strided().with(stretched)), name);
      return target;
    }
    Tensor cast = Structural.cast(value, target.dtype());
    Tensor full = Structural.BROADCAST_TO.of(cast, target.shape());
    write(target, full, name);
    rewrite(target, full);
    return target;
  }

  /**
   * Checks that a host integer can be written into an array.
   *
   * @param dtype the array's dtype
   * @param value what is written
   * @throws DTypeException when it is a host integer too large for the dtype
   */
  public static void requireFits(DType dtype, Tensor value) {
    if (dtype == DType.INT32
        && value.isWeak()
        && value.strided().array() instanceof long[] a
        && a[0] != (int) a[0]) {
      throw Coerce.tooWide(a[0], "convert the array to int64 first");
    }
  }

  private static void write(Tensor target, Tensor value, String name) {
    Copies.copy(value.strided(), target.strided());
    bump(target, name);
  }

  /**
   * Counts an in-place change of an array's storage.
   *
   * @param target the array that was written to
   * @param name the op to name as the one that did it
   */
  public static void bump(Tensor target, String name) {
    target.strided().storage().bump(name);
    if (Anomaly.isOn()) {
      target.strided().storage().noteSite(Anomaly.site());
    }
  }

  /**
   * Makes the root's history: what it was, with the target's part replaced by the value.
   *
   * @param target the array that was written to
   * @param value what was written, of its shape and dtype
   */
  public static void rewrite(Tensor target, Tensor value) {
    Tensor root = target.root();
    root.madeBy(
        new Node(
            Structural.WRITE,
            target.layout(),
            new Tensor[] {root, value},
            root.layout(),
            root.dtype()));
    root.rewritten();
  }

  /**
   * Checks that an array may be written to.
   *
   * @param target the array
   * @param others what is written into it
   * @return whether the write must be recorded
   */
  public static boolean guard(Tensor target, List<Tensor> others) {
    Trace.refuse("writes in place");
    boolean lifted = target.level() > 0;
    boolean trackedValue = false;
    for (Tensor other : others) {
      lifted |= other.level() > 0;
      trackedValue |= other.requiresGrad();
    }
    if (lifted) {
      throw new GraphException(
          "cannot write in place inside jvp or vmap; use the out-of-place form, or setitem",
          "shape",
          target.layout().shape());
    }
    if (target.isReadOnly()) {
      throw new ArgumentException(
          "cannot write into a broadcast view of shape "
              + target.layout()
              + ": several elements share one place; copy it first",
          "shape",
          target.layout().shape());
    }
    if (!GradMode.isEnabled()) {
      return false;
    }
    if (target.isLeaf() && target.requiresGrad()) {
      if (trackedValue) {
        throw new GraphException(
            "cannot write a tracked value into a leaf that requires a gradient; use the"
                + " out-of-place form, or detach the value",
            "shape",
            target.layout().shape());
      }
      return false;
    }
    // A tracked view of an array without history is a view of a leaf, which may itself be a view of
    // that array.
    Tensor root = target.root();
    if (root != target && root.isLeaf() && (root.requiresGrad() || target.requiresGrad())) {
      throw new GraphException(
          "cannot write into a view of a leaf that requires a gradient; write to the leaf itself,"
              + " use no-grad, or setitem, which makes a new array",
          "shape",
          target.layout().shape());
    }
    return trackedValue || target.requiresGrad();
  }

  private static void requireDtype(Tensor target, DType result) {
    if (result != target.dtype()) {
      throw new DTypeException(
          "the result is "
              + result
              + " and would be narrowed to the array's "
              + target.dtype()
              + "; use the out-of-place form or astype",
          "dtype",
          target.dtype().toString(),
          "result",
          result.toString());
    }
  }

  private static void requireShape(Tensor target, Layout result) {
    if (!result.sameShape(target.layout())) {
      throw new ShapeException(
          "the result has shape " + result + ", the array it is written into " + target.layout(),
          "shapes",
          List.of(target.layout().shape(), result.shape()));
    }
  }
}
