/**
 * Convolutions of images, their gradients, and the columns of a {@link
 * ndgrad.kernel.convolution.Window}. Floating ones are direct: what a {@code Tile} of results sees
 * of its image is laid out once, with its zeros around it, and each tap of the window then reads a
 * contiguous run from an offset of its own. {@code TapSums} and {@code TapDots} lay out and go over
 * the tiles, {@code TapKernels} chooses the loops within: those of {@code DoubleTaps}, which {@code
 * dev/Specialize.java} derives {@code FloatTaps} from, or generated ones on vectors.
 *
 * <p>Pooling folds what a window sees where it lies: {@code WindowFold} finds the largest and the
 * mean, {@code WindowSpread} the gradient of the mean, {@code WindowTies} that of the largest. They
 * go over {@code Patch}es of the results, which an {@code AxisFold} folds in one direction after
 * the other; {@code FloatTies} is derived from {@code DoubleTies}.
 */
package ndgrad.kernel.convolution;
