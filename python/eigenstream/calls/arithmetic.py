"""Arithmetic with broadcasting, between signals and with constants; comparisons and choices."""

from __future__ import annotations

import math
from typing import Any, List, NamedTuple, Sequence, Tuple

import torch
from torch import Tensor

from ..align import Varying
from ..errors import Refused
from ..graph import Builder
from ..signals import BATCH, SPACE, TIME, Signal, in_order, inverse, what
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


def join_signals(b: Builder, op: str, *signals: Signal) -> Signal:
    """A Reduce of signals, number by number."""
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
                              "in time: it goes on without end; inside a Windowed(net, size, stride) there is one")
            value = Varying([each.narrow(dim, 0, 1) for each in value.values])
    first = value.values[0]
    if not all(torch.equal(each, first) for each in value.values):
        raise Refused(f"{what(value)} is combined with a signal: what a stream does must be the same for all signals and "
                      f"lengths")
    return first


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


# --- operators ------------------------------------------------------------------------------------------------------


def binary(b: Builder, op: str, left: Any, right: Any) -> Signal:
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
    if rounding_mode is not None:
        raise Refused("a division with rounding_mode is not supported")
    return binary(b, "div", input, other)


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
        raise Refused(f"only numbers can be exponents, not {what(exponent)}")
    if exponent < 0:
        return b.simple("Reciprocal", power(b, x, -exponent))
    if exponent == 1:
        return x
    if exponent in (0.5, 2):
        return b.simple("Sqrt" if exponent == 0.5 else "Square", x)
    whole, rest = int(exponent), exponent - int(exponent)
    if exponent == 0 or whole > 8 or rest not in (0, 0.5):
        raise Refused(f"the power {exponent} is not supported; multiples of 0.5 up to 8 are")
    factors = [x] * whole + [b.simple("Sqrt", x)] * (rest == 0.5)
    return join_signals(b, "product", *factors)


@handles("__rpow__")
def rpow(b: Builder, input: Signal, other: Any) -> Signal:
    return raised_number(b, other, input)


def raised_number(b: Builder, base: Any, exponent: Any) -> Signal:
    if isinstance(base, Tensor) and base.numel() == 1:
        base = float(base)
    if not isinstance(base, (int, float)) or base <= 0:
        raise Refused("a number to the power of a signal is supported for positive numbers only")
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


def positive(b: Builder, x: Signal) -> Signal:
    """1 where x > 0, else 0. Three thresholds tell it without rounding: -LARGEST in the place of the others, then 1 in that of
    the positive ones, turned around, then 0 in that of the others."""
    y = b.simple("Threshold", x, threshold=0.0, value=-LARGEST)
    y = b.simple("Threshold", affine(b, y, -1.0), threshold=0.0, value=1.0)
    y = b.simple("Threshold", affine(b, y, -1.0), threshold=-2.0, value=0.0)
    return affine(b, y, -1.0)


def compared(b: Builder, left: Any, right: Any, swap: bool, negate: bool) -> Signal:
    """left > right, or with `swap` right > left; with `negate` the opposite."""
    difference = binary(b, "sub", right, left) if swap else binary(b, "sub", left, right)
    y = positive(b, difference)
    return affine(b, y, -1.0, 1.0) if negate else y


@handles("gt", "__gt__", "greater")
def gt(b: Builder, input: Any, other: Any) -> Signal:
    return compared(b, input, other, False, False)


@handles("lt", "__lt__", "less")
def lt(b: Builder, input: Any, other: Any) -> Signal:
    return compared(b, input, other, True, False)


@handles("ge", "__ge__", "greater_equal")
def ge(b: Builder, input: Any, other: Any) -> Signal:
    return compared(b, input, other, True, True)


@handles("le", "__le__", "less_equal")
def le(b: Builder, input: Any, other: Any) -> Signal:
    return compared(b, input, other, False, True)


@handles("eq", "__eq__")
def eq(b: Builder, input: Any, other: Any) -> Signal:
    return binary(b, "mul", ge(b, input, other), le(b, input, other))


@handles("ne", "__ne__", "not_equal")
def ne(b: Builder, input: Any, other: Any) -> Signal:
    return affine(b, eq(b, input, other), -1.0, 1.0)


@handles("logical_not", "bitwise_not", "__invert__")
def logical_not(b: Builder, input: Signal) -> Signal:
    return affine(b, input, -1.0, 1.0)


@handles("logical_or", "__or__", "bitwise_or", "__ior__")
def logical_or(b: Builder, input: Any, other: Any) -> Signal:
    return larger(b, "max", input, other)


@handles("sign", "sgn")
def sign(b: Builder, input: Signal) -> Signal:
    return binary(b, "sub", positive(b, input), positive(b, affine(b, input, -1.0)))


@handles("heaviside")
def heaviside(b: Builder, input: Signal, values: Any) -> Signal:
    return binary(b, "add", positive(b, input), binary(b, "mul", eq(b, input, 0.0), values))


@handles("where")
def where(b: Builder, condition: Any, input: Any = None, other: Any = None) -> Any:
    if input is None or other is None:
        raise Refused("where with a condition alone gives places, which depend on the signal's values")
    if not isinstance(condition, Signal):
        if isinstance(condition, Varying):
            condition = without_lengths(condition, b)
        condition = condition.double()
    chosen = binary(b, "mul", condition, input) if isinstance(condition,
                                                              Signal) or isinstance(input, Signal) else condition * input
    opposite = affine(b, condition, -1.0, 1.0) if isinstance(condition, Signal) else 1 - condition
    rest = binary(b, "mul", opposite, other) if isinstance(opposite, Signal) or isinstance(other, Signal) else opposite * other
    return binary(b, "add", chosen, rest)


@handles("masked_fill", "masked_fill_")
def masked_fill(b: Builder, input: Any, mask: Any, value: Any) -> Any:
    return where(b, mask, value, input)
