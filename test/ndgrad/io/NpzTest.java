package ndgrad.io;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.stream.Stream;
import java.util.zip.ZipEntry;
import java.util.zip.ZipOutputStream;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.Options;
import ndgrad.Scope;
import ndgrad.ScopeException;
import ndgrad.ShapeException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class NpzTest {
  /** Files that numpy.lib.format.write_array made, in base 64. */
  private static final String NUMPY_C =
      "k05VTVBZAQB2AHsnZGVzY3InOiAnPGk0JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBl"
          + "JzogKDIsIDMpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
          + "ICAgICAgICAgICAgIAoBAAAAAgAAAAMAAAAEAAAABQAAAAYAAAA=";

  private static final String NUMPY_F_BIG_ENDIAN =
      "k05VTVBZAQB2AHsnZGVzY3InOiAnPmY0JywgJ2ZvcnRyYW5fb3JkZXInOiBUcnVlLCAnc2hhcGUn"
          + "OiAoMiwgMyksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
          + "ICAgICAgICAgICAgIAo/wAAAQIAAAEAAAABAoAAAQEAAAEDAAAA=";
  private static final String NUMPY_2_0 =
      "k05VTVBZAgB0AAAAeydkZXNjcic6ICd8YjEnLCAnZm9ydHJhbl9vcmRlcic6IEZhbHNlLCAnc2hh"
          + "cGUnOiAoMiwpLCB9ICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
          + "ICAgICAgICAgICAgIAoBAA==";
  private static final String NUMPY_SCALAR =
      "k05VTVBZAQB2AHsnZGVzY3InOiAnPGY4JywgJ2ZvcnRyYW5fb3JkZXInOiBGYWxzZSwgJ3NoYXBl"
          + "JzogKCksIH0gICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAgICAg"
          + "ICAgICAgICAgICAgIAoAAAAAAAAEQA==";

  @TempDir private Path folder;

  private Path file(String name, byte[] content) {
    try {
      return Files.write(folder.resolve(name), content);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
  }

  @Test
  void aSaveThatFailsLeavesNoFile() throws IOException {
    Array ended;
    try (var _ = Scope.open()) {
      ended = Array.ones(2);
    }
    Path file = folder.resolve("x.npz");
    assertThrows(ScopeException.class, () -> Npz.saveNpy(file, ended));
    assertThrows(ScopeException.class, () -> Npz.save(file, Map.of("a", ended)));
    Files.createDirectories(folder.resolve("y/z"));
    assertThrows(UncheckedIOException.class, () -> Npz.saveNpy(folder.resolve("y"), Array.ones(2)));
    try (var left = Files.list(folder)) {
      assertEquals(List.of(folder.resolve("y")), left.toList());
    }
  }

  private Array numpy(String base64) {
    return Npz.loadNpy(file("numpy.npy", Base64.getDecoder().decode(base64)));
  }

  @Test
  void readsWhatNumPyWrote() {
    assertEquals("array([[1, 2, 3],\n       [4, 5, 6]], dtype=int32)", numpy(NUMPY_C).toString());
    assertEquals(
        "array([[1.5, 2. , 3. ],\n       [4. , 5. , 6. ]], dtype=float32)",
        numpy(NUMPY_F_BIG_ENDIAN).toString());
    assertEquals("array([ True, False])", numpy(NUMPY_2_0).toString());
    assertEquals("array(2.5)", numpy(NUMPY_SCALAR).toString());
  }

  @Test
  void writesTheBytesNumPyWrites() throws IOException {
    Path f = folder.resolve("x.npy");
    Npz.saveNpy(f, Array.of(new int[][] {{1, 2, 3}, {4, 5, 6}}));
    assertArrayEquals(Base64.getDecoder().decode(NUMPY_C), Files.readAllBytes(f));
    Npz.saveNpy(f, Array.scalar(2.5));
    assertArrayEquals(Base64.getDecoder().decode(NUMPY_SCALAR), Files.readAllBytes(f));
    assertNoParts();
  }

  private void assertNoParts() throws IOException {
    try (Stream<Path> files = Files.list(folder)) {
      assertEquals(List.of(), files.filter(f -> f.toString().endsWith(".part")).toList());
    }
  }

  @Test
  void savesOfOneFileAtATimeDoNotMix() throws Exception {
    Path f = folder.resolve("x.npy");
    List<Callable<Object>> saves = new ArrayList<>();
    for (int i = 0; i < 8; i++) {
      Array mine = Array.full(new int[] {50_000 + i}, i);
      saves.add(
          () -> {
            for (int n = 0; n < 20; n++) {
              Npz.saveNpy(f, mine);
              Array some = Npz.loadNpy(f);
              assertEquals(50_000 + (int) some.get(0).item(), some.size());
            }
            return null;
          });
    }
    try (ExecutorService pool = Executors.newFixedThreadPool(4)) {
      for (Future<Object> save : pool.invokeAll(saves)) {
        save.get();
      }
    }
    assertNoParts();
  }

  @Test
  void everyDtypeAndLayoutComesBack() {
    Map<String, Array> arrays = new LinkedHashMap<>();
    for (DType d : DType.values()) {
      for (int[] shape : new int[][] {{}, {0}, {3, 0, 2}, {5}, {2, 3, 4}, {9000}}) {
        int size = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
        Array x = Array.wrap(Array.arange(size).astype(d).data(), shape);
        arrays.put(d + Arrays.toString(shape), x);
        arrays.put("transposed " + d + Arrays.toString(shape), x.t());
        arrays.put("stretched " + d + Arrays.toString(shape), x.broadcastTo(concat(2, shape)));
      }
    }
    Path f = folder.resolve("all.npz");
    for (int compressed = 0; compressed < 2; compressed++) {
      if (compressed == 1) {
        Npz.saveCompressed(f, arrays);
      } else {
        Npz.save(f, arrays);
      }
      Map<String, Array> back = Npz.load(f);
      assertEquals(List.copyOf(arrays.keySet()), List.copyOf(back.keySet()));
      for (String name : arrays.keySet()) {
        assertEquals(arrays.get(name).dtype(), back.get(name).dtype(), name);
        assertArrayEquals(arrays.get(name).shape(), back.get(name).shape(), name);
        assertEquals(arrays.get(name).toList(), back.get(name).toList(), name);
      }
    }
  }

  private static int[] concat(int first, int[] rest) {
    int[] out = new int[rest.length + 1];
    out[0] = first;
    System.arraycopy(rest, 0, out, 1, rest.length);
    return out;
  }

  @Test
  void asManyDimensionsAsCanBe() {
    int[] ones = new int[64];
    Arrays.fill(ones, 1);
    Path f = folder.resolve("deep.npy");
    Npz.saveNpy(f, Array.wrap(new double[] {3}, ones));
    assertArrayEquals(ones, Npz.loadNpy(f).shape());
    Path deeper = withHeader(dict("'<f8'", "1, ".repeat(65)), 8);
    assertTrue(
        assertThrows(ShapeException.class, () -> Npz.loadNpy(deeper))
            .getMessage()
            .endsWith("its array has 65 dimensions; at most 64 are possible"));
  }

  private Path withHeader(String header, int bytes) {
    String padded =
        "\u0093NUMPY\u0001\u0000"
            + (char) (header.length() & 255)
            + (char) (header.length() >> 8)
            + header;
    byte[] front = padded.getBytes(StandardCharsets.ISO_8859_1);
    return file("made.npy", Arrays.copyOf(front, front.length + bytes));
  }

  private static String dict(String descr, String shape) {
    return "{'shape': (" + shape + "), 'fortran_order': False, 'descr': " + descr + "}\n";
  }

  @Test
  void brokenFilesAreRefused() throws IOException {
    assertArrayEquals(
        new int[] {2, 3}, Npz.loadNpy(withHeader(dict("'<f8'", "2L, 3"), 48)).shape());
    for (String descr : new String[] {"'<c16'", "'<i2'", "'<U3'", "'|O'", "[('a', '<f4')]"}) {
      assertThrows(
          DTypeException.class, () -> Npz.loadNpy(withHeader(dict(descr, "1"), 64)), descr);
    }
    assertThrows(ArgumentException.class, () -> Npz.loadNpy(withHeader(dict("'<f8'", "2, 3"), 47)));
    assertThrows(
        ArgumentException.class, () -> Npz.loadNpy(withHeader(dict("'<f8'", "2147483647, 9"), 47)));
    assertThrows(ArgumentException.class, () -> Npz.loadNpy(withHeader(dict("'<f8'", "-1"), 64)));
    assertThrows(
        ShapeException.class, () -> Npz.loadNpy(withHeader(dict("'<f8'", "9999999999"), 47)));
    for (String shape : new String[] {"2 3", "1, 2\t3"}) {
      assertThrows(
          ArgumentException.class, () -> Npz.loadNpy(withHeader(dict("'<f8'", shape), 48)), shape);
    }
    assertThrows(ArgumentException.class, () -> Npz.loadNpy(withHeader("{}", 8)));
    assertThrows(ArgumentException.class, () -> Npz.loadNpy(file("e.npy", new byte[0])));
    assertThrows(
        ArgumentException.class,
        () -> Npz.loadNpy(file("t.npy", "some text, long enough".getBytes())));
    assertThrows(ArgumentException.class, () -> Npz.load(file("t.npz", "PK no zip".getBytes())));
    assertThrows(UncheckedIOException.class, () -> Npz.loadNpy(folder.resolve("none.npy")));
    assertThrows(UncheckedIOException.class, () -> Npz.load(folder.resolve("none.npz")));
    Path other = folder.resolve("other.zip");
    try (ZipOutputStream zip = new ZipOutputStream(Files.newOutputStream(other))) {
      zip.putNextEntry(new ZipEntry("readme.txt"));
    }
    assertTrue(
        assertThrows(ArgumentException.class, () -> Npz.load(other))
            .getMessage()
            .contains("readme.txt"));
  }

  @Test
  void anArchiveWhoseContentHasChangedIsRefused() throws IOException {
    Path f = folder.resolve("x.npz");
    Npz.save(f, Map.of("a", Array.of(new double[] {1, 2})));
    byte[] content = Files.readAllBytes(f);
    for (int length = 0; length < content.length; length++) {
      Path part = file("part.npz", Arrays.copyOf(content, length));
      assertThrows(ArgumentException.class, () -> Npz.load(part));
    }
    byte[] two = {0, 0, 0, 0, 0, 0, 0, 0x40};
    int at = content.length;
    while (!Arrays.equals(two, Arrays.copyOfRange(content, at - two.length, at))) {
      at--;
    }
    content[at - 1] ^= 1;
    Path changed = file("changed.npz", content);
    assertTrue(
        assertThrows(ArgumentException.class, () -> Npz.load(changed))
            .getMessage()
            .contains("a.npy is not a .npy file that can be read: its content does not have"));
  }

  @Test
  void whatIsRefusedLeavesTheOldFile() throws IOException {
    Path f = file("kept.npz", new byte[] {1, 2, 3});
    assertThrows(ArgumentException.class, () -> Npz.save(f, Map.of("", Array.ones(2))));
    assertArrayEquals(new byte[] {1, 2, 3}, Files.readAllBytes(f));
    Path nowhere = folder.resolve("no/such/x.npy");
    assertEquals(
        nowhere + ": there is no such folder",
        assertThrows(UncheckedIOException.class, () -> Npz.saveNpy(nowhere, Array.ones(2)))
            .getCause()
            .getMessage());
  }

  @Test
  void gradientsAreNotStored() {
    Path f = folder.resolve("g.npy");
    Npz.saveNpy(f, Array.ones(new int[] {2}, Options.of().requiresGrad(true)).mul(3));
    assertEquals("array([3., 3.])", Npz.loadNpy(f).toString());
  }
}
