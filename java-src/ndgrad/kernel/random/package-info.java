/**
 * Random numbers. {@link ndgrad.kernel.random.Keys} gives out keys, {@link
 * ndgrad.kernel.random.Philox} turns a key and a counter into bits, and {@link
 * ndgrad.kernel.random.Samplers} makes arrays of a distribution from bits. All is a function of key
 * and place, so the numbers depend neither on the threads nor on the machine.
 */
package ndgrad.kernel.random;
