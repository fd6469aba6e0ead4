package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.DType;

/**
 * Writes {@link BlockKernel}s that transpose: {@code to[q + i*qs + j] = from[p + j*ps + i]}, rows
 * being a multiple of the number of lanes, too. A square is transposed in registers, by halves: two
 * rows that are w apart swap the lanes whose numbers differ in the bit w, for w = 1, 2, 4 and so on
 * (J. O. Eklundh, "A fast computer method for matrix transposing", IEEE Trans. Comput. C-21, 1972).
 */
public final class VectorTransposes extends VectorBlocks {
  private VectorTransposes(CodeBuilder code, DType dtype) {
    super(code, dtype);
  }

  /**
   * Makes a kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static BlockKernel compile(DType dtype) {
    List<Integer> bits = bits(Forms.lanes(dtype));
    return compile(
        dtype,
        bits.stream().map(VectorTransposes::swap).toList(),
        bits.stream().map(VectorTransposes::upper).toList(),
        c -> new VectorTransposes(c, dtype));
  }

  private static List<Integer> bits(int side) {
    return IntStream.iterate(1, w -> w < side, w -> 2 * w).boxed().toList();
  }

  /** The shuffle that swaps lanes that are w apart. */
  private static String swap(int w) {
    return "swap" + w;
  }

  /** The mask of the lanes whose numbers have the bit w. */
  private static String upper(int w) {
    return "upper" + w;
  }

  @Override
  void constants() {
    for (int w : bits(side)) {
      int[] lanes = new int[side];
      long mask = 0;
      for (int i = 0; i < side; i++) {
        lanes[i] = i ^ w;
        mask |= (i & w) != 0 ? 1L << i : 0;
      }
      setShuffle(swap(w), lanes);
      setMask(upper(w), mask);
    }
  }

  @Override
  void moves() {
    Loops.upTo(code, N, side, j -> Loops.upTo(code, ROWS, side, i -> square(i, j)));
  }

  private void square(int i, int j) {
    code.iload(P).iload(j).iload(PS).imul().iadd().iload(i).iadd();
    int from = Loops.store(code, TypeKind.INT);
    int[] rows = new int[side];
    for (int r = 0; r < side; r++) {
      ops.species(code);
      code.aload(FROM).iload(from).loadConstant(r).iload(PS).imul().iadd();
      ops.load(code);
      rows[r] = VectorOps.keep(code);
    }
    for (int w = 1; w < side; w *= 2) {
      for (int r = 0; r < side; r++) {
        if ((r & w) == 0) {
          exchange(rows[r], rows[r + w], w);
        }
      }
    }
    code.iload(Q).iload(i).iload(QS).imul().iadd().iload(j).iadd();
    int to = Loops.store(code, TypeKind.INT);
    for (int r = 0; r < side; r++) {
      code.aload(rows[r]).aload(TO).iload(to).loadConstant(r).iload(QS).imul().iadd();
      ops.store(code);
    }
  }

  /** Swaps the lanes of a row that have the bit w with those w before them of a row below. */
  private void exchange(int row, int below, int w) {
    code.aload(row).aload(below);
    rearrange(swap(w));
    blend(upper(w));
    code.aload(row);
    rearrange(swap(w));
    code.aload(below);
    blend(upper(w));
    code.astore(below).astore(row);
  }
}
