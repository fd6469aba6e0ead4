package ndgrad.blas;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;
import java.util.function.Function;
import java.util.stream.Stream;

/** The machine we run on, in the spelling of bytedeco's jars. */
final class Platform {
  private static final Path MAPS = Path.of("/proc/self/maps");
  private static final Path PROCESSORS = Path.of("/proc/cpuinfo");

  private Platform() {}

  /** Such as {@code linux-x86_64}. */
  static String name() {
    String arch = System.getProperty("os.arch").toLowerCase(Locale.ROOT);
    return new String[] {"linux", "macosx", "windows"}[osIndex()]
        + "-"
        + switch (arch) {
          case "amd64", "x86_64" -> "x86_64";
          case "aarch64", "arm64" -> "arm64";
          default -> arch;
        };
  }

  /** 0 Linux and its like, 1 macOS, 2 Windows. */
  static int osIndex() {
    String os = System.getProperty("os.name").toLowerCase(Locale.ROOT);
    return os.startsWith("mac") ? 1 : os.startsWith("windows") ? 2 : 0;
  }

  /** Whether the processor is one of Intel's; known on Linux and Windows only. */
  static boolean isIntel() {
    String vendor = "GenuineIntel";
    if (Objects.requireNonNullElse(System.getenv("PROCESSOR_IDENTIFIER"), "").contains(vendor)) {
      return true;
    }
    return inFile(PROCESSORS, lines -> lines.limit(8).filter(line -> line.contains(vendor)))
        .isPresent();
  }

  /** Where a library of this name is mapped into our process from; known on Linux only. */
  static Optional<Path> loaded(String file) {
    String stem = file.replaceFirst("\\.so.*", ".so");
    return inFile(
        MAPS,
        lines ->
            lines
                .filter(line -> line.indexOf('/') >= 0)
                .map(line -> line.substring(line.indexOf('/')))
                .filter(path -> path.substring(path.lastIndexOf('/') + 1).startsWith(stem))
                // File names need not be UTF-8; we only want ours.
                .map(
                    p ->
                        new String(p.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8))
                .map(Path::of)
                .filter(Files::exists));
  }

  /** The first of what is found in a file's lines; nothing where there is no such file. */
  private static <T> Optional<T> inFile(Path file, Function<Stream<String>, Stream<T>> find) {
    try (var lines = Files.lines(file, StandardCharsets.ISO_8859_1)) {
      return find.apply(lines).findFirst();
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty();
    }
  }
}
