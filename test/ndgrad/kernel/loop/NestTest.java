package ndgrad.kernel.loop;

import static org.junit.jupiter.api.Assertions.assertTrue;

import com.sun.management.ThreadMXBean;
import java.lang.management.ManagementFactory;
import ndgrad.DType;
import ndgrad.kernel.code.Forms;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class NestTest {
  private final Forms.Mode before = Forms.mode();

  @BeforeEach
  void usePlainLoops() {
    // Vectors are objects until the JIT has been at work.
    Forms.use(Forms.Mode.PLAIN);
  }

  @AfterEach
  void useTheFormerMode() {
    Forms.use(before);
  }

  @Test
  void operandsAreBroughtTogetherInBuffersThatAThreadKeeps() {
    ThreadMXBean threads = (ThreadMXBean) ManagementFactory.getThreadMXBean();
    Program add = Program.of(Expr.in(0).plus(Expr.in(1)));
    for (DType dtype : new DType[] {DType.FLOAT32, DType.INT64}) {
      Strided a = Strided.zeros(dtype, 60, 60);
      Strided out = Strided.zeros(dtype, 60, 60);
      Strided turned = a.with(a.layout().permute(1, 0));
      long least = Long.MAX_VALUE;
      for (int i = 0; i < 5; i++) {
        long start = threads.getCurrentThreadAllocatedBytes();
        add.run(out, dtype, a, turned);
        least = Math.min(least, threads.getCurrentThreadAllocatedBytes() - start);
      }
      assertTrue(least < 4_000, least + " bytes for an add of " + dtype);
    }
  }
}
