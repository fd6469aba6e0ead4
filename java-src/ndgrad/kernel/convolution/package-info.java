/**
 * Convolutions of images, their gradients, and the columns of a {@link
 * ndgrad.kernel.convolution.Window}. Floating ones are direct: what a {@code Tile} of results sees
 * of its image is laid out once, with its zeros around it, and each tap of the window then reads a
 * contiguous run from an offset of its own. {@code TapSums} and {@code TapDots} lay out and go over
 * the tiles, {@code TapKernels} chooses the loops within: those of {@code DoubleTaps}, which {@code
 * dev/Specialize.java} derives {@code FloatTaps} from, or generated ones on vectors.
 */
package ndgrad.kernel.convolution;
