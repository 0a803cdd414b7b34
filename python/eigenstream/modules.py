"""Modules that torch does not have."""

from __future__ import annotations

import functools
from typing import Any, Optional, Sequence, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .errors import fail, join
from .format import REDUCTIONS
from .reading import check_shrink, check_stride, shrink


RECURRENT = (nn.RNN, nn.GRU, nn.LSTM)
FOLDS = {"sum": torch.add, "mean": torch.add, "product": torch.mul, "max": torch.maximum, "min": torch.minimum,
          "difference": torch.sub, "quotient": torch.div, "greater": lambda a, b: (a > b).to(a.dtype),
          "greater_equal": lambda a, b: (a >= b).to(a.dtype), "equal": lambda a, b: (a == b).to(a.dtype),
          "where": lambda a, b: torch.where(b != 0, a, torch.zeros_like(a)),
          "where_not": lambda a, b: torch.where(b != 0, torch.zeros_like(a), a),
          "power": torch.pow, "atan2": torch.atan2, "remainder": torch.remainder}


def reduce_values(op: str, values: Sequence[Tensor], window: bool = False) -> Tensor:
    """Signals joined as a Reduce node does it: the longer ones are cropped, the smaller half of the excess in front. In
    a window, one frame serves for all."""
    lengths = [value.shape[-1] for value in values]
    length = min([each for each in lengths if each > 1] or [1]) if window else min(lengths)
    values = [value.expand(*value.shape[:-1], length) if window and value.shape[-1] == 1
              else value.narrow(-1, (value.shape[-1] - length) // 2, length) for value in values]
    if op == "concat":
        return torch.cat(values, 1 if values[0].dim() == 5 else -2)
    result = functools.reduce(FOLDS[op], values)
    return result / len(values) if op == "mean" else result


def check_sizes(module: nn.Module, least: int = 1, **sizes: Any) -> None:
    for name, value in sizes.items():
        if type(value) is not int or value < least:
            raise fail("", module, f"{name} is {value!r}, must be an integer of at least {least}")


def checked_sides(module: nn.Module, padding: Any, most: int, limit: str) -> Tuple[int, int]:
    """Padding as (left, right), of one integer or two."""
    sides = tuple(padding) if isinstance(padding, (tuple, list)) else (padding, padding)
    if len(sides) != 2 or any(type(side) is not int or not 0 <= side <= most for side in sides):
        raise fail("", module, f"padding is {padding!r}, must be one integer or two, from 0 to {limit} = {most}")
    return sides


def check_signal(module: nn.Module, x: Tensor, channels: Optional[int] = None) -> None:
    if x.dim() != 3 or (channels is not None and x.shape[1] != channels):
        expected = "channels" if channels is None else channels
        raise fail("", module, f"takes a signal (batch, {expected}, frames), not one of shape {tuple(x.shape)}")


def cut_windows(module: nn.Module, x: Tensor, size: int, stride: int, left: int, right: int) -> Tensor:
    """Windows (B, C, W, size) of a signal with zeros around it."""
    if x.shape[-1] + left + right < size:
        raise fail("", module, f"a signal of {x.shape[-1]} frames is too short for a window of {size}")
    return F.pad(x, (left, right)).unfold(-1, size, stride)


class OverChannels(nn.Module):
    """Apply ``nn.Linear`` or ``nn.LayerNorm`` over the channel axis, at each time step by itself.

    Shapes: x (B, C, T) -> y (B, C', T), or the same without B. Errors: ExportError for any other module.
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        if not isinstance(module, (nn.Linear, nn.LayerNorm)):
            raise fail("", self, f"takes nn.Linear or nn.LayerNorm, not {type(module).__name__}")
        self.module = module

    def shortens(self, path: str, padding: str) -> int:
        return 0

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
            raise fail("", self, "alpha must not be 0")
        self.channels = channels
        self.alpha = nn.Parameter(torch.full((channels,), float(alpha)), requires_grad=alpha_trainable)

    def shortens(self, path: str, padding: str) -> int:
        return 0

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
        check_shrink(self, "", "exact")

    def shortens(self, path: str, padding: str) -> int:
        return shrink(self.net, join(path, "net"), padding)

    def forward(self, x: Tensor) -> Tensor:
        # An in-place activation at the start of the net would otherwise change the x that is added.
        in_place = any(getattr(module, "inplace", False) for module in self.net.modules())
        y = self.net(x.clone() if in_place else x)
        if y.shape[:-1] != x.shape[:-1]:
            raise fail("", self, f"net(x) has shape {tuple(y.shape)}, x {tuple(x.shape)}: only lengths may differ")
        shrink = x.shape[-1] - y.shape[-1]
        if shrink < 0:
            raise fail("", self, f"net(x) is {-shrink} samples longer than x")
        return y + x.narrow(-1, shrink // 2, y.shape[-1])


class Parallel(nn.Module):
    """Several networks side by side with the same input, whose outputs become one.

    ``reduce`` is "sum", "mean", "product", "max", "min" or "concat" (of channels). Of outputs that are longer than the
    shortest by q samples, floor(q/2) are left out at the left and ceil(q/2) at the right end.

    Shapes: x (B, C, T) -> y (B, C', T'). Errors: ExportError for another reduce or fewer than two branches.
    """

    def __init__(self, *branches: nn.Module, reduce: str = "sum") -> None:
        super().__init__()
        if reduce not in REDUCTIONS:
            raise fail("", self, f"reduce is {reduce!r}, must be one of {', '.join(REDUCTIONS)}")
        if len(branches) < 2:
            raise fail("", self, f"has {len(branches)} branches, at least 2 are needed")
        self.branches = nn.ModuleList(branches)
        self.reduce = reduce

    def shortens(self, path: str, padding: str) -> int:
        return 0

    def forward(self, x: Tensor) -> Tensor:
        return reduce_values(self.reduce, [branch(x.clone()) for branch in self.branches])


class Recurrent(nn.Module):
    """``nn.RNN``, ``nn.GRU`` or ``nn.LSTM`` over the frames of a signal, of which the output at each frame remains.

    For ``nn.Sequential``. The signal's axes are these, whether ``module`` is batch_first or not. In both directions it runs
    inside a ``Windowed`` only.

    Shapes: x (B, C, T) -> y (B, R, T), in both directions (B, 2 R, T); R is proj_size, or without one hidden_size.
    Errors: ExportError for any other module and for another number of channels.
    """

    def __init__(self, module: nn.RNNBase) -> None:
        super().__init__()
        if not isinstance(module, RECURRENT):
            raise fail("", self, f"takes nn.RNN, nn.GRU or nn.LSTM, not {type(module).__name__}")
        self.module = module

    def shortens(self, path: str, padding: str) -> int:
        return 0

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x, self.module.input_size)
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
            raise fail("", self, f"net is a {type(net).__name__}, not a torch.nn.Module")
        check_sizes(self, size=size, stride=stride)
        self.net = net
        self.size, self.stride = size, stride
        self.padding = checked_sides(self, padding, size - 1, "size - 1")

    def runs_windows(self) -> bool:
        """That its network does not run over the signal itself."""
        return True

    def shortens(self, path: str, padding: str) -> int:
        check_stride(self, path, "stride")
        return self.size - 1 - (sum(self.padding) if padding == "exact" else 0)

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x)
        windows = cut_windows(self, x, self.size, self.stride, *self.padding).transpose(1, 2)
        batch, count = windows.shape[:2]
        # A copy whatever their number: contiguous, and the net may work in place.
        y = self.net(windows.clone(memory_format=torch.contiguous_format).flatten(0, 1))
        if not isinstance(y, Tensor) or y.dim() not in (2, 3) or y.shape[0] != batch * count:
            given = tuple(y.shape) if isinstance(y, Tensor) else f"a {type(y).__name__}"
            raise fail("", self, f"net gives {given} for {batch * count} windows, not (windows, channels, frames) or "
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
        check_sizes(self, num_channels=num_channels, snapshot_size=snapshot_size, stride_size=stride_size)
        if stride_size >= snapshot_size:
            raise fail("", self, f"stride_size {stride_size} must be less than snapshot_size {snapshot_size}")
        self.num_channels, self.snapshot_size, self.stride_size = num_channels, snapshot_size, stride_size

    def shortens(self, path: str, padding: str) -> int:
        check_stride(self, path, "stride_size")
        return 0 if padding == "exact" else self.snapshot_size - 1

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x, self.num_channels)
        windows = cut_windows(self, x, self.snapshot_size, self.stride_size, self.snapshot_size - self.stride_size, 0)
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
        check_sizes(self, channels=channels, size=size, stride=stride)
        if stride > size:
            raise fail("", self, f"stride {stride} is more than size {size}, which would leave gaps")
        self.channels, self.size, self.stride = channels, size, stride
        self.padding = checked_sides(self, padding, size - stride, "size - stride")
        self.normalise = bool(normalise)
        if window is not None:
            window = torch.as_tensor(window, dtype=torch.get_default_dtype()).detach().clone()
            if window.shape != (size,) or not bool(torch.isfinite(window).all()):
                raise fail("", self, f"window has shape {tuple(window.shape)}, must be {size} finite numbers")
        self.register_buffer("window", window)

    def shortens(self, path: str, padding: str) -> int:
        check_stride(self, path, "stride")
        return 1 - self.size + sum(self.padding)

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x, self.channels * self.size)
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
        check_sizes(self, update_size=update_size, num_updates=num_updates, num_channels=num_channels)
        check_sizes(self, 0, offset=offset)
        self.update_size, self.num_updates, self.num_channels = update_size, num_updates, num_channels
        self.offset, self.normalise_start = offset, bool(normalise_start)

    def shortens(self, path: str, padding: str) -> int:
        check_stride(self, path, "update_size")
        return 1 - self.num_updates

    def forward(self, x: Tensor) -> Tensor:
        check_signal(self, x)
        updates, channels, predictions = self.num_updates, self.num_channels, x.shape[-1]
        least = updates * self.update_size + self.offset
        if x.shape[1] % channels != 0 or x.shape[1] // channels < least:
            raise fail("", self, f"a prediction of {x.shape[1]} numbers, expected {channels} channels of {least} "
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
