package ndgrad.blas;

import java.io.InputStream;
import java.lang.foreign.Arena;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.Linker;
import java.lang.foreign.MemorySegment;
import java.lang.foreign.SymbolLookup;
import java.lang.foreign.ValueLayout;
import java.lang.invoke.MethodHandle;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.MethodType;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Locale;
import java.util.Optional;
import java.util.Set;
import java.util.function.Predicate;

/**
 * A BLAS library loaded into this process, for good.
 *
 * @param kind which library it is
 * @param path its file, or its bare name when the system's loader found it
 * @param shared whether it was in the process before we came
 * @param symbols its functions
 */
record Library(Kind kind, String path, boolean shared, SymbolLookup symbols) {
  /** OpenBLAS's names of the processors that it has kernels for small products for. */
  private static final Set<String> SMALL_KERNELS =
      Set.of("skylakex", "cooperlake", "sapphirerapids");

  /** A function that tells a text, and one that takes a number. */
  static final FunctionDescriptor TEXT = FunctionDescriptor.of(ValueLayout.ADDRESS);

  private static final FunctionDescriptor SETTING = FunctionDescriptor.ofVoid(ValueLayout.JAVA_INT);

  /** The libraries we know, and in what they differ. */
  enum Kind {
    MKL(
        List.of("libmkl_rt.so.2", "libmkl_rt.2.dylib", "mkl_rt.2.dll"),
        List.of("libiomp5.so", "libiomp5.dylib", "libiomp5md.dll"),
        // Its own threads need libiomp5; the vector math and GNU variants are never asked for.
        file -> !file.contains("_vml_") && !file.contains("_gnu_")),
    OPENBLAS(
        List.of("libopenblas.so.0", "libopenblas.0.dylib", "libopenblas.dll"),
        // In the order they need each other.
        List.of(
            "libgcc_s.so.1",
            "libquadmath.so.0",
            "libgfortran.so.5",
            "libgcc_s.1.1.dylib",
            "libquadmath.0.dylib",
            "libgfortran.5.dylib"),
        file -> true);

    private final List<String> files;
    private final List<String> before;
    private final Predicate<String> wanted;

    Kind(List<String> files, List<String> before, Predicate<String> wanted) {
      this.files = files;
      this.before = before;
      this.wanted = wanted;
    }

    String id() {
      return name().toLowerCase(Locale.ROOT);
    }

    /** The library's file on this operating system. */
    String file() {
      return files.get(Platform.osIndex());
    }

    /** Files to load first, where they are there: the loader doesn't look for them beside ours. */
    List<String> before() {
      return before;
    }

    /** The folder of bytedeco's jar that holds the library. */
    String folder() {
      return "org/bytedeco/" + id() + "/" + Platform.name();
    }

    /** The jar to put on the class path, for people to read. */
    String jar() {
      return "org.bytedeco:" + id() + (this == MKL ? " (for Linux and Windows on x86-64)" : "");
    }

    boolean wants(String file) {
      boolean library =
          file.endsWith(".dll") || file.endsWith(".dylib") || file.matches(".*\\.so(\\.\\d+)*");
      return library && !file.startsWith("libjni") && !file.startsWith("jni") && wanted.test(file);
    }
  }

  /**
   * Loads a library: the one already in this process, else the one on the class path, else the
   * system's.
   *
   * @param files those on the class path
   * @param cache where they are copied to
   * @throws UnavailableException when there is none, or it can't be loaded
   */
  static Library open(Kind kind, Optional<NativeFiles> files, Path cache) {
    if (!Library.class.getModule().isNativeAccessEnabled() && nativeAccessDenied()) {
      throw new UnavailableException(
          "native code is switched off: start Java with --enable-native-access=ALL-UNNAMED");
    }
    Optional<Path> loaded = Platform.loaded(kind.file());
    if (loaded.isPresent()) {
      return at(kind, loaded.get(), true);
    }
    if (files.isPresent()) {
      return files.get().load(cache, dir -> loadFrom(kind, dir));
    }
    try {
      return new Library(
          kind, kind.file(), false, SymbolLookup.libraryLookup(kind.file(), Arena.global()));
    } catch (IllegalArgumentException e) {
      throw new UnavailableException(
          kind.jar() + Engines.NOT_THERE + " and " + kind.file() + " not on this system");
    }
  }

  private static boolean nativeAccessDenied() {
    try {
      SymbolLookup.libraryLookup("", Arena.global());
      return false;
    } catch (IllegalCallerException e) {
      return true;
    } catch (IllegalArgumentException e) {
      return false;
    }
  }

  private static Library loadFrom(Kind kind, Path dir) {
    for (String file : kind.before()) {
      if (Files.exists(dir.resolve(file))) {
        SymbolLookup.libraryLookup(dir.resolve(file), Arena.global());
      }
    }
    return at(kind, dir.resolve(kind.file()), false);
  }

  private static Library at(Kind kind, Path file, boolean shared) {
    return new Library(
        kind, file.toString(), shared, SymbolLookup.libraryLookup(file, Arena.global()));
  }

  /** Whether small products have kernels of their own: OpenBLAS has them where AVX-512 is. */
  boolean hasSmallKernels() {
    if (kind != Kind.OPENBLAS) {
      return false;
    }
    try {
      MemorySegment core = (MemorySegment) function("openblas_get_corename", TEXT).invokeExact();
      String name = core.reinterpret(Long.MAX_VALUE).getString(0); // ends with a NUL
      return SMALL_KERNELS.contains(name.toLowerCase(Locale.ROOT));
    } catch (Throwable e) {
      throw new UnavailableException(path + " doesn't answer: " + e, e);
    }
  }

  /**
   * Keeps an OpenBLAS that we loaded from threads of its own; one that others brought is left as
   * they set it. MKL is told with each call.
   */
  void useOneThread() {
    if (kind != Kind.OPENBLAS || shared) {
      return;
    }
    try {
      function("openblas_set_num_threads", SETTING).invokeExact(1);
    } catch (Throwable e) {
      throw new UnavailableException(path + " doesn't answer: " + e, e);
    }
  }

  /** A handle on a function, looked up now. */
  MethodHandle function(String name, FunctionDescriptor type, Linker.Option... options) {
    return Linker.nativeLinker()
        .downcallHandle(
            symbols
                .find(name)
                .orElseThrow(() -> new UnavailableException(path + " has no function " + name)),
            type,
            options);
  }

  /**
   * Has the JVM write the code that calls of {@link Cblas} go through, which takes longer than
   * loading a library. Does nothing where native code is not allowed: the JVM would complain.
   */
  static void link() {
    if (Library.class.getModule().isNativeAccessEnabled()) {
      for (ValueLayout scalar : List.of(ValueLayout.JAVA_FLOAT, ValueLayout.JAVA_DOUBLE)) {
        Linker.nativeLinker().downcallHandle(Cblas.gemmType(scalar), Cblas.ON_HEAP);
        Linker.nativeLinker().downcallHandle(Cblas.gemvType(scalar), Cblas.ON_HEAP);
      }
      Linker.nativeLinker().downcallHandle(TEXT);
      Linker.nativeLinker().downcallHandle(SETTING);
    }
  }

  /** The calls into this library, in a class of their own, see {@link CblasCalls}. */
  Cblas bind() {
    try (InputStream in = Library.class.getResourceAsStream("CblasCalls.class")) {
      MethodHandles.Lookup hidden =
          MethodHandles.lookup().defineHiddenClassWithClassData(in.readAllBytes(), this, true);
      return (Cblas)
          hidden.findConstructor(hidden.lookupClass(), MethodType.methodType(void.class)).invoke();
    } catch (RuntimeException | Error e) {
      throw e;
    } catch (Throwable e) {
      throw new IllegalStateException("can't bind " + path, e);
    }
  }
}
