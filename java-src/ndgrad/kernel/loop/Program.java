package ndgrad.kernel.loop;

import java.util.List;
import java.util.Optional;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InnerStrides;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Scalar expressions, ready to run over the elements of arrays. Immutable and safe to share between
 * threads; a kernel is compiled at the first use of each combination of dtypes and layouts and
 * kept.
 */
public final class Program {
  /** Work worth handing to another thread, in the units of {@link Dag#cost}: some 6 µs. */
  private static final int GRAIN = 60_000;

  /** Operands whose strides and dtypes fit into one long, 8 bits each beside the form. */
  private static final int NARROW = 8;

  /** The positions of so many operands that all begin at 0. */
  private static final int[] ORIGINS = new int[3 * NARROW];

  private final Expr[] outputs;
  private final Dag dag;
  private final int inputs;
  private final int grain;
  private final int vectorGrain;
  private final boolean arithmetic;
  private final ConcurrentHashMap<Object, Kernel> kernels = new ConcurrentHashMap<>();
  private volatile Compiled last = new Compiled(-1, null);

  private record Compiled(long key, Kernel kernel) {}

  private Program(Expr[] outputs) {
    this.outputs = outputs;
    this.dag = new Dag(Simplify.of(outputs));
    this.inputs = new Dag(outputs).inputs();
    this.grain = GRAIN / dag.cost();
    this.vectorGrain = GRAIN / dag.vectorCost();
    this.arithmetic = Forms.isVectorisedByTheJit(dag);
  }

  /**
   * Prepares expressions; kernels are compiled when they run first.
   *
   * @param outputs at least one expression; output j of a run gets the values of expression j
   * @return the program
   */
  public static Program of(Expr... outputs) {
    if (outputs.length == 0) {
      throw new IllegalArgumentException("a program needs at least one output");
    }
    return new Program(outputs.clone());
  }

  /**
   * Runs over all elements. An output may share its storage with an input: the results are as if
   * all inputs had been read before anything was written.
   *
   * @param outs the outputs, all of one shape, none of them a broadcast view; overwritten, results
   *     converted to their dtypes as {@link Copies#copy} does
   * @param load the dtype that each input is converted to when it is loaded
   * @param ins the inputs, broadcast to the outputs' shape; not modified
   * @throws ShapeException when an input does not broadcast or the outputs differ in shape
   */
  public void run(Strided[] outs, DType[] load, Strided[] ins) {
    check(outs, load, ins);
    if (outs[0].layout().size() == 0) {
      return;
    }
    Strided[] sources = unaliased(outs, ins);
    int operands = outs.length + sources.length;
    Object[] data = new Object[operands];
    for (int k = 0; k < operands; k++) {
      data[k] = (k < outs.length ? outs[k] : sources[k - outs.length]).array();
    }
    int size = outs[0].layout().intSize();
    long strides = flatStrides(outs, sources, size);
    if (strides != 0 && size < 2 * grain) {
      int[] at = origins(outs, sources) ? ORIGINS : positions(outs, sources);
      boolean aligned = true;
      for (int k = 1; at != ORIGINS && k < operands; k++) {
        aligned &= at[k] == at[0] || InnerStrides.of(strides, k) == 0;
      }
      kernel(outs, load, sources, strides, aligned).run(data, at, 1, size);
      return;
    }
    Nest nest = Nest.of(outs, sources);
    strides = nest.innerStrides(dag.cost(), arithmetic);
    Kernel kernel = kernel(outs, load, sources, strides, nest.aligned(strides));
    nest.run(kernel, data, kernel.isVector() ? vectorGrain : grain);
  }

  /**
   * How to run over few elements, without a look at the operands.
   *
   * @param out the output; not modified
   * @param load the dtype that each input is converted to when it is loaded
   * @param ins the inputs
   * @return a run over such operands, which holds for all that have the same dtypes and layouts,
   *     or, unless all layouts are fresh, layouts with the {@linkplain Layout#sameSteps same
   *     steps}; empty where there are many elements, or none, and where the output is a view
   */
  public Optional<Run> few(Strided out, DType[] load, Strided[] ins) {
    int size = out.layout().intSize();
    if (!out.layout().isFresh() || ins.length >= NARROW || size == 0 || size >= 2 * grain) {
      return Optional.empty();
    }
    boolean fresh = true;
    for (Strided in : ins) {
      fresh &= in.layout().isFresh();
    }
    Strided[] outs = {out};
    long strides = flatStrides(outs, ins, size);
    if (strides != 0) {
      Kernel flat = kernel(outs, load, ins, strides, fresh);
      return Optional.of(new Run(fresh, (data, at) -> flat.run(data, at, 1, size)));
    }
    Nest nest = Nest.of(outs, ins);
    strides = nest.innerStrides(dag.cost(), arithmetic);
    Kernel kernel = kernel(outs, load, ins, strides, fresh && nest.aligned(strides));
    return Optional.of(new Run(fresh, (data, at) -> nest.run(kernel, data, at)));
  }

  /** What a run over few elements does. */
  @FunctionalInterface
  public interface Loops {
    /**
     * Runs the loops.
     *
     * @param data the operands' primitive arrays, the output's first
     * @param at where each operand begins, with room for its strides; not modified
     */
    void run(Object[] data, int[] at);
  }

  /**
   * A run over few elements.
   *
   * @param fresh whether all operands are at the beginning of their storages
   * @param loops what it does
   */
  public record Run(boolean fresh, Loops loops) {
    /**
     * Runs.
     *
     * @param out the output, overwritten; it shares its primitive array with inputs of its own
     *     layout only
     * @param ins the inputs, of the layouts and dtypes that this is for
     */
    public void run(Strided out, Strided[] ins) {
      Object[] data = new Object[ins.length + 1];
      data[0] = out.array();
      for (int i = 0; i < ins.length; i++) {
        data[i + 1] = ins[i].array();
      }
      loops.run(data, fresh ? ORIGINS : positions(new Strided[] {out}, ins));
    }
  }

  /**
   * Runs over one input.
   *
   * @param out the output, overwritten
   * @param compute the dtype to compute in
   * @param a the input
   */
  public void run(Strided out, DType compute, Strided a) {
    run(new Strided[] {out}, new DType[] {compute}, new Strided[] {a});
  }

  /**
   * Runs over two inputs.
   *
   * @param out the output, overwritten
   * @param compute the dtype to compute in
   * @param a the first input
   * @param b the second input
   */
  public void run(Strided out, DType compute, Strided a, Strided b) {
    run(new Strided[] {out}, new DType[] {compute, compute}, new Strided[] {a, b});
  }

  /**
   * Runs over three inputs.
   *
   * @param out the output, overwritten
   * @param compute the dtype to compute in
   * @param a the first input
   * @param b the second input
   * @param c the third input
   */
  public void run(Strided out, DType compute, Strided a, Strided b, Strided c) {
    run(new Strided[] {out}, new DType[] {compute, compute, compute}, new Strided[] {a, b, c});
  }

  /**
   * A rough cost of one element.
   *
   * @return in units of 0.1 ns, for plain loops
   */
  public int cost() {
    return dag.cost();
  }

  /**
   * Whether computing a function such as exp again costs less than storing its values.
   *
   * @return false where there are no vectors for it
   */
  public static boolean areFunctionsCheap() {
    return Forms.areFunctionsVectors();
  }

  /**
   * The size of the expressions.
   *
   * @return the number of different subexpressions, inputs and constants left out
   */
  public int nodes() {
    int n = 0;
    for (int id = 0; id < dag.size(); id++) {
      n += dag.node(id).args().length > 0 ? 1 : 0;
    }
    return n;
  }

  /**
   * What the loops of elementwise ops and reductions are made of in this JVM.
   *
   * @return a phrase for people
   */
  public static String form() {
    return Forms.describe();
  }

  /**
   * The number of kernels compiled so far.
   *
   * @return one for each combination of dtypes and kinds of layout that has been run
   */
  int kernels() {
    return kernels.size();
  }

  private void check(Strided[] outs, DType[] load, Strided[] ins) {
    if (outs.length != outputs.length || ins.length < inputs || load.length != ins.length) {
      throw new IllegalArgumentException(
          "a program of "
              + outputs.length
              + " outputs and "
              + inputs
              + " inputs was given "
              + outs.length
              + " outputs, "
              + ins.length
              + " inputs and "
              + load.length
              + " dtypes");
    }
    Layout shape = outs[0].layout();
    for (int j = 1; j < outs.length; j++) {
      if (!outs[j].layout().sameShape(shape)) {
        throw new ShapeException(
            "the outputs of one program must have one shape, got "
                + shape
                + " and "
                + outs[j].layout(),
            "shape",
            shape.shape());
      }
    }
    for (Strided in : ins) {
      if (!broadcasts(in.layout(), shape)) {
        in.layout().broadcastTo(shape.shape());
      }
    }
  }

  private static boolean broadcasts(Layout from, Layout to) {
    if (from == to) {
      return true;
    }
    int shift = to.ndim() - from.ndim();
    boolean fits = shift >= 0;
    for (int i = 0; fits && i < from.ndim(); i++) {
      fits = from.dim(i) == 1 || from.dim(i) == to.dim(i + shift);
    }
    return fits;
  }

  /** The inputs, those copied that an output would overwrite at other places than it reads them. */
  private static Strided[] unaliased(Strided[] outs, Strided[] ins) {
    Strided[] result = ins;
    for (int i = 0; i < ins.length; i++) {
      for (Strided out : outs) {
        if (out.array() == ins[i].array()
            && !out.layout().equals(ins[i].layout())
            && out.layout().mayOverlap(ins[i].layout())) {
          result = result == ins ? ins.clone() : result;
          result[i] = Copies.copyOf(ins[i]);
          break;
        }
      }
    }
    return result;
  }

  /**
   * The inner strides where each operand is one run of the elements or one element; 0 when some
   * operand is neither.
   */
  private static long flatStrides(Strided[] outs, Strided[] ins, int size) {
    if (outs.length + ins.length > InnerStrides.MAX_OPERANDS) {
      return 0;
    }
    long strides = InnerStrides.ones(outs.length);
    for (int k = 0; k < outs.length; k++) {
      if (!outs[k].layout().isContiguous()) {
        return 0;
      }
    }
    for (int k = 0; k < ins.length; k++) {
      Layout layout = ins[k].layout();
      if (layout.size() == size && layout.isContiguous()) {
        strides = InnerStrides.with(strides, k + outs.length, 1);
      } else if (layout.size() != 1) {
        return 0;
      }
    }
    return strides;
  }

  private static boolean origins(Strided[] outs, Strided[] ins) {
    int sum = 0;
    for (Strided out : outs) {
      sum |= out.layout().offset();
    }
    for (Strided in : ins) {
      sum |= in.layout().offset();
    }
    return sum == 0 && outs.length + ins.length <= NARROW;
  }

  private static int[] positions(Strided[] outs, Strided[] ins) {
    int operands = outs.length + ins.length;
    int[] at = new int[3 * operands];
    for (int k = 0; k < operands; k++) {
      at[k] = (k < outs.length ? outs[k] : ins[k - outs.length]).layout().offset();
    }
    return at;
  }

  private Kernel kernel(
      Strided[] outs, DType[] load, Strided[] ins, long strides, boolean aligned) {
    Kernel.Form form =
        strides == InnerStrides.VARIABLE
            ? Kernel.Form.STRIDED
            : aligned ? Kernel.Form.ALIGNED : Kernel.Form.FIXED;
    int operands = outs.length + ins.length;
    if (operands > NARROW) {
      return wideKernel(outs, load, ins, form, strides);
    }
    long key = InnerStrides.first(strides, operands);
    for (Strided out : outs) {
      key = key << 3 | out.dtype().ordinal();
    }
    for (int i = 0; i < ins.length; i++) {
      key = key << 6 | ins[i].dtype().ordinal() << 3 | load[i].ordinal();
    }
    key = key << 2 | form.ordinal();
    Compiled recent = last;
    if (recent.key == key) {
      return recent.kernel;
    }
    Kernel kernel = kernels.computeIfAbsent(key, _ -> compile(outs, load, ins, form, strides));
    last = new Compiled(key, kernel);
    return kernel;
  }

  private Kernel wideKernel(
      Strided[] outs, DType[] load, Strided[] ins, Kernel.Form form, long strides) {
    Object key = List.of(form, strides, List.of(stored(outs, ins)), List.of(load));
    return kernels.computeIfAbsent(key, _ -> compile(outs, load, ins, form, strides));
  }

  private Kernel compile(
      Strided[] outs, DType[] load, Strided[] ins, Kernel.Form form, long strides) {
    return Forms.kernel(dag, stored(outs, ins), load.clone(), form, strides);
  }

  private static DType[] stored(Strided[] outs, Strided[] ins) {
    DType[] stored = new DType[outs.length + ins.length];
    for (int k = 0; k < stored.length; k++) {
      stored[k] = (k < outs.length ? outs[k] : ins[k - outs.length]).dtype();
    }
    return stored;
  }

  /** The expressions, as {@code x0 * exp(-x1)}. */
  @Override
  public String toString() {
    return outputs.length == 1 ? outputs[0].toString() : List.of(outputs).toString();
  }
}
