package ndgrad.bench;

import java.util.concurrent.TimeUnit;
import java.util.function.BinaryOperator;
import ndgrad.Array;
import ndgrad.DType;
import ndgrad.Random;
import org.openjdk.jmh.annotations.Benchmark;
import org.openjdk.jmh.annotations.BenchmarkMode;
import org.openjdk.jmh.annotations.Fork;
import org.openjdk.jmh.annotations.Measurement;
import org.openjdk.jmh.annotations.Mode;
import org.openjdk.jmh.annotations.OutputTimeUnit;
import org.openjdk.jmh.annotations.Param;
import org.openjdk.jmh.annotations.Scope;
import org.openjdk.jmh.annotations.Setup;
import org.openjdk.jmh.annotations.State;
import org.openjdk.jmh.annotations.Warmup;

/**
 * Single ops as Java programs call them: the time of a call, and with {@code -prof gc} its bytes.
 */
@State(Scope.Thread)
@BenchmarkMode(Mode.AverageTime)
@OutputTimeUnit(TimeUnit.MICROSECONDS)
@Warmup(iterations = 3, time = 1)
@Measurement(iterations = 5, time = 1)
@Fork(1)
public class OpsBenchmark {

  /** An op of two operands; ops of one leave the second alone. */
  public enum Op {
    /** a + b. */
    ADD(Array::add),
    /** a b. */
    MUL(Array::mul),
    /** e to the a. */
    EXP((a, _) -> a.exp()),
    /** The hyperbolic tangent. */
    TANH((a, _) -> a.tanh()),
    /** The sum of all. */
    SUM((a, _) -> a.sum()),
    /** The product of matrices. */
    MATMUL(Array::matmul),
    /** A transposed view: the cost of a call alone. */
    TRANSPOSE((a, _) -> a.t());

    private final BinaryOperator<Array> body;

    Op(BinaryOperator<Array> body) {
      this.body = body;
    }
  }

  /** What is called. */
  @Param public Op op;

  /** The side of the square operands. */
  @Param({"4", "100", "1000"})
  public int side;

  /** The element type of the operands. */
  @Param({"FLOAT32", "FLOAT64"})
  public DType dtype;

  private Array a;
  private Array b;
  private Array leaf;

  /** Makes the operands. */
  @Setup
  public void operands() {
    Random.manualSeed(0);
    a = Random.randn(side, side).astype(dtype);
    b = Random.randn(side, side).astype(dtype);
    leaf = Random.randn(side, side).astype(dtype).requiresGrad(true);
  }

  /**
   * The op alone.
   *
   * @return its result
   */
  @Benchmark
  public Array forward() {
    return op.body.apply(a, b);
  }

  /**
   * The op, the sum of its result, and the gradient.
   *
   * @return the gradient
   */
  @Benchmark
  public Array gradient() {
    leaf.zeroGrad();
    op.body.apply(leaf, b).sum().backward();
    return leaf.grad();
  }
}
