package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;
import java.util.function.Function;
import ndgrad.autograd.Backward;
import ndgrad.autograd.GradMode;
import ndgrad.autograd.Lift;
import ndgrad.autograd.Node;
import ndgrad.autograd.Rule;
import ndgrad.autograd.Tensor;
import ndgrad.autograd.Trace;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.random.Keys;
import ndgrad.op.Reverse;

/**
 * A function that keeps none of its intermediate values for its gradient: it is run again when the
 * gradient is asked for. Arrays that it depends on beside its arguments get their gradients, too.
 */
final class Checkpoint {
  private final Function<List<Array>, List<Array>> f;

  Checkpoint(Function<List<Array>, List<Array>> f) {
    this.f = f;
  }

  List<Array> apply(List<Array> xs) {
    return Lifted.arrays(run(Lifted.tensors(xs)));
  }

  private List<Tensor> run(List<Tensor> xs) {
    if (!GradMode.isEnabled() || Trace.isOn()) {
      return Lifted.apply(f, xs);
    }
    Call call = new Call(Node.latest(), Storage.beginAge(), new Keys.Replay());
    List<Tensor> points = xs.stream().map(Checkpoint::point).toList();
    return record(call, xs, points, call.draws.run(() -> Lifted.apply(f, points)));
  }

  /** The first run of the function: when it began and what it drew. */
  private record Call(long start, long age, Keys.Replay draws) {}

  /** A point of its own of every graph that an array, or what it stands for, is in. */
  private static Tensor point(Tensor x) {
    Tensor point =
        switch (x.lift().orElse(null)) {
          case Lift.Batched b -> Lifted.batched(b.level(), point(b.physical()));
          case Lift.Dual d -> Lifted.dual(d.level(), point(d.primal()), point(d.tangent()));
          case null, default -> x.requiresGrad() ? Lifted.fresh(x, false) : x;
        };
    if (point != x) {
      point.requireGrad(x.requiresGrad());
    }
    return point;
  }

  private List<Tensor> record(Call call, List<Tensor> xs, List<Tensor> points, List<Tensor> ys) {
    List<Tensor> moving = points.stream().filter(Tensor::requiresGrad).toList();
    // What is older than this run, or a leaf, was not made by the function.
    List<Node> closed =
        Backward.boundary(ys, moving, n -> n.isLeaf() || n.sequence() <= call.start);
    List<Tensor> outs = recordedWithin(call, xs, points, ys);
    boolean floating = outs.stream().anyMatch(y -> y.dtype().isFloating());
    if (!floating || moving.isEmpty() && closed.isEmpty()) {
      return outs;
    }
    // Without their history: a result that is a view would keep its root's, and all that it saved,
    // alive.
    return new Run(xs, closed, call.draws)
        .record(outs.stream().map(y -> Lifted.uprooted(y, call.age)).toList());
  }

  /**
   * The results with what they stand for recorded: the values and tangents of duals, or a batch,
   * are in graphs of their own, by the arguments or by what the function uses beside them.
   */
  private List<Tensor> recordedWithin(
      Call call, List<Tensor> xs, List<Tensor> points, List<Tensor> ys) {
    OptionalLong batch = Packing.batchLevel(xs, ys);
    if (batch.isPresent()) {
      return recordedInBatch(call, xs, points, ys, batch.getAsLong());
    }
    long level = Math.max(Lifted.level(xs), Lifted.level(ys));
    List<Tensor> parts = Packing.apart(ys, Packing.floating(ys), level);
    // What nobody follows below is left as it is: a value that tangents share would be repeated.
    return level == 0 || !Lifted.anyFollowed(parts)
        ? ys
        : recordedInDuals(call, xs, points, ys, level);
  }

  private List<Tensor> recordedInBatch(
      Call call, List<Tensor> xs, List<Tensor> points, List<Tensor> ys, long level) {
    int size = Packing.size(xs, ys, level);
    Checkpoint all = new Checkpoint(Packing.overBatch(f, Packing.batched(xs, level), level, size));
    return all
        .record(
            call,
            Packing.peeled(xs, level),
            Packing.peeled(points, level),
            Packing.physical(ys, level, size))
        .stream()
        .map(y -> Lifted.batched(level, y))
        .toList();
  }

  private List<Tensor> recordedInDuals(
      Call call, List<Tensor> xs, List<Tensor> points, List<Tensor> ys, long level) {
    boolean[] moving = Packing.duals(xs, level);
    boolean[] floating = Packing.floating(ys);
    Checkpoint parts = new Checkpoint(Packing.ofParts(f, moving, level));
    List<Tensor> outs =
        parts.record(
            call,
            Packing.apart(xs, moving, level),
            Packing.apart(points, moving, level),
            Packing.apart(ys, floating, level));
    return Packing.together(outs, floating, level);
  }

  /** One application: what is needed to repeat it. */
  private final class Run implements Rule.Joint {
    private final int arguments;
    private final List<Tensor> ins;
    private final Keys.Replay draws;
    private final List<Node> closed;
    private Packing packing;

    Run(List<Tensor> xs, List<Node> closed, Keys.Replay draws) {
      this.arguments = xs.size();
      this.draws = draws;
      this.closed = closed;
      this.ins = new ArrayList<>(xs);
      closed.forEach(n -> ins.add(n.standIn()));
    }

    List<Tensor> record(List<Tensor> outs) {
      packing = Packing.of(outs);
      Tensor packed = packing.pack(outs);
      Tensor[] all = ins.toArray(Tensor[]::new);
      Node node = new Node(this, null, all, packed.layout(), packed.dtype());
      for (int i = 0; i < arguments; i++) {
        node.save(i, all[i]);
      }
      ins.clear();
      return packing.unpack(packed.madeBy(node), outs);
    }

    @Override
    public String name() {
      return "checkpoint";
    }

    @Override
    public Tensor[] vjps(Node node, boolean[] needed, Tensor cotangent) {
      boolean create = GradMode.isEnabled();
      List<Tensor> inputs = new ArrayList<>();
      List<Tensor> targets = new ArrayList<>();
      for (int i = 0; i < arguments; i++) {
        Tensor x = node.in(i);
        inputs.add(needed[i] ? Lifted.fresh(x, create) : x);
      }
      List<Tensor> outs = Lifted.recording(true, () -> draws.run(() -> Lifted.apply(f, inputs)));
      List<Integer> places = new ArrayList<>();
      for (int i = 0; i < needed.length; i++) {
        if (needed[i]) {
          places.add(i);
          targets.add(i < arguments ? inputs.get(i) : closed.get(i - arguments).standIn());
        }
      }
      List<Tensor> live = new ArrayList<>();
      List<Tensor> upstream = new ArrayList<>();
      List<Tensor> cotangents = packing.cotangents(cotangent);
      requireAgain(outs, cotangents);
      for (int i = 0; i < outs.size(); i++) {
        if (outs.get(i).requiresGrad() && cotangents.get(i) != null) {
          live.add(outs.get(i));
          upstream.add(cotangents.get(i));
        }
      }
      // Nodes that others use, too, must not be freed.
      Tensor[] found = Reverse.gradientsUpTo(live, upstream, targets, create);
      Tensor[] out = new Tensor[needed.length];
      for (int k = 0; k < found.length; k++) {
        out[places.get(k)] = found[k];
      }
      return out;
    }

    private void requireAgain(List<Tensor> outs, List<Tensor> cotangents) {
      boolean same = outs.size() == cotangents.size();
      for (int i = 0; same && i < outs.size(); i++) {
        Tensor c = cotangents.get(i);
        same = c == null || c.layout().sameShape(outs.get(i).layout());
      }
      if (!same) {
        throw new GraphException(
            "the function of a checkpoint gave results of other shapes when it was run again for"
                + " its gradient; it must do the same each time",
            "shapes",
            outs.stream().map(Tensor::shape).toList());
      }
    }
  }
}
