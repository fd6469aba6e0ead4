package ndgrad.io;

import java.io.BufferedInputStream;
import java.io.BufferedOutputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.nio.channels.Channels;
import java.nio.channels.FileChannel;
import java.nio.file.AtomicMoveNotSupportedException;
import java.nio.file.Files;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;
import java.nio.file.StandardOpenOption;
import java.time.LocalDateTime;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.atomic.AtomicLong;
import java.util.zip.CRC32;
import java.util.zip.CheckedInputStream;
import java.util.zip.CheckedOutputStream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipException;
import java.util.zip.ZipFile;
import java.util.zip.ZipOutputStream;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.op.spec.Coerce;

/**
 * Reads and writes NumPy's file formats: .npy holds one array, .npz named arrays in a zip file.
 * NumPy reads the files written here and vice versa, for the dtypes bool, int32, int64, float32 and
 * float64, both byte orders, C and Fortran order. Gradients and history are not stored.
 *
 * <pre>{@code
 * Path file = Files.createTempFile("weights", ".npz");
 * Npz.save(file, Map.of("w", Array.ones(3, 2), "b", Array.zeros(2)));
 * Array w = Npz.load(file).get("w");
 * }</pre>
 */
public final class Npz {
  private static final String SUFFIX = ".npy";

  /** Files that this process has begun: each save writes one of its own, and then renames it. */
  private static final AtomicLong PARTS = new AtomicLong();

  /** Entries carry no real time, so that equal arrays make equal files. */
  private static final LocalDateTime NO_TIME = LocalDateTime.of(1980, 1, 1, 0, 0);

  private Npz() {}

  private interface Writing {
    void to(OutputStream out) throws IOException;
  }

  /**
   * Writes one array as a .npy file. An existing file is replaced once everything is written.
   *
   * @param file the file, whose name is used as it is
   * @param array any dtype and layout; written in row-major order
   * @throws UncheckedIOException when the file cannot be written
   */
  public static void saveNpy(Path file, Array array) {
    requireElements("array", array);
    write(file, out -> Npy.write(out, array));
  }

  /**
   * Reads the array in a .npy file.
   *
   * @param file the file
   * @return a new row-major array
   * @throws ArgumentException when it is not a .npy file, or is truncated
   * @throws ndgrad.DTypeException when it has a dtype that ndgrad does not have
   * @throws UncheckedIOException when it cannot be read
   */
  public static Array loadNpy(Path file) {
    try (FileChannel channel = FileChannel.open(Coerce.given("file", file))) {
      InputStream in = new BufferedInputStream(Channels.newInputStream(channel));
      return Npy.read(in, channel.size(), file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  /**
   * Writes named arrays as an uncompressed .npz file, as NumPy's {@code savez}. An existing file is
   * replaced once everything is written.
   *
   * @param file the file, whose name is used as it is
   * @param arrays the arrays by name, in the order of the map
   * @throws ArgumentException when a name is empty
   * @throws UncheckedIOException when the file cannot be written
   */
  public static void save(Path file, Map<String, Array> arrays) {
    save(file, arrays, false);
  }

  /**
   * Writes named arrays as a compressed .npz file, as NumPy's {@code savez_compressed}.
   *
   * @param file the file, whose name is used as it is
   * @param arrays the arrays by name, in the order of the map
   * @throws ArgumentException when a name is empty
   * @throws UncheckedIOException when the file cannot be written
   */
  public static void saveCompressed(Path file, Map<String, Array> arrays) {
    save(file, arrays, true);
  }

  private static void save(Path file, Map<String, Array> arrays, boolean compressed) {
    for (var e : Coerce.given("arrays", arrays).entrySet()) {
      Coerce.given("the name of an array", e.getKey());
      requireElements("the array " + e.getKey(), e.getValue());
    }
    if (arrays.containsKey("")) {
      throw new ArgumentException(
          "an array in a .npz file needs a name that is not empty", "file", file.toString());
    }
    write(
        file,
        out -> {
          ZipOutputStream zip = new ZipOutputStream(out);
          for (var e : arrays.entrySet()) {
            zip.putNextEntry(entry(e.getKey() + SUFFIX, e.getValue(), compressed));
            Npy.write(zip, e.getValue());
            zip.closeEntry();
          }
          zip.finish();
        });
  }

  /** Fails for an array that has no elements any more, before a file is opened. */
  private static void requireElements(String name, Array array) {
    Coerce.given(name, array).tensor().strided().array();
  }

  private static ZipEntry entry(String name, Array array, boolean compressed) throws IOException {
    ZipEntry entry = new ZipEntry(name);
    entry.setTimeLocal(NO_TIME);
    if (!compressed) {
      // A stored entry says its length and checksum before its content.
      Count count = new Count();
      CheckedOutputStream sum = new CheckedOutputStream(count, new CRC32());
      Npy.write(sum, array);
      entry.setMethod(ZipEntry.STORED);
      entry.setSize(count.bytes);
      entry.setCrc(sum.getChecksum().getValue());
    }
    return entry;
  }

  private static final class Count extends OutputStream {
    private long bytes;

    @Override
    public void write(int b) {
      bytes++;
    }

    @Override
    public void write(byte[] b, int off, int len) {
      bytes += len;
    }
  }

  private static void write(Path file, Writing writing) {
    String own = "." + ProcessHandle.current().pid() + "-" + PARTS.incrementAndGet() + ".part";
    Path part = Coerce.given("file", file).resolveSibling(file.getFileName() + own);
    try {
      try (FileChannel channel =
          FileChannel.open(part, StandardOpenOption.CREATE_NEW, StandardOpenOption.WRITE)) {
        OutputStream out = new BufferedOutputStream(Channels.newOutputStream(channel));
        writing.to(out);
        out.flush();
        channel.force(true);
      }
      move(part, file);
    } catch (NoSuchFileException e) {
      throw new UncheckedIOException(
          new NoSuchFileException(file.toString(), null, "there is no such folder"));
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    } finally {
      // Whatever went wrong; otherwise it has been moved.
      part.toFile().delete();
    }
  }

  private static void move(Path part, Path file) throws IOException {
    try {
      Files.move(part, file, StandardCopyOption.ATOMIC_MOVE);
    } catch (AtomicMoveNotSupportedException e) {
      Files.move(part, file, StandardCopyOption.REPLACE_EXISTING);
    }
  }

  /**
   * Reads the arrays in a .npz file.
   *
   * @param file the file
   * @return new row-major arrays by name, in the order of the file; unmodifiable
   * @throws ArgumentException when it is not a .npz file, or one of its entries is damaged
   * @throws ndgrad.DTypeException when an array has a dtype that ndgrad does not have
   * @throws UncheckedIOException when it cannot be read
   */
  public static Map<String, Array> load(Path file) {
    Map<String, Array> out = new LinkedHashMap<>();
    try (ZipFile zip = new ZipFile(Coerce.given("file", file).toFile())) {
      for (ZipEntry e : Collections.list(zip.entries())) {
        String name = e.getName();
        if (!name.endsWith(SUFFIX)) {
          throw new ArgumentException(
              file + " is not a .npz file that can be read: its entry " + name + " is no array",
              "file",
              file.toString(),
              "entry",
              name);
        }
        out.put(
            name.substring(0, name.length() - SUFFIX.length()), read(zip, e, file + ":" + name));
      }
    } catch (ZipException | EOFException e) {
      throw new ArgumentException(
          file
              + " is not a .npz file that can be read: "
              + (e instanceof EOFException ? "it is cut short" : e.getMessage()),
          "file",
          file.toString());
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return Collections.unmodifiableMap(out);
  }

  /** The array of an entry, whose checksum the JDK does not look at. */
  private static Array read(ZipFile zip, ZipEntry e, String what) throws IOException {
    try (CheckedInputStream in =
        new CheckedInputStream(new BufferedInputStream(zip.getInputStream(e)), new CRC32())) {
      Array out = Npy.read(in, e.getSize(), what);
      in.transferTo(OutputStream.nullOutputStream());
      if (in.getChecksum().getValue() != e.getCrc()) {
        throw Npy.broken(what, "its content does not have the checksum that was written with it");
      }
      return out;
    }
  }
}
