package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.util.List;
import ndgrad.DType;

/**
 * Writes {@link BlockKernel}s that collect every second element: {@code to[q + i*qs + j] = from[p +
 * i*ps + 2*j]}. The element behind the last one of a row is read, too.
 */
public final class VectorSteps extends VectorBlocks {
  private static final String EVEN = "even";
  private static final String UPPER = "upper";

  private VectorSteps(CodeBuilder code, DType dtype) {
    super(code, dtype);
  }

  /**
   * Makes a kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static BlockKernel compile(DType dtype) {
    return compile(dtype, List.of(EVEN), List.of(UPPER), c -> new VectorSteps(c, dtype));
  }

  /** The even lanes, twice: either of two vectors gives one half of the result. */
  @Override
  void constants() {
    int[] even = new int[side];
    for (int i = 0; i < side; i++) {
      even[i] = 2 * i % side;
    }
    setShuffle(EVEN, even);
    setMask(UPPER, -1L >>> 64 - side & -1L << side / 2);
  }

  @Override
  void moves() {
    Loops.upTo(code, ROWS, 1, i -> Loops.upTo(code, N, side, j -> move(i, j)));
  }

  private void move(int i, int j) {
    load(i, j, 0);
    rearrange(EVEN);
    load(i, j, side);
    rearrange(EVEN);
    blend(UPPER);
    code.aload(TO).iload(Q).iload(i).iload(QS).imul().iadd().iload(j).iadd();
    ops.store(code);
  }

  private void load(int i, int j, int more) {
    ops.species(code);
    code.aload(FROM).iload(P).iload(i).iload(PS).imul().iadd();
    code.iload(j).iconst_1().ishl().iadd().loadConstant(more).iadd();
    ops.load(code);
  }
}
