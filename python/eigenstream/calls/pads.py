"""Pads: of the time, also by what the length decides, and of the channels."""

from __future__ import annotations

import math
from typing import Any, Optional, Sequence, Tuple

import torch

from ..align import Number, number
from ..errors import ByLength, Refused
from ..format import MAX_EXTENT
from ..graph import Builder
from ..known import PAD_OTHERWISE
from ..signals import SPACE, TIME, Padded, Signal, in_order, what
from .arithmetic import affine
from .registry import handles
from .shapes import concat, sliced
from .time import crop, over_time, pad_node

_CONSTANT_PAD = "how long a stream will be is not known, so pad by a constant number of frames"


def pad_time(b: Builder, x: Signal, left: Any, right: Any, mode: str, value: float) -> Signal:
    """Frames before and after. Their number behind the end may depend on the signal's length, if that makes it a multiple of
    some number, beside an offset, or as long as another signal."""
    if isinstance(left, Number):
        left = b.constant_number(left.values, "pads the start by a number that", _CONSTANT_PAD)
    if mode == "circular" and b.windows and type(left) is type(right) is int and min(left, right) >= 0:
        if max(left, right) > x.frames[0]:
            raise Refused(f"goes around by {max(left, right)} frames of only {x.frames[0]}")
        return over_time(b, x, pad_node(b, left, right, mode=mode)) if left or right else x
    if mode not in ("constant", "replicate", "reflect"):
        raise Refused(f"the padding mode {mode!r} {PAD_OTHERWISE}")
    if type(left) is not int or not isinstance(right, Number) and type(right) is not int:
        raise Refused(f"pads by {what(left)} and {what(right)}, which must be integers")
    if not isinstance(right, Number):
        if left == right == 0:
            return x
        if min(left, right) < 0 and mode == "reflect":  # also what is cut away is mirrored
            y = over_time(b, x, pad_node(b, max(0, left), max(0, right), mode=mode)) if max(left, right) > 0 else x
            return crop(b, y, max(0, -left), number([count - max(0, -right) for count in y.frames], b.runs))
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
    totals = [count + left + more for count, more in zip(x.frames, right.values)]
    found = _multiple(totals, right.values)
    if found is None:
        lengths = sorted(zip(right.values, (run.frames[0] for run in b.runs)))
        reason = ByLength(f"pads by a number that depends on the signal's length: for signals of {lengths[0][1]} and "
                       f"{lengths[-1][1]} frames it is {lengths[0][0]} and {lengths[-1][0]}; {_CONSTANT_PAD}, or up to a multiple "
                       "of a number")
        if mode == "reflect" or not any(other.frames == totals for other in b.values):
            raise reason
        # As many frames as the most that are missing, of which those stay that are before the end of that other signal.
        reason.step = b.step.place
        y = over_time(b, x, pad_node(b, left, max(right.values), value, mode))
        return y.replaced(frames=totals, cut=reason)
    multiple, least = found
    if max(right.values) - least < multiple - 1 and x.frames == [run.frames[0] for run in b.runs]:
        # One more frame than a multiple needs the most, and would show whether it is the multiple of less.
        b.telling.update(total - least - left + 1 for total in totals)
    return over_time(b, x, pad_node(b, left, least, value, mode, multiple, totals[0]))


def _multiple(totals: Sequence[int], added: Sequence[int]) -> Optional[Tuple[int, int]]:
    """Up to a multiple of which number, beside an offset, these lengths are padded, and what is added in any case; None if it
    is of none."""
    apart = math.gcd(*(total - totals[0] for total in totals))
    for least in (0, min(added)):
        most = max(added) - least
        smallest = next((n for n in range(most + 1, min(apart, MAX_EXTENT) + 1) if apart % n == 0), None)
        if smallest is not None:
            return smallest, max(0, max(added) - smallest + 1)
    return None


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
    sides = [(len(x.axes) - 1 - i // 2, amounts[i], amounts[i + 1]) for i in range(0, len(amounts), 2)]
    sides = [(dim, left, right) for dim, left, right in sides if not (left == 0 and right == 0)]
    if not b.windows:
        sides.sort(key=lambda each: x.axis(each[0]) != TIME)  # the time first, so that the rest is beside each other
        return _pad_stream(b, x, sides, mode, float(value or 0))
    for dim, left, right in sides:
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


def _pad_stream(b: Builder, x: Signal, sides: Sequence[Tuple[int, Any, Any]], mode: str, value: float) -> Signal:
    """A signal with padding along the time and then along axes of channels."""
    for dim, left, right in sides:
        if x.axis(dim) == TIME:
            x = pad_time(b, x, left, right, mode, value)
    y, amounts = x, {}
    for dim, left, right in sides:
        if x.axis(dim) == TIME:
            continue
        if x.axis(dim) != SPACE or type(left) is not int or type(right) is not int or mode not in ("constant", "replicate", "reflect",
                                                                                                   "circular"):
            raise Refused(f"pads the {x.axis(dim)}, only time and channels can be padded, by constant numbers")
        amounts[dim] = (left, right)
        y = _pad_channels(b, y, dim, left, right, value) if mode == "constant" else _mirrored(y, dim, left, right, mode)
    plain = mode == "replicate" or mode == "constant" and value == 0
    if amounts and plain and all(min(each) >= 0 for each in amounts.values()):
        y.padded = Padded(x, amounts, "zeros" if mode == "constant" else mode)
    return y


def _mirrored(x: Signal, dim: int, left: int, right: int, mode: str) -> Signal:
    """More entries of an axis of channels, which are others of it."""
    places = torch.nn.functional.pad(in_order(x.extent(dim)).double()[None, None], (left, right), mode)[0, 0].long()
    return x.replaced(index=x.index.index_select(x.place(dim), places))


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
