package ndgrad.blas;

import java.io.IOException;
import java.io.InputStream;
import java.io.UncheckedIOException;
import java.net.JarURLConnection;
import java.net.URI;
import java.net.URL;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Function;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;

/**
 * The files of one library on the class path, and their copies in a folder that the system's loader
 * can read. A copy is written beside its place, forced to disk, compared with its checksum and then
 * moved there, so that no process ever sees half a file.
 */
final class NativeFiles {
  private static final ReentrantLock IN_PROCESS = new ReentrantLock();

  /** One file to copy, with the size and checksum that it must have. */
  private record Entry(String name, long size, long crc, URL url) {}

  private final String id;
  private final Optional<Path> inPlace;
  private final List<Entry> entries;
  private final Optional<Path> foreignCache;

  private NativeFiles(
      String id, Optional<Path> inPlace, List<Entry> entries, Optional<Path> foreignCache) {
    this.id = id;
    this.inPlace = inPlace;
    this.entries = entries;
    this.foreignCache = foreignCache;
  }

  /** The files of a library, when the class path has them. */
  static Optional<NativeFiles> find(Library.Kind kind, ClassLoader loader) {
    URL url = loader.getResource(kind.folder() + "/" + kind.file());
    try {
      if (url == null) {
        return Optional.empty();
      }
      if (url.getProtocol().equals("file")) {
        Path dir = Path.of(url.toURI()).getParent();
        return Optional.of(
            new NativeFiles(kind.id(), Optional.of(dir), List.of(), Optional.empty()));
      }
      if (url.openConnection() instanceof JarURLConnection jar) {
        return Optional.of(inJar(kind, jar));
      }
      throw new UnavailableException("can't read native libraries from " + url);
    } catch (IOException | java.net.URISyntaxException e) {
      throw new UnavailableException("can't read " + url + ": " + e.getMessage(), e);
    }
  }

  private static NativeFiles inJar(Library.Kind kind, JarURLConnection jar) throws IOException {
    String folder = kind.folder() + "/";
    URL base = jar.getJarFileURL();
    List<Entry> entries =
        jar.getJarFile().stream()
            .filter(e -> e.getName().startsWith(folder))
            .filter(e -> kind.wants(e.getName().substring(folder.length())))
            .map(
                e ->
                    new Entry(
                        e.getName().substring(folder.length()),
                        e.getSize(),
                        e.getCrc(),
                        entryUrl(base, e.getName())))
            .sorted(Comparator.comparing(Entry::name))
            .toList();
    String jarName = base.getPath().substring(base.getPath().lastIndexOf('/') + 1);
    Path theirs =
        Path.of(
            System.getProperty(
                "org.bytedeco.javacpp.cachedir",
                System.getProperty("user.home") + "/.javacpp/cache"));
    return new NativeFiles(
        kind.id(),
        Optional.empty(),
        entries,
        Optional.of(theirs.resolve(jarName).resolve(kind.folder())));
  }

  private static URL entryUrl(URL jar, String name) {
    try {
      return URI.create("jar:" + jar + "!/" + name).toURL();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Makes the files ready and loads them. When loading fails, the copies are compared with their
   * checksums and, if one was damaged, replaced and loaded again.
   *
   * @param cache the folder that holds the copies of all libraries
   * @param load loads from a folder; throws IllegalArgumentException when the system refuses
   */
  <T> T load(Path cache, Function<Path, T> load) {
    Path dir = inPlace.or(() -> foreignCache.filter(this::complete)).orElse(null);
    if (dir != null) {
      return attempt(dir, load);
    }
    Path own = copyTo(cache, false);
    try {
      return load.apply(own);
    } catch (IllegalArgumentException e) {
      return attempt(copyTo(cache, true), load);
    }
  }

  private static <T> T attempt(Path dir, Function<Path, T> load) {
    try {
      return load.apply(dir);
    } catch (IllegalArgumentException e) {
      throw new UnavailableException("can't load the library in " + dir + ": " + e.getMessage(), e);
    }
  }

  private boolean complete(Path dir) {
    return entries.stream().allMatch(e -> hasSize(dir.resolve(e.name), e.size));
  }

  /**
   * Copies what is missing or of the wrong size, and with {@code verify} what has the wrong
   * checksum.
   */
  Path copyTo(Path cache, boolean verify) {
    Path dir = cache.resolve(id + "-" + digest());
    if (!verify && complete(dir)) {
      return dir;
    }
    IN_PROCESS.lock();
    try {
      Files.createDirectories(dir);
      try (FileChannel channel =
              FileChannel.open(
                  dir.resolve(".lock"), StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
        lock(channel);
        for (Entry e : entries) {
          Path file = dir.resolve(e.name);
          if (!hasSize(file, e.size) || verify && crc(file) != e.crc) {
            copy(e, file);
          }
        }
      }
      return dir;
    } catch (IOException e) {
      throw new UnavailableException(
          "can't write native libraries to " + dir + " (" + e
              + "): free some space or choose another folder with -Dndgrad.cache=…",
          e);
    } finally {
      IN_PROCESS.unlock();
    }
  }

  /** Waits for another process that is copying; closing the channel lets go. */
  private static void lock(FileChannel channel) {
    try {
      channel.lock();
    } catch (IOException e) {
      // A file system without locks: both copy at the same time, which is safe and costs time only.
    }
  }

  private static void copy(Entry e, Path file) throws IOException {
    Path temp = Files.createTempFile(file.getParent(), "." + e.name, ".part");
    try {
      CRC32 crc = new CRC32();
      long size;
      try (InputStream in = new CheckedInputStream(e.url.openStream(), crc)) {
        size = Files.copy(in, temp, StandardCopyOption.REPLACE_EXISTING);
      }
      if (size != e.size || crc.getValue() != e.crc) {
        throw new IOException(e.url + " is damaged");
      }
      try (FileChannel written = FileChannel.open(temp, StandardOpenOption.WRITE)) {
        written.force(true);
      }
      move(temp, file, e.size);
    } finally {
      Files.deleteIfExists(temp);
    }
  }

  private static void move(Path temp, Path file, long size) throws IOException {
    try {
      Files.move(temp, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      throw e;
    } catch (IOException e) {
      // Windows refuses to replace a library in use: then another process has put it there.
      if (!hasSize(file, size)) {
        throw e;
      }
    }
  }

  private static boolean hasSize(Path file, long size) {
    try {
      return Files.size(file) == size;
    } catch (IOException e) {
      return false;
    }
  }

  private static long crc(Path file) throws IOException {
    CRC32 crc = new CRC32();
    try (InputStream in = new CheckedInputStream(Files.newInputStream(file), crc)) {
      in.transferTo(java.io.OutputStream.nullOutputStream());
    }
    return crc.getValue();
  }

  /** Names the set of files, so that two versions of a library never share a folder. */
  private String digest() {
    CRC32 crc = new CRC32();
    for (Entry e : entries) {
      crc.update((e.name + " " + e.size + " " + e.crc + "\n").getBytes());
    }
    return String.format("%08x", crc.getValue());
  }
}
