package ndgrad.kernel.code;

import java.util.Arrays;
import java.util.Locale;
import java.util.Optional;
import jdk.incubator.vector.VectorShape;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Step;
import ndgrad.kernel.expr.Types;

/**
 * The one place where the form of a kernel is chosen: plain loops, or the Vector API where the
 * module {@code jdk.incubator.vector} is present (a JVM started with {@code --add-modules
 * jdk.incubator.vector}) and knows all that a kernel does. Both forms give the same bits. The
 * system property {@code ndgrad.kernels} is {@code auto}, the default, or, for tests, {@code plain}
 * or {@code vector}.
 *
 * <p>Vector code is a thousand times slower than plain code until the JIT has compiled it. So an
 * automatic kernel starts plain, is warmed up in the background once it has done enough work, and
 * changes over when its vector form has been seen to be faster.
 */
public final class Forms {

  /** Which form kernels have. */
  public enum Mode {
    /** Plain loops. */
    PLAIN,
    /** Vector code from the first element on, where there is such a form. */
    VECTOR,
    /** Plain loops, then vector code where that is faster. */
    AUTO
  }

  /** Nodes up to which the JIT still makes vectors of a plain loop. */
  private static final int SHORT = 16;

  private static final String PROPERTY = "ndgrad.kernels";
  private static final String MODULE = "jdk.incubator.vector";

  private static final Optional<Module> VECTORS = ModuleLayer.boot().findModule(MODULE);

  private static volatile Mode mode = initial();

  private Forms() {}

  private static Mode initial() {
    String name = System.getProperty(PROPERTY, "auto");
    for (Mode m : Mode.values()) {
      if (m.name().toLowerCase(Locale.ROOT).equals(name)) {
        return m;
      }
    }
    throw new ArgumentException(
        "the system property " + PROPERTY + " must be plain, vector or auto, got " + name,
        "property",
        PROPERTY,
        "value",
        name);
  }

  /**
   * The mode that kernels are made in from now on.
   *
   * @return the mode
   */
  public static Mode mode() {
    return mode;
  }

  /**
   * Sets the mode of kernels that are not yet made.
   *
   * @param wanted the mode
   * @throws ArgumentException when vectors are asked for and the module is absent
   */
  public static void use(Mode wanted) {
    mode = wanted;
    isVectorised();
  }

  /**
   * Whether the Vector API is there.
   *
   * @return false when the JVM runs without its module
   */
  public static boolean isAvailable() {
    return VECTORS.isPresent();
  }

  /**
   * What kernels are made of.
   *
   * @return a phrase for people
   */
  public static String describe() {
    if (mode == Mode.PLAIN || !isAvailable()) {
      return "plain loops";
    }
    return mode == Mode.VECTOR
        ? "vectors"
        : "plain loops, changing over to vectors ("
            + Warmup.switched()
            + " have, "
            + Warmup.refused()
            + " stay)";
  }

  /**
   * The lanes of the vectors of a dtype.
   *
   * @param dtype of the elements
   * @return how many, 0 when there are no vectors
   */
  public static int lanes(DType dtype) {
    return dtype == DType.BOOL ? 0 : Width.BYTES / dtype.itemsize();
  }

  /**
   * The registers for vectors of a dtype that the processor has: those of 512 or of 128 bits come
   * with 32 (AVX-512, NEON), others with 16.
   *
   * @param dtype of the elements
   * @return how many
   */
  public static int registers(DType dtype) {
    return lanes(dtype) * dtype.itemsize() == 32 ? 16 : 32;
  }

  private static boolean isVectorised() {
    if (mode == Mode.VECTOR && !isAvailable()) {
      throw new ArgumentException(
          "vector kernels were asked for (by the system property ndgrad.kernels), but the JVM runs "
              + "without the Vector API: start it with --add-modules jdk.incubator.vector, or set "
              + "the property to auto",
          "property",
          PROPERTY);
    }
    return mode != Mode.PLAIN && isAvailable();
  }

  /** Whether the processor loads and stores some lanes of a vector as fast as all. */
  static boolean areMasksCheap() {
    return Width.BYTES == Width.MASKED;
  }

  /**
   * Whether functions such as exp are computed by vectors, where computing one again is cheaper
   * than storing it.
   *
   * @return false where functions are computed one by one
   */
  public static boolean areFunctionsVectors() {
    return isVectorised();
  }

  /** Asks the shape: the classes of vectors would take ten times as long to load. */
  private static final class Width {
    /** AVX-512 has masks in registers of their own. */
    static final int MASKED = 64;

    static final int BYTES =
        VECTORS.isPresent() ? VectorShape.preferredShape().vectorBitSize() / Byte.SIZE : 0;
  }

  /**
   * Makes an elementwise kernel.
   *
   * @param dag the outputs
   * @param stored the dtype of each operand's array, outputs before inputs
   * @param load the dtype each input is converted to
   * @param form the form of the loops
   * @param strides the {@link InnerStrides}
   * @return the kernel
   */
  public static Kernel kernel(
      Dag dag, DType[] stored, DType[] load, Kernel.Form form, long strides) {
    Optional<DType> lanes = Optional.empty();
    if (isVectorised() && form != Kernel.Form.STRIDED) {
      DType[] outs = Arrays.copyOf(stored, dag.outputs());
      DType[] ins = Arrays.copyOfRange(stored, dag.outputs(), stored.length);
      DType number = Types.number(load, outs);
      lanes =
          VectorEmitter.lanes(
              dag, number, outs, ins, load, i -> InnerStrides.of(strides, dag.outputs() + i) == 0);
    }
    Kernel plain = KernelCompiler.compile(dag, stored, load, form, strides);
    if (lanes.isEmpty()) {
      return plain;
    }
    var vectors = new VectorKernelCompiler.Rows(dag, stored, load, form, strides, lanes.get());
    if (mode == Mode.VECTOR) {
      return vectors.choose(plain, vectors::compile);
    }
    boolean unrolled = form == Kernel.Form.ALIGNED && isVectorisedByTheJit(dag);
    int length = unrolled ? ByLength.Unrolled.USUAL : Integer.MAX_VALUE;
    Kernel kernel = vectors.choose(plain, part -> new AdaptiveKernel(plain, vectors, part, length));
    return unrolled ? new ByLength.Unrolled(plain, kernel) : kernel;
  }

  /**
   * Whether the JIT makes vectors of a plain loop over operands at one position.
   *
   * @param dag what the loop computes
   * @return false where it calls functions or branches
   */
  public static boolean isVectorisedByTheJit(Dag dag) {
    for (int id = 0; id < dag.size(); id++) {
      boolean simple =
          switch (dag.node(id).expr()) {
            case Expr.In _, Expr.Const _ -> true;
            case Expr.Apply1(Expr.Fn1 fn, Expr _) ->
                switch (fn) {
                  case NEG, ABS, SQRT -> true;
                  default -> false;
                };
            case Expr.Apply2(Expr.Fn2 fn, Expr _, Expr _) ->
                switch (fn) {
                  case ADD, SUB, MUL, DIV, MAX, MIN -> true;
                  default -> false;
                };
            case Expr.Select _, Step _ -> false;
          };
      if (!simple) {
        return false;
      }
    }
    return dag.size() <= SHORT;
  }

  /**
   * Makes a reducing kernel.
   *
   * @param spec what it computes
   * @return the kernel
   */
  static FoldKernel fold(FoldKernel.Spec spec) {
    Mode now = mode;
    Dag dag = new Dag(spec.prologue());
    FoldKernel plain = FoldCompiler.compile(spec);
    if (!isVectorised() || !VectorFoldCompiler.canCompile(spec, dag)) {
      return plain;
    }
    return new AdaptiveFold(plain, spec, dag, now == Mode.VECTOR);
  }
}
