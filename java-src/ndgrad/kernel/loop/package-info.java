/**
 * The loops that compute: elementwise by {@link ndgrad.kernel.loop.Program} ({@code Nest} plans
 * them), reduced by {@link ndgrad.kernel.loop.Reduction} ({@code FoldPlan}), accumulated by {@link
 * ndgrad.kernel.loop.Scan}, pass after pass over rows by {@link ndgrad.kernel.loop.RowProgram}; and
 * what is made of these or of calls of a BLAS engine: {@link ndgrad.kernel.loop.Copies}, {@link
 * ndgrad.kernel.loop.ArgReduction}, {@link ndgrad.kernel.loop.Recurrence} and {@link
 * ndgrad.kernel.loop.MatrixProduct}. Here the dimensions of all operands are ordered, merged, cut
 * into tiles and dealt out to threads; the innermost loops are generated kernels.
 */
package ndgrad.kernel.loop;
