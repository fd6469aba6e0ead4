package ndgrad.blas;

import java.lang.management.ManagementFactory;

/** {@code a * b + c} the fast way of each type; integers wrap. */
final class MulAdd {
  /** Without the instruction, Math.fma goes through BigDecimal and is a thousand times slower. */
  private static final boolean FMA = hasFma();

  private MulAdd() {}

  static float of(float a, float b, float c) {
    return FMA ? Math.fma(a, b, c) : a * b + c;
  }

  static double of(double a, double b, double c) {
    return FMA ? Math.fma(a, b, c) : a * b + c;
  }

  static int of(int a, int b, int c) {
    return a * b + c;
  }

  static long of(long a, long b, long c) {
    return a * b + c;
  }

  private static boolean hasFma() {
    try {
      var vm =
          ManagementFactory.getPlatformMXBean(
              com.sun.management.HotSpotDiagnosticMXBean.class);
      return vm != null && Boolean.parseBoolean(vm.getVMOption("UseFMA").getValue());
    } catch (RuntimeException | LinkageError e) {
      return false;
    }
  }
}
