package ndgrad;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertThrows;

import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.ObjectInputStream;
import java.io.ObjectOutputStream;
import java.util.Map;
import org.junit.jupiter.api.Test;

class NdExceptionTest {
  @Test
  void anErrorFromAnotherProcessKeepsItsMessage() throws Exception {
    NdException error =
        assertThrows(ShapeException.class, () -> Array.zeros(2).add(Array.zeros(3)));
    ByteArrayOutputStream bytes = new ByteArrayOutputStream();
    new ObjectOutputStream(bytes).writeObject(error);
    ObjectInputStream in = new ObjectInputStream(new ByteArrayInputStream(bytes.toByteArray()));
    NdException read = (NdException) in.readObject();
    assertEquals(error.getMessage(), read.getMessage());
    assertEquals(Map.of(), read.data());
  }
}
