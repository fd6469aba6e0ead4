package ndgrad;

/** How arrays are printed. */
final class Format {
  private Format() {}

  static String array(Array a) {
    return String.valueOf(a.toList());
  }
}
