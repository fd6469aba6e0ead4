package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.util.Arrays;
import java.util.function.Consumer;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Functions;
import ndgrad.kernel.expr.Types;

/**
 * Writes reducing kernels that take vectors of elements at a time. A row's accumulators are the
 * lanes of as many vectors as hold {@link FoldCompiler#lanes}, and are combined in the order of the
 * plain form, so both give the same bits.
 */
final class VectorFoldCompiler extends FoldCompiler {
  /** Nodes up to which a group's vectors are computed side by side. */
  private static final int UNROLLED = 64;

  private final VectorOps ops;
  private final Dag steps;
  private final int width;
  private final int[] vector;
  private final DType[] pairTypes;
  private int[] constants = {};
  private int begin;

  private VectorFoldCompiler(FoldKernel.Spec spec) {
    super(spec);
    this.ops = new VectorOps(spec.acc());
    this.steps = Functions.spell(dag, loads, spec.acc());
    this.width = Forms.lanes(spec.acc());
    this.vector = new int[inputs];
    this.pairTypes = new DType[] {spec.acc(), spec.acc()};
  }

  /** Whether a kernel has a vector form where vectors are as wide as accumulators at most. */
  static boolean canCompile(FoldKernel.Spec spec, Dag dag) {
    DType acc = spec.acc();
    switch (spec.combine()) {
      case ADD, MUL, MAX, MIN -> {}
      default -> {
        return false;
      }
    }
    if (!Forms.isAvailable() || spec.steps().contains(FoldKernel.Step.STRIDED)) {
      return false;
    }
    DType[] stored = spec.stored().toArray(DType[]::new);
    DType[] load = new DType[stored.length];
    Arrays.fill(load, spec.load());
    DType number = Types.number(load, acc);
    return number == acc
        && VectorEmitter.lanes(dag, number, new DType[] {acc}, stored, load).isPresent();
  }

  /**
   * Compiles one kernel; it must be one that can be.
   *
   * @throws IllegalStateException when this machine's vectors are wider than the accumulators
   */
  static FoldKernel compile(FoldKernel.Spec spec) {
    if (lanes(spec) % Forms.lanes(spec.acc()) != 0) {
      throw new IllegalStateException("vectors of this width have no form");
    }
    return compile(() -> new VectorFoldCompiler(spec));
  }

  @Override
  void beforeRuns(CodeBuilder code) {
    constants = VectorEmitter.constants(code, steps, ops);
    start(code);
    ops.broadcast(code);
    begin = VectorOps.keep(code);
  }

  @Override
  void fold(CodeBuilder code, int scratch) {
    int[] fixed = new int[inputs];
    spreadFixed(code, value, fixed);
    code.iload(N).loadConstant(-lanes).iand();
    int whole = store(code, TypeKind.INT);
    int[] sums = new int[lanes / width];
    for (int v = 0; v < sums.length; v++) {
      code.aload(begin);
      sums[v] = VectorOps.keep(code);
    }
    int i = zero(code);
    if (steps.size() * sums.length <= UNROLLED) {
      Consumer<CodeBuilder> group =
          b -> {
            for (int v = 0; v < sums.length; v++) {
              b.aload(sums[v]);
              computed(b, position, fixed, i, v * width, -1);
              combine(b);
              b.astore(sums[v]);
            }
          };
      loop(code, i, whole, lanes, group);
      Consumer<CodeBuilder> rest =
          b -> {
            store(b, sums, scratch);
            rest(b, fixed, i, scratch);
            load(b, sums, scratch);
          };
      code.iload(i).iload(N);
      code.ifThen(Opcode.IF_ICMPLT, isExtreme() ? b -> lastGroup(b, i, group, rest) : rest::accept);
    } else {
      store(code, sums, scratch);
      groups(code, fixed, i, whole, scratch);
      rest(code, fixed, i, scratch);
      load(code, sums, scratch);
    }
    halve(code, sums, scratch);
  }

  private boolean isExtreme() {
    return spec.combine() == Expr.Fn2.MAX || spec.combine() == Expr.Fn2.MIN;
  }

  /** Folds the rest with as many elements before it as make a group: twice does not matter here. */
  private void lastGroup(
      CodeBuilder code, int i, Consumer<CodeBuilder> group, Consumer<CodeBuilder> rest) {
    code.iload(N).loadConstant(lanes);
    code.ifThenElse(
        Opcode.IF_ICMPGE,
        b -> {
          b.iload(N).loadConstant(lanes).isub().istore(i);
          group.accept(b);
        },
        rest::accept);
  }

  private void store(CodeBuilder code, int[] vectors, int scratch) {
    for (int v = 0; v < vectors.length; v++) {
      code.aload(vectors[v]).aload(scratch).loadConstant(v * width);
      ops.store(code);
    }
  }

  private void load(CodeBuilder code, int[] vectors, int scratch) {
    for (int v = 0; v < vectors.length; v++) {
      ops.species(code);
      code.aload(scratch).loadConstant(v * width);
      ops.load(code);
      code.astore(vectors[v]);
    }
  }

  /** Folds the whole groups of a long expression, whose code is there once. */
  private void groups(CodeBuilder code, int[] fixed, int i, int whole, int scratch) {
    code.loadConstant(lanes);
    int end = store(code, TypeKind.INT);
    int j = zero(code);
    loop(
        code,
        i,
        whole,
        0,
        b -> {
          b.iconst_0().istore(j);
          loop(
              b,
              j,
              end,
              width,
              c -> {
                ops.species(c);
                c.aload(scratch).iload(j);
                ops.load(c);
                computed(c, position, fixed, i, 0, -1);
                combine(c);
                c.aload(scratch).iload(j);
                ops.store(c);
                c.iinc(i, width);
              });
        });
  }

  /** Folds the elements behind the whole groups. */
  private void rest(CodeBuilder code, int[] fixed, int i, int scratch) {
    if (hasBools()) {
      foldRest(code, i, scratch, true);
      return;
    }
    int j = zero(code);
    loop(
        code,
        i,
        N,
        width,
        b -> {
          ops.species(b);
          b.iload(i).iload(N);
          ops.indexInRange(b);
          int mask = VectorOps.keep(b);
          ops.species(b);
          b.aload(scratch).iload(j);
          ops.load(b);
          int before = VectorOps.keep(b);
          b.aload(before).aload(before);
          computed(b, position, fixed, i, 0, mask);
          combine(b);
          b.aload(mask);
          ops.blend(b);
          b.aload(scratch).iload(j);
          ops.store(b);
          b.iinc(j, width);
        });
  }

  /** Whether bools are read, of which there are no masked loads. */
  private boolean hasBools() {
    for (int k = 0; k < inputs; k++) {
      if (used[k]
          && spec.steps().get(k) == FoldKernel.Step.UNIT
          && spec.stored().get(k) == DType.BOOL) {
        return true;
      }
    }
    return false;
  }

  /** Combines the accumulators into the first of the scratch array. */
  private void halve(CodeBuilder code, int[] sums, int scratch) {
    for (int half = sums.length / 2; half > 0; half /= 2) {
      for (int v = 0; v < half; v++) {
        code.aload(sums[v]).aload(sums[v + half]);
        combine(code);
        code.astore(sums[v]);
      }
    }
    if (isExtreme()) {
      code.aload(scratch).iconst_0().aload(sums[0]);
      ops.extreme(code, spec.combine() == Expr.Fn2.MAX);
      code.arrayStore(element);
    } else {
      halveLanes(code, sums[0], scratch);
    }
  }

  /** Combines the lanes of a vector in the order of the plain form. */
  private void halveLanes(CodeBuilder code, int sum, int scratch) {
    code.aload(sum).aload(scratch).iconst_0();
    ops.store(code);
    int[] last = new int[width];
    for (int u = 0; u < width; u++) {
      code.aload(scratch).loadConstant(u).arrayLoad(element);
      last[u] = store(code, accKind);
    }
    for (int half = width / 2; half > 0; half /= 2) {
      for (int u = 0; u < half; u++) {
        combine(code, last[u], last[u + half]);
      }
    }
    code.aload(scratch).iconst_0().loadLocal(accKind, last[0]).arrayStore(element);
  }

  @Override
  void rowVectors(CodeBuilder code, int[][] at, int[][] fixed, int i, int out) {
    constants = VectorEmitter.constants(code, steps, ops);
    int[][] spread = new int[at.length][inputs];
    for (int g = 0; g < at.length; g++) {
      spreadFixed(code, fixed[g], spread[g]);
    }
    code.iload(N).loadConstant(width - 1).isub();
    int last = store(code, TypeKind.INT);
    loop(
        code,
        i,
        last,
        width,
        b -> {
          int[] values = new int[at.length];
          for (int g = 0; g < at.length; g++) {
            computed(b, at[g], spread[g], i, 0, -1);
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

  /**
   * Leaves the vector of the prologue's values at {@code at + i + shift} on the stack.
   *
   * @param mask of the elements that are there, or -1 for all
   */
  private void computed(CodeBuilder code, int[] at, int[] fixed, int i, int shift, int mask) {
    for (int k = 0; k < inputs; k++) {
      vector[k] = fixed[k];
      if (used[k] && spec.steps().get(k) == FoldKernel.Step.UNIT) {
        ops.species(code);
        code.aload(array[k]).iload(at[k]).iload(i).iadd();
        if (shift > 0) {
          code.loadConstant(shift).iadd();
        }
        if (spec.stored().get(k) != DType.BOOL && mask >= 0) {
          code.aload(mask);
          ops.loadMasked(code);
        } else if (spec.stored().get(k) != DType.BOOL) {
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
    new VectorEmitter(code, steps, loads, vector, ops, constants).push(0, spec.acc());
  }

  /** vector, vector → their combination. */
  private void combine(CodeBuilder code) {
    int b = VectorOps.keep(code);
    int a = VectorOps.keep(code);
    new VectorEmitter(code, pair, pairTypes, new int[] {a, b}, ops, new int[0]).push(0, spec.acc());
  }
}
