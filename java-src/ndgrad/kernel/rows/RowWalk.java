package ndgrad.kernel.rows;

import java.util.Arrays;
import ndgrad.kernel.memory.Layout;

/**
 * The loop nest over layouts of one shape in row-major order: neighbouring dimensions that every
 * layout steps through evenly are merged, the innermost one is left to a row kernel, the others are
 * counted by an odometer.
 */
public final class RowWalk {
  /** How many rows there are: the product of all dimensions but the innermost. */
  public final int rows;

  /** The length of a row. */
  public final int n;

  private final int[] dims;
  private final int[][] strides;
  private final int[] steps;
  private final int[] offsets;

  /**
   * Plans the walk.
   *
   * @param layouts at least one, all of one shape
   */
  public RowWalk(Layout... layouts) {
    int ndim = layouts[0].ndim();
    int[] d = new int[Math.max(ndim, 1)];
    int[][] s = new int[layouts.length][d.length];
    int top = -1;
    for (int axis = 0; axis < ndim; axis++) {
      int length = layouts[0].dim(axis);
      if (length == 1) {
        continue;
      }
      boolean merge = top >= 0;
      for (int k = 0; merge && k < layouts.length; k++) {
        merge = s[k][top] == layouts[k].stride(axis) * length;
      }
      top += merge ? 0 : 1;
      d[top] = merge ? d[top] * length : length;
      for (int k = 0; k < layouts.length; k++) {
        s[k][top] = layouts[k].stride(axis);
      }
    }
    long size = layouts[0].size();
    n = size == 0 ? 0 : top < 0 ? 1 : d[top];
    rows = size == 0 ? 0 : Math.toIntExact(size / n);
    dims = Arrays.copyOf(d, size == 0 ? 0 : Math.max(top, 0));
    strides = s;
    steps = new int[layouts.length];
    offsets = new int[layouts.length];
    for (int k = 0; k < layouts.length; k++) {
      steps[k] = top < 0 ? 1 : s[k][top];
      offsets[k] = layouts[k].offset();
    }
  }

  /**
   * The step from one element of a row to the next.
   *
   * @param k which layout
   * @return its step
   */
  public int step(int k) {
    return steps[k];
  }

  /**
   * An odometer.
   *
   * @param row where it stands at first
   * @return the odometer
   */
  public Cursor at(int row) {
    return new Cursor(row);
  }

  /** The positions at which the rows of layout k begin. */
  int[] starts(int k) {
    int[] out = new int[rows];
    Cursor c = at(0);
    for (int row = 0; row < rows; row++, c.next()) {
      out[row] = c.position(k);
    }
    return out;
  }

  /** Counts through the rows. */
  public final class Cursor {
    private final int[] index = new int[dims.length];
    private final int[] positions = offsets.clone();

    private Cursor(int row) {
      int rest = row;
      for (int axis = dims.length - 1; axis >= 0; axis--) {
        index[axis] = rest % dims[axis];
        rest /= dims[axis];
        for (int k = 0; k < positions.length; k++) {
          positions[k] += index[axis] * strides[k][axis];
        }
      }
    }

    /**
     * Where the row begins.
     *
     * @param k in which layout
     * @return the position
     */
    public int position(int k) {
      return positions[k];
    }

    /** Goes to the next row. */
    public void next() {
      for (int axis = dims.length - 1; axis >= 0; axis--) {
        boolean carry = ++index[axis] == dims[axis];
        for (int k = 0; k < positions.length; k++) {
          positions[k] += carry ? -(dims[axis] - 1) * strides[k][axis] : strides[k][axis];
        }
        if (!carry) {
          return;
        }
        index[axis] = 0;
      }
    }
  }
}
