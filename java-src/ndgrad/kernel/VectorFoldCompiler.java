package ndgrad.kernel;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.util.Arrays;
import ndgrad.DType;

/**
 * Writes reducing kernels that take vectors of elements at a time. A row's accumulators are the
 * lanes of as many vectors as hold {@link FoldCompiler#LANES}, and are combined in the order of the
 * plain form, so both give the same bits as far as {@link VectorEmitter#isExact} does.
 */
final class VectorFoldCompiler extends FoldCompiler {
  private final VectorOps ops;
  private final int[] vector;
  private final DType[] pairTypes;

  private VectorFoldCompiler(Spec spec) {
    super(spec);
    this.ops = new VectorOps(spec.acc());
    this.vector = new int[inputs];
    this.pairTypes = new DType[] {spec.acc(), spec.acc()};
  }

  /** Whether a kernel has a vector form on this machine. */
  static boolean canCompile(Spec spec, Dag dag) {
    DType acc = spec.acc();
    switch (spec.combine()) {
      case ADD, MUL, MAX, MIN -> {}
      default -> {
        return false;
      }
    }
    int lanes = Forms.lanes(acc);
    if (lanes == 0 || LANES % lanes != 0 || spec.steps().contains(FoldKernel.Step.STRIDED)) {
      return false;
    }
    DType[] stored = spec.stored().toArray(DType[]::new);
    DType[] load = new DType[stored.length];
    Arrays.fill(load, spec.load());
    DType number = ExprEmitter.number(load, acc);
    return number == acc
        && VectorEmitter.lanes(dag, number, new DType[] {acc}, stored, load).isPresent();
  }

  /** Compiles one kernel; it must be one that can be. */
  static FoldKernel compile(Spec spec) {
    return compile(() -> new VectorFoldCompiler(spec));
  }

  @Override
  void groups(CodeBuilder code, int i, int last, int acc) {
    int lanes = Forms.lanes(spec.acc());
    int[] constants = VectorEmitter.constants(code, dag, ops);
    int[] fixed = vector.clone();
    spreadFixed(code, value, fixed);
    int[] sums = new int[LANES / lanes];
    for (int v = 0; v < sums.length; v++) {
      start(code);
      ops.broadcast(code);
      sums[v] = VectorOps.keep(code);
    }
    loop(
        code,
        i,
        last,
        LANES,
        b -> {
          for (int v = 0; v < sums.length; v++) {
            b.aload(sums[v]);
            computed(b, position, fixed, i, v * lanes, constants);
            combine(b);
            b.astore(sums[v]);
          }
        });
    for (int half = sums.length / 2; half > 0; half /= 2) {
      for (int v = 0; v < half; v++) {
        code.aload(sums[v]).aload(sums[v + half]);
        combine(code);
        code.astore(sums[v]);
      }
    }
    int scratch = scratch(code, lanes);
    code.aload(sums[0]).aload(scratch).iconst_0();
    ops.store(code);
    gather(code, scratch, lanes, acc);
  }

  @Override
  void rowVectors(CodeBuilder code, int[][] at, int[][] fixed, int i, int out) {
    int lanes = Forms.lanes(spec.acc());
    int[] constants = VectorEmitter.constants(code, dag, ops);
    int[][] spread = new int[at.length][inputs];
    for (int g = 0; g < at.length; g++) {
      spreadFixed(code, fixed[g], spread[g]);
    }
    code.iload(4).loadConstant(lanes - 1).isub();
    int last = store(code, TypeKind.INT);
    loop(
        code,
        i,
        last,
        lanes,
        b -> {
          int[] values = new int[at.length];
          for (int g = 0; g < at.length; g++) {
            computed(b, at[g], spread[g], i, 0, constants);
            values[g] = VectorOps.keep(b);
          }
          // The same pairs as those of single elements.
          for (int gap = 1; gap < values.length; gap *= 2) {
            for (int u = 0; u + gap < values.length; u += 2 * gap) {
              b.aload(values[u]).aload(values[u + gap]);
              combine(b);
              b.astore(values[u]);
            }
          }
          ops.species(b);
          b.aload(out).iload(6).iload(i).iadd();
          ops.load(b);
          b.aload(values[0]);
          combine(b);
          b.aload(out).iload(6).iload(i).iadd();
          ops.store(b);
        });
  }

  /** Spreads the inputs that do not move over vectors. */
  private void spreadFixed(CodeBuilder code, int[] scalars, int[] vectors) {
    for (int k = 0; k < inputs; k++) {
      if (used[k] && spec.steps().get(k) == FoldKernel.Step.ZERO) {
        if (spec.load() == DType.BOOL) {
          ops.species(code);
          code.iload(scalars[k]);
          ops.maskAll(code);
        } else {
          code.loadLocal(ExprEmitter.kind(spec.load()), scalars[k]);
          ops.broadcast(code);
        }
        vectors[k] = VectorOps.keep(code);
      }
    }
  }

  /** Leaves the vector of the prologue's values at {@code at + i + shift} on the stack. */
  private void computed(
      CodeBuilder code, int[] at, int[] fixed, int i, int shift, int[] constants) {
    for (int k = 0; k < inputs; k++) {
      vector[k] = fixed[k];
      if (used[k] && spec.steps().get(k) == FoldKernel.Step.UNIT) {
        ops.species(code);
        code.aload(array[k]).iload(at[k]).iload(i).iadd();
        if (shift > 0) {
          code.loadConstant(shift).iadd();
        }
        if (spec.stored().get(k) != DType.BOOL) {
          ops.load(code);
        } else {
          ops.loadMask(code);
          if (spec.load() != DType.BOOL) {
            ops.numbers(code);
          }
        }
        vector[k] = VectorOps.keep(code);
      }
    }
    new VectorEmitter(code, dag, loads, vector, ops, constants).push(0, spec.acc());
  }

  /** vector, vector → their combination. */
  private void combine(CodeBuilder code) {
    int b = VectorOps.keep(code);
    int a = VectorOps.keep(code);
    new VectorEmitter(code, pair, pairTypes, new int[] {a, b}, ops, new int[0]).push(0, spec.acc());
  }
}
