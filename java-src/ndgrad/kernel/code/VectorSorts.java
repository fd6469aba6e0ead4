package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.IntStream;
import ndgrad.DType;

/**
 * Writes {@link SortKernel}s. A block is a matrix with a row in each of half the registers, sorted
 * by columns: first each column by itself (K. E. Batcher, "Sorting networks and their
 * applications", AFIPS 1968, odd-even merges), then groups of columns are merged pairwise (bitonic
 * merges, same paper), and the matrix is transposed on its way back. Elements of one column meet
 * without moving lanes. Each step is a method, for the JIT leaves long ones alone.
 */
public final class VectorSorts {
  // The parameters' slots: those of a step, which is static,
  private static final int BLOCK = 0;
  private static final int P = 1;
  private static final int END = 2;

  // and those of the interface's methods; a pivot takes two.
  private static final int KEYS = 1;
  private static final int FROM = 2;
  private static final int TO = 3;
  private static final int PIVOT = 4;
  private static final int SPARE = 6;

  // The slots of a conversion: an array and its first element, where they go, and how many.
  private static final int SOURCE = 1;
  private static final int AT = 2;
  private static final int TARGET = 3;
  private static final int PLACE = 4;
  private static final int COUNT = 5;

  /** Vectors that are split at a time. */
  private static final int ABREAST = 4;

  private static final ClassDesc SELF = Generated.name(SortKernel.class);
  private static final MethodTypeDesc BLOCKS =
      MethodTypeDesc.of(CD_void, CD_Object, CD_int, CD_int);
  private static final MethodTypeDesc SPLIT =
      MethodTypeDesc.of(CD_int, CD_Object, CD_int, CD_int, CD_long, CD_Object);
  private static final MethodTypeDesc CONVERT =
      MethodTypeDesc.of(CD_void, CD_Object, CD_int, CD_Object, CD_int, CD_int);

  /** A comparator of a network: afterwards the smaller of two rows is in the first one. */
  private record Comparator(int low, int high) {}

  private final VectorOps ops;
  private final LaneSwaps swaps;
  private final int lanes;
  private final int rows;
  private final ClassDesc array;
  private final MethodTypeDesc step;

  private VectorSorts(DType dtype) {
    this.ops = new VectorOps(dtype);
    this.swaps = new LaneSwaps(SELF, ops);
    this.lanes = Forms.lanes(dtype);
    this.rows = rows(dtype);
    this.array = ops.array();
    this.step = MethodTypeDesc.of(CD_void, array, CD_int, CD_int);
  }

  /** As many as registers leave room for what they are compared with; squares cover the matrix. */
  private static int rows(DType dtype) {
    return Math.max(Forms.registers(dtype) / 2, Forms.lanes(dtype));
  }

  /**
   * The elements of a block.
   *
   * @param dtype int32 or int64
   * @return how many, a power of two; 0 where there are no vectors
   */
  public static int block(DType dtype) {
    return Forms.lanes(dtype) * rows(dtype);
  }

  /**
   * Makes a kernel.
   *
   * @param dtype int32 or int64
   * @return the kernel
   */
  public static SortKernel compile(DType dtype) {
    VectorSorts sorts = new VectorSorts(dtype);
    return Generated.instance(
        SortKernel.class,
        type -> {
          sorts.swaps.declare(type);
          type.withMethodBody("split", SPLIT, ClassFile.ACC_PUBLIC, sorts::split);
          sorts.blocks(type);
          type.withMethodBody(
              "toKeys", CONVERT, ClassFile.ACC_PUBLIC, code -> sorts.convert(code, true));
          type.withMethodBody(
              "toNumbers", CONVERT, ClassFile.ACC_PUBLIC, code -> sorts.convert(code, false));
        });
  }

  // ---- blocks

  private void blocks(ClassBuilder type) {
    List<String> steps = new ArrayList<>();
    steps.add("columns");
    step(type, "columns", false, (code, r) -> batcher(rows).forEach(c -> compare(code, r, c)));
    for (int w : LaneSwaps.bits(lanes)) {
      steps.add("merge" + w);
      step(type, "merge" + w, false, (code, r) -> merge(code, r, w));
    }
    steps.add("transpose");
    step(type, "transpose", true, this::transpose);
    type.withMethodBody(
        "blocks",
        BLOCKS,
        ClassFile.ACC_PUBLIC,
        code -> {
          for (String name : steps) {
            code.aload(KEYS).checkcast(array).iload(FROM).iload(TO).invokestatic(SELF, name, step);
          }
          code.return_();
        });
  }

  /** What is done with the rows, which are in local variables. */
  @FunctionalInterface
  private interface OnRows {
    void write(CodeBuilder code, int[] rows);
  }

  /** A method that goes over all blocks. */
  private void step(ClassBuilder type, String name, boolean transposed, OnRows body) {
    type.withMethodBody(
        name,
        step,
        ClassFile.ACC_STATIC | ClassFile.ACC_PRIVATE,
        code -> {
          int[] r = new int[rows];
          Loops.on(
              code,
              P,
              END,
              rows * lanes,
              p -> {
                for (int i = 0; i < rows; i++) {
                  ops.species(code);
                  code.aload(BLOCK).iload(p).loadConstant(i * lanes).iadd();
                  ops.load(code);
                  r[i] = VectorOps.keep(code);
                }
                body.write(code, r);
                for (int i = 0; i < rows; i++) {
                  int place = transposed ? i % lanes * rows + i / lanes * lanes : i * lanes;
                  code.aload(r[i]).aload(BLOCK).iload(p).loadConstant(place).iadd();
                  ops.store(code);
                }
              });
          code.return_();
        });
  }

  private static List<Comparator> batcher(int n) {
    List<Comparator> network = new ArrayList<>();
    for (int p = 1; p < n; p *= 2) {
      for (int k = p; k >= 1; k /= 2) {
        for (int j = k % p; j + k < n; j += 2 * k) {
          for (int i = j; i < Math.min(j + k, n - k); i++) {
            if (i / (2 * p) == (i + k) / (2 * p)) {
              network.add(new Comparator(i, i + k));
            }
          }
        }
      }
    }
    return network;
  }

  private void compare(CodeBuilder code, int[] r, Comparator c) {
    code.aload(r[c.low]).aload(r[c.high]);
    ops.binary(code, "max");
    code.aload(r[c.low]).aload(r[c.high]);
    ops.binary(code, "min");
    code.astore(r[c.low]).astore(r[c.high]);
  }

  /** Merges groups of w columns, read downwards and then to the right, with their neighbours. */
  private void merge(CodeBuilder code, int[] r, int w) {
    for (int i = 0; i < rows / 2; i++) {
      int j = rows - 1 - i;
      code.aload(r[j]);
      swaps.mirror(code, w);
      int x = VectorOps.keep(code);
      code.aload(r[i]);
      swaps.mirror(code, w);
      int y = VectorOps.keep(code);
      compare(code, r[i], x, w);
      compare(code, r[j], y, w);
    }
    for (int d = w / 2; d >= 1; d /= 2) {
      for (int row : r) {
        code.aload(row);
        swaps.swap(code, d);
        compare(code, row, VectorOps.keep(code), d);
      }
    }
    for (int d = rows / 2; d >= 1; d /= 2) {
      for (int i = 0; i < rows; i++) {
        if ((i & d) == 0) {
          compare(code, r, new Comparator(i, i + d));
        }
      }
    }
  }

  /** Each lane of a row becomes the smaller of two, or the larger if its number has the bit w. */
  private void compare(CodeBuilder code, int row, int with, int w) {
    code.aload(row).aload(with);
    ops.binary(code, "min");
    code.aload(row).aload(with);
    ops.binary(code, "max");
    swaps.takeUpper(code, w);
    code.astore(row);
  }

  private void transpose(CodeBuilder code, int[] r) {
    for (int i = 0; i < rows; i += lanes) {
      swaps.transpose(code, IntStream.range(i, i + lanes).map(k -> r[k]).toArray());
    }
  }

  // ---- splitting

  private void split(CodeBuilder code) {
    code.aload(KEYS).checkcast(array).astore(KEYS);
    code.aload(SPARE).checkcast(array).astore(SPARE);
    code.lload(PIVOT);
    if (ops.dtype() == DType.INT32) {
      code.l2i();
    }
    ops.broadcast(code);
    int pivot = VectorOps.keep(code);
    code.iload(FROM);
    int low = Loops.store(code, TypeKind.INT);
    int high = Loops.zero(code);
    code.iload(FROM);
    int i = Loops.store(code, TypeKind.INT);
    code.iload(TO).loadConstant((ABREAST - 1) * lanes).isub();
    int end = Loops.store(code, TypeKind.INT);
    Loops.on(code, i, end, ABREAST * lanes, at -> vectors(code, ABREAST, pivot, low, high, at));
    Loops.on(code, i, TO, lanes, at -> vectors(code, 1, pivot, low, high, at));
    code.iload(low).iload(FROM).isub().ireturn();
  }

  /** Stores behind a vector are overwritten by the next ones, and end where keys have been read. */
  private void vectors(CodeBuilder code, int count, int pivot, int low, int high, int i) {
    int[] v = new int[count];
    int[] masks = new int[count];
    for (int k = 0; k < count; k++) {
      ops.species(code);
      code.aload(KEYS).iload(i).loadConstant(k * lanes).iadd();
      ops.load(code);
      v[k] = VectorOps.keep(code);
      code.aload(v[k]).aload(pivot);
      ops.compare(code, "LT");
      masks[k] = VectorOps.keep(code);
    }
    for (int k = 0; k < count; k++) {
      code.aload(v[k]).aload(masks[k]);
      ops.compress(code);
      code.aload(KEYS).iload(low);
      ops.store(code);
      code.aload(v[k]).aload(masks[k]);
      ops.not(code);
      ops.compress(code);
      code.aload(SPARE).iload(high);
      ops.store(code);
      code.aload(masks[k]);
      ops.trueCount(code);
      code.dup().iload(low).iadd().istore(low);
      code.ineg().iload(high).iadd().loadConstant(lanes).iadd().istore(high);
    }
  }

  // ---- keys of floating numbers

  private void convert(CodeBuilder code, boolean toKeys) {
    VectorOps numbers = new VectorOps(ops.dtype() == DType.INT32 ? DType.FLOAT32 : DType.FLOAT64);
    VectorOps source = toKeys ? numbers : ops;
    VectorOps target = toKeys ? ops : numbers;
    Loops.upTo(
        code,
        COUNT,
        lanes,
        i -> {
          source.species(code);
          code.aload(SOURCE).checkcast(source.array()).iload(AT).iload(i).iadd();
          source.load(code);
          if (toKeys) {
            bits(code, numbers);
          }
          int key = VectorOps.keep(code);
          code.aload(key).aload(key);
          numbers.shift(code, "ASHR", ops.dtype().itemsize() * Byte.SIZE - 1);
          numbers.shift(code, "LSHR", 1);
          numbers.onBits(code, "XOR");
          if (!toKeys) {
            numbers.fromBits(code);
          }
          code.aload(TARGET).checkcast(target.array()).iload(PLACE).iload(i).iadd();
          target.store(code);
        });
    code.return_();
  }

  /** numbers → their bits, the same for all NaNs. */
  private static void bits(CodeBuilder code, VectorOps numbers) {
    int x = VectorOps.keep(code);
    code.aload(x);
    numbers.constant(code, Double.NaN);
    code.aload(x);
    numbers.test(code, "IS_NAN");
    numbers.blend(code);
    numbers.bits(code);
  }
}
