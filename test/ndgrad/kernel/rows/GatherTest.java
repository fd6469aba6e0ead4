package ndgrad.kernel.rows;

import static org.junit.jupiter.api.Assertions.assertArrayEquals;
import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Arrays;
import java.util.Random;
import ndgrad.DType;
import ndgrad.kernel.Threads;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Samples;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import org.junit.jupiter.api.Test;

class GatherTest {
  private final Random random = new Random(1);

  /** Rows of a random array along its first axis, repeats included. */
  private int[] rows(Layout l, int count) {
    int[] at = new int[count];
    Arrays.setAll(at, _ -> l.offset() + random.nextInt(l.dim(0)) * l.stride(0));
    return at;
  }

  private static Layout inner(Layout l) {
    int n = l.ndim();
    return Layout.of(Arrays.copyOfRange(l.shape(), 1, n), Arrays.copyOfRange(l.strides(), 1, n), 0);
  }

  private static int[] with(int first, int[] rest) {
    int[] out = new int[rest.length + 1];
    out[0] = first;
    System.arraycopy(rest, 0, out, 1, rest.length);
    return out;
  }

  private int[] sourceShape() {
    int[] shape = Samples.shape(random, 1, 4);
    shape[0] = 1 + random.nextInt(6);
    if (shape.length > 1 && random.nextInt(4) == 0) {
      shape[shape.length - 1] = 40;
    }
    return shape;
  }

  @Test
  void gathersRowsOfAnyLayout() {
    for (int round = 0; round < 2000; round++) {
      DType dtype = DType.values()[round % 5];
      Strided source = Samples.array(random, dtype, sourceShape());
      int[] at = rows(source.layout(), random.nextInt(7));
      Layout inner = inner(source.layout());
      int[] shape = with(at.length, inner.shape());
      Strided out = Strided.zeros(dtype, shape);
      Gather.gather(out, source, at, inner);
      double[] want = new double[(int) out.layout().size()];
      for (int i = 0; i < want.length; i++) {
        want[i] = Samples.get(source.array(), at[i / inner.intSize()] + positionIn(inner, i));
      }
      assertArrayEquals(want, Samples.values(out), source.layout() + " " + dtype);
    }
  }

  private static int positionIn(Layout inner, int flat) {
    return inner.position(Samples.unravel(flat % inner.intSize(), inner.shape()));
  }

  @Test
  void putsAndAddsRowsOfAnyLayoutInOrder() {
    for (int round = 0; round < 1200; round++) {
      DType dtype = DType.values()[round % 5];
      boolean add = random.nextBoolean();
      Strided dest = Samples.target(random, dtype, sourceShape());
      int[] at = rows(dest.layout(), random.nextInt(7));
      Layout inner = inner(dest.layout());
      Strided values = Samples.array(random, dtype, with(at.length, inner.shape()));
      Object want = dtype.newArray(DType.lengthOf(dest.array()));
      System.arraycopy(dest.array(), 0, want, 0, DType.lengthOf(want));
      for (int i = 0; i < values.layout().size(); i++) {
        int p = at[i / inner.intSize()] + positionIn(inner, i);
        double v = Samples.get(values, Samples.unravel(i, values.layout().shape()));
        Samples.set(want, p, add ? Samples.get(want, p) + v : v);
      }
      if (add) {
        Gather.add(dest, at, inner, values, 1);
      } else {
        Gather.put(dest, at, inner, values);
      }
      for (int i = 0; i < DType.lengthOf(want); i++) {
        assertEquals(
            Samples.get(want, i), Samples.get(dest.array(), i), "element " + i + " of " + dtype);
      }
    }
  }

  @Test
  void largeGathersAreSplitOverThreads() {
    float[] a = new float[100_003];
    Arrays.setAll(new int[a.length], i -> (int) (a[i] = i));
    int[] at = random.ints(a.length, 0, a.length - 8).toArray();
    for (int width : new int[] {1, 8}) {
      Strided out =
          new Strided(
              Storage.allocate(DType.FLOAT32, 5 + width * at.length),
              Layout.of(new int[] {at.length, width}, new int[] {width, 1}, 5));
      int before = Threads.numThreads();
      Threads.setNumThreads(3);
      try {
        Gather.gather(out, new Strided(new Storage(a), Layout.of(a.length)), at, Layout.of(width));
      } finally {
        Threads.setNumThreads(before);
      }
      for (int i = 0; i < at.length; i++) {
        for (int j = 0; j < width; j++) {
          assertEquals(at[i] + j, Samples.get(out, i, j));
        }
      }
    }
  }

  @Test
  void repeatedPositionsAddUp() {
    Strided dest = new Strided(new Storage(new float[3]), Layout.of(3));
    Strided ones = new Strided(new Storage(new float[] {1}), Layout.of(1).broadcastTo(4));
    Gather.add(dest, new int[] {0, 0, 1, 0}, Layout.of(), ones, 1);
    assertArrayEquals(new float[] {3, 1, 0}, (float[]) dest.array());
  }

  @Test
  void stretchesThatAddToElementsOfTheirOwnAreSplitOverThreads() {
    int rows = 90;
    int n = 1000;
    float[] v = new float[rows * n];
    int[] at = new int[rows * n];
    float[] want = new float[rows * 50];
    for (int i = 0; i < v.length; i++) {
      v[i] = random.nextFloat();
      at[i] = i / n * 50 + random.nextInt(50);
      want[at[i]] += v[i];
    }
    Strided values = new Strided(new Storage(v), Layout.of(v.length));
    int before = Threads.numThreads();
    try {
      for (int threads = 1; threads <= 3; threads++) {
        Threads.setNumThreads(threads);
        Strided dest = Strided.zeros(DType.FLOAT32, rows, 50);
        Gather.add(dest, at, Layout.of(), values, rows);
        assertArrayEquals(want, (float[]) dest.array());
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }

  @Test
  void findsWhatIsNotZeroInRowMajorOrder() {
    for (int round = 0; round < 1000; round++) {
      Strided mask = Samples.array(random, DType.values()[round % 5], Samples.shape(random, 0, 4));
      double[] values = Samples.values(mask);
      int[] want =
          java.util.stream.IntStream.range(0, values.length).filter(i -> values[i] != 0).toArray();
      int[] found = Gather.nonzero(mask);
      assertArrayEquals(want, found);
      int[] shape = mask.layout().shape();
      long[] index = Gather.unravel(found, shape);
      int[] positions = Gather.positions(mask.layout(), found);
      for (int i = 0; i < found.length; i++) {
        int[] one = Samples.unravel(found[i], shape);
        for (int axis = 0; axis < shape.length; axis++) {
          assertEquals(one[axis], index[i * shape.length + axis]);
        }
        assertEquals(mask.layout().position(one), positions[i]);
      }
    }
  }

  @Test
  void largeOnesOnSeveralThreads() {
    int before = Threads.numThreads();
    try {
      Random r = new Random(5);
      Strided mask = Strided.zeros(DType.BOOL, 3, 90_000);
      boolean[] set = (boolean[]) mask.array();
      for (int i = 0; i < set.length; i++) {
        set[i] = r.nextInt(3) == 0;
      }
      Layout cut = mask.layout().slice(1, 7, 80_001, 1);
      int[] positions = r.ints(3000, 0, 50).map(i -> i * 77).toArray();
      Strided values = Strided.zeros(DType.FLOAT32, 3000, 77);
      float[] v = (float[]) values.array();
      for (int i = 0; i < v.length; i++) {
        v[i] = r.nextFloat();
      }
      float[] sums = new float[50 * 77];
      float[] last = new float[50 * 77];
      for (int i = 0; i < v.length; i++) {
        sums[positions[i / 77] + i % 77] += v[i];
        last[positions[i / 77] + i % 77] = v[i];
      }
      for (int threads = 1; threads <= 3; threads++) {
        Threads.setNumThreads(threads);
        int[] found = Gather.nonzero(mask.with(cut));
        int[] want =
            java.util.stream.IntStream.range(0, 3 * 80_001)
                .filter(i -> set[7 + i / 80_001 * 90_000 + i % 80_001])
                .toArray();
        assertArrayEquals(want, found);
        Strided added = Strided.zeros(DType.FLOAT32, 50, 77);
        Gather.add(added, positions, Layout.of(77), values, 1);
        assertArrayEquals(sums, (float[]) added.array());
        Strided put = Strided.zeros(DType.FLOAT32, 50, 77);
        Gather.put(put, positions, Layout.of(77), values);
        assertArrayEquals(last, (float[]) put.array());
      }
    } finally {
      Threads.setNumThreads(before);
    }
  }
}
