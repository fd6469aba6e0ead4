package ndgrad.kernel.expr;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.IdentityHashMap;
import java.util.List;
import java.util.Map;

/**
 * The distinct nodes of some expressions, arguments before their users: equal subexpressions are
 * one node. Building is linear in the number of {@link Expr} objects, however often they share each
 * other.
 */
public final class Dag {

  /**
   * One distinct node.
   *
   * @param expr an expression that it stands for
   * @param args the ids of its arguments
   */
  public record Node(Expr expr, int... args) {}

  private record Key(Object what, int a, int b, int c) {}

  private final List<Node> nodes = new ArrayList<>();
  private final Map<Key, Integer> ids = new HashMap<>();
  private final IdentityHashMap<Expr, Integer> seen = new IdentityHashMap<>();
  private final int[] roots;

  /**
   * Finds the distinct nodes.
   *
   * @param outputs the expressions
   */
  public Dag(Expr... outputs) {
    roots = new int[outputs.length];
    for (int j = 0; j < outputs.length; j++) {
      roots[j] = id(outputs[j]);
    }
  }

  /**
   * Whether two expressions are equal. Their subexpressions may be shared, so that comparing them
   * one within the other could take exponential time.
   */
  static boolean isSame(Expr a, Expr b) {
    if (a == b) {
      return true;
    }
    if (hash(a, 3) != hash(b, 3)) {
      return false;
    }
    Dag both = new Dag(a, b);
    return both.root(0) == both.root(1);
  }

  /** A hash of the uppermost levels; it does not depend on the order of two arguments. */
  static int hash(Expr e, int levels) {
    if (levels == 0) {
      return 0;
    }
    return switch (e) {
      case Expr.Apply1(Expr.Fn1 fn, Expr a) -> 31 * hash(a, levels - 1) + fn.ordinal();
      case Expr.Apply2(Expr.Fn2 fn, Expr a, Expr b) ->
          37 * (hash(a, levels - 1) + hash(b, levels - 1)) + fn.ordinal();
      case Expr.Select(Expr test, Expr yes, Expr no) ->
          41 * (hash(test, levels - 1) + hash(yes, levels - 1) + hash(no, levels - 1));
      case Step(Step.Op op, int amount, List<Expr> args) ->
          43 * hash(args.getFirst(), levels - 1) + op.ordinal() + amount;
      case Expr.In _, Expr.Const _ -> e.hashCode();
    };
  }

  /**
   * The number of nodes.
   *
   * @return one more than the highest id
   */
  public int size() {
    return nodes.size();
  }

  /**
   * One node.
   *
   * @param id its id; those of arguments are lower
   * @return the node
   */
  public Node node(int id) {
    return nodes.get(id);
  }

  /**
   * The number of expressions.
   *
   * @return how many outputs there are
   */
  public int outputs() {
    return roots.length;
  }

  /**
   * The node of an output.
   *
   * @param j the output's position
   * @return the node's id
   */
  public int root(int j) {
    return roots[j];
  }

  /**
   * The number of inputs.
   *
   * @return one more than the highest input index
   */
  public int inputs() {
    int n = 0;
    for (Node node : nodes) {
      if (node.expr() instanceof Expr.In in) {
        n = Math.max(n, in.index() + 1);
      }
    }
    return n;
  }

  /**
   * Which inputs occur.
   *
   * @param n of how many
   * @return for each of them whether it does
   */
  public boolean[] usedInputs(int n) {
    boolean[] used = new boolean[n];
    for (Node node : nodes) {
      if (node.expr() instanceof Expr.In in) {
        used[in.index()] = true;
      }
    }
    return used;
  }

  /**
   * How often each node is referred to, by other nodes and as an output.
   *
   * @return a number for each id
   */
  public int[] uses() {
    int[] uses = new int[nodes.size()];
    for (int root : roots) {
      uses[root]++;
    }
    for (Node node : nodes) {
      for (int arg : node.args()) {
        uses[arg]++;
      }
    }
    return uses;
  }

  /**
   * A rough cost of one element where vectors are computed.
   *
   * @return in units of 0.1 ns
   */
  public int vectorCost() {
    int cost = 3;
    for (Node node : nodes) {
      cost += Functions.isSpelled(node.expr()) ? 10 : 0;
      cost += node.args().length > 0 ? 1 : 0;
    }
    return cost;
  }

  /**
   * A rough cost of one element.
   *
   * @return in units of 0.1 ns, for plain loops
   */
  public int cost() {
    int cost = 3;
    for (int id = 0; id < size(); id++) {
      cost +=
          switch (node(id).expr()) {
            case Expr.Apply1(Expr.Fn1 fn, Expr _) ->
                switch (fn) {
                  case NEG, ABS, SIGN, FLOOR, CEIL, RINT, NOT, SQRT -> 1;
                  case ISNAN, ISINF, ISFINITE -> 3;
                  default -> 80;
                };
            case Expr.Apply2(Expr.Fn2 fn, Expr _, Expr _) ->
                switch (fn) {
                  case ADD, SUB, MUL, DIV, MAX, MIN, AND, OR, XOR -> 1;
                  case LT, LE, GT, GE, EQ, NE -> 5;
                  default -> 150;
                };
            case Expr.Select _ -> 5;
            case Step _ -> 1;
            case Expr.In _, Expr.Const _ -> 0;
          };
    }
    return cost;
  }

  /** What tells a step from others of the same arguments. */
  private record What(Step.Op op, int amount) {}

  private int id(Expr e) {
    Integer known = seen.get(e);
    if (known == null) {
      known =
          switch (e) {
            case Expr.In _, Expr.Const _ -> intern(new Key(e, 0, 0, 0), e);
            case Expr.Apply1(Expr.Fn1 fn, Expr a) -> {
              int x = id(a);
              yield intern(new Key(fn, x, 0, 0), e, x);
            }
            case Expr.Apply2(Expr.Fn2 fn, Expr a, Expr b) -> {
              int x = id(a);
              int y = id(b);
              boolean swap = (fn == Expr.Fn2.ADD || fn == Expr.Fn2.MUL) && x > y;
              yield intern(swap ? new Key(fn, y, x, 0) : new Key(fn, x, y, 0), e, x, y);
            }
            case Expr.Select(Expr test, Expr yes, Expr no) -> {
              int t = id(test);
              int x = id(yes);
              int y = id(no);
              yield intern(new Key("select", t, x, y), e, t, x, y);
            }
            case Step(Step.Op op, int amount, List<Expr> args) -> {
              int[] ids = new int[3];
              for (int i = 0; i < args.size(); i++) {
                ids[i] = id(args.get(i));
              }
              Key key = new Key(new What(op, amount), ids[0], ids[1], ids[2]);
              yield intern(key, e, Arrays.copyOf(ids, args.size()));
            }
          };
      seen.put(e, known);
    }
    return known;
  }

  private int intern(Key key, Expr e, int... args) {
    Integer known = ids.get(key);
    if (known == null) {
      known = nodes.size();
      nodes.add(new Node(e, args));
      ids.put(key, known);
    }
    return known;
  }
}
