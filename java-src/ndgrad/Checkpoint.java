package ndgrad;

import java.util.ArrayList;
import java.util.List;
import java.util.function.Function;
import ndgrad.autograd.Backward;
import ndgrad.autograd.GradMode;
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
    long level = Lifted.level(xs);
    if (xs.stream().anyMatch(x -> Lifted.isBatched(x, level))) {
      return overBatch(xs, level);
    }
    if (!GradMode.isEnabled() || Trace.isOn()) {
      return Lifted.apply(f, xs);
    }
    long start = Node.latest();
    long age = Storage.beginAge();
    Keys.Replay draws = new Keys.Replay();
    List<Tensor> inputs = xs.stream().map(Checkpoint::point).toList();
    List<Tensor> outs = draws.run(() -> Lifted.apply(f, inputs));
    List<Tensor> moving = inputs.stream().filter(Tensor::requiresGrad).toList();
    // What is older than this run, or a leaf, was not made by the function.
    List<Node> closed = Backward.boundary(outs, moving, n -> n.isLeaf() || n.sequence() <= start);
    boolean floating = outs.stream().anyMatch(y -> y.dtype().isFloating());
    if (!floating || moving.isEmpty() && closed.isEmpty()) {
      return outs;
    }
    // Without their history: a result that is a view would keep its root's, and all that it saved,
    // alive.
    return new Run(xs, closed, draws)
        .record(outs.stream().map(y -> Lifted.uprooted(y, age)).toList());
  }

  private static Tensor point(Tensor x) {
    return x.requiresGrad() ? Lifted.fresh(x, false) : x;
  }

  private List<Tensor> overBatch(List<Tensor> xs, long level) {
    int size = Packing.size(xs, level);
    Function<List<Array>, List<Array>> all = Packing.overBatch(f, Packing.batched(xs, level), size);
    List<Tensor> outs = new Checkpoint(all).run(Packing.peeled(xs, level));
    return outs.stream().map(y -> Lifted.batched(level, y)).toList();
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
  }
}
