package ndgrad.op;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;
import ndgrad.ShapeException;
import ndgrad.kernel.memory.Layout;

/**
 * An equation of einsum, read for operands of certain shapes. Dimensions are labelled by their
 * letter; those under "..." by numbers from {@link #UNNAMED} on, counted from the right.
 */
final class EinsumEquation {
  private static final int UNNAMED = 1 << 16;

  private final String text;
  private final List<Layout> shapes;
  private final List<int[]> inputs = new ArrayList<>();
  private final int[] output;
  private final Map<Integer, Integer> lengths = new HashMap<>();

  private EinsumEquation(String text, List<Layout> shapes) {
    this.text = text.replace(" ", "");
    this.shapes = shapes;
    String[] sides = this.text.split("->", -1);
    String[] names = sides[0].split(",", -1);
    if (sides.length > 2) {
      throw wrong("has more than one ->");
    }
    if (names.length != shapes.size()) {
      throw wrong(
          "names "
              + names.length
              + (names.length == 1 ? " operand, " : " operands, ")
              + shapes.size()
              + (shapes.size() == 1 ? " was given" : " were given"));
    }
    int unnamed = 0;
    for (int i = 0; i < names.length; i++) {
      unnamed = Math.max(unnamed, read(names[i], i));
    }
    output = sides.length == 2 ? explicit(sides[1], unnamed) : implicit(unnamed);
    for (int i = 0; i < names.length; i++) {
      measure(i);
    }
  }

  /**
   * Reads an equation.
   *
   * @param text such as "ij,jk->ik"
   * @param shapes the operands' shapes
   * @return the equation
   * @throws ArgumentException when it is malformed or names another number of operands
   * @throws ShapeException when the shapes do not fit
   */
  static EinsumEquation of(String text, List<Layout> shapes) {
    return new EinsumEquation(text, shapes);
  }

  /** The label of each dimension of an operand; repeated ones ask for the diagonal. */
  int[] input(int operand) {
    return inputs.get(operand);
  }

  /** The label of each dimension of the output. */
  int[] output() {
    return output;
  }

  /** The length of the dimensions with a label; single ones may have length 1 instead. */
  int length(int label) {
    return lengths.get(label);
  }

  /** Labels an operand's dimensions; returns how many are under "...". */
  private int read(String names, int operand) {
    Layout shape = shapes.get(operand);
    int dots = names.indexOf("...");
    int named = dots < 0 ? names.length() : names.length() - 3;
    int hidden = shape.ndim() - named;
    int[] labels = labels(names, dots, Math.max(0, hidden));
    if (dots < 0 ? hidden != 0 : hidden < 0) {
      throw new ShapeException(
          "operand "
              + operand
              + " of \""
              + text
              + "\" has shape "
              + shape
              + ", \""
              + names
              + "\" names "
              + named
              + (dots < 0 ? "" : " or more")
              + (named == 1 ? " dimension" : " dimensions"),
          "operand",
          operand,
          "shape",
          shape.shape(),
          "equation",
          text);
    }
    inputs.add(labels);
    return dots < 0 ? 0 : hidden;
  }

  private int[] labels(String names, int dots, int hidden) {
    IntStream.Builder out = IntStream.builder();
    for (int i = 0; i < names.length(); i++) {
      char c = names.charAt(i);
      if (i == dots) {
        IntStream.range(0, hidden).forEach(j -> out.add(UNNAMED + hidden - 1 - j));
        i += 2;
      } else if (c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z') {
        out.add(c);
      } else {
        throw wrong(
            "has \"" + c + "\"; expected letters, commas, -> and at most one ... an operand");
      }
    }
    return out.build().toArray();
  }

  private int[] explicit(String names, int unnamed) {
    int dots = names.indexOf("...");
    int[] labels = labels(names, dots, unnamed);
    if (dots < 0 && unnamed > 0) {
      throw wrong(
          "has dimensions under ... that the output lacks; name them to sum over them, or add ...");
    }
    for (int i = 0; i < labels.length; i++) {
      int label = labels[i];
      if (Arrays.stream(labels, 0, i).anyMatch(l -> l == label)) {
        throw wrong("has " + name(label) + " twice in the output");
      }
      if (label < UNNAMED
          && inputs.stream().flatMapToInt(Arrays::stream).noneMatch(l -> l == label)) {
        throw wrong("has " + name(label) + " in the output, which no operand has");
      }
    }
    return labels;
  }

  /**
   * The dimensions under "...", then the letters that occur once in the order of their characters.
   */
  private int[] implicit(int unnamed) {
    int[] named =
        inputs.stream().flatMapToInt(Arrays::stream).filter(l -> l < UNNAMED).sorted().toArray();
    IntStream once =
        Arrays.stream(named).filter(l -> Arrays.stream(named).filter(m -> m == l).count() == 1);
    return IntStream.concat(IntStream.range(0, unnamed).map(i -> UNNAMED + unnamed - 1 - i), once)
        .toArray();
  }

  /**
   * Compares the lengths of an operand's dimensions with each other and with those of the operands
   * before it.
   */
  private void measure(int operand) {
    Map<Integer, Integer> own = new HashMap<>();
    for (int axis = 0; axis < inputs.get(operand).length; axis++) {
      int label = inputs.get(operand)[axis];
      int length = shapes.get(operand).dim(axis);
      Integer same = own.put(label, length);
      if (same != null && same != length) {
        throw misfit(label, same, operand, length, operand);
      }
    }
    own.forEach(
        (label, length) -> {
          int before = lengths.getOrDefault(label, 1);
          if (before != 1 && length != 1 && before != length) {
            throw misfit(label, before, firstOf(label, before), length, operand);
          }
          lengths.put(label, before == 1 ? length : before);
        });
  }

  /** The first operand in which a label has a length. */
  private int firstOf(int label, int length) {
    for (int i = 0; ; i++) {
      for (int axis = 0; axis < inputs.get(i).length; axis++) {
        if (inputs.get(i)[axis] == label && shapes.get(i).dim(axis) == length) {
          return i;
        }
      }
    }
  }

  private ShapeException misfit(int label, int length, int operand, int other, int otherOperand) {
    return new ShapeException(
        name(label)
            + " of \""
            + text
            + "\" has length "
            + length
            + " in operand "
            + operand
            + " and "
            + other
            + (operand == otherOperand ? " in the same" : " in operand " + otherOperand),
        "index",
        name(label),
        "lengths",
        List.of(length, other),
        "equation",
        text,
        "shapes",
        shapes.stream().map(Layout::shape).toList());
  }

  private static String name(int label) {
    return label >= UNNAMED ? "a dimension under ..." : "index " + (char) label;
  }

  private ArgumentException wrong(String what) {
    return new ArgumentException("the equation \"" + text + "\" " + what, "equation", text);
  }
}
