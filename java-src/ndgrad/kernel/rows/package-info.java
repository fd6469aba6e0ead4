/**
 * What is only moved, added up or compared, a row at a time: row loops are written once, over
 * {@code double[]} in {@code DoubleRows}, and {@code dev/Specialize.java} derives those of the
 * other dtypes. {@link ndgrad.kernel.rows.RowWalk} goes from row to row of any layouts; {@link
 * ndgrad.kernel.rows.Gather} is made of the two.
 */
package ndgrad.kernel.rows;
