package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.Collections;
import java.util.List;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.IntStream;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Coerce;

/**
 * The function whose gradients are checked, at some inputs: what it gives there and where an input
 * is moved, and its gradients in reverse mode. It is called with copies of the inputs only.
 */
final class GradCheckSubject {
  private final Function<List<Array>, List<Array>> f;
  private final List<Array> inputs;

  private double[][] base;
  private int[][] shapes;
  private List<String> forms;
  private List<Array> leaves;
  private List<Array> outputs;

  GradCheckSubject(Function<List<Array>, List<Array>> f, List<Array> inputs) {
    this.f =
        xs -> {
          List<Array> ys = f.apply(xs);
          Lifted.results(ys); // which refuses null
          return ys;
        };
    this.inputs = inputs;
    for (int i = 0; i < inputs.size(); i++) {
      requireDouble("input " + i, Coerce.given("input " + i, inputs.get(i)));
    }
    if (inputs.stream().noneMatch(GradCheckSubject::moves)) {
      throw new ArgumentException(
          "gradcheck: there is nothing to differentiate with respect to; pass at least one float64"
              + " array",
          "op",
          "gradcheck");
    }
  }

  private static void requireDouble(String what, Array x) {
    if (x.dtype() == DType.FLOAT32) {
      throw new DTypeException(
          "gradcheck: "
              + what
              + " is float32, whose differences are too coarse to tell a wrong gradient from"
              + " rounding; convert the inputs to float64 with astype and keep to float64 within"
              + " the function",
          "op",
          "gradcheck",
          "dtype",
          "float32",
          "where",
          what);
    }
  }

  /** Whether an input or output is differentiated; what is no float64 is passed as it is. */
  static boolean moves(Array x) {
    return x.dtype() == DType.FLOAT64;
  }

  /** A copy that shares nothing, in the same layout unless that lets elements overlap. */
  private static Array twin(Array x) {
    Strided s = x.tensor().strided();
    if (s.layout().isBroadcast()) {
      return Array.of(new Tensor(Copies.copyOf(s, x.dtype())));
    }
    return sharing(x, Copies.copyOf(s.with(Layout.of(s.storage().length())), x.dtype()).array());
  }

  /** An array laid out as another, over given primitives. */
  private static Array sharing(Array x, Object primitives) {
    return Array.of(new Tensor(new Strided(new Storage(primitives), x.tensor().layout())));
  }

  /** Copies of the inputs. */
  List<Array> twins() {
    return inputs.stream().map(GradCheckSubject::twin).toList();
  }

  /** What must be the same of all results of a function: their number, dtypes and shapes. */
  static List<String> forms(List<Array> ys) {
    return ys.stream().map(y -> y.dtype() + Arrays.toString(y.shape())).toList();
  }

  static void requireSame(List<String> first, List<String> again) {
    if (!first.equals(again)) {
      throw new ShapeException(
          "gradcheck: the function returned "
              + first
              + " at first and "
              + again
              + " when it was called again; it must return as many arrays of the same dtypes and"
              + " shapes whenever it is called",
          "op",
          "gradcheck",
          "expected",
          first,
          "got",
          again);
    }
  }

  /** Calls the function at the inputs, which all else is compared with. */
  void evaluate() {
    List<Array> ys = f.apply(twins());
    shapes = ys.stream().map(Array::shape).toArray(int[][]::new);
    forms = forms(ys);
    base = values(ys);
    if (ys.stream().noneMatch(GradCheckSubject::moves)) {
      throw new ArgumentException(
          "gradcheck: there is nothing to differentiate; the function must return a float64 array,"
              + " got "
              + forms,
          "op",
          "gradcheck",
          "got",
          forms);
    }
  }

  /** Values of the floating outputs at the inputs; null for outputs of other dtypes. */
  double[][] base() {
    return base;
  }

  /** The shape of an output. */
  int[] shape(int output) {
    return shapes[output];
  }

  /** The results of the function, which are like those of the first call. */
  private List<Array> again(List<Array> xs) {
    List<Array> ys = f.apply(xs);
    requireSame(forms, forms(ys));
    return ys;
  }

  /** The values of the outputs for such inputs. */
  double[][] at(List<Array> xs) {
    return values(again(xs));
  }

  private double[][] values(List<Array> ys) {
    double[][] out = new double[ys.size()][];
    for (int o = 0; o < out.length; o++) {
      requireDouble("output " + o, ys.get(o));
      out[o] = moves(ys.get(o)) ? ys.get(o).toDoubleArray() : null;
    }
    return out;
  }

  /** Calls the function with leaves, for {@link #gradients}. */
  void track() {
    try (var _ = Autograd.enableGrad()) {
      leaves = twins();
      leaves.forEach(x -> x.requiresGrad(moves(x)));
      outputs = again(leaves);
    }
  }

  /** What the function was tracked with. */
  List<Array> leaves() {
    return leaves;
  }

  /**
   * The gradients of the outputs, weighted, with respect to all inputs; empty where there is none.
   */
  List<Optional<Array>> gradients(double[][] weights) {
    List<Array> ys = new ArrayList<>();
    List<Array> us = new ArrayList<>();
    for (int o = 0; o < base.length; o++) {
      if (weights[o] != null && outputs.get(o).requiresGrad()) {
        ys.add(outputs.get(o));
        us.add(Array.wrap(weights[o].clone(), shapes[o]));
      }
    }
    List<Array> moving = leaves.stream().filter(GradCheckSubject::moves).toList();
    List<Optional<Array>> found =
        ys.isEmpty() ? List.of() : Autograd.gradients(ys, us, moving, true, false);
    List<Optional<Array>> out =
        new ArrayList<>(Collections.nCopies(leaves.size(), Optional.empty()));
    for (int i = 0, next = 0; i < leaves.size() && !found.isEmpty(); i++) {
      if (moves(leaves.get(i))) {
        out.set(i, found.get(next++));
      }
    }
    return out;
  }

  /**
   * The outputs where input i is moved along a direction by h, and by -h; halved and divided by h.
   */
  double[][] difference(int i, double[] direction, double h) {
    double[][] up = moved(i, direction, h);
    double[][] down = moved(i, direction, -h);
    for (int o = 0; o < up.length; o++) {
      for (int k = 0; up[o] != null && k < up[o].length; k++) {
        up[o][k] = (up[o][k] - down[o][k]) / (2 * h);
      }
    }
    return up;
  }

  private double[][] moved(int i, double[] direction, double h) {
    List<Array> xs = new ArrayList<>(twins());
    Array x = xs.get(i);
    int[] elements = IntStream.range(0, direction.length).filter(j -> direction[j] != 0).toArray();
    int[] positions = Gather.positions(x.tensor().layout(), elements);
    double[] data = (double[]) x.data();
    for (int k = 0; k < elements.length; k++) {
      data[positions[k]] += h * direction[elements[k]];
    }
    return at(xs);
  }

  /** The greatest magnitude of an output at the inputs. */
  double largestOutput() {
    double largest = 0;
    for (double[] y : base) {
      for (int k = 0; y != null && k < y.length; k++) {
        largest = Double.isFinite(y[k]) ? Math.max(largest, Math.abs(y[k])) : largest;
      }
    }
    return largest;
  }

  /** The greatest magnitude in a range of an input, at least 1. */
  double scale(int i, int from, int to) {
    double[] x = inputs.get(i).toDoubleArray();
    double scale = 1;
    for (int j = from; j < to; j++) {
      scale = Double.isFinite(x[j]) ? Math.max(scale, Math.abs(x[j])) : scale;
    }
    return scale;
  }
}
