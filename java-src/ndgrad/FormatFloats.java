package ndgrad;

import java.math.BigDecimal;
import java.math.MathContext;
import java.math.RoundingMode;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;

/**
 * Floating numbers in one format, as NumPy chooses it: the shortest digits that tell each number
 * from its neighbours, at most {@code precision} of them behind the point, scientific when
 * magnitudes are large, small or far apart.
 */
final class FormatFloats {
  private final PrintOptions options;
  private final double[] values;
  private final boolean single;
  private final boolean scientific;

  /** A finite number in three parts; the exponent is unused in positional format. */
  private record Parts(String whole, String fraction, int exponent) {}

  FormatFloats(PrintOptions options, double[] values, boolean single) {
    this.options = options;
    this.values = values;
    this.single = single;
    this.scientific = needsExponent();
  }

  private boolean needsExponent() {
    double max = 0;
    double min = Double.POSITIVE_INFINITY;
    for (double v : values) {
      if (Double.isFinite(v) && v != 0) {
        max = Math.max(max, Math.abs(v));
        min = Math.min(min, Math.abs(v));
      }
    }
    if (max == 0) {
      return false;
    }
    // The bounds are compared in the array's own precision.
    boolean wide = single ? (float) max / (float) min > 1000f : max / min > 1000;
    return max >= (single ? 1e6 : 1e8)
        || !options.suppressSmall() && (min < (single ? 0.0001f : 0.0001) || wide);
  }

  List<String> cells() {
    Parts[] parts = new Parts[values.length];
    int left = 0;
    int fraction = 0;
    int exponent = 2;
    boolean finite = false;
    boolean negativeInfinity = false;
    for (int i = 0; i < values.length; i++) {
      if (Double.isFinite(values[i])) {
        finite = true;
        parts[i] = scientific ? scientific(values[i]) : positional(values[i]);
        left = Math.max(left, parts[i].whole.length());
        fraction = Math.max(fraction, parts[i].fraction.length());
        exponent = Math.max(exponent, digits(parts[i].exponent).length());
      }
      negativeInfinity |= values[i] == Double.NEGATIVE_INFINITY;
    }
    int right = !finite ? 0 : scientific ? exponent + 2 + fraction : fraction;
    if (Arrays.stream(values).anyMatch(v -> !Double.isFinite(v))) {
      left = Math.max(left, 3 + (negativeInfinity ? 1 : 0) - right - 1);
    }
    List<String> out = new ArrayList<>(values.length);
    for (int i = 0; i < values.length; i++) {
      if (scientific && parts[i] != null && parts[i].fraction.length() < fraction) {
        // Where others need more digits, the digits beyond the shortest are those of the exact
        // value.
        parts[i] = rounded(values[i], fraction);
      }
      out.add(
          parts[i] == null
              ? odd(values[i], left + right + 1)
              : cell(parts[i], left, fraction, exponent));
    }
    return out;
  }

  private static String odd(double v, int width) {
    String text = Double.isNaN(v) ? "nan" : v < 0 ? "-inf" : "inf";
    return " ".repeat(Math.max(0, width - text.length())) + text;
  }

  private String cell(Parts p, int left, int fraction, int exponent) {
    String front = " ".repeat(left - p.whole.length()) + p.whole + "." + p.fraction;
    int missing = fraction - p.fraction.length();
    if (!scientific) {
      return front + " ".repeat(missing);
    }
    String e = digits(p.exponent);
    String pad = "0".repeat(Math.max(0, exponent - e.length()));
    return front + "0".repeat(missing) + (p.exponent < 0 ? "e-" : "e+") + pad + e;
  }

  private static String digits(int exponent) {
    String e = Integer.toString(Math.abs(exponent));
    return e.length() < 2 ? "0" + e : e;
  }

  private static String sign(double v) {
    return Double.doubleToRawLongBits(v) < 0 ? "-" : "";
  }

  private Parts positional(double v) {
    BigDecimal d = shortest(Math.abs(v));
    if (d.scale() > options.precision()) {
      d = new BigDecimal(Math.abs(v)).setScale(options.precision(), RoundingMode.HALF_EVEN);
    }
    String text = d.toPlainString();
    int point = text.indexOf('.');
    return point < 0
        ? new Parts(sign(v) + text, "", 0)
        : new Parts(sign(v) + text.substring(0, point), trimmed(text.substring(point + 1)), 0);
  }

  private Parts scientific(double v) {
    BigDecimal d = shortest(Math.abs(v));
    return d.precision() - 1 > options.precision() ? rounded(v, options.precision()) : parts(v, d);
  }

  private static Parts rounded(double v, int fraction) {
    return parts(
        v,
        new BigDecimal(Math.abs(v)).round(new MathContext(fraction + 1, RoundingMode.HALF_EVEN)));
  }

  private static Parts parts(double v, BigDecimal d) {
    String text = d.unscaledValue().toString();
    return new Parts(
        sign(v) + text.charAt(0),
        trimmed(text.substring(1)),
        v == 0 ? 0 : d.precision() - 1 - d.scale());
  }

  private static String trimmed(String fraction) {
    int end = fraction.length();
    while (end > 0 && fraction.charAt(end - 1) == '0') {
      end--;
    }
    return fraction.substring(0, end);
  }

  /** The decimal with the fewest digits that reads back as the number, the closest of those. */
  private BigDecimal shortest(double v) {
    if (v == 0) {
      return BigDecimal.ZERO;
    }
    BigDecimal d =
        new BigDecimal(single ? Float.toString((float) v) : Double.toString(v))
            .stripTrailingZeros();
    if (d.precision() == 2) {
      // Java writes two digits at least and may so have left the shorter one.
      BigDecimal one = new BigDecimal(v).round(new MathContext(1, RoundingMode.HALF_EVEN));
      if (single ? one.floatValue() == (float) v : one.doubleValue() == v) {
        return one;
      }
    }
    return d;
  }
}
