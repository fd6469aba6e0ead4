package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_int;
import static java.lang.constant.ConstantDescs.CD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;

/**
 * A kernel of vectors, which take other ways where some element is a rare one. The JIT leaves out
 * what it has not seen taken, so a warm-up has the kernel take them always and never, whatever the
 * elements are, and nobody reads the results. Each kernel is told for itself: others are in use.
 */
interface RareWays {
  /** The name of a kernel's field: 0 where there are rare elements, 1 always, -1 never. */
  String FIELD = "rareWays";

  /**
   * Says when the rare ways are taken.
   *
   * @param when 0 where there are rare elements, 1 always, -1 never
   */
  void take(int when);

  /**
   * What warms a kernel up, so that it takes rare ways and usual ones by turns.
   *
   * @param kernel of vectors, not in use yet
   * @param train runs it
   */
  static Runnable byTurns(Object kernel, Runnable train) {
    RareWays ways = (RareWays) kernel;
    int[] when = {-1};
    return () -> {
      when[0] = -when[0];
      ways.take(when[0]);
      try {
        train.run();
      } finally {
        ways.take(0);
      }
    };
  }

  /**
   * Makes a class that is written one of this interface.
   *
   * @param type the class
   * @param name what it calls itself
   */
  static void declare(ClassBuilder type, ClassDesc name) {
    type.withField(FIELD, CD_int, ClassFile.ACC_STATIC);
    type.withMethodBody(
        "take",
        MethodTypeDesc.of(CD_void, CD_int),
        ClassFile.ACC_PUBLIC,
        code -> code.iload(1).putstatic(name, FIELD, CD_int).return_());
  }

  /**
   * Pushes when the rare ways are taken.
   *
   * @param code of a method of the class
   * @param name what it calls itself
   */
  static void push(CodeBuilder code, ClassDesc name) {
    code.getstatic(name, FIELD, CD_int);
  }
}
