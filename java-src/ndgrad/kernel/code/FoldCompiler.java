package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.Arrays;
import java.util.concurrent.ConcurrentHashMap;
import java.util.function.Consumer;
import java.util.function.Supplier;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Types;
import ndgrad.kernel.memory.Scratch;

/**
 * Writes the classes of {@link FoldKernel}s around the code of {@link ExprEmitter}, and keeps them.
 * A sum in one accumulator waits for each addition to finish, so element i of a run is folded into
 * accumulator i modulo their number, and these are combined pairwise. That is the order of {@link
 * VectorFoldCompiler} too, so sums do not depend on the form. Rows are combined up to four at a
 * time, so that the accumulating row is read and written once for four.
 */
class FoldCompiler {
  /** What the accumulators of a run take: four of the widest vectors there are. */
  private static final int BYTES = 256;

  /** Accumulators that are local variables at a time. */
  private static final int PASS = 8;

  /** Nodes of an expression up to which accumulators are local variables. */
  private static final int SHORT = 4;

  private record Key(FoldKernel.Spec spec, Forms.Mode mode) {}

  private static final ConcurrentHashMap<Key, FoldKernel> KERNELS = new ConcurrentHashMap<>();
  static final ClassDesc MATH = Math.class.describeConstable().orElseThrow();
  private static final ClassDesc INTEGER = Integer.class.describeConstable().orElseThrow();
  private static final ClassDesc DTYPE = DType.class.describeConstable().orElseThrow();
  private static final ClassDesc SCRATCH = Scratch.class.describeConstable().orElseThrow();
  static final MethodTypeDesc MIN = MethodTypeDesc.of(CD_int, CD_int, CD_int);
  private static final MethodTypeDesc HIGHEST = MethodTypeDesc.of(CD_int, CD_int);
  private static final MethodTypeDesc FOLD =
      MethodTypeDesc.of(
          CD_void,
          CD_Object.arrayType(),
          CD_int.arrayType(),
          CD_int,
          CD_int,
          CD_Object,
          CD_int,
          CD_int);
  private static final MethodTypeDesc ROWS =
      MethodTypeDesc.of(
          CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_int, CD_Object, CD_int);
  private static final MethodTypeDesc SCAN =
      MethodTypeDesc.of(
          CD_void, CD_Object.arrayType(), CD_int.arrayType(), CD_int, CD_Object, CD_int, CD_int);
  private static final int IN = 1;
  private static final int AT = 2;

  /** The parameters n of fold and rows. */
  static final int N = 4;

  final FoldKernel.Spec spec;
  final Dag dag;
  final Dag pair;
  final int inputs;
  final boolean[] used;
  final DType[] loads;
  final TypeKind accKind;
  final TypeKind element;
  final int lanes;
  final int[] array;
  final int[] position;
  private final int[] stride;
  final int[] value;

  FoldCompiler(FoldKernel.Spec spec) {
    this.spec = spec;
    this.dag = new Dag(spec.prologue());
    this.pair = new Dag(Expr.of(spec.combine(), Expr.in(0), Expr.in(1)));
    this.inputs = spec.stored().size();
    this.used = dag.usedInputs(inputs);
    this.loads = new DType[inputs];
    Arrays.fill(loads, spec.load());
    this.accKind = ExprEmitter.kind(spec.acc());
    this.element = ExprEmitter.elementKind(spec.acc());
    this.lanes = lanes(spec);
    this.array = new int[inputs];
    this.position = new int[inputs];
    this.stride = new int[inputs];
    this.value = new int[inputs];
  }

  /**
   * The number of accumulators of a run, a power of 2. A vector's maximum takes several
   * instructions that wait for each other, so that more of them must be under way; which are
   * combined with which does not matter there.
   */
  static int lanes(FoldKernel.Spec spec) {
    int bytes =
        switch (spec.combine()) {
          case MAX, MIN -> 2 * BYTES;
          default -> BYTES;
        };
    return switch (spec.acc()) {
      case BOOL -> 16;
      case INT32, FLOAT32 -> bytes / 4;
      case INT64, FLOAT64 -> bytes / 8;
    };
  }

  /**
   * The kernel for a combination. Those that combine elements as they are, of which there are few,
   * are kept for all; others belong to who asks for them.
   */
  static FoldKernel kernel(FoldKernel.Spec spec) {
    if (!(spec.prologue() instanceof Expr.In)) {
      return Forms.fold(spec);
    }
    Key key = new Key(spec, Forms.mode());
    FoldKernel known = KERNELS.get(key);
    return known != null ? known : KERNELS.computeIfAbsent(key, _ -> Forms.fold(spec));
  }

  /** Compiles the plain kernel. */
  static FoldKernel compile(FoldKernel.Spec spec) {
    return Generated.instance(FoldKernel.class, type -> define(type, () -> new FoldCompiler(spec)));
  }

  /** Makes a class that is written a kernel. */
  static void define(ClassBuilder type, Supplier<FoldCompiler> of) {
    int flags = ClassFile.ACC_PUBLIC;
    type.withMethodBody("fold", FOLD, flags, c -> of.get().fold(c));
    type.withMethodBody("rows", ROWS, flags, c -> of.get().rows(c));
    type.withMethodBody("scan", SCAN, flags, c -> of.get().scan(c));
  }

  // ---- fold(in, at, runs = 3, n = 4, out = 5, slot = 6, step = 7)

  private void fold(CodeBuilder code) {
    prepare(code);
    int[] next = nextRow(code);
    out(code, 5);
    int out = Loops.store(code, TypeKind.REFERENCE);
    int scratch = accumulators(code);
    beforeRuns(code);
    loop(
        code,
        Loops.zero(code),
        3,
        1,
        b -> {
          loadFixed(b);
          fold(b, scratch);
          b.aload(out).iload(6).aload(scratch).iconst_0().arrayLoad(element).arrayStore(element);
          b.iload(6).iload(7).iadd().istore(6);
          for (int k = 0; k < inputs; k++) {
            if (used[k]) {
              b.iload(position[k]).iload(next[k]).iadd().istore(position[k]);
            }
          }
        });
    code.return_();
  }

  /** The accumulators of a thread, which are used again: runs may be short and many. */
  private int accumulators(CodeBuilder code) {
    code.getstatic(DTYPE, spec.acc().name(), DTYPE)
        .loadConstant(Scratch.ACCUMULATORS)
        .loadConstant(lanes)
        .invokestatic(SCRATCH, "array", MethodTypeDesc.of(CD_Object, DTYPE, CD_int, CD_int))
        .checkcast(ExprEmitter.array(spec.acc()));
    return Loops.store(code, TypeKind.REFERENCE);
  }

  /** Prepares what all runs share. */
  void beforeRuns(CodeBuilder code) {}

  /** Folds one run into the first element of the scratch array. */
  void fold(CodeBuilder code, int scratch) {
    code.iload(N).loadConstant(-lanes).iand();
    int whole = Loops.store(code, TypeKind.INT);
    code.iload(whole)
        .ifThenElse(
            Opcode.IFGT,
            b -> {
              if (dag.size() <= SHORT) {
                groupsInPasses(b, whole, scratch);
              } else {
                groups(b, whole, scratch);
              }
              foldRest(b, whole, scratch, true);
            },
            b -> foldRest(b, whole, scratch, false));
    code.iload(N).loadConstant(lanes).invokestatic(MATH, "min", MIN);
    halve(code, scratch, Loops.store(code, TypeKind.INT));
  }

  /** Folds the whole groups, some accumulators after the others: these stay in registers. */
  private void groupsInPasses(CodeBuilder code, int whole, int scratch) {
    int first = Loops.zero(code);
    code.loadConstant(lanes);
    int end = Loops.store(code, TypeKind.INT);
    loop(
        code,
        first,
        end,
        PASS,
        b -> {
          int[] acc = new int[PASS];
          for (int u = 0; u < PASS; u++) {
            start(b);
            acc[u] = Loops.store(b, accKind);
          }
          b.iload(first);
          int i = Loops.store(b, TypeKind.INT);
          loop(
              b,
              i,
              whole,
              lanes,
              c -> {
                int[] at = positions(c, i);
                for (int u = 0; u < PASS; u++) {
                  foldOne(c, at, i, u, acc[u]);
                }
              });
          for (int u = 0; u < PASS; u++) {
            b.aload(scratch).iload(first).loadConstant(u).iadd();
            b.loadLocal(accKind, acc[u]).arrayStore(element);
          }
        });
  }

  /** Folds the whole groups one after the other. */
  private void groups(CodeBuilder code, int whole, int scratch) {
    int j = Loops.zero(code);
    code.loadConstant(lanes);
    int count = Loops.store(code, TypeKind.INT);
    loop(
        code,
        j,
        count,
        1,
        b -> {
          b.aload(scratch).iload(j);
          start(b);
          b.arrayStore(element);
        });
    int i = Loops.zero(code);
    loop(
        code,
        i,
        whole,
        lanes,
        b -> {
          b.iconst_0().istore(j);
          int[] at = positions(b, i);
          loop(
              b,
              j,
              count,
              1,
              c -> {
                c.iload(i).iload(j).iadd();
                lane(c, at, Loops.store(c, TypeKind.INT), scratch, j, true);
              });
        });
  }

  /** Folds the elements from {@code from} on into the first accumulators. */
  private void foldRest(CodeBuilder code, int from, int scratch, boolean begun) {
    int j = Loops.zero(code);
    code.iload(from);
    int i = Loops.store(code, TypeKind.INT);
    int[] at = positions(code, i);
    loop(
        code,
        i,
        N,
        1,
        b -> {
          lane(b, at, i, scratch, j, begun);
          b.iinc(j, 1);
        });
    if (!begun) {
      code.iload(N)
          .ifThen(
              Opcode.IFEQ,
              b -> {
                b.aload(scratch).iconst_0();
                start(b);
                b.arrayStore(element);
              });
    }
  }

  /** Folds element i into accumulator j of the scratch array, or begins it. */
  private void lane(CodeBuilder code, int[] at, int i, int scratch, int j, boolean begun) {
    code.aload(scratch).iload(j);
    if (begun) {
      code.aload(scratch).iload(j).arrayLoad(element);
    } else {
      start(code);
    }
    int acc = Loops.store(code, accKind);
    foldOne(code, at, i, 0, acc);
    code.loadLocal(accKind, acc).arrayStore(element);
  }

  /**
   * Combines the first accumulators into the first: those behind a power of two with those before
   * it, until one is left. As if all were there: the others would change nothing.
   */
  private void halve(CodeBuilder code, int scratch, int count) {
    Label top = code.newLabel();
    Label done = code.newLabel();
    int half = Loops.zero(code);
    code.labelBinding(top).iload(count).iconst_1().if_icmple(done);
    code.iload(count).iconst_1().isub().invokestatic(INTEGER, "highestOneBit", HIGHEST);
    code.istore(half).iload(count).iload(half).isub().istore(count);
    int j = Loops.zero(code);
    loop(
        code,
        j,
        count,
        1,
        b -> {
          b.aload(scratch).iload(j).arrayLoad(element);
          int low = Loops.store(b, accKind);
          b.aload(scratch).iload(j).iload(half).iadd().arrayLoad(element);
          combine(b, low, Loops.store(b, accKind));
          b.aload(scratch).iload(j).loadLocal(accKind, low).arrayStore(element);
        });
    code.iload(half).istore(count).goto_(top).labelBinding(done);
  }

  /** The positions of element i of a run. */
  private int[] positions(CodeBuilder code, int i) {
    int[] at = new int[inputs];
    for (int k = 0; k < inputs; k++) {
      if (used[k]) {
        code.iload(position[k]);
        if (spec.steps().get(k) == FoldKernel.Step.STRIDED) {
          code.iload(i).iload(stride[k]).imul().iadd();
        }
        at[k] = Loops.store(code, TypeKind.INT);
      }
    }
    return at;
  }

  /** Combines element i + u into an accumulator, and moves on the positions of those that step. */
  private void foldOne(CodeBuilder code, int[] at, int i, int u, int acc) {
    code.block(
        b -> {
          loadMoving(b, at, i, u);
          int v = computed(b);
          combine(b, acc, v);
          for (int k = 0; k < inputs; k++) {
            step(b, k, at[k]);
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
    int[] outer = nextRow(code);
    out(code, 5);
    int out = Loops.store(code, TypeKind.REFERENCE);
    int r = Loops.zero(code);
    if (group > 1) {
      code.iload(rows).loadConstant(group - 1).isub();
      int last = Loops.store(code, TypeKind.INT);
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
          at[g][k] = Loops.store(code, TypeKind.INT);
          code.iload(position[k]).iload(outer[k]).iadd().istore(position[k]);
        }
      }
      for (int k = 0; k < inputs; k++) {
        if (used[k] && spec.steps().get(k) == FoldKernel.Step.ZERO) {
          code.aload(array[k]).iload(at[g][k]);
          fixed[g][k] = load(code, k);
        }
      }
    }
    int i = Loops.zero(code);
    rowVectors(code, at, fixed, i, out);
    loop(code, i, N, 1, b -> rowElement(b, at, fixed, i, out));
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
    TypeKind element = ExprEmitter.elementKind(spec.acc());
    b.aload(out).iload(6).iload(i).iadd().arrayLoad(element);
    int acc = Loops.store(b, accKind);
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
    int out = Loops.store(code, TypeKind.REFERENCE);
    start(code);
    int acc = Loops.store(code, accKind);
    int i = Loops.zero(code);
    loop(
        code,
        i,
        3,
        1,
        b -> {
          foldOne(b, position, i, 0, acc);
          b.aload(out).iload(5).loadLocal(accKind, acc);
          b.arrayStore(ExprEmitter.elementKind(spec.acc()));
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
        code.checkcast(ExprEmitter.array(spec.stored().get(k)));
        array[k] = Loops.store(code, TypeKind.REFERENCE);
        position[k] = element(code, k);
        if (spec.steps().get(k) == FoldKernel.Step.STRIDED) {
          stride[k] = element(code, inputs + k);
        }
      }
    }
  }

  /** The way of each input to its next row. */
  private int[] nextRow(CodeBuilder code) {
    int[] outer = new int[inputs];
    for (int k = 0; k < inputs; k++) {
      if (used[k]) {
        outer[k] = element(code, 2 * inputs + k);
      }
    }
    return outer;
  }

  private void loadFixed(CodeBuilder code) {
    for (int k = 0; k < inputs; k++) {
      if (used[k] && spec.steps().get(k) == FoldKernel.Step.ZERO) {
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
      if (used[k] && spec.steps().get(k) != FoldKernel.Step.ZERO) {
        code.aload(array[k]).iload(at[k]);
        if (spec.steps().get(k) == FoldKernel.Step.UNIT) {
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
    if (used[k] && spec.steps().get(k) == FoldKernel.Step.STRIDED) {
      code.iload(at).iload(stride[k]).iadd().istore(at);
    }
  }

  private int load(CodeBuilder code, int k) {
    code.arrayLoad(ExprEmitter.elementKind(spec.stored().get(k)));
    ExprEmitter.convert(code, spec.stored().get(k), spec.load());
    return Loops.store(code, ExprEmitter.kind(spec.load()));
  }

  /** The prologue's value of the loaded inputs, in a local variable of the accumulation's dtype. */
  private int computed(CodeBuilder code) {
    DType number = Types.number(loads, spec.acc());
    new ExprEmitter(code, dag, loads, value, number).push(0, spec.acc());
    return Loops.store(code, accKind);
  }

  /** acc = combine(acc, v) over local variables. */
  final void combine(CodeBuilder code, int acc, int v) {
    DType[] types = {spec.acc(), spec.acc()};
    DType number = Types.number(types, spec.acc());
    new ExprEmitter(code, pair, types, new int[] {acc, v}, number).push(0, spec.acc());
    code.storeLocal(accKind, acc);
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
    switch (FoldKernel.start(spec.combine(), spec.acc())) {
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
    code.checkcast(ExprEmitter.array(spec.acc()));
  }

  private int element(CodeBuilder code, int index) {
    code.aload(AT).loadConstant(index).iaload();
    return Loops.store(code, TypeKind.INT);
  }

  /** A loop whose local variables are free again after it. */
  static void loop(CodeBuilder code, int i, int bound, int by, Consumer<CodeBuilder> body) {
    code.block(b -> Loops.on(b, i, bound, by, _ -> body.accept(b)));
  }
}
