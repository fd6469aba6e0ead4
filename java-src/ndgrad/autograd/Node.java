package ndgrad.autograd;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.UnaryOperator;
import ndgrad.DType;
import ndgrad.GraphException;
import ndgrad.MutationException;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * One application of an op on the tape: the rule, its arguments, the nodes of its inputs and the
 * values the rule saved. A leaf's node has no rule; gradients that reach it are accumulated in the
 * leaf.
 */
public final class Node {
  private static final AtomicLong CLOCK = new AtomicLong();
  private static final Strided[] NONE = {};
  private static final VarHandle SLOT;

  static {
    try {
      SLOT = MethodHandles.lookup().findVarHandle(Node.class, "slot", Backward.Slot.class);
    } catch (ReflectiveOperationException e) {
      throw new ExceptionInInitializerError(e);
    }
  }

  private static final Tensor[] NO_TENSORS = {};

  /** In the place of what was saved. */
  private static final Tensor[] FREED = {};

  private static final int[] NO_VERSIONS = {};

  private final Rule rule;
  private final Object args;
  private final Node[] inputs;
  private final Layout[] layouts;
  private final DType[] dtypes;
  private final Layout outLayout;
  private final DType outDtype;
  private final Tensor leaf;
  private final long sequence;
  private Tensor[] saved;
  private int[] versions;
  private volatile boolean shared;
  private final String site;

  /** Null for none: a volatile write would be a fence for every node. */
  private volatile List<UnaryOperator<Tensor>> hooks;

  private Tensor retaining;
  private Backward.Slot slot;
  private Strided[] notes = NONE;

  private Node(Tensor leaf) {
    this.rule = null;
    this.args = null;
    this.inputs = new Node[0];
    this.layouts = new Layout[0];
    this.dtypes = new DType[0];
    this.outLayout = leaf.layout();
    this.outDtype = leaf.dtype();
    this.leaf = leaf;
    this.sequence = 0;
    this.site = "";
    this.saved = NO_TENSORS;
    this.versions = NO_VERSIONS;
  }

  /**
   * Records an application.
   *
   * @param rule the op's rule
   * @param args what the rule needs besides tensors
   * @param ins the inputs; those that require no gradient get no edge
   * @param out the output's shape
   * @param dtype the output's dtype
   */
  public Node(Rule rule, Object args, Tensor[] ins, Layout out, DType dtype) {
    this.rule = rule;
    this.args = args;
    this.leaf = null;
    this.outLayout = out;
    this.outDtype = dtype;
    int n = ins.length;
    inputs = new Node[n];
    layouts = new Layout[n];
    dtypes = new DType[n];
    for (int i = 0; i < n; i++) {
      inputs[i] = ins[i].edge();
      layouts[i] = ins[i].layout();
      dtypes[i] = ins[i].dtype();
    }
    saved = NO_TENSORS;
    versions = NO_VERSIONS;
    sequence = CLOCK.incrementAndGet();
    site = Anomaly.isOn() ? Anomaly.site() : "";
  }

  private Node(Node batch) {
    this.rule = batch.rule;
    this.args = batch.args;
    this.leaf = null;
    this.outLayout = batch.outLayout.first();
    this.outDtype = batch.outDtype;
    this.inputs = new Node[batch.inputs.length];
    this.layouts = batch.layouts.clone();
    Arrays.setAll(layouts, i -> batch.layouts[i].first());
    this.dtypes = batch.dtypes;
    this.sequence = batch.sequence;
    this.site = batch.site;
    this.saved = NO_TENSORS;
    this.versions = NO_VERSIONS;
  }

  /**
   * What the rule of one example sees of an application to a batch of them that saved nothing.
   *
   * @return a node with the shapes of an example
   */
  public Node ofExample() {
    return new Node(this);
  }

  static Node ofLeaf(Tensor leaf) {
    return new Node(leaf);
  }

  /**
   * Saves an input, or the output, for the rule.
   *
   * @param i the input's position; the number of inputs for the output, one more for what was found
   *     out about it
   * @param value the value as the op saw or made it
   */
  public void save(int i, Tensor value) {
    int needed = Math.max(i, inputs.length) + 1;
    if (saved.length < needed) {
      saved = Arrays.copyOf(saved, needed);
      versions = Arrays.copyOf(versions, needed);
    }
    if (saved[i] != value) {
      value.hold();
      if (saved[i] != null) {
        saved[i].handOver();
      }
      saved[i] = value;
    }
    versions[i] = value.storage().version();
  }

  /**
   * Where the user called the op.
   *
   * @return a stack frame; empty when it was recorded outside anomaly mode
   */
  public String site() {
    return site;
  }

  /**
   * The op's rule.
   *
   * @return empty for a leaf's node
   */
  public Optional<Rule> rule() {
    return Optional.ofNullable(rule);
  }

  /**
   * What this keeps for its rule.
   *
   * @return the saved inputs and output, and what was found out about it; empty once the graph was
   *     freed
   */
  public List<Tensor> savedValues() {
    return Arrays.stream(saved).filter(t -> t != null).toList();
  }

  /**
   * Something that leads to this node.
   *
   * @return the leaf of a leaf's node; otherwise a tensor of the output's shape and dtype whose
   *     values say nothing
   */
  public Tensor standIn() {
    return leaf != null ? leaf : new Tensor(Strided.zeros(outDtype).with(outLayout)).madeBy(this);
  }

  /**
   * Whether gradients end here.
   *
   * @return true for a leaf's node
   */
  public boolean isLeaf() {
    return rule == null;
  }

  /**
   * When this was made.
   *
   * @return higher than for all nodes made before; 0 for a leaf's node
   */
  public long sequence() {
    return sequence;
  }

  /**
   * The number that the next node will exceed.
   *
   * @return the latest sequence number
   */
  public static long latest() {
    return CLOCK.get();
  }

  /**
   * The op's name.
   *
   * @return {@code "leaf"} for a leaf's node
   */
  public String name() {
    return rule == null ? "leaf" : rule.name();
  }

  /**
   * What the rule needs besides tensors.
   *
   * @return the arguments of the call
   */
  public Object args() {
    return args;
  }

  /**
   * The number of inputs.
   *
   * @return 0 for a leaf's node
   */
  public int arity() {
    return inputs.length;
  }

  /**
   * The node of an input.
   *
   * @param i its position
   * @return empty when the input requires no gradient
   */
  public Optional<Node> input(int i) {
    return Optional.ofNullable(inputs[i]);
  }

  Node edge(int i) {
    return inputs[i];
  }

  Tensor leaf() {
    return leaf;
  }

  /**
   * Whether an input requires a gradient.
   *
   * @param i its position
   * @return true when it does
   */
  public boolean needs(int i) {
    return inputs[i] != null;
  }

  /**
   * An input's layout at the time of the call, for its shape.
   *
   * @param i its position
   * @return the layout
   */
  public Layout layout(int i) {
    return layouts[i];
  }

  /**
   * An input's dtype.
   *
   * @param i its position
   * @return the dtype
   */
  public DType dtype(int i) {
    return dtypes[i];
  }

  /**
   * The output's layout, for its shape.
   *
   * @return the layout
   */
  public Layout outLayout() {
    return outLayout;
  }

  /**
   * The output's dtype.
   *
   * @return the dtype
   */
  public DType outDtype() {
    return outDtype;
  }

  /**
   * A saved input.
   *
   * @param i its position
   * @return the value
   * @throws MutationException when it was changed in place since
   * @throws GraphException when the graph has been freed
   */
  public Tensor in(int i) {
    return unpack(i);
  }

  /**
   * The saved output.
   *
   * @return the value
   * @throws MutationException when it was changed in place since
   * @throws GraphException when the graph has been freed
   */
  public Tensor out() {
    return unpack(inputs.length);
  }

  /**
   * What was found out about the output when the op was recorded.
   *
   * @return the value
   * @throws GraphException when the graph has been freed
   */
  public Tensor found() {
    return unpack(inputs.length + 1);
  }

  private Tensor unpack(int i) {
    Tensor[] values = usable();
    Tensor t = i < values.length ? values[i] : null;
    if (t == null) {
      throw new IllegalStateException(name() + " did not declare that it saves value " + i);
    }
    return t;
  }

  /** Fails when the graph was freed or a saved value has changed since it was saved. */
  void checkUsable() {
    usable();
  }

  /** The saved values, read once: another thread's pass may free them. */
  private Tensor[] usable() {
    Tensor[] values = saved;
    if (values == FREED) {
      throw new GraphException(
          "backward through "
              + name()
              + " for the second time: its saved values were freed after the first"
              + " pass; pass retain-graph to the first backward to keep them",
          "op",
          name());
    }
    for (int i = 0; i < values.length; i++) {
      if (values[i] != null) {
        int now = values[i].storage().version();
        if (now != versions[i]) {
          throw mutated(i, values[i], now);
        }
      }
    }
    return values;
  }

  private MutationException mutated(int i, Tensor t, int now) {
    String by = t.storage().lastMutation();
    return new MutationException(
        "the "
            + (i == inputs.length ? "output" : "input " + i)
            + " that "
            + name()
            + " saved for its gradient (shape "
            + t.layout()
            + ", "
            + t.dtype()
            + ") was changed in place by "
            + by
            + ": it was saved at version "
            + versions[i]
            + " and is at version "
            + now
            + " now; use the out-of-place form, or change a copy"
            + (site.isEmpty()
                ? ""
                : ". It was saved at "
                    + site
                    + " and changed at "
                    + t.storage().lastMutationSite()),
        "op",
        name(),
        "shape",
        t.layout().shape(),
        "dtype",
        t.dtype().toString(),
        "saved-version",
        versions[i],
        "version",
        now,
        "mutated-by",
        by,
        "saved-at",
        site,
        "mutated-at",
        t.storage().lastMutationSite());
  }

  /**
   * Keeps what the kernel found out on the way to the output, for a gradient with a kernel of its
   * own.
   *
   * @param found by-products of the kernel
   */
  public void note(Strided... found) {
    for (Strided each : found) {
      each.storage().hold();
    }
    notes = found;
  }

  /**
   * What the kernel noted.
   *
   * @return its by-products; none where it ran inside a functional transform
   */
  public Strided[] notes() {
    return notes;
  }

  /**
   * What a pass under way knows of this node, its own or another's; null when none has come here.
   */
  Backward.Slot slot() {
    return slot;
  }

  /**
   * What the pass that has the place knows of this node, after noting for good that passes have met
   * here: what is saved will be left to the garbage collector. Null when that pass is over.
   */
  Backward.Slot share() {
    shared = true;
    return (Backward.Slot) SLOT.getVolatile(this);
  }

  /** Takes the place for a pass; false when another one has it. */
  boolean occupy(Backward.Slot taken) {
    return SLOT.compareAndSet(this, null, taken);
  }

  /** Frees the place that a pass has taken; nobody else writes to it until then. */
  void vacate(Backward.Slot taken) {
    if (slot == taken) {
      SLOT.setRelease(this, null);
    }
  }

  /**
   * Lets go of what was saved; what nobody else can reach is recycled. Where passes have met,
   * another one may be reading it, or freeing it too, and nothing is known to have an end.
   */
  void free() {
    Tensor[] values = saved;
    if (rule == null || values == FREED) {
      return;
    }
    saved = FREED;
    if (!shared) {
      for (Tensor t : values) {
        if (t != null) {
          t.release();
        }
      }
      for (Strided each : notes) {
        each.storage().release();
      }
      notes = NONE;
    }
  }

  /** All that a backward pass through this node needs, also what it adds to. */
  void reach(Reach reach) {
    if (leaf != null) {
      reach.add(leaf.ownGrad());
    }
    if (retaining != null) {
      reach.add(retaining.ownGrad());
    }
    for (Tensor t : saved) {
      reach.add(t);
    }
    for (Strided each : notes) {
      each.storage().reach();
    }
    for (Node input : inputs) {
      reach.add(input);
    }
  }

  /**
   * Adds a function that sees, and may replace, the gradient of this node's output.
   *
   * @param hook takes the gradient, returns it or another of the same shape and dtype
   */
  public synchronized void addHook(UnaryOperator<Tensor> hook) {
    List<UnaryOperator<Tensor>> more = new ArrayList<>(hooks());
    more.add(hook);
    hooks = List.copyOf(more);
  }

  /**
   * Takes a hook back.
   *
   * @param hook what was added
   */
  public synchronized void removeHook(UnaryOperator<Tensor> hook) {
    hooks = hooks().stream().filter(h -> h != hook).toList();
  }

  List<UnaryOperator<Tensor>> hooks() {
    List<UnaryOperator<Tensor>> known = hooks;
    return known == null ? List.of() : known;
  }

  Tensor retaining() {
    return retaining;
  }

  void retainInto(Tensor t) {
    retaining = t;
  }

  /**
   * Takes over the array that asked for its gradient, which is that of its latest value. Hooks stay
   * with the value they were added to.
   */
  void inherit(Node old) {
    retaining = old.retaining;
    old.retaining = null;
  }
}
