#!/usr/bin/env python3
"""Trains the causal speech denoiser of this folder (16 kHz, mono) and exports it for eigenstream.

Everything it learns from is made here: speech by espeak-ng from sentences that are put together from the
word lists below, noises by the generators below.  Nothing is downloaded.  Needs torch, numpy and espeak-ng.

    train.py --synth-only          fills the cache folder (a few minutes)
    train.py --minutes 48          synthesises what is missing, trains, evaluates, exports
    train.py --evaluate            measures and exports the last checkpoint, without training

How the test recording is kept apart from the training data:
  * speaker: the dialects VALIDATION_DIALECT and TEST_DIALECT and the voice variants VALIDATION_VARIANTS and
    TEST_VARIANT are used nowhere in training;
  * text: TEST_TEXT was written by hand and shares no sentence with the generator below;
  * noise: its random generator is seeded on its own, and its mix (fan, hum, crackle and two talkers, all with
    parameters of their own) is put together by a function that training does not call.
"""
import argparse
import json
import math
import os
import subprocess
import sys
import tempfile
import time
import wave

import numpy as np
import torch
from torch import nn

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "..", "..", "python"))
from eigenstream_export import Residual, export  # noqa: E402

RATE = 16000
STRIDE = 32          # samples per frame of the network: 2 ms
ENCODER_TAPS = 128   # the encoder looks back; it never sees beyond its frame
DECODER_TAPS = 96    # each output sample is the sum of three frames
CHANNELS = 96
HIDDEN = 40
DILATIONS = (1, 3, 9, 27, 81, 1, 3, 9)
HEAD = 96


# ---------------------------------------------------------------------------------------------- the network

def block(dilation):
    """A gated, dilated, causal convolution and the way back to the trunk's channels."""
    return Residual(nn.Sequential(
        nn.ConstantPad1d((2 * dilation, 0), 0.0),
        nn.Conv1d(CHANNELS, 2 * HIDDEN, 3, dilation=dilation, bias=False),
        nn.BatchNorm1d(2 * HIDDEN),
        nn.GLU(dim=1),
        nn.Conv1d(HIDDEN, CHANNELS, 1),
    ))


def build_network():
    """Frame t sees the samples up to 32 t + 31 and writes to the samples 32 t - 32 ... 32 t + 63, so a sample
    is finished at most 63 samples (3.94 ms) after it came in.  n * 32 samples in give n * 32 samples out."""
    net = nn.Sequential(
        nn.ConstantPad1d((ENCODER_TAPS - STRIDE, 0), 0.0),
        nn.Conv1d(1, CHANNELS, ENCODER_TAPS, stride=STRIDE),
        *[block(d) for d in DILATIONS],
        nn.Conv1d(CHANNELS, 2 * HEAD, 1),
        nn.GLU(dim=1),
        nn.ConvTranspose1d(HEAD, 1, DECODER_TAPS, stride=STRIDE, padding=(DECODER_TAPS - STRIDE) // 2),
    )
    start_as_filter_bank(net)
    return net


@torch.no_grad()
def start_as_filter_bank(net):
    """Sets the first weights so that the untrained network hands its input through: 64 of the channels are a
    windowed real Fourier transform of the last 64 samples and its inverse, the blocks add nothing yet, the gates
    are half open.  Training is free to leave this, but need not find out first how to rebuild a waveform."""
    taps = 2 * STRIDE
    t = torch.arange(taps) + 0.5
    k = torch.arange(taps // 2 + 1)[:, None]
    angle = 2 * math.pi * k * t / taps
    basis = torch.cat([angle.cos(), angle.sin()])
    basis = basis[basis.norm(dim=1) > 1e-2]  # all but the two that vanish: 64 orthogonal rows
    basis = basis / basis.norm(dim=1, keepdim=True) * torch.sin(math.pi * t / taps)
    encoder, head, decoder, rows = net[1], net[-3], net[-1], taps
    assert basis.shape == (rows, taps)
    scale = 4.0
    encoder.weight.mul_(scale)
    encoder.bias.zero_()
    encoder.weight[:rows] = 0
    encoder.weight[:rows, 0, -taps:] = scale * basis
    for residual in net[2:-3]:
        residual.net[-1].weight.mul_(0.1)
        residual.net[-1].bias.zero_()
    head.weight[:rows] = 0
    head.weight[:rows, :rows, 0] = torch.eye(rows) / scale
    head.weight[HEAD:].mul_(0.3)
    head.bias.zero_()
    decoder.weight.zero_()
    decoder.weight[:rows, 0, :taps] = 2 * basis
    decoder.bias.zero_()


def macs_per_second(net):
    frames = RATE / STRIDE  # every layer, the transposed one included, does all its weights once per frame
    return frames * sum(m.weight.numel() for m in net.modules() if isinstance(m, (nn.Conv1d, nn.ConvTranspose1d)))


# --------------------------------------------------------------------------------------------------- speech

TRAIN_DIALECTS = ["en-us", "en-gb", "en-gb-x-rp", "en-gb-x-gbcwmd", "en-029", "en-us-nyc", "de", "nl", "sv", "it",
                  "es", "pl", "fr", "fi"]
TRAIN_VARIANTS = ["m1", "m2", "m3", "m4", "m5", "m6", "m7", "m8", "f1", "f2", "f3", "f5", "adam", "Alex", "Alicia",
                  "Andy", "Annie", "belinda", "benjamin", "boris", "caleb", "david", "ed", "edward", "Gene",
                  "Henrique", "Hugo", "Jacky", "john", "Lee", "marcelo", "Mario", "max", "miguel", "Mike", "pablo",
                  "paul", "pedro", "quincy", "rob", "robert", "sandro", "shelby", "steph", "travis", "victor",
                  "zac", "grandma", "grandpa", "klatt", "klatt2", "klatt3", "klatt4"]
VALIDATION_DIALECT, VALIDATION_VARIANTS = "en-gb-scotland", ["Michael", "Andrea", "f4", "Diogo"]
TEST_DIALECT, TEST_VARIANT = "en-gb-x-gbclan", "linda"


def phrases(text):
    return text.replace("\n", "|").split("|")


PEOPLE = phrases("""\
the baker|my neighbour|our teacher|a young doctor|the old sailor|her cousin|the gardener|every visitor
a quiet student|his grandmother|the postman|two engineers|the mayor|some children|the night guard|a painter
the bus driver|their uncle|the librarian|a farmer|the shop owner|everybody|nobody here|the choir""")
VERBS = phrases("""\
carried|found|painted|forgot|repaired|borrowed|sold|watched|described|measured|photographed|opened|washed
threw away|counted|hid|picked up|looked for|talked about|wrapped|pushed|lifted|weighed|recognised|dropped|bought
collected|admired""")
THINGS = phrases("""\
a wooden box|the yellow umbrella|seven apples|an empty bottle|the broken clock|three heavy books|a bicycle
the kitchen table|some fresh bread|a pair of shoes|the garden gate|an orange jacket|the church bell|a silver spoon
two tickets|a jar of honey|the wrong letter|a sack of potatoes|his favourite cup|the spare key|a map of the valley
an old radio|the fishing boat|a bunch of flowers|eleven pencils|the thick blanket|a ginger cat|some joy and hope
the judge's chair|a huge fish|the vision|a zoo of strange creatures""")
PLACES = phrases("""\
behind the house|near the bridge|in the cellar|on the second floor|at the market|under the stairs
by the river|across the street|in the middle of the forest|at the railway station|outside the museum|on the beach
beside the fountain|in front of the theatre|along the coast|in a small village|between two hills|at school
on top of the tower|over there""")
TIMES = phrases("""\
yesterday|on Monday|last winter|before breakfast|in the evening|at half past nine|twice a week|for a month
without a word|all of a sudden|early in June|as usual|after the storm|while it rained|for no reason|again and again
very slowly|with great care""")
OPENINGS = phrases("""\
I think that|they say|it is true that|we heard that|did you know that|perhaps|as far as I know
she wrote that|the paper says|once upon a time|of course|to be honest|if I remember well|""")

TEST_TEXT = ("Welcome aboard this ferry. Please keep your luggage away from the doors. "
             "Hot soup, sandwiches and cold drinks are served upstairs until eight fifteen. "
             "The crossing takes roughly ninety minutes, and the sea should stay calm.")


def sentence(rng):
    def pick(words):
        return words[rng.integers(len(words))].strip()
    kind = rng.integers(5)
    if kind == 0:
        text = f"{pick(OPENINGS)} {pick(PEOPLE)} {pick(VERBS)} {pick(THINGS)} {pick(PLACES)} {pick(TIMES)}"
    elif kind == 1:
        text = (f"{pick(TIMES)}, {pick(PEOPLE)} {pick(VERBS)} {pick(THINGS)}, "
                f"and {pick(PEOPLE)} {pick(VERBS)} {pick(THINGS)}")
    elif kind == 2:
        text = f"{pick(PLACES)}, {pick(PEOPLE)} {pick(VERBS)} {pick(THINGS)}"
    elif kind == 3:
        text = f"why has {pick(PEOPLE)} {pick(VERBS)} {pick(THINGS)} {pick(TIMES)}?"
    else:
        text = f"number {rng.integers(1, 9999)}: {pick(THINGS)}, {pick(THINGS)} and {pick(THINGS)}"
    return text + "."


def speak(voice, text, speed, pitch):
    """One utterance as float32 at RATE, its level normalised to an RMS of 0.1 over the loud parts."""
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, "speech.wav")
        subprocess.run(["espeak-ng", "-v", voice, "-s", str(speed), "-p", str(pitch), "-w", path, text],
                       check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        with wave.open(path) as f:
            source, data = f.getframerate(), f.readframes(f.getnframes())
    x = np.frombuffer(data, "<i2").astype(np.float32) / 32768
    return level(resample(x, source, RATE))


def resample(x, source, target):
    """Band-limited, through the spectrum of the whole signal."""
    if source == target:
        return x
    unit = source // math.gcd(source, target)
    x = np.pad(x, (0, -len(x) % unit + unit))
    length = len(x) // unit * (target // math.gcd(source, target))
    spectrum = np.fft.rfft(x)[:length // 2 + 1]
    return (np.fft.irfft(spectrum, length) * (length / len(x))).astype(np.float32)


def level(x, rms=0.1):
    frames = x[:len(x) // 320 * 320].reshape(-1, 320)
    power = np.mean(frames ** 2, axis=1)
    loud = power[power > 0.01 * power.max()] if power.size and power.max() > 0 else np.ones(1)
    return (x * (rms / np.sqrt(loud.mean()))).astype(np.float32)


def filtered(x, gain_db_at, rng_points):
    """Applies a smooth gain curve over frequency (in dB at the given points) with zero phase."""
    spectrum = np.fft.rfft(x, len(x) + 1024)
    f = np.fft.rfftfreq(len(x) + 1024, 1 / RATE)
    gain = 10 ** (np.interp(np.log2(f + 30), np.log2(np.asarray(rng_points) + 30), gain_db_at) / 20)
    return np.fft.irfft(spectrum * gain)[:len(x)].astype(np.float32)


def equalised(x, rng, strength=4.0):
    points = [0, 100, 300, 800, 2000, 4000, 8000]
    return filtered(x, rng.uniform(-strength, strength, len(points)), points)


def reverberated(x, rng):
    """A small room: the direct sound and a decaying noise tail.  The tail belongs to the clean signal."""
    n = int(RATE * rng.uniform(0.05, 0.25))
    tail = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n) * rng.uniform(0.01, 0.06)
    tail[0] = 1
    size = 1 << (len(x) + n - 1).bit_length()
    return np.fft.irfft(np.fft.rfft(x, size) * np.fft.rfft(tail, size))[:len(x)].astype(np.float32)


def speech_stream(rng, seconds, voices):
    """Utterances of many speakers with random pauses between them, one after another."""
    parts, total = [], 0
    while total < seconds * RATE:
        voice = voices(rng)
        text = " ".join(sentence(rng) for _ in range(rng.integers(1, 4)))
        x = speak(voice, text, int(rng.integers(120, 230)), int(rng.integers(15, 85)))
        if rng.random() < 0.7:
            x = equalised(x, rng)
        if rng.random() < 0.35:
            x = reverberated(x, rng)
        x = np.concatenate([level(x), np.zeros(int(RATE * rng.uniform(0, 0.8)), np.float32)])
        parts.append(x)
        total += len(x)
    return np.concatenate(parts)


def train_voice(rng):
    dialects = TRAIN_DIALECTS if rng.random() < 0.3 else TRAIN_DIALECTS[:6]
    return f"{dialects[rng.integers(len(dialects))]}+{TRAIN_VARIANTS[rng.integers(len(TRAIN_VARIANTS))]}"


def validation_voice(rng):
    return f"{VALIDATION_DIALECT}+{VALIDATION_VARIANTS[rng.integers(len(VALIDATION_VARIANTS))]}"


# --------------------------------------------------------------------------------------------------- noises
# Each generator takes a random generator and a length and returns float64 samples of any level.

def coloured(rng, n, slope=None):
    """Noise whose power falls with f^-slope: 0 white, 1 pink, 2 brown."""
    slope = rng.choice([0.0, 1.0, 2.0, rng.uniform(0, 2)]) if slope is None else slope
    f = np.fft.rfftfreq(n, 1 / RATE)
    return np.fft.irfft(np.fft.rfft(rng.standard_normal(n)) * np.maximum(f, 40.0) ** (-slope / 2), n)


def shaped(rng, n):
    return equalised(coloured(rng, n, rng.uniform(0.3, 1.5)), rng, 12.0)


def hum(rng, n, base=None):
    base = rng.uniform(45, 130) if base is None else base
    t = np.arange(n) / RATE
    wobble = 1 + 0.003 * np.sin(2 * np.pi * rng.uniform(0.05, 0.5) * t + rng.uniform(0, 6))
    phase = 2 * np.pi * np.cumsum(base * wobble) / RATE
    decay = rng.uniform(0.7, 0.97)
    x = sum(decay ** k * rng.uniform(0.1, 1) * np.sin(k * phase + rng.uniform(0, 6))
            for k in range(1, rng.integers(6, 40)))
    return x + coloured(rng, n, 1.0) * rng.uniform(0, 0.3)


def fan(rng, n):
    t = np.arange(n) / RATE
    rate, depth = rng.uniform(2, 30), rng.uniform(0.1, 0.8)
    x = shaped(rng, n)
    x = x / np.std(x) * (1 + depth * np.sin(2 * np.pi * rate * t + rng.uniform(0, 6)))
    return x + rng.uniform(0, 0.5) * np.sin(2 * np.pi * rng.uniform(60, 400) * t)


def gusts(rng, n):
    """Noise that swells and fades at random."""
    knots = max(4, int(n / RATE * rng.uniform(1, 6)))
    envelope = np.interp(np.linspace(0, knots - 1, n), np.arange(knots), rng.uniform(0, 1, knots) ** 2)
    return coloured(rng, n, rng.uniform(0.5, 2)) * (0.05 + envelope)


def crackle(rng, n, rate=None):
    """Clicks: short decaying resonances at random times, over a quiet hiss."""
    size = 400
    t = np.arange(size)
    x = np.zeros(n + size)
    for _ in range(rng.poisson((rng.uniform(3, 60) if rate is None else rate) * n / RATE)):
        at = rng.integers(n)
        x[at:at + size] += (rng.exponential() * np.exp(-t / rng.uniform(3, 80))
                            * np.cos(rng.uniform(0.05, 2.8) * t + rng.uniform(0, 6)))
    return x[:n] + 0.02 * coloured(rng, n)


def chirps(rng, n):
    t = np.arange(n) / RATE
    low, high, period = rng.uniform(200, 1500), rng.uniform(600, 6000), rng.uniform(0.15, 2)
    where = (t / period) % 1
    sweep = low + (high - low) * where if rng.random() < 0.6 else np.full(n, high)
    on = np.clip(10 * np.minimum(where, rng.uniform(0.3, 1) - where), 0, 1)
    return on * np.sin(2 * np.pi * np.cumsum(sweep) / RATE) + 0.02 * rng.standard_normal(n)


def babble(rng, n, talk):
    x = np.zeros(n)
    for _ in range(rng.integers(3, 8)):
        at = rng.integers(len(talk) - n)
        x += rng.uniform(0.3, 1) * talk[at:at + n]
    return x


KINDS = {"coloured": coloured, "shaped": shaped, "hum": hum, "fan": fan, "gusts": gusts, "crackle": crackle,
         "chirps": chirps}


def unit(x):
    return x / (np.sqrt(np.mean(x ** 2)) + 1e-9)


def noise_clip(rng, n, talk):
    """One or two kinds together, at RMS 0.1."""
    names = list(KINDS) + ["babble"]
    weights = np.array([4, 3, 2, 3, 2, 2, 1, 1.5])
    chosen = rng.choice(names, size=rng.integers(1, 3), replace=False, p=weights / weights.sum())
    x = np.zeros(n)
    for i, name in enumerate(chosen):
        part = babble(rng, n, talk) if name == "babble" else KINDS[name](rng, n)
        x += unit(part) * (1 if i == 0 else rng.uniform(0.2, 1))
    return (0.1 * unit(x)).astype(np.float32)


# ----------------------------------------------------------------------------------------- the training data

def cached(path, make):
    """16-bit samples in a .npy file, made once."""
    if not os.path.exists(path):
        start = time.time()
        x = make()
        np.save(path, np.clip(np.round(x * 16384), -32768, 32767).astype(np.int16))
        print(f"{path}: {len(x) / RATE / 60:.1f} min of sound in {time.time() - start:.0f} s", flush=True)
    return np.load(path, mmap_mode="r")


def crop(x, at, n):
    return x[at:at + n].astype(np.float32) / 16384


class Data:
    """Endless random mixtures, from the cached speech and noise."""

    def __init__(self, folder, seed, minutes):
        os.makedirs(folder, exist_ok=True)
        clip = 5 * RATE

        def stream(i, length, voices):
            return lambda: speech_stream(np.random.default_rng([seed, i]), length * 60, voices)

        def noises(i, count, talk):
            rng = np.random.default_rng([seed, i])
            return lambda: np.concatenate([noise_clip(rng, clip, talk / 16384) for _ in range(count)])

        self.speech = cached(f"{folder}/speech-{seed}-{minutes}.npy", stream(1, minutes, train_voice))
        talk = cached(f"{folder}/babble-{seed}.npy", stream(2, 6, train_voice))
        self.noise = cached(f"{folder}/noise-{seed}-{minutes}.npy", noises(3, minutes * 12, talk))
        self.held_speech = cached(f"{folder}/held-speech-{seed}.npy", stream(4, 5, validation_voice))
        held_talk = cached(f"{folder}/held-babble-{seed}.npy", stream(5, 3, validation_voice))
        self.held_noise = cached(f"{folder}/held-noise-{seed}.npy", noises(6, 60, held_talk))
        self.clip = clip

    def mixture(self, rng, n, held=False, snr=None):
        speech, noise = (self.held_speech, self.held_noise) if held else (self.speech, self.noise)
        while True:  # not a crop that is mostly a pause
            s = crop(speech, rng.integers(len(speech) - n), n)
            if np.mean(s ** 2) > 0.1 ** 2 * 0.2:
                break
        at = rng.integers(len(noise) // self.clip) * self.clip + rng.integers(self.clip - n + 1)
        v = crop(noise, at, n)
        if not held and rng.random() < 0.3:  # a second clip joins
            at = rng.integers(len(noise) // self.clip) * self.clip + rng.integers(self.clip - n + 1)
            v = v + rng.uniform(0.1, 1) * crop(noise, at, n)
        if not held and rng.random() < 0.1:  # the noise begins or ends within the crop
            edge = rng.integers(n // 4, 3 * n // 4)
            v[:edge] *= rng.uniform(0, 0.3)
        snr = rng.uniform(-5, 15) if snr is None else snr
        v = v * np.sqrt(np.mean(s ** 2) / (np.mean(v ** 2) + 1e-9)) * 10 ** (-snr / 20)
        gain = 10 ** (rng.uniform(-14, 6) / 20) * (1 if held else rng.choice([-1, 1]))
        gain = gain * min(1, 0.98 / np.max(np.abs(gain * (s + v))))
        return gain * (s + v), gain * s

    def batch(self, rng, count, n, **options):
        pairs = [self.mixture(rng, n, **options) for _ in range(count)]
        return tuple(torch.from_numpy(np.stack(side).astype(np.float32))[:, None] for side in zip(*pairs))


# ----------------------------------------------------------------------------------------------- measurement

def si_sdr(estimate, reference):
    """Scale-invariant signal-to-distortion ratio in dB over the common length (no mean is taken off)."""
    n = min(len(estimate), len(reference))
    e, r = np.asarray(estimate[:n], np.float64), np.asarray(reference[:n], np.float64)
    target = r * (e @ r) / (r @ r)
    return 10 * np.log10((target @ target) / ((e - target) @ (e - target)))


def denoise(net, x):
    net.eval()
    with torch.no_grad():
        return net(torch.from_numpy(np.ascontiguousarray(x, np.float32))[None, None])[0, 0].numpy()


def validate(net, data):
    """Mean SI-SDR before and after over 40 held-out mixtures at 0 to 5 dB."""
    rng = np.random.default_rng(77)
    before, after = [], []
    for _ in range(40):
        x, s = data.mixture(rng, 4 * RATE, held=True, snr=rng.uniform(0, 5))
        before.append(si_sdr(x, s))
        after.append(si_sdr(denoise(net, x), s))
    return float(np.mean(before)), float(np.mean(after))


def write_wav(path, x):
    with wave.open(path, "wb") as f:
        f.setnchannels(1)
        f.setsampwidth(2)
        f.setframerate(RATE)
        f.writeframes(np.clip(np.round(x * 32768), -32768, 32767).astype("<i2").tobytes())


def read_wav(path):
    with wave.open(path) as f:
        return np.frombuffer(f.readframes(f.getnframes()), "<i2").astype(np.float32) / 32768


def make_test_recording():
    """The recording noisy.wav and its clean reference clean.wav: see the head of this file."""
    rng = np.random.default_rng(20_240_131)
    s = speak(f"{TEST_DIALECT}+{TEST_VARIANT}", TEST_TEXT, 170, 52)
    s = np.concatenate([np.zeros(RATE // 2, np.float32), s, np.zeros(RATE // 3, np.float32)])
    n = len(s)
    n -= (n - 13) % STRIDE  # 13 samples more than a multiple of the stride: the tail is a case of its own
    s = s[:n]
    t = np.arange(n) / RATE
    blades = 1 + 0.35 * np.sin(2 * np.pi * 11.3 * t) + 0.1 * np.sin(2 * np.pi * 0.4 * t)
    talkers = [speak(f"{TEST_DIALECT}+{v}", " ".join(sentence(rng) for _ in range(9)), 170, 40)
               for v in VALIDATION_VARIANTS[:2]]
    v = (unit(coloured(rng, n, 0.8) * blades) + 0.45 * unit(hum(rng, n, base=58.3))
         + 0.35 * unit(crackle(rng, n, rate=9)) + 0.25 * unit(sum(np.resize(x, n) for x in talkers)))
    v *= np.sqrt(np.mean(s ** 2) / np.mean(v ** 2)) * 10 ** (-2.0 / 20)
    gain = 0.7 / np.max(np.abs(s + v))
    write_wav(os.path.join(HERE, "noisy.wav"), gain * (s + v))
    write_wav(os.path.join(HERE, "clean.wav"), gain * s)


# -------------------------------------------------------------------------------------------------- training

def loss_function(estimate, reference):
    """Negative SI-SDR, the same with the scale counted, and a small distance of compressed spectrograms."""
    e, r = estimate[:, 0], reference[:, 0]
    energy = (r * r).sum(1, keepdim=True)
    target = r * (e * r).sum(1, keepdim=True) / energy
    floor = 1e-3 * energy[:, 0]  # no reward beyond 30 dB
    si = 10 * torch.log10(((e - target) ** 2).sum(1) / ((target ** 2).sum(1) + 1e-6 * energy[:, 0]) + 1e-3)
    plain = 10 * torch.log10((((e - r) ** 2).sum(1) + floor) / energy[:, 0])
    spectral = 0.0
    scale = (energy / r.shape[1]).sqrt()
    for size in (256, 1024):
        window = torch.hann_window(size)
        a, b = (torch.stft(x / scale, size, size // 4, window=window, return_complex=True) for x in (e, r))
        spectral = spectral + ((a.abs() + 1e-3) ** 0.5 - (b.abs() + 1e-3) ** 0.5).abs().mean()
    return (0.5 * si + 0.5 * plain).mean() + spectral


def train(net, data, args):
    rng = np.random.default_rng([args.seed, 9])
    optimiser = torch.optim.AdamW(net.parameters(), lr=args.rate, weight_decay=1e-4)
    n = int(1.5 * RATE) // STRIDE * STRIDE
    start, step, running, last_save, last_check = time.time(), 0, None, time.time(), time.time()
    while True:
        progress = (time.time() - start) / (60 * args.minutes)
        if args.steps:
            progress = max(progress, step / args.steps)
        if progress >= 1:
            break
        # warm up, then down a cosine; by the clock, unless --steps comes first
        rate = args.rate * min(1, (step + 1) / 200) * (0.01 + 0.99 * 0.5 * (1 + math.cos(math.pi * progress)))
        for group in optimiser.param_groups:
            group["lr"] = rate
        net.train()
        x, s = data.batch(rng, args.batch, n)
        optimiser.zero_grad()
        loss = loss_function(net(x), s)
        loss.backward()
        nn.utils.clip_grad_norm_(net.parameters(), 5.0)
        optimiser.step()
        step += 1
        running = loss.item() if running is None else 0.98 * running + 0.02 * loss.item()
        if step % 100 == 0:
            minutes = (time.time() - start) / 60
            print(f"{minutes:6.2f} min  step {step:6d}  loss {running:7.3f}  rate {rate:.2e}", flush=True)
        if time.time() - last_save > 60:
            torch.save({"net": net.state_dict(), "step": step}, args.checkpoint)
            last_save = time.time()
        if time.time() - last_check > 300:
            print("validation SI-SDR  %.2f dB -> %.2f dB" % validate(net, data), flush=True)
            last_check = time.time()
    torch.save({"net": net.state_dict(), "step": step}, args.checkpoint)
    print(f"{step} steps in {(time.time() - start) / 60:.1f} min")


def finish(net, data, args):
    noisy, clean = read_wav(os.path.join(HERE, "noisy.wav")), read_wav(os.path.join(HERE, "clean.wav"))
    output = denoise(net, noisy)
    n = len(output)
    before, after = si_sdr(noisy[:n], clean), si_sdr(output, clean)
    held = validate(net, data)
    report = {
        "parameters": sum(p.numel() for p in net.parameters()),
        "million_macs_per_second": round(macs_per_second(net) / 1e6, 1),
        "test_samples_in_out": [len(noisy), n],
        "test_si_sdr_db_in_out": [round(before, 4), round(after, 4)],
        "held_out_mixtures_si_sdr_db_in_out": [round(x, 2) for x in held],
    }
    print(json.dumps(report, indent=1))
    export(net, args.out, metadata={
        "name": "denoiser", "sample_rate_hz": str(RATE), "stride_samples": str(STRIDE),
        "latency_samples": str(DECODER_TAPS - STRIDE - 1),
        "test_si_sdr_in_db": f"{before:.4f}", "test_si_sdr_out_db": f"{after:.4f}"})


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", default=os.path.join(HERE, "cache"),
                        help="folder for synthesised data and checkpoints")
    parser.add_argument("--out", default=os.path.join(HERE, "denoiser.safetensors"), help="the exported model file")
    parser.add_argument("--minutes", type=float, default=48,
                        help="training time; the learning rate follows it (default 48)")
    parser.add_argument("--steps", type=int, default=0, help="stop after so many steps even if there is time left")
    parser.add_argument("--seed", type=int, default=1, help="of the data, the initial weights and the order")
    parser.add_argument("--batch", type=int, default=16,
                        help="crops of 1.5 s per step (default 16; torch may be slow below)")
    parser.add_argument("--rate", type=float, default=2e-3, help="peak learning rate (default 2e-3)")
    parser.add_argument("--speech-minutes", type=int, default=120,
                        help="how much speech, and noise, to synthesise (default 120)")
    parser.add_argument("--synth-only", action="store_true", help="make the data and the test recording, then stop")
    parser.add_argument("--evaluate", action="store_true", help="no training: measure and export the checkpoint")
    args = parser.parse_args()
    args.checkpoint = os.path.join(args.cache, "checkpoint.pt")

    torch.set_num_threads(1)
    torch.manual_seed(args.seed)
    if not args.evaluate:
        make_test_recording()
    data = Data(args.cache, args.seed, args.speech_minutes)
    if args.synth_only:
        return
    net = build_network()
    if args.evaluate:
        net.load_state_dict(torch.load(args.checkpoint)["net"])
    else:
        train(net, data, args)
    finish(net, data, args)


if __name__ == "__main__":
    main()
