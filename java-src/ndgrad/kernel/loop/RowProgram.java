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
  /** Elements that are folded into the accumulators of a kernel before these are combined. */
  static final int SEGMENT = 8192;

  /** Fewer rows than this are taken one after the other, by all threads, when they are long. */
  private static final int FEW = 8;

  /** Elements worth a thread. */
  private static final int GRAIN = 8192;

  /** Shares that rows are dealt out in. */
  private static final int SHARES = 32;

  /** Rows of a share, whose sums are made one after the other. */
  private static final int SHARE = 512;

  /** Plans that are remembered: a power of two. */
  private static final int REMEMBERED = 8;

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
  private final boolean[] takes;
  private final boolean[] makes;
  private final ConcurrentHashMap<Key, Object[]> kernels = new ConcurrentHashMap<>();

  /** Of late runs. Races lose at worst what another thread has remembered. */
  private final RowPlan[] plans = new RowPlan[REMEMBERED];

  /** What kernels are compiled for: bit k of a mask tells of operand or pass k. */
  private record Key(DType dtype, int inner, int down, int aligned, Forms.Mode mode) {}

  private RowProgram(Pass... passes) {
    this.passes = passes;
    this.operands = new int[passes.length][];
    int most = 0;
    for (int p = 0; p < passes.length; p++) {
      Expr of = passes[p].of();
      int inputs = new Dag(of).inputs();
      IntStream read = IntStream.range(0, inputs).filter(of::uses);
      IntStream written = folds(passes[p]) ? IntStream.empty() : IntStream.of(passes[p].to());
      operands[p] = IntStream.concat(written, read).toArray();
      most = Math.max(most, Math.max(inputs, passes[p].to() + 1));
    }
    this.count = most;
    this.takes = new boolean[count];
    this.makes = new boolean[count];
    for (int p = 0; p < passes.length; p++) {
      for (int k : operands[p]) {
        takes[k] |= !makes[k] && passes[p].of().uses(k);
      }
      makes[passes[p].to()] |= passes[p] instanceof Each;
    }
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
    RowRun run = new RowRun(plan(rows, length, given), given);
    if (isWide(rows, length)) {
      run.wide();
      done.rows(0, rows);
      return;
    }
    int shares = shares(rows, length);
    if (shares == 1) {
      run.worker().share(0, 1, done);
      return;
    }
    long each = Math.max(1, (long) rows * length / shares);
    Threads.parallelFor(
        shares,
        (int) Math.max(1, GRAIN / each),
        () -> {
          RowRun.Worker worker = run.worker();
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

  private RowPlan plan(int rows, int length, Strided[] given) {
    int place = given[0].layout().place() & REMEMBERED - 1;
    RowPlan known = plans[place];
    if (known != null && known.isOf(rows, length, given)) {
      return known;
    }
    RowPlan made = new RowPlan(this, rows, length, given);
    plans[place] = made;
    return made;
  }

  // ---- what a plan and a run ask for

  Pass[] passes() {
    return passes;
  }

  /** How many operands there are, those for which a caller has none too. */
  int operands() {
    return count;
  }

  /** The operands of a pass's kernel: what it writes, unless it folds, then what it reads. */
  int[] operands(int pass) {
    return operands[pass];
  }

  /** Whether the elements of a matrix are read before a pass has made them. */
  boolean takes(int operand) {
    return takes[operand];
  }

  /** Whether a pass makes the elements of a matrix. */
  boolean makes(int operand) {
    return makes[operand];
  }

  /**
   * The kernel of each pass.
   *
   * @param dtype of all operands
   * @param inner bit k: whether operand k moves along the inner loop
   * @param down bit k: whether it moves from row to row
   * @param aligned bit p: whether those of pass p that move are at one position
   */
  Object[] kernels(DType dtype, int inner, int down, int aligned) {
    Key key = new Key(dtype, inner, down, aligned, Forms.mode());
    Object[] known = kernels.get(key);
    return known != null ? known : kernels.computeIfAbsent(key, this::compile);
  }

  // ---- kernels

  private Object[] compile(Key key) {
    Object[] result = new Object[passes.length];
    for (int p = 0; p < passes.length; p++) {
      int skip = folds(passes[p]) ? 0 : 1;
      int[] read = Arrays.copyOfRange(operands[p], skip, operands[p].length);
      Expr of = passes[p].of().substitute(i -> Expr.in(Arrays.binarySearch(read, i)));
      result[p] =
          switch (passes[p]) {
            case Fold(int _, Fn2 combine, Expr _) -> fold(of, combine, read, key);
            case Sum _ -> fold(of, Fn2.ADD, read, key);
            case Each _ -> each(of, read, key.dtype, key.inner, (key.aligned >> p & 1) != 0);
            case Column _ -> each(of, read, key.dtype, key.down, false);
          };
    }
    return result;
  }

  private static boolean folds(Pass pass) {
    return pass instanceof Fold || pass instanceof Sum;
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
}
