#!/usr/bin/env python3
"""Write a torch network as an eigenstream model file.

A model file is one ``.safetensors`` file: the tensors under their ``state_dict`` names, and the network description as
JSON in the file's metadata (``docs/model-file.md`` has every field). Needs torch and the standard library only.

    from eigenstream_export import OverChannels, Residual, Snake, export
    export(nn.Sequential(nn.Conv1d(1, 8, 5, padding=2), Residual(Snake(8), nn.Conv1d(8, 8, 3))), "net.safetensors")

``Recurrent(nn.GRU(8, 16))`` puts a recurrent layer into an ``nn.Sequential``. What needs the whole signal runs over windows
of it: ``Windowed(nn.Sequential(nn.Conv1d(1, 8, 5), nn.GroupNorm(2, 8), nn.AdaptiveAvgPool1d(1)), size=400, stride=160)``. Or
from the shell::

    python3 eigenstream_export.py package.module:factory net.safetensors --weights state.pt --meta sample_rate_hz=16000

A module with a ``forward`` of its own is traced with torch.fx (``eigenstream_trace.py``): arithmetic, concatenation,
slices and activations between its layers become a graph.

What is written is always the network in inference mode: dropout is gone, batch norm uses its running statistics,
weight norm is folded into the weight. Whatever the format cannot say is an error that names the module; nothing is
ever left out silently.
"""

from __future__ import annotations

import argparse
import contextlib
import ctypes
import errno
import functools
import importlib
import importlib.util
import json
import math
import operator
import os
import re
import secrets
import stat
import sys
from array import array
from fractions import Fraction
from typing import Any, BinaryIO, Callable, Dict, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple, Union

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn
from torch.nn.utils.weight_norm import WeightNorm

__all__ = ["ExportError", "OnlineAverager", "OverChannels", "OverlapAdd", "Parallel", "Recurrent", "Residual",
           "Snake", "Snapshotter", "Windowed", "describe", "export", "register", "write_safetensors"]

FORMAT_VERSION = 1
PADDING_POLICIES = ("exact", "valid")
REDUCTIONS = ("sum", "mean", "product", "max", "min", "concat")

# The limits of the C++ reader, checked here so that no file is written that it would refuse.
MAX_EXTENT = 1 << 20
MAX_DEPTH = 64
MAX_RECURRENT_LAYERS = 64
MAX_WINDOW = 1 << 26  # numbers
MAX_RATE = 1 << 30  # of Resample, in Hz
MAX_REACH = 1 << 24  # frames from a layer's first tap to its last
MAX_PACKED_WEIGHTS = 1 << 28
MAX_FRAMES = 1 << 40  # that a network reaches over
MAX_WAITING_FRAMES = 1 << 26  # of a branch whose others come later
MAX_OUTPUTS = 1 << 20  # for each input; also before a pattern repeats
MAX_PATTERNS = 1 << 26  # numbers in all, of the patterns in which values come
MAX_HEADER_BYTES = 16 << 20
MAX_FILE_BYTES = 16 << 30

Node = Dict[str, Any]
PathLike = Union[str, "os.PathLike[str]"]


class ExportError(ValueError):
    """A module, an option or a value that a model file cannot hold. The text begins with the module's path and type."""


def _fail(path: str, module: object, message: str) -> ExportError:
    return ExportError(f"{path or '<root>'} ({type(module).__name__}): {message}")


def _join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def _one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def _is_unicode(*texts: str) -> bool:
    """Whether texts can be written: not so with half of a surrogate pair in it."""
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True


# --- modules that torch does not have -------------------------------------------------------------------------------


class OverChannels(nn.Module):
    """Apply ``nn.Linear`` or ``nn.LayerNorm`` over the channel axis, at each time step by itself.

    Shapes: x (B, C, T) -> y (B, C', T), or the same without B. Errors: ExportError for any other module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if not isinstance(module, (nn.Linear, nn.LayerNorm)):
            raise _fail("", self, f"takes nn.Linear or nn.LayerNorm, not {type(module).__name__}")
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        return self.module(x.transpose(-1, -2)).transpose(-1, -2).contiguous()


class Snake(nn.Module):
    """y = x + sin(alpha x)^2 / alpha, with one alpha per channel.

    Shapes: x (B, C, T) or (C, T) -> y like x; alpha (C). Errors: ExportError if alpha is 0.
    Source: Ziyin, Hartwig, Ueda, "Neural networks fail to learn periodic functions and how to fix it", 2020.
    """

    def __init__(self, channels: int, alpha: float = 1.0, alpha_trainable: bool = True) -> None:
        super().__init__()
        if alpha == 0:
            raise _fail("", self, "alpha must not be 0")
        self.channels = channels
        self.alpha = nn.Parameter(torch.full((channels,), float(alpha)), requires_grad=alpha_trainable)

    def forward(self, x: Tensor) -> Tensor:
        alpha = self.alpha.unsqueeze(-1)
        return x + torch.sin(alpha * x).square() / alpha


class Residual(nn.Module):
    """y = net(x) + x, where x is cropped to the length of net(x).

    With q = len(x) - len(net(x)), x loses floor(q/2) samples at its left and ceil(q/2) at its right end.
    ``Residual(a, b, c)`` is ``Residual(nn.Sequential(a, b, c))``.

    Shapes: x (B, C, T) -> y (B, C, T - q), or the same without B.
    Errors: ExportError from the constructor if a convolution or pool inside has a stride other than 1 or if q < 0, and
    from ``forward`` if the channels of x and net(x) differ (none is broadcast).
    """

    def __init__(self, *layers: nn.Module) -> None:
        super().__init__()
        self.net = layers[0] if len(layers) == 1 else nn.Sequential(*layers)
        _check_residual(self, "", "exact")

    def forward(self, x: Tensor) -> Tensor:
        # An in-place activation at the start of the net would otherwise change the x that is added.
        in_place = any(getattr(module, "inplace", False) for module in self.net.modules())
        y = self.net(x.clone() if in_place else x)
        if y.shape[:-1] != x.shape[:-1]:
            raise _fail("", self, f"net(x) has shape {tuple(y.shape)}, x {tuple(x.shape)}: only lengths may differ")
        shrink = x.shape[-1] - y.shape[-1]
        if shrink < 0:
            raise _fail("", self, f"net(x) is {-shrink} samples longer than x")
        return y + x.narrow(-1, shrink // 2, y.shape[-1])


_RECURRENT = (nn.RNN, nn.GRU, nn.LSTM)

_FOLDS = {"sum": torch.add, "mean": torch.add, "product": torch.mul, "max": torch.maximum, "min": torch.minimum,
          "difference": torch.sub, "quotient": torch.div}


def reduce_values(op: str, values: Sequence[Tensor], window: bool = False) -> Tensor:
    """Signals joined as a Reduce node does it: the longer ones are cropped, the smaller half of the excess in front. In
    a window, one frame serves for all."""
    lengths = [value.shape[-1] for value in values]
    length = min([each for each in lengths if each > 1] or [1]) if window else min(lengths)
    values = [value.expand(*value.shape[:-1], length) if window and value.shape[-1] == 1
              else value.narrow(-1, (value.shape[-1] - length) // 2, length) for value in values]
    if op == "concat":
        return torch.cat(values, -2)
    result = functools.reduce(_FOLDS[op], values)
    return result / len(values) if op == "mean" else result


class Parallel(nn.Module):
    """Several networks side by side with the same input, whose outputs become one.

    ``reduce`` is "sum", "mean", "product", "max", "min" or "concat" (of channels). Of outputs that are longer than the
    shortest by q samples, floor(q/2) are left out at the left and ceil(q/2) at the right end.

    Shapes: x (B, C, T) -> y (B, C', T'). Errors: ExportError for another reduce or fewer than two branches.
    """

    def __init__(self, *branches: nn.Module, reduce: str = "sum") -> None:
        super().__init__()
        if reduce not in REDUCTIONS:
            raise _fail("", self, f"reduce is {reduce!r}, must be one of {', '.join(REDUCTIONS)}")
        if len(branches) < 2:
            raise _fail("", self, f"has {len(branches)} branches, at least 2 are needed")
        self.branches = nn.ModuleList(branches)
        self.reduce = reduce

    def forward(self, x: Tensor) -> Tensor:
        return reduce_values(self.reduce, [branch(x.clone()) for branch in self.branches])


def _check_sizes(module: nn.Module, least: int = 1, **sizes: Any) -> None:
    for name, value in sizes.items():
        if type(value) is not int or value < least:
            raise _fail("", module, f"{name} is {value!r}, must be an integer of at least {least}")


def _both_sides(module: nn.Module, padding: Any, most: int, limit: str) -> Tuple[int, int]:
    """Padding as (left, right), of one integer or two."""
    sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding, padding)
    if len(sides) != 2 or any(type(side) is not int or not 0 <= side <= most for side in sides):
        raise _fail("", module, f"padding is {padding!r}, must be one integer or two, from 0 to {limit} = {most}")
    return sides


def _check_signal(module: nn.Module, x: Tensor, channels: Optional[int] = None) -> None:
    if x.dim() != 3 or (channels is not None and x.shape[1] != channels):
        expected = "channels" if channels is None else channels
        raise _fail("", module, f"takes a signal (batch, {expected}, frames), not one of shape {tuple(x.shape)}")


def _cut(module: nn.Module, x: Tensor, size: int, stride: int, left: int, right: int) -> Tensor:
    """Windows (B, C, W, size) of a signal with zeros around it."""
    if x.shape[-1] + left + right < size:
        raise _fail("", module, f"a signal of {x.shape[-1]} frames is too short for a window of {size}")
    return F.pad(x, (left, right)).unfold(-1, size, stride)


class Recurrent(nn.Module):
    """``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` over the frames of a signal, of which the output at each frame remains.

    For ``nn.Sequential``. The signal's axes are these, whether ``module`` is batch_first or not. In both directions it runs
    inside a ``Windowed`` only.

    Shapes: x (B, C, T) -> y (B, R, T), in both directions (B, 2 R, T); R is proj_size, or without one hidden_size.
    Errors: ExportError for any other module and for another number of channels.
    """

    def __init__(self, module: nn.RNNBase) -> None:
        super().__init__()
        if not isinstance(module, _RECURRENT):
            raise _fail("", self, f"takes nn.RNN, nn.GRU or nn.LSTM, not {type(module).__name__}")
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        _check_signal(self, x, self.module.input_size)
        if self.module.batch_first:
            return self.module(x.transpose(1, 2))[0].transpose(1, 2).contiguous()
        return self.module(x.permute(2, 0, 1))[0].permute(1, 2, 0).contiguous()


class Windowed(nn.Module):
    """A network that needs all of what it looks at, run over windows of a signal: ``size`` frames, every ``stride``.

    So what cannot be streamed by itself becomes part of a stream: GroupNorm, pooling, softmax or a Linear over time.
    The network gets every window as a signal of its own, (N, C, size), and gives (N, C', T') or (N, F). All of that is
    one output frame: C' channels of the window's first frame, then those of the second, and so on; T' is 1 for (N, F).
    ``padding``, one integer or (left, right), is zeros before the first frame and after the last.

    Shapes: x (B, C, T) -> y (B, C' T', W), W = floor((T + left + right - size) / stride) + 1.
    Errors: ExportError for impossible sizes, a signal shorter than a window, and a network that gives another shape.
    """

    def __init__(self, net: nn.Module, size: int, stride: int, padding: Union[int, Sequence[int]] = 0) -> None:
        super().__init__()
        if not isinstance(net, nn.Module):
            raise _fail("", self, f"net is a {type(net).__name__}, not a torch.nn.Module")
        _check_sizes(self, size=size, stride=stride)
        self.net = net
        self.size, self.stride = size, stride
        self.padding = _both_sides(self, padding, size - 1, "size - 1")

    def forward(self, x: Tensor) -> Tensor:
        _check_signal(self, x)
        windows = _cut(self, x, self.size, self.stride, *self.padding).transpose(1, 2)
        batch, count = windows.shape[:2]
        # A copy whatever their number: contiguous, and the net may work in place.
        y = self.net(windows.clone(memory_format=torch.contiguous_format).flatten(0, 1))
        if not isinstance(y, Tensor) or y.dim() not in (2, 3) or y.shape[0] != batch * count:
            given = tuple(y.shape) if isinstance(y, Tensor) else f"a {type(y).__name__}"
            raise _fail("", self, f"net gives {given} for {batch * count} windows, not (windows, channels, frames) or "
                                  "(windows, features)")
        y = y.unsqueeze(-1) if y.dim() == 2 else y
        return y.transpose(1, 2).reshape(batch, count, y.shape[1] * y.shape[2]).transpose(1, 2).contiguous()

    def extra_repr(self) -> str:
        return f"size={self.size}, stride={self.stride}, padding={self.padding}"


class Snapshotter(nn.Module):
    """The last ``snapshot_size`` frames as one frame, every ``stride_size`` frames; before the signal there are zeros.

    Shapes: x (B, C, T) -> y (B, C snapshot_size, floor(T / stride_size)), all channels of the oldest frame first.
    Errors: ExportError for impossible sizes (the stride must be less than the size) and a signal shorter than a stride.
    Source: ml4gw.nn.streaming.Snapshotter, without the state.
    """

    def __init__(self, num_channels: int, snapshot_size: int, stride_size: int) -> None:
        super().__init__()
        _check_sizes(self, num_channels=num_channels, snapshot_size=snapshot_size, stride_size=stride_size)
        if stride_size >= snapshot_size:
            raise _fail("", self, f"stride_size {stride_size} must be less than snapshot_size {snapshot_size}")
        self.num_channels, self.snapshot_size, self.stride_size = num_channels, snapshot_size, stride_size

    def forward(self, x: Tensor) -> Tensor:
        _check_signal(self, x, self.num_channels)
        windows = _cut(self, x, self.snapshot_size, self.stride_size, self.snapshot_size - self.stride_size, 0)
        return windows.permute(0, 3, 1, 2).flatten(1, 2).contiguous()

    def extra_repr(self) -> str:
        return f"{self.num_channels}, {self.snapshot_size}, {self.stride_size}"


class OverlapAdd(nn.Module):
    """Windows put back onto one time line, and added where they overlap.

    Each input frame is a window of ``size`` frames, as Snapshotter and Windowed give them; the next one begins
    ``stride`` frames later. ``window`` has a factor for each frame of a window. With ``normalise`` the sum is divided
    by the sum of the factors (of ones without ``window``), and is 0 where that is 0. ``padding``, one integer or
    (left, right), is how many frames to leave out at the ends: those that a Windowed with this padding has added.

    Shapes: x (B, size channels, W) -> y (B, channels, (W - 1) stride + size - left - right); window (size).
    Errors: ExportError for impossible sizes, such as a stride beyond the size, and for another number of channels.
    """

    def __init__(self, channels: int, size: int, stride: int, padding: Union[int, Sequence[int]] = 0,
                 normalise: bool = False, window: Optional[Any] = None) -> None:
        super().__init__()
        _check_sizes(self, channels=channels, size=size, stride=stride)
        if stride > size:
            raise _fail("", self, f"stride {stride} is more than size {size}, which would leave gaps")
        self.channels, self.size, self.stride = channels, size, stride
        self.padding = _both_sides(self, padding, size - stride, "size - stride")
        self.normalise = bool(normalise)
        if window is not None:
            window = torch.as_tensor(window, dtype=torch.get_default_dtype()).detach().clone()
            if window.shape != (size,) or not bool(torch.isfinite(window).all()):
                raise _fail("", self, f"window has shape {tuple(window.shape)}, must be {size} finite numbers")
        self.register_buffer("window", window)

    def forward(self, x: Tensor) -> Tensor:
        _check_signal(self, x, self.channels * self.size)
        windows = x.unflatten(1, (self.size, self.channels)).transpose(1, 2)
        factors = x.new_ones(self.size) if self.window is None else self.window.to(x)
        y = self._add(windows * factors[:, None])
        if self.normalise:
            sums = self._add(factors[:, None].expand(1, 1, self.size, x.shape[-1]))
            y = y * torch.where(sums == 0, sums, 1 / sums)
        return y[..., self.padding[0]: y.shape[-1] - self.padding[1]].contiguous()

    def _add(self, windows: Tensor) -> Tensor:
        """Windows (B, C, size, W) as a signal (B, C, T)."""
        length = (windows.shape[-1] - 1) * self.stride + self.size
        return F.fold(windows.flatten(1, 2), (1, length), (1, self.size), stride=(1, self.stride)).squeeze(2)

    def extra_repr(self) -> str:
        sizes = f"{self.channels}, size={self.size}, stride={self.stride}, padding={self.padding}"
        return f"{sizes}, normalise={self.normalise}, window={'no' if self.window is None else 'yes'}"


class OnlineAverager(nn.Module):
    """The mean of predictions that overlap, each shifted by ``update_size`` frames against the one before.

    Each input frame is a prediction of K frames. Of each, ``offset`` frames are left out at the newest end, and the
    newest ``num_updates update_size`` of the rest count. The first (num_updates - 1) update_size output frames have
    fewer predictions than the others, but are divided by ``num_updates`` alike, unless ``normalise_start``; the last
    ones are always divided by how many there are.

    Shapes: x (B, K num_channels, W), K >= num_updates update_size + offset
    -> y (B, num_channels, (W + num_updates - 1) update_size).
    Errors: ExportError for impossible sizes and for predictions that are too short.
    Source: ml4gw.nn.streaming.OnlineAverager, without the state, and with the frames that wait in it at the end.
    """

    def __init__(self, update_size: int, num_updates: int, num_channels: int, offset: int = 0,
                 normalise_start: bool = False) -> None:
        super().__init__()
        _check_sizes(self, update_size=update_size, num_updates=num_updates, num_channels=num_channels)
        _check_sizes(self, 0, offset=offset)
        self.update_size, self.num_updates, self.num_channels = update_size, num_updates, num_channels
        self.offset, self.normalise_start = offset, bool(normalise_start)

    def forward(self, x: Tensor) -> Tensor:
        _check_signal(self, x)
        updates, channels, predictions = self.num_updates, self.num_channels, x.shape[-1]
        least = updates * self.update_size + self.offset
        if x.shape[1] % channels != 0 or x.shape[1] // channels < least:
            raise _fail("", self, f"a prediction of {x.shape[1]} numbers, expected {channels} channels of {least} "
                                  "frames or more")
        frames = x.unflatten(1, (-1, channels))
        newest = frames.shape[1] - self.offset
        blocks = frames[:, newest - updates * self.update_size: newest] / updates
        # (B, channels, predictions, updates, update_size)
        blocks = blocks.unflatten(1, (updates, self.update_size)).permute(0, 3, 4, 1, 2)
        # Block i of prediction k belongs to block k + i of the output. The oldest prediction is added first.
        total = sum(F.pad(blocks[:, :, :, i], (0, 0, i, updates - 1 - i)) for i in reversed(range(updates)))
        j = torch.arange(predictions + updates - 1, device=x.device)
        have = 1 + torch.minimum(j, torch.full_like(j, predictions - 1)) - (j - updates + 1).clamp(min=0)
        have[:0 if self.normalise_start else predictions] = updates
        return (total * (x.new_tensor(updates) / have.to(x.dtype))[:, None]).flatten(2).contiguous()

    def extra_repr(self) -> str:
        sizes = f"update_size={self.update_size}, num_updates={self.num_updates}, num_channels={self.num_channels}"
        return f"{sizes}, offset={self.offset}, normalise_start={self.normalise_start}"


# --- reading modules ------------------------------------------------------------------------------------------------

# Activations without tensors: class -> the attributes that are written, all of them numbers.
_ACTIVATIONS: Dict[type, Tuple[str, ...]] = {
    nn.ReLU: (),
    nn.LeakyReLU: ("negative_slope",),
    nn.ELU: ("alpha",),
    nn.SELU: (),
    nn.SiLU: (),
    nn.Sigmoid: (),
    nn.Tanh: (),
    nn.Softplus: ("beta", "threshold"),
    nn.Softsign: (),
    nn.Hardtanh: ("min_val", "max_val"),  # nn.ReLU6 is a subclass with 0 and 6
    nn.Hardsigmoid: (),
    nn.Hardswish: (),
    nn.CELU: ("alpha",),
    nn.Mish: (),
    nn.LogSigmoid: (),
    nn.Tanhshrink: (),
    nn.Softshrink: ("lambd",),
    nn.Hardshrink: ("lambd",),
    nn.Threshold: ("threshold", "value"),
}

# Nothing is left of these in inference mode.
_INACTIVE = (
    nn.Identity,
    nn.Dropout,
    nn.Dropout1d,
    nn.Dropout2d,
    nn.Dropout3d,
    nn.AlphaDropout,
    nn.FeatureAlphaDropout,
)

_USE_A_WINDOW = ("needs the whole signal, so it cannot run over a stream; "
                 "run it over windows: Windowed(net, size, stride)")
_BOTH_DIRECTIONS = f"runs in both directions; backwards it {_USE_A_WINDOW}"
_WRAP_RECURRENT = ("gives its output and its last state, not one signal; wrap it in Recurrent, or take the first in a "
                   "forward of your own")
_WRAP = "works over the last axis, which is time; wrap it in OverChannels to apply it over the channels"
_OF_IMAGES = ("it takes images or volumes, but a signal is (batch, channels, frames); use what ends with 1d, the other "
              "axes as channels")
_PATCHED = ("its forward was replaced on this one object, and only that of its class can be read; write it in a class "
            "of your own")
_PAD_OTHERWISE = "pads with samples that are not there yet; use zeros or replicate"

_REFUSED: Tuple[Tuple[type, str], ...] = (
    (nn.GroupNorm, _USE_A_WINDOW),
    (nn.AdaptiveAvgPool1d, _USE_A_WINDOW),
    (nn.AdaptiveMaxPool1d, _USE_A_WINDOW),
    (nn.Flatten, _USE_A_WINDOW),
    (nn.ReflectionPad1d, _PAD_OTHERWISE),
    (nn.Linear, _WRAP),
    (nn.LayerNorm, _WRAP),
    *((cell, f"is one step of a recurrence, and a loop over frames cannot be read; use nn.{cell.__name__[:-4]}, which runs over "
             "all frames with the same weights: weight_ih as weight_ih_l0, and so on")
      for cell in (nn.RNNCell, nn.GRUCell, nn.LSTMCell)),
)


# Types of the user's: class -> what describes one of its modules.
_REGISTERED: Dict[type, Callable[[Any], Tuple[str, Mapping[str, Any], Mapping[str, Tensor]]]] = {}


def register(
    cls: type, describe_module: Callable[[Any], Tuple[str, Mapping[str, Any], Mapping[str, Tensor]]]
) -> None:
    """Teach the exporter a module class for which the C++ program registers a factory.

    `describe_module(module)` gives the type's name, its fields (bool, int, float, str or list of int) and its tensors. The
    nearest registered class of a module counts; a built-in one may be replaced for a class that derives from it.
    """
    if not (isinstance(cls, type) and issubclass(cls, nn.Module)):
        raise ExportError(f"register takes a class of modules, not {cls!r}")
    _REGISTERED[cls] = describe_module


def _foreign(module: nn.Module) -> Optional[str]:
    """Why a module that is no Python code of torch's or the user's cannot be read, and the way out."""
    if isinstance(module, torch.jit.ScriptModule):
        return ("is TorchScript, whose code cannot be read; export the Python module that it was made from, with its "
                "weights: net.load_state_dict(scripted.state_dict())")
    if isinstance(module, (nn.DataParallel, nn.parallel.DistributedDataParallel)):
        return "runs a network on several devices; export that one, its .module"
    if type(module).__name__ == "OptimizedModule":  # of torch.compile
        return "is a network compiled; export the one that it was made from, its ._orig_mod"
    sources = [cls.__module__ for cls in type(module).__mro__ if cls.__module__.startswith("torch.")]
    if any(part in source for source in sources for part in (".quantized", ".qat", ".fake_quantize")):
        return ("is quantised, or trained to be, and a model file holds floats only; export the float network that it "
                "was made from")
    return None


def _not_a_module(value: object) -> str:
    """That a value is no module, and the way out."""
    cure = "give the network itself"
    if isinstance(value, Mapping):
        cure = "a state_dict holds the weights only: build the network, load_state_dict() them into it, and give that"
    elif isinstance(value, type):
        cure = f"it is a class: make one, as in {value.__name__}()"
    elif isinstance(value, (str, os.PathLike)):
        cure = "load the network first"
    elif isinstance(value, torch.jit.ScriptFunction):
        cure = "it is TorchScript, whose code cannot be read: write it as the forward of a module"
    elif callable(value):
        cure = "write it as the forward of a module"
    return f"not a torch.nn.Module; {cure}"


def _class_of(module: nn.Module, window: bool = False) -> Optional[type]:
    """The supported class that `module` is or derives from, the nearest one; None if there is none. `window`: also one
    of those that only windows have."""
    if "torchaudio" in sys.modules:  # known without being needed
        _Describer.HANDLERS.setdefault(sys.modules["torchaudio"].transforms.Resample, _Describer.resample)
    known = (_REGISTERED, _Describer.HANDLERS, _INACTIVE, _Describer.WINDOW_HANDLERS if window else ())
    return next((cls for cls in type(module).__mro__ if any(cls in classes for classes in known)), None)


def _has_own_forward(module: nn.Module) -> bool:
    """Whether what `module` does is written in a forward of the user's, not torch's or this file's."""
    cls = _class_of(module)
    if cls in _REGISTERED or _foreign(module) is not None:
        return False
    if cls is None:
        plain = (nn.Module.forward, *(each.forward for each in _RECURRENT))
        written = type(module).forward not in plain
        return written and not type(module).__module__.startswith("torch.nn")
    return type(module).forward is not cls.forward and not isinstance(module, _INACTIVE)


def _modules(module: nn.Module) -> Iterator[nn.Module]:
    """`module` and all in it, but not what a Windowed runs."""
    yield module
    if not isinstance(module, Windowed):
        for _, child in _children(module):
            yield from _modules(child)


def _layers(module: nn.Module, path: str) -> Iterator[Tuple[str, nn.Module]]:
    """`module`, or all that it runs one after the other, by path."""
    if isinstance(module, nn.Sequential):
        for name, child in _children(module):
            yield from _layers(child, _join(path, name))
    else:
        yield path, module


# What torch.fx must not look into, besides the classes above.
_OF_TORCH = (nn.Linear, nn.LayerNorm, nn.Upsample, nn.Softmin, nn.LogSoftmax)


def is_known(module: nn.Module) -> bool:
    """Whether a traced forward may call `module` as a whole."""
    if _has_own_forward(module):
        return False
    if isinstance(module, nn.Sequential):
        # What works in place may change the signal that comes in, which is used elsewhere: that is seen from inside only.
        return not any(getattr(child, "inplace", False) for child in module.modules()) and all(
            is_known(child) and not isinstance(child, (*_OF_TORCH, nn.GLU, nn.Softmax)) for child in module.children()
        )
    return True


def is_pointwise(module: nn.Module) -> bool:
    """Whether `module` treats every number alike, wherever it stands."""
    return _class_of(module) in (*_ACTIVATIONS, nn.GELU, nn.RReLU, *_INACTIVE)


def of_images(name: str) -> bool:
    """Whether torch's module or function of that name wants more axes than a signal has."""
    return name.lower().endswith(("2d", "3d")) and "dropout" not in name.lower()


def is_recurrent(module: nn.Module) -> bool:
    """Whether `module` is one of torch's recurrent layers, which do not give one signal."""
    return isinstance(module, _RECURRENT) and _class_of(module) is None


def wanted_channels(module: nn.Module) -> Optional[int]:
    """The channels that `module` asks for, if it does."""
    if isinstance(module, Windowed):
        return _window_channels(module)
    if isinstance(module, OverlapAdd):
        return module.channels * module.size
    if isinstance(module, OnlineAverager):
        return None
    for name in ("in_channels", "in_features", "num_features", "num_channels", "input_size"):
        if isinstance(getattr(module, name, None), int):
            return getattr(module, name)
    if isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
        return module.normalized_shape[0]
    if isinstance(module, Snake):
        return module.channels
    for _, child in _children(module):
        found = wanted_channels(child)
        if found is not None or not is_pointwise(child):
            return found
    return None


def _like(module: nn.Module, x: Tensor) -> Tensor:
    """x where the module's tensors are, and as precise as they are."""
    tensors = (tensor for tensor in (*module.parameters(), *module.buffers()) if tensor.dtype.is_floating_point)
    return x.to(next(tensors, x))


def _no_values(name: str, tensor: Any) -> Optional[str]:
    """That a tensor has no values, and the way out; None if it has."""
    if nn.parameter.is_lazy(tensor):
        return (f"tensor {name} has no values and no shape before the network has run; run it once, as in "
                "net(torch.zeros(1, channels, frames))")
    if isinstance(tensor, Tensor) and tensor.is_meta:
        return f"tensor {name} has no values; load them into a network on the CPU, not on the meta device"
    return None


def _without_values(module: nn.Module, path: str, recurse: bool = True) -> Optional[str]:
    """That a tensor of the module has no values, so that the module cannot run, if there is one."""
    tensors = (*module.named_parameters(recurse=recurse), *module.named_buffers(recurse=recurse))
    reasons = (_no_values(_join(path, name), tensor) for name, tensor in tensors)
    return next((reason for reason in reasons if reason is not None), None)


def _window_channels(module: Windowed, errors: Optional[List[str]] = None) -> Optional[int]:
    """The only number of channels for which the net runs, of small ones and those that its layers and tensors speak of.
    If it runs for none, the last one's error is added to `errors`."""
    from eigenstream_trace import inference

    if _without_values(module, "") is not None:
        return None
    candidates, error = set(range(1, 65)), ""
    first: Optional[nn.Module] = module.net
    while isinstance(first, (nn.Sequential, Residual)) and not _has_own_forward(first):
        first = next((child for _, child in _children(first) if not is_pointwise(child)), None)
    if isinstance(first, (nn.Conv1d, nn.ConvTranspose1d, nn.BatchNorm1d, nn.GroupNorm, nn.InstanceNorm1d)):
        candidates = {wanted_channels(first)}  # some of them take any number, but mean this one
    for tensor in (*module.net.parameters(), *module.net.buffers()):
        for extent in tensor.shape:
            candidates.update({extent} | ({extent // module.size} if extent % module.size == 0 else set()))
    fitting = []
    with inference(module):
        for channels in sorted(candidate for candidate in candidates if 0 < candidate <= 4096)[:256]:
            try:
                module.net(_like(module.net, torch.zeros(2, channels, module.size)))
            except Exception as raised:  # whatever it raises, it does not take so many
                error = f" (it does not run for {channels}: {_one_line(raised)})"
                continue
            fitting.append(channels)
            if len(fitting) == 3:  # it takes any number
                return None
    if not fitting and errors is not None:
        errors.append(error)
    # One fits almost everything, by broadcasting.
    fitting = [channels for channels in fitting if channels > 1] or fitting
    return fitting[0] if len(fitting) == 1 else None


def _unreadable(node: Node, reason: str) -> ExportError:
    return ExportError(f"{node['path'] or '<root>'} ({node['type']}): {reason}")


def _takes(node: Node) -> Optional[int]:
    """The channels that a described module takes, if it says."""
    kind = node["type"]
    if kind == "Sequential":
        for layer in node["layers"]:
            taken = _takes(layer)  # asked once: twice at each level would be 2^depth times
            if taken is not None or not _keeps_channels(layer):
                return taken
        return None
    if kind == "Residual":
        return _takes(node["net"])
    if kind == "Parallel":
        return next((channels for channels in map(_takes, node["branches"]) if channels is not None), None)
    if kind == "OverlapAdd":
        return node["channels"] * node["size"]
    if kind == "PReLU":
        return node["num_parameters"] if node["num_parameters"] > 1 else None
    fields = {"Conv1d": "in_channels", "ConvTranspose1d": "in_channels", "Graph": "in_channels", "Linear": "in_features",
              "BatchNorm1d": "num_features", "LayerNorm": "normalized_shape", "Snapshotter": "num_channels",
              "Windowed": "channels", "Affine": "channels", "Snake": "channels",
              **dict.fromkeys(("RNN", "GRU", "LSTM"), "input_size")}
    return node.get(fields[kind]) if kind in fields else None


def _keeps_channels(node: Node) -> bool:
    """Whether a described module gives as many channels as it takes."""
    if node["type"] == "Sequential":
        return all(map(_keeps_channels, node["layers"]))
    return node["type"] == "Residual" or node["type"] in _SAME_CHANNELS


def _channels_after(node: Node, channels: Optional[int], given: Mapping[str, int]) -> Optional[int]:
    """The channels that a described module gives, if they are known; `given`: those of modules over windows, by path.
    Errors: ExportError if a module cannot take what comes."""
    kind = node["type"]
    if kind == "Sequential":
        for layer in node["layers"]:
            channels = _channels_after(layer, channels, given)
        return channels
    wanted = _takes(node)
    if None not in (wanted, channels) and wanted != channels and kind not in ("Residual", "Parallel"):
        raise _unreadable(node, f"takes {wanted} channels, but {channels} come")
    channels = wanted if channels is None else channels
    if kind == "Residual":
        after = _channels_after(node["net"], channels, given)
        if None not in (after, channels) and after != channels:
            raise _unreadable(node, f"its net turns {channels} channels into {after}, which cannot be added")
        return channels
    if kind in ("Parallel", "Graph"):
        values = [channels]
        for inner in node["branches"] if kind == "Parallel" else node["nodes"]:
            operands = [values[number] for number in inner.get("from", [0])]
            values.append(_joined_channels(inner, inner["op"], operands) if inner["type"] == "Reduce"
                          else _channels_after(inner, operands[0], given))
        return values[-1] if kind == "Graph" else _joined_channels(node, node["reduce"], values[1:])
    if kind == "GLU" and channels is not None:
        if channels % 2:
            raise _unreadable(node, f"takes an even number of channels, but {channels} come")
        return channels // 2
    if kind == "ChannelSlice" and channels is not None and node["start"] + node["channels"] > channels:
        raise _unreadable(node, f"takes channels up to {node['start'] + node['channels'] - 1}, but {channels} come")
    if kind == "OnlineAverager":
        least, own = node["num_updates"] * node["update_size"] + node["offset"], node["num_channels"]
        if channels is not None and (channels % own or channels // own < least):
            raise _unreadable(node, f"takes predictions of {own} channels of {least} frames or more, but {channels} "
                                    "numbers come")
        return own
    if kind == "Snapshotter":
        return node["num_channels"] * node["snapshot_size"]
    if kind == "Windowed":
        return given.get(node["path"])
    if kind in ("RNN", "GRU", "LSTM"):
        return recurrent_outputs(node)
    for field in ("out_channels", "out_features", "channels"):
        if field in node:
            return node[field]
    return channels if kind in _SAME_CHANNELS else None


def _joined_channels(node: Node, op: str, channels: Sequence[Optional[int]]) -> Optional[int]:
    if None in channels:
        return None
    if op != "concat" and len(set(channels) - {1}) > 1:
        raise _unreadable(node, f"its operands have {' and '.join(map(str, channels))} channels")
    return sum(channels) if op == "concat" else max(channels)


# --- what the C++ reader refuses ------------------------------------------------------------------------------------


def _float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float64).to(torch.float32).item()


# The least and the greatest of the integers that a node may hold, where they are not 1 and MAX_EXTENT.
_RANGES = {**dict.fromkeys(("padding", "output_padding", "start", "offset", "proj_size"), (0, MAX_EXTENT)),
           **dict.fromkeys(("left", "right"), (-MAX_EXTENT, MAX_EXTENT)),
           **dict.fromkeys(("orig_freq", "new_freq"), (1, MAX_RATE)), "num_layers": (1, MAX_RECURRENT_LAYERS)}


def why_unreadable(node: Node, tensors: Mapping[str, Tensor]) -> Optional[str]:
    """Why the C++ reader would refuse a module of a type of its own, its fields and tensors taken by themselves; None if it
    would not. See the factories in graph/registry.hpp and the layers' constructors."""
    kind = node["type"]
    for name, value in node.items():
        if type(value) is float:
            in_double = kind == "Resample" or name == "eps" and kind in ("GroupNorm", "InstanceNorm1d")
            if not math.isfinite(value if in_double else _float32(value)):
                return f"{name} is {value}, not a finite number{'' if in_double else ' in float32'}"
        elif name != "from" and type(value) in (int, list):
            least, most = _RANGES.get(name, (1, MAX_EXTENT))
            for number in value if type(value) is list else [value]:
                if type(number) is int and not least <= number <= most:
                    return f"{name} is {value}, outside {least}..{most}"

    def number(name: str) -> float:
        return _float32(node[name])

    def tensor(name: str) -> Tensor:
        return tensors[_join(node["path"], name)]

    if kind in ("Conv1d", "ConvTranspose1d", "MaxPool1d"):
        if (node["kernel_size"] - 1) * node["dilation"] >= MAX_REACH:
            return f"its taps reach over more than {MAX_REACH} frames"
    if kind in ("Conv1d", "ConvTranspose1d"):
        groups, inputs, outputs = node["groups"], node["in_channels"], node["out_channels"]
        if inputs % groups or outputs % groups:
            return f"groups is {groups}, which does not divide {inputs} and {outputs} channels"
    if kind == "ConvTranspose1d":
        bound, weights = max(node["stride"], node["dilation"]), inputs * outputs // groups * node["kernel_size"]
        if node["output_padding"] >= bound:
            return f"output_padding {node['output_padding']} must be smaller than stride or dilation ({bound})"
        if node["stride"] * weights > MAX_PACKED_WEIGHTS:
            return (f"stride {node['stride']} times {weights} weights is more than {MAX_PACKED_WEIGHTS}; share it among "
                    "several layers")
    if kind in ("AvgPool1d", "MaxPool1d") and 2 * node["padding"] > node["kernel_size"]:
        return f"padding {node['padding']} is more than half of kernel_size {node['kernel_size']}"
    if kind in ("LayerNorm", "GroupNorm", "InstanceNorm1d") and node["eps"] < 0:
        return f"eps is {node['eps']}, must not be negative"
    if kind == "GroupNorm" and node["num_channels"] % node["num_groups"]:
        return f"num_groups is {node['num_groups']}, which does not divide {node['num_channels']} channels"
    if kind == "BatchNorm1d":
        spread = tensor("running_var").double() + number("eps")
        if bool((spread <= 0).any()):
            channel = int((spread <= 0).nonzero()[0])
            return (f"running_var plus eps of channel {channel} is {spread[channel].item():g}, must be positive: was the "
                    "module trained?")
    for name in {"Softplus": ("beta",), "CELU": ("alpha",)}.get(kind, ()):
        if number(name) == 0:
            return f"{name} is {node[name]}, must not be 0 in float32"
    if kind == "Softshrink" and node["lambd"] < 0:
        return f"lambd is {node['lambd']}, must not be negative"
    if kind == "Hardtanh" and number("min_val") > number("max_val"):
        return f"min_val {node['min_val']} is above max_val {node['max_val']}"
    if kind == "GELU" and node["approximate"] not in ("none", "tanh"):
        return f"approximate is {node['approximate']!r}, must be 'none' or 'tanh'"
    if kind == "Snake" and bool((tensor("alpha") == 0).any()):
        return "alpha must not be 0 in float32"
    if kind == "LSTM" and node["proj_size"] >= node["hidden_size"]:
        return f"proj_size is {node['proj_size']}, must be less than hidden_size {node['hidden_size']}"
    if kind == "Windowed" and max(_pair(node["padding"])) >= node["size"]:
        return f"padding is {node['padding']}, must be from 0 to size - 1 = {node['size'] - 1}"
    if kind == "Snapshotter" and node["stride_size"] >= node["snapshot_size"]:
        return f"stride_size {node['stride_size']} must be less than snapshot_size {node['snapshot_size']}"
    if kind == "OverlapAdd" and not max(_pair(node["padding"])) <= node["size"] - node["stride"] >= 0:
        return f"stride {node['stride']} and padding {node['padding']} are more than size {node['size']} has"
    if kind == "Resample":
        if not 0 < node["rolloff"] <= 1:
            return f"rolloff is {node['rolloff']}, must be greater than 0 and at most 1"
        if not 0 <= node.get("beta", 0) <= 500:
            return f"beta is {node['beta']}, must be from 0 to 500"
    return None


def _pair(padding: Any) -> Tuple[int, int]:
    return tuple(padding) if isinstance(padding, (list, tuple)) else (padding, padding)


class _Stage(NamedTuple):
    """What one layer does to time: outputs for each input, how many of its inputs it reaches over, padding and stride
    counted in, and by how much its output is longer than its input times the rate."""

    rate: Fraction
    reach: float
    longer: Fraction


def _stage_of(node: Node) -> Iterator[_Stage]:
    kind = node["type"]
    gathers = {"Conv1d": ("kernel_size", "stride"), "AvgPool1d": ("kernel_size", "stride"), "Windowed": ("size", "stride"),
               "MaxPool1d": ("kernel_size", "stride"), "Snapshotter": ("snapshot_size", "stride_size")}
    scatters = {"ConvTranspose1d": ("kernel_size", "stride"), "OverlapAdd": ("size", "stride")}
    if kind in gathers or kind in scatters:
        size, stride = (node[field] for field in {**gathers, **scatters}[kind])
        reach, (left, right) = _dilated(size, node.get("dilation", 1)), _pair(node.get("padding", 0))
        if kind == "Snapshotter":
            left = size - stride
    elif kind == "OnlineAverager":
        reach, stride, left, right = node["num_updates"] * node["update_size"], node["update_size"], 0, 0
    elif kind == "Pad":
        for left, right in ((min(0, node["left"]), min(0, node["right"])), (max(0, node["left"]), max(0, node["right"]))):
            if left or right:
                yield _Stage(Fraction(1), 2 + abs(left) + abs(right), Fraction(left + right))
        return
    elif kind == "Resample":
        common = math.gcd(node["orig_freq"], node["new_freq"])
        down, up = node["orig_freq"] // common, node["new_freq"] // common
        if down != up:
            width = node["lowpass_filter_width"] / node["rolloff"]
            yield _Stage(Fraction(up, down), 2 * width * max(down, up) / up + 1 + down + width * down / min(down, up),
                         Fraction(0))
        return
    else:
        return
    extra = node.get("output_padding", 0)
    every = reach + stride + left + right + extra
    if kind in gathers:
        yield _Stage(Fraction(1, stride), every, Fraction(left + right - reach, stride) + 1)
    else:
        yield _Stage(Fraction(stride), every / stride, Fraction(reach - stride - left - right + extra))


class _Timing:
    """When the values of a network come, as far as the reader has limits there (core/timing.hpp). Value 0 is its input, value
    k what stage k - 1 gives."""

    def __init__(self) -> None:
        self.stages: List[Tuple[_Stage, List[int]]] = []  # with the values they take
        self.rates, self.longer = [Fraction(1)], [Fraction(0)]  # of each value
        self.steps = [1]  # of each value: frames after which the inputs that it waits for repeat, shifted
        self.numbers = 0  # of all patterns
        self.reach, self.cycle = 1.0, 1  # cycle: inputs after which everything repeats

    def add(self, stage: _Stage, operands: Sequence[int]) -> int:
        before, own = self.rates[operands[0]], stage.rate
        if max(before.numerator * own.numerator, before.denominator * own.denominator) >= MAX_FRAMES:
            raise _Limit("the strides of the layers multiply to more than 2^40")
        if before * own > MAX_OUTPUTS:
            raise _Limit("the layers raise the rate by more than 2^20")
        step = math.lcm(*(self.steps[value] for value in operands))
        step = step // math.gcd(step, own.denominator) * own.numerator
        if step > MAX_OUTPUTS:
            raise _Limit("the strides up and down repeat only after more than 2^20 outputs")
        self.steps.append(step)
        self.numbers += 2 * step
        if self.numbers > MAX_PATTERNS:
            raise _Limit("too many layers whose strides up and down repeat only after many outputs")
        shortest = min(self.longer[value] for value in operands)
        skipped = sum(int(self.longer[value] - shortest) // 2 for value in operands)
        self.reach += (stage.reach + skipped) / float(before)
        self.stages.append((stage, list(operands)))
        self.rates.append(before * own)
        self.cycle = self.cycle * self.rates[-1].denominator // math.gcd(self.cycle, self.rates[-1].denominator)
        self.longer.append(shortest * own + stage.longer)
        return len(self.stages)

    def append(self, other: "_Timing", value: int) -> int:
        """What another network makes of a value."""
        shift, last = len(self.stages), value
        for stage, operands in other.stages:
            last = self.add(stage, [value if number == 0 else number + shift for number in operands])
        return last

    def join(self, values: Sequence[int]) -> int:
        first = self.rates[values[0]]
        for rate in (self.rates[value] for value in values):
            if rate != first:
                raise _Limit(f"the branches cannot be aligned: one gives {first} frames for each that comes, another {rate}")
        return self.add(_Stage(Fraction(1), 2, Fraction(0)), values)

    def check(self) -> None:
        if self.reach > MAX_FRAMES:
            raise _Limit("the layers reach over more than 2^40 frames")
        if self.cycle > MAX_FRAMES or self.cycle * self.rates[-1] > MAX_OUTPUTS:
            raise _Limit("the strides up and down repeat only after more than 2^20 outputs")

    def finish(self, branches: bool) -> "_Timing":
        """Itself, if nothing more is added to it."""
        self.check()
        if branches and self.reach * float(max(self.rates)) > MAX_WAITING_FRAMES:
            raise _Limit("the layers reach over more than 2^26 frames, too far to align branches")
        return self


class _Limit(Exception):
    """A limit that a network exceeds; becomes an ExportError that names it."""


class _Reader:
    """Goes through a description as the C++ reader does, and throws where that would. Of registered types nothing is known,
    so that a network with one is checked for what does not depend on their rates."""

    def __init__(self, tensors: Mapping[str, Tensor], registered: Mapping[str, nn.Module]) -> None:
        self.tensors, self.registered = tensors, registered

    def read(self, node: Node, depth: int = 1, window: bool = False) -> _Timing:
        """When its values come. `window`: of a network over windows, where that does not matter."""
        if depth > MAX_DEPTH:
            raise _unreadable(node, f"nested more than {MAX_DEPTH} deep")
        if node["path"] in self.registered and node["type"] not in ("Sequential", "Graph", "Residual", "Parallel"):
            return _Timing()
        reason = why_unreadable(node, self.tensors)
        if reason is not None:
            raise _unreadable(node, reason)
        kind = node["type"]
        if kind == "Windowed":
            self.read(node["net"], depth + 1, True)
        inner = [node["net"]] if kind == "Residual" else node.get("layers", node.get("branches", node.get("nodes", ())))
        timings = [self.read(each, depth + 1, window) for each in inner]
        if window or self.registered:
            return _Timing()
        try:
            return self.timing(node, timings)
        except _Limit as limit:
            raise _unreadable(node, str(limit)) from None

    def timing(self, node: Node, inner: Sequence[_Timing]) -> _Timing:
        kind, whole = node["type"], _Timing()
        if kind in ("Graph", "Parallel"):
            values = [0]
            for each, timing in zip(node.get("nodes", node.get("branches")), inner):
                operands = [values[number] for number in each.get("from", [0])]
                values.append(whole.join(operands) if each["type"] == "Reduce" else whole.append(timing, operands[0]))
            if kind == "Parallel":
                whole.join(values[1:])
        elif kind == "Residual":
            whole.append(inner[0], 0)
            for stage, _ in whole.stages:
                if stage.rate != 1:
                    stride = max(stage.rate.numerator, stage.rate.denominator)
                    raise _Limit(f"a layer inside has stride {stride}, so the input cannot be added; put it outside")
            if whole.longer[-1] > 0:
                raise _Limit(f"its net makes the input {whole.longer[-1]} frames longer, and there is nothing to add to those")
            whole.join([len(whole.stages), 0])
        else:
            last = 0
            for timing in inner:
                last = whole.append(timing, last)
            for stage in _stage_of(node):
                last = whole.add(stage, [last])
        return whole.finish(kind in ("Graph", "Parallel"))


def _check_forward(module: nn.Module, path: str, cls: type) -> None:
    """Throw if calling `module` may do anything else than `cls.forward` (weight norm excepted)."""
    for name in ("__call__", "forward", "_conv_forward"):
        if getattr(type(module), name, None) is not getattr(cls, name, None) or name in vars(module):
            raise _fail(path, module, f"has a {name} of its own, so it is not the {cls.__name__} it derives from")
    _check_hooks(module, path)


def check_own_forward(module: nn.Module, path: str) -> None:
    """Throw if calling `module` may do anything else than the forward of its class, which is what torch.fx sees."""
    if "forward" in vars(module):
        raise _fail(path, module, _PATCHED)
    if type(module).__call__ is not nn.Module.__call__ and not isinstance(module, torch.fx.GraphModule):
        raise _fail(path, module, "has a __call__ of its own, and only its forward can be read; say all of it there")
    _check_hooks(module, path)


def _check_hooks(module: nn.Module, path: str) -> None:
    for hook in (*module._forward_pre_hooks.values(), *module._forward_hooks.values()):
        if not isinstance(hook, WeightNorm):
            name = getattr(hook, "__name__", type(hook).__name__)
            cure = "of all reparametrisations only weight norm can be folded; remove it, or remove the hook"
            raise _fail(path, module, f"has the forward hook {name}, which may change its result; {cure}")
    for name, chain in getattr(module, "parametrizations", {}).items():
        kinds = [type(parametrization).__name__ for parametrization in chain]
        if kinds != ["_WeightNorm"]:
            cure = "only weight norm can be folded; use torch.nn.utils.parametrize.remove_parametrizations"
            raise _fail(path, module, f"has the parametrization {' + '.join(kinds)} on {name}; {cure}")


def _single(value: Any) -> Any:
    """The number in torch's 1-tuples, which some layers store and some do not."""
    return value[0] if isinstance(value, (tuple, list)) and len(value) == 1 else value


def _integer(module: nn.Module, path: str, name: str, least: int = 1) -> int:
    """An integer attribute within the limits of the format."""
    value = _single(getattr(module, name))
    try:
        value = operator.index(value)
    except TypeError:
        raise _fail(path, module, f"{name} is {value!r}, not an integer") from None
    if not least <= value <= MAX_EXTENT:
        raise _fail(path, module, f"{name} is {value}, outside {least}..{MAX_EXTENT}")
    return value


def _number(module: nn.Module, path: str, name: str) -> float:
    value = float(getattr(module, name))
    if not math.isfinite(value):
        raise _fail(path, module, f"{name} is {value}, not a finite number")
    return value


def _dilated(kernel_size: int, dilation: int) -> int:
    """The field of a kernel: how many input samples it spans."""
    return dilation * (kernel_size - 1) + 1


def _conv_padding(module: nn.Conv1d, path: str, padding: str) -> Tuple[int, int]:
    """Zeros left and right of the input of a convolution."""
    if padding == "valid" or module.padding == "valid":
        return 0, 0
    if module.padding == "same":
        field = _dilated(_integer(module, path, "kernel_size"), _integer(module, path, "dilation"))
        sides = (field - 1) // 2, field - 1 - (field - 1) // 2
    else:
        sides = (_integer(module, path, "padding", 0),) * 2
    if any(sides) and module.padding_mode not in ("zeros", "replicate"):
        reason = "only 'zeros' and 'replicate' can run over a stream"
        raise _fail(path, module, f"padding_mode is {module.padding_mode!r}, {reason}")
    return sides


def _pool_padding(module: nn.Module, path: str, padding: str) -> int:
    if padding == "valid":
        return 0
    amount, kernel_size = _integer(module, path, "padding", 0), _integer(module, path, "kernel_size")
    if 2 * amount > kernel_size:
        raise _fail(path, module, f"padding {amount} is more than half of kernel_size {kernel_size}")
    return amount


def _transpose_padding(module: nn.ConvTranspose1d, path: str, padding: str) -> Tuple[int, int]:
    """Padding and output_padding of a transposed convolution."""
    if padding == "valid":
        return 0, 0
    extra = _integer(module, path, "output_padding", 0)
    bound = max(_integer(module, path, "stride"), _integer(module, path, "dilation"))
    if extra >= bound:
        raise _fail(path, module, f"output_padding {extra} must be smaller than stride or dilation ({bound})")
    return _integer(module, path, "padding", 0), extra


def _pad_sides(module: nn.Module, path: str, padding: str) -> Tuple[int, int]:
    """Frames that a padding layer adds left and right; negative ones are taken away."""
    left, right = module.padding
    if not all(isinstance(side, int) and -MAX_EXTENT <= side <= MAX_EXTENT for side in (left, right)):
        raise _fail(path, module, f"padding is {(left, right)}, both must be integers in -{MAX_EXTENT}..{MAX_EXTENT}")
    return (min(0, left), min(0, right)) if padding == "valid" else (left, right)


_OVER_WINDOWS = (Windowed, Snapshotter, OverlapAdd, OnlineAverager)


def _shrink(module: nn.Module, path: str, padding: str) -> int:
    """By how many samples `module` shortens its input, 0 for whatever does not look along time.

    Errors: ExportError for a convolution or pool with a stride other than 1.
    """
    cls = _class_of(module)
    if cls is nn.Sequential:
        return sum(_shrink(child, _join(path, name), padding) for name, child in _children(module))
    if cls is Residual:
        return _shrink(module.net, _join(path, "net"), padding)
    if cls in (nn.ConstantPad1d, nn.ReplicationPad1d):
        return -sum(_pad_sides(module, path, padding))
    stride = {Snapshotter: "stride_size", OnlineAverager: "update_size"}.get(cls, "stride")
    if cls not in (nn.Conv1d, nn.ConvTranspose1d, nn.AvgPool1d, nn.MaxPool1d, *_OVER_WINDOWS):
        return 0
    if _integer(module, path, stride) != 1:
        raise _fail(path, module, f"{stride} is {_single(getattr(module, stride))}, but inside a Residual every stride "
                                  "must be 1")
    if cls is Windowed:
        return module.size - 1 - (sum(module.padding) if padding == "exact" else 0)
    if cls is Snapshotter:
        return 0 if padding == "exact" else module.snapshot_size - 1
    if cls is OverlapAdd:
        return 1 - module.size + sum(module.padding)
    if cls is OnlineAverager:
        return 1 - module.num_updates
    dilation = 1 if cls is nn.AvgPool1d else _integer(module, path, "dilation")
    field = _dilated(_integer(module, path, "kernel_size"), dilation)
    if cls is nn.Conv1d:
        return field - 1 - sum(_conv_padding(module, path, padding))
    if cls is nn.ConvTranspose1d:
        amount, extra = _transpose_padding(module, path, padding)
        return 2 * amount - extra - (field - 1)
    return field - 1 - 2 * _pool_padding(module, path, padding)


def _check_residual(module: Residual, path: str, padding: str) -> None:
    if any(_has_own_forward(each) for each in _modules(module.net)):
        return  # what it does to lengths is seen when it is traced
    shrink = _shrink(module.net, _join(path, "net"), padding)
    if shrink < 0:
        reason = f"with padding {padding!r} the inner network makes its input {-shrink} samples longer"
        raise _fail(path, module, f"{reason}, and there is nothing to add to those; use less padding inside")


def _children(module: nn.Module) -> Iterator[Tuple[str, nn.Module]]:
    """All children by name; unlike named_children() a module that occurs twice comes twice."""
    return ((name, child) for name, child in module._modules.items() if child is not None)


def _fold_weight_norm(module: nn.Module, path: str, name: str, g: Tensor, v: Tensor, dim: Optional[int]) -> Tensor:
    """W = g v / |v|, the norm over all axes except `dim`, over everything if `dim` is None or -1 (torch's rule)."""
    if v.is_meta or g.is_meta or not (v.dtype.is_floating_point and g.dtype.is_floating_point):
        return v  # which is no tensor that can be written
    g, v = g.detach().double(), v.detach().double()
    norm = torch.norm_except_dim(v, 2, -1 if dim is None else dim)
    if bool((norm == 0).any()):
        raise _fail(path, module, f"weight norm of {name}: the direction has norm 0")
    return g * (v / norm)


def _parameter(module: nn.Module, path: str, name: str) -> Optional[Tensor]:
    """A parameter or buffer with its weight norm, if it has one, folded. Computes anew and changes nothing."""
    for hook in module._forward_pre_hooks.values():
        if isinstance(hook, WeightNorm) and hook.name == name:
            g, v = getattr(module, f"{name}_g"), getattr(module, f"{name}_v")
            return _fold_weight_norm(module, path, name, g, v, hook.dim)
    chain = getattr(module, "parametrizations", {})
    if name in chain:
        return _fold_weight_norm(module, path, name, chain[name].original0, chain[name].original1, chain[name][0].dim)
    return getattr(module, name)


def recurrent_outputs(node: Node) -> int:
    """The channels that a described RNN, GRU or LSTM gives."""
    return (node.get("proj_size") or node["hidden_size"]) * (2 if node["bidirectional"] else 1)


def recurrent_tensors(node: Node) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Names and shapes of the weights that a described RNN, GRU or LSTM has, in torch's order."""
    hidden, inputs, projected = node["hidden_size"], node["input_size"], node.get("proj_size", 0)
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[node["type"]] * hidden
    suffixes = ("", "_reverse") if node["bidirectional"] else ("",)
    for layer in range(node["num_layers"]):
        for suffix in suffixes:
            yield f"weight_ih_l{layer}{suffix}", (rows, inputs)
            yield f"weight_hh_l{layer}{suffix}", (rows, projected or hidden)
            for name in ("bias_ih", "bias_hh") if node["bias"] else ():
                yield f"{name}_l{layer}{suffix}", (rows,)
            if projected:
                yield f"weight_hr_l{layer}{suffix}", (projected, hidden)
        inputs = recurrent_outputs(node)


def recurrent_states(node: Node) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Names and shapes of the states that a described RNN, GRU or LSTM begins with: h0, and for an LSTM c0."""
    runs = node["num_layers"] * (2 if node["bidirectional"] else 1)
    yield "h0", (runs, node.get("proj_size") or node["hidden_size"])
    if node["type"] == "LSTM":
        yield "c0", (runs, node["hidden_size"])


class _Describer:
    """Walks a module tree, collecting the tensors on the way."""

    HANDLERS: Dict[type, Callable[["_Describer", Any, str], Optional[Node]]] = {}
    WINDOW_HANDLERS: Dict[type, Callable[["_Describer", Any, str], Optional[Node]]] = {}

    def __init__(self, padding: str, check: bool = True) -> None:
        self.padding = padding
        self.check = check
        self.tensors: Dict[str, Tensor] = {}
        self.custom_forward: Dict[str, nn.Module] = {}  # of registered types, by path
        self.depth = 0  # how many nodes enclose the current module
        self.inputs: Optional[Sequence[int]] = None  # the channels that come to the current module, if they are known
        # Inside a Windowed: some windows (N, C, T), or what became of them by now, (N, C', T') or (N, F); else None.
        self.windows: Optional[Tensor] = None
        self.given_channels: Dict[str, int] = {}  # by a Windowed, by path

    def network(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]] = None) -> Node:
        """The node of `module`; the empty Sequential if nothing is left of it."""
        return self.node(module, path, inputs) or {"type": "Sequential", "path": path, "layers": []}

    def node(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]] = None) -> Optional[Node]:
        """The node of `module`, None if it does nothing in inference mode."""
        if not isinstance(module, nn.Module):
            raise _fail(path, module, _not_a_module(module))
        if self.depth == MAX_DEPTH:
            raise _fail(path, module, f"nested more than {MAX_DEPTH} deep")
        windows = self.windows
        cls = _class_of(module, windows is not None)
        empty = _without_values(module, path, False) if cls not in _REGISTERED else None
        if empty is not None:
            raise _fail(path, module, empty)
        if self.refuses(module, windows is not None):
            raise self.refusal(module, path, windows is not None)
        # A Sequential with traced modules inside is traced as a whole: then each of them is seen with what it gets.
        inside = _modules(module) if cls is nn.Sequential else (module,)
        own_forward = any(_has_own_forward(each) for each in inside)
        empty = _without_values(module, path) if own_forward else None
        if empty is not None:
            raise _fail(path, module, empty)
        if not own_forward and cls not in _REGISTERED:
            _check_forward(module, path, cls)
        if cls in _INACTIVE and not own_forward:
            return None
        on_features = own_forward or cls in _ON_FEATURES or cls in _REGISTERED or is_pointwise(module)
        if windows is not None and windows.dim() == 2 and not on_features:
            raise _fail(path, module, f"gets {windows.shape[1]} features of each window, which have no frames any more")
        self.depth += 1
        self.inputs = inputs
        if own_forward:
            node = self.traced(module, path, inputs)
        elif cls in _REGISTERED:
            node = self.registered(module, path, cls)
        else:
            handlers = self.HANDLERS if windows is None else {**self.HANDLERS, **self.WINDOW_HANDLERS}
            node = handlers[cls](self, module, path)
        self.depth -= 1
        if windows is not None:
            self.windows = self.called(module, path, windows)
        return node

    @staticmethod
    def called(module: nn.Module, path: str, windows: Tensor) -> Tensor:
        """What `module` makes of windows."""
        shape = tuple(windows.shape[1:])
        try:
            y = module(windows.clone())
        except Exception as error:  # whatever the module raises
            raise _fail(path, module, f"cannot run on a window of shape {shape}: {_one_line(error)}") from error
        if not isinstance(y, Tensor) or y.dim() not in (2, 3) or y.shape[0] != windows.shape[0] or y.numel() == 0:
            given = tuple(y.shape[1:]) if isinstance(y, Tensor) else f"a {type(y).__name__}"
            reason = f"makes {given} of a window of shape {shape}, not channels and frames, or features"
            raise _fail(path, module, reason)
        return y

    def traced(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]]) -> Node:
        """What the module's own forward does."""
        import eigenstream_trace

        padding, self.padding = self.padding, "exact"
        try:
            node = eigenstream_trace.trace(self, module, path, inputs)
        finally:
            self.padding = padding
        return node if padding == "exact" else eigenstream_trace.without_padding(node)

    def registered(self, module: nn.Module, path: str, cls: type) -> Node:
        try:
            described = _REGISTERED[cls](module)
        except Exception as error:  # whatever the user's function raises
            reason = f"the registered function fails with {type(error).__name__}: {_one_line(error)}"
            raise _fail(path, module, reason) from error
        if not (isinstance(described, tuple) and len(described) == 3 and isinstance(described[0], str)
                and all(isinstance(part, Mapping) for part in described[1:])):
            raise _fail(path, module, "the registered function must give a type name, fields and tensors")
        name, fields, tensors = described
        for key, value in fields.items():
            integers = isinstance(value, (list, tuple)) and value and all(type(each) is int for each in value)
            if not isinstance(key, str) or key in ("type", "path", "from") or not (
                    isinstance(value, (bool, int, float, str)) or integers):
                raise _fail(path, module, f"field {key} is {value!r}, not a bool, int, float, str or list of int")
            if isinstance(value, float) and not math.isfinite(value):
                raise _fail(path, module, f"field {key} is {value!r}, not a finite number")
            numbers = value if integers else (value,) if isinstance(value, int) else ()
            if any(not -(1 << 63) <= number < 1 << 63 for number in numbers):
                raise _fail(path, module, f"field {key} is {value!r}, beyond the integers of 64 bits")
        if not _is_unicode(name, *fields, *(value for value in fields.values() if isinstance(value, str))):
            raise _fail(path, module, "the registered function gives a text that is not valid Unicode")
        for key, value in tensors.items():
            empty = _no_values(_join(path, str(key)), value)
            if empty is not None:
                raise _fail(path, module, empty)
            if not isinstance(key, str) or not isinstance(value, Tensor) or not value.dtype.is_floating_point:
                raise _fail(path, module, f"tensor {key} is not a tensor of floats")
            value = value.detach().to("cpu", torch.float32, copy=True).contiguous()
            if not bool(torch.isfinite(value).all()):
                raise _fail(path, module, f"tensor {_join(path, key)} has values that are not finite in float32")
            self.tensors[_join(path, key)] = value
        self.custom_forward[path] = module
        return {"type": name, "path": path, **fields}

    @staticmethod
    def refuses(module: nn.Module, window: bool) -> bool:
        """Whether a module, as it stands, can be no node; `window`: of a network over windows."""
        cls = _class_of(module, window)
        return cls not in _REGISTERED and (_foreign(module) is not None or cls is None and not _has_own_forward(module))

    def refusal(self, module: nn.Module, path: str, window: bool) -> ExportError:
        """Why it refuses."""
        if is_recurrent(module):
            return _fail(path, module, _BOTH_DIRECTIONS if module.bidirectional and not window else _WRAP_RECURRENT)
        reason = _foreign(module)
        if reason is not None:
            return _fail(path, module, reason)
        for cls, reason in _REFUSED:
            if isinstance(module, cls):
                return _fail(path, module, reason)
        if "forward" in vars(module):
            return _fail(path, module, _PATCHED)
        if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            return _fail(path, module, "unknown module class: it holds modules, but does not say how they run; use "
                                       "nn.Sequential, or write a forward of your own")
        if of_images(type(module).__name__):
            return _fail(path, module, f"unknown module class: {_OF_IMAGES}")
        known = [*self.HANDLERS, *(self.WINDOW_HANDLERS if window else ())]
        names = sorted({cls.__name__ for cls in known} | {"Linear", "LayerNorm", "Identity", "Dropout"})
        return _fail(path, module, f"unknown module class; build it from {', '.join(names)}, or register() it")

    def tensor(self, module: nn.Module, path: str, name: str, shape: Sequence[int]) -> None:
        """Keep `module`'s tensor `name` as float32; `shape` is the one that the fields promise."""
        value = _parameter(module, path, name)
        full_name = _join(path, name)
        empty = _no_values(full_name, value) if isinstance(value, Tensor) else f"tensor {full_name} has no values"
        if empty is not None:
            raise _fail(path, module, empty)
        if tuple(value.shape) != tuple(shape):
            raise _fail(path, module, f"tensor {full_name} has shape {tuple(value.shape)}, expected {tuple(shape)}")
        if not value.dtype.is_floating_point:
            raise _fail(path, module, f"tensor {full_name} has dtype {value.dtype}, only real floats can be written")
        value = value.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not bool(torch.isfinite(value).all()):
            raise _fail(path, module, f"tensor {full_name} has values that are not finite in float32")
        self.tensors[full_name] = value

    # One handler per class; each returns the node with all its fields.

    def sequential(self, module: nn.Sequential, path: str) -> Node:
        layers: List[Node] = []
        channels = self.inputs[0] if self.inputs and len(self.inputs) == 1 else None
        for name, child in _children(module):
            if self.windows is not None:
                channels = self.windows.shape[1]
            node = self.node(child, _join(path, name), None if channels is None else [channels])
            if node is None:
                continue
            channels = _channels_after(node, channels, self.given_channels)
            if layers and self.can_fold(layers[-1], node):
                pad = layers.pop()
                sides = node["padding"] if isinstance(node["padding"], list) else [node["padding"]] * 2
                node["padding"] = self.sides(child, node["path"], [sides[0] + pad["left"], sides[1] + pad["right"]])
            layers.append(node)
        return {"type": "Sequential", "path": path, "layers": layers}

    @staticmethod
    def can_fold(pad: Node, conv: Node) -> bool:
        """Whether a Pad before a Conv1d is nothing but more of its padding."""
        return (pad["type"] == "Pad" and conv["type"] == "Conv1d" and "padding_mode" not in conv
                and pad["mode"] == "constant" and pad["value"] == 0 and min(pad["left"], pad["right"]) >= 0)

    def constant_pad(self, module: nn.ConstantPad1d, path: str) -> Optional[Node]:
        value = _number(module, path, "value")
        return self.pad(module, path, {"mode": "constant", "value": value})

    def replication_pad(self, module: nn.ReplicationPad1d, path: str) -> Optional[Node]:
        return self.pad(module, path, {"mode": "replicate"})

    def pad(self, module: nn.Module, path: str, fields: Node) -> Optional[Node]:
        left, right = _pad_sides(module, path, self.padding)
        return {"type": "Pad", "path": path, "left": left, "right": right, **fields} if left or right else None

    def parallel(self, module: Parallel, path: str) -> Node:
        inputs, windows = self.inputs, self.windows
        branches, frames = [], set()
        for i, branch in enumerate(module.branches):
            self.windows = windows
            branches.append(self.network(branch, _join(path, f"branches.{i}"), inputs))
            if windows is not None:
                frames.add(self.windows.shape[2] if self.windows.dim() == 3 else 0)
        if windows is not None and windows.dim() == 2 and module.reduce == "concat":
            raise _fail(path, module, "concatenates features, which has no meaning over channels; keep the frames")
        if len(frames) > 1 and min(frames) <= 1:
            raise _fail(path, module, "a branch that gives a single frame meets one that gives more, which would be "
                                      "cropped to one; write it as a forward of your own")
        node = {"type": "Parallel", "path": path, "branches": branches, "reduce": module.reduce}
        if windows is None:
            import eigenstream_trace

            eigenstream_trace.check_starts(module, node)
        return node

    def residual(self, module: Residual, path: str) -> Node:
        windows = self.windows
        node = {"type": "Residual", "path": path, "net": self.network(module.net, _join(path, "net"), self.inputs)}
        if windows is not None and self.windows.shape != windows.shape:
            if windows.dim() != 3 or self.windows.shape[:2] != windows.shape[:2] or self.windows.shape[2] == 1:
                shapes = f"{tuple(windows.shape[1:])} to {tuple(self.windows.shape[1:])}"
                raise _fail(path, module, f"its net turns a window of shape {shapes}, which cannot be added")
        _check_residual(module, path, self.padding)
        import eigenstream_trace

        eigenstream_trace.check_residual(module, node)
        return node

    def over_channels(self, module: OverChannels, path: str) -> Node:
        inner, path = module.module, _join(path, "module")
        for cls, handler in () if _foreign(inner) else ((nn.Linear, self.linear), (nn.LayerNorm, self.layer_norm)):
            if isinstance(inner, cls):
                _check_forward(inner, path, cls)
                return handler(inner, path)
        raise _fail(path, inner, _foreign(inner) or "OverChannels takes nn.Linear or nn.LayerNorm only")

    @staticmethod
    def sides(module: nn.Module, path: str, sides: Sequence[int]) -> Union[int, List[int]]:
        if max(sides) > MAX_EXTENT:
            raise _fail(path, module, f"padding is {tuple(sides)}, outside 0..{MAX_EXTENT}")
        return sides[0] if sides[0] == sides[1] else list(sides)

    def convolution(self, module: Union[nn.Conv1d, nn.ConvTranspose1d], path: str) -> Node:
        transposed = isinstance(module, nn.ConvTranspose1d)
        node: Node = {"type": "ConvTranspose1d" if transposed else "Conv1d", "path": path}
        for name in ("in_channels", "out_channels", "kernel_size", "stride"):
            node[name] = _integer(module, path, name)
        if transposed:
            node["padding"], node["output_padding"] = _transpose_padding(module, path, self.padding)
        else:
            node["padding"] = self.sides(module, path, _conv_padding(module, path, self.padding))
            if module.padding_mode == "replicate" and node["padding"] != 0:
                node["padding_mode"] = "replicate"
        for name in ("dilation", "groups"):
            node[name] = _integer(module, path, name)
        node["bias"] = module.bias is not None
        first, second = node["out_channels"], node["in_channels"]
        if transposed:
            first, second = second, first
        self.tensor(module, path, "weight", (first, second // node["groups"], node["kernel_size"]))
        if node["bias"]:
            self.tensor(module, path, "bias", (node["out_channels"],))
        return node

    def average_pool(self, module: nn.AvgPool1d, path: str) -> Node:
        return {
            "type": "AvgPool1d",
            "path": path,
            "kernel_size": _integer(module, path, "kernel_size"),
            "stride": _integer(module, path, "stride"),
            "padding": _pool_padding(module, path, self.padding),
            "ceil_mode": bool(module.ceil_mode) and self.padding == "exact",
            "count_include_pad": bool(module.count_include_pad),
        }

    def maximum_pool(self, module: nn.MaxPool1d, path: str) -> Node:
        if module.return_indices:
            raise _fail(path, module, "return_indices is not supported, only values come out of a stream")
        return {
            "type": "MaxPool1d",
            "path": path,
            "kernel_size": _integer(module, path, "kernel_size"),
            "stride": _integer(module, path, "stride"),
            "padding": _pool_padding(module, path, self.padding),
            "dilation": _integer(module, path, "dilation"),
            "ceil_mode": bool(module.ceil_mode) and self.padding == "exact",
        }

    def resample(self, module: Any, path: str) -> Node:
        node = {"type": "Resample", "path": path, "orig_freq": int(module.orig_freq), "new_freq": int(module.new_freq),
                "resampling_method": module.resampling_method,
                "lowpass_filter_width": _integer(module, path, "lowpass_filter_width"),
                "rolloff": _number(module, path, "rolloff")}
        if module.beta is not None:
            node["beta"] = _number(module, path, "beta")
        return node

    def linear(self, module: nn.Linear, path: str) -> Node:
        inputs, outputs = _integer(module, path, "in_features"), _integer(module, path, "out_features")
        bias = module.bias is not None
        self.tensor(module, path, "weight", (outputs, inputs))
        if bias:
            self.tensor(module, path, "bias", (outputs,))
        return {"type": "Linear", "path": path, "in_features": inputs, "out_features": outputs, "bias": bias}

    # Windows.

    def windowed(self, module: Windowed, path: str) -> Node:
        import eigenstream_trace

        size, stride = _integer(module, path, "size"), _integer(module, path, "stride")
        empty = _without_values(module, path)
        if empty is not None:
            raise _fail(path, module, empty)
        errors: List[str] = []
        channels = self.inputs[0] if self.inputs and len(self.inputs) == 1 else _window_channels(module, errors)
        if channels is None:
            for name, layer in _layers(module.net, _join(path, "net")):
                if self.refuses(layer, True):  # why no number of channels fits
                    raise self.refusal(layer, name, True)
            for name, layer in module.net.named_modules(prefix=_join(path, "net")):
                if of_images(type(layer).__name__) and self.refuses(layer, True):
                    raise self.refusal(layer, name, True)
            raise _fail(path, module, "how many channels its windows have cannot be seen; say it, as in inputs=[2]"
                                      + "".join(errors))
        self.check_window(module, path, channels, size)
        generator = torch.Generator().manual_seed(1)
        samples = torch.rand(3, channels, size, generator=generator) * 2 - 1
        outer = self.windows, self.padding
        self.padding = "exact"  # a window has ends of its own
        try:
            with eigenstream_trace.inference(module):
                self.windows = _like(module.net, samples)
                net = self.network(module.net, _join(path, "net"), [channels])
                given = self.windows
                if self.check:
                    eigenstream_trace.compare_windows(self, module.net, net, samples, given)
        finally:
            self.windows, self.padding = outer
        self.given_channels[path] = given[0].numel()
        padding = 0 if self.padding == "valid" else self.sides(module, path, module.padding)
        return {"type": "Windowed", "path": path, "size": size, "stride": stride, "padding": padding,
                "channels": channels, "net": net}

    @staticmethod
    def check_window(module: nn.Module, path: str, channels: int, frames: int) -> None:
        if channels * frames > MAX_WINDOW:
            raise _fail(path, module, f"windows of {channels} channels and {frames} frames are more than {MAX_WINDOW} "
                                      "numbers")

    def snapshotter(self, module: Snapshotter, path: str) -> Node:
        sizes = {name: _integer(module, path, name) for name in ("num_channels", "snapshot_size", "stride_size")}
        self.check_window(module, path, module.num_channels, module.snapshot_size)
        node = {"type": "Snapshotter", "path": path, **sizes}
        if self.padding == "exact":
            return node
        import eigenstream_trace

        self.given_channels[path] = sizes["num_channels"] * sizes["snapshot_size"]  # it becomes a Windowed
        return eigenstream_trace.without_padding(node)

    def overlap_add(self, module: OverlapAdd, path: str) -> Node:
        self.check_window(module, path, module.channels, module.size)
        weighted = module.window is not None
        if weighted:
            self.tensor(module, path, "window", (module.size,))
        return {"type": "OverlapAdd", "path": path, "channels": _integer(module, path, "channels"),
                "size": _integer(module, path, "size"), "stride": _integer(module, path, "stride"),
                "padding": self.sides(module, path, module.padding), "normalise": bool(module.normalise),
                "weighted": weighted}

    def online_averager(self, module: OnlineAverager, path: str) -> Node:
        sizes = {name: _integer(module, path, name) for name in ("update_size", "num_updates", "num_channels")}
        self.check_window(module, path, module.num_channels, module.num_updates * module.update_size)
        return {"type": "OnlineAverager", "path": path, **sizes, "offset": _integer(module, path, "offset", 0),
                "normalise_start": bool(module.normalise_start)}

    def recurrent(self, module: Recurrent, path: str) -> Node:
        inner, path = module.module, _join(path, "module")
        if not isinstance(inner, _RECURRENT):
            raise _fail(path, inner, _foreign(inner) or "Recurrent takes nn.RNN, nn.GRU or nn.LSTM only")
        return self.recurrent_layers(inner, path)

    def recurrent_layers(self, module: nn.RNNBase, path: str, states: Sequence[Tensor] = ()) -> Node:
        """Its node. `states`, (layers, units) each, are those that it begins with, if these are not zeros."""
        cls = next(cls for cls in _RECURRENT if isinstance(module, cls))
        _check_forward(module, path, cls)
        if self.windows is None and module.bidirectional:
            raise self.refusal(module, path, False)
        sizes = {name: _integer(module, path, name) for name in ("input_size", "hidden_size", "num_layers")}
        if sizes["num_layers"] > MAX_RECURRENT_LAYERS:
            raise _fail(path, module, f"num_layers is {sizes['num_layers']}, outside 1..{MAX_RECURRENT_LAYERS}")
        node = {"type": cls.__name__, "path": path, **sizes, "bias": bool(module.bias),
                "bidirectional": bool(module.bidirectional)}
        if cls is nn.RNN:
            node["nonlinearity"] = "tanh" if module.mode == "RNN_TANH" else "relu"
        if cls is nn.LSTM:
            node["proj_size"] = _integer(module, path, "proj_size", 0)
        node["initial_state"] = bool(states)
        for name, shape in recurrent_tensors(node):
            self.tensor(module, path, name, shape)
        for (name, _), value in zip(recurrent_states(node), states):
            self.tensors[_join(path, name)] = value
        return node

    def over_frames(self, path: str, *layers: Node) -> Node:
        """Layers that work over the channels, applied over the frames of a window."""
        return {"type": "Sequential", "path": path, "layers": [
            {"type": "Transpose", "path": _join(path, "to_frames")}, *layers,
            {"type": "Transpose", "path": _join(path, "to_channels")}]}

    def window_linear(self, module: nn.Linear, path: str) -> Node:
        node = self.linear(module, path)
        return node if self.windows.dim() == 2 else self.over_frames(path, node)

    def window_layer_norm(self, module: nn.LayerNorm, path: str) -> Node:
        shape = tuple(module.normalized_shape)
        if len(shape) == 2 and self.windows.dim() == 3 and not module.elementwise_affine:
            return {"type": "GroupNorm", "path": path, "num_groups": 1, "num_channels": shape[0],
                    "eps": _number(module, path, "eps"), "affine": False}
        if len(shape) == 2:
            raise _fail(path, module, f"normalized_shape is {shape}, with a weight for each channel and frame; say "
                                      "elementwise_affine=False, or GroupNorm(1, channels)")
        node = self.layer_norm(module, path)
        return node if self.windows.dim() == 2 else self.over_frames(path, node)

    def group_norm(self, module: nn.GroupNorm, path: str) -> Node:
        groups, channels = _integer(module, path, "num_groups"), _integer(module, path, "num_channels")
        if channels != self.windows.shape[1]:
            raise _fail(path, module, f"num_channels is {channels}, but {self.windows.shape[1]} channels come")
        affine = bool(module.affine)
        for name in ("weight", "bias") if affine else ():
            self.tensor(module, path, name, (channels,))
        return {"type": "GroupNorm", "path": path, "num_groups": groups, "num_channels": channels,
                "eps": _number(module, path, "eps"), "affine": affine}

    def instance_norm(self, module: nn.InstanceNorm1d, path: str) -> Node:
        if module.track_running_stats:  # then it does what a BatchNorm1d does
            return self.batch_norm(module, path)
        if self.windows is None:
            raise _fail(path, module, _USE_A_WINDOW)
        channels, affine = self.windows.shape[1], bool(module.affine)
        if channels != _integer(module, path, "num_features"):
            raise _fail(path, module, f"num_features is {module.num_features}, but {channels} channels come")
        for name in ("weight", "bias") if affine else ():
            self.tensor(module, path, name, (channels,))
        return {"type": "InstanceNorm1d", "path": path, "num_features": channels, "eps": _number(module, path, "eps"),
                "affine": affine}

    def adaptive_pool(self, module: Union[nn.AdaptiveAvgPool1d, nn.AdaptiveMaxPool1d], path: str) -> Node:
        if getattr(module, "return_indices", False):
            raise _fail(path, module, "return_indices is not supported, only values come out of a stream")
        if _single(module.output_size) is None:
            raise _fail(path, module, "output_size is None, say a number")
        size = _integer(module, path, "output_size")
        return {"type": _class_of(module, True).__name__, "path": path, "output_size": size}

    def flatten(self, module: nn.Flatten, path: str) -> Optional[Node]:
        axes = self.windows.dim()
        if module.start_dim not in (1, 1 - axes) or module.end_dim not in (-1, axes - 1):
            flattened = f"flattens axes {module.start_dim} to {module.end_dim}"
            raise _fail(path, module, f"{flattened}, only 1 to -1 are supported")
        return {"type": "Flatten", "path": path} if axes == 3 else None

    def batch_norm(self, module: Union[nn.BatchNorm1d, nn.InstanceNorm1d], path: str) -> Node:
        if module.running_mean is None or module.running_var is None:
            raise _fail(path, module, "has no running statistics, so it needs the whole signal; "
                                      "train it with track_running_stats=True")
        channels, affine = _integer(module, path, "num_features"), bool(module.affine)
        for name in (("weight", "bias") if affine else ()) + ("running_mean", "running_var"):
            self.tensor(module, path, name, (channels,))
        eps = _number(module, path, "eps")
        return {"type": "BatchNorm1d", "path": path, "num_features": channels, "eps": eps, "affine": affine}

    def layer_norm(self, module: nn.LayerNorm, path: str) -> Node:
        shape = tuple(module.normalized_shape)
        if len(shape) != 1:
            raise _fail(path, module, f"normalized_shape is {shape}, only one axis (the channels) is supported")
        channels, affine = _integer(module, path, "normalized_shape"), bool(module.elementwise_affine)
        if affine:
            self.tensor(module, path, "weight", (channels,))
            if module.bias is None:  # newer torch has bias=False
                self.tensors[_join(path, "bias")] = torch.zeros(channels)
            else:
                self.tensor(module, path, "bias", (channels,))
        eps = _number(module, path, "eps")
        return {"type": "LayerNorm", "path": path, "normalized_shape": channels, "eps": eps,
                "elementwise_affine": affine}

    def activation(self, module: nn.Module, path: str) -> Node:
        cls = _class_of(module)
        return {"type": cls.__name__, "path": path,
                **{name: _number(module, path, name) for name in _ACTIVATIONS[cls]}}

    def gelu(self, module: nn.GELU, path: str) -> Node:
        return {"type": "GELU", "path": path, "approximate": getattr(module, "approximate", "none")}

    def rrelu(self, module: nn.RReLU, path: str) -> Node:
        slope = (_number(module, path, "lower") + _number(module, path, "upper")) / 2
        return {"type": "LeakyReLU", "path": path, "negative_slope": slope}

    def softmin(self, module: nn.Softmin, path: str) -> Node:
        layers = [{"type": "Affine", "path": _join(path, "negate"), "scale": -1.0, "offset": 0.0},
                  self.over_dim(module, path, "Softmax")]
        return {"type": "Sequential", "path": path, "layers": layers}

    def prelu(self, module: nn.PReLU, path: str) -> Node:
        count = _integer(module, path, "num_parameters")
        self.tensor(module, path, "weight", (count,))
        return {"type": "PReLU", "path": path, "num_parameters": count}

    def over_dim(self, module: Union[nn.GLU, nn.Softmax], path: str, kind: Optional[str] = None) -> Node:
        node = {"type": kind or _class_of(module).__name__, "path": path}
        axes = 3 if self.windows is None else self.windows.dim()
        if module.dim in (1, 1 - axes):
            return node
        if self.windows is None:
            raise _fail(path, module, f"dim is {module.dim}; over time it {_USE_A_WINDOW}, over channels say dim=1")
        if module.dim in (2, -1):
            return self.over_frames(path, node)
        frames = " or 2 for the frames" if axes == 3 else ""
        raise _fail(path, module, f"dim is {module.dim}; say 1 for the channels{frames}")

    def snake(self, module: Snake, path: str) -> Node:
        channels = _integer(module, path, "channels")
        self.tensor(module, path, "alpha", (channels,))
        return {"type": "Snake", "path": path, "channels": channels}


_Describer.HANDLERS = {
    nn.Sequential: _Describer.sequential,
    nn.ConstantPad1d: _Describer.constant_pad,
    nn.ReplicationPad1d: _Describer.replication_pad,
    Parallel: _Describer.parallel,
    Residual: _Describer.residual,
    OverChannels: _Describer.over_channels,
    nn.Conv1d: _Describer.convolution,
    nn.ConvTranspose1d: _Describer.convolution,
    nn.AvgPool1d: _Describer.average_pool,
    nn.MaxPool1d: _Describer.maximum_pool,
    nn.BatchNorm1d: _Describer.batch_norm,
    nn.GELU: _Describer.gelu,
    nn.PReLU: _Describer.prelu,
    nn.GLU: _Describer.over_dim,
    nn.Softmax: _Describer.over_dim,
    nn.LogSoftmax: _Describer.over_dim,
    nn.Softmin: _Describer.softmin,
    nn.RReLU: _Describer.rrelu,
    Snake: _Describer.snake,
    nn.InstanceNorm1d: _Describer.instance_norm,
    Windowed: _Describer.windowed,
    Snapshotter: _Describer.snapshotter,
    OverlapAdd: _Describer.overlap_add,
    OnlineAverager: _Describer.online_averager,
    Recurrent: _Describer.recurrent,
    **dict.fromkeys(_ACTIVATIONS, _Describer.activation),
}

_Describer.WINDOW_HANDLERS = {
    nn.Linear: _Describer.window_linear,
    nn.LayerNorm: _Describer.window_layer_norm,
    nn.GroupNorm: _Describer.group_norm,
    nn.AdaptiveAvgPool1d: _Describer.adaptive_pool,
    nn.AdaptiveMaxPool1d: _Describer.adaptive_pool,
    nn.Flatten: _Describer.flatten,
}

# What may come after a Flatten, when a window is (N, F): there F are the channels, as in torch.
_ON_FEATURES = (nn.Sequential, Residual, Parallel, nn.Linear, nn.LayerNorm, nn.GroupNorm, nn.BatchNorm1d, nn.PReLU,
                nn.GLU, nn.Softmax, nn.LogSoftmax, nn.Softmin, nn.Flatten)

# Types that give as many channels as they take.
_SAME_CHANNELS = {*(cls.__name__ for cls in _ACTIVATIONS), "AvgPool1d", "MaxPool1d", "Pad", "Resample", "BatchNorm1d",
                  "LayerNorm", "GELU", "PReLU", "Snake", "Softmax", "LogSoftmax", "Affine", "Abs", "Exp", "Log", "Sqrt",
                  "Square", "Sin", "Cos", "Reciprocal"}


# --- the public functions -------------------------------------------------------------------------------------------


def describe(
    module: nn.Module, padding: str = "exact", inputs: Optional[Sequence[int]] = None, check: bool = True
) -> Tuple[Node, Dict[str, Tensor]]:
    """What a model file says about `module`: its root node and its tensors (contiguous float32 copies on the CPU).

    `padding` "exact" keeps the offline result with all its padding; "valid" writes time padding, output_padding and
    ceil_mode as 0 or false in every layer and drops what pads; what crops stays. A module that occurs twice is described
    twice. `inputs` are the channels of each signal that the module's forward takes, needed if it takes several or if no
    layer says; in the file they are the channels of one input, one after the other. What torch.fx traced is compared with
    the module itself on short signals, unless `check` is False.

    Errors: ExportError naming the module's path and type. The module itself is only read.
    """
    import eigenstream_trace

    if padding not in PADDING_POLICIES:
        raise ExportError(f"padding is {padding!r}, must be one of {', '.join(PADDING_POLICIES)}")
    if inputs is not None and not (isinstance(inputs, (list, tuple)) and inputs
                                   and all(type(count) is int and 0 < count <= MAX_EXTENT for count in inputs)):
        raise ExportError(f"inputs is {inputs!r}, must be the channels of each input, such as [1] or [8, 80]")
    describer = _Describer(padding, check)
    node = eigenstream_trace.fold_crops(describer.network(module, "", inputs))
    if inputs is not None and len(inputs) > 1 and not _has_own_forward(module):
        raise _fail("", module, f"takes one signal, but inputs gives the channels of {len(inputs)}")
    _check_channels(node, inputs, describer)
    _Reader(describer.tensors, describer.custom_forward).read(node)
    return node, describer.tensors


def _check_channels(node: Node, inputs: Optional[Sequence[int]], describer: _Describer) -> None:
    """Throw if the modules of a network do not fit together, whatever the number of channels that come."""
    if inputs is not None or _takes(node) is not None or describer.custom_forward:
        _channels_after(node, None if inputs is None else sum(inputs), describer.given_channels)
        return
    for channels in range(1, 4096):  # as many as the program tries
        try:
            _channels_after(node, channels, describer.given_channels)
            return
        except ExportError as error:
            reason = error
    _channels_after(node, None, describer.given_channels)
    raise ExportError(f"{reason}; nor does any smaller number suit it. If more do, say how many, as in inputs=[8192]")


def _raw_bytes(tensor: Tensor) -> memoryview:
    """The elements of a contiguous float32 tensor on the CPU, little-endian, without the help of numpy."""
    if tensor.dtype != torch.float32 or tensor.device.type != "cpu" or not tensor.is_contiguous():
        raise ExportError(f"only contiguous float32 tensors on the CPU can be written, not {tensor.dtype}")
    count = 4 * tensor.numel()
    data = (ctypes.c_char * count).from_address(tensor.data_ptr()) if count else (ctypes.c_char * 0)()
    data.tensor = tensor  # alive as long as its memory is looked at
    if sys.byteorder == "big":
        swapped = array("f")
        swapped.frombytes(memoryview(data))
        swapped.byteswap()
        return memoryview(swapped).cast("B")
    return memoryview(data).cast("B")


@contextlib.contextmanager
def _output_file(path: PathLike) -> Iterator[BinaryIO]:
    """A file that appears complete or, on any error, not at all: it is written under another name beside its own. A link
    is written through. Errors: OSError from the file system, also for what is there and is no regular file.
    """
    name = os.fsdecode(path)
    if not os.path.basename(name):
        raise OSError(f"{name!r} is not the name of a file")
    target = os.path.realpath(name)
    mode = None
    if os.path.lexists(target):
        mode = os.stat(target).st_mode
        if stat.S_ISDIR(mode):
            raise IsADirectoryError(errno.EISDIR, os.strerror(errno.EISDIR), name)
        if not stat.S_ISREG(mode):
            raise OSError(f"{name!r} is not a regular file")
        if not os.access(target, os.W_OK):
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), name)
    unfinished = f"{target}.{secrets.token_hex(4)}.tmp"
    try:
        with open(unfinished, "xb") as file:
            yield file
        if mode is not None:
            os.chmod(unfinished, stat.S_IMODE(mode))
        os.replace(unfinished, target)
    except BaseException:
        if os.path.exists(unfinished):
            os.remove(unfinished)
        raise


def write_safetensors(path: PathLike, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    """Write float32 tensors and string metadata as a safetensors file, in the order given.

    The file appears at once or, on any error, not at all; a link is written through. Errors: ExportError for what the
    format cannot hold, OSError from the file system, also for a device, a pipe or a directory in the file's place.
    """
    if not all(isinstance(text, str) for text in (*tensors, *metadata, *metadata.values())):
        raise ExportError("metadata must map strings to strings, and tensors must have strings for names")
    if "__metadata__" in tensors:
        raise ExportError("no tensor can have the name __metadata__")
    header: Dict[str, Any] = {"__metadata__": dict(metadata)}
    end = 0
    for name, tensor in tensors.items():
        begin, end = end, end + 4 * tensor.numel()
        header[name] = {"dtype": "F32", "shape": list(tensor.shape), "data_offsets": [begin, end]}
    try:
        text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode("utf-8")
    except UnicodeEncodeError as error:
        raise ExportError(f"a tensor's name or the metadata is not valid Unicode: {error}") from None
    text += b" " * (-len(text) % 8)
    if len(text) > MAX_HEADER_BYTES:
        raise ExportError(f"the header has {len(text)} bytes, at most {MAX_HEADER_BYTES} are allowed")
    if 8 + len(text) + end > MAX_FILE_BYTES:
        raise ExportError(f"the file would have {8 + len(text) + end} bytes, at most {MAX_FILE_BYTES} are allowed")
    with _output_file(path) as file:
        file.write(len(text).to_bytes(8, "little"))
        file.write(text)
        for tensor in tensors.values():
            file.write(_raw_bytes(tensor))


def _checked_metadata(metadata: Optional[Mapping[str, str]]) -> Dict[str, str]:
    """The user's own strings. The program reads one of them."""
    if metadata is not None and not isinstance(metadata, Mapping):
        raise ExportError(f"metadata must map strings to strings, and is a {type(metadata).__name__}")
    for key, value in (metadata or {}).items():
        if not (isinstance(key, str) and isinstance(value, str)):
            raise ExportError(f"metadata must map strings to strings, not {key!r} to {value!r}")
        if not _is_unicode(key, value):
            raise ExportError(f"metadata {key!r}: {value!r} is not valid Unicode")
        if key == "sample_rate_hz":
            number = re.fullmatch(r"([0-9]+\.?[0-9]*|\.[0-9]+)([eE][+-]?[0-9]+)?", value)
            if number is None or not 0 < float(value) < math.inf:
                raise ExportError(f"metadata sample_rate_hz is {value!r}, not a positive number such as '16000'")
    return dict(metadata or {})


def _save(path: PathLike, description: Node, tensors: Mapping[str, Tensor], metadata: Mapping[str, str]) -> None:
    model: Dict[str, Any] = {"version": FORMAT_VERSION}
    if metadata:
        model["metadata"] = metadata
    model["network"] = description
    text = json.dumps(model, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
    write_safetensors(path, tensors, {"eigenstream": text})


def export(
    module: nn.Module, path: PathLike, padding: str = "exact", metadata: Optional[Mapping[str, str]] = None,
    inputs: Optional[Sequence[int]] = None, check: bool = True
) -> None:
    """Write `module` in inference mode as the model file `path`.

    `padding`, `inputs` and `check` as in describe(); `metadata` is the user's own strings, of which the eigenstream
    program reads ``sample_rate_hz``, a positive number. The module is only read. The file is written as
    write_safetensors() writes it. Errors: ExportError naming the module's path and type; OSError from the file system.
    """
    metadata = _checked_metadata(metadata)
    description, tensors = describe(module, padding, inputs, check)
    _save(path, description, tensors, metadata)


# --- the command ----------------------------------------------------------------------------------------------------


def _import(source: str) -> Any:
    """The Python module named `package.module` or stored in `path/to/file.py`."""
    if not source.endswith(".py"):
        sys.path.insert(0, os.getcwd())
        return importlib.import_module(source)
    if not os.path.isfile(source):
        raise FileNotFoundError(f"no such file: {source}")
    sys.path.insert(0, os.path.dirname(os.path.abspath(source)))
    name = os.path.splitext(os.path.basename(source))[0]
    spec = importlib.util.spec_from_file_location(name, source)
    module = importlib.util.module_from_spec(spec)
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def _build(target: str) -> nn.Module:
    """The network that `module:factory` names. Whatever the user's code raises becomes an ExportError."""
    source, _, attribute = target.rpartition(":")
    try:
        factory = operator.attrgetter(attribute)(_import(source))
        module = factory if isinstance(factory, nn.Module) or not callable(factory) else factory()
    except Exception as error:
        raise ExportError(f"{target}: {type(error).__name__}: {_one_line(error)}") from error
    if not isinstance(module, nn.Module):
        raise ExportError(f"{target}: gives a {type(module).__name__}, {_not_a_module(module)}")
    return module


def _load_weights(module: nn.Module, path: str) -> None:
    """Load a state_dict saved by torch.save; strictly, and without running any code from the file."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:
        raise ExportError(f"{path}: cannot be read as a state_dict: {_one_line(error)}") from error
    if not isinstance(state, Mapping) or not all(isinstance(value, Tensor) for value in state.values()):
        raise ExportError(f"{path}: not a plain state_dict (a mapping of names to tensors)")
    try:
        module.load_state_dict(state)
    except RuntimeError as error:
        raise ExportError(f"{path}: {_one_line(error)}") from error


def _target(text: str) -> str:
    source, _, attribute = text.rpartition(":")
    if not source or not attribute:
        raise argparse.ArgumentTypeError(f"{text!r} is not package.module:factory or path/to/file.py:factory")
    return text


def _channels(text: str) -> List[int]:
    try:
        return [int(part) for part in text.split(",")]
    except ValueError:
        raise argparse.ArgumentTypeError(f"{text!r} is not a list of numbers such as 8,80") from None


def _meta(text: str) -> Tuple[str, str]:
    key, separator, value = text.partition("=")
    if not key or not separator:
        raise argparse.ArgumentTypeError(f"{text!r} is not key=value")
    return key, value


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """The command; returns the exit code: 0 done, 1 error (argparse itself leaves with 2 on wrong usage)."""
    parser = argparse.ArgumentParser(
        prog="eigenstream_export.py", description="Write a torch network as an eigenstream model file."
    )
    parser.add_argument("target", type=_target, metavar="module:factory",
                        help="package.module:factory or path/to/file.py:factory, where factory is a torch module or a "
                             "callable without arguments that returns one")
    parser.add_argument("out", help="the .safetensors file to write")
    parser.add_argument("--weights", metavar="state.pt", help="a state_dict, saved by torch.save, to load first")
    parser.add_argument("--padding", choices=PADDING_POLICIES, default="exact",
                        help="exact: the offline result with its padding (default); valid: no time padding anywhere")
    parser.add_argument("--inputs", type=_channels, metavar="C[,C...]",
                        help="the channels of each signal that forward takes, if it takes several or no layer says")
    parser.add_argument("--meta", action="append", default=[], type=_meta, metavar="key=value",
                        help="a string of your own to store in the file; may be repeated")
    options = parser.parse_args(arguments)
    metadata = dict(options.meta)
    if len(metadata) != len(options.meta):
        parser.error("argument --meta: a key is given twice")
    try:
        metadata = _checked_metadata(metadata)
        module = _build(options.target)
        if options.weights is not None:
            _load_weights(module, options.weights)
        description, tensors = describe(module, options.padding, options.inputs)
        _save(options.out, description, tensors, metadata)
    except (ExportError, OSError) as error:
        print(f"eigenstream_export.py: error: {_one_line(error)}", file=sys.stderr)
        return 1
    count = sum(tensor.numel() for tensor in tensors.values())
    print(f"{options.out}: {len(tensors)} tensors, {count} parameters, padding {options.padding}")
    return 0


if __name__ == "__main__":
    # The user's file imports this one by name; it must find these very classes, not a second copy of them.
    sys.modules.setdefault("eigenstream_export", sys.modules[__name__])
    sys.exit(main())
