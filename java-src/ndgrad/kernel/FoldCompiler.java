package ndgrad.kernel;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.constant.MethodTypeDesc;
import java.util.Arrays;
import java.util.List;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import ndgrad.DType;

/**
 * Writes the classes of {@link FoldKernel}s around the code of {@link ExprEmitter}, and keeps them.
 * A sum in one accumulator waits for each addition to finish, so a row is folded into {@value
 * #LANES}, which are combined pairwise; so the order of the additions is that of {@link
 * VectorFoldCompiler} too, and sums do not depend on the form. Rows are combined up to four at a
 * time, so that the accumulating row is read and written once for four.
 */
class FoldCompiler {
  /**
   * What a kernel is compiled for.
   *
   * @param prologue the expression whose values are combined
   * @param combine how two are combined
   * @param acc the dtype of the accumulation and its result
   * @param load the dtype that inputs are converted to
   * @param stored the dtype of each input's array
   * @param steps how each input moves along the inner loop
   */
  record Spec(
      Expr prologue,
      Expr.Fn2 combine,
      DType acc,
      DType load,
      List<DType> stored,
      List<FoldKernel.Step> steps) {}

  /** Accumulators of a row; a power of 2, and no vector has more lanes. */
  static final int LANES = 16;

  /** Nodes of an expression up to which the accumulators are local variables. */
  private static final int SHORT = 4;

  private record Key(Spec spec, Forms.Mode mode) {}

  private static final ConcurrentHashMap<Key, FoldKernel> KERNELS = new ConcurrentHashMap<>();
  private static final MethodTypeDesc FOLD =
      MethodTypeDesc.of(
          CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_Object, CD_int);
  private static final MethodTypeDesc ROWS =
      MethodTypeDesc.of(
          CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_int, CD_Object, CD_int);
  private static final MethodTypeDesc SCAN =
      MethodTypeDesc.of(
          CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_Object, CD_int, CD_int);
  private static final int IN = 1;
  private static final int AT = 2;

  final Spec spec;
  final Dag dag;
  final Dag pair;
  final int inputs;
  final boolean[] used;
  final DType[] loads;
  final TypeKind accKind;
  final int[] array;
  final int[] position;
  private final int[] stride;
  final int[] value;

  FoldCompiler(Spec spec) {
    this.spec = spec;
    this.dag = new Dag(spec.prologue);
    this.pair = new Dag(Expr.of(spec.combine, Expr.in(0), Expr.in(1)));
    this.inputs = spec.stored.size();
    this.used = dag.usedInputs(inputs);
    this.loads = new DType[inputs];
    Arrays.fill(loads, spec.load);
    this.accKind = ExprEmitter.kind(spec.acc);
    this.array = new int[inputs];
    this.position = new int[inputs];
    this.stride = new int[inputs];
    this.value = new int[inputs];
  }

  /** The kernel for a combination, made when it is asked for first. */
  static FoldKernel kernel(Spec spec) {
    Key key = new Key(spec, Forms.mode());
    FoldKernel known = KERNELS.get(key);
    return known != null ? known : KERNELS.computeIfAbsent(key, _ -> Forms.fold(spec));
  }

  /** Compiles the kernel that {@code of} writes. */
  static FoldKernel compile(Supplier<FoldCompiler> of) {
    int flags = ClassFile.ACC_PUBLIC;
    return Generated.instance(
        FoldKernel.class,
        type -> {
          type.withMethodBody("fold", FOLD, flags, c -> of.get().fold(c));
          type.withMethodBody("rows", ROWS, flags, c -> of.get().rows(c));
          type.withMethodBody("scan", SCAN, flags, c -> of.get().scan(c));
        });
  }

  // ---- fold(in, at, n = 3, out = 4, slot = 5)

  private void fold(CodeBuilder code) {
    int n = 3;
    prepare(code);
    loadFixed(code);
    start(code);
    int acc = store(code, accKind);
    int i = zero(code);
    code.iload(n).loadConstant(LANES - 1).isub();
    int last = store(code, TypeKind.INT);
    // Without a whole group nothing but the rest is left.
    code.iload(last)
        .ifThen(
            Opcode.IFGT,
            b -> {
              groups(b, i, last, acc);
            });
    loop(code, i, n, 1, b -> foldOne(b, i, 0, acc));
    out(code, 4);
    code.iload(5).loadLocal(accKind, acc).arrayStore(ExprEmitter.elementKind(spec.acc));
    code.return_();
  }

  /**
   * Folds whole groups of {@link #LANES} elements, each into an accumulator of its own, and these
   * into {@code acc}.
   *
   * @param i the first element, then the first that is left
   * @param last before which groups begin
   */
  void groups(CodeBuilder code, int i, int last, int acc) {
    if (dag.size() <= SHORT) {
      // Where the order does not matter fewer will do, which stay in registers.
      boolean anyOrder = spec.combine == Expr.Fn2.MAX || spec.combine == Expr.Fn2.MIN;
      int[] lanes = new int[anyOrder ? LANES / 2 : LANES];
      for (int u = 0; u < lanes.length; u++) {
        start(code);
        lanes[u] = store(code, accKind);
      }
      loop(
          code,
          i,
          last,
          LANES,
          b -> {
            for (int u = 0; u < LANES; u++) {
              foldOne(b, i, u, lanes[u % lanes.length]);
            }
          });
      halve(code, lanes);
      code.loadLocal(accKind, lanes[0]).storeLocal(accKind, acc);
      return;
    }
    int lanes = scratch(code, LANES);
    int j = zero(code);
    code.loadConstant(LANES);
    int count = store(code, TypeKind.INT);
    TypeKind element = ExprEmitter.elementKind(spec.acc);
    loop(
        code,
        j,
        count,
        1,
        b -> {
          b.aload(lanes).iload(j);
          start(b);
          b.arrayStore(element);
        });
    loop(
        code,
        i,
        last,
        LANES,
        b -> {
          b.iconst_0().istore(j);
          loop(
              b,
              j,
              count,
              1,
              c -> {
                c.aload(lanes).iload(j).arrayLoad(element);
                int lane = store(c, accKind);
                c.iload(i).iload(j).iadd();
                foldOne(c, store(c, TypeKind.INT), 0, lane);
                c.aload(lanes).iload(j).loadLocal(accKind, lane).arrayStore(element);
              });
        });
    gather(code, lanes, LANES, acc);
  }

  /** A new array of accumulators. */
  final int scratch(CodeBuilder code, int length) {
    code.loadConstant(length).newarray(ExprEmitter.elementKind(spec.acc));
    return store(code, TypeKind.REFERENCE);
  }

  /** Combines the first elements of an array of accumulators into a local variable. */
  final void gather(CodeBuilder code, int scratch, int length, int acc) {
    int[] lanes = new int[length];
    for (int u = 0; u < length; u++) {
      code.aload(scratch).loadConstant(u).arrayLoad(ExprEmitter.elementKind(spec.acc));
      lanes[u] = store(code, accKind);
    }
    halve(code, lanes);
    code.loadLocal(accKind, lanes[0]).storeLocal(accKind, acc);
  }

  private void foldOne(CodeBuilder code, int i, int u, int acc) {
    code.block(
        b -> {
          loadMoving(b, position, i, u);
          int v = computed(b);
          combine(b, acc, v);
          for (int k = 0; k < inputs; k++) {
            step(b, k, position[k]);
          }
        });
  }

  // ---- rows(in, at, rows = 3, n = 4, out = 5, slot = 6)

  /** Rows that are combined at a time; fewer for long expressions. */
  private int group() {
    int n = dag.size();
    return n <= 10 ? 4 : n <= 24 ? 2 : 1;
  }

  private void rows(CodeBuilder code) {
    int rows = 3;
    int group = group();
    prepare(code);
    int[] outer = new int[inputs];
    for (int k = 0; k < inputs; k++) {
      if (used[k]) {
        outer[k] = element(code, 2 * inputs + k);
      }
    }
    out(code, 5);
    int out = store(code, TypeKind.REFERENCE);
    int r = zero(code);
    if (group > 1) {
      code.iload(rows).loadConstant(group - 1).isub();
      int last = store(code, TypeKind.INT);
      loop(code, r, last, group, b -> rowGroup(b, group, outer, out));
    }
    loop(code, r, rows, 1, b -> rowGroup(b, 1, outer, out));
    code.return_();
  }

  private void rowGroup(CodeBuilder code, int group, int[] outer, int out) {
    int[][] at = new int[group][inputs];
    int[][] fixed = new int[group][inputs];
    for (int g = 0; g < group; g++) {
      for (int k = 0; k < inputs; k++) {
        if (used[k]) {
          code.iload(position[k]);
          at[g][k] = store(code, TypeKind.INT);
          code.iload(position[k]).iload(outer[k]).iadd().istore(position[k]);
        }
      }
      for (int k = 0; k < inputs; k++) {
        if (used[k] && spec.steps.get(k) == FoldKernel.Step.ZERO) {
          code.aload(array[k]).iload(at[g][k]);
          fixed[g][k] = load(code, k);
        }
      }
    }
    int i = zero(code);
    rowVectors(code, at, fixed, i, out);
    loop(code, i, 4, 1, b -> rowElement(b, at, fixed, i, out));
  }

  /** Combines a group's elements from {@code i} on as far as there are vectors for it. */
  void rowVectors(CodeBuilder code, int[][] at, int[][] fixed, int i, int out) {}

  private void rowElement(CodeBuilder b, int[][] at, int[][] fixed, int i, int out) {
    int[] values = new int[at.length];
    for (int g = 0; g < at.length; g++) {
      System.arraycopy(fixed[g], 0, value, 0, inputs);
      loadMoving(b, at[g], i, 0);
      values[g] = computed(b);
    }
    tree(b, values);
    TypeKind element = ExprEmitter.elementKind(spec.acc);
    b.aload(out).iload(6).iload(i).iadd().arrayLoad(element);
    int acc = store(b, accKind);
    combine(b, acc, values[0]);
    b.aload(out).iload(6).iload(i).iadd().loadLocal(accKind, acc).arrayStore(element);
    for (int[] row : at) {
      for (int k = 0; k < inputs; k++) {
        step(b, k, row[k]);
      }
    }
  }

  // ---- scan(in, at, n = 3, out = 4, slot = 5, step = 6)

  private void scan(CodeBuilder code) {
    prepare(code);
    loadFixed(code);
    out(code, 4);
    int out = store(code, TypeKind.REFERENCE);
    start(code);
    int acc = store(code, accKind);
    int i = zero(code);
    loop(
        code,
        i,
        3,
        1,
        b -> {
          foldOne(b, i, 0, acc);
          b.aload(out).iload(5).loadLocal(accKind, acc);
          b.arrayStore(ExprEmitter.elementKind(spec.acc));
          b.iload(5).iload(6).iadd().istore(5);
        });
    code.return_();
  }

  // ---- pieces

  /** Loads arrays, positions and strides into local variables. */
  private void prepare(CodeBuilder code) {
    for (int k = 0; k < inputs; k++) {
      if (used[k]) {
        code.aload(IN).loadConstant(k).aaload();
        code.checkcast(
            spec.stored.get(k).primitive().describeConstable().orElseThrow().arrayType());
        array[k] = store(code, TypeKind.REFERENCE);
        position[k] = element(code, k);
        if (spec.steps.get(k) == FoldKernel.Step.STRIDED) {
          stride[k] = element(code, inputs + k);
        }
      }
    }
  }

  private void loadFixed(CodeBuilder code) {
    for (int k = 0; k < inputs; k++) {
      if (used[k] && spec.steps.get(k) == FoldKernel.Step.ZERO) {
        code.aload(array[k]).iload(position[k]);
        value[k] = load(code, k);
      }
    }
  }

  /**
   * Loads the inputs that move: from {@code at + i + u} those of stride 1, from {@code at} the
   * others.
   */
  private void loadMoving(CodeBuilder code, int[] at, int i, int u) {
    for (int k = 0; k < inputs; k++) {
      if (used[k] && spec.steps.get(k) != FoldKernel.Step.ZERO) {
        code.aload(array[k]).iload(at[k]);
        if (spec.steps.get(k) == FoldKernel.Step.UNIT) {
          code.iload(i).iadd();
          if (u > 0) {
            code.loadConstant(u).iadd();
          }
        }
        value[k] = load(code, k);
      }
    }
  }

  private void step(CodeBuilder code, int k, int at) {
    if (used[k] && spec.steps.get(k) == FoldKernel.Step.STRIDED) {
      code.iload(at).iload(stride[k]).iadd().istore(at);
    }
  }

  private int load(CodeBuilder code, int k) {
    code.arrayLoad(ExprEmitter.elementKind(spec.stored.get(k)));
    ExprEmitter.convert(code, spec.stored.get(k), spec.load);
    return store(code, ExprEmitter.kind(spec.load));
  }

  /** The prologue's value of the loaded inputs, in a local variable of the accumulation's dtype. */
  private int computed(CodeBuilder code) {
    DType number = ExprEmitter.number(loads, spec.acc);
    new ExprEmitter(code, dag, loads, value, number).push(0, spec.acc);
    return store(code, accKind);
  }

  /** acc = combine(acc, v) over local variables. */
  private void combine(CodeBuilder code, int acc, int v) {
    DType[] types = {spec.acc, spec.acc};
    DType number = ExprEmitter.number(types, spec.acc);
    new ExprEmitter(code, pair, types, new int[] {acc, v}, number).push(0, spec.acc);
    code.storeLocal(accKind, acc);
  }

  /** Combines accumulators into the first: each of the lower half with one of the upper half. */
  private void halve(CodeBuilder code, int[] acc) {
    for (int half = acc.length / 2; half > 0; half /= 2) {
      for (int u = 0; u < half; u++) {
        combine(code, acc[u], acc[u + half]);
      }
    }
  }

  /** Combines local variables pairwise into the first. */
  private void tree(CodeBuilder code, int[] acc) {
    for (int gap = 1; gap < acc.length; gap *= 2) {
      for (int u = 0; u + gap < acc.length; u += 2 * gap) {
        combine(code, acc[u], acc[u + gap]);
      }
    }
  }

  /** Leaves what an accumulation starts with on the stack. */
  final void start(CodeBuilder code) {
    switch (Reduction.start(spec.combine, spec.acc)) {
      case Boolean b -> code.loadConstant(b ? 1 : 0);
      case Integer x -> code.loadConstant((int) x);
      case Long x -> code.loadConstant((long) x);
      case Float x -> code.loadConstant((float) x);
      case Number x -> code.loadConstant(x.doubleValue());
      default -> throw new AssertionError(spec);
    }
  }

  private void out(CodeBuilder code, int parameter) {
    code.aload(parameter);
    code.checkcast(spec.acc.primitive().describeConstable().orElseThrow().arrayType());
  }

  private int element(CodeBuilder code, int index) {
    code.aload(AT).loadConstant(index).iaload();
    return store(code, TypeKind.INT);
  }

  final int zero(CodeBuilder code) {
    code.iconst_0();
    return store(code, TypeKind.INT);
  }

  static int store(CodeBuilder code, TypeKind kind) {
    int slot = code.allocateLocal(kind);
    code.storeLocal(kind, slot);
    return slot;
  }

  /** while (i < bound) { body; i += by } */
  static void loop(CodeBuilder code, int i, int bound, int by, Consumer<CodeBuilder> body) {
    code.block(
        b -> {
          Label top = b.newLabel();
          b.labelBinding(top).iload(i).iload(bound).if_icmpge(b.breakLabel());
          body.accept(b);
          b.iinc(i, by).goto_(top);
        });
  }
}
