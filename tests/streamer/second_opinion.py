#!/usr/bin/env python3
"""The same stacks in PyTorch, by its autograd: what they do with some hundred inputs, in second_opinion.txt.

    second_opinion.py            writes it
    second_opinion.py --check    exits 1 if it is not what is committed, within rounding

A line for each input, for each layer that compared it:  t layer signal boundary;  and at the end of each stack, for each layer,
the sum of absolute gradients and of absolute values, of F and of P.
"""

import math
import sys
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import nn

FILE = Path(__file__).with_name("second_opinion.txt")
torch.set_default_dtype(torch.float64)
torch.set_num_threads(1)

# As in second_opinion of model_test.cpp.
STACKS = {
    "similarity": dict(inputs=200, D=16, B=4, M=3, evolve=12, window=10, optimize=3, lr=2e-3, mode="similarity"),
    "distance": dict(inputs=120, D=8, B=3, M=3, evolve=6, window=6, optimize=2, lr=1e-3, mode="distance", add=0.05, alpha=2.0),
    "base": dict(inputs=80, D=8, B=3, M=2, evolve=6, window=6, optimize=3, lr=1e-3, mode="similarity", base=True, fixed=True),
    "images": dict(inputs=30, D=8, B=3, M=3, evolve=4, window=5, optimize=2, lr=1e-5, mode="similarity", images=16),
}


def fill(m, n):
    i = torch.arange(n)
    return (((37 * i + 101 * m) % 199) - 99).double() / 99


def table(weight, rows):
    """The first rows, shortened in place where they are longer than 1."""
    with torch.no_grad():
        for row in weight.data[:rows]:
            if row.norm() > 1:
                row /= row.norm() + 1e-7
    return F.embedding(torch.arange(rows), weight)


def transformer(width, heads):
    block = nn.TransformerEncoderLayer(width, heads, 2 * width, dropout=0.0, batch_first=True)
    return nn.TransformerEncoder(block, 2, nn.LayerNorm(width, elementwise_affine=False))


class Encoder(nn.Module):
    CHANNELS = [3, 32, 64, 256, 1024]

    def __init__(self, width, size):
        super().__init__()
        for i in range(4):
            self.add_module(f"conv{i + 1}", nn.Conv2d(self.CHANNELS[i], self.CHANNELS[i + 1], 3, padding=1))
        self.fc1 = nn.Linear(1024 * (size // 16) ** 2, width)

    def forward(self, x):
        for i in range(4):
            x = F.max_pool2d(torch.relu(getattr(self, f"conv{i + 1}")(x)), 2)
        return self.fc1(x.flatten(1))


class Decoder(nn.Module):
    CHANNELS = [1024, 256, 64, 32, 3]

    def __init__(self, width, size):
        super().__init__()
        self.size = size // 16
        self.fc1 = nn.Linear(width, 1024 * self.size**2)
        for i in range(4):
            self.add_module(f"conv{i + 1}", nn.Conv2d(self.CHANNELS[i], self.CHANNELS[i + 1], 3, padding=1))

    def forward(self, x):
        x = self.fc1(x).reshape(-1, 1024, self.size, self.size)
        for i in range(4):
            x = getattr(self, f"conv{i + 1}")(F.interpolate(x, scale_factor=2, mode="nearest"))
            x = torch.relu(x) if i < 3 else x
        return x


class Summary(nn.Module):
    def __init__(self, o, encoder):
        super().__init__()
        self.encoder = encoder
        self.cls_token = nn.Embedding(1, o["D"])
        self.pos_enc = nn.Embedding(o["B"], o["D"])
        self.network = transformer(o["D"], 8)

    def forward(self, x):
        x = x if self.encoder is None else self.encoder(x)
        tokens = torch.cat([table(self.cls_token.weight, 1), x + table(self.pos_enc.weight, len(x))])
        return self.network(tokens[None])[0, :1]


class Predict(nn.Module):
    def __init__(self, o, layer, decoder):
        super().__init__()
        self.layer = layer
        self.pos_enc = nn.Embedding(o["M"], o["D"])
        self.network = transformer(o["D"], 4)
        self.decoder = decoder

    def forward(self, x):
        y = self.network((x + table(self.pos_enc.weight, len(x)))[None])[0, self.layer : self.layer + 1]
        return y if self.decoder is None else self.decoder(y)


class Layer:
    def __init__(self, o, k):
        images = o.get("images") if k == 0 else None
        self.k = k
        self.f = Summary(o, Encoder(o["D"], images) if images else None)
        self.p = Predict(o, k, Decoder(o["D"], images) if images else None)
        self.mode = "distance" if k == 0 and o.get("base") else o["mode"]
        m = 60 * k
        for module in (self.f, self.p):
            for name, weight in module.named_parameters():
                values = fill(m, weight.numel()).reshape(weight.shape)
                if name.endswith("cls_token.weight") or name.endswith("pos_enc.weight"):
                    pass
                elif name.endswith("bias"):
                    values = 0.1 * values
                elif "norm" in name:
                    values = 1 + 0.1 * values
                else:
                    values = values / math.sqrt(weight.numel() / weight.shape[0])
                weight.data.copy_(values)
                weight.grad = torch.zeros_like(weight)
                m += 1
        self.adams = [torch.optim.Adam(module.parameters(), lr=o["lr"]) for module in (self.f, self.p)]
        self.slots, self.order, self.count = [], [], 0
        self.window = []
        self.asked = 0
        self.z = self.context = self.pending = None
        self.last = -1

    def add(self, x, err, size):
        self.count += 1
        if len(self.slots) < size:
            self.order.append(len(self.slots))
            self.slots.append((x, err))
            return
        sign = 1 if self.mode == "similarity" else -1
        best = max(range(size), key=lambda i: (sign * self.slots[i][1], -i))
        if sign * err < sign * self.slots[best][1]:
            self.slots[best] = (x, err)
            self.order.remove(best)
            self.order.append(best)


class Stack:
    def __init__(self, options):
        self.o = options
        self.layers = [Layer(options, 0)]
        self.c_f, self.c_p, self.steps = ([0] * options["M"] for _ in range(3))
        self.log = []

    def ends(self, layer, v):
        window, o = layer.window, self.o
        bound = None if not window else sum(window) / len(window) + o.get("add", 0)
        window.append(v)
        del window[: -o["window"]]
        return bound is not None and (v < bound if layer.mode == "similarity" else v > bound)

    def forward(self, k, x, t):
        layer, o = self.layers[k], self.o
        layer.asked += 1
        if layer.asked >= o["evolve"] + 2 and k + 1 == len(self.layers) and k + 1 < o["M"]:
            self.layers.append(Layer(o, k + 1))
        gap, layer.last = t - layer.last, t
        err = 0.0
        if layer.context is None:
            layer.slots, layer.order, layer.count = [], [], 0
        else:
            value = F.cosine_similarity(layer.context, x).mean() if layer.mode == "similarity" else F.mse_loss(layer.context, x)
            layer.pending = (-value if layer.mode == "similarity" else value, gap)
            err = value.item()
            boundary = self.ends(layer, err)
            boundary = boundary or (o.get("fixed", False) and layer.count >= o["B"])
            self.log.append(f"{t} {k} {err:.12f} {int(boundary)}")
            if boundary:
                if k + 1 < len(self.layers):
                    self.forward(k + 1, layer.z.detach(), t)
                layer.slots, layer.order, layer.count = [], [], 0
        layer.add(x, err, o["B"])
        z = layer.f(torch.cat([layer.slots[i][0] for i in layer.order]))
        layer.z = F.normalize(z) if layer.mode == "similarity" else z
        rows = []
        for each in self.layers:
            if each.z is None:
                break
            rows.append(each.z)
        layer.context = layer.p(torch.cat(rows))

    def step(self):
        n, alpha = len(self.layers), self.o.get("alpha", 3.0)
        for k, layer in enumerate(self.layers):
            if layer.pending is None:
                continue
            (loss, tau), layer.pending = layer.pending, None
            classes = max(k, n - 1 - k) + 1
            total = sum(alpha**-e for e in range(classes))
            modules = [(layer.p, 1.0)] + [(each.f, alpha ** -abs(each.k - k) / total) for each in self.layers]
            for module, weight in modules:
                weights = list(module.parameters())
                for w, g in zip(weights, torch.autograd.grad(loss, weights, retain_graph=True, allow_unused=True)):
                    if g is not None:
                        w.grad += tau * weight * g
            for j in range(n):
                self.c_f[j] += tau
            self.c_p[k] += tau
            self.steps[k] += 1
        if self.steps[n - 1] < self.o["optimize"]:
            return
        for layer in self.layers:
            for module, count in ((layer.f, self.c_f[layer.k]), (layer.p, self.c_p[layer.k])):
                for w in module.parameters():
                    w.grad /= max(count, 1)
            for adam in layer.adams:
                adam.step()
                adam.zero_grad(set_to_none=False)
            layer.z = layer.context = None
        self.c_f, self.c_p, self.steps = ([0] * self.o["M"] for _ in range(3))


def run(name):
    o = STACKS[name]
    stack = Stack(o)
    shape = (1, 3, o["images"], o["images"]) if "images" in o else (1, o["D"])
    size = math.prod(shape)
    for t in range(o["inputs"]):
        stack.forward(0, (fill(200 + t // 4, size) + 0.3 * fill(300 + t, size)).reshape(shape), t)
        stack.step()
    lines = [f"{name} {len(stack.log)}", *stack.log, str(len(stack.layers))]
    for layer in stack.layers:
        sums = [sum(what(w).abs().sum().item() for w in module.parameters())
                for module in (layer.f, layer.p) for what in (lambda w: w.grad, lambda w: w.data)]
        lines.append(" ".join(f"{each:.12g}" for each in sums))
    return lines


def close(line, other):
    numbers, others = line.split(), other.split()
    return len(numbers) == len(others) and all(
        a == b or abs(float(a) - float(b)) <= 1e-8 * max(1, abs(float(a))) for a, b in zip(numbers, others))


def main():
    lines = [line for name in STACKS for line in run(name)]
    if "--check" not in sys.argv:
        FILE.write_text("\n".join(lines) + "\n", encoding="utf-8")
        return 0
    there = FILE.read_text(encoding="utf-8").splitlines()
    wrong = [pair for pair in zip(there, lines) if not close(*pair)]
    for pair in wrong[:5]:
        print("committed: {}\nnow:       {}".format(*pair))
    return 1 if wrong or len(there) != len(lines) else 0


if __name__ == "__main__":
    sys.exit(main())
