package ndgrad;

import java.util.List;
import java.util.Map;
import ndgrad.autograd.Tensor;
import ndgrad.op.Registry;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Elementwise;
import ndgrad.op.spec.InPlace;
import ndgrad.op.spec.Nested;
import ndgrad.op.spec.Op;

/**
 * Calls any op with values of the host language; the basis of the fluent methods of {@link Array}
 * and of the functions of other languages.
 */
public final class Ops {
  private Ops() {}

  /**
   * The op with a public name.
   *
   * @param name the name or an alias, in kebab-case: {@code "sum"}, {@code "concatenate"}
   * @return the op
   * @throws ArgumentException when there is none
   */
  public static Op find(String name) {
    return Registry.find(name);
  }

  /**
   * Calls an op.
   *
   * @param op the op
   * @param options options by name; names may be strings or keywords
   * @param args arguments in order: Arrays, numbers, nested lists, …
   * @return an Array, a List of Arrays, or a host value
   * @throws NdException when an argument does not fit
   */
  public static Object call(Op op, Map<?, ?> options, Object... args) {
    return toHost(op.call(options, args));
  }

  /**
   * Calls the in-place form of an op.
   *
   * @param op the op
   * @param options options by name
   * @param args arguments in order; the first is an Array and is modified
   * @return the first argument
   * @throws NdException when an argument does not fit; nothing has been written then
   */
  public static Array callInPlace(Op op, Map<?, ?> options, Object... args) {
    if (args.length == 0 || !(args[0] instanceof Array target)) {
      throw new ArgumentException(
          op.name()
              + "!: the first argument must be an Array, which is modified, got "
              + (args.length == 0 ? "nothing" : Coerce.show(args[0])),
          "op",
          op.name() + "!");
    }
    InPlace.call(op, options, args);
    return target;
  }

  /**
   * Calls an elementwise op of one input.
   *
   * @param op the op
   * @param a an Array, number or nested list
   * @return the result
   */
  public static Array apply(Elementwise op, Object a) {
    try {
      return Array.of(op.of(Nested.tensor(a)));
    } catch (NdException e) {
      throw e.during(op.name());
    }
  }

  /**
   * Calls an elementwise op of two inputs.
   *
   * @param op the op
   * @param a an Array, number or nested list
   * @param b another
   * @return the result
   */
  public static Array apply(Elementwise op, Object a, Object b) {
    try {
      return Array.of(op.of(Nested.tensor(a), Nested.tensor(b)));
    } catch (NdException e) {
      throw e.during(op.name());
    }
  }

  static Object toHost(Object result) {
    return switch (result) {
      case Tensor t -> Array.of(t);
      case List<?> l -> l.stream().map(Ops::toHost).toList();
      default -> result;
    };
  }
}
