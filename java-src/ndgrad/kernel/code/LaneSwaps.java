package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CLASS_INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.util.List;
import java.util.stream.IntStream;

/**
 * Lanes that differ in one bit of their numbers swap places. Shuffles and masks are constants of
 * the generated class, which the JIT keeps in registers.
 */
final class LaneSwaps {
  private static final int CONSTANT = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;

  private final ClassDesc self;
  private final VectorOps ops;
  private final int lanes;

  /**
   * Swaps in the code of a class.
   *
   * @param self the class, which has {@link #declare declared} them
   * @param ops of the vectors
   */
  LaneSwaps(ClassDesc self, VectorOps ops) {
    this.self = self;
    this.ops = ops;
    this.lanes = Forms.lanes(ops.dtype());
  }

  /** The bits of the lanes' numbers, the lowest first. */
  static List<Integer> bits(int lanes) {
    return IntStream.iterate(1, w -> w < lanes, w -> 2 * w).boxed().toList();
  }

  private static String swap(int w) {
    return "swap" + w;
  }

  private static String mirror(int w) {
    return "mirror" + w;
  }

  private static String upper(int w) {
    return "upper" + w;
  }

  /** Declares the constants, and sets them in the initialiser of the class. */
  void declare(ClassBuilder type) {
    for (int w : bits(lanes)) {
      type.withField(swap(w), VectorOps.SHUFFLE, CONSTANT);
      type.withField(mirror(w), VectorOps.SHUFFLE, CONSTANT);
      type.withField(upper(w), VectorOps.MASK, CONSTANT);
    }
    type.withMethodBody(CLASS_INIT_NAME, MTD_void, ClassFile.ACC_STATIC, this::initialise);
  }

  private void initialise(CodeBuilder code) {
    for (int w : bits(lanes)) {
      ops.shuffle(code, IntStream.range(0, lanes).map(i -> i ^ w).toArray());
      code.putstatic(self, swap(w), VectorOps.SHUFFLE);
      ops.shuffle(code, IntStream.range(0, lanes).map(i -> i ^ 2 * w - 1).toArray());
      code.putstatic(self, mirror(w), VectorOps.SHUFFLE);
      long mask = IntStream.range(0, lanes).filter(i -> (i & w) != 0).mapToLong(i -> 1L << i).sum();
      ops.mask(code, mask);
      code.putstatic(self, upper(w), VectorOps.MASK);
    }
    code.return_();
  }

  /** vector → vector; lanes that are w apart swap places. */
  void swap(CodeBuilder code, int w) {
    code.getstatic(self, swap(w), VectorOps.SHUFFLE);
    ops.rearrange(code);
  }

  /** vector → vector; groups of 2w lanes are reversed. */
  void mirror(CodeBuilder code, int w) {
    code.getstatic(self, mirror(w), VectorOps.SHUFFLE);
    ops.rearrange(code);
  }

  /** vector, vector → the first one, its lanes whose numbers have the bit w from the second. */
  void takeUpper(CodeBuilder code, int w) {
    code.getstatic(self, upper(w), VectorOps.MASK);
    ops.blend(code);
  }

  /**
   * Transposes a square in registers, by halves: two rows that are w apart swap the lanes whose
   * numbers differ in the bit w, for w = 1, 2, 4 and so on (J. O. Eklundh, "A fast computer method
   * for matrix transposing", IEEE Trans. Comput. C-21, 1972).
   *
   * @param rows the local variables of as many rows as there are lanes
   */
  void transpose(CodeBuilder code, int[] rows) {
    for (int w : bits(lanes)) {
      for (int r = 0; r < lanes; r++) {
        if ((r & w) == 0) {
          exchange(code, rows[r], rows[r + w], w);
        }
      }
    }
  }

  /** Swaps the lanes of a row that have the bit w with those w before them of a row below. */
  private void exchange(CodeBuilder code, int row, int below, int w) {
    code.aload(row).aload(below);
    swap(code, w);
    takeUpper(code, w);
    code.aload(row);
    swap(code, w);
    code.aload(below);
    takeUpper(code, w);
    code.astore(below).astore(row);
  }
}
