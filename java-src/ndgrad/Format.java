package ndgrad;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import ndgrad.kernel.memory.Layout;

/**
 * How arrays are printed: the text of NumPy 2's {@code repr}. Only the elements that are shown are
 * read, and there are never more of them than {@link #MOST_CELLS}, so time and length are bounded
 * whatever the size.
 */
final class Format {
  /**
   * NumPy shows the edges of every axis, which for many axes is without bound; beyond this fewer
   * are shown.
   */
  private static final int MOST_CELLS = 10_000;

  private static final String PREFIX = "array(";

  private final PrintOptions options;
  private final Layout layout;
  private final int[] leading;
  private final int[] trailing;
  private List<String> cells;
  private int next;

  private Format(Array a, PrintOptions options) {
    this.options = options;
    this.layout = a.tensor().layout();
    this.leading = new int[a.ndim()];
    this.trailing = new int[a.ndim()];
    chooseEdges();
  }

  static String array(Array a, PrintOptions options) {
    String body = a.size() == 0 ? "[]" : new Format(a, options).body(a);
    List<String> extras = extras(a, options);
    if (extras.isEmpty()) {
      return PREFIX + body + ")";
    }
    String text = PREFIX + body + ",";
    String extra = String.join(", ", extras) + ")";
    int lastLine = text.length() - (text.lastIndexOf('\n') + 1);
    boolean wraps = lastLine + extra.length() + 1 > options.lineWidth();
    return text + (wraps ? "\n" + " ".repeat(PREFIX.length()) : " ") + extra;
  }

  private static List<String> extras(Array a, PrintOptions options) {
    List<String> out = new ArrayList<>();
    if (a.size() == 0 && a.ndim() != 1 || a.size() > options.threshold()) {
      String shape = Arrays.toString(a.shape());
      out.add("shape=(" + shape.substring(1, shape.length() - 1) + (a.ndim() == 1 ? ",)" : ")"));
    }
    DType d = a.dtype();
    if (a.size() == 0 || d == DType.FLOAT32 || d == DType.INT32) {
      out.add("dtype=" + d);
    }
    a.gradFn()
        .ifPresentOrElse(
            op -> out.add("grad-fn=" + op),
            () -> {
              if (a.requiresGrad()) {
                out.add("requires-grad=true");
              }
            });
    return out;
  }

  private void chooseEdges() {
    boolean summarise = layout.size() > options.threshold();
    // What wider edges cut, or leave whole, is too much to be shown or shown as it is.
    for (int e = Math.min(options.edgeItems(), MOST_CELLS); e >= 1; e--) {
      for (int i = 0; i < leading.length; i++) {
        boolean cut = summarise && layout.dim(i) > 2 * e;
        leading[i] = cut ? e : layout.dim(i);
        trailing[i] = cut ? e : 0;
      }
      if (!summarise || cellCount() <= MOST_CELLS) {
        return;
      }
    }
    for (int i = 0; i < leading.length && cellCount() > MOST_CELLS; i++) {
      leading[i] = 1;
      trailing[i] = 0;
    }
  }

  private double cellCount() {
    double n = 1;
    for (int i = 0; i < leading.length; i++) {
      n *= leading[i] + trailing[i];
    }
    return n;
  }

  private String body(Array a) {
    int[] at = new int[(int) cellCount()];
    positions(0, layout.offset(), at, 0);
    cells = cells(a.tensor().strided().array(), at, layout.ndim() == 0);
    return text(0, " ".repeat(PREFIX.length() + 1), options.lineWidth() - 1);
  }

  private int positions(int axis, int base, int[] out, int count) {
    if (axis == layout.ndim()) {
      out[count] = base;
      return count + 1;
    }
    int n = count;
    int length = layout.dim(axis);
    for (int i = 0; i < leading[axis]; i++) {
      n = positions(axis + 1, base + i * layout.stride(axis), out, n);
    }
    for (int i = length - trailing[axis]; i < length; i++) {
      n = positions(axis + 1, base + i * layout.stride(axis), out, n);
    }
    return n;
  }

  private List<String> cells(Object array, int[] at, boolean scalar) {
    return switch (array) {
      case boolean[] b ->
          Arrays.stream(at).mapToObj(i -> b[i] ? scalar ? "True" : " True" : "False").toList();
      case long[] l -> aligned(Arrays.stream(at).mapToObj(i -> Long.toString(l[i])).toList());
      case int[] n -> aligned(Arrays.stream(at).mapToObj(i -> Integer.toString(n[i])).toList());
      case double[] d ->
          new FormatFloats(options, Arrays.stream(at).mapToDouble(i -> d[i]).toArray(), false)
              .cells();
      default -> {
        float[] f = (float[]) array;
        yield new FormatFloats(options, Arrays.stream(at).mapToDouble(i -> f[i]).toArray(), true)
            .cells();
      }
    };
  }

  private static List<String> aligned(List<String> words) {
    int width = words.stream().mapToInt(String::length).max().orElse(0);
    return words.stream().map(w -> " ".repeat(width - w.length()) + w).toList();
  }

  /** One axis and what is inside it; cells are taken in order. */
  private String text(int axis, String indent, int width) {
    if (axis == layout.ndim()) {
      return cells.get(next++);
    }
    StringBuilder out = new StringBuilder("[");
    int shown = leading[axis] + trailing[axis];
    boolean cut = shown < layout.dim(axis);
    if (axis == layout.ndim() - 1) {
      row(out, indent, width - 1, leading[axis], shown, cut);
    } else {
      String separator = "," + "\n".repeat(layout.ndim() - axis - 1) + indent;
      for (int i = 0; i < shown; i++) {
        out.append(i == 0 ? "" : separator);
        out.append(cut && i == leading[axis] ? "..." + separator : "");
        out.append(text(axis + 1, indent + " ", width - 1));
      }
      out.append(cut && shown == leading[axis] ? separator + "..." : "");
    }
    return out.append(']').toString();
  }

  /** The elements along the last axis, on as many lines as they need. */
  private void row(StringBuilder out, String indent, int width, int lead, int shown, boolean cut) {
    List<String> words = new ArrayList<>();
    for (int i = 0; i < shown; i++) {
      if (cut && i == lead) {
        words.add("...");
      }
      words.add(cells.get(next++));
    }
    if (cut && shown == lead) {
      words.add("...");
    }
    StringBuilder line = new StringBuilder(indent);
    for (int i = 0; i < words.size(); i++) {
      if (line.length() + words.get(i).length() > width && line.length() > indent.length()) {
        out.append(
            line.toString().substring(out.length() == 1 ? indent.length() : 0).stripTrailing());
        out.append('\n');
        line = new StringBuilder(indent);
      }
      line.append(words.get(i)).append(i < words.size() - 1 ? ", " : "");
    }
    out.append(line.substring(out.length() == 1 ? indent.length() : 0));
  }
}
