package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Function;
import java.util.stream.IntStream;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.op.Joining;
import ndgrad.op.Shapes;
import ndgrad.op.spec.Structural;

/**
 * All derivatives of a function at a point: basis vectors, in chunks, through one pass each way.
 */
final class Jacobians {
  private Jacobians() {}

  static List<List<Array>> blocks(
      String op, Function<List<Array>, List<Array>> f, List<Array> xs, Grad.Mode mode, int chunk) {
    if (chunk < 1) {
      throw new ArgumentException("chunk-size must be positive, got " + chunk, "chunk-size", chunk)
          .during(op);
    }
    // Forward there is a run for each argument: none would tell how many results there are.
    Grad.Mode way = xs.isEmpty() ? Grad.Mode.REVERSE : mode;
    if (way == Grad.Mode.FORWARD) {
      return forward(op, f, xs, chunk);
    }
    Pullback pass = Pullback.of(op, f, xs);
    long out = pass.outputs().stream().mapToLong(Tensor::size).sum();
    long in = xs.stream().mapToLong(Array::size).sum();
    return way == Grad.Mode.AUTO && in < out ? forward(op, f, xs, chunk) : reverse(pass, chunk);
  }

  private static List<List<Array>> reverse(Pullback pass, int chunk) {
    List<Tensor> ys = pass.outputs();
    List<List<Array>> blocks = new ArrayList<>();
    for (int i = 0; i < ys.size(); i++) {
      int at = i;
      Tensor y = ys.get(i);
      List<List<Tensor>> rows =
          chunks(
              y.dtype().isFloating() ? y : Structural.zeros(DType.FLOAT64, y.layout()),
              chunk,
              basis -> {
                long level = Lift.newLevel();
                Tensor[] cotangents = new Tensor[ys.size()];
                cotangents[at] = Lifted.batched(level, basis);
                Tensor[] found = pass.pull(Arrays.asList(cotangents), true);
                return IntStream.range(0, found.length)
                    .mapToObj(j -> found[j] == null ? Lifted.zeros(pass.inputs().get(j)) : found[j])
                    .map(g -> Lifted.physical(g, level, basis.dim(0)))
                    .toList();
              });
      List<Array> row = new ArrayList<>();
      for (int j = 0; j < pass.inputs().size(); j++) {
        int[] shape = join(y.shape(), pass.inputs().get(j).shape());
        row.add(Array.of(Shapes.RESHAPE.of(joined(column(rows, j)), shape)));
      }
      blocks.add(row);
    }
    return blocks;
  }

  private static List<List<Array>> forward(
      String op, Function<List<Array>, List<Array>> f, List<Array> xs, int chunk) {
    List<Tensor> ins = Lifted.tensors(xs);
    Lifted.requireFloating(op, ins);
    List<List<Array>> blocks = new ArrayList<>();
    for (int j = 0; j < ins.size(); j++) {
      int at = j;
      Tensor x = ins.get(j);
      List<List<Tensor>> rows =
          chunks(
              x,
              chunk,
              basis -> {
                // Tangents are batched, values are not: those are computed once.
                long examples = Lift.newLevel();
                long level = Lift.newLevel();
                List<Tensor> point = new ArrayList<>(ins);
                point.set(at, Lifted.dual(level, x, Lifted.batched(examples, basis)));
                return Lifted.apply(f, point).stream()
                    .map(y -> Lifted.physical(Lifted.tangent(y, level), examples, basis.dim(0)))
                    .toList();
              });
      int outputs = rows.getFirst().size();
      for (int i = 0; i < outputs; i++) {
        Tensor all = joined(column(rows, i));
        Tensor last = all.ndim() == 1 ? all : Structural.MOVE_AXIS.of(all, 0, all.ndim() - 1);
        int[] out = Arrays.copyOfRange(all.shape(), 1, all.ndim());
        Tensor block = Shapes.RESHAPE.of(last, join(out, x.shape()));
        if (j == 0) {
          blocks.add(new ArrayList<>());
        }
        blocks.get(i).add(Array.of(Structural.CAST.of(block, x.dtype())));
      }
    }
    return blocks;
  }

  /**
   * The results of a function of parts of the basis of a space, in order; once of none when it has
   * no dimension.
   */
  private static List<List<Tensor>> chunks(
      Tensor like, int chunk, Function<Tensor, List<Tensor>> f) {
    int n = like.layout().intSize();
    List<List<Tensor>> out = new ArrayList<>();
    int step = Math.clamp(n, 1, chunk);
    for (int from = 0; from == 0 || from < n; from += step) {
      out.add(f.apply(basis(like, from, Math.min(step, n - from))));
    }
    return out;
  }

  private static Tensor basis(Tensor like, int from, int count) {
    int n = like.layout().intSize();
    Strided rows = Strided.zeros(like.dtype(), join(new int[] {count}, like.shape()));
    Storage storage = rows.storage();
    for (int k = 0; k < count; k++) {
      int at = k * n + from + k;
      switch (storage.array()) {
        case float[] a -> a[at] = 1;
        case double[] a -> a[at] = 1;
        default -> throw new IllegalStateException("basis of " + like.dtype());
      }
    }
    return new Tensor(rows);
  }

  private static List<Tensor> column(List<List<Tensor>> rows, int j) {
    return rows.stream().map(r -> r.get(j)).toList();
  }

  private static Tensor joined(List<Tensor> parts) {
    return parts.size() == 1 ? parts.getFirst() : Joining.CAT.of(parts, 0);
  }

  private static int[] join(int[] a, int[] b) {
    int[] out = Arrays.copyOf(a, a.length + b.length);
    System.arraycopy(b, 0, out, a.length, b.length);
    return out;
  }
}
