package ndgrad.op;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Random;
import ndgrad.DType;
import ndgrad.Index;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * A random index expression and, computed one element at a time, which elements of an array it
 * selects: the definition of NumPy's indexing, without strides.
 */
final class NaiveIndex {
  final List<Object> items = new ArrayList<>();
  final int[] resultShape;

  /** Row-major places in the array of the elements of the result, in row-major order. */
  final int[] selected;

  /** How the positions along the array's axes follow from an index of the result. */
  private interface Coordinate {
    int at(int[] sliced, int[] chosen);
  }

  private final List<Coordinate> coordinates = new ArrayList<>();
  private final List<Integer> sliced = new ArrayList<>();
  private final List<int[]> chosenShapes = new ArrayList<>();
  private final Random random;
  private final int[] shape;
  private final boolean arrays;
  private boolean hasArray;
  private int arrayAt = -1;
  private boolean closed;
  private boolean apart;

  NaiveIndex(Random random, int[] shape) {
    this.random = random;
    this.shape = shape;
    this.arrays = random.nextBoolean();
    int ellipsis = random.nextInt(6);
    int last = ellipsis < shape.length ? ellipsis + random.nextInt(shape.length - ellipsis) : -1;
    for (int axis = 0; axis < shape.length; ) {
      if (random.nextInt(8) == 0) {
        items.add(Index.newAxis());
        sliced.add(1);
        separate();
      }
      if (axis == ellipsis) {
        items.add(Index.ellipsis());
        separate();
        for (; axis < last; axis++) {
          whole(axis);
        }
      }
      axis += item(random.nextInt(arrays ? 6 : 3), axis);
    }
    int[] broadcast = broadcast();
    resultShape = resultShape(broadcast);
    selected = selected(broadcast);
  }

  /**
   * Beside an array an integer counts as one, alone it does not: drawn again where it was taken for
   * one.
   */
  static NaiveIndex draw(Random random, int[] shape) {
    while (true) {
      NaiveIndex made = new NaiveIndex(random, shape);
      if (made.hasArray || made.arrayAt < 0) {
        return made;
      }
    }
  }

  private int item(int kind, int axis) {
    int d = shape[axis];
    if (kind == 0 && d > 0) {
      int index = random.nextInt(2 * d) - d;
      items.add((long) index);
      integer(Math.floorMod(index, d));
    } else if (kind == 4 && d > 0) {
      integers(d);
    } else if (kind == 5) {
      return mask(axis, 1 + random.nextInt(Math.min(2, shape.length - axis)));
    } else {
      slice(d);
    }
    return 1;
  }

  private void separate() {
    closed = arrayAt >= 0;
  }

  private void chosen(int[] arrayShape) {
    apart |= closed;
    arrayAt = arrayAt < 0 ? sliced.size() : arrayAt;
    chosenShapes.add(arrayShape);
  }

  private void whole(int axis) {
    int place = sliced.size();
    sliced.add(shape[axis]);
    coordinates.add((s, c) -> s[place]);
  }

  private void integer(int at) {
    if (arrays) {
      chosen(new int[0]);
    }
    coordinates.add((s, c) -> at);
  }

  private void slice(int d) {
    Long start = random.nextInt(3) == 0 ? null : (long) random.nextInt(2 * d + 5) - d - 2;
    Long stop = random.nextInt(3) == 0 ? null : (long) random.nextInt(2 * d + 5) - d - 2;
    int step = new int[] {1, 1, 2, 3, -1, -2}[random.nextInt(6)];
    items.add(Index.slice((Number) start, stop, step));
    // Walks through all integers a step at a time, as Python defines a slice.
    long from = start == null ? (step > 0 ? 0 : d - 1) : start < 0 ? start + d : start;
    long to = stop == null ? (step > 0 ? d : -1) : stop < 0 ? Math.max(-1, stop + d) : stop;
    from = step > 0 ? Math.max(0, from) : Math.min(d - 1, from);
    List<Integer> positions = new ArrayList<>();
    for (long i = from; step > 0 ? i < to && i < d : i > to && i >= 0; i += step) {
      positions.add((int) i);
    }
    int place = sliced.size();
    sliced.add(positions.size());
    coordinates.add((s, c) -> positions.get(s[place]));
    separate();
  }

  /** Shapes that broadcast with each other: [2, 3] with leading axes left out or of length 1. */
  private void integers(int d) {
    int[] full = {2, 3};
    int[] s = Arrays.copyOfRange(full, random.nextInt(2), 2);
    for (int i = 0; i < s.length; i++) {
      s[i] = random.nextInt(4) == 0 ? 1 : s[i];
    }
    int[] values = new int[Layout.of(s).intSize()];
    for (int i = 0; i < values.length; i++) {
      values[i] = random.nextInt(2 * d) - d;
    }
    items.add(new Tensor(new Strided(new Storage(values.clone()), Layout.of(s))));
    hasArray = true;
    chosen(s);
    coordinates.add((sl, c) -> Math.floorMod(values[lookUp(s, c)], d));
  }

  /** A mask with three true elements, or one, so that it broadcasts with the other arrays. */
  private int mask(int axis, int axes) {
    int[] s = Arrays.copyOfRange(shape, axis, axis + axes);
    boolean[] mask = new boolean[Layout.of(s).intSize()];
    int wanted = mask.length == 0 ? 0 : mask.length >= 3 && random.nextBoolean() ? 3 : 1;
    if (wanted == 0) {
      for (int i = 0; i < axes; i++) {
        whole(axis + i);
        items.add(Index.all());
        separate();
      }
      return axes;
    }
    int[] places = random.ints(0, mask.length).distinct().limit(wanted).sorted().toArray();
    for (int p : places) {
      mask[p] = true;
    }
    items.add(Index.mask(new Tensor(new Strided(new Storage(mask), Layout.of(s)))));
    int[] list = {wanted};
    hasArray = true;
    chosen(list);
    for (int i = 0; i < axes; i++) {
      int inner = Layout.of(Arrays.copyOfRange(s, i + 1, axes)).intSize();
      int d = s[i];
      coordinates.add((sl, c) -> places[lookUp(list, c)] / inner % d);
    }
    return axes;
  }

  /** The element of an array of some shape that a broadcast index means. */
  private static int lookUp(int[] s, int[] index) {
    int at = 0;
    for (int i = 0; i < s.length; i++) {
      at = at * s[i] + (s[i] == 1 ? 0 : index[index.length - s.length + i]);
    }
    return at;
  }

  private int[] broadcast() {
    int[] out = new int[chosenShapes.stream().mapToInt(s -> s.length).max().orElse(0)];
    Arrays.fill(out, 1);
    for (int[] s : chosenShapes) {
      for (int i = 0; i < s.length; i++) {
        int at = out.length - s.length + i;
        out[at] = Math.max(out[at], s[i]);
      }
    }
    return out;
  }

  private int front() {
    return apart || arrayAt < 0 ? 0 : arrayAt;
  }

  private int[] resultShape(int[] broadcast) {
    int[] out = new int[sliced.size() + broadcast.length];
    for (int i = 0; i < out.length; i++) {
      int inside = i - front();
      out[i] =
          inside < 0
              ? sliced.get(i)
              : inside < broadcast.length ? broadcast[inside] : sliced.get(i - broadcast.length);
    }
    return out;
  }

  private int[] selected(int[] broadcast) {
    int[] out = new int[Layout.of(resultShape).intSize()];
    int[] index = new int[resultShape.length];
    for (int i = 0; i < out.length; i++) {
      int rest = i;
      for (int axis = index.length - 1; axis >= 0; axis--) {
        index[axis] = rest % resultShape[axis];
        rest /= resultShape[axis];
      }
      int[] c = Arrays.copyOfRange(index, front(), front() + broadcast.length);
      int[] s = new int[sliced.size()];
      for (int k = 0; k < s.length; k++) {
        s[k] = index[k < front() ? k : k + broadcast.length];
      }
      int at = 0;
      for (int axis = 0; axis < shape.length; axis++) {
        at = at * shape[axis] + coordinates.get(axis).at(s, c);
      }
      out[i] = at;
    }
    return out;
  }

  boolean isView() {
    return chosenShapes.isEmpty();
  }

  /** An array of float64 under one of three layouts. */
  static Tensor arranged(double[] values, int[] shape, int layout) {
    Tensor plain = new Tensor(new Strided(new Storage(values.clone()), Layout.of(shape)));
    if (layout == 0) {
      return plain;
    }
    int[] room = shape.clone();
    Layout l;
    if (layout == 1) {
      for (int i = 0; i < shape.length; i++) {
        room[i] = shape[shape.length - 1 - i];
      }
      int[] reverse = new int[shape.length];
      Arrays.setAll(reverse, i -> shape.length - 1 - i);
      l = Layout.of(room).permute(reverse);
    } else {
      Arrays.setAll(room, i -> 2 * shape[i] + 1);
      l = Layout.of(room);
      for (int i = 0; i < shape.length; i++) {
        l = l.slice(i, Math.max(0, 2 * shape[i] - 1), shape[i], -2);
      }
    }
    Tensor out = new Tensor(Strided.zeros(DType.FLOAT64, room).with(l));
    Indexing.set(out, Index.ellipsis(), plain);
    return out;
  }

  @Override
  public String toString() {
    StringBuilder text = new StringBuilder(Arrays.toString(shape));
    for (Object item : items) {
      text.append(' ').append(item instanceof Tensor t ? "array" + t.layout() : item);
    }
    return text.toString();
  }
}
