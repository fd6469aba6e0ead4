package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

class ScopeTest {
  private sealed interface Layer permits Dense, Nothing {}

  private record Dense(Array weight, Optional<Array> bias, int size) implements Layer {}

  private record Nothing(String name) implements Layer {}

  private record Model(List<Layer> layers, Map.Entry<String, Array> scale) {}

  private record Failing(Array x) {
    @Override
    public Array x() {
      throw new IllegalStateException("closed");
    }
  }

  private static Array big() {
    return Array.ones(40, 50);
  }

  private static void assertUsable(Array x) {
    assertEquals(2000, x.sum().item());
  }

  @Test
  void keepsWhatIsInRecords() {
    Model model;
    Array other;
    try (Scope s = Scope.open()) {
      other = big();
      model =
          s.keep(
              new Model(
                  List.of(new Dense(big(), Optional.of(big()), 50), new Nothing("")),
                  Map.entry("scale", big())));
    }
    Dense dense = (Dense) model.layers().getFirst();
    assertUsable(dense.weight());
    assertUsable(dense.bias().orElseThrow());
    assertUsable(model.scale().getValue());
    assertThrows(ScopeException.class, other::sum);
  }

  @Test
  void keepsWhatTransformsReturn() {
    Grad.Valued both;
    try (Scope s = Scope.open()) {
      both = s.keep(Grad.valueAndGrad(x -> x.mul(x).sum()).apply(big()));
    }
    assertEquals(2000, both.value().item());
    assertEquals(4000, both.gradient().sum().item());
  }

  @Test
  void saysWhatIsWrongWithARecord() {
    try (Scope s = Scope.open()) {
      Failing failing = new Failing(big());
      ArgumentException e = assertThrows(ArgumentException.class, () -> s.keep(failing));
      assertEquals(
          "x of the record "
              + Failing.class.getName()
              + " fails: "
              + new IllegalStateException("closed"),
          e.getMessage());
    }
  }
}
