package ndgrad.autograd;

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
   * A value and its directional derivative.
   *
   * @param level the level of the transform
   * @param primal the value
   * @param tangent the derivative, of the primal's shape and dtype
   */
  record Dual(long level, Tensor primal, Tensor tangent) implements Lift {}

  /**
   * One value an example.
   *
   * @param level the level of the transform
   * @param physical all of them, along the first axis
   */
  record Batched(long level, Tensor physical) implements Lift {}

  /**
   * A value in a function that is being traced.
   *
   * @param level the level of the trace
   * @param value an example of it, which gives its shape and dtype
   * @param id its number in the trace
   */
  record Traced(long level, Tensor value, int id) implements Lift {}
}
