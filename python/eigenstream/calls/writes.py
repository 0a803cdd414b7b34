"""Writes into parts of a tensor: a signal's, or one that was made to be filled."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Varying
from ..errors import Refused
from ..graph import Builder
from ..signals import BATCH, SPACE, TIME, Lost, Signal, in_order, what
from .arithmetic import affine
from .pads import pad_time
from .registry import handles
from .shapes import index_of_each
from .time import bounds, crop

_CONSTANT = "parts must begin and end a constant number of frames from the start and the end"
_OTHERWISE = "put its parts together instead, with torch.cat, torch.stack or torch.where"


class Written:
    """A tensor with these axes that is put together. For each place of the axes of channels: which of the pieces is there, or -1 for the
    constant; and which channel of its value."""

    def __init__(self, axes: Sequence[str], frames: Sequence[int], constant: Tensor) -> None:
        self.axes, self.frames, self.constant = tuple(axes), list(frames), constant
        self.pieces: List[Signal] = []
        self.owner, self.channel = torch.full(constant.shape, -1), torch.zeros(constant.shape, dtype=torch.int64)
        self.whole: Optional[Signal] = None

    @staticmethod
    def over(x: Signal) -> "Written":
        """A signal of which parts are replaced."""
        own = Written(x.axes, x.frames, torch.zeros(x.index.shape, dtype=torch.float64))
        own.put(in_order(x.index.numel()).reshape(x.index.shape), x, x.index)
        return own

    def copy(self) -> "Written":
        own = Written(self.axes, self.frames, self.constant.clone())
        own.pieces, own.owner, own.channel = list(self.pieces), self.owner.clone(), self.channel.clone()
        return own

    def put(self, places: Tensor, piece: Signal, channels: Tensor) -> None:
        self.pieces.append(piece)
        self.owner.view(-1)[places.flatten()] = len(self.pieces) - 1
        self.channel.view(-1)[places.flatten()] = channels.expand(places.shape).flatten()

    def put_number(self, places: Tensor, numbers: Tensor) -> None:
        self.owner.view(-1)[places.flatten()] = -1
        self.constant.view(-1)[places.flatten()] = numbers.expand(places.shape).flatten()

    def signal(self, b: Builder) -> Signal:
        """The tensor as a signal."""
        if self.whole is None:
            self.whole = self.joined(b)
        return self.whole

    def joined(self, b: Builder) -> Signal:
        used = [i for i in range(len(self.pieces)) if bool((self.owner == i).any())]
        if not used:
            raise Refused("a tensor of constants stands for a signal")
        index, start, parts = torch.zeros(self.owner.shape, dtype=torch.int64), 0, []
        for i in used:
            here = self.owner == i
            channels, places = torch.unique(self.channel[here], return_inverse=True)
            parts.append(b.gather(self.pieces[i], channels.tolist()))
            index[here] = places + start
            start += len(channels)
        free = self.owner == -1
        if bool(free.any()):
            numbers, places = torch.unique(self.constant[free], return_inverse=True)
            if bool(numbers.isnan().any()):
                raise Refused("uses a tensor of which some parts were not written, or depend on the place in time")
            beside = b.gather(parts[0], [0] * len(numbers))
            parts.append(affine(b, beside, torch.zeros(len(numbers)), numbers))
            index[free] = places + start
        if len(parts) == 1:
            y = parts[0]
        else:
            y = b.emit({"type": "Reduce", "path": b.own_path("parts"), "op": "concat"}, *map(b.whole, parts))
        return y.replaced(axes=self.axes, index=index)


def _parts(index: Any, rank: int) -> List[Any]:
    """An index for each axis."""
    parts = list(index) if isinstance(index, tuple) else [index]
    if any(part is None or isinstance(part, (bool, Signal)) for part in parts):
        raise Refused(f"writes into a part of a tensor by {', '.join(map(what, parts))}; {_OTHERWISE}")
    return index_of_each(parts, rank)


def _timed(b: Builder, axes: Sequence[str]) -> bool:
    """Whether a tensor with these axes has a time, or is the features of a window."""
    return TIME in axes or b.windows


def _base(b: Builder, tensor: Any, parts: Sequence[Any], value: Any) -> Written:
    """What is written to."""
    if isinstance(tensor, Written):
        return tensor.copy()
    if isinstance(tensor, Lost):
        raise tensor.refused()
    if isinstance(tensor, Signal):
        if any(role not in (BATCH, TIME, SPACE) for role in tensor.axes):
            raise Refused(f"writes into a part of {tensor!r}; {_OTHERWISE}")
        return Written.over(tensor)
    shapes = [shapes[0] for shapes in b.step.shapes]
    kept = [dim for dim, part in enumerate(parts) if isinstance(part, (slice, Tensor))]
    if not isinstance(value, Signal) or len(value.axes) != len(kept) or BATCH not in value.axes or not _timed(b, value.axes):
        raise Refused(f"writes {what(value)} into a part of a tensor; {_OTHERWISE}")
    axes = [SPACE] * len(parts)
    for dim, role in zip(kept, value.axes):
        axes[dim] = role
    frames = [shape[axes.index(TIME)] for shape in shapes] if TIME in axes else value.frames
    if any(shape[axes.index(BATCH)] != run.batch for shape, run in zip(shapes, b.runs)):
        raise Refused(f"writes {value!r} into a tensor of shape {tuple(shapes[0])}; {_OTHERWISE}")
    return Written(axes, frames, _constant(tensor.values if isinstance(tensor, Varying) else [tensor], axes))


def _constant(tensors: Sequence[Tensor], axes: Sequence[str]) -> Tensor:
    """The numbers of a tensor for each place of its axes of channels; NaN where they are not the same everywhere else."""
    order = sorted(range(len(axes)), key=lambda dim: axes[dim] != SPACE)
    count = axes.count(SPACE)
    flat = [tensor.detach().double().permute(order).flatten(count).flatten(0, count - 1) if count else tensor.detach().double().reshape(1, -1)
            for tensor in tensors]
    first = flat[0][:, 0]
    same = torch.stack([(each == first[:, None]).all(1) for each in flat]).all(0)
    shape = [tensors[0].shape[dim] for dim in order[:count]]
    return torch.where(same, first, torch.nan).reshape(shape)


def _left(own: Written, part: Any) -> Tuple[List[int], List[int]]:
    """How many frames of the tensor a write leaves before and behind it, in each run."""
    if not isinstance(part, slice) or part.step not in (None, 1):
        raise Refused(f"writes to frames by {what(part)}; only slices can be written to; {_OTHERWISE}")
    stops = bounds(own.frames, part.stop, True)
    return bounds(own.frames, part.start, False), [frames - stop for frames, stop in zip(own.frames, stops)]


@handles("setitem", "copy_")
def setitem(b: Builder, input: Any, *given: Any) -> Any:
    index, value = given if len(given) == 2 else (Ellipsis, given[0])
    parts = _parts(index, len(b.step.shapes[0][0]))
    own = _base(b, input, parts, value)
    if not _timed(b, own.axes) or BATCH not in own.axes or len(parts) != len(own.axes):
        raise Refused(f"writes into a part of a tensor without a time; {_OTHERWISE}")
    batch = parts[own.axes.index(BATCH)]
    if batch != slice(None):
        raise Refused("writes into a part of the batch: that mixes what does not belong together")
    befores, behinds = _left(own, parts[own.axes.index(TIME)] if TIME in own.axes else slice(None))
    space = [part for part, role in zip(parts, own.axes) if role == SPACE]
    places = in_order(own.owner.numel()).reshape(own.owner.shape)[tuple(space)]
    kept = [role for part, role in zip(parts, own.axes) if not isinstance(part, int)]
    if not isinstance(value, Signal):
        return _numbers(b, own, places, value, kept, befores, behinds)
    before, behind = (b.constant_number(each, where, _CONSTANT) for each, where in (
        (befores, "how many frames stay before a part that is written to"), (behinds, "how many frames stay behind a part that is written to")))
    missing = len(kept) - len(value.axes)
    axes, extents = (SPACE,) * missing + value.axes, (1,) * missing + tuple(value.index.shape)
    if missing < 0 or list(axes) != kept:
        raise Refused(f"writes {value!r} to axes ({', '.join(kept)}); {_OTHERWISE}")
    wanted = [frames - before - behind for frames in own.frames]
    if value.frames != wanted:
        raise Refused(f"writes {value.frames[0]} frames into {wanted[0]}")
    piece = value.replaced(axes=(BATCH, SPACE, TIME), index=value.index.flatten())
    if before or behind:
        rest = own.constant.view(-1)[places.flatten()].unique()
        if bool((own.owner.view(-1)[places.flatten()] != -1).any()) or len(rest) != 1 or bool(rest.isnan()):
            raise Refused(f"writes to some frames of a signal of which the others stay; {_OTHERWISE}")
        piece = b.ordered(piece)
        padded = pad_time(b, piece, before, behind, "constant", float(rest))
        piece = padded.replaced(axes=piece.axes)
    own.put(places, piece, piece.index.reshape(extents))
    return own


def _numbers(b: Builder, own: Written, places: Tensor, value: Any, kept: Sequence[str], befores: Sequence[int],
             behinds: Sequence[int]) -> Written:
    """Numbers in a part of a tensor: in channels of it, or in their first or last frames."""
    if isinstance(value, (bool, int, float)):
        value = torch.tensor(float(value))
    if not isinstance(value, Tensor):
        raise Refused(f"writes {what(value)} into a part of a tensor; {_OTHERWISE}")
    value = value.detach().double()
    value = value.reshape((1,) * (len(kept) - value.dim()) + tuple(value.shape))
    if any(role != SPACE and extent != 1 for role, extent in zip(kept, value.shape)):
        raise Refused("writes a tensor with a time of its own into a part of another; only numbers, or one for each channel, can be written")
    value = value.reshape([extent for role, extent in zip(kept, value.shape) if role == SPACE])
    if not any((*befores, *behinds)):
        own.put_number(places, value)
        return own
    owners = own.owner.view(-1)[places.flatten()]
    known = own.constant.view(-1)[places.flatten()][owners == -1]
    counts = {frames - before - behind for frames, before, behind in zip(own.frames, befores, behinds)}
    if value.numel() != 1 or bool((known != value).any()) or any(befores) and any(behinds) or len(counts) > 1:
        raise Refused("writes numbers to some frames of a tensor, other than one to a constant number of the first or the last ones of a "
                      f"signal; {_OTHERWISE}")
    left, right = (0, counts.pop()) if any(befores) else (counts.pop(), 0)
    for i in owners[owners != -1].unique().tolist():
        here = places.flatten()[owners == i]
        piece = own.pieces[i].replaced(axes=(BATCH, SPACE, TIME), index=own.channel.view(-1)[here])
        y = pad_time(b, crop(b, b.ordered(piece), left, -right or None), left, right, "constant", float(value))
        own.put(here, y, y.index)
    return own
