package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.MethodTypeDesc;
import java.util.function.Consumer;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Types;

/**
 * Writes the class of one {@link Kernel}. The loops are plain ones over local variables: arrays are
 * cast once, inputs of inner stride 0 are loaded before the inner loop, nothing is boxed or called
 * per element but the scalar functions.
 */
class KernelCompiler {
  private static final MethodTypeDesc RUN =
      MethodTypeDesc.of(CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_int);
  private static final int DATA = 1;
  private static final int AT = 2;
  private static final int OUTER = 3;
  static final int INNER = 4;

  final CodeBuilder code;
  final Dag dag;
  final DType[] stored;
  final DType[] load;
  private final Kernel.Form form;
  final long strides;
  final int operands;
  private final boolean[] used;
  final int[] array;
  private final int[] position;
  private final int[] moving;
  private final int[] stride;
  final int[] value;
  private int i;

  KernelCompiler(
      CodeBuilder code, Dag dag, DType[] stored, DType[] load, Kernel.Form form, long strides) {
    this.code = code;
    this.dag = dag;
    this.stored = stored;
    this.load = load;
    this.form = form;
    this.strides = strides;
    this.operands = stored.length;
    this.used = dag.usedInputs(load.length);
    this.array = new int[operands];
    this.position = new int[operands];
    this.moving = new int[operands];
    this.stride = new int[operands];
    this.value = new int[load.length];
  }

  /**
   * Compiles one kernel.
   *
   * @param dag the outputs
   * @param stored the dtype of each operand's array, outputs before inputs
   * @param load the dtype each input is converted to
   * @param form the form of the loops
   * @param strides the {@link InnerStrides}, for the forms other than strided
   * @return the kernel
   */
  static Kernel compile(Dag dag, DType[] stored, DType[] load, Kernel.Form form, long strides) {
    return Generated.instance(
        Kernel.class,
        type -> define(type, c -> new KernelCompiler(c, dag, stored, load, form, strides).emit()));
  }

  /** Makes a class that is written a kernel. */
  static void define(ClassBuilder type, Consumer<CodeBuilder> body) {
    type.withMethodBody("run", RUN, ClassFile.ACC_PUBLIC, body);
  }

  final void emit() {
    for (int k = 0; k < operands; k++) {
      if (isUsed(k)) {
        code.aload(DATA).loadConstant(k).aaload();
        code.checkcast(ExprEmitter.array(stored[k]));
        array[k] = Loops.store(code, TypeKind.REFERENCE);
        // Operand 0 is an output, hence of stride 1.
        position[k] = follows(k) ? position[0] : element(k);
        if (form == Kernel.Form.STRIDED) {
          stride[k] = element(operands + k);
          moving[k] = code.allocateLocal(TypeKind.INT);
        }
      }
    }
    Loops.upTo(code, OUTER, 1, _ -> row());
    code.return_();
  }

  private void row() {
    for (int k = 0; k < operands; k++) {
      if (isUsed(k)) {
        if (form == Kernel.Form.STRIDED) {
          code.iload(position[k]).istore(moving[k]);
        } else if (isInput(k) && isStill(k)) {
          code.aload(array[k]).iload(position[k]);
          loadInput(k);
        }
      }
    }
    inner();
    for (int k = 0; k < operands; k++) {
      if (isUsed(k) && !(follows(k))) {
        code.iload(position[k]).aload(AT).loadConstant(2 * operands + k).iaload().iadd();
        code.istore(position[k]);
      }
    }
  }

  /** Writes the inner loop. */
  void inner() {
    Loops.upTo(code, INNER, 1, this::body);
  }

  /** Writes what is done for one element. */
  final void body(int counter) {
    i = counter;
    int outs = dag.outputs();
    for (int k = outs; k < operands; k++) {
      if (isUsed(k) && (form == Kernel.Form.STRIDED || !isStill(k))) {
        place(k);
        loadInput(k);
      }
    }
    ExprEmitter emitter =
        new ExprEmitter(code, dag, load, value, Types.number(load, outputTypes()));
    for (int k = 0; k < outs; k++) {
      place(k);
      emitter.push(k, stored[k]);
      code.arrayStore(ExprEmitter.elementKind(stored[k]));
    }
    if (form == Kernel.Form.STRIDED) {
      for (int k = 0; k < operands; k++) {
        if (isUsed(k)) {
          code.iload(moving[k]).iload(stride[k]).iadd().istore(moving[k]);
        }
      }
    }
  }

  final DType[] outputTypes() {
    DType[] types = new DType[dag.outputs()];
    System.arraycopy(stored, 0, types, 0, types.length);
    return types;
  }

  /** Leaves the array and the index of the current element of operand k on the stack. */
  private void place(int k) {
    place(k, i);
  }

  final void place(int k, int i) {
    code.aload(array[k]);
    if (form == Kernel.Form.STRIDED) {
      code.iload(moving[k]);
    } else {
      code.iload(position[k]).iload(i);
      switch (step(k)) {
        case 2 -> code.iconst_1().ishl().iadd();
        case -1 -> code.isub();
        default -> code.iadd();
      }
    }
  }

  private void loadInput(int k) {
    int input = k - dag.outputs();
    code.arrayLoad(ExprEmitter.elementKind(stored[k]));
    ExprEmitter.convert(code, stored[k], load[input]);
    value[input] = Loops.store(code, ExprEmitter.kind(load[input]));
  }

  private int element(int index) {
    code.aload(AT).loadConstant(index).iaload();
    return Loops.store(code, TypeKind.INT);
  }

  final boolean isInput(int k) {
    return k >= dag.outputs();
  }

  final boolean isUsed(int k) {
    return !isInput(k) || used[k - dag.outputs()];
  }

  /** The inner stride of an operand. */
  final int step(int k) {
    return InnerStrides.of(strides, k);
  }

  /** Whether an operand is one element for all of a row. */
  final boolean isStill(int k) {
    return step(k) == 0;
  }

  /** Whether operand k is always where operand 0 is. */
  private boolean follows(int k) {
    return k > 0 && form == Kernel.Form.ALIGNED && step(k) == 1;
  }
}
