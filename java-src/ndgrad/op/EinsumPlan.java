package ndgrad.op;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.kernel.memory.Layout;

/**
 * How an equation of einsum is evaluated for operands of certain shapes: what is done to each of
 * them alone, and which two are multiplied next, the pair whose result is smallest beside what it
 * replaces. It takes longer to find that out than to multiply small matrices, so the latest plans
 * are remembered.
 *
 * @param text the equation
 * @param shapes the operands' shapes
 * @param factors how each operand becomes a factor
 * @param products the factors' products in order
 * @param order the order of the last product's axes in the output
 */
record EinsumPlan(
    String text, List<Layout> shapes, List<Factor> factors, List<Product> products, int[] order) {

  /**
   * How an operand becomes a factor, which has one axis for each of its labels.
   *
   * @param diagonals pairs of axes one after the other, whose diagonal becomes the last axis
   * @param shape then, without axes of length 1 that another operand's stretch
   * @param summed axes whose labels nobody else needs
   */
  record Factor(List<int[]> diagonals, int[] shape, int[] summed) {}

  /**
   * A product of two factors, which takes the place of the one in front.
   *
   * @param left which factor is on the left
   * @param right which on the right
   * @param isMatrix whether it is one of matrices, else of elements
   * @param a how the left factor is laid out for it
   * @param b how the right one is
   * @param shape of the result
   */
  record Product(int left, int right, boolean isMatrix, Side a, Side b, int[] shape) {}

  /**
   * How a factor is laid out for a product.
   *
   * @param axes their order
   * @param shape then
   */
  record Side(int[] axes, int[] shape) {}

  private static final EinsumPlan[] LATEST = new EinsumPlan[64];

  /**
   * Finds out how to evaluate an equation.
   *
   * @param text such as "ij,jk->ik"
   * @param shapes the operands' shapes
   * @return the plan
   * @throws ndgrad.ArgumentException when it is malformed or names another number of operands
   * @throws ndgrad.ShapeException when the shapes do not fit
   */
  static EinsumPlan of(String text, List<Layout> shapes) {
    int hash = text.hashCode();
    for (Layout shape : shapes) {
      for (int axis = 0; axis < shape.ndim(); axis++) {
        hash = 31 * hash + shape.dim(axis);
      }
    }
    int place = Math.floorMod(hash ^ hash >>> 16, LATEST.length);
    EinsumPlan known = LATEST[place];
    if (known != null && known.isOf(text, shapes)) {
      return known;
    }
    EinsumPlan made = new Planner(EinsumEquation.of(text, shapes)).plan(text, shapes);
    LATEST[place] = made;
    return made;
  }

  private boolean isOf(String otherText, List<Layout> others) {
    boolean same = text.equals(otherText) && shapes.size() == others.size();
    for (int i = 0; same && i < others.size(); i++) {
      same = shapes.get(i).sameShape(others.get(i));
    }
    return same;
  }

  /** The labels of the factors while they become one. */
  private record Planner(EinsumEquation equation, List<int[]> factors) {

    Planner(EinsumEquation equation) {
      this(equation, new ArrayList<>());
    }

    EinsumPlan plan(String text, List<Layout> shapes) {
      List<List<int[]>> diagonals = new ArrayList<>();
      for (int i = 0; i < shapes.size(); i++) {
        List<int[]> pairs = new ArrayList<>();
        Layout layout = diagonals(shapes.get(i), equation.input(i), pairs);
        diagonals.add(pairs);
        stretch(i, layout);
      }
      List<Factor> operands = new ArrayList<>();
      for (int i = 0; i < shapes.size(); i++) {
        int[] labels = factors.get(i);
        int[] needed = needed(i, i);
        int[] summed =
            IntStream.range(0, labels.length).filter(k -> !contains(needed, labels[k])).toArray();
        operands.add(new Factor(diagonals.get(i), lengths(labels), summed));
        factors.set(i, Arrays.stream(labels).filter(l -> contains(needed, l)).toArray());
      }
      List<Product> products = new ArrayList<>();
      while (factors.size() > 1) {
        products.add(cheapest());
      }
      int[] order = axes(factors.getFirst(), equation.output());
      return new EinsumPlan(text, shapes, operands, products, order);
    }

    /** Takes the diagonal of dimensions with the same label. */
    private Layout diagonals(Layout x, int[] labels, List<int[]> pairs) {
      for (int i = 0; i < labels.length; i++) {
        for (int j = i + 1; j < labels.length; j++) {
          int label = labels[i];
          if (labels[j] == label) {
            pairs.add(new int[] {i, j});
            int first = i;
            int second = j;
            IntStream rest =
                IntStream.range(0, labels.length)
                    .filter(k -> k != first && k != second)
                    .map(k -> labels[k]);
            int[] left = IntStream.concat(rest, IntStream.of(label)).toArray();
            return diagonals(x.diagonal(0, i, j), left, pairs);
          }
        }
      }
      factors.add(labels);
      return x;
    }

    /** Drops dimensions of length 1 that another operand's stretch. */
    private void stretch(int i, Layout x) {
      int[] labels = factors.get(i);
      factors.set(
          i,
          IntStream.range(0, labels.length)
              .filter(k -> x.dim(k) == equation.length(labels[k]))
              .map(k -> labels[k])
              .toArray());
    }

    /** The labels of the output and of all factors but two. */
    private int[] needed(int one, int other) {
      IntStream others =
          IntStream.range(0, factors.size())
              .filter(i -> i != one && i != other)
              .flatMap(i -> Arrays.stream(factors.get(i)));
      return IntStream.concat(Arrays.stream(equation.output()), others).toArray();
    }

    private Product cheapest() {
      int one = 0;
      int other = 1;
      double least = Double.POSITIVE_INFINITY;
      for (int i = 0; factors.size() > 2 && i < factors.size(); i++) {
        for (int j = i + 1; j < factors.size(); j++) {
          int[] needed = needed(i, j);
          IntStream labels =
              IntStream.concat(Arrays.stream(factors.get(i)), Arrays.stream(factors.get(j)));
          int[] result = labels.distinct().filter(l -> contains(needed, l)).toArray();
          double cost = size(result) - size(factors.get(i)) - size(factors.get(j));
          if (cost < least) {
            least = cost;
            one = i;
            other = j;
          }
        }
      }
      return product(one, other, needed(one, other));
    }

    /** Two factors multiplied, and summed over the labels they share and nobody else needs. */
    private Product product(int left, int right, int[] needed) {
      int[] a = factors.get(left);
      int[] b = factors.get(right);
      int[] shared = Arrays.stream(a).filter(l -> contains(b, l)).toArray();
      int[] batch = Arrays.stream(shared).filter(l -> contains(needed, l)).toArray();
      int[] inner = Arrays.stream(shared).filter(l -> !contains(needed, l)).toArray();
      int[] freeA = Arrays.stream(a).filter(l -> !contains(b, l)).toArray();
      int[] freeB = Arrays.stream(b).filter(l -> !contains(a, l)).toArray();
      if (freeA.length > 0
          && freeB.length > 0
          && Arrays.equals(Linalg.join(batch, freeB, freeA), needed)) {
        // In the other order the result is the output as it stands.
        return product(right, left, needed);
      }
      int[] result = Linalg.join(batch, freeA, freeB);
      factors.remove(Math.max(left, right));
      factors.set(Math.min(left, right), result);
      int[] shapeA = lengths(freeA);
      int[] shapeB = lengths(freeB);
      boolean isMatrix = inner.length > 0;
      int k = Linalg.product(lengths(inner));
      int[] rows =
          isMatrix ? new int[] {Linalg.product(shapeA), k} : Linalg.join(shapeA, ones(freeB));
      int[] columns =
          isMatrix ? new int[] {k, Linalg.product(shapeB)} : Linalg.join(ones(freeA), shapeB);
      return new Product(
          left,
          right,
          isMatrix,
          side(a, Linalg.join(batch, freeA, inner), batch, rows),
          side(b, Linalg.join(batch, inner, freeB), batch, columns),
          lengths(result));
    }

    private Side side(int[] labels, int[] order, int[] batch, int[] shape) {
      return new Side(axes(labels, order), Linalg.join(lengths(batch), shape));
    }

    private int[] lengths(int[] labels) {
      return Arrays.stream(labels).map(equation::length).toArray();
    }

    private double size(int[] labels) {
      return Arrays.stream(labels).mapToDouble(equation::length).reduce(1, (x, y) -> x * y);
    }

    /** Where labels are in an order of them. */
    private static int[] axes(int[] labels, int[] order) {
      return Arrays.stream(order)
          .map(
              l ->
                  IntStream.range(0, labels.length)
                      .filter(i -> labels[i] == l)
                      .findFirst()
                      .getAsInt())
          .toArray();
    }

    private static int[] ones(int[] labels) {
      int[] ones = new int[labels.length];
      Arrays.fill(ones, 1);
      return ones;
    }

    private static boolean contains(int[] labels, int label) {
      return Arrays.stream(labels).anyMatch(l -> l == label);
    }
  }
}
