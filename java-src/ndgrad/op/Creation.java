package ndgrad.op;

import static ndgrad.op.spec.Spec.define;

import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** Arrays made from shapes and numbers. */
public final class Creation {
  private Creation() {}

  private static final String LEAF = "dtype: dtype = nil, requires-grad: flag = false";
  private static final String MAKES_A_LEAF = "creates a leaf";
  private static final String ERRORS =
      " Throws ShapeException for a negative dimension or more elements than an"
          + " array or the heap can hold, DTypeException for `requires-grad` with a dtype"
          + " that is not floating.";

  /** Zeros of a shape. */
  public static final Composite ZEROS =
      factory("zeros", "shape: shape")
          .doc("A new array of zeros, float64 unless a dtype is given." + ERRORS)
          .oracle("np.zeros(shape, dtype=dtype)")
          .samples(
              "[2 3]",
              "[] {:dtype :float32}",
              "[0 3] {:dtype :int64}",
              "4 {:dtype :bool}",
              "[2] {:dtype :int32}")
          .fails(ShapeException.class, "[-1]", "[2 -3]", "[65536 65536]")
          .fails(
              DTypeException.class,
              "[2] {:dtype :complex64}",
              "[2] {:dtype :int64 :requires-grad true}")
          .composite(a -> leaf(a, zeros(a, DType.FLOAT64, a.ints("shape"))));

  /** Ones of a shape. */
  public static final Composite ONES =
      factory("ones", "shape: shape")
          .doc("A new array of ones, float64 unless a dtype is given." + ERRORS)
          .oracle("np.ones(shape, dtype=dtype)")
          .samples(
              "[2 3]",
              "[] {:dtype :float32}",
              "[0 3] {:dtype :int64}",
              "4 {:dtype :bool}",
              "[2] {:dtype :int32}")
          .fails(ShapeException.class, "[-1]", "[65536 65536]")
          .fails(DTypeException.class, "[2] {:dtype :bool :requires-grad true}")
          .composite(a -> leaf(a, ones(a, DType.FLOAT64, a.ints("shape"))));

  /** An array whose elements are yet to be written. */
  public static final Composite EMPTY =
      factory("empty", "shape: shape")
          .doc(
              "A new array to be overwritten, float64 unless a dtype is given. The JVM"
                  + " clears new memory, so its elements are zeros."
                  + ERRORS)
          .oracle("np.zeros(shape, dtype=dtype)")
          .samples("[2 3]", "[] {:dtype :float32}", "[0 3] {:dtype :int64}")
          .fails(ShapeException.class, "[-1]")
          .fails(DTypeException.class, "[2] {:dtype :int32 :requires-grad true}")
          .composite(a -> leaf(a, zeros(a, DType.FLOAT64, a.ints("shape"))));

  /** One value over a shape. */
  public static final Composite FULL =
      define("full", "shape: shape, value, " + LEAF)
          .param("value", "a number, or an array that is broadcast to the shape")
          .param("requires-grad", "whether the result requires a gradient")
          .domain(-3, 3)
          .doc(
              "A new array filled with a value, in the value's dtype unless one is given;"
                  + " gradients flow to a tracked value."
                  + ERRORS)
          .oracle("np.full(shape, value, dtype=dtype)")
          .samples(
              "[2 3] #x []",
              "[2 3] 7",
              "[2 3] #x [3]",
              "[2] 2.5 {:dtype :float32}",
              "[0 2] true",
              "[] 3")
          .fails(ShapeException.class, "[-1] 0", "[2 3] #x [2]", "[65536 65536] 1")
          .fails(
              DTypeException.class, "[2] 3000000000 {:dtype :int32}", "[2] 1 {:requires-grad true}")
          .composite(a -> full(a, a.ints("shape"), a.tensor("value").dtype()));

  /** Zeros like another array. */
  public static final Composite ZEROS_LIKE =
      factory("zeros-like", "x")
          .doc("Zeros in the shape of an array, and its dtype unless one is given.")
          .oracle("np.zeros_like(x, dtype=dtype)")
          .samples("#x [2 3]", "#x [] {:dtype :float32}", "#i [0 3]", "#b [2] {:dtype :int32}")
          .fails(DTypeException.class, "#i [2] {:requires-grad true}")
          .composite(a -> leaf(a, zeros(a, a.tensor("x").dtype(), a.tensor("x").shape())));

  /** Ones like another array. */
  public static final Composite ONES_LIKE =
      factory("ones-like", "x")
          .doc("Ones in the shape of an array, and its dtype unless one is given.")
          .oracle("np.ones_like(x, dtype=dtype)")
          .samples("#x [2 3]", "#x [] {:dtype :float32}", "#i [0 3]", "#b [2] {:dtype :int32}")
          .fails(DTypeException.class, "#i [2] {:requires-grad true}")
          .composite(a -> leaf(a, ones(a, a.tensor("x").dtype(), a.tensor("x").shape())));

  /** An array like another whose elements are yet to be written. */
  public static final Composite EMPTY_LIKE =
      factory("empty-like", "x")
          .doc(
              "An array to be overwritten, with the shape of another and its dtype unless"
                  + " one is given; its elements are zeros.")
          .oracle("np.zeros_like(x, dtype=dtype)")
          .samples("#x [2 3]", "#x [] {:dtype :float32}", "#i [0 3]")
          .fails(DTypeException.class, "#i [2] {:requires-grad true}")
          .composite(a -> leaf(a, zeros(a, a.tensor("x").dtype(), a.tensor("x").shape())));

  /** One value over the shape of another array. */
  public static final Composite FULL_LIKE =
      define("full-like", "x, value, " + LEAF)
          .param("value", "a number, or an array that is broadcast to the shape")
          .param("requires-grad", "whether the result requires a gradient")
          .domain(-3, 3)
          .doc(
              "An array in the shape of another, filled with a value that is converted to that"
                  + " array's dtype unless another is given; gradients flow to a tracked value.")
          .oracle("np.full_like(x, value, dtype=dtype)")
          .samples(
              "#x [2 3] #x []",
              "#x [2 3] 7",
              "#i [3] 2.5",
              "#x [2] 1 {:dtype :float32}",
              "#b [2] 3")
          .fails(ShapeException.class, "#x [2 3] #x [2]")
          .fails(DTypeException.class, "#i [2] 1 {:requires-grad true}")
          .composite(a -> full(a, a.tensor("x").shape(), a.tensor("x").dtype()));

  /** Numbers at a fixed distance. */
  public static final Composite ARANGE =
      factory("arange", "start: number, stop: number = nil, step: number = nil")
          .param("start", "the first number; without `stop` the end, and the range starts at 0")
          .param("stop", "the exclusive end")
          .param("step", "the distance between neighbours, 1 if nil; negative to count down")
          .doc(
              "The numbers from start (default 0) up to but not including stop: `(arange"
                  + " stop)`, `(arange start stop)`, `(arange start stop step)`. Unless a dtype is"
                  + " given, int64 if all are integers, otherwise float64. The length is ceil((stop"
                  + " - start) / step), so that rounding may include stop or omit the last number:"
                  + " for fractions use `linspace`. Throws ArgumentException for a step that is 0"
                  + " or not finite, DTypeException for bool.")
          .oracle("np.arange(start, stop, step, dtype=dtype)")
          .samples(
              "5",
              "2 10",
              "0 1 0.1",
              "5 {:dtype :float32}",
              "10 0 -3",
              "3 1",
              "0.5 4 {:dtype :float32}",
              "0 10 3 {:dtype :int32}",
              "-2.5 2 0.75",
              "0")
          .fails(ArgumentException.class, "0 5 0", "0 1 0.0")
          .fails(ShapeException.class, "0 1.0E300 1", "9000000000000000000")
          .fails(
              DTypeException.class,
              "5 {:dtype :bool}",
              "5 {:requires-grad true}",
              "3000000000 3000000002 {:dtype :int32}")
          .composite(a -> leaf(a, new Tensor(Ranges.arange(a))));

  /** Evenly spaced numbers between two ends. */
  public static final Composite LINSPACE =
      factory("linspace", "start: number, stop: number, num: int = 50, endpoint: flag = true")
          .param("start", "the first number")
          .param("stop", "the last number, or without `endpoint` the one after the last")
          .param("num", "the number of elements")
          .param("endpoint", "whether `stop` is the last number")
          .doc(
              "Evenly spaced numbers from start to stop, float64 unless a dtype is given;"
                  + " for an integer dtype they are rounded down, as in NumPy. Throws"
                  + " ArgumentException for a negative num.")
          .oracle("np.linspace(start, stop, num, endpoint=endpoint, dtype=dtype)")
          .samples(
              "0 1 5",
              "2 -3 {:num 7 :endpoint false}",
              "0 1",
              "1 2 1",
              "1 2 0",
              "0 10 4 {:dtype :int64}",
              "0 1 11 {:dtype :float32}",
              "3 3 4",
              "-3 3 8 {:dtype :int32}")
          .fails(ArgumentException.class, "0 1 -1")
          .fails(DTypeException.class, "0 1 3 {:dtype :int64 :requires-grad true}")
          .composite(a -> leaf(a, new Tensor(Ranges.linspace(a))));

  /** Numbers evenly spaced on a logarithmic scale. */
  public static final Composite LOGSPACE =
      factory(
              "logspace",
              "start: number, stop: number, num: int = 50, endpoint: flag = true, base: number ="
                  + " 10")
          .param("start", "the exponent of the first number")
          .param(
              "stop",
              "the exponent of the last number, or without `endpoint` of the one after the"
                  + " last")
          .param("num", "the number of elements")
          .param("endpoint", "whether `stop` is the last exponent")
          .param("base", "the base")
          .doc(
              "The powers of a base at evenly spaced exponents, float64 unless a dtype is"
                  + " given. Throws ArgumentException for a negative num.")
          .oracle("np.logspace(start, stop, num, endpoint=endpoint, base=base, dtype=dtype)")
          .samples("0 2 5", "-1 1 4 {:base 2}", "0 3 3 {:endpoint false :dtype :float32}", "0 1 0")
          .fails(ArgumentException.class, "0 1 -1")
          .composite(a -> leaf(a, new Tensor(Ranges.logspace(a))));

  /** Ones on a diagonal. */
  public static final Composite EYE =
      factory("eye", "n: int, m: int = nil, k: int = 0")
          .param("n", "the number of rows")
          .param("m", "the number of columns; n if nil")
          .doc(
              "A matrix of zeros with ones on a diagonal, float64 unless a dtype is given."
                  + ERRORS)
          .oracle("np.eye(n, m, k, dtype=dtype)")
          .samples(
              "3",
              "2 4",
              "4 3 {:k -1}",
              "3 5 {:k 2 :dtype :float32}",
              "0",
              "2 {:dtype :bool}",
              "3 {:k 9}",
              "2 3 {:k -9 :dtype :int32}")
          .fails(ShapeException.class, "-1", "2 -1", "65536")
          .fails(DTypeException.class, "2 {:dtype :int64 :requires-grad true}")
          .composite(a -> leaf(a, eye(a)));

  /** Ones at and below a diagonal. */
  public static final Composite TRI =
      factory("tri", "n: int, m: int = nil, k: int = 0")
          .param("n", "the number of rows")
          .param("m", "the number of columns; n if nil")
          .doc(
              "A matrix with ones at and below a diagonal and zeros above, float64 unless a dtype"
                  + " is given."
                  + ERRORS)
          .oracle("np.tri(n, m, k, dtype=dtype or np.float64)")
          .samples("3", "2 4", "4 3 {:k -1}", "3 5 {:k 2 :dtype :float32}", "0", "2 {:dtype :bool}")
          .fails(ShapeException.class, "-1", "2 -1")
          .fails(DTypeException.class, "2 {:dtype :int64 :requires-grad true}")
          .composite(a -> leaf(a, tri(a)));

  private static Spec factory(String name, String params) {
    return define(name, params + ", " + LEAF)
        .param("requires-grad", "whether the result requires a gradient")
        .domain(-3, 3)
        .nonDifferentiable(MAKES_A_LEAF);
  }

  private static Tensor leaf(Args a, Tensor made) {
    if (a.flag("requires-grad")) {
      made.requireGrad(true);
    }
    return made;
  }

  /**
   * The dtype of the result, refused before anything is allocated when it cannot require a
   * gradient.
   */
  static DType dtype(Args a, DType fallback) {
    DType dtype = a.dtype("dtype").orElse(fallback);
    if (a.flag("requires-grad") && !dtype.isFloating()) {
      throw new DTypeException(
          "only floating arrays can require a gradient, this one would be "
              + dtype
              + "; ask for the dtype float32 or float64",
          "dtype",
          dtype.toString());
    }
    return dtype;
  }

  private static Tensor zeros(Args a, DType fallback, int[] shape) {
    return new Tensor(Strided.zeros(dtype(a, fallback), shape));
  }

  private static Tensor ones(Args a, DType fallback, int[] shape) {
    Strided made = Strided.empty(dtype(a, fallback), shape);
    Copies.copy(one(), made);
    return new Tensor(made);
  }

  private static Strided one() {
    return Strided.wrap(new boolean[] {true});
  }

  private static Tensor full(Args a, int[] shape, DType fallback) {
    Tensor value = a.tensor("value");
    DType dtype = dtype(a, fallback);
    if (value.isWeak() && dtype == DType.INT32 && value.strided().array() instanceof long[] n) {
      Ranges.requireFits(n[0], dtype);
    }
    Layout.of(shape);
    Tensor cast = Structural.cast(value, dtype);
    return leaf(a, Structural.COPY.of(Structural.BROADCAST_TO.of(cast, shape)));
  }

  private static int columns(Args a) {
    return a.has("m") ? a.integer("m") : a.integer("n");
  }

  private static Tensor eye(Args a) {
    int[] shape = {a.integer("n"), columns(a)};
    Tensor made = zeros(a, DType.FLOAT64, shape);
    Strided s = made.strided();
    int k = Math.clamp(a.integer("k"), -shape[0], shape[1]);
    Copies.copy(one(), s.with(s.layout().diagonal(k, 0, 1)));
    return made;
  }

  private static Tensor tri(Args a) {
    int[] shape = {a.integer("n"), columns(a)};
    Tensor made = zeros(a, DType.FLOAT64, shape);
    Strided s = made.strided();
    long k = a.integer("k");
    // Without columns there can be as many rows as there are integers.
    int rows = shape[1] == 0 ? 0 : shape[0];
    for (int i = Math.clamp(-k, 0, rows); i < rows; i++) {
      int length = Math.clamp(i + k + 1, 0, shape[1]);
      Copies.copy(one(), s.with(Layout.of(new int[] {length}, new int[] {1}, i * shape[1])));
    }
    return made;
  }
}
