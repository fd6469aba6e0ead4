package ndgrad.op;

import static ndgrad.kernel.expr.Expr.in;
import static ndgrad.kernel.expr.Expr.num;
import static ndgrad.kernel.expr.Expr.of;
import static ndgrad.kernel.expr.Expr.select;
import static ndgrad.op.spec.Spec.define;

import java.util.Arrays;
import java.util.List;
import java.util.Optional;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Node;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Args;
import ndgrad.op.spec.Batch;
import ndgrad.op.spec.Composite;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Primitive;
import ndgrad.op.spec.Spec;
import ndgrad.op.spec.Structural;

/** What training makes small: losses of predictions given targets. */
public final class Losses {
  private Losses() {}

  private static final Expr D = in(0).minus(in(1));
  private static final Expr DISTANCE = of(Fn1.ABS, D);

  private static Spec loss(String name, String parameters, String doc) {
    return define(name, parameters)
        .param("target", "the target of the prediction")
        .param("reduction", "mean, sum, or none for the loss of each element")
        .doc(doc);
  }

  private static Spec pointwise(String name, String parameters, String doc, String torch) {
    return loss(
            name,
            parameters,
            doc
                + " The arguments broadcast; integers and bool count as float64. The mean of no"
                + " elements is NaN. The sum or mean, and its gradient, take one pass each.")
        .param("x", "the prediction")
        .domain(-3, 3)
        .oracle(
            "(lambda a, b: torch.nn.functional."
                + torch
                + ")(*np.broadcast_arrays(*(np.array(v, np.multiply(np.zeros((),"
                + " np.result_type(x, target)), 1.0).dtype) for v in (x, target))))")
        .samples(
            "#x [3 4] #x [3 4]",
            "#x [3 4] #x [3 4] {:reduction :sum}",
            "#x [3 4] #x [3 4] {:reduction :none}",
            "#x [3 4] #x [4]",
            "#x [] #x []",
            "#x [0 2] #x [0 2]")
        .fails(ArgumentException.class, "#x [2] #x [2] {:reduction :max}")
        .fails(ShapeException.class, "#x [2] #x [3]");
  }

  private static final PointLoss SQUARED = new PointLoss("mse-loss", D.times(D), 2);

  /** (x - target)². */
  public static final Composite MSE_LOSS =
      pointwise(
              "mse-loss",
              "x, target, reduction: word = mean",
              "The mean of (x - target)²: the mean squared error.",
              "mse_loss(a, b, reduction=reduction)")
          .composite(SQUARED::of);

  private static final PointLoss ABSOLUTE = new PointLoss("l1-loss", DISTANCE, 2);

  /** |x - target|. */
  public static final Composite L1_LOSS =
      pointwise(
              "l1-loss",
              "x, target, reduction: word = mean",
              "The mean of |x - target|: the mean absolute error. The gradient is 0 where"
                  + " they are equal.",
              "l1_loss(a, b, reduction=reduction)")
          .composite(ABSOLUTE::of);

  private static final PointLoss HUBER =
      new PointLoss(
          "huber-loss",
          select(
              of(Fn2.LE, DISTANCE, in(2)),
              D.times(D).times(0.5),
              in(2).times(DISTANCE.minus(in(2).times(0.5)))),
          3);

  /** Quadratic near 0, linear beyond. */
  public static final Composite HUBER_LOSS =
      pointwise(
              "huber-loss",
              "x, target, delta = 1, reduction: word = mean",
              "The mean of 0.5 d² where d = |x - target| is at most delta, and of delta (d - 0.5"
                  + " delta) elsewhere (Huber, \"Robust estimation of a location parameter\","
                  + " 1964).",
              "huber_loss(a, b, reduction=reduction, delta=float(delta))")
          .param(
              "delta",
              "the distance at which the loss turns from quadratic to linear, a positive"
                  + " number")
          .samples("#x [3 4] #x [3 4] {:delta 2.5}", "#x [3] #x [3] {:delta 0.5 :reduction :none}")
          .fails(ArgumentException.class, "#x [2] #x [2] {:delta 0}", "#x [2] #x [2] {:delta -1.5}")
          .composite(Losses::huber);

  private static Tensor huber(Args a) {
    Tensor delta = a.tensor("delta");
    // A number of the host; an array may depend on what is traced or mapped over.
    if (delta.isWeak() && Nested.item(delta) instanceof Number n && !(n.doubleValue() > 0)) {
      throw new ArgumentException("delta must be positive, got " + n, "argument", "delta");
    }
    return HUBER.of(a);
  }

  private static final Expr BELOW = of(Fn1.EXP, of(Fn2.MIN, in(0), num(0)));
  private static final Expr ABOVE = of(Fn1.EXP, of(Fn2.MIN, in(0).negate(), num(0)));

  /** The logistic function of in(0), of numbers up to 1: its derivatives don't overflow either. */
  private static final Expr SIGMOID = BELOW.over(BELOW.plus(ABOVE));

  private static final PointLoss LOGISTIC =
      new PointLoss(
          "binary-cross-entropy-with-logits",
          of(Fn2.MAX, in(0), num(0))
              .minus(in(0).times(in(1)))
              .plus(of(Fn1.LOG1P, of(Fn1.EXP, of(Fn1.ABS, in(0)).negate()))),
          2,
          SIGMOID.minus(in(1)),
          in(0).negate());

  /** -target log sigmoid(x) - (1 - target) log sigmoid(-x). */
  public static final Composite BINARY_CROSS_ENTROPY_WITH_LOGITS =
      pointwise(
              "binary-cross-entropy-with-logits",
              "x, target, reduction: word = mean",
              "The mean of -target log σ(x) - (1 - target) log(1 - σ(x)) with σ the logistic"
                  + " function, as max(x, 0) - x target + log1p(exp(-|x|)): accurate for logits of"
                  + " any size.",
              "binary_cross_entropy_with_logits(a, b, reduction=reduction)")
          .alias("bce-with-logits")
          .param("x", "the logits: the logarithms of the predicted odds")
          .param("target", "probabilities, or classes 0 and 1")
          .domain(0.1, 0.9)
          .samples("[1000.0 -1000.0 0.0] [1.0 0.0 1.0]", "[100.0 -100.0] [0.0 1.0]")
          .composite(LOGISTIC::of);

  private static final String CLASSES =
      "Integers and bool as logits count as float64. A target that is not a class"
          + " throws, unless it is ignore-index. The mean of no targets is NaN.";

  private static Spec classes(String name, String parameters, String doc) {
    return loss(name, parameters, doc + " " + CLASSES)
        .param("target", "the class of each prediction: integers, in the shape of the other axes")
        .param("axis", "the axis of the classes")
        .param(
            "ignore-index",
            "a target whose loss and gradient are 0, and which is not counted in the mean")
        .domain(-3, 3)
        .fails(IndexException.class, "#x [2 3] [0 3]", "#x [2 3] [0 -1]")
        .fails(DTypeException.class, "#x [2 3] [0.0 1.0]")
        .fails(
            ShapeException.class, "#x [2 3] [0]", "#x [2 3] [[0] [1]]", "#x [2 3] [0 1] {:axis 2}")
        .fails(ArgumentException.class, "#x [2 3] [0 1] {:reduction :max}");
  }

  /** -log softmax(logits)[target]. */
  public static final Composite CROSS_ENTROPY =
      classes(
              "cross-entropy",
              "logits, target, axis: int = -1, reduction: word = mean, ignore-index: int = nil,"
                  + " label-smoothing: number = 0",
              "The mean of -log softmax(logits)[target], computed as max - logit + log Σ"
                  + " exp(logit - max), so nothing overflows. Floating targets of the logits' shape"
                  + " are probabilities p, and the loss is the mean of -Σ p log softmax(logits)."
                  + " Label smoothing by ε mixes 1 - ε of the target with ε / classes of each class"
                  + " (Szegedy and others, \"Rethinking the inception architecture\", 2016). The"
                  + " forward pass reads the logits once and saves two numbers per row; the"
                  + " gradient, (softmax - target) g, takes one pass. The classes are along the"
                  + " last axis; in PyTorch they are along the second.")
          .param("logits", "the unnormalised log-probabilities")
          .param("label-smoothing", "ε, from 0 to 1")
          .fails(ArgumentException.class, "#x [2 3] [0 1] {:label-smoothing 1.5}")
          .oracle(
              "torch.nn.functional.cross_entropy(*(torch.moveaxis(torch.as_tensor(v), axis,"
                  + " min(1, np.ndim(logits) - 1)) if np.shape(v) == np.shape(logits) else"
                  + " torch.as_tensor(v).long() for v in (np.multiply(logits, 1.0), target)),"
                  + " reduction=reduction, label_smoothing=float(label_smoothing),"
                  + " ignore_index=-100 if ignore_index is None else ignore_index)")
          .samples(
              "#x [3 4] [0 3 1]",
              "#x [3 4] [0 3 1] {:reduction :sum}",
              "#x [3 4] [0 3 1] {:reduction :none}",
              "#x [4 3] [0 3 1] {:axis 0}",
              "#x [2 2 3] [[0 2] [1 1]] {:label-smoothing 0.25}",
              "#x [3 4] [0 -1 2] {:ignore-index -1}",
              "#x [3 4] [2 1 2] {:ignore-index 2 :reduction :sum :label-smoothing 0.1}",
              "#x [3 4] [2 3 2] {:ignore-index 2 :reduction :none}",
              "#x [5] 3",
              "[[1000.0 0.0 -1000.0] [0.0 ##-Inf 1.0]] [1 2] {:reduction :none}",
              "#x [2 3] [[0.25 0.25 0.5] [0.0 1.0 0.0]]",
              "#x [2 3] [[0.25 0.25 0.5] [0.0 1.0 0.0]] {:reduction :none :label-smoothing 0.5}")
          .composite(Losses::crossEntropy);

  /** The losses of single predictions, the classes along the last axis. */
  private static final Primitive ROWS =
      define(
              "cross-entropy",
              "logits, target, ignore-index: int = nil, label-smoothing: number = 0")
          .internal()
          .batch(Batch.IN_FRONT)
          .vjp(0, "logits target", Losses::gradient)
          .noting((a, in) -> ClassLoss.forward(a, in[0], in[1]));

  /** Numbers of classes, checked: negative positions count from the end elsewhere. */
  private static final Primitive LABELS =
      define("labels", "target, classes: int, ignore-index: int = nil")
          .internal()
          .nonDifferentiable("numbers of classes")
          .batch(Batch.IN_FRONT)
          .primitive(
              (a, in) -> ClassLoss.checked(a.get("ignore-index"), in[0], a.integer("classes")));

  /** -x[target]. */
  public static final Composite NLL_LOSS =
      classes(
              "nll-loss",
              "x, target, axis: int = -1, reduction: word = mean, ignore-index: int = nil",
              "The mean of -x[target] for log-probabilities x, such as those from"
                  + " log-softmax: the negative log-likelihood. For logits, cross-entropy does both"
                  + " at once.")
          .param("x", "the log-probabilities")
          .oracle(
              "torch.nn.functional.nll_loss(torch.moveaxis(torch.as_tensor(np.multiply(x, 1.0)),"
                  + " axis, min(1, np.ndim(x) - 1)), torch.as_tensor(target).long(),"
                  + " reduction=reduction, ignore_index=-100 if ignore_index is None else"
                  + " ignore_index)")
          .samples(
              "#x [3 4] [0 3 1]",
              "#x [3 4] [0 3 1] {:reduction :none}",
              "#x [4 3] [0 3 1] {:axis 0 :reduction :sum}",
              "#x [3 4] [0 -1 2] {:ignore-index -1}",
              "#x [2 2 3] [[0 2] [1 1]]",
              "#x [5] 3")
          .composite(Losses::nll);

  private static Object crossEntropy(Args a) {
    Tensor logits = lastClasses(a, "logits");
    Tensor target = a.tensor("target");
    double smoothing = a.number("label-smoothing");
    if (!(smoothing >= 0 && smoothing <= 1)) {
      throw new ArgumentException(
          "label-smoothing must be from 0 to 1, got " + smoothing,
          "argument",
          "label-smoothing",
          "value",
          smoothing);
    }
    PointLoss.reduction(a);
    if (target.dtype().isFloating() && target.layout().sameShape(a.tensor("logits").layout())) {
      return ofProbabilities(a, logits, Shapes.MOVEAXIS.of(target, a.get("axis"), -1), smoothing);
    }
    Tensor classes = classes(target, logits);
    Object ignored = a.get("ignore-index");
    return reduced(a, ROWS.of(logits, classes, ignored, smoothing), classes);
  }

  private static Tensor ofProbabilities(Args a, Tensor logits, Tensor target, double smoothing) {
    int classes = logits.dim(logits.ndim() - 1);
    Tensor p =
        smoothing == 0
            ? target
            : Arithmetic.ADD.of(
                Arithmetic.MUL.of(target, 1 - smoothing), smoothing / Math.max(1, classes));
    Tensor logs = Activations.LOG_SOFTMAX.of(logits, -1);
    Tensor rows = Arithmetic.NEG.of(Reductions.SUM.of(Arithmetic.MUL.of(p, logs), -1));
    return switch (PointLoss.reduction(a)) {
      case "none" -> rows;
      case "sum" -> Reductions.SUM.of(rows);
      default -> Reductions.MEAN.of(rows);
    };
  }

  private static Object nll(Args a) {
    Tensor x = lastClasses(a, "x");
    PointLoss.reduction(a);
    Tensor target = classes(a.tensor("target"), x);
    Optional<Tensor> kept = kept(a, target);
    Tensor labels = LABELS.of(target, x.dim(x.ndim() - 1), a.get("ignore-index"));
    Tensor safe = kept.isPresent() ? Selection.WHERE.of(kept.get(), labels, 0) : labels;
    Tensor picked =
        Shapes.SQUEEZE.of(Sorting.TAKE_ALONG_AXIS.of(x, Shapes.UNSQUEEZE.of(safe, -1), -1), -1);
    Tensor rows = Arithmetic.NEG.of(picked);
    return reduced(a, kept.isPresent() ? Selection.WHERE.of(kept.get(), rows, 0) : rows, target);
  }

  /** The predictions as floating numbers, the classes along the last axis. */
  private static Tensor lastClasses(Args a, String name) {
    Tensor x = a.tensor(name);
    if (x.ndim() == 0) {
      throw new ShapeException(name + " must have an axis of classes, this array is 0-d");
    }
    int axis = x.layout().axis(a.integer("axis"));
    Tensor floating = Structural.cast(x, x.dtype().toFloating());
    return axis == x.ndim() - 1 ? floating : Shapes.MOVEAXIS.of(floating, axis, -1);
  }

  private static Tensor classes(Tensor target, Tensor logits) {
    if (!target.dtype().isInteger() && target.size() > 0) {
      throw new DTypeException(
          "target must be integers, the numbers of classes, got "
              + target.dtype()
              + "; convert it with astype",
          "dtype",
          target.dtype().toString());
    }
    int[] expected = Arrays.copyOf(logits.shape(), logits.ndim() - 1);
    if (!Arrays.equals(target.shape(), expected)) {
      throw new ShapeException(
          "target has shape "
              + target.layout()
              + ", expected "
              + Layout.of(expected)
              + ", the shape of the predictions without the axis of classes",
          "shapes",
          List.of(target.shape(), expected));
    }
    return Structural.cast(
        target.detach(), target.dtype().isInteger() ? target.dtype() : DType.INT64);
  }

  /** Where targets are not ignored; empty where none can be. */
  private static Optional<Tensor> kept(Args a, Tensor target) {
    return a.has("ignore-index")
        ? Optional.of(Comparison.NE.of(target, a.get("ignore-index")))
        : Optional.empty();
  }

  private static Tensor reduced(Args a, Tensor rows, Tensor target) {
    String reduction = PointLoss.reduction(a);
    if (reduction.equals("none")) {
      return rows;
    }
    Optional<Tensor> kept = kept(a, target);
    if (reduction.equals("mean") && kept.isEmpty()) {
      return Reductions.MEAN.of(rows);
    }
    Tensor sum = Reductions.SUM.of(rows);
    return reduction.equals("sum")
        ? sum
        : Arithmetic.DIV.of(
            sum, Structural.cast(Reductions.SUM.of(kept.orElseThrow()), rows.dtype()));
  }

  private static Tensor gradient(Node n, Args a, Tensor g) {
    if (n.notes().length > 0 && g.level() == 0 && !GradMode.isEnabled()) {
      return ClassLoss.backward(n, a, g);
    }
    Tensor logits = n.in(0);
    Tensor target = n.in(1);
    int classes = logits.dim(logits.ndim() - 1);
    double smoothing = a.number("label-smoothing");
    Optional<Tensor> kept = kept(a, target);
    Tensor safe = kept.isPresent() ? Selection.WHERE.of(kept.get(), target, 0) : target;
    Tensor up = kept.isPresent() ? Selection.WHERE.of(kept.get(), g, 0) : g;
    Tensor hot = Structural.cast(Lookup.ONE_HOT.of(safe, Math.max(1, classes)), logits.dtype());
    Tensor smooth =
        Arithmetic.ADD.of(Arithmetic.MUL.of(hot, 1 - smoothing), smoothing / Math.max(1, classes));
    Tensor difference = Arithmetic.SUB.of(Activations.SOFTMAX.of(logits, -1), smooth);
    return Arithmetic.MUL.of(difference, Shapes.UNSQUEEZE.of(up, -1));
  }
}
