package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalInt;
import java.util.function.Function;
import java.util.function.IntFunction;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Structural;

/** One run of a function over a batch. */
final class Vmap {
  private Vmap() {}

  static List<Array> run(
      Function<List<Array>, List<Array>> f,
      List<Array> xs,
      List<OptionalInt> inAxes,
      IntFunction<OptionalInt> outAxes) {
    List<Tensor> given = Lifted.tensors(xs);
    Lifted.requireCount("vmap", "in-axis", given.size(), inAxes.size());
    inAxes.forEach(axis -> Coerce.given("each of inAxes", axis));
    int size = size(xs, inAxes);
    long level = Lift.newLevel();
    List<Tensor> ins = new ArrayList<>();
    for (int i = 0; i < given.size(); i++) {
      Tensor x = given.get(i);
      ins.add(
          inAxes.get(i).isEmpty() ? x : Lifted.batched(level, front(x, inAxes.get(i).getAsInt())));
    }
    List<Tensor> outs = Lifted.apply(f, ins);
    List<Array> results = new ArrayList<>();
    for (int i = 0; i < outs.size(); i++) {
      OptionalInt axis = Coerce.given("what outAxes returns", outAxes.apply(i));
      results.add(Array.of(placed(outs.get(i), level, size, axis)));
    }
    return List.copyOf(results);
  }

  private static int size(List<Array> xs, List<OptionalInt> inAxes) {
    int size = -1;
    int first = -1;
    for (int i = 0; i < xs.size(); i++) {
      if (inAxes.get(i).isPresent()) {
        Layout x = xs.get(i).tensor().layout();
        int axis = axis(x, inAxes.get(i).getAsInt(), i);
        if (size >= 0 && x.dim(axis) != size) {
          throw new ShapeException(
              "vmap: the batches differ in size: array "
                  + first
                  + " has "
                  + size
                  + " examples, array "
                  + i
                  + " of shape "
                  + x
                  + " has "
                  + x.dim(axis)
                  + " along axis "
                  + axis,
              "op",
              "vmap",
              "sizes",
              List.of(size, x.dim(axis)));
        }
        first = size < 0 ? i : first;
        size = x.dim(axis);
      }
    }
    if (size < 0) {
      throw new ArgumentException(
          "vmap: no array is mapped over; give at least one an axis in in-axes", "op", "vmap");
    }
    return size;
  }

  private static int axis(Layout x, int axis, int argument) {
    if (axis < -x.ndim() || axis >= x.ndim()) {
      throw new ShapeException(
          "vmap: in-axes names axis "
              + axis
              + " of array "
              + argument
              + ", whose shape is "
              + x
              + (x.ndim() == 0
                  ? "; without an axis in in-axes it is shared among the examples"
                  : ""),
          "op",
          "vmap",
          "axis",
          axis,
          "argument",
          argument,
          "shape",
          x.shape());
    }
    return axis < 0 ? axis + x.ndim() : axis;
  }

  private static Tensor front(Tensor x, int axis) {
    int at = axis < 0 ? axis + x.ndim() : axis;
    return at == 0 ? x : Structural.MOVE_AXIS.of(x, at, 0);
  }

  private static Tensor placed(Tensor y, long level, int size, OptionalInt axis) {
    boolean batched = Lifted.isBatched(y, level);
    if (axis.isEmpty()) {
      if (batched) {
        throw new ArgumentException(
            "vmap: out-axes has no axis for a result that differs from example to example",
            "op",
            "vmap");
      }
      return y;
    }
    int rank = y.ndim() + 1;
    int given = axis.getAsInt();
    if (given < -rank || given >= rank) {
      throw new ShapeException(
          "vmap: out-axes names axis "
              + given
              + " of a result whose examples have shape "
              + y.layout(),
          "op",
          "vmap",
          "axis",
          given,
          "shape",
          y.layout().shape());
    }
    int at = given < 0 ? given + rank : given;
    Tensor all = Lifted.physical(y, level, size);
    Tensor own = batched ? all : Structural.COPY.of(all);
    return at == 0 ? own : Structural.MOVE_AXIS.of(own, 0, at);
  }
}
