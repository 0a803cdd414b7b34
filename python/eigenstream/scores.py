"""What attention has between queries and keys: tensors with two axes of time, and signals that are turned as time goes on."""

from __future__ import annotations

from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from .align import Number, Run, Varying
from .errors import Refused
from .signals import BATCH, COLUMNS, SPACE, TIME, Signal, in_order, what

KEYS = "keys"  # the role of the second axis of time
MASKED = -9000.0  # scores of this and less mean that a frame is not seen


class Rotary(NamedTuple):
    """How heads are turned: `size` channels of each, of which pair p turns by base^(-2 p / size) with every frame; the order of their
    channels, and where each pair stands in the first frame."""

    size: int
    base: float
    interleaved: bool
    order: Tuple[int, ...]
    starts: Tuple[float, ...]

    def same_as(self, other: Optional["Rotary"]) -> bool:
        return other is not None and self[:1] + self[2:4] == other[:1] + other[2:4] and abs(self.base / other.base - 1) < 1e-3 and all(
            abs(a - b) < 1e-3 for a, b in zip(self.starts, other.starts))


class Heads(NamedTuple):
    """Queries, keys or values: a value of the graph, and which of its channels they are, (heads, channels of a head)."""

    value: Signal
    index: Tensor
    rotary: Optional[Rotary] = None
    scale: float = 1.0


class Scores(Signal):
    """Products of queries and keys, or what softmax makes of them. The axes are the batch, heads as axes of channels, the time of the
    queries and that of the keys; `index` says which head is at each place of the axes of channels.

    `bias` are for each run what is added to the products times `scale`, (heads or 1, queries, keys), the mask included; `places` are
    products of queries with keys of places. `weights`: whether softmax was taken.
    """

    def __init__(self, axes: Sequence[str], index: Tensor, queries: Heads, keys: Heads, scale: float = 1.0,
                 bias: Optional[Sequence[Tensor]] = None, places: Sequence[Tuple["Places", List[Tensor], float]] = (),
                 weights: bool = False) -> None:
        super().__init__(-1, axes, index, queries.value.frames)
        self.queries, self.keys, self.scale, self.places, self.weights = queries, keys, scale, list(places), weights
        self.bias = list(bias) if bias is not None else [torch.zeros(1, 1, 1) for _ in self.frames]

    def __repr__(self) -> str:
        return "weights of attention" if self.weights else "scores of attention"

    def replaced(self, **changes: Any) -> "Scores":
        fields = {name: getattr(self, name) for name in ("axes", "index", "queries", "keys", "scale", "bias", "places", "weights")}
        return Scores(**{**fields, **changes})

    def shape(self, run: int, batch: int) -> Tuple[int, ...]:
        extents = iter(self.index.shape)
        known = {BATCH: batch, TIME: self.frames[run], KEYS: self.keys.value.frames[run]}
        return tuple(known[role] if role in known else next(extents) * (batch if role == COLUMNS else 1) for role in self.axes)

    def extent(self, dim: int) -> Optional[int]:
        if self.axis(dim) == KEYS:
            frames = self.keys.value.frames
            return frames[0] if len(set(frames)) == 1 else None
        return super().extent(dim)

    def spread(self, tensor: Tensor, run: int, batch: int) -> Tensor:
        """A tensor that is broadcast to the scores of a run, as (heads or 1, queries or 1, keys or 1)."""
        if tensor.dim() > len(self.axes):
            raise Refused(f"{what(tensor)} is combined with {self!r}")
        tensor = tensor.reshape((1,) * (len(self.axes) - tensor.dim()) + tuple(tensor.shape))
        shape, heads = self.shape(run, batch), []
        for dim, role in enumerate(self.axes):
            if tensor.shape[dim] not in (1, shape[dim]):
                raise Refused(f"a tensor of shape {tuple(tensor.shape)} meets {self!r} of shape {shape}")
            if role == BATCH:
                tensor = _same(tensor, dim)
            elif role == COLUMNS and tensor.shape[dim] != 1:
                apart = _same(tensor.unflatten(dim, (batch, -1)), dim)
                tensor = apart.squeeze(dim)
            if role in (SPACE, COLUMNS):
                heads.append(dim)
        order = [*heads, self.axes.index(TIME), self.axes.index(KEYS), *(i for i, role in enumerate(self.axes) if role == BATCH)]
        tensor = tensor.permute(order)
        tensor = tensor.squeeze(-1) if BATCH in self.axes else tensor
        own = tensor.shape[:len(heads)]
        if all(extent == 1 for extent in own):
            return tensor.reshape(1, *tensor.shape[-2:])
        tensor = tensor.expand(*self.index.shape, -1, -1).flatten(0, len(heads) - 1) if heads else tensor[None]
        result = torch.empty_like(tensor)
        result[self.index.flatten()] = tensor
        return result


def _same(tensor: Tensor, dim: int) -> Tensor:
    """The first entry of an axis along which all are the same."""
    first = tensor.narrow(dim, 0, 1)
    if not torch.equal(first.expand_as(tensor), tensor):
        raise Refused("a mask that is not the same for all of the batch; what a stream does must be the same for all "
                      "signals")
    return first


class Replayed:
    """A value of which each run has tensors that say what is where; what only moves numbers is done to these."""

    def __init__(self, tensors: Sequence[Sequence[Tensor]], refusal: Refused) -> None:
        self.tensors, self.refusal = [list(each) for each in tensors], refusal  # by run, then as many as there are

    def like(self, tensors: Sequence[Sequence[Tensor]]) -> "Replayed":
        raise NotImplementedError

    def each(self, function: Callable[[int, Tensor], Tensor]) -> "Replayed":
        return self.like([[function(run, tensor) for tensor in own] for run, own in enumerate(self.tensors)])


class Places(Replayed):
    """Products of queries with keys of places, such as Transformer-XL's: for each number which product it is, counted from 1 on over
    (heads, queries, keys of places), or 0 for a zero. `keys` are for each run (heads or 1, queries or 1, places, channels)."""

    def __init__(self, numbers: Sequence[Sequence[Tensor]], refusal: Refused, queries: Heads, keys: Sequence[Tensor],
                 scale: float = 1.0) -> None:
        super().__init__(numbers, refusal)
        self.queries, self.keys, self.scale = queries, list(keys), scale

    def __repr__(self) -> str:
        return "products with keys of places"

    def like(self, tensors: Sequence[Sequence[Tensor]]) -> "Places":
        return Places(tensors, self.refusal, self.queries, self.keys, self.scale)

    def times(self, factor: float) -> "Places":
        return Places(self.tensors, self.refusal, self.queries, self.keys, self.scale * factor)


_BITS_OF_TIME, _BITS_OF_BATCH, _BITS_OF_CHANNEL = 24, 3, 20


class Turning(Replayed):
    """Numbers of signals times constants that depend on the place in time, and sums of such in one frame: for each run first the terms'
    codes, then as many tensors of their factors."""

    def __repr__(self) -> str:
        return "a signal times what depends on the place in time"

    def like(self, tensors: Sequence[Sequence[Tensor]]) -> "Turning":
        return Turning(tensors, self.refusal)

    @property
    def terms(self) -> int:
        return len(self.tensors[0]) // 2

    @staticmethod
    def of(x: Signal, runs: Sequence[Run], refusal: Refused) -> "Turning":
        """A signal, as one term."""
        tensors = []
        for run, frames in zip(runs, x.frames):
            shape = x.shape(len(tensors), run.batch)
            batch, time = torch.zeros(1, dtype=torch.int64), torch.zeros(1, dtype=torch.int64)
            index = x.index
            for dim, role in enumerate(x.axes):
                if role not in (BATCH, TIME, SPACE):
                    raise refusal
                count = [1] * len(shape)
                count[dim] = -1
                if role == BATCH:
                    batch = in_order(run.batch).reshape(count)
                elif role == TIME:
                    time = in_order(frames).reshape(count)
                if role != SPACE:
                    index = index.unsqueeze(dim)
            codes = ((x.number << _BITS_OF_CHANNEL | index) << _BITS_OF_TIME | time) << _BITS_OF_BATCH | batch
            codes = codes.expand(shape)
            tensors.append([codes, torch.ones(shape, dtype=torch.float64)])
        return Turning(tensors, refusal)

    def times(self, factors: Sequence[Any]) -> "Turning":
        """All terms times a factor for each run."""
        tensors = []
        for own, factor in zip(self.tensors, factors):
            products = [each * factor for each in own[self.terms:]]
            codes = [code.expand(product.shape) for code, product in zip(own, products)]
            tensors.append([*codes, *products])
        return Turning(tensors, self.refusal)

    def plus(self, other: "Turning", sign: float = 1.0) -> "Turning":
        tensors = []
        for own, more in zip(self.tensors, other.times([sign] * len(other.tensors)).tensors):
            count, others = self.terms, other.terms
            shape = torch.broadcast_shapes(own[0].shape, more[0].shape)
            codes = [*own[:count], *more[:others]]
            factors = [*own[count:], *more[others:]]
            tensors.append([each.expand(shape) for each in (*codes, *factors)])
        return Turning(tensors, self.refusal)

    def with_terms(self, count: int) -> "Turning":
        """The same with terms of factor 0."""
        more = count - self.terms
        return Turning([[*own[:self.terms], *[own[0]] * more, *own[self.terms:], *[torch.zeros_like(own[-1])] * more]
                        for own in self.tensors], self.refusal)


def decoded(codes: Tensor) -> Tuple[Tensor, Tensor, Tensor, Tensor]:
    """Values of the graph, their channels, frames and entries of the batch."""
    batch = codes & (1 << _BITS_OF_BATCH) - 1
    time = codes >> _BITS_OF_BATCH & (1 << _BITS_OF_TIME) - 1
    channel = codes >> _BITS_OF_BATCH + _BITS_OF_TIME & (1 << _BITS_OF_CHANNEL) - 1
    return codes >> _BITS_OF_BATCH + _BITS_OF_TIME + _BITS_OF_CHANNEL, channel, time, batch


def of_run(value: Any, run: int) -> Any:
    """An argument as it was in a run."""
    if isinstance(value, (Number, Varying)):
        return value.values[run]
    if isinstance(value, (tuple, list)):
        return type(value)(of_run(each, run) for each in value)
    if isinstance(value, dict):
        return {key: of_run(each, run) for key, each in value.items()}
    if isinstance(value, slice):
        return slice(*(of_run(each, run) for each in (value.start, value.stop, value.step)))
    return value
