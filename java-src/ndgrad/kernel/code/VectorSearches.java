package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Opcode;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import ndgrad.DType;

/** Writes {@link SearchKernel}s, which compare a vector of elements at a time. */
public final class VectorSearches {
  private static final MethodTypeDesc FIRST =
      MethodTypeDesc.of(CD_int, CD_Object, CD_int, CD_int, CD_Object, CD_int);

  // The parameters' slots.
  private static final int ARRAY = 1;
  private static final int P = 2;
  private static final int N = 3;
  private static final int NUMBER = 4;
  private static final int AT = 5;

  private VectorSearches() {}

  /**
   * Makes a kernel.
   *
   * @param dtype a numeric one that has vectors
   * @return the kernel
   */
  public static SearchKernel compile(DType dtype) {
    return Generated.instance(
        SearchKernel.class,
        type ->
            type.withMethodBody("first", FIRST, ClassFile.ACC_PUBLIC, code -> first(code, dtype)));
  }

  private static void first(CodeBuilder code, DType dtype) {
    VectorOps ops = new VectorOps(dtype);
    ClassDesc array = ops.array();
    code.aload(ARRAY).checkcast(array).astore(ARRAY);
    code.aload(NUMBER).checkcast(array).iload(AT).arrayLoad(ExprEmitter.elementKind(dtype));
    ops.broadcast(code);
    int number = VectorOps.keep(code);
    Loops.upTo(
        code,
        N,
        Forms.lanes(dtype),
        i -> {
          ops.species(code);
          code.aload(ARRAY).iload(P).iload(i).iadd();
          ops.load(code);
          code.aload(number);
          ops.compare(code, "EQ");
          int mask = VectorOps.keep(code);
          code.aload(mask);
          ops.anyTrue(code);
          code.ifThen(
              Opcode.IFNE,
              found -> {
                found.iload(i).aload(mask);
                ops.firstTrue(found);
                found.iadd().ireturn();
              });
        });
    code.iload(N).ireturn();
  }
}
