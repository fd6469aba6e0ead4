package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Function;
import java.util.function.Predicate;
import java.util.stream.Stream;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.op.Joining;
import ndgrad.op.Shapes;
import ndgrad.op.spec.Structural;

/**
 * Several results of one application as one: the tape knows ops with one result. The floating
 * results lie one after the other in one array, of which they are views; a single one is itself.
 */
final class Packing {
  private final List<Layout> layouts = new ArrayList<>();
  private final List<DType> dtypes = new ArrayList<>();
  private int floating;

  static Packing of(List<Tensor> outs) {
    Packing p = new Packing();
    for (Tensor y : outs) {
      p.layouts.add(y.layout());
      p.dtypes.add(y.dtype());
      p.floating += y.dtype().isFloating() ? 1 : 0;
    }
    return p;
  }

  /** The floating results as one array outside the graph. */
  Tensor pack(List<Tensor> outs) {
    List<Tensor> parts =
        outs.stream().filter(y -> y.dtype().isFloating()).map(Tensor::alias).toList();
    if (parts.size() == 1) {
      return parts.getFirst();
    }
    return Joining.CAT.of(parts.stream().map(y -> Shapes.RESHAPE.of(y, -1)).toList(), 0);
  }

  /** The results, the floating ones as parts of the packed array. */
  List<Tensor> unpack(Tensor packed, List<Tensor> outs) {
    List<Tensor> parts = parts(packed);
    List<Tensor> all = new ArrayList<>();
    for (int i = 0; i < outs.size(); i++) {
      all.add(dtypes.get(i).isFloating() ? parts.get(i) : outs.get(i));
    }
    return all;
  }

  /** As many values as there are results; zeros for those that are not floating. */
  List<Tensor> whole(Tensor packed) {
    List<Tensor> all = new ArrayList<>(parts(packed));
    for (int i = 0; i < all.size(); i++) {
      if (all.get(i) == null) {
        all.set(i, Structural.zeros(dtypes.get(i), layouts.get(i)));
      }
    }
    return all;
  }

  /** The cotangents of the results; null for those that are not floating. */
  List<Tensor> cotangents(Tensor packed) {
    return parts(packed);
  }

  private List<Tensor> parts(Tensor packed) {
    List<Tensor> out = new ArrayList<>();
    int at = 0;
    for (int i = 0; i < dtypes.size(); i++) {
      if (!dtypes.get(i).isFloating()) {
        out.add(null);
      } else if (floating == 1) {
        out.add(packed);
      } else {
        int n = layouts.get(i).intSize();
        Tensor part = Shapes.RESHAPE.of(Shapes.NARROW.of(packed, 0, at, n), layouts.get(i).shape());
        out.add(Structural.cast(part, dtypes.get(i)));
        at += n;
      }
    }
    return out;
  }

  /** The highest level of arguments and results of a function, where it is that of a batch. */
  static OptionalLong batchLevel(List<Tensor> xs, List<Tensor> ys) {
    long level = Math.max(Lifted.level(xs), Lifted.level(ys));
    return Stream.concat(xs.stream(), ys.stream()).anyMatch(x -> Lifted.isBatched(x, level))
        ? OptionalLong.of(level)
        : OptionalLong.empty();
  }

  /** The number of examples of a batch. */
  static int size(List<Tensor> xs, List<Tensor> ys, long level) {
    Tensor batched =
        Stream.concat(xs.stream(), ys.stream())
            .filter(x -> Lifted.isBatched(x, level))
            .findFirst()
            .orElseThrow();
    return ((Lift.Batched) batched.lift().orElseThrow()).physical().dim(0);
  }

  static boolean[] batched(List<Tensor> xs, long level) {
    return flags(xs, x -> Lifted.isBatched(x, level));
  }

  static List<Tensor> peeled(List<Tensor> xs, long level) {
    return xs.stream()
        .map(
            x ->
                Lifted.isBatched(x, level) ? ((Lift.Batched) x.lift().orElseThrow()).physical() : x)
        .toList();
  }

  static List<Tensor> physical(List<Tensor> ys, long level, int size) {
    return ys.stream().map(y -> Lifted.physical(y, level, size)).toList();
  }

  /**
   * A function of one example as one of a batch: every result has all examples along its first
   * axis. The level is that of the batch, which other arrays that the function uses may be in.
   */
  static Function<List<Array>, List<Array>> overBatch(
      Function<List<Array>, List<Array>> f, boolean[] batched, long level, int size) {
    return xs -> {
      List<Tensor> ins = lifted(Lifted.tensors(xs), batched, level);
      return Lifted.arrays(physical(Lifted.apply(f, ins), level, size));
    };
  }

  static List<Tensor> lifted(List<Tensor> xs, boolean[] batched, long level) {
    List<Tensor> ins = new ArrayList<>();
    for (int i = 0; i < xs.size(); i++) {
      ins.add(batched[i] ? Lifted.batched(level, xs.get(i)) : xs.get(i));
    }
    return ins;
  }

  /** Which of some arrays are duals of a level. */
  static boolean[] duals(List<Tensor> xs, long level) {
    return flags(xs, x -> x.level() == level && x.lift().orElse(null) instanceof Lift.Dual);
  }

  /** Which of some arrays can be duals. */
  static boolean[] floating(List<Tensor> xs) {
    return flags(xs, x -> x.dtype().isFloating());
  }

  private static boolean[] flags(List<Tensor> xs, Predicate<Tensor> test) {
    boolean[] out = new boolean[xs.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = test.test(xs.get(i));
    }
    return out;
  }

  /** The value of each array, followed by its tangent where it moves. */
  static List<Tensor> apart(List<Tensor> xs, boolean[] moving, long level) {
    List<Tensor> out = new ArrayList<>();
    for (int i = 0; i < xs.size(); i++) {
      out.add(Lifted.primal(xs.get(i), level));
      if (moving[i]) {
        out.add(Lifted.tangent(xs.get(i), level));
      }
    }
    return out;
  }

  /** Arrays from what {@link #apart} made of them. */
  static List<Tensor> together(List<Tensor> parts, boolean[] moving, long level) {
    List<Tensor> out = new ArrayList<>();
    int at = 0;
    for (boolean moves : moving) {
      Tensor x = parts.get(at++);
      out.add(moves ? Lifted.dual(level, x, parts.get(at++)) : x);
    }
    return out;
  }

  /**
   * A function of duals as one of their values and tangents. The level is that of the duals, which
   * other arrays that the function uses may be, too.
   */
  static Function<List<Array>, List<Array>> ofParts(
      Function<List<Array>, List<Array>> f, boolean[] moving, long level) {
    return xs -> {
      List<Tensor> ys = Lifted.apply(f, together(Lifted.tensors(xs), moving, level));
      return Lifted.arrays(apart(ys, floating(ys), level));
    };
  }
}
