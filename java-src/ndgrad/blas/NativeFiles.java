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
import java.nio.file.attribute.FileTime;
import java.util.Comparator;
import java.util.List;
import java.util.Optional;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.FutureTask;
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

  /** One file to copy, with the size, checksum and time that it must have. */
  private record Entry(String name, long size, long crc, long time, URL url) {}

  /**
   * Where copies are.
   *
   * @param dir the folder
   * @param lock the file that processes lock while they write there
   * @param dated whether a copy counts only with the time of the jar's entry: by it JavaCPP knows
   *     the copies it may use
   */
  private record Place(Path dir, Path lock, boolean dated) {
    static Place own(Path dir) {
      return new Place(dir, dir.resolve(".lock"), false);
    }
  }

  private final String id;
  private final Optional<Path> inPlace;
  private final List<Entry> entries;
  private final Optional<Place> javaCpp;

  private NativeFiles(
      String id, Optional<Path> inPlace, List<Entry> entries, Optional<Place> javaCpp) {
    this.id = id;
    this.inPlace = inPlace;
    this.entries = entries;
    this.javaCpp = javaCpp;
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
        boolean shared = loader.getResource("org/bytedeco/javacpp/Loader.class") != null;
        return Optional.of(inJar(kind, jar, shared));
      }
      throw new UnavailableException("can't read native libraries from " + url);
    } catch (IOException | java.net.URISyntaxException e) {
      throw new UnavailableException("can't read " + url + ": " + e.getMessage(), e);
    }
  }

  private static NativeFiles inJar(Library.Kind kind, JarURLConnection jar, boolean shared)
      throws IOException {
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
                        e.getTime(),
                        entryUrl(base, e.getName())))
            .sorted(Comparator.comparing(Entry::name))
            .toList();
    String jarName = base.getPath().substring(base.getPath().lastIndexOf('/') + 1);
    Path theirs =
        Path.of(
            System.getProperty(
                "org.bytedeco.javacpp.cachedir",
                System.getProperty("user.home") + "/.javacpp/cache"));
    Path dir = theirs.resolve(jarName).resolve(kind.folder());
    return new NativeFiles(
        kind.id(),
        Optional.empty(),
        entries,
        Optional.of(new Place(dir, theirs.resolve(".lock"), shared)));
  }

  private static URL entryUrl(URL jar, String name) {
    try {
      return URI.create("jar:" + jar + "!/" + name).toURL();
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Makes the files ready and loads them. Where JavaCPP is on the class path they go into its
   * cache, so that it finds them there and no second copy is loaded; otherwise its copies are used
   * if they are all there. When loading fails, the copies are compared with their checksums and, if
   * one was damaged, replaced and loaded again.
   *
   * @param cache the folder that holds the copies of all libraries
   * @param load loads from a folder; throws IllegalArgumentException when the system refuses
   */
  <T> T load(Path cache, Function<Path, T> load) {
    if (inPlace.isPresent()) {
      return attempt(inPlace.get(), load);
    }
    if (javaCpp.isPresent() && (javaCpp.get().dated || complete(javaCpp.get()))) {
      try {
        return load.apply(copyTo(javaCpp.get(), false));
      } catch (UnavailableException | IllegalArgumentException e) {
        // Their folder can't be written, or holds something damaged: ours will do.
      }
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

  private boolean complete(Place place) {
    return entries.stream().allMatch(e -> isThere(e, place));
  }

  private static boolean isThere(Entry e, Place place) {
    Path file = place.dir.resolve(e.name);
    return hasSize(file, e.size) && (!place.dated || file.toFile().lastModified() == e.time);
  }

  /**
   * Copies what is missing or of the wrong size, and with {@code verify} what has the wrong
   * checksum.
   */
  Path copyTo(Path cache, boolean verify) {
    return copyTo(Place.own(cache.resolve(id + "-" + digest())), verify);
  }

  private Path copyTo(Place place, boolean verify) {
    Path dir = place.dir;
    if (!verify && complete(place)) {
      return dir;
    }
    IN_PROCESS.lock();
    try {
      undisturbed(() -> copyMissing(place, verify));
      return dir;
    } catch (IOException e) {
      throw new UnavailableException(
          "can't write native libraries to "
              + dir
              + " ("
              + e
              + "): free some space or choose another folder with -Dndgrad.cache=…",
          e);
    } finally {
      IN_PROCESS.unlock();
    }
  }

  private Path copyMissing(Place place, boolean verify) throws IOException {
    Files.createDirectories(place.dir);
    try (FileChannel channel =
        FileChannel.open(place.lock, StandardOpenOption.CREATE, StandardOpenOption.WRITE)) {
      lock(channel);
      for (Entry e : entries) {
        Path file = place.dir.resolve(e.name);
        if (!isThere(e, place) || verify && crc(file) != e.crc) {
          copy(e, file);
        }
      }
    }
    return place.dir;
  }

  /**
   * Works on a thread that nobody interrupts: an interrupt closes the channel that its thread
   * writes to, and who cancels a computation means that alone.
   */
  private static void undisturbed(Callable<?> work) throws IOException {
    FutureTask<?> task = new FutureTask<>(work);
    Thread.ofPlatform().name("ndgrad-unpack").daemon().start(task);
    boolean interrupted = false;
    try {
      while (true) {
        try {
          task.get();
          return;
        } catch (InterruptedException e) {
          interrupted = true;
        } catch (ExecutionException e) {
          throw e.getCause() instanceof IOException io ? io : new IOException(e.getCause());
        }
      }
    } finally {
      if (interrupted) {
        Thread.currentThread().interrupt();
      }
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
      Files.setLastModifiedTime(temp, FileTime.fromMillis(e.time));
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
