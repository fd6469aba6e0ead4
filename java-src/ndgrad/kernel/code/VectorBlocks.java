package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;
import static java.lang.constant.ConstantDescs.CLASS_INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.List;
import java.util.function.Function;
import ndgrad.DType;

/** What the writers of {@link BlockKernel}s share. */
abstract class VectorBlocks {
  private static final MethodTypeDesc RUN =
      MethodTypeDesc.of(
          CD_void, CD_Object, CD_int, CD_int, CD_Object, CD_int, CD_int, CD_int, CD_int);

  // The parameters' slots.
  static final int FROM = 1;
  static final int P = 2;
  static final int PS = 3;
  static final int TO = 4;
  static final int Q = 5;
  static final int QS = 6;
  static final int ROWS = 7;
  static final int N = 8;

  final CodeBuilder code;
  final VectorOps ops;
  final int side;
  private final ClassDesc self;
  private final ClassDesc array;

  VectorBlocks(CodeBuilder code, DType dtype) {
    this.code = code;
    this.ops = new VectorOps(dtype);
    this.side = Forms.lanes(dtype);
    this.self = Generated.name(BlockKernel.class);
    this.array = dtype.primitive().describeConstable().orElseThrow().arrayType();
  }

  /** Writes what fills the constant shuffles and masks. */
  abstract void constants();

  /** Writes the loops. */
  abstract void moves();

  /** Makes a kernel with such constants. */
  static BlockKernel compile(
      DType dtype,
      List<String> shuffles,
      List<String> masks,
      Function<CodeBuilder, VectorBlocks> writer) {
    int constant = ClassFile.ACC_STATIC | ClassFile.ACC_FINAL;
    return Generated.instance(
        BlockKernel.class,
        type -> {
          shuffles.forEach(name -> type.withField(name, VectorOps.SHUFFLE, constant));
          masks.forEach(name -> type.withField(name, VectorOps.MASK, constant));
          type.withMethodBody(
              CLASS_INIT_NAME,
              MTD_void,
              ClassFile.ACC_STATIC,
              c -> {
                writer.apply(c).constants();
                c.return_();
              });
          type.withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, c -> writer.apply(c).run());
        });
  }

  private void run() {
    code.aload(FROM).checkcast(array).astore(FROM);
    code.aload(TO).checkcast(array).astore(TO);
    moves();
    code.return_();
  }

  /** Sets a constant. */
  void setShuffle(String name, int... lanes) {
    ops.shuffle(code, lanes);
    code.putstatic(self, name, VectorOps.SHUFFLE);
  }

  /** Sets a constant. */
  void setMask(String name, long bits) {
    ops.mask(code, bits);
    code.putstatic(self, name, VectorOps.MASK);
  }

  /** vector → vector. */
  void rearrange(String shuffle) {
    code.getstatic(self, shuffle, VectorOps.SHUFFLE);
    ops.rearrange(code);
  }

  /** vector, vector → the second one where the mask is set. */
  void blend(String mask) {
    code.getstatic(self, mask, VectorOps.MASK);
    ops.blend(code);
  }
}
