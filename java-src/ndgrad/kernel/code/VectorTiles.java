package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import ndgrad.DType;
import ndgrad.blas.TileKernel;

/**
 * Writes the loop of {@link TileKernel} on vectors: a tile of sums stays in registers while the
 * loop goes once over the operands. Each index is the loop's variable times a constant plus what
 * doesn't change, so that the JIT checks the arrays' bounds before the loop.
 */
public final class VectorTiles {
  private static final MethodTypeDesc RUN =
      MethodTypeDesc.of(
          CD_void,
          CD_Object,
          CD_int,
          CD_int,
          CD_Object,
          CD_int,
          CD_int,
          CD_boolean,
          CD_Object,
          CD_int,
          CD_int);

  private static final MethodTypeDesc PACK =
      MethodTypeDesc.of(CD_void, CD_Object, CD_int, CD_int, CD_int, CD_Object, CD_int);

  // The parameters' slots.
  private static final int A = 1;
  private static final int A_AT = 2;
  private static final int LDA = 3;
  private static final int B = 4;
  private static final int B_AT = 5;
  private static final int K = 6;
  private static final int ADD = 7;
  private static final int C = 8;
  private static final int C_AT = 9;
  private static final int LDC = 10;

  private static final int FROM = 1;
  private static final int FROM_AT = 2;
  private static final int STEP = 3;
  private static final int RANKS = 4;
  private static final int TO = 5;
  private static final int TO_AT = 6;

  private final CodeBuilder code;
  private final VectorOps ops;
  private final TypeKind kind;
  private final int rows;
  private final int vectors;
  private final int lanes;

  private VectorTiles(CodeBuilder code, DType dtype, int... arrays) {
    this.code = code;
    this.ops = new VectorOps(dtype);
    this.kind = ExprEmitter.kind(dtype);
    this.rows = rows(dtype);
    this.vectors = vectors(dtype);
    this.lanes = Forms.lanes(dtype);
    ClassDesc array = ExprEmitter.array(dtype);
    for (int slot : arrays) {
      code.aload(slot).checkcast(array).astore(slot);
    }
  }

  /**
   * Makes the kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static TileKernel compile(DType dtype) {
    return Generated.instance(
        TileKernel.class,
        type -> {
          type.withMethodBody(
              "run", RUN, ClassFile.ACC_PUBLIC, c -> new VectorTiles(c, dtype, A, B, C).run());
          type.withMethodBody(
              "pack", PACK, ClassFile.ACC_PUBLIC, c -> new VectorTiles(c, dtype, FROM, TO).pack());
          constant(type, "rows", rows(dtype));
          constant(type, "columns", vectors(dtype) * Forms.lanes(dtype));
        });
  }

  private static void constant(ClassBuilder type, String name, int value) {
    type.withMethodBody(
        name,
        MethodTypeDesc.of(CD_int),
        ClassFile.ACC_PUBLIC,
        code -> code.loadConstant(value).ireturn());
  }

  /**
   * Rows of a tile. The JIT likes to load all operands of a rank before it uses the first, so these
   * need registers, too, beside the sums: four times two sums and six operands fit into 16, and are
   * as many sums as two multiplications at a time need that take four cycles. With six rows a third
   * of the compilations kept sums in memory, and took twice as long.
   */
  private static int rows(DType dtype) {
    return bytes(dtype) == 64 ? 8 : 4;
  }

  /** Vectors of a row of a tile: processors with short ones have 32 registers and more units. */
  private static int vectors(DType dtype) {
    return bytes(dtype) == 16 ? 4 : 2;
  }

  private static int bytes(DType dtype) {
    return Forms.lanes(dtype) * dtype.itemsize();
  }

  private void run() {
    int[] sums = new int[rows * vectors];
    for (int i = 0; i < sums.length; i++) {
      ops.constant(code, 0);
      sums[i] = VectorOps.keep(code);
    }
    int[] left = new int[rows];
    for (int r = 0; r < rows; r++) {
      code.iload(A_AT).iload(LDA).loadConstant(r).imul().iadd();
      left[r] = Loops.store(code, TypeKind.INT);
    }
    ranks(left, sums);
    Label store = code.newLabel();
    code.iload(ADD).ifeq(store);
    eachRow(
        (r, v) -> {
          code.aload(sums[r * vectors + v]);
          ops.species(code);
          code.aload(C).iload(C_AT).loadConstant(v * lanes).iadd();
          ops.load(code);
          ops.binary(code, "add");
          code.aload(C).iload(C_AT).loadConstant(v * lanes).iadd();
          ops.store(code);
        });
    code.return_();
    code.labelBinding(store);
    eachRow(
        (r, v) -> {
          code.aload(sums[r * vectors + v]);
          code.aload(C).iload(C_AT).loadConstant(v * lanes).iadd();
          ops.store(code);
        });
    code.return_();
  }

  /** The loop: a tile's products of one rank after the other. */
  private void ranks(int[] left, int[] sums) {
    Loops.upTo(
        code,
        K,
        1,
        p -> {
          int[] right = new int[vectors];
          for (int v = 0; v < vectors; v++) {
            ops.species(code);
            code.aload(B).iload(B_AT).iload(p).loadConstant(vectors * lanes).imul().iadd();
            code.loadConstant(v * lanes).iadd();
            ops.load(code);
            right[v] = VectorOps.keep(code);
          }
          for (int r = 0; r < rows; r++) {
            code.aload(A).iload(left[r]).iload(p).iadd().arrayLoad(kind);
            ops.broadcast(code);
            int factor = VectorOps.keep(code);
            for (int v = 0; v < vectors; v++) {
              code.aload(factor).aload(right[v]).aload(sums[r * vectors + v]);
              ops.mulAdd(code);
              code.astore(sums[r * vectors + v]);
            }
          }
        });
  }

  private void pack() {
    Loops.upTo(
        code,
        RANKS,
        1,
        p -> {
          for (int v = 0; v < vectors; v++) {
            ops.species(code);
            code.aload(FROM).iload(FROM_AT).iload(p).iload(STEP).imul().iadd();
            code.loadConstant(v * lanes).iadd();
            ops.load(code);
            code.aload(TO).iload(TO_AT).iload(p).loadConstant(vectors * lanes).imul().iadd();
            code.loadConstant(v * lanes).iadd();
            ops.store(code);
          }
        });
    code.return_();
  }

  /** What happens to each vector of a tile. */
  private interface Part {
    void write(int row, int vector);
  }

  private void eachRow(Part part) {
    for (int r = 0; r < rows; r++) {
      for (int v = 0; v < vectors; v++) {
        part.write(r, v);
      }
      code.iload(C_AT).iload(LDC).iadd().istore(C_AT);
    }
  }
}
