"""What flows through a recorded forward."""

from __future__ import annotations

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .align import Number
from .errors import Refused

BATCH, TIME, SPACE = "batch", "time", "channels"
ROWS = ("batch and time", "time and batch")  # as one axis: its rows are frames
# As one axis, which has a place in the index, too: each place of an axis of channels for itself, and all frames after each other.
COLUMNS, MIXED = "batch and channels", "time and channels"
INDEXED = (SPACE, COLUMNS, MIXED)  # the roles of axes that the index has, too


class Padded(NamedTuple):
    """What a signal is, if it is nothing but another one with padding of some axes of channels: both sides of each, by its number,
    and what they hold, "zeros" or "replicate"."""

    source: "Signal"
    amounts: Dict[int, Tuple[int, int]]
    mode: str


class Signal:
    """A tensor of a forward: a value of the graph, of which the stream has (channels, frames).

    `axes` are the roles of the tensor's axes: one the batch, at most one the time, or both as one, the others channels. `index` says which
    channel of the value is at each place of the latter, so that views, permutations and slices of channels are nothing but
    another index. `frames` are the tensor's, for each of the runs; where they are fewer than the value has, the forward leaves
    out the rest at the end: `cut` is why a stream could not. `padded` is for what may take the padding upon itself.
    """

    def __init__(self, number: int, axes: Sequence[str], index: Tensor, frames: Sequence[int],
                 cut: Optional[Refused] = None, padded: Optional[Padded] = None) -> None:
        self.padded = padded
        self.number, self.axes, self.index = number, tuple(axes), index
        self.frames, self.cut = list(frames), cut

    def __repr__(self) -> str:
        return f"a signal ({', '.join(self.axes)})"

    def replaced(self, **changes: Any) -> "Signal":
        fields = {name: getattr(self, name) for name in ("number", "axes", "index", "frames", "cut")}
        return Signal(**{**fields, **changes})

    def axis(self, dim: Any) -> str:
        """The role of an axis."""
        if type(dim) is not int or not -len(self.axes) <= dim < len(self.axes):
            raise Refused(f"there is no axis {dim!r} of {self!r}")
        return self.axes[dim]

    def place(self, dim: int) -> int:
        """Which of the index's axes an axis of channels is."""
        if self.axes[dim % len(self.axes)] in ROWS:
            raise Refused("over batch and time: that mixes what does not belong together")
        return sum(role in INDEXED for role in self.axes[:dim % len(self.axes)])

    def extent(self, dim: int) -> Optional[int]:
        """How many entries an axis has; None if that is not the same for all runs."""
        role = self.axis(dim)
        if role == SPACE:
            return self.index.shape[self.place(dim)]
        return self.frames[0] if role == TIME and len(set(self.frames)) == 1 else None

    def shape(self, run: int, batch: int) -> Tuple[int, ...]:
        extents = iter(self.index.shape)
        frames = self.frames[run]
        known = {BATCH: batch, TIME: frames, **dict.fromkeys(ROWS, batch * frames)}
        times = {SPACE: 1, COLUMNS: batch, MIXED: frames}
        return tuple(next(extents) * times[role] if role in times else known[role] for role in self.axes)

    @property
    def channels(self) -> int:
        return self.index.numel()


class Lost:
    """What a call gives and a model file cannot, such as the last state of a recurrent layer: no matter unless it is used."""

    def __init__(self, what: str, reason: str, place: object) -> None:
        self.what, self.reason, self.place = what, reason, place

    def __repr__(self) -> str:
        return self.what

    def refused(self) -> Refused:
        error = Refused(self.reason)
        error.step = self.place
        return error


def what(value: Any) -> str:
    """What a value is, for messages."""
    if isinstance(value, (Signal, Lost, Number)) or type(value).__name__ == "Varying":
        return repr(value)
    if isinstance(value, Tensor):
        return f"a tensor of shape {tuple(value.shape)}"
    return f"a {type(value).__name__}"


def in_order(count: int) -> Tensor:
    return torch.arange(count)


def index_of_frames(numbers: int, space: Sequence[int]) -> Tensor:
    """Where the numbers of frames lie, (channels, height, width) or (channels, width): the channel is the fastest."""
    return in_order(numbers).reshape(*space, -1).movedim(-1, 0)


def inverse(order: Tensor) -> Tensor:
    result = torch.empty_like(order)
    result[order] = torch.arange(len(order))
    return result


def runs_of(channels: Sequence[int]) -> List[Tuple[int, int]]:
    """Channels as (start, count) of those that follow each other."""
    found: List[Tuple[int, int]] = []
    for channel in channels:
        if found and sum(found[-1]) == channel:
            found[-1] = (found[-1][0], found[-1][1] + 1)
        else:
            found.append((channel, 1))
    return found
