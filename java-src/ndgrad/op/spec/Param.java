package ndgrad.op.spec;

import java.util.Map;
import ndgrad.ArgumentException;

/**
 * One parameter of an op.
 *
 * @param name its name in kebab-case
 * @param kind what it takes
 * @param required whether it has no default; required parameters are positional
 * @param fallback the default, already of the kind's type; null for none
 */
public record Param(String name, Kind kind, boolean required, Object fallback) {

  /** What a parameter takes; the value each kind is bound to is named in brackets. */
  public enum Kind {
    /** An array, number, nested list or Java array [Tensor]. */
    ARRAY,
    /** Several arrays [List of Tensor]. */
    ARRAYS,
    /** An integer [Integer]. */
    INT,
    /** An integer or a list of them [int[]]. */
    INTS,
    /** Axes of a reduction: an integer, a list, or nothing for all [int[]]. */
    AXES,
    /** A shape: an integer or a list of them [int[]]. */
    SHAPE,
    /** A truth value [Boolean]. */
    FLAG,
    /** A number [Double, Long or Boolean]. */
    NUMBER,
    /** A dtype [DType]. */
    DTYPE,
    /** A keyword or string out of a few [String]. */
    WORD,
    /** Anything; the op looks at it itself [Object]. */
    ANY;

    /**
     * Whether a keyword can be the value.
     *
     * @return true for words and dtypes, and where the op looks itself
     */
    public boolean takesWords() {
      return this == WORD || this == DTYPE || this == ANY;
    }
  }

  /** What parameters of these names mean wherever they occur; an op can say otherwise. */
  private static final Map<String, String> GLOSSARY =
      Map.ofEntries(
          Map.entry("x", "the array"),
          Map.entry("a", "the first array"),
          Map.entry("b", "the second array; broadcast with the first"),
          Map.entry("xs", "the arrays"),
          Map.entry("axis", "the axis, or axes; negative numbers count from the end"),
          Map.entry("keepdims", "whether reduced axes are kept with length 1"),
          Map.entry("dtype", "the dtype of the result"),
          Map.entry("shape", "the shape"),
          Map.entry("ddof", "the number subtracted from the count in the divisor"),
          Map.entry("axis1", "the first axis"),
          Map.entry("axis2", "the second axis"),
          Map.entry("k", "which diagonal: 0 the main one, positive above, negative below"),
          Map.entry("offset", "which diagonal: 0 the main one, positive above, negative below"),
          Map.entry("descending", "whether the largest come first"));

  /** What it means unless its op says otherwise; empty when nobody said. */
  String glossary() {
    return name.equals("axis") && kind == Kind.INT
        ? "the axis; negative numbers count from the end"
        : GLOSSARY.getOrDefault(name, "");
  }

  static Kind kindOf(String word) {
    for (Kind k : Kind.values()) {
      if (k.name().equalsIgnoreCase(word)) {
        return k;
      }
    }
    throw new ArgumentException("unknown parameter kind " + word);
  }

  /**
   * Whether arguments of this parameter are inputs of the computation.
   *
   * @return true for arrays
   */
  public boolean isArray() {
    return kind == Kind.ARRAY || kind == Kind.ARRAYS;
  }
}
