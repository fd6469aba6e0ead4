/**
 * Arrays and where their elements are. A {@link ndgrad.kernel.memory.Storage} holds a primitive
 * array, a {@link ndgrad.kernel.memory.Layout} says where in it the elements are, a {@link
 * ndgrad.kernel.memory.Strided} is both; {@link ndgrad.kernel.memory.Dimensions} is what holds of a
 * shape alone. A {@link ndgrad.kernel.memory.Pool} keeps arrays whose end an {@link
 * ndgrad.kernel.memory.Arena} has seen, for those that come next.
 */
package ndgrad.kernel.memory;
