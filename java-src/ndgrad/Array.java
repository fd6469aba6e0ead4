package ndgrad;

import java.util.Arrays;
import java.util.Collections;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.function.UnaryOperator;
import java.util.stream.IntStream;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.Indexing;
import ndgrad.op.Reverse;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Structural;

/**
 * An n-dimensional array of numbers that can take part in a computation graph.
 *
 * <p>An array is a window (shape, strides, offset) on a primitive Java array. Views share that
 * array and its version counter; an op saves what its gradient needs, and {@link #backward()} fails
 * when such a value has been changed in place since.
 *
 * <p>An array equals itself alone, for its elements can change; {@link #arrayEqual} and {@link
 * #allclose} compare elements.
 *
 * <pre>{@code
 * Array a = Array.of(3.0).requiresGrad(true), b = Array.of(4.0).requiresGrad(true);
 * Array c = a.pow(2).add(b.pow(2)).sqrt();
 * c.backward();
 * a.grad();   // [0.6]
 * }</pre>
 */
public final class Array extends ArrayOps implements Iterable<Array>, Tensor.Face {
  /** Why a trace ends: arguments of the same shape may lie in other ways. */
  private static final String PLACES = "asks where elements lie (strides, offset)";

  private final Tensor tensor;

  private Array(Tensor tensor) {
    this.tensor = tensor;
  }

  static Array of(Tensor t) {
    if (t.face() instanceof Array known) {
      return known;
    }
    Array made = new Array(t);
    t.setFace(made);
    return made;
  }

  /**
   * A one-dimensional array of one element.
   *
   * @param value the element
   * @return float64, shape [1]
   */
  public static Array of(double value) {
    return of(new double[] {value});
  }

  /**
   * A one-dimensional array of one element.
   *
   * @param value the element
   * @return int64, shape [1]
   */
  public static Array of(long value) {
    return of(new long[] {value});
  }

  /**
   * A one-dimensional array of one element.
   *
   * @param value the element
   * @return int32, shape [1]
   */
  public static Array of(int value) {
    return of(new int[] {value});
  }

  /**
   * A one-dimensional array of one element.
   *
   * @param value the element
   * @return float32, shape [1]
   */
  public static Array of(float value) {
    return of(new float[] {value});
  }

  /**
   * A one-dimensional array.
   *
   * @param values the elements, copied
   * @return float64
   */
  public static Array of(double... values) {
    return of((Object) values);
  }

  /**
   * A one-dimensional array.
   *
   * @param values the elements, copied
   * @return float32
   */
  public static Array of(float... values) {
    return of((Object) values);
  }

  /**
   * A one-dimensional array.
   *
   * @param values the elements, copied
   * @return int64
   */
  public static Array of(long... values) {
    return of((Object) values);
  }

  /**
   * A one-dimensional array.
   *
   * @param values the elements, copied
   * @return int32
   */
  public static Array of(int... values) {
    return of((Object) values);
  }

  /**
   * A one-dimensional array.
   *
   * @param values the elements, copied
   * @return bool
   */
  public static Array of(boolean... values) {
    return of((Object) values);
  }

  /**
   * An array of nested data.
   *
   * @param nested a number, boolean, nested list, (nested) Java array or Array, copied
   * @return an array in the smallest dtype that holds the elements; float64 without elements
   * @throws ShapeException when the nesting is ragged
   */
  public static Array of(Object nested) {
    try {
      return of(new Tensor(Nested.array(nested)));
    } catch (NdException e) {
      throw e.during("array");
    }
  }

  /**
   * An array of nested data in a dtype.
   *
   * @param nested a number, boolean, nested list, (nested) Java array or Array, copied
   * @param dtype the dtype, to which elements are converted as by {@link #astype(DType)}
   * @return the array
   * @throws ShapeException when the nesting is ragged
   */
  public static Array of(Object nested, DType dtype) {
    try {
      return of(new Tensor(Nested.array(nested, Coerce.given("dtype", dtype))));
    } catch (NdException e) {
      throw e.during("array");
    }
  }

  /**
   * A 0-d array.
   *
   * @param value the element
   * @return float64, shape []
   */
  public static Array scalar(double value) {
    return wrap(new double[] {value});
  }

  /**
   * An array over an existing primitive array, without a copy: each sees what is written into the
   * other.
   *
   * @param primitives a {@code float[] double[] int[] long[]} or {@code boolean[]}
   * @param shape the shape; none for a 0-d array over a single element
   * @return the array, row-major
   * @throws ShapeException when the shape's size is not the length
   * @throws DTypeException when it is no such array
   */
  public static Array wrap(Object primitives, int... shape) {
    try {
      return of(new Tensor(Strided.wrap(primitives, Coerce.given("shape", shape))));
    } catch (NdException e) {
      throw e.during("wrap");
    }
  }

  /** {@inheritDoc} */
  @Override
  public Tensor tensor() {
    return tensor;
  }

  /**
   * The shape.
   *
   * @return a fresh array
   */
  public int[] shape() {
    return tensor.shape();
  }

  /**
   * The number of dimensions.
   *
   * @return 0 for a scalar
   */
  public int ndim() {
    return tensor.ndim();
  }

  /**
   * The element type.
   *
   * @return the dtype
   */
  public DType dtype() {
    return tensor.dtype();
  }

  /**
   * The number of elements.
   *
   * @return the product of the dimensions
   */
  public long size() {
    return tensor.size();
  }

  /**
   * Bytes of one element.
   *
   * @return 1, 4 or 8
   */
  public int itemsize() {
    return dtype().itemsize();
  }

  /**
   * Bytes of all elements.
   *
   * @return size times itemsize, also for broadcast views
   */
  public long nbytes() {
    return size() * itemsize();
  }

  /**
   * The distance between neighbours along each axis.
   *
   * @return strides in bytes, as NumPy gives them
   */
  public long[] strides() {
    Trace.refuse(PLACES);
    int item = itemsize();
    return IntStream.of(tensor.layout().strides()).mapToLong(s -> (long) s * item).toArray();
  }

  /**
   * The position of the first element in {@link #data()}.
   *
   * @return the offset in elements
   */
  public int offset() {
    Trace.refuse(PLACES);
    return tensor.layout().offset();
  }

  /**
   * The primitive array behind this array and all its views. Who writes into it directly goes past
   * the version counter.
   *
   * @return a {@code float[] double[] int[] long[]} or {@code boolean[]}, shared
   */
  public Object data() {
    return tensor.strided().storage().escape();
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh primitive array of the array's dtype
   */
  public Object toArray() {
    return elements(dtype());
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh array, converted if need be
   */
  public double[] toDoubleArray() {
    return (double[]) elements(DType.FLOAT64);
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh array, converted if need be
   */
  public float[] toFloatArray() {
    return (float[]) elements(DType.FLOAT32);
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh array, converted as {@code astype} does
   */
  public long[] toLongArray() {
    return (long[]) elements(DType.INT64);
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh array, converted as {@code astype} does
   */
  public int[] toIntArray() {
    return (int[]) elements(DType.INT32);
  }

  /**
   * The elements in row-major order.
   *
   * @return a fresh array, true where an element is not 0
   */
  public boolean[] toBooleanArray() {
    return (boolean[]) elements(DType.BOOL);
  }

  private Object elements(DType dtype) {
    return Copies.copyOf(tensor.strided(), dtype).storage().escape();
  }

  /**
   * The elements as nested lists of Double, Long or Boolean.
   *
   * @return unmodifiable lists; the element itself for a 0-d array
   */
  public Object toList() {
    return Nested.toHost(tensor);
  }

  /**
   * The only element as a number.
   *
   * @return its value, rounded where it is an int64 beyond 2⁵³ ({@link #itemValue} is exact); 0 or
   *     1 for bool
   * @throws ShapeException when the size is not 1
   */
  public double item() {
    Object one = itemValue();
    return one instanceof Number n ? n.doubleValue() : one.equals(true) ? 1 : 0;
  }

  /**
   * The only element as it is.
   *
   * @return a Double, Long or Boolean
   * @throws ShapeException when the size is not 1
   */
  public Object itemValue() {
    return Nested.item(tensor);
  }

  /**
   * All axes in reverse order, as NumPy's {@code T}.
   *
   * @return a view
   */
  public Array t() {
    return transpose();
  }

  /**
   * The array along its first axis: views of one dimension less.
   *
   * @return an iterator
   * @throws ShapeException for a 0-d array
   */
  @Override
  public Iterator<Array> iterator() {
    if (ndim() == 0) {
      throw new ShapeException("cannot iterate over a 0-d array; use item", "shape", List.of())
          .during("seq");
    }
    return IntStream.range(0, tensor.dim(0))
        .mapToObj(i -> of(Structural.SELECT.of(tensor, 0, i)))
        .iterator();
  }

  /**
   * Indexing as NumPy's {@code x[…]}: {@code x.get(0)}, {@code x.get(Index.slice(1, 3), -1)},
   * {@code x.get("1:3, ...")}, {@code x.get(mask)}.
   *
   * @param index integers, {@link Index} items, integer or bool Arrays, lists; or one string in
   *     NumPy's notation
   * @return a view for integers, slices, new axes and ellipsis; a copy where an array or list
   *     indexes
   * @throws IndexException when an index is out of range or there are too many
   */
  public Array get(Object... index) {
    return (Array) Ops.call(Indexing.GET, Map.of(), this, key("get", index));
  }

  /**
   * Writes into the indexed elements, as NumPy's {@code x[…] = v}.
   *
   * @param value an Array, number or nested list, broadcast and converted
   * @param index as for {@link #get}
   * @return this, modified
   * @throws IndexException when an index is out of range; nothing has been written then
   * @throws ShapeException when the value does not broadcast; nothing has been written then
   * @throws GraphException when it would have to be differentiated through a leaf that requires a
   *     gradient
   */
  public Array set(Object value, Object... index) {
    Indexing.set(tensor, key("set!", index), value);
    return this;
  }

  private static Object key(String op, Object[] index) {
    if (index == null) {
      throw ArgumentException.missing("index").during(op);
    }
    return index.length == 1 && index[0] instanceof String s
        ? Index.parse(s)
        : Arrays.asList(index);
  }

  /**
   * Overwrites every element.
   *
   * @param value an Array, number or nested list, broadcast and converted
   * @return this, modified
   * @throws ShapeException when the value does not broadcast; nothing has been written then
   * @throws GraphException when it would have to be differentiated through a leaf that requires a
   *     gradient
   */
  public Array assign(Object value) {
    InPlace.assign(tensor, Nested.tensor(value), "assign");
    return this;
  }

  /**
   * Whether gradients flow to or through this array.
   *
   * @return true for leaves that ask for it and for results of ops on such
   */
  public boolean requiresGrad() {
    return tensor.requiresGrad();
  }

  /**
   * Asks for, or gives up, a gradient in this leaf.
   *
   * @param required whether gradients shall be accumulated here
   * @return this, modified
   * @throws DTypeException when the dtype is not floating
   * @throws GraphException when it is switched off on the result of a tracked op
   */
  public Array requiresGrad(boolean required) {
    Trace.refuse("asks for a gradient in an array");
    tensor.requireGrad(required);
    return this;
  }

  /**
   * The accumulated gradient.
   *
   * @return the gradient, of this array's shape and dtype; later passes leave it alone and add into
   *     another
   * @throws GraphException when there is none; see {@link #hasGrad()}
   */
  public Array grad() {
    Trace.refuse("reads a gradient");
    return of(
        tensor
            .grad()
            .orElseThrow(
                () ->
                    new GraphException(
                        "this array has no gradient: no backward has reached it"
                            + (isLeaf() ? "" : ", and it is no leaf (use retain-grad)"),
                        "shape",
                        tensor.layout().shape())));
  }

  /**
   * Whether a gradient has been accumulated.
   *
   * @return true after a backward that reached this leaf
   */
  public boolean hasGrad() {
    Trace.refuse("reads a gradient");
    return tensor.hasGrad();
  }

  /**
   * Forgets the accumulated gradient.
   *
   * @return this, modified
   */
  public Array zeroGrad() {
    Trace.refuse("forgets a gradient");
    tensor.setGrad(null);
    return this;
  }

  /**
   * Replaces the accumulated gradient.
   *
   * @param gradient of this array's shape and dtype; shared from now on
   * @return this, modified
   * @throws ArgumentException when it is null: {@link #zeroGrad()} forgets a gradient
   * @throws DTypeException when the dtype differs
   * @throws ShapeException when the shape differs
   */
  public Array setGrad(Array gradient) {
    Trace.refuse("replaces a gradient");
    if (gradient == null) {
      throw new ArgumentException("expected a gradient, got null; zeroGrad() forgets one");
    }
    if (gradient.dtype() != dtype()) {
      throw new DTypeException(
          "the gradient is " + gradient.dtype() + ", the array " + dtype() + "; convert it first",
          "dtypes",
          List.of(gradient.dtype().toString(), dtype().toString()));
    }
    if (!gradient.tensor.layout().sameShape(tensor.layout())) {
      throw new ShapeException(
          "the gradient has shape " + gradient.tensor.layout() + ", the array " + tensor.layout(),
          "shapes",
          List.of(gradient.tensor.layout().shape(), tensor.layout().shape()));
    }
    tensor.setGrad(gradient.tensor);
    return this;
  }

  /**
   * Asks that this non-leaf keep its gradient, too.
   *
   * @return this, modified
   * @throws GraphException when it requires no gradient
   */
  public Array retainGrad() {
    Trace.refuse("asks for a gradient in an array");
    tensor.retainGrad();
    return this;
  }

  /**
   * Adds a function that sees this array's gradient in every backward, and may replace it.
   *
   * @param hook takes the gradient, which others may share: a backward in which it is changed in
   *     place is a {@link MutationException}; returns it, another of the same shape and dtype, or
   *     null to keep it
   * @return takes the hook back when closed
   * @throws GraphException when this requires no gradient
   */
  public Autograd.Scope registerHook(UnaryOperator<Array> hook) {
    Coerce.given("hook", hook);
    Trace.refuse("adds a hook");
    Node node = tensor.requireEdge();
    UnaryOperator<Tensor> wrapped =
        g -> {
          Array replaced = hook.apply(of(g));
          return replaced == null ? g : replaced.tensor;
        };
    node.addHook(wrapped);
    return () -> node.removeHook(wrapped);
  }

  /**
   * The name of the tracked op that made this array.
   *
   * @return empty for leaves
   */
  public Optional<String> gradFn() {
    return tensor.gradFn().map(Node::name);
  }

  /**
   * Whether no tracked op made this array.
   *
   * @return true for leaves
   */
  public boolean isLeaf() {
    return tensor.isLeaf();
  }

  /**
   * How many times the elements were changed in place, through this array or any that shares them.
   *
   * @return the version
   */
  public int version() {
    return tensor.strided().storage().version();
  }

  /**
   * The same elements outside the graph, and inside {@code jvp} without a tangent; storage and
   * version counter are shared.
   *
   * @return a leaf that requires no gradient
   */
  public Array detach() {
    return of(tensor.detach());
  }

  /**
   * Accumulates the gradients of this array in the leaves it depends on, then frees the graph.
   *
   * @throws GraphException when there is no graph, it was freed, or this array has more than one
   *     element
   * @throws MutationException when a saved value was changed in place; nothing has been written
   *     then
   */
  public void backward() {
    backward(null, false, false);
  }

  /**
   * Accumulates the gradients of {@code sum(upstream * this)} in the leaves, then frees the graph.
   *
   * @param upstream of this array's shape; converted to its dtype
   * @throws GraphException when there is no graph or it was freed
   * @throws ShapeException when the upstream gradient has another shape
   * @throws MutationException when a saved value was changed in place; nothing has been written
   *     then
   */
  public void backward(Array upstream) {
    backward(upstream, false, false);
  }

  /**
   * Accumulates gradients in the leaves.
   *
   * @param upstream of this array's shape, converted to its dtype; null for 1 where there is a
   *     single element
   * @param retainGraph whether the graph can be used again
   * @param createGraph whether the gradients can be differentiated again
   * @throws GraphException when there is no graph or it was freed
   * @throws ShapeException when the upstream gradient has another shape
   * @throws MutationException when a saved value was changed in place; nothing has been written
   *     then
   */
  public void backward(Array upstream, boolean retainGraph, boolean createGraph) {
    Reverse.backward(
        List.of(tensor),
        Collections.singletonList(upstream == null ? null : upstream.tensor),
        retainGraph,
        createGraph);
  }

  /**
   * The elements as NumPy prints them, summarised when there are many; the dtype when it is not the
   * default, and the place in the graph.
   */
  @Override
  public String toString() {
    return Format.array(this, PrintOptions.DEFAULT);
  }
}
