package ndgrad.kernel.code;

import java.lang.classfile.CodeBuilder;
import java.lang.classfile.Label;
import java.lang.classfile.TypeKind;
import java.util.function.IntConsumer;

/** Local variables and counted loops of generated code. */
final class Loops {
  private Loops() {}

  /** Puts what is on top of the stack into a new local variable. */
  static int store(CodeBuilder code, TypeKind kind) {
    int slot = code.allocateLocal(kind);
    code.storeLocal(kind, slot);
    return slot;
  }

  /** A new local variable that is 0. */
  static int zero(CodeBuilder code) {
    code.iconst_0();
    return store(code, TypeKind.INT);
  }

  /** {@code for (int i = 0; i < end; i += by) body}, end being a local variable. */
  static void upTo(CodeBuilder code, int end, int by, IntConsumer body) {
    on(code, zero(code), end, by, body);
  }

  /** {@code for (; i < end; i += by) body}, i and end being local variables. */
  static void on(CodeBuilder code, int i, int end, int by, IntConsumer body) {
    Label top = code.newLabel();
    Label out = code.newLabel();
    code.labelBinding(top).iload(i).iload(end).if_icmpge(out);
    body.accept(i);
    code.iinc(i, by).goto_(top).labelBinding(out);
  }
}
