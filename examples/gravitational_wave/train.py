#!/usr/bin/env python3
"""Trains the chirp detector of this folder (two detectors, 2048 Hz) and exports it for eigenstream.

    train.py                       makes the data, trains (a few minutes on one core), measures, exports
    train.py --evaluate            measures and exports the last checkpoint, without training

Everything it learns from is made here; nothing is downloaded. Strain is in units of 1e-21, so that float32 is at ease.

Noise     Gaussian, coloured by the Advanced LIGO approximation of Sathyaprakash & Schutz, "Physics, Astrophysics and
          Cosmology with Gravitational Waves", 2009 (https://arxiv.org/abs/0903.0338), with a seismic wall below 20 Hz
          and a power line at 60 Hz added.
Chirps    the quadrupole formula (Maggiore, "Gravitational Waves", vol. 1, 2008, section 4.1): at the time tau before the
          frequency diverges, with m = G M / c^3 of the chirp mass M,
              f = (5 / (256 tau))^(3/8) m^(-5/8) / pi,  phase = -2 (tau / (5 m))^(5/8),  amplitude ~ f^(2/3);
          for equal masses up to the light ring r = 3GM/c^2 (Buonanno & Damour, https://arxiv.org/abs/gr-qc/0001013),
          then a damped oscillation at that frequency.
SNR       of the matched filter, rho^2 = 4 int |h(f)|^2 / S(f) df, summed over the detectors: Cutler & Flanagan, 1994
          (https://arxiv.org/abs/gr-qc/9402014).
Glitches  sine-Gaussians, in one detector only.
"""
import argparse
import json
import math
import os
import sys
import time

import numpy as np
import torch
from scipy.signal import oaconvolve
from torch import nn
from torch.nn import functional

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))
from eigenstream_export import OnlineAverager, Windowed, export  # noqa: E402

RATE = 2048           # Hz
WINDOW = 2048         # samples the network sees at once: 1 s
STRIDE = 128          # from window to window, and one score: 1/16 s
SCORES = WINDOW // STRIDE
TAPS = 511            # of the whitening filter
NOISE_SCALE = (1.0, 1.25)  # the second detector is less sensitive
NUM_UPDATES, OFFSET = 8, 4  # of the averager: the mean of 8 windows; the 4 scores next to a window's end are not used
DELAY = NUM_UPDATES + OFFSET - 1  # windows that must follow a sixteenth of a second before its score is complete
CHIRP_MASSES = (8.0, 30.0)  # solar masses
BEFORE, AFTER = 4 * RATE, RATE // 2  # samples of a chirp around its merger
MAX_DELAY_SECONDS = 0.010   # between the detectors: light needs as long from Hanford to Livingston
SOLAR_MASS_SECONDS = 4.925490947e-6  # G M / c^3


# ------------------------------------------------------------------------------------------------------- noise

def amplitude_spectral_density():
    """The noise of the first detector at 0, 1, ... 1024 Hz, one-sided, in 1e-21 / sqrt(Hz)."""
    f = np.arange(RATE // 2 + 1, dtype=float)
    x = np.maximum(f, 20) / 215
    power = 1e-49 * (x ** -4.14 - 5 * x ** -2 + 111 * (1 - x ** 2 + x ** 4 / 2) / (1 + x ** 2 / 2))
    amplitude = np.sqrt(power) / 1e-21 * (20 / np.clip(f, 10, 20)) ** 4
    amplitude[60] *= 6
    return np.array([float(f"{a:.4g}") for a in amplitude])  # as the model file holds it


ASD = amplitude_spectral_density()


def asd_at(f):
    return np.interp(f, np.arange(len(ASD)), ASD)


def coloured_noise(rng, n):
    """n samples of each detector, shape (2, n): independent Gaussian Fourier coefficients with the variance of the
    spectral density. Periodic with n."""
    f = np.fft.rfftfreq(n, 1 / RATE)
    sigma = asd_at(f) * math.sqrt(n * RATE / 4)
    sigma[0] = sigma[-1] = 0
    white = rng.standard_normal((2, 2, len(f)))
    return np.fft.irfft((white[:, 0] + 1j * white[:, 1]) * sigma, n) * np.array(NOISE_SCALE)[:, None]


def whitening_filter():
    """Taps (2, 511) of a linear-phase filter for each detector: the inverse of the amplitude spectral density, cut off
    by a Hann window. White noise of variance 1 comes out, but for the lines that are too sharp for it."""
    n = 8192
    gain = math.sqrt(2 / RATE) / asd_at(np.fft.rfftfreq(n, 1 / RATE))
    gain[0] = 0
    middle = np.fft.fftshift(np.fft.irfft(gain, n))[n // 2 - TAPS // 2:n // 2 + TAPS // 2 + 1]
    taps = middle * np.hanning(TAPS + 2)[1:-1]
    return taps / np.array(NOISE_SCALE)[:, None]


def whiten(x):
    return np.stack([oaconvolve(x[d], taps, "same") for d, taps in enumerate(whitening_filter())])


# ------------------------------------------------------------------------------------------------------ signals

def chirp(t, chirp_mass):
    """A chirp and its twin a quarter of a cycle later at the times t, in seconds from the merger; amplitude 1 there."""
    mass_seconds = chirp_mass * SOLAR_MASS_SECONDS
    f_end = 1 / (3 ** 1.5 * math.pi * 2 ** 1.2 * mass_seconds)  # light ring; the total mass is 2^(6/5) chirp masses
    tau_end = 5 / 256 * mass_seconds ** (-5 / 3) * (math.pi * f_end) ** (-8 / 3)
    tau = np.maximum(-t, 0) + tau_end  # until the frequency diverges
    phase = -2 * (tau / (5 * mass_seconds)) ** (5 / 8)
    amplitude = (tau / tau_end) ** (-1 / 4)  # f^(2/3) with f ~ tau^(-3/8)
    after = np.maximum(t, 0)
    phase = phase + 2 * math.pi * f_end * after
    amplitude = amplitude * np.exp(-math.pi * f_end / 2 * after)  # quality factor 2
    fade_in = np.clip((t + BEFORE / RATE) / 0.5, 0, 1)
    amplitude = amplitude * 0.5 * (1 - np.cos(math.pi * fade_in))
    return amplitude * np.cos(phase), amplitude * np.sin(phase)


def snr(h, scale=1.0):
    """Of a signal h in the noise of a detector, for the filter that knows it."""
    spectrum = np.fft.rfft(h, 8 * RATE) / RATE
    f = np.fft.rfftfreq(8 * RATE, 1 / RATE)
    return math.sqrt(4 * np.sum((np.abs(spectrum) / (asd_at(f) * scale))[1:-1] ** 2) / 8)


def sine_gaussian(t, frequency, quality, phase):
    return np.exp(-(math.pi * frequency * t / quality) ** 2) * np.sin(2 * math.pi * frequency * t + phase)


def random_chirp(rng):
    """A whitened chirp (2, BEFORE + AFTER) of network SNR 1, its merger in the first detector between the samples
    BEFORE - 1 and BEFORE."""
    mass = math.exp(rng.uniform(*np.log(CHIRP_MASSES)))
    time_of = (np.arange(BEFORE + AFTER) - BEFORE + rng.random()) / RATE
    delay = rng.uniform(-MAX_DELAY_SECONDS, MAX_DELAY_SECONDS)
    phase = rng.uniform(0, 2 * math.pi)
    strength = rng.uniform(0.5, 1.2)
    strain = []
    for detector in range(2):
        cos, sin = chirp(time_of - detector * delay, mass)
        # The arms point to nearly opposite directions: the second one sees the sign changed, with a little phase.
        angle = phase if detector == 0 else phase + math.pi + rng.uniform(-0.5, 0.5)
        strain.append((strength if detector else 1) * (math.cos(angle) * cos + math.sin(angle) * sin))
    strain = np.stack(strain)
    strain /= math.hypot(*(snr(h, scale) for h, scale in zip(strain, NOISE_SCALE)))
    return whiten(strain)


def random_glitch(rng):
    """A whitened sine-Gaussian of SNR 1 in one detector, 2048 samples: (detector, samples)."""
    t = (np.arange(RATE) - RATE // 2) / RATE
    detector = int(rng.integers(2))
    h = sine_gaussian(t, math.exp(rng.uniform(math.log(30), math.log(500))), rng.uniform(3, 20),
                      rng.uniform(0, 2 * math.pi))
    h = h / snr(h, NOISE_SCALE[detector])
    return detector, oaconvolve(h, whitening_filter()[detector], "same")


class Data:
    """Endless random windows of whitened strain, from stored noise, chirps and glitches."""

    def __init__(self, seed, minutes=60, chirps=2500, glitches=300):
        rng = np.random.default_rng([seed, 1])
        self.noise = np.concatenate([whiten(coloured_noise(rng, 64 * RATE)) for _ in range(minutes)], 1)
        self.noise = self.noise.astype(np.float32)
        self.chirps = np.stack([random_chirp(rng) for _ in range(chirps)]).astype(np.float32)
        self.glitches = [random_glitch(rng) for _ in range(glitches)]

    def window(self, rng, with_chirp, with_glitch):
        """(2, 2048) samples, and the score wanted and its weight for each sixteenth of a second."""
        x = np.stack([side[at:at + WINDOW] for side, at in
                      zip(self.noise, rng.integers(self.noise.shape[1] - WINDOW, size=2))])
        wanted, weight = np.zeros(SCORES, np.float32), np.ones(SCORES, np.float32)
        if with_glitch:
            detector, glitch = self.glitches[rng.integers(len(self.glitches))]
            place_into(x[detector], glitch * rng.uniform(5, 40), rng.integers(-WINDOW // 2, WINDOW // 2))
        if with_chirp:
            signal = self.chirps[rng.integers(len(self.chirps))] * rng.uniform(5, 22)
            merger = int(rng.integers(-WINDOW // 8, WINDOW + WINDOW // 2))
            for side, h in zip(x, signal):
                place_into(side, h, merger - BEFORE)
            block, place = divmod(merger, STRIDE)
            if 0 <= block < SCORES:
                wanted[block] = 1
            # A merger at the edge of a sixteenth may be seen in the one beside it.
            beside = block - 1 if place < STRIDE // 3 else block + 1 if place >= STRIDE - STRIDE // 3 else -1
            if 0 <= beside < SCORES:
                weight[beside] = 0
        return x, wanted, weight

    def batch(self, rng, count):
        chance = rng.random((count, 2))
        items = [self.window(rng, a < 0.6, b < 0.2) for a, b in chance]
        return tuple(torch.from_numpy(np.stack(side).astype(np.float32)) for side in zip(*items))


def place_into(x, h, at):
    """Adds h to x from x[at] on, as far as it lies within."""
    begin, end = max(at, 0), min(at + len(h), len(x))
    if begin < end:
        x[begin:end] += h[begin - at:end - at]


# -------------------------------------------------------------------------------------------------- the network

def build_network():
    """2048 samples of two detectors to 16 scores (log odds), one for each sixteenth of a second."""
    def layer(inputs, outputs, taps, stride=1, dilation=1):
        return [nn.Conv1d(inputs, outputs, taps, stride=stride, dilation=dilation,
                          padding=((taps - 1) * dilation + 1 - stride + 1) // 2),
                nn.GroupNorm(4, outputs), nn.SiLU()]

    return nn.Sequential(
        *layer(2, 16, 32, stride=4),
        *layer(16, 24, 8, stride=4),
        *layer(24, 32, 4, stride=2),
        *layer(32, 32, 5),
        *layer(32, 32, 5, dilation=2),
        *layer(32, 32, 5, dilation=4),
        *layer(32, 32, 5),
        nn.AdaptiveAvgPool1d(SCORES),
        nn.Conv1d(32, 1, 3, padding=1),
    )


def build_whitener():
    """The whitening filter as a depthwise convolution; its output belongs to the input in its middle."""
    conv = nn.Conv1d(2, 2, TAPS, padding=TAPS // 2, groups=2, bias=False)
    with torch.no_grad():
        conv.weight.copy_(torch.from_numpy(whitening_filter()[:, None]))
    return conv.requires_grad_(False)


def train(net, data, args):
    rng = np.random.default_rng([args.seed, 2])
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-3)
    net.train()
    start, running = time.time(), None
    for step in range(args.steps):
        rate = args.rate * min(1, (step + 1) / 100) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * step / args.steps)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        x, wanted, weight = data.batch(rng, args.batch)
        loss = functional.binary_cross_entropy_with_logits(net(x)[:, 0], wanted, weight)
        optimiser.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 1.0)
        optimiser.step()
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if (step + 1) % 100 == 0:
            print(f"{(time.time() - start) / 60:6.2f} min  step {step + 1:6d}  loss {running:7.4f}", flush=True)
    print(f"trained in {time.time() - start:.0f} s")


# -------------------------------------------------------------------------------------------------- measurement

@torch.no_grad()
def window_scores(net, whitened):
    """Scores (windows, 16) of the windows that end every 128 samples; before the signal there are zeros."""
    net.eval()
    x = torch.from_numpy(np.ascontiguousarray(whitened, np.float32))
    windows = functional.pad(x, (WINDOW - STRIDE, 0)).unfold(1, WINDOW, STRIDE).transpose(0, 1)
    return torch.cat([net(part)[:, 0] for part in windows.split(256)]).numpy()


def average(scores):
    """What the last windows say about the same sixteenth of a second, as OnlineAverager does it: score r is the mean of
    the entries SCORES - OFFSET - NUM_UPDATES + r - k of the windows k = r - NUM_UPDATES + 1 ... r, and about the
    sixteenth r - DELAY. What would be before the first window counts as 0."""
    first = SCORES - OFFSET - NUM_UPDATES
    padded = np.concatenate([np.zeros((NUM_UPDATES - 1, SCORES), scores.dtype), scores])
    return sum(padded[NUM_UPDATES - 1 - age:, first + age][:len(scores)] for age in range(NUM_UPDATES)) / NUM_UPDATES


def peaks(score, threshold):
    """Where the score is above the threshold and nowhere greater within a second: (score, block)."""
    found = []
    for r in np.flatnonzero(score > threshold):
        around = score[max(0, r - 16):r + 17]
        if score[r] == around.max() and (not found or r - found[-1][1] > 16):
            found.append((float(score[r]), int(r)))
    return found


SNR_LEVELS = (6, 8, 10, 12, 14, 16, 20)


def evaluate(net, args):
    """The threshold for one false alarm per hour of noise, and how many chirps of each SNR are above it."""
    rng = np.random.default_rng([args.seed, 3])
    piece = 1024  # seconds
    loudest = []
    for _ in range(math.ceil(args.hours * 3600 / piece)):
        score = average(window_scores(net, whiten(coloured_noise(rng, piece * RATE))))
        loudest += [value for value, _ in peaks(score, -20)]
    loudest.sort(reverse=True)
    hours = math.ceil(args.hours * 3600 / piece) * piece / 3600
    threshold = math.ceil(100 * loudest[round(hours)]) / 100

    # A chirp in every 6 s. Seen: the score is above the threshold within a sixteenth of a second of the merger.
    efficiency = {}
    for level in SNR_LEVELS:
        x = whiten(coloured_noise(rng, args.chirps * 6 * RATE))
        mergers = []
        for i in range(args.chirps):
            mergers.append(i * 6 * RATE + BEFORE + RATE // 2 + int(rng.integers(RATE // 2)))
            for side, h in zip(x, random_chirp(rng)):
                place_into(side, h * level, mergers[-1] - BEFORE)
        seen = np.array([r - DELAY for _, r in peaks(average(window_scores(net, x)), threshold)])
        hits = [np.any(np.abs((seen + 0.5) * STRIDE - merger) <= STRIDE) for merger in mergers]
        efficiency[str(level)] = round(float(np.mean(hits)), 3)

    # A glitch in every 4 s.
    x = whiten(coloured_noise(rng, 1024 * RATE))
    for i in range(256):
        detector, glitch = random_glitch(rng)
        place_into(x[detector], glitch * rng.uniform(5, 40), i * 4 * RATE + RATE)
    alarms = peaks(average(window_scores(net, x)), threshold)
    return {"hours_of_noise": round(hours, 2), "loudest_of_noise": round(loudest[0], 2), "threshold": threshold,
            "efficiency_by_snr": efficiency, "alarms_of_256_glitches": len(alarms)}


# ------------------------------------------------------------------------------------------------------- export

def export_detector(net, path, metadata):
    """Whitener, windows, network and averager in one model file."""
    detector = nn.Sequential(build_whitener(), Windowed(net, WINDOW, STRIDE, padding=(WINDOW - STRIDE, 0)),
                             OnlineAverager(update_size=1, num_updates=NUM_UPDATES, num_channels=1, offset=OFFSET))
    export(detector.eval(), path, metadata=metadata)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", default=os.path.join(HERE, "detector.safetensors"), help="the exported model file")
    parser.add_argument("--checkpoint", default=os.path.join(HERE, "cache", "checkpoint.pt"))
    parser.add_argument("--steps", type=int, default=10000, help="of training (default 10000)")
    parser.add_argument("--batch", type=int, default=64, help="windows per step (default 64)")
    parser.add_argument("--rate", type=float, default=3e-3, help="peak learning rate (default 3e-3)")
    parser.add_argument("--seed", type=int, default=1, help="of the data, the first weights and the order")
    parser.add_argument("--hours", type=float, default=8, help="of noise for the false alarms (default 8)")
    parser.add_argument("--chirps", type=int, default=400, help="of each SNR for the efficiency (default 400)")
    parser.add_argument("--evaluate", action="store_true", help="no training: measure and export the checkpoint")
    args = parser.parse_args()
    os.makedirs(os.path.dirname(args.checkpoint), exist_ok=True)

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    net = build_network()
    if args.evaluate:
        net.load_state_dict(torch.load(args.checkpoint))
    else:
        start = time.time()
        data = Data(args.seed)
        print(f"data in {time.time() - start:.0f} s, standard deviation of whitened noise {data.noise.std():.3f}",
              flush=True)
        train(net, data, args)
        torch.save(net.state_dict(), args.checkpoint)
    report = evaluate(net, args)
    report["parameters"] = sum(p.numel() for p in net.parameters())
    print(json.dumps(report, indent=1))
    export_detector(net, args.out, {
        "name": "chirp detector", "sample_rate_hz": str(RATE), "strain_unit": "1e-21",
        "noise_asd": " ".join(f"{a:g}" for a in ASD), "noise_scale": " ".join(map(str, NOISE_SCALE)),
        "threshold": str(report["threshold"]), "score_delay": str(DELAY)})


if __name__ == "__main__":
    main()
