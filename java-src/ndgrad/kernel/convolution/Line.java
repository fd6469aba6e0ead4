package ndgrad.kernel.convolution;

import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.stream.IntStream;

/**
 * One direction, down or along, of a sum over a window's points. The source is laid out in one
 * plane for each remainder of positions by the window's step, so that neighbouring results read
 * neighbouring elements whatever the step is: result i takes from point {@code taps[t]} what is at
 * {@code shift[t] + i} of plane {@code plane[t]}, and place i of plane p is the source's at {@code
 * start[p] + i * step}, zero where there is none.
 *
 * @param taps the points of the window that take part
 * @param plane which plane each of them reads
 * @param shift from where on
 * @param start the source's position at the beginning of each plane
 * @param step between neighbours of a plane in the source
 * @param reach the largest shift
 * @param target position of the first result
 * @param targetStep between neighbouring results
 * @param count number of results
 */
record Line(
    int[] taps,
    int[] plane,
    int[] shift,
    int[] start,
    int step,
    int reach,
    int target,
    int targetStep,
    int count) {

  /**
   * All results of a convolution.
   *
   * @param points of the window
   * @param stride its step
   * @param padding zeros in front
   * @param dilation the distance of its points
   * @param count places of the window
   */
  static Line forward(int points, int stride, int padding, int dilation, int count) {
    int[] rests = IntStream.range(0, points).map(i -> i * dilation % stride).distinct().toArray();
    int[] plane = new int[points];
    int[] shift = new int[points];
    for (int i = 0; i < points; i++) {
      int rest = i * dilation % stride;
      plane[i] =
          IntStream.range(0, rests.length).filter(p -> rests[p] == rest).findFirst().orElseThrow();
      shift[i] = i * dilation / stride;
    }
    int[] start = Arrays.stream(rests).map(rest -> rest - padding).toArray();
    return new Line(
        IntStream.range(0, points).toArray(),
        plane,
        shift,
        start,
        stride,
        (points - 1) * dilation / stride,
        0,
        1,
        count);
  }

  /**
   * The gradient of a convolution's source: one line for each remainder of its positions, for each
   * is seen by points of its own.
   *
   * @param points of the window
   * @param stride its step
   * @param padding zeros in front
   * @param dilation the distance of its points
   * @param length of the convolution's source
   */
  static List<Line> backward(int points, int stride, int padding, int dilation, int length) {
    List<Line> lines = new ArrayList<>();
    for (int rest = 0; rest < stride; rest++) {
      // Position stride·i + rest - padding for i from first to end.
      int first = Math.max(0, Math.ceilDiv(padding - rest, stride));
      int end = Math.ceilDiv(length + padding - rest, stride);
      if (end <= first) {
        continue;
      }
      int wanted = rest;
      int[] taps =
          IntStream.range(0, points).filter(i -> i * dilation % stride == wanted).toArray();
      int reach = taps.length == 0 ? 0 : taps[taps.length - 1] * dilation / stride;
      int[] shift = Arrays.stream(taps).map(i -> reach - i * dilation / stride).toArray();
      lines.add(
          new Line(
              taps,
              new int[taps.length],
              shift,
              new int[] {first - reach},
              1,
              reach,
              stride * first + rest - padding,
              stride,
              end - first));
    }
    return lines;
  }

  /** Some of the results. */
  Line slice(int from, int to) {
    return new Line(
        taps,
        plane,
        shift,
        Arrays.stream(start).map(s -> s + from * step).toArray(),
        step,
        reach,
        target + from * targetStep,
        targetStep,
        to - from);
  }

  /** Number of planes. */
  int planes() {
    return start.length;
  }

  /** What results see of each plane. */
  int extent() {
    return count + reach;
  }

  /** The first place of a plane that lies in a source of some length. */
  int first(int plane) {
    return Math.clamp(Math.ceilDiv(-start[plane], step), 0, extent());
  }

  /** One after the last place that does. */
  int last(int plane, int length) {
    return Math.clamp(Math.ceilDiv(length - start[plane], step), first(plane), extent());
  }
}
