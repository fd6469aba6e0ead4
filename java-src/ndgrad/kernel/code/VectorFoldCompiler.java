package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.util.Arrays;
import java.util.function.ObjIntConsumer;
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
  private static final ClassDesc NAME = Generated.name(FoldKernel.class);

  /** Nodes in the code of a group and its rest up to which its vectors are side by side. */
  private static final int UNROLLED = 64;

  private final VectorOps ops;
  private final Dag steps;
  private final int width;
  private final int[] vector;
  private final DType[] pairTypes;
  private int[] constants = {};
  private int begin;

  /** Whether the largest or the smallest is found by keys. */
  private final boolean isKeyed;

  private ExtremeKeys keys;

  /** Whether accumulators take turns, as the code of the expression is there once. */
  private final boolean isLong;

  private int lastToFirst;
  private int lastLanes;

  /** Shuffles that bring the upper half of a vector down, of half of it, and so on. */
  private final int[] halves;

  private VectorFoldCompiler(FoldKernel.Spec spec) {
    super(spec);
    this.ops = new VectorOps(spec.acc());
    this.steps = Functions.spell(dag, loads, spec.acc());
    this.width = Forms.lanes(spec.acc());
    this.vector = new int[inputs];
    this.isLong = 2 * steps.size() * lanes / width > UNROLLED;
    this.isKeyed = isExtreme() && ExtremeKeys.pay(spec.acc());
    this.halves = new int[Integer.numberOfTrailingZeros(width)];
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
        && VectorEmitter.lanes(
                dag,
                number,
                new DType[] {acc},
                stored,
                load,
                k -> spec.steps().get(k) == FoldKernel.Step.ZERO)
            .isPresent();
  }

  /**
   * Compiles one kernel; it must be one that can be. Runs must be of a vector at least.
   *
   * @throws IllegalStateException when this machine's vectors are wider than the accumulators
   */
  static FoldKernel compile(FoldKernel.Spec spec) {
    if (lanes(spec) % Forms.lanes(spec.acc()) != 0) {
      throw new IllegalStateException("vectors of this width have no form");
    }
    return Generated.instance(
        FoldKernel.class,
        type -> {
          RareWays.declare(type, NAME);
          define(type, () -> new VectorFoldCompiler(spec));
        },
        RareWays.class);
  }

  @Override
  void beforeRuns(CodeBuilder code) {
    constants = VectorEmitter.constants(code, steps, ops);
    start(code);
    ops.broadcast(code);
    begin = VectorOps.keep(code);
    if (isKeyed) {
      keys = new ExtremeKeys(code, ops, spec.combine() == Expr.Fn2.MAX);
    }
    for (int j = 0, half = width / 2; !isExtreme() && half > 0; j++, half /= 2) {
      ops.iota(code, half, 1);
      halves[j] = VectorOps.keep(code);
    }
    if (!isKeyed) {
      prepareLast(code);
    }
  }

  /**
   * Prepares the fold of what is behind the whole vectors of a run, as many elements in all: a
   * shuffle that brings the end of a vector to its beginning, and a mask of the lanes there.
   */
  private void prepareLast(CodeBuilder code) {
    code.loadConstant(width).iload(N).loadConstant(width - 1).iand();
    code.isub();
    int away = Loops.store(code, TypeKind.INT);
    ops.iota(code, b -> b.iload(away), 1);
    lastToFirst = VectorOps.keep(code);
    ops.species(code);
    code.iload(away).loadConstant(width);
    ops.indexInRange(code);
    lastLanes = VectorOps.keep(code);
  }

  @Override
  void fold(CodeBuilder code, int scratch) {
    int[] fixed = new int[inputs];
    spreadFixed(code, value, fixed);
    if (isKeyed) {
      foldKeys(code, fixed);
      code.aload(scratch).iconst_0();
      keys.result(code);
      code.arrayStore(element);
      return;
    }
    code.iload(N).loadConstant(-lanes).iand();
    int whole = Loops.store(code, TypeKind.INT);
    int[] sums = new int[lanes / width];
    for (int v = 0; v < sums.length; v++) {
      code.aload(begin);
      sums[v] = VectorOps.keep(code);
    }
    if (isLong) {
      inPasses(code, fixed, scratch);
      load(code, sums, scratch);
      halve(code, sums);
    } else if (isExtreme()) {
      foldExtreme(code, sums, fixed, whole);
    } else {
      int i = Loops.zero(code);
      loop(code, i, whole, lanes, b -> group(b, sums, fixed, i));
      code.iload(i).iload(N);
      code.ifThen(Opcode.IF_ICMPLT, b -> rest(b, sums, fixed, i));
      halve(code, sums);
    }
    if (isExtreme()) {
      code.aload(scratch).iconst_0().aload(sums[0]);
      ops.extreme(code, spec.combine() == Expr.Fn2.MAX);
    } else {
      halveLanes(code, sums[0]);
      code.aload(scratch).iconst_0().aload(sums[0]);
      ops.first(code);
    }
    code.arrayStore(element);
  }

  /**
   * Folds at least a vector of elements: twice, where the last vector overlaps, does no harm. One
   * vector at a time, for in longer code the JIT leaves some calls calls, and makes objects for
   * them.
   */
  private void foldKeys(CodeBuilder code, int[] fixed) {
    keys.begin(code);
    vectors(
        code,
        Loops.zero(code),
        (b, at) -> {
          computed(b, position, fixed, at, 0);
          keys.fold(b);
        });
  }

  private boolean isExtreme() {
    return spec.combine() == Expr.Fn2.MAX || spec.combine() == Expr.Fn2.MIN;
  }

  /** Folds a group into the sums. */
  private void group(CodeBuilder code, int[] sums, int[] fixed, int i) {
    for (int v = 0; v < sums.length; v++) {
      foldVector(code, sums[v], fixed, i, v * width);
    }
  }

  /** Folds the elements behind the whole groups: whole vectors, then what is left. */
  private void rest(CodeBuilder code, int[] sums, int[] fixed, int i) {
    code.iload(N).iload(i).isub();
    int count = Loops.store(code, TypeKind.INT);
    for (int v = 0; v < sums.length - 1; v++) {
      int at = v;
      code.iload(count).loadConstant((v + 1) * width);
      code.ifThen(Opcode.IF_ICMPGE, b -> foldVector(b, sums[at], fixed, i, at * width));
    }
    code.iload(N).loadConstant(-width).iand();
    int end = Loops.store(code, TypeKind.INT);
    code.iload(end).iload(N);
    code.ifThen(Opcode.IF_ICMPLT, b -> rest(b, sums, fixed, i, end));
  }

  /** Folds the elements from end on, fewer than a vector, into the sum that is their turn. */
  private void rest(CodeBuilder code, int[] sums, int[] fixed, int i, int end) {
    code.aload(begin);
    int left = VectorOps.keep(code);
    foldLast(code, left, fixed);
    code.iload(end).iload(i).isub();
    int place = Loops.store(code, TypeKind.INT);
    for (int v = 0; v < sums.length; v++) {
      int sum = sums[v];
      code.iload(place).loadConstant(v * width);
      code.ifThen(
          Opcode.IF_ICMPEQ,
          b -> {
            b.aload(sum).aload(left);
            combine(b);
            b.astore(sum);
          });
    }
  }

  /** Folds a vector of elements into a sum. */
  private void foldVector(CodeBuilder code, int sum, int[] fixed, int i, int shift) {
    code.aload(sum);
    computed(code, position, fixed, i, shift);
    combine(code);
    code.astore(sum);
  }

  /**
   * Folds into the first sum. The elements behind the whole groups, or vectors, are folded with as
   * many before them as make one: twice does not matter here.
   */
  private void foldExtreme(CodeBuilder code, int[] sums, int[] fixed, int whole) {
    int i = Loops.zero(code);
    code.iload(N).loadConstant(lanes);
    code.ifThenElse(
        Opcode.IF_ICMPGE,
        b -> {
          loop(b, i, whole, lanes, c -> group(c, sums, fixed, i));
          b.iload(i).iload(N);
          b.ifThen(
              Opcode.IF_ICMPLT,
              c -> {
                c.iload(N).loadConstant(lanes).isub().istore(i);
                group(c, sums, fixed, i);
              });
          halve(b, sums);
        },
        b ->
            vectors(
                b,
                i,
                (c, at) -> {
                  c.aload(sums[0]);
                  computed(c, position, fixed, at, 0);
                  combine(c);
                  c.astore(sums[0]);
                }));
  }

  /** Vectors of elements from i on, one after the other; the last one ends with the run. */
  private void vectors(CodeBuilder code, int i, ObjIntConsumer<CodeBuilder> each) {
    loop(
        code,
        i,
        N,
        width,
        b -> {
          b.iload(i).iload(N).loadConstant(width).isub().invokestatic(MATH, "min", MIN);
          each.accept(b, Loops.store(b, TypeKind.INT));
        });
  }

  private void load(CodeBuilder code, int[] vectors, int scratch) {
    for (int v = 0; v < vectors.length; v++) {
      ops.species(code);
      code.aload(scratch).loadConstant(v * width);
      ops.load(code);
      code.astore(vectors[v]);
    }
  }

  /**
   * Folds a long expression, one sum after the other, and whole vectors and the last one by the
   * same code: the JIT's first compiler gives up on what is too long, and then the second never
   * gets to see it.
   */
  private void inPasses(CodeBuilder code, int[] fixed, int scratch) {
    code.iload(N).loadConstant(width).isub();
    int last = Loops.store(code, TypeKind.INT);
    code.loadConstant(lanes);
    int all = Loops.store(code, TypeKind.INT);
    int j = Loops.zero(code);
    loop(
        code,
        j,
        all,
        width,
        b -> {
          b.aload(begin);
          int sum = VectorOps.keep(b);
          b.iload(j);
          int i = Loops.store(b, TypeKind.INT);
          loop(b, i, N, lanes, c -> foldNext(c, sum, fixed, i, last));
          b.aload(sum).aload(scratch).iload(j);
          ops.store(b);
        });
  }

  /** Folds the vector at i, or what is left there, into a sum. */
  private void foldNext(CodeBuilder code, int sum, int[] fixed, int i, int last) {
    code.iload(i).iload(last).invokestatic(MATH, "min", MIN);
    computed(code, position, fixed, Loops.store(code, TypeKind.INT), 0);
    int value = VectorOps.keep(code);
    code.iload(i).iload(last);
    code.ifThenElse(
        Opcode.IF_ICMPLE,
        b -> {
          b.aload(sum).aload(value);
          combine(b);
          b.astore(sum);
        },
        b -> combineLast(b, sum, value));
  }

  /**
   * Folds the elements behind the whole vectors into a sum. They are loaded with those before them
   * and moved to the first lanes: masked loads past the end of an array call a method, and around a
   * call the JIT would keep all of a loop's constants in memory.
   */
  private void foldLast(CodeBuilder code, int sum, int[] fixed) {
    code.iload(N).loadConstant(width).isub();
    computed(code, position, fixed, Loops.store(code, TypeKind.INT), 0);
    combineLast(code, sum, VectorOps.keep(code));
  }

  private void combineLast(CodeBuilder code, int sum, int value) {
    code.aload(value).aload(lastToFirst);
    ops.rearrange(code);
    int moved = VectorOps.keep(code);
    code.aload(sum).aload(sum).aload(moved);
    combine(code);
    code.aload(lastLanes);
    ops.blend(code);
    code.astore(sum);
  }

  /** Combines the sums into the first. */
  private void halve(CodeBuilder code, int[] sums) {
    for (int half = sums.length / 2; half > 0; half /= 2) {
      for (int v = 0; v < half; v++) {
        code.aload(sums[v]).aload(sums[v + half]);
        combine(code);
        code.astore(sums[v]);
      }
    }
  }

  /** Combines the lanes of a vector in the order of the plain form: halves with each other. */
  private void halveLanes(CodeBuilder code, int sum) {
    for (int shuffle : halves) {
      code.aload(sum).aload(sum).aload(shuffle);
      ops.rearrange(code);
      combine(code);
      code.astore(sum);
    }
  }

  @Override
  void rowVectors(CodeBuilder code, int[][] at, int[][] fixed, int i, int out) {
    constants = VectorEmitter.constants(code, steps, ops);
    int[][] spread = new int[at.length][inputs];
    for (int g = 0; g < at.length; g++) {
      spreadFixed(code, fixed[g], spread[g]);
    }
    code.iload(N).loadConstant(width - 1).isub();
    int last = Loops.store(code, TypeKind.INT);
    loop(
        code,
        i,
        last,
        width,
        b -> {
          int[] values = new int[at.length];
          for (int g = 0; g < at.length; g++) {
            computed(b, at[g], spread[g], i, 0);
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
  private void computed(CodeBuilder code, int[] at, int[] fixed, int i, int shift) {
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
    new VectorEmitter(code, NAME, steps, loads, vector, ops, constants).push(0, spec.acc());
  }

  /** vector, vector → their combination. */
  private void combine(CodeBuilder code) {
    int b = VectorOps.keep(code);
    int a = VectorOps.keep(code);
    new VectorEmitter(code, NAME, pair, pairTypes, new int[] {a, b}, ops, new int[0])
        .push(0, spec.acc());
  }
}
