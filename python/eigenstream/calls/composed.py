"""Functions that are made of others."""

from __future__ import annotations

import math
from typing import Any, Tuple

import torch

from ..errors import Refused
from ..graph import Builder
from ..signals import BATCH, Signal, what
from .arithmetic import affine, binary, clamp, compared, remainder, where
from .channels import extreme, mean_of, norm, sum_over, variance, without
from .pointwise import logaddexp
from .registry import handles
from .shapes import sliced


@handles("diff")
def diff(b: Builder, input: Signal, n: int = 1, dim: int = -1, prepend: Any = None, append: Any = None) -> Signal:
    """Each entry less the one before it."""
    if prepend is not None or append is not None:
        raise Refused("diff with prepend or append; put these before or behind the signal with torch.cat or F.pad")
    if input.axis(dim) == BATCH:
        raise Refused("diff over the batch: that mixes what does not belong together")
    for _ in range(n):
        input = binary(b, "sub", sliced(b, input, dim, 1, None), sliced(b, input, dim, None, -1))
    return input


@handles("fmod", "fmod_")
def fmod(b: Builder, input: Any, other: Any) -> Signal:
    """The remainder with the sign of what is divided: that of absolute values, which is exact."""
    sizes = [b.simple("Abs", each) if isinstance(each, Signal) else abs(each) for each in (input, other)]
    sign = b.simple("Sign", input) if isinstance(input, Signal) else input.sign()
    return binary(b, "mul", remainder(b, *sizes), sign)


@handles("isnan")
def isnan(b: Builder, input: Signal) -> Signal:
    return compared(b, "not_equal", input, input)


@handles("isinf")
def isinf(b: Builder, input: Signal) -> Signal:
    return compared(b, "greater", b.simple("Abs", input), torch.finfo(torch.float32).max)


@handles("isfinite")
def isfinite(b: Builder, input: Signal) -> Signal:
    return compared(b, "less_equal", b.simple("Abs", input), torch.finfo(torch.float32).max)


@handles("nan_to_num", "nan_to_num_")
def nan_to_num(b: Builder, input: Signal, nan: Any = None, posinf: Any = None, neginf: Any = None) -> Signal:
    most = torch.finfo(torch.float32).max
    if posinf is not None or neginf is not None:
        raise Refused("nan_to_num with posinf or neginf; use torch.where(torch.isinf(x), ...) for these")
    return clamp(b, where(b, isnan(b, input), float(nan or 0), input), -most, most)


@handles("cosine_similarity")
def cosine_similarity(b: Builder, x1: Signal, x2: Signal, dim: int = 1, eps: float = 1e-8) -> Signal:
    if not isinstance(x1, Signal) or not isinstance(x2, Signal):
        raise Refused(f"the cosine of {what(x1)} and {what(x2)}; multiply by a normalised constant instead")
    dot = sum_over(b, binary(b, "mul", x1, x2), [dim % len(x1.axes)], False)
    sizes = [clamp(b, norm(b, each, 2, dim), eps) for each in (x1, x2)]
    return binary(b, "div", dot, binary(b, "mul", *sizes))


def _and_mean(b: Builder, root: bool, input: Signal, args: Tuple[Any, ...], kwargs: Any) -> Tuple[Signal, Signal]:
    dim = kwargs.get("dim", args[0] if args else None)
    spread = variance(b, input, *args, root=root, **kwargs)
    mean = mean_of(b, input, dim[0] if isinstance(dim, (tuple, list)) else dim)
    return spread, mean if len(mean.axes) == len(spread.axes) else without(b, mean, [dim % len(input.axes)])


@handles("std_mean")
def std_mean(b: Builder, input: Signal, *args: Any, **kwargs: Any) -> Tuple[Signal, Signal]:
    return _and_mean(b, True, input, args, kwargs)


@handles("var_mean")
def var_mean(b: Builder, input: Signal, *args: Any, **kwargs: Any) -> Tuple[Signal, Signal]:
    return _and_mean(b, False, input, args, kwargs)


@handles("aminmax")
def aminmax(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False) -> Tuple[Signal, Signal]:
    return extreme(b, input, dim, keepdim, "amin"), extreme(b, input, dim, keepdim, "amax")


@handles("logaddexp2")
def logaddexp2(b: Builder, input: Any, other: Any) -> Signal:
    two = math.log(2)
    scaled = [affine(b, each, two) if isinstance(each, Signal) else each * two for each in (input, other)]
    return affine(b, logaddexp(b, *scaled), 1 / two)
