/**
 * Factors of square matrices and the solutions of equations with them, behind {@link
 * ndgrad.kernel.factor.Factors}. The loops are those of {@code DoubleFactors}, which {@code
 * dev/Specialize.java} derives {@code FloatFactors} from; by far most of their work is matrix
 * products.
 */
package ndgrad.kernel.factor;
