package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertNotEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.OutputStream;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Callable;
import java.util.concurrent.Executors;
import java.util.jar.JarEntry;
import java.util.jar.JarFile;
import java.util.jar.JarOutputStream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.function.ThrowingConsumer;
import org.junit.jupiter.api.io.TempDir;

/** The copies of native libraries, with a jar whose libraries are random bytes. */
class NativeFilesTest {
  private static final Library.Kind KIND = Library.Kind.OPENBLAS;

  @TempDir Path temp;
  private final Map<String, byte[]> wanted = new TreeMap<>();
  private Path jar;
  private Path cache;
  private URLClassLoader loader;

  @BeforeEach
  void makeJar() throws IOException {
    jar = temp.resolve("natives.jar");
    cache = temp.resolve("cache");
    Random r = new Random(1);
    wanted.put(KIND.file(), new byte[3_000_000]);
    wanted.put(KIND.before().get(0), new byte[100_000]);
    wanted.put(KIND.before().get(1), new byte[0]);
    try (OutputStream out = Files.newOutputStream(jar);
        JarOutputStream zip = new JarOutputStream(out)) {
      for (var e : wanted.entrySet()) {
        r.nextBytes(e.getValue());
        add(zip, e.getKey(), e.getValue());
      }
      add(zip, "libjniopenblas.so", new byte[10]);
      add(zip, "include/cblas.h", new byte[10]);
    }
    loader = new URLClassLoader(new URL[] {jar.toUri().toURL()}, null);
  }

  private static void add(JarOutputStream zip, String name, byte[] content) throws IOException {
    zip.putNextEntry(new JarEntry(KIND.folder() + "/" + name));
    zip.write(content);
    zip.closeEntry();
  }

  @AfterEach
  void closeJar() throws IOException {
    loader.close();
  }

  private NativeFiles files() {
    return NativeFiles.find(KIND, loader).orElseThrow();
  }

  private void assertComplete(Path dir) throws IOException {
    for (var e : wanted.entrySet()) {
      assertArrayEquals(e.getValue(), Files.readAllBytes(dir.resolve(e.getKey())), e.getKey());
    }
    Set<String> there = new TreeSet<>();
    try (var list = Files.list(dir)) {
      list.forEach(f -> there.add(f.getFileName().toString()));
    }
    assertTrue(there.remove(".lock"));
    assertEquals(wanted.keySet(), there);
  }

  @Test
  void copiesTheLibrariesAndNothingElse() throws IOException {
    assertComplete(files().copyTo(cache, false));
  }

  @Test
  void leavesGoodCopiesAlone() throws IOException {
    Path file = files().copyTo(cache, false).resolve(KIND.file());
    Object before = Files.readAttributes(file, "*").get("fileKey");
    assertEquals(file, files().copyTo(cache, false).resolve(KIND.file()));
    files().copyTo(cache, true);
    assertEquals(before, Files.readAttributes(file, "*").get("fileKey"));
  }

  @Test
  void replacesHalfAFile() throws IOException {
    Path file = files().copyTo(cache, false).resolve(KIND.file());
    Files.write(file, java.util.Arrays.copyOf(wanted.get(KIND.file()), 1_000_000));
    assertComplete(files().copyTo(cache, false));
  }

  @Test
  void replacesADamagedFileThatDoesNotLoad() throws IOException {
    Path file = files().copyTo(cache, false).resolve(KIND.file());
    byte[] damaged = wanted.get(KIND.file()).clone();
    damaged[2_000_000]++;
    Files.write(file, damaged);
    List<Path> attempts = new ArrayList<>();
    Path dir =
        files()
            .load(
                cache,
                d -> {
                  attempts.add(d);
                  if (attempts.size() == 1) {
                    throw new IllegalArgumentException("invalid ELF header");
                  }
                  return d;
                });
    assertEquals(2, attempts.size());
    assertComplete(dir);
  }

  @Test
  void saysWhenALibraryWillNotLoadAtAll() {
    var e =
        assertThrows(
            UnavailableException.class,
            () ->
                files()
                    .load(
                        cache,
                        d -> {
                          throw new IllegalArgumentException("wrong machine");
                        }));
    assertTrue(e.getMessage().contains("wrong machine"), e.getMessage());
  }

  @Test
  void saysWhenTheCacheCannotBeWritten() throws IOException {
    Files.writeString(cache, "a file where the folder should be");
    NativeFiles files = files();
    // The thread that copies may have failed before it is waited for, or after.
    for (int i = 0; i < 2000; i++) {
      var e = assertThrows(UnavailableException.class, () -> files.copyTo(cache, false));
      assertTrue(e.getMessage().contains("-Dndgrad.cache"), e.getMessage());
    }
  }

  /** Who cancels a computation does not mean the library that it was the first to need. */
  @Test
  void anInterruptDoesNotEndTheCopying() throws IOException {
    Thread.currentThread().interrupt();
    Path dir = files().copyTo(cache, false);
    assertTrue(Thread.interrupted(), "it is not forgotten");
    assertComplete(dir);
  }

  @Test
  void severalThreadsAtOnceSeeWholeFiles() throws Exception {
    List<Callable<Path>> tasks = new ArrayList<>();
    for (int i = 0; i < 6; i++) {
      tasks.add(
          () -> {
            Path dir = files().copyTo(cache, false);
            for (var e : wanted.entrySet()) {
              assertEquals(e.getValue().length, Files.size(dir.resolve(e.getKey())));
            }
            return dir;
          });
    }
    try (var pool = Executors.newFixedThreadPool(tasks.size())) {
      for (var done : pool.invokeAll(tasks)) {
        assertComplete(done.get());
      }
    }
  }

  @Test
  void severalProcessesAtOnceSeeWholeFiles() throws IOException {
    List<Process> processes = new ArrayList<>();
    for (int i = 0; i < 2; i++) {
      processes.add(
          SubProcess.start(
              List.of(
                  "-cp",
                  System.getProperty("java.class.path"),
                  Copier.class.getName(),
                  jar.toString(),
                  cache.toString())));
    }
    for (Process p : processes) {
      SubProcess done = SubProcess.finish(p);
      assertEquals(0, done.status(), done.output());
      assertComplete(Path.of(done.output().lines().reduce("", (a, b) -> b)));
    }
  }

  /** Copies a jar's libraries in a process of its own. */
  static final class Copier {
    public static void main(String[] args) throws IOException {
      URL jar = Path.of(args[0]).toUri().toURL();
      try (var loader = new URLClassLoader(new URL[] {jar}, null)) {
        System.out.println(
            NativeFiles.find(KIND, loader).orElseThrow().copyTo(Path.of(args[1]), false));
      }
    }
  }

  @Test
  void librariesInAFolderOfTheClassPathAreUsedThere() throws IOException {
    Path folder = Files.createDirectories(temp.resolve("classes").resolve(KIND.folder()));
    Files.write(folder.resolve(KIND.file()), wanted.get(KIND.file()));
    URL root = temp.resolve("classes").toUri().toURL();
    try (var classes = new URLClassLoader(new URL[] {root}, null)) {
      Path used = NativeFiles.find(KIND, classes).orElseThrow().load(cache, d -> d);
      assertEquals(folder.toRealPath(), used.toRealPath());
      assertTrue(Files.notExists(cache));
    }
  }

  /** Runs {@code body} with JavaCPP's cache in {@code theirs}; it gets the folder for our jar. */
  private static void withJavaCppCache(Path theirs, ThrowingConsumer<Path> body) throws Throwable {
    String property = "org.bytedeco.javacpp.cachedir";
    String before = System.getProperty(property);
    System.setProperty(property, theirs.toString());
    try {
      body.accept(theirs.resolve("natives.jar").resolve(KIND.folder()));
    } finally {
      if (before == null) {
        System.clearProperty(property);
      } else {
        System.setProperty(property, before);
      }
    }
  }

  @Test
  void copiesThatJavaCppMadeAreShared() throws Throwable {
    withJavaCppCache(
        temp.resolve("javacpp"),
        folder -> {
          Files.createDirectories(folder);
          Files.write(folder.resolve(KIND.file()), wanted.get(KIND.file()));
          Path own = files().load(cache, d -> d);
          assertTrue(own.startsWith(cache), "theirs is not complete: " + own);
          for (var e : wanted.entrySet()) {
            Files.write(folder.resolve(e.getKey()), e.getValue());
          }
          assertEquals(folder, files().load(cache, d -> d));
        });
  }

  /** The libraries' jar and what stands for JavaCPP's. */
  private URLClassLoader besideJavaCpp() throws IOException {
    Path loaderClass = temp.resolve("classes/org/bytedeco/javacpp/Loader.class");
    Files.createDirectories(loaderClass.getParent());
    Files.write(loaderClass, new byte[0]);
    return new URLClassLoader(
        new URL[] {jar.toUri().toURL(), temp.resolve("classes").toUri().toURL()}, null);
  }

  @Test
  void besideJavaCppTheCopiesAreMadeWhereItLooks() throws Throwable {
    Path theirs = temp.resolve("javacpp");
    withJavaCppCache(
        theirs,
        folder -> {
          try (var both = besideJavaCpp();
              var zip = new JarFile(jar.toFile())) {
            assertEquals(folder, NativeFiles.find(KIND, both).orElseThrow().load(cache, d -> d));
            assertTrue(Files.notExists(cache));
            assertTrue(Files.exists(theirs.resolve(".lock")), "the lock is theirs");
            for (var e : wanted.entrySet()) {
              Path file = folder.resolve(e.getKey());
              assertArrayEquals(e.getValue(), Files.readAllBytes(file));
              assertEquals(
                  zip.getEntry(KIND.folder() + "/" + e.getKey()).getTime(),
                  file.toFile().lastModified(),
                  "JavaCPP replaces a file of another time");
            }
            Path file = folder.resolve(KIND.file());
            Object before = Files.readAttributes(file, "*").get("fileKey");
            NativeFiles.find(KIND, both).orElseThrow().load(cache, d -> d);
            assertEquals(before, Files.readAttributes(file, "*").get("fileKey"));
            assertTrue(file.toFile().setLastModified(0));
            NativeFiles.find(KIND, both).orElseThrow().load(cache, d -> d);
            assertNotEquals(0, file.toFile().lastModified());
          }
        });
  }

  @Test
  void whereJavaCppsCacheCannotBeWrittenOursServes() throws Throwable {
    Path theirs = temp.resolve("javacpp");
    Files.writeString(theirs, "a file where the folder should be");
    withJavaCppCache(
        theirs,
        folder -> {
          try (var both = besideJavaCpp()) {
            assertComplete(NativeFiles.find(KIND, both).orElseThrow().load(cache, d -> d));
          }
        });
  }

  @Test
  void aClassPathWithoutLibrariesHasNone() throws IOException {
    try (var empty = new URLClassLoader(new URL[0], null)) {
      assertTrue(NativeFiles.find(KIND, empty).isEmpty());
    }
  }
}
