package ndgrad.kernel.code;

import static org.junit.jupiter.api.Assumptions.assumeTrue;

import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.params.Parameter;

/** Tests that run once for each form of kernels, which is the parameter of their class. */
public abstract class InForm {
  @Parameter protected Forms.Mode mode;
  private Forms.Mode before;

  @BeforeEach
  void useTheForm() {
    assumeTrue(mode == Forms.Mode.PLAIN || Forms.isAvailable(), "the Vector API is not there");
    before = Forms.mode();
    Forms.use(mode);
  }

  @AfterEach
  void useTheFormerForm() {
    if (before != null) {
      Forms.use(before);
    }
  }
}
