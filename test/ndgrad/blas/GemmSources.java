package ndgrad.blas;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/**
 * Derives DoubleGemm, IntGemm and LongGemm from FloatGemm. Run from the root of the project after an edit of
 * FloatGemm: {@code java test/ndgrad/blas/GemmSources.java}. A test compares the files with what this gives.
 */
public final class GemmSources {
  static final Path DIR = Path.of("java-src/ndgrad/blas");
  static final String[] TYPES = {"Double", "Int", "Long"};

  private GemmSources() {}

  /** Writes the derived files. */
  public static void main(String[] args) throws IOException {
    for (String type : TYPES) {
      Files.writeString(file(type), derive(type));
    }
  }

  static Path file(String type) {
    return DIR.resolve(type + "Gemm.java");
  }

  static String derive(String type) throws IOException {
    String box = type.equals("Int") ? "Integer" : type;
    return "// Generated from FloatGemm.java by GemmSources. Do not edit.\n"
        + Files.readString(file("Float"))
            .replace("FloatGemm", type + "Gemm")
            .replace("Float.", box + ".")
            .replaceAll("\\bfloat\\b", type.toLowerCase());
  }
}
