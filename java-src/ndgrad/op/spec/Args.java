package ndgrad.op.spec;

import java.util.List;
import java.util.Optional;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Strided;

/** The bound arguments of one call, by parameter name. */
public final class Args {
  private final Signature signature;
  private final Object[] values;

  Args(Signature signature, Object[] values) {
    this.signature = signature;
    this.values = values;
  }

  /**
   * Any argument.
   *
   * @param name the parameter
   * @return its value; null for an option without one
   */
  public Object get(String name) {
    return values[signature.indexOf(name)];
  }

  /**
   * Whether an option has a value.
   *
   * @param name the parameter
   * @return false when it is nil
   */
  public boolean has(String name) {
    return get(name) != null;
  }

  /**
   * An array.
   *
   * @param name the parameter
   * @return the tensor
   */
  public Tensor tensor(String name) {
    return (Tensor) get(name);
  }

  /**
   * An array that may be absent.
   *
   * @param name the parameter
   * @return the tensor, or empty
   */
  public Optional<Tensor> optionalTensor(String name) {
    return Optional.ofNullable((Tensor) get(name));
  }

  /**
   * Several arrays.
   *
   * @param name the parameter
   * @return the tensors
   */
  @SuppressWarnings("unchecked")
  public List<Tensor> tensors(String name) {
    return (List<Tensor>) get(name);
  }

  /**
   * An integer.
   *
   * @param name the parameter
   * @return its value
   * @throws ndgrad.ArgumentException when it is nil, which only some options may be
   */
  public int integer(String name) {
    if (get(name) instanceof Integer i) {
      return i;
    }
    throw Coerce.wrong(name, "an integer", get(name));
  }

  /**
   * Several integers: axes, a shape, sizes.
   *
   * @param name the parameter
   * @return a fresh array; null for an option without a value
   */
  public int[] ints(String name) {
    int[] v = (int[]) get(name);
    return v == null ? null : v.clone();
  }

  /**
   * A truth value.
   *
   * @param name the parameter
   * @return its value
   */
  public boolean flag(String name) {
    return (Boolean) get(name);
  }

  /**
   * A number.
   *
   * @param name the parameter
   * @return its value as a double
   */
  public double number(String name) {
    return get(name) instanceof Boolean b ? (b ? 1 : 0) : ((Number) get(name)).doubleValue();
  }

  /**
   * A dtype that may be absent.
   *
   * @param name the parameter
   * @return the dtype, or empty
   */
  public Optional<DType> dtype(String name) {
    return Optional.ofNullable((DType) get(name));
  }

  /**
   * A word.
   *
   * @param name the parameter
   * @return its value without colon
   */
  public String word(String name) {
    return (String) get(name);
  }

  /**
   * The same with another value for one parameter.
   *
   * @param name the parameter
   * @param value of the type its kind is bound to
   * @return the changed arguments; these stay as they are
   */
  public Args with(String name, Object value) {
    Object[] changed = values.clone();
    changed[signature.indexOf(name)] = value;
    return new Args(signature, changed);
  }

  /** The inputs in order. */
  Tensor[] tensors() {
    int n = 0;
    for (int i : signature.inputs()) {
      n +=
          values[i] instanceof Tensor
              ? 1
              : values[i] instanceof List<?> l && arrays(i) ? l.size() : 0;
    }
    Tensor[] out = new Tensor[n];
    n = 0;
    for (int i : signature.inputs()) {
      if (values[i] instanceof Tensor t) {
        out[n++] = t;
      } else if (values[i] instanceof List<?> l && arrays(i)) {
        for (Object t : l) {
          out[n++] = (Tensor) t;
        }
      }
    }
    return out;
  }

  private boolean arrays(int i) {
    return signature.params().get(i).kind() == Param.Kind.ARRAYS;
  }

  /** The same without the inputs, so that the tape keeps none alive that no rule saved. */
  Args withoutTensors() {
    Object[] kept = values.clone();
    for (int i = 0; i < kept.length; i++) {
      if (signature.params().get(i).isArray()) {
        kept[i] = null;
      }
    }
    return new Args(signature, kept);
  }

  /**
   * The same with arrays of the inputs' shapes and dtypes, but without their elements, so that none
   * is kept alive.
   */
  Args withStandIns() {
    Object[] kept = values.clone();
    for (int i = 0; i < kept.length; i++) {
      if (kept[i] instanceof Tensor t) {
        kept[i] = standIn(t);
      } else if (kept[i] instanceof List<?> l && arrays(i)) {
        kept[i] = l.stream().map(t -> standIn((Tensor) t)).toList();
      }
    }
    return new Args(signature, kept);
  }

  private static Tensor standIn(Tensor t) {
    return new Tensor(Strided.zeros(t.dtype()).with(t.layout()));
  }
}
