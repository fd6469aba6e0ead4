import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes the specialisations of files that are written for one primitive type. Run from the
 * project's root with {@code java dev/Specialize.java}; with {@code --check} it writes nothing and
 * exits with 1 when one is stale.
 */
public final class Specialize {
  private static final Map<String, String> BOXES =
      new TreeMap<>(
          Map.of(
              "boolean", "Boolean", "double", "Double", "float", "Float", "int", "Integer", "long",
              "Long"));

  /**
   * A file and what is made of it.
   *
   * @param folder where it is
   * @param name the end of its name and of theirs
   * @param type the primitive type it is written for
   * @param types those it is specialised to
   */
  private record Template(Path folder, String name, String type, String... types) {
    private static String capital(String primitive) {
      return Character.toUpperCase(primitive.charAt(0)) + primitive.substring(1);
    }

    String className(String primitive) {
      return capital(primitive) + name;
    }

    Path file(String primitive) {
      return folder.resolve(className(primitive) + ".java");
    }

    String specialize(String text, String to) {
      return "// Generated from "
          + className(type)
          + ".java by dev/Specialize.java: edit that, then run it.\n"
          + text.replace(", and the text that those of the other dtypes are derived from", "")
              .replaceAll("\\b" + capital(type) + "(?=[A-Z])", capital(to))
              .replace(BOXES.get(type) + ".", BOXES.get(to) + ".")
              .replaceAll("\\b" + type + "\\b", to);
    }
  }

  private static final List<Template> TEMPLATES =
      List.of(
          new Template(
              Path.of("java-src/ndgrad/kernel/rows"),
              "Rows",
              "double",
              "boolean",
              "float",
              "int",
              "long"),
          new Template(Path.of("java-src/ndgrad/kernel/convolution"), "Taps", "double", "float"),
          new Template(Path.of("java-src/ndgrad/kernel/convolution"), "Ties", "double", "float"),
          new Template(Path.of("java-src/ndgrad/kernel/factor"), "Factors", "double", "float"),
          new Template(Path.of("java-src/ndgrad/kernel/sort"), "Sort", "long", "int"),
          new Template(Path.of("java-src/ndgrad/kernel/sort"), "Radix", "long", "int"),
          new Template(Path.of("java-src/ndgrad/kernel/sort"), "Quick", "long", "int"),
          new Template(Path.of("java-src/ndgrad/kernel/sort"), "Merge", "long", "int"),
          new Template(Path.of("java-src/ndgrad/blas"), "Gemm", "float", "double", "int", "long"),
          new Template(Path.of("java-src/ndgrad/blas"), "Packed", "float", "double", "int", "long"),
          new Template(Path.of("java-src/ndgrad/blas"), "Products", "float", "double"),
          new Template(Path.of("java-src/ndgrad/blas"), "Tiles", "float", "double"),
          new Template(Path.of("java-src/ndgrad/blas"), "MatrixVector", "float", "double"));

  private Specialize() {}

  /**
   * Writes or checks.
   *
   * @param args {@code --check} or nothing
   * @throws IOException when a file cannot be read or written
   */
  public static void main(String[] args) throws IOException {
    boolean check = args.length > 0 && args[0].equals("--check");
    int stale = 0;
    for (Template template : TEMPLATES) {
      String source = Files.readString(template.file(template.type()));
      for (String type : template.types()) {
        Path file = template.file(type);
        String text = template.specialize(source, type);
        if (check && !(Files.exists(file) && Files.readString(file).equals(text))) {
          System.err.println(file + " is stale: run java dev/Specialize.java");
          stale++;
        } else if (!check) {
          Files.writeString(file, text);
        }
      }
    }
    System.exit(stale == 0 ? 0 : 1);
  }
}
