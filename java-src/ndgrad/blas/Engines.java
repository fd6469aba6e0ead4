package ndgrad.blas;

import java.nio.file.Path;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Objects;
import java.util.Optional;
import java.util.OptionalInt;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.IntConsumer;
import java.util.function.Supplier;
import java.util.stream.Stream;
import ndgrad.ArgumentException;

/**
 * Which {@link Blas} engine does the work. In order: the engine of the running {@link #with}, the
 * one set by {@link #use}, the one named by the property {@code ndgrad.blas} or else the
 * environment variable {@code NDGRAD_BLAS}; and without a word from the user MKL where it is on the
 * class path or in the process, else OpenBLAS, else Java. Nothing is loaded before it is needed.
 *
 * <p>The names are {@code mkl}, {@code openblas} and {@code java}, and those that {@link #register}
 * added. Copies of native libraries are kept in the folder that the property {@code ndgrad.cache}
 * names, by default {@code ndgrad} in the user's cache folder; where JavaCPP is on the class path,
 * in its cache, so that both load one copy.
 */
public final class Engines {
  private static final List<String> PREFERRED = List.of("mkl", "openblas", "java");
  private static final ScopedValue<Blas> SCOPED = ScopedValue.newInstance();

  private static final Map<String, Entry> ENTRIES = new LinkedHashMap<>();

  /** What the reason of an engine says when nobody has tried to have it. */
  public static final String NOT_THERE = " is not on the class path";

  private static final AtomicReference<Blas> CHOSEN = new AtomicReference<>();
  private static volatile Workers workers = Workers.commonPool();
  private static volatile TileKernels tileKernels = TileKernels.NONE;
  private static volatile OptionalInt threads = OptionalInt.empty();

  /** Always the workers of the moment, so that engines need not be told when they change. */
  private static final Workers CURRENT_WORKERS =
      new Workers() {
        @Override
        public int width() {
          return workers.width();
        }

        @Override
        public void run(int tasks, IntConsumer task) {
          workers.run(tasks, task);
        }
      };

  static {
    ENTRIES.put("mkl", new Entry("mkl", () -> load(Library.Kind.MKL)));
    ENTRIES.put("openblas", new Entry("openblas", () -> load(Library.Kind.OPENBLAS)));
    ENTRIES.put("java", new Entry("java", () -> new JavaBlas(CURRENT_WORKERS)));
  }

  private Engines() {}

  /**
   * What is known of one engine.
   *
   * @param name the name to choose it by
   * @param available whether it works here
   * @param current whether it does the work now
   * @param reason why it isn't available, {@code ""} when it is
   * @param version what it says about itself, {@code ""} when it isn't available
   * @param path where it was loaded from, {@code ""} when there is no file
   * @param threads how many threads a call may use, 0 when it isn't available
   */
  public record Report(
      String name,
      boolean available,
      boolean current,
      String reason,
      String version,
      String path,
      int threads) {}

  /** An engine that is made when first asked for; failing is remembered too. */
  private static final class Entry {
    private final String name;
    private final Supplier<? extends Blas> maker;
    private volatile Blas engine;
    private volatile String reason;

    Entry(String name, Supplier<? extends Blas> maker) {
      this.name = name;
      this.maker = maker;
    }

    Optional<Blas> engine() {
      if (engine == null && reason == null) {
        make();
      }
      return Optional.ofNullable(engine);
    }

    /** Waits for an engine that is being made, so that none misses the new number. */
    synchronized void setThreads(int n) {
      if (engine != null) {
        engine.setThreads(n);
      }
    }

    private synchronized void make() {
      if (engine != null || reason != null) {
        return;
      }
      try {
        Blas made = Objects.requireNonNull(maker.get(), "engine");
        threads.ifPresent(made::setThreads);
        engine = made;
      } catch (RuntimeException | LinkageError e) {
        Throwable cause =
            e instanceof ExceptionInInitializerError && e.getCause() != null ? e.getCause() : e;
        reason = cause instanceof UnavailableException ? cause.getMessage() : cause.toString();
      }
    }
  }

  /**
   * The engine that does the work of this thread now.
   *
   * @return the engine, loaded if it wasn't
   * @throws ArgumentException when the user named an engine that isn't available
   */
  public static Blas current() {
    if (SCOPED.isBound()) {
      return SCOPED.get();
    }
    Blas engine = CHOSEN.get();
    return engine != null ? engine : choose();
  }

  /**
   * The pure Java engine, which is always there and does integers too.
   *
   * @return the engine called {@code java}
   */
  public static JavaBlas java() {
    return (JavaBlas) get("java");
  }

  /**
   * The engine of this name, loaded if it wasn't.
   *
   * @param name {@code mkl}, {@code openblas}, {@code java} or a registered name
   * @return the engine
   * @throws ArgumentException when there is no such engine, or it isn't available here; the message
   *     says why
   */
  public static Blas get(String name) {
    Entry entry = entry(name);
    return entry
        .engine()
        .orElseThrow(
            () ->
                new ArgumentException(
                    "the BLAS engine " + entry.name + " is not available: " + entry.reason,
                    "engine",
                    entry.name,
                    "reason",
                    entry.reason));
  }

  /**
   * Lets the engine of this name do the work from now on, in the whole process.
   *
   * @param name see {@link #get}
   * @return the engine
   * @throws ArgumentException as {@link #get} does; then nothing has changed
   */
  public static Blas use(String name) {
    Blas engine = get(name);
    CHOSEN.set(engine);
    return engine;
  }

  /**
   * Runs {@code body} with the engine of this name on this thread; other threads are not concerned.
   *
   * @param name see {@link #get}
   * @param body what to run
   * @param <T> the type of its result
   * @return the result of the body
   * @throws ArgumentException as {@link #get} does; then the body isn't run
   */
  public static <T> T with(String name, Supplier<? extends T> body) {
    return ScopedValue.where(SCOPED, get(name)).call(body::get);
  }

  /**
   * Adds an engine that another library brings, or replaces the one of the same name. Where that
   * does the work it goes on until {@link #use} is called.
   *
   * @param name the name to choose it by, in lower case
   * @param maker makes the engine when it is first asked for; what it throws becomes the reason why
   *     there is none
   */
  public static void register(String name, Supplier<? extends Blas> maker) {
    Objects.requireNonNull(maker, "maker");
    if (PREFERRED.contains(name) || !name.equals(name.toLowerCase(Locale.ROOT))) {
      throw new ArgumentException(
          "an engine of one's own needs a name in lower case other than "
              + PREFERRED
              + ", was "
              + name,
          "engine",
          name);
    }
    synchronized (ENTRIES) {
      ENTRIES.put(name, new Entry(name, maker));
    }
  }

  /**
   * Lends threads to the engines. The native libraries are called on these as well, and never start
   * any of their own.
   *
   * @param lent the threads, for the whole process
   */
  public static void setWorkers(Workers lent) {
    workers = Objects.requireNonNull(lent, "workers");
  }

  /**
   * Lends innermost loops to the products in Java.
   *
   * @param lent the loops, for the whole process
   */
  public static void setTileKernels(TileKernels lent) {
    tileKernels = Objects.requireNonNull(lent, "tileKernels");
  }

  /**
   * Sets the number of threads that one call may use, for every engine, also those loaded later.
   * Without this they are as many as the workers. Engines of this package never use more threads
   * than those lent to them; what an engine of another library does is its own affair.
   *
   * @param n at least 1
   * @throws ArgumentException when n is less than 1
   */
  public static void setThreads(int n) {
    Checks.threads(n);
    List<Entry> entries;
    synchronized (ENTRIES) {
      threads = OptionalInt.of(n);
      entries = List.copyOf(ENTRIES.values());
    }
    for (Entry e : entries) {
      e.setThreads(n);
    }
  }

  /**
   * Prepares the loading of native engines, and the calls of them, as far as that goes without
   * loading one, so that the first product need not wait for it.
   *
   * <p>Example: {@code Engines.prepare();}
   *
   * @throws UnavailableException when a library's files are there and can't be read
   */
  public static void prepare() {
    Library.link();
    for (Library.Kind kind : Library.Kind.values()) {
      files(kind);
      Platform.loaded(kind.file());
    }
  }

  /** The innermost loops lent at the moment. */
  static TileKernels tileKernels() {
    return tileKernels;
  }

  /** The threads lent at the moment. */
  static Workers workers() {
    return workers;
  }

  /**
   * What is known of every engine. Tries to load them all, which takes seconds when a library must
   * be unpacked first.
   *
   * @return one report per engine, in order of preference
   */
  public static List<Report> report() {
    List<Entry> entries;
    synchronized (ENTRIES) {
      entries = List.copyOf(ENTRIES.values());
    }
    Optional<Blas> now = currentOrNone();
    return entries.stream()
        .map(
            e ->
                e.engine()
                    .map(
                        b ->
                            new Report(
                                e.name,
                                true,
                                now.isPresent() && now.get() == b,
                                "",
                                b.version(),
                                b.path(),
                                b.threads()))
                    .orElseGet(() -> new Report(e.name, false, false, e.reason, "", "", 0)))
        .toList();
  }

  /**
   * Whether MKL has been seen to be faster than the other engines on processors of this kind.
   *
   * @return true on Intel's, where the operating system says so
   */
  public static boolean isMklFastest() {
    return Platform.isIntel();
  }

  /** A wrong name in the settings must not keep the report from being made. */
  private static Optional<Blas> currentOrNone() {
    try {
      return Optional.of(current());
    } catch (ArgumentException e) {
      return Optional.empty();
    }
  }

  private static Entry entry(String name) {
    synchronized (ENTRIES) {
      Entry entry = ENTRIES.get(name.toLowerCase(Locale.ROOT));
      if (entry == null) {
        throw new ArgumentException(
            "there is no BLAS engine " + name + ", choose one of " + ENTRIES.keySet(),
            "engine",
            name);
      }
      return entry;
    }
  }

  private static Blas choose() {
    Optional<String> setting = setting();
    Blas engine =
        setting.isPresent()
            ? get(setting.get())
            : PREFERRED.stream()
                .flatMap(name -> entry(name).engine().stream())
                .findFirst()
                .orElseThrow();
    // Meanwhile the user may have chosen.
    CHOSEN.compareAndSet(null, engine);
    return CHOSEN.get();
  }

  private static Optional<String> setting() {
    return Stream.of(System.getProperty("ndgrad.blas", ""), System.getenv("NDGRAD_BLAS"))
        .filter(Objects::nonNull)
        .map(String::strip)
        .filter(s -> !s.isEmpty())
        .findFirst();
  }

  private static Blas load(Library.Kind kind) {
    return new NativeBlas(Library.open(kind, files(kind), cache()), CURRENT_WORKERS);
  }

  /** The files of a library, those of the thread's loader before those of ours. */
  private static Optional<NativeFiles> files(Library.Kind kind) {
    return Optional.ofNullable(Thread.currentThread().getContextClassLoader())
        .flatMap(context -> NativeFiles.find(kind, context))
        .or(() -> NativeFiles.find(kind, Engines.class.getClassLoader()));
  }

  /** The folder for copies of native libraries. */
  static Path cache() {
    String set = System.getProperty("ndgrad.cache", "");
    if (!set.isEmpty()) {
      return Path.of(set);
    }
    String xdg = Objects.requireNonNullElse(System.getenv("XDG_CACHE_HOME"), "");
    return xdg.isEmpty()
        ? Path.of(System.getProperty("user.home"), ".cache", "ndgrad")
        : Path.of(xdg, "ndgrad");
  }
}
