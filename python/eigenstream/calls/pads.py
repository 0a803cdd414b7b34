"""Pads: of the time, also by what the length decides, and of the channels."""

from __future__ import annotations

from typing import Any, Sequence

import torch

from ..align import Number, number
from ..errors import ByLength, Refused
from ..graph import Builder
from ..signals import SPACE, TIME, Signal, in_order, what
from .arithmetic import affine
from .registry import handles
from .shapes import concat, sliced
from .time import crop, over_time, pad_node

_CONSTANT_PAD = "how long a stream will be is not known, so pad by a constant number of frames"
_CONSTANT_MORE = ("only pads by a constant number of frames, or of frames that a layer with a stride behind it does not use, "
                  "can run over a "
                  "stream")


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
            return over_time(b, y, pad_node(b, left, right, value, mode)) if left or right else y
        return over_time(b, x, pad_node(b, left, right, value, mode))
    if right.of_batch:
        raise Refused(f"pads by {what(right)}")
    if min(right.values) < 0:
        raise Refused("pads the end by a number that depends on the signal's length and can be negative; slice the end away "
                      "instead")
    most = max(right.values)
    if x.frames == [run.frames[0] for run in b.runs]:  # up to a multiple of a stride: one more frame needs the most
        b.telling.add(min(count + more for count, more in zip(x.frames, right.values)) + left + 1)
    y = over_time(b, x, pad_node(b, left, most, value, mode))
    frames = [count + left + more for count, more in zip(x.frames, right.values)]
    lengths = sorted(zip(right.values, (run.frames[0] for run in b.runs)))
    if len({most for most in right.values}) > 1 and _grows(right.values, [run.frames[0] for run in b.runs]):
        raise ByLength(f"pads by a number that depends on the signal's length: for signals of {lengths[0][1]} and "
                       f"{lengths[-1][1]} frames it is "
                      f"{lengths[0][0]} and {lengths[-1][0]}; {_CONSTANT_PAD}")
    reason = ByLength(f"pads by a number that depends on the signal's length: for signals of {lengths[0][1]} and "
                      f"{lengths[-1][1]} frames it is "
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
        raise Refused(f"pads by {[each if type(each) is int else what(each) for each in amounts]}, which must be integers, two "
                      f"for each axis")
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
    parts = [sliced(b, x, dim, max(0, -left), x.extent(dim) - max(0, -right))]
    for count, at in ((max(0, left), 0), (max(0, right), 2)):
        if count:
            first = sliced(b, x, dim, 0, 1)
            index = first.index.expand([count if k == first.place(dim) else extent for k,
                                        extent in enumerate(first.index.shape)])
            flat = b.gather(first, index.flatten().tolist())
            constant = affine(b, flat, torch.zeros(index.numel()), torch.full((index.numel(),), value))
            part = constant.replaced(axes=x.axes, index=in_order(index.numel()).reshape(index.shape))
            parts.insert(0 if at == 0 else len(parts), part)
    return concat(b, parts, dim)
