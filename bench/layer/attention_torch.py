#!/usr/bin/env python3
"""Times PyTorch's attention to the last 64 frames, one thread, for comparison with the benchmarks Attention/...

    taskset --cpu-list 1 python3 bench/layer/attention_torch.py

Nanoseconds per frame, projections before and behind included. `kept` is what people write for a stream: keys and values of the
frames before are kept, `torch.cat` with those that came and cut to the window. `window` runs the module over the last 64 frames
for each one. Debian's torch multiplies by the BLAS that is installed: libopenblas0 makes it several times faster than libblas3.
Exits with 77 where torch is missing.
"""

import math
import sys
import time

try:
    import torch
    from torch import nn
except ImportError as error:
    print(f"attention_torch.py: {error}", file=sys.stderr)
    sys.exit(77)

WINDOW = 64


class Kept(nn.Module):
    def __init__(self, embed, heads):
        super().__init__()
        self.heads = heads
        self.into = nn.Linear(embed, 3 * embed, bias=False)
        self.out = nn.Linear(embed, embed, bias=False)

    def forward(self, x, keys, values):
        batch, frames, embed = x.shape
        q, k, v = self.into(x).view(batch, frames, 3, self.heads, embed // self.heads).permute(2, 0, 3, 1, 4)
        keys, values = torch.cat([keys, k], 2), torch.cat([values, v], 2)
        scores = q @ keys.transpose(2, 3) / math.sqrt(embed // self.heads)
        if frames > 1:
            i, j = torch.arange(frames)[:, None] + keys.shape[2] - frames, torch.arange(keys.shape[2])
            scores = scores.masked_fill((j > i) | (j <= i - WINDOW), -math.inf)
        y = (scores.softmax(-1) @ values).transpose(1, 2).reshape(batch, frames, embed)
        return self.out(y), keys[:, :, 1 - WINDOW:], values[:, :, 1 - WINDOW:]


def best_ns(call, frames, seconds=1.0):
    call()
    best, end = float("inf"), time.perf_counter() + seconds
    while time.perf_counter() < end:
        start = time.process_time_ns()
        for _ in range(20):
            call()
        best = min(best, (time.process_time_ns() - start) / 20 / frames)
    return best


def main():
    torch.set_num_threads(1)
    torch.manual_seed(0)
    print(f"torch {torch.__version__}, one thread; ns per frame, attention to {WINDOW} frames")
    print(f"{'embed, heads':16} {'kept, 1':>10} {'kept, 16':>10} {'window':>10}")
    for embed, heads in ((64, 4), (512, 8)):
        kept, module = Kept(embed, heads).eval(), nn.MultiheadAttention(embed, heads, batch_first=True).eval()
        before = torch.zeros(1, heads, WINDOW - 1, embed // heads)
        window = torch.randn(1, WINDOW, embed)
        with torch.inference_mode():
            row = [best_ns(lambda: kept(window[:, :n], before, before), n) for n in (1, 16)]
            row.append(best_ns(lambda: module(window, window, window, need_weights=False), 1))
        print(f"{f'{embed}, {heads}':16} {row[0]:10.0f} {row[1]:10.0f} {row[2]:10.0f}")


if __name__ == "__main__":
    main()
