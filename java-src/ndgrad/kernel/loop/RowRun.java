package ndgrad.kernel.loop;

import ndgrad.DType;
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
  private final DType dtype;
  private final int rows;
  private final int length;
  private final int given;
  private final int block;
  private final int[] offset;
  private final int[] inner;
  private final Object[] data;

  RowRun(RowPlan plan, Strided... operands) {
    this.plan = plan;
    this.program = plan.program;
    this.passes = program.passes();
    this.dtype = plan.dtype;
    this.rows = plan.rows;
    this.length = plan.length;
    this.given = plan.given;
    this.block = plan.block;
    this.offset = plan.offset;
    this.inner = plan.inner;
    this.data = new Object[program.operands()];
    for (int k = 0; k < given; k++) {
      data[k] = operands[k].array();
    }
  }

  /** Makes the columns that the caller did not give. */
  private Object[] withScratch(int length) {
    Object[] all = data.clone();
    for (int k = given; k < all.length; k++) {
      all[k] = dtype.newArray(length);
    }
    return all;
  }

  /** What one thread needs. */
  Worker worker() {
    Object[] all = withScratch(block);
    return plan.turned ? new Turned(all) : new Worker(all);
  }

  /** Pass after pass, each over all rows and by all threads. */
  void wide() {
    Object[] all = withScratch(rows);
    int segments = segments();
    Object partial = dtype.newArray(rows * segments);
    for (int pass = 0; pass < passes.length; pass++) {
      int p = pass;
      if (passes[p] instanceof Column) {
        new Worker(all).column(p, 0, 0, rows);
        continue;
      }
      boolean sum = passes[p] instanceof Sum;
      Threads.parallelFor(
          sum ? segments : rows * segments,
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
        int slot = offset[fold.to()];
        int[] at = {0, 1, segments};
        merge(fold.combine())
            .fold(new Object[] {partial}, at, rows, segments, all[fold.to()], slot, 1);
      }
    }
  }

  private int segments() {
    return Math.ceilDiv(length, SEGMENT);
  }

  private FoldKernel merge(Fn2 combine) {
    return Reduction.combine(combine, dtype);
  }

  /** The passes of one thread, over rows as they lie. */
  class Worker {
    final Object[] all;
    final Object[][] ins = new Object[passes.length][];
    private final int[][] at = new int[passes.length][];
    private final Object partial;

    private Worker(Object[] all) {
      this.all = all;
      this.partial = length > SEGMENT ? dtype.newArray(segments()) : all[0];
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
      return k < given ? offset[k] + row * plan.down[k] : local;
    }

    /** Sets the positions of a pass's operands to an element of a row. */
    final int[] place(int p, int row, int local, int column) {
      int[] ops = program.operands(p);
      for (int i = 0; i < ops.length; i++) {
        at[p][i] = position(ops[i], row, local) + column * inner[ops[i]];
      }
      return at[p];
    }

    /** Does all passes over one of some shares of the rows. */
    final void share(int share, int shares, Done done) {
      int first = (int) ((long) rows * share / shares);
      int end = (int) ((long) rows * (share + 1) / shares);
      for (int from = first; from < end; from += block) {
        int n = Math.min(block, end - from);
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
      plan.computing(p).run(ins[p], place(p, from, 0, 0), n, length);
    }

    void sum(int p, Sum sum, int share, int from, int n) {
      int row = offset[sum.to()] + share * length;
      plan.folding(p).rows(ins[p], place(p, from, 0, 0), n, length, all[sum.to()], row);
    }

    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      if (length <= SEGMENT) {
        int slot = position(fold.to(), from, 0);
        plan.folding(p).fold(ins[p], place(p, from, 0, 0), n, length, to, slot, 1);
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
      int n = Math.min(SEGMENT, length - column);
      plan.folding(p).fold(ins[p], place(p, row, local, column), 1, n, out, slot, 1);
    }

    final void column(int p, int row, int local, int n) {
      plan.computing(p).run(ins[p], place(p, row, local, 0), 1, n);
    }

    /** A segment of a row; of a sum, of all rows. */
    private void segment(int p, int row, int segment, Object out, int slot) {
      int column = segment * SEGMENT;
      int n = Math.min(SEGMENT, length - column);
      switch (passes[p]) {
        case Fold _ -> foldSegment(p, row, row, segment, out, slot);
        case Each _ -> plan.computing(p).run(ins[p], place(p, row, row, column), 1, n);
        case Sum sum -> {
          int[] where = place(p, row, row, column);
          plan.folding(p).rows(ins[p], where, rows, n, all[sum.to()], offset[sum.to()] + column);
        }
        case Column _ -> throw new AssertionError(passes[p]);
      }
    }
  }

  /** The same down the columns of turned blocks. */
  private final class Turned extends Worker {
    private final Object sums = dtype.newArray(length);

    Turned(Object[] all) {
      super(ShortRows.buffers(_ -> dtype, all, k -> plan.isTurned[k], block, length));
    }

    @Override
    int position(int k, int row, int local) {
      return plan.isTurned[k] ? 0 : super.position(k, row, local);
    }

    @Override
    void begin(int from, int n) {
      for (int k = 0; k < given; k++) {
        if (plan.isTurned[k] && program.takes(k)) {
          int p = super.position(k, from, 0);
          Blocks.of(dtype).turn(data[k], p, length, all[k], block, n, length);
        }
      }
    }

    @Override
    void end(int from, int n) {
      for (int k = 0; k < given; k++) {
        if (plan.isTurned[k] && program.makes(k)) {
          int q = super.position(k, from, 0);
          Blocks.of(dtype).turnBack(all[k], block, data[k], q, n, length);
        }
      }
    }

    @Override
    void each(int p, int from, int n) {
      plan.computing(p).run(ins[p], place(p, from, 0, 0), length, n);
    }

    @Override
    void sum(int p, Sum sum, int share, int from, int n) {
      plan.folding(p).fold(ins[p], place(p, from, 0, 0), length, n, sums, 0, 1);
      int row = offset[sum.to()] + share * length;
      int[] at = {0, 1, 0};
      merge(Fn2.ADD).rows(new Object[] {sums}, at, 1, length, all[sum.to()], row);
    }

    @Override
    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      int slot = position(fold.to(), from, 0);
      Rows.of(dtype).fill(to, slot, 1, n, FoldKernel.start(fold.combine(), dtype));
      plan.folding(p).rows(ins[p], place(p, from, 0, 0), length, n, to, slot);
    }
  }
}
