package ndgrad.kernel.code;

import static java.lang.constant.ConstantDescs.CD_Object;
import static java.lang.constant.ConstantDescs.INIT_NAME;
import static java.lang.constant.ConstantDescs.MTD_void;

import java.lang.classfile.ClassBuilder;
import java.lang.classfile.ClassFile;
import java.lang.constant.ClassDesc;
import java.lang.invoke.MethodHandles;
import java.util.function.Consumer;
import java.util.stream.Stream;

/** Makes objects of classes that are written at run time. */
final class Generated {
  private Generated() {}

  /** What a class that implements an interface calls itself. */
  static ClassDesc name(Class<?> type) {
    return ClassDesc.of(Generated.class.getPackageName(), "Generated" + type.getSimpleName());
  }

  /**
   * Makes an object of a new hidden class in this package.
   *
   * @param type the interface that the class implements
   * @param methods writes the methods
   * @param more interfaces
   */
  static <T> T instance(Class<T> type, Consumer<ClassBuilder> methods, Class<?>... more) {
    byte[] bytes =
        ClassFile.of()
            .build(
                name(type),
                builder -> {
                  builder.withFlags(ClassFile.ACC_FINAL | ClassFile.ACC_SYNTHETIC);
                  builder.withInterfaceSymbols(
                      Stream.concat(Stream.of(type), Stream.of(more))
                          .map(i -> i.describeConstable().orElseThrow())
                          .toList());
                  builder.withMethodBody(
                      INIT_NAME,
                      MTD_void,
                      0,
                      code ->
                          code.aload(0).invokespecial(CD_Object, INIT_NAME, MTD_void).return_());
                  methods.accept(builder);
                });
    try {
      MethodHandles.Lookup hidden = MethodHandles.lookup().defineHiddenClass(bytes, true);
      return type.cast(hidden.lookupClass().getDeclaredConstructor().newInstance());
    } catch (ReflectiveOperationException e) {
      throw new IllegalStateException("a generated class could not be loaded", e);
    }
  }
}
