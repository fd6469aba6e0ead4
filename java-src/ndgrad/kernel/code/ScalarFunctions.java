package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_double;
import static java.lang.constant.ConstantDescs.CD_float;

import java.lang.classfile.ClassFile;
import java.lang.classfile.CodeBuilder;
import java.lang.constant.ClassDesc;
import java.lang.constant.MethodTypeDesc;
import java.lang.invoke.MethodHandles;
import java.util.concurrent.ConcurrentHashMap;
import ndgrad.DType;
import ndgrad.kernel.expr.Dag;
import ndgrad.kernel.expr.Expr;
import ndgrad.kernel.expr.Expr.Fn1;
import ndgrad.kernel.expr.Expr.Fn2;
import ndgrad.kernel.expr.Functions;

/**
 * The functions of one element that plain kernels call: a class with one static method for each
 * function and dtype, written from the same steps that vector kernels take when it is needed first.
 */
final class ScalarFunctions {
  /** The name of the method. */
  static final String METHOD = "apply";

  private record Key(Enum<?> fn, DType dtype) {}

  private static final ConcurrentHashMap<Key, ClassDesc> OWNERS = new ConcurrentHashMap<>();

  private ScalarFunctions() {}

  /** The class that has a function. */
  static ClassDesc owner(Enum<?> fn, DType dtype) {
    Key key = new Key(fn, dtype);
    ClassDesc known = OWNERS.get(key);
    return known != null ? known : OWNERS.computeIfAbsent(key, ScalarFunctions::define);
  }

  private static ClassDesc define(Key key) {
    ClassDesc name =
        ClassDesc.of(
            ScalarFunctions.class.getPackageName(),
            "Generated".concat(key.fn.name()).concat(key.dtype.name()));
    ClassDesc type = key.dtype == DType.FLOAT32 ? CD_float : CD_double;
    byte[] bytes =
        ClassFile.of()
            .build(
                name,
                builder -> {
                  builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC);
                  builder.withMethodBody(
                      METHOD,
                      key.fn instanceof Fn1
                          ? MethodTypeDesc.of(type, type)
                          : MethodTypeDesc.of(type, type, type),
                      ClassFile.ACC_STATIC,
                      code -> emit(code, key));
                });
    try {
      MethodHandles.lookup().defineClass(bytes);
      return name;
    } catch (IllegalAccessException e) {
      throw new IllegalStateException("a generated class could not be loaded", e);
    }
  }

  private static void emit(CodeBuilder code, Key key) {
    Functions functions = Functions.of(key.dtype);
    Expr x = Expr.in(0);
    Expr body =
        key.fn instanceof Fn1 fn
            ? functions.spell(fn, x).orElseThrow()
            : functions.spell((Fn2) key.fn, x, Expr.in(1)).orElseThrow();
    DType[] load = {key.dtype, key.dtype};
    int[] slots = {0, key.dtype == DType.FLOAT32 ? 1 : 2};
    new ExprEmitter(code, new Dag(body), load, slots, key.dtype).push(0, key.dtype);
    code.return_(ExprEmitter.kind(key.dtype));
  }
}
