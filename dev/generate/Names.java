package generate;

import java.lang.reflect.Field;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import ndgrad.op.Registry;
import ndgrad.op.spec.Op;
import ndgrad.op.spec.Param;

/** How names and texts of the declarations are spelled in the derived files. */
final class Names {
  /**
   * Ops whose Java and Clojure forms take their arguments in another way and are written by hand.
   */
  static final Set<String> BY_HAND = Set.of("get");

  private Names() {}

  /** A name in Java; setitem is two words there, as those of toList are. */
  static String camel(String kebab) {
    if (kebab.equals("setitem")) {
      return "setItem";
    }
    StringBuilder out = new StringBuilder();
    for (String part : kebab.split("-")) {
      out.append(out.isEmpty() ? part : Character.toUpperCase(part.charAt(0)) + part.substring(1));
    }
    return out.toString();
  }

  /** The Java constant that holds an op. */
  static String constant(Op op) {
    Field f = Registry.constant(op);
    return f.getDeclaringClass().getSimpleName() + "." + f.getName();
  }

  static List<String> all(Op op) {
    List<String> names = new ArrayList<>(op.spec().aliases());
    names.addFirst(op.name());
    return names;
  }

  /** Lines of at most the given width. */
  static List<String> wrap(String text, int width) {
    List<String> lines = new ArrayList<>();
    StringBuilder line = new StringBuilder();
    for (String word : text.strip().split("\\s+")) {
      if (!line.isEmpty() && line.length() + 1 + word.length() > width) {
        lines.add(line.toString());
        line.setLength(0);
      }
      line.append(line.isEmpty() ? "" : " ").append(word);
    }
    lines.add(line.toString());
    return lines;
  }

  static String upperFirst(String s) {
    return s.isEmpty() ? s : Character.toUpperCase(s.charAt(0)) + s.substring(1);
  }

  /** A default as Clojure prints it. */
  static String literal(Param p) {
    Object v = p.fallback();
    return switch (v) {
      case null -> "nil";
      case int[] a when a.length == 1 -> String.valueOf(a[0]);
      case int[] a -> java.util.Arrays.toString(a).replace(",", "");
      case String s -> ":" + s;
      case ndgrad.DType d -> ":" + d;
      case ndgrad.autograd.Tensor t -> String.valueOf(ndgrad.op.spec.Nested.toHost(t));
      default -> v.toString();
    };
  }
}
