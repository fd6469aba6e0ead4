package ndgrad.op;

import java.lang.reflect.Field;
import java.lang.reflect.Modifier;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import ndgrad.ArgumentException;
import ndgrad.op.spec.Op;
import ndgrad.op.spec.Structural;

/**
 * Every op, by family: found in the families' public constants, so that declaring an op lists it.
 */
public final class Registry {
  private static final List<Class<?>> FAMILIES =
      List.of(
          Arithmetic.class,
          Comparison.class,
          Functions.class,
          Selection.class,
          Activations.class,
          Reductions.class,
          Scans.class,
          Sorting.class,
          Shapes.class,
          Joining.class,
          Rearranging.class,
          Indexing.class,
          Lookup.class,
          Linalg.class,
          Solving.class,
          Statistics.class,
          Einsum.class,
          Convolution.class,
          Pooling.class,
          Creation.class,
          Normalization.class,
          Losses.class,
          Attention.class,
          Structural.class);

  private Registry() {}

  /** The listing, made when it is first asked for: it takes the classes of all families. */
  private static final class Listing {
    static final Map<String, Op> BY_NAME = new LinkedHashMap<>();
    static final Map<Op, Field> FIELDS = new LinkedHashMap<>();

    static {
      for (Class<?> family : FAMILIES) {
        for (Field f : family.getDeclaredFields()) {
          if (Modifier.isPublic(f.getModifiers()) && Op.class.isAssignableFrom(f.getType())) {
            list(f);
          }
        }
      }
    }

    private static void list(Field f) {
      Op op = value(f);
      if (op.spec().isListed()) {
        FIELDS.put(op, f);
        List<String> names = new ArrayList<>(op.spec().aliases());
        names.addFirst(op.name());
        for (String name : names) {
          if (BY_NAME.put(name, op) != null) {
            throw new IllegalStateException("two ops are called " + name);
          }
        }
      }
    }
  }

  private static Op value(Field f) {
    try {
      return (Op) f.get(null);
    } catch (IllegalAccessException e) {
      throw new IllegalStateException(e);
    }
  }

  /**
   * The op that a constant holds; of the families' classes only this one is initialised.
   *
   * @param family the full name of the family's class
   * @param constant the name of its field
   * @return the op
   */
  public static Op op(String family, String constant) {
    try {
      return value(Class.forName(family).getField(constant));
    } catch (ReflectiveOperationException e) {
      throw new IllegalArgumentException("there is no op " + family + "." + constant, e);
    }
  }

  /**
   * Every op with a public name, family by family in the order of declaration.
   *
   * @return unmodifiable
   */
  public static List<Op> ops() {
    return List.copyOf(Listing.FIELDS.keySet());
  }

  /**
   * The constant that holds an op.
   *
   * @param op a listed op
   * @return the field of its family's class
   */
  public static Field constant(Op op) {
    return Listing.FIELDS.get(op);
  }

  /**
   * The op of a public name.
   *
   * @param name in kebab-case; synonyms too
   * @return the op
   * @throws ArgumentException when there is none
   */
  public static Op find(String name) {
    Op op = Listing.BY_NAME.get(name);
    if (op == null) {
      throw new ArgumentException("there is no op called " + name, "op", name);
    }
    return op;
  }
}
