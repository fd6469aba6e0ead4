package generate;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Writes what is derived from the declarations of the ops: the fluent Java methods, the Clojure
 * functions and the reference page. Run from the project's root with {@code bin/generate}; with
 * {@code --check} it writes nothing and exits with 1 when a file is stale.
 */
public final class Generate {
  private Generate() {}

  /**
   * Writes or checks.
   *
   * @param args {@code --check} or nothing
   * @throws IOException when a file cannot be read or written
   */
  public static void main(String[] args) throws IOException {
    boolean check = args.length > 0 && args[0].equals("--check");
    Map<String, String> files = new LinkedHashMap<>();
    files.put("java-src/ndgrad/ArrayOps.java", new FluentJava().arrayOps());
    files.put("java-src/ndgrad/Options.java", new OptionsJava().options());
    files.put("src/ndgrad/core_ops.clj", new ClojureFns().coreOps());
    files.put("doc/reference.md", new Reference().page());
    int stale = 0;
    for (var f : files.entrySet()) {
      Path path = Path.of(f.getKey());
      boolean same = Files.exists(path) && Files.readString(path).equals(f.getValue());
      if (check && !same) {
        System.err.println(path + " is stale: run bin/generate");
        stale++;
      } else if (!check && !same) {
        Files.createDirectories(path.getParent());
        Files.writeString(path, f.getValue());
        System.out.println("wrote " + path);
      }
    }
    System.exit(stale == 0 ? 0 : 1);
  }
}
