package ndgrad.kernel.expr;

import java.util.List;
import java.util.Locale;

/** Writes expressions as a person would, {@code x0 * exp(-x1)}, up to a bounded length. */
final class ExprPrinter {
  private static final int MAX_LENGTH = 2_000;

  private static final int COMPARISON = 0;
  private static final int SUM = 1;
  private static final int PRODUCT = 2;
  private static final int SIGN = 3;

  private final StringBuilder out = new StringBuilder();

  private ExprPrinter() {}

  static String print(Expr e) {
    ExprPrinter printer = new ExprPrinter();
    printer.write(e, COMPARISON);
    return printer.full() ? printer.out.substring(0, MAX_LENGTH) + "…" : printer.out.toString();
  }

  private boolean full() {
    return out.length() > MAX_LENGTH;
  }

  /** Writes an expression, in parentheses if it binds less than its place demands. */
  private void write(Expr e, int place) {
    if (full()) {
      return;
    }
    switch (e) {
      case Expr.In(int i) -> out.append('x').append(i);
      case Expr.Const(double c) -> number(c, place);
      case Expr.Apply1(Expr.Fn1 fn, Expr a) when fn == Expr.Fn1.NEG -> {
        open(SIGN < place);
        out.append('-');
        write(a, SIGN);
        close(SIGN < place);
      }
      case Expr.Apply1(Expr.Fn1 fn, Expr a) -> call(fn, a);
      case Expr.Apply2(Expr.Fn2 fn, Expr a, Expr b) -> apply(fn, a, b, place);
      case Expr.Select(Expr test, Expr yes, Expr no) -> {
        out.append("select(");
        write(test, COMPARISON);
        out.append(", ");
        write(yes, COMPARISON);
        out.append(", ");
        write(no, COMPARISON);
        out.append(')');
      }
      case Step(Step.Op op, int _, List<Expr> args) -> call(op, args.toArray(Expr[]::new));
    }
  }

  private void apply(Expr.Fn2 fn, Expr a, Expr b, int place) {
    String sign =
        switch (fn) {
          case ADD -> " + ";
          case SUB -> " - ";
          case MUL -> " * ";
          case DIV -> " / ";
          case LT -> " < ";
          case LE -> " <= ";
          case GT -> " > ";
          case GE -> " >= ";
          case EQ -> " == ";
          case NE -> " != ";
          default -> "";
        };
    if (sign.isEmpty()) {
      call(fn, a, b);
      return;
    }
    int own =
        switch (fn) {
          case ADD, SUB -> SUM;
          case MUL, DIV -> PRODUCT;
          default -> COMPARISON;
        };
    boolean grouped = own < place;
    boolean associative = fn == Expr.Fn2.ADD || fn == Expr.Fn2.MUL;
    open(grouped);
    write(a, own == COMPARISON ? SUM : own);
    out.append(sign);
    write(b, associative ? own : own + 1);
    close(grouped);
  }

  private void call(Enum<?> fn, Expr... args) {
    out.append(fn.name().toLowerCase(Locale.ROOT)).append('(');
    for (int i = 0; i < args.length; i++) {
      out.append(i == 0 ? "" : ", ");
      write(args[i], COMPARISON);
    }
    out.append(')');
  }

  private void number(double c, int place) {
    boolean grouped = c < 0 && place > SUM;
    open(grouped);
    if (c == Math.rint(c) && Math.abs(c) < 1e15) {
      out.append((long) c);
    } else {
      out.append(c);
    }
    close(grouped);
  }

  private void open(boolean grouped) {
    out.append(grouped ? "(" : "");
  }

  private void close(boolean grouped) {
    out.append(grouped ? ")" : "");
  }
}
