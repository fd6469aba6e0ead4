package ndgrad.kernel.rows;

/**
 * What the loops of {@link DoubleRows} and its specialisations do with single elements, overloaded
 * by type: the text of a loop is the same for every dtype, overload resolution finds the meaning.
 */
final class Scalars {
  private Scalars() {}

  static double add(double a, double b) {
    return a + b;
  }

  static float add(float a, float b) {
    return a + b;
  }

  static long add(long a, long b) {
    return a + b;
  }

  static int add(int a, int b) {
    return a + b;
  }

  static boolean add(boolean a, boolean b) {
    return a | b;
  }

  static boolean isTrue(double a) {
    return a != 0;
  }

  static boolean isTrue(float a) {
    return a != 0;
  }

  static boolean isTrue(long a) {
    return a != 0;
  }

  static boolean isTrue(int a) {
    return a != 0;
  }

  static boolean isTrue(boolean a) {
    return a;
  }

  /* Whether a replaces the largest so far: the first of equal ones and the first NaN stay. */

  static boolean above(double a, double best) {
    return !(a <= best) && best == best;
  }

  static boolean above(float a, float best) {
    return !(a <= best) && best == best;
  }

  static boolean above(long a, long best) {
    return a > best;
  }

  static boolean above(int a, int best) {
    return a > best;
  }

  static boolean above(boolean a, boolean best) {
    return a & !best;
  }

  static boolean isNaN(double a) {
    return a != a;
  }

  static boolean isNaN(float a) {
    return a != a;
  }

  static boolean isNaN(long a) {
    return false;
  }

  static boolean isNaN(int a) {
    return false;
  }

  static boolean isNaN(boolean a) {
    return false;
  }

  /* Whether a replaces the smallest so far. */

  static boolean below(double a, double best) {
    return !(a >= best) && best == best;
  }

  static boolean below(float a, float best) {
    return !(a >= best) && best == best;
  }

  static boolean below(long a, long best) {
    return a < best;
  }

  static boolean below(int a, int best) {
    return a < best;
  }

  static boolean below(boolean a, boolean best) {
    return !a & best;
  }

  /* Keys, as Rows.keys explains them. */

  static long key(double a, boolean descending) {
    if (a != a) {
      return Long.MAX_VALUE;
    }
    long bits = Double.doubleToRawLongBits(a + 0.0); // -0.0 + 0.0 is 0.0
    long key = bits ^ ((bits >> 63) & Long.MAX_VALUE);
    return descending ? ~key : key;
  }

  static long key(float a, boolean descending) {
    if (a != a) {
      return Integer.MAX_VALUE;
    }
    int bits = Float.floatToRawIntBits(a + 0.0f);
    int key = bits ^ ((bits >> 31) & Integer.MAX_VALUE);
    return descending ? ~key : key;
  }

  static long key(long a, boolean descending) {
    return descending ? ~a : a;
  }

  static long key(int a, boolean descending) {
    return descending ? ~a : a;
  }

  static long key(boolean a, boolean descending) {
    return a ^ descending ? 1 : 0;
  }
}
