package ndgrad.kernel.loop;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Done;
import ndgrad.kernel.loop.RowProgram.Each;
import ndgrad.kernel.loop.RowProgram.Fold;
import ndgrad.kernel.loop.RowProgram.Pass;
import ndgrad.kernel.loop.RowProgram.Sum;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Rows;

/**
 * One run of a {@link RowProgram} over some operands: where they are and how they lie. Kernels go
 * along rows; where rows are short and many, down the columns of {@linkplain ShortRows turned}
 * blocks.
 */
final class RowRun {
  /**
   * Elements of the rows that are taken at a time. Of three float32 arrays they fill 192 KiB: each
   * call of a kernel costs more than reading from the second cache instead of the first.
   */
  private static final int BLOCK = 16384;

  private static final int SEGMENT = RowProgram.SEGMENT;

  private final RowProgram program;
  private final Pass[] passes;
  private final int count;
  private final DType dtype;
  private final int rows;
  private final int length;
  private final int given;
  private final boolean turned;
  private final int block;
  private final Object[] data;
  private final int[] offset;

  /** From a row to the next. */
  private final int[] down;

  // The strides of the two loops of a kernel.
  private final int[] inner;
  private final int[] outer;

  /** The operands that are turned: matrices, but for those that rows are added up to. */
  private final boolean[] isTurned;

  private final Object[] kernels;

  RowRun(RowProgram program, int rows, int length, Strided... operands) {
    this.program = program;
    this.passes = program.passes();
    this.count = program.operands();
    this.dtype = operands[0].dtype();
    this.rows = rows;
    this.length = length;
    this.given = Math.min(operands.length, count);
    this.turned = ShortRows.areMany(rows, length);
    this.block =
        turned ? ShortRows.block(rows, length) : Math.clamp(BLOCK / Math.max(1, length), 1, rows);
    this.data = new Object[count];
    this.offset = new int[count];
    this.down = new int[count];
    this.inner = new int[count];
    this.outer = turned ? new int[count] : down;
    this.isTurned = new boolean[turned ? count : 0];
    Arrays.fill(down, 1);
    for (int k = 0; k < given; k++) {
      data[k] = operands[k].array();
      offset[k] = operands[k].layout().offset();
      lay(k, operands[k].layout());
    }
    for (int k = given; turned && k < count; k++) {
      inner[k] = 1;
    }
    this.kernels = program.kernels(dtype, mask(inner), mask(down), turned ? 0 : aligned());
  }

  private void lay(int k, Layout layout) {
    boolean column = layout.ndim() == 2 && layout.dim(1) == 1 && length > 1;
    boolean matrix = layout.ndim() == 2 && !column;
    int along = layout.ndim() == 0 || column ? 0 : 1;
    down[k] = matrix ? length : column ? 1 : 0;
    inner[k] = along;
    if (turned) {
      inner[k] = matrix || column ? 1 : 0;
      outer[k] = matrix ? block : along;
      isTurned[k] = matrix && (program.takes(k) || program.makes(k));
    }
  }

  private int mask(int[] strides) {
    int mask = 0;
    for (int k = 0; k < count; k++) {
      mask |= strides[k] != 0 ? 1 << k : 0;
    }
    return mask;
  }

  /** The passes whose operands are at one position as far as they move along rows. */
  private int aligned() {
    int mask = 0;
    for (int p = 0; p < passes.length; p++) {
      boolean same = true;
      int to = passes[p].to();
      for (int k : program.operands(p)) {
        same &= inner[k] == 0 || offset[k] == offset[to] && outer[k] == outer[to];
      }
      mask |= same ? 1 << p : 0;
    }
    return mask;
  }

  /** Makes the columns that the caller did not give. */
  private Object[] withScratch(int length) {
    Object[] all = data.clone();
    for (int k = given; k < count; k++) {
      all[k] = dtype.newArray(length);
    }
    return all;
  }

  /** What one thread needs. */
  Worker worker() {
    Object[] all = withScratch(block);
    return turned ? new Turned(all) : new Worker(all);
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
        int[] ops = program.operands(p);
        int n = ops.length;
        ins[p] = new Object[n];
        at[p] = new int[3 * n];
        for (int i = 0; i < n; i++) {
          int k = ops[i];
          boolean column = passes[p] instanceof Column;
          ins[p][i] = all[k];
          at[p][n + i] = column ? down[k] : inner[k];
          at[p][2 * n + i] = column ? 0 : outer[k];
        }
      }
    }

    /** Where a row's number in a column is, or its first element. */
    int position(int k, int row, int local) {
      return k < given ? offset[k] + row * down[k] : local;
    }

    /** Sets the positions of a pass's operands to an element of a row. */
    final int[] place(int p, int row, int local, int column) {
      int[] ops = program.operands(p);
      for (int i = 0; i < ops.length; i++) {
        at[p][i] = position(ops[i], row, local) + column * inner[ops[i]];
      }
      return at[p];
    }

    final FoldKernel folding(int p) {
      return (FoldKernel) kernels[p];
    }

    final Kernel computing(int p) {
      return (Kernel) kernels[p];
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
      computing(p).run(ins[p], place(p, from, 0, 0), n, length);
    }

    void sum(int p, Sum sum, int share, int from, int n) {
      int row = offset[sum.to()] + share * length;
      folding(p).rows(ins[p], place(p, from, 0, 0), n, length, all[sum.to()], row);
    }

    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      if (length <= SEGMENT) {
        int slot = position(fold.to(), from, 0);
        folding(p).fold(ins[p], place(p, from, 0, 0), n, length, to, slot, 1);
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
      folding(p).fold(ins[p], place(p, row, local, column), 1, n, out, slot, 1);
    }

    final void column(int p, int row, int local, int n) {
      computing(p).run(ins[p], place(p, row, local, 0), 1, n);
    }

    /** A segment of a row; of a sum, of all rows. */
    private void segment(int p, int row, int segment, Object out, int slot) {
      int column = segment * SEGMENT;
      int n = Math.min(SEGMENT, length - column);
      switch (passes[p]) {
        case Fold _ -> foldSegment(p, row, row, segment, out, slot);
        case Each _ -> computing(p).run(ins[p], place(p, row, row, column), 1, n);
        case Sum sum -> {
          int[] where = place(p, row, row, column);
          folding(p).rows(ins[p], where, rows, n, all[sum.to()], offset[sum.to()] + column);
        }
        case Column _ -> throw new AssertionError(passes[p]);
      }
    }
  }

  /** The same down the columns of turned blocks. */
  private final class Turned extends Worker {
    private final Object sums = dtype.newArray(length);

    Turned(Object[] all) {
      super(ShortRows.buffers(_ -> dtype, all, k -> isTurned[k], block, length));
    }

    @Override
    int position(int k, int row, int local) {
      return isTurned[k] ? 0 : super.position(k, row, local);
    }

    @Override
    void begin(int from, int n) {
      for (int k = 0; k < given; k++) {
        if (isTurned[k] && program.takes(k)) {
          int p = super.position(k, from, 0);
          Blocks.of(dtype).turn(data[k], p, length, all[k], block, n, length);
        }
      }
    }

    @Override
    void end(int from, int n) {
      for (int k = 0; k < given; k++) {
        if (isTurned[k] && program.makes(k)) {
          int q = super.position(k, from, 0);
          Blocks.of(dtype).turnBack(all[k], block, data[k], q, n, length);
        }
      }
    }

    @Override
    void each(int p, int from, int n) {
      computing(p).run(ins[p], place(p, from, 0, 0), length, n);
    }

    @Override
    void sum(int p, Sum sum, int share, int from, int n) {
      folding(p).fold(ins[p], place(p, from, 0, 0), length, n, sums, 0, 1);
      int row = offset[sum.to()] + share * length;
      int[] at = {0, 1, 0};
      merge(Fn2.ADD).rows(new Object[] {sums}, at, 1, length, all[sum.to()], row);
    }

    @Override
    void fold(int p, Fold fold, int from, int n) {
      Object to = all[fold.to()];
      int slot = position(fold.to(), from, 0);
      Rows.of(dtype).fill(to, slot, 1, n, FoldKernel.start(fold.combine(), dtype));
      folding(p).rows(ins[p], place(p, from, 0, 0), length, n, to, slot);
    }
  }
}
