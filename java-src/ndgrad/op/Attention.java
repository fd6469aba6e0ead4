package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.op.spec.Spec.define;

import java.util.List;
import java.util.Optional;
import java.util.random.RandomGenerator;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.random.Keys;
import ndgrad.kernel.random.Samplers;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.Structural;
import ndgrad.op.spec.Typing;

/** Attention, and the dropout that goes with it. */
public final class Attention {
  private Attention() {}

  /** x scale keep, a truth value counting as 0 or 1: a choice would be several times as slow. */
  private static final Elementwise KEEP =
      define("dropout", "x, scale, keep")
          .internal()
          .elementwise(Typing.PROMOTE, in(0).times(in(1)).times(in(2)));

  /** Random elements set to 0. */
  public static final Composite DROPOUT =
      define("dropout", "x, p: number = 0.5, training: flag = true, key: any = nil")
          .param("p", "the probability of 0, from 0 to 1")
          .param("training", "whether to drop elements; when false the result is a copy")
          .param(
              "key",
              "a key of ndgrad.random, or a java.util.random.RandomGenerator, to draw from;"
                  + " nil for the global generator")
          .doc(
              "Each element is 0 with probability p and x / (1 - p) otherwise, which keeps"
                  + " its expectation (Srivastava and others, \"Dropout\", 2014). The gradient"
                  + " flows where the element was kept; a bool per element is saved for it. NaN and"
                  + " infinities give NaN where they are dropped, as in PyTorch. The same key gives"
                  + " the same zeros; inside vmap they are the same for all examples. Integers and"
                  + " bool give float64.")
          .domain(-3, 3)
          .oracle("np.multiply(x, 1.0) * (0.0 if training and p == 1 else 1.0)")
          .samples(
              "#x [3 4] {:p 0.0}",
              "#x [3 4] {:p 1.0}",
              "#x [3 4] {:training false}",
              "#x [] {:p 0}",
              "#x [0 3]")
          .fails(
              ArgumentException.class,
              "#x [2] {:p -0.1}",
              "#x [2] {:p 1.5}",
              "#x [2] {:p ##NaN}",
              "#x [2] {:key 3}")
          .composite(Attention::dropout);

  private static Object dropout(Args a) {
    Tensor x = a.tensor("x");
    double p = a.number("p");
    if (!(p >= 0 && p <= 1)) {
      throw new ArgumentException("p must be from 0 to 1, got " + p, "argument", "p", "value", p);
    }
    Optional<Samplers.Source> given = Optional.ofNullable(a.get("key")).map(Attention::source);
    Tensor floating = Structural.cast(x, x.dtype().toFloating());
    if (!a.flag("training") || p == 0) {
      return floating == x ? Structural.COPY.of(x) : floating;
    }
    Trace.refuse("draws random numbers");
    Samplers.Source source = given.orElseGet(() -> Keys.source(Keys.next()));
    Strided kept = Samplers.truths(x.shape(), source, 1 - p);
    return KEEP.of(floating, p == 1 ? 0.0 : 1 / (1 - p), new Tensor(kept));
  }

  private static Samplers.Source source(Object key) {
    return switch (key) {
      case Keys.Key k -> Keys.source(k);
      case RandomGenerator g -> Keys.source(g);
      default ->
          throw new ArgumentException(
              "key must be a key or a random generator, got " + Coerce.show(key),
              "argument",
              "key",
              "value",
              Coerce.show(key));
    };
  }

  /** softmax(q kᵀ / √d) v. */
  public static final Composite SCALED_DOT_PRODUCT_ATTENTION =
      define(
              "scaled-dot-product-attention",
              "q, k, v, mask = nil, causal: flag = false, scale: number = nil")
          .param("q", "the queries, shape [… n d]")
          .param("k", "the keys, shape [… m d]")
          .param("v", "the values, shape [… m e]")
          .param(
              "mask",
              "broadcast to [… n m]: booleans, true where a query may attend to a key, or"
                  + " numbers that are added to the scores; nil for none")
          .param("causal", "whether a query attends only to keys up to its own position")
          .param("scale", "the factor of the scores; nil for 1 / √d")
          .doc(
              "softmax(scale q kᵀ + mask) v along the keys (Vaswani and others, \"Attention"
                  + " is all you need\", 2017), of shape [… n e]. Leading dimensions are batches"
                  + " and broadcast. A query whose keys are all masked gives NaN.")
          .domain(-2, 2)
          .oracle(
              "(lambda d: torch.nn.functional.scaled_dot_product_attention(np.array(q, d),"
                  + " np.array(k, d), np.array(v, d), attn_mask=None if mask is None else"
                  + " np.asarray(mask) if np.asarray(mask).dtype == bool else np.array(mask, d),"
                  + " is_causal=causal, scale=scale))(np.multiply(np.zeros((), np.result_type(q, k,"
                  + " v)), 1.0).dtype)")
          .samples(
              "#x [3 4] #x [5 4] #x [5 2]",
              "#x [2 3 4] #x [2 3 4] #x [2 3 4] {:causal true}",
              "#x [2 2 3 4] #x [2 2 3 4] #x [2 2 3 4] {:scale 0.5}",
              "#x [2 3] #x [3 3] #x [3 2] {:mask [[true false true] [true true false]]}",
              "#x [2 3] #x [3 3] #x [3 2] {:mask [[0.0 1.0 -1.0] [0.5 0.0 0.0]]}")
          .fails(
              ShapeException.class,
              "#x [3] #x [3] #x [3]",
              "#x [3 4] #x [5 3] #x [5 2]",
              "#x [3 4] #x [5 4] #x [4 2]",
              "#x [2 3] #x [3 3] #x [3 2] {:mask [true false]}")
          .composite(Attention::attend);

  private static Object attend(Args a) {
    Tensor q = a.tensor("q");
    Tensor k = a.tensor("k");
    Tensor v = a.tensor("v");
    requireShapes(q, k, v);
    int d = q.dim(q.ndim() - 1);
    double scale = a.has("scale") ? a.number("scale") : 1 / Math.sqrt(d);
    DType dtype = DType.promote(DType.promote(q.dtype(), k.dtype()), v.dtype()).toFloating();
    Tensor floating = Structural.cast(q, dtype);
    Tensor scores =
        Linalg.MATMUL.of(Arithmetic.MUL.of(floating, scale), Shapes.SWAPAXES.of(k, -2, -1));
    if (a.has("mask")) {
      scores = masked(scores, a.tensor("mask"));
    }
    if (a.flag("causal")) {
      int n = scores.dim(scores.ndim() - 2);
      int m = scores.dim(scores.ndim() - 1);
      scores = masked(scores, new Tensor(lower(n, m)));
    }
    return Linalg.MATMUL.of(Activations.SOFTMAX.of(scores, -1), v);
  }

  private static Tensor masked(Tensor scores, Tensor mask) {
    return mask.dtype() == DType.BOOL
        ? Selection.WHERE.of(mask, scores, Double.NEGATIVE_INFINITY)
        : Arithmetic.ADD.of(scores, Structural.cast(mask, scores.dtype()));
  }

  private static Strided lower(int n, int m) {
    Strided seen = Strided.zeros(DType.BOOL, n, m);
    boolean[] b = (boolean[]) seen.array();
    for (int i = 0; i < n; i++) {
      for (int j = 0; j < Math.min(i + 1, m); j++) {
        b[i * m + j] = true;
      }
    }
    return seen;
  }

  private static void requireShapes(Tensor q, Tensor k, Tensor v) {
    List<int[]> shapes = List.of(q.shape(), k.shape(), v.shape());
    if (q.ndim() < 2 || k.ndim() < 2 || v.ndim() < 2) {
      throw new ShapeException(
          "q, k and v need at least 2 dimensions, positions and features, got shapes "
              + q.layout()
              + ", "
              + k.layout()
              + " and "
              + v.layout(),
          "shapes",
          shapes);
    }
    if (q.dim(q.ndim() - 1) != k.dim(k.ndim() - 1) || k.dim(k.ndim() - 2) != v.dim(v.ndim() - 2)) {
      throw new ShapeException(
          "q and k need as many features, k and v as many positions, got shapes "
              + q.layout()
              + ", "
              + k.layout()
              + " and "
              + v.layout(),
          "shapes",
          shapes);
    }
  }
}
