package ndgrad;

import java.io.IOException;
import java.io.OutputStream;
import java.io.UncheckedIOException;
import java.lang.reflect.InvocationTargetException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.stream.Collectors;
import ndgrad.autograd.Node;
import ndgrad.op.spec.Coerce;

/**
 * The computation graph behind arrays as data: the ops and leaves that they were computed from.
 *
 * <pre>{@code
 * Array x = Array.of(1.0, 2.0).requiresGrad(true);
 * System.out.println(Graph.of(x.mul(x).sum()).toDot());
 * }</pre>
 *
 * @param vertices the applications of ops and the leaves, each before those whose values it uses
 * @param edges from the vertex that computed a value to the one that uses it
 */
public record Graph(List<Vertex> vertices, List<Edge> edges) {

  /**
   * An application of an op, or a leaf.
   *
   * @param id its number in this graph
   * @param op the op's name, {@code "leaf"} for a leaf
   * @param shape the shape of the value
   * @param dtype the dtype of the value
   */
  public record Vertex(int id, String op, List<Integer> shape, DType dtype) {
    private String label() {
      return op + " " + shape + (dtype == DType.FLOAT64 ? "" : " " + dtype);
    }
  }

  /**
   * The use of a value by an op.
   *
   * @param from the vertex that computed it
   * @param to the vertex that uses it
   * @param input the index of the input
   */
  public record Edge(int from, int to, int input) {}

  /**
   * The graph that a backward pass from the arrays would traverse.
   *
   * @param outputs arrays that require a gradient
   * @return the graph
   * @throws GraphException when one requires no gradient
   */
  public static Graph of(Array... outputs) {
    Map<Node, Integer> ids = new IdentityHashMap<>();
    List<Vertex> vertices = new ArrayList<>();
    List<Edge> edges = new ArrayList<>();
    Deque<Node> pending = new ArrayDeque<>();
    for (Array y : Coerce.given("outputs", outputs)) {
      discover(Coerce.given("output", y).tensor().requireEdge(), ids, vertices, pending);
    }
    while (!pending.isEmpty()) {
      Node n = pending.remove();
      for (int i = 0; i < n.arity(); i++) {
        if (n.needs(i)) {
          Node made = n.input(i).orElseThrow();
          discover(made, ids, vertices, pending);
          edges.add(new Edge(ids.get(made), ids.get(n), i));
        }
      }
    }
    return new Graph(List.copyOf(vertices), List.copyOf(edges));
  }

  private static void discover(
      Node n, Map<Node, Integer> ids, List<Vertex> vertices, Deque<Node> pending) {
    if (ids.putIfAbsent(n, vertices.size()) == null) {
      List<Integer> shape = Arrays.stream(n.outLayout().shape()).boxed().toList();
      vertices.add(new Vertex(vertices.size(), n.name(), shape, n.outDtype()));
      pending.add(n);
    }
  }

  /**
   * The graph in Graphviz's DOT language.
   *
   * @return a digraph
   */
  public String toDot() {
    return vertices.stream()
            .map(
                v ->
                    "  n"
                        + v.id()
                        + " [label=\""
                        + v.label()
                        + "\", shape="
                        + (v.op().equals("leaf") ? "box" : "ellipse")
                        + "];\n")
            .collect(Collectors.joining("", "digraph ndgrad {\n", ""))
        + edges.stream()
            .map(e -> "  n" + e.from() + " -> n" + e.to() + ";\n")
            .collect(Collectors.joining("", "", "}\n"));
  }

  /**
   * Draws the graph with PlantUML, which must be on the class path ({@code
   * net.sourceforge.plantuml:plantuml-mit}).
   *
   * @param file a path that ends in .svg or .png; overwritten
   * @return the file
   * @throws ArgumentException for another ending, or without PlantUML
   * @throws UncheckedIOException when the file cannot be written
   */
  public Path draw(Path file) {
    String name = Coerce.given("file", file).toString().toLowerCase(Locale.ROOT);
    String format = name.endsWith(".svg") ? "SVG" : name.endsWith(".png") ? "PNG" : "";
    if (format.isEmpty()) {
      throw new ArgumentException(
              "expected a file that ends in .svg or .png, got " + file, "file", file.toString())
          .during("draw");
    }
    byte[] picture = Plant.draw(toPlantUml(), format);
    try (OutputStream out = Files.newOutputStream(file)) {
      out.write(picture);
    } catch (IOException e) {
      throw new UncheckedIOException(e);
    }
    return file;
  }

  private String toPlantUml() {
    String boxes =
        vertices.stream()
            .map(
                v ->
                    (v.op().equals("leaf") ? "card" : "usecase")
                        + " \""
                        + v.label()
                        + "\" as n"
                        + v.id()
                        + "\n")
            .collect(Collectors.joining());
    String arrows =
        edges.stream()
            .map(e -> "n" + e.from() + " --> n" + e.to() + "\n")
            .collect(Collectors.joining());
    return "@startuml\n!pragma layout smetana\n" + boxes + arrows + "@enduml\n";
  }

  /** The drawing library, found at run time so that the core does not depend on it. */
  private static final class Plant {
    static byte[] draw(String source, String format) {
      try {
        Class<?> reader = Class.forName("net.sourceforge.plantuml.SourceStringReader");
        Class<?> formats = Class.forName("net.sourceforge.plantuml.FileFormat");
        Class<?> option = Class.forName("net.sourceforge.plantuml.FileFormatOption");
        Object chosen =
            option.getConstructor(formats).newInstance(formats.getField(format).get(null));
        var out = new java.io.ByteArrayOutputStream();
        reader
            .getMethod("outputImage", OutputStream.class, option)
            .invoke(reader.getConstructor(String.class).newInstance(source), out, chosen);
        return out.toByteArray();
      } catch (ClassNotFoundException e) {
        throw new ArgumentException(
                "PlantUML is not on the class path; add net.sourceforge.plantuml/plantuml-mit",
                "missing",
                "net.sourceforge.plantuml/plantuml-mit")
            .during("draw");
      } catch (InvocationTargetException e) {
        throw new IllegalStateException(e.getCause());
      } catch (ReflectiveOperationException e) {
        throw new IllegalStateException(e);
      }
    }
  }
}
