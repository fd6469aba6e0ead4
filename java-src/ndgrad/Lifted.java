package ndgrad;

import java.util.Collections;
import java.util.List;
import java.util.function.Function;
import java.util.function.Supplier;
import java.util.stream.Stream;
import ndgrad.autograd.Frames;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Structural;

/** Into and out of what arrays stand for inside functional transforms. */
final class Lifted {
  /** Stands before "must not be null". */
  static final String RESULT = "what the function returns";

  private Lifted() {}

  static List<Tensor> tensors(List<Array> arrays) {
    return Coerce.given("the list of arrays", arrays).stream()
        .map(x -> Coerce.given("array", x).tensor())
        .toList();
  }

  static List<Array> arrays(List<Tensor> tensors) {
    return tensors.stream().map(Array::of).toList();
  }

  /** Applies a function to tensors by their public faces. */
  static List<Tensor> apply(Function<List<Array>, List<Array>> f, List<Tensor> xs) {
    return results(Frames.ofUser(() -> f.apply(arrays(xs))));
  }

  /** What a function of the user returned. */
  static List<Tensor> results(List<Array> ys) {
    return Coerce.given(RESULT, ys).stream().map(y -> Coerce.given(RESULT, y).tensor()).toList();
  }

  /** A function of one array as one of lists of them. */
  static Function<List<Array>, List<Array>> ofOne(Function<Array, Array> f) {
    Coerce.given("f", f);
    // List.of would refuse a null before anybody can say what is null.
    return xs -> Collections.singletonList(f.apply(xs.getFirst()));
  }

  /** Runs with recording on or off. */
  static <T> T recording(boolean on, Supplier<T> body) {
    boolean before = GradMode.set(on);
    try {
      return body.get();
    } finally {
      GradMode.set(before);
    }
  }

  static boolean anyTracked(List<Tensor> xs) {
    return xs.stream().anyMatch(Tensor::requiresGrad);
  }

  /**
   * Whether gradients flow to one of some arrays, or to what one stands for in an outer transform.
   */
  static boolean anyFollowed(List<Tensor> xs) {
    return xs.stream().anyMatch(Tensor::isFollowed);
  }

  /** An array and all that it stands for in transforms. */
  static Stream<Tensor> layers(Tensor x) {
    Stream<Tensor> parts = x.lift().stream().flatMap(l -> l.parts().stream());
    return Stream.concat(Stream.of(x), parts.flatMap(Lifted::layers));
  }

  /** The elements of an array, inside vmap those of all examples. */
  static Strided allElements(Tensor x) {
    return switch (x.lift().orElse(null)) {
      case Lift.Dual d -> allElements(d.primal());
      case Lift.Batched b -> allElements(b.physical());
      case null, default -> x.strided();
    };
  }

  /** The same value, also in transforms, where no gradients flow. */
  static Tensor unfollowed(Tensor x) {
    return switch (x.lift().orElse(null)) {
      case Lift.Dual d -> dual(d.level(), unfollowed(d.primal()), unfollowed(d.tangent()));
      case Lift.Batched b -> batched(b.level(), unfollowed(b.physical()));
      case null, default -> x.alias();
    };
  }

  static long level(List<Tensor> xs) {
    return xs.stream().mapToLong(Tensor::level).max().orElse(0);
  }

  /**
   * The same value as a point of its own of the graph, to differentiate with respect to.
   *
   * @param keep whether gradients flow on to what x was made from
   */
  static Tensor fresh(Tensor x, boolean keep) {
    if (keep && x.requiresGrad()) {
      return Structural.BROADCAST_TO.of(x, x.shape());
    }
    Tensor leaf = x.alias();
    leaf.requireGrad(true);
    return leaf;
  }

  /**
   * A result of a function without its history, as a root of its own. It must not share elements
   * with an array that has another history, so what was there before the call is copied.
   *
   * @param age that in which the function was called
   */
  static Tensor uprooted(Tensor y, long age) {
    return y.level() == 0 && y.storage().isOlderThan(age)
        ? new Tensor(Copies.copyOf(y.strided()))
        : y.alias();
  }

  static Tensor zeros(Tensor like) {
    return Structural.zeros(like.dtype(), like.layout());
  }

  static void requireFloating(String op, List<Tensor> xs) {
    for (int i = 0; i < xs.size(); i++) {
      if (!xs.get(i).dtype().isFloating()) {
        throw new DTypeException(
            op
                + ": only floating arrays can be differentiated, argument "
                + i
                + " is "
                + xs.get(i).dtype()
                + "; convert it with astype",
            "op",
            op,
            "argument",
            i,
            "dtype",
            xs.get(i).dtype().toString());
      }
    }
  }

  static void requireCount(String op, String what, int expected, int given) {
    if (expected != given) {
      throw new ArgumentException(
          op
              + ": expected "
              + expected
              + " "
              + what
              + (expected == 1 ? "" : "s")
              + ", got "
              + given,
          "op",
          op,
          "expected",
          expected,
          "given",
          given);
    }
  }

  /** A tangent or cotangent checked and converted. */
  static Tensor direction(String op, String what, Tensor given, Tensor like) {
    if (!given.layout().sameShape(like.layout())) {
      throw new ShapeException(
          op
              + ": the "
              + what
              + " has shape "
              + given.layout()
              + ", what it belongs to "
              + like.layout(),
          "op",
          op,
          "shapes",
          List.of(given.layout().shape(), like.layout().shape()));
    }
    return Structural.cast(given, like.dtype());
  }

  static Tensor dual(long level, Tensor primal, Tensor tangent) {
    return Tensor.lifted(new Lift.Dual(level, primal, tangent));
  }

  static Tensor batched(long level, Tensor physical) {
    return Tensor.lifted(new Lift.Batched(level, physical));
  }

  /** The value of a result of a run of jvp. */
  static Tensor primal(Tensor y, long level) {
    return y.level() == level && y.lift().orElse(null) instanceof Lift.Dual d ? d.primal() : y;
  }

  /** The tangent of a result of a run of jvp. */
  static Tensor tangent(Tensor y, long level) {
    return y.level() == level && y.lift().orElse(null) instanceof Lift.Dual d
        ? d.tangent()
        : zeros(y);
  }

  static boolean isBatched(Tensor y, long level) {
    return y.level() == level && y.lift().orElse(null) instanceof Lift.Batched;
  }

  /** All examples of a result of a run of vmap along the first axis. */
  static Tensor physical(Tensor y, long level, int size) {
    return y.level() == level && y.lift().orElse(null) instanceof Lift.Batched b
        ? b.physical()
        : Structural.repeated(y, size);
  }
}
