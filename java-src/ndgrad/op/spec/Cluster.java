package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.function.IntPredicate;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Derivative;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.loop.Program;
import ndgrad.op.spec.Recorder.Call;

/** Elementwise ops that become one, inputs before their users, and the arrays they start from. */
final class Cluster {
  /** Integers up to here are exact in a constant of an expression. */
  private static final long EXACT = 1L << 53;

  /** Fused ops by what they are made of: kernels are compiled once, whatever the shapes. */
  private static final Map<Key, Fused> OPS =
      new LinkedHashMap<>(16, 0.75f, true) {
        private static final long serialVersionUID = 1;

        @Override
        protected boolean removeEldestEntry(Map.Entry<Key, Fused> eldest) {
          return size() > 512;
        }
      };

  /** What is the same for two clusters of one op. */
  private record Key(List<Part> parts, List<Boolean> leaves, DType dtype, Folding folding) {}

  /**
   * One op and where its inputs come from.
   *
   * @param op the op
   * @param from an array's number, a constant, or the number of another part
   */
  private record Part(Elementwise op, List<From> from) {}

  private sealed interface From {}

  private record Literal(double value) implements From {}

  private record Operand(int leaf) implements From {}

  private record Inner(int part, boolean asNumber) implements From {}

  /**
   * An array that is read.
   *
   * @param id its number in the trace
   * @param asBool whether as truth values
   */
  record Leaf(int id, boolean asBool) {}

  private final Recorder trace;
  private final int first;
  private final List<Leaf> leaves = new ArrayList<>();
  private final List<Integer> calls = new ArrayList<>();
  private final List<Part> parts = new ArrayList<>();
  private final Map<Integer, Integer> numbers = new HashMap<>();
  private int nodes;

  /** Of all numbers in it; any where there are none. */
  private DType dtype = DType.FLOAT64;

  Cluster(Recorder trace, int first) {
    this.trace = trace;
    this.first = first;
  }

  boolean has(int id) {
    return numbers.containsKey(id);
  }

  /** The calls that are parts of this, in order. */
  List<Integer> calls() {
    return calls;
  }

  List<Leaf> leaves() {
    return leaves;
  }

  int nodes() {
    return nodes;
  }

  /**
   * Adds a part.
   *
   * @param id the number of its value
   * @param call the application
   * @param ins the numbers of its inputs
   * @param inner which of them are parts of this
   */
  void add(int id, Call call, int[] ins, IntPredicate inner) {
    Elementwise op = (Elementwise) call.op();
    List<From> from = new ArrayList<>();
    for (int i = 0; i < ins.length; i++) {
      boolean asBool = op.loadsBool(i);
      if (inner.test(i)) {
        boolean truth = example(ins[i]).dtype() == DType.BOOL;
        from.add(new Inner(numbers.get(ins[i]), truth && !asBool));
      } else if (isNumber(ins[i])) {
        from.add(new Literal(((Number) Nested.item(example(ins[i]))).doubleValue()));
      } else {
        Leaf leaf = new Leaf(ins[i], asBool);
        int at = leaves.indexOf(leaf);
        if (at < 0) {
          at = leaves.size();
          leaves.add(leaf);
        }
        from.add(new Operand(at));
      }
    }
    numbers.put(id, parts.size());
    parts.add(new Part(op, from));
    calls.add(id - first);
    nodes += op.nodes();
    dtype = call.compute().isFloating() ? call.compute() : dtype;
  }

  private Tensor example(int id) {
    return trace.example(id);
  }

  /** Whether a value is a host number that an expression can hold. */
  private boolean isNumber(int id) {
    return id < 0
        && example(id).isWeak()
        && (example(id).dtype().isFloating()
            || Math.abs(((Number) Nested.item(example(id))).longValue()) <= EXACT);
  }

  /** The op of this, made when there is none yet. */
  Fused op(Folding folding) {
    Key key =
        new Key(List.copyOf(parts), leaves.stream().map(Leaf::asBool).toList(), dtype, folding);
    synchronized (OPS) {
      return OPS.computeIfAbsent(key, k -> made(k, result()));
    }
  }

  private DType result() {
    return trace.example(first + calls.getLast()).dtype();
  }

  private static Fused made(Key key, DType result) {
    boolean[] bools = new boolean[key.leaves.size()];
    for (int i = 0; i < bools.length; i++) {
      bools[i] = key.leaves.get(i);
    }
    Expr value = values(key.parts, 0).getLast();
    Expr[] slopes = slopes(key, bools, key.folding.fold());
    if (key.folding.isNone()) {
      // The root's own value saves computing it again, where its slope is known in terms of it.
      Expr[] byResult = slopes(key.parts, bools, Expr.in(0), true);
      if (cost(byResult) < cost(slopes)) {
        slopes = byResult;
      }
    }
    return new Fused(
        value,
        bools,
        key.dtype,
        result,
        key.folding,
        slopes,
        moving -> push(key, moving),
        mean(key, result),
        declared(key.parts));
  }

  /** The parts whose derivatives their ops declare, as they stand in slopes. */
  private static List<Derivative.Declared> declared(List<Part> parts) {
    List<Expr> values = values(parts, 1);
    List<Derivative.Declared> found = new ArrayList<>();
    for (int p = 0; p < parts.size(); p++) {
      Elementwise op = parts.get(p).op;
      if (op.isDifferentiable() && op.declaresPartials()) {
        Expr out = values.get(p);
        Expr[] ins = parts.get(p).from.stream().map(f -> expr(f, values, 1)).toArray(Expr[]::new);
        List<Expr> partials = new ArrayList<>();
        for (int i = 0; i < ins.length; i++) {
          partials.add(op.partial(i).substitute(k -> k == ins.length ? out : ins[k]));
        }
        found.add(new Derivative.Declared(out, List.of(ins), partials));
      }
    }
    return found;
  }

  /** The slopes in all arrays of what is made of the last part's value. */
  private static Expr[] slopes(Key key, boolean[] bools, Fold fold) {
    int n = bools.length;
    return switch (fold) {
      case Fold.Once once when !once.hasSlope() -> new Expr[n];
      case Fold.Once _ -> slopes(key.parts, bools, Expr.in(0), false);
      case Fold.Twice two ->
          slopes(key.parts, bools, Elementwise.scaled(Expr.in(0), slope(key, two, 1)), false);
    };
  }

  /** The slope of a fold in the last part's value. */
  private static Expr slope(Key key, Fold.Twice fold, int shift) {
    Expr value = values(key.parts, shift).getLast();
    int n = key.leaves.size();
    return fold.slope().substitute(k -> k == 0 ? value : Expr.in(n + k - 1 + shift));
  }

  /** The tangent along some arrays, inputs 0 and on, of what is made of the last part's value. */
  private static Expr push(Key key, List<Integer> moving) {
    int shift = moving.size();
    List<Expr> values = values(key.parts, shift);
    Expr[] moved = new Expr[key.parts.size()];
    for (int p = 0; p < moved.length; p++) {
      Part part = key.parts.get(p);
      Expr[] ins = part.from.stream().map(f -> expr(f, values, shift)).toArray(Expr[]::new);
      for (int i = 0; part.op.isDifferentiable() && i < ins.length; i++) {
        Expr tangent =
            switch (part.from.get(i)) {
              case Operand(int leaf) ->
                  moving.contains(leaf) ? Expr.in(moving.indexOf(leaf)) : null;
              case Inner(int inner, boolean asNumber) -> asNumber ? null : moved[inner];
              case Literal _ -> null;
            };
        if (tangent != null && !part.op.loadsBool(i)) {
          moved[p] = plus(moved[p], term(tangent, part.op.partial(i), ins, values.get(p)));
        }
      }
    }
    Expr last = moved[moved.length - 1];
    return key.folding.fold() instanceof Fold.Twice two
        ? Elementwise.scaled(last, slope(key, two, shift))
        : last;
  }

  /** The mean of the same values, where slopes read it. */
  private static Fused mean(Key key, DType result) {
    return key.folding.fold() instanceof Fold.Twice two && two.slope().uses(2)
        ? made(new Key(key.parts, key.leaves, key.dtype, key.folding.mean()), result)
        : null;
  }

  private static int cost(Expr[] slopes) {
    Expr[] some = Arrays.stream(slopes).filter(s -> s != null).toArray(Expr[]::new);
    return some.length == 0 ? 0 : Program.of(some).cost();
  }

  /** The expression of each part; array k is input k + shift. */
  private static List<Expr> values(List<Part> parts, int shift) {
    List<Expr> done = new ArrayList<>();
    for (Part part : parts) {
      Expr[] ins = part.from.stream().map(f -> expr(f, done, shift)).toArray(Expr[]::new);
      done.add(part.op.expr().substitute(i -> ins[i]));
    }
    return done;
  }

  private static Expr expr(From from, List<Expr> done, int shift) {
    return switch (from) {
      case Literal(double value) -> Expr.num(value);
      case Operand(int leaf) -> Expr.in(leaf + shift);
      case Inner(int part, boolean asNumber) ->
          asNumber ? Expr.select(done.get(part), Expr.num(1), Expr.num(0)) : done.get(part);
    };
  }

  /**
   * The slopes in all arrays, by carrying a direction back from the last part as a backward pass
   * does, with the partial derivatives that the ops declare.
   */
  private static Expr[] slopes(
      List<Part> parts, boolean[] bools, Expr direction, boolean byResult) {
    List<Expr> values = values(parts, 1);
    Expr[] slopes = new Expr[bools.length];
    Expr[] back = new Expr[parts.size()];
    back[back.length - 1] = direction;
    for (int p = back.length - 1; p >= 0; p--) {
      Part part = parts.get(p);
      if (back[p] == null || !part.op.isDifferentiable()) {
        continue;
      }
      boolean last = byResult && p == back.length - 1;
      Expr out = last ? Expr.in(bools.length + 1) : values.get(p);
      Expr[] ins = part.from.stream().map(f -> expr(f, values, 1)).toArray(Expr[]::new);
      for (int i = 0; i < ins.length; i++) {
        if (part.from.get(i) instanceof Literal || part.op.loadsBool(i)) {
          continue;
        }
        Expr term = term(back[p], part.op.partial(i), ins, out);
        switch (part.from.get(i)) {
          case Operand(int leaf) -> slopes[leaf] = plus(slopes[leaf], term);
          case Inner(int inner, boolean asNumber) ->
              back[inner] = asNumber ? back[inner] : plus(back[inner], term);
          case Literal _ -> {}
        }
      }
    }
    return slopes;
  }

  /**
   * A direction times a partial derivative, in inputs and output, of some. Scaled before numbers
   * and masks are put in: a product with a 0 among them is no choice of 0.
   */
  private static Expr term(Expr direction, Expr partial, Expr[] ins, Expr out) {
    return Elementwise.scaled(Expr.in(ins.length + 1), partial)
        .substitute(k -> k > ins.length ? direction : k == ins.length ? out : ins[k]);
  }

  private static Expr plus(Expr a, Expr b) {
    return a == null ? b : a.plus(b);
  }
}
