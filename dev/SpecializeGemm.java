import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Map;
import java.util.TreeMap;

/**
 * Writes the specialisations of {@code FloatGemm.java} for the other dtypes. Run from the project's
 * root with {@code java dev/SpecializeGemm.java}; with {@code --check} it writes nothing and exits
 * with 1 when one is stale.
 */
public final class SpecializeGemm {
  private static final Path BLAS = Path.of("java-src/ndgrad/blas");
  private static final Map<String, String> BOXES =
      new TreeMap<>(Map.of("double", "Double", "int", "Integer", "long", "Long"));

  private SpecializeGemm() {}

  /**
   * Writes or checks.
   *
   * @param args {@code --check} or nothing
   * @throws IOException when a file cannot be read or written
   */
  public static void main(String[] args) throws IOException {
    boolean check = args.length > 0 && args[0].equals("--check");
    String template = Files.readString(BLAS.resolve("FloatGemm.java"));
    int stale = 0;
    for (String type : BOXES.keySet()) {
      String name = Character.toUpperCase(type.charAt(0)) + type.substring(1) + "Gemm";
      Path file = BLAS.resolve(name + ".java");
      String text = specialize(template, type, name);
      if (check && !(Files.exists(file) && Files.readString(file).equals(text))) {
        System.err.println(file + " is stale: run java dev/SpecializeGemm.java");
        stale++;
      } else if (!check) {
        Files.writeString(file, text);
      }
    }
    System.exit(stale == 0 ? 0 : 1);
  }

  private static String specialize(String template, String type, String name) {
    return "// Generated from FloatGemm.java by dev/SpecializeGemm.java: edit that, then run it.\n"
        + template
            .replace("FloatGemm", name)
            .replace("Float.", BOXES.get(type) + ".")
            .replaceAll("\\bfloat\\b", type);
  }
}
