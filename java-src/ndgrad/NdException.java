package ndgrad;

import java.io.IOException;
import java.io.ObjectInputStream;
import java.util.Arrays;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The superclass of ndgrad's exceptions. The message is in the caller's terms; {@link #data()} has
 * the details (op, shapes, axis, …), so that programs need not parse the message. Except in anomaly
 * mode, nothing has been written when one is thrown.
 *
 * <pre>{@code
 * try { Array.zeros(2, 3).add(Array.zeros(4)); }
 * catch (ShapeException e) { System.out.println(e.data().get("shapes")); }
 * }</pre>
 */
public abstract sealed class NdException extends RuntimeException
    permits AnomalyException,
        ArgumentException,
        DTypeException,
        GraphException,
        IndexException,
        MutationException,
        ScopeException,
        ShapeException {
  private static final long serialVersionUID = 1L;

  private transient Map<String, Object> data = new LinkedHashMap<>();

  /** The op that was running, as the prefix of the message; empty when there was none. */
  private String prefix = "";

  /**
   * An exception with its details.
   *
   * @param message what was wrong, what was expected, what to do
   * @param data the details, alternating names and values; {@code int[]} shapes and {@code
   *     double[]} become lists
   */
  protected NdException(String message, Object... data) {
    super(message);
    for (int i = 0; i + 1 < data.length; i += 2) {
      this.data.put((String) data[i], plain(data[i + 1]));
    }
  }

  /** Shapes and numbers as lists. */
  private static Object plain(Object value) {
    return switch (value) {
      case int[] shape -> Arrays.stream(shape).boxed().toList();
      case double[] numbers -> Arrays.stream(numbers).boxed().toList();
      case List<?> several -> several.stream().map(NdException::plain).toList();
      case null, default -> value;
    };
  }

  /**
   * The details behind the message, by name: {@code "op"}, {@code "shapes"}, {@code "axis"}, {@code
   * "dtype"}, ….
   *
   * @return an unmodifiable map, empty when there is nothing to add to the message, and after
   *     deserialisation
   */
  public Map<String, Object> data() {
    return Collections.unmodifiableMap(data);
  }

  /**
   * Names the op that was running. The last call wins, so the message names the outermost op, which
   * the caller called.
   *
   * @param op the op's public name
   * @return this
   */
  public NdException during(String op) {
    data.put("op", op);
    prefix = op + ": ";
    return this;
  }

  /**
   * Reads an exception without its details, which need not be serialisable.
   *
   * @param in where from
   * @throws IOException when it cannot be read
   * @throws ClassNotFoundException when a class is not there
   */
  private void readObject(ObjectInputStream in) throws IOException, ClassNotFoundException {
    in.defaultReadObject();
    data = new LinkedHashMap<>();
  }

  /** {@inheritDoc} */
  @Override
  public String getMessage() {
    return prefix + super.getMessage();
  }
}
