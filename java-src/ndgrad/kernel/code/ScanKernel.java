package ndgrad.kernel.code;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.ConstantDescs;
import java.lang.constant.MethodTypeDesc;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Types;

/**
 * Generated loops over several lines at once, each combining its elements with all before them: a
 * line alone would wait for its own last result.
 */
public interface ScanKernel {
  /** How many lines there are at once: with four, their positions do not fit x86's registers. */
  int LINES = 3;

  /**
   * What a kernel is compiled for.
   *
   * @param combine how two are combined
   * @param out the dtype of the output, which is computed in
   * @param in the dtype of the input
   * @param unit whether lines are runs of neighbours in both; otherwise their steps are variables
   */
  record Spec(Expr.Fn2 combine, DType out, DType in, boolean unit) {}

  /**
   * Scans groups of {@link #LINES} lines. The elements at one place of all lines of a group are
   * read before any of them is written.
   *
   * @param in the input's primitive array
   * @param out the output's
   * @param at the position of the first line in the input, its distance to the next line, the step
   *     along a line; then the same of the output
   * @param groups how many
   * @param n the elements of a line
   * @param start of the output's dtype: what the first elements of a group's lines are combined
   *     with, the same for all groups
   * @param slot where it is for the first line
   */
  void run(Object in, Object out, int[] at, int groups, int n, Object start, int slot);

  /**
   * The kernel for a combination, made when it is asked for first.
   *
   * @param spec what it is compiled for
   * @return the kernel
   */
  static ScanKernel of(Spec spec) {
    return Writer.KERNELS.computeIfAbsent(spec, Writer::compile);
  }

  /** Writes kernels. */
  final class Writer {
    private static final ConcurrentHashMap<Spec, ScanKernel> KERNELS = new ConcurrentHashMap<>();
    private static final int IN = 1;
    private static final int OUT = 2;
    private static final int AT = 3;
    private static final int GROUPS = 4;
    private static final int N = 5;
    private static final int START = 6;
    private static final int SLOT = 7;

    private final CodeBuilder code;
    private final Spec spec;
    private final Dag pair;
    private final TypeKind kind;
    private final int[] read = new int[LINES];
    private final int[] write = new int[LINES];
    private final int[] sum = new int[LINES];

    private Writer(CodeBuilder code, Spec spec) {
      this.code = code;
      this.spec = spec;
      this.pair = new Dag(Expr.of(spec.combine, Expr.in(0), Expr.in(1)));
      this.kind = ExprEmitter.kind(spec.out);
    }

    private static ScanKernel compile(Spec spec) {
      ClassDesc object = ConstantDescs.CD_Object;
      ClassDesc integer = ConstantDescs.CD_int;
      MethodTypeDesc run =
          MethodTypeDesc.of(
              ConstantDescs.CD_void,
              object,
              object,
              integer.arrayType(),
              integer,
              integer,
              object,
              integer);
      return Generated.instance(
          ScanKernel.class,
          type ->
              type.withMethodBody(
                  "run", run, ClassFile.ACC_PUBLIC, code -> new Writer(code, spec).emit()));
    }

    private void emit() {
      int from = array(IN, spec.in);
      int to = array(OUT, spec.out);
      int start = array(START, spec.out);
      int fromStep = element(2);
      int toStep = element(5);
      Loops.upTo(
          code,
          GROUPS,
          1,
          group -> {
            for (int k = 0; k < LINES; k++) {
              read[k] = position(0, group, k);
              write[k] = position(3, group, k);
              code.aload(start).iload(SLOT).loadConstant(k).iadd();
              code.arrayLoad(ExprEmitter.elementKind(spec.out));
              sum[k] = Loops.store(code, kind);
            }
            Loops.upTo(code, N, 1, i -> step(from, to, fromStep, toStep, i));
          });
      code.return_();
    }

    /** Combines element i of each line and stores the result. */
    private void step(int from, int to, int fromStep, int toStep, int i) {
      for (int k = 0; k < LINES; k++) {
        code.aload(from);
        place(read[k], i);
        code.arrayLoad(ExprEmitter.elementKind(spec.in));
        ExprEmitter.convert(code, spec.in, spec.out);
        int value = Loops.store(code, kind);
        DType[] types = {spec.out, spec.out};
        new ExprEmitter(code, pair, types, new int[] {sum[k], value}, Types.number(types, spec.out))
            .push(0, spec.out);
        code.storeLocal(kind, sum[k]);
      }
      for (int k = 0; k < LINES; k++) {
        code.aload(to);
        place(write[k], i);
        code.loadLocal(kind, sum[k]).arrayStore(ExprEmitter.elementKind(spec.out));
        if (!spec.unit) {
          code.iload(read[k]).iload(fromStep).iadd().istore(read[k]);
          code.iload(write[k]).iload(toStep).iadd().istore(write[k]);
        }
      }
    }

    private void place(int position, int i) {
      code.iload(position);
      if (spec.unit) {
        code.iload(i).iadd();
      }
    }

    private int array(int parameter, DType dtype) {
      code.aload(parameter);
      code.checkcast(ExprEmitter.array(dtype));
      return Loops.store(code, TypeKind.REFERENCE);
    }

    /** Where line k of a group begins. */
    private int position(int first, int group, int k) {
      code.aload(AT).loadConstant(first).iaload();
      code.iload(group).loadConstant(LINES).imul().loadConstant(k).iadd();
      code.aload(AT).loadConstant(first + 1).iaload().imul().iadd();
      return Loops.store(code, TypeKind.INT);
    }

    private int element(int index) {
      code.aload(AT).loadConstant(index).iaload();
      return Loops.store(code, TypeKind.INT);
    }
  }
}
