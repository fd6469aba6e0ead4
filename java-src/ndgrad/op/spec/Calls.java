package ndgrad.op.spec;

import java.util.Optional;
import ndgrad.DType;
import ndgrad.autograd.Tensor;
import ndgrad.kernel.loop.Program;
import ndgrad.kernel.memory.Layout;
import ndgrad.kernel.memory.Strided;

/**
 * How an elementwise op was called lately. What a call on a few elements costs is mostly that it
 * finds out what to make and which kernel to run; for inputs of the same layouts and dtypes that is
 * known. Fresh layouts of one shape are one object; of views, the offsets may differ. Races lose at
 * worst what another thread has remembered.
 */
final class Calls {
  /** A power of two. */
  private static final int REMEMBERED = 8;

  /** Bits that tell the dtype of an input and whether it is weak. */
  private static final int KIND = 4;

  /**
   * A call.
   *
   * @param ins the inputs' layouts
   * @param kinds the inputs' dtypes, and which are weak
   * @param compute the dtype it computes in
   * @param dtype the dtype of the result
   * @param layout the layout of the result
   * @param run the loops
   */
  record Call(
      Layout[] ins, long kinds, DType compute, DType dtype, Layout layout, Program.Run run) {

    private boolean isOf(Tensor[] wanted) {
      for (int i = 0; i < ins.length; i++) {
        Layout layout = wanted[i].layout();
        if (ins[i] != layout && (ins[i].isFresh() || !ins[i].sameSteps(layout))) {
          return false;
        }
      }
      return kinds == kindsOf(wanted);
    }

    /** Whether the op, called with these inputs, may write its result into the first. */
    boolean isInPlace(Tensor[] wanted) {
      Strided target = wanted[0].strided();
      boolean fits = layout == target.layout() && dtype == target.dtype();
      for (int i = 1; fits && i < wanted.length; i++) {
        fits = ins[i] == layout || wanted[i].strided().array() != target.array();
      }
      return fits;
    }
  }

  private final Call[] lately = new Call[REMEMBERED];

  /** The call with such inputs, all of them ordinary; null if none is known. */
  Call find(Tensor[] ins) {
    Call call = lately[place(ins)];
    return call != null && call.isOf(ins) ? call : null;
  }

  void remember(Tensor[] ins, DType compute, Strided out, Optional<Program.Run> run) {
    if (run.isPresent()) {
      Layout[] layouts = new Layout[ins.length];
      for (int i = 0; i < ins.length; i++) {
        layouts[i] = ins[i].layout();
      }
      lately[place(ins)] =
          new Call(layouts, kindsOf(ins), compute, out.dtype(), out.layout(), run.get());
    }
  }

  private static int place(Tensor[] ins) {
    int hash = 0;
    for (Tensor t : ins) {
      hash = 31 * hash + t.layout().place();
    }
    return hash & REMEMBERED - 1;
  }

  private static long kindsOf(Tensor[] ins) {
    long kinds = 0;
    for (Tensor t : ins) {
      kinds = kinds << KIND | t.dtype().ordinal() << 1 | (t.isWeak() ? 1 : 0);
    }
    return kinds;
  }
}
