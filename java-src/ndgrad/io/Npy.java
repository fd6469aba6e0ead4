package ndgrad.io;

import java.io.ByteArrayOutputStream;
import java.io.DataInputStream;
import java.io.EOFException;
import java.io.IOException;
import java.io.InputStream;
import java.io.OutputStream;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.List;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import ndgrad.ArgumentException;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.DTypeException;
import ndgrad.ShapeException;
import ndgrad.kernel.memory.Layout;

/**
 * One array in NumPy's .npy format, versions 1.0, which is written, 2.0 and 3.0: the magic string,
 * the version, the length of the header, a Python dict with dtype, order and shape, and the
 * elements (numpy.lib.format in NumPy's documentation, and NEP 1).
 */
final class Npy {
  private static final byte[] MAGIC = {(byte) 0x93, 'N', 'U', 'M', 'P', 'Y'};
  private static final int ALIGNMENT = 64;

  /** NumPy leaves room for the first dimension to grow in place. */
  private static final int GROWTH = 21;

  private static final int MOST_HEADER = 1 << 20;
  private static final int BLOCK = 8192;
  private static final Pattern DESCR =
      Pattern.compile("['\"]descr['\"]\\s*:\\s*(['\"]([^'\"]*)['\"]|[^,}]*)");
  private static final Pattern ORDER =
      Pattern.compile("['\"]fortran_order['\"]\\s*:\\s*(True|False)\\b");
  private static final Pattern SHAPE =
      Pattern.compile("['\"]shape['\"]\\s*:\\s*\\(([\\d\\sL,]*)\\)");

  private Npy() {}

  private record Header(DType dtype, ByteOrder bytes, boolean fortran, int[] shape) {}

  static void write(OutputStream out, Array a) throws IOException {
    out.write(header(a.dtype(), a.shape()));
    Object data = a.toArray();
    int n = DType.lengthOf(data);
    ByteBuffer block = ByteBuffer.allocate(BLOCK * a.itemsize()).order(ByteOrder.LITTLE_ENDIAN);
    int count;
    for (int at = 0; at < n; at += count) {
      count = Math.min(BLOCK, n - at);
      block.clear();
      switch (data) {
        case double[] d -> block.asDoubleBuffer().put(d, at, count);
        case float[] f -> block.asFloatBuffer().put(f, at, count);
        case long[] l -> block.asLongBuffer().put(l, at, count);
        case int[] i -> block.asIntBuffer().put(i, at, count);
        default -> {
          boolean[] b = (boolean[]) data;
          for (int i = 0; i < count; i++) {
            block.put((byte) (b[at + i] ? 1 : 0));
          }
        }
      }
      out.write(block.array(), 0, count * a.itemsize());
    }
  }

  private static String descr(DType dtype) {
    return switch (dtype) {
      case BOOL -> "|b1";
      case INT32 -> "<i4";
      case INT64 -> "<i8";
      case FLOAT32 -> "<f4";
      case FLOAT64 -> "<f8";
    };
  }

  private static byte[] header(DType dtype, int[] shape) throws IOException {
    StringBuilder dims = new StringBuilder();
    for (int i = 0; i < shape.length; i++) {
      dims.append(i == 0 ? "" : " ")
          .append(shape[i])
          .append(i < shape.length - 1 || i == 0 ? "," : "");
    }
    String dict =
        "{'descr': '" + descr(dtype) + "', 'fortran_order': False, 'shape': (" + dims + "), }";
    int room = shape.length == 0 ? 0 : GROWTH - String.valueOf(shape[0]).length();
    int content = dict.length() + room + 1;
    int front = MAGIC.length + 4;
    int length = content + (ALIGNMENT - (front + content) % ALIGNMENT);
    // Version 1.0 has room for the dimensions of every array.
    ByteBuffer lengths = ByteBuffer.allocate(front - MAGIC.length).order(ByteOrder.LITTLE_ENDIAN);
    lengths.put((byte) 1).put((byte) 0).putShort((short) length);
    ByteArrayOutputStream out = new ByteArrayOutputStream();
    out.write(MAGIC);
    out.write(lengths.array());
    out.write(
        (dict + " ".repeat(length - 1 - dict.length()) + "\n").getBytes(StandardCharsets.US_ASCII));
    return out.toByteArray();
  }

  /**
   * Reads one array.
   *
   * @param in from the magic string on
   * @param available how many bytes there are, which bounds what is allocated for a broken header
   * @param what the file or entry, for messages
   */
  static Array read(InputStream in, long available, String what) throws IOException {
    DataInputStream data = new DataInputStream(in);
    try {
      Header h = readHeader(data, available, what);
      int[] shape = h.shape.clone();
      if (h.fortran) {
        for (int i = 0; i < shape.length; i++) {
          shape[i] = h.shape[shape.length - 1 - i];
        }
      }
      Array flat = Array.wrap(elements(data, h, size(h, available, what)), shape);
      return h.fortran && shape.length > 1 ? flat.t().copy() : flat;
    } catch (EOFException e) {
      throw broken(what, "it ends before its last element");
    }
  }

  private static Header readHeader(DataInputStream in, long available, String what)
      throws IOException {
    byte[] magic = new byte[MAGIC.length];
    in.readFully(magic);
    if (!Arrays.equals(magic, MAGIC)) {
      throw broken(what, "it does not begin as a .npy file does");
    }
    int major = in.readUnsignedByte();
    int minor = in.readUnsignedByte();
    if (major < 1 || major > 3 || minor != 0) {
      throw broken(
          what, "its format version is " + major + "." + minor + "; 1.0, 2.0 and 3.0 can be read");
    }
    long length =
        major == 1
            ? Short.toUnsignedInt(Short.reverseBytes(in.readShort()))
            : Integer.toUnsignedLong(Integer.reverseBytes(in.readInt()));
    if (length > MOST_HEADER || length > available) {
      throw broken(what, "its header claims a length of " + length + " bytes");
    }
    byte[] header = new byte[(int) length];
    in.readFully(header);
    return parse(
        new String(header, major == 3 ? StandardCharsets.UTF_8 : StandardCharsets.ISO_8859_1),
        what);
  }

  private static Header parse(String text, String what) {
    Matcher descr = DESCR.matcher(text);
    Matcher order = ORDER.matcher(text);
    Matcher shape = SHAPE.matcher(text);
    if (!descr.find() || !order.find() || !shape.find()) {
      throw broken(what, "its header lacks descr, fortran_order or shape: " + text.strip());
    }
    String type = descr.group(2) == null ? descr.group(1) : descr.group(2);
    List<String> dims =
        Arrays.stream(shape.group(1).replace("L", "").split(","))
            .map(String::strip)
            .filter(s -> !s.isEmpty())
            .toList();
    if (!dims.stream().allMatch(d -> d.chars().allMatch(Character::isDigit))) {
      throw broken(what, "its shape is (" + shape.group(1) + "), not a list of integers");
    }
    if (dims.size() > Layout.MOST_DIMENSIONS) {
      throw new ShapeException(
          what
              + ": its array has "
              + dims.size()
              + " dimensions; at most "
              + Layout.MOST_DIMENSIONS
              + " are possible",
          "file",
          what,
          "ndim",
          dims.size());
    }
    int[] sizes = new int[dims.size()];
    for (int i = 0; i < sizes.length; i++) {
      if (dims.get(i).length() > 10 || Long.parseLong(dims.get(i)) > Integer.MAX_VALUE) {
        throw new ShapeException(
            what
                + ": its shape ("
                + shape.group(1)
                + ") has a dimension larger than "
                + Integer.MAX_VALUE,
            "file",
            what,
            "shape",
            shape.group(1));
      }
      sizes[i] = Integer.parseInt(dims.get(i));
    }
    return new Header(
        dtype(type, what),
        type.startsWith(">") ? ByteOrder.BIG_ENDIAN : ByteOrder.LITTLE_ENDIAN,
        order.group(1).equals("True"),
        sizes);
  }

  private static DType dtype(String descr, String what) {
    return switch (descr) {
      case "|b1", "<b1", ">b1", "?", "|?" -> DType.BOOL;
      case "<i4", ">i4" -> DType.INT32;
      case "<i8", ">i8" -> DType.INT64;
      case "<f4", ">f4" -> DType.FLOAT32;
      case "<f8", ">f8" -> DType.FLOAT64;
      default ->
          throw new DTypeException(
              what
                  + ": its dtype is "
                  + (descr.startsWith("[") ? "structured" : descr)
                  + "; ndgrad has float32 (f4), float64 (f8), int32 (i4), int64 (i8) and"
                  + " bool (b1): convert it with NumPy's astype before saving",
              "file",
              what,
              "dtype",
              descr);
    };
  }

  private static int size(Header h, long available, String what) {
    long size = Arrays.stream(h.shape).anyMatch(d -> d == 0) ? 0 : 1;
    for (int d : h.shape) {
      size = Math.min(size * d, 1L << 31);
    }
    if (size * h.dtype.itemsize() > available) {
      throw broken(
          what,
          "its shape " + Arrays.toString(h.shape) + " needs more than its " + available + " bytes");
    }
    return (int) Math.min(size, Integer.MAX_VALUE);
  }

  private static Object elements(DataInputStream in, Header h, int n) throws IOException {
    Object out = Array.zeros(new int[] {n}, h.dtype).data();
    int item = h.dtype.itemsize();
    ByteBuffer block = ByteBuffer.allocate(BLOCK * item).order(h.bytes);
    int count;
    for (int at = 0; at < n; at += count) {
      count = Math.min(BLOCK, n - at);
      in.readFully(block.array(), 0, count * item);
      block.clear();
      switch (out) {
        case double[] d -> block.asDoubleBuffer().get(d, at, count);
        case float[] f -> block.asFloatBuffer().get(f, at, count);
        case long[] l -> block.asLongBuffer().get(l, at, count);
        case int[] i -> block.asIntBuffer().get(i, at, count);
        default -> {
          for (int i = 0; i < count; i++) {
            ((boolean[]) out)[at + i] = block.get(i) != 0;
          }
        }
      }
    }
    return out;
  }

  static ArgumentException broken(String what, String why) {
    return new ArgumentException(
        what + " is not a .npy file that can be read: " + why, "file", what);
  }
}
