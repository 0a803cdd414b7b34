"""Queries and keys that are turned as time goes on: rotary positions, however they are written."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Varying
from ..errors import Refused, Unseen
from ..graph import Builder
from ..scores import Rotary, Turning, decoded, of_run
from ..signals import BATCH, SPACE, TIME, Signal, what
from .arithmetic import counted, without_lengths
from .registry import Handler

_FEWEST = 4  # frames, of which two steps tell how fast something turns, and the third whether it always does

OF_TURNING: Dict[str, Handler] = {}
_PRODUCTS = ("mul", "multiply", "__mul__", "__rmul__", "__imul__", "mul_")


def of_turning(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        OF_TURNING.update(dict.fromkeys(names, handler))
        return handler

    return register


# --- where they come from -------------------------------------------------------------------------------------------


def begins_to_turn(b: Builder, name: str, args: Sequence[Any]) -> bool:
    """Whether a call multiplies a signal with what depends on the place in time, by which no layer but attention can go."""
    if name not in _PRODUCTS or b.windows or len(args) != 2:
        return False
    x, factor = args if isinstance(args[0], Signal) else args[::-1]
    if type(x) is not Signal or not isinstance(factor, Varying) or x.axes.count(TIME) != 1 or not {BATCH, TIME, SPACE} >= set(x.axes):
        return False
    dims = [each.dim() for each in factor.values]
    at = x.axes.index(TIME) - len(x.axes)
    if min(dims) != max(dims) or dims[0] < -at or any(each.shape[at] != frames for each, frames in zip(factor.values, x.frames)):
        return False
    changes = [not torch.equal(each, each.narrow(at, 0, 1).expand_as(each)) for each in factor.values]
    return any(changes) and all(each.is_floating_point() for each in factor.values) and (
        counted(b, factor, x) is factor)


def begin(b: Builder, input: Any, other: Any) -> Turning:
    x, factor = (input, other) if isinstance(input, Signal) else (other, input)
    try:
        without_lengths(factor, b)
        refusal = Refused(f"{what(factor)} is combined with a signal")
    except Refused as reason:
        refusal = reason
    refusal.step = b.step.place
    return Turning.of(x, b.runs, refusal).times([each.double() for each in factor.values])


@of_turning("view_as_complex")
def view_as_complex(b: Builder, input: Any) -> Turning:
    if isinstance(input, Signal):
        refusal = Refused("complex numbers of a signal, which only rotary positions can be")
        refusal.step = b.step.place
        input = Turning.of(input, b.runs, refusal)
    tensors = []
    for own in input.tensors:
        codes, factors = own[:input.terms], own[input.terms:]
        tensors.append([each for part in (0, 1) for code in codes for each in (code[..., part],)]
                       + [factor[..., part] * (1j if part else 1.0) for part in (0, 1) for factor in factors])
    return input.like([[each if i < len(own) // 2 else each.to(torch.complex128) for i, each in enumerate(own)] for own in tensors])


@of_turning("view_as_real")
def view_as_real(b: Builder, input: Turning) -> Turning:
    return input.like([[*(each.unsqueeze(-1).expand(*each.shape, 2) for each in own[:input.terms]),
                        *(torch.stack([each.real, each.imag], -1) for each in own[input.terms:])] for own in input.tensors])


@of_turning("real", "imag")
def part_of_complex(b: Builder, input: Turning) -> Turning:
    name = b.step.name
    return input.like([[*own[:input.terms], *(getattr(each, name) for each in own[input.terms:])] for own in input.tensors])


# --- what is done to them -------------------------------------------------------------------------------------------


def _turning(b: Builder, x: Any, beside: Turning) -> Turning:
    return x if isinstance(x, Turning) else Turning.of(x, b.runs, beside.refusal)


@of_turning(*_PRODUCTS)
def _times(b: Builder, input: Any, other: Any) -> Turning:
    x, factor = (input, other) if isinstance(input, Turning) else (other, input)
    if isinstance(factor, (Signal, Turning)):
        raise x.refusal
    values = [of_run(factor, run) for run in range(len(b.runs))]
    return x.times([each.to(torch.complex128 if each.is_complex() else torch.float64) if isinstance(each, Tensor) else each
                    for each in values])


@of_turning("div", "divide", "true_divide", "__truediv__", "__itruediv__", "div_")
def _divided(b: Builder, input: Any, other: Any) -> Turning:
    if not isinstance(input, Turning) or not isinstance(other, (int, float)):
        raise (input if isinstance(input, Turning) else other).refusal
    return input.times([1.0 / other] * len(b.runs))


@of_turning("neg", "negative", "__neg__")
def _negated(b: Builder, input: Turning) -> Turning:
    return input.times([-1.0] * len(b.runs))


@of_turning("add", "__add__", "__radd__", "__iadd__", "add_", "sub", "subtract", "__sub__", "__isub__", "sub_")
def _plus(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Turning:
    own = input if isinstance(input, Turning) else other
    if not all(isinstance(each, (Signal, Turning)) for each in (input, other)) or not isinstance(alpha, (int, float)):
        raise own.refusal
    sign = -1.0 if "sub" in b.step.name else 1.0
    return _turning(b, input, own).plus(_turning(b, other, own), sign * alpha)


@of_turning("cat", "concat", "concatenate", "stack")
def _cat(b: Builder, tensors: Any, dim: int = 0, axis: Any = None) -> Turning:
    first = next(each for each in tensors if isinstance(each, Turning))
    if not all(isinstance(each, (Signal, Turning)) for each in tensors):
        raise first.refusal
    parts = [_turning(b, each, first) for each in tensors]
    parts = [each.with_terms(max(part.terms for part in parts)) for each in parts]
    join = torch.stack if b.step.name == "stack" else torch.cat
    return first.like([[join(each, dim if axis is None else axis) for each in zip(*(part.tensors[run] for part in parts))]
                       for run in range(len(b.runs))])


@of_turning("to", "type", "type_as", "float", "contiguous", "clone")
def _same(b: Builder, input: Turning, *args: Any, **kwargs: Any) -> Turning:
    return input


# --- what they are --------------------------------------------------------------------------------------------------


class Root(NamedTuple):
    """A channel of a value as factor * (a channel of another) + offset."""

    number: int
    channel: int
    factor: float
    offset: float


def traced(b: Builder, number: int, channel: int) -> Root:
    """Where a channel comes from, through what only picks, puts together, scales and shifts channels."""
    factor, offset = 1.0, 0.0
    while number >= b.signals:
        node = b.nodes[number - b.signals]
        kind, sources = node["type"], node["from"]
        if kind != "Reshape" and any(b.values[each].space != (1, 1) for each in (number, *sources)):
            break
        if kind == "ChannelSlice":
            channel += node["start"]
        elif kind == "ChannelSelect":
            channel = node["indices"][channel]
        elif kind == "Affine" and "channels" not in node:
            factor, offset = factor * node["scale"], offset + factor * node["offset"]
        elif kind == "Affine":
            scale, shift = (float(b.describer.tensors[f"{node['path']}.{name}"][channel]) for name in ("weight", "bias"))
            factor, offset = factor * scale, offset + factor * shift
        elif kind == "Reduce" and node["op"] == "concat":
            for each in sources:
                if channel < b.values[each].channels:
                    sources = [each]
                    break
                channel -= b.values[each].channels
        elif kind != "Reshape":
            break
        number = sources[0]
    return Root(number, channel, factor, offset)


def _roles(codes: Tensor, refusal: Refused) -> List[str]:
    """The roles of axes, by what changes along each."""
    _, _, time, batch = decoded(codes)
    roles = []
    for dim in range(codes.dim()):
        changes = [bool((each != each.narrow(dim, 0, 1)).any()) for each in (batch, time)]
        if all(changes):
            raise refusal
        roles.append(BATCH if changes[0] else TIME if changes[1] else SPACE)
    if roles.count(BATCH) != 1 or roles.count(TIME) != 1:
        raise refusal
    return roles


class _Pair(NamedTuple):
    first: int  # which of a head's channels, as given
    second: int
    frequency: float
    start: float


def as_heads(b: Builder, x: Turning) -> Tuple[Signal, Rotary, float]:
    """Turned queries or keys as the signal that they are made of, whose last axis of channels has those of a head, in the order in which
    the layer takes them; how they are turned, and a factor."""
    found: List[Tuple[Signal, Rotary, float]] = []
    several = max(range(len(b.runs)), key=lambda run: b.runs[run].batch)
    roles = _roles(x.tensors[several][0], x.refusal)
    longest = max(range(len(b.runs)), key=lambda run: b.runs[run].frames)
    for run in (longest, min(range(len(b.runs)), key=lambda each: b.runs[each].frames)):
        found.append(_of_run(b, x, run, roles))
    (signal, rotary, scale), (other, again, _) = found
    if signal.axes != other.axes or not torch.equal(signal.index, other.index) or not rotary.same_as(again):
        raise x.refusal
    return signal, rotary, scale


def _of_run(b: Builder, x: Turning, run: int, roles: Sequence[str]) -> Tuple[Signal, Rotary, float]:
    own = x.tensors[run]
    order = [roles.index(BATCH), roles.index(TIME), *(dim for dim, role in enumerate(roles) if role == SPACE)]
    own = [each.permute(order)[0] for each in own]  # (time, *channels)
    extents = own[0].shape[1:]
    codes, factors = (torch.stack(each).flatten(2) for each in (own[:x.terms], own[x.terms:]))  # (terms, time, numbers)
    numbers, places, time, _ = decoded(codes)
    frames = codes.shape[1]
    if frames < _FEWEST:
        raise Unseen(str(x.refusal), frames)
    if factors.is_complex() or not torch.equal(time, torch.arange(frames)[:, None].expand_as(time)) or not all(
            torch.equal(each, each[:, :1].expand_as(each)) for each in (numbers, places)):
        raise x.refusal
    size = extents[-1]
    heads, roots, scale = [], [], set()
    for head in range(codes.shape[2] // size):
        columns = range(head * size, (head + 1) * size)
        series = [_series(b, numbers[:, 0, i].tolist(), places[:, 0, i].tolist(), factors[:, :, i], x.refusal) for i in columns]
        pairs, base, own_scale = _pairs(series, x.refusal)
        heads.append(pairs)
        roots += base
        scale.add(round(own_scale, 6))
    if len(scale) > 1 or len({root[0] for root in roots}) > 1:
        raise x.refusal
    rotary, picks = _as_rotary(heads[0], size, x.refusal)
    for other in heads[1:]:
        if not rotary.same_as(_as_rotary(other, size, x.refusal)[0]):
            raise Refused("heads of attention that are turned in different ways")
    index = torch.tensor([channel for _, channel in roots]).reshape(-1, size)[:, list(picks)].reshape(extents)
    value = roots[0][0]
    axes = tuple(roles)
    return Signal(value, axes, index, [b.values[value].frames[each] for each in range(len(b.runs))]), rotary, scale.pop()


def _series(b: Builder, numbers: Sequence[int], places: Sequence[int], factors: Tensor, refusal: Refused) -> Dict[Tuple[int, int], Tensor]:
    """By which factors over time one of the numbers is made of which channels."""
    found: Dict[Tuple[int, int], Tensor] = {}
    for number, place, factor in zip(numbers, places, factors):
        if not bool(factor.any()):
            continue
        root = traced(b, number, place)
        if root.offset != 0:
            raise refusal
        key = (root.number, root.channel)
        found[key] = found.get(key, 0.0) + root.factor * factor
    return found


def _pairs(series: Sequence[Dict[Tuple[int, int], Tensor]], refusal: Refused) -> Tuple[List[_Pair], List[Tuple[int, int]], float]:
    """The pairs of channels of a head that are turned together, the channel that each is without being turned, and their length."""
    base: List[Any] = [None] * len(series)
    by_roots: Dict[frozenset, List[int]] = {}
    lengths = []
    for i, each in enumerate(series):
        if len(each) == 1:
            (base[i], factor), = each.items()
            lengths.append(factor)
        elif len(each) == 2:
            by_roots.setdefault(frozenset(each), []).append(i)
        else:
            raise refusal
    pairs = []
    for roots, numbers in by_roots.items():
        if len(numbers) != 2:
            raise refusal
        first, second = numbers
        for one, two in (sorted(roots), sorted(roots)[::-1]):
            a, c = series[first][one], series[second][one]
            if torch.allclose(a, series[second][two], 1e-4, 1e-4) and torch.allclose(c, -series[first][two], 1e-4, 1e-4):
                break
        else:
            raise refusal
        angles = torch.atan2(c, a)
        steps = angles.diff()
        steps = steps - 2 * math.pi * (steps / (2 * math.pi)).round()
        frequency, start = float(steps.mean()), float(angles[0])
        line = start + frequency * torch.arange(len(angles)) - angles
        if bool(((line - 2 * math.pi * (line / (2 * math.pi)).round()).abs() > 2e-3).any()):
            raise refusal
        if frequency < 0:
            first, second, one, two, frequency, start = second, first, two, one, -frequency, -start
        base[first], base[second] = one, two
        lengths.append((a.square() + c.square()).sqrt())
        pairs.append(_Pair(first, second, frequency, start))
    lengths = torch.stack([each.expand(len(lengths[-1])) for each in lengths])
    if not torch.allclose(lengths, lengths[-1, 0].expand_as(lengths), 1e-4, 1e-5):
        raise refusal
    return pairs, base, float(lengths[-1].mean())


def _as_rotary(pairs: List[_Pair], size: int, refusal: Refused) -> Tuple[Rotary, List[int]]:
    """How a head is turned, and its channels in the layer's order."""
    pairs = sorted(pairs, key=lambda pair: -pair.frequency)
    if not pairs:
        raise refusal
    base = pairs[1].frequency ** (-float(len(pairs))) if len(pairs) > 1 else 10000.0
    base = float(round(base)) if abs(base - round(base)) < 1e-3 * base else base
    for p, pair in enumerate(pairs):
        wanted = base ** (-p / len(pairs))
        if abs(pair.frequency - wanted) > 2e-4 * wanted + 1e-6:
            raise Refused(f"rotary positions whose pair {p} turns by {pair.frequency:.4g} with every frame; only base ** "
                          "(-2 p / size), which "
                          f"would be {wanted:.4g} here, can be")
    turned = [*(pair.first for pair in pairs), *(pair.second for pair in pairs)]
    rest = [i for i in range(size) if i not in turned]
    natural = [i for pair in pairs for i in (pair.first, pair.second)] + rest
    interleaved = len(pairs) > 1 and natural == list(range(size))
    order = natural if interleaved else turned + rest
    return Rotary(len(turned), base, interleaved, tuple(order), tuple(pair.start for pair in pairs)), order
