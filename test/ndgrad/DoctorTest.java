package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.Map;
import ndgrad.blas.Engines;
import org.junit.jupiter.api.Test;

class DoctorTest {
  @Test
  void tellsWhatIsThere() {
    Doctor.Report r = Doctor.report();
    assertTrue(r.version().matches("\\d+\\.\\d+\\.\\d+.*"), r.version());
    assertTrue(r.jdk().startsWith(Runtime.version().toString()));
    assertEquals(Threads.numThreads(), r.threads());
    assertEquals(1, r.engines().stream().filter(Doctor.Engine::chosen).count());
    assertTrue(r.engines().stream().anyMatch(e -> e.name().equals("java") && e.available()));
    for (Doctor.Engine e : r.engines()) {
      assertEquals(e.available(), e.reason().isEmpty(), e.toString());
    }
  }

  @Test
  void isDataToo() {
    Map<String, Object> m = Doctor.report().asMap();
    assertEquals(Threads.numThreads(), m.get("threads"));
    assertEquals(
        java.util.Set.of("held", "limit", "arrays", "hits", "misses"),
        ((Map<?, ?>) m.get("memory")).keySet());
    assertTrue(
        m.get("engines") instanceof List<?> l
            && l.getFirst() instanceof Map<?, ?> e
            && e.containsKey("reason"));
  }

  @Test
  void readsAsAlignedLines() {
    Doctor.Engine off =
        new Doctor.Engine("mkl", false, false, "", "", 0, "no jar\n on the class path");
    Doctor.Engine on = new Doctor.Engine("java", true, true, "of this JVM", "", 2, "");
    Doctor.Report r =
        new Doctor.Report(
            "1.2.3",
            "25",
            "Linux",
            2,
            1L << 30,
            false,
            "plain loops",
            true,
            2,
            new Memory.Kept(3L << 20, 256L << 20, 2, 10, 4),
            List.of(off, on),
            List.of("do so"));
    assertEquals(
        """
        ndgrad          1.2.3
        JDK             25
        system          Linux, 2 processors, heap up to 1024 MiB
        threads         2 for large ops
        memory kept     3 of at most 256 MiB, used again 10 times, missed 4
        Vector API      off
        kernels         plain loops
        native calls    enabled
        BLAS mkl        off: no jar on the class path
        BLAS java       of this JVM, 2 threads  <- in use
        advice          do so\
        """,
        r.toString());
  }

  @Test
  void advisesMklWhereItIsFastest() {
    Doctor.Engine mkl = missing("mkl");
    Doctor.Engine openblas = new Doctor.Engine("openblas", true, true, "0.3", "", 2, "");
    List<Doctor.Engine> engines = List.of(mkl, openblas);
    assertEquals(List.of(), Doctor.advice(true, true, engines, false));
    List<String> advice = Doctor.advice(true, true, engines, true);
    assertEquals(1, advice.size());
    assertTrue(advice.getFirst().startsWith("put MKL on the class path"), advice.getFirst());
  }

  private static Doctor.Engine missing(String name) {
    return new Doctor.Engine(
        name, false, false, "", "", 0, name + Engines.NOT_THERE + " and no file on this system");
  }

  @Test
  void advisesWhatTheUserCanDo() {
    Doctor.Engine java = new Doctor.Engine("java", true, true, "", "", 2, "");
    Doctor.Engine mkl = missing("mkl");
    Doctor.Engine there = new Doctor.Engine("openblas", true, false, "0.3", "", 2, "");
    Doctor.Engine broken = new Doctor.Engine("openblas", false, false, "", "", 0, "can't write");
    Doctor.Engine absent = missing("openblas");
    assertEquals(List.of(), Doctor.advice(true, true, List.of(mkl, there, java), true));
    String put = Doctor.advice(true, true, List.of(mkl, absent, java), true).getFirst();
    assertTrue(put.startsWith("put MKL or OpenBLAS on the class path"), put);
    String see = Doctor.advice(true, true, List.of(mkl, broken, java), true).getFirst();
    assertTrue(see.startsWith("see to it that MKL or OpenBLAS can be used"), see);
  }

  @Test
  void oneNumberOfThreadsForAll() {
    int before = Threads.numThreads();
    try {
      Threads.setNumThreads(3);
      assertEquals(3, Threads.numThreads());
      assertEquals(3, ndgrad.kernel.Threads.numThreads());
      assertThrows(ArgumentException.class, () -> Threads.setNumThreads(0));
      assertEquals(3, Threads.numThreads());
      assertFalse(Engines.report().isEmpty());
    } finally {
      Threads.setNumThreads(before);
    }
  }
}
