package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.util.function.Function;
import java.util.function.IntConsumer;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Functions;

/**
 * Writes kernels whose inner loop takes a vector of elements at a time. Inputs of stride 0 are
 * spread over a vector before the loop; of stride 2, two vectors give every second lane; of stride
 * -1, lanes change places. The last vector of a row ends where the row ends: it overlaps the one
 * before it. Rows shorter than a vector are masked where that is worth it, by a kernel of its own:
 * past the end of an array a masked load calls a method, and around a call the JIT would keep all
 * of a loop's constants in memory.
 */
final class VectorKernelCompiler extends KernelCompiler {
  private static final ClassDesc NAME = Generated.name(Kernel.class);

  private final VectorOps ops;
  private final Dag steps;
  private final int[] vector;
  private final int width;
  private int[] constants = {};
  private Part part = Part.ROWS;

  // Where there are inputs of stride 2: shuffles, and the mask of a vector's upper half.
  private int even;
  private int odd;
  private int upper;

  /** Where there are inputs of stride -1: a shuffle. */
  private int reverse;

  private VectorKernelCompiler(CodeBuilder code, Rows rows) {
    super(code, rows.dag, rows.stored, rows.load, rows.form, rows.strides);
    this.ops = new VectorOps(rows.lanes);
    this.steps = Functions.spell(rows.dag, rows.load, rows.lanes);
    this.vector = new int[rows.load.length];
    this.width = Forms.lanes(rows.lanes);
  }

  /** Which rows a kernel is for: those of a vector at least, or shorter ones. */
  enum Part {
    ROWS,
    SHORT_ROWS
  }

  /**
   * What kernels are compiled from; the Vector API must be there.
   *
   * @param lanes the dtype that {@link VectorEmitter#lanes} found for these operands
   * @param form not the strided one
   */
  record Rows(Dag dag, DType[] stored, DType[] load, Kernel.Form form, long strides, DType lanes) {

    Kernel compile(Part part) {
      return Generated.instance(
          Kernel.class,
          type -> {
            RareWays.declare(type, NAME);
            define(type, code -> new VectorKernelCompiler(code, this).start(part));
          },
          RareWays.class);
    }

    /** One kernel for all rows: of those that are made of vectors, and of the plain one. */
    Kernel choose(Kernel plain, Function<Part, Kernel> kernels) {
      Kernel shorter = isMaskable() ? kernels.apply(Part.SHORT_ROWS) : plain;
      Kernel rows = kernels.apply(Part.ROWS);
      return new ByLength(plain, shorter, rows, Forms.lanes(lanes), strides);
    }

    /** Arrays of bools have no masked loads and stores. */
    private boolean isMaskable() {
      boolean pays = Forms.areMasksCheap() || Functions.spell(dag, load, lanes) != dag;
      boolean[] used = dag.usedInputs(stored.length - dag.outputs());
      for (int k = 0; pays && k < stored.length; k++) {
        if (k < dag.outputs() || used[k - dag.outputs()]) {
          int stride = InnerStrides.of(strides, k);
          pays = stride == 0 || stride == 1 && stored[k] != DType.BOOL;
        }
      }
      return pays;
    }
  }

  private void start(Part part) {
    this.part = part;
    constants = VectorEmitter.constants(code, steps, ops);
    if (has(2, strides, operands)) {
      ops.iota(code, 0, 2);
      even = VectorOps.keep(code);
      ops.iota(code, 1, 2);
      odd = VectorOps.keep(code);
      ops.mask(code, -1L >>> Long.SIZE - width & -1L << width / 2);
      upper = VectorOps.keep(code);
    }
    if (has(-1, strides, operands)) {
      ops.iota(code, width - 1, -1);
      reverse = VectorOps.keep(code);
    }
    emit();
  }

  @Override
  void inner() {
    for (int k = dag.outputs(); k < operands; k++) {
      if (isUsed(k) && isStill(k)) {
        spread(k - dag.outputs());
      }
    }
    int i = Loops.zero(code);
    if (part == Part.SHORT_ROWS) {
      masked(i);
      return;
    }
    rows(i);
  }

  /**
   * Writes the vectors of a row. The last one is computed first, from inputs that none has written
   * to yet, and written at the end.
   */
  private void rows(int i) {
    code.iload(INNER).loadConstant(width).isub();
    int last = Loops.store(code, TypeKind.INT);
    int[] end = new int[dag.outputs()];
    vectorBody(last, -1, k -> end[k] = VectorOps.keep(code));
    Loops.on(code, i, last, width, _ -> vectorBody(i, -1, k -> store(k, i)));
    for (int k = 0; k < end.length; k++) {
      code.aload(end[k]);
      store(k, last);
    }
  }

  private void store(int k, int i) {
    place(k, i);
    if (stored[k] == DType.BOOL) {
      ops.storeMask(code);
    } else {
      ops.store(code);
    }
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

  private static boolean has(int stride, long strides, int operands) {
    boolean any = false;
    for (int k = 0; k < operands; k++) {
      any |= InnerStrides.of(strides, k) == stride;
    }
    return any;
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
      if (isUsed(k) && !isStill(k)) {
        switch (step(k)) {
          case 2 -> loadPair(k, i);
          case -1 -> loadReversed(k, i);
          default -> {
            ops.species(code);
            place(k, i);
            loadVector(k, mask);
          }
        }
        vector[k - outs] = VectorOps.keep(code);
      }
    }
    VectorEmitter emitter = new VectorEmitter(code, NAME, steps, load, vector, ops, constants);
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
  }

  /** The vector that ends at element i. */
  private void loadReversed(int k, int i) {
    ops.species(code);
    place(k, i);
    code.loadConstant(width - 1).isub();
    ops.load(code);
    code.aload(reverse);
    ops.rearrange(code);
  }

  /** Every second element: the even lanes of a vector, and the odd ones of one that ends there. */
  private void loadPair(int k, int i) {
    ops.species(code);
    place(k, i);
    ops.load(code);
    code.aload(even);
    ops.rearrange(code);
    ops.species(code);
    place(k, i);
    code.loadConstant(width - 1).iadd();
    ops.load(code);
    code.aload(odd);
    ops.rearrange(code);
    code.aload(upper);
    ops.blend(code);
  }
}
