package ndgrad.op.spec;

import java.lang.reflect.Array;
import java.math.BigDecimal;
import java.math.BigInteger;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.RandomAccess;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/** Between host values (numbers, nested lists, Java arrays) and tensors. */
public final class Nested {
  private static final Layout SCALAR = Layout.of();

  /** Elements of a sequence that are read between looks at whether the thread is interrupted. */
  private static final int SOME = 4096;

  private final Object value;
  private final int[] shape;
  private DType dtype;
  private boolean live;

  /** The first host integer that is too large for 32 bits; null for none. */
  private Number wide;

  private Nested(Object value) {
    this.value = value;
    this.shape = firstPath(value, 0);
    check(value, 0);
    this.dtype = dtype == null ? DType.FLOAT64 : dtype;
  }

  /**
   * The tensor that a host value stands for: itself for a tensor, a weak scalar for a number, a
   * fresh array for a nested list or Java array. Arrays in the list that require a gradient, or
   * live in a transform, keep their history.
   *
   * @param value the value
   * @return the tensor
   * @throws ShapeException when the nesting is ragged
   * @throws ArgumentException when it is nothing an array could be made of
   */
  public static Tensor tensor(Object value) {
    return switch (value) {
      case Tensor t -> t;
      case Tensor.Face f -> f.tensor();
      case Double d -> Tensor.weak(scalar(new double[] {d}));
      case Long l -> Tensor.weak(scalar(new long[] {l}));
      case Boolean b -> new Tensor(scalar(new boolean[] {b}));
      case Number n ->
          Tensor.weak(
              scalar(
                  Coerce.isIntegral(n) ? new long[] {whole(n)} : new double[] {n.doubleValue()}));
      case null, default -> {
        Nested nested = new Nested(value);
        yield nested.live ? nested.joined(value) : new Tensor(nested.filled());
      }
    };
  }

  private static Strided scalar(Object one) {
    return new Strided(new Storage(one), SCALAR);
  }

  /**
   * A fresh row-major array with the elements of a host value, in the smallest dtype that holds
   * them all: Java's {@code Integer} and {@code Float} stay 32 bits wide, Clojure's numbers are 64.
   * Without elements it is {@code float64}.
   *
   * @param value a tensor, number, nested list or Java array
   * @return the elements, never shared
   * @throws ShapeException when the nesting is ragged
   * @throws ArgumentException when it is nothing an array could be made of, or a list that holds
   *     arrays whose history would be lost
   */
  public static Strided array(Object value) {
    Nested nested = new Nested(value);
    if (nested.live && !(value instanceof Tensor.Face)) {
      throw new ArgumentException(
          "a nested list holds an array that requires a gradient, which would be lost; join arrays"
              + " with stack or cat, or detach them first");
    }
    return nested.filled();
  }

  /**
   * A fresh row-major array with the elements of a host value, converted to a dtype.
   *
   * @param value a tensor, number, nested list or Java array
   * @param dtype the dtype
   * @return the elements, never shared
   * @throws ShapeException when the nesting is ragged
   * @throws DTypeException when it holds a host integer that does not fit
   * @throws ArgumentException as {@link #array(Object)}
   */
  public static Strided array(Object value, DType dtype) {
    requireFits(value, dtype);
    return Copies.copyOf(array(value), dtype);
  }

  /**
   * Checks that the host integers in a value fit a dtype. Arrays are converted instead, and wrap.
   *
   * @param value a tensor, number, nested list or Java array
   * @param dtype the dtype
   * @throws DTypeException when an integer does not fit
   */
  public static void requireFits(Object value, DType dtype) {
    if (dtype == DType.INT32 && !(value instanceof Tensor) && !(value instanceof Tensor.Face)) {
      Number wide = new Nested(value).wide;
      if (wide != null) {
        throw Coerce.tooWide(wide, "ask for int64");
      }
    }
  }

  private Strided filled() {
    Strided out = Strided.zeros(dtype, shape);
    fill(value, 0, out, 0);
    return out;
  }

  /** The nested list as stacks of stacks, which gradients pass. */
  private Tensor joined(Object v) {
    List<?> items = v instanceof Tensor.Face ? null : items(v);
    if (items == null) {
      Tensor t = v instanceof Tensor.Face f ? f.tensor() : new Tensor(array(v));
      return Structural.cast(t, dtype);
    }
    return Structural.STACK.of(items.stream().map(this::joined).toList(), 0);
  }

  /**
   * The lengths of the first list, of the first list in it, and so on; those outside are set later.
   */
  private static int[] firstPath(Object v, int depth) {
    if (depth > Layout.MOST_DIMENSIONS) {
      throw new ShapeException(
          "lists are nested more than "
              + Layout.MOST_DIMENSIONS
              + " deep, and so many dimensions an array has at most; does a list hold itself?",
          "limit",
          Layout.MOST_DIMENSIONS);
    }
    if (v instanceof Tensor.Face f) {
      Layout inside = f.tensor().layout();
      int[] dims = new int[depth + inside.ndim()];
      System.arraycopy(inside.shape(), 0, dims, depth, inside.ndim());
      return dims;
    }
    if (isPrimitives(v)) {
      int[] dims = new int[depth + 1];
      dims[depth] = Array.getLength(v);
      return dims;
    }
    List<?> items = items(v);
    if (items == null) {
      return new int[depth];
    }
    int[] dims = items.isEmpty() ? new int[depth + 1] : firstPath(items.get(0), depth + 1);
    dims[depth] = items.size();
    return dims;
  }

  private void check(Object v, int depth) {
    if (v instanceof Tensor.Face f) {
      Tensor t = f.tensor();
      live |= t.requiresGrad() || t.level() > 0;
      expect(Arrays.equals(t.shape(), Arrays.copyOfRange(shape, depth, shape.length)), depth, v);
      promote(t.dtype());
    } else if (isPrimitives(v)) {
      expect(depth == shape.length - 1 && Array.getLength(v) == shape[depth], depth, v);
      promote(DType.ofArray(v));
    } else {
      List<?> items = items(v);
      if (items == null) {
        expect(depth == shape.length, depth, v);
        promote(dtypeOf(v));
        if (wide == null
            && v instanceof Number n
            && Coerce.isIntegral(n)
            && n.longValue() != n.intValue()) {
          wide = n;
        }
      } else {
        expect(depth < shape.length && items.size() == shape[depth], depth, v);
        for (Object item : items) {
          check(item, depth + 1);
        }
      }
    }
  }

  private void expect(boolean fits, int depth, Object found) {
    if (!fits) {
      List<?> items = items(found);
      throw new ShapeException(
          "ragged nesting: at depth "
              + depth
              + " expected "
              + (depth < shape.length ? "a list of " + shape[depth] : "a number")
              + " as in the first element, found "
              + (items != null ? "a list of " + items.size() : Coerce.show(found)),
          "depth",
          depth,
          "shape",
          shape);
    }
  }

  private void promote(DType d) {
    dtype = dtype == null ? d : DType.promote(dtype, d);
  }

  private int fill(Object v, int depth, Strided out, int at) {
    if (v instanceof Tensor.Face f) {
      return place(f.tensor().strided(), out, at);
    }
    if (isPrimitives(v)) {
      return place(Strided.wrap(v, Array.getLength(v)), out, at);
    }
    List<?> items = items(v);
    if (items == null) {
      set(out.array(), at, v);
      return at + 1;
    }
    int next = at;
    for (Object item : items) {
      next = fill(item, depth + 1, out, next);
    }
    return next;
  }

  private static int place(Strided part, Strided out, int at) {
    int[] dims = part.layout().shape();
    int[] steps = Layout.of(dims).strides();
    Copies.copy(part, out.with(Layout.of(dims, steps, at)));
    return at + part.layout().intSize();
  }

  private static void set(Object array, int at, Object v) {
    switch (array) {
      case double[] a -> a[at] = v instanceof Boolean b ? (b ? 1 : 0) : ((Number) v).doubleValue();
      case float[] a -> a[at] = v instanceof Boolean b ? (b ? 1 : 0) : ((Number) v).floatValue();
      case long[] a -> a[at] = v instanceof Boolean b ? (b ? 1 : 0) : whole((Number) v);
      case int[] a -> a[at] = v instanceof Boolean b ? (b ? 1 : 0) : ((Number) v).intValue();
      default -> ((boolean[]) array)[at] = (Boolean) v;
    }
  }

  private static DType dtypeOf(Object v) {
    return switch (v) {
      case Boolean _ -> DType.BOOL;
      case Float _ -> DType.FLOAT32;
      case Integer _, Short _, Byte _ -> DType.INT32;
      case Number n -> Coerce.isIntegral(n) ? DType.INT64 : DType.FLOAT64;
      case null, default ->
          throw new ArgumentException(
              "cannot make an array of "
                  + Coerce.show(v)
                  + "; expected numbers, booleans, nested lists or Java arrays of them",
              "value",
              Coerce.show(v));
    };
  }

  /** The value of an integral number; Clojure's and Java's big integers must fit. */
  static long whole(Number n) {
    if (n instanceof Long || n instanceof Integer || n instanceof Short || n instanceof Byte) {
      return n.longValue();
    }
    BigInteger big = new BigDecimal(n.toString()).toBigIntegerExact();
    if (big.bitLength() > 63) {
      throw new DTypeException("integer " + n + " does not fit int64", "value", n.toString());
    }
    return big.longValue();
  }

  private static boolean isPrimitives(Object v) {
    return v instanceof double[]
        || v instanceof float[]
        || v instanceof long[]
        || v instanceof int[]
        || v instanceof boolean[];
  }

  /**
   * The elements of anything sequential.
   *
   * @param v anything
   * @return its elements, of a lazy sequence as a list; null for a leaf
   * @throws ArgumentException when a sequence does not end before the heap is full, or the thread
   *     is interrupted
   */
  public static List<?> items(Object v) {
    return switch (v) {
      case List<?> l when l instanceof RandomAccess -> l;
      case Object[] a -> Arrays.asList(a);
      case byte[] a -> IntStream.range(0, a.length).mapToObj(i -> a[i]).toList();
      case short[] a -> IntStream.range(0, a.length).mapToObj(i -> a[i]).toList();
      case Tensor.Face _ -> null;
      case Iterable<?> it when !(v instanceof java.util.Map<?, ?>) -> walked(it);
      case null, default -> null;
    };
  }

  private static List<?> walked(Iterable<?> sequence) {
    int n = 0;
    try {
      List<Object> out = new ArrayList<>();
      for (Object item : sequence) {
        out.add(item);
        n++;
        if (n % SOME == 0 && Thread.currentThread().isInterrupted()) {
          throw new ArgumentException(
              "an interrupt came while a sequence was read, after "
                  + n
                  + " elements; does the sequence end?",
              "elements",
              n);
        }
      }
      return out;
    } catch (OutOfMemoryError e) {
      // The list that was collected is garbage now: the program can go on without it.
      throw new ArgumentException(
          "a sequence has more than the "
              + n
              + " elements that the heap has room for; does it end? (The heap has at most "
              + Runtime.getRuntime().maxMemory() / (1 << 20)
              + " MiB; the flag -Xmx raises it)",
          "elements",
          n);
    }
  }

  /**
   * The only element.
   *
   * @param t a tensor of size 1
   * @return a Double, Long or Boolean
   * @throws ShapeException when the size is not 1
   */
  public static Object item(Tensor t) {
    if (t.size() != 1) {
      throw new ShapeException(
          "needs an array with exactly one element, this one has shape " + t.layout(),
          "shape",
          t.layout().shape());
    }
    return element(t.strided().array(), t.layout().offset());
  }

  private static Object element(Object array, int at) {
    return switch (array) {
      case double[] a -> a[at];
      case float[] a -> (double) a[at];
      case long[] a -> a[at];
      case int[] a -> (long) a[at];
      default -> ((boolean[]) array)[at];
    };
  }

  /**
   * The elements as nested lists.
   *
   * @param t a tensor
   * @return a Double, Long or Boolean for a 0-d tensor, unmodifiable lists otherwise
   */
  public static Object toHost(Tensor t) {
    return toHost(t.strided().array(), t.layout(), 0, t.layout().offset());
  }

  private static Object toHost(Object array, Layout l, int axis, int at) {
    if (axis == l.ndim()) {
      return element(array, at);
    }
    List<Object> out = new ArrayList<>(l.dim(axis));
    for (int i = 0; i < l.dim(axis); i++) {
      out.add(toHost(array, l, axis + 1, at + i * l.stride(axis)));
    }
    return Collections.unmodifiableList(out);
  }
}
