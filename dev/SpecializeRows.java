import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes the specialisations of {@code DoubleRows.java} for the other dtypes. Run from the
 * project's root with {@code java dev/SpecializeRows.java}; with {@code --check} it writes nothing
 * and exits with 1 when one is stale.
 */
public final class SpecializeRows {
  private static final Path KERNEL = Path.of("java-src/ndgrad/kernel");
  private static final Map<String, String> TYPES =
      new TreeMap<>(Map.of("float", "Float", "long", "Long", "int", "Int", "boolean", "Boolean"));

  private SpecializeRows() {}

  /**
   * Writes or checks.
   *
   * @param args {@code --check} or nothing
   * @throws IOException when a file cannot be read or written
   */
  public static void main(String[] args) throws IOException {
    boolean check = args.length > 0 && args[0].equals("--check");
    String template = Files.readString(KERNEL.resolve("DoubleRows.java"));
    int stale = 0;
    for (var type : TYPES.entrySet()) {
      Path file = KERNEL.resolve(type.getValue() + "Rows.java");
      String text = specialize(template, type.getKey(), type.getValue());
      if (check && !(Files.exists(file) && Files.readString(file).equals(text))) {
        System.err.println(file + " is stale: run java dev/SpecializeRows.java");
        stale++;
      } else if (!check) {
        Files.writeString(file, text);
      }
    }
    System.exit(stale == 0 ? 0 : 1);
  }

  private static String specialize(String template, String type, String name) {
    return "// Generated from DoubleRows.java by dev/SpecializeRows.java: edit that, then run it.\n"
        + template
            .replace(", and the text that those of the other dtypes are derived from", "")
            .replaceAll("\\bdouble\\b", type)
            .replace("DoubleRows", name + "Rows");
  }
}
