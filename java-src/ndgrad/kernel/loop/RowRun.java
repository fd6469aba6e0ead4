package ndgrad.kernel.loop;

import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Done;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.loop.RowProgram.Pass;
import ndgrad.kernel.loop.RowProgram.Sum;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/** One run of a {@link RowProgram} over some arrays, as its plan says. */
final class RowRun {
  private static final int SEGMENT = RowProgram.SEGMENT;

  private final RowPlan plan;
  private final RowProgram program;
  private final Pass[] passes;
  private final Object[] data;

  RowRun(RowPlan plan, Strided... operands) {
    this.plan = plan;
    this.program = plan.program;
    this.passes = program.passes();
    this.data = new Object[program.operands()];
    for (int k = 0; k < plan.given; k++) {
      data[k] = operands[k].array();
    }
  }

  /** Makes the columns that the caller did not give. */
  private Object[] withScratch(int n) {
    Object[] all = data.clone();
    for (int k = plan.given; k < all.length; k++) {
      all[k] = plan.dtype.newArray(n);
    }
    return all;
  }

  /** What one thread needs. */
  Worker worker() {
    Object[] all = withScratch(plan.block);
    return plan.turned ? new Turned(all) : new Worker(all);
  }

  /** Pass after pass, each over all rows and by all threads. */
  void wide() {
    Object[] all = withScratch(plan.rows);
    int segments = segments();
    Object partial = plan.dtype.newArray(plan.rows * segments);
    for (int pass = 0; pass < passes.length; pass++) {
      int p = pass;
      if (passes[p] instanceof Column) {
        new Worker(all).column(p, 0, 0, plan.rows);
        continue;
      }
      boolean sum = passes[p] instanceof Sum;
      Threads.parallelFor(
          sum ? segments : plan.rows * segments,
          1,
          () -> {
            Worker worker = new Worker(all);
            return (from, to) -> {
              for (int i = from; i < to; i++) {
                worker.segment(p, i / segments, i % segments, partial, i);
              }
            };
          });
      if (passes[p] instanceof Fold fold) {
        int slot = plan.offset[fold.to()];
        int[] at = {0, 1, segments};
        merge(fold.combine())
            .fold(new Object[] {partial}, at, plan.rows, segments, all[fold.to()], slot, 1);
      }
    }
  }

  private int segments() {
    return Math.ceilDiv(plan.length, SEGMENT);
  }

  private FoldKernel merge(Fn2 combine) {
    return Reduction.combine(combine, plan.dtype);
  }

  /** The passes of one thread, over rows as they lie. */
  class Worker {
    final Object[] all;
    final Object[][] ins = new Object[passes.length][];
    private final int[][] at = new int[passes.length][];
    private final Object partial;

    private Worker(Object[] all) {
      this.all = all;
      this.partial = plan.length > SEGMENT ? plan.dtype.newArray(segments()) : all[0];
      for (int p = 0; p < passes.length; p++) {
        int[] operands = program.operands(p);
        at[p] = plan.at(p);
        ins[p] = new Object[operands.length];
        for (int i = 0; i < operands.length; i++) {
          ins[p][i] = all[operands[i]];
        }
      }
    }

    /** Where a row's number in a column is, or its first element. */
    int position(int k, int row, int local) {
      return k < plan.given ? plan.offset[k] + row * plan.down[k] : local;
    }

    /** Sets the positions of a pass's operands to an element of a row. */
    final int[] place(int p, int row, int local, int column) {
      int[] ops = program.operands(p);
      for (int i = 0; i < ops.length; i++) {
        at[p][i] = position(ops[i], row, local) + column * plan.inner[ops[i]];
      }
      return at[p];
    }

    /** Does all passes over one of some shares of the rows. */
    final void share(int share, int shares, Done done) {
      int first = (int) ((long) plan.rows * share / shares);
      int end = (int) ((long) plan.rows * (share + 1) / shares);
      for (int from = first; from < end; from += plan.block) {
        int n = Math.min(plan.block, end - from);
        begin(from, n);
        for (int p = 0; p < passes.length; p++) {
          switch (passes[p]) {
            case Fold fold -> fold(p, fold, from, n);
            case Each _ -> each(p, from, n);
            case Column _ -> column(p, from, 0, n);
            case Sum sum -> sum(p, sum, share, from, n);
          }
        }
        end(from, n);
        done.rows(from, from + n);
      }
    }

    void begin(int from, int n) {}

    void end(int from, int n) {}

    void each(int p, int from, int n) {
      plan.computing(p).run(ins[p], place(p, from, 0, 0), n, plan.length);
    }

    void sum(int p, Sum sum, int share, int from, int n) {
      int row = plan.offset[sum.to()] + share * plan.length;
      plan.folding(p).rows(ins[p], place(p, from, 0, 0), n, plan.length, all[sum.to()], row);
    }

    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      if (plan.length <= SEGMENT) {
        int slot = position(fold.to(), from, 0);
        plan.folding(p).fold(ins[p], place(p, from, 0, 0), n, plan.length, to, slot, 1);
        return;
      }
      int[] ahead = {0, 1, 0};
      for (int r = 0; r < n; r++) {
        for (int s = 0; s < segments(); s++) {
          foldSegment(p, from + r, r, s, partial, s);
        }
        int slot = position(fold.to(), from + r, r);
        merge(fold.combine()).fold(new Object[] {partial}, ahead, 1, segments(), to, slot, 1);
      }
    }

    private void foldSegment(int p, int row, int local, int segment, Object out, int slot) {
      int column = segment * SEGMENT;
      int n = Math.min(SEGMENT, plan.length - column);
      plan.folding(p).fold(ins[p], place(p, row, local, column), 1, n, out, slot, 1);
    }

    final void column(int p, int row, int local, int n) {
      plan.computing(p).run(ins[p], place(p, row, local, 0), 1, n);
    }

    /** A segment of a row; of a sum, of all rows. */
    private void segment(int p, int row, int segment, Object out, int slot) {
      int column = segment * SEGMENT;
      int n = Math.min(SEGMENT, plan.length - column);
      switch (passes[p]) {
        case Fold _ -> foldSegment(p, row, row, segment, out, slot);
        case Each _ -> plan.computing(p).run(ins[p], place(p, row, row, column), 1, n);
        case Sum sum -> {
          int[] where = place(p, row, row, column);
          plan.folding(p)
              .rows(ins[p], where, plan.rows, n, all[sum.to()], plan.offset[sum.to()] + column);
        }
        case Column _ -> throw new AssertionError(passes[p]);
      }
    }
  }

  /** The same down the columns of turned blocks. */
  private final class Turned extends Worker {
    private final Object sums = plan.dtype.newArray(plan.length);

    Turned(Object[] all) {
      super(
          ShortRows.buffers(_ -> plan.dtype, all, k -> plan.isTurned[k], plan.block, plan.length));
    }

    @Override
    int position(int k, int row, int local) {
      return plan.isTurned[k] ? 0 : super.position(k, row, local);
    }

    @Override
    void begin(int from, int n) {
      for (int k = 0; k < plan.given; k++) {
        if (plan.isTurned[k] && program.takes(k)) {
          int p = super.position(k, from, 0);
          Blocks.of(plan.dtype).turn(data[k], p, plan.length, all[k], plan.block, n, plan.length);
        }
      }
    }

    @Override
    void end(int from, int n) {
      for (int k = 0; k < plan.given; k++) {
        if (plan.isTurned[k] && program.makes(k)) {
          int q = super.position(k, from, 0);
          Blocks.of(plan.dtype).turnBack(all[k], plan.block, data[k], q, n, plan.length);
        }
      }
    }

    @Override
    void each(int p, int from, int n) {
      plan.computing(p).run(ins[p], place(p, from, 0, 0), plan.length, n);
    }

    @Override
    void sum(int p, Sum sum, int share, int from, int n) {
      plan.folding(p).fold(ins[p], place(p, from, 0, 0), plan.length, n, sums, 0, 1);
      int row = plan.offset[sum.to()] + share * plan.length;
      int[] at = {0, 1, 0};
      merge(Fn2.ADD).rows(new Object[] {sums}, at, 1, plan.length, all[sum.to()], row);
    }

    @Override
    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      int slot = position(fold.to(), from, 0);
      Rows.of(plan.dtype).fill(to, slot, 1, n, FoldKernel.start(fold.combine(), plan.dtype));
      plan.folding(p).rows(ins[p], place(p, from, 0, 0), plan.length, n, to, slot);
    }
  }
}
