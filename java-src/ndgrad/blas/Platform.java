package ndgrad.blas;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Locale;
import java.util.Objects;
import java.util.Optional;

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
    if (!Files.isReadable(PROCESSORS)) {
      return false;
    }
    try (var lines = Files.lines(PROCESSORS, StandardCharsets.ISO_8859_1)) {
      return lines.limit(8).anyMatch(line -> line.contains(vendor));
    } catch (IOException | UncheckedIOException e) {
      return false;
    }
  }

  /** Where a library of this name is mapped into our process from; known on Linux only. */
  static Optional<Path> loaded(String file) {
    if (!Files.isReadable(MAPS)) {
      return Optional.empty();
    }
    String stem = file.replaceFirst("\\.so.*", ".so");
    // File names need not be UTF-8; we only want ours.
    try (var lines = Files.lines(MAPS, StandardCharsets.ISO_8859_1)) {
      return lines
          .filter(line -> line.indexOf('/') >= 0)
          .map(line -> line.substring(line.indexOf('/')))
          .filter(path -> path.substring(path.lastIndexOf('/') + 1).startsWith(stem))
          .map(p -> new String(p.getBytes(StandardCharsets.ISO_8859_1), StandardCharsets.UTF_8))
          .map(Path::of)
          .filter(Files::exists)
          .findFirst();
    } catch (IOException | UncheckedIOException e) {
      return Optional.empty();
    }
  }
}
