package ndgrad.kernel.loop;

import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.stream.IntStream;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.InnerStrides;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Simplify;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * Passes over the rows of arrays, such as softmax takes: all passes over some rows follow each
 * other while these are in the second-level cache, and nothing of an array's size is made. How rows
 * are dealt out depends on the shape alone, so results do not depend on the number of threads.
 * Immutable and safe to share between threads; kernels are compiled when it runs first.
 *
 * <p>Operands are numbered. Each is a matrix of a row after the other; one row for all; a column of
 * a number for each row; or one number. Those that a caller does not give are columns that live for
 * some rows only.
 */
public final class RowProgram {
  /**
   * Elements of the rows that are taken at a time. Of three float32 arrays they fill 192 KiB: each
   * call of a kernel costs more than reading from the second cache instead of the first.
   */
  private static final int BLOCK = 16384;

  /** Elements that are folded into the accumulators of a kernel before these are combined. */
  private static final int SEGMENT = 8192;

  /** Fewer rows than this are taken one after the other, by all threads, when they are long. */
  private static final int FEW = 8;

  /** Elements worth a thread. */
  private static final int GRAIN = 8192;

  /** Shares that rows are dealt out in. */
  private static final int SHARES = 32;

  /** Rows of a share, whose sums are made one after the other. */
  private static final int SHARE = 512;

  /** One pass over some rows. */
  public sealed interface Pass {

    /**
     * Where the results go.
     *
     * @return the operand that is written
     */
    int to();

    /**
     * What is computed.
     *
     * @return an expression whose inputs are operands
     */
    Expr of();
  }

  /**
   * Combines the values of each row into a column.
   *
   * @param to the column
   * @param combine ADD, MUL, MAX or MIN
   * @param of the values
   */
  public record Fold(int to, Fn2 combine, Expr of) implements Pass {}

  /**
   * Computes each element of a matrix.
   *
   * @param to the matrix
   * @param of its elements
   */
  public record Each(int to, Expr of) implements Pass {}

  /**
   * Computes each number of a column.
   *
   * @param to the column
   * @param of its numbers, of columns and single numbers
   */
  public record Column(int to, Expr of) implements Pass {}

  /**
   * Adds the rows of values up.
   *
   * @param to a matrix of {@link #shares} rows: each becomes a part of the sum
   * @param of the values
   */
  public record Sum(int to, Expr of) implements Pass {}

  /** Is called when all passes over some rows are done; calls may come at the same time. */
  @FunctionalInterface
  public interface Done {

    /**
     * Some rows are done.
     *
     * @param from the first
     * @param to one after the last
     */
    void rows(int from, int to);
  }

  private final Pass[] passes;
  private final int[][] operands;
  private final int count;
  private final ConcurrentHashMap<Key, Object[]> kernels = new ConcurrentHashMap<>();

  /** What kernels are compiled for: bit k of a mask tells of operand or pass k. */
  private record Key(DType dtype, int inner, int outer, int aligned, Forms.Mode mode) {}

  private RowProgram(Pass... passes) {
    this.passes = passes;
    this.operands = new int[passes.length][];
    int most = 0;
    for (int p = 0; p < passes.length; p++) {
      Expr of = passes[p].of();
      int inputs = new Dag(of).inputs();
      IntStream read = IntStream.range(0, inputs).filter(of::uses);
      operands[p] = IntStream.concat(IntStream.of(passes[p].to()), read).toArray();
      most = Math.max(most, Math.max(inputs, passes[p].to() + 1));
    }
    this.count = most;
  }

  /**
   * Prepares passes.
   *
   * @param passes in their order
   * @return the program
   */
  public static RowProgram of(Pass... passes) {
    return new RowProgram(passes.clone());
  }

  /**
   * How many shares a shape's rows are dealt out in.
   *
   * @param rows the number of rows
   * @param length elements of a row
   * @return at least 1
   */
  public static int shares(int rows, int length) {
    if (isWide(rows, length)) {
      return 1;
    }
    long size = (long) rows * length;
    int most = Math.clamp(size / GRAIN, 1, SHARES);
    return Math.max(1, Math.min(rows, Math.max(most, rows / SHARE)));
  }

  private static boolean isWide(int rows, int length) {
    return rows < FEW && length >= 2 * SEGMENT;
  }

  /**
   * Runs the passes over all rows.
   *
   * @param rows the number of rows
   * @param length elements of a row
   * @param done is told of rows
   * @param given the first operands, or more than there are; all of one floating dtype: matrices of
   *     shape [rows length] (or {@link #shares} for the targets of sums), rows of shape [length] or
   *     [1 length], columns of shape [rows 1], numbers of shape []. Elements of a row, and those of
   *     a column, lie next to each other, or are one
   */
  public void run(int rows, int length, Done done, Strided... given) {
    if (rows == 0) {
      return;
    }
    Run run = new Run(rows, length, given);
    if (isWide(rows, length)) {
      run.wide();
      done.rows(0, rows);
      return;
    }
    int shares = shares(rows, length);
    long each = Math.max(1, (long) rows * length / shares);
    Threads.parallelFor(
        shares,
        (int) Math.max(1, GRAIN / each),
        () -> {
          Run.Worker worker = run.worker();
          return (from, to) -> {
            for (int share = from; share < to; share++) {
              worker.share(share, shares, done);
            }
          };
        });
  }

  /**
   * Runs the passes over all rows.
   *
   * @param rows the number of rows
   * @param length elements of a row
   * @param given the first operands, as {@link #run(int, int, Done, Strided...)} takes them
   */
  public void run(int rows, int length, Strided... given) {
    run(rows, length, (_, _) -> {}, given);
  }

  // ---- kernels

  private Object[] compile(Key key) {
    Object[] result = new Object[passes.length];
    for (int p = 0; p < passes.length; p++) {
      int[] read = Arrays.copyOfRange(operands[p], 1, operands[p].length);
      Expr of = passes[p].of().substitute(i -> Expr.in(Arrays.binarySearch(read, i)));
      result[p] =
          switch (passes[p]) {
            case Fold(int _, Fn2 combine, Expr _) -> fold(of, combine, read, key);
            case Sum _ -> fold(of, Fn2.ADD, read, key);
            case Each _ -> each(of, read, key.dtype, key.inner, (key.aligned >> p & 1) != 0);
            case Column _ -> each(of, read, key.dtype, key.outer, false);
          };
    }
    return result;
  }

  private static FoldKernel fold(Expr of, Fn2 combine, int[] read, Key key) {
    DType[] stored = new DType[read.length];
    Arrays.fill(stored, key.dtype);
    List<FoldKernel.Step> steps =
        IntStream.of(read).mapToObj(k -> FoldKernel.Step.of(key.inner >> k & 1)).toList();
    return FoldKernel.of(
        new FoldKernel.Spec(of, combine, key.dtype, key.dtype, List.of(stored), steps));
  }

  private static Kernel each(Expr of, int[] read, DType dtype, int unit, boolean aligned) {
    DType[] stored = new DType[read.length + 1];
    Arrays.fill(stored, dtype);
    long strides = InnerStrides.ones(1);
    for (int i = 0; i < read.length; i++) {
      strides = InnerStrides.with(strides, i + 1, unit >> read[i] & 1);
    }
    return Forms.kernel(
        new Dag(Simplify.of(of)),
        stored,
        Arrays.copyOf(stored, read.length),
        aligned ? Kernel.Form.ALIGNED : Kernel.Form.FIXED,
        strides);
  }

  /** One run over some operands: where they are and how they lie. */
  private final class Run {
    private final DType dtype;
    private final int rows;
    private final int length;
    private final int given;
    private final Object[] data = new Object[count];
    private final int[] offset = new int[count];
    private final int[] inner = new int[count];
    private final int[] outer = new int[count];
    private final Object[] compiled;

    Run(int rows, int length, Strided... operands) {
      this.dtype = operands[0].dtype();
      this.rows = rows;
      this.length = length;
      this.given = Math.min(operands.length, count);
      Arrays.fill(outer, 1);
      for (int k = 0; k < given; k++) {
        Layout layout = operands[k].layout();
        data[k] = operands[k].array();
        offset[k] = layout.offset();
        boolean column = layout.ndim() == 2 && layout.dim(1) == 1 && length > 1;
        inner[k] = layout.ndim() == 0 || column ? 0 : 1;
        outer[k] = layout.ndim() < 2 ? 0 : column ? 1 : length;
      }
      Key key = new Key(dtype, mask(inner), mask(outer), aligned(), Forms.mode());
      Object[] known = kernels.get(key);
      this.compiled =
          known != null ? known : kernels.computeIfAbsent(key, RowProgram.this::compile);
    }

    private Worker worker() {
      return new Worker(withScratch(blockRows()));
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
        int to = operands[p][0];
        for (int k : operands[p]) {
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
          merge(fold.combine())
              .fold(
                  new Object[] {partial},
                  new int[] {0, 1, segments},
                  rows,
                  segments,
                  all[fold.to()],
                  offset[fold.to()],
                  1);
        }
      }
    }

    private int segments() {
      return (length + SEGMENT - 1) / SEGMENT;
    }

    private FoldKernel merge(Fn2 combine) {
      return Reduction.combine(combine, dtype);
    }

    /** What one thread needs. */
    private final class Worker {
      private final Object[] all;
      private final Object[][] ins = new Object[passes.length][];
      private final int[][] at = new int[passes.length][];
      private final Object partial;

      Worker(Object[] all) {
        this.all = all;
        this.partial = length > SEGMENT ? dtype.newArray(segments()) : all[0];
        for (int p = 0; p < passes.length; p++) {
          int[] ops = operands[p];
          boolean folds = passes[p] instanceof Fold || passes[p] instanceof Sum;
          boolean column = passes[p] instanceof Column;
          int skip = folds ? 1 : 0;
          int n = ops.length - skip;
          ins[p] = new Object[n];
          at[p] = new int[3 * n];
          for (int i = 0; i < n; i++) {
            int k = ops[i + skip];
            ins[p][i] = all[k];
            at[p][n + i] = column ? outer[k] : inner[k];
            at[p][2 * n + i] = column ? 0 : outer[k];
          }
        }
      }

      /** Where a row's number in a column is, or its first element. */
      private int position(int k, int row, int local) {
        return k < given ? offset[k] + row * outer[k] : local;
      }

      /** Sets the positions of a pass's operands to an element of a row. */
      private int[] place(int p, int row, int local, int column) {
        int[] ops = operands[p];
        int[] where = at[p];
        int n = ins[p].length;
        int skip = ops.length - n;
        for (int i = 0; i < n; i++) {
          int k = ops[i + skip];
          where[i] = position(k, row, local) + column * inner[k];
        }
        return where;
      }

      void share(int share, int shares, Done done) {
        int end = (int) ((long) rows * (share + 1) / shares);
        int block = blockRows();
        for (int from = (int) ((long) rows * share / shares); from < end; from += block) {
          int n = Math.min(block, end - from);
          for (int p = 0; p < passes.length; p++) {
            switch (passes[p]) {
              case Fold fold -> fold(p, fold, from, n);
              case Each _ -> ((Kernel) compiled[p]).run(ins[p], place(p, from, 0, 0), n, length);
              case Column _ -> column(p, from, 0, n);
              case Sum sum -> {
                int row = offset[sum.to()] + share * length;
                int[] where = place(p, from, 0, 0);
                ((FoldKernel) compiled[p]).rows(ins[p], where, n, length, all[sum.to()], row);
              }
            }
          }
          done.rows(from, from + n);
        }
      }

      private void fold(int p, Fold fold, int from, int n) {
        FoldKernel kernel = (FoldKernel) compiled[p];
        Object to = all[fold.to()];
        if (length <= SEGMENT) {
          int slot = position(fold.to(), from, 0);
          kernel.fold(ins[p], place(p, from, 0, 0), n, length, to, slot, 1);
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
        int[] where = place(p, row, local, column);
        ((FoldKernel) compiled[p]).fold(ins[p], where, 1, n, out, slot, 1);
      }

      void column(int p, int row, int local, int n) {
        ((Kernel) compiled[p]).run(ins[p], place(p, row, local, 0), 1, n);
      }

      /** A segment of a row; of a sum, of all rows. */
      void segment(int p, int row, int segment, Object out, int slot) {
        int column = segment * SEGMENT;
        int n = Math.min(SEGMENT, length - column);
        int[] where = place(p, row, row, column);
        switch (passes[p]) {
          case Fold _ -> foldSegment(p, row, row, segment, out, slot);
          case Each _ -> ((Kernel) compiled[p]).run(ins[p], where, 1, n);
          case Sum sum ->
              ((FoldKernel) compiled[p])
                  .rows(ins[p], where, rows, n, all[sum.to()], offset[sum.to()] + column);
          case Column _ -> throw new AssertionError(passes[p]);
        }
      }
    }

    private int blockRows() {
      return Math.min(rows, Math.max(1, BLOCK / Math.max(1, length)));
    }
  }
}
