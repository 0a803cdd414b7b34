#!/usr/bin/env python3
"""Times STREAMER in PyTorch, one thread, float, for comparison with the benchmarks Streamer/...

    taskset --cpu-list 1 python3 bench/streamer/streamer_torch.py [vectors] [images]

The stack of tests/streamer/second_opinion.py, learning in a quicker way than there: one backward for each loss, which adds to the
gradients in place, and weighs them by hooks. As in the original, the encoder sees all images of the event at each input. Three layers,
an event every ten inputs; nanoseconds of processor time per input, the best of several events. Debian's PyTorch multiplies by the BLAS that
is installed: libopenblas0 makes it quicker than libblas3. Exits with 77 where PyTorch is missing.
"""

import sys
import time
from pathlib import Path

try:
    import torch
except ImportError as error:
    print(f"streamer_torch.py: {error}", file=sys.stderr)
    sys.exit(77)

sys.dont_write_bytecode = True
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests/streamer"))
import second_opinion  # noqa: E402


class Stack(second_opinion.Stack):
    """Its losses do not go back one module at a time."""

    def forward(self, k, x, t):
        super().forward(k, x, t)
        layer = self.layers[k]
        layer.z.register_hook(lambda g: layer.weight * g)

    def step(self):
        alpha, n = self.o.get("alpha", 3.0), len(self.layers)
        for k, layer in enumerate(self.layers):
            if layer.pending is None:
                continue
            (loss, tau), layer.pending = layer.pending, None
            total = sum(alpha**-e for e in range(max(k, n - 1 - k) + 1))
            for each in self.layers:
                each.weight = alpha ** -abs(each.k - k) / total
            (tau * loss).backward(retain_graph=True)


def best_ns(images, events):
    o = dict(D=1024 if images else 128, B=10, M=3, evolve=10**9, window=50, lr=1e-4, mode="similarity", add=-10.0, fixed=True)
    if images:
        o["images"] = 128
    stack = Stack(o)
    stack.layers += [second_opinion.Layer(o, k) for k in (1, 2)]
    shape = (1, 3, 128, 128) if images else (1, 128)
    inputs = [2 * torch.rand(shape) - 1 for _ in range(7)]
    best = float("inf")
    for event in range(2 + events):
        start = time.process_time_ns()
        for t in range(10 * event, 10 * event + 10):
            stack.forward(0, inputs[t % 7], t)
            stack.step()
        if event >= 2:  # all layers have had an input
            best = min(best, (time.process_time_ns() - start) / 10)
    return best


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    torch.set_default_dtype(torch.float32)
    second_opinion.fill = lambda m, n: 2 * torch.rand(n) - 1
    print(f"torch {torch.__version__}, one thread; ns per input")
    for name, events in (("vectors", 20), ("images", 3)):
        if name in sys.argv[1:] or len(sys.argv) == 1:
            print(f"{name + ':128':14} {best_ns(name == 'images', events):.4g}", flush=True)


if __name__ == "__main__":
    main()
