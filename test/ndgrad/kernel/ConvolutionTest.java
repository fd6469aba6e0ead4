package ndgrad.kernel;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.util.Random;
import ndgrad.DType;
import org.junit.jupiter.api.Test;

class ConvolutionTest {
  private final Random random = new Random(6);

  private Window window() {
    return new Window(
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        1 + random.nextInt(3),
        random.nextInt(3),
        random.nextInt(3),
        1 + random.nextInt(2),
        1 + random.nextInt(2));
  }

  @Test
  void laysOutWhatTheWindowSeesAndAddsItBack() {
    for (int round = 0; round < 400; round++) {
      DType dtype = round % 2 == 0 ? DType.FLOAT32 : DType.FLOAT64;
      Window w = window();
      Strided image =
          Samples.target(
              random,
              dtype,
              random.nextInt(3),
              1 + random.nextInt(3),
              1 + random.nextInt(8),
              1 + random.nextInt(8));
      Layout l = image.layout();
      int oh = w.outHeight(l.dim(2));
      int ow = w.outWidth(l.dim(3));
      Strided cols = Strided.zeros(dtype, l.dim(0), l.dim(1) * w.height() * w.width(), oh * ow);
      Rows.of(dtype).fill(cols.array(), 0, 1, DType.lengthOf(cols.array()), Samples.seven(dtype));
      Convolution.im2col(cols, image, w);
      Strided back = Samples.target(random, dtype, l.shape());
      double[] want = Samples.values(back);
      Layout flat = Layout.of(l.shape());
      for (int i = 0; i < cols.layout().size(); i++) {
        int[] at = Samples.unravel(i, l.dim(0), l.dim(1), w.height(), w.width(), oh, ow);
        int y = at[4] * w.strideH() - w.padH() + at[2] * w.dilationH();
        int x = at[5] * w.strideW() - w.padW() + at[3] * w.dilationW();
        boolean inside = y >= 0 && y < l.dim(2) && x >= 0 && x < l.dim(3);
        double element = inside ? Samples.get(image, at[0], at[1], y, x) : 0;
        assertEquals(element, Samples.get(cols.array(), i), w + " of " + l);
        if (inside) {
          want[flat.position(at[0], at[1], y, x)] += element;
        }
      }
      Convolution.col2im(back, cols, w);
      double[] got = Samples.values(back);
      for (int i = 0; i < want.length; i++) {
        assertEquals(want[i], got[i], 1e-4, w + " of " + l);
      }
    }
  }

  @Test
  void countsThePlacesOfAWindow() {
    assertEquals(3, new Window(3, 3, 1, 1, 0, 0, 1, 1).outHeight(5));
    assertEquals(3, new Window(3, 3, 2, 2, 1, 1, 1, 1).outWidth(5));
    assertEquals(1, new Window(3, 3, 1, 1, 0, 0, 2, 2).outWidth(5));
    assertEquals(0, new Window(4, 4, 1, 1, 0, 0, 1, 1).outWidth(3));
  }
}
