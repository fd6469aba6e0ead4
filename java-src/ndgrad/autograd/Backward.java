package ndgrad.autograd;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.Comparator;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.function.Predicate;
import java.util.function.UnaryOperator;
import ndgrad.GraphException;
import ndgrad.MutationException;
import ndgrad.ShapeException;
import ndgrad.kernel.memory.Arena;

/**
 * Reverse mode over the tape: iterative, in reverse order of creation, so that every node is
 * visited once, after all that used its output. Nothing is written before the whole graph has been
 * checked, and leaves receive their gradients only when all have been computed.
 */
public final class Backward {

  /** The arithmetic of gradients; the tape itself knows no op. */
  public interface Arithmetic {
    /**
     * A differentiable sum.
     *
     * @param a a gradient
     * @param b another of the same shape and dtype
     * @return a + b
     */
    Tensor add(Tensor a, Tensor b);

    /**
     * Adds in place, untracked.
     *
     * @param a a gradient that nobody else sees
     * @param b another of the same shape and dtype
     */
    void addInto(Tensor a, Tensor b);

    /**
     * A differentiable copy in row-major order.
     *
     * @param a a gradient
     * @return the copy
     */
    Tensor copy(Tensor a);

    /**
     * Ones of a tensor's shape and dtype.
     *
     * @param like the tensor
     * @return ones
     */
    Tensor onesLike(Tensor like);
  }

  /** A node's state in this pass. */
  static final class Slot {
    final Backward pass;
    final Node node;
    final Slot[] inputs;
    Tensor grad;
    boolean owned;
    boolean needed;

    Slot(Backward pass, Node node) {
      this.pass = pass;
      this.node = node;
      this.inputs = new Slot[node.arity()];
    }
  }

  private static final Comparator<Slot> LATEST_FIRST =
      (a, b) -> Long.compare(b.node.sequence(), a.node.sequence());

  private final Arithmetic arithmetic;
  private final boolean retainGraph;
  private final boolean createGraph;
  private final Arena arena = Arena.current();

  /** The slots; a node knows its own, but where another pass is under way at the same node. */
  private final List<Slot> slots = new ArrayList<>();

  private Map<Node, Slot> crowded = Map.of();

  /** Whether this has begun to free the nodes it needs. */
  private volatile boolean freeing;

  private Backward(Arithmetic arithmetic, boolean retainGraph, boolean createGraph) {
    this.arithmetic = arithmetic;
    this.retainGraph = retainGraph;
    this.createGraph = createGraph;
  }

  /**
   * Accumulates gradients of outputs in the leaves they depend on.
   *
   * @param outputs what to differentiate
   * @param upstream one cotangent an output, null for 1 where the output has a single element
   * @param retainGraph whether the saved values are kept for another pass
   * @param createGraph whether the pass is recorded, to be differentiated again
   * @param arithmetic the sums
   * @throws GraphException without a graph, without an upstream gradient, or through a freed graph
   * @throws ndgrad.MutationException when a saved value was changed in place
   */
  public static void run(
      List<Tensor> outputs,
      List<Tensor> upstream,
      boolean retainGraph,
      boolean createGraph,
      Arithmetic arithmetic) {
    Trace.refuse("calls backward");
    Backward pass = new Backward(arithmetic, retainGraph, createGraph);
    try {
      pass.run(outputs, upstream);
    } finally {
      pass.vacate();
    }
  }

  private void run(List<Tensor> outputs, List<Tensor> upstream) {
    List<Slot> order = order(outputs, Set.of());
    for (Slot s : order) {
      s.needed = true;
    }
    framed(
        () -> {
          List<Tensor> seeds = seeds(outputs, upstream);
          recorded(() -> sweep(order, outputs, seeds, Set.of()));
          commit(order);
        });
  }

  /**
   * The gradients of outputs with respect to chosen tensors; leaves are left alone.
   *
   * @param outputs what to differentiate
   * @param upstream one cotangent an output, null for 1 where the output has a single element
   * @param targets with respect to what
   * @param retainGraph whether the saved values are kept for another pass
   * @param createGraph whether the pass is recorded, to be differentiated again
   * @param arithmetic the sums
   * @return one gradient a target, null where no output depends on it
   */
  public static Tensor[] gradients(
      List<Tensor> outputs,
      List<Tensor> upstream,
      List<Tensor> targets,
      boolean retainGraph,
      boolean createGraph,
      Arithmetic arithmetic) {
    Backward pass = new Backward(arithmetic, retainGraph, createGraph);
    try {
      return pass.gradients(outputs, upstream, targets, false);
    } finally {
      pass.vacate();
    }
  }

  /**
   * The gradients of outputs with respect to chosen tensors, as if those depended on nothing. The
   * graph is kept.
   *
   * @param outputs what to differentiate
   * @param upstream one cotangent an output
   * @param targets with respect to what
   * @param createGraph whether the pass is recorded, to be differentiated again
   * @param arithmetic the sums
   * @return one gradient a target, null where no output depends on it
   */
  public static Tensor[] gradientsUpTo(
      List<Tensor> outputs,
      List<Tensor> upstream,
      List<Tensor> targets,
      boolean createGraph,
      Arithmetic arithmetic) {
    Backward pass = new Backward(arithmetic, true, createGraph);
    try {
      return pass.gradients(outputs, upstream, targets, true);
    } finally {
      pass.vacate();
    }
  }

  private Tensor[] gradients(
      List<Tensor> outputs, List<Tensor> upstream, List<Tensor> targets, boolean upTo) {
    Node[] wanted = targets.stream().map(Tensor::requireEdge).toArray(Node[]::new);
    List<Tensor> tracked = new ArrayList<>();
    List<Tensor> cotangents = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      if (outputs.get(i).edge() != null) {
        tracked.add(outputs.get(i));
        cotangents.add(upstream.get(i));
      }
    }
    Tensor[] result = new Tensor[wanted.length];
    if (tracked.isEmpty()) {
      return result;
    }
    Set<Node> ends = Collections.newSetFromMap(new IdentityHashMap<>());
    ends.addAll(Arrays.asList(wanted));
    List<Slot> order = order(tracked, upTo ? ends : Set.of());
    for (Slot s : order.reversed()) {
      s.needed = ends.contains(s.node);
      for (Slot input : s.inputs) {
        s.needed |= input != null && input.needed;
      }
    }
    List<Slot> relevant = order.stream().filter(s -> s.needed).toList();
    framed(
        () -> {
          List<Tensor> seeds = seeds(tracked, cotangents);
          recorded(() -> sweep(relevant, tracked, seeds, ends));
        });
    for (int i = 0; i < wanted.length; i++) {
      Slot slot = slot(wanted[i]);
      result[i] = slot == null ? null : slot.grad;
    }
    return result;
  }

  /** Runs the pass in a frame of its own; what it is for leaves. */
  private void framed(Runnable pass) {
    if (createGraph) {
      pass.run();
    } else {
      inFrame(pass);
      handOver();
    }
  }

  /**
   * Runs a part of the pass in a frame: what it computes on the way is used again as soon as no
   * slot, no node and no user has it. After an error, and where the pass is recorded, nothing is
   * known to have an end.
   */
  private void inFrame(Runnable part) {
    int frame = arena.enter();
    boolean done = false;
    try {
      part.run();
      done = true;
    } finally {
      if (done && !createGraph) {
        arena.leave(frame);
      } else {
        arena.abandon(frame);
      }
    }
  }

  /** What is left in the slots, and the gradients of leaves, now belong to others. */
  private void handOver() {
    for (Slot s : slots) {
      if (s.grad != null) {
        s.grad.handOver();
      }
    }
  }

  /**
   * Where a graph goes on beyond some of its tensors.
   *
   * @param outputs where to start
   * @param inputs what is not looked behind
   * @param ends which nodes are not looked behind either, and are reported
   * @return the nodes that are reached and are such ends, but for those of the inputs
   */
  public static List<Node> boundary(
      List<Tensor> outputs, List<Tensor> inputs, Predicate<Node> ends) {
    Set<Node> seen = Collections.newSetFromMap(new IdentityHashMap<>());
    inputs.forEach(x -> seen.add(x.edge()));
    List<Node> found = new ArrayList<>();
    List<Node> todo = new ArrayList<>();
    outputs.forEach(y -> todo.add(y.edge()));
    while (!todo.isEmpty()) {
      Node n = todo.removeLast();
      if (n != null && seen.add(n)) {
        if (ends.test(n)) {
          found.add(n);
        } else {
          for (int i = 0; i < n.arity(); i++) {
            todo.add(n.edge(i));
          }
        }
      }
    }
    return found;
  }

  /**
   * The reachable nodes, users before what they use, every one of them checked; none behind the
   * ends.
   */
  private List<Slot> order(List<Tensor> outputs, Set<Node> ends) {
    for (Tensor t : outputs) {
      Node e = t.edge();
      if (e == null) {
        throw new GraphException(
            "this array depends on nothing that requires a gradient, so there is nothing to"
                + " differentiate; make a leaf with requires-grad first",
            "shape",
            t.layout().shape());
      }
      discover(e);
    }
    for (int next = 0; next < slots.size(); next++) {
      Slot s = slots.get(next);
      if (ends.contains(s.node)) {
        continue;
      }
      s.node.checkUsable();
      for (int i = 0; i < s.inputs.length; i++) {
        if (s.node.needs(i)) {
          s.inputs[i] = discover(s.node.edge(i));
        }
      }
    }
    slots.sort(LATEST_FIRST);
    return slots;
  }

  private Slot discover(Node n) {
    Slot slot = slot(n);
    if (slot == null) {
      slot = new Slot(this, n);
      slots.add(slot);
      if (!n.occupy(slot)) {
        crowded = crowded.isEmpty() ? new IdentityHashMap<>() : crowded;
        crowded.put(n, slot);
        share(n);
      }
    }
    return slot;
  }

  /**
   * Meets another pass at a node. Either that one has begun to free, which this one sees here, or
   * it will see, when it frees the node, that it is shared. A pass that a hook has started meets
   * that of its own thread, which waits for it.
   */
  private void share(Node n) {
    Slot other = n.isLeaf() ? null : n.share();
    if (other != null && other.pass.freeing && other.needed && other.pass.arena != arena) {
      throw new GraphException(
          "backward through "
              + n.name()
              + " while another thread's backward is freeing its saved values; pass retain-graph to"
              + " all passes that run at the same time",
          "op",
          n.name());
    }
  }

  private Slot slot(Node n) {
    Slot slot = n.slot();
    return slot != null && slot.pass == this ? slot : crowded.isEmpty() ? null : crowded.get(n);
  }

  private void vacate() {
    for (Slot s : slots) {
      s.node.vacate(s);
    }
  }

  private List<Tensor> seeds(List<Tensor> outputs, List<Tensor> upstream) {
    List<Tensor> seeds = new ArrayList<>();
    for (int i = 0; i < outputs.size(); i++) {
      Tensor out = outputs.get(i);
      Tensor seed = upstream.get(i);
      if (seed == null) {
        if (out.size() != 1) {
          throw new GraphException(
              "backward of an array of shape "
                  + out.layout()
                  + " needs an upstream gradient of that shape; only a single element has an"
                  + " implied one",
              "shape",
              out.layout().shape());
        }
        seed = arithmetic.onesLike(out);
      } else if (!seed.layout().sameShape(out.layout())) {
        throw new ShapeException(
            "the upstream gradient has shape " + seed.layout() + ", the array " + out.layout(),
            "shapes",
            List.of(seed.layout().shape(), out.layout().shape()));
      }
      seed.storage().claim();
      seeds.add(seed);
    }
    return seeds;
  }

  private void recorded(Runnable sweep) {
    boolean before = GradMode.set(createGraph);
    try {
      if (Anomaly.isOn()) {
        Anomaly.sweeping(sweep);
      } else {
        sweep.run();
      }
    } finally {
      GradMode.set(before);
    }
  }

  /**
   * Carries the seeds back; gradients are forgotten once they are passed on, unless a node keeps
   * them.
   */
  private void sweep(List<Slot> order, List<Tensor> outputs, List<Tensor> seeds, Set<Node> keep) {
    boolean frees = !retainGraph && !createGraph;
    freeing = frees;
    for (int i = 0; i < outputs.size(); i++) {
      add(slot(outputs.get(i).edge()), seeds.get(i));
    }
    for (Slot s : order) {
      if (s.grad != null) {
        pass(s);
        if (!s.node.isLeaf() && s.node.retaining() == null && !keep.contains(s.node)) {
          replace(s, null);
        }
        if (frees) {
          s.node.free();
        }
      }
    }
  }

  private void pass(Slot s) {
    if (Thread.currentThread().isInterrupted()) {
      throw new GraphException("backward was cancelled by an interrupt; no gradient was written");
    }
    List<UnaryOperator<Tensor>> hooks = s.node.hooks();
    if (!hooks.isEmpty()) {
      for (UnaryOperator<Tensor> hook : hooks) {
        replace(s, hooked(s.node, hook, s.grad));
        s.owned = false;
      }
    }
    if (s.node.rule().orElse(null) instanceof Rule.Joint joint) {
      if (Arrays.stream(s.inputs).anyMatch(input -> input != null && input.needed)) {
        inFrame(() -> passAll(s, joint));
      }
      return;
    }
    for (int i = 0; i < s.inputs.length; i++) {
      Slot input = s.inputs[i];
      if (input != null && input.needed) {
        int to = i;
        inFrame(() -> give(s, to, s.node.rule().orElseThrow().vjp(s.node, to, s.grad)));
      }
    }
  }

  private void passAll(Slot s, Rule.Joint rule) {
    boolean[] needed = new boolean[s.inputs.length];
    for (int i = 0; i < needed.length; i++) {
      needed[i] = s.inputs[i] != null && s.inputs[i].needed;
    }
    Tensor[] gradients = rule.vjps(s.node, needed, s.grad);
    for (int i = 0; i < needed.length; i++) {
      if (needed[i]) {
        give(s, i, gradients[i]);
      }
    }
  }

  private void give(Slot s, int input, Tensor gradient) {
    if (Anomaly.isOn()) {
      Anomaly.checkBackward(s.node, input, s.grad, gradient);
    }
    if (gradient != null) {
      add(s.inputs[input], gradient);
    }
  }

  private Tensor hooked(Node n, UnaryOperator<Tensor> hook, Tensor grad) {
    boolean plain = grad.level() == 0;
    int before = plain ? grad.storage().version() : 0;
    Tensor replaced = Frames.ofUser(() -> hook.apply(grad));
    if (plain && grad.storage().version() != before) {
      throw new MutationException(
          "a hook on the output of "
              + n.name()
              + " changed the gradient in place, which others may share; return another one"
              + " instead",
          "op",
          n.name());
    }
    if (replaced == null) {
      return grad;
    }
    if (!replaced.layout().sameShape(grad.layout()) || replaced.dtype() != grad.dtype()) {
      throw new ShapeException(
          "a hook on the output of "
              + n.name()
              + " returned shape "
              + replaced.layout()
              + " "
              + replaced.dtype()
              + "; expected "
              + grad.layout()
              + " "
              + grad.dtype(),
          "op",
          n.name());
    }
    replaced.storage().claim();
    return replaced;
  }

  private void add(Slot slot, Tensor g) {
    if (slot.grad == null) {
      replace(slot, g);
    } else if (!createGraph
        && (slot.owned && slot.grad.level() == 0 && g.level() == 0
            || isOverwritable(slot.grad, g))) {
      arithmetic.addInto(slot.grad, g);
    } else {
      replace(slot, arithmetic.add(slot.grad, g));
      slot.owned = true;
    }
  }

  /** Whether a gradient was made by a pass, and nobody but its holder reads it. */
  private static boolean isOverwritable(Tensor held, Tensor g) {
    return held.level() == 0
        && g.level() == 0
        && held.storage().isHeldOnce()
        && held.layout().isContiguous()
        && held.size() == held.storage().length();
  }

  private void replace(Slot slot, Tensor g) {
    Tensor before = slot.grad;
    if (g == before) {
      return;
    }
    slot.grad = g;
    if (!createGraph) {
      if (g != null) {
        g.hold();
      }
      if (before != null) {
        before.release();
      }
    }
  }

  /**
   * The array that gets the gradient of a node's output: the leaf, or one that asked for it and has
   * not been overwritten since.
   */
  private static Tensor target(Node n) {
    Tensor t = n.retaining();
    return n.isLeaf() ? n.leaf() : t != null && t.gradFn().orElse(null) == n ? t : null;
  }

  /** Gives the gradients to their arrays, after what can fail. */
  private void commit(List<Slot> order) {
    List<Slot> ends = new ArrayList<>();
    for (Slot s : order) {
      Tensor target = target(s.node);
      Tensor g = s.grad;
      if (target != null && g != null) {
        target.requireUsableGrad();
        if (!g.storage().claim()
            || !g.layout().isContiguous()
            || g.size() != g.storage().length()) {
          recorded(() -> replace(s, arithmetic.copy(g)));
        }
        ends.add(s);
      }
    }
    for (Slot s : ends) {
      recorded(() -> accumulate(target(s.node), s.grad));
      replace(s, null);
    }
  }

  private void accumulate(Tensor target, Tensor own) {
    synchronized (target) {
      Tensor before = target.ownGrad();
      if (before == null) {
        target.setGrad(own);
      } else if (!createGraph && isOverwritable(before, own)) {
        arithmetic.addInto(before, own);
      } else {
        target.setGrad(arithmetic.add(before, own));
      }
    }
  }
}
