package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.CLASS_INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.DType;

/**
 * Writes {@link BlockKernel}s that transpose: {@code to[q + i*qs + j] = from[p + j*ps + i]}, rows
 * being a multiple of the number of lanes, too. A square is transposed in registers, by halves: two
 * rows that are w apart swap the lanes whose numbers differ in the bit w, for w = 1, 2, 4 and so on
 * (J. O. Eklundh, "A fast computer method for matrix transposing", IEEE Trans. Comput. C-21, 1972).
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
  private final int side;
  private final ClassDesc self = Generated.name(BlockKernel.class);
  private final ClassDesc array;

  private VectorTransposes(CodeBuilder code, DType dtype) {
    this.code = code;
    this.ops = new VectorOps(dtype);
    this.side = Forms.lanes(dtype);
    this.array = dtype.primitive().describeConstable().orElseThrow().arrayType();
  }

  /**
   * Makes a kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static BlockKernel compile(DType dtype) {
    return Generated.instance(
        BlockKernel.class,
        type -> {
          constants(type, Forms.lanes(dtype));
          type.withMethodBody(
              CLASS_INIT_NAME,
              MTD_void,
              ClassFile.ACC_STATIC,
              c -> new VectorTransposes(c, dtype).setConstants());
          type.withMethodBody(
              "run", RUN, ClassFile.ACC_PUBLIC, c -> new VectorTransposes(c, dtype).run());
        });
  }

  private static void constants(ClassBuilder type, int side) {
    int constant = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;
    for (int w : bits(side)) {
      type.withField(swap(w), VectorOps.SHUFFLE, constant);
      type.withField(upper(w), VectorOps.MASK, constant);
    }
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

  private void setConstants() {
    for (int w : bits(side)) {
      int[] lanes = new int[side];
      long mask = 0;
      for (int i = 0; i < side; i++) {
        lanes[i] = i ^ w;
        mask |= (i & w) != 0 ? 1L << i : 0;
      }
      ops.shuffle(code, lanes);
      code.putstatic(self, swap(w), VectorOps.SHUFFLE);
      ops.mask(code, mask);
      code.putstatic(self, upper(w), VectorOps.MASK);
    }
    code.return_();
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
    swapLanes(w);
    takeUpper(w);
    code.aload(row);
    swapLanes(w);
    code.aload(below);
    takeUpper(w);
    code.astore(below).astore(row);
  }

  /** vector → vector. */
  private void swapLanes(int w) {
    code.getstatic(self, swap(w), VectorOps.SHUFFLE);
    ops.rearrange(code);
  }

  /** vector, vector → the first one with lanes of the second. */
  private void takeUpper(int w) {
    code.getstatic(self, upper(w), VectorOps.MASK);
    ops.blend(code);
  }
}
