package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Recorder.Call;

/**
 * Makes a plan of a trace: which values are computed into arrays of their own, and which only
 * inside of what uses them.
 *
 * <p>A value is computed inside of others when it is that of an elementwise op, all who use it are
 * fused ops of its dtype, and it pays: everything that uses it ends in one array, or it is so cheap
 * that computing it for each of them costs less than writing and reading it. What is smaller than
 * the array it would be computed in is computed there only when that is less work than a call. The
 * longest expressions are cut, at the largest part that is short enough.
 */
final class Fusion {
  /** Nodes of one fused expression: its gradient has about three times as many. */
  private static final int LONGEST = 48;

  /** Inputs of one fused op. */
  private static final int WIDEST = 10;

  /**
   * What it costs to compute a value again that is cheaper than an array, in units of 0.1 ns an
   * element.
   */
  private static final int CHEAP = 12;

  /** The cost of an op from which on it is a function that plain loops compute slowly. */
  private static final int FUNCTION = 80;

  /** The work of calling an op, in units of 0.1 ns. */
  private static final long CALL = 3_000;

  private final Recorder trace;
  private final int[] results;
  private final boolean followed;
  private final boolean recording;
  private final int first;
  private final List<Call> calls;

  /**
   * For each call the number of the value that its result is: another one's where it changes
   * nothing.
   */
  private final int[] same;

  private final boolean[] needed;
  private final boolean[] stored;
  private final List<Set<Integer>> ends = new ArrayList<>();
  private final long[] elements;
  private final DType[] dtypes;
  private final int[] weights;

  private Fusion(Recorder trace, int[] results, boolean followed, boolean recording) {
    this.trace = trace;
    this.followed = followed;
    this.recording = recording;
    this.first = trace.arguments();
    this.calls = trace.calls();
    int n = calls.size();
    this.same = new int[n];
    this.needed = new boolean[n];
    this.stored = new boolean[n];
    this.elements = new long[n];
    this.dtypes = new DType[n];
    this.weights = new int[n];
    for (int c = 0; c < n; c++) {
      same[c] = changesNothing(calls.get(c)) ? value(calls.get(c).ins()[0]) : first + c;
      ends.add(new HashSet<>());
    }
    this.results = Arrays.stream(results).map(this::value).toArray();
  }

  /**
   * Makes a plan.
   *
   * @param trace of a function
   * @param results the numbers of its results
   * @param followed whether somebody may differentiate by an argument or an array from outside
   * @param recording whether ops are recorded where the function does not say otherwise
   * @return the plan
   */
  static FusionPlan plan(Recorder trace, int[] results, boolean followed, boolean recording) {
    Fusion f = new Fusion(trace, results, followed, recording);
    f.choose();
    f.cut();
    return f.emit();
  }

  // ---- what a call is

  private boolean changesNothing(Call call) {
    if (call.op() == null) {
      return !followed;
    }
    return call.op() == Structural.BROADCAST_TO
        && call.ins()[0] >= 0
        && call.out().layout().sameShape(trace.example(call.ins()[0]).layout());
  }

  private int value(int id) {
    return id < first ? id : same[id - first];
  }

  private int[] inputs(Call call) {
    return Arrays.stream(call.ins()).map(this::value).toArray();
  }

  /** Whether a call can be a part of a fused op. */
  private boolean isFusable(Call call) {
    return call.op() instanceof Elementwise
        && (call.compute().isFloating() || call.compute() == DType.BOOL && call.loadsOnlyBools())
        && call.ins().length <= WIDEST;
  }

  private boolean isQuiet(Call call) {
    return followed && recording && !call.recording();
  }

  /** What a call makes of its elements; null where it is no reduction of them. */
  private static Fold fold(Call call) {
    return call.op() instanceof Primitive p ? p.spec().fold() : null;
  }

  /** Whether a call is a reduction that can follow the computation of its elements. */
  private boolean isFolding(Call call) {
    Fold fold = fold(call);
    if (fold == null) {
      return false;
    }
    Tensor of = trace.example(call.ins()[0]);
    return of.dtype().isFloating()
        && call.out().dtype() == of.dtype()
        && !folding(call).isNone()
        && (fold.hasSlope() || !followed && of.size() > 0);
  }

  private Folding folding(Call call) {
    Layout of = trace.example(call.ins()[0]).layout();
    Fold fold = fold(call);
    if (fold == Fold.SUM_TO) {
      return Folding.toward(of, call.out().layout());
    }
    Args args = call.args();
    int[] axes = args.ints("axis");
    int[] over = axes == null || of.ndim() == 0 ? all(of.ndim()) : of.axes(axes);
    double ddof = fold instanceof Fold.Twice && fold.divides() ? args.number("ddof") : 0;
    return Folding.over(over, of.ndim(), args.flag("keepdims"), fold, ddof);
  }

  private static int[] all(int n) {
    int[] axes = new int[n];
    Arrays.setAll(axes, i -> i);
    return axes;
  }

  /** Whether a call can compute one of its inputs itself. */
  private boolean canContain(Call user, int input, Call inner) {
    if (!isFusable(inner) || isQuiet(inner) != isQuiet(user)) {
      return false;
    }
    DType d = inner.out().dtype();
    return isFusable(user)
        ? d == DType.BOOL || ((Elementwise) user.op()).loadsBool(input) || d == user.compute()
        : isFolding(user) && d.isFloating();
  }

  // ---- which values are stored

  private void choose() {
    boolean[] must = new boolean[calls.size()];
    for (int id : results) {
      if (id >= first) {
        must[id - first] = true;
        needed[id - first] = true;
      }
    }
    for (int c = calls.size() - 1; c >= 0; c--) {
      if (needed[c]) {
        stored[c] = must[c] || !isFusable(calls.get(c)) || !pays(c);
        if (stored[c]) {
          ends.set(c, new HashSet<>(Set.of(c)));
          elements[c] = elements(c);
          dtypes[c] = isFusable(calls.get(c)) ? number(calls.get(c)) : calls.get(c).out().dtype();
        }
        join(c, must);
      }
    }
  }

  /** Tells the inputs of a call where they end. */
  private void join(int c, boolean[] must) {
    Call call = calls.get(c);
    int[] ins = inputs(call);
    for (int i = 0; i < ins.length; i++) {
      if (ins[i] >= first) {
        int u = ins[i] - first;
        needed[u] = true;
        must[u] |= !canContain(call, i, calls.get(u));
        ends.get(u).addAll(ends.get(c));
        elements[u] = Math.max(elements[u], elements[c]);
      }
    }
  }

  /** The dtype of a call's numbers; null where it has none. */
  private static DType number(Call call) {
    return call.compute().isFloating() ? call.compute() : null;
  }

  /** The elements of the result, or of what is reduced to it. */
  private long elements(int c) {
    Call call = calls.get(c);
    return isFolding(call) ? trace.example(call.ins()[0]).size() : call.out().size();
  }

  /** How often a value is computed inside of others: in each of their passes. */
  private int times(int c) {
    int times = 0;
    for (int end : ends.get(c)) {
      times += fold(calls.get(end)) instanceof Fold.Twice ? 2 : 1;
    }
    return times;
  }

  private boolean pays(int c) {
    Call call = calls.get(c);
    int cost = ((Elementwise) call.op()).cost();
    boolean cheap = cost <= CHEAP;
    if (followed && cost >= FUNCTION && !Program.areFunctionsCheap()) {
      return false;
    }
    if (times(c) > (cheap ? 4 : 1) || (elements[c] - call.out().size()) * cost > CALL) {
      return false;
    }
    DType own = number(call);
    for (int end : ends.get(c)) {
      if (own != null && dtypes[end] != null && dtypes[end] != own || weights[end] > 4 * LONGEST) {
        return false;
      }
    }
    for (int end : ends.get(c)) {
      dtypes[end] = own == null ? dtypes[end] : own;
      weights[end] += ((Elementwise) call.op()).nodes();
    }
    return true;
  }

  // ---- expressions that are too long

  private void cut() {
    for (int c = 0; c < calls.size(); c++) {
      while (needed[c] && stored[c] && (isFusable(calls.get(c)) || isFolding(calls.get(c)))) {
        Cluster cluster = cluster(c);
        if (cluster.nodes() <= LONGEST && cluster.leaves().size() <= WIDEST) {
          break;
        }
        int part = largestPart(c, cluster);
        if (part < 0) {
          break;
        }
        stored[part] = true;
        if (part < c) {
          c = part;
        }
      }
    }
  }

  /**
   * The part of a fused op with the most nodes that is short enough by itself; -1 when there is
   * none.
   */
  private int largestPart(int c, Cluster whole) {
    int best = -1;
    int most = -1;
    for (int part : whole.calls()) {
      if (part != c) {
        Cluster own = cluster(part);
        if (own.nodes() <= LONGEST && own.leaves().size() <= WIDEST && own.nodes() > most) {
          most = own.nodes();
          best = part;
        }
      }
    }
    return best;
  }

  private Cluster cluster(int c) {
    Cluster out = new Cluster(trace, first);
    int[] start = isFolding(calls.get(c)) ? inputs(calls.get(c)) : new int[] {first + c};
    gather(start[0], c, out);
    return out;
  }

  /** Adds a call and those inside of it, inputs first. */
  private void gather(int id, int root, Cluster out) {
    if (id < first || id - first != root && stored[id - first] || out.has(id)) {
      return;
    }
    Call call = calls.get(id - first);
    int[] ins = inputs(call);
    for (int i = 0; i < ins.length; i++) {
      gather(ins[i], root, out);
    }
    out.add(id, call, ins, i -> ins[i] >= first && !stored[ins[i] - first]);
  }

  // ---- the steps

  private FusionPlan emit() {
    int outside = trace.constants().size();
    Tensor[] slots = new Tensor[first + outside + calls.size()];
    for (int k = 0; k < outside; k++) {
      slots[first + k] = trace.constants().get(k);
    }
    List<FusionPlan.Step> steps = new ArrayList<>();
    for (int c = 0; c < calls.size(); c++) {
      if (needed[c] && stored[c] && same[c] == first + c) {
        steps.add(step(c));
      }
    }
    int[] outs = Arrays.stream(results).map(this::slot).toArray();
    return new FusionPlan(first, slots, buried(steps, outs, outside), outs, trace.versions());
  }

  private int slot(int id) {
    int outside = trace.constants().size();
    return id < 0 ? first - 1 - id : id < first ? id : id + outside;
  }

  private FusionPlan.Step step(int c) {
    Call call = calls.get(c);
    boolean folds = isFolding(call);
    if (isFusable(call) || folds && inputs(call)[0] >= first && !stored[inputs(call)[0] - first]) {
      Cluster cluster = cluster(c);
      if (cluster.calls().size() > 1 || folds) {
        Fused op = cluster.op(folds ? folding(call) : Folding.NONE);
        int[] ins = cluster.leaves().stream().mapToInt(leaf -> slot(leaf.id())).toArray();
        int count = cluster.calls().size() + (folds ? 1 : 0);
        String text = count + " ops in one: " + op.describe() + shown(call.out());
        return new FusionPlan.Step(op, null, ins, slot(first + c), new int[0], isQuiet(call), text);
      }
    }
    int[] ins = Arrays.stream(inputs(call)).map(this::slot).toArray();
    String name = call.op() == null ? "detach" : ((Op) call.op()).name();
    return new FusionPlan.Step(
        call.op(),
        call.args(),
        ins,
        slot(first + c),
        new int[0],
        isQuiet(call),
        name + shown(call.out()));
  }

  private static String shown(Tensor out) {
    return " -> " + out.dtype() + " " + out.layout();
  }

  /** The steps, each with the slots whose last reader it is. */
  private List<FusionPlan.Step> buried(List<FusionPlan.Step> steps, int[] outs, int outside) {
    Set<Integer> read = new HashSet<>();
    Arrays.stream(outs).forEach(read::add);
    List<FusionPlan.Step> out = new ArrayList<>();
    for (FusionPlan.Step s : steps.reversed()) {
      int[] dead =
          Arrays.stream(s.ins())
              .filter(slot -> (slot < first || slot >= first + outside) && read.add(slot))
              .toArray();
      out.addFirst(
          new FusionPlan.Step(s.op(), s.args(), s.ins(), s.out(), dead, s.quiet(), s.text()));
    }
    return out;
  }
}
