package ndgrad.autograd;

import java.util.concurrent.atomic.AtomicLong;

/** The source of the levels of transforms. */
final class Levels {
  private static final AtomicLong LAST = new AtomicLong();

  private Levels() {}

  static long next() {
    return LAST.incrementAndGet();
  }
}
