package ndgrad.autograd;

/** What the tape knows of an op: its name and how a cotangent goes back through it. */
public interface Rule {

  /** A rule that finds the gradients of all inputs together. */
  interface Joint extends Rule {
    /**
     * The vector-Jacobian products.
     *
     * @param node the application that is being differentiated
     * @param needed which inputs' gradients are asked for
     * @param cotangent the gradient of the output, of the output's shape and dtype
     * @return one an input, of its shape and dtype; null for zero or where none was asked for
     */
    Tensor[] vjps(Node node, boolean[] needed, Tensor cotangent);

    @Override
    default Tensor vjp(Node node, int input, Tensor cotangent) {
      boolean[] needed = new boolean[node.arity()];
      needed[input] = true;
      return vjps(node, needed, cotangent)[input];
    }
  }

  /**
   * The op's public name.
   *
   * @return the name in kebab-case
   */
  String name();

  /**
   * The vector-Jacobian product with respect to one input.
   *
   * @param node the application that is being differentiated
   * @param input which input; it requires a gradient
   * @param cotangent the gradient of the output, of the output's shape and dtype
   * @return the gradient of that input, of the input's shape and dtype
   */
  Tensor vjp(Node node, int input, Tensor cotangent);
}
