/**
 * Loops over strided arrays. A {@link ndgrad.kernel.Layout} says where elements are, a {@link
 * ndgrad.kernel.Storage} holds them, a {@link ndgrad.kernel.Strided} is both. {@link
 * ndgrad.kernel.Threads} shares out what is large. Nothing here knows of gradients.
 */
package ndgrad.kernel;
