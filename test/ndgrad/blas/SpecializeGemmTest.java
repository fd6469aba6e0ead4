package ndgrad.blas;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.io.IOException;
import org.junit.jupiter.api.Test;

/** The derived sources are what FloatGemm gives today. */
class SpecializeGemmTest {
  @Test
  void derivedFilesAreUpToDate() throws IOException {
    SubProcess check = SubProcess.run("dev/SpecializeGemm.java", "--check");
    assertEquals("", check.output());
    assertEquals(0, check.status());
  }
}
