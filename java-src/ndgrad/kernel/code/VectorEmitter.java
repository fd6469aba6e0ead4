package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.constant.ClassDesc;
import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import java.util.function.IntPredicate;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Functions;
import ndgrad.kernel.expr.Step;
import ndgrad.kernel.expr.Types;

/**
 * Turns expressions into calls of the Vector API: {@link ExprEmitter} for many elements at a time.
 * All numbers of an expression must have one dtype; bools are masks, choices are blends.
 *
 * <p>Results have the bits that the plain form gives: no product and sum are contracted, and {@link
 * Functions} are spelled out before.
 */
final class VectorEmitter {
  private static final int NONE = -1;

  private final CodeBuilder code;
  private final ClassDesc owner;
  private final Dag dag;
  private final VectorOps ops;
  private final DType lanes;
  private final int[] inputs;
  private final DType[] types;
  private final int[] uses;
  private final int[] constants;
  private final int[] kept;

  /**
   * Prepares the emission of some outputs.
   *
   * @param code where to emit
   * @param owner what the class calls itself, of {@link RareWays}
   * @param dag the outputs
   * @param load the dtype of each input
   * @param inputs the local variable of each input: a vector, or a mask for a bool
   * @param ops the lanes' dtype
   * @param constants the local variable of each constant's vector, see {@link #constants}
   */
  VectorEmitter(
      CodeBuilder code,
      ClassDesc owner,
      Dag dag,
      DType[] load,
      int[] inputs,
      VectorOps ops,
      int[] constants) {
    this.code = code;
    this.owner = owner;
    this.dag = dag;
    this.ops = ops;
    this.lanes = ops.dtype();
    this.inputs = inputs;
    this.types = Types.of(dag, load, lanes);
    this.uses = dag.uses();
    this.constants = constants;
    this.kept = new int[dag.size()];
    Arrays.fill(kept, NONE);
  }

  // ---- what can be vectors

  /**
   * The dtype of the lanes that can compute some outputs.
   *
   * @param dag the outputs
   * @param number the dtype of constants
   * @param outs the dtype of each output
   * @param stored the dtype of each input's array
   * @param load the dtype that each input is converted to
   * @param isStill whether an input stays the same along a row: it is converted once, so that its
   *     array's dtype does not matter
   * @return empty when the expressions mix dtypes of numbers, have none, or use a function without
   *     a vector form
   */
  static Optional<DType> lanes(
      Dag dag, DType number, DType[] outs, DType[] stored, DType[] load, IntPredicate isStill) {
    boolean[] used = dag.usedInputs(load.length);
    boolean any = false;
    for (int i = 0; i < load.length; i++) {
      if (used[i]) {
        DType from = isStill.test(i) ? load[i] : stored[i];
        any |= from == number;
        if (from != DType.BOOL && from != number || load[i] != from && load[i] != number) {
          return Optional.empty();
        }
      }
    }
    for (DType out : outs) {
      any |= out == number;
      if (out != DType.BOOL && out != number) {
        return Optional.empty();
      }
    }
    DType[] types = Types.of(dag, load, number);
    for (int id = 0; id < types.length; id++) {
      if (types[id] != DType.BOOL && types[id] != number || !known(dag, id, types)) {
        return Optional.empty();
      }
    }
    return any ? Optional.of(number) : Optional.empty();
  }

  private static boolean known(Dag dag, int id, DType[] types) {
    int[] args = dag.node(id).args();
    return switch (dag.node(id).expr()) {
      case Expr.In _, Expr.Const _, Expr.Select _, Step _ -> true;
      case Expr.Apply1(Fn1 fn, Expr _) ->
          switch (fn) {
            case NOT, NEG, ABS, SIGN -> true;
            case ISNAN, ISINF, ISFINITE, FLOOR, CEIL, RINT -> types[args[0]].isFloating();
            case SQRT -> true;
            default -> Functions.isSpelled(fn);
          };
      case Expr.Apply2(Fn2 fn, Expr _, Expr _) ->
          switch (fn) {
            case ADD, SUB, MUL, DIV, MAX, MIN, AND, OR, XOR, EQ, NE -> true;
            case LT, LE, GT, GE -> DType.promote(types[args[0]], types[args[1]]) != DType.BOOL;
            case ATAN2, HYPOT -> true;
            case POW, FLOOR_DIV, REMAINDER ->
                DType.promote(types[args[0]], types[args[1]]).isFloating();
          };
    };
  }

  // ---- code

  /**
   * Loads the constants into local variables, to be called before the loop.
   *
   * @return the variable of each node that is one
   */
  static int[] constants(CodeBuilder code, Dag dag, VectorOps ops) {
    int[] slots = new int[dag.size()];
    for (int id = 0; id < slots.length; id++) {
      if (dag.node(id).expr() instanceof Expr.Const(double value)) {
        ops.constant(code, value);
        slots[id] = VectorOps.keep(code);
      }
    }
    return slots;
  }

  /**
   * Leaves output {@code j} on the stack.
   *
   * @param j the output's position
   * @param want bool for a mask, else the lanes' dtype
   */
  void push(int j, DType want) {
    pushNode(dag.root(j), want);
  }

  private void pushNode(int id, DType want) {
    Dag.Node node = dag.node(id);
    DType type = types[id];
    if (node.expr() instanceof Expr.Const(double value)) {
      if (want == DType.BOOL) {
        ops.constantMask(code, value != 0);
      } else {
        code.aload(constants[id]);
      }
      return;
    }
    if (node.expr() instanceof Expr.In(int i)) {
      code.aload(inputs[i]);
    } else if (kept[id] != NONE) {
      code.aload(kept[id]);
    } else {
      compute(node, type);
      if (uses[id] > 1) {
        kept[id] = VectorOps.keep(code);
        code.aload(kept[id]);
      }
    }
    convert(type, want);
  }

  private void convert(DType from, DType to) {
    if (from == to) {
      return;
    }
    if (to == DType.BOOL) {
      ops.constant(code, 0);
      ops.compare(code, "NE");
    } else {
      ops.numbers(code);
    }
  }

  private void compute(Dag.Node node, DType type) {
    int[] args = node.args();
    switch (node.expr()) {
      case Expr.Apply1(Fn1 fn, Expr _) -> {
        boolean predicate = type == DType.BOOL && fn != Fn1.ABS;
        pushNode(args[0], predicate ? types[args[0]] : type);
        if (predicate) {
          predicate(fn, types[args[0]]);
        } else if (type != DType.BOOL) {
          apply(fn);
        }
      }
      case Expr.Apply2(Fn2 fn, Expr _, Expr _) -> {
        DType operand = Types.operand(fn, types[args[0]], types[args[1]], type);
        pushNode(args[0], operand);
        pushNode(args[1], operand);
        if (operand == DType.BOOL) {
          logic(fn);
        } else if (type == DType.BOOL) {
          ops.compare(code, fn.name());
        } else {
          ops.binary(code, fn.name().toLowerCase(Locale.ROOT));
        }
      }
      case Expr.Select _ when type == DType.BOOL -> choose(args);
      case Expr.Select _ -> {
        pushNode(args[2], type);
        pushNode(args[1], type);
        pushNode(args[0], DType.BOOL);
        ops.blend(code);
      }
      case Step step -> step(step, args);
      case Expr.In _, Expr.Const _ -> throw new AssertionError(node);
    }
  }

  private void step(Step step, int[] args) {
    Step.Op op = step.op();
    if (op == Step.Op.USUALLY) {
      usually(args);
      return;
    }
    if (op.isRare()) {
      rare(op, args);
      return;
    }
    for (int arg : args) {
      pushNode(arg, lanes);
      if (op != Step.Op.FMA && op != Step.Op.IS_NEGATIVE) {
        ops.bits(code);
      }
    }
    switch (op) {
      case FMA -> ops.fma(code);
      case ADD_BITS -> ops.onBits(code, "ADD");
      case SUB_BITS -> ops.onBits(code, "SUB");
      case AND_BITS -> ops.onBits(code, "AND");
      case XOR_BITS -> ops.onBits(code, "XOR");
      case SHIFT_LEFT -> ops.shift(code, "LSHL", step.amount());
      case SHIFT_RIGHT -> ops.shift(code, "ASHR", step.amount());
      case IS_NEGATIVE -> ops.test(code, "IS_NEGATIVE");
      default -> throw new AssertionError(op);
    }
    if (op != Step.Op.FMA && op != Step.Op.IS_NEGATIVE) {
      ops.fromBits(code);
    }
  }

  /**
   * Leaves the usual values on the stack; where the test is false for some element, those and the
   * others, chosen one by one. A warm-up takes that way too, as it does {@link #rare}.
   */
  private void usually(int[] args) {
    pushNode(args[1], lanes);
    int value = VectorOps.keep(code);
    pushNode(args[0], DType.BOOL);
    int test = VectorOps.keep(code);
    Label end = code.newLabel();
    code.aload(test);
    ops.allTrue(code);
    // One branch, so that a warm-up takes it as elements do.
    RareWays.push(code, owner);
    code.if_icmpgt(end);
    int[] before = kept.clone();
    pushNode(args[2], lanes);
    code.aload(value).aload(test);
    ops.blend(code);
    code.astore(value);
    // What was computed here is not there behind the branch.
    System.arraycopy(before, 0, kept, 0, kept.length);
    code.labelBinding(end).aload(value);
  }

  /**
   * Leaves the usual values on the stack; where the test is true for some element, one that a call
   * has seen to. The JIT must know that way too, or it would have to start anew when it is first
   * taken: a warm-up takes it.
   */
  private void rare(Step.Op op, int[] args) {
    pushNode(args[2], lanes);
    int value = VectorOps.keep(code);
    pushNode(args[1], lanes);
    int x = VectorOps.keep(code);
    pushNode(args[0], DType.BOOL);
    int test = VectorOps.keep(code);
    RareWays.push(code, owner);
    code.aload(test);
    ops.anyTrue(code);
    code.iadd().ifThen(Opcode.IFGT, b -> ops.patch(b, test, x, value, ExprEmitter.rare(op)));
    code.aload(value);
  }

  /** test and yes, or else no and not test. */
  private void choose(int[] args) {
    pushNode(args[0], DType.BOOL);
    int test = VectorOps.keep(code);
    code.aload(test);
    pushNode(args[1], DType.BOOL);
    ops.masks(code, "and");
    code.aload(test);
    ops.not(code);
    pushNode(args[2], DType.BOOL);
    ops.masks(code, "and");
    ops.masks(code, "or");
  }

  private void logic(Fn2 fn) {
    switch (fn) {
      case ADD, MAX, OR -> ops.masks(code, "or");
      case MUL, MIN, AND -> ops.masks(code, "and");
      case XOR, NE -> ops.masks(code, "xor");
      case EQ -> ops.masks(code, "eq");
      default -> throw new AssertionError(fn);
    }
  }

  private void predicate(Fn1 fn, DType arg) {
    switch (fn) {
      case NOT -> {
        if (arg == DType.BOOL) {
          ops.not(code);
        } else {
          ops.constant(code, 0);
          ops.compare(code, "EQ");
        }
      }
      case ISNAN -> ops.test(code, "IS_NAN");
      case ISINF -> ops.test(code, "IS_INFINITE");
      case ISFINITE -> ops.test(code, "IS_FINITE");
      default -> throw new AssertionError(fn);
    }
  }

  private void apply(Fn1 fn) {
    switch (fn) {
      case NEG -> ops.unary(code, "neg");
      case ABS -> ops.unary(code, "abs");
      case SQRT -> ops.unary(code, "sqrt");
      case SIGN -> sign();
      case FLOOR, CEIL, RINT -> round(fn);
      default -> throw new AssertionError(fn);
    }
  }

  private void sign() {
    int x = VectorOps.keep(code);
    code.aload(x);
    if (lanes.isFloating()) {
      ops.constant(code, 0); // makes -0 a plain 0
      ops.binary(code, "add");
    }
    where(x, "GT", 1);
    where(x, "LT", -1);
  }

  /** vector → vector with a number where x compares to 0. */
  private void where(int x, String comparison, double number) {
    ops.constant(code, number);
    code.aload(x);
    ops.constant(code, 0);
    ops.compare(code, comparison);
    ops.blend(code);
  }

  /**
   * The Vector API has no roundings. To the nearest by adding and subtracting the number from which
   * on all are integers; then one down or up where that went the wrong way. The sign is put back in
   * the end, for zeros.
   */
  private void round(Fn1 fn) {
    double whole = lanes == DType.FLOAT32 ? 0x1p23 : 0x1p52;
    int x = VectorOps.keep(code);
    code.aload(x);
    ops.unary(code, "abs");
    int size = VectorOps.keep(code);
    code.aload(size);
    ops.constant(code, whole);
    ops.binary(code, "add");
    ops.constant(code, whole);
    ops.binary(code, "sub");
    signed(x);
    if (fn != Fn1.RINT) {
      int near = VectorOps.keep(code);
      code.aload(near);
      code.aload(near);
      ops.constant(code, fn == Fn1.FLOOR ? -1 : 1);
      ops.binary(code, "add");
      code.aload(near).aload(x);
      ops.compare(code, fn == Fn1.FLOOR ? "GT" : "LT");
      ops.blend(code);
      ops.unary(code, "abs");
      signed(x);
    }
    int rounded = VectorOps.keep(code);
    code.aload(x).aload(rounded).aload(size);
    ops.constant(code, whole);
    ops.compare(code, "LT");
    ops.blend(code);
  }

  /** vector that is not negative → vector with the signs of x. */
  private void signed(int x) {
    int size = VectorOps.keep(code);
    code.aload(size).aload(size);
    ops.unary(code, "neg");
    code.aload(x);
    ops.test(code, "IS_NEGATIVE");
    ops.blend(code);
  }
}
