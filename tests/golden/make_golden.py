#!/usr/bin/env python3
"""Make the golden files of this folder: what PyTorch computes offline, for the C++ tests to compare with.

There is one file `<Layer>.safetensors` per kind of layer. Its metadata key `cases` is a JSON list of
`{"name": ..., "network": NODE}`, the node as in a model file (docs/model-file.md) and written by the exporter itself.
The tensors of a case are `<name>/x` and `<name>/y` in torch's shape (B, C, T), (B, C, T, W) or (B, C, T, H, W), and `<name>/<state_dict name>` for the
weights. Each case has a random seed of its own, drawn from its name, so adding a case leaves the others as they are.

`audio/Resample.safetensors` holds what torchaudio's resampling gives; instead of a network its cases have the arguments
of the call. Where torchaudio is missing, that file is left alone and not checked.

    python3 make_golden.py            write the files
    python3 make_golden.py --check    compute everything again and compare with the files
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import sys
import warnings
import zlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Tuple

import torch
from torch import Tensor, nn
from torch.nn.utils import weight_norm

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parents[1] / "python"))

try:
    import torchaudio
    from torchaudio.compliance.kaldi import fbank
    from torchaudio.functional import resample
except (ImportError, OSError):  # a torchaudio that does not fit torch fails to load
    torchaudio = resample = None

from branched_networks import NETWORKS, RECURRENT_NETWORKS, WINDOW_NETWORKS  # noqa: E402
from eigenstream_export import (  # noqa: E402
    OnlineAverager, OverChannels, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed, describe,
    write_safetensors,
)

TOLERANCE = 1e-5  # absolute for small values, relative for large ones
SIZE_LIMIT_BYTES = 1_300_000

# Zeros of both signs, the corners of the piecewise activations, tiny and large values.
SPECIAL = tuple(sign * value for value in (0.0, 1e-6, 0.5, 1.0, 2.5, 3.0, 6.0, 9.0, 20.0, 30.0) for sign in (1.0, -1.0))


@dataclass
class Case:
    """A network to build, and its input: uniform in [-scale, scale], or the SPECIAL values in every channel."""

    name: str
    build: Callable[[], nn.Module]
    channels: int
    frames: int = 20
    batch: int = 1
    scale: float = 1.0
    special: bool = False
    unwrap: bool = False  # describe the only layer that is left of a Sequential
    node: Optional[Dict[str, Any]] = None  # the description, where torch has no module of its own for the layer
    positive: bool = False  # without zeros and negative values
    traced: bool = False  # has a forward of its own, or no layer that says how many channels come
    space: Tuple[int, ...] = ()  # the width of its frames, or height and width


# --- the cases ------------------------------------------------------------------------------------------------------


def _slug(**options: Any) -> str:
    """A name from options: k3_s2_p1, flags without a value, sides of a padding joined by a dash."""
    words = []
    for key, value in options.items():
        if isinstance(value, (tuple, list)):
            value = "-".join(map(str, value))
        words.append(key if value is True else f"{key}{value}")
    return "_".join(words)


def _unusual(**options: Tuple[Any, Any]) -> Dict[str, Any]:
    """Of pairs (value, default) the values that are not the default."""
    return {key: value for key, (value, default) in options.items() if value != default}


def _shape_slug(frames: int, batch: int) -> str:
    return f"T{frames}" + (f"_B{batch}" if batch > 1 else "")


def conv(
    inputs: int, outputs: int, k: int, T: int = 16, B: int = 1,
    s: int = 1, p: Any = 0, d: int = 1, g: int = 1, bias: bool = True,
) -> Case:
    """One Conv1d; p is a number, "same", or (left, right)."""
    options = _unusual(s=(s, 1), p=(p, 0), d=(d, 1), g=(g, 1), nobias=(not bias, False))
    name = f"{inputs}to{outputs}_{_slug(k=k, **options)}_{_shape_slug(T, B)}"

    def build() -> nn.Module:
        padding = 0 if isinstance(p, tuple) else p
        layer = nn.Conv1d(inputs, outputs, k, stride=s, padding=padding, dilation=d, groups=g, bias=bias)
        return nn.Sequential(nn.ConstantPad1d(p, 0.0), layer) if isinstance(p, tuple) else layer

    return Case(name, build, inputs, T, B, unwrap=isinstance(p, tuple))


def conv_cases() -> List[Case]:
    return [
        # channels and kernel sizes
        conv(1, 1, 1, T=1), conv(1, 1, 1, T=37), conv(1, 1, 3, T=3), conv(1, 2, 5, T=64), conv(2, 1, 3), conv(2, 3, 2),
        conv(3, 2, 4), conv(3, 5, 7, B=3), conv(5, 3, 1, B=3), conv(5, 8, 3, T=37), conv(8, 5, 3, T=8),
        conv(8, 8, 5, T=5), conv(16, 16, 1, T=13), conv(17, 8, 2, T=5), conv(16, 17, 2, T=9),
        conv(33, 5, 2, T=5), conv(5, 33, 3, T=7), conv(1, 33, 4, T=13),
        conv(33, 1, 4, T=13), conv(1, 1, 31, T=64), conv(2, 2, 17, T=40),
        # no bias
        conv(1, 1, 3, bias=False), conv(8, 3, 4, T=9, B=3, bias=False), conv(17, 5, 1, T=11, bias=False),
        # stride, also larger than the field
        conv(3, 5, 3, s=2, T=37), conv(3, 5, 3, s=2, T=64), conv(3, 5, 4, s=2, B=3), conv(5, 8, 5, s=3),
        conv(2, 2, 2, s=3), conv(2, 3, 1, s=2), conv(2, 3, 1, s=5, T=64), conv(3, 2, 3, s=7, B=3),
        conv(3, 2, 3, s=7, T=3), conv(5, 8, 8, s=4, T=37), conv(1, 8, 16, s=8, T=64),
        # dilation
        conv(3, 5, 3, d=2, T=37), conv(3, 5, 3, d=4, B=3), conv(2, 2, 2, d=9), conv(5, 5, 3, d=8, T=17),
        conv(5, 3, 3, d=3, s=2), conv(2, 3, 2, d=3, s=5, T=64), conv(2, 2, 1, d=4),
        # padding: symmetrical, wider than the field, one-sided, "same"
        conv(1, 1, 3, p=1, T=1), conv(3, 5, 3, p=1, T=37), conv(3, 5, 3, p=1, T=2, B=3), conv(5, 3, 4, p=2),
        conv(2, 3, 5, p=4, T=1), conv(2, 2, 3, p=7, T=5), conv(2, 2, 1, p=2, T=6), conv(3, 3, 3, p=1, s=2),
        conv(3, 3, 3, p=1, s=2, T=38, B=3), conv(3, 5, 4, p=1, s=3), conv(3, 5, 3, p=2, d=2),
        conv(3, 2, 3, p=4, d=3, s=2, B=3), conv(2, 3, 2, p=3, s=5), conv(2, 3, 1, p=1, s=3, T=8),
        conv(3, 5, 3, p=(2, 0)), conv(3, 5, 3, p=(2, 0), T=1), conv(2, 3, 3, p=(0, 2), B=3),
        conv(3, 3, 3, p=(4, 0), d=2, B=3), conv(2, 2, 4, p=(1, 2), s=2), conv(1, 2, 5, p=(7, 1), s=3, T=2),
        conv(2, 2, 2, p=(0, 5), s=4), conv(8, 8, 5, p="same", T=16), conv(5, 5, 4, p="same"),
        conv(3, 3, 2, p="same", d=3, B=3), conv(2, 2, 4, p="same", T=1),
        # groups: even shares, depthwise, depthwise with a multiplier
        conv(4, 6, 3, g=2), conv(6, 4, 3, g=2, s=2, p=1, B=3), conv(16, 8, 3, g=4, T=13), conv(34, 10, 3, g=2, T=7),
        conv(2, 2, 3, g=2), conv(8, 8, 3, g=8, p=1), conv(17, 17, 4, g=17, T=13), conv(33, 33, 3, g=33, d=2, p=2, T=9),
        conv(16, 16, 3, g=16, s=2, bias=False), conv(3, 6, 3, g=3, B=3), conv(8, 24, 3, g=8, p=1, T=13),
        conv(5, 15, 1, g=5), conv(2, 8, 4, g=2, s=6, T=64), conv(3, 9, 2, g=3, d=4, p=(4, 0)),
    ]


def padded_conv(
    inputs: int, outputs: int, k: int, p: Tuple[int, int], T: int = 16, B: int = 1,
    s: int = 1, d: int = 1, g: int = 1, value: Optional[float] = None,
) -> Case:
    """One Conv1d behind virtual frames p that repeat the nearest one, or hold a value."""
    kind = {"replicate": True} if value is None else {"value": value}
    name = f"{inputs}to{outputs}_{_slug(k=k, **_unusual(s=(s, 1), d=(d, 1), g=(g, 1)), p=p, **kind)}_{_shape_slug(T, B)}"

    def build() -> nn.Module:
        pad = nn.ReplicationPad1d(p) if value is None else nn.ConstantPad1d(p, value)
        return nn.Sequential(pad, nn.Conv1d(inputs, outputs, k, s, dilation=d, groups=g))

    node = {"type": "Conv1d", "in_channels": inputs, "out_channels": outputs, "kernel_size": k, "stride": s,
            "dilation": d, "groups": g, "padding": list(p), "bias": True, "padding_mode": "replicate"}
    if value is not None:
        node.update(padding_mode="constant", padding_value=value)
    return Case(name, build, inputs, T, B, node=node)


def padded_conv_cases() -> List[Case]:
    return [
        padded_conv(1, 1, 3, (1, 1)), padded_conv(1, 1, 3, (1, 1), T=1), padded_conv(3, 5, 3, (2, 0), B=3),
        padded_conv(3, 5, 3, (0, 2)), padded_conv(2, 2, 1, (3, 4), T=5), padded_conv(2, 3, 1, (0, 4), T=5, s=3),
        padded_conv(2, 3, 4, (9, 7), T=3, B=3), padded_conv(3, 2, 3, (4, 5), s=2, d=3), padded_conv(3, 2, 2, (3, 6), s=5),
        padded_conv(8, 8, 3, (1, 1), g=8), padded_conv(6, 4, 5, (2, 2), g=2, s=2, B=3),
        padded_conv(17, 17, 3, (4, 1), T=9, g=17, d=2), padded_conv(3, 5, 3, (2, 1), value=0.75),
        padded_conv(2, 2, 3, (8, 4), T=5, s=2, value=-2.0), padded_conv(5, 5, 3, (2, 2), d=2, g=5, B=3, value=1.5),
    ]


def transpose(
    inputs: int, outputs: int, k: int, T: int = 9, B: int = 1,
    s: int = 1, p: int = 0, o: int = 0, d: int = 1, g: int = 1, bias: bool = True,
) -> Case:
    """One ConvTranspose1d; o is the output_padding."""
    options = _unusual(s=(s, 1), p=(p, 0), o=(o, 0), d=(d, 1), g=(g, 1), nobias=(not bias, False))
    name = f"{inputs}to{outputs}_{_slug(k=k, **options)}_{_shape_slug(T, B)}"
    return Case(name, lambda: nn.ConvTranspose1d(inputs, outputs, k, s, p, o, g, bias, d), inputs, T, B)


def transpose_cases() -> List[Case]:
    return [
        # channels and kernel sizes
        transpose(1, 1, 1, T=1), transpose(1, 1, 1, T=37), transpose(1, 1, 3, T=1), transpose(1, 2, 3),
        transpose(2, 1, 4, B=3), transpose(3, 5, 2), transpose(5, 3, 5, T=3), transpose(8, 8, 3, T=20),
        transpose(16, 17, 1, T=5), transpose(17, 16, 2, T=5), transpose(33, 5, 2, T=3, B=3), transpose(5, 33, 2, T=7),
        transpose(8, 1, 16, T=8),
        # stride: field a multiple of it, not a multiple of it, smaller than it
        transpose(2, 3, 3, s=2, T=37), transpose(3, 2, 4, s=2, B=3), transpose(3, 2, 5, s=2, T=1),
        transpose(2, 2, 7, s=3, T=64), transpose(2, 2, 3, s=3), transpose(2, 3, 2, s=3), transpose(2, 3, 1, s=3, T=5),
        transpose(1, 2, 2, s=5, B=3, T=7), transpose(5, 8, 8, s=4, T=6), transpose(8, 3, 16, s=8, T=6),
        transpose(2, 2, 2, s=5, T=1), transpose(3, 3, 4, s=2, bias=False), transpose(2, 2, 1, s=4, bias=False, T=9),
        # dilation: taps that miss some outputs
        transpose(2, 3, 3, d=2), transpose(2, 3, 2, d=5, T=3), transpose(3, 2, 3, s=2, d=2, B=3),
        transpose(3, 2, 3, s=2, d=3), transpose(2, 2, 3, s=3, d=2), transpose(2, 2, 2, s=4, d=6, T=10),
        transpose(1, 1, 3, s=6, d=2, T=8),
        # padding and output padding
        transpose(2, 3, 3, p=1), transpose(2, 3, 3, p=1, T=1), transpose(3, 2, 4, p=1, s=2),
        transpose(3, 2, 3, p=1, s=2, o=1, B=3), transpose(3, 2, 4, p=2, s=2, o=1), transpose(2, 2, 3, p=2, s=2),
        transpose(2, 2, 2, p=3, s=2, T=9), transpose(2, 2, 3, p=6, s=2, T=9), transpose(2, 2, 2, s=3, o=2),
        transpose(1, 2, 1, s=4, o=3, T=6, B=3), transpose(2, 2, 5, p=2, s=3, o=2, T=1),
        transpose(3, 3, 3, p=2, d=2, T=37), transpose(3, 3, 3, p=1, d=3, o=2),
        transpose(2, 3, 4, p=3, s=3, d=2, o=1, B=3), transpose(5, 3, 16, p=4, s=8, T=6),
        transpose(8, 5, 10, p=3, s=5, o=1, T=6), transpose(2, 2, 3, p=2, s=5, o=4, T=4),
        transpose(2, 2, 3, p=8, s=2, T=9),
        # groups
        transpose(4, 6, 3, g=2), transpose(6, 4, 4, g=2, s=2, p=1, B=3), transpose(8, 8, 3, g=8),
        transpose(8, 8, 4, g=8, s=2, p=1), transpose(17, 17, 5, g=17, s=3, o=1, T=5), transpose(3, 6, 3, g=3, s=2, B=3),
        transpose(5, 15, 2, g=5, s=3, T=9), transpose(33, 33, 2, g=33, s=2, bias=False, T=5),
        transpose(16, 8, 4, g=4, s=2, d=3, p=2, T=9),
    ]


def average(
    channels: int, k: int, T: int = 19, B: int = 1,
    s: Optional[int] = None, p: int = 0, ceil: bool = False, count: bool = True,
) -> Case:
    """One AvgPool1d; without s the stride is k."""
    options = _unusual(s=(s, None), p=(p, 0), ceil=(ceil, False), nopadcount=(not count, False))
    name = f"c{channels}_{_slug(k=k, **options)}_{_shape_slug(T, B)}"
    return Case(name, lambda: nn.AvgPool1d(k, s, p, ceil, count), channels, T, B)


def average_cases() -> List[Case]:
    return [
        average(1, 1, T=1), average(1, 2), average(2, 3, B=3), average(3, 4, T=64), average(5, 3, s=1),
        average(8, 3, s=2, T=8), average(17, 2, T=9), average(33, 5, s=3, T=11), average(2, 2, s=5),
        average(2, 1, s=3, B=3), average(3, 31, s=7, T=64), average(1, 3, T=3), average(3, 3, s=1, p=1),
        average(3, 3, s=2, p=1, T=37), average(3, 3, s=2, p=1, count=False, B=3), average(2, 4, p=2, T=64),
        average(2, 4, s=3, p=2, count=False), average(1, 2, s=2, p=1, T=1), average(1, 2, s=2, p=1, count=False, T=1),
        average(3, 3, s=2, ceil=True, T=37), average(3, 3, s=2, ceil=True, T=8),
        average(3, 3, s=2, ceil=True, count=False, T=8, B=3), average(2, 3, s=3, p=1, ceil=True),
        average(2, 3, s=3, p=1, ceil=True, T=8), average(2, 4, s=3, p=2, ceil=True, T=8),
        average(2, 4, s=3, p=2, ceil=True, count=False, T=8), average(2, 2, s=5, ceil=True, T=64),
        average(2, 2, s=5, ceil=True, T=36), average(5, 5, s=4, p=2, ceil=True, T=22, B=3),
        average(5, 5, s=4, p=2, ceil=True, count=False, T=38), average(16, 5, s=1, p=2, ceil=True, T=5),
        average(2, 4, s=1, p=2, T=1), average(2, 4, s=7, p=2, ceil=True, T=20),
    ]


def maximum(
    channels: int, k: int, T: int = 19, B: int = 1,
    s: Optional[int] = None, p: int = 0, d: int = 1, ceil: bool = False,
) -> Case:
    """One MaxPool1d; without s the stride is k."""
    options = _unusual(s=(s, None), p=(p, 0), d=(d, 1), ceil=(ceil, False))
    name = f"c{channels}_{_slug(k=k, **options)}_{_shape_slug(T, B)}"
    return Case(name, lambda: nn.MaxPool1d(k, s, p, d, ceil_mode=ceil), channels, T, B)


def maximum_cases() -> List[Case]:
    return [
        maximum(1, 1, T=1), maximum(1, 2), maximum(2, 3, B=3), maximum(3, 4, T=64), maximum(5, 3, s=1),
        maximum(8, 3, s=2, T=8), maximum(17, 2, T=9), maximum(33, 5, s=3, T=11), maximum(2, 2, s=5),
        maximum(2, 1, s=3, B=3), maximum(1, 3, T=3), maximum(3, 31, s=7, T=64), maximum(3, 3, s=1, p=1),
        maximum(3, 3, s=2, p=1, B=3), maximum(2, 4, p=2, T=64), maximum(1, 2, s=2, p=1, T=1), maximum(3, 3, s=1, d=2),
        maximum(3, 3, d=4, B=3), maximum(2, 2, s=5, d=3), maximum(3, 3, s=2, p=1, d=2), maximum(2, 4, s=3, p=2, d=3),
        maximum(3, 3, s=2, ceil=True, T=37), maximum(3, 3, s=2, ceil=True, T=8),
        maximum(2, 3, p=1, ceil=True, T=8, B=3), maximum(2, 4, s=3, p=2, ceil=True, T=8),
        maximum(2, 2, s=5, ceil=True, T=64), maximum(2, 2, s=5, ceil=True, T=36),
        maximum(2, 3, s=2, p=1, d=2, ceil=True, T=20, B=3), maximum(5, 5, s=4, p=2, ceil=True, T=38),
        maximum(16, 5, s=1, p=2, d=2, ceil=True, T=9),
    ]


def over_space(name: str, build: Callable[[], nn.Module], channels: int, T: int, space: Tuple[int, ...], B: int = 1,
               **fields: Any) -> Case:
    """One layer over time and the space of frames: a number of each option for each axis, time first."""
    shape = dict(zip(("width", "height"), reversed(space)))
    kind = type(build()).__name__
    layers = [{"type": "Input", "path": "", "channels": channels, **shape}, {"type": kind, "path": "", **fields}]
    return Case(f"{kind}_{name}", build, channels, T, B, node={"type": "Sequential", "layers": layers}, space=space)


def space_cases() -> List[Case]:
    def conv(name: str, inputs: int, outputs: int, k: Tuple[int, ...], T: int, space: Tuple[int, ...], B: int = 1, s: Any = 1,
             p: Any = 0, d: Any = 1, g: int = 1, mode: str = "zeros") -> Case:
        kind = nn.Conv2d if len(space) == 1 else nn.Conv3d
        fields = _unusual(stride=(s, 1), padding=(p, 0), dilation=(d, 1), groups=(g, 1), padding_mode=(mode, "zeros"))
        return over_space(name, lambda: kind(inputs, outputs, k, s, p, d, g, True, mode), inputs, T, space, B,
                          in_channels=inputs, out_channels=outputs, kernel_size=list(k),
                          **{key: list(value) if type(value) is tuple else value for key, value in fields.items()})

    def transpose(inputs: int, outputs: int, k: Tuple[int, ...], T: int, space: Tuple[int, ...], **options: Any) -> Case:
        kind = nn.ConvTranspose2d if len(space) == 1 else nn.ConvTranspose3d
        return over_space("", lambda: kind(inputs, outputs, k, **options), inputs, T, space, in_channels=inputs,
                          out_channels=outputs, kernel_size=list(k), **{key: list(value) if type(value) is tuple else value
                                                                        for key, value in options.items()})

    def pool(name: str, build: Callable[..., nn.Module], channels: int, T: int, space: Tuple[int, ...], B: int = 1,
             **options: Any) -> Case:
        return over_space(name, lambda: build(**options), channels, T, space, B,
                          **{key: list(value) if type(value) is tuple else value for key, value in options.items()})

    def adaptive(build: Callable[..., nn.Module], size: Tuple[Optional[int], ...], T: int, space: Tuple[int, ...]) -> Case:
        return over_space("", lambda: build((1, *size)), 2, T, space, output_size=[1, *(each or 0 for each in size)], kernel_size=T)

    def norm(build: Callable[..., nn.Module], space: Tuple[int, ...]) -> Case:
        def make() -> nn.Module:
            layer = build(2)
            layer.running_mean.uniform_(-1, 1)
            layer.running_var.uniform_(0.3, 2)
            del layer.num_batches_tracked
            return layer

        return over_space("", make, 2, 3, space, num_features=2)

    def layer_norm() -> Case:
        case = over_space("", lambda: nn.LayerNorm((2, 3), elementwise_affine=False), 2, 2, (2, 3))
        case.node["layers"][1] = {"type": "SpaceNorm", "path": "", "channels": 2, "width": 3, "height": 2, "elementwise_affine": False}
        return case

    def reshape() -> Case:
        def lying(x: Tensor) -> Tensor:  # (B, 2, T, 3, 2) as (B, 4, T, 3): channel, width and height, the first one the fastest
            return x.permute(0, 2, 3, 4, 1).reshape(x.shape[0], x.shape[2], 3, 4).permute(0, 3, 1, 2)

        case = over_space("reshape", lambda: Function(lying), 2, 3, (3, 2), 2)
        case.node["layers"][1] = {"type": "Reshape", "path": "", "channels": 4, "width": 3}
        return case

    def each_frame() -> Case:
        def norm(x: Tensor) -> Tensor:  # (B, 4, T, 3)
            frames = nn.functional.group_norm(x.transpose(1, 2).flatten(0, 1), 2)
            return frames.unflatten(0, (x.shape[0], x.shape[2])).transpose(1, 2)

        case = over_space("each_frame", lambda: Function(norm), 4, 3, (3,), 2)
        net = {"type": "GroupNorm", "path": "", "num_groups": 2, "num_channels": 4, "affine": False}
        case.node["layers"][1] = {"type": "EachFrame", "path": "", "channels": 4, "width": 3, "net": net}
        return case

    return [
        reshape(), each_frame(), conv("plain", 2, 3, (3, 2), 5, (4,)), conv("padded", 2, 2, (3, 3), 4, (3,), B=2, p=1),
        conv("all", 2, 4, (3, 2), 7, (5,), s=(2, 3), p=(3, 2), d=(1, 2), g=2), conv("depthwise", 3, 3, (2, 3), 4, (5,), p=(0, 1), g=3),
        conv("replicate", 1, 2, (2, 3), 4, (3,), p=(1, 2), mode="replicate"),
        conv("plain", 1, 2, (2, 3, 2), 3, (4, 3), B=2, s=(1, 2, 1), p=(1, 0, 1)), conv("frames", 2, 2, (1, 3, 3), 2, (3, 4), p=(0, 1, 1)),
        transpose(2, 2, (2, 3), 4, (3,), stride=(1, 2), padding=(1, 1), output_padding=(0, 1), groups=2),
        transpose(1, 1, (3, 2, 3), 3, (2, 3), stride=(1, 2, 2), padding=(0, 1, 1), dilation=(1, 2, 1)),
        pool("all", nn.AvgPool2d, 2, 7, (6,), kernel_size=(3, 2), stride=(2, 3), padding=(1, 1), ceil_mode=True,
             count_include_pad=False),
        pool("padding", nn.AvgPool2d, 2, 5, (6,), kernel_size=3, stride=2, padding=1, ceil_mode=True),
        pool("divisor", nn.AvgPool2d, 1, 5, (3,), kernel_size=(2, 3), padding=(1, 0), divisor_override=4),
        pool("all", nn.AvgPool3d, 1, 5, (4, 5), kernel_size=(2, 3, 2), stride=(2, 2, 1), padding=(1, 1, 0), ceil_mode=True),
        pool("all", nn.MaxPool2d, 2, 7, (5,), B=2, kernel_size=(3, 2), stride=(2, 1), padding=(1, 1), dilation=(2, 3), ceil_mode=True),
        pool("usual", nn.MaxPool3d, 1, 4, (4, 5), kernel_size=(2, 2, 3)),
        adaptive(nn.AdaptiveAvgPool2d, (3,), 2, (5,)), adaptive(nn.AdaptiveAvgPool3d, (2, None), 3, (3, 2)),
        adaptive(nn.AdaptiveMaxPool2d, (1,), 3, (4,)), adaptive(nn.AdaptiveMaxPool3d, (2, 3), 2, (3, 2)),
        norm(nn.BatchNorm2d, (3,)), norm(nn.BatchNorm3d, (2, 2)), layer_norm(),
    ]


def linear(inputs: int, outputs: int, T: int = 19, B: int = 1, bias: bool = True) -> Case:
    name = f"{inputs}to{outputs}_{'' if bias else 'nobias_'}{_shape_slug(T, B)}"
    return Case(name, lambda: OverChannels(nn.Linear(inputs, outputs, bias)), inputs, T, B)


def linear_cases() -> List[Case]:
    return [
        linear(1, 1, T=1), linear(1, 1, T=37), linear(3, 5, B=3), linear(5, 3, bias=False), linear(2, 8),
        linear(8, 2, T=8, B=3, bias=False), linear(16, 16, T=9), linear(17, 33, T=3), linear(33, 5, T=3, B=3),
        linear(33, 1, T=9), linear(1, 17, T=20, bias=False),
    ]


def batch_norm(channels: int, **options: Any) -> nn.BatchNorm1d:
    layer = nn.BatchNorm1d(channels, **options)
    layer.running_mean.uniform_(-1, 1)
    layer.running_var.uniform_(0.3, 2)
    if layer.affine:
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.bias, -0.5, 0.5)
    return layer


def layer_norm(channels: int, **options: Any) -> OverChannels:
    layer = nn.LayerNorm(channels, **options)
    if layer.elementwise_affine:
        nn.init.uniform_(layer.weight, 0.5, 1.5)
        nn.init.uniform_(layer.bias, -0.5, 0.5)
    return OverChannels(layer)


def norm(build: Callable[..., nn.Module], channels: int, T: int = 19, B: int = 1, **options: Any) -> Case:
    """`build` is batch_norm or layer_norm, `options` are for it."""
    name = f"c{channels}_{_slug(**options) + '_' if options else ''}{_shape_slug(T, B)}"
    return Case(name, lambda: build(channels, **options), channels, T, B)


def batch_norm_cases() -> List[Case]:
    return [
        norm(batch_norm, 1, T=1), norm(batch_norm, 1), norm(batch_norm, 2, B=3), norm(batch_norm, 3, affine=False),
        norm(batch_norm, 5, T=37, eps=0.1), norm(batch_norm, 8, T=8, B=3), norm(batch_norm, 17, T=9),
        norm(batch_norm, 16, T=9, B=3, eps=1e-3, affine=False), norm(batch_norm, 33, T=3, B=3),
    ]


def layer_norm_cases() -> List[Case]:
    # One or two channels may have next to no variance; with a small eps torch itself is only good to 1e-4 there.
    return [
        norm(layer_norm, 1, T=1, eps=0.01), norm(layer_norm, 1, eps=0.01), norm(layer_norm, 2, B=3, eps=0.01),
        norm(layer_norm, 3, elementwise_affine=False), norm(layer_norm, 5, T=37, eps=0.1),
        norm(layer_norm, 8, T=8, B=3), norm(layer_norm, 16, T=9, B=3, eps=1e-3, elementwise_affine=False),
        norm(layer_norm, 17, T=9), norm(layer_norm, 33, T=3, B=3),
    ]


class Function(nn.Module):
    """A function of torch that is no module there."""

    def __init__(self, function: Callable[[Tensor], Tensor]) -> None:
        super().__init__()
        self.function = function

    def forward(self, x: Tensor) -> Tensor:
        return self.function(x)


def function_cases(
    kind: str, build: Callable[..., nn.Module], *variants: Dict[str, Any], positive: bool = False, default: bool = True,
) -> List[Case]:
    """As pointwise_cases, with a description of our own: its fields are named as the options of `build`."""
    cases = []
    for options in ([{}] if default else []) + list(variants):
        name, make = (_slug(**options) + "_" if options else ""), (lambda options=options: build(**options))
        common: Dict[str, Any] = {"node": {"type": kind, **options}, "positive": positive}
        cases += [Case(f"{name}c3_T9_B2", make, 3, 9, 2, **common), Case(f"{name}c17_T4_wide", make, 17, 4, scale=6, **common),
                  Case(f"{name}c1_special", make, 1, special=True, **common)]
    return cases


def mathematics_cases() -> List[Case]:
    """Functions of mathematics, each where it is defined; comparisons and powers."""
    def one(kind: str, function: Callable[[Tensor], Tensor], scale: float = 3.0, **options: Any) -> Case:
        return Case(_slug(kind=kind, **options).replace("kind", ""), lambda: Function(function), 1, 11, scale=scale,
                    positive=kind == "Power", node={"type": kind, **options})

    above = {"type": "Sequential", "layers": [{"type": "Affine", "path": "0", "offset": 2.0}, {"type": "Acosh", "path": "1"}]}
    return [
        *(one(kind, getattr(torch, kind.lower())) for kind in (
            "Expm1", "Log1p", "Erf", "Tan", "Atan", "Sinh", "Cosh", "Asinh", "Sign", "Floor", "Ceil", "Round", "Trunc") if kind
          not in ("Log1p", "Tan")),
        *(one(kind, getattr(torch, kind.lower()), 0.9) for kind in ("Log1p", "Tan", "Asin", "Acos", "Atanh")),
        Case("Acosh", lambda: Function(lambda x: torch.acosh(x + 2)), 3, 9, node=above),
        one("Constant", lambda x: torch.full_like(x, -1.5), value=-1.5),
        *(one("Power", lambda x, e=e: x ** e, exponent=e) for e in (-1.25, 0.3, 3.0)),
        *(one("Compare", lambda x, call=call: call(x, 0.25).to(x.dtype), op=op, value=0.25) for op, call in (
            ("greater", torch.gt), ("greater_equal", torch.ge), ("less", torch.lt), ("less_equal", torch.le), ("equal", torch.eq),
            ("not_equal", torch.ne))),
    ]


def table_cases() -> List[Case]:
    class Table(nn.Embedding):
        def forward(self, x: Tensor) -> Tensor:
            y = super().forward(x.clamp(0, self.num_embeddings - 1).long())
            return y.transpose(2, 3).flatten(1, 2)

    node = {"type": "Embedding", "num_embeddings": 4, "embedding_dim": 3}
    return [Case("c1", lambda: Table(4, 3), 1, 9, scale=4.5, node=node),
            Case("c2_B2", lambda: Table(4, 3), 2, 9, 2, scale=4.5, node=node)]


def place_cases() -> List[Case]:
    return [Case(kind, lambda call=call: Function(lambda x: call(x, 1, True).to(x.dtype)), 5, 12, 2, node={"type": kind})
            for kind, call in (("ArgMax", torch.argmax), ("ArgMin", torch.argmin))]


def cumulative_cases() -> List[Case]:
    functions = {"sum": torch.cumsum, "product": torch.cumprod, "max": lambda x, dim: torch.cummax(x, dim)[0],
                 "min": lambda x, dim: torch.cummin(x, dim)[0]}
    return [Case(op, lambda call=call: Function(lambda x: call(x, -1)), 3, 15, 2, scale=2, node={"type": "Cumulative", "op": op})
            for op, call in functions.items()]


def log_softmax_cases() -> List[Case]:
    def log_softmax() -> nn.Module:
        return nn.LogSoftmax(dim=1)

    cases = [over_channels(log_softmax, 1, T=3), over_channels(log_softmax, 2, B=3), over_channels(log_softmax, 17, T=9),
             over_channels(log_softmax, 33, T=5, scale=30)]
    for case in cases:
        case.node = {"type": "LogSoftmax"}
    return cases


class ChannelAffine(nn.Module):
    def __init__(self, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.rand(channels) * 4 - 2)
        self.bias = nn.Parameter(torch.rand(channels) * 2 - 1)

    def forward(self, x: Tensor) -> Tensor:
        return x * self.weight[:, None] + self.bias[:, None]


def affine_cases() -> List[Case]:
    def each(channels: int, T: int, B: int = 1) -> Case:
        node = {"type": "Affine", "channels": channels}
        return Case(f"c{channels}_{_shape_slug(T, B)}", lambda: ChannelAffine(channels), channels, T, B, node=node)

    def same(scale: float, offset: float) -> Case:
        node = {"type": "Affine", "scale": scale, "offset": offset}
        return Case(f"scale{scale}_offset{offset}", lambda: Function(lambda x: x * scale + offset), 3, 19, node=node)

    return [each(1, 9), each(3, 19, 2), each(17, 5), same(2.5, -0.75), same(-1.0, 0.0),
            Case("default", nn.Identity, 2, 5, node={"type": "Affine"})]


def slice_cases() -> List[Case]:
    def part(channels: int, start: int, count: int, T: int = 9, B: int = 1) -> Case:
        node = {"type": "ChannelSlice", "start": start, "channels": count}
        return Case(f"c{channels}_start{start}_channels{count}_{_shape_slug(T, B)}",
                    lambda: Function(lambda x: x[:, start : start + count]), channels, T, B, node=node)

    return [part(1, 0, 1), part(3, 1, 1), part(5, 2, 3, B=3), part(33, 7, 20, T=4)]


def select_cases() -> List[Case]:
    def select(channels: int, indices: List[int], T: int = 9, B: int = 1) -> Case:
        return Case(f"c{channels}_{len(indices)}_{_shape_slug(T, B)}", lambda: Function(lambda x: x.index_select(1, torch.tensor(indices))),
                    channels, T, B, node={"type": "ChannelSelect", "indices": indices})

    return [select(1, [0, 0]), select(4, [2, 0, 3, 3, 1], B=3), select(20, list(range(19, -1, -1)), T=2)]


def pad_cases() -> List[Case]:
    def pad(left: int, right: int, T: int = 9, B: int = 1, replicate: bool = False, value: float = 0.0) -> Case:
        options = _unusual(left=(left, 0), right=(right, 0), value=(value, 0.0))
        if replicate:
            options["mode"] = "replicate"
        mode = {"mode": "replicate"} if replicate else {"value": value}
        name = f"{_slug(**options)}{'_' if options else ''}{_shape_slug(T, B)}"
        return Case(name, lambda: Function(lambda x: nn.functional.pad(x, (left, right), **mode)), 3, T, B,
                    node={"type": "Pad", **options})

    def reflect(left: int, right: int, T: int = 9, B: int = 1) -> Case:
        options = {"left": left, "right": right, "mode": "reflect"}
        return Case(f"{_slug(**options)}_{_shape_slug(T, B)}",
                    lambda: Function(lambda x: nn.functional.pad(x, (left, right), mode="reflect")), 3, T, B,
                    node={"type": "Pad", **options})

    def whole(T: int, multiple: int, offset: int, mode: str = "constant") -> Case:
        options = {"left": 1, "right": 1, "multiple": multiple, "offset": offset, "mode": mode}
        right = 1 + (offset - T - 2) % multiple
        return Case(f"{_slug(**options)}_{_shape_slug(T, 1)}",
                    lambda: Function(lambda x: nn.functional.pad(x, (1, right), mode=mode)), 3, T, 1,
                    node={"type": "Pad", **options})

    return [
        pad(0, 0), pad(2, 0), pad(0, 3, B=2), pad(2, 3, value=-1.5), pad(12, 20, T=1), pad(-2, 0), pad(0, -3, B=2),
        pad(-3, -4, T=8), pad(4, -3, value=0.5), pad(-3, 4), pad(-3, 4, T=4, B=2, value=2.0), pad(2, 3, replicate=True),
        pad(7, 0, T=1, B=2, replicate=True), pad(0, 9, replicate=True), pad(-2, 5, replicate=True),
        pad(5, -2, B=2, replicate=True), pad(-2, -2, replicate=True),
        reflect(0, 4, B=2), reflect(3, 5, T=6), whole(9, 4, 3), whole(8, 5, 1, mode="reflect"),
    ]


def pointwise_cases(build: Callable[..., nn.Module], *variants: Dict[str, Any]) -> List[Case]:
    """An activation with its defaults and with each of `variants`, on plain, wide and special values."""
    cases = [Case("c1_T1", build, 1, 1), Case("c2_T7_B3", build, 2, 7, 3), Case("c3_T37", build, 3, 37),
             Case("c17_T4_wide", build, 17, 4, scale=6)]
    for options in ({}, *variants):
        name, make = (_slug(**options) + "_" if options else ""), (lambda options=options: build(**options))
        cases += [Case(f"{name}c5_T20_wide", make, 5, 20, scale=6), Case(f"{name}c1_special", make, 1, special=True)]
    return cases


def fast_tanh(x: Tensor) -> Tensor:
    """A quotient of polynomials near tanh; https://github.com/sdatkinson/NeuralAmpModelerCore."""
    x = x.clamp(-1e9, 1e9)
    s = x.abs()
    above = x * (2.45550750702956 + 2.45550750702956 * s + (0.893229853513558 + 0.821226666969744 * s) * x * x)
    return above / (2.44506634652299 + (2.44506634652299 + x * x) * (x + 0.814642734961073 * x * s).abs())


class LeakyHardtanh(nn.Module):
    def __init__(self, min_val: float = -1.0, max_val: float = 1.0, min_slope: float = 0.01, max_slope: float = 0.01) -> None:
        super().__init__()
        self.min_val, self.max_val, self.min_slope, self.max_slope = min_val, max_val, min_slope, max_slope

    def forward(self, x: Tensor) -> Tensor:
        low, high = self.min_val, self.max_val
        y = torch.where(x < low, low + self.min_slope * (x - low), x)
        return torch.where(x > high, high + self.max_slope * (x - high), y)


def prelu(channels: int, shared: bool) -> nn.PReLU:
    layer = nn.PReLU(1 if shared else channels)
    nn.init.uniform_(layer.weight, -0.5, 1.5)
    return layer


def prelu_cases() -> List[Case]:
    return [
        Case("c1_T1", lambda: prelu(1, True), 1, 1), Case("c3_shared_T9_B3_wide", lambda: prelu(3, True), 3, 9, 3, 6),
        Case("c3_T37_wide", lambda: prelu(3, False), 3, 37, 1, 6), Case("c17_T9", lambda: prelu(17, False), 17, 9),
        Case("c33_T7_wide", lambda: prelu(33, False), 33, 7, scale=6),
        Case("c2_shared_special", lambda: prelu(2, True), 2, special=True),
        Case("c5_special", lambda: prelu(5, False), 5, special=True),
    ]


def snake(channels: int, alpha: Optional[float] = None) -> Snake:
    if alpha is not None:
        return Snake(channels, alpha)
    layer = Snake(channels)
    nn.init.uniform_(layer.alpha, 0.2, 3)
    return layer


def snake_cases() -> List[Case]:
    return [
        Case("c1_T1", lambda: snake(1), 1, 1), Case("c3_T13_B3", lambda: snake(3), 3, 13, 3),
        Case("c5_T37_wide", lambda: snake(5), 5, 37, scale=6), Case("c17_T9_wide", lambda: snake(17), 17, 9, scale=6),
        Case("c33_T5_wide", lambda: snake(33), 33, 5, scale=6),
        Case("alpha1_c2_special", lambda: snake(2, 1.0), 2, special=True),
        Case("alpha0.01_c2_wide", lambda: snake(2, 0.01), 2, scale=6),
        Case("alpha-2_c2_wide", lambda: snake(2, -2.0), 2, scale=6),
    ]


def over_channels(build: Callable[[], nn.Module], channels: int, T: int = 19, B: int = 1, scale: float = 6.0) -> Case:
    return Case(f"c{channels}_{_shape_slug(T, B)}", build, channels, T, B, scale)


def glu_cases() -> List[Case]:
    def glu() -> nn.Module:
        return nn.GLU(dim=1)

    return [
        over_channels(glu, 2, T=1), over_channels(glu, 2, B=3), over_channels(glu, 6), over_channels(glu, 16, T=9, B=3),
        over_channels(glu, 34, T=9), over_channels(glu, 66, T=5),
        Case("c4_special", lambda: nn.GLU(dim=-2), 4, special=True),
    ]


def softmax_cases() -> List[Case]:
    def softmax() -> nn.Module:
        return nn.Softmax(dim=1)

    return [
        over_channels(softmax, 1, T=1), over_channels(softmax, 1), over_channels(softmax, 2, B=3),
        over_channels(softmax, 3, T=37, scale=1), over_channels(softmax, 5), over_channels(softmax, 8, T=8, B=3),
        over_channels(softmax, 17, T=9), over_channels(softmax, 33, T=7, scale=30),
        Case("c3_special", lambda: nn.Softmax(dim=-2), 3, special=True),
    ]


def residual_cases() -> List[Case]:
    conv1, convt = nn.Conv1d, nn.ConvTranspose1d
    return [
        Case("identity", lambda: Residual(nn.Dropout()), 3, 13, 3),
        Case("identity_T1", lambda: Residual(nn.Sequential()), 1, 1),
        Case("pointwise", lambda: Residual(conv1(5, 5, 1)), 5, 13, 3),
        Case("padded_k3", lambda: Residual(conv1(3, 3, 3, padding=1)), 3, 37, 3),
        Case("padded_k3_T1", lambda: Residual(conv1(3, 3, 3, padding=1)), 3, 1),
        Case("valid_k3", lambda: Residual(conv1(3, 3, 3)), 3, 37),
        Case("valid_k3_T3", lambda: Residual(conv1(2, 2, 3)), 2, 3),
        Case("valid_k2", lambda: Residual(conv1(2, 2, 2)), 2, 13, 3),
        Case("valid_k4", lambda: Residual(conv1(2, 2, 4)), 2, 64),
        Case("valid_k5_padded_1", lambda: Residual(conv1(1, 1, 5, padding=1)), 1, 8),
        Case("k4_same", lambda: Residual(conv1(3, 3, 4, padding="same")), 3, 19),
        Case("k4_padded_1", lambda: Residual(conv1(3, 3, 4, padding=1)), 3, 20),
        Case("causal", lambda: Residual(nn.ConstantPad1d((4, 0), 0.0), conv1(5, 5, 3, dilation=2)), 5, 13, 3),
        Case("lookahead", lambda: Residual(nn.ConstantPad1d((0, 2), 0.0), conv1(2, 2, 3)), 2, 19),
        Case("left_only_partly", lambda: Residual(nn.ConstantPad1d((3, 0), 0.0), conv1(2, 2, 3, dilation=4)), 2, 19),
        Case("dilated_k3_d4", lambda: Residual(conv1(8, 8, 3, dilation=4)), 8, 19),
        Case("depthwise", lambda: Residual(conv1(17, 17, 3, padding=1, groups=17), nn.SiLU(), conv1(17, 17, 1)), 17, 9),
        Case("wide_33", lambda: Residual(conv1(33, 3, 2), nn.Tanh(), conv1(3, 33, 1)), 33, 7),
        Case("two_convs", lambda: Residual(nn.ReLU(), conv1(5, 8, 3, dilation=2), nn.ReLU(), conv1(8, 5, 2)), 5, 13, 3),
        Case("in_place_activation", lambda: Residual(nn.ELU(inplace=True), conv1(3, 3, 3)), 3, 20),
        Case("average_pool", lambda: Residual(nn.AvgPool1d(3, stride=1)), 3, 19),
        Case("average_pool_padded", lambda: Residual(
            nn.AvgPool1d(4, stride=1, padding=2, count_include_pad=False), conv1(3, 3, 2)), 3, 19),
        Case("maximum_pool", lambda: Residual(nn.MaxPool1d(3, stride=1, padding=1)), 3, 13, 3),
        Case("maximum_pool_dilated", lambda: Residual(nn.MaxPool1d(2, stride=1, dilation=3)), 2, 19),
        Case("transposed_padded", lambda: Residual(convt(3, 3, 3, padding=1)), 3, 13, 3),
        Case("transposed_shrinking", lambda: Residual(convt(3, 3, 3, padding=2)), 3, 19),
        Case("transposed_k4_p2", lambda: Residual(convt(2, 2, 4, padding=2)), 2, 19),
        Case("transposed_growing_then_conv", lambda: Residual(convt(2, 3, 3), conv1(3, 2, 5)), 2, 19),
        Case("transposed_output_padding", lambda: Residual(
            convt(2, 2, 2, padding=2, dilation=2, output_padding=1)), 2, 20),
        Case("nested", lambda: Residual(conv1(3, 3, 2), Residual(conv1(3, 3, 4), nn.Tanh()), conv1(3, 3, 2)), 3, 37, 3),
        Case("nested_directly", lambda: Residual(Residual(Residual(conv1(2, 2, 2)))), 2, 19),
        Case("nested_padded", lambda: Residual(
            Residual(conv1(5, 5, 3, padding=1)), nn.GELU(), Residual(conv1(5, 5, 3))), 5, 20),
    ]


def shared_module() -> nn.Module:
    layer = nn.Conv1d(3, 3, 3, padding=1)
    return nn.Sequential(layer, nn.ReLU(), layer, nn.Tanh(), layer)


def tcn(channels: int, dilations: Tuple[int, ...], causal: bool) -> nn.Module:
    blocks: List[nn.Module] = [nn.Conv1d(1, channels, 1)]
    for dilation in dilations:
        pad = [nn.ConstantPad1d((2 * dilation, 0), 0.0)] if causal else []
        conv1 = weight_norm(nn.Conv1d(channels, channels, 3, dilation=dilation))
        blocks.append(Residual(*pad, conv1, nn.PReLU(), nn.Dropout(), nn.Conv1d(channels, channels, 1)))
    return nn.Sequential(*blocks, nn.Conv1d(channels, 1, 1))


def encoder(channels: Tuple[int, ...], strides: Tuple[int, ...]) -> nn.Module:
    layers: List[nn.Module] = []
    for inputs, outputs, stride in zip(channels, channels[1:], strides):
        layers += [nn.Conv1d(inputs, outputs, 2 * stride, stride, (stride + 1) // 2), nn.ELU()]
    return nn.Sequential(*layers)


def decoder(channels: Tuple[int, ...], strides: Tuple[int, ...]) -> nn.Module:
    layers: List[nn.Module] = []
    for inputs, outputs, stride in zip(channels, channels[1:], strides):
        extra = stride % 2 if stride > 1 else 0
        layers += [Snake(inputs), nn.ConvTranspose1d(inputs, outputs, 2 * stride, stride, (stride + 1) // 2, extra)]
    return nn.Sequential(*layers)


class Prewarmed(nn.Module):
    """A convolution after frames of silence."""

    def __init__(self, frames: int, taps: int, dilation: int) -> None:
        super().__init__()
        self.frames, self.padding = frames, (taps - 1) * dilation
        inner = nn.Conv1d(2, 3, taps, dilation=dilation)
        self.weight, self.bias, self.dilation = inner.weight, inner.bias, dilation

    def forward(self, x: Tensor) -> Tensor:
        # Two layers, so that the zeros show.
        x = nn.functional.pad(x, (self.frames, 0)) + 1
        y = nn.functional.conv1d(nn.functional.pad(x, (self.padding, 0)), self.weight, self.bias, dilation=self.dilation)
        return y[..., self.frames :]


def prewarm_cases() -> List[Case]:
    def case(frames: int, taps: int, dilation: int, T: int, B: int) -> Case:
        conv = {"type": "Conv1d", "path": "", "in_channels": 2, "out_channels": 3, "kernel_size": taps, "dilation": dilation,
                "padding": [(taps - 1) * dilation, 0]}
        plus_one = {"type": "Affine", "path": "plus_one", "offset": 1.0}
        node = {"type": "Prewarm", "frames": frames, "net": {"type": "Sequential", "path": "net", "layers": [plus_one, conv]}}
        return Case(f"k{taps}_d{dilation}_n{frames}_T{T}_B{B}", lambda: Prewarmed(frames, taps, dilation), 2, T, B, node=node)

    return [case(1, 3, 2, 9, 1), case(4, 3, 2, 9, 2), case(300, 2, 5, 7, 3)]


def parallel_cases() -> List[Case]:
    conv1 = nn.Conv1d

    def case(reduce: str, *branches: Callable[[], nn.Module]) -> Case:
        return Case(reduce, lambda: Parallel(*(build() for build in branches), reduce=reduce), 3, 20, 2)

    plain, short, late = lambda: conv1(3, 4, 1), lambda: conv1(3, 4, 6), lambda: conv1(3, 4, 5, padding=2)
    return [case("sum", plain, late), case("mean", plain, short, late), case("product", short, plain),
            case("max", late, short), case("min", plain, late), case("concat", short, nn.Identity, late)]


def sequential_cases() -> List[Case]:
    seq, conv1, convt = nn.Sequential, nn.Conv1d, nn.ConvTranspose1d
    return [
        Case("empty", lambda: seq(), 3, 9, 3),
        Case("only_dropout", lambda: seq(nn.Identity(), nn.Dropout(), seq(nn.AlphaDropout())), 2, 8),
        Case("one_conv_T1", lambda: seq(conv1(1, 1, 1)), 1, 1),
        Case("down_and_up", lambda: seq(conv1(1, 1, 3, stride=2), convt(1, 1, 4, stride=2)), 1, 20),
        Case("two_convs", lambda: seq(conv1(3, 5, 3), conv1(5, 2, 4)), 3, 37, 3),
        Case("stride_over_field", lambda: seq(conv1(2, 3, 2, stride=3), conv1(3, 2, 1, stride=4), nn.Tanh()), 2, 64),
        Case("strides_then_gaps", lambda: seq(
            conv1(2, 3, 3, stride=2, padding=1), convt(3, 3, 2, stride=3, output_padding=2),
            conv1(3, 2, 3, padding=1)), 2, 13, 3),
        Case("transposed_twice", lambda: seq(
            convt(2, 3, 3, stride=2, padding=1, output_padding=1), nn.ReLU(), convt(3, 1, 5, stride=3)), 2, 9, 3),
        Case("pools", lambda: seq(
            nn.AvgPool1d(3, stride=2, padding=1), nn.MaxPool1d(3, stride=2, padding=1, ceil_mode=True),
            nn.AvgPool1d(2, ceil_mode=True, count_include_pad=False)), 3, 41, 3),
        Case("ceil_pool_then_conv", lambda: seq(
            nn.MaxPool1d(2, ceil_mode=True), conv1(3, 3, 3, padding=2), nn.AvgPool1d(3, ceil_mode=True),
            convt(3, 2, 3)), 3, 37),
        Case("asymmetric_padding", lambda: seq(
            nn.ConstantPad1d((3, 1), 0.0), conv1(2, 3, 4, stride=2), nn.ReLU(),
            nn.ConstantPad1d((0, 4), 0.0), nn.Dropout(), conv1(3, 2, 3, dilation=2, padding=1)), 2, 37, 3),
        Case("weight_norm_dim0", lambda: seq(
            weight_norm(conv1(3, 5, 3)), weight_norm(convt(5, 2, 4, stride=2))), 3, 20),
        Case("weight_norm_dims", lambda: seq(
            weight_norm(conv1(3, 5, 3), dim=1), weight_norm(conv1(5, 4, 2), dim=2),
            weight_norm(conv1(4, 3, 2), dim=None), weight_norm(convt(3, 2, 3), dim=1)), 3, 20),
        Case("shared_module", shared_module, 3, 20, 3),
        Case("pointwise_mix", lambda: seq(
            conv1(3, 17, 1), batch_norm(17), nn.PReLU(17), layer_norm(17), OverChannels(nn.Linear(17, 16)),
            nn.GLU(dim=1), nn.GELU(approximate="tanh"), Snake(8), nn.Softplus(), conv1(8, 5, 1),
            nn.Softmax(dim=1)), 3, 13, 3),
        Case("nested", lambda: seq(
            seq(conv1(2, 3, 3), seq(nn.LeakyReLU(), seq())), seq(conv1(3, 2, 2, stride=2), nn.ReLU6())), 2, 37),
        Case("separable", lambda: seq(
            conv1(8, 8, 5, padding=2, groups=8), conv1(8, 16, 1), nn.Hardswish(),
            conv1(16, 16, 3, stride=2, groups=16), conv1(16, 5, 1)), 8, 37),
        Case("residuals_between_strides", lambda: seq(
            conv1(1, 5, 4, stride=2, padding=1), Residual(nn.ELU(), conv1(5, 5, 3)), conv1(5, 8, 5, stride=3),
            Residual(conv1(8, 8, 2), nn.Tanh()), convt(8, 2, 4, stride=2, padding=1)), 1, 64, 3),
        Case("tcn_causal", lambda: tcn(8, (1, 2, 4), True), 1, 37, 3),
        Case("tcn_valid", lambda: tcn(5, (1, 2, 4, 8), False), 1, 64),
        Case("encoder", lambda: encoder((1, 3, 5, 8, 17), (2, 3, 2, 1)), 1, 64, 3),
        Case("encoder_odd_length", lambda: encoder((1, 3, 5, 8, 8), (2, 2, 3, 2)), 1, 101),
        Case("decoder", lambda: decoder((17, 5, 3, 2, 1), (2, 3, 2, 1)), 17, 5, 3),
        Case("decoder_T1", lambda: decoder((8, 5, 3, 2, 1), (2, 2, 3, 2)), 8, 1),
        Case("autoencoder", lambda: seq(
            encoder((2, 5, 8), (2, 3)), Residual(conv1(8, 8, 3, padding=1), nn.SiLU()),
            decoder((8, 5, 2), (3, 2))), 2, 64),
    ]


def scrambled(module: nn.Module) -> nn.Module:
    """A module with random numbers for its weights and statistics, also where torch begins with zeros and ones."""
    for tensor in (*module.parameters(), *module.buffers()):
        if tensor.dtype.is_floating_point:
            nn.init.uniform_(tensor, 0.5, 1.5)
    return module


def windowed(
    name: str, net: Callable[[], nn.Module], channels: int, size: int = 8, stride: int = 3, padding: Any = 0, T: int = 23,
    B: int = 1,
) -> Case:
    """A net over windows."""
    options = _unusual(p=(padding, 0))
    name = f"{name}_{_slug(size=size, stride=stride, **options)}_{_shape_slug(T, B)}"
    return Case(name, lambda: Windowed(net(), size, stride, padding), channels, T, B, traced=True)


def windowed_cases() -> List[Case]:
    seq, conv1 = nn.Sequential, nn.Conv1d
    return [
        # the layers that only windows have, also for few and many channels
        windowed("group_norm", lambda: scrambled(nn.GroupNorm(2, 6)), 6, B=3),
        windowed("group_norm_one", lambda: nn.GroupNorm(1, 5, affine=False), 5, size=1, stride=1, T=5),
        windowed("group_norm_eps", lambda: nn.GroupNorm(3, 3, eps=0.1, affine=False), 3, padding=(7, 2)),
        windowed("group_norm_wide", lambda: scrambled(nn.GroupNorm(11, 33)), 33, size=5, T=9),
        windowed("instance_norm", lambda: nn.InstanceNorm1d(3), 3, B=2),
        windowed("instance_norm_affine", lambda: scrambled(nn.InstanceNorm1d(17, affine=True)), 17, size=7, T=13),
        windowed("instance_norm_running", lambda: scrambled(nn.InstanceNorm1d(3, track_running_stats=True)), 3, T=9),
        windowed("average_1", lambda: nn.AdaptiveAvgPool1d(1), 3, B=2), windowed("average_3", lambda: nn.AdaptiveAvgPool1d(3), 17),
        windowed("average_11", lambda: nn.AdaptiveAvgPool1d(11), 2, T=12),
        windowed("maximum_1", lambda: nn.AdaptiveMaxPool1d(1), 3, B=2), windowed("maximum_5", lambda: nn.AdaptiveMaxPool1d(5), 17),
        windowed("maximum_11", lambda: nn.AdaptiveMaxPool1d(11), 2, T=12),
        windowed("flatten", nn.Flatten, 3, B=2), windowed("flatten_wide", nn.Flatten, 17, size=18, T=22),
        windowed("nothing", seq, 3, stride=1, T=11, B=2), windowed("gaps", seq, 2, size=2, stride=5, padding=(1, 0)),
        # mirrored, and put to the other end
        windowed("reflect", lambda: seq(nn.ReflectionPad1d((0, 3)), conv1(2, 3, 4, stride=2)), 2, B=2),
        windowed("circular", lambda: conv1(2, 3, 4, padding="same", padding_mode="circular"), 2, B=2),
        # over time
        windowed("softmax", lambda: nn.Softmax(dim=-1), 3, B=2), windowed("log_softmax", lambda: nn.LogSoftmax(dim=2), 2),
        windowed("softmin", lambda: nn.Softmin(dim=-1), 2), windowed("glu", lambda: nn.GLU(dim=2), 3, size=6),
        windowed("linear", lambda: nn.Linear(8, 5), 3, B=2), windowed("linear_nobias", lambda: nn.Linear(8, 9, bias=False), 2),
        windowed("layer_norm", lambda: scrambled(nn.LayerNorm(8)), 3, padding=7),
        windowed("layer_norm_both", lambda: nn.LayerNorm((3, 8), elementwise_affine=False), 3),
        # what remembers
        windowed("rnn", lambda: Recurrent(nn.RNN(2, 3, batch_first=True)), 2, size=6, B=2),
        windowed("rnn_relu_nobias", lambda: Recurrent(nn.RNN(3, 5, 2, nonlinearity="relu", bias=False)), 3, size=6),
        windowed("gru", lambda: Recurrent(nn.GRU(2, 3)), 2, size=6, B=2),
        windowed("gru_frame", lambda: Recurrent(nn.GRU(2, 3)), 2, size=1, stride=2),
        windowed("gru_both", lambda: Recurrent(nn.GRU(1, 3, bidirectional=True)), 1, size=7, padding=(6, 0), T=11),
        windowed("lstm", lambda: Recurrent(nn.LSTM(2, 3)), 2, size=6, B=2),
        windowed("lstm_both", lambda: Recurrent(nn.LSTM(3, 5, 2, bidirectional=True)), 3, size=5, T=11),
        windowed("lstm_both_projected", lambda: Recurrent(nn.LSTM(2, 2, bidirectional=True, proj_size=1)), 2, size=4, T=9),
        # networks
        windowed("classifier", lambda: seq(conv1(2, 4, 3, padding=1), nn.BatchNorm1d(4), nn.ReLU(), nn.AdaptiveAvgPool1d(2),
                                           nn.Flatten(), nn.Linear(8, 3), nn.LogSoftmax(dim=1)), 2, B=3),
        windowed("encoder", lambda: seq(conv1(1, 4, 4, stride=2, padding=1), nn.GELU(), scrambled(nn.GroupNorm(2, 4)),
                                        conv1(4, 6, 3, padding=1), scrambled(nn.InstanceNorm1d(6, affine=True)), nn.Tanh()),
                 1, size=12, stride=4, padding=(8, 3), T=29, B=2),
        windowed("residuals", lambda: seq(Residual(conv1(3, 3, 4), nn.Softmax(dim=-1)), Residual(nn.Linear(5, 5), nn.ELU()),
                                          nn.AdaptiveMaxPool1d(1)), 3, stride=1, padding=(7, 0), T=12),
        windowed("branches", lambda: seq(Parallel(conv1(3, 4, 1), seq(conv1(3, 4, 3), nn.GroupNorm(1, 4)), reduce="product"),
                                         Parallel(nn.AdaptiveAvgPool1d(1), nn.AdaptiveMaxPool1d(1), reduce="concat")), 3, B=2),
        windowed("autoencoder", lambda: seq(conv1(2, 4, 2, stride=2), nn.GroupNorm(1, 4), nn.Flatten(), nn.Linear(16, 6),
                                            nn.LayerNorm(6), nn.PReLU(6), nn.Dropout(), nn.Linear(6, 16)), 2, stride=8, T=26),
        *(windowed(name, net, channels, size, B=2, padding=(size - 1, 0))
          for name, (net, channels, size) in WINDOW_NETWORKS.items()),
        windowed("windows_inside", lambda: seq(Windowed(nn.GroupNorm(1, 2), 4, 2), OverlapAdd(2, 4, 2), nn.Linear(8, 3)), 2),
        Case("padded_B1_then_overlap_add", lambda: seq(
            conv1(1, 3, 3, padding=1), Windowed(seq(nn.Linear(6, 6), scrambled(nn.GroupNorm(3, 3))), 6, 2, (4, 0)),
            OverlapAdd(3, 6, 2, (4, 0), True, [1.0, 2, 3, 3, 2, 1]), nn.ReLU(), conv1(3, 1, 3)), 1, 31, 2),
        Case("then_online_averager", lambda: seq(Windowed(seq(nn.Softmax(dim=-1), conv1(2, 2, 1)), 8, 2),
                                                 OnlineAverager(2, 3, 2, 1, True), conv1(2, 1, 3)), 2, 25, traced=True),
        Case("residual_around", lambda: seq(
            conv1(1, 3, 1), Residual(Windowed(nn.AdaptiveAvgPool1d(1), 4, 1, (1, 0)), conv1(3, 3, 3))), 1, 21),
    ]


def recurrent(build: Callable[..., nn.RNNBase], inputs: int, hidden: int, T: int = 13, B: int = 1, **options: Any) -> Case:
    """One RNN, GRU or LSTM over a stream; the options are torch's."""
    name = f"{build.__name__}_{inputs}to{hidden}_{_slug(**options) + '_' if options else ''}{_shape_slug(T, B)}"
    return Case(name, lambda: Recurrent(build(inputs, hidden, **options)), inputs, T, B)


def recurrent_cases() -> List[Case]:
    rnn, gru, lstm = nn.RNN, nn.GRU, nn.LSTM
    return [
        recurrent(rnn, 2, 3, B=3), recurrent(rnn, 3, 2, num_layers=2, nonlinearity="relu", bias=False),
        recurrent(gru, 2, 3, B=3), recurrent(gru, 3, 2, num_layers=2, bias=False), recurrent(gru, 5, 9, T=1),
        recurrent(lstm, 2, 3, B=3), recurrent(lstm, 3, 2, num_layers=2, bias=False),
        recurrent(lstm, 2, 5, num_layers=2, proj_size=3),
        *(Case(name, build, channels, frames, batch, traced=True)
          for name, (build, channels, frames, batch) in RECURRENT_NETWORKS.items()),
    ]


class FastLstm(nn.LSTM):
    """An LSTM of one layer with fast_tanh, frame by frame."""

    def forward(self, x: Tensor) -> Tensor:
        h = x.new_zeros(x.shape[0], self.hidden_size)
        c, outputs = h, []
        for frame in x.unbind(2):
            gates = frame @ self.weight_ih_l0.T + self.bias_ih_l0 + h @ self.weight_hh_l0.T + self.bias_hh_l0
            i, f, g, o = gates.chunk(4, 1)
            i, f, o = ((fast_tanh(gate / 2) + 1) / 2 for gate in (i, f, o))
            c = f * c + i * fast_tanh(g)
            h = o * fast_tanh(c)
            outputs.append(h)
        return torch.stack(outputs, 2)


def fast_lstm_cases() -> List[Case]:
    return [Case(f"fast_{inputs}to{hidden}", lambda inputs=inputs, hidden=hidden: FastLstm(inputs, hidden), inputs, frames,
                 batch, scale=3, node={"type": "LSTM", "input_size": inputs, "hidden_size": hidden, "fast_tanh": True})
            for inputs, hidden, frames, batch in ((1, 3, 20, 1), (2, 9, 9, 2))]


def amplifier_cases() -> List[Case]:
    """What models of amplifiers have and torch has not: the exporter never writes it."""
    slopes = {"min_val": -0.5, "max_val": 2.0, "min_slope": 0.25, "max_slope": -0.125}
    cases = [*function_cases("LeakyHardtanh", LeakyHardtanh, slopes), *function_cases("Fasttanh", lambda: Function(fast_tanh)),
             *fast_lstm_cases(), *prewarm_cases()]
    for case in cases:
        case.name = f"{case.node['type']}_{case.name}"
    return cases


class Attention(nn.Module):
    """softmax(Q K^T scale + what is seen and where) V of a signal (B, C, T), whose channels are those of q, k and v."""

    def __init__(self, size: int, seen: Callable[[int, int], bool], heads: int = 1, kv_heads: int = 0, value_size: int = 0,
                 rotary: int = 0, interleaved: bool = False, alibi: bool = False, first_place: int = 0, places: int = 0,
                 biased: bool = False, xl: bool = False) -> None:
        super().__init__()
        self.size, self.seen, self.heads, self.kv_heads = size, seen, heads, kv_heads or heads
        self.value_size, self.rotary, self.interleaved = value_size or size, rotary, interleaved
        self.alibi, self.first_place = alibi, first_place
        if biased:
            self.bias = nn.Parameter(torch.randn(heads, places))
        if xl:
            self.keys = nn.Parameter(torch.randn(places, heads, size))
            self.content_bias = nn.Parameter(torch.randn(heads, size))
            self.position_bias = nn.Parameter(torch.randn(heads, size))

    def turned(self, x: Tensor) -> Tensor:  # (B, H, T, d)
        r = self.rotary
        angles = torch.arange(x.shape[2])[:, None] * 10000.0 ** (-torch.arange(0, r, 2) / r)
        pairs = (x[..., 0:r:2], x[..., 1:r:2]) if self.interleaved else (x[..., : r // 2], x[..., r // 2 : r])
        a, b = pairs[0] * angles.cos() - pairs[1] * angles.sin(), pairs[1] * angles.cos() + pairs[0] * angles.sin()
        both = torch.stack([a, b], -1).flatten(-2) if self.interleaved else torch.cat([a, b], -1)
        return torch.cat([both, x[..., r:]], -1)

    def forward(self, x: Tensor) -> Tensor:
        kv = self.kv_heads
        q, k, v = (part.unflatten(1, (heads, -1)).transpose(2, 3) for part, heads in zip(
            x.split([self.heads * self.size, kv * self.size, kv * self.value_size], 1), (self.heads, kv, kv)))
        k, v = (part.repeat_interleave(self.heads // kv, 1) for part in (k, v))
        if self.rotary:
            q, k = self.turned(q), self.turned(k)
        frames = range(x.shape[2])
        content = q + self.content_bias[:, None] if hasattr(self, "keys") else q
        logits = content @ k.transpose(2, 3)
        place = torch.tensor([[j - i - self.first_place for j in frames] for i in frames])
        if hasattr(self, "keys"):
            inside = place.clamp(0, len(self.keys) - 1)
            logits = logits + torch.einsum("bhid,ijhd->bhij", q + self.position_bias[:, None], self.keys[inside])
        logits = logits * self.size**-0.5
        if hasattr(self, "bias"):
            logits = logits + self.bias[:, place.clamp(0, self.bias.shape[1] - 1)]
        if self.alibi:
            slopes = 2.0 ** (-8 * torch.arange(1, self.heads + 1) / self.heads)
            logits = logits - slopes[:, None, None] * (place + self.first_place).abs()
        mask = torch.tensor([[self.seen(i, j) for j in frames] for i in frames])
        y = logits.masked_fill(~mask, -torch.inf).softmax(-1) @ v
        return y.transpose(2, 3).flatten(1, 2)


def attention_cases() -> List[Case]:
    def case(name: str, size: int, context: int, lookahead: int = 0, T: int = 15, B: int = 1, scale: float = 1.0, heads: int = 2,
             sinks: int = 0, **options: Any) -> Case:
        kv, e = options.get("kv_heads", heads), options.get("value_size", size)
        places = context + lookahead
        node = {"type": "CausalAttention", "head_size": size, "context": context, "heads": heads}
        node.update(_unusual(lookahead=(lookahead, 0), sinks=(sinks, 0), kv_heads=(kv, heads), value_size=(e, size),
                             rotary_size=(options.get("rotary", 0), 0), rotary_interleaved=(options.get("interleaved", False), False),
                             alibi=(options.get("alibi", False), False)))
        if options.get("biased") or options.get("xl"):
            node.update(places=places)
        for what, names in (("biased", ("relative_bias",)), ("xl", ("relative_keys", "with_content_bias", "with_position_bias"))):
            node.update({each: True for each in names if options.get(what)})
        seen = lambda i, j: i - context < j <= i + lookahead or j < min(sinks, i + lookahead + 1)  # noqa: E731
        return Case(f"{name}_{_shape_slug(T, B)}", lambda: Attention(size, seen, heads, first_place=1 - context, places=places, **options),
                    heads * size + kv * (size + e), T, B, scale, node=node)

    def chunks(size: int, chunk: int, before: int, T: int, heads: int = 2) -> Case:
        seen = lambda i, j: i // chunk - before <= j // chunk <= i // chunk  # noqa: E731
        node = {"type": "ChunkAttention", "head_size": size, "chunk": chunk, "before": before, "heads": heads}
        return Case(f"chunk{chunk}_before{before}_{_shape_slug(T, 1)}", lambda: Attention(size, seen, heads), 3 * heads * size, T, node=node)

    retroactive = {"type": "RetroactiveAttention", "head_size": 3, "window": 6, "heads": 2}
    table = {"type": "RecyclingPositionalEncoding", "embed_dim": 3, "num_embeds": 4}
    return [
        case("context5", 4, 5, B=2), case("context1", 2, 1, T=3), case("context20_ahead3", 3, 20, 3, T=26), case("great", 4, 6, scale=8.0),
        case("grouped", 2, 7, heads=4, kv_heads=2, value_size=3), case("multi_query", 2, 6, 1, heads=3, kv_heads=1),
        case("rotary", 4, 9, rotary=4), case("rotary_interleaved", 5, 9, 1, rotary=4, interleaved=True), case("alibi", 2, 8, 1, alibi=True),
        case("bias", 2, 4, 2, biased=True), case("transformer_xl", 3, 5, 1, biased=True, xl=True), case("sinks", 3, 4, sinks=2),
        chunks(3, 5, 1, 23), chunks(2, 4, 2, 16),
        Case("retroactive_T17_B2", lambda: Retroactive(3, 2, 6), 18, 17, 2, node=retroactive),
        Case("positional", lambda: Recycled(4, 3), 3, 11, 2, node=table),
    ]


class Retroactive(nn.Module):
    """Attention of all frames of a window to all of them, for each window."""

    def __init__(self, size: int, heads: int, window: int) -> None:
        super().__init__()
        self.attention, self.window = Attention(size, lambda i, j: True, heads), window

    def forward(self, x: Tensor) -> Tensor:
        return torch.stack([self.attention(x[:, :, t : t + self.window]) for t in range(x.shape[2] - self.window + 1)], 2)


class Recycled(nn.Module):
    """Rows of a table, added to the frames, from the first one again after the last."""

    def __init__(self, rows: int, channels: int) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.randn(rows, channels))

    def forward(self, x: Tensor) -> Tensor:
        return x + self.weight[torch.arange(x.shape[2]) % len(self.weight)].T


def snapshotter_cases() -> List[Case]:
    return [Case(f"C{channels}_{_slug(size=size, stride=stride)}_{_shape_slug(T, B)}",
                 lambda channels=channels, size=size, stride=stride: Snapshotter(channels, size, stride), channels, T, B)
            for channels, size, stride, T, B in ((1, 5, 2, 12, 1), (2, 5, 2, 13, 3), (3, 4, 1, 4, 1), (5, 7, 6, 20, 2),
                                                 (17, 9, 3, 10, 1), (1, 40, 10, 30, 1))]


def overlap_add_cases() -> List[Case]:
    window = [0.25, 1.0, -0.5, 2.0, 1.5, 0.75]

    def case(channels: int, stride: int, padding: Any = 0, T: int = 9, B: int = 1, normalise: bool = False,
             weighted: bool = False, size: int = 6) -> Case:
        options = _unusual(p=(padding, 0), normalise=(normalise, False), weighted=(weighted, False))
        name = f"C{channels}_{_slug(size=size, stride=stride, **options)}_{_shape_slug(T, B)}"
        return Case(name, lambda: OverlapAdd(channels, size, stride, padding, normalise, window if weighted else None),
                    channels * size, T, B)

    return [
        case(1, 2), case(2, 3, B=3), case(3, 1), case(3, 6), case(5, 4, T=1), case(2, 4, (2, 1), B=2), case(1, 1, 5), case(3, 2, (0, 4)),
        case(2, 2, normalise=True), case(1, 1, T=3, normalise=True), case(3, 4, (1, 2), B=2, normalise=True),
        case(2, 2, weighted=True), case(17, 3, T=2, weighted=True), case(3, 6, weighted=True),
        case(2, 2, (4, 0), weighted=True, normalise=True), case(1, 4, 2, B=3, weighted=True, normalise=True),
        case(3, 1, size=1), case(2, 1, T=5, normalise=True, size=2),
    ]


def online_averager_cases() -> List[Case]:
    def case(update: int, updates: int, channels: int = 1, offset: int = 0, extra: int = 0, T: int = 7, B: int = 1,
             start: bool = False) -> Case:
        options = _unusual(offset=(offset, 0), extra=(extra, 0), start=(start, False))
        name = f"C{channels}_{_slug(U=update, N=updates, **options)}_{_shape_slug(T, B)}"
        return Case(name, lambda: OnlineAverager(update, updates, channels, offset, start),
                    channels * (update * updates + offset + extra), T, B)

    return [
        case(2, 3), case(2, 3, start=True), case(1, 1), case(3, 1, 2, B=2), case(1, 4, 3), case(1, 4, 3, start=True, B=3),
        case(2, 3, 2, offset=1), case(3, 2, 1, offset=2, extra=3, start=True), case(2, 2, 3, extra=1, B=2),
        case(2, 5, 2, T=2), case(2, 5, 2, T=2, start=True), case(4, 3, T=1), case(4, 3, T=1, start=True), case(1, 3, 17, T=4),
    ]


@dataclass
class ResampleCase:
    """A call of torchaudio.functional.resample, its options by torchaudio's newer names."""

    name: str
    source: int
    target: int
    frames: int = 60
    channels: int = 1
    batch: int = 1
    method: str = "sinc_interp_hann"
    width: int = 6
    rolloff: float = 0.99
    beta: Optional[float] = None

    def arguments(self) -> Dict[str, Any]:
        known = {"resampling_method": self.method, "lowpass_filter_width": self.width, "rolloff": self.rolloff}
        return {**known, **({} if self.beta is None else {"beta": self.beta})}


def call_resample(case: ResampleCase, x: Tensor) -> Tensor:
    arguments = case.arguments()
    try:
        return resample(x, case.source, case.target, **arguments)
    except ValueError:  # torchaudio before 2.0 has other names
        older = {"sinc_interp_hann": "sinc_interpolation", "sinc_interp_kaiser": "kaiser_window"}
        arguments["resampling_method"] = older[case.method]
        return resample(x, case.source, case.target, **arguments)


def resample_cases() -> List[ResampleCase]:
    kaiser = "sinc_interp_kaiser"
    return [
        ResampleCase("down2", 2, 1), ResampleCase("up2", 1, 2), ResampleCase("3to2", 3, 2, channels=2, batch=3),
        ResampleCase("5to7_T1", 5, 7, frames=1), ResampleCase("7to5_T3", 7, 5, frames=3),
        ResampleCase("same", 16000, 16000, frames=9), ResampleCase("48to16", 48000, 16000, frames=200),
        ResampleCase("16to48", 16000, 48000, frames=40, channels=2), ResampleCase("16to24", 16000, 24000, batch=2),
        ResampleCase("8to96", 8000, 96000, frames=30), ResampleCase("96to8", 96000, 8000, frames=300),
        ResampleCase("44to48", 44100, 48000, frames=320), ResampleCase("48to44", 48000, 44100, frames=340),
        ResampleCase("44to16", 44100, 16000, frames=500), ResampleCase("48to11", 48000, 11025, frames=700),
        ResampleCase("11to8", 11025, 8000, frames=450, channels=2),
        ResampleCase("down2_z2", 2, 1, width=2), ResampleCase("down2_z64", 2, 1, width=64, frames=100),
        ResampleCase("up3_rolloff", 1, 3, rolloff=0.8), ResampleCase("2to3_rolloff1", 2, 3, rolloff=1.0),
        ResampleCase("kaiser_down2", 2, 1, method=kaiser), ResampleCase("kaiser_4to5", 4, 5, method=kaiser, channels=3),
        ResampleCase("kaiser_best", 3, 1, 300, method=kaiser, width=64, rolloff=0.9475937167399596),
        ResampleCase("kaiser_fast", 44100, 48000, 320, method=kaiser, width=16, rolloff=0.85, beta=8.555504641634386),
        ResampleCase("kaiser_beta0", 3, 4, method=kaiser, beta=0.0),
    ]


def make_resample_file() -> Tuple[List[Dict[str, Any]], Dict[str, Tensor]]:
    entries, tensors = [], {}
    for case in resample_cases():
        torch.manual_seed(zlib.crc32(f"Resample/{case.name}".encode()))
        x = torch.rand(case.batch, case.channels, case.frames) * 2 - 1
        y = call_resample(case, x.double()).float()  # for a signal in single precision its filter is too
        check_close(f"Resample/{case.name} in float", call_resample(case, x), y, 1e-4)
        entries.append({"name": case.name, "source_hz": case.source, "target_hz": case.target, **case.arguments()})
        tensors[f"{case.name}/x"], tensors[f"{case.name}/y"] = x, y.contiguous()
    return entries, tensors


class Spectral(nn.Module):
    """What `function` makes of each signal (N,T), complex spectra as pairs of channels: (B,C,T) to (B,C',T',W); or the way back."""

    def __init__(self, function: Callable[..., Tensor], inverse: bool = False, window: Optional[Tensor] = None) -> None:
        super().__init__()
        self.function, self.inverse = function, inverse
        if window is not None:
            self.window = nn.Parameter(window)

    def state_dict(self, *args: Any, **kwargs: Any) -> Dict[str, Tensor]:
        """Without what torchaudio computes from its arguments, as the layer does, too."""
        return {"window": self.window.detach()} if hasattr(self, "window") else {}

    def forward(self, x: Tensor) -> Tensor:
        given = {"window": self.window.detach()} if hasattr(self, "window") else {}
        if self.inverse:  # (B,2C,T,W)
            pairs = x.reshape(len(x), -1, 2, *x.shape[2:])
            spectra = torch.complex(pairs[:, :, 0], pairs[:, :, 1]).transpose(-1, -2)
            y = self.function(spectra.flatten(0, 1), **given)
            return y.reshape(len(x), -1, y.shape[-1])
        y = self.function(x.flatten(0, 1), **given).transpose(-1, -2)  # (N,T',W)
        y = y.reshape(*x.shape[:2], *y.shape[1:])
        return torch.stack([y.real, y.imag], 2).flatten(1, 2) if y.is_complex() else y


def windows(name: str, length: int, periodic: bool = True) -> Callable[[Tensor], Tensor]:
    made = {"rectangular": lambda n, periodic: torch.ones(n, dtype=torch.float64), "hann": torch.hann_window,
            "sqrt_hann": lambda n, **k: torch.hann_window(n, **k).sqrt(), "hamming": torch.hamming_window,
            "blackman": torch.blackman_window, "bartlett": torch.bartlett_window}[name]
    return lambda x: made(length, periodic=periodic).to(x.real.dtype)


def stft_cases() -> List[Case]:
    def case(n_fft: int, hop: int, T: int = 60, B: int = 1, channels: int = 1, custom: bool = False, **options: Any) -> Case:
        length = options.get("win_length", n_fft)
        window = windows(options.get("window", "hann"), length, options.get("periodic_window", True))
        own = lambda: torch.rand(length) + 0.1 if custom else None
        scale = options.get("scale", "none")

        def function(x: Tensor, **given: Tensor) -> Tensor:
            w = given["window"].to(x.dtype) if custom else window(x)
            y = torch.stft(x, n_fft, hop, length, w, options.get("center", True), options.get("pad_mode", "reflect"),
                           scale == "frame_length", return_complex=True)
            return y / w.square().sum().sqrt() if scale == "window" else y

        node = {"type": "Stft", "n_fft": n_fft, "hop_length": hop, **options, **({"custom_window": True} if custom else {})}
        name = f"stft_{_slug(n=n_fft, hop=hop, T=T, b=B, c=channels)}_{'_'.join(map(str, options.values()))}{'_own' if custom else ''}"
        return Case(name, lambda: Spectral(function, window=own()), channels, T, B, node=node)

    return [
        case(16, 4), case(16, 4, B=2, channels=3), case(15, 5, T=40), case(31, 8, win_length=20, window="hamming"),
        case(32, 8, window="rectangular", pad_mode="constant"), case(32, 16, window="sqrt_hann", pad_mode="replicate"),
        case(40, 10, center=False, window="blackman", scale="frame_length"), case(24, 6, window="bartlett", scale="window"),
        case(64, 16, T=200, window="hamming", periodic_window=False), case(20, 7, custom=True, win_length=12, B=2),
        case(512, 128, T=700), case(400, 160, T=900), case(17, 3, T=9),
    ]


def istft_cases() -> List[Case]:
    def case(n_fft: int, hop: int, T: int = 7, B: int = 1, channels: int = 2, custom: bool = False, **options: Any) -> Case:
        length = options.get("win_length", n_fft)
        window = windows(options.get("window", "hann"), length, options.get("periodic_window", True))
        own = lambda: torch.rand(length) + 0.3 if custom else None
        scale = options.get("scale", "none")

        def function(spectra: Tensor, **given: Tensor) -> Tensor:
            w = given["window"].to(spectra.real.dtype) if custom else window(spectra)
            if scale == "window":
                spectra = spectra * w.square().sum().sqrt()
            return torch.istft(spectra, n_fft, hop, length, w, options.get("center", True), scale == "frame_length")

        node = {"type": "Istft", "n_fft": n_fft, "hop_length": hop, **options, **({"custom_window": True} if custom else {})}
        name = f"istft_{_slug(n=n_fft, hop=hop, T=T, b=B, c=channels)}_{'_'.join(map(str, options.values()))}{'_own' if custom else ''}"
        return Case(name, lambda: Spectral(function, True, own()), channels, T, B, node=node, space=(n_fft // 2 + 1,))

    return [
        case(16, 4), case(16, 4, B=2, channels=6), case(15, 5), case(32, 16, window="sqrt_hann"), case(32, 8, scale="frame_length"),
        case(24, 6, window="hamming", scale="window", center=False), case(20, 5, custom=True), case(30, 5, win_length=20, window="blackman"),
        case(128, 32, T=9), case(16, 4, T=2), case(16, 4, T=1, window="hamming", center=False),
    ]


def feature_cases() -> List[Case]:
    """Those of torchaudio; none without it."""
    if torchaudio is None:
        return []
    from torchaudio import transforms

    def case(kind: str, build: Callable[[], nn.Module], T: int = 700, B: int = 1, channels: int = 1, scale: float = 1.0,
             **options: Any) -> Case:
        name = f"{kind}_{_slug(T=T, b=B, c=channels)}_{'_'.join(map(str, options.values()))}"
        return Case(name, lambda: Spectral(build()), channels, T, B, scale, node={"type": kind, **options})

    def spectrogram(n_fft: int, hop: int, power: int, **options: Any) -> Case:
        return case("Spectrogram", lambda: transforms.Spectrogram(n_fft, hop_length=hop, power=float(power)), T=150, n_fft=n_fft,
                    hop_length=hop, power=power, **options)

    def mel(n_fft: int, hop: int, n_mels: int, T: int = 700, B: int = 1, channels: int = 1, **options: Any) -> Case:
        others = {key: value for key, value in options.items() if value != "none"}
        if "norm" in options and options["norm"] == "none":
            others["norm"] = None
        build = lambda: transforms.MelSpectrogram(n_fft=n_fft, hop_length=hop, n_mels=n_mels, **{**others, "power": float(others.get("power", 2))})
        return case("MelSpectrogram", build, T, B, channels, n_fft=n_fft, hop_length=hop, n_mels=n_mels, **options)

    def mfcc(n_mfcc: int, n_mels: int, ortho: bool = True, log_mels: bool = False) -> Case:
        class Faint(transforms.MFCC):  # without what raises all that is 80 dB below the loudest
            def __init__(self) -> None:
                super().__init__(n_mfcc=n_mfcc, norm="ortho" if ortho else None, log_mels=log_mels,
                                 melkwargs={"n_fft": 256, "hop_length": 100, "n_mels": n_mels})
                self.amplitude_to_DB.top_db = None

        # Near 0 dB, as torchaudio's cosines are rounded.
        return case("MFCC", Faint, scale=0.05, n_fft=256, hop_length=100, n_mels=n_mels, n_mfcc=n_mfcc, ortho=ortho, log_mels=log_mels)

    def kaldi(T: int = 1200, B: int = 1, channels: int = 1, **options: Any) -> Case:
        def build() -> Callable[[Tensor], Tensor]:
            return lambda x: torch.stack([fbank(one[None], dither=0.0, **options) for one in x]).transpose(-1, -2)
        return case("Fbank", build, T, B, channels, **options)

    return [
        spectrogram(40, 10, 1), spectrogram(40, 16, 2), spectrogram(25, 7, 1),
        mel(256, 100, 20), mel(256, 100, 20, B=2, channels=2, mel_scale="slaney", norm="slaney"), mel(200, 80, 12, f_min=100.0, f_max=3000.0),
        mel(128, 64, 10, power=1, sample_rate=8000.0, mel_scale="slaney"), mel(255, 100, 9, sample_rate=11025.0, norm="slaney"),
        mfcc(6, 8), mfcc(4, 4, ortho=False), mfcc(10, 30, log_mels=True),
        kaldi(), kaldi(num_mel_bins=40, window_type="hamming", use_energy=True), kaldi(B=2, channels=2, use_power=False, preemphasis_coefficient=0.0),
        kaldi(use_energy=True, raw_energy=False, htk_compat=True, energy_floor=0.0), kaldi(window_type="hanning", remove_dc_offset=False),
        kaldi(sample_frequency=8000.0, frame_length=30.0, frame_shift=12.5, low_freq=50.0, high_freq=-300.0, use_log_fbank=False),
        kaldi(round_to_power_of_two=False, window_type="rectangular", energy_floor=0.0, use_energy=True),
    ]


class Running(nn.Module):
    """What remembers all that has been, frame by frame: step(x[t], state) -> (y[t], state)."""

    def __init__(self, start: Callable[[Tensor], Any], step: Callable[..., Tuple[Tensor, Any]], **tensors: Tensor) -> None:
        super().__init__()
        self.start, self.step = start, step
        for name, value in tensors.items():
            self.register_parameter(name, nn.Parameter(value))

    def forward(self, x: Tensor) -> Tensor:
        state, frames = self.start(self, x[:, :, 0]), []
        for t in range(x.shape[2]):
            y, state = self.step(self, x[:, :, t], state)
            frames.append(y)
        return torch.stack(frames, 2)


def running_cases() -> List[Case]:
    def average(factor: float, initial: bool, channels: int, B: int = 1) -> Case:
        def step(m: Running, x: Tensor, last: Tensor) -> Tuple[Tensor, Tensor]:
            y = factor * last + (1 - factor) * x
            return y, y

        given = {"initial": torch.linspace(-60, -90, channels)} if initial else {}
        start = lambda m, x: torch.zeros_like(x) + (m.initial if initial else 0)
        node = {"type": "ExponentialAverage", "channels": channels, "factor": factor, **({"initial_state": True} if initial else {})}
        return Case(f"average_{_slug(f=factor, c=channels, b=B)}_{initial}", lambda: Running(start, step, **given), channels, 30, B, node=node)

    def norm(factor: float, initial: bool, channels: int, B: int = 1, **options: Any) -> Case:
        def step(m: Running, x: Tensor, state: Tuple[Tensor, Tensor]) -> Tuple[Tensor, Any]:
            mean, variance = state
            away = x - mean
            mean, variance = mean + (1 - factor) * away, factor * (variance + (1 - factor) * away * away)
            y = x - mean if options.get("center", True) else x
            return y / torch.sqrt(variance + options.get("eps", 1e-5)) if options.get("scale", True) else y, (mean, variance)

        def start(m: Running, x: Tensor) -> Tuple[Tensor, Tensor]:
            if not initial:
                return torch.zeros_like(x), torch.ones_like(x)
            return torch.zeros_like(x) + m.initial_mean, torch.zeros_like(x) + m.initial_var

        given = lambda: {"initial_mean": torch.rand(channels), "initial_var": torch.rand(channels) + 0.5} if initial else {}
        node = {"type": "ExponentialNorm", "channels": channels, "factor": factor, **options, **({"initial_state": True} if initial else {})}
        name = f"norm_{_slug(f=factor, c=channels, b=B)}_{initial}_{'_'.join(map(str, options.values()))}"
        return Case(name, lambda: Running(start, step, **given()), channels, 30, B, node=node)

    class Cumulated(nn.Module):
        """cLN as the authors of Conv-TasNet have it: with cumulative sums."""

        def __init__(self, channels: int, eps: float, affine: bool) -> None:
            super().__init__()
            self.eps = eps
            if affine:
                self.weight, self.bias = nn.Parameter(torch.rand(channels) + 0.5), nn.Parameter(torch.rand(channels))

        def forward(self, x: Tensor) -> Tensor:
            count = x.shape[1] * torch.arange(1, x.shape[2] + 1, dtype=x.dtype)
            mean = x.sum(1).cumsum(1) / count
            variance = x.square().sum(1).cumsum(1) / count - mean.square()
            y = (x - mean[:, None]) / torch.sqrt(variance + self.eps)[:, None]
            return y * self.weight[:, None] + self.bias[:, None] if hasattr(self, "weight") else y

    def cumulated(channels: int, B: int = 1, eps: float = 1e-8, affine: bool = True) -> Case:
        node = {"type": "CumulativeNorm", "channels": channels, **({} if eps == 1e-8 else {"eps": eps}), **({} if affine else {"affine": False})}
        return Case(f"cln_{_slug(c=channels, b=B)}_{eps}_{affine}", lambda: Cumulated(channels, eps, affine), channels, 30, B, node=node)

    class Filter(nn.Module):
        def __init__(self, b: List[Any], a: List[Any], clamp: bool) -> None:
            super().__init__()
            self.b, self.a, self.clamp = nn.Parameter(torch.tensor(b)), nn.Parameter(torch.tensor(a)), clamp

        def forward(self, x: Tensor) -> Tensor:
            for b, a in zip(self.b, self.a):
                filters = (a[0], b[0]) if len(b) == 1 else (a, b)
                x = torchaudio.functional.lfilter(x, *filters, clamp=self.clamp)
            return x

    def filtered(name: str, b: List[Any], a: List[Any], channels: int, B: int = 1, clamp: bool = False, T: int = 60) -> Case:
        node = {"type": "RecursiveFilter", "sections": len(b), "rows": len(b[0]), "taps": len(b[0][0]), **({"clamp": True} if clamp else {})}
        return Case(f"filter_{name}_{_slug(c=channels, b=B)}", lambda: Filter(b, a, clamp), channels, T, B, node=node)

    low, peak = ([0.067, 0.135, 0.067], [1.0, -1.143, 0.413]), ([1.2, -1.6, 0.7], [1.1, -1.6, 0.8])
    def magnitude(channels: int, power: int, B: int = 1) -> Case:
        def absolute(x: Tensor) -> Tensor:
            pairs = x.reshape(len(x), -1, 2, x.shape[-1])
            y = torch.complex(pairs[:, :, 0], pairs[:, :, 1]).abs()
            return y if power == 1 else y * y

        return Case(f"magnitude_{_slug(c=channels, p=power, b=B)}", lambda: Function(absolute), channels, 20, B,
                    node={"type": "Magnitude", "power": power})

    cases = [
        magnitude(2, 1), magnitude(6, 1, 2), magnitude(4, 2), average(0.9, False, 1), average(0.99, True, 4, 2), norm(0.9, False, 1), norm(0.95, True, 3, 2), norm(0.9, False, 2, center=False),
        norm(0.5, True, 2, scale=False), norm(0.9, False, 2, eps=0.1), cumulated(1), cumulated(5, 2), cumulated(4, eps=1e-3, affine=False),
    ]
    if torchaudio is not None:
        cases += [
            filtered("one_pole", [[[0.1, 0.0]]], [[[1.0, -0.9]]], 1), filtered("biquad", [[low[0]]], [[low[1]]], 2, 2),
            filtered("cascade", [[low[0]], [peak[0]], [low[0]]], [[low[1]], [peak[1]], [low[1]]], 2),
            filtered("own", [[low[0], peak[0]]], [[low[1], peak[1]]], 2, 2), filtered("clamped", [[[5.0, 0.0, 1.0]]], [[[1.0, -0.5, 0.1]]], 1, clamp=True),
            filtered("long", [[[0.5, 0.1, -0.2, 0.3, 0.1]]], [[[2.0, 0.3, -0.2, 0.1, 0.05]]], 1),
        ]
    return cases


def all_cases() -> Dict[str, List[Case]]:
    """The cases of each file, by the file's name without its ending."""
    return {
        "Conv1d": [*conv_cases(), *padded_conv_cases()],
        "ConvTranspose1d": transpose_cases(),
        "AvgPool1d": average_cases(),
        "MaxPool1d": maximum_cases(),
        "Space": space_cases(),
        "Linear": linear_cases(),
        "BatchNorm1d": batch_norm_cases(),
        "LayerNorm": layer_norm_cases(),
        "ReLU": pointwise_cases(nn.ReLU),
        "LeakyReLU": pointwise_cases(nn.LeakyReLU, {"negative_slope": 0.3}, {"negative_slope": 0.0}),
        "PReLU": prelu_cases(),
        "ELU": pointwise_cases(nn.ELU, {"alpha": 0.5}),
        "SELU": pointwise_cases(nn.SELU),
        "SiLU": pointwise_cases(nn.SiLU),
        "GELU": pointwise_cases(nn.GELU, {"approximate": "tanh"}),
        "Sigmoid": pointwise_cases(nn.Sigmoid),
        "Tanh": pointwise_cases(nn.Tanh),
        "Softplus": pointwise_cases(nn.Softplus, {"beta": 2.0, "threshold": 5.0}, {"beta": 0.5}),
        "Softsign": pointwise_cases(nn.Softsign),
        "Hardtanh": [
            *pointwise_cases(nn.Hardtanh, {"min_val": -2.5, "max_val": 0.5}),
            Case("relu6_c3_wide", nn.ReLU6, 3, scale=9),
        ],
        "Hardsigmoid": pointwise_cases(nn.Hardsigmoid),
        "Hardswish": pointwise_cases(nn.Hardswish),
        "GLU": glu_cases(),
        "Softmax": softmax_cases(),
        "Snake": snake_cases(),
        "CELU": function_cases("CELU", nn.CELU, {"alpha": 2.5}),
        "Mish": function_cases("Mish", nn.Mish),
        "LogSigmoid": function_cases("LogSigmoid", nn.LogSigmoid),
        "Tanhshrink": function_cases("Tanhshrink", nn.Tanhshrink),
        "Softshrink": function_cases("Softshrink", nn.Softshrink, {"lambd": 2.0}),
        "Hardshrink": function_cases("Hardshrink", nn.Hardshrink, {"lambd": 0.25}),
        "Threshold": function_cases("Threshold", nn.Threshold, {"threshold": 0.25, "value": -7.0}, default=False),
        "Abs": function_cases("Abs", lambda: Function(torch.abs)),
        "Exp": function_cases("Exp", lambda: Function(torch.exp)),
        "Log": function_cases("Log", lambda: Function(torch.log), positive=True),
        "Sqrt": function_cases("Sqrt", lambda: Function(torch.sqrt), positive=True),
        "Square": function_cases("Square", lambda: Function(torch.square)),
        "Sin": function_cases("Sin", lambda: Function(torch.sin)),
        "Cos": function_cases("Cos", lambda: Function(torch.cos)),
        "Reciprocal": function_cases("Reciprocal", lambda: Function(torch.reciprocal), positive=True),
        "Mathematics": mathematics_cases(),
        "Embedding": table_cases(),
        "ArgMax": place_cases(),
        "Cumulative": cumulative_cases(),
        "LogSoftmax": log_softmax_cases(),
        "Affine": affine_cases(),
        "ChannelSlice": slice_cases(),
        "ChannelSelect": select_cases(),
        "Pad": pad_cases(),
        "Residual": residual_cases(),
        "Sequential": sequential_cases(),
        "Graph": [Case(name, build, channels, frames, batch, traced=True)
                  for name, (build, channels, frames, batch) in NETWORKS.items()],
        "Parallel": parallel_cases(),
        "Recurrent": recurrent_cases(),
        "Attention": attention_cases(),
        "Amplifier": amplifier_cases(),
        "Windowed": windowed_cases(),
        "Snapshotter": snapshotter_cases(),
        "OverlapAdd": overlap_add_cases(),
        "OnlineAverager": online_averager_cases(),
        "Stft": [*stft_cases(), *istft_cases()],
        "Features": feature_cases(),
        "Running": running_cases(),
    }


# --- files ----------------------------------------------------------------------------------------------------------


def check_close(what: str, actual: Tensor, expected: Tensor, tolerance: float = TOLERANCE) -> None:
    """Throw unless both have one shape and agree within the tolerance."""
    if actual.shape != expected.shape:
        raise ValueError(f"{what}: shape {tuple(actual.shape)}, expected {tuple(expected.shape)}")
    if not torch.isfinite(expected).all():
        raise ValueError(f"{what}: values that are not finite")
    error = float(((actual - expected).abs() / expected.abs().clamp(min=1)).max()) if expected.numel() else 0.0
    if not error <= tolerance:
        raise ValueError(f"{what}: off by {error:.2g}")


def make_input(case: Case) -> Tensor:
    if case.special:
        values = torch.tensor(SPECIAL)
        return (values[values > 0] if case.positive else values).repeat(case.batch, case.channels, 1)
    x = (torch.rand(case.batch, case.channels, case.frames, *case.space) * 2 - 1) * case.scale
    return x.abs() + 1e-3 if case.positive else x


def make_case(layer: str, case: Case) -> Tuple[Dict[str, Any], Dict[str, Tensor]]:
    """The entry of `case` in the list, and its tensors. The output in float32 must agree with the one in double."""
    torch.manual_seed(zlib.crc32(f"{layer}/{case.name}".encode()))
    module = case.build().eval()
    x = make_input(case)
    if case.node is not None:
        description = {"type": case.node["type"], "path": "", **case.node}
        weights = {name.rpartition(".")[2]: value for name, value in module.state_dict().items()}
    else:
        description, weights = describe(module, inputs=[case.channels] if case.traced else None)
    if case.unwrap:
        (description,) = description["layers"]
    with torch.no_grad():
        y = module(x)
        check_close(f"{layer}/{case.name} in float", y.double(), copy.deepcopy(module).double()(x.double()))
    if y.numel() == 0:
        raise ValueError(f"{layer}/{case.name}: nothing comes out")
    tensors = {"x": x, "y": y.contiguous(), **weights}
    return {"name": case.name, "network": description}, {f"{case.name}/{key}": value for key, value in tensors.items()}


def make_file(layer: str, cases: List[Case]) -> Tuple[List[Dict[str, Any]], Dict[str, Tensor]]:
    entries, tensors = [], {}
    for case in cases:
        entry, own = make_case(layer, case)
        if not tensors.keys().isdisjoint(own):
            raise ValueError(f"{layer}/{case.name}: the name is used twice")
        entries.append(entry)
        tensors.update(own)
    return entries, tensors


def read_file(path: Path) -> Tuple[List[Dict[str, Any]], Dict[str, Tensor]]:
    data = path.read_bytes()
    begin = 8 + int.from_bytes(data[:8], "little")
    header = json.loads(data[8:begin])
    cases = json.loads(header.pop("__metadata__")["cases"])
    tensors = {}
    for name, entry in header.items():
        first, last = (begin + offset for offset in entry["data_offsets"])
        tensors[name] = torch.frombuffer(bytearray(data[first:last]), dtype=torch.float32).reshape(entry["shape"])
    return cases, tensors


def compare(path: Path, entries: List[Dict[str, Any]], tensors: Dict[str, Tensor]) -> None:
    """Throw unless the file at `path` holds the same cases, and the same tensors within tolerance."""
    old_entries, old_tensors = read_file(path)
    if old_entries != entries:
        raise ValueError(f"{path.name}: the list of cases differs")
    if old_tensors.keys() != tensors.keys():
        raise ValueError(f"{path.name}: tensors differ: {sorted(old_tensors.keys() ^ tensors.keys())}")
    for name, tensor in tensors.items():
        check_close(f"{path.name}: {name}", old_tensors[name], tensor)


def main() -> int:
    parser = argparse.ArgumentParser(description="Make the golden files, or check those that are there.")
    parser.add_argument("--out", type=Path, default=HERE, help="the folder (default: that of this script)")
    parser.add_argument("--check", action="store_true", help="write nothing, compare with the files in the folder")
    options = parser.parse_args()
    torch.set_num_threads(1)
    warnings.filterwarnings("ignore", message="Using padding='same'")
    files = all_cases()
    jobs: Dict[Path, Callable[[], Any]] = {}
    for layer, cases in files.items():
        if not cases:  # that of torchaudio's where it is missing
            continue
        jobs[options.out / f"{layer}.safetensors"] = lambda layer=layer, cases=cases: make_file(layer, cases)
    if resample is not None:
        jobs[options.out / "audio" / "Resample.safetensors"] = make_resample_file
    else:
        print("make_golden.py: no torchaudio here, so audio/ is left alone", file=sys.stderr)
    count, size = 0, 0
    try:
        for path, make in jobs.items():
            entries, tensors = make()
            if options.check:
                compare(path, entries, tensors)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                write_safetensors(path, tensors, {"cases": json.dumps(entries, separators=(",", ":"))})
            count += len(entries)
            size += os.path.getsize(path)
        strays = sorted(path.name for path in options.out.glob("*.safetensors") if path.stem not in files)
        if strays:
            raise ValueError(f"files that this script does not make: {', '.join(strays)}")
        if size > SIZE_LIMIT_BYTES:
            raise ValueError(f"the files have {size} bytes, more than {SIZE_LIMIT_BYTES}")
    except (ValueError, OSError) as error:
        print(f"make_golden.py: error: {error}", file=sys.stderr)
        return 1
    print(f"{'checked' if options.check else 'wrote'} {count} cases in {len(jobs)} files, {size} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
