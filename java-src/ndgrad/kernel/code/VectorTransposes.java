package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import ndgrad.DType;

/**
 * Writes {@link BlockKernel}s that transpose: {@code to[q + i*qs + j] = from[p + j*ps + i]}, rows
 * being a multiple of the number of lanes, too. Squares are transposed in registers.
 */
public final class VectorTransposes {
  private static final MethodTypeDesc RUN =
      MethodTypeDesc.of(
          CD_void, CD_Object, CD_int, CD_int, CD_Object, CD_int, CD_int, CD_int, CD_int);

  // The parameters' slots.
  private static final int FROM = 1;
  private static final int P = 2;
  private static final int PS = 3;
  private static final int TO = 4;
  private static final int Q = 5;
  private static final int QS = 6;
  private static final int ROWS = 7;
  private static final int N = 8;

  private final CodeBuilder code;
  private final VectorOps ops;
  private final LaneSwaps swaps;
  private final int side;
  private final ClassDesc array;

  private VectorTransposes(CodeBuilder code, VectorOps ops, LaneSwaps swaps) {
    this.code = code;
    this.ops = ops;
    this.swaps = swaps;
    this.side = Forms.lanes(ops.dtype());
    this.array = ops.array();
  }

  /**
   * Makes a kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static BlockKernel compile(DType dtype) {
    VectorOps ops = new VectorOps(dtype);
    LaneSwaps swaps = new LaneSwaps(Generated.name(BlockKernel.class), ops);
    return Generated.instance(
        BlockKernel.class,
        type -> {
          swaps.declare(type);
          type.withMethodBody(
              "run",
              RUN,
              ClassFile.ACC_PUBLIC,
              code -> new VectorTransposes(code, ops, swaps).run());
        });
  }

  private void run() {
    code.aload(FROM).checkcast(array).astore(FROM);
    code.aload(TO).checkcast(array).astore(TO);
    Loops.upTo(code, N, side, j -> Loops.upTo(code, ROWS, side, i -> square(i, j)));
    code.return_();
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
    swaps.transpose(code, rows);
    code.iload(Q).iload(i).iload(QS).imul().iadd().iload(j).iadd();
    int to = Loops.store(code, TypeKind.INT);
    for (int r = 0; r < side; r++) {
      code.aload(rows[r]).aload(TO).iload(to).loadConstant(r).iload(QS).imul().iadd();
      ops.store(code);
    }
  }
}
