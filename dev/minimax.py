#!/usr/bin/env python3
"""Writes java-src/ndgrad/kernel/expr/Coefficients.java: the polynomials that kernels compute functions by.

  python3 dev/minimax.py [--check]     needs mpmath

Each is the polynomial of least greatest weighted error on an interval, found by Remez's exchange
algorithm (Remez 1934; Muller, Elementary Functions, 3rd ed. 2016, section 3.6) at 60 digits, its
coefficients rounded to float32 or float64. The error that is left after rounding is measured again
and must be below the bound stated beside each, or the script fails.
"""
import pathlib
import struct
import sys

import mpmath
from mpmath import mp, mpf

mp.dps = 60
TARGET = pathlib.Path("java-src/ndgrad/kernel/expr/Coefficients.java")
POINTS = 1200
LN2 = mpmath.log(2)
LOG_S = (mpmath.sqrt(2) - 1) / (mpmath.sqrt(2) + 1)
QUARTER = mpmath.pi / 4 * mpf("1.03")


def near_zero(f, series):
    """f away from 0, its Taylor series near it, where f as written would cancel."""
    terms = [mpf(c) for c in series]

    def g(z):
        return mpmath.polyval(terms[::-1], z) if abs(z) < mpf("1e-7") else f(z)

    return g


def taylor(f, n=10):
    return mpmath.taylor(f, 0, n)


def odd(f, n=8):
    """(f(x)/x - 1)/x^2 as a function of z = x^2, for an odd f with f'(0) = 1."""
    terms = taylor(f, 2 * n + 4)
    series = [terms[2 * i + 3] for i in range(n)]
    return near_zero(lambda z: (f(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1) / z, series)


def relative_odd(f):
    """The weight of an error in odd(f) relative to f."""
    return lambda z: z * mpmath.sqrt(z) / f(mpmath.sqrt(z)) if z > mpf("1e-30") else z


def cosine():
    series = [mpf(1) / mpmath.factorial(2 * i + 4) * (-1) ** i for i in range(8)]
    return near_zero(lambda z: (mpmath.cos(mpmath.sqrt(z)) - 1 + z / 2) / z**2, series)


def exponential():
    series = [mpf(1) / mpmath.factorial(i + 2) for i in range(10)]
    return near_zero(lambda r: (mpmath.exp(r) - 1 - r) / r**2, series)


def logarithm():
    """(log((1+s)/(1-s)) - 2s) / s^3 in z = s^2."""
    series = [mpf(2) / (2 * i + 3) for i in range(10)]
    return near_zero(
        lambda z: (2 * mpmath.atanh(mpmath.sqrt(z)) - 2 * mpmath.sqrt(z)) / mpmath.sqrt(z) ** 3, series
    )


def log_rest():
    """What logarithm() leaves after its first term: ((log(..) - 2s)/s^3 - 2/3)/z."""
    series = [mpf(2) / (2 * i + 5) for i in range(10)]
    f = logarithm()
    return near_zero(lambda z: (f(z) - mpf(2) / 3) / z, series)


def logarithm_direct():
    """2 (log(1+f) - f + f^2/2) / f^3."""
    series = [mpf(2) / (i + 3) * (-1) ** i for i in range(10)]
    return near_zero(lambda f: 2 * (mpmath.log(1 + f) - f + f * f / 2) / f**3, series)


def error_function():
    """erf(x)/x - 1 in z = x^2."""
    terms = taylor(mpmath.erf, 20)
    series = [terms[1] - 1] + [terms[2 * i + 1] for i in range(1, 9)]
    return near_zero(lambda z: mpmath.erf(mpmath.sqrt(z)) / mpmath.sqrt(z) - 1, series)


def log2_normal(x):
    """log2(erfc(x/sqrt 2)) / x."""
    return mpmath.log(mpmath.erfc(x / mpmath.sqrt(2)), 2) / x if x else -mpmath.sqrt(2 / mpmath.pi) / LN2


def exponential2():
    """(2^f - 1)/f."""
    series = [LN2**(i + 1) / mpmath.factorial(i + 1) for i in range(10)]
    return near_zero(lambda f: (mpf(2) ** f - 1) / f, series)


TAIL_CENTRE = mpf("2.5")


def scaled_tail(u):
    """exp(x^2) erfc(x) in u = (x - c)/(x + c)."""
    x = TAIL_CENTRE * (1 + u) / (1 - u)
    return mpmath.exp(x**2) * mpmath.erfc(x)


def at(x):
    return (mpf(x) - TAIL_CENTRE) / (mpf(x) + TAIL_CENTRE)


ONE = lambda z: mpf(1)
EXP_WEIGHT = lambda r: r**2 * mpmath.exp(-r)
R = LN2 / 2 * mpf("1.01")
LOG_WEIGHT = lambda z: z / 2
CBRT_LOW, CBRT_HIGH = mpmath.sqrt(mpf(1) / 2) / 2, 2 * mpmath.sqrt(2)

# name, what it is, function, low, high, weight, (terms, bound in bits) of float32 and of float64 or None
TABLE = [
    ("EXP", "(e^r - 1 - r)/r², |r| ≤ ln 2/2", exponential(), -R, R, EXP_WEIGHT, (5, 27), (11, 59)),
    ("LOG", "(log((1+s)/(1-s)) - 2s)/s³ in s², |s| ≤ 0.1716", logarithm(), mpf(0), LOG_S**2,
     LOG_WEIGHT, None, (7, 58)),
    ("LOG1P", "2 (log(1+f) - f + f²/2)/f³, √½ ≤ 1+f ≤ √2", logarithm_direct(), mpmath.sqrt(mpf(1) / 2) - 1,
     mpmath.sqrt(2) - 1, lambda f: f**3 / 2 / mpmath.log(1 + f) if f else mpf(0), (9, 28), None),
    ("LOG_REST", "((log((1+s)/(1-s)) - 2s)/s³ - 2/3)/s² in s², |s| ≤ 0.1716", log_rest(), mpf(0),
     LOG_S**2, lambda z: z * z / 2, (4, 38), (8, 66)),
    ("SIN", "(sin r - r)/r³ in r², |r| ≤ π/4", odd(mpmath.sin), mpf(0), QUARTER**2,
     relative_odd(mpmath.sin), (3, 27), (7, 57)),
    ("COS", "(cos r - 1 + r²/2)/r⁴ in r², |r| ≤ π/4", cosine(), mpf(0), QUARTER**2,
     lambda z: z**2 / mpmath.cos(mpmath.sqrt(z)), (3, 31), (7, 59)),
    ("TAN", "(tan r - r)/r³ in r², |r| ≤ π/4", odd(mpmath.tan), mpf(0), QUARTER**2,
     relative_odd(mpmath.tan), (7, 26), (15, 56)),
    ("ATAN", "(atan t - t)/t³ in t², |t| ≤ 1/2", odd(mpmath.atan), mpf(0), mpf("0.25"),
     relative_odd(mpmath.atan), (6, 27), (12, 56)),
    ("ASIN", "(asin x - x)/x³ in x², |x| ≤ 1/2", odd(mpmath.asin), mpf(0), mpf("0.25"),
     relative_odd(mpmath.asin), (5, 27), (12, 55)),
    ("SINH", "(sinh x - x)/x³ in x², |x| ≤ 1", odd(mpmath.sinh), mpf(0), mpf(1),
     relative_odd(mpmath.sinh), (4, 27), (8, 56)),
    ("TANH", "(tanh x - x)/x³ in x², |x| ≤ 1", odd(mpmath.tanh), mpf(0), mpf(1), relative_odd(mpmath.tanh),
     (7, 26), None),
    ("TANH_TAIL", "2/(1+t), 0 ≤ t ≤ e^-2", lambda t: 2 / (1 + t), mpf(0), mpmath.exp(-2),
     lambda t: t**2 * (1 + t) / (1 - t), (4, 26), None),
    ("ASINH", "(asinh x - x)/x³ in x², |x| ≤ 1/2", odd(mpmath.asinh), mpf(0), mpf("0.25"),
     relative_odd(mpmath.asinh), (5, 28), (12, 59)),
    ("ATANH", "(atanh x - x)/x³ in x², |x| ≤ 1/2", odd(mpmath.atanh), mpf(0), mpf("0.25"),
     relative_odd(mpmath.atanh), (6, 27), (13, 56)),
    ("ERF", "erf(x)/x - 1 in x², |x| ≤ 1", error_function(), mpf(0), mpf(1),
     lambda z: mpmath.sqrt(z) / mpmath.erf(mpmath.sqrt(z)) if z > 0 else mpf("0.88"), (7, 27), (13, 56)),
    ("LOG_ERFC", "log(erfc(x))/x + 1, 1 ≤ x ≤ 4", lambda x: mpmath.log(mpmath.erfc(x)) / x + 1, mpf(1),
     mpf(4), lambda x: x * mpmath.erfc(mpf(x)), (6, 27), None),
    ("LOG2_NORMAL", "log2(erfc(x/√2))/x, 0 ≤ x ≤ 5.7, as it is felt in erfc(x/√2)/2", log2_normal, mpf(0),
     mpf("5.7"), lambda x: LN2 * x * mpmath.erfc(mpf(x) / mpmath.sqrt(2)) / 2, (8, 26), None),
    ("EXP2", "(2^f - 1)/f, |f| ≤ 1/2", exponential2(), -mpf(1) / 2, mpf(1) / 2, lambda f: f * 2**-f,
     (6, 26), None),
    ("ERFC", "exp(x²) erfc(x) in (x - 2.5)/(x + 2.5), 1 ≤ x ≤ 6", scaled_tail, at(1),
     at(6), lambda u: 1 / scaled_tail(mpf(u)), None, (16, 52)),
    ("CBRT", "x^(-1/3), 0.35 ≤ x ≤ 2.83", lambda x: x ** (mpf(-1) / 3), CBRT_LOW, CBRT_HIGH,
     lambda x: x ** (mpf(1) / 3), (6, 8), (6, 8)),
]


def to_float32(x):
    return struct.unpack("f", struct.pack("f", float(x)))[0]


def remez(f, low, high, weight, n):
    grid = [(low + high) / 2 - (high - low) / 2 * mpmath.cos(mpmath.pi * i / POINTS)
            for i in range(POINTS + 1)]
    values = [f(x) for x in grid]
    weights = [weight(x) for x in grid]
    inside = [i for i in range(POINTS + 1) if weights[i] != 0]
    step = (len(inside) - 1) / mpf(n)
    nodes = [inside[int(round(k * step))] for k in range(n + 1)]
    for _ in range(40):
        rows = mpmath.matrix(n + 1, n + 1)
        right = mpmath.matrix(n + 1, 1)
        for k, i in enumerate(nodes):
            for j in range(n):
                rows[k, j] = grid[i] ** j
            rows[k, n] = (-1) ** k / weights[i]
            right[k] = values[i]
        solution = mpmath.lu_solve(rows, right)
        c = [solution[j] for j in range(n)]
        level = abs(solution[n])
        errors = [weights[i] * (values[i] - mpmath.polyval(c[::-1], grid[i])) for i in range(POINTS + 1)]
        extrema = alternating(errors, inside, n + 1)
        worst = max(abs(e) for e in errors)
        if extrema is None or worst < level * mpf("1.001"):
            break
        nodes = extrema
    return c


def alternating(errors, inside, count):
    """Places of the greatest errors of alternating sign."""
    runs = []
    for i in inside:
        if errors[i] == 0:
            continue
        if runs and (errors[runs[-1]] > 0) == (errors[i] > 0):
            if abs(errors[i]) > abs(errors[runs[-1]]):
                runs[-1] = i
        else:
            runs.append(i)
    while len(runs) > count:
        drop = 0 if abs(errors[runs[0]]) < abs(errors[runs[-1]]) else -1
        runs.pop(drop)
    return runs if len(runs) == count else None


def bits(f, low, high, weight, c):
    worst = mpf(0)
    for i in range(POINTS + 1):
        x = low + (high - low) * i / POINTS
        worst = max(worst, abs(weight(x) * (f(x) - mpmath.polyval([mpf(v) for v in c[::-1]], x))))
    return -mpmath.log(worst, 2)


def table(name, what, f, low, high, weight, single, double):
    lines = []
    for suffix, wanted in (("FLOAT", single), ("DOUBLE", double)):
        if wanted is None:
            continue
        n, bound = wanted
        exact = remez(f, low, high, weight, n)
        c = [to_float32(x) if suffix == "FLOAT" else float(x) for x in exact]
        left = bits(f, low, high, weight, c)
        print(f"{name}_{suffix}: {n} terms, 2^-{float(left):.1f}", file=sys.stderr)
        if left < bound:
            sys.exit(f"{name}_{suffix} has an error of 2^-{float(left):.1f}, its bound is 2^-{bound}")
        lines += ["", f"  /** {what}; error below 2^-{bound}. */",
                  f"  static final double[] {name}_{suffix} = {{"]
        lines.append(",\n".join(f"    {v!r}" for v in c))
        lines.append("  };")
    return lines


def main():
    lines = [
        "// Generated by dev/minimax.py: edit that, then run it.",
        "package ndgrad.kernel.expr;",
        "",
        "/** Coefficients of minimax polynomials, lowest power first. */",
        "final class Coefficients {",
        "  private Coefficients() {}",
    ]
    for row in TABLE:
        lines += table(*row)
    text = "\n".join(lines + ["}", ""])
    if "--check" in sys.argv:
        if TARGET.read_text() != text:
            sys.exit(f"{TARGET} is stale: run python3 dev/minimax.py")
    else:
        TARGET.write_text(text)


if __name__ == "__main__":
    main()
