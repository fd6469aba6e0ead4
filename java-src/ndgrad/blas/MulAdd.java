package ndgrad.blas;

import java.lang.management.ManagementFactory;
import java.lang.management.PlatformManagedObject;

/** {@code a * b + c} the fast way of each type; integers wrap. */
public final class MulAdd {
  /** Without the instruction, Math.fma goes through BigDecimal and is a thousand times slower. */
  private static final boolean FMA = hasFma();

  private MulAdd() {}

  /**
   * Whether floating results are rounded once.
   *
   * @return whether the processor has such an instruction
   */
  public static boolean isFused() {
    return FMA;
  }

  /**
   * Multiplies and adds.
   *
   * @param a a factor
   * @param b a factor
   * @param c what is added
   * @return {@code a * b + c}, rounded once where the processor can
   */
  public static float of(float a, float b, float c) {
    return FMA ? Math.fma(a, b, c) : a * b + c;
  }

  /**
   * Multiplies and adds.
   *
   * @param a a factor
   * @param b a factor
   * @param c what is added
   * @return {@code a * b + c}, rounded once where the processor can
   */
  public static double of(double a, double b, double c) {
    return FMA ? Math.fma(a, b, c) : a * b + c;
  }

  static int of(int a, int b, int c) {
    return a * b + c;
  }

  static long of(long a, long b, long c) {
    return a * b + c;
  }

  /** By reflection, because not every JVM has this bean, and a cut-down JDK may lack its module. */
  private static boolean hasFma() {
    try {
      var type =
          Class.forName("com.sun.management.HotSpotDiagnosticMXBean")
              .asSubclass(PlatformManagedObject.class);
      Object bean = ManagementFactory.getPlatformMXBean(type);
      Object option = type.getMethod("getVMOption", String.class).invoke(bean, "UseFMA");
      Object value = option.getClass().getMethod("getValue").invoke(option);
      return Boolean.parseBoolean((String) value);
    } catch (ReflectiveOperationException | RuntimeException | LinkageError e) {
      return false;
    }
  }
}
