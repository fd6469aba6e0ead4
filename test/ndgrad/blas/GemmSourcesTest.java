package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import java.nio.file.Files;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** The derived sources are what FloatGemm gives today. */
class GemmSourcesTest {
  @ParameterizedTest
  @ValueSource(strings = {"Double", "Int", "Long"})
  void derivedFilesAreUpToDate(String type) throws IOException {
    assertEquals(
        GemmSources.derive(type),
        Files.readString(GemmSources.file(type)),
        "run: java test/ndgrad/blas/GemmSources.java");
  }
}
