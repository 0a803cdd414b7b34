#!/usr/bin/env python3
"""Trains the two networks of this folder, on what is made here, and exports them for eigenstream.

    train.py              trains both (a few minutes on one core), measures, exports
    train.py --time       times torch: the motion network on a clip, which it recomputes for each frame of a live video

Motion  video of 32 x 32, (B, 1, T, H, W): a disc or a square that stands still or moves left, right, up or down, in noise. A small
        3-D network in the manner of X3D (Feichtenhofer, https://arxiv.org/abs/2004.04730): a stem over space, then over time,
        blocks with a depthwise 3 x 3 x 3 convolution and squeeze-and-excitation, a mean over space, a score for each motion.
Sound   spectra of 40 bins, (B, 1, T, F): nothing, or a tone that rises, falls or stands, in noise. Two convolutions over time and
        frequency, a GRU, a score for each.

Both are ordinary torch modules, written without a thought of streaming: padding in time at both ends, views, means.
"""
import argparse
import json
import os
import statistics
import sys
import time

import torch
from torch import nn
from torch.nn import functional

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))
from eigenstream import export  # noqa: E402

SIDE, BINS = 32, 40
MOTIONS = ("still", "left", "right", "up", "down")
SOUNDS = ("nothing", "rising", "falling", "steady")


# --- networks -------------------------------------------------------------------------------------------------------

class SqueezeExcite(nn.Module):
    def __init__(self, channels):
        super().__init__()
        self.down, self.up = nn.Conv3d(channels, 8, 1), nn.Conv3d(8, channels, 1)

    def forward(self, x):
        return x * torch.sigmoid(self.up(functional.relu(self.down(x.mean((3, 4), keepdim=True)))))


class Block(nn.Module):
    def __init__(self, inputs, outputs, stride, squeeze):
        super().__init__()
        inner = 2 * outputs
        self.branch = nn.Sequential(
            nn.Conv3d(inputs, inner, 1, bias=False), nn.BatchNorm3d(inner), nn.ReLU(),
            nn.Conv3d(inner, inner, 3, (1, stride, stride), 1, groups=inner, bias=False), nn.BatchNorm3d(inner),
            SqueezeExcite(inner) if squeeze else nn.Identity(), nn.SiLU(),
            nn.Conv3d(inner, outputs, 1, bias=False), nn.BatchNorm3d(outputs))
        self.shortcut = nn.Conv3d(inputs, outputs, 1, (1, stride, stride)) if stride > 1 else nn.Identity()

    def forward(self, x):
        return functional.relu(self.branch(x) + self.shortcut(x))


class Motion(nn.Module):
    def __init__(self):
        super().__init__()
        self.stem = nn.Sequential(nn.Conv3d(1, 16, (1, 3, 3), (1, 2, 2), (0, 1, 1), bias=False),
                                  nn.Conv3d(16, 16, (5, 1, 1), padding=(2, 0, 0), groups=16, bias=False), nn.BatchNorm3d(16), nn.ReLU())
        self.blocks = nn.Sequential(Block(16, 16, 1, True), Block(16, 32, 2, False), Block(32, 32, 1, True))
        self.head = nn.Linear(32, len(MOTIONS))

    def forward(self, x):  # (B, 1, T, H, W) to (B, T, motions)
        y = self.blocks(self.stem(x)).mean((3, 4))
        return self.head(y.transpose(1, 2))


class Sound(nn.Module):
    def __init__(self):
        super().__init__()
        self.conv = nn.Sequential(nn.Conv2d(1, 8, 3, (1, 2), 1), nn.BatchNorm2d(8), nn.ReLU(),
                                  nn.Conv2d(8, 16, 3, (1, 2), 1), nn.BatchNorm2d(16), nn.ReLU())
        self.rnn, self.head = nn.GRU(16 * BINS // 4, 32, batch_first=True), nn.Linear(32, len(SOUNDS))

    def forward(self, x):  # (B, 1, T, F) to (B, T, sounds)
        y = self.conv(x)
        batch, channels, frames, bins = y.shape
        y, _ = self.rnn(y.transpose(1, 2).reshape(batch, frames, channels * bins))
        return self.head(y)


# --- what they learn from -------------------------------------------------------------------------------------------

def video(count, frames, generator):
    """Videos (count, 1, frames, SIDE, SIDE) and the motion in each frame."""
    def uniform(low, high, *shape):
        return torch.rand(*shape, generator=generator) * (high - low) + low

    motions = torch.randint(len(MOTIONS), (count,), generator=generator)
    directions = torch.tensor([(0, 0), (-1, 0), (1, 0), (0, -1), (0, 1)], dtype=torch.float32)[motions]  # x to the right, y down
    places = uniform(0, SIDE, count, 1, 2) + directions[:, None] * uniform(0.5, 1.5, count, 1, 1) * torch.arange(frames)[:, None]
    grid = torch.arange(SIDE, dtype=torch.float32)
    x, y = ((grid - places[..., i, None] + SIDE / 2) % SIDE - SIDE / 2 for i in (0, 1))  # what leaves on one side comes back on the other
    radius = uniform(3, 6, count, 1, 1, 1)
    disc = (x[:, :, None] ** 2 + y[..., None] ** 2).sqrt()
    square = torch.maximum(x.abs()[:, :, None].expand_as(disc), y.abs()[..., None].expand_as(disc))
    is_disc = (torch.rand(count, 1, 1, 1, generator=generator) < 0.5)
    shape = (radius - torch.where(is_disc, disc, square) + 0.5).clamp(0, 1) * uniform(0.6, 1, count, 1, 1, 1)
    noise = torch.randn(count, frames, SIDE, SIDE, generator=generator) * 0.1
    return (shape + noise)[:, None], motions[:, None].expand(-1, frames)


def spectra(count, frames, generator):
    """Spectra (count, 1, frames, BINS) and what sounds in each frame; what it is changes once, and shortly after that it is no one's
    guess (-100)."""
    def uniform(low, high, *shape):
        return torch.rand(*shape, generator=generator) * (high - low) + low

    def tone(sounds):
        slope = torch.tensor([0.0, 1.0, -1.0, 0.0])[sounds][:, None] * uniform(0.3, 1, count, 1)
        place = (uniform(0, BINS, count, 1) + slope * torch.arange(frames)) % BINS
        apart = (torch.arange(BINS) - place[..., None] + BINS / 2) % BINS - BINS / 2
        return (-(apart / 1.5) ** 2).exp() * uniform(0.8, 1.5, count, 1, 1) * (sounds != 0)[:, None, None]

    first, second = torch.randint(len(SOUNDS), (2, count), generator=generator)
    since = torch.arange(frames) - torch.randint(10, frames, (count, 1), generator=generator)  # the change
    x = torch.where(since[..., None] < 0, tone(first), tone(second)) + torch.randn(count, frames, BINS, generator=generator) * 0.2
    sounds = torch.where(since < 0, first[:, None], second[:, None]).masked_fill((since >= 0) & (since < 10), -100)
    return x[:, None], sounds


def train(net, make, frames, late, args):
    """Learns to say in each frame but the first `late` ones and the last 4 what it is; the share of frames that are right."""
    generator = torch.Generator().manual_seed(args.seed)
    optimizer = torch.optim.AdamW(net.parameters(), lr=args.rate)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimizer, args.rate, args.steps)
    for step in range(args.steps):
        x, wanted = make(args.batch, frames, generator)
        scores = net.train()(x)[:, late:-4]
        loss = functional.cross_entropy(scores.flatten(0, 1), wanted[:, late:-4].flatten())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(f"step {step:4d}  loss {float(loss):.3f}", flush=True)
    with torch.no_grad():
        x, wanted = make(512, frames, torch.Generator().manual_seed(args.seed + 1))
        wanted = wanted[:, late:-4]
        right = net.eval()(x)[:, late:-4].argmax(-1) == wanted
        return float(right[wanted >= 0].float().mean())


def time_torch(net, clip):
    """Milliseconds for a clip of so many frames, the median of many."""
    x, _ = video(1, clip, torch.Generator().manual_seed(3))
    seconds = []
    with torch.no_grad():
        for _ in range(200):
            began = time.perf_counter()
            net(x)
            seconds.append(time.perf_counter() - began)
    return statistics.median(seconds) * 1e3


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=HERE, help="the folder of the exported files")
    parser.add_argument("--steps", type=int, default=300, help="of training (default 300)")
    parser.add_argument("--batch", type=int, default=24, help="signals per step (default 24)")
    parser.add_argument("--rate", type=float, default=5e-3, help="peak learning rate (default 5e-3)")
    parser.add_argument("--seed", type=int, default=1, help="of the data and the first weights")
    parser.add_argument("--time", action="store_true", help="no training: time torch on clips")
    args = parser.parse_args()
    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    motion, sound = Motion(), Sound()
    if args.time:
        for clip in (11, 16):
            print(f"torch, a clip of {clip} frames: {time_torch(motion.eval(), clip):.2f} ms")
        return
    report = {"motion": round(train(motion, video, 20, 4, args), 3), "sound": round(train(sound, spectra, 60, 10, args), 3)}
    report["parameters"] = {name: sum(p.numel() for p in net.parameters()) for name, net in (("motion", motion), ("sound", sound))}
    print(json.dumps(report, indent=1))
    export(motion.eval(), os.path.join(args.out, "motion.safetensors"), inputs=[(1, SIDE, SIDE)], time_axis=2,
           metadata={"name": "motion", "classes": " ".join(MOTIONS)})
    export(sound.eval(), os.path.join(args.out, "sound.safetensors"), inputs=[(1, BINS)], time_axis=2,
           metadata={"name": "sound", "classes": " ".join(SOUNDS)})


if __name__ == "__main__":
    main()
