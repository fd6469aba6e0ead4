package ndgrad.op.spec;

import java.lang.reflect.Array;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.RandomAccess;
import java.util.StringJoiner;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.Index;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;

/** From what callers pass to what ops take. */
public final class Coerce {
  private Coerce() {}

  static Object to(Param.Kind kind, String name, Object value) {
    return switch (kind) {
      case ARRAY -> Nested.tensor(value);
      case ARRAYS -> tensors(name, value);
      case INT -> integer(name, value);
      case INTS -> integers(name, value);
      case AXES, SHAPE -> dimensions(name, value);
      case FLAG -> flag(name, value);
      case NUMBER -> number(name, value);
      case DTYPE -> DType.of(value);
      case WORD -> word(name, value);
      case ANY -> value;
    };
  }

  /**
   * An argument of a method of Java that cannot be left out.
   *
   * @param <T> its type
   * @param name the parameter
   * @param value the argument
   * @return the argument
   * @throws ArgumentException when it is null
   */
  public static <T> T given(String name, T value) {
    if (value == null) {
      throw ArgumentException.missing(name);
    }
    return value;
  }

  /**
   * A truth value.
   *
   * @param name the parameter
   * @param value a Boolean
   * @return its value
   * @throws ArgumentException for anything else
   */
  public static boolean flag(String name, Object value) {
    if (value instanceof Boolean b) {
      return b;
    }
    throw wrong(name, "true or false", value);
  }

  /**
   * Keywords, strings and constants of enums; other objects are no names though they have a
   * toString.
   */
  private static String word(String name, Object value) {
    if (value instanceof CharSequence || value instanceof Enum<?> || isName(value)) {
      return Signature.plain(value);
    }
    throw wrong(name, "a keyword or string", value);
  }

  /** Whether it is a keyword or symbol of Clojure, which is not on the class path of all users. */
  static boolean isName(Object value) {
    String type = value.getClass().getName();
    return type.equals("clojure.lang.Keyword") || type.equals("clojure.lang.Symbol");
  }

  private static Object number(String name, Object value) {
    return switch (value) {
      case null -> throw wrong(name, "a number", null);
      case Boolean b -> b;
      case Number n -> isIntegral(n) ? (Object) Nested.whole(n) : (Object) n.doubleValue();
      case Tensor.Face f when f.tensor().size() == 1 -> Nested.item(f.tensor());
      default -> throw wrong(name, "a number", value);
    };
  }

  /**
   * An integer argument.
   *
   * @param name the parameter
   * @param value a host integer, or an array with one integer
   * @return the integer
   * @throws ArgumentException for anything else
   */
  public static Integer integer(String name, Object value) {
    if (value instanceof Integer i) {
      return i;
    }
    Object v =
        value instanceof Tensor.Face f && f.tensor().size() == 1 && f.tensor().dtype().isInteger()
            ? Nested.item(f.tensor())
            : value;
    if (v instanceof Number n && isIntegral(n)) {
      if (n.longValue() == n.intValue() && n.doubleValue() == n.intValue()) {
        return n.intValue();
      }
      throw new ArgumentException(
          name + " " + n + " is too large; dimensions, axes and counts are 32-bit integers",
          "argument",
          name,
          "value",
          n.toString());
    }
    throw wrong(name, "an integer", value);
  }

  /**
   * A number that need not be whole.
   *
   * @param name the parameter
   * @param value a host number, or an array with one number
   * @return its value
   * @throws ArgumentException for anything else
   */
  public static double real(String name, Object value) {
    if (number(name, value) instanceof Number n) {
      return n.doubleValue();
    }
    throw wrong(name, "a number", value);
  }

  /**
   * A whole number of 64 bits, such as a seed.
   *
   * @param name the parameter
   * @param value a host integer, or an array with one integer
   * @return its value
   * @throws ArgumentException for anything else
   */
  public static long whole(String name, Object value) {
    if (number(name, value) instanceof Long n) {
      return n;
    }
    throw wrong(name, "a whole number", value);
  }

  /**
   * Integer arguments.
   *
   * @param name the parameter
   * @param value a host integer, a list or Java array of them, or an integer array of at most one
   *     dimension
   * @return the integers, a fresh array
   * @throws ArgumentException for anything else
   */
  public static int[] integers(String name, Object value) {
    if (value instanceof int[] given) {
      return given.clone();
    }
    List<?> items =
        switch (value) {
          case null -> throw wrong(name, "an integer or a list of integers", null);
          case Number n -> List.of(n);
          case Tensor.Face f when f.tensor().ndim() <= 1 && f.tensor().dtype().isInteger() ->
              f.tensor().ndim() == 0
                  ? List.of(Nested.item(f.tensor()))
                  : (List<?>) Nested.toHost(f.tensor());
          default -> elements(name, "an integer or a list of integers", value);
        };
    int[] out = new int[items.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = integer(name, items.get(i));
    }
    return out;
  }

  /**
   * A shape, or axes.
   *
   * @param name the parameter
   * @param value as for {@link #integers}, at most as many as an array has dimensions
   * @return the integers, a fresh array
   * @throws ArgumentException for anything else; a sequence is not walked beyond the limit
   */
  public static int[] dimensions(String name, Object value) {
    if (value instanceof Number) {
      return new int[] {integer(name, value)};
    }
    if (value instanceof Iterable<?> it
        && !(value instanceof RandomAccess)
        && !(value instanceof Tensor.Face)) {
      int n = 0;
      for (var _ : it) {
        requireFew(name, ++n, value);
      }
    }
    int[] out = integers(name, value);
    requireFew(name, out.length, value);
    return out;
  }

  private static void requireFew(String name, int n, Object value) {
    if (n > Layout.MOST_DIMENSIONS) {
      throw new ArgumentException(
          name
              + " must be at most "
              + Layout.MOST_DIMENSIONS
              + " integers, for so many dimensions an array has at most, got "
              + show(value),
          "argument",
          name,
          "value",
          show(value));
    }
  }

  /**
   * A host integer that an array of int32 cannot hold.
   *
   * @param value the integer
   * @param remedy what to do
   * @return to be thrown
   */
  public static DTypeException tooWide(Number value, String remedy) {
    return new DTypeException(
        "the number " + value + " does not fit int32; " + remedy, "value", value, "dtype", "int32");
  }

  private static List<Tensor> tensors(String name, Object value) {
    if (value instanceof Tensor.Face f) {
      if (f.tensor().ndim() == 0) {
        throw wrong(name, "a list of arrays", "a 0-d array");
      }
      List<Tensor> rows = new ArrayList<>();
      for (int i = 0; i < f.tensor().dim(0); i++) {
        rows.add(Structural.SELECT.of(f.tensor(), 0, i));
      }
      return rows;
    }
    List<?> items = elements(name, "a list of arrays", value);
    Tensor[] out = new Tensor[items.size()];
    for (int i = 0; i < out.length; i++) {
      out[i] = Nested.tensor(items.get(i));
    }
    return List.of(out);
  }

  private static List<?> elements(String name, String expected, Object value) {
    if (value.getClass().isArray() && value.getClass().getComponentType().isPrimitive()) {
      return (List<?>) Nested.toHost(Nested.tensor(value));
    }
    List<?> items = Nested.items(value);
    if (items == null) {
      throw wrong(name, expected, value);
    }
    return items;
  }

  /**
   * Whether a number is a whole one by its type.
   *
   * @param n a number
   * @return true for Java's and Clojure's integer types
   */
  public static boolean isIntegral(Number n) {
    return n instanceof Integer
        || n instanceof Long
        || n instanceof Short
        || n instanceof Byte
        || n instanceof java.math.BigInteger
        || n.getClass().getSimpleName().equals("BigInt");
  }

  static ArgumentException wrong(String name, String expected, Object value) {
    return new ArgumentException(
        name + " must be " + expected + ", got " + show(value),
        "argument",
        name,
        "value",
        show(value));
  }

  /**
   * A value as messages quote it: short whatever its size, and without walking a sequence to its
   * end. What Java calls null and Clojure nil is no value.
   *
   * @param value anything
   * @return one line
   */
  public static String show(Object value) {
    return show(value, 3);
  }

  private static String show(Object value, int depth) {
    return switch (value) {
      case null -> "no value";
      case Tensor.Face f -> "an array of shape " + f.tensor().layout();
      case CharSequence s -> "\"" + shortened(s.toString()) + "\"";
      case Number n -> shortened(n.toString());
      case Boolean b -> b.toString();
      case Map<?, ?> _ -> "a map";
      case Iterable<?> it -> "[" + first(it.iterator(), depth) + "]";
      case Class<?> c -> c.getName();
      case Index.Slice _ -> "a slice";
      case Object o when o.getClass().isArray() -> "a " + javaArray(o);
      case Character c -> "the character " + c;
      case Object o when isName(o) -> shortened(o.toString());
      case Object o -> "an object of class " + o.getClass().getName();
    };
  }

  private static String javaArray(Object array) {
    String type = array.getClass().getComponentType().getTypeName();
    return type.substring(type.lastIndexOf('.') + 1) + "[] of length " + Array.getLength(array);
  }

  private static String first(Iterator<?> items, int depth) {
    StringJoiner out = new StringJoiner(" ");
    for (int i = 0; items.hasNext(); i++) {
      if (i == 5 || depth == 0) {
        return out.add("...").toString();
      }
      out.add(show(items.next(), depth - 1));
    }
    return out.toString();
  }

  private static String shortened(String text) {
    return text.length() <= 60 ? text : text.substring(0, 57) + "...";
  }
}
