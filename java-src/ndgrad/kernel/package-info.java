/**
 * Loops over strided arrays. A {@link ndgrad.kernel.Layout} says where elements are, a {@link
 * ndgrad.kernel.Storage} holds them, a {@link ndgrad.kernel.Strided} is both; nothing here knows of
 * gradients.
 *
 * <p>What is computed is generated at run time from an {@link ndgrad.kernel.Expr}, one class per
 * combination of dtypes and kinds of strides: elementwise by {@link ndgrad.kernel.loop.Program}
 * ({@code Nest} plans the loops, {@code KernelCompiler} writes them), reduced by {@link
 * ndgrad.kernel.loop.Reduction} and accumulated by {@link ndgrad.kernel.loop.Scan} ({@code
 * FoldPlan} and {@code FoldCompiler}); {@code ExprEmitter} writes the expression for both. {@code
 * Forms} chooses between these plain loops and those of the Vector API ({@code
 * VectorKernelCompiler}, {@code VectorFoldCompiler}, {@code VectorEmitter}), which {@code Warmup}
 * takes through the JIT.
 *
 * <p>What is only moved, added up or compared is written once as row loops over {@code double[]} in
 * {@code DoubleRows}; {@code dev/Specialize.java} derives those of the other dtypes. {@link
 * ndgrad.kernel.rows.Gather}, {@link ndgrad.kernel.rows.ArgReduction}, {@link
 * ndgrad.kernel.sort.Sort} and {@link ndgrad.kernel.convolution.Convolution} walk arrays row by row
 * ({@code RowWalk}) and leave the rows to these. {@link ndgrad.kernel.Threads} shares out what is
 * large.
 */
package ndgrad.kernel;
