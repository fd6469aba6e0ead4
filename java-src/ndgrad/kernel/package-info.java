/**
 * What ops are computed by; nothing here knows of gradients. At the bottom are arrays ({@link
 * ndgrad.kernel.memory}) and scalar expressions ({@link ndgrad.kernel.expr}). Above them are the
 * innermost loops, generated from expressions ({@link ndgrad.kernel.code}) or written for what is
 * only moved and compared ({@link ndgrad.kernel.rows}), then the loops around these ({@link
 * ndgrad.kernel.loop}), and last what has loops of its own kind: {@link ndgrad.kernel.convolution},
 * {@link ndgrad.kernel.sort} and {@link ndgrad.kernel.random}. In this package itself are the
 * {@link ndgrad.kernel.Threads} that all of them share.
 */
package ndgrad.kernel;
