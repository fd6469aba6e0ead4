package ndgrad.kernel.loop;

import java.util.Arrays;
import ndgrad.DType;
import ndgrad.kernel.code.FoldKernel;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.code.Kernel;
import ndgrad.kernel.loop.RowProgram.Column;
import ndgrad.kernel.loop.RowProgram.Pass;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * How a {@link RowProgram} runs over operands of some layouts, whatever arrays they are of: where
 * their elements are, and which kernels go over them. On a few elements that is most of the work,
 * so programs remember their plans. Kernels go along rows; where rows are short and many, down the
 * columns of {@linkplain ShortRows turned} blocks. Immutable.
 */
final class RowPlan {
  /**
   * Elements of the rows that are taken at a time. Of three float32 arrays they fill 192 KiB: each
   * call of a kernel costs more than reading from the second cache instead of the first.
   */
  private static final int BLOCK = 16384;

  final RowProgram program;
  final DType dtype;
  final int rows;
  final int length;

  /** How many operands the caller gives. */
  final int given;

  final boolean turned;

  /** Rows that are taken at a time. */
  final int block;

  final int[] offset;

  /** From a row to the next. */
  final int[] down;

  // The strides of the two loops of a kernel.
  final int[] inner;
  final int[] outer;

  /** The operands that are turned: matrices, but for those that rows are added up to. */
  final boolean[] isTurned;

  private final Layout[] layouts;
  private final Forms.Mode mode;
  private final Object[] kernels;

  /** For each pass the strides of its kernel's operands, behind room for their positions. */
  private final int[][] at;

  RowPlan(RowProgram program, int rows, int length, Strided... operands) {
    int count = program.operands();
    this.program = program;
    this.dtype = operands[0].dtype();
    this.rows = rows;
    this.length = length;
    this.given = Math.min(operands.length, count);
    this.turned = ShortRows.areMany(rows, length);
    this.block =
        turned ? ShortRows.block(rows, length) : Math.clamp(BLOCK / Math.max(1, length), 1, rows);
    this.offset = new int[count];
    this.down = new int[count];
    this.inner = new int[count];
    this.outer = turned ? new int[count] : down;
    this.isTurned = new boolean[turned ? count : 0];
    this.layouts = new Layout[given];
    Arrays.fill(down, 1);
    for (int k = 0; k < given; k++) {
      layouts[k] = operands[k].layout();
      offset[k] = layouts[k].offset();
      lay(k, layouts[k]);
    }
    for (int k = given; turned && k < count; k++) {
      inner[k] = 1;
    }
    this.mode = Forms.mode();
    this.kernels = program.kernels(dtype, mask(inner), mask(down), turned ? 0 : aligned());
    this.at = strides();
  }

  /** Whether it is that of such a run. */
  boolean isOf(int rows, int length, Strided[] operands) {
    boolean same =
        this.rows == rows
            && this.length == length
            && dtype == operands[0].dtype()
            && mode == Forms.mode()
            && given == Math.min(operands.length, program.operands());
    for (int k = 0; same && k < given; k++) {
      same = layouts[k].equals(operands[k].layout());
    }
    return same;
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

  private static int mask(int[] strides) {
    int mask = 0;
    for (int k = 0; k < strides.length; k++) {
      mask |= strides[k] != 0 ? 1 << k : 0;
    }
    return mask;
  }

  /** The passes whose operands are at one position as far as they move along rows. */
  private int aligned() {
    Pass[] passes = program.passes();
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

  private int[][] strides() {
    Pass[] passes = program.passes();
    int[][] all = new int[passes.length][];
    for (int p = 0; p < all.length; p++) {
      int[] operands = program.operands(p);
      int n = operands.length;
      boolean column = passes[p] instanceof Column;
      all[p] = new int[3 * n];
      for (int i = 0; i < n; i++) {
        all[p][n + i] = column ? down[operands[i]] : inner[operands[i]];
        all[p][2 * n + i] = column ? 0 : outer[operands[i]];
      }
    }
    return all;
  }

  /** A fresh array with the strides of a pass's operands, behind room for their positions. */
  int[] at(int pass) {
    return at[pass].clone();
  }

  FoldKernel folding(int pass) {
    return (FoldKernel) kernels[pass];
  }

  Kernel computing(int pass) {
    return (Kernel) kernels[pass];
  }
}
