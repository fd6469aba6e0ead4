package ndgrad;

import java.math.BigDecimal;
import java.util.ArrayList;
import java.util.List;
import java.util.OptionalLong;

/**
 * An item of an index expression, as between the brackets of NumPy's {@code x[…]}. Integers,
 * slices, {@link All}, {@link NewAxis} and {@link Ellipsis} select a view; {@link Positions} and
 * {@link Mask} a copy.
 */
public sealed interface Index {

  /**
   * One position of an axis, which is removed.
   *
   * @param index from -length to length-1
   */
  record At(long index) implements Index {}

  /**
   * A range of an axis, clipped to its bounds as in NumPy and Python.
   *
   * @param start the first position; empty to start at an end of the axis
   * @param stop the position before which to stop; empty to go on to the other end
   * @param step the step, not 0; negative to go backwards
   */
  record Slice(OptionalLong start, OptionalLong stop, long step) implements Index {
    /**
     * Checks the step.
     *
     * @throws IndexException when the step is 0
     */
    public Slice {
      if (step == 0) {
        throw new IndexException("the step of a slice must not be 0", "step", step);
      }
    }
  }

  /** A new axis of length 1. */
  record NewAxis() implements Index {}

  /** As many full slices as there are axes without another item; at most one per expression. */
  record Ellipsis() implements Index {}

  /** A whole axis. */
  record All() implements Index {}

  /**
   * Chosen positions of an axis, in any order and number.
   *
   * @param array an integer array: an Array, a Java array or a nested list
   */
  record Positions(Object array) implements Index {}

  /**
   * The positions of the true elements of a mask over one or several axes.
   *
   * @param array a bool array whose shape is that of the axes it masks: an Array, a Java array or a
   *     nested list
   */
  record Mask(Object array) implements Index {}

  /**
   * One position of an axis.
   *
   * @param index from -length to length-1
   * @return the item
   */
  static Index at(long index) {
    return new At(index);
  }

  /**
   * The positions from start to stop, exclusive.
   *
   * @param start the first position
   * @param stop the position before which to stop
   * @return the item
   */
  static Index slice(long start, long stop) {
    return slice(start, stop, 1);
  }

  /**
   * Every step-th position from start to stop, exclusive.
   *
   * @param start the first position
   * @param stop the position before which to stop
   * @param step the step, not 0
   * @return the item
   * @throws IndexException when the step is 0
   */
  static Index slice(long start, long stop, long step) {
    return new Slice(OptionalLong.of(start), OptionalLong.of(stop), step);
  }

  /**
   * A slice whose ends may be left open.
   *
   * @param start the first position, or null
   * @param stop the position before which to stop, or null
   * @param step the step, or null for 1
   * @return the item
   * @throws IndexException when the step is 0, or an argument is not a whole number
   */
  static Index slice(Number start, Number stop, Number step) {
    return new Slice(end(start), end(stop), end(step).orElse(1));
  }

  private static OptionalLong end(Number n) {
    if (n == null) {
      return OptionalLong.empty();
    }
    double d = n.doubleValue();
    if (n instanceof Double || n instanceof Float || n instanceof BigDecimal || d != Math.rint(d)) {
      throw new IndexException("slices are made of whole numbers, got " + n, "value", n.toString());
    }
    // What is beyond 64 bits is beyond the end of every axis too.
    boolean fits = d == n.longValue();
    return OptionalLong.of(fits ? n.longValue() : d > 0 ? Long.MAX_VALUE : Long.MIN_VALUE);
  }

  /**
   * A whole axis, {@code :}.
   *
   * @return the item
   */
  static Index all() {
    return new All();
  }

  /**
   * A new axis of length 1.
   *
   * @return the item
   */
  static Index newAxis() {
    return new NewAxis();
  }

  /**
   * As many full slices as there are axes without another item, {@code ...}.
   *
   * @return the item
   */
  static Index ellipsis() {
    return new Ellipsis();
  }

  /**
   * Chosen positions of an axis.
   *
   * @param positions each from -length to length-1
   * @return the item
   */
  static Index of(int... positions) {
    if (positions == null) {
      throw ArgumentException.missing("positions");
    }
    return new Positions(positions.clone());
  }

  /**
   * Chosen positions of an axis, as an array of any rank.
   *
   * @param array integers: an Array, a Java array or a nested list; read when the index is used
   * @return the item
   */
  static Index positions(Object array) {
    return new Positions(array);
  }

  /**
   * The positions of the true elements of a mask.
   *
   * @param array booleans: an Array, a Java array or a nested list; read when the index is used
   * @return the item
   */
  static Index mask(Object array) {
    return new Mask(array);
  }

  /**
   * Parses an index expression in NumPy's notation: integers, slices, {@code ...}, {@code newaxis}
   * (or {@code None}) and lists of integers in brackets, separated by commas, such as {@code "1:3,
   * ..., -1, newaxis, ::2, [0, 2]"}.
   *
   * @param text the expression
   * @return its items
   * @throws IndexException when an item is not valid; the message names it
   */
  static List<Index> parse(String text) {
    if (text == null) {
      throw ArgumentException.missing("text");
    }
    List<Index> out = new ArrayList<>();
    if (text.isBlank()) {
      return out;
    }
    int depth = 0;
    int from = 0;
    for (int i = 0; i <= text.length(); i++) {
      char c = i == text.length() ? ',' : text.charAt(i);
      depth += c == '[' ? 1 : c == ']' ? -1 : 0;
      if (c == ',' && (depth == 0 || i == text.length())) {
        out.add(item(text.substring(from, i).strip(), text));
        from = i + 1;
      }
    }
    return List.copyOf(out);
  }

  private static Index item(String item, String text) {
    return switch (item) {
      case ":", "all" -> all();
      case "...", "ellipsis" -> ellipsis();
      case "newaxis", "None" -> newAxis();
      default -> {
        if (item.startsWith("[") && item.endsWith("]")) {
          String inner = item.substring(1, item.length() - 1).strip();
          String[] parts = inner.isEmpty() ? new String[0] : inner.split("[,\\s]+");
          long[] positions = new long[parts.length];
          for (int i = 0; i < parts.length; i++) {
            positions[i] = whole(parts[i], text);
          }
          yield positions(positions);
        }
        String[] parts = item.split(":", -1);
        if (parts.length == 1) {
          yield at(whole(item, text));
        }
        if (parts.length > 3) {
          throw notAnIndex(item, text);
        }
        yield new Slice(
            open(parts[0], text),
            open(parts[1], text),
            parts.length == 2 ? 1 : open(parts[2], text).orElse(1));
      }
    };
  }

  private static OptionalLong open(String part, String text) {
    return part.isBlank() ? OptionalLong.empty() : OptionalLong.of(whole(part, text));
  }

  private static long whole(String number, String text) {
    try {
      return Long.parseLong(number.strip());
    } catch (NumberFormatException e) {
      throw notAnIndex(number, text);
    }
  }

  private static IndexException notAnIndex(String item, String text) {
    return new IndexException(
        "\""
            + item
            + "\" in \""
            + text
            + "\" is no index; expected an integer, start:stop:step, ..., newaxis,"
            + " or a list of integers in brackets",
        "index",
        item);
  }
}
