package ndgrad;

import static org.junit.jupiter.api.Assertions.assertAll;
import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTimeout;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Printing, against a table of texts that NumPy wrote (dev/print_table.py). */
class FormatTest {

  private static List<String> table() throws IOException {
    try (InputStream in = FormatTest.class.getResourceAsStream("/ndgrad/format-table.tsv")) {
      return new String(in.readAllBytes(), StandardCharsets.UTF_8).lines().toList();
    }
  }

  private static Array read(DType dtype, int[] shape, String elements) {
    int size = Arrays.stream(shape).reduce(1, (a, b) -> a * b);
    if (elements.equals("iota")) {
      return Array.wrap(Array.arange(size).astype(dtype).data(), shape);
    }
    ByteBuffer bytes =
        ByteBuffer.wrap(HexFormat.of().parseHex(elements)).order(ByteOrder.LITTLE_ENDIAN);
    Object array = dtype.newArray(size);
    switch (array) {
      case double[] d -> bytes.asDoubleBuffer().get(d);
      case float[] f -> bytes.asFloatBuffer().get(f);
      case long[] l -> bytes.asLongBuffer().get(l);
      case int[] n -> bytes.asIntBuffer().get(n);
      default -> {
        for (int i = 0; i < size; i++) {
          ((boolean[]) array)[i] = bytes.get(i) != 0;
        }
      }
    }
    return Array.wrap(array, shape);
  }

  @Test
  void printsAsNumPyDoes() throws IOException {
    List<String> rows = table();
    assertTrue(rows.size() > 250);
    for (String row : rows) {
      String[] p = row.split("\t", -1);
      int[] shape =
          Arrays.stream(p[1].split(" "))
              .filter(s -> !s.isEmpty())
              .mapToInt(Integer::parseInt)
              .toArray();
      PrintOptions options =
          PrintOptions.DEFAULT
              .withPrecision(Integer.parseInt(p[3]))
              .withSuppressSmall(p[4].equals("1"));
      String text = options.format(read(DType.of(p[0]), shape, p[2]));
      assertEquals(p[5].replace("\\n", "\n"), text, row);
    }
  }

  @Test
  void anyLayoutPrintsAsItsCopy() {
    Array x = Array.wrap(Array.arange(24).data(), 2, 3, 4).select(1, -1);
    assertEquals("array([[ 8,  9, 10, 11],\n       [20, 21, 22, 23]])", x.toString());
    assertEquals("array([[5, 5],\n       [5, 5]])", Array.of(5L).broadcastTo(2, 2).toString());
  }

  @Test
  void tellsThePlaceInTheGraph() {
    Array a = Array.of(1.0, 4.0).requiresGrad(true);
    assertAll(
        () -> assertEquals("array([1., 4.], requires-grad=true)", a.toString()),
        () -> assertEquals("array([1., 2.], grad-fn=sqrt)", a.sqrt().toString()),
        () ->
            assertEquals(
                "array([1.], dtype=float32, requires-grad=true)",
                Array.of(1f).requiresGrad(true).toString()),
        () -> assertEquals("array(3.5)", Array.scalar(3.5).toString()));
  }

  @Test
  void lengthIsBoundedWhateverTheSize() {
    int[] cube = new int[24];
    Arrays.fill(cube, 6);
    Array huge = Array.scalar(1).broadcastTo(65536, 32767);
    assertAll(
        () -> assertTrue(huge.toString().length() < 1000),
        () -> assertTrue(huge.toString().endsWith("shape=(65536, 32767))"), huge.toString()),
        () -> assertTrue(Array.scalar(1).broadcastTo(cube).toString().length() < 1_000_000));
    PrintOptions wide = PrintOptions.DEFAULT.withThreshold(1).withEdgeItems(Integer.MAX_VALUE);
    assertEquals("array([0, 1, 2], shape=(3,))", wide.format(Array.arange(3)));
    assertTrue(assertTimeout(Duration.ofSeconds(2), () -> wide.format(huge)).length() < 1_000_000);
  }

  @Test
  void optionsAreChecked() {
    assertThrows(ArgumentException.class, () -> PrintOptions.DEFAULT.withPrecision(-1));
    assertThrows(ArgumentException.class, () -> PrintOptions.DEFAULT.withEdgeItems(0));
    assertEquals(
        "array([0, ..., 9], shape=(10,))",
        PrintOptions.DEFAULT.withThreshold(5).withEdgeItems(1).format(Array.arange(10)));
  }
}
