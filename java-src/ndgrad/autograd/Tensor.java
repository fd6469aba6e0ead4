package ndgrad.autograd;

import java.util.Optional;
import java.util.function.Consumer;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.GraphException;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * An array as ops see it: its elements and its place on the tape. {@code ndgrad.Array} is the
 * public face of exactly one tensor.
 */
public final class Tensor {

  /** The public object that stands for a tensor. */
  public interface Face {
    /**
     * The tensor behind the face.
     *
     * @return the tensor
     */
    Tensor tensor();
  }

  private final Strided strided;
  private final boolean weak;
  private final Lift lift;
  private final Region scope = Region.current();
  private boolean readOnly;
  private boolean requiresGrad;
  private Node node;
  private volatile Node accumulator;
  private Tensor grad;
  private Face face;

  // A view follows its root: when the root's history is rewritten by an in-place op, the view's
  // node is made anew.
  private Tensor root;
  private Rule reading;
  private int stamp;
  private int rewrites;

  private Tensor(Strided strided, boolean weak, Lift lift) {
    this.strided = strided;
    this.weak = weak;
    this.lift = lift;
  }

  /**
   * An untracked tensor.
   *
   * @param strided its elements, shared
   */
  public Tensor(Strided strided) {
    this(strided, false, null);
  }

  /**
   * A host number: its dtype gives way to that of the arrays it meets (NEP 50).
   *
   * @param strided a 0-d array
   * @return the tensor
   */
  public static Tensor weak(Strided strided) {
    return new Tensor(strided, true, null);
  }

  /**
   * A value inside a functional transform.
   *
   * @param lift what it stands for
   * @return a tensor of the shape and dtype that the transformed function sees
   */
  public static Tensor lifted(Lift lift) {
    return new Tensor(lift.elements(), false, lift);
  }

  /**
   * What this stands for inside a functional transform.
   *
   * @return empty for an ordinary tensor
   */
  public Optional<Lift> lift() {
    return Optional.ofNullable(lift);
  }

  /**
   * How deep inside functional transforms this lives.
   *
   * @return 0 for an ordinary tensor, else the level of its transform
   */
  public long level() {
    return lift == null ? 0 : lift.level();
  }

  /**
   * Whether gradients flow to this, or to what it stands for in a transform.
   *
   * @return true when somebody may differentiate by it
   */
  public boolean isFollowed() {
    return requiresGrad() || lift != null && lift.isFollowed();
  }

  /**
   * The same value as a leaf of its own: what a transform differentiates with respect to.
   *
   * @return a leaf that requires no gradient yet; storage, version counter and lift are shared
   */
  public Tensor alias() {
    return sharing(new Tensor(strided, false, lift));
  }

  /**
   * The elements.
   *
   * @return storage and layout
   * @throws GraphException inside vmap, where there are elements for each example
   * @throws Untraceable when this is a stand-in in a traced function
   */
  public Strided strided() {
    if (Trace.isOn()) {
      beRead();
    }
    if (isBatched()) {
      throw new GraphException(
          "inside vmap an array has values for each example, so nothing can depend on the values of"
              + " one: its shape, a branch or a number of the host; use where instead of a branch",
          "shape",
          layout().shape());
    }
    return strided;
  }

  /**
   * The elements of one example, for what must be the same for all.
   *
   * @return the first example inside vmap, zeros of an empty batch; otherwise the elements
   */
  public Strided firstExample() {
    if (Trace.isOn()) {
      beRead();
    }
    return isBatched() && storage().length() == 0 && size() > 0
        ? Strided.zeros(dtype(), shape())
        : strided;
  }

  private void beRead() {
    if (isTraced()) {
      throw Trace.current()
          .refusal(
              "reads elements of an array that depends on its arguments (a branch, item, data, an"
                  + " index)");
    }
    if (lift == null) {
      Trace.current().reads(this);
    }
  }

  /** The elements, for who does not ask what they stand for. */
  Strided elements() {
    return strided;
  }

  /**
   * Whether this stands for values that are not there yet.
   *
   * @return true for what depends on the arguments of a traced function
   */
  public boolean isTraced() {
    return lift != null && lift.isTraced();
  }

  /**
   * Whether this stands for the values of several examples.
   *
   * @return true inside vmap
   */
  public boolean isBatched() {
    return lift != null && lift.isBatched();
  }

  /** The innermost scope that was open when this was made; null outside all. */
  Region scope() {
    return scope;
  }

  /**
   * What holds the elements.
   *
   * @return the storage, inside vmap that of all examples
   */
  public Storage storage() {
    return strided.storage();
  }

  /**
   * Where the elements are.
   *
   * @return the layout
   */
  public Layout layout() {
    return strided.layout();
  }

  /**
   * The element type.
   *
   * @return the dtype
   */
  public DType dtype() {
    return strided.storage().dtype();
  }

  /**
   * Whether this is a host number whose dtype gives way.
   *
   * @return true for host numbers
   */
  public boolean isWeak() {
    return weak;
  }

  /**
   * The number of dimensions.
   *
   * @return the rank
   */
  public int ndim() {
    return strided.layout().ndim();
  }

  /**
   * The length of one dimension.
   *
   * @param axis from 0 to ndim-1
   * @return the length
   */
  public int dim(int axis) {
    return strided.layout().dim(axis);
  }

  /**
   * The shape.
   *
   * @return a fresh array
   */
  public int[] shape() {
    return strided.layout().shape();
  }

  /**
   * The number of elements.
   *
   * @return the size
   */
  public long size() {
    return strided.layout().size();
  }

  /**
   * Whether gradients flow to or through this tensor.
   *
   * @return true for leaves that ask for it and for results of tracked ops
   */
  public boolean requiresGrad() {
    return requiresGrad || node() != null;
  }

  /**
   * Asks for, or gives up, a gradient in this leaf.
   *
   * @param required whether gradients shall be accumulated here
   * @throws DTypeException when the dtype is not floating
   * @throws GraphException when this is the result of a tracked op
   */
  public void requireGrad(boolean required) {
    if (required && !dtype().isFloating()) {
      throw new DTypeException(
          "only floating arrays can require a gradient, this one is "
              + dtype()
              + "; convert it with astype",
          "dtype",
          dtype().toString());
    }
    if (node() != null) {
      if (!required) {
        throw new GraphException(
            "requires-grad can be switched off on leaves only; this is the result of "
                + node.name()
                + ": use detach",
            "op",
            node.name());
      }
      return;
    }
    requiresGrad = required;
  }

  /**
   * Whether no tracked op made this tensor.
   *
   * @return true for leaves
   */
  public boolean isLeaf() {
    return node() == null;
  }

  /**
   * The node of the tracked op that made this tensor.
   *
   * @return empty for leaves
   */
  public Optional<Node> gradFn() {
    return Optional.ofNullable(node());
  }

  /**
   * Makes this the output of a node.
   *
   * @param made the node
   * @return this
   */
  public Tensor madeBy(Node made) {
    if (node != null && node.retaining() == this) {
      made.inherit(node);
    }
    node = made;
    requiresGrad = false;
    return this;
  }

  /**
   * Declares this to be a view of another tensor's storage whose history it follows.
   *
   * @param parent the tensor it was made from
   * @param rule how a gradient goes from any view, given its layout as argument, to its root
   * @return this
   */
  public Tensor viewOf(Tensor parent, Rule rule) {
    root = parent.root();
    reading = rule;
    stamp = root.rewrites;
    return this;
  }

  /**
   * Whether several elements may be one place of the storage, here or in the array this is a view
   * of.
   *
   * @return true for broadcast views and all their views
   */
  public boolean isReadOnly() {
    return readOnly;
  }

  /**
   * Declares that nothing may be written through this tensor.
   *
   * @return this
   */
  public Tensor readOnly() {
    readOnly = true;
    return this;
  }

  /**
   * The tensor that owns this one's history.
   *
   * @return this unless it is a view
   */
  public Tensor root() {
    return root == null ? this : root;
  }

  /**
   * Notes that an in-place op has rewritten this root's history: its views make their nodes anew.
   */
  public void rewritten() {
    Region.touch(this);
    rewrites++;
  }

  private Node node() {
    if (root != null && stamp != root.rewrites) {
      stamp = root.rewrites;
      Node old = node;
      node =
          root.requiresGrad()
              ? new Node(reading, layout(), new Tensor[] {root}, layout(), dtype())
              : null;
      if (node != null && old != null && old.retaining() == this) {
        node.inherit(old);
      }
    }
    return node;
  }

  /**
   * Where a gradient of this tensor goes.
   *
   * @return the node that made it, a leaf's accumulating node, or null when it requires no gradient
   */
  Node edge() {
    Node made = node();
    if (made != null) {
      return made;
    }
    if (!requiresGrad) {
      return null;
    }
    Node known = accumulator;
    return known != null ? known : accumulate();
  }

  private synchronized Node accumulate() {
    if (accumulator == null) {
      accumulator = Node.ofLeaf(this);
    }
    return accumulator;
  }

  /**
   * The place on the tape to attach hooks to.
   *
   * @return the node
   * @throws GraphException when this requires no gradient
   */
  public Node requireEdge() {
    Node e = edge();
    if (e == null) {
      throw new GraphException(
          "this array does not require a gradient: make it with requires-grad, or from an array"
              + " that has it",
          "shape",
          layout().shape());
    }
    return e;
  }

  /**
   * The accumulated gradient, for users: its memory is not recycled before a scope of theirs ends.
   *
   * @return empty before the first backward that reaches this leaf
   */
  public synchronized Optional<Tensor> grad() {
    if (grad != null) {
      grad.eachStorage(Storage::expose);
    }
    return Optional.ofNullable(grad);
  }

  /**
   * The accumulated gradient, for one who looks at it and lets go.
   *
   * @return null when there is none
   */
  public synchronized Tensor ownGrad() {
    return grad;
  }

  /**
   * Whether a gradient has been accumulated.
   *
   * @return true after a backward that reached this leaf
   */
  public synchronized boolean hasGrad() {
    return grad != null;
  }

  /**
   * Checks that something can be added to the accumulated gradient.
   *
   * @throws ndgrad.ScopeException when it ended with a scope
   */
  synchronized void requireUsableGrad() {
    if (grad != null) {
      grad.eachStorage(Storage::array);
    }
  }

  /**
   * Replaces the accumulated gradient. The one before is recycled when no user has seen it.
   *
   * @param value the gradient, or null to forget it
   */
  public synchronized void setGrad(Tensor value) {
    Tensor before = grad;
    if (value == before) {
      return;
    }
    if (value != null) {
      value.hold();
      Region.touch(this);
    }
    grad = value;
    if (before != null) {
      before.release();
    }
  }

  /** Asks that the gradient of this non-leaf be kept as a leaf's is. */
  public void retainGrad() {
    Node e = requireEdge();
    if (e.leaf() == null) {
      e.retainInto(this);
    }
  }

  /**
   * A leaf with the same elements, sharing storage and version counter, outside the graph.
   *
   * @return the detached tensor
   */
  public Tensor detach() {
    return switch (lift) {
      case null -> sharing(new Tensor(strided));
      case Lift.Dual d -> d.primal().detach();
      case Lift.Batched b -> lifted(new Lift.Batched(b.level(), b.physical().detach()));
      case Lift.Traced _ when Trace.isOn() -> Trace.current().detached(this);
      case Lift.Traced _ -> alias();
    };
  }

  private Tensor sharing(Tensor same) {
    same.readOnly = readOnly;
    return same;
  }

  /**
   * The public object that stands for this tensor.
   *
   * @return null until one was made
   */
  public Face face() {
    return face;
  }

  /**
   * Remembers the public object, so that it keeps its identity.
   *
   * @param made the face
   */
  public void setFace(Face made) {
    face = made;
    eachStorage(Storage::expose);
  }

  /** Keeps the elements from being recycled until {@link #release} or {@link #handOver}. */
  void hold() {
    eachStorage(Storage::hold);
  }

  /** Keeps the elements from ever being recycled. */
  void escape() {
    eachStorage(Storage::escape);
  }

  /** Takes a {@link #hold} back; what nobody else can reach is recycled. */
  void release() {
    eachStorage(Storage::release);
  }

  /** Takes a {@link #hold} back and leaves the elements to whoever gets this tensor. */
  void handOver() {
    eachStorage(Storage::handOver);
  }

  private void eachStorage(Consumer<Storage> action) {
    if (lift == null) {
      action.accept(strided.storage());
    } else {
      lift.parts().forEach(t -> t.eachStorage(action));
    }
  }

  /** All that follows from this tensor's being used later. */
  void reach(Reach reach) {
    eachStorage(Storage::reach);
    if (lift != null) {
      lift.parts().forEach(reach::add);
    }
    reach.add(node);
    reach.add(root);
    reach.add(grad);
  }
}
