/**
 * Sorting and searching along an axis, behind {@link ndgrad.kernel.sort.Sort}. Elements are
 * compared by keys, numbers in their order, so one set of loops serves all dtypes. Values alone are
 * sorted by {@code LineSort}: {@code LongQuick} by vectors, or {@code LongSort} by digits ({@code
 * LongRadix}) in parts that {@code LongMerge} joins. {@code Order} sorts keys and remembers where
 * they came from, {@code SortBest} picks a few of many, {@code SortSearch} finds where some belong.
 */
package ndgrad.kernel.sort;
