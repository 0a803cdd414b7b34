"""What moves along the time: pads, crops, steps, repetitions and windows."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

import torch

from ..align import Number, number
from ..errors import ByLength, Refused, join
from ..graph import Builder
from ..known import USE_A_WINDOW
from ..signals import BATCH, SPACE, TIME, Signal, in_order, what
from .registry import handles

_CONSTANT_PAD = "how long a stream will be is not known, so pad by a constant number of frames"
_CONSTANT_START = "only slices that cut a constant number of frames off the start can run over a stream"
_CONSTANT_END = ("only slices that cut a constant number of frames off the end, or that end where another signal of the network does, can run "
                 "over a stream")
_CONSTANT_MORE = ("only pads by a constant number of frames, or of frames that a layer with a stride behind it does not use, can run over a "
                  "stream")


def _pad_node(b: Builder, left: int, right: int, value: float = 0.0, mode: str = "constant") -> dict:
    fields = {"value": float(value)} if mode == "constant" else {}
    return {"type": "Pad", "path": b.own_path(), "left": left, "right": right, "mode": mode, **fields}


# --- crops ----------------------------------------------------------------------------------------------------------


def _bounds(b: Builder, x: Signal, value: Any, end: bool) -> List[int]:
    """Where a slice over time starts or ends, for each run."""
    places = []
    for i, length in enumerate(x.frames):
        at = value.values[i] if isinstance(value, Number) else value
        at = (length if end else 0) if at is None else at
        if type(at) is not int:
            raise Refused(f"a bound over time is {what(at)}, not an integer")
        places.append(max(0, at + length) if at < 0 else min(at, length))
    return places


def crop(b: Builder, x: Signal, start: Any, stop: Any, step: Any = None) -> Signal:
    """A slice over time. What is cut off the end for every length is a Pad. Where some lengths lose more, the stream has these
    frames until it meets another signal that ends there."""
    for bound in (start, stop):
        if isinstance(bound, Number) and bound.of_batch:
            raise Refused(f"a bound over time is {what(bound)}")
    starts, stops = _bounds(b, x, start, False), _bounds(b, x, stop, True)
    left = b.constant_number(starts, "where a slice over time starts", _CONSTANT_START)
    streams = b.streamed(x)
    excess = [stream - stop for stream, stop in zip(streams, stops)]
    right = min(excess)
    y = x
    if left or right or stops != x.frames:
        frames = [max(0, stop - left) for stop in stops]
        cut = x.cut or b.ends_by_length("where a slice over time ends depends on the signal's length: it cuts off", excess, _CONSTANT_END)
        y = x.replaced(frames=frames, cut=cut)
        if b.windows and frames[0] == 0:
            raise Refused("leaves nothing of the window")
        if left or right:
            z = b.compact(x)
            ends = [max(0, stream - left - right) for stream in streams]
            node = _pad_node(b, -left, -right)
            put = b.put(node, [b.whole(z)], b.values[z.number].channels, frames, frames if b.windows else ends, cut)
            y = put.replaced(axes=x.axes, index=z.index)
        elif y.frames == streams:
            y.cut = None
    if step not in (None, 1):
        if type(step) is not int or step < 1:
            raise Refused(f"a step of {step!r} over time")
        z = b.compact(y)
        node = {"type": "AvgPool1d", "path": b.own_path("step"), "kernel_size": 1, "stride": step, "padding": 0, "ceil_mode": False,
                "count_include_pad": True}
        y = b.emit(node, b.whole(z)).replaced(axes=y.axes, index=z.index)
    return y


def over_time(b: Builder, x: Signal, node: dict) -> Signal:
    """A node over time that keeps the channels."""
    z = b.compact(x)
    return b.emit(node, b.whole(z)).replaced(axes=x.axes, index=z.index)


def flip_time(b: Builder, x: Signal) -> Signal:
    if not b.windows:
        raise Refused(f"flip {USE_A_WINDOW}")
    return over_time(b, x, {"type": "Reverse", "path": b.own_path()})


# --- pads -----------------------------------------------------------------------------------------------------------


def pad_time(b: Builder, x: Signal, left: Any, right: Any, mode: str, value: float) -> Signal:
    """Frames before and after. If their number behind the end depends on the signal's length, the stream gets as many as it can
    be, and the forward leaves out the rest."""
    if isinstance(left, Number):
        left = b.constant_number(left.values, "pads the start by a number that", _CONSTANT_PAD)
    if mode not in ("constant", "replicate"):
        raise Refused(f"the padding mode {mode!r} needs samples that are not there yet; use zeros or replicate")
    if type(left) is not int or not isinstance(right, Number) and type(right) is not int:
        raise Refused(f"pads by {what(left)} and {what(right)}, which must be integers")
    if not isinstance(right, Number):
        if left == right == 0:
            return x
        if min(left, right) < 0:
            y = crop(b, x, max(0, -left), number([count - max(0, -right) for count in x.frames], b.runs))
            left, right = max(0, left), max(0, right)
            return over_time(b, y, _pad_node(b, left, right, value, mode)) if left or right else y
        return over_time(b, x, _pad_node(b, left, right, value, mode))
    if right.of_batch:
        raise Refused(f"pads by {what(right)}")
    if min(right.values) < 0:
        raise Refused("pads the end by a number that depends on the signal's length and can be negative; slice the end away instead")
    most = max(right.values)
    if x.frames == [run.frames[0] for run in b.runs]:  # up to a multiple of a stride: one more frame needs the most
        b.telling.add(min(count + more for count, more in zip(x.frames, right.values)) + left + 1)
    y = over_time(b, x, _pad_node(b, left, most, value, mode))
    frames = [count + left + more for count, more in zip(x.frames, right.values)]
    lengths = sorted(zip(right.values, (run.frames[0] for run in b.runs)))
    if len({most for most in right.values}) > 1 and _grows(right.values, [run.frames[0] for run in b.runs]):
        raise ByLength(f"pads by a number that depends on the signal's length: for signals of {lengths[0][1]} and {lengths[-1][1]} frames it is "
                      f"{lengths[0][0]} and {lengths[-1][0]}; {_CONSTANT_PAD}")
    reason = ByLength(f"pads by a number that depends on the signal's length: for signals of {lengths[0][1]} and {lengths[-1][1]} frames it is "
                     f"{lengths[0][0]} and {lengths[-1][0]}; {_CONSTANT_PAD}; {_CONSTANT_MORE}")
    reason.step = b.step.place
    return y.replaced(frames=frames, cut=reason)


def _grows(values: Sequence[int], lengths: Sequence[int]) -> bool:
    """Whether a number goes up or down with the length, so that there is no largest one."""
    spread = max(lengths) - min(lengths)
    return spread > 0 and (max(values) - min(values)) * 4 > spread and max(values) > 1024


@handles("pad", "constant_pad_nd")
def pad(b: Builder, input: Signal, pad: Any, mode: str = "constant", value: Any = None) -> Signal:
    amounts = list(pad)
    if len(amounts) % 2 or any(not isinstance(amount, Number) and type(amount) is not int for amount in amounts):
        raise Refused(f"pads by {[each if type(each) is int else what(each) for each in amounts]}, which must be integers, two for each axis")
    if not isinstance(mode, str):
        mode, value = "constant", mode
    if value is not None and not isinstance(value, (int, float)):
        raise Refused(f"pads with {what(value)}")
    x = input
    for i in range(0, len(amounts), 2):
        left, right, dim = amounts[i], amounts[i + 1], len(x.axes) - 1 - i // 2
        if left == 0 and right == 0:
            continue
        role = x.axis(dim)
        if role == TIME:
            x = pad_time(b, x, left, right, mode, float(value or 0))
        elif b.windows and role == SPACE and sum(x.extent(k) != 1 for k, each in enumerate(x.axes) if each == SPACE) <= 1:
            x = pad_time(b, b.turned(x, dim, TIME), left, right, mode, float(value or 0))
        elif role == SPACE and mode == "constant" and type(left) is int and type(right) is int:
            x = _pad_channels(b, x, dim, left, right, float(value or 0))
        else:
            raise Refused(f"pads the {role}, only time can be padded")
    return x


def _pad_channels(b: Builder, x: Signal, dim: int, left: int, right: int, value: float) -> Signal:
    """Constant channels before and after those along an axis."""
    from .arithmetic import affine
    from .shapes import concat, sliced

    parts = [sliced(b, x, dim, max(0, -left), x.extent(dim) - max(0, -right))]
    for count, at in ((max(0, left), 0), (max(0, right), 2)):
        if count:
            first = sliced(b, x, dim, 0, 1)
            index = first.index.expand([count if k == first.place(dim) else extent for k, extent in enumerate(first.index.shape)])
            flat = b.gather(first, index.flatten().tolist())
            constant = affine(b, flat, torch.zeros(index.numel()), torch.full((index.numel(),), value))
            part = constant.replaced(axes=x.axes, index=in_order(index.numel()).reshape(index.shape))
            parts.insert(0 if at == 0 else len(parts), part)
    return concat(b, parts, dim)


# --- repetitions ----------------------------------------------------------------------------------------------------


@handles("interpolate", "upsample", "upsample_nearest1d")
def interpolate(b: Builder, input: Signal, size: Any = None, scale_factor: Any = None, mode: str = "nearest", align_corners: Any = None,
                recompute_scale_factor: Any = None, antialias: bool = False) -> Signal:
    x = input
    if x.axes[-1:] != (TIME,) and b.windows:
        x = b.turned(x, len(x.axes) - 1, TIME)
    if x.axes[-1] != TIME or len(x.axes) != 3:
        raise Refused("interpolate works over the last axis, which is not the time here")
    counts = [shapes[0][-1] for shapes in b.step.shapes]
    if mode != "nearest":
        raise Refused("only mode 'nearest' by an integer scale_factor can run over a stream; repeat and smooth with a convolution instead")
    if all(count % frames == 0 for count, frames in zip(counts, x.frames)):
        factors = {count // frames for count, frames in zip(counts, x.frames)}
        if len(factors) == 1:
            factor = factors.pop()
            return x if factor == 1 else b.repeated(x, factor)
    if size is not None and not b.windows:
        # As many frames as another signal has: the frames repeated so often, cut where it ends.
        ratios = {-(-count // frames) for count, frames in zip(counts, x.frames)}
        raise Refused(f"interpolates to a size that depends on the signal's length ({', '.join(map(str, sorted(ratios)))} for each frame); only "
                      "mode 'nearest' by an integer scale_factor can run over a stream")
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor]
    factor = factors[0] if len(factors) == 1 else None
    if isinstance(factor, float) and 0 < factor < 1 and float(1 / factor).is_integer():
        step = int(1 / factor)
        ends = [frames // step * step for frames in x.frames]
        return crop(b, crop(b, x, 0, number(ends, b.runs)) if ends != x.frames else x, None, None, step)
    raise Refused("only mode 'nearest' by an integer scale_factor can run over a stream")


@handles("repeat_interleave")
def repeat_interleave(b: Builder, input: Signal, repeats: Any, dim: Any = None, output_size: Any = None) -> Signal:
    if dim is None or type(repeats) is not int:
        raise Refused(f"repeat_interleave by a number over the time or the channels only, not by {what(repeats)}")
    role = input.axis(dim)
    if role == TIME:
        return b.repeated(input, repeats)
    if role == BATCH:
        raise Refused("repeats the batch")
    return input.replaced(index=input.index.repeat_interleave(repeats, input.place(dim)))


# --- windows --------------------------------------------------------------------------------------------------------


def windows(b: Builder, x: Signal, size: int, stride: int) -> Signal:
    """Windows of x as frames: (batch, ..., time, size) for its axes (batch, ..., time)."""
    y = b.compact(x)
    path, channels = b.own_path(), b.values[y.number].channels
    node = {"type": "Windowed", "path": path, "size": size, "stride": stride, "padding": 0, "channels": channels,
            "net": {"type": "Sequential", "path": join(path, "net"), "layers": []}}
    b.describer.given_channels[path] = channels * size
    cut = b.emit(node, b.whole(y))
    index = y.index.unsqueeze(-1) + in_order(size) * channels
    return cut.replaced(axes=(*x.axes, SPACE), index=index)


@handles("unfold")
def unfold(b: Builder, input: Signal, dimension: Any, size: Any = None, step: Any = None, **named: Any) -> Signal:
    if size is None or type(dimension) is not int or named:
        raise Refused("unfold of images is not supported; Tensor.unfold(dimension, size, step) of a signal is")
    if input.axis(dimension) != TIME or b.windows:
        raise Refused(f"unfold over the {input.axis(dimension)} is not supported")
    if type(size) is not int or type(step) is not int:
        raise Refused(f"unfolds by {what(size if type(size) is not int else step)}")
    return windows(b, input, size, step)


def frames_of_size(b: Builder, x: Signal, dim: int, shapes: Sequence[Sequence[int]], first: int,
                   view: Callable[..., Signal]) -> Signal:
    """A view of the time as (frames, size), or refused."""
    sizes = {shape[first + 1] for shape in shapes}
    if len(sizes) > 1:
        raise Refused(f"a view of the time as {list(shapes[0])}: it {USE_A_WINDOW}")
    size = sizes.pop()
    y = windows(b, x, size, size)
    order = [*range(dim + 1), len(x.axes), *range(dim + 1, len(x.axes))]
    places = [y.place(i) for i in order if y.axes[i] == SPACE]
    y = y.replaced(axes=tuple(y.axes[i] for i in order), index=y.index.permute(places))
    return view(b, y, shapes)


def join_frames(b: Builder, x: Signal, dims: Sequence[int], extents: Sequence[int]) -> Optional[Signal]:
    """x with two of its axes, (time, size), as one time, for a view of `dims` as axes of these extents: the frames of size
    numbers, one after the other. None if it is none."""
    wide = [dim for dim in dims if x.axes[dim] == TIME or x.extent(dim) != 1]
    if [x.axes[dim] for dim in wide] != [TIME, SPACE] or sum(extent != 1 for extent in extents) != 1:
        return None
    at = wide[1]
    size, index = x.extent(at), x.index.movedim(x.place(at), 0)  # each frame of the result in turn
    y = b.gather(x, index.flatten().tolist())
    path, channels = b.own_path(), index[0].numel()
    node = {"type": "OverlapAdd", "path": path, "channels": channels, "size": size, "stride": size, "padding": 0, "normalise": False,
            "weighted": False}
    z = b.emit(node, y)
    return z.replaced(axes=x.axes[:at] + x.axes[at + 1:], index=in_order(channels).reshape(index.shape[1:]))
