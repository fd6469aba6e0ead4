package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.function.Consumer;
import java.util.stream.IntStream;
import ndgrad.DType;

/**
 * Writes the loops of {@link TapKernel} on vectors that stay in registers: several rows times
 * several vectors of positions, or several rows times several taps. Every element is computed by
 * the same operations in the same order as in the plain form, so both give the same bits.
 */
public final class VectorTaps {
  private static final MethodTypeDesc RUN =
      MethodTypeDesc.of(
          CD_void,
          CD_Object,
          CD_int,
          CD_int,
          CD_Object,
          CD_int,
          CD_int.arrayType(),
          CD_int,
          CD_int,
          CD_int,
          CD_Object,
          CD_int,
          CD_int);

  // The parameters' slots.
  private static final int A = 1;
  private static final int A_AT = 2;
  private static final int A_STEP = 3;
  private static final int X = 4;
  private static final int X_AT = 5;
  private static final int OFF = 6;
  private static final int OFF_AT = 7;
  private static final int TAPS = 8;
  private static final int N = 9;
  private static final int OUT = 10;
  private static final int OUT_AT = 11;
  private static final int OUT_STEP = 12;

  private final CodeBuilder code;
  private final VectorOps ops;
  private final TypeKind kind;
  private final int lanes;
  private final int a;
  private final int x;
  private final int out;

  private VectorTaps(CodeBuilder code, DType dtype) {
    this.code = code;
    this.ops = new VectorOps(dtype);
    this.kind = ExprEmitter.kind(dtype);
    this.lanes = Forms.lanes(dtype);
    this.a = cast(A, ops.array());
    this.x = cast(X, ops.array());
    this.out = cast(OUT, ops.array());
  }

  private static TapKernel compile(Consumer<CodeBuilder> body) {
    return Generated.instance(
        TapKernel.class, type -> type.withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, body));
  }

  /**
   * The sums of some rows.
   *
   * @param dtype a floating one
   * @param rows number of rows
   * @param vectors how many vectors of positions are worked on at a time
   * @return the kernel
   */
  public static TapKernel sum(DType dtype, int rows, int vectors) {
    return compile(code -> new VectorTaps(code, dtype).sum(rows, vectors));
  }

  /**
   * The dot products of some rows and taps.
   *
   * @param dtype a floating one
   * @param rows number of rows
   * @param taps number of taps
   * @return the kernel
   */
  public static TapKernel dot(DType dtype, int rows, int taps) {
    return compile(code -> new VectorTaps(code, dtype).dot(rows, taps));
  }

  private void sum(int rows, int vectors) {
    int p = Loops.zero(code);
    code.iload(N).loadConstant(vectors * lanes - 1).isub();
    int end = Loops.store(code, TypeKind.INT);
    Loops.on(code, p, end, vectors * lanes, _ -> tile(rows, vectors, p));
    Loops.on(code, p, N, lanes, _ -> tile(rows, 1, p));
    code.return_();
  }

  /** Some rows at some vectors of positions from p on. */
  private void tile(int rows, int vectors, int p) {
    int[] acc = new int[rows * vectors];
    for (int r = 0; r < rows; r++) {
      code.aload(a).iload(A_AT).loadConstant(r).iadd().arrayLoad(kind);
      ops.broadcast(code);
      int start = VectorOps.keep(code);
      for (int v = 0; v < vectors; v++) {
        code.aload(start);
        acc[r * vectors + v] = VectorOps.keep(code);
      }
    }
    code.iload(A_AT).loadConstant(rows).iadd();
    int w = Loops.store(code, TypeKind.INT);
    Loops.upTo(
        code,
        TAPS,
        1,
        t -> {
          code.aload(OFF).iload(OFF_AT).iload(t).iadd().iaload();
          code.iload(X_AT).iadd().iload(p).iadd();
          int at = Loops.store(code, TypeKind.INT);
          int[] values = IntStream.range(0, vectors).map(v -> load(x, at, v * lanes)).toArray();
          for (int r = 0; r < rows; r++) {
            code.aload(a).iload(w).loadConstant(r).iadd().arrayLoad(kind);
            ops.broadcast(code);
            int weight = VectorOps.keep(code);
            for (int v = 0; v < vectors; v++) {
              code.aload(weight).aload(values[v]).aload(acc[r * vectors + v]);
              ops.mulAdd(code);
              code.astore(acc[r * vectors + v]);
            }
          }
          code.iinc(w, rows);
        });
    code.iload(OUT_AT).iload(p).iadd();
    int at = Loops.store(code, TypeKind.INT);
    for (int r = 0; r < rows; r++) {
      for (int v = 0; v < vectors; v++) {
        code.aload(acc[r * vectors + v]).aload(out).iload(at).loadConstant(v * lanes).iadd();
        ops.store(code);
      }
      code.iload(at).iload(OUT_STEP).iadd().istore(at);
    }
  }

  private void dot(int rows, int taps) {
    int step = TapKernel.LANE_BYTES / (kind == TypeKind.FLOAT ? Float.BYTES : Double.BYTES);
    int parts = step / lanes;
    int[] acc = new int[rows * taps * parts];
    for (int i = 0; i < acc.length; i++) {
      acc[i] = load(out, OUT_AT, i * lanes);
    }
    int[] left = new int[rows];
    for (int r = 0; r < rows; r++) {
      code.iload(A_AT).iload(A_STEP).loadConstant(r).imul().iadd();
      left[r] = Loops.store(code, TypeKind.INT);
    }
    int[] right = new int[taps];
    for (int t = 0; t < taps; t++) {
      code.iload(X_AT).aload(OFF).iload(OFF_AT).loadConstant(t).iadd().iaload().iadd();
      right[t] = Loops.store(code, TypeKind.INT);
    }
    Loops.upTo(
        code,
        N,
        step,
        p -> {
          for (int part = 0; part < parts; part++) {
            int[] factors = new int[rows];
            for (int r = 0; r < rows; r++) {
              factors[r] = loadAt(a, left[r], p, part * lanes);
            }
            for (int t = 0; t < taps; t++) {
              int value = loadAt(x, right[t], p, part * lanes);
              for (int r = 0; r < rows; r++) {
                int slot = acc[(r * taps + t) * parts + part];
                code.aload(factors[r]).aload(value).aload(slot);
                ops.mulAdd(code);
                code.astore(slot);
              }
            }
          }
        });
    for (int i = 0; i < acc.length; i++) {
      code.aload(acc[i]).aload(out).iload(OUT_AT).loadConstant(i * lanes).iadd();
      ops.store(code);
    }
    code.return_();
  }

  /** The vector at {@code array[at + shift]}. */
  private int load(int array, int at, int shift) {
    ops.species(code);
    code.aload(array).iload(at).loadConstant(shift).iadd();
    ops.load(code);
    return VectorOps.keep(code);
  }

  private int loadAt(int array, int at, int p, int shift) {
    ops.species(code);
    code.aload(array).iload(at).iload(p).iadd().loadConstant(shift).iadd();
    ops.load(code);
    return VectorOps.keep(code);
  }

  private int cast(int slot, ClassDesc array) {
    code.aload(slot).checkcast(array);
    return Loops.store(code, TypeKind.REFERENCE);
  }
}
