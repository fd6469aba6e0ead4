package ndgrad.blas;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;

/** Runs a second JVM and gives back its exit status and what it printed. */
record SubProcess(int status, String output) {

  static Process start(List<String> arguments) throws IOException {
    List<String> command = new ArrayList<>();
    command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
    command.addAll(arguments);
    ProcessBuilder builder = new ProcessBuilder(command).redirectErrorStream(true);
    // What the user's machine sets for every JVM would choose an engine, or be printed among the
    // output.
    builder.environment().keySet().removeAll(List.of("NDGRAD_BLAS", "JAVA_TOOL_OPTIONS"));
    return builder.start();
  }

  static SubProcess finish(Process process) throws IOException {
    String output =
        new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8).strip();
    try {
      return new SubProcess(process.waitFor(), output);
    } catch (InterruptedException e) {
      throw new IllegalStateException(e);
    }
  }

  static SubProcess run(String... arguments) throws IOException {
    return finish(start(List.of(arguments)));
  }
}
