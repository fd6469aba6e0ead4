package ndgrad.op;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import ndgrad.ArgumentException;
import ndgrad.DType;
import ndgrad.Index;
import ndgrad.IndexException;
import ndgrad.ShapeException;
import ndgrad.autograd.Tensor;
import ndgrad.op.spec.Coerce;
import ndgrad.op.spec.Lately;
import ndgrad.op.spec.Nested;

/** From what callers write in an index to its items. */
final class IndexItems {
  private static final Lately<Index> WORDS = new Lately<>();

  private IndexItems() {}

  /**
   * The items of an expression.
   *
   * @param key one item, or a list of items
   * @return the items
   * @throws IndexException when something is no index
   */
  static List<Index> of(Object key) {
    boolean several = key instanceof List<?> || key instanceof Object[];
    List<?> items = several ? Nested.items(key) : Collections.singletonList(key);
    List<Index> out = new ArrayList<>(items.size());
    for (Object item : items) {
      add(item, out);
    }
    return out;
  }

  private static void add(Object item, List<Index> out) {
    switch (item) {
      case Index i -> out.add(i);
      case Tensor t -> out.add(array(t.dtype(), t));
      case Tensor.Face f -> out.add(array(f.tensor().dtype(), f));
      case Boolean b -> out.add(Index.mask(b));
      case Number n -> out.add(Index.at(whole(n)));
      case String s -> out.addAll(Index.parse(s));
      case null ->
          throw new IndexException(
              Coerce.show(null)
                  + " is no index; expected :newaxis for a new axis, :all for a whole one");
      default -> out.add(other(item));
    }
  }

  private static long whole(Number n) {
    boolean fits = n instanceof Long || Math.abs(n.doubleValue()) < Long.MAX_VALUE;
    if (fits && Coerce.isIntegral(n)) {
      return n.longValue();
    }
    throw new IndexException(
        "an index must be a whole number of at most 64 bits, got " + n, "index", n.toString());
  }

  private static Index other(Object item) {
    if (!(item instanceof Iterable<?>) && !item.getClass().isArray()) {
      return word(item);
    }
    Tensor t;
    try {
      t = new Tensor(Nested.array(item));
    } catch (ArgumentException | ShapeException e) {
      throw new IndexException(
          "a list in the index must hold integers or truth values, other indexes stand beside it: "
              + e.getMessage());
    }
    // An empty list has no numbers to tell its dtype by; it selects nothing, as in NumPy.
    boolean none = t.size() == 0 && !item.getClass().isArray();
    return none ? Index.positions(Indexing.cast(t, DType.INT64)) : array(t.dtype(), t);
  }

  private static Index word(Object given) {
    Index known = WORDS.find(given);
    if (known != null) {
      return known;
    }
    String shown = Coerce.show(given);
    Index index =
        switch (shown) {
          case ":all" -> Index.all();
          case ":newaxis" -> Index.newAxis();
          case ":ellipsis" -> Index.ellipsis();
          default ->
              throw new IndexException(
                  shown
                      + " is no index; expected an integer, a slice, :all, :newaxis, :ellipsis,"
                      + " integers or a mask",
                  "index",
                  shown);
        };
    WORDS.note(given, index);
    return index;
  }

  private static Index array(DType dtype, Object array) {
    if (dtype == DType.BOOL) {
      return Index.mask(array);
    }
    if (dtype.isInteger()) {
      return Index.positions(array);
    }
    throw new IndexException(
        "arrays used as indexes must be integer or bool, this one is "
            + dtype
            + "; convert it with astype",
        "dtype",
        dtype.toString());
  }

  /**
   * The elements of an index array.
   *
   * @param array what {@link Index.Positions} or {@link Index.Mask} holds
   * @param mask whether truth values are expected, otherwise integers
   * @return the tensor
   * @throws IndexException when the dtype is another
   */
  static Tensor tensor(Object array, boolean mask) {
    Tensor t = Nested.tensor(array);
    boolean fits = mask ? t.dtype() == DType.BOOL : t.dtype().isInteger();
    if (!fits && !mask && t.size() == 0 && array instanceof List<?>) {
      return Indexing.cast(t, DType.INT64);
    }
    if (!fits) {
      throw new IndexException(
          (mask ? "a mask must be bool" : "positions must be integers")
              + ", this array is "
              + t.dtype(),
          "dtype",
          t.dtype().toString());
    }
    return t;
  }
}
