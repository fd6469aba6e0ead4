"""The workloads of bin/bench in PyTorch, NumPy and numpygrad: a contestant that is asked over standard input.

    python3 bench/peers.py torch|numpy|numpygrad

It prints `ready`, a tab and what it is; then answers each line `SECONDS<tab>NAME` with the median time of the workload
in microseconds, or with `none` when it has no such workload. ndgrad/bench/workloads.clj and ndgrad/bench/sweep.clj say
what each name means; the definitions here are the same in the words of the library.
"""

import functools
import statistics
import sys
import time

import numpy as np

rng = np.random.default_rng(0)


def f32(*shape):
    return rng.standard_normal(shape).astype(np.float32)


def f64(*shape):
    return rng.standard_normal(shape)


def once(make):
    """The data of a group of workloads, made when one of the group is first asked for."""
    return functools.lru_cache(maxsize=1)(make)


def torch_workloads():
    import torch
    import torch.nn.functional as F

    t = torch.from_numpy

    def leaf(x):
        return t(np.array(x)).requires_grad_()

    def scalars():
        a, b, x, w = leaf([3.0]), leaf([4.0]), leaf(f64(16)), t(f64(16) * 0.01 + 1)

        def w01():
            a.grad = b.grad = None
            (a**2 + b**2).sqrt().backward()

        def w02():
            x.grad = None
            y = x
            for _ in range(50):
                y = y * w + x
            y.sum().backward()

        return {"W01": w01, "W02": w02}

    def elementwise():
        p, q, d = t(f32(1000, 1000)), t(f32(1000, 1000)), t(f64(1000, 1000))
        row, column = t(f32(1000)), t(f32(1000, 1))
        g, up = leaf(f32(1000, 1000)), t(f32(1000, 1000))

        def w10():
            g.grad = None
            y = 0.5 * g * (1 + torch.tanh(0.7978845608 * (g + 0.044715 * g**3)))
            y.backward(up)

        return {
            "W03": lambda: p + q,
            "W04": lambda: torch.exp(d),
            "W04b": lambda: torch.tanh(p),
            "W10": w10,
            "W10f": w10,
            "W14a": lambda: p + q.T,
            "W16": lambda: p + row + column,
        }

    def reductions():
        m, flat = t(f32(2000, 2000)), t(f32(1000000))
        return {
            "W05a": lambda: m.sum(0),
            "W05b": lambda: m.sum(1),
            "W05c": lambda: m.sum(),
            "W14b": lambda: m.T.contiguous(),
            "W17": lambda: m.cumsum(1),
            "W18": lambda: torch.sort(flat),
            "W19": lambda: m.argmax(1),
            "W20": lambda: m.var(0),
        }

    def matrices():
        a, b, c, d = t(f32(1024, 1024)), t(f32(1024, 1024)), t(f64(1024, 1024)), t(f64(1024, 1024))
        s, u, x, y = t(f32(16, 16)), t(f32(16, 16)), t(f32(128, 64, 64)), t(f32(128, 64, 64))
        return {
            "W07a": lambda: a @ b,
            "W07b": lambda: c @ d,
            "W08": lambda: s @ u,
            "W09": lambda: x @ y,
        }

    def rows():
        up, sm, ln = t(f32(1024, 1024)), leaf(f32(1024, 1024)), leaf(f32(1024, 1024))
        lw, lb = leaf(np.ones(1024, np.float32)), leaf(np.zeros(1024, np.float32))
        table, ids, gu = leaf(f32(10000, 64)), t(rng.integers(0, 10000, 4096)), t(f32(4096, 64))
        logits, labels = leaf(f32(4096, 1000)), t(rng.integers(0, 1000, 4096))
        weights = leaf(f32(1000, 1000))
        weights.grad = t(f32(1000, 1000))
        adamw = torch.optim.AdamW([weights], lr=1e-3)

        def w06():
            sm.grad = None
            torch.softmax(sm, -1).backward(up)

        def w14c():
            table.grad = None
            table[ids].backward(gu)

        def w15():
            ln.grad = lw.grad = lb.grad = None
            F.layer_norm(ln, (1024,), lw, lb).backward(up)

        def w15b():
            logits.grad = None
            F.cross_entropy(logits, labels).backward()

        return {"W06": w06, "W14c": w14c, "W15": w15, "W15b": w15b, "W15c": adamw.step}

    def mlp():
        sizes = [(784, 256), (256, 128), (128, 10)]
        ws = [leaf(f32(*s) * np.float32(0.05)) for s in sizes]
        bs = [leaf(np.zeros(n, np.float32)) for _, n in sizes]
        x, y = t(f32(64, 784)), t(rng.integers(0, 10, 64))
        opt = torch.optim.SGD(ws + bs, lr=1e-3)

        def w11():
            opt.zero_grad(set_to_none=True)
            h = torch.relu(x @ ws[0] + bs[0])
            h = torch.relu(h @ ws[1] + bs[1])
            F.cross_entropy(h @ ws[2] + bs[2], y).backward()
            opt.step()

        return {"W11": w11}

    def gpt():
        vocabulary, context, blocks, heads, width, batch = 96, 64, 4, 4, 128, 16
        w = lambda *s: leaf(f32(*s) * np.float32(0.02))
        gain, bias = lambda: leaf(np.ones(width, np.float32)), lambda: leaf(np.zeros(width, np.float32))
        layers = [
            {
                "qkv": w(width, 3 * width), "proj": w(width, width),
                "up": w(width, 4 * width), "down": w(4 * width, width),
                "gain1": gain(), "bias1": bias(), "gain2": gain(), "bias2": bias(),
            }
            for _ in range(blocks)
        ]
        token, position, out = w(vocabulary, width), w(context, width), w(width, vocabulary)
        gain0, bias0 = gain(), bias()
        leaves = [token, position, out, gain0, bias0] + [p for l in layers for p in l.values()]
        opt = torch.optim.AdamW(leaves, lr=1e-3)
        tokens, targets = (t(rng.integers(0, vocabulary, (batch, context))) for _ in range(2))
        mask = torch.triu(torch.ones(context, context, dtype=torch.bool), 1)
        size = width // heads

        def block(x, l):
            h = F.layer_norm(x, (width,), l["gain1"], l["bias1"])
            parts = (h @ l["qkv"]).split(width, 2)
            q, k, v = (z.view(batch, context, heads, size).transpose(1, 2) for z in parts)
            s = ((q @ k.transpose(-2, -1)) / size**0.5).masked_fill(mask, float("-inf"))
            o = (torch.softmax(s, -1) @ v).transpose(1, 2).reshape(batch, context, width)
            x = x + o @ l["proj"]
            h = F.layer_norm(x, (width,), l["gain2"], l["bias2"])
            return x + F.gelu(h @ l["up"], approximate="tanh") @ l["down"]

        def w12():
            opt.zero_grad(set_to_none=True)
            x = token[tokens] + position
            for l in layers:
                x = block(x, l)
            x = F.layer_norm(x, (width,), gain0, bias0)
            F.cross_entropy((x @ out).reshape(-1, vocabulary), targets.reshape(-1)).backward()
            opt.step()

        return {"W12": w12}

    def conv():
        image, labels = t(f32(32, 1, 28, 28)), t(rng.integers(0, 10, 32))
        k1, k2 = leaf(f32(8, 1, 3, 3) * np.float32(0.1)), leaf(f32(16, 8, 3, 3) * np.float32(0.1))
        top = leaf(f32(12544, 10) * np.float32(0.01))

        def w13():
            k1.grad = k2.grad = top.grad = None
            h = torch.relu(F.conv2d(image, k1, padding=1))
            h = torch.relu(F.conv2d(h, k2, padding=1))
            F.cross_entropy(h.reshape(32, -1) @ top, labels).backward()

        return {"W13": w13}

    groups = [scalars, elementwise, reductions, matrices, rows, mlp, gpt, conv]
    description = f"PyTorch {torch.__version__}, {torch.get_num_threads()} threads"
    return by_name(groups), torch_sweep(torch, F), description


def torch_sweep(torch, F):
    unary = {
        "neg": torch.neg, "exp": torch.exp, "log": torch.log, "sqrt": torch.sqrt,
        "tanh": torch.tanh, "sigmoid": torch.sigmoid, "sin": torch.sin, "relu": torch.relu,
        "gelu": F.gelu, "softplus": F.softplus, "pow-number": lambda x: x.pow(2.5),
        "sum": torch.sum, "sum-0": lambda x: x.sum(0), "sum-1": lambda x: x.sum(1),
        "max-1": lambda x: x.amax(1), "argmax-1": lambda x: x.argmax(1), "var-0": lambda x: x.var(0),
        "logsumexp-1": lambda x: x.logsumexp(1), "softmax-1": lambda x: x.softmax(1),
        "cumsum-1": lambda x: x.cumsum(1), "sort-1": lambda x: x.sort(1)[0],
        "copy": lambda x: x.clone(memory_format=torch.contiguous_format),
        "mean": torch.mean, "prod": torch.prod, "norm": torch.linalg.norm, "clip": lambda x: x.clip(0.5, 1.5),
        "cumprod-1": lambda x: x.cumprod(1), "log-softmax-1": lambda x: x.log_softmax(1),
        "layer-norm": lambda x: F.layer_norm(x, x.shape[1:]),
        "flip": lambda x: x.flip(1), "roll": lambda x: x.roll(1, 1), "pad": lambda x: F.pad(x, (1, 1, 1, 1)),
        "tile": lambda x: x.tile(2, 2), "repeat": lambda x: x.repeat_interleave(2, 1),
        "row": lambda x: x[1], "slice": lambda x: x[:, 1:3], "take": lambda x, rows=torch.tensor([2, 0]): x[rows],
        "transpose": lambda x: x.T, "reshape": lambda x: x.reshape(2, -1), "unsqueeze": lambda x: x.unsqueeze(0),
        "squeeze": torch.squeeze, "expand": lambda x: x.expand(2, 4, 4), "split": lambda x: x.split(2)[0],
        "triu": torch.triu, "trace": torch.trace, "diagonal": torch.diagonal, "astype": lambda x: x.float(),
        "inv": torch.linalg.inv,
    }
    binary = {
        "mod": torch.remainder, "add": torch.add, "mul": torch.mul, "div": torch.div,
        "maximum": torch.maximum, "pow": torch.pow, "gt": torch.gt,
        "where": lambda x, y: torch.where(x > y, x, y),
        "concat": lambda x, y: torch.cat([x, y]), "stack": lambda x, y: torch.stack([x, y]),
        "dot": lambda x, y: x[0].dot(y[0]), "outer": lambda x, y: x[0].outer(y[0]),
        "einsum": lambda x, y: torch.einsum("ij,kj->ik", x, y), "matmul": torch.matmul,
        "solve": torch.linalg.solve,
    }

    def make(op, dtype, rows, columns, layout, grad):
        kind = f32 if dtype == "f32" else f64
        lay = {
            "": lambda x: x,
            "transposed": lambda x: torch.from_numpy(np.ascontiguousarray(x.numpy().T)).T,
            "strided": lambda x: torch.from_numpy(np.repeat(x.numpy(), 2, 1))[:, ::2],
            "row": lambda x: x[0],
        }[layout]
        if op in ("matmul", "solve", "inv"):
            columns = rows
        x = torch.from_numpy(np.abs(kind(rows, columns)) + kind(1)[0] ** 2)
        y = torch.from_numpy(np.abs(kind(rows, columns)) + 1)
        f = binary.get(op) or unary[op]
        inputs = (x, lay(y)) if op in binary else (lay(x),)
        if not grad:
            return lambda: f(*inputs)
        inputs = [i.detach().requires_grad_() for i in inputs]

        def run():
            for i in inputs:
                i.grad = None
            out = f(*inputs)
            out.backward(up)

        up = torch.ones_like(f(*inputs))
        return run

    return make


def numpy_workloads():
    p, q, d = f32(1000, 1000), f32(1000, 1000), f64(1000, 1000)
    row, column, m, flat = f32(1000), f32(1000, 1), f32(2000, 2000), f32(1000000)
    a, b, c, e = f32(1024, 1024), f32(1024, 1024), f64(1024, 1024), f64(1024, 1024)
    s, u, x, y = f32(16, 16), f32(16, 16), f32(128, 64, 64), f32(128, 64, 64)
    return (
        {
            "W03": lambda: p + q, "W04": lambda: np.exp(d), "W04b": lambda: np.tanh(p),
            "W05a": lambda: m.sum(0), "W05b": lambda: m.sum(1), "W05c": lambda: m.sum(),
            "W07a": lambda: a @ b, "W07b": lambda: c @ e, "W08": lambda: s @ u, "W09": lambda: x @ y,
            "W14a": lambda: p + q.T, "W14b": lambda: np.ascontiguousarray(m.T),
            "W16": lambda: p + row + column, "W17": lambda: m.cumsum(1), "W18": lambda: np.sort(flat),
            "W19": lambda: m.argmax(1), "W20": lambda: m.var(0, ddof=1),
        }.get,
        None,
        f"NumPy {np.__version__}",
    )


def numpygrad_workloads():
    import numpygrad as npg
    import numpygrad.nn as nn
    import numpygrad.ops as ops
    import numpygrad.optim as optim

    t = npg.array

    def leaf(x):
        return npg.array(np.array(x), requires_grad=True)

    def fresh(*leaves):
        for x in leaves:
            x.grad = np.zeros_like(x.data)

    def scalars():
        a, b, x, w = leaf([3.0]), leaf([4.0]), leaf(f64(16)), t(f64(16) * 0.01 + 1)

        def w01():
            fresh(a, b)
            (a**2 + b**2).sqrt().backward()

        def w02():
            fresh(x)
            y = x
            for _ in range(50):
                y = y * w + x
            y.sum().backward()

        return {"W01": w01, "W02": w02}

    def elementwise():
        p, q, d = t(f32(1000, 1000)), t(f32(1000, 1000)), t(f64(1000, 1000))
        row, column = t(f32(1000)), t(f32(1000, 1))
        g, up = leaf(f32(1000, 1000)), f32(1000, 1000)

        def w10():
            fresh(g)
            (0.5 * g * (1 + npg.tanh(0.7978845608 * (g + 0.044715 * g**3)))).backward(up)

        return {
            "W03": lambda: p + q, "W04": lambda: d.exp(), "W04b": lambda: npg.tanh(p), "W10": w10,
            "W10f": w10, "W14a": lambda: p + q.T, "W16": lambda: p + row + column,
        }

    def reductions():
        m, flat = t(f32(2000, 2000)), f32(1000000)
        return {
            "W05a": lambda: m.sum(0), "W05b": lambda: m.sum(1), "W05c": lambda: m.sum(),
            "W14b": lambda: m.T.copy(), "W17": lambda: m.cumsum(1), "W18": lambda: np.sort(flat),
            "W19": lambda: m.argmax(1), "W20": lambda: m.var(0),
        }

    def matrices():
        a, b, c, d = t(f32(1024, 1024)), t(f32(1024, 1024)), t(f64(1024, 1024)), t(f64(1024, 1024))
        s, u, x, y = t(f32(16, 16)), t(f32(16, 16)), t(f32(128, 64, 64)), t(f32(128, 64, 64))
        return {
            "W07a": lambda: a @ b, "W07b": lambda: c @ d, "W08": lambda: s @ u, "W09": lambda: x @ y
        }

    def rows():
        up, sm, ln, norm = f32(1024, 1024), leaf(f32(1024, 1024)), leaf(f32(1024, 1024)), nn.LayerNorm(1024)
        table, ids, gu = leaf(f32(10000, 64)), t(rng.integers(0, 10000, 4096)), f32(4096, 64)

        def w06():
            fresh(sm)
            npg.softmax(sm, -1).backward(up)

        def w14c():
            fresh(table)
            ops.embedding(table, ids).backward(gu)

        def w15():
            fresh(ln, *norm.parameters())
            norm(ln).backward(up)

        return {"W06": w06, "W14c": w14c, "W15": w15}

    def mlp():
        sizes = [(784, 256), (256, 128), (128, 10)]
        ws = [leaf(f32(*s) * np.float32(0.05)) for s in sizes]
        bs = [leaf(np.zeros(n, np.float32)) for _, n in sizes]
        x, y = t(f32(64, 784)), t(rng.integers(0, 10, 64))

        def w11():
            fresh(*ws, *bs)
            h = npg.relu(x @ ws[0] + bs[0])
            h = npg.relu(h @ ws[1] + bs[1])
            nn.cross_entropy_loss(h @ ws[2] + bs[2], y).backward()
            for p in ws + bs:
                p.data -= np.float32(1e-3) * p.grad.astype(np.float32)

        return {"W11": w11}

    def gpt():
        vocabulary, context, blocks, heads, width, batch = 96, 64, 4, 4, 128, 16
        w = lambda *s: leaf(f32(*s) * np.float32(0.02))
        layers = [
            {"qkv": w(width, 3 * width), "proj": w(width, width), "up": w(width, 4 * width), "down": w(4 * width, width)}
            for _ in range(blocks)
        ]
        norms = [nn.LayerNorm(width) for _ in range(2 * blocks + 1)]
        token, position, out = w(vocabulary, width), w(context, width), w(width, vocabulary)
        leaves = [token, position, out] + [p for l in layers for p in l.values()]
        leaves += [p for n in norms for p in n.parameters()]
        opt = optim.AdamW(leaves, lr=1e-3)
        tokens, targets = (t(rng.integers(0, vocabulary, (batch, context))) for _ in range(2))
        mask = npg.triu(npg.ones((context, context)), k=1).view(1, 1, context, context)
        size = width // heads

        def block(x, l, norm1, norm2):
            parts = (norm1(x) @ l["qkv"]).split(width, dim=2)
            q, k, v = (z.view(batch, context, heads, size).transpose(1, 2) for z in parts)
            s = (q @ k.transpose(-2, -1) / (size**0.5)).masked_fill(mask, -float("inf"))
            o = (npg.softmax(s, -1) @ v).transpose(1, 2).reshape(batch, context, width)
            x = x + o @ l["proj"]
            return x + npg.gelu(norm2(x) @ l["up"]) @ l["down"]

        def w12():
            fresh(*leaves)
            x = ops.embedding(token, tokens) + position
            for i, l in enumerate(layers):
                x = block(x, l, norms[2 * i], norms[2 * i + 1])
            nn.cross_entropy_loss(norms[-1](x) @ out, targets).backward()
            opt.step()

        return {"W12": w12}

    def conv():
        image, labels = t(f32(32, 1, 28, 28)), t(rng.integers(0, 10, 32))
        k1, k2 = leaf(f32(8, 1, 3, 3) * np.float32(0.1)), leaf(f32(16, 8, 3, 3) * np.float32(0.1))
        top = leaf(f32(12544, 10) * np.float32(0.01))

        def w13():
            fresh(k1, k2, top)
            h = npg.relu(npg.conv2d(image, k1, padding=1))
            h = npg.relu(npg.conv2d(h, k2, padding=1))
            nn.cross_entropy_loss(h.reshape(32, -1) @ top, labels).backward()

        return {"W13": w13}

    groups = [scalars, elementwise, reductions, matrices, rows, mlp, gpt, conv]
    return by_name(groups), None, "numpygrad"


GROUPS = {
    "scalars": "W01 W02",
    "elementwise": "W03 W04 W04b W10 W10f W14a W16",
    "reductions": "W05a W05b W05c W14b W17 W18 W19 W20",
    "matrices": "W07a W07b W08 W09",
    "rows": "W06 W14c W15 W15b W15c",
    "mlp": "W11",
    "gpt": "W12",
    "conv": "W13",
}


def by_name(groups):
    """A function from a workload's name to the workload; a group's data are made for its first one."""
    made = {name: g for g in map(once, groups) for name in GROUPS[g.__name__].split()}
    return lambda name: made[name]().get(name) if name in made else None


def measure(f, seconds):
    end = time.perf_counter() + seconds / 4
    while True:  # warm
        f()
        if time.perf_counter() > end:
            break
    start = time.perf_counter()
    f()
    inner = max(1, int(0.01 / max(time.perf_counter() - start, 1e-7)))
    times = []
    end = time.perf_counter() + seconds
    while len(times) < 3 or time.perf_counter() < end:
        start = time.perf_counter()
        for _ in range(inner):
            f()
        times.append((time.perf_counter() - start) / inner * 1e6)
    return statistics.median(times)


def main(engine):
    contestants = {"torch": torch_workloads, "numpy": numpy_workloads, "numpygrad": numpygrad_workloads}
    whole, sweep, description = contestants[engine]()
    print(f"ready\t{description}", flush=True)
    sweep = sweep and functools.lru_cache(maxsize=1)(sweep)
    for line in sys.stdin:
        seconds, name = line.rstrip("\n").split("\t")
        try:
            if name.startswith("op "):
                _, op, dtype, rows, columns, layout, grad = name.split(" ")
                f = sweep and sweep(op, dtype, int(rows), int(columns), layout.strip("-"), grad == "grad")
            else:
                f = whole(name.split(" ")[0])
            print(measure(f, float(seconds)) if f else "none", flush=True)
        except Exception as e:  # one workload that fails is no reason to lose the others
            print(f"none\t{type(e).__name__}: {e}".replace("\n", " "), flush=True)


if __name__ == "__main__":
    main(sys.argv[1])
