#!/usr/bin/env python3
"""Writes tests/import/onnx/*.onnx, small networks with random weights, and onnx.safetensors: what torch makes of a signal that is
given to each of them call by call. Needs python3-torch and python3-onnx; a second run writes the same files.

    make_onnx.py [--check]     compare with what is there instead
"""

import io
import json
import struct
import sys
from pathlib import Path

import numpy as np

try:
    import onnx
    import torch
except ImportError:
    print("skipped: this Python has no torch or no onnx")
    sys.exit(77)  # CTest counts it as skipped

from torch import nn
from torch.nn import functional as F

HERE = Path(__file__).resolve().parent
CASES = {}


def case(**options):
    """A network of one call: `inputs` are shapes, the signal first, then states; it gives the output, then the states."""

    def keep(cls):
        CASES[cls.__name__] = (cls, options)
        return cls

    return keep


@case(inputs=[(1, 3, 1), (1, 3, 8)])
class CachedConv(nn.Module):
    """A dilated convolution over what is kept of earlier frames, a skip around it."""

    def __init__(self):
        super().__init__()
        self.conv, self.gate = nn.Conv1d(3, 4, 3, dilation=4), nn.Conv1d(4, 3, 1)

    def forward(self, x, cache):
        seen = torch.cat([cache, x], 2)
        return x + self.gate(torch.tanh(self.conv(seen))), seen[:, :, 1:]


@case(inputs=[(1, 2, 1, 9), (2, 1, 6, 4, 9)])
class CachedConv2d(nn.Module):
    """Two dilated convolutions over time and frequency, whose caches lie in one tensor and are written back in place."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv2d(2, 6, (1, 3), padding=(0, 1))
        self.convs = nn.ModuleList([nn.Conv2d(6, 6, 3, dilation=(d, 1), padding=(0, 1), groups=g) for d, g in ((1, 6), (2, 2))])
        self.slope = nn.PReLU()

    def forward(self, x, cache):
        cache = cache.clone()
        x = self.slope(self.first(x))
        for k, conv in enumerate(self.convs):
            past = 2 * (k + 1)
            seen = torch.cat([cache[k][:, :, 4 - past :], x], 2)
            cache[k][:, :, 4 - past :] = seen[:, :, 1:]
            x = F.elu(conv(seen)) + x
        return x, cache


@case(inputs=[(1, 4, 1, 5), (1, 4, 2, 5)])
class CachedTransposed(nn.Module):
    """Transposed convolutions: causal over time, and twice as many bins."""

    def __init__(self):
        super().__init__()
        self.time = nn.ConvTranspose2d(4, 4, (3, 3), padding=(2, 1), groups=2)
        self.bins = nn.ConvTranspose2d(4, 2, (1, 5), stride=(1, 2), padding=(0, 2), output_padding=(0, 1))
        self.norm = nn.BatchNorm2d(2)
        self.norm.running_mean.uniform_(-1, 1), self.norm.running_var.uniform_(0.5, 2)
        self.slopes = nn.PReLU(2)

    def forward(self, x, cache):
        seen = torch.cat([cache, x], 2)
        return self.slopes(self.norm(self.bins(self.time(seen)))), seen[:, :, 1:]


@case(inputs=[(1, 1, 5), (1, 1, 6), (2, 1, 7), (2, 1, 7)])
class Recurrent(nn.Module):
    """A GRU and two LSTMs, one frame a call."""

    def __init__(self):
        super().__init__()
        self.gru, self.lstm, self.out = nn.GRU(5, 6), nn.LSTM(6, 7, num_layers=2), nn.Linear(7, 3)

    def forward(self, x, g, h, c):
        x, g = self.gru(x, g)
        x, (h, c) = self.lstm(x, (h, c))
        return torch.sigmoid(self.out(x)), g, h, c


@case(inputs=[(1, 4, 1, 6), (1, 6, 5)])
class GrusOfBins(nn.Module):
    """A GRU in both directions over the bins of a frame, then one over time for each bin."""

    def __init__(self):
        super().__init__()
        self.inside, self.over = nn.GRU(4, 3, bidirectional=True, batch_first=True), nn.GRU(6, 5, batch_first=True)
        self.norm = nn.LayerNorm((6, 6), eps=1e-8)
        self.norm.weight.data.uniform_(0.5, 1.5), self.norm.bias.data.uniform_(-1, 1)

    def forward(self, x, h):
        x = x.permute(0, 2, 3, 1).reshape(1, 6, 4)
        x = self.norm(self.inside(x)[0])
        x, h = self.over(x.reshape(6, 1, 6), h)
        return x.reshape(1, 1, 6, 5).permute(0, 3, 1, 2), h


@case(inputs=[(1, 5), (1, 6), (1, 6)])
class WrittenCell(nn.Module):
    """An LSTM cell that is written out, with a plain norm before it."""

    def __init__(self):
        super().__init__()
        self.x, self.h, self.norm = nn.Linear(5, 24), nn.Linear(6, 24), nn.LayerNorm(5)

    def forward(self, x, h, c):
        i, f, g, o = (self.x(self.norm(x)) + self.h(h)).chunk(4, 1)
        c = torch.sigmoid(f) * c + torch.sigmoid(i) * torch.tanh(g)
        h = torch.sigmoid(o) * torch.tanh(c)
        return F.relu(h), h, c


@case(inputs=[(1, 12)])
class Activations(nn.Module):
    """Functions of single numbers, and of two."""

    def forward(self, x):
        a, b, c = x[:, :4], x[:, 4:8], x[:, 8:]
        first = F.hardswish(a) + F.gelu(b) * F.softplus(c) - F.leaky_relu(a, 0.1) / (1 + torch.exp(b))
        second = torch.maximum(torch.sin(a), torch.erf(b)) - torch.minimum(c.abs().sqrt(), torch.clamp(a, -0.5, 0.25))
        third = F.softmax(x, 1)[:, 2:6] + 2 / (3 + b.square()) + F.hardsigmoid(c) - F.selu(a).neg()
        return torch.cat([first, second, third, F.log_softmax(x, 1)[:, ::3], x.new_full((1, 1), 0.25) + a[:, :1] ** 3], 1)


@case(inputs=[(1, 3, 1, 8)])
class Shapes(nn.Module):
    """Numbers moved about: neighbours, halves interleaved, reflections, blocks, pools, means and extremes."""

    def forward(self, x):
        y = F.pad(x, (1, 1))
        y = torch.stack([y[..., :-2], y[..., 1:-1], y[..., 2:]], 2).reshape(1, 9, 1, 8)
        y = torch.stack([y[:, :4], y[:, 5:].flip(3)], 2).reshape(1, 8, 1, 8)
        z = F.pad(x[:, :, 0], (2, 1), mode="reflect")[:, :, None].repeat(1, 2, 1, 1)
        pooled = torch.cat([F.max_pool2d(y, (1, 2)), F.avg_pool2d(z[..., :8], (1, 2))], 1)
        means = pooled - pooled.mean(3, keepdim=True) * pooled.amax(1, keepdim=True) + pooled.sum((1, 3), keepdim=True)
        return torch.cat([means, F.pixel_shuffle(y, 2)[:, :, :1, :4].expand(1, 2, 1, 4)], 1)


@case(inputs=[(1, 40)], hop=16)
class Windows(nn.Module):
    """Overlapping windows of samples: a learned filter bank, magnitudes, convolutions within the window."""

    def __init__(self):
        super().__init__()
        self.bank = nn.Conv1d(1, 12, 16, stride=8, bias=False)
        self.convs = nn.Sequential(nn.Conv1d(6, 5, 3, padding=1), nn.ReLU(), nn.Conv1d(5, 4, 3, stride=2, padding=1), nn.ReLU())

    def forward(self, x):
        y = self.bank(F.pad(x, (0, 8), mode="reflect")[:, None])
        y = torch.sqrt(y[:, :6] ** 2 + y[:, 6:] ** 2)
        return self.convs(y).mean(2)


@case(inputs=[(1, 10, 4, 1)], hop=2, time_axis=1)
class WindowsOfFrames(nn.Module):
    """Windows of ten spectra as a picture."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 5, 3, padding=(0, 1)), nn.Conv2d(5, 6, (3, 1))

    def forward(self, x):
        y = F.max_pool2d(F.relu(self.first(x.permute(0, 3, 1, 2))), 2)
        return self.second(y).flatten(1)


@case(inputs=[(1, 32, 6, 1)], hop=4, time_axis=1)
class Overlapping(nn.Module):
    """Windows that overlap by most of their frames, as a picture: no padding over time, strides that add up to half the hop, what looks
    at several rows, and in the end at the whole window."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv2d(1, 5, (3, 3), padding=(0, 1)), nn.Conv2d(5, 6, (4, 1), stride=(2, 1), dilation=(2, 1))
        self.bins, self.norm, self.slopes = nn.Linear(3, 4), nn.LayerNorm(4), nn.PReLU(6)
        self.last = nn.Linear(6, 3)

    def forward(self, x):
        y = F.max_pool2d(F.leaky_relu(self.first(x.permute(0, 3, 1, 2)), 0.2).clamp(min=-0.4), (1, 2))
        y = self.slopes(self.second(y))
        y = self.norm(self.bins(y))[:, :, 1:] + y.mean(3, keepdim=True)[:, :, :-1]
        return self.last(torch.softmax(y, 1).amax(3).mean(2))


@case(inputs=[(1, 3, 40)], whole=2)
class Tcn(nn.Module):
    """Causal convolutions that reach further and further, for signals of any length: padded by hand, or cut off behind."""

    def __init__(self):
        super().__init__()
        self.first = nn.Conv1d(3, 6, 1)
        self.padded, self.cut = nn.Conv1d(6, 6, 3, dilation=2), nn.Conv1d(6, 6, 2, dilation=4, padding=4)
        self.norm, self.last = nn.BatchNorm1d(6), nn.Conv1d(6, 2, 1)
        self.norm.running_mean.uniform_(-1, 1), self.norm.running_var.uniform_(0.5, 2)

    def forward(self, x):
        x = self.first(x)
        x = x + torch.relu(self.padded(F.pad(x, (4, 0))))
        x = x + torch.tanh(self.norm(self.cut(x)[:, :, :-4]))
        return self.last(x)


@case(inputs=[(1, 2, 48)], whole=2)
class Strided(nn.Module):
    """Convolutions and pools that give fewer frames, with zeros at both ends, and branches of different reach."""

    def __init__(self):
        super().__init__()
        self.first, self.second = nn.Conv1d(2, 5, 4, stride=2, padding=1), nn.Conv1d(5, 4, 3, padding=1)
        self.valid, self.norm = nn.Conv1d(4, 4, 5), nn.LayerNorm(4)

    def forward(self, x):
        x = F.gelu(self.first(x))
        x = self.second(F.max_pool1d(x, 2)) * F.avg_pool1d(x, 2)[:, :4]
        y = self.norm(self.valid(x).transpose(1, 2)).transpose(1, 2)
        return torch.cat([y, x[:, 1:3, 2:-2], x.mean(1, keepdim=True)[:, :, 4:]], 1)


@case(inputs=[(1, 30, 6)], whole=1)
class WholeRecurrent(nn.Module):
    """Spectra through convolutions over time and frequency with zeros all around, then recurrent layers."""

    def __init__(self):
        super().__init__()
        self.conv, self.gru, self.lstm = nn.Conv2d(1, 3, 3, padding=1), nn.GRU(18, 7, batch_first=True), nn.LSTM(7, 5, batch_first=True)
        self.out = nn.Linear(5, 4)

    def forward(self, x):
        y = F.elu(self.conv(x[:, None]))
        y = self.lstm(self.gru(y.permute(0, 2, 1, 3).flatten(2))[0])[0]
        return torch.softmax(self.out(y), 2)


@case(inputs=[(1, 2, 30)], whole=2, refused=True)
class MeanOverTime(nn.Module):
    """What looks at a whole signal."""

    def forward(self, x):
        return x - x.mean(2, keepdim=True)


@case(inputs=[(1, 2, 30)], whole=2, refused=True)
class ReflectedEnds(nn.Module):
    """What looks at the ends of a whole signal in another way than with zeros."""

    def __init__(self):
        super().__init__()
        self.conv = nn.Conv1d(2, 2, 3)

    def forward(self, x):
        return self.conv(F.pad(x, (1, 1), mode="reflect"))


def run(module, options):
    """The signal and what comes out, as frames in the order of memory: time, height, width, channels."""
    generator = torch.Generator().manual_seed(7)
    shapes = options["inputs"]
    states = [torch.zeros(shape) for shape in shapes[1:]]
    xs, ys = [], []
    if "whole" in options:
        axis = options["whole"]
        signal = torch.randn([n + 5 if k == axis else n for k, n in enumerate(shapes[0])], generator=generator)  # not as it was exported
        with torch.no_grad():
            given = module(signal)
        return tuple(np.stack([as_frame(each, None) for each in whole.split(1, axis)]) for whole in (signal, given))
    if "hop" in options:
        axis, hop = options.get("time_axis", 1), options["hop"]
        size, frames = shapes[0][axis], 5 * options["hop"]
        signal = torch.randn([frames if k == axis else n for k, n in enumerate(shapes[0])], generator=generator)
        xs = [as_frame(each, None) for each in signal.split(1, axis)]
        before = torch.zeros([size - hop if k == axis else n for k, n in enumerate(shapes[0])])
        padded = torch.cat([before, signal], axis)
        calls = [padded.narrow(axis, at, size) for at in range(0, frames, hop)]
    else:
        calls = [torch.randn(shapes[0], generator=generator) for _ in range(14)]
        xs = [as_frame(each, None) for each in calls]
    for call in calls:
        with torch.no_grad():
            given = module(call, *states)
        given = given if isinstance(given, tuple) else (given,)
        ys.append(as_frame(given[0], calls[0].shape))
        states = list(given[1:])
    return np.stack(xs), np.stack(ys)


def as_frame(array, _):
    """Axes of more than one number: of two, the smaller one is the channels, which lie side by side."""
    large = [k for k, n in enumerate(array.shape) if n > 1]
    if len(large) == 2:
        channels = large[1] if array.shape[large[1]] < array.shape[large[0]] else large[0]
        rest = [k for k in large if k != channels]
    else:
        channels, rest = (large[0] if large else 0), large[1:]
    order = rest + [channels] + [k for k in range(array.dim()) if k not in rest + [channels]]
    return array.permute(order).reshape(-1).numpy().astype(np.float32)


def random_weights(module, seed):
    torch.manual_seed(seed)
    for weight in module.parameters():
        if weight.dim() > 1:
            nn.init.normal_(weight, std=0.5 / weight[0].numel() ** 0.25)


def safetensors(tensors):
    header, data = {}, b""
    for name, array in tensors.items():
        raw = np.ascontiguousarray(array, "<f4").tobytes()
        header[name] = {"dtype": "F32", "shape": list(array.shape), "data_offsets": [len(data), len(data) + len(raw)]}
        data += raw
    text = json.dumps(header).encode()
    text += b" " * (-len(text) % 8)
    return struct.pack("<Q", len(text)) + text + data


def files():
    written, tensors = {}, {}
    for seed, (name, (cls, options)) in enumerate(CASES.items()):
        torch.manual_seed(seed)
        module = cls().eval()
        random_weights(module, seed)
        inputs = tuple(torch.zeros(shape) for shape in options["inputs"])
        names = ["x"] + [f"state{k}" for k in range(len(inputs) - 1)]
        outputs = ["y"] + [f"next{k}" for k in range(len(inputs) - 1)]
        buffer = io.BytesIO()
        dynamic = {name: {options["whole"]: "T"} for name in ("x", "y")} if "whole" in options else None
        torch.onnx.export(module, inputs, buffer, opset_version=13, input_names=names, output_names=outputs, dynamic_axes=dynamic)
        model = onnx.load_from_string(buffer.getvalue())
        for node in model.graph.node:
            node.ClearField("doc_string")
        if options.get("refused"):
            written[f"onnx/refused/{name}.onnx"] = model.SerializeToString()
            continue
        written[f"onnx/{name}.onnx"] = model.SerializeToString()
        tensors[f"{name}.x"], tensors[f"{name}.y"] = run(module, options)
    written["onnx.safetensors"] = safetensors(tensors)
    return written


def alike(name, old, new):
    """Signals are compared to rounding: processors differ."""
    if not name.endswith(".safetensors"):
        return old == new

    def parts(data):
        begin = 8 + int.from_bytes(data[:8], "little")
        return data[8:begin], np.frombuffer(data[begin:], "<f4")

    (head, numbers), (other_head, others) = parts(old), parts(new)
    return head == other_head and len(numbers) == len(others) and np.allclose(numbers, others, rtol=1e-5, atol=1e-5)


def main():
    wrong = 0
    for name, data in files().items():
        path = HERE / name
        if "--check" in sys.argv:
            same = path.exists() and alike(name, path.read_bytes(), data)
            wrong += not same
            print(f"{name}: {'as written' if same else 'differs'}")
        else:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)
            print(f"{name}: {len(data)} bytes")
    sys.exit(wrong > 0)


if __name__ == "__main__":
    main()
