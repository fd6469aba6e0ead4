"""Evaluates the cases of the op matrix in NumPy, and in PyTorch where an oracle names it.

    python3 dev/oracle.py CASES.json FOLDER [--all]

CASES.json is what ndgrad.op.matrix.expected writes: for every op its oracle, a Python expression in
the names of its parameters, and the arguments of its cases. Results go into one text file a family
in FOLDER; ops whose cases have not changed since keep their lines unless --all is given.

A file is a list of ops, each followed by its cases, one a line:

    op NAME HASH
    ID <tab> DTYPE SHAPE VALUE VALUE ... [| DTYPE SHAPE VALUE ...]

HASH is that of the op's oracle and cases. Numbers are the shortest that give the same number in
their dtype, truth values 0 and 1. `list` stands before results that are lists of arrays, `host`
before truth values of the host; `error` and an exception's name stand where the oracle refuses.
"""

import json
import os
import sys

import numpy as np

try:
    import torch as real_torch
except ImportError:
    real_torch = None


class Torch:
    """The module torch, or a part of it, whose functions take NumPy arrays too."""

    def __init__(self, part):
        self._part = part

    def __getattr__(self, name):
        found = getattr(self._part, name)
        if isinstance(found, type) or not (callable(found) or hasattr(found, "__path__")
                                           or type(found).__name__ == "module"):
            return found
        return Torch(found)

    def __call__(self, *args, **kwargs):
        if self._part in (real_torch.from_numpy, real_torch.as_tensor, real_torch.tensor):
            return self._part(*args, **kwargs)
        return self._part(*map(tensors, args), **{k: tensors(v) for k, v in kwargs.items()})


def tensors(value):
    if isinstance(value, np.ndarray):
        return real_torch.from_numpy(np.array(value, order="C"))
    if isinstance(value, (list, tuple)):
        return type(value)(map(tensors, value))
    return value


NUMBERS = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
WORDS = {"all": slice(None), "newaxis": None, "ellipsis": Ellipsis}


def plain(value):
    """A host value: numbers, strings, lists, slices and the words of indexing."""
    if isinstance(value, list):
        return [plain(v) for v in value]
    if isinstance(value, dict):
        if "array" in value:
            dtype, shape, elements = value["array"]
            return np.array([NUMBERS.get(e, e) if isinstance(e, str) else e for e in elements],
                            dtype=dtype).reshape(shape)
        if "slice" in value:
            return slice(*value["slice"])
        if "number" in value:
            return NUMBERS[value["number"]]
        word = value["word"]
        return WORDS[word] if word in WORDS else word
    return value


def bound(kind, value):
    """The value of a parameter of that kind as oracles see it."""
    value = plain(value)
    if value is None:
        return None
    if kind == "array":
        return np.array(value) if isinstance(value, list) else value
    if kind == "arrays":
        return [np.asarray(v) for v in value]
    if kind in ("axes", "shape"):
        return tuple(value) if isinstance(value, (list, np.ndarray)) else (value,)
    if kind in ("ints", "any"):
        return tuple(value) if isinstance(value, list) else value
    if kind == "dtype":
        return np.dtype(value)
    return value


def number(x, dtype):
    if dtype == bool:
        return "1" if x else "0"
    if dtype.kind in "iu":
        return str(int(x))
    if np.isnan(x):
        return "NaN"
    if np.isinf(x):
        return "Infinity" if x > 0 else "-Infinity"
    text = repr(float(x)) if dtype == np.float64 else str(x)
    return text[:-2] if text.endswith(".0") else text


def written(result):
    if real_torch is not None and isinstance(result, real_torch.Tensor):
        result = result.detach().numpy()
    array = np.asarray(result)
    if array.dtype.kind not in "biuf":
        raise TypeError("a result of dtype " + str(array.dtype))
    shape = "[" + ",".join(map(str, array.shape)) + "]"
    return " ".join([str(array.dtype), shape, *(number(x, array.dtype) for x in array.ravel())])


def evaluated(code, kinds, arguments, gives):
    names = {"np": np, "torch": Torch(real_torch) if real_torch else None}
    names.update({n.replace("-", "_"): bound(kinds[n], v) for n, v in arguments.items()})
    try:
        result = eval(code, names)
        if gives == "boolean":
            return "host " + ("1" if result else "0")
        if gives == "arrays":
            return " ".join(["list", " | ".join(map(written, result))]).strip()
        return written(result)
    except Exception as e:  # what the oracle refuses is part of what it says
        if isinstance(e, (SyntaxError, NameError)):
            raise
        return "error " + type(e).__name__ + ": " + " ".join(str(e).split())[:80]


def block(op):
    """The lines of an op."""
    if "torch" in op["oracle"] and real_torch is None:
        sys.exit(op["name"] + " needs PyTorch: put the package torch where python3 finds it")
    code = compile(op["oracle"], op["name"], "eval")
    lines = ["op " + op["name"] + " " + op["hash"]]
    for case in op["cases"]:
        text = evaluated(code, op["kinds"], case["arguments"], op["gives"])
        if text.startswith("error") and case["floating"]:
            print("note:", op["name"], case["id"], case["sample"], text, file=sys.stderr)
        lines.append(case["id"] + "\t" + text)
    return lines


def known(path):
    """What a file holds: (op, hash) to lines."""
    blocks = {}
    if os.path.exists(path):
        with open(path) as f:
            for line in f.read().splitlines():
                if line.startswith("op "):
                    lines = blocks.setdefault(tuple(line.split(" ")[1:]), [])
                if not line.startswith("#"):
                    lines.append(line)
    return blocks


def main(cases, folder, *flags):
    with open(cases) as f:
        families = json.load(f)
    os.makedirs(folder, exist_ok=True)
    made = 0
    for family in families:
        path = os.path.join(folder, family["family"] + ".txt")
        have = {} if "--all" in flags else known(path)
        lines = ["# Expected values of ndgrad.op." + family["family"]
                 + ". Written by bin/oracle, do not edit."]
        lines.append("# NumPy " + np.__version__
                     + (", PyTorch " + real_torch.__version__ if real_torch is not None else ""))
        for op in family["ops"]:
            old = have.get((op["name"], op["hash"]))
            made += old is None
            lines += old or block(op)
        with open(path, "w") as f:
            f.write("\n".join(lines) + "\n")
    wanted = {family["family"] + ".txt" for family in families}
    for name in os.listdir(folder):
        if name.endswith(".txt") and name not in wanted:
            os.remove(os.path.join(folder, name))
    print("evaluated", made, "ops")


if __name__ == "__main__":
    with np.errstate(all="ignore"):
        import warnings
        warnings.simplefilter("ignore")
        main(*sys.argv[1:])
