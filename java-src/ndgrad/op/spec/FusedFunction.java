package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Function;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.NdException;
import ndgrad.autograd.Anomaly;
import ndgrad.autograd.Frames;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.autograd.Untraceable;
import ndgrad.kernel.memory.Layout;

/**
 * A function of tensors that is run once for each kind of arguments to see what it does, and from
 * then on as a plan of fused ops. What cannot be traced is run as it is. Safe to share between
 * threads.
 */
public final class FusedFunction {
  /** Kinds of arguments that are remembered. */
  private static final int REMEMBERED = 64;

  /**
   * What a function gives.
   *
   * @param values its results
   * @param form what else the caller wants to know of them, the same for all arguments of a kind
   */
  public record Output(List<Tensor> values, Object form) {}

  private final Function<List<Tensor>, Output> f;
  private volatile List<Entry> entries = List.of();

  /** What is done for one kind of arguments. */
  private static final class Entry {
    final DType[] dtypes;
    final Layout[] layouts;
    final boolean[] followed;
    final boolean lifted;
    final boolean recording;
    final AtomicLong calls = new AtomicLong();
    FusionPlan plan;
    Object form;
    String reason = "";

    Entry(Tensor[] xs) {
      dtypes = Arrays.stream(xs).map(Tensor::dtype).toArray(DType[]::new);
      layouts = Arrays.stream(xs).map(Tensor::layout).toArray(Layout[]::new);
      recording = GradMode.isEnabled();
      followed = new boolean[xs.length];
      for (int i = 0; i < xs.length; i++) {
        followed[i] = recording && isFollowed(xs[i]);
      }
      lifted = isLifted(xs);
    }

    boolean fits(Tensor[] xs) {
      if (xs.length != dtypes.length) {
        return false;
      }
      for (int i = 0; i < xs.length; i++) {
        if (xs[i].dtype() != dtypes[i]
            || !xs[i].layout().sameShape(layouts[i])
            || (recording && isFollowed(xs[i])) != followed[i]) {
          return false;
        }
      }
      return GradMode.isEnabled() == recording && isLifted(xs) == lifted;
    }

    Output run(Tensor[] xs) {
      return new Output(Frames.within(() -> List.of(plan.run(xs))), form);
    }

    boolean anyFollowed() {
      boolean any = false;
      for (boolean each : followed) {
        any |= each;
      }
      return any;
    }

    boolean holds() {
      return plan == null || plan.holds();
    }
  }

  /**
   * Prepares a function.
   *
   * @param f the function; its results depend on its arguments alone, and it does nothing else
   */
  public FusedFunction(Function<List<Tensor>, Output> f) {
    this.f = f;
  }

  /** Whether the function is to see that an argument requires a gradient. */
  private static boolean isFollowed(Tensor x) {
    return x.dtype().isFloating() && x.isFollowed();
  }

  private static boolean isLifted(Tensor[] xs) {
    for (Tensor x : xs) {
      if (x.level() > 0) {
        return true;
      }
    }
    return false;
  }

  /**
   * Applies the function.
   *
   * @param xs its arguments
   * @return its results
   */
  public Output apply(Tensor... xs) {
    if (Trace.isOn() || Anomaly.isOn()) {
      return eager(xs);
    }
    Entry entry = find(xs);
    if (entry == null) {
      return first(xs);
    }
    entry.calls.incrementAndGet();
    return entry.plan == null ? eager(xs) : entry.run(xs);
  }

  private Output eager(Tensor[] xs) {
    return f.apply(List.of(xs));
  }

  private Entry find(Tensor[] xs) {
    for (Entry e : entries) {
      if (e.fits(xs) && e.holds()) {
        return e;
      }
    }
    return null;
  }

  private Output first(Tensor[] xs) {
    Entry entry = new Entry(xs);
    entry.calls.incrementAndGet();
    Recorder trace = new Recorder(xs, entry.followed);
    Output ys;
    try {
      int[] results =
          trace.trace(
              ins -> {
                Output seen = f.apply(ins);
                entry.form = seen.form();
                return seen.values();
              });
      boolean followed =
          entry.lifted
              || entry.anyFollowed()
              || trace.constants().stream().anyMatch(Tensor::requiresGrad);
      entry.plan = Fusion.plan(trace, results, followed, entry.recording);
      ys = entry.run(xs);
    } catch (Untraceable u) {
      entry.reason = "it " + u.getMessage();
      ys = eager(xs);
    } catch (Exception e) {
      NdException cause = cause(e);
      if (cause == null) {
        throw e;
      }
      // If the function is at fault, it says so again.
      ys = eager(xs);
      entry.plan = null;
      entry.reason = "tracing failed: " + cause.getMessage();
    }
    remember(entry);
    return ys;
  }

  /** The error of this library that an exception is or wraps, as that of another thread's task. */
  private static NdException cause(Throwable e) {
    return e == null || e instanceof NdException ? (NdException) e : cause(e.getCause());
  }

  private synchronized void remember(Entry entry) {
    List<Entry> more = new ArrayList<>();
    more.add(entry);
    entries.stream().filter(Entry::holds).limit(REMEMBERED - 1).forEach(more::add);
    entries = List.copyOf(more);
  }

  /**
   * What was made of the function so far.
   *
   * @return for each kind of arguments, the latest first: {@code arguments}, their dtypes and
   *     shapes; {@code calls}; {@code steps}, what is done; and where nothing could be made of it,
   *     {@code fallback}, the reason why it is run as it is
   */
  public List<Map<String, Object>> report() {
    return entries.stream().map(FusedFunction::report).toList();
  }

  private static Map<String, Object> report(Entry e) {
    Map<String, Object> out = new LinkedHashMap<>();
    out.put(
        "arguments",
        IntStream.range(0, e.dtypes.length)
            .mapToObj(i -> e.dtypes[i] + " " + e.layouts[i])
            .toList());
    out.put("calls", e.calls.get());
    out.put("steps", e.plan == null ? List.of() : e.plan.describe());
    if (e.plan == null) {
      out.put("fallback", e.reason);
    }
    return out;
  }
}
