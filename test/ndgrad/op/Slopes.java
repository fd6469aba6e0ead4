package ndgrad.op;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Op;
import ndgrad.op.spec.Structural;

/** Derivatives of ops at given points, for tests. */
final class Slopes {
  private Slopes() {}

  static Tensor tracked(double... x) {
    Tensor t = new Tensor(Nested.array(x));
    t.requireGrad(true);
    return t;
  }

  static Tensor trackedFloats(float... x) {
    Tensor t = new Tensor(Nested.array(x));
    t.requireGrad(true);
    return t;
  }

  static float[] floats(Tensor t) {
    return (float[]) Structural.COPY.of(t).strided().array();
  }

  static double[] doubles(Tensor t) {
    return (double[]) Structural.COPY.of(t).strided().array();
  }

  /** The gradient of the op's summed result in argument {@code input}, a tracked tensor. */
  static double[] of(Op op, int input, Object... args) {
    return of(op, input, Map.of(), args);
  }

  static double[] of(Op op, int input, Map<?, ?> options, Object... args) {
    Tensor y = (Tensor) op.call(options, args);
    return doubles(gradient(y, (Tensor) args[input]));
  }

  /** The second derivative of an op of one tracked argument, elementwise. */
  static double[] second(Op op, double... x) {
    Tensor at = tracked(x);
    return doubles(gradient(gradient(op.of(at), at), at));
  }

  static Tensor gradient(Tensor y, Tensor x) {
    List<Tensor> upstream = new ArrayList<>();
    upstream.add(Structural.BROADCAST_TO.of(new Tensor(Nested.array(1.0)), y.shape()));
    return Reverse.gradients(List.of(y), upstream, Collections.singletonList(x), true, true)[0];
  }
}
