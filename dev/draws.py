"""Prints what RandomTest expects of the key 42: the numbers that NumPy's Philox and the normal quantile of Python's statistics
module give; and quantiles for NormalQuantileTest. Run: python dev/draws.py"""

from statistics import NormalDist

import numpy as np

KEY = 42
LAST = 2**64 - 1  # NumPy counts up before its first block


def words(n):
    return [int(w) for w in np.random.Philox(key=[KEY, 0], counter=[LAST] * 4).random_raw(n)]


def single(x):
    return float(np.float32(x))


def halves_of(n):
    return [half for w in words(n) for half in (w >> 32, w & 0xFFFFFFFF)]


halves = halves_of(2)
quantile = NormalDist().inv_cdf
print("uniform", [(w >> 11) * 2.0**-53 for w in words(5)])
print("normal", [quantile(((w >> 12) + 0.5) * 2.0**-52) for w in words(5)])
print("integers below 10", [h * 10 >> 32 for h in halves_of(3)][:5])
print("integers below 10^11", [w * 10**11 >> 64 for w in words(3)])
print("single uniform", [single((h >> 8) * 2.0**-24) for h in halves])
print("single normal", [single(quantile((h + 0.5) * 2.0**-32)) for h in halves])
tails = [-(2.0**-33), 2.0**-33, single(0.075), -single(0.07499999), 0.5]
print("quantiles", [quantile(-t) if t < 0 else -quantile(t) for t in tails])
