package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.util.function.Function;
import java.util.function.IntConsumer;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Functions;

/**
 * Writes kernels whose inner loop takes a vector of elements at a time. Inner strides are 1 or 0;
 * inputs of stride 0 are spread over a vector before the loop. The last vector of a row ends where
 * the row ends, and keeps what the one before it has written. Rows shorter than a vector are masked
 * where functions make that worth it, by a kernel of its own: past the end of an array a masked
 * load calls a method, and around a call the JIT would keep all of a loop's constants in memory.
 */
final class VectorKernelCompiler extends KernelCompiler {
  private final VectorOps ops;
  private final Dag steps;
  private final int[] vector;
  private int[] constants = {};
  private Part part = Part.ALL_ROWS;

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

  /** A kernel for rows of at least a vector, and one for shorter rows. */
  private record ByLength(Kernel rows, Kernel shortRows, int lanes) implements Kernel {
    @Override
    public void run(Object[] data, int[] at, int outer, int inner) {
      (inner < lanes ? shortRows : rows).run(data, at, outer, inner);
    }
  }

  /**
   * Compiles one kernel; the Vector API must be there.
   *
   * @param lanes the dtype that {@link VectorEmitter#lanes} found for these operands
   * @param form not the strided one
   */
  static Kernel compile(
      Dag dag, DType[] stored, DType[] load, Kernel.Form form, long units, DType lanes) {
    Function<Part, Kernel> compile =
        part ->
            define(
                code -> {
                  var compiler =
                      new VectorKernelCompiler(code, dag, stored, load, form, units, lanes);
                  compiler.start(part);
                });
    return Functions.spell(dag, load, lanes) != dag && isMaskable(dag, stored, units)
        ? new ByLength(compile.apply(Part.ROWS), compile.apply(Part.SHORT_ROWS), Forms.lanes(lanes))
        : compile.apply(Part.ALL_ROWS);
  }

  /** Which rows a kernel is for. */
  private enum Part {
    ALL_ROWS,
    ROWS,
    SHORT_ROWS
  }

  private void start(Part part) {
    this.part = part;
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
    if (part == Part.SHORT_ROWS) {
      masked(i);
      return;
    }
    ops.species(code);
    ops.length(code);
    int length = Loops.store(code, TypeKind.INT);
    code.iload(INNER).iload(length).isub();
    int last = Loops.store(code, TypeKind.INT);
    Label top = code.newLabel();
    Label end = code.newLabel();
    code.labelBinding(top).iload(i).iload(last).if_icmpgt(end);
    vector(i);
    code.iload(i).iload(length).iadd().istore(i);
    code.goto_(top).labelBinding(end);
    Label done = code.newLabel();
    code.iload(i).iload(INNER).if_icmpge(done);
    rest(i, last);
    code.labelBinding(done);
  }

  /** Writes what follows the whole vectors of a row, from i on; the last vector begins at last. */
  private void rest(int i, int last) {
    if (part == Part.ROWS) {
      lastVector(i, last);
      return;
    }
    Label done = code.newLabel();
    if (isMaskable(dag, stored, units)) {
      Label isShort = code.newLabel();
      code.iload(last).iflt(isShort);
      lastVector(i, last);
      code.goto_(done).labelBinding(isShort);
    }
    Loops.on(code, i, INNER, 1, this::body);
    code.labelBinding(done);
  }

  private void masked(int i) {
    ops.species(code);
    code.iload(i).iload(INNER);
    ops.indexInRange(code);
    int mask = VectorOps.keep(code);
    vectorBody(
        i,
        mask,
        k -> {
          place(k, i);
          code.aload(mask);
          ops.storeMasked(code);
        });
  }

  /** The vector that ends a row; elements before i are done. */
  private void lastVector(int i, int last) {
    ops.species(code);
    code.iconst_0().iload(i).iload(last).isub();
    ops.indexInRange(code);
    int done = VectorOps.keep(code);
    vectorBody(
        last,
        -1,
        k -> {
          ops.species(code);
          place(k, last);
          ops.load(code);
          code.aload(done);
          ops.blend(code);
          place(k, last);
          ops.store(code);
        });
  }

  private void vector(int i) {
    vectorBody(
        i,
        -1,
        k -> {
          place(k, i);
          if (stored[k] == DType.BOOL) {
            ops.storeMask(code);
          } else {
            ops.store(code);
          }
        });
  }

  /** Arrays of bools have no masked loads and stores. */
  private static boolean isMaskable(Dag dag, DType[] stored, long units) {
    boolean[] used = dag.usedInputs(stored.length - dag.outputs());
    for (int k = 0; k < stored.length; k++) {
      boolean isUsed = k < dag.outputs() || used[k - dag.outputs()];
      if (isUsed && (units >>> k & 1) != 0 && stored[k] == DType.BOOL) {
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

  /**
   * One vector of elements from i on.
   *
   * @param mask of the elements to load, or -1 for all
   * @param store stores the vector on top of the stack to an output
   */
  private void vectorBody(int i, int mask, IntConsumer store) {
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
      store.accept(k);
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
