package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import ndgrad.DType;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;

/**
 * Notes the ops of one run of a function. A value has a number: arguments from 0 on, then results
 * in the order in which they are made; arrays from outside count down from -1.
 */
final class Recorder extends Trace {
  /** Ops after which a function is taken to loop for longer than a plan is worth. */
  private static final int LIMIT = 20_000;

  /**
   * One application of an op.
   *
   * @param op null for a value without its history
   * @param args its arguments, with stand-ins for arrays
   * @param ins the numbers of its inputs
   * @param recording whether it would have been recorded on the tape
   * @param out an example of its result
   * @param compute the dtype in which an elementwise op computes; null for others
   */
  record Call(
      Lifting.Liftable op, Args args, int[] ins, boolean recording, Tensor out, DType compute) {
    /** Whether an elementwise op takes truth values alone. */
    boolean loadsOnlyBools() {
      boolean only = op instanceof Elementwise;
      for (int i = 0; only && i < ins.length; i++) {
        only = ((Elementwise) op).loadsBool(i);
      }
      return only;
    }
  }

  private final List<Tensor> standIns = new ArrayList<>();
  private final List<Tensor> constants = new ArrayList<>();
  private final Map<Tensor, Integer> known = new IdentityHashMap<>();
  private final Map<Tensor, Integer> versions = new IdentityHashMap<>();
  private final List<Call> calls = new ArrayList<>();

  /**
   * Prepares a trace.
   *
   * @param xs arguments of the shapes and dtypes to trace for
   * @param followed which of them the function is to see as requiring a gradient
   */
  Recorder(Tensor[] xs, boolean[] followed) {
    for (int i = 0; i < xs.length; i++) {
      Tensor standIn = Tensor.lifted(new Lift.Traced(level(), new Tensor(xs[i].firstExample()), i));
      standIn.requireGrad(followed[i]);
      standIns.add(standIn);
    }
  }

  /** Runs the function; the numbers of its results. */
  int[] trace(Function<List<Tensor>, List<Tensor>> f) {
    return run(
        () -> {
          List<Tensor> outs = f.apply(List.copyOf(standIns));
          requireComplete();
          return outs.stream().mapToInt(this::result).toArray();
        });
  }

  List<Call> calls() {
    return calls;
  }

  int arguments() {
    return standIns.size();
  }

  /** The arrays from outside, number -1 first. */
  List<Tensor> constants() {
    return constants;
  }

  /** The version of each array from outside whose elements the function has read. */
  Map<Tensor, Integer> versions() {
    return versions;
  }

  /** An example of a value. */
  Tensor example(int id) {
    return id < 0
        ? constants.get(-1 - id)
        : id < arguments() ? value(standIns.get(id)) : calls.get(id - arguments()).out();
  }

  private static Tensor value(Tensor standIn) {
    return ((Lift.Traced) standIn.lift().orElseThrow()).value();
  }

  private int result(Tensor y) {
    int id = number(y);
    if (id < 0 && y.requiresGrad()) {
      throw refusal("returns an array that it takes from outside");
    }
    return id;
  }

  private int number(Tensor x) {
    if (x.lift().orElse(null) instanceof Lift.Traced t && t.level() == level()) {
      return t.id();
    }
    if (x.level() > 0) {
      throw refusal("takes an array of a transform around it from outside; pass it as an argument");
    }
    if (!x.isLeaf()) {
      throw refusal("takes the result of a tracked op from outside; pass it as an argument");
    }
    return known.computeIfAbsent(
        x,
        _ -> {
          keep(x);
          constants.add(x);
          return -constants.size();
        });
  }

  /**
   * Notes an application.
   *
   * @param op the op
   * @param args its arguments; null for elementwise ops
   * @param ins its inputs: stand-ins and arrays from outside
   * @return a stand-in for the result; what needs no input is the same every time and stands for
   *     itself
   */
  Tensor record(Lifting.Liftable op, Args args, Tensor[] ins) {
    if (ins.length == 0) {
      return paused(() -> op.run(args, ins));
    }
    if (calls.size() == LIMIT) {
      throw refusal("applies more than " + LIMIT + " ops");
    }
    int[] ids = new int[ins.length];
    Tensor[] examples = new Tensor[ins.length];
    for (int i = 0; i < ins.length; i++) {
      ids[i] = number(ins[i]);
      examples[i] = ids[i] < 0 ? ins[i] : value(ins[i]);
    }
    boolean recording = GradMode.set(false);
    try {
      Tensor out = paused(() -> op.run(args, examples));
      DType compute = op instanceof Elementwise e ? e.computeDtype(ins) : null;
      Args kept = args == null ? null : args.withStandIns();
      return noted(new Call(op, kept, ids, recording, out, compute));
    } finally {
      GradMode.set(recording);
    }
  }

  private Tensor noted(Call call) {
    calls.add(call);
    return Tensor.lifted(new Lift.Traced(level(), call.out(), arguments() + calls.size() - 1));
  }

  @Override
  protected void reads(Tensor x) {
    if (!x.isWeak()) {
      versions.putIfAbsent(x, x.storage().version());
    }
  }

  @Override
  protected Tensor detached(Tensor x) {
    return noted(new Call(null, null, new int[] {number(x)}, GradMode.isEnabled(), value(x), null));
  }
}
