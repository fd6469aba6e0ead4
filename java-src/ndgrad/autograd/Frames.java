package ndgrad.autograd;

import java.util.List;
import java.util.function.Supplier;
import ndgrad.kernel.memory.Arena;

/**
 * Frames of the library around what it computes with temporaries: those are recycled at its end.
 * What leaves is the result, and what the tape has saved.
 */
public final class Frames {
  private Frames() {}

  /**
   * Leaves a frame with a result.
   *
   * @param arena this thread's
   * @param frame what {@link Arena#enter} gave
   * @param result what was computed; it belongs to the frame around
   */
  public static void leave(Arena arena, int frame, Tensor result) {
    if (arena.isEmpty(frame)) {
      arena.abandon(frame);
      return;
    }
    result.hold();
    arena.leave(frame);
    result.handOver();
  }

  /**
   * Runs the body of an op in a frame.
   *
   * @param <T> a tensor, a list of them, or something that holds none
   * @param body the body; runs no code of users
   * @return its result
   */
  public static <T> T within(Supplier<T> body) {
    Arena arena = Arena.current();
    int frame = arena.enter();
    boolean open = true;
    try {
      T result = body.get();
      open = false;
      switch (result) {
        case Tensor t -> leave(arena, frame, t);
        case List<?> several -> leave(arena, frame, several);
        case null, default -> arena.leave(frame);
      }
      return result;
    } finally {
      if (open) {
        arena.abandon(frame);
      }
    }
  }

  private static void leave(Arena arena, int frame, List<?> results) {
    for (Object each : results) {
      if (each instanceof Tensor t) {
        t.hold();
      }
    }
    arena.leave(frame);
    for (Object each : results) {
      if (each instanceof Tensor t) {
        t.handOver();
      }
    }
  }

  /**
   * Runs code of users, which may put anything anywhere: what is made in it is left to the garbage
   * collector, unless a scope of theirs is open.
   *
   * @param <T> the type of the result
   * @param body calls the user's code
   * @return its result
   */
  public static <T> T ofUser(Supplier<T> body) {
    Arena arena = Arena.current();
    int frame = arena.enter();
    try {
      return body.get();
    } finally {
      arena.leaveToUser(frame);
    }
  }
}
