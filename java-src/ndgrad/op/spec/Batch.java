package ndgrad.op.spec;

import java.util.Arrays;
import java.util.stream.IntStream;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;

/**
 * One application of an op to all examples of a batch, as a {@link Rule} sees it: the inputs with
 * the examples along their first axis, some perhaps without, being the same for all examples.
 */
public final class Batch {

  /** How an op is applied to a batch. */
  @FunctionalInterface
  public interface Rule {
    /**
     * Applies the op to all examples at once.
     *
     * @param batch the application
     * @return the results of the examples along the first axis
     */
    Tensor apply(Batch batch);
  }

  /** For ops that take dimensions in front of those they look at, as they are. */
  public static final Rule IN_FRONT = b -> b.call(b.args);

  /** For ops whose inputs broadcast in the dimensions in front of those they look at. */
  public static final Rule BROADCAST =
      b -> b.call(b.args, Structural.alignedBatches(b.physical, b.batched));

  /** For ops with an option {@code axis} of one or several axes, where nil stands for all. */
  public static final Rule AXES = b -> b.call(b.args.with("axis", b.shifted(b.args.ints("axis"))));

  /** For ops with a required parameter {@code axis}, one of those of the first input. */
  public static final Rule AXIS =
      b -> b.call(b.args.with("axis", b.example(0).axis(b.args.integer("axis")) + 1));

  private final Lifting.Liftable op;
  private final Args args;
  private final Tensor[] physical;
  private final boolean[] batched;
  private final int size;

  Batch(Lifting.Liftable op, Args args, Tensor[] physical, boolean[] batched, int size) {
    this.op = op;
    this.args = args;
    this.physical = physical;
    this.batched = batched;
    this.size = size;
  }

  /**
   * The arguments of the call; arrays only through this batch.
   *
   * @return the arguments
   */
  public Args args() {
    return args;
  }

  /**
   * The number of examples.
   *
   * @return the length of the batch
   */
  public int size() {
    return size;
  }

  /**
   * The number of inputs.
   *
   * @return at least one
   */
  public int arity() {
    return physical.length;
  }

  /**
   * Whether every example has an input of its own.
   *
   * @param i the input's position
   * @return false when one is shared by all
   */
  public boolean has(int i) {
    return batched[i];
  }

  /**
   * An input as it is.
   *
   * @param i its position
   * @return the examples along the first axis, or the one for all
   */
  public Tensor in(int i) {
    return physical[i];
  }

  /**
   * An input as one example has it.
   *
   * @param i its position
   * @return the layout, for its shape
   */
  public Layout example(int i) {
    return batched[i] ? physical[i].layout().first() : physical[i].layout();
  }

  /**
   * An input with all examples along the first axis.
   *
   * @param i its position
   * @return a view; one shared by all is stretched
   */
  public Tensor full(int i) {
    return batched[i]
        ? physical[i]
        : Structural.BROADCAST_TO.of(physical[i], with(physical[i].shape()));
  }

  /**
   * An input with all examples along the first axis, and axes of length 1 behind it up to a rank.
   *
   * @param i its position
   * @param rank of an example
   * @return a view; one shared by all is not stretched, and has as many axes of length 1 in front
   *     as needed
   */
  public Tensor aligned(int i, int rank) {
    Tensor x = physical[i];
    int at = batched[i] ? 1 : 0;
    while (x.ndim() - at < rank) {
      x = Structural.INSERT_AXIS.of(x, at);
    }
    return x;
  }

  /**
   * A shape with the examples in front.
   *
   * @param shape of an example
   * @return a fresh array
   */
  public int[] with(int... shape) {
    int[] out = new int[shape.length + 1];
    out[0] = size;
    System.arraycopy(shape, 0, out, 1, shape.length);
    return out;
  }

  /**
   * Axes of an example of the first input as axes of the batch.
   *
   * @param axes as the caller gave them; null for all. An example without axes takes 0 and -1, too
   * @return fresh
   */
  public int[] shifted(int[] axes) {
    Layout example = example(0);
    if (axes == null) {
      return IntStream.rangeClosed(1, example.ndim()).toArray();
    }
    return example.ndim() == 0 && axes.length == 1 && (axes[0] == 0 || axes[0] == -1)
        ? new int[0]
        : Arrays.stream(example.axes(axes)).map(i -> i + 1).toArray();
  }

  /**
   * Applies the op to all inputs, stretched where they are shared.
   *
   * @param changed the arguments, but for the arrays
   * @return the result
   */
  public Tensor call(Args changed) {
    Tensor[] ins = new Tensor[physical.length];
    for (int i = 0; i < ins.length; i++) {
      ins[i] = full(i);
    }
    return op.run(changed, ins);
  }

  /**
   * Applies the op to other inputs.
   *
   * @param changed the arguments, but for the arrays
   * @param ins the inputs
   * @return the result
   */
  public Tensor call(Args changed, Tensor... ins) {
    return op.run(changed, ins);
  }

  /**
   * Applies the op to one example after the other: for what no single call can do.
   *
   * @return the results along the first axis
   */
  public Tensor eachExample() {
    return Lifting.eachExample(op, args, physical, batched, size);
  }
}
