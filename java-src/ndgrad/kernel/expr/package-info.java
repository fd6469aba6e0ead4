/**
 * Scalar expressions: what an op does to one element. An {@link ndgrad.kernel.expr.Expr} is data; a
 * {@link ndgrad.kernel.expr.Dag} finds what several have in common, {@link
 * ndgrad.kernel.expr.Simplify} shortens them, {@link ndgrad.kernel.expr.Derivative} differentiates
 * them. {@link ndgrad.kernel.expr.Functions} spells out exp and the like in exact {@link
 * ndgrad.kernel.expr.Step}s, with the polynomials that {@code dev/minimax.py} writes into {@code
 * Coefficients}.
 */
package ndgrad.kernel.expr;
