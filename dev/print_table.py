"""Writes test/ndgrad/format-table.tsv: arrays and the text NumPy's repr gives them.

Run it from the project's root: python3 dev/print_table.py. A row has dtype, shape, elements (little-endian bytes in
hexadecimal, or `iota` for 0, 1, 2, ...), precision, suppress and the text with \\n for line ends.
"""

import numpy as np

OUT = "test/ndgrad/format-table.tsv"
ODD = [0.0, -0.0, 1.0, -1.5, np.nan, np.inf, -np.inf, 1e-5, 123456.0, 0.1, 1 / 3, 1e8, 99999999.0, 999999.0, 1e6,
       5e-324, 2.0**-20, 2.0**70, 0.0001, 0.00099, 1000.0, 1001.0]
DTYPES = ["float64", "float32", "int32", "int64", "bool"]


def shape(rng):
    return [int(rng.integers(1, 5)) for _ in range(rng.choice([0, 1, 1, 2, 2, 3]))]


def floats(rng, dtype, n):
    kind = rng.integers(0, 7)
    if kind == 0:
        return rng.standard_normal(n)
    if kind == 1:
        return rng.integers(-5, 6, n).astype(float)
    if kind == 2:
        return rng.standard_normal(n) * 10.0 ** rng.integers(-6, 10)
    if kind == 3:
        return 10.0 ** rng.uniform(-30, 30, n) * rng.choice([-1, 1], n)
    if kind == 4:
        return np.round(rng.standard_normal(n) * 100, int(rng.integers(0, 4)))
    if kind == 5:
        return rng.choice(ODD, n)
    return rng.integers(0, 1000, n) / 10.0 ** rng.integers(0, 8)


def values(rng, dtype, n):
    if dtype == "bool":
        return rng.integers(0, 2, n).astype(bool)
    if dtype.startswith("int"):
        info = np.iinfo(dtype)
        low, high = [(0, 10), (-100, 1000), (info.min, info.max)][rng.integers(0, 3)]
        return rng.integers(low, high, n, dtype=dtype)
    with np.errstate(all="ignore"):
        return np.asarray(floats(rng, dtype, n)).astype(dtype)


def row(a, elements, precision=8, suppress=False):
    with np.printoptions(precision=precision, suppress=suppress):
        text = repr(a).replace("\n", "\\n")
    return "\t".join([str(a.dtype), " ".join(map(str, a.shape)), elements, str(precision), str(int(suppress)), text])


def main():
    rng = np.random.default_rng(20)
    rows = []
    for i in range(220):
        s = shape(rng)
        a = values(rng, DTYPES[i % 5], int(np.prod(s))).reshape(s)
        options = (int(rng.integers(0, 12)), bool(rng.integers(0, 2))) if i % 4 == 0 else (8, False)
        rows.append(row(a, a.tobytes().hex(), *options))
    for dtype in DTYPES:
        for s in [(0,), (0, 3), (2, 0), ()]:
            a = np.zeros(s, dtype)
            rows.append(row(a, a.tobytes().hex()))
    for dtype in DTYPES[:4]:
        for s in [(1000,), (1001,), (40, 40), (6, 300), (300, 6), (11, 11, 11), (8, 2, 9, 9), (1, 1, 1100)]:
            rows.append(row(np.arange(int(np.prod(s))).astype(dtype).reshape(s), "iota"))
    with open(OUT, "w") as f:
        f.write("\n".join(rows) + "\n")


main()
