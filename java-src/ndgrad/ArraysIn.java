package ndgrad;

import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.RecordComponent;
import java.nio.file.Path;
import java.util.Arrays;
import java.util.Map;
import java.util.Optional;
import java.util.function.Consumer;

/**
 * Finds the Arrays in data: maps with their keys, iterables, object arrays, optionals and records.
 */
final class ArraysIn {
  private ArraysIn() {}

  /** The accessors of a record's components that can be or hold an Array. */
  private static final ClassValue<Method[]> ACCESSORS =
      new ClassValue<>() {
        @Override
        protected Method[] computeValue(Class<?> type) {
          return Arrays.stream(type.getRecordComponents())
              .filter(c -> !c.getType().isPrimitive())
              .map(RecordComponent::getAccessor)
              .toArray(Method[]::new);
        }
      };

  /** Calls {@code found} with each Array in {@code x}, which may itself be one. */
  static void forEach(Object x, Consumer<Array> found) {
    switch (x) {
      case Array a -> found.accept(a);
      case Map<?, ?> m -> m.entrySet().forEach(e -> forEach(e, found));
      case Map.Entry<?, ?> e -> {
        forEach(e.getKey(), found);
        forEach(e.getValue(), found);
      }
      case Path _ -> {} // which iterates over paths, down to ones that iterate over themselves
      case Iterable<?> all -> all.forEach(each -> forEach(each, found));
      case Optional<?> o -> o.ifPresent(each -> forEach(each, found));
      case Object[] all -> Arrays.stream(all).forEach(each -> forEach(each, found));
      case Record r -> {
        for (Method accessor : ACCESSORS.get(r.getClass())) {
          forEach(component(r, accessor), found);
        }
      }
      case null, default -> {}
    }
  }

  private static Object component(Record r, Method accessor) {
    try {
      // Of a class that is not public, or in a package that is not exported.
      accessor.trySetAccessible();
      return accessor.invoke(r);
    } catch (IllegalAccessException e) {
      throw new ArgumentException(
          "cannot read "
              + accessor.getName()
              + " of the record "
              + r.getClass().getName()
              + ", whose module does not open it; give its arrays themselves",
          "record",
          r.getClass().getName());
    } catch (InvocationTargetException e) {
      throw new ArgumentException(
          accessor.getName()
              + " of the record "
              + r.getClass().getName()
              + " fails: "
              + e.getCause(),
          "record",
          r.getClass().getName());
    }
  }
}
