"""Writes what the tests of ndgrad.optim expect: parameters after steps of PyTorch's optimisers.

    python3 dev/optimizers.py > test/ndgrad/optim/expected.edn

Needs PyTorch. Each case is the optimiser, its options in Clojure's names, the first parameters, the
gradients of each step, and the parameters after each step.
"""

import torch

CASES = [
    ("sgd", dict(lr=0.1)),
    ("sgd", dict(lr=0.1, weight_decay=0.2)),
    ("sgd", dict(lr=0.1, momentum=0.9)),
    ("sgd", dict(lr=0.1, momentum=0.9, dampening=0.25, weight_decay=0.01)),
    ("sgd", dict(lr=0.1, momentum=0.8, nesterov=True, weight_decay=0.05)),
    ("adam", dict()),
    ("adam", dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
    ("adamw", dict()),
    ("adamw", dict(lr=0.05, betas=(0.8, 0.95), eps=1e-3, weight_decay=0.1)),
]
MAKERS = {"sgd": torch.optim.SGD, "adam": torch.optim.Adam, "adamw": torch.optim.AdamW}
STEPS = 5


def edn(value):
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, dict):
        return "{" + " ".join(":" + k.replace("_", "-") + " " + edn(v) for k, v in value.items()) + "}"
    if isinstance(value, (list, tuple)):
        return "[" + " ".join(map(edn, value)) + "]"
    return repr(value)


def case(name, options):
    torch.manual_seed(0)
    w = torch.randn(2, 3, dtype=torch.float64, requires_grad=True)
    optimizer = MAKERS[name]([w], **options)
    first, grads, after = w.tolist(), [], []
    for _ in range(STEPS):
        w.grad = torch.randn(2, 3, dtype=torch.float64)
        grads.append(w.grad.tolist())
        optimizer.step()
        after.append(w.tolist())
    return ("{:optimizer :" + name + " :options " + edn(options) + "\n  :params " + edn(first)
            + "\n  :grads " + edn(grads) + "\n  :after " + edn(after) + "}")


print(";; PyTorch " + torch.__version__ + ". Written by dev/optimizers.py, do not edit.")
print("[" + "\n ".join(case(*c) for c in CASES) + "]")
