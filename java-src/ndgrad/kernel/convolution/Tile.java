package ndgrad.kernel.convolution;

import java.util.ArrayList;
import java.util.List;
import ndgrad.DType;
import ndgrad.kernel.loop.Copies;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Storage;
import ndgrad.kernel.memory.Strided;

/**
 * A rectangle of results of a sum over a window's points, and the layout of what they see: for each
 * channel one plane for each pair of remainders, of several images next to each other.
 *
 * @param rows downwards
 * @param columns along
 * @param images how many lie next to each other
 */
record Tile(Line rows, Line columns, int images) {

  /** Results along the rows below which a tile is not worth having. */
  private static final int NARROW = 256;

  /** Results in all below which it isn't. */
  private static final int FEW = 64;

  /**
   * Cuts results into tiles.
   *
   * @param rows downwards
   * @param columns along
   * @param channels of the source
   * @param room elements that what a tile sees should fit into
   * @param parts how many tiles are wanted at least, if they need not be too small
   */
  static List<Tile> cut(Line rows, Line columns, int channels, int room, int parts) {
    long planes = (long) channels * rows.planes() * columns.planes();
    long fits = room / (planes * columns.extent()) - rows.reach();
    int wanted = Math.max(Math.ceilDiv(rows.count(), parts), Math.ceilDiv(FEW, columns.extent()));
    int down = even(rows.count(), Math.clamp(fits, 1, Math.min(wanted, rows.count())));
    int bands = Math.ceilDiv(rows.count(), down);
    long across = room / (planes * (down + rows.reach())) - columns.reach();
    wanted = Math.ceilDiv(columns.count(), Math.ceilDiv(parts, bands));
    int along = even(columns.count(), Math.clamp(Math.min(across, wanted), NARROW, 1 << 30));
    List<Tile> tiles = new ArrayList<>();
    for (int y = 0; y < rows.count(); y += down) {
      Line band = rows.slice(y, Math.min(y + down, rows.count()));
      for (int x = 0; x < columns.count(); x += along) {
        tiles.add(new Tile(band, columns.slice(x, Math.min(x + along, columns.count())), 1));
      }
    }
    return tiles;
  }

  /** The size of parts that are no larger than a limit and differ as little as may be. */
  static int even(int n, int limit) {
    return Math.ceilDiv(n, Math.ceilDiv(n, limit));
  }

  /** The length of a row of a plane. */
  int width() {
    return columns.extent();
  }

  /** Elements of a plane of one image. */
  int plane() {
    return rows.extent() * width();
  }

  /** Elements of all planes of a channel. */
  int channel() {
    return rows.planes() * columns.planes() * images * plane();
  }

  /** Elements from the first result to the last, when rows are as far apart as those of a plane. */
  int length() {
    return (images - 1) * plane() + (rows.count() - 1) * width() + columns.count();
  }

  /** How many points of the window take part. */
  int points() {
    return rows.taps().length * columns.taps().length;
  }

  /** Where each tap begins to read: channel by channel, point by point. */
  int[] offsets(int channels, int padded) {
    int[] off = new int[padded];
    int t = 0;
    for (int c = 0; c < channels; c++) {
      for (int i = 0; i < rows.taps().length; i++) {
        for (int j = 0; j < columns.taps().length; j++) {
          int plane = rows.plane()[i] * columns.planes() + columns.plane()[j];
          off[t++] =
              c * channel()
                  + plane * images * plane()
                  + rows.shift()[i] * width()
                  + columns.shift()[j];
        }
      }
    }
    return off;
  }

  /**
   * Lays out what the results see of an image.
   *
   * @param x the images
   * @param n which image
   * @param channel the first channel
   * @param channels how many of them
   * @param to overwritten
   * @param slot which of the images next to each other this is
   */
  void lay(Strided x, int n, int channel, int channels, Object to, int slot) {
    Layout l = x.layout();
    for (int rp = 0; rp < rows.planes(); rp++) {
      int top = rows.first(rp);
      int bottom = rows.last(rp, l.dim(2));
      for (int cp = 0; cp < columns.planes(); cp++) {
        int left = columns.first(cp);
        int right = columns.last(cp, l.dim(3));
        int q = ((rp * columns.planes() + cp) * images + slot) * plane();
        if (left == right || top == bottom) {
          clear(x.dtype(), channels, to, q);
          continue;
        }
        int[] shape = {channels, bottom - top, right - left};
        int[] steps = {l.stride(1), rows.step() * l.stride(2), columns.step() * l.stride(3)};
        int p =
            l.position(
                n,
                channel,
                rows.start()[rp] + top * rows.step(),
                columns.start()[cp] + left * columns.step());
        place(x.with(Layout.of(shape, steps, p)), to, q, top, left);
      }
    }
  }

  private void clear(DType dtype, int channels, Object to, int q) {
    for (int c = 0; c < channels; c++) {
      Taps.of(dtype).clear(to, q + c * channel(), q + c * channel() + plane());
    }
  }

  /** Copies parts of channels into their planes, which begin at q, with zeros around. */
  private void place(Strided part, Object to, int q, int top, int left) {
    Layout l = part.layout();
    Taps taps = Taps.of(part.dtype());
    if (l.stride(2) != 1) {
      // The part's neighbours are picked by vectors.
      clear(part.dtype(), l.dim(0), to, q);
      int[] steps = {channel(), width(), 1};
      Layout into = Layout.of(l.shape(), steps, q + top * width() + left);
      Copies.copy(part, new Strided(new Storage(to), into));
      return;
    }
    int bottom = top + l.dim(1);
    for (int c = 0; c < l.dim(0); c++) {
      int at = q + c * channel();
      taps.clear(to, at, at + top * width());
      taps.pad(
          part.array(),
          l.position(c),
          l.stride(1),
          1,
          l.dim(1),
          to,
          at + top * width(),
          width(),
          left,
          left + l.dim(2));
      taps.clear(to, at + bottom * width(), at + plane());
    }
  }

  /**
   * Lays out gradients of the results, with zeros where a plane has no result.
   *
   * @param g gradients of all results
   * @param n which image
   * @param channel the first channel
   * @param channels how many of them
   * @param to overwritten
   * @param step from channel to channel
   * @param slot which of the images next to each other this is
   */
  void layResults(Strided g, int n, int channel, int channels, Object to, int step, int slot) {
    Taps taps = Taps.of(g.dtype());
    Layout l = g.layout();
    int p = l.position(n, channel, rows.target(), columns.target());
    for (int c = 0; c < channels; c++) {
      int q = c * step + slot * plane();
      taps.pad(
          g.array(),
          p + c * l.stride(1),
          l.stride(2),
          l.stride(3),
          rows.count(),
          to,
          q,
          width(),
          0,
          columns.count());
      int end = slot == images - 1 ? (c + 1) * step : q + plane();
      taps.clear(to, q + rows.count() * width(), end);
    }
  }
}
