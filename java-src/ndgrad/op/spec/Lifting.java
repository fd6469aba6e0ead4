package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.function.IntPredicate;
import java.util.function.UnaryOperator;
import ndgrad.GraphException;
import ndgrad.autograd.Backward;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Strided;

/**
 * Ops inside functional transforms: on duals an op computes its value and its tangent, on batches
 * it computes all examples at once. One level is peeled off here; what is left goes through the
 * same ops again.
 */
final class Lifting {
  private Lifting() {}

  /** What an op must offer to take part in transforms. */
  sealed interface Liftable permits Elementwise, Fused, Primitive, View {
    /** Applies the op; the inputs may be lifted and tracked. */
    Tensor run(Args args, Tensor[] ins);

    /**
     * The tangent of the result; null tangents stand for zero, not all are null. It is null itself
     * where none of them reaches the result.
     */
    Tensor jvp(Args args, Tensor[] primals, Tensor out, Tensor[] tangents);

    /** The results of all examples along the first axis; some inputs have one example for all. */
    Tensor batch(Args args, Tensor[] physical, boolean[] batched, int size);

    /** Whether tangents pass. */
    boolean passes();
  }

  static long level(Tensor[] ins) {
    long level = 0;
    for (Tensor t : ins) {
      level = Math.max(level, t.level());
    }
    return level;
  }

  static Tensor apply(Liftable op, Args args, Tensor[] ins, long level) {
    if (Trace.current() instanceof Recorder trace && level <= trace.level()) {
      return trace.record(op, args, ins);
    }
    Tensor[] inner = ins.clone();
    Tensor[] tangents = new Tensor[ins.length];
    boolean[] batched = new boolean[ins.length];
    int size = -1;
    for (int i = 0; i < ins.length; i++) {
      if (ins[i].level() == level) {
        switch (ins[i].lift().orElseThrow()) {
          case Lift.Dual d -> {
            inner[i] = d.primal();
            tangents[i] = d.primal().dtype().isFloating() ? d.tangent() : null;
          }
          case Lift.Batched b -> {
            inner[i] = b.physical();
            batched[i] = true;
            size = b.physical().dim(0);
          }
          case Lift.Traced _ ->
              throw new GraphException(
                  "an array of a fused function is used after the function was traced, or on"
                      + " another thread; return it from the function instead");
        }
      }
    }
    if (size >= 0) {
      return Tensor.lifted(new Lift.Batched(level, op.batch(args, inner, batched, size)));
    }
    Tensor out = op.run(args, inner);
    boolean moves = Arrays.stream(tangents).anyMatch(t -> t != null);
    Tensor tangent =
        moves && op.passes() && out.dtype().isFloating()
            ? op.jvp(args, inner, out, tangents)
            : null;
    return tangent == null ? out : Tensor.lifted(new Lift.Dual(level, out, tangent));
  }

  /**
   * What a linear op is applied to for its tangent: tangents, zeros where there is none, and as
   * they are what it is not linear in, such as indexes.
   */
  static Tensor[] directions(Tensor[] primals, Tensor[] tangents, IntPredicate linear) {
    Tensor[] out = new Tensor[primals.length];
    for (int i = 0; i < out.length; i++) {
      out[i] =
          tangents[i] != null
              ? tangents[i]
              : linear.test(i)
                  ? Structural.zeros(primals[i].dtype(), primals[i].layout())
                  : primals[i];
    }
    return out;
  }

  /**
   * The tangent of an op from its vector-Jacobian product u ↦ Jᵀu, which is linear in u: the
   * gradient of its inner product with the tangents is Jt.
   */
  static <O extends Liftable & Rule> Tensor transposedVjp(
      O op, Tensor[] tangents, Function<boolean[], Node> apply, Tensor out) {
    boolean[] needed = new boolean[tangents.length];
    for (int i = 0; i < needed.length; i++) {
      needed[i] = tangents[i] != null;
    }
    boolean before = GradMode.set(true);
    try {
      Node applied = apply.apply(needed);
      Tensor u = Structural.zeros(out.dtype(), out.layout());
      u.requireGrad(true);
      List<Tensor> pulled = new ArrayList<>();
      List<Tensor> moving = new ArrayList<>();
      for (int i = 0; i < needed.length; i++) {
        Tensor back = needed[i] ? op.vjp(applied, i, u) : null;
        if (back != null && back.requiresGrad()) {
          pulled.add(back);
          moving.add(tangents[i]);
        }
      }
      return pulled.isEmpty()
          ? null
          : Backward.gradients(pulled, moving, List.of(u), true, before, Sums.INSTANCE)[0];
    } finally {
      GradMode.set(before);
    }
  }

  /**
   * One example after the other, stacked. A batch of none is tried with an example of zeros, which
   * tells shape and dtype.
   */
  static Tensor eachExample(
      Liftable op, Args args, Tensor[] physical, boolean[] batched, int size) {
    List<Tensor> results = new ArrayList<>();
    for (int b = 0; b < Math.max(size, 1); b++) {
      Tensor[] ins = physical.clone();
      for (int i = 0; i < ins.length; i++) {
        if (batched[i]) {
          ins[i] =
              size == 0
                  ? Structural.zeros(ins[i].dtype(), ins[i].layout().first())
                  : Structural.SELECT.of(ins[i], 0, b);
        }
      }
      Tensor result = op.run(args, ins);
      if (b > 0 && !result.layout().sameShape(results.getFirst().layout())) {
        throw new GraphException(
            "inside vmap the examples would give results of different shapes: "
                + results.getFirst().layout()
                + " and "
                + result.layout(),
            "shapes",
            List.of(results.getFirst().layout().shape(), result.layout().shape()));
      }
      results.add(result);
    }
    return size > 0 ? Structural.STACK.of(results, 0) : none(results.getFirst());
  }

  /** A batch of no examples. */
  private static Tensor none(Tensor like) {
    int[] shape = new int[like.ndim() + 1];
    System.arraycopy(like.shape(), 0, shape, 1, like.ndim());
    return new Tensor(Strided.zeros(like.dtype(), shape));
  }

  /** Applies a function of one example to a batch of them. */
  static Tensor eachOf(Tensor physical, UnaryOperator<Tensor> f) {
    long level = Lift.newLevel();
    Tensor out = f.apply(Tensor.lifted(new Lift.Batched(level, physical)));
    return out.level() == level && out.lift().orElseThrow() instanceof Lift.Batched b
        ? b.physical()
        : Structural.repeated(out, physical.dim(0));
  }
}
