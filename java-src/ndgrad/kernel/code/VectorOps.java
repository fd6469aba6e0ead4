package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_boolean;
import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_long;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.TypeKind;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.util.function.Consumer;
import ndgrad.DType;
import ndgrad.blas.MulAdd;

/**
 * Writes calls of the Vector API for the lanes of one dtype. The classes are named, not referred
 * to: the core compiles and runs without the incubating module, and only generated kernels link to
 * it.
 */
final class VectorOps {
  private static final String PACKAGE = "jdk.incubator.vector";
  private static final ClassDesc VECTOR = ClassDesc.of(PACKAGE, "Vector");
  static final ClassDesc MASK = ClassDesc.of(PACKAGE, "VectorMask");
  static final ClassDesc SHUFFLE = ClassDesc.of(PACKAGE, "VectorShuffle");
  private static final ClassDesc SPECIES = ClassDesc.of(PACKAGE, "VectorSpecies");
  private static final ClassDesc OPERATORS = ClassDesc.of(PACKAGE, "VectorOperators");
  private static final ClassDesc COMPARISON = OPERATORS.nested("Comparison");
  private static final ClassDesc TEST = OPERATORS.nested("Test");

  private static final ClassDesc SCALAR_MATH = ScalarMath.class.describeConstable().orElseThrow();

  private final DType dtype;
  private final ClassDesc lane;
  private final ClassDesc vector;

  VectorOps(DType dtype) {
    this.dtype = dtype;
    this.lane = dtype.primitive().describeConstable().orElseThrow();
    this.vector = ClassDesc.of(PACKAGE, vectorClass(dtype));
  }

  /** The simple name of the class of vectors of a dtype other than bool. */
  static String vectorClass(DType dtype) {
    return switch (dtype) {
      case INT32 -> "IntVector";
      case INT64 -> "LongVector";
      case FLOAT32 -> "FloatVector";
      case FLOAT64 -> "DoubleVector";
      case BOOL -> throw new IllegalArgumentException("bools have no lanes of their own");
    };
  }

  /** The dtype of the lanes. */
  DType dtype() {
    return dtype;
  }

  /** The class of arrays of elements. */
  ClassDesc array() {
    return lane.arrayType();
  }

  /** → species. */
  void species(CodeBuilder code) {
    code.getstatic(vector, "SPECIES_PREFERRED", SPECIES);
  }

  /** vector → the largest of its lanes, or the smallest, by the rules of {@link Math}. */
  void extreme(CodeBuilder code, boolean largest) {
    code.getstatic(OPERATORS, largest ? "MAX" : "MIN", OPERATORS.nested("Associative"));
    code.invokevirtual(
        vector, "reduceLanes", MethodTypeDesc.of(lane, OPERATORS.nested("Associative")));
  }

  /** → shuffle that takes lanes start, start + step, …, from the first on again behind the last. */
  void iota(CodeBuilder code, int start, int step) {
    iota(code, b -> b.loadConstant(start), step);
  }

  /** The same, the code telling where to start. */
  void iota(CodeBuilder code, Consumer<CodeBuilder> start, int step) {
    species(code);
    start.accept(code);
    code.loadConstant(step).iconst_1();
    code.invokestatic(
        SHUFFLE, "iota", MethodTypeDesc.of(SHUFFLE, SPECIES, CD_int, CD_int, CD_boolean));
  }

  /** → shuffle that takes each lane from another. */
  void shuffle(CodeBuilder code, int... lanes) {
    species(code);
    code.loadConstant(lanes.length).newarray(TypeKind.INT);
    for (int i = 0; i < lanes.length; i++) {
      code.dup().loadConstant(i).loadConstant(lanes[i]).iastore();
    }
    code.iconst_0();
    code.invokestatic(
        SHUFFLE, "fromArray", MethodTypeDesc.of(SHUFFLE, SPECIES, CD_int.arrayType(), CD_int));
  }

  /** → mask whose lanes are bits. */
  void mask(CodeBuilder code, long bits) {
    species(code);
    code.loadConstant(bits);
    code.invokestatic(MASK, "fromLong", MethodTypeDesc.of(MASK, SPECIES, CD_long));
  }

  /** vector, shuffle → vector. */
  void rearrange(CodeBuilder code) {
    code.invokevirtual(vector, "rearrange", MethodTypeDesc.of(vector, SHUFFLE));
  }

  /** vector, mask → vector whose first lanes are those where the mask is true, in their order. */
  void compress(CodeBuilder code) {
    code.invokevirtual(vector, "compress", MethodTypeDesc.of(vector, MASK));
  }

  /** vector → its first lane. */
  void first(CodeBuilder code) {
    code.iconst_0().invokevirtual(vector, "lane", MethodTypeDesc.of(lane, CD_int));
  }

  /** number → vector. */
  void broadcast(CodeBuilder code) {
    int slot = code.allocateLocal(ExprEmitter.kind(dtype));
    code.storeLocal(ExprEmitter.kind(dtype), slot);
    species(code);
    code.loadLocal(ExprEmitter.kind(dtype), slot);
    code.invokestatic(vector, "broadcast", MethodTypeDesc.of(vector, SPECIES, lane));
  }

  /** → vector of one number. */
  void constant(CodeBuilder code, double value) {
    species(code);
    ExprEmitter.constant(code, value, dtype);
    code.invokestatic(vector, "broadcast", MethodTypeDesc.of(vector, SPECIES, lane));
  }

  /** mask → vector of 0 and 1. */
  void numbers(CodeBuilder code) {
    int mask = keep(code);
    constant(code, 0);
    constant(code, 1);
    code.aload(mask);
    blend(code);
  }

  /** → mask of one truth value. */
  void constantMask(CodeBuilder code, boolean value) {
    species(code);
    code.loadConstant(value ? 1 : 0);
    maskAll(code);
  }

  /** species, truth value → mask. */
  void maskAll(CodeBuilder code) {
    code.invokeinterface(SPECIES, "maskAll", MethodTypeDesc.of(MASK, CD_boolean));
  }

  /** species, array, index → vector. */
  void load(CodeBuilder code) {
    code.invokestatic(
        vector, "fromArray", MethodTypeDesc.of(vector, SPECIES, lane.arrayType(), CD_int));
  }

  /** species, array, index, mask → vector, 0 where the mask is false. */
  void loadMasked(CodeBuilder code) {
    code.invokestatic(
        vector, "fromArray", MethodTypeDesc.of(vector, SPECIES, lane.arrayType(), CD_int, MASK));
  }

  /** species, boolean[], index → mask. */
  void loadMask(CodeBuilder code) {
    code.invokestatic(
        MASK, "fromArray", MethodTypeDesc.of(MASK, SPECIES, CD_boolean.arrayType(), CD_int));
  }

  /** vector, array, index → . */
  void store(CodeBuilder code) {
    code.invokevirtual(vector, "intoArray", MethodTypeDesc.of(CD_void, lane.arrayType(), CD_int));
  }

  /** vector, array, index, mask → ; writes where the mask is true. */
  void storeMasked(CodeBuilder code) {
    code.invokevirtual(
        vector, "intoArray", MethodTypeDesc.of(CD_void, lane.arrayType(), CD_int, MASK));
  }

  /** mask, boolean[], index → . */
  void storeMask(CodeBuilder code) {
    code.invokevirtual(
        MASK, "intoArray", MethodTypeDesc.of(CD_void, CD_boolean.arrayType(), CD_int));
  }

  /** species, int from, int to → mask of the lanes i with from + i < to. */
  void indexInRange(CodeBuilder code) {
    code.invokeinterface(SPECIES, "indexInRange", MethodTypeDesc.of(MASK, CD_int, CD_int));
  }

  /** vector → vector: {@code abs}, {@code neg} or {@code sqrt}. */
  void unary(CodeBuilder code, String method) {
    code.invokevirtual(vector, method, MethodTypeDesc.of(vector));
  }

  /** vector, vector → vector: {@code add sub mul div min} or {@code max}. */
  void binary(CodeBuilder code, String method) {
    code.invokevirtual(vector, method, MethodTypeDesc.of(vector, VECTOR));
  }

  /** vectors a, b, c → a·b + c, rounded once where the plain form rounds once. */
  void mulAdd(CodeBuilder code) {
    if (dtype.isFloating() && MulAdd.isFused()) {
      fma(code);
    } else {
      int c = keep(code);
      binary(code, "mul");
      code.aload(c);
      binary(code, "add");
    }
  }

  private boolean isSingle() {
    return dtype == DType.FLOAT32;
  }

  /** The class of the vectors of bits. */
  private ClassDesc bitVector() {
    return ClassDesc.of(PACKAGE, vectorClass(isSingle() ? DType.INT32 : DType.INT64));
  }

  /** vector of floating numbers → vector of their bits. */
  void bits(CodeBuilder code) {
    String method = isSingle() ? "reinterpretAsInts" : "reinterpretAsLongs";
    code.invokevirtual(vector, method, MethodTypeDesc.of(bitVector()));
  }

  /** vector of bits → vector of floating numbers. */
  void fromBits(CodeBuilder code) {
    String method = isSingle() ? "reinterpretAsFloats" : "reinterpretAsDoubles";
    code.invokevirtual(bitVector(), method, MethodTypeDesc.of(vector));
  }

  /** bits, bits → bits. */
  void onBits(CodeBuilder code, String operator) {
    int slot = keep(code);
    code.getstatic(OPERATORS, operator, OPERATORS.nested(kind(operator))).aload(slot);
    code.invokevirtual(
        bitVector(),
        "lanewise",
        MethodTypeDesc.of(bitVector(), OPERATORS.nested("Binary"), VECTOR));
  }

  private static String kind(String operator) {
    return operator.equals("SUB") ? "Binary" : "Associative";
  }

  private ClassDesc bitLane() {
    return isSingle() ? CD_int : CD_long;
  }

  /** → bits in which all but that of the sign are set, the same in each lane. */
  void magnitudeBits(CodeBuilder code) {
    bitConstant(code, Integer.MAX_VALUE, Long.MAX_VALUE);
  }

  /** → bits in which that of the sign alone is set, the same in each lane. */
  void signBits(CodeBuilder code) {
    bitConstant(code, Integer.MIN_VALUE, Long.MIN_VALUE);
  }

  private void bitConstant(CodeBuilder code, int single, long wide) {
    code.getstatic(bitVector(), "SPECIES_PREFERRED", SPECIES);
    if (isSingle()) {
      code.loadConstant(single);
    } else {
      code.loadConstant(wide);
    }
    code.invokestatic(bitVector(), "broadcast", MethodTypeDesc.of(bitVector(), SPECIES, bitLane()));
  }

  /** bits → their combination by MAX or MIN. */
  void reduceBits(CodeBuilder code, String operator) {
    ClassDesc associative = OPERATORS.nested("Associative");
    code.getstatic(OPERATORS, operator, associative);
    code.invokevirtual(bitVector(), "reduceLanes", MethodTypeDesc.of(bitLane(), associative));
  }

  /** two keys of {@link ExtremeKeys} → number. */
  void fromKeys(CodeBuilder code) {
    code.invokestatic(SCALAR_MATH, "fromKeys", MethodTypeDesc.of(lane, bitLane(), bitLane()));
  }

  /** bits → bits. */
  void shift(CodeBuilder code, String operator, int amount) {
    code.getstatic(OPERATORS, operator, OPERATORS.nested("Binary"));
    if (isSingle()) {
      code.loadConstant(amount);
    } else {
      code.loadConstant((long) amount);
    }
    code.invokevirtual(
        bitVector(),
        "lanewise",
        MethodTypeDesc.of(bitVector(), OPERATORS.nested("Binary"), bitLane()));
  }

  /** vectors a, b, c → a·b + c, rounded once. */
  void fma(CodeBuilder code) {
    code.invokevirtual(vector, "fma", MethodTypeDesc.of(vector, VECTOR, VECTOR));
  }

  /** mask → truth value. */
  void anyTrue(CodeBuilder code) {
    code.invokevirtual(MASK, "anyTrue", MethodTypeDesc.of(CD_boolean));
  }

  /** mask → the number of its first lane that is set. */
  void firstTrue(CodeBuilder code) {
    code.invokevirtual(MASK, "firstTrue", MethodTypeDesc.of(CD_int));
  }

  /** mask → how many of its lanes are set. */
  void trueCount(CodeBuilder code) {
    code.invokevirtual(MASK, "trueCount", MethodTypeDesc.of(CD_int));
  }

  /** mask → truth value. */
  void allTrue(CodeBuilder code) {
    code.invokevirtual(MASK, "allTrue", MethodTypeDesc.of(CD_boolean));
  }

  /**
   * Replaces the elements of a vector in a local variable.
   *
   * @param mask the variable of the mask of those that are replaced
   * @param x the variable of the arguments
   * @param value the variable of the vector
   * @param method of {@link ScalarMath}: takes the mask's bits, arguments and values
   */
  void patch(CodeBuilder code, int mask, int x, int value, String method) {
    int lanes = Forms.lanes(dtype);
    int[] copies = new int[2];
    for (int j = 0; j < 2; j++) {
      code.loadConstant(lanes).newarray(ExprEmitter.kind(dtype));
      copies[j] = keep(code);
      code.aload(j == 0 ? x : value).aload(copies[j]).iconst_0();
      store(code);
    }
    code.aload(mask).invokevirtual(MASK, "toLong", MethodTypeDesc.of(CD_long));
    code.aload(copies[0]).aload(copies[1]);
    ClassDesc array = lane.arrayType();
    code.invokestatic(SCALAR_MATH, method, MethodTypeDesc.of(CD_void, CD_long, array, array));
    species(code);
    code.aload(copies[1]).iconst_0();
    load(code);
    code.astore(value);
  }

  /** vector, vector → mask. */
  void compare(CodeBuilder code, String comparison) {
    int slot = keep(code);
    code.getstatic(OPERATORS, comparison, COMPARISON).aload(slot);
    code.invokevirtual(vector, "compare", MethodTypeDesc.of(MASK, COMPARISON, VECTOR));
  }

  /** vector → mask. */
  void test(CodeBuilder code, String test) {
    code.getstatic(OPERATORS, test, TEST);
    code.invokevirtual(vector, "test", MethodTypeDesc.of(MASK, TEST));
  }

  /** vector no, vector yes, mask → vector. */
  void blend(CodeBuilder code) {
    code.invokevirtual(vector, "blend", MethodTypeDesc.of(vector, VECTOR, MASK));
  }

  /** mask, mask → mask: {@code and or xor} or {@code eq}. */
  void masks(CodeBuilder code, String method) {
    code.invokevirtual(MASK, method, MethodTypeDesc.of(MASK, MASK));
  }

  /** mask → mask. */
  void not(CodeBuilder code) {
    code.invokevirtual(MASK, "not", MethodTypeDesc.of(MASK));
  }

  /** Puts the reference on top of the stack into a local variable. */
  static int keep(CodeBuilder code) {
    int slot = code.allocateLocal(TypeKind.REFERENCE);
    code.astore(slot);
    return slot;
  }
}
