"""Layers over time and the space of frames: convolutions and pools of several axes, of which one is the time."""

from __future__ import annotations

from typing import Any, List, Mapping, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..errors import Refused
from ..format import Node, as_written
from ..graph import Builder
from ..known import OF_IMAGES, USE_A_WINDOW
from ..signals import BATCH, MIXED, ROWS, SPACE, TIME, Signal, index_of_frames, what
from .arithmetic import constants
from .registry import HANDLERS, handles


class Frames(NamedTuple):
    """A signal as a layer of some axes takes it: which of these axes is the time, None if the rows of the first axis are frames, and
    which are space, width last."""

    x: Signal
    time: Optional[int]
    space: List[int]

    @property
    def axes(self) -> int:
        """Of the layer that is written, which goes over the time in any case."""
        return 1 + len(self.space)

    def time_first(self, values: Sequence[Any], otherwise: Any) -> List[Any]:
        """The values of all axes; `otherwise` is that of a time that the layer does not go over."""
        return [otherwise if self.time is None else values[self.time], *(values[axis] for axis in self.space)]


def frames_of(b: Builder, x: Any, axes: int, name: str) -> Frames:
    if not isinstance(x, Signal):
        raise Refused(f"{name} runs over {what(x)}, not over a signal")
    if b.windows:
        raise Refused(f"inside a Windowed: {OF_IMAGES}")
    if x.axes[0] in ROWS and len(x.axes) == axes + 2 <= 4 and all(role == SPACE for role in x.axes[1:]):
        return Frames(x, None, list(range(axes)))
    if axes < 2 or len(x.axes) != axes + 2 or x.axes[0] != BATCH or x.axes[1] != SPACE or TIME not in x.axes:
        wanted = ", ".join(["batch", "channels", *["time or space"] * axes])
        raise Refused(f"{name} takes ({wanted}), but gets ({', '.join(x.axes)})")
    time = x.axes.index(TIME) - 2
    return Frames(x, time, [axis for axis in range(axes) if axis != time])


def of_one_axis(b: Builder, name: str, x: Any, options: Mapping[str, Tuple[Any, int]], **others: Any) -> Optional[Signal]:
    """What a layer of several axes makes of a window that has one number along all of them but the first: the same as one of that axis,
    if the options are neutral along the others. None for anything else."""
    if not b.windows or not isinstance(x, Signal) or x.axes[:3] != (BATCH, SPACE, TIME) or len(x.axes) < 4:
        return None
    more = len(x.axes) - 3
    given = {key: value if isinstance(value, str) else each_axis(key, value, 1 + more) for key, (value, _) in options.items()}
    neutral = all(isinstance(values, str) or values[1:] == [options[key][1]] * more for key, values in given.items())
    if not neutral or x.index.numel() != x.extent(1):
        return None
    one = {key: values if isinstance(values, str) else values[0] for key, values in given.items()}
    y = HANDLERS[name](b, x.replaced(axes=x.axes[:3], index=x.index.flatten()), **one, **others)
    return y.replaced(axes=x.axes, index=y.index.reshape(-1, *[1] * more))


def each_axis(name: str, value: Any, axes: int) -> List[int]:
    """An option with a number for each axis, or one for all."""
    values = list(value) if isinstance(value, (tuple, list)) else [value]
    values = values * axes if len(values) == 1 else values
    if len(values) != axes or any(type(each) is not int for each in values):
        raise Refused(f"{name} is {value!r}, not an integer for each of {axes} axes")
    return values


def over_frames(b: Builder, frames: Frames, node: Node) -> Signal:
    """A node over frames with space, whose output is as large as the call says."""
    x = b.framed(frames.x, [*(axis + 2 for axis in frames.space), 1])
    given = b.step.shapes[0][0]
    return _resized(b, x, node, given[1], [given[axis + 2] for axis in frames.space])


def _resized(b: Builder, x: Signal, node: Node, channels: int, sizes: Sequence[int]) -> Signal:
    """A node that takes frames as they are and gives them other channels, and other sizes along their axes, width last."""
    if min(sizes) < 1:
        raise Refused("leaves nothing of the frames")
    y = b.emit(node, b.whole(x), shape=(channels, sizes[-1], sizes[0] if len(sizes) == 2 else 1))
    return y.replaced(axes=x.axes, index=index_of_frames(y.channels, sizes))


def each_frame(b: Builder, net: Node, channels: int, width: int) -> Node:
    """A node over windows, run over the width of each frame."""
    path = b.helper_path("each_frame")
    given = b.describer.given(net, channels)
    b.describer.given_channels[path] = channels if given is None else given
    return {"type": "EachFrame", "path": path, "channels": channels, "width": width, "net": net}


# --- convolutions ---------------------------------------------------------------------------------------------------


def _unpadded(b: Builder, frames: Frames, pads: List[List[int]]) -> Tuple[Frames, str]:
    """What a convolution runs over, without what is nothing but more of its padding, which is added to `pads`; and what the
    padding holds."""
    x, mode, own = frames.x, "zeros", any(map(any, pads))
    if x.padded is not None and (x.padded.mode == "zeros" or not own):
        mode = x.padded.mode
        for dim, sides in x.padded.amounts.items():
            pads[dim - 2] = [mine + more for mine, more in zip(pads[dim - 2], sides)]
        x, own = x.padded.source, True
    node = b.made_by(x) if frames.time is not None else {"type": ""}
    if node["type"] == "Pad" and x.cut is None and min(node["left"], node["right"]) >= 0 and "multiple" not in node:
        zeros = node["mode"] == "constant" and node["value"] == 0
        if zeros and mode == "zeros" or node["mode"] == "replicate" and (mode == "replicate" or not own):
            mode = "zeros" if zeros else "replicate"
            left, right = node["left"], node["right"]
            pads[frames.time] = [pads[frames.time][0] + left, pads[frames.time][1] + right]
            x = x.replaced(number=node["from"][0], frames=[count - left - right for count in x.frames])
    return frames._replace(x=x), mode


@handles("conv2d", "conv3d")
def conv(b: Builder, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
         groups: int = 1) -> Signal:
    axes = int(b.step.name[4])
    weight, bias = constants(b, weight=weight, bias=bias)
    if all(taps == 1 for taps in weight.shape[3:]):
        y = of_one_axis(b, "conv1d", input, {"stride": (stride, 1), "padding": (padding, 0), "dilation": (dilation, 1)},
                        weight=weight.flatten(2), bias=bias, groups=groups)
        if y is not None:
            return y
    frames = frames_of(b, input, axes, f"Conv{axes}d")
    stride, dilation = each_axis("stride", stride, axes), each_axis("dilation", dilation, axes)
    fields = [step * (taps - 1) for step, taps in zip(dilation, weight.shape[2:])]
    if padding == "same":
        pads = [[field // 2, field - field // 2] for field in fields]
    else:
        pads = [[each, each] for each in each_axis("padding", 0 if padding == "valid" else padding, axes)]
    path = b.own_path(weight=weight, bias=bias)
    keep_weights(b, path, weight, bias, frames)
    frames, mode = _unpadded(b, frames, pads)
    return over_frames(b, frames, {
        "type": f"Conv{frames.axes}d", "path": path, "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0],
        "kernel_size": frames.time_first(weight.shape[2:], 1), "stride": frames.time_first(stride, 1),
        "padding": as_written(frames.time_first(pads, [0, 0])), **({"padding_mode": mode} if mode != "zeros" else {}),
        "dilation": frames.time_first(dilation, 1), "groups": groups, "bias": bias is not None})


def patches(b: Builder, x: Any, kernel_size: Any, dilation: Any = 1, padding: Any = 0, stride: Any = 1) -> Signal:
    """torch.nn.functional.unfold of frames with one axis of space: what a kernel sees at each place, as channels."""
    frames = frames_of(b, x, 2, "unfold")
    size, dilation, padding, stride = (each_axis("an option of unfold", each, 2) for each in (kernel_size, dilation, padding, stride))
    if frames.time != 0:
        raise Refused(f"unfold takes (batch, channels, time, space), but gets ({', '.join(x.axes)})")
    taps, channels = size[0] * size[1], x.extent(1)
    path = b.own_path()
    b.keep(path, "weight", torch.eye(taps).reshape(taps, 1, *size).repeat(channels, 1, 1, 1))
    node = {"type": "Conv2d", "path": path, "in_channels": channels, "out_channels": channels * taps, "kernel_size": size,
            "stride": stride, "padding": padding, "dilation": dilation, "groups": channels, "bias": False}
    width = (x.extent(3) + 2 * padding[1] - dilation[1] * (size[1] - 1) - 1) // stride[1] + 1
    y = _resized(b, b.framed(x, [3, 1]), node, channels * taps, [width])
    return y.replaced(axes=(BATCH, SPACE, MIXED))


def keep_weights(b: Builder, path: str, weight: Tensor, bias: Optional[Tensor], frames: Frames) -> None:
    weight = weight.unsqueeze(-1) if frames.time is None else weight  # one tap in time
    time = weight.dim() - 1 if frames.time is None else frames.time + 2
    b.keep(path, "weight", weight.permute(0, 1, time, *(axis + 2 for axis in frames.space)))
    if bias is not None:
        b.keep(path, "bias", bias)


@handles("conv_transpose2d", "conv_transpose3d")
def conv_transpose(b: Builder, input: Any, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
                   output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Signal:
    axes = int(b.step.name[-2])
    weight, bias = constants(b, weight=weight, bias=bias)
    frames = frames_of(b, input, axes, f"ConvTranspose{axes}d")
    options = {"stride": (stride, 1), "padding": (padding, 0), "output_padding": (output_padding, 0), "dilation": (dilation, 1)}
    given = {key: frames.time_first(each_axis(key, value, axes), neutral) for key, (value, neutral) in options.items()}
    path = b.own_path(weight=weight, bias=bias)
    keep_weights(b, path, weight, bias, frames)
    return over_frames(b, frames, {"type": f"ConvTranspose{frames.axes}d", "path": path, "in_channels": weight.shape[0],
                                   "out_channels": weight.shape[1] * groups, "kernel_size": frames.time_first(weight.shape[2:], 1), **given, "groups": groups,
                                   "bias": bias is not None})


# --- pools ----------------------------------------------------------------------------------------------------------


def _pool(b: Builder, input: Any, kind: str, kernel_size: Any, stride: Any, padding: Any, ceil_mode: bool, **fields: Any) -> Signal:
    axes = int(b.step.name[-2])
    given_stride = kernel_size if stride is None or stride in ((), []) else stride
    per_axis = {"kernel_size": (kernel_size, 1), "stride": (given_stride, 1), "padding": (padding, 0)}
    if "dilation" in fields:
        per_axis["dilation"] = (fields["dilation"], 1)
    if "divisor_override" not in fields:
        y = of_one_axis(b, "max_pool1d" if kind == "MaxPool" else "avg_pool1d", input, per_axis, ceil_mode=ceil_mode,
                        **{key: value for key, value in fields.items() if key not in per_axis})
        if y is not None:
            return y
    frames = frames_of(b, input, axes, f"{kind}{axes}d")
    size = each_axis("kernel_size", kernel_size, axes)
    step = each_axis("stride", given_stride, axes)
    given = {key: frames.time_first(each_axis(key, value, axes), 1) if key == "dilation" else value for key, value in fields.items()}
    return over_frames(b, frames, {"type": f"{kind}{frames.axes}d", "path": b.own_path(), "kernel_size": frames.time_first(size, 1),
                                   "stride": frames.time_first(step, 1),
                                   "padding": frames.time_first(each_axis("padding", padding, axes), 0), "ceil_mode": bool(ceil_mode),
                                   **given})


@handles("avg_pool2d", "avg_pool3d")
def avg_pool(b: Builder, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
             count_include_pad: bool = True, divisor_override: Optional[int] = None) -> Signal:
    divisor = {} if divisor_override is None else {"divisor_override": divisor_override}
    return _pool(b, input, "AvgPool", kernel_size, stride, padding, ceil_mode, count_include_pad=bool(count_include_pad), **divisor)


@handles("max_pool2d", "max_pool3d")
def max_pool(b: Builder, input: Any, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
             ceil_mode: bool = False, return_indices: bool = False) -> Signal:
    if return_indices:
        raise Refused("return_indices is not supported, only values come out of a stream")
    return _pool(b, input, "MaxPool", kernel_size, stride, padding, ceil_mode, dilation=dilation)


@handles("adaptive_avg_pool2d", "adaptive_avg_pool3d", "adaptive_max_pool2d", "adaptive_max_pool3d")
def adaptive_pool(b: Builder, input: Any, output_size: Any, return_indices: bool = False) -> Signal:
    if return_indices:
        raise Refused("return_indices is not supported, only values come out of a stream")
    axes, kind = int(b.step.name[-2]), "AdaptiveAvgPool" if "avg" in b.step.name else "AdaptiveMaxPool"
    frames = frames_of(b, input, axes, f"{kind}{axes}d")
    sizes = list(output_size) if isinstance(output_size, (tuple, list)) else [output_size] * axes
    if frames.time is not None and sizes[frames.time] is not None:
        space = ", ".join("None" if axis == frames.time else repr(size) for axis, size in enumerate(sizes))
        raise Refused(f"over the time it {USE_A_WINDOW}; over the space of each frame alone it can: {kind}{axes}d(({space}))")
    return over_frames(b, frames, _adaptive(b, f"{kind}{frames.axes}d", [sizes[axis] or 0 for axis in frames.space]))


def _adaptive(b: Builder, kind: str, sizes: Sequence[int]) -> Node:
    """Parts of each frame's space, so many along each axis, or all if 0."""
    return {"type": kind, "path": b.own_path(), "output_size": [1, *sizes], "kernel_size": 1, "stride": 1, "padding": 0,
            "dilation": 1}


def pooled_space(b: Builder, x: Signal, dims: Sequence[int], sizes: Sequence[int]) -> Signal:
    """The means of so many parts along the axes `dims`, which are those of x's frames."""
    channels = b.values[x.number].shape[0]
    order = [*dims, next(dim for dim, role in enumerate(x.axes) if role == SPACE and dim not in dims)]
    y = _resized(b, x, _adaptive(b, f"AdaptiveAvgPool{len(dims) + 1}d", sizes), channels, sizes)
    return b.lying(x, y, order, (*sizes, channels))
