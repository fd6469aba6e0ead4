package ndgrad;

import java.lang.reflect.Array;
import java.util.Locale;
import java.util.Map;

/** The element types. Every layer may use it, so it uses nothing of ndgrad but the exceptions. */
public enum DType {
  /** Booleans, stored in a {@code boolean[]}. */
  BOOL(boolean.class, 1),
  /** 32-bit integers, stored in an {@code int[]}; arithmetic wraps. */
  INT32(int.class, 4),
  /** 64-bit integers, stored in a {@code long[]}; arithmetic wraps. */
  INT64(long.class, 8),
  /** Single precision, stored in a {@code float[]}. */
  FLOAT32(float.class, 4),
  /** Double precision, stored in a {@code double[]}; the default of floating results. */
  FLOAT64(double.class, 8);

  private final Class<?> primitive;
  private final int itemsize;

  DType(Class<?> primitive, int itemsize) {
    this.primitive = primitive;
    this.itemsize = itemsize;
  }

  /**
   * The dtype for a name, keyword, dtype or primitive class: {@code "float32"}, {@code ":float32"}
   * (what a Clojure keyword prints as), {@code FLOAT32}, {@code float.class}.
   *
   * @param designator the name, keyword, dtype or class
   * @return the dtype
   * @throws DTypeException when it names no dtype
   */
  public static DType of(Object designator) {
    if (designator instanceof DType d) {
      return d;
    }
    if (designator instanceof Class<?> c) {
      for (DType d : values()) {
        if (d.primitive == c) {
          return d;
        }
      }
    } else if (designator != null && !(designator instanceof Iterable<?>)) {
      String name = designator.toString();
      name = (name.startsWith(":") ? name.substring(1) : name).toUpperCase(Locale.ROOT);
      for (DType d : values()) {
        if (d.name().equals(name)) {
          return d;
        }
      }
    }
    throw new DTypeException(
        "unknown dtype: "
            + shown(designator)
            + "; expected one of float32, float64, int32, int64, bool",
        "dtype",
        shown(designator));
  }

  private static String shown(Object designator) {
    return switch (designator) {
      case null -> "no value";
      case CharSequence s -> "\"" + (s.length() > 60 ? s.subSequence(0, 57) + "..." : s) + "\"";
      case Number n -> n.toString();
      case Boolean b -> b.toString();
      case Object o when o.getClass().getSimpleName().equals("Keyword") -> o.toString();
      case Class<?> c -> c.getTypeName();
      case Map<?, ?> _ -> "a map";
      case Iterable<?> _ -> "a list";
      case Object o -> "an object of class " + o.getClass().getTypeName();
    };
  }

  /**
   * The dtype of a primitive array.
   *
   * @param array a {@code float[] double[] int[] long[]} or {@code boolean[]}
   * @return its dtype
   * @throws DTypeException for anything else
   */
  public static DType ofArray(Object array) {
    return switch (array) {
      case double[] _ -> FLOAT64;
      case float[] _ -> FLOAT32;
      case long[] _ -> INT64;
      case int[] _ -> INT32;
      case boolean[] _ -> BOOL;
      case null, default ->
          throw new DTypeException(
              "expected a float[], double[], int[], long[] or boolean[], got "
                  + (array == null ? shown(null) : array.getClass().getTypeName()));
    };
  }

  /**
   * NumPy 2's promotion of two array dtypes: {@code int32} and {@code float32} give {@code
   * float64}, {@code bool} and any other dtype give that one.
   *
   * @param a one dtype
   * @param b the other
   * @return the smallest dtype that holds both without loss, as NumPy's {@code promote_types}
   */
  public static DType promote(DType a, DType b) {
    DType low = a.ordinal() < b.ordinal() ? a : b;
    DType high = low == a ? b : a;
    return high == FLOAT32 && low.isInteger() ? FLOAT64 : high;
  }

  /**
   * The size of one element in bytes.
   *
   * @return 1, 4 or 8
   */
  public int itemsize() {
    return itemsize;
  }

  /**
   * Whether this is {@code float32} or {@code float64}, the dtypes that can require a gradient.
   *
   * @return true for the floating dtypes
   */
  public boolean isFloating() {
    return this == FLOAT32 || this == FLOAT64;
  }

  /**
   * Whether this is {@code int32} or {@code int64}.
   *
   * @return true for the integer dtypes, false for bool
   */
  public boolean isInteger() {
    return this == INT32 || this == INT64;
  }

  /**
   * This dtype if it is floating, otherwise {@code float64}: the dtype of {@code exp} and {@code
   * mean} of such arrays.
   *
   * @return a floating dtype
   */
  public DType toFloating() {
    return isFloating() ? this : FLOAT64;
  }

  /**
   * The Java class of one element.
   *
   * @return for example {@code float.class}
   */
  public Class<?> primitive() {
    return primitive;
  }

  /**
   * A new primitive array of zeros.
   *
   * @param length number of elements
   * @return a {@code float[]}, {@code double[]}, {@code int[]}, {@code long[]} or {@code boolean[]}
   */
  public Object newArray(int length) {
    return switch (this) {
      case FLOAT64 -> new double[length];
      case FLOAT32 -> new float[length];
      case INT64 -> new long[length];
      case INT32 -> new int[length];
      case BOOL -> new boolean[length];
    };
  }

  /**
   * The length of a primitive array of this dtype.
   *
   * @param array the array
   * @return its length
   */
  public static int lengthOf(Object array) {
    return Array.getLength(array);
  }

  /**
   * The name as in NumPy.
   *
   * @return for example {@code "float32"}
   */
  @Override
  public String toString() {
    return name().toLowerCase(Locale.ROOT);
  }
}
