package ndgrad.autograd;

import java.util.List;
import ndgrad.kernel.memory.Strided;

/**
 * What a tensor stands for inside a functional transform. Every run of a transform has a level of
 * its own, higher than those around it; an op takes care of the highest level among its inputs and
 * leaves the others to the ops it calls in turn, so nested transforms never take each other's
 * tangents or batches for their own.
 */
public sealed interface Lift {

  /**
   * A level for a run of a transform.
   *
   * @return higher than every level given before
   */
  static long newLevel() {
    return Levels.next();
  }

  /**
   * The level of the transform.
   *
   * @return above 0
   */
  long level();

  /**
   * The tensors that it is made of.
   *
   * @return the value first
   */
  List<Tensor> parts();

  /**
   * The elements as the transformed function would see them.
   *
   * @return those of the value; of several examples the first
   */
  Strided elements();

  /**
   * Whether gradients flow to what this is made of.
   *
   * @return true when somebody outside the transform may differentiate by it
   */
  boolean isFollowed();

  /**
   * Whether it has values for several examples, here or further in.
   *
   * @return true inside vmap
   */
  boolean isBatched();

  /**
   * Whether it has no values yet, here or further in.
   *
   * @return true inside a trace
   */
  boolean isTraced();

  /**
   * A value and its directional derivative.
   *
   * @param level the level of the transform
   * @param primal the value
   * @param tangent the derivative, of the primal's shape and dtype
   */
  record Dual(long level, Tensor primal, Tensor tangent) implements Lift {
    @Override
    public List<Tensor> parts() {
      return List.of(primal, tangent);
    }

    @Override
    public Strided elements() {
      return primal.elements();
    }

    @Override
    public boolean isFollowed() {
      return primal.isFollowed() || tangent.isFollowed();
    }

    @Override
    public boolean isBatched() {
      return primal.isBatched();
    }

    @Override
    public boolean isTraced() {
      return primal.isTraced();
    }
  }

  /**
   * One value an example.
   *
   * @param level the level of the transform
   * @param physical all of them, along the first axis
   */
  record Batched(long level, Tensor physical) implements Lift {
    @Override
    public List<Tensor> parts() {
      return List.of(physical);
    }

    @Override
    public Strided elements() {
      return physical.elements().with(physical.layout().first());
    }

    @Override
    public boolean isFollowed() {
      return physical.isFollowed();
    }

    @Override
    public boolean isBatched() {
      return true;
    }

    @Override
    public boolean isTraced() {
      return physical.isTraced();
    }
  }

  /**
   * A value in a function that is being traced.
   *
   * @param level the level of the trace
   * @param value an example of it, which gives its shape and dtype
   * @param id its number in the trace
   */
  record Traced(long level, Tensor value, int id) implements Lift {
    @Override
    public List<Tensor> parts() {
      return List.of(value);
    }

    @Override
    public Strided elements() {
      return value.elements();
    }

    @Override
    public boolean isFollowed() {
      return false;
    }

    @Override
    public boolean isBatched() {
      return false;
    }

    @Override
    public boolean isTraced() {
      return true;
    }
  }
}
