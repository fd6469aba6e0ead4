package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Functions;

/**
 * Writes kernels whose inner loop takes a vector of elements at a time. Inner strides are 1 or 0;
 * inputs of stride 0 are spread over a vector before the loop. What is left over goes through a
 * masked vector where functions make that worth it, else through the plain loop.
 */
final class VectorKernelCompiler extends KernelCompiler {
  private final VectorOps ops;
  private final Dag steps;
  private final int[] vector;
  private int[] constants = {};

  private VectorKernelCompiler(
      CodeBuilder code,
      Dag dag,
      DType[] stored,
      DType[] load,
      Kernel.Form form,
      long units,
      DType lanes) {
    super(code, dag, stored, load, form, units);
    this.ops = new VectorOps(lanes);
    this.steps = Functions.spell(dag, load, lanes);
    this.vector = new int[load.length];
  }

  /**
   * Compiles one kernel; the Vector API must be there.
   *
   * @param lanes the dtype that {@link VectorEmitter#lanes} found for these operands
   * @param form not the strided one
   */
  static Kernel compile(
      Dag dag, DType[] stored, DType[] load, Kernel.Form form, long units, DType lanes) {
    return define(
        code -> new VectorKernelCompiler(code, dag, stored, load, form, units, lanes).start());
  }

  private void start() {
    constants = VectorEmitter.constants(code, steps, ops);
    emit();
  }

  @Override
  void inner() {
    for (int k = dag.outputs(); k < operands; k++) {
      if (isUsed(k) && !isUnit(k)) {
        spread(k - dag.outputs());
      }
    }
    int i = Loops.zero(code);
    ops.species(code);
    ops.length(code);
    int length = Loops.store(code, TypeKind.INT);
    code.iload(INNER).iload(length).isub();
    int last = Loops.store(code, TypeKind.INT);
    Label top = code.newLabel();
    Label end = code.newLabel();
    code.labelBinding(top).iload(i).iload(last).if_icmpgt(end);
    vectorBody(i, -1);
    code.iload(i).iload(length).iadd().istore(i);
    code.goto_(top).labelBinding(end);
    if (isMaskable() && steps != dag) {
      maskedRest(i);
    } else {
      Loops.on(code, i, INNER, 1, this::body);
    }
  }

  private void maskedRest(int i) {
    Label end = code.newLabel();
    code.iload(i).iload(INNER).if_icmpge(end);
    ops.species(code);
    code.iload(i).iload(INNER);
    ops.indexInRange(code);
    vectorBody(i, VectorOps.keep(code));
    code.labelBinding(end);
  }

  /** Arrays of bools have no masked loads and stores. */
  private boolean isMaskable() {
    for (int k = 0; k < operands; k++) {
      if (isUsed(k) && isUnit(k) && stored[k] == DType.BOOL) {
        return false;
      }
    }
    return true;
  }

  private void spread(int input) {
    DType type = load[input];
    if (type == DType.BOOL) {
      ops.species(code);
      code.iload(value[input]);
      ops.maskAll(code);
    } else {
      code.loadLocal(ExprEmitter.kind(type), value[input]);
      ops.broadcast(code);
    }
    vector[input] = VectorOps.keep(code);
  }

  /** One vector of elements, those in the mask when there is one. */
  private void vectorBody(int i, int mask) {
    int outs = dag.outputs();
    for (int k = outs; k < operands; k++) {
      if (isUsed(k) && isUnit(k)) {
        ops.species(code);
        place(k, i);
        loadVector(k, mask);
      }
    }
    VectorEmitter emitter = new VectorEmitter(code, steps, load, vector, ops, constants);
    for (int k = 0; k < outs; k++) {
      emitter.push(k, stored[k]);
      place(k, i);
      if (stored[k] == DType.BOOL) {
        ops.storeMask(code);
      } else if (mask < 0) {
        ops.store(code);
      } else {
        code.aload(mask);
        ops.storeMasked(code);
      }
    }
  }

  private void loadVector(int k, int mask) {
    int input = k - dag.outputs();
    if (stored[k] == DType.BOOL) {
      ops.loadMask(code);
      if (load[input] != DType.BOOL) {
        ops.numbers(code);
      }
    } else if (mask < 0) {
      ops.load(code);
    } else {
      code.aload(mask);
      ops.loadMasked(code);
    }
    vector[input] = VectorOps.keep(code);
  }
}
