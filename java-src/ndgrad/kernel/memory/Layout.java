package ndgrad.kernel.memory;

import java.util.Arrays;
import java.util.Optional;
import ndgrad.IndexException;
import ndgrad.ShapeException;

/**
 * Where the elements of an array are in its storage: element {@code (i, j, …)} is at {@code offset
 * + i*stride(0) + j*stride(1) + …}. Strides and offset count elements; strides may be negative or
 * zero. Immutable; every method that returns a layout describes a view of the same storage.
 */
public final class Layout {
  /** How many dimensions an array has at most. */
  public static final int MOST_DIMENSIONS = 64;

  private static final int NOWHERE = -1;

  private final int[] shape;
  private final int[] strides;
  private final int offset;
  private final long size;

  /**
   * Where a layout made by {@link #of(int...)} is remembered: it is contiguous, has offset 0, and
   * the strides are those of a fresh array. {@link #NOWHERE} for others.
   */
  private final int place;

  private Layout(int[] shape, int[] strides, int offset, long size) {
    this(shape, strides, offset, size, NOWHERE);
  }

  /** A layout that may have a place among the fresh ones, where {@link FreshLayouts} finds it. */
  Layout(int[] shape, int[] strides, int offset, long size, int place) {
    if (shape.length > MOST_DIMENSIONS) {
      throw new ShapeException(
          "an array has at most "
              + MOST_DIMENSIONS
              + " dimensions, this one would have "
              + shape.length,
          "ndim",
          shape.length);
    }
    this.shape = shape;
    this.strides = strides;
    this.offset = offset;
    this.size = size;
    this.place = place;
  }

  /**
   * The row-major layout of a fresh array.
   *
   * @param shape the shape
   * @return the layout with offset 0
   * @throws ShapeException when a dimension is negative or there are too many of them, or the array
   *     would have more than 2³¹-1 elements
   */
  public static Layout of(int... shape) {
    return FreshLayouts.of(shape);
  }

  /**
   * Any layout over a storage; the caller answers for its bounds.
   *
   * @param shape the shape, not copied
   * @param strides the strides in elements, not copied
   * @param offset the offset in elements
   * @return the layout
   * @throws ShapeException when a dimension is negative or there are too many of them, or more than
   *     2⁶³-1 elements
   */
  public static Layout of(int[] shape, int[] strides, int offset) {
    return new Layout(shape, strides, offset, Dimensions.size(shape));
  }

  /**
   * A number that tells most layouts from others, for tables of what was done with them lately.
   *
   * @return 0 to 255, from the shape, and from the strides of a layout that is not fresh
   */
  public int place() {
    if (isFresh()) {
      return place;
    }
    int hash = 1;
    for (int i = 0; i < shape.length; i++) {
      hash = 31 * (31 * hash + shape[i]) + strides[i];
    }
    return FreshLayouts.place(hash);
  }

  /**
   * The number of dimensions.
   *
   * @return 0 for a scalar
   */
  public int ndim() {
    return shape.length;
  }

  /**
   * One dimension's length.
   *
   * @param axis from 0 to ndim-1
   * @return the length
   */
  public int dim(int axis) {
    return shape[axis];
  }

  /**
   * One dimension's stride in elements.
   *
   * @param axis from 0 to ndim-1
   * @return the stride
   */
  public int stride(int axis) {
    return strides[axis];
  }

  /**
   * The position of the first element in the storage.
   *
   * @return the offset in elements
   */
  public int offset() {
    return offset;
  }

  /**
   * The number of elements, which exceeds the storage's for broadcast views.
   *
   * @return the product of the dimensions
   */
  public long size() {
    return size;
  }

  /**
   * The number of elements of something that is to be materialised.
   *
   * @return the size
   * @throws ShapeException when it exceeds what one Java array can hold
   */
  public int intSize() {
    return size > Dimensions.MOST_ELEMENTS ? of(shape).intSize() : (int) size;
  }

  /**
   * The shape.
   *
   * @return a fresh array
   */
  public int[] shape() {
    return shape.clone();
  }

  /**
   * The strides in elements.
   *
   * @return a fresh array
   */
  public int[] strides() {
    return strides.clone();
  }

  /**
   * Whether this has a shape.
   *
   * @param dims the lengths of its dimensions
   * @return true when equal
   */
  boolean hasShape(int[] dims) {
    return Arrays.equals(shape, dims);
  }

  /**
   * Whether both have the same shape.
   *
   * @param other another layout
   * @return true when equal
   */
  public boolean sameShape(Layout other) {
    return this == other || Arrays.equals(shape, other.shape);
  }

  /**
   * Whether both have the same shape and the same strides.
   *
   * @param other another layout
   * @return true when they differ in their offsets at most
   */
  public boolean sameSteps(Layout other) {
    return this == other
        || Arrays.equals(shape, other.shape) && Arrays.equals(strides, other.strides);
  }

  /**
   * Whether this is the layout of a fresh array, to be shared with other fresh arrays of the shape.
   *
   * @return true when it was made by {@link #of(int...)}
   */
  public boolean isFresh() {
    return place != NOWHERE;
  }

  /**
   * Whether the elements lie one behind the other in row-major order.
   *
   * @return true for every layout of size 0 or 1, too
   */
  public boolean isContiguous() {
    if (isFresh() || size <= 1) {
      return true;
    }
    int step = 1;
    for (int i = shape.length - 1; i >= 0; i--) {
      if (shape[i] != 1) {
        if (strides[i] != step) {
          return false;
        }
        step *= shape[i];
      }
    }
    return true;
  }

  /**
   * Whether two elements of this layout may be the same place of the storage by a zero stride, as
   * in a broadcast.
   *
   * @return true when some dimension longer than 1 has stride 0
   */
  public boolean isBroadcast() {
    for (int i = 0; i < shape.length; i++) {
      if (strides[i] == 0 && shape[i] > 1) {
        return size > 0;
      }
    }
    return false;
  }

  /**
   * Whether there is one element, at every place.
   *
   * @return true when each dimension longer than 1 has stride 0, and none has no length
   */
  public boolean isOneElement() {
    for (int i = 0; i < shape.length; i++) {
      if (strides[i] != 0 && shape[i] > 1) {
        return false;
      }
    }
    return size > 0;
  }

  /**
   * Resolves an axis that may count from the end.
   *
   * @param axis from -ndim to ndim-1
   * @return the axis from 0 to ndim-1
   * @throws ShapeException when it is out of range
   */
  public int axis(int axis) {
    return Dimensions.axis(axis, shape.length);
  }

  /**
   * Resolves several axes.
   *
   * @param axes each from -ndim to ndim-1
   * @return the axes from 0 to ndim-1 in the given order
   * @throws ShapeException when one is out of range or named twice
   */
  public int[] axes(int... axes) {
    return Dimensions.axes(axes, shape.length);
  }

  /**
   * A view stretched to a larger shape by zero strides.
   *
   * @param target the shape, not copied
   * @return the view
   * @throws ShapeException when a dimension is neither 1 nor equal to the target's
   */
  public Layout broadcastTo(int... target) {
    if (hasShape(target)) {
      return this;
    }
    int shift = target.length - shape.length;
    int[] s = new int[target.length];
    boolean fits = shift >= 0;
    for (int i = 0; fits && i < shape.length; i++) {
      fits = shape[i] == target[i + shift] || shape[i] == 1;
      s[i + shift] = shape[i] == 1 ? 0 : strides[i];
    }
    if (!fits) {
      throw new ShapeException(
          "an array of shape " + this + " cannot be broadcast to " + Arrays.toString(target),
          "shape",
          shape(),
          "target",
          target);
    }
    return of(target, s, offset);
  }

  /**
   * A view with its axes in another order.
   *
   * @param axes a permutation of 0 to ndim-1, negative numbers counting from the end
   * @return the view
   * @throws ShapeException when it is no permutation
   */
  public Layout permute(int... axes) {
    int[] order = axes(axes);
    if (order.length != shape.length) {
      throw new ShapeException(
          "permute of "
              + shape.length
              + " dimensions needs as many axes, got "
              + Arrays.toString(axes),
          "shape",
          shape(),
          "axes",
          axes);
    }
    int[] d = new int[order.length];
    int[] s = new int[order.length];
    for (int i = 0; i < order.length; i++) {
      d[i] = shape[order[i]];
      s[i] = strides[order[i]];
    }
    return new Layout(d, s, offset, size);
  }

  /**
   * A view with one axis at another place.
   *
   * @param from the axis, from 0 to ndim-1
   * @param to its place in the result, from 0 to ndim-1
   * @return the view
   */
  public Layout move(int from, int to) {
    int[] order = new int[shape.length];
    for (int i = 0, next = 0; i < order.length; i++) {
      next += next == from ? 1 : 0;
      order[i] = i == to ? from : next++;
    }
    return permute(order);
  }

  /**
   * A view with two axes exchanged.
   *
   * @param axis1 from 0 to ndim-1
   * @param axis2 from 0 to ndim-1
   * @return the view
   */
  public Layout swapped(int axis1, int axis2) {
    int[] d = shape.clone();
    int[] s = strides.clone();
    d[axis1] = shape[axis2];
    d[axis2] = shape[axis1];
    s[axis1] = strides[axis2];
    s[axis2] = strides[axis1];
    return new Layout(d, s, offset, size);
  }

  /**
   * A view of every {@code step}-th element along an axis.
   *
   * @param axis from 0 to ndim-1
   * @param start the first index, within the dimension unless count is 0
   * @param count how many
   * @param step the distance, may be negative
   * @return the view
   */
  public Layout slice(int axis, int start, int count, int step) {
    int[] d = shape.clone();
    int[] s = strides.clone();
    d[axis] = count;
    s[axis] = strides[axis] * step;
    return of(d, s, count == 0 || size == 0 ? offset : offset + start * strides[axis]);
  }

  /**
   * A view without one axis, at a fixed index of it.
   *
   * @param axis from 0 to ndim-1
   * @param index from -dim to dim-1
   * @return the view
   * @throws IndexException when the index is out of range
   */
  public Layout select(int axis, long index) {
    int at = index(axis, index);
    return of(
        Dimensions.without(shape, axis),
        Dimensions.without(strides, axis),
        size == 0 ? offset : offset + at * strides[axis]);
  }

  /**
   * A position of an axis, counted from its beginning.
   *
   * @param axis from 0 to ndim-1
   * @param index from -length to length-1
   * @return from 0 to length-1
   * @throws IndexException when it is out of range
   */
  public int index(int axis, long index) {
    return Dimensions.index(shape, axis, index);
  }

  /**
   * The layout of the first element along the first axis, whether or not there is one.
   *
   * @return a layout of one dimension less
   */
  public Layout first() {
    return of(Dimensions.without(shape, 0), Dimensions.without(strides, 0), offset);
  }

  /**
   * The same layout several times along a new first axis.
   *
   * @param times how often
   * @param stride the distance of neighbours, in elements
   * @return a layout of one dimension more
   */
  public Layout repeated(int times, int stride) {
    return of(Dimensions.with(shape, 0, times), Dimensions.with(strides, 0, stride), offset);
  }

  /**
   * A view without one axis of length 1.
   *
   * @param axis from 0 to ndim-1, of length 1
   * @return the view
   */
  public Layout squeeze(int axis) {
    int[] left = Dimensions.without(shape, axis);
    return isFresh() ? of(left) : new Layout(left, Dimensions.without(strides, axis), offset, size);
  }

  /**
   * A view with an axis of length 1 put in.
   *
   * @param axis its place in the result, from 0 to ndim
   * @return the view
   */
  public Layout unsqueeze(int axis) {
    int step = axis < shape.length ? shape[axis] * strides[axis] : 1;
    int[] more = Dimensions.with(shape, axis, 1);
    return isFresh()
        ? of(more)
        : new Layout(more, Dimensions.with(strides, axis, step), offset, size);
  }

  /**
   * A view with an axis reversed.
   *
   * @param axis from 0 to ndim-1
   * @return the view
   */
  public Layout flip(int axis) {
    return slice(axis, shape[axis] - 1, shape[axis], -1);
  }

  /**
   * A view of another shape over the same elements in row-major order, where strides allow it.
   *
   * @param target the shape, of the same size, without -1
   * @return the view, or empty when the elements would have to be copied
   */
  public Optional<Layout> reshape(int... target) {
    if (isFresh()) {
      return Optional.of(of(target));
    }
    if (size == 0 || isContiguous()) {
      return Optional.of(new Layout(target, Dimensions.rowMajor(target), offset, size));
    }
    int[] s = Dimensions.reshaped(shape, strides, target);
    return s == null ? Optional.empty() : Optional.of(new Layout(target, s, offset, size));
  }

  /**
   * A view of the diagonals of the planes spanned by two axes; the diagonal becomes the last axis.
   *
   * @param k the diagonal: 0 the main one, positive above it, negative below
   * @param axis1 the plane's rows, from 0 to ndim-1
   * @param axis2 the plane's columns, another axis
   * @return the view
   */
  public Layout diagonal(int k, int axis1, int axis2) {
    int rows = shape[axis1];
    int cols = shape[axis2];
    int n = Math.max(0, k >= 0 ? Math.min(rows, cols - k) : Math.min(rows + k, cols));
    int start = n == 0 || size == 0 ? 0 : k >= 0 ? k * strides[axis2] : -k * strides[axis1];
    int step = strides[axis1] + strides[axis2];
    int high = Math.max(axis1, axis2);
    int low = Math.min(axis1, axis2);
    int[] d = Dimensions.without(Dimensions.without(shape, high), low);
    int[] s = Dimensions.without(Dimensions.without(strides, high), low);
    return of(Dimensions.with(d, d.length, n), Dimensions.with(s, s.length, step), offset + start);
  }

  /**
   * The place of an element in the storage.
   *
   * @param index one number an axis, in range
   * @return the position
   */
  public int position(int... index) {
    int p = offset;
    for (int i = 0; i < index.length; i++) {
      p += index[i] * strides[i];
    }
    return p;
  }

  /**
   * Whether the stretches of storage that two layouts of one storage span have a place in common;
   * they may still touch different elements.
   *
   * @param other another layout over the same storage
   * @return false only when no element is shared
   */
  public boolean mayOverlap(Layout other) {
    return size > 0 && other.size > 0 && low() <= other.high() && other.low() <= high();
  }

  /**
   * How many elements a storage must have to hold this layout.
   *
   * @return the highest position plus one
   */
  public int span() {
    return size == 0 ? offset : high() + 1;
  }

  private int low() {
    int p = offset;
    for (int i = 0; i < shape.length; i++) {
      p += Math.min(0, (shape[i] - 1) * strides[i]);
    }
    return p;
  }

  private int high() {
    int p = offset;
    for (int i = 0; i < shape.length; i++) {
      p += Math.max(0, (shape[i] - 1) * strides[i]);
    }
    return p;
  }

  @Override
  public boolean equals(Object o) {
    return this == o || o instanceof Layout l && offset == l.offset && sameSteps(l);
  }

  @Override
  public int hashCode() {
    return 31 * (31 * Arrays.hashCode(shape) + Arrays.hashCode(strides)) + offset;
  }

  /** The shape as it is written in messages: {@code [2, 3]}. */
  @Override
  public String toString() {
    return Arrays.toString(shape);
  }
}
