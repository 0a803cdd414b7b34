#!/usr/bin/env python3
"""Trains a small amplifier model and writes it as overdrive.nam, the format of Neural Amp Modeler.

    python3 train.py [--seconds 120]

What it learns is a synthetic overdrive: a high-pass, an asymmetric soft clipper and a low-pass, on decaying harmonic tones. Needs
torch (made with 1.13); seeds are fixed, but how far it comes in the time depends on the machine.
"""

import argparse
import json
import math
import time
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor, nn

RATE = 48000
CHANNELS, TAPS, DILATIONS = 4, 3, [1, 2, 4, 8, 16, 32, 64]
SETTLE = 1 + sum((TAPS - 1) * d for d in DILATIONS)


def one_pole(x: Tensor, hz: float) -> Tensor:
    """A low-pass, by its impulse response."""
    a = math.exp(-2 * math.pi * hz / RATE)
    response = (1 - a) * a ** torch.arange(2048.0)
    return F.conv1d(F.pad(x[:, None], (2047, 0)), response.flip(0)[None, None])[:, 0]


def overdrive(x: Tensor) -> Tensor:
    driven = 6 * (x - one_pole(x, 120))
    clipped = torch.tanh(driven + 0.2) - math.tanh(0.2)
    return 0.4 * one_pole(clipped, 4000)


def tones(count: int, frames: int) -> Tensor:
    t = torch.arange(frames) / RATE
    x = torch.zeros(count, frames)
    for row in x:
        for _ in range(int(torch.randint(1, 4, ()))):
            pitch, start = 80 * 2 ** (3 * float(torch.rand(()))), float(torch.rand(())) * frames / RATE / 2
            decay = 2 + 20 * float(torch.rand(()))
            envelope = torch.exp(-decay * (t - start)) * (t >= start)
            for k in range(1, 7):
                row += envelope * torch.sin(2 * math.pi * k * pitch * t + 6 * float(torch.rand(()))) / k**1.5
    return x / x.abs().amax(1, keepdim=True).clamp(min=1e-3) * (0.05 + 0.9 * torch.rand(count, 1))


class WaveNet(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.rechannel = nn.Conv1d(1, CHANNELS, 1, bias=False)
        self.convs = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, TAPS, dilation=d) for d in DILATIONS)
        self.mixins = nn.ModuleList(nn.Conv1d(1, CHANNELS, 1, bias=False) for _ in DILATIONS)
        self.ones = nn.ModuleList(nn.Conv1d(CHANNELS, CHANNELS, 1) for _ in DILATIONS)
        self.head = nn.Conv1d(CHANNELS, 1, 1)

    def forward(self, x: Tensor) -> Tensor:
        x = x[:, None]
        y, skips = self.rechannel(x), 0
        for conv, mixin, one, d in zip(self.convs, self.mixins, self.ones, DILATIONS):
            z = torch.tanh(conv(F.pad(y, ((TAPS - 1) * d, 0))) + mixin(x))
            skips, y = skips + z, y + one(z)
        return self.head(skips)[:, 0]

    def weights(self) -> list:
        """In the order of the file."""
        parts = [self.rechannel.weight]
        for conv, mixin, one in zip(self.convs, self.mixins, self.ones):
            parts += [conv.weight, conv.bias, mixin.weight, one.weight, one.bias]
        parts += [self.head.weight, self.head.bias, torch.ones(1)]
        return [float(f"{v:.8g}") for part in parts for v in part.detach().flatten().tolist()]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=120)
    seconds = parser.parse_args().seconds
    torch.manual_seed(1)
    torch.set_num_threads(1)
    net, x = WaveNet(), tones(64, 8192)
    y = overdrive(x)
    optimiser = torch.optim.Adam(net.parameters(), 0.01)
    began, steps = time.monotonic(), 0
    while time.monotonic() - began < seconds:
        share = (time.monotonic() - began) / seconds
        for group in optimiser.param_groups:
            group["lr"] = 0.01 * 0.01**share
        rows = torch.randint(0, len(x) - 8, (8,))
        difference = (net(x[rows]) - y[rows])[:, SETTLE:]
        loss = difference.square().mean() / y[rows][:, SETTLE:].square().mean()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        steps += 1
    with torch.no_grad():
        test = tones(16, 16384)
        wanted = overdrive(test)[:, SETTLE:]
        esr = float((net(test)[:, SETTLE:] - wanted).square().mean() / wanted.square().mean())
        loudness = 10 * math.log10(float(wanted.square().mean()))
    stack = {"input_size": 1, "condition_size": 1, "channels": CHANNELS, "head_size": 1, "head_bias": True, "kernel_size": TAPS,
             "dilations": DILATIONS, "activation": "Tanh", "gated": False}
    file = {"version": "0.5.4", "architecture": "WaveNet", "config": {"layers": [stack], "head": None, "head_scale": 1.0},
            "weights": net.weights(), "sample_rate": RATE,
            "metadata": {"name": "Synthetic overdrive", "modeled_by": "eigenstream", "gear_type": "pedal", "tone_type": "overdrive",
                         "loudness": round(loudness, 2), "training": {"validation_esr": round(esr, 5)}}}
    path = Path(__file__).resolve().parent / "overdrive.nam"
    path.write_text(json.dumps(file, separators=(",", ":")) + "\n", encoding="utf-8")
    print(f"{steps} steps, error-to-signal ratio {esr:.4f}, {len(file['weights'])} weights")


if __name__ == "__main__":
    main()
