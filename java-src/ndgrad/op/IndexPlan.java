package ndgrad.op;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.OptionalLong;
import ndgrad.DType;
import ndgrad.Index;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Dimensions;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;
import ndgrad.kernel.rows.Gather;
import ndgrad.op.spec.Nested;

/**
 * What an index expression selects of an array of some shape, by NumPy's rules. Every check is made
 * here, so that a plan can be carried out on any array of that shape, however it is laid out.
 * Immutable; index arrays are read once.
 *
 * <p>The axes that integers, slices and new axes leave form a view. Index arrays and masks are
 * broadcast to one shape; its axes replace theirs, or come first when something stands between
 * them.
 */
final class IndexPlan {

  /**
   * One axis of the view: {@code count} positions of an axis of the array; axis -1 is a new one.
   */
  private record Cut(int axis, int start, int count, int step) {}

  /**
   * An index array or mask: row-major positions in the block of neighbouring axes that it covers.
   */
  private record Chosen(int axis, int axes, int[] flat, Layout shape) {}

  private static final int[] NONE = {};

  private final int[] shape;
  private final int[] fixed;
  private final List<Cut> cuts;
  private final List<Chosen> chosen;
  private final int[] chosenShape;
  private final int place;
  private final boolean scalarArray;
  private final int[] result;

  private IndexPlan(Reader r, int[] shape) {
    this.shape = shape;
    this.fixed = r.fixed;
    this.cuts = r.cuts;
    this.scalarArray = r.scalarArray;
    this.place = r.apart ? 0 : Math.max(r.place, 0);
    this.chosenShape = r.chosen.isEmpty() ? NONE : broadcast(r.chosen);
    this.chosen = r.chosen;
    chosen.replaceAll(c -> stretch(c, chosenShape));
    int[] out = new int[cuts.size() + chosenShape.length];
    for (int i = 0; i < cuts.size(); i++) {
      out[i < place ? i : i + chosenShape.length] = cuts.get(i).count;
    }
    System.arraycopy(chosenShape, 0, out, place, chosenShape.length);
    this.result = out;
  }

  /**
   * Reads an expression.
   *
   * @param layout the array's shape
   * @param items the expression
   * @param arrays whether 0-d index arrays count as arrays; otherwise they count as integers
   * @return the plan
   * @throws IndexException when there are too many items, one is out of range, or arrays do not fit
   */
  static IndexPlan of(Layout layout, List<Index> items, boolean arrays) {
    Reader r = new Reader(layout, arrays);
    r.read(items);
    return new IndexPlan(r, layout.shape());
  }

  private IndexPlan(IndexPlan one, int times) {
    this.shape = prepended(times, one.shape);
    this.fixed = prepended(0, one.fixed);
    this.cuts = new ArrayList<>(List.of(new Cut(0, 0, times, 1)));
    for (Cut c : one.cuts) {
      cuts.add(new Cut(c.axis < 0 ? c.axis : c.axis + 1, c.start, c.count, c.step));
    }
    this.chosen =
        one.chosen.stream().map(c -> new Chosen(c.axis + 1, c.axes, c.flat, c.shape)).toList();
    this.chosenShape = one.chosenShape;
    this.place = one.place + 1;
    this.scalarArray = one.scalarArray;
    this.result = prepended(times, one.result);
  }

  private static int[] prepended(int first, int[] rest) {
    int[] out = new int[rest.length + 1];
    out[0] = first;
    System.arraycopy(rest, 0, out, 1, rest.length);
    return out;
  }

  /** The same selection of every one of some arrays along a new first axis. */
  IndexPlan repeated(int times) {
    return new IndexPlan(this, times);
  }

  /** How many axes of the selection come before those of its index arrays. */
  int place() {
    return place;
  }

  /** Whether the selection is a view. */
  boolean isView() {
    return chosen.isEmpty();
  }

  /** Whether it is made by a 0-d integer array, which makes it a copy. */
  boolean isScalarArray() {
    return scalarArray;
  }

  /** The shape of the array it was made for. */
  int[] arrayShape() {
    return shape.clone();
  }

  /** The shape of the selection. */
  int[] shape() {
    return result.clone();
  }

  /** The selection as a view; only where it is one. */
  Layout view(Layout l) {
    return cuts(l, 0, cuts.size(), true);
  }

  /**
   * Where in the storage the rows of the selection begin, in the order of its leading axes; not to
   * be modified.
   */
  int[] positions(Layout l) {
    Layout outer = cuts(l, 0, place, true);
    int n = chosen.getFirst().flat.length;
    int base = outer.offset() + cuts(l, place, cuts.size(), true).offset() - l.position(fixed);
    if (chosen.size() == 1 && base == 0 && outer.ndim() == 0) {
      Chosen c = chosen.getFirst();
      boolean counted = c.axes == 1 && l.stride(c.axis) == 1;
      if (counted || c.axes == l.ndim() && l.isContiguous()) {
        return c.flat;
      }
    }
    int[] inside = new int[n];
    for (Chosen c : chosen) {
      addOffsets(l, c, inside);
    }
    if (outer.ndim() == 0) {
      for (int i = 0; i < n; i++) {
        inside[i] += base;
      }
      return inside;
    }
    Layout rows = Layout.of(outer.shape(), outer.strides(), 0);
    int count = rows.intSize();
    int[] all = new int[Layout.of(count, n).intSize()];
    int k = 0;
    for (int row : starts(rows)) {
      for (int i = 0; i < n; i++) {
        all[k++] = base + row + inside[i];
      }
    }
    return all;
  }

  /** What lies at each of the {@link #positions}: shape and strides, offset 0. */
  Layout inner(Layout l) {
    Layout c = cuts(l, place, cuts.size(), false);
    return Layout.of(c.shape(), c.strides(), 0);
  }

  /** The positions of all elements of a layout in row-major order. */
  private static int[] starts(Layout l) {
    int[] out = {l.offset()};
    for (int axis = 0; axis < l.ndim(); axis++) {
      int[] next = new int[out.length * l.dim(axis)];
      int k = 0;
      for (int start : out) {
        for (int i = 0; i < l.dim(axis); i++) {
          next[k++] = start + i * l.stride(axis);
        }
      }
      out = next;
    }
    return out;
  }

  private static void addOffsets(Layout l, Chosen c, int[] to) {
    if (c.axes == 1) {
      int step = l.stride(c.axis);
      for (int i = 0; i < to.length; i++) {
        to[i] += c.flat[i] * step;
      }
    } else if (c.axes > 1) {
      int[] d = Arrays.copyOfRange(l.shape(), c.axis, c.axis + c.axes);
      int[] s = Arrays.copyOfRange(l.strides(), c.axis, c.axis + c.axes);
      int[] offsets = Gather.positions(Layout.of(d, s, 0), c.flat);
      for (int i = 0; i < to.length; i++) {
        to[i] += offsets[i];
      }
    }
  }

  /**
   * The layout of some of the cuts, at the array's offset plus their starts plus the fixed axes'
   * positions.
   */
  private Layout cuts(Layout l, int from, int to, boolean start) {
    int[] d = new int[to - from];
    int[] s = new int[to - from];
    int offset = start ? l.position(fixed) : 0;
    boolean empty = false;
    for (int i = from; i < to; i++) {
      Cut c = cuts.get(i);
      d[i - from] = c.count;
      empty |= c.count == 0;
      if (c.axis >= 0) {
        s[i - from] = l.stride(c.axis) * c.step;
        offset += start && c.count > 0 ? l.stride(c.axis) * c.start : 0;
      }
    }
    return Layout.of(d, s, empty && isView() ? l.offset() : offset);
  }

  private static int[] broadcast(List<Chosen> chosen) {
    Layout[] shapes = new Layout[chosen.size()];
    for (int i = 0; i < shapes.length; i++) {
      shapes[i] = chosen.get(i).shape;
    }
    try {
      return Dimensions.broadcast(shapes);
    } catch (ShapeException e) {
      List<String> names = chosen.stream().map(c -> c.shape.toString()).toList();
      throw new IndexException(
          "index arrays of shapes "
              + String.join(" and ", names)
              + " do not broadcast together; a mask counts"
              + " as one list of as many positions as it has true elements",
          "shapes",
          chosen.stream().map(c -> c.shape.shape()).toList());
    }
  }

  private static Chosen stretch(Chosen c, int[] to) {
    if (Arrays.equals(c.shape.shape(), to)) {
      return c;
    }
    Strided wide = Strided.zeros(DType.INT32, to);
    Copies.copy(new Strided(new Storage(c.flat), c.shape.broadcastTo(to)), wide);
    return new Chosen(c.axis, c.axes, (int[]) wide.storage().escape(), wide.layout());
  }

  /** Goes through the items and fills in cuts, fixed positions and chosen ones. */
  private static final class Reader {
    private final Layout layout;
    private final int[] fixed;
    private final List<Cut> cuts;
    private final List<Chosen> chosen = new ArrayList<>();
    private boolean arrays;
    private boolean scalarArray;
    private boolean ended;
    private boolean apart;
    private int place = -1;
    private int axis;

    Reader(Layout layout, boolean arrays) {
      this.layout = layout;
      this.arrays = arrays;
      this.fixed = new int[layout.ndim()];
      this.cuts = new ArrayList<>(layout.ndim());
    }

    void read(List<Index> items) {
      int used = 0;
      boolean ellipsis = false;
      // Arrays are read first: whether there is one decides what an integer means.
      Tensor[] tensors = new Tensor[items.size()];
      for (int i = 0; i < tensors.length; i++) {
        switch (items.get(i)) {
          case Index.Positions p -> {
            tensors[i] = IndexItems.tensor(p.array(), false);
            arrays |= tensors[i].ndim() > 0;
            scalarArray |= tensors[i].ndim() == 0;
            used++;
          }
          case Index.Mask m -> {
            tensors[i] = IndexItems.tensor(m.array(), true);
            arrays = true;
            used += tensors[i].ndim();
          }
          case Index.Ellipsis _ -> {
            if (ellipsis) {
              throw new IndexException("an index can have only one ellipsis");
            }
            ellipsis = true;
          }
          case Index.NewAxis _ -> {}
          default -> used++;
        }
      }
      if (used > layout.ndim()) {
        throw new IndexException(
            "too many indexes: the array of shape "
                + layout
                + " has "
                + layout.ndim()
                + " dimensions, "
                + used
                + " were indexed",
            "shape",
            layout.shape(),
            "indexed",
            used);
      }
      for (int i = 0; i < tensors.length; i++) {
        take(items.get(i), tensors[i], layout.ndim() - used);
      }
      while (axis < layout.ndim()) {
        whole();
      }
    }

    private void take(Index item, Tensor tensor, int left) {
      switch (item) {
        case Index.At(long index) -> position(index);
        case Index.Positions _ when tensor.ndim() == 0 && !arrays ->
            position((Long) Nested.item(tensor));
        case Index.Positions _ -> positions(tensor);
        case Index.Mask _ -> mask(tensor);
        case Index.All _ -> {
          whole();
          between();
        }
        case Index.Slice s -> {
          cuts.add(cut(s, axis, layout.dim(axis)));
          axis++;
          between();
        }
        case Index.NewAxis _ -> {
          cuts.add(new Cut(-1, 0, 1, 0));
          between();
        }
        case Index.Ellipsis _ -> {
          for (int i = 0; i < left; i++) {
            whole();
          }
          between();
        }
      }
    }

    private void whole() {
      cuts.add(new Cut(axis, 0, layout.dim(axis), 1));
      axis++;
    }

    private void between() {
      ended = place >= 0;
    }

    private void choose(int axes, int[] flat, Layout shape) {
      chosen.add(new Chosen(axis, axes, flat, shape));
      axis += axes;
      apart |= ended;
      place = place < 0 ? cuts.size() : place;
    }

    private void position(long index) {
      int at = layout.index(axis, index);
      if (arrays) {
        choose(1, new int[] {at}, Layout.of());
      } else {
        fixed[axis++] = at;
      }
    }

    private void positions(Tensor t) {
      boolean plain = t.dtype() == DType.INT64 && t.layout().isContiguous();
      Strided one = t.firstExample();
      Strided read = plain ? one : Copies.copyOf(one, DType.INT64);
      long[] given = (long[]) read.array();
      int from = read.layout().offset();
      int length = layout.dim(axis);
      int[] flat = new int[t.layout().intSize()];
      for (int i = 0; i < flat.length; i++) {
        long p = given[from + i];
        flat[i] = p >= 0 && p < length ? (int) p : layout.index(axis, p);
      }
      choose(1, flat, Layout.of(t.shape()));
    }

    private void mask(Tensor t) {
      for (int i = 0; i < t.ndim(); i++) {
        if (t.dim(i) != layout.dim(axis + i)) {
          throw new IndexException(
              "a mask of shape "
                  + t.layout()
                  + (t.ndim() == 1
                      ? " does not fit axis " + axis
                      : " does not fit axes " + axis + " to " + (axis + t.ndim() - 1))
                  + " of an array of shape "
                  + layout,
              "mask",
              t.layout().shape(),
              "shape",
              layout.shape(),
              "axis",
              axis);
        }
      }
      int[] flat = Gather.nonzero(t.firstExample());
      choose(t.ndim(), flat, Layout.of(flat.length));
    }
  }

  /** Python's rule for slices: ends are cut to the length, negative ones count from the end. */
  private static Cut cut(Index.Slice s, int axis, int length) {
    long step = s.step();
    long low = step < 0 ? -1 : 0;
    long high = step < 0 ? length - 1 : length;
    long start = end(s.start(), step < 0 ? high : low, low, high, length);
    long stop = end(s.stop(), step < 0 ? low : high, low, high, length);
    long span = step < 0 ? start - stop : stop - start;
    long stride = step == Long.MIN_VALUE ? Long.MAX_VALUE : Math.abs(step);
    int count = span <= 0 ? 0 : (int) ((span - 1) / stride + 1);
    // NumPy keeps the step of a single position in the strides, though it is never taken; an empty
    // cut has none.
    int taken = count == 0 ? 1 : Math.clamp(step, Integer.MIN_VALUE, Integer.MAX_VALUE);
    return new Cut(axis, (int) start, count, taken);
  }

  private static long end(OptionalLong given, long open, long low, long high, int length) {
    if (given.isEmpty()) {
      return open;
    }
    long v = given.getAsLong();
    return Math.clamp(v < 0 ? v + length : v, low, high);
  }
}
