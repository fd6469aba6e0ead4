package ndgrad.kernel;

import ndgrad.DType;

/** Reduces a scalar expression of some inputs over chosen axes. */
public final class Reduction {
  private final Program prologue;
  private final Program combine;
  private final Expr.Fn2 fn;

  private Reduction(Expr prologue, Expr.Fn2 fn) {
    this.prologue = Program.of(prologue);
    this.combine = Program.of(Expr.of(fn, Expr.in(0), Expr.in(1)));
    this.fn = fn;
  }

  /**
   * A reduction.
   *
   * @param prologue what is reduced, over the inputs
   * @param combine ADD, MUL, MAX, MIN, AND or OR
   * @return the reduction
   */
  public static Reduction of(Expr prologue, Expr.Fn2 combine) {
    return new Reduction(prologue, combine);
  }

  /**
   * Runs the reduction.
   *
   * @param out receives the result; its shape is that of the kept axes
   * @param load the dtype the inputs are converted to
   * @param axes the axes that are reduced
   * @param ins the inputs, broadcast together
   */
  public void run(Strided out, DType load, int[] axes, Strided... ins) {
    Layout[] layouts = new Layout[ins.length];
    DType[] loads = new DType[ins.length];
    for (int i = 0; i < ins.length; i++) {
      layouts[i] = ins[i].layout();
      loads[i] = load;
    }
    Strided all = Strided.zeros(out.dtype(), Layout.broadcast(layouts));
    prologue.run(new Strided[] {all}, loads, ins);
    boolean[] reduced = new boolean[all.layout().ndim()];
    for (int a : axes) {
      reduced[a] = true;
    }
    Layout l = all.layout();
    for (int i = reduced.length - 1; i >= 0; i--) {
      if (reduced[i]) {
        int n = l.dim(i);
        Layout first = l.slice(i, 0, Math.min(n, 1), 1);
        for (int j = 1; j < n; j++) {
          Strided a = all.with(first);
          combine.run(
              new Strided[] {a}, new DType[] {out.dtype(), out.dtype()},
              new Strided[] {a, all.with(l.slice(i, j, 1, 1))});
        }
        if (n == 0) {
          fill(out);
          return;
        }
        l = first.squeeze(i);
      }
    }
    Copies.copy(all.with(l), out);
  }

  private void fill(Strided out) {
    double identity = fn == Expr.Fn2.MUL || fn == Expr.Fn2.AND ? 1 : 0;
    Program.of(Expr.num(identity)).run(new Strided[] {out}, new DType[0], new Strided[0]);
  }
}
