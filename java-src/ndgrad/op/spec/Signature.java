package ndgrad.op.spec;

import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import ndgrad.ArgumentException;

/**
 * The parameters of an op, read from a line such as {@code "x, axis: axes = nil, keepdims: flag =
 * false"}. The kind is {@code array} unless named; a parameter with a default is an option.
 */
public final class Signature {
  private final String text;
  private final List<Param> params;
  private final int required;

  /** Interned, as the literals are by which rules ask for parameters. */
  private final String[] names;

  private final Object[] fallbacks;

  /** The parameters whose arguments can be inputs. */
  private final int[] inputs;

  /** Where the options of keys are. */
  private final Lately<Integer> lately = new Lately<>();

  private Signature(String text, List<Param> params) {
    this.text = text;
    this.params = List.copyOf(params);
    this.required = (int) params.stream().filter(Param::required).count();
    this.names = params.stream().map(p -> p.name().intern()).toArray(String[]::new);
    this.fallbacks = params.stream().map(Param::fallback).toArray();
    this.inputs =
        IntStream.range(0, names.length)
            .filter(i -> params.get(i).isArray() || params.get(i).kind() == Param.Kind.ANY)
            .toArray();
  }

  static Signature parse(String text) {
    List<Param> params = new ArrayList<>();
    for (String part : text.isBlank() ? new String[0] : text.split(",")) {
      String[] sides = part.split("=", 2);
      String[] typed = sides[0].split(":", 2);
      Param.Kind kind = typed.length == 1 ? Param.Kind.ARRAY : Param.kindOf(typed[1].strip());
      Object fallback = sides.length == 1 ? null : fallback(kind, sides[1].strip());
      params.add(new Param(typed[0].strip(), kind, sides.length == 1, fallback));
    }
    return new Signature(text, params);
  }

  private static Object fallback(Param.Kind kind, String text) {
    if (text.equals("nil")) {
      return null;
    }
    Object value =
        switch (kind) {
          case FLAG -> Boolean.valueOf(text);
          case WORD -> text;
          case INT, INTS, AXES, SHAPE -> Long.valueOf(text);
          default -> text.matches("-?\\d+") ? (Object) Long.valueOf(text) : Double.valueOf(text);
        };
    return Coerce.to(kind, "default", value);
  }

  /**
   * The parameters in order.
   *
   * @return an unmodifiable list, required ones first
   */
  public List<Param> params() {
    return params;
  }

  /**
   * How many parameters have no default.
   *
   * @return the count
   */
  public int required() {
    return required;
  }

  /** The parameters whose arguments can be inputs, in order; not to be modified. */
  int[] inputs() {
    return inputs;
  }

  int indexOf(String name) {
    for (int i = 0; i < names.length; i++) {
      if (names[i] == name) {
        return i;
      }
    }
    int at = List.of(names).indexOf(name);
    if (at < 0) {
      throw new IllegalStateException("no parameter " + name + " in \"" + text + "\"");
    }
    return at;
  }

  /**
   * Matches arguments with the parameters.
   *
   * @param positional arguments in order; those beyond the required ones fill the options in order
   * @param options options by name; names may be strings or keywords
   * @return the bound arguments
   * @throws ArgumentException naming what is missing, unknown or too much
   */
  Args bind(Object[] positional, Map<?, ?> options) {
    int given = positional.length;
    if (given < required || given > names.length) {
      throw new ArgumentException(
          "takes "
              + required
              + (params.size() == required ? "" : " to " + params.size())
              + " arguments ("
              + this
              + "), got "
              + given,
          "given",
          given,
          "expected",
          toString());
    }
    Object[] values = fallbacks.clone();
    for (int i = 0; i < given; i++) {
      values[i] = bindOne(params.get(i), positional[i]);
    }
    if (!options.isEmpty()) {
      long named = 0;
      for (var e : options.entrySet()) {
        int at = option(e.getKey());
        // A string and a keyword are two keys of a map, but one name.
        if (at < given || (named >> at & 1) != 0) {
          throw new ArgumentException(
              "option " + names[at] + " is given twice", "option", names[at]);
        }
        named |= 1L << at;
        values[at] = bindOne(params.get(at), e.getValue());
      }
    }
    return new Args(this, values);
  }

  /**
   * Whether a key names an option.
   *
   * @param key a keyword or string
   * @return false for names of required parameters and all others
   */
  public boolean isOption(Object key) {
    return lately.find(key) != null || place(plain(key)) >= required;
  }

  private int place(String name) {
    return List.of(names).lastIndexOf(name);
  }

  /** Where the option of a key is. */
  private int option(Object key) {
    Integer known = lately.find(key);
    if (known != null) {
      return known;
    }
    String name = plain(key);
    int at = place(name);
    if (at < required) {
      throw new ArgumentException(
          "unknown option "
              + (key == null ? Coerce.show(null) : name)
              + "; it takes "
              + (options().isEmpty() ? "no options" : String.join(", ", options().keySet())),
          "option",
          name,
          "options",
          options().keySet().stream().toList());
    }
    lately.note(key, at);
    return at;
  }

  private static Object bindOne(Param p, Object given) {
    if (given == null) {
      if (p.required()) {
        throw new ArgumentException(
            "argument " + p.name() + " must be given, got " + Coerce.show(null),
            "argument",
            p.name());
      }
      // No axis is not the default axis: sort flattens then.
      boolean none = p.kind() == Param.Kind.AXES || p.kind() == Param.Kind.INT;
      return none ? null : p.fallback();
    }
    return Coerce.to(p.kind(), p.name(), given);
  }

  static String plain(Object name) {
    String s = String.valueOf(name);
    return s.startsWith(":") ? s.substring(1) : s;
  }

  /**
   * The options and their defaults.
   *
   * @return names to defaults, in order
   */
  public Map<String, Object> options() {
    Map<String, Object> out = new LinkedHashMap<>();
    for (Param p : params) {
      if (!p.required()) {
        out.put(p.name(), p.fallback());
      }
    }
    return out;
  }

  /** The line it was read from. */
  @Override
  public String toString() {
    return text;
  }
}
