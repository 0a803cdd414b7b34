"""Arithmetic with broadcasting, between signals and with constants; comparisons and choices."""

from __future__ import annotations

import math
from typing import Any, List, NamedTuple, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Varying
from ..errors import Refused
from ..graph import Builder
from ..signals import BATCH, COLUMNS, SPACE, TIME, Signal, in_order, inverse, what
from .registry import handles

LARGEST = 3.4028234e38  # of float32


# --- broadcasting ---------------------------------------------------------------------------------------------------


class _Shape(NamedTuple):
    """What broadcast tensors have in common: the roles of the axes, and the extents of those of channels."""

    axes: Tuple[str, ...]
    extents: Tuple[int, ...]


def _padded(x: Signal, rank: int) -> Signal:
    """x with axes of one entry in front."""
    missing = rank - len(x.axes)
    return x.replaced(axes=(SPACE,) * missing + x.axes,
                      index=x.index.reshape((1,) * missing + tuple(x.index.shape))) if missing else x


def _is_single(b: Builder, x: Signal, dim: int) -> bool:
    """Whether an axis has one entry, which serves for all."""
    return x.axes[dim] == SPACE and x.extent(dim) == 1 or b.windows and x.axes[dim] == TIME and x.frames[0] == 1


def _narrowed(x: Signal, dims: Sequence[int]) -> Signal:
    """x with one entry on each of these axes where all are the same channels."""
    for dim in dims:
        if x.axes[dim] == SPACE:
            first = x.index.narrow(x.place(dim), 0, 1)
            x = x.replaced(index=first) if torch.equal(first.expand_as(x.index), x.index) else x
    return x


def alike(b: Builder, signals: Sequence[Signal]) -> Tuple[List[Signal], _Shape]:
    """Signals of equal rank whose axes have the same roles, but for those with one entry."""
    rank = max(len(x.axes) for x in signals)
    signals = [_padded(x, rank) for x in signals]
    if b.windows:  # one number for all frames, which was expanded to them
        signals = [_narrowed(x, [dim for dim in range(rank) if any(y.axes[dim] == TIME for y in signals)]) for x in signals]
    for dim in range(rank):
        roles = {x.axes[dim] for x in signals if not _is_single(b, x, dim)}
        if BATCH in roles and len(roles) > 1 or BATCH not in roles and any(x.axes[dim] == BATCH for x in signals):
            raise Refused("signals meet that have the batch at different places; permute one of them")
        if len(roles) > 1:
            if not b.windows:
                raise Refused("a signal with the channels last meets one with the time last; transpose one of them")
            role = next(x.axes[dim] for x in signals if not _is_single(b, x, dim))
            signals = [x if _is_single(b, x, dim) else b.turned(x, dim, role) for x in signals]
    axes, extents = [], []
    for dim in range(rank):
        wide = [x for x in signals if not _is_single(b, x, dim)] or signals
        role = wide[0].axes[dim]
        if role != TIME and all(x.axes[dim] == TIME for x in signals):
            role = TIME
        axes.append(role)
        if role == SPACE:
            found = {x.extent(dim) for x in wide if x.axes[dim] == SPACE} - {1} or {1}
            if len(found) > 1:
                raise Refused(f"{' and '.join(map(str, sorted(found)))} channels meet")
            extents.append(found.pop())
    if axes.count(TIME) > 1:
        raise Refused("a signal's channels meet the time of another")
    return signals, _Shape(tuple(axes), tuple(extents))


def _broadcast(x: Signal, shape: _Shape) -> Tensor:
    """The index of x for all places of a shape."""
    own = [x.extent(dim) if x.axes[dim] == SPACE else 1 for dim, role in enumerate(shape.axes) if role == SPACE]
    return x.index.reshape(own).expand(shape.extents) if shape.extents else x.index.reshape(())


def _are_columns(values: Sequence[Any]) -> bool:
    """Whether the first axis of all signals here is batch and channels as one."""
    return all(x.axes[:1] == (COLUMNS,) for x in values) and len({len(x.axes) for x in values}) == 1


def _first_as(role: str, x: Any) -> Any:
    return x.replaced(axes=(role, *x.axes[1:])) if isinstance(x, Signal) else x


def join_signals(b: Builder, op: str, *signals: Signal) -> Signal:
    """A Reduce of signals, number by number."""
    if _are_columns(signals):
        return _first_as(COLUMNS, join_signals(b, op, *(_first_as(SPACE, x) for x in signals)))
    signals, shape = alike(b, signals)
    for each in zip(*(x.frames for x in b.in_step(signals))):
        lengths = set(each) - ({1} if b.windows else set())
        if len(lengths) > 1:
            raise Refused(f"signals of {' and '.join(map(str, sorted(lengths)))} frames meet")
    indices = [_broadcast(x, shape).flatten() for x in signals]
    count = len(indices[0])
    # In the order of the first signal that has each of its channels once.
    order = in_order(count)
    for x, index in zip(signals, indices):
        if b.values[x.number].channels == count and torch.equal(index.sort().values, in_order(count)):
            order = torch.argsort(index)
            break
    framed = None if b.windows else _framed(b, signals, [index[order] for index in indices])
    if framed is not None:
        operands, frame = framed
        y = b.emit({"type": "Reduce", "path": b.own_path(), "op": op}, *operands, shape=frame)
        return y.replaced(axes=shape.axes, index=inverse(order).reshape(shape.extents))
    single = [count > 1 and bool((index == index[0]).all()) for index in indices]
    if all(single):
        order, places = in_order(1), torch.zeros(count, dtype=torch.int64)
        single = [False] * len(single)
    else:
        places = inverse(order)
    operands = [b.gather(x, index[:1].tolist() if alone else index[order].tolist())
                for x, index, alone in zip(signals, indices, single)]
    y = b.emit({"type": "Reduce", "path": b.own_path(), "op": op}, *operands)
    return y.replaced(axes=shape.axes, index=places.reshape(shape.extents))


def _framed(b: Builder, signals: Sequence[Signal],
            indices: Sequence[Tensor]) -> Optional[Tuple[List[Signal], Tuple[int, int, int]]]:
    """Operands as frames with space, or one column or one channel for all of them, and the shape of these frames; None if none
    has space. `indices` say which number of each belongs to those of the largest."""
    whole = next((b.values[x.number].shape for x, index in zip(signals, indices)
                  if torch.equal(index, in_order(b.values[x.number].channels)) and b.values[x.number].space != (1, 1)), None)
    if whole is None:
        return None
    channels, width, height = whole
    operands = []
    for x, index in zip(signals, indices):
        index = index.reshape(height * width, channels)
        if torch.equal(index.flatten(), in_order(b.values[x.number].channels)):
            operands.append(b.with_shape(b.whole(x), whole))
        elif torch.equal(index, index[:1].expand_as(index)):
            operands.append(b.with_shape(b.gather(x, index[0].tolist()), (channels, 1, 1)))
        elif torch.equal(index, index[:, :1].expand_as(index)):
            operands.append(b.with_shape(b.gather(x, index[:, 0].tolist()), (1, width, height)))
        else:
            operands.append(b.with_shape(b.gather(x, index.flatten().tolist()), whole))
    return operands, whole


# --- constants ------------------------------------------------------------------------------------------------------


def without_lengths(value: Varying, b: Builder) -> Tensor:
    """A tensor whose shape depends on the batch and the length, if its numbers do not."""
    first = value.values[0]
    if any(each.dim() != first.dim() for each in value.values):
        raise Refused(f"{what(value)} is combined with a signal")
    for dim in range(first.dim()):
        if len({each.shape[dim] for each in value.values}) > 1:
            if not all(torch.equal(each, each.narrow(dim, 0, 1).expand_as(each)) for each in value.values):
                raise Refused("a tensor whose values depend on the place in time is combined with a signal, but a stream has "
                              "no place "
                              "in time: it goes on without end; what is added, as positions are, can begin anew after some frames, "
                              "table[torch.arange(frames) % rows]; inside a Windowed(net, size, stride) there is one, and what only "
                              "counts frames, as torch.arange(frames) does, can run over a stream")
            value = Varying([each.narrow(dim, 0, 1) for each in value.values])
    first = value.values[0]
    if not all(torch.equal(each, first) for each in value.values):
        raise Refused(f"{what(value)} is combined with a signal: what a stream does must be the same for all signals and "
                      f"lengths")
    return first


def constants(b: Builder, **tensors: Any) -> List[Optional[Tensor]]:
    found = []
    for name, value in tensors.items():
        value = without_lengths(value, b) if isinstance(value, Varying) else value
        if value is not None and not isinstance(value, Tensor):
            raise Refused(f"the {name} is {what(value)}, but it must be the same for all signals")
        found.append(value)
    return found


def constant(b: Builder, x: Signal, value: Any) -> Tuple[Signal, Any]:
    """x, and what stands beside it: a number, or a tensor with one for each channel of x's value."""
    if isinstance(value, (bool, int, float)):
        return x, float(value)
    if isinstance(value, Varying):
        value = without_lengths(value, b)
    if not isinstance(value, Tensor):
        raise Refused(f"{what(value)} cannot be combined with a signal")
    if value.is_complex():
        raise Refused("complex numbers cannot be combined with a signal")
    value = value.detach().double()
    if value.numel() == 1 and value.dim() <= len(x.axes):
        return x, float(value)
    rank = max(value.dim(), len(x.axes))
    x = _padded(x, rank)
    value = value.reshape((1,) * (rank - value.dim()) + tuple(value.shape))
    for dim in range(rank):
        role, extent = x.axes[dim], value.shape[dim]
        if role == SPACE or extent == 1:
            continue
        if torch.equal(value, value.narrow(dim, 0, 1).expand_as(value)):
            value = value.narrow(dim, 0, 1)
        elif role == TIME and b.windows and sum(each != 1 for each in value.shape) == 1:
            x = b.turned(x, dim, SPACE)
            if x.axes[dim] == SPACE:
                break
        if value.shape[dim] != 1:
            raise Refused(f"a constant of shape {tuple(value.shape)} is not one number for each channel")
    own = [x.extent(dim) for dim in range(rank) if x.axes[dim] == SPACE]
    extents = [value.shape[dim] for dim in range(rank) if x.axes[dim] == SPACE]
    if any(1 not in (a, c) and a != c for a, c in zip(own, extents)):
        raise Refused(f"a constant of shape {tuple(value.shape)} meets {x!r} of {own} channels")
    shape = tuple(max(a, c) for a, c in zip(own, extents))
    index, value = x.index.expand(shape), value.reshape(extents).expand(shape)
    flat, numbers = index.flatten(), value.flatten()
    channels = b.values[x.number].channels
    if len(flat) == channels and torch.equal(flat.sort().values, in_order(channels)):
        return x.replaced(index=index), numbers[torch.argsort(flat)]
    y = b.gather(x, flat.tolist())
    return y.replaced(axes=x.axes, index=in_order(len(flat)).reshape(shape)), numbers


def affine(b: Builder, x: Signal, scale: Any = 1.0, offset: Any = 0.0) -> Signal:
    """x * scale + offset, each a number or a tensor with one value for each channel of x's value."""
    if not isinstance(scale, Tensor) and not isinstance(offset, Tensor):
        scale, offset = float(scale), float(offset)
        if not (math.isfinite(scale) and math.isfinite(offset)):
            raise Refused(f"the constants {scale} and {offset} are not finite")
        return x if scale == 1 and offset == 0 else b.simple("Affine", x, scale=scale, offset=offset)
    channels, path = b.values[x.number].channels, b.own_path()
    for name, value, neutral in (("weight", scale, 1.0), ("bias", offset, 0.0)):
        value = value if isinstance(value, Tensor) else torch.full((1,), float(value))
        b.keep(path, name, value.reshape(-1).expand(channels))
    y = b.emit({"type": "Affine", "path": path, "channels": channels}, b.whole(x))
    return y.replaced(axes=x.axes, index=x.index)


# --- what counts frames ---------------------------------------------------------------------------------------------


def counted(b: Builder, value: Any, beside: Any) -> Any:
    """A tensor that goes up by the same from frame to frame, as torch.arange does, as a signal: a stream counts its frames.
    Any other value as it is."""
    if not isinstance(value, Varying) or not isinstance(beside, Signal) or b.windows or TIME not in beside.axes:
        return value
    first = value.values[0]
    dims = first.dim()
    roles = ((SPACE,) * (dims - len(beside.axes)) + beside.axes)[-dims:] if dims else ()
    if TIME not in roles or any(each.dim() != dims or each.is_complex() for each in value.values):
        return value
    at = roles.index(TIME)
    lines = []
    for each, frames in zip(value.values, beside.frames):
        if each.shape[at] != frames or frames < 2:
            return value
        each = each.detach().double()
        if BATCH in roles:
            one = each.narrow(roles.index(BATCH), 0, 1)
            if not torch.equal(one.expand_as(each), each):
                return value
            each = one
        each = each.movedim(at, -1)
        lines.append((each[..., 0], (each[..., -1] - each[..., 0]) / (frames - 1), each))
    start, slope, _ = max(lines, key=lambda line: line[2].shape[-1])
    for _, _, each in lines:
        line = start[..., None] + slope[..., None] * torch.arange(each.shape[-1])
        if each.shape[:-1] != start.shape or not torch.allclose(each, line, 1e-6, 1e-6 * float(slope.abs().max())):
            return value
    if not bool(slope.any()):
        return value
    known = b.simple("Compare", b.gather(beside, [int(beside.index.flatten()[0])]), op="equal", value=0.0)  # also of NaN
    ones = affine(b, known, 0.0, 1.0)
    count = b.emit({"type": "Cumulative", "path": b.own_path("count"), "op": "sum"}, ones)
    start, slope = start.flatten(), slope.flatten()
    shape = [extent for role, extent in zip(roles, first.shape) if role == SPACE]
    if bool((start == start[0]).all()) and bool((slope == slope[0]).all()):
        y = affine(b, count, float(slope[0]), float(start[0] - slope[0]))
        return y.replaced(axes=roles, index=y.index.reshape([1] * len(shape)).expand(shape))
    y = affine(b, b.gather(count, [0] * len(start)), slope, start - slope)
    return y.replaced(axes=roles, index=y.index.reshape(shape))


def recycled(b: Builder, value: Any, beside: Any) -> Optional[Signal]:
    """The sum with a tensor that repeats after some frames, the same for all of the batch; None if there is none."""
    if not isinstance(value, Varying) or not isinstance(beside, Signal) or b.windows or beside.axes.count(TIME) != 1:
        return None
    rank, at = len(beside.axes), beside.axes.index(TIME)
    if any(each.dim() > rank or not each.is_floating_point() for each in value.values):
        return None
    tables = []
    for each, frames in zip(value.values, beside.frames):
        each = each.detach().double().reshape((1,) * (rank - each.dim()) + tuple(each.shape))
        for dim, role in enumerate(beside.axes):
            if role not in (TIME, SPACE):
                if not torch.equal(each, each.narrow(dim, 0, 1).expand_as(each)):
                    return None
                each = each.narrow(dim, 0, 1)
        if each.shape[at] != frames:
            return None
        tables.append(each.movedim(at, 0))
    longest = max(tables, key=len)
    rows = next((rows for rows in range(1, len(longest) // 2 + 1) if torch.equal(longest[rows:], longest[:-rows])), 0)
    if rows < 2 or any(not torch.equal(each, longest[:len(each)]) for each in tables):
        return None
    x = b.ordered(beside)
    shape = [extent for role, extent in zip(beside.axes, beside.shape(0, 1)) if role == SPACE]
    own = [longest.shape[1:][dim - (dim > at)] for dim, role in enumerate(beside.axes) if role == SPACE]
    table = longest[:rows].reshape(rows, *own).expand(rows, *shape).reshape(rows, -1)
    path = b.own_path("positions")
    b.keep(path, "weight", table)
    node = {"type": "RecyclingPositionalEncoding", "path": path, "embed_dim": table.shape[1], "num_embeds": rows}
    return b.emit(node, b.whole(x)).replaced(axes=x.axes, index=x.index)


def beside(b: Builder, left: Any, right: Any) -> Tuple[Any, Any]:
    """Two operands, of which what counts frames is a signal."""
    return counted(b, left, right), counted(b, right, left)


# --- operators ------------------------------------------------------------------------------------------------------


def binary(b: Builder, op: str, left: Any, right: Any) -> Signal:
    known = (recycled(b, left, right) or recycled(b, right, left)) if op == "add" else None
    if known is not None:
        return known
    signals = [x for x in (left, right) if isinstance(x, Signal)]
    if _are_columns(signals):
        return _first_as(COLUMNS, binary(b, op, _first_as(SPACE, left), _first_as(SPACE, right)))
    left, right = beside(b, left, right)
    if isinstance(left, Signal) and isinstance(right, Signal):
        return join_signals(b, {"add": "sum", "sub": "difference", "mul": "product", "div": "quotient"}[op], left, right)
    behind = isinstance(right, Signal)
    x, value = constant(b, right, left) if behind else constant(b, left, right)
    if op == "add":
        return affine(b, x, 1.0, value)
    if op == "mul":
        return affine(b, x, value)
    if op == "sub":
        return affine(b, x, -1.0, value) if behind else affine(b, x, 1.0, -value)
    if behind:
        return affine(b, b.simple("Reciprocal", x), value)
    if bool((value == 0).any() if isinstance(value, Tensor) else value == 0):
        raise Refused("divides by 0")
    return affine(b, x, 1.0 / value)


def _scaled(b: Builder, value: Any, alpha: Any) -> Any:
    if alpha == 1:
        return value
    return binary(b, "mul", value, alpha) if isinstance(value, Signal) else value * alpha


@handles("add", "__add__", "__radd__", "__iadd__", "add_")
def add(b: Builder, input: Any, other: Any, alpha: Any = 1, out: Any = None) -> Any:
    return binary(b, "add", input, _scaled(b, other, alpha))


@handles("sub", "subtract", "__sub__", "__isub__", "sub_", "subtract_")
def sub(b: Builder, input: Any, other: Any, alpha: Any = 1, out: Any = None) -> Any:
    return binary(b, "sub", input, _scaled(b, other, alpha))


@handles("rsub", "__rsub__")
def rsub(b: Builder, input: Any, other: Any, alpha: Any = 1) -> Any:
    return binary(b, "sub", other, _scaled(b, input, alpha))


@handles("mul", "multiply", "__mul__", "__rmul__", "__imul__", "mul_", "multiply_", "logical_and", "__and__", "bitwise_and",
         "__iand__")
def mul(b: Builder, input: Any, other: Any, out: Any = None) -> Any:
    return binary(b, "mul", input, other)


@handles("div", "divide", "true_divide", "__truediv__", "__itruediv__", "__div__", "div_", "divide_", "true_divide_")
def div(b: Builder, input: Any, other: Any, rounding_mode: Any = None, out: Any = None) -> Any:
    y = binary(b, "div", input, other)
    if rounding_mode is None:
        return y
    return b.simple({"floor": "Floor", "trunc": "Trunc"}[rounding_mode], y)


@handles("floor_divide", "__floordiv__", "floor_divide_")
def floor_divide(b: Builder, input: Any, other: Any) -> Signal:
    return div(b, input, other, "floor")


@handles("remainder", "__mod__", "remainder_")
def remainder(b: Builder, input: Any, other: Any) -> Signal:
    return of_two(b, "remainder", input, other)


def of_two(b: Builder, op: str, left: Any, right: Any) -> Signal:
    """A Reduce of a signal and a signal or a constant, in this order."""
    left, right = beside(b, left, right)
    if not isinstance(left, Signal):
        x, value = constant(b, right, left)
        return join_signals(b, op, affine(b, x, 0.0 * value, value), x)
    if not isinstance(right, Signal):
        x, value = constant(b, left, right)
        return join_signals(b, op, x, affine(b, x, 0.0 * value, value))
    return join_signals(b, op, left, right)


@handles("__rdiv__", "__rtruediv__")
def rdiv(b: Builder, input: Any, other: Any) -> Any:
    return binary(b, "div", other, input)


@handles("neg", "negative", "__neg__", "neg_")
def neg(b: Builder, input: Signal) -> Signal:
    return affine(b, input, -1.0)


@handles("addcmul")
def addcmul(b: Builder, input: Any, tensor1: Any, tensor2: Any, value: Any = 1) -> Any:
    return binary(b, "add", input, _scaled(b, binary(b, "mul", tensor1, tensor2), value))


@handles("lerp")
def lerp(b: Builder, input: Any, end: Any, weight: Any) -> Any:
    return binary(b, "add", input, binary(b, "mul", binary(b, "sub", end, input), weight))


@handles("pow", "__pow__", "pow_", "__ipow__")
def power(b: Builder, input: Any, exponent: Any) -> Signal:
    if not isinstance(input, Signal) or isinstance(exponent, Signal):
        return raised_number(b, input, exponent)
    x, exponent = input, float(exponent) if isinstance(exponent, Tensor) and exponent.numel() == 1 else exponent
    if not isinstance(exponent, (int, float)):
        return of_two(b, "power", x, exponent)
    if exponent in (0, 1):
        return x if exponent == 1 else affine(b, x, 0.0, 1.0)
    if exponent in (-1, 0.5, 2):
        return b.simple({-1: "Reciprocal", 0.5: "Sqrt", 2: "Square"}[exponent], x)
    if exponent in (-0.5, -2):
        return b.simple("Reciprocal", power(b, x, -exponent))
    if exponent in range(3, 9) or exponent == 1.5:
        return join_signals(b, "product", *[x] * int(exponent), *[b.simple("Sqrt", x)] * (exponent == 1.5))
    return b.simple("Power", x, exponent=float(exponent))


@handles("__rpow__")
def rpow(b: Builder, input: Signal, other: Any) -> Signal:
    return raised_number(b, other, input)


def raised_number(b: Builder, base: Any, exponent: Any) -> Signal:
    if isinstance(base, Tensor) and base.numel() == 1:
        base = float(base)
    if not isinstance(base, (int, float)) or base <= 0:
        return of_two(b, "power", base, exponent)
    return b.simple("Exp", affine(b, exponent, math.log(base)))


@handles("reciprocal", "reciprocal_")
def reciprocal(b: Builder, input: Signal) -> Signal:
    return b.simple("Reciprocal", input)


@handles("rsqrt", "rsqrt_")
def rsqrt(b: Builder, input: Signal) -> Signal:
    return power(b, input, -0.5)


@handles("square", "square_")
def square(b: Builder, input: Signal) -> Signal:
    return b.simple("Square", input)


# --- the larger and the smaller -------------------------------------------------------------------------------------


@handles("clamp", "clip", "clamp_", "clip_")
def clamp(b: Builder, input: Signal, min: Any = None, max: Any = None) -> Signal:
    low, high = min, max
    if any(isinstance(bound, (Tensor, Signal)) for bound in (low, high)):
        result = input if low is None else larger(b, "max", input, low)
        return result if high is None else larger(b, "min", result, high)
    for bound in (low, high):
        if bound is not None and not isinstance(bound, (int, float)):
            raise Refused(f"only numbers can bound a signal, not {what(bound)}")
    low, high = -LARGEST if low is None else low, LARGEST if high is None else high
    return b.simple("Hardtanh", input, min_val=float(low), max_val=float(high))


@handles("clamp_min", "clamp_min_")
def clamp_min(b: Builder, input: Signal, min: Any) -> Signal:
    return clamp(b, input, min=min)


@handles("clamp_max", "clamp_max_")
def clamp_max(b: Builder, input: Signal, max: Any) -> Signal:
    return clamp(b, input, max=max)


def larger(b: Builder, op: str, left: Any, right: Any) -> Signal:
    """The larger ("max") or the smaller ("min") of two, number by number."""
    if isinstance(left, Signal) and isinstance(right, Signal):
        return join_signals(b, op, left, right)
    x, value = constant(b, right, left) if isinstance(right, Signal) else constant(b, left, right)
    if not isinstance(value, Tensor):
        return clamp(b, x, **{"min" if op == "max" else "max": value})
    return join_signals(b, op, x, affine(b, x, 0.0 * value, value))


@handles("maximum", "fmax")
def maximum(b: Builder, input: Any, other: Any) -> Signal:
    return larger(b, "max", input, other)


@handles("minimum", "fmin")
def minimum(b: Builder, input: Any, other: Any) -> Signal:
    return larger(b, "min", input, other)


# --- comparisons: signals of ones and zeros -------------------------------------------------------------------------


_MIRRORED = {"greater": "less", "less": "greater", "greater_equal": "less_equal", "less_equal": "greater_equal"}


def compared(b: Builder, op: str, left: Any, right: Any) -> Signal:
    """1 where left compares with right as said, else 0."""
    left, right = beside(b, left, right)
    if not isinstance(left, Signal):
        left, right, op = right, left, _MIRRORED.get(op, op)
    if not isinstance(right, Signal):
        left, value = constant(b, left, right)
        if not isinstance(value, Tensor):
            return b.simple("Compare", left, op=op, value=float(value))
        right = affine(b, left, 0.0 * value, value)
    if op == "not_equal":
        return affine(b, join_signals(b, "equal", left, right), -1.0, 1.0)
    if op in ("less", "less_equal"):
        left, right, op = right, left, _MIRRORED[op]
    return join_signals(b, op, left, right)


def _comparison(op: str, *names: str) -> None:
    @handles(*names)
    def call(b: Builder, input: Any, other: Any) -> Signal:
        return compared(b, op, input, other)


_comparison("greater", "gt", "__gt__", "greater")
_comparison("less", "lt", "__lt__", "less")
_comparison("greater_equal", "ge", "__ge__", "greater_equal")
_comparison("less_equal", "le", "__le__", "less_equal")
_comparison("equal", "eq", "__eq__")
_comparison("not_equal", "ne", "__ne__", "not_equal", "logical_xor", "__xor__", "bitwise_xor")


@handles("logical_not", "bitwise_not", "__invert__")
def logical_not(b: Builder, input: Signal) -> Signal:
    return affine(b, input, -1.0, 1.0)


@handles("logical_or", "__or__", "bitwise_or", "__ior__")
def logical_or(b: Builder, input: Any, other: Any) -> Signal:
    return larger(b, "max", input, other)


@handles("heaviside")
def heaviside(b: Builder, input: Signal, values: Any) -> Signal:
    at_zero = where(b, compared(b, "equal", input, 0.0), values, 0.0)
    return binary(b, "add", compared(b, "greater", input, 0.0), at_zero)


@handles("where")
def where(b: Builder, condition: Any, input: Any = None, other: Any = None) -> Any:
    if input is None or other is None:
        raise Refused("where with a condition alone gives places, which depend on the signal's values")
    if not isinstance(condition, Signal):
        if isinstance(condition, Varying):
            condition = without_lengths(condition, b)
        condition = condition.double()
        chosen = binary(b, "mul", condition, input) if isinstance(input, Signal) else condition * input
        rest = binary(b, "mul", 1 - condition, other) if isinstance(other, Signal) else (1 - condition) * other
        return binary(b, "add", chosen, rest)
    input, other = counted(b, input, condition), counted(b, other, condition)
    if not isinstance(input, Signal) and not isinstance(other, Signal):
        return binary(b, "add", binary(b, "mul", condition, input - other), other)
    if not isinstance(input, Signal):
        rest = of_two(b, "where_not", other, condition)
        return rest if _is_zero(input) else binary(b, "add", rest, binary(b, "mul", condition, input))
    chosen = of_two(b, "where", input, condition)
    if not isinstance(other, Signal):
        return chosen if _is_zero(other) else binary(b, "add", chosen, binary(b, "mul", affine(b, condition, -1.0, 1.0), other))
    return binary(b, "add", chosen, of_two(b, "where_not", other, condition))


def _is_zero(value: Any) -> bool:
    return isinstance(value, (int, float)) and value == 0 or isinstance(value, Tensor) and value.numel() == 1 and (
        float(value) == 0)


@handles("masked_fill", "masked_fill_")
def masked_fill(b: Builder, input: Any, mask: Any, value: Any) -> Any:
    return where(b, mask, value, input)
