"""What moves along the time: pads, crops, steps, repetitions and windows."""

from __future__ import annotations

from typing import Any, Callable, List, Optional, Sequence

import torch
from torch import Tensor

from ..align import Number, Varying
from ..errors import Refused, join
from ..graph import Builder
from ..known import USE_A_WINDOW
from ..signals import BATCH, COLUMNS, SPACE, TIME, Signal, in_order, what
from .arithmetic import constants
from .registry import handles
from .space import patches

_CONSTANT_START = "only slices that cut a constant number of frames off the start can run over a stream"
_CONSTANT_END = ("only slices that cut a constant number of frames off the end, or that end where another signal of the "
                 "network does, can run "
                 "over a stream")


def pad_node(b: Builder, left: int, right: int, value: float = 0.0, mode: str = "constant", multiple: int = 1,
             offset: int = 0) -> dict:
    fields = {"value": float(value)} if mode == "constant" else {}
    if multiple > 1:
        fields = {**fields, "multiple": multiple, "offset": offset % multiple}
    # The place of a convolution that pads is for its weights.
    path = b.helper_path("pad") if hasattr(b.step.place.module, "padding_mode") else b.own_path()
    return {"type": "Pad", "path": path, "left": left, "right": right, "mode": mode, **fields}


# --- crops ----------------------------------------------------------------------------------------------------------


def bounds(frames: Sequence[int], value: Any, end: bool) -> List[int]:
    """Where a slice over a time of so many frames starts or ends, for each run."""
    if isinstance(value, Number) and value.of_batch:
        raise Refused(f"a bound over time is {what(value)}")
    places = []
    for i, length in enumerate(frames):
        at = value.values[i] if isinstance(value, Number) else value
        at = (length if end else 0) if at is None else at
        if type(at) is not int:
            raise Refused(f"a bound over time is {what(at)}, not an integer")
        places.append(max(0, at + length) if at < 0 else min(at, length))
    return places


def crop(b: Builder, x: Signal, start: Any, stop: Any, step: Any = None) -> Signal:
    """A slice over time. What is cut off the end for every length is a Pad. Where some lengths lose more, the stream has these
    frames until it meets another signal that ends there."""
    starts, stops = bounds(x.frames, start, False), bounds(x.frames, stop, True)
    left = b.constant_number(starts, "where a slice over time starts", _CONSTANT_START)
    streams = b.streamed(x)
    excess = [stream - stop for stream, stop in zip(streams, stops)]
    right = min(excess)
    if right != max(excess) and any(other.frames == [stop - left for stop in stops] for other in b.values):
        right = 0  # it ends where that one does
    y = x
    if left or right or stops != x.frames:
        frames = [max(0, stop - left) for stop in stops]
        cut = x.cut or b.ends_by_length("where a slice over time ends depends on the signal's length: it cuts off", excess,
                                        _CONSTANT_END)
        y = x.replaced(frames=frames, cut=cut)
        if b.windows and frames[0] == 0:
            raise Refused("leaves nothing of the window")
        if left or right:
            z = b.compact(x)
            ends = [max(0, stream - left - right) for stream in streams]
            node = pad_node(b, -left, -right)
            put = b.put(node, [b.whole(z)], b.values[z.number].channels, frames, frames if b.windows else ends, cut)
            y = put.replaced(axes=x.axes, index=z.index)
        elif y.frames == streams:
            y.cut = None
    if step not in (None, 1):
        if type(step) is not int or step < 1:
            raise Refused(f"a step of {step!r} over time")
        z = b.compact(y)
        node = {"type": "AvgPool1d", "path": b.own_path("step"), "kernel_size": 1, "stride": step, "padding": 0,
                "ceil_mode": False,
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


@handles("_lfilter")
def lfilter(b: Builder, input: Any, a_coeffs: Any, b_coeffs: Any) -> Signal:
    """torchaudio's, to which lfilter and all its biquads come: (batch, filters, time), a row of numbers for each filter."""
    x = input
    back, forth = constants(b, a_coeffs=a_coeffs, b_coeffs=b_coeffs)
    if not isinstance(x, Signal) or x.axes[-1:] != (TIME,) or len(x.axes) != 3 or x.axes[1] != SPACE or BATCH not in x.axes[:1] and (
            COLUMNS not in x.axes[:1]):
        raise Refused(f"lfilter takes (..., time), but gets {what(x)}")
    if b.windows:
        raise Refused("lfilter inside a Windowed is not supported: it begins anew with every window")
    filters, taps = back.shape
    path = b.own_path("lfilter")
    x = b.compact(x) if filters == 1 else b.ordered(x)
    rows = 1 if filters == 1 else x.index.numel()
    for name, numbers in (("a", back), ("b", forth)):
        b.keep(path, name, numbers.detach().repeat(rows // filters, 1).unsqueeze(0), (1, rows, taps))
    y = b.emit({"type": "RecursiveFilter", "path": path, "rows": rows, "taps": taps}, b.whole(x))
    return y.replaced(axes=x.axes, index=x.index)


# --- repetitions ----------------------------------------------------------------------------------------------------


@handles("interpolate", "upsample", "upsample_nearest1d")
def interpolate(b: Builder, input: Signal, size: Any = None, scale_factor: Any = None, mode: str = "nearest",
                align_corners: Any = None,
                recompute_scale_factor: Any = None, antialias: bool = False) -> Signal:
    x = input
    if len(x.axes) > 3 and not b.windows and x.axes[:2] == (BATCH, SPACE):
        return _over_axes(b, x, mode)
    if x.axes[-1:] != (TIME,) and b.windows:
        x = b.turned(x, len(x.axes) - 1, TIME)
    if x.axes[-1] != TIME or len(x.axes) != 3:
        raise Refused("interpolate works over the last axis, which is not the time here")
    counts = [shapes[0][-1] for shapes in b.step.shapes]
    if mode not in ("nearest", "nearest-exact", "linear"):
        raise Refused(f"interpolates in mode {mode!r}: only 'nearest' and 'linear' by an integer scale_factor can run over a "
                      "stream; repeat and smooth with a convolution instead")
    if align_corners:
        raise Refused("interpolates with align_corners=True, where the places of all frames depend on the signal's length; use "
                      "align_corners=False")
    if all(count % frames == 0 for count, frames in zip(counts, x.frames)):
        factors = {count // frames for count, frames in zip(counts, x.frames)}
        if len(factors) == 1:
            factor = factors.pop()
            return x if factor == 1 else b.repeated(x, factor) if mode != "linear" else _between(b, x, factor)
    if size is not None and not b.windows:
        # As many frames as another signal has: the frames repeated so often, cut where it ends.
        ratios = {-(-count // frames) for count, frames in zip(counts, x.frames)}
        raise Refused(f"interpolates to a size that depends on the signal's length ({', '.join(map(str, sorted(ratios)))} for "
                      f"each frame); only "
                      "'nearest' and 'linear' by an integer scale_factor can run over a stream")
    factors = scale_factor if isinstance(scale_factor, (tuple, list)) else [scale_factor]
    factor = factors[0] if len(factors) == 1 else None
    if isinstance(factor, float) and 0 < factor < 1 and float(1 / factor).is_integer():
        return _each(b, x, int(1 / factor), mode)
    raise Refused("interpolates by a factor that is no integer, nor one divided by one: only 'nearest' and 'linear' by such a "
                  "scale_factor can run over a stream")


def _over_axes(b: Builder, x: Signal, mode: str) -> Signal:
    """Each entry of the time and of axes of channels so many times."""
    for dim in range(2, len(x.axes)):
        pairs = [(shapes[0][dim], x.shape(run, 1)[dim]) for run, shapes in enumerate(b.step.shapes)]
        if mode not in ("nearest", "nearest-exact") or any(count % extent for count, extent in pairs) or len(
                {count // extent for count, extent in pairs}) > 1:
            raise Refused(f"interpolates in mode {mode!r}, from {[extent for _, extent in pairs]} to {[count for count, _ in pairs]}: over "
                          "time and space only 'nearest' by an integer for each axis is supported")
        factor = pairs[0][0] // pairs[0][1]
        if factor > 1:
            x = b.repeated(x, factor) if x.axes[dim] == TIME else x.replaced(
                index=x.index.repeat_interleave(factor, x.place(dim)))
    return x


def _between(b: Builder, x: Signal, factor: int) -> Signal:
    """x with frames between the frames, on straight lines: those between m and m + 1 are triangles around both, cut where the
    signal begins and ends."""
    if factor & (factor - 1):  # torch's places in a long signal are rounded
        b.largest_difference = 1e-3
    y = over_time(b, x, pad_node(b, 1, 1, mode="replicate"))
    taps = 2 * factor - factor % 2
    triangle = 1 - (torch.arange(taps) - (taps - 1) / 2).abs() / factor
    return _depthwise(b, y, "ConvTranspose1d", triangle, factor, factor + factor // 2)


def _each(b: Builder, x: Signal, step: int, mode: str) -> Signal:
    """One frame of every `step`: the first, or the middle of them."""
    if mode == "nearest":
        kernel = torch.eye(step)[0]
    elif mode == "nearest-exact":
        kernel = torch.eye(step)[step // 2]
    else:
        kernel = (torch.eye(step)[(step - 1) // 2] + torch.eye(step)[step // 2]) / 2
    return _depthwise(b, x, "Conv1d", kernel, step, 0)


def _depthwise(b: Builder, x: Signal, kind: str, kernel: Tensor, stride: int, padding: int) -> Signal:
    y = b.compact(x)
    path, channels = b.own_path(), b.values[y.number].channels
    b.keep(path, "weight", kernel.float().expand(channels, 1, len(kernel)))
    node = {"type": kind, "path": path, "in_channels": channels, "out_channels": channels, "kernel_size": len(kernel),
            "stride": stride, "padding": padding, "dilation": 1, "groups": channels, "bias": False}
    if kind == "ConvTranspose1d":
        node["output_padding"] = 0
    return b.emit(node, b.whole(y)).replaced(axes=x.axes, index=y.index)


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
def unfold(b: Builder, input: Signal, dimension: Any = None, size: Any = None, step: Any = None, *more: Any, **named: Any) -> Signal:
    if type(dimension) is not int or named:
        options = dict(zip(("kernel_size", "dilation", "padding", "stride"), (dimension, size, step, *more)))
        return patches(b, input, **{key: value for key, value in {**options, **named}.items() if value is not None})
    if size is None:
        raise Refused("unfolds by a kernel of two axes only; Tensor.unfold(dimension, size, step) of a signal is something else")
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


def join_frames(b: Builder, x: Signal, dims: Sequence[int], extents: Sequence[Sequence[int]]) -> Optional[Signal]:
    """x with a part of its axes (time, numbers) put into the time, for a view of `dims` as axes of these extents in each run: the frames
    of so many numbers, one after the other, of which the rest stay channels. None if it is none."""
    wide = [dim for dim in dims if x.axes[dim] == TIME or x.extent(dim) != 1]
    after = [each for each in extents if any(extent != 1 for extent in each)]
    if [x.axes[dim] for dim in wide] != [TIME, SPACE] or not after:
        return None
    sizes = {count / frames for count, frames in zip(after[0], x.frames)}
    size = int(min(sizes))
    if len(sizes) > 1 or size < 2 or size not in sizes or x.extent(wide[1]) % size:
        return None
    place = x.place(wide[1])
    index = x.index.unflatten(place, (size, -1)) if size != x.extent(wide[1]) else x.index.unsqueeze(place + 1)
    y = _added(b, x, index.movedim(place, 0), size)
    return y.replaced(axes=x.axes)


def _added(b: Builder, x: Signal, index: Tensor, stride: int, crop: int = 0) -> Signal:
    """The numbers `index` of each frame of x as frames, slowest axis first, each `stride` later than those of the frame before, and added
    where they meet; without the first and the last `crop` ones."""
    y = b.gather(x, index.flatten().tolist())
    size, channels = len(index), index[0].numel()
    node = {"type": "OverlapAdd", "path": b.own_path(), "channels": channels, "size": size, "stride": stride, "padding": crop,
            "normalise": False, "weighted": False}
    return b.emit(node, y).replaced(index=in_order(channels).reshape(index.shape[1:]))


@handles("index_add", "index_add_")
def index_add(b: Builder, input: Any, dim: Any, index: Any, source: Any, alpha: Any = 1, out: Any = None) -> Signal:
    """Overlapping frames, as `index` says where each of their parts goes: k * stride + j for part j of frame k."""
    if not isinstance(source, Signal) or isinstance(input, Signal) or isinstance(index, Signal):
        raise Refused("adds to entries of a signal; only parts of overlapping frames can be added up, into zeros")
    if source.axis(dim) != TIME or b.windows:
        raise Refused(f"index_add over the {source.axis(dim)} is not supported")
    targets = input.values if isinstance(input, Varying) else [input] * len(b.runs)
    places = index.values if isinstance(index, Varying) else [index] * len(b.runs)
    longest = max(places, key=len).tolist()
    size = next((i for i in range(1, len(longest)) if longest[i] != i), 1)  # 1: each entry goes where it is
    stride = longest[size] if len(longest) > size else size
    for target, place, frames in zip(targets, places, source.frames):
        counted = [i // size * stride + i % size for i in range(frames)]
        if place.tolist() != counted or frames % size or alpha != 1 or bool(target.any()) or not 1 <= stride <= size:
            raise Refused("adds to entries of a tensor; only parts of overlapping frames, each as much later as the one before, can be "
                          "added up, into zeros")
        if target.shape[dim] != counted[-1] + 1:
            raise Refused(f"adds overlapping frames of {counted[-1] + 1} entries into a tensor of {target.shape[dim]}")
    if size == 1:
        return source
    x = source
    before = b.made_by(x)
    if before["type"] == "OverlapAdd" and before["size"] == before["stride"] == size:  # frames that were only taken apart
        x = Signal(before["from"][0], x.axes, x.index, [frames // size for frames in x.frames])
        parts = torch.stack([x.index + j * before["channels"] for j in range(size)])
    else:
        x = windows(b, b.compact(x), size, size)
        parts = x.index.movedim(-1, 0)
    return _added(b, x, parts, stride).replaced(axes=source.axes)


@handles("fold")
def fold(b: Builder, input: Signal, output_size: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Signal:
    """Overlapping frames along one axis, which are added up."""
    size, apart, around, step = (tuple(each) if isinstance(each, (tuple, list)) else (each, each)
                                 for each in (kernel_size, dilation, padding, stride))
    at = 0 if size[1] == 1 else 1  # the axis of the result that is the time
    if input.axes != (BATCH, SPACE, TIME) or b.windows or size[1 - at] != 1 or apart[at] != 1 or around[1 - at] != 0 or step[1 - at] != 1:
        raise Refused("fold along one axis of (batch, channels * kernel, time) only can run over a stream")
    if not 1 <= step[at] <= size[at] or around[at] > size[at] - step[at]:
        raise Refused(f"fold of windows of {size[at]} entries, {step[at]} apart, with a padding of {around[at]}: some of its output is under "
                      "no window")
    for shapes, frames in zip(b.step.shapes, input.frames):
        natural = (frames - 1) * step[at] + size[at] - 2 * around[at]
        if (shapes[0][-2], shapes[0][-1]) != ((natural, 1) if at == 0 else (1, natural)):
            raise Refused(f"folds {frames} windows into {list(shapes[0][-2:])} entries; only as many as they cover, {natural}, can be")
    parts = input.index.reshape(-1, size[at]).movedim(1, 0)
    y = _added(b, input, parts, step[at], around[at])
    axes = (BATCH, SPACE, TIME, SPACE) if at == 0 else (BATCH, SPACE, SPACE, TIME)
    return y.replaced(axes=axes, index=y.index.unsqueeze(-1))
