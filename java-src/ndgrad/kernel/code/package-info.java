/**
 * Kernels, the innermost loops, written at run time from expressions: one hidden class per
 * combination of dtypes and kinds of strides. Each family is an interface, {@link
 * ndgrad.kernel.code.Kernel} elementwise, {@link ndgrad.kernel.code.FoldKernel} for reductions,
 * {@link ndgrad.kernel.code.ScanKernel}, {@link ndgrad.kernel.code.TapKernel}, {@link
 * ndgrad.kernel.code.SortKernel} and so on, that {@code KernelCompiler}, {@code FoldCompiler} and
 * their like write a class for; {@code ExprEmitter} writes the expression in all of them. {@link
 * ndgrad.kernel.code.Forms} chooses between these plain loops and those of the Vector API ({@code
 * VectorKernelCompiler}, {@code VectorFoldCompiler}, {@code VectorEmitter}), which {@link
 * ndgrad.kernel.code.Warmup} takes through the JIT.
 */
package ndgrad.kernel.code;
