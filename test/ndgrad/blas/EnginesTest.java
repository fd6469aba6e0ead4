package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotSame;
import static org.junit.jupiter.api.Assertions.assertSame;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.lang.foreign.FunctionDescriptor;
import java.lang.foreign.ValueLayout;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;
import ndgrad.ArgumentException;
import ndgrad.Array;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** How an engine is chosen, and what is said when it can't be. */
class EnginesTest {

  /** Prints the name of the current engine, or the error. */
  static final class Current {
    public static void main(String[] args) {
      try {
        System.out.println("engine " + Engines.current().name());
      } catch (ArgumentException e) {
        System.out.println("error " + e.getMessage());
      }
    }
  }

  /** The user chooses an engine while the one that a setting names is being made. */
  static final class Overtaken {
    public static void main(String[] args) {
      Engines.register(
          "slow",
          () -> {
            CompletableFuture.runAsync(() -> Engines.use("java")).join();
            return new JavaBlas(Workers.serial());
          });
      System.out.println("is java " + (Engines.current() == Engines.java()));
    }
  }

  /** Runs Current with a class path of only our classes, so without the jars of the natives. */
  private static String bare(String... options) throws IOException {
    return bare(Current.class, options);
  }

  private static String bare(Class<?> main, String... options) throws IOException {
    List<String> arguments = new ArrayList<>(List.of(options));
    arguments.addAll(
        List.of(
            "-cp", home(Engines.class) + java.io.File.pathSeparator + home(main), main.getName()));
    return SubProcess.run(arguments.toArray(String[]::new)).output();
  }

  @Test
  void useIsNotUndoneByAnEngineThatWasStillBeingMade() throws IOException {
    assertTrue(bare(Overtaken.class, "-Dndgrad.blas=slow").contains("is java true"));
  }

  private static String home(Class<?> type) {
    try {
      return Path.of(type.getProtectionDomain().getCodeSource().getLocation().toURI()).toString();
    } catch (java.net.URISyntaxException e) {
      throw new IllegalStateException(e);
    }
  }

  @Test
  void anUnknownNameIsAnErrorThatListsTheKnown() {
    var e = assertThrows(ArgumentException.class, () -> Engines.use("blis"));
    assertTrue(e.getMessage().contains("blis"), e.getMessage());
    assertTrue(e.getMessage().contains("openblas"), e.getMessage());
    assertEquals("blis", e.data().get("engine"));
  }

  @Test
  void anEngineThatFailsToLoadSaysWhyAndLeavesTheChoice() {
    Engines.register(
        "broken",
        () -> {
          throw new IllegalStateException("no licence");
        });
    Blas before = Engines.current();
    var e = assertThrows(ArgumentException.class, () -> Engines.use("broken"));
    assertTrue(e.getMessage().contains("no licence"), e.getMessage());
    assertSame(before, Engines.current());
    assertThrows(ArgumentException.class, () -> Engines.with("broken", () -> 1));
  }

  @Test
  void aRegisteredEngineIsMadeOnceAndWhenAsked() {
    AtomicInteger made = new AtomicInteger();
    Engines.register(
        "neighbour",
        () -> {
          made.incrementAndGet();
          return new JavaBlas(Workers.serial());
        });
    assertEquals(0, made.get());
    Blas engine = Engines.get("neighbour");
    assertSame(engine, Engines.get("neighbour"));
    assertEquals(1, made.get());
    assertSame(engine, Engines.with("neighbour", Engines::current));
    assertThrows(ArgumentException.class, () -> Engines.register("mkl", () -> engine));
    assertThrows(ArgumentException.class, () -> Engines.register("Loud", () -> engine));
  }

  @Test
  void useHoldsUntilTheNextUse() {
    Blas before = Engines.current();
    try {
      Engines.register("mine", () -> new JavaBlas(Workers.serial()));
      Blas mine = Engines.use("mine");
      assertSame(mine, Engines.current());
      assertSame(mine, CompletableFuture.supplyAsync(Engines::current).join());
    } finally {
      Engines.use(before.name());
    }
    assertSame(before, Engines.current());
  }

  @Test
  void withHoldsInsideItsBodyAndOnItsThread() {
    Engines.register("inner", () -> new JavaBlas(Workers.serial()));
    Blas outside = Engines.current();
    Engines.with(
        "java",
        () -> {
          assertSame(Engines.java(), Engines.current());
          Engines.with(
              "inner",
              () -> {
                assertSame(Engines.get("inner"), Engines.current());
                assertSame(outside, CompletableFuture.supplyAsync(Engines::current).join());
                return null;
              });
          assertSame(Engines.java(), Engines.current());
          return null;
        });
    assertThrows(
        IllegalStateException.class,
        () ->
            Engines.with(
                "inner",
                () -> {
                  throw new IllegalStateException("out");
                }));
    assertSame(outside, Engines.current());
    assertNotSame(outside, Engines.get("inner"));
  }

  @Test
  void theReportNamesEveryEngineAndTheCurrentOne() {
    var reports = Engines.with("java", Engines::report);
    assertEquals(
        List.of("mkl", "openblas", "java"), reports.stream().limit(3).map(r -> r.name()).toList());
    for (var r : reports) {
      assertEquals(r.available(), r.reason().isEmpty(), r.toString());
      assertEquals(r.available(), r.threads() > 0, r.toString());
      assertEquals(r.available(), !r.version().isEmpty(), r.toString());
      assertEquals(r.name().equals("java"), r.current(), r.toString());
    }
  }

  @Test
  void thePropertyChooses() throws IOException {
    assertEquals("engine java", bare("-Dndgrad.blas=java"));
    assertTrue(bare("-Dndgrad.blas=blis").startsWith("error there is no BLAS engine blis"));
  }

  @Test
  void anEngineThatWasAskedForAndIsMissingIsAnError() throws IOException {
    String output = bare("--enable-native-access=ALL-UNNAMED", "-Dndgrad.blas=openblas");
    assumeTrue(!output.equals("engine openblas"), "this system has an OpenBLAS of its own");
    assertTrue(output.startsWith("error the BLAS engine openblas is not available"), output);
    assertTrue(output.contains("org.bytedeco:openblas"), output);
  }

  @Test
  void withoutNativeAccessTheJavaEngineWorksAndTheErrorNamesTheFlag() throws IOException {
    assertEquals("engine java", bare("--illegal-native-access=deny"));
    String output = bare("--illegal-native-access=deny", "-Dndgrad.blas=openblas");
    assertTrue(output.contains("--enable-native-access=ALL-UNNAMED"), output);
  }

  /** Sets the threads before the first engine is loaded and prints what it then has. */
  static final class EarlyThreads {
    public static void main(String[] args) {
      Engines.setThreads(1);
      System.out.println(Engines.get("java").threads());
      Engines.setThreads(2);
      System.out.println(Engines.get("java").threads() <= 2);
    }
  }

  @Test
  void aNumberOfThreadsHoldsForEnginesLoadedLater() throws IOException {
    SubProcess run =
        SubProcess.run("-cp", System.getProperty("java.class.path"), EarlyThreads.class.getName());
    assertEquals("1" + System.lineSeparator() + "true", run.output());
    assertThrows(ArgumentException.class, () -> Engines.setThreads(0));
  }

  /** Loads OpenBLAS from one folder, asks for the engine with another, and prints both paths. */
  static final class LoadedBefore {
    public static void main(String[] args) {
      ClassLoader loader = LoadedBefore.class.getClassLoader();
      System.setProperty("org.bytedeco.javacpp.cachedir", args[0]); // used if JavaCPP is here
      Library.Kind kind = Library.Kind.OPENBLAS;
      Library before = Library.open(kind, NativeFiles.find(kind, loader), Path.of(args[0]));
      System.setProperty("org.bytedeco.javacpp.cachedir", args[1]);
      System.out.println(before.path());
      System.out.println(Engines.get("openblas").path());
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aLibraryAlreadyInTheProcessIsShared(@TempDir Path temp) throws IOException {
    assumeTrue(
        NativeFiles.find(Library.Kind.OPENBLAS, getClass().getClassLoader()).isPresent(),
        "OpenBLAS is not on the class path");
    Path first = temp.resolve("first");
    Path second = temp.resolve("second");
    SubProcess run =
        SubProcess.run(
            "--enable-native-access=ALL-UNNAMED",
            "-Dndgrad.cache=" + second,
            "-cp",
            System.getProperty("java.class.path"),
            LoadedBefore.class.getName(),
            first.toString(),
            second.toString());
    List<String> paths = run.output().lines().toList();
    assertEquals(2, paths.size(), run.output());
    assertEquals(paths.get(0), paths.get(1));
    assertTrue(Path.of(paths.get(0)).startsWith(first), run.output());
    assertTrue(Files.notExists(second));
  }

  /** Says whether OpenBLAS is in the process after work without products, and after one. */
  static final class Lazily {
    public static void main(String[] args) {
      Array x = Array.of(new double[][] {{1, 2}, {3, 4}});
      x.add(x).exp().sum();
      Engines.prepare();
      boolean early = Platform.loaded(Library.Kind.OPENBLAS.file()).isPresent();
      x.matmul(x);
      System.out.println(early + " " + Platform.loaded(Library.Kind.OPENBLAS.file()).isPresent());
    }
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aLibraryIsLoadedByTheFirstProduct() throws IOException {
    assumeTrue(
        NativeFiles.find(Library.Kind.OPENBLAS, getClass().getClassLoader()).isPresent(),
        "OpenBLAS is not on the class path");
    SubProcess run =
        SubProcess.run(
            "--enable-native-access=ALL-UNNAMED",
            "-Dndgrad.blas=openblas",
            "-cp",
            System.getProperty("java.class.path"),
            Lazily.class.getName());
    assertEquals("false true", run.output());
  }

  /** The number of threads that a library says it would use. */
  private static int ownThreads(Library.Kind kind, String function) throws Throwable {
    Library library = Library.open(kind, Optional.empty(), Path.of("not-needed"));
    assertTrue(library.shared(), "it is in the process");
    return (int)
        library.function(function, FunctionDescriptor.of(ValueLayout.JAVA_INT)).invokeExact();
  }

  private static boolean available(String name) {
    return Engines.report().stream().anyMatch(r -> r.name().equals(name) && r.available());
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void openBlasStartsNoWorkOnThreadsOfItsOwn() throws Throwable {
    assumeTrue(available("openblas"), "OpenBLAS is not available here");
    assertEquals(1, ownThreads(Library.Kind.OPENBLAS, "openblas_get_num_threads"));
  }

  @Test
  @EnabledOnOs(OS.LINUX)
  void aCallOfMklLeavesTheNumberOfItsThreadsToOthers() throws Throwable {
    assumeTrue(available("mkl"), "MKL is not available here");
    int before = ownThreads(Library.Kind.MKL, "MKL_Get_Max_Threads");
    double[] c = new double[900];
    Engines.get("mkl")
        .gemm(
            false,
            false,
            30,
            30,
            30,
            1,
            new double[900],
            0,
            30,
            c,
            0,
            30,
            0,
            new double[900],
            0,
            30);
    assertEquals(before, ownThreads(Library.Kind.MKL, "MKL_Get_Max_Threads"));
  }

  @Test
  void lentWorkersRunTheJavaEngine() {
    AtomicInteger tasks = new AtomicInteger();
    Workers counting =
        new Workers() {
          @Override
          public int width() {
            return 3;
          }

          @Override
          public void run(int count, java.util.function.IntConsumer task) {
            tasks.addAndGet(count);
            Workers.serial().run(count, task);
          }
        };
    int n = 160;
    float[] a = new float[n * n];
    java.util.Arrays.fill(a, 1);
    float[] c = new float[n * n];
    Workers before = Engines.workers();
    int threads = Engines.java().threads();
    Engines.setWorkers(counting);
    Engines.java().setThreads(3);
    try {
      assertEquals(3, Engines.java().threads());
      Engines.java().gemm(false, false, n, n, n, 1f, a, 0, n, a, 0, n, 0f, c, 0, n);
    } finally {
      Engines.setWorkers(before);
      Engines.java().setThreads(threads);
    }
    assertEquals(3, tasks.get());
    for (float x : c) {
      assertEquals(n, x);
    }
  }
}
