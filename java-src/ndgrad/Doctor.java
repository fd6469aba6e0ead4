package ndgrad;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import ndgrad.blas.Engines;
import ndgrad.kernel.loop.Program;

/**
 * Reports what ndgrad found on this machine, what is off, and how to switch it on.
 *
 * <pre>{@code
 * System.out.println(Doctor.report());
 * }</pre>
 */
public final class Doctor {
  private static final String VECTOR_FLAG = "--add-modules jdk.incubator.vector";
  private static final String NATIVE_FLAG = "--enable-native-access=ALL-UNNAMED";

  private Doctor() {}

  /**
   * One BLAS engine.
   *
   * @param name the name that selects it, as value of the system property {@code ndgrad.blas}
   * @param available whether it works here
   * @param chosen whether matrix products use it
   * @param version the version that it reports, empty when it is not available
   * @param path where it was loaded from, empty when there is no file
   * @param threads how many threads one call may use, 0 when it is not available
   * @param reason why it is not available, empty when it is
   */
  public record Engine(
      String name,
      boolean available,
      boolean chosen,
      String version,
      String path,
      int threads,
      String reason) {}

  /**
   * What was found.
   *
   * @param version ndgrad's version
   * @param jdk the version and vendor of the JVM
   * @param os the operating system and its architecture
   * @param processors how many processors the JVM may use
   * @param maxHeap the maximum size of the heap in bytes
   * @param vectorApi whether the module of the Vector API is present
   * @param kernels the form of the loops of elementwise ops and reductions
   * @param nativeAccess whether native libraries may be called without a warning
   * @param threads how many threads large ops share
   * @param memory the pool of recycled memory
   * @param engines the BLAS engines in the order in which they are preferred
   * @param advice possible improvements, with the flag or setting for each; empty when all is well
   */
  public record Report(
      String version,
      String jdk,
      String os,
      int processors,
      long maxHeap,
      boolean vectorApi,
      String kernels,
      boolean nativeAccess,
      int threads,
      Memory.Kept memory,
      List<Engine> engines,
      List<String> advice) {

    /**
     * The report as nested maps and lists, for languages that prefer data to classes.
     *
     * @return unmodifiable maps from names in kebab-case to strings, numbers, booleans, lists and
     *     maps
     */
    public Map<String, Object> asMap() {
      Map<String, Object> out = new LinkedHashMap<>();
      out.put("version", version);
      out.put("jdk", jdk);
      out.put("os", os);
      out.put("processors", processors);
      out.put("max-heap", maxHeap);
      out.put("vector-api", vectorApi);
      out.put("kernels", kernels);
      out.put("native-access", nativeAccess);
      out.put("threads", threads);
      out.put("memory", asMap(memory));
      out.put("engines", engines.stream().map(Report::asMap).toList());
      out.put("advice", advice);
      return Collections.unmodifiableMap(out);
    }

    private static Map<String, Object> asMap(Memory.Kept k) {
      Map<String, Object> out = new LinkedHashMap<>();
      out.put("held", k.held());
      out.put("limit", k.limit());
      out.put("arrays", k.arrays());
      out.put("hits", k.hits());
      out.put("misses", k.misses());
      return Collections.unmodifiableMap(out);
    }

    private static Map<String, Object> asMap(Engine e) {
      Map<String, Object> out = new LinkedHashMap<>();
      out.put("name", e.name);
      out.put("available", e.available);
      out.put("chosen", e.chosen);
      out.put("version", e.version);
      out.put("path", e.path);
      out.put("threads", e.threads);
      out.put("reason", e.reason);
      return Collections.unmodifiableMap(out);
    }

    /** The report as text, one fact per line. */
    @Override
    public String toString() {
      StringBuilder out = new StringBuilder();
      line(out, "ndgrad", version);
      line(out, "JDK", jdk);
      line(
          out,
          "system",
          os + ", " + processors + " processors, heap up to " + (maxHeap >> 20) + " MiB");
      line(out, "threads", threads + " for large ops");
      line(
          out,
          "memory kept",
          (memory.held() >> 20)
              + " of at most "
              + (memory.limit() >> 20)
              + " MiB, used again "
              + memory.hits()
              + " times, missed "
              + memory.misses());
      line(out, "Vector API", vectorApi ? "module present" : "off");
      line(out, "kernels", kernels);
      line(out, "native calls", nativeAccess ? "enabled" : "warned about by the JVM");
      for (Engine e : engines) {
        String about =
            e.available
                ? e.version
                    + (e.path.isEmpty() ? "" : ", " + e.path)
                    + ", "
                    + e.threads
                    + " threads"
                    + (e.chosen ? "  <- in use" : "")
                : "off: " + e.reason;
        line(out, "BLAS " + e.name, about);
      }
      advice.forEach(a -> line(out, "advice", a));
      return out.toString().stripTrailing();
    }

    private static void line(StringBuilder out, String name, String text) {
      out.append(String.format("%-14s", name))
          .append("  ")
          .append(text.replaceAll("\\s*\\R\\s*", " "))
          .append('\n');
    }
  }

  /**
   * Examines the machine. Tries to load every BLAS engine, which takes seconds if a library must be
   * unpacked first.
   *
   * @return what was found
   */
  public static Report report() {
    boolean vector = ModuleLayer.boot().findModule("jdk.incubator.vector").isPresent();
    boolean nativeAccess = Doctor.class.getModule().isNativeAccessEnabled();
    List<Engine> engines =
        Engines.report().stream()
            .map(
                e ->
                    new Engine(
                        e.name(),
                        e.available(),
                        e.current(),
                        e.version(),
                        e.path(),
                        e.threads(),
                        e.reason()))
            .toList();
    Runtime runtime = Runtime.getRuntime();
    return new Report(
        version(),
        Runtime.version() + " (" + property("java.vendor") + ", " + property("java.vm.name") + ")",
        property("os.name") + " " + property("os.version") + " " + property("os.arch"),
        runtime.availableProcessors(),
        runtime.maxMemory(),
        vector,
        Program.form(),
        nativeAccess,
        Threads.numThreads(),
        Memory.kept(),
        engines,
        advice(vector, nativeAccess, engines, Engines.isMklFastest()));
  }

  static List<String> advice(
      boolean vector, boolean nativeAccess, List<Engine> engines, boolean mklFastest) {
    List<String> out = new ArrayList<>();
    if (!vector) {
      out.add("start the JVM with " + VECTOR_FLAG + " to compute with vectors");
    }
    if (!nativeAccess) {
      out.add("start the JVM with " + NATIVE_FLAG + " to call native libraries without a warning");
    }
    String chosen =
        engines.stream().filter(Engine::chosen).map(Engine::name).findFirst().orElse("");
    if (chosen.isEmpty()) {
      out.add(
          "the BLAS engine named by ndgrad.blas or NDGRAD_BLAS is not there; name one of "
              + engines.stream().filter(Engine::available).map(Engine::name).toList());
    } else if (chosen.equals("java")) {
      faster(engines, List.of("mkl", "openblas"), "MKL or OpenBLAS")
          .map(how -> how + ": matrix products are several times faster with them")
          .ifPresent(out::add);
    } else if (chosen.equals("openblas") && mklFastest) {
      faster(engines, List.of("mkl"), "MKL")
          .map(
              how ->
                  how
                      + ": on this processor it multiplies large matrices up to twice as fast as"
                      + " OpenBLAS")
          .ifPresent(out::add);
    }
    return List.copyOf(out);
  }

  /** How to come to some engines; nothing where one is there, and the user has chosen another. */
  private static Optional<String> faster(List<Engine> engines, List<String> names, String called) {
    List<Engine> some = engines.stream().filter(e -> names.contains(e.name())).toList();
    if (some.stream().anyMatch(Engine::available)) {
      return Optional.empty();
    }
    boolean missing = some.stream().allMatch(e -> e.reason().contains(Engines.NOT_THERE));
    return Optional.of(
        missing
            ? "put " + called + " on the class path"
            : "see to it that " + called + " can be used, what keeps it is said above");
  }

  private static String property(String name) {
    return System.getProperty(name, "unknown");
  }

  /** What the resource that the build puts beside the classes says. */
  private static String version() {
    try (InputStream in = Doctor.class.getResourceAsStream("/ndgrad/VERSION")) {
      return in == null ? "unknown" : new String(in.readAllBytes(), StandardCharsets.UTF_8).strip();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }
}
