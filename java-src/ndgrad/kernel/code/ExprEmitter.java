package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.Opcode;
import java.lang.classfile.TypeKind;
import java.lang.classfile.instruction.OperatorInstruction;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.Locale;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Step;
import ndgrad.kernel.expr.Types;

/**
 * Turns expressions into bytecode. The caller has loaded the inputs into local variables; {@link
 * #push} leaves the value of an output on the operand stack. Subexpressions that occur several
 * times are computed once and kept in local variables, so all outputs are to be pushed in
 * straight-line code (one basic block after the other, none of them skipped).
 */
final class ExprEmitter {
  private static final ClassDesc MATH = Math.class.describeConstable().orElseThrow();
  private static final ClassDesc FLOAT = Float.class.describeConstable().orElseThrow();
  private static final ClassDesc DOUBLE = Double.class.describeConstable().orElseThrow();
  private static final ClassDesc SCALAR_MATH = ScalarMath.class.describeConstable().orElseThrow();

  private final CodeBuilder code;
  private final Dag dag;
  private final DType number;
  private final int[] inputs;
  private final DType[] types;
  private final int[] uses;

  /** One more than the local variable of each node that has one, else 0. */
  private final int[] kept;

  /**
   * Prepares the emission of some outputs.
   *
   * @param code where to emit
   * @param dag the outputs
   * @param load the dtype of each input's local variable
   * @param inputs the local variable of each input
   * @param number the dtype of constants, see {@link Types#number}
   */
  ExprEmitter(CodeBuilder code, Dag dag, DType[] load, int[] inputs, DType number) {
    this.code = code;
    this.dag = dag;
    this.number = number;
    this.inputs = inputs;
    this.types = Types.of(dag, load, number);
    this.uses = dag.uses();
    this.kept = new int[dag.size()];
  }

  /**
   * Leaves output {@code j} on the stack.
   *
   * @param j the output's position
   * @param want the dtype to convert it to
   */
  void push(int j, DType want) {
    pushNode(dag.root(j), want);
  }

  /** The JVM's kind of a dtype's local variables. */
  static TypeKind kind(DType dtype) {
    return switch (dtype) {
      case BOOL, INT32 -> TypeKind.INT;
      case INT64 -> TypeKind.LONG;
      case FLOAT32 -> TypeKind.FLOAT;
      case FLOAT64 -> TypeKind.DOUBLE;
    };
  }

  /** The JVM's kind of a dtype's array elements. */
  static TypeKind elementKind(DType dtype) {
    return dtype == DType.BOOL ? TypeKind.BOOLEAN : kind(dtype);
  }

  /** The class of arrays of a dtype. */
  static ClassDesc array(DType dtype) {
    return desc(dtype).arrayType();
  }

  private static ClassDesc desc(DType dtype) {
    return switch (dtype) {
      case BOOL -> CD_boolean;
      case INT32 -> CD_int;
      case INT64 -> CD_long;
      case FLOAT32 -> CD_float;
      case FLOAT64 -> CD_double;
    };
  }

  /**
   * Converts the top of the stack: floating numbers to integers as Java casts do (towards 0, NaN to
   * 0, saturating), numbers to bool by {@code x != 0}, bools to 0 and 1.
   */
  static void convert(CodeBuilder code, DType from, DType to) {
    if (from == to) {
      return;
    }
    if (to != DType.BOOL) {
      code.conversion(kind(from), kind(to));
      return;
    }
    switch (from) {
      case INT64 -> code.lconst_0().lcmp();
      case FLOAT32 -> code.fconst_0().fcmpl();
      case FLOAT64 -> code.dconst_0().dcmpl();
      default -> {}
    }
    truth(code, Opcode.IFNE);
  }

  private static void truth(CodeBuilder code, Opcode test) {
    code.ifThenElse(test, CodeBuilder::iconst_1, CodeBuilder::iconst_0);
  }

  private void pushNode(int id, DType want) {
    Dag.Node node = dag.node(id);
    if (node.expr() instanceof Expr.Const(double value)) {
      constant(code, value, want);
      return;
    }
    DType type = types[id];
    if (node.expr() instanceof Expr.In(int i)) {
      code.loadLocal(kind(type), inputs[i]);
    } else if (kept[id] > 0) {
      code.loadLocal(kind(type), kept[id] - 1);
    } else {
      compute(node, type);
      if (uses[id] > 1) {
        kept[id] = keep(type) + 1;
        code.loadLocal(kind(type), kept[id] - 1);
      }
    }
    convert(code, type, want);
  }

  /** Leaves a constant on the stack. */
  static void constant(CodeBuilder code, double value, DType type) {
    switch (type) {
      case BOOL -> code.loadConstant(value != 0 ? 1 : 0);
      case INT32 -> code.loadConstant((int) value);
      case INT64 -> code.loadConstant((long) value);
      case FLOAT32 -> code.loadConstant((float) value);
      case FLOAT64 -> code.loadConstant(value);
    }
  }

  private void compute(Dag.Node node, DType type) {
    int[] args = node.args();
    switch (node.expr()) {
      case Expr.Apply1(Expr.Fn1 fn, Expr _) when type == DType.BOOL && fn != Expr.Fn1.ABS -> {
        pushNode(args[0], types[args[0]]);
        predicate(fn, types[args[0]]);
      }
      case Expr.Apply1(Expr.Fn1 fn, Expr _) -> {
        pushNode(args[0], type);
        apply(fn, type);
      }
      case Expr.Apply2(Expr.Fn2 fn, Expr _, Expr _) -> {
        DType operand = Types.operand(fn, types[args[0]], types[args[1]], type);
        pushNode(args[0], operand);
        pushNode(args[1], operand);
        apply(fn, operand);
      }
      case Expr.Select _ -> {
        // The values are computed before the branch: what they share may be used after it.
        pushNode(args[1], type);
        int yes = keep(type);
        pushNode(args[2], type);
        int no = keep(type);
        pushNode(args[0], DType.BOOL);
        code.ifThenElse(b -> b.loadLocal(kind(type), yes), b -> b.loadLocal(kind(type), no));
      }
      case Step step -> step(step, args);
      case Expr.In _, Expr.Const _ -> throw new AssertionError(node);
    }
  }

  private void step(Step step, int[] args) {
    DType type = types[args[args.length - 1]];
    Step.Op op = step.op();
    if (op == Step.Op.USUALLY) {
      usually(args, type);
      return;
    }
    if (op.isRare()) {
      rarely(op, args, type);
      return;
    }
    for (int arg : args) {
      pushNode(arg, type);
      if (op != Step.Op.FMA) {
        bits(type);
      }
    }
    boolean single = type == DType.FLOAT32;
    if (step.op() == Step.Op.SHIFT_LEFT || step.op() == Step.Op.SHIFT_RIGHT) {
      code.loadConstant(step.amount());
    }
    switch (op) {
      case FMA ->
          code.invokestatic(
              MATH, "fma", MethodTypeDesc.of(desc(type), desc(type), desc(type), desc(type)));
      case ADD_BITS -> code.with(OperatorInstruction.of(single ? Opcode.IADD : Opcode.LADD));
      case SUB_BITS -> code.with(OperatorInstruction.of(single ? Opcode.ISUB : Opcode.LSUB));
      case AND_BITS -> code.with(OperatorInstruction.of(single ? Opcode.IAND : Opcode.LAND));
      case XOR_BITS -> code.with(OperatorInstruction.of(single ? Opcode.IXOR : Opcode.LXOR));
      case SHIFT_LEFT -> code.with(OperatorInstruction.of(single ? Opcode.ISHL : Opcode.LSHL));
      case SHIFT_RIGHT -> code.with(OperatorInstruction.of(single ? Opcode.ISHR : Opcode.LSHR));
      case IS_NEGATIVE -> {
        if (!single) {
          code.lconst_0().lcmp();
        }
        truth(Opcode.IFLT);
      }
      default -> throw new AssertionError(op);
    }
    if (op != Step.Op.FMA && op != Step.Op.IS_NEGATIVE) {
      number(type);
    }
  }

  private void rarely(Step.Op op, int[] args, DType type) {
    pushNode(args[2], type);
    int usual = keep(type);
    pushNode(args[1], type);
    int x = keep(type);
    pushNode(args[0], DType.BOOL);
    code.ifThenElse(
        b -> {
          b.loadLocal(kind(type), x);
          if (op.isOfTwo()) {
            b.loadLocal(kind(type), usual);
          }
          call(SCALAR_MATH, rare(op), type, op.isOfTwo() ? 2 : 1);
        },
        b -> b.loadLocal(kind(type), usual));
  }

  private void usually(int[] args, DType type) {
    pushNode(args[1], type);
    int value = keep(type);
    pushNode(args[0], DType.BOOL);
    Label end = code.newLabel();
    code.ifne(end);
    int[] before = kept.clone();
    pushNode(args[2], type);
    code.storeLocal(kind(type), value);
    // What was computed here is not there behind the branch.
    System.arraycopy(before, 0, kept, 0, kept.length);
    code.labelBinding(end).loadLocal(kind(type), value);
  }

  /** The method of {@link ScalarMath} that serves a rare case. */
  static String rare(Step.Op op) {
    return switch (op) {
      case SIN_OF_HUGE -> "sinOfHuge";
      case COS_OF_HUGE -> "cosOfHuge";
      case TAN_OF_HUGE -> "tanOfHuge";
      case REMAINDER_OF_HUGE -> "remainder";
      case FLOOR_DIV_OF_HUGE -> "floorDiv";
      default -> throw new AssertionError(op);
    };
  }

  private void bits(DType type) {
    if (type == DType.FLOAT32) {
      code.invokestatic(FLOAT, "floatToRawIntBits", MethodTypeDesc.of(CD_int, CD_float));
    } else {
      code.invokestatic(DOUBLE, "doubleToRawLongBits", MethodTypeDesc.of(CD_long, CD_double));
    }
  }

  private void number(DType type) {
    if (type == DType.FLOAT32) {
      code.invokestatic(FLOAT, "intBitsToFloat", MethodTypeDesc.of(CD_float, CD_int));
    } else {
      code.invokestatic(DOUBLE, "longBitsToDouble", MethodTypeDesc.of(CD_double, CD_long));
    }
  }

  private int keep(DType type) {
    int slot = code.allocateLocal(kind(type));
    code.storeLocal(kind(type), slot);
    return slot;
  }

  private void predicate(Expr.Fn1 fn, DType arg) {
    if (fn == Expr.Fn1.NOT) {
      convert(code, arg, DType.BOOL);
      code.iconst_1().ixor();
    } else if (fn == Expr.Fn1.FLOOR || fn == Expr.Fn1.CEIL || fn == Expr.Fn1.RINT) {
      return; // of a bool: itself
    } else if (arg.isFloating()) {
      String name =
          switch (fn) {
            case ISNAN -> "isNaN";
            case ISINF -> "isInfinite";
            default -> "isFinite";
          };
      Class<?> owner = arg == DType.FLOAT32 ? Float.class : Double.class;
      code.invokestatic(
          owner.describeConstable().orElseThrow(), name, MethodTypeDesc.of(CD_boolean, desc(arg)));
    } else {
      if (arg == DType.INT64) {
        code.pop2();
      } else {
        code.pop();
      }
      code.loadConstant(fn == Expr.Fn1.ISFINITE ? 1 : 0);
    }
  }

  private void apply(Expr.Fn1 fn, DType type) {
    switch (fn) {
      case NEG -> negate(type);
      case ABS -> {
        if (type != DType.BOOL) {
          call(MATH, "abs", type, 1);
        }
      }
      case SIGN -> sign(type);
      case FLOOR, CEIL, RINT -> {
        if (type.isFloating()) {
          inDouble(MATH, fn.name().toLowerCase(Locale.ROOT), type);
        }
      }
      case NOT, ISNAN, ISINF, ISFINITE -> throw new AssertionError(fn);
      case SQRT -> inDouble(MATH, fn.name().toLowerCase(Locale.ROOT), type);
      default -> call(ScalarFunctions.owner(fn, type), ScalarFunctions.METHOD, type, 1);
    }
  }

  private void negate(DType type) {
    switch (type) {
      case INT64 -> code.lneg();
      case FLOAT32 -> code.fneg();
      case FLOAT64 -> code.dneg();
      default -> code.ineg();
    }
  }

  private void sign(DType type) {
    switch (type) {
      // Adding 0 makes -0 of signum(-0) a plain 0.
      case FLOAT32 -> call(MATH, "signum", type, 1).fconst_0().fadd();
      case FLOAT64 -> call(MATH, "signum", type, 1).dconst_0().dadd();
      case INT64 ->
          code.invokestatic(
                  Long.class.describeConstable().orElseThrow(),
                  "signum",
                  MethodTypeDesc.of(CD_int, CD_long))
              .i2l();
      default ->
          code.invokestatic(
              Integer.class.describeConstable().orElseThrow(),
              "signum",
              MethodTypeDesc.of(CD_int, CD_int));
    }
  }

  private void inDouble(ClassDesc owner, String name, DType type) {
    convert(code, type, DType.FLOAT64);
    call(owner, name, DType.FLOAT64, 1);
    convert(code, DType.FLOAT64, type);
  }

  private CodeBuilder call(ClassDesc owner, String name, DType type, int arity) {
    ClassDesc d = desc(type);
    return code.invokestatic(
        owner, name, arity == 1 ? MethodTypeDesc.of(d, d) : MethodTypeDesc.of(d, d, d));
  }

  private void apply(Expr.Fn2 fn, DType type) {
    switch (fn) {
      case ADD, SUB, MUL, DIV -> arithmetic(fn, type);
      case MAX, MIN -> {
        if (type == DType.BOOL) {
          arithmetic(fn == Expr.Fn2.MAX ? Expr.Fn2.ADD : Expr.Fn2.MUL, type);
        } else {
          call(MATH, fn == Expr.Fn2.MAX ? "max" : "min", type, 2);
        }
      }
      case FLOOR_DIV, REMAINDER, POW, HYPOT, ATAN2 -> {
        if (type.isFloating()) {
          call(ScalarFunctions.owner(fn, type), ScalarFunctions.METHOD, type, 2);
        } else {
          call(SCALAR_MATH, ofIntegers(fn), type, 2);
        }
      }
      case LT, LE, GT, GE, EQ, NE -> compare(fn, type);
      case AND -> code.iand();
      case OR -> code.ior();
      case XOR -> code.ixor();
    }
  }

  private static String ofIntegers(Expr.Fn2 fn) {
    return switch (fn) {
      case FLOOR_DIV -> "floorDiv";
      case REMAINDER -> "remainder";
      case POW -> "pow";
      default -> throw new AssertionError(fn);
    };
  }

  private void arithmetic(Expr.Fn2 fn, DType type) {
    if (type == DType.BOOL) {
      if (fn == Expr.Fn2.ADD) {
        code.ior();
      } else {
        code.iand();
      }
      return;
    }
    Opcode[] ops =
        switch (fn) {
          case ADD -> new Opcode[] {Opcode.IADD, Opcode.LADD, Opcode.FADD, Opcode.DADD};
          case SUB -> new Opcode[] {Opcode.ISUB, Opcode.LSUB, Opcode.FSUB, Opcode.DSUB};
          case MUL -> new Opcode[] {Opcode.IMUL, Opcode.LMUL, Opcode.FMUL, Opcode.DMUL};
          default -> new Opcode[] {Opcode.IDIV, Opcode.LDIV, Opcode.FDIV, Opcode.DDIV};
        };
    code.with(OperatorInstruction.of(ops[type.ordinal() - 1]));
  }

  private void compare(Expr.Fn2 fn, DType type) {
    if (type == DType.BOOL || type == DType.INT32) {
      truth(
          switch (fn) {
            case LT -> Opcode.IF_ICMPLT;
            case LE -> Opcode.IF_ICMPLE;
            case GT -> Opcode.IF_ICMPGT;
            case GE -> Opcode.IF_ICMPGE;
            case EQ -> Opcode.IF_ICMPEQ;
            default -> Opcode.IF_ICMPNE;
          });
      return;
    }
    // Of the two forms, the one whose answer for NaN makes the comparison false.
    boolean less = fn == Expr.Fn2.LT || fn == Expr.Fn2.LE;
    switch (type) {
      case INT64 -> code.lcmp();
      case FLOAT32 -> code.with(OperatorInstruction.of(less ? Opcode.FCMPG : Opcode.FCMPL));
      default -> code.with(OperatorInstruction.of(less ? Opcode.DCMPG : Opcode.DCMPL));
    }
    truth(
        switch (fn) {
          case LT -> Opcode.IFLT;
          case LE -> Opcode.IFLE;
          case GT -> Opcode.IFGT;
          case GE -> Opcode.IFGE;
          case EQ -> Opcode.IFEQ;
          default -> Opcode.IFNE;
        });
  }

  private void truth(Opcode test) {
    truth(code, test);
  }
}
