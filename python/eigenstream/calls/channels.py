"""Sums, products with matrices, norms and choices over the channels of each frame; in a window also over its frames."""

from __future__ import annotations

import math
from typing import Any, Callable, List, Optional, Sequence

import torch
from torch import Tensor

from ..align import Varying
from ..errors import Refused
from ..format import Node
from ..graph import Builder
from ..known import USE_A_WINDOW
from ..signals import BATCH, ROWS, SPACE, TIME, Lost, Signal, in_order, what
from .arithmetic import without_lengths, affine, binary, clamp, join_signals, larger, power
from .registry import handles
from .space import each_frame, pooled_space
from .time import over_time

WRAP = "works over the last axis, which is time; transpose it to apply it over the channels"


def along(b: Builder, x: Signal, dim: int, apply: Callable[[Signal], Signal]) -> Signal:
    """What `apply` makes of the channels along an axis, (batch, channels, time), for each place of the other axes of channels
    by itself."""
    place = x.place(dim)
    columns = x.index.movedim(place, -1)
    groups = columns.reshape(-1, columns.shape[-1])
    if not b.windows:  # as columns of a frame
        y = apply(b.in_columns(x, groups))
    else:
        parts = [apply(b.gather(x, group.tolist())) for group in groups]
        y = parts[0] if len(parts) == 1 else join_concat(b, parts)
    index = in_order(y.channels).reshape(*columns.shape[:-1], -1).movedim(-1, place)
    return y.replaced(axes=x.axes, index=index)


def join_concat(b: Builder, parts: Sequence[Signal]) -> Signal:
    return b.emit({"type": "Reduce", "path": b.own_path("cat"), "op": "concat"}, *parts)


def without(b: Builder, x: Signal, dims: Sequence[int]) -> Signal:
    """x without axes that have one entry."""
    kept = [dim for dim in range(len(x.axes)) if dim not in dims]
    index = x.index.reshape([x.extent(dim) for dim in kept if x.axes[dim] == SPACE])
    return x.replaced(axes=tuple(x.axes[dim] for dim in kept), index=index)


def linear_map(b: Builder, x: Signal, dim: int, matrix: Tensor, bias: Optional[Tensor] = None,
               path: Optional[str] = None) -> Signal:
    """The channels along an axis times a matrix (outputs, inputs)."""
    place = x.place(dim)
    columns = x.index.movedim(place, -1)
    groups = columns.reshape(-1, columns.shape[-1])
    count, (outputs, inputs) = len(groups), matrix.shape
    if inputs != groups.shape[1]:
        raise Refused(f"a matrix for {inputs} channels meets {groups.shape[1]}")
    operand = b.gather(x, groups.flatten().tolist()) if b.windows else b.in_columns(x, groups)
    path = path or b.own_path(weight=matrix, bias=bias)
    if count == 1 or not b.windows:
        b.keep(path, "weight", matrix)
        if bias is not None:
            b.keep(path, "bias", bias)
        node = {"type": "Linear", "path": path, "in_features": inputs, "out_features": outputs, "bias": bias is not None}
    else:
        b.keep(path, "weight", matrix.detach().repeat(count, 1)[:, :, None])
        if bias is not None:
            b.keep(path, "bias", bias.detach().repeat(count))
        node = {"type": "Conv1d", "path": path, "in_channels": count * inputs, "out_channels": count * outputs,
                "kernel_size": 1,
                "stride": 1, "padding": 0, "dilation": 1, "groups": count, "bias": bias is not None}
    y = b.emit(node, operand, columns=True)
    return y.replaced(axes=x.axes, index=in_order(y.channels).reshape(*columns.shape[:-1], outputs).movedim(-1, place))


# --- sums and extremes ----------------------------------------------------------------------------------------------


# What a stream can do instead of what needs all of the time.
_SO_FAR = {"sum": "x.cumsum(-1)", "mean": "x.cumsum(-1) / torch.arange(1, frames + 1)", "amax": "x.cummax(-1)[0]",
           "amin": "x.cummin(-1)[0]", **dict.fromkeys(("a variance", "a deviation"), "by the running means of x and x ** 2, "
                                                      "x.cumsum(-1) / torch.arange(1, frames + 1)")}


def _axes(b: Builder, x: Signal, dim: Any, name: str) -> List[int]:
    """Axes to go over, the last one first."""
    dims = list(dim) if isinstance(dim, (tuple, list)) else [dim]
    if not dims or any(each is None or x.axis(each) in (BATCH, *ROWS) for each in dims):
        where = "all axes" if not dims or None in dims else "the batch"
        raise Refused(f"{name} over {where}: that mixes what does not belong together")
    if not b.windows and any(x.axis(each) == TIME for each in dims):
        if type(b.step.place.module).__name__ == "AmplitudeToDB":
            raise Refused("its top_db is below the loudest of the whole signal, which a stream does not know; use AmplitudeToDB(top_db=None), "
                          "in an MFCC log_mels=True")
        so_far = _SO_FAR.get(name)
        raise Refused(f"{name} over the time: it {USE_A_WINDOW}" + (f"; of all frames so far it can: {so_far}" if so_far else ""))
    return sorted({each % len(x.axes) for each in dims}, reverse=True)


def _reduced(b: Builder, x: Signal, dim: Any, keepdim: Any, name: str, over_channels: Callable[[Signal, int],
                                                                                               Signal]) -> Signal:
    """A sum, mean or extreme over some axes, in a window also over the time."""
    dims = _axes(b, x, dim, name)
    for each in dims:
        extreme = b.windows and name in ("amax", "amin") and x.extent(each) != 1
        if x.axes[each] == TIME or extreme and sum(x.extent(i) != 1 for i, role in enumerate(x.axes) if role == SPACE) == 1:
            x = _over_time(b, b.turned(x, each, TIME), name)
        else:
            x = over_channels(x, each)
    return x if keepdim else without(b, x, dims)


def _over_time(b: Builder, x: Signal, name: str) -> Signal:
    """A mean, sum, maximum or minimum over the frames of a window."""
    count, y = x.frames[0], b.compact(x)
    if name == "amin":
        y = affine(b, y, -1.0)
    kind = "AdaptiveAvgPool1d" if name in ("mean", "sum") else "AdaptiveMaxPool1d"
    y = b.simple(kind, y, output_size=1)
    return affine(b, y, {"sum": float(count), "amin": -1.0}.get(name, 1.0))


@handles("mean", "sum", "nanmean", "nansum")
def mean(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Signal:
    name = b.step.name.replace("nan", "")
    dims = _axes(b, input, dim, name)[::-1]
    if name == "mean" and not b.windows and len(dims) in (1, 2) and b.is_framed(input, dims):
        y = pooled_space(b, input, dims, [1] * len(dims))
        return y if keepdim else without(b, y, dims)

    def over_channels(x: Signal, each: int) -> Signal:
        count = x.extent(each)
        if count == 1:
            return x
        return linear_map(b, x, each, torch.full((1, count), 1.0 / count if name == "mean" else 1.0))

    return _reduced(b, input, dim, keepdim, name, over_channels)


def extreme(b: Builder, x: Signal, dim: Any, keepdim: bool, name: str) -> Signal:
    def over_channels(y: Signal, each: int) -> Signal:
        parts = [y.replaced(index=part.unsqueeze(y.place(each))) for part in y.index.unbind(y.place(each))]
        return parts[0] if len(parts) == 1 else join_signals(b, name[1:], *parts)

    return _reduced(b, x, dim, keepdim, name, over_channels)


@handles("amax", "amin")
def amax(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False) -> Signal:
    return extreme(b, input, dim, keepdim, b.step.name)


@handles("max", "min")
def maximum(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False) -> Any:
    name = b.step.name
    if isinstance(dim, (Signal, Tensor)):
        return larger(b, name, input, dim)
    values = extreme(b, input, dim, keepdim, f"a{name}")
    if dim is not None and input.axis(dim) == SPACE:
        return values, _place(b, input, dim, keepdim, name)
    return values, Lost("the places of a maximum", f"uses the places of a {name}imum, which a model file cannot give", b.step.place)


@handles("prod")
def prod(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False, dtype: Any = None) -> Signal:
    x = b.over_channels(input, dim, "a product")
    parts = [x.replaced(index=part.unsqueeze(x.place(dim))) for part in x.index.unbind(x.place(dim))]
    y = parts[0] if len(parts) == 1 else join_signals(b, "product", *parts)
    return y if keepdim else without(b, y, [dim % len(y.axes)])


@handles("var", "std")
def variance(b: Builder, input: Signal, dim: Any = None, unbiased: bool = True, keepdim: bool = False,
             correction: Any = None, root: Optional[bool] = None) -> Signal:
    dim = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
    if not isinstance(dim, int) or isinstance(dim, bool):
        raise Refused(f"{b.step.name} over all axes: that mixes what does not belong together")
    root = b.step.name == "std" if root is None else root
    axes = _axes(b, input, dim, f"a {'deviation' if root else 'variance'}")
    count = input.frames[0] if input.axes[axes[0]] == TIME else input.extent(axes[0])
    y = power(b, binary(b, "sub", input, mean_of(b, input, dim)), 2)
    y = mean_of(b, y, dim)
    less = correction if correction is not None else int(unbiased)
    if less >= count:
        raise Refused(f"the variance of {count} numbers with correction {less} is no number")
    y = affine(b, y, count / (count - less))
    y = b.simple("Sqrt", y) if root else y
    return y if keepdim else without(b, y, axes)


def mean_of(b: Builder, x: Signal, dim: Any) -> Signal:
    """The mean over an axis, which stays."""
    def over_channels(y: Signal, each: int) -> Signal:
        count = y.extent(each)
        return y if count == 1 else linear_map(b, y, each, torch.full((1, count), 1.0 / count), path=b.own_path("mean"))

    return _reduced(b, x, dim, True, "mean", over_channels)


@handles("norm", "linalg_norm", "linalg_vector_norm")
def norm(b: Builder, input: Signal, p: Any = 2, dim: Any = None, keepdim: bool = False, dtype: Any = None, ord: Any = None,
         out: Any = None) -> Signal:
    order = p if ord is None else ord
    dims = _axes(b, input, dim, "a norm")
    if order in (1, 1.0):
        return sum_over(b, b.simple("Abs", input), dims, keepdim)
    if order not in (2, 2.0, None, "fro"):
        raise Refused(f"a norm of order {order} is not supported; 1 and 2 are")
    return b.simple("Sqrt", sum_over(b, b.simple("Square", input), dims, keepdim))


def sum_over(b: Builder, x: Signal, dims: Sequence[int], keepdim: bool) -> Signal:
    def over_channels(y: Signal, each: int) -> Signal:
        return linear_map(b, y, each, torch.ones(1, y.extent(each)), path=b.own_path("sum"))

    return _reduced(b, x, list(dims), keepdim, "sum", over_channels)


@handles("normalize")
def normalize(b: Builder, input: Signal, p: Any = 2.0, dim: Any = 1, eps: float = 1e-12, out: Any = None) -> Signal:
    length = norm(b, input, p, dim, True)
    return binary(b, "div", input, clamp(b, length, min=eps))


@handles("logsumexp")
def logsumexp(b: Builder, input: Signal, dim: Any, keepdim: bool = False) -> Signal:
    dims = _axes(b, input, dim, "logsumexp")
    return b.simple("Log", sum_over(b, b.simple("Exp", input), dims, keepdim))


@handles("cumsum")
def cumsum(b: Builder, input: Signal, dim: int, dtype: Any = None) -> Signal:
    return _cumulated(b, input, dim, "sum")


@handles("cumprod")
def cumprod(b: Builder, input: Signal, dim: int, dtype: Any = None) -> Signal:
    return _cumulated(b, input, dim, "product")


@handles("cummax", "cummin")
def cummax(b: Builder, input: Signal, dim: int) -> Any:
    name = b.step.name
    reason = f"uses the places that {name} gives, which a model file cannot"
    return _cumulated(b, input, dim, name[3:]), Lost(f"the places of a {name}", reason, b.step.place)


def _cumulated(b: Builder, x: Signal, dim: int, op: str) -> Signal:
    """All so far along an axis: over the time a layer that remembers it."""
    if x.axis(dim) == TIME:
        return over_time(b, x, {"type": "Cumulative", "path": b.own_path(), "op": op})
    x = b.over_channels(x, dim, b.step.name)
    if op == "sum":
        count = x.extent(dim)
        return linear_map(b, x, dim, torch.tril(torch.ones(count, count)))
    parts = [x.replaced(index=part.unsqueeze(x.place(dim))) for part in x.index.unbind(x.place(dim))]
    for i in range(1, len(parts)):
        parts[i] = join_signals(b, op, parts[i - 1], parts[i])
    y = parts[0] if len(parts) == 1 else join_concat(b, [b.ordered(part) for part in parts])
    index = in_order(y.channels).reshape(len(parts), *parts[0].index.movedim(x.place(dim), 0).shape[1:])
    return y.replaced(axes=x.axes, index=index.movedim(0, x.place(dim)))


# --- softmax and gates ----------------------------------------------------------------------------------------------


def _over(b: Builder, x: Signal, dim: Any, what: str, kind: str) -> Signal:
    x = b.over_channels(x, dim, what)
    return along(b, x, dim, lambda part: b.emit({"type": kind, "path": b.own_path()}, part, columns=True))


@handles("softmax", "log_softmax")
def softmax(b: Builder, input: Signal, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Signal:
    return _over(b, input, dim, b.step.name, "Softmax" if b.step.name == "softmax" else "LogSoftmax")


@handles("softmin")
def softmin(b: Builder, input: Signal, dim: Any = None, _stacklevel: int = 3, dtype: Any = None) -> Signal:
    x = b.over_channels(affine(b, input, -1.0), dim, "softmin")
    return along(b, x, dim, lambda part: b.emit({"type": "Softmax", "path": b.own_path()}, part, columns=True))


@handles("glu")
def glu(b: Builder, input: Signal, dim: int = -1) -> Signal:
    return _over(b, input, dim, "glu", "GLU")


# --- matrices -------------------------------------------------------------------------------------------------------


def matrix_of(b: Builder, value: Any) -> Tensor:
    if isinstance(value, Varying):
        value = without_lengths(value, b)
    if not isinstance(value, Tensor):
        raise Refused(f"multiplies with {what(value)}")
    return value.detach()


@handles("linear")
def linear(b: Builder, input: Signal, weight: Any, bias: Any = None) -> Signal:
    if not isinstance(input, Signal) or not isinstance(weight, Tensor) or not (bias is None or isinstance(bias, Tensor)):
        raise Refused("the weight of linear is not the same for all signals")
    x = b.turned(input, -1, SPACE)
    if x.axis(-1) != SPACE:
        raise Refused(WRAP)
    return linear_map(b, x, len(x.axes) - 1, weight, bias)


def times_matrix(b: Builder, left: Any, right: Any) -> Signal:
    """The product of a signal and a constant as matrices."""
    x, matrix = (left, matrix_of(b, right)) if isinstance(left, Signal) else (right, matrix_of(b, left))
    vector = matrix.dim() == 1
    while matrix.dim() > 2 and matrix.shape[0] == 1:
        matrix = matrix[0]
    if matrix.dim() == 1:
        matrix = matrix[:, None] if x is left else matrix[None]
    if matrix.dim() != 2:
        raise Refused(f"multiplies with a tensor of shape {tuple(matrix.shape)}; say it as a matrix (outputs, inputs)")
    dim = len(x.axes) - (1 if x is left else 2)
    x = b.over_channels(x, dim, "a matrix product")
    y = linear_map(b, x, dim, matrix.t() if isinstance(left, Signal) else matrix)
    return without(b, y, [dim]) if vector else y


def einsum(b: Builder, equation: str, *operands: Any) -> Signal:
    if len(operands) == 1 and isinstance(operands[0], (tuple, list)):
        operands = tuple(operands[0])
    signals = [operand for operand in operands if isinstance(operand, Signal)]
    if len(signals) != 1 or len(operands) > 2 or "..." in equation or "->" not in equation:
        return _einsum_of_signals(b, equation, operands)
    terms, result = equation.replace(" ", "").split("->")
    at = next(i for i, operand in enumerate(operands) if isinstance(operand, Signal))
    x, letters = operands[at], terms.split(",")[at]
    if len(letters) != len(x.axes):
        raise Refused(f"einsum {equation!r} of {x!r}")
    roles = dict(zip(letters, x.axes))
    others = "".join(letter for i, term in enumerate(terms.split(",")) if i != at for letter in term)
    for letter, role in roles.items():
        if role != SPACE and (letter not in result or letter in others):
            raise Refused(f"einsum {equation!r} over the {role}: it {USE_A_WINDOW}")
    # A matrix from all of x's channels to all of the result's: what it makes of each channel alone.
    extents, count = list(x.index.shape), x.channels
    kept = "".join(letter for letter in letters if roles[letter] == SPACE)
    own = "".join(letter for letter in result if roles.get(letter, SPACE) == SPACE)
    spare = next(letter for letter in "zyxwvutsrqponm" if letter not in equation)
    basis = torch.eye(count).reshape([count, *extents])
    given = [basis if i == at else matrix_of(b, operand).float() for i, operand in enumerate(operands)]
    inner = [spare + kept if i == at else term for i, term in enumerate(terms.split(","))]
    images = torch.einsum(f"{','.join(inner)}->{own}{spare}", *given)
    flat = x.replaced(axes=(BATCH, SPACE, TIME), index=x.index.flatten())
    y = linear_map(b, flat, 1, images.reshape(-1, count))
    return y.replaced(axes=tuple(roles.get(letter, SPACE) for letter in result), index=y.index.reshape(images.shape[:-1]))


def _einsum_of_signals(b: Builder, equation: str, operands: Sequence[Any]) -> Signal:
    """A product of signals, number by number, and sums over channels of it."""
    terms, _, result = equation.replace(" ", "").partition("->")
    if not all(isinstance(operand, Signal) for operand in operands) or "." in equation or not result:
        raise Refused(f"einsum {equation!r} of {' and '.join(map(what, operands))} is not supported; of one signal and one "
                      f"constant it is, "
                      "and of signals a product and sums over the channels")
    letters = result + "".join(sorted({letter for letter in terms if letter.isalpha() and letter not in result}))
    spread: List[Signal] = []
    for x, term in zip(operands, terms.split(",")):
        if len(set(term)) != len(term) or len(term) != len(x.axes):
            raise Refused(f"einsum {equation!r} of {x!r}")
        order = [term.index(letter) for letter in letters if letter in term]
        places = [x.place(dim) for dim in order if x.axes[dim] == SPACE]
        x = x.replaced(axes=tuple(x.axes[dim] for dim in order), index=x.index.permute(places))
        for dim, letter in enumerate(letters):
            if letter not in term:
                at = sum(role == SPACE for role in x.axes[:dim])
                x = x.replaced(axes=x.axes[:dim] + (SPACE,) + x.axes[dim:], index=x.index.unsqueeze(at))
        spread.append(x)
    y = join_signals(b, "product", *spread)
    gone = list(range(len(result), len(letters)))
    return without(b, sum_over(b, y, gone, True), gone) if gone else y


# --- norms ----------------------------------------------------------------------------------------------------------


@handles("layer_norm")
def layer_norm(b: Builder, input: Signal, normalized_shape: Sequence[int], weight: Any = None, bias: Any = None,
               eps: float = 1e-5,
               cudnn_enable: bool = True) -> Signal:
    shape = tuple(normalized_shape)
    if len(shape) == 2 and b.windows and set(input.axes[-2:]) == {SPACE, TIME} and weight is None:
        x = b.upright(input, "layer_norm")
        y = b.emit({"type": "GroupNorm", "path": b.own_path(), "num_groups": 1, "num_channels": shape[0], "eps": float(eps),
                    "affine": False}, b.whole(x))
        return y.replaced(axes=x.axes, index=x.index)
    if len(shape) != 1 and b.windows:
        raise Refused(f"normalized_shape is {shape}, with a weight for each channel and frame; say elementwise_affine=False, or "
                      "GroupNorm(1, channels)")
    x = b.turned(input, -1, SPACE)
    if any(x.axis(-1 - i) != SPACE for i in range(len(shape))):
        raise Refused(WRAP if len(shape) == 1 else f"normalized_shape is {shape}, which are not axes of channels or space only")
    path = b.own_path(weight=weight, bias=bias)
    count, affine_ = math.prod(shape), weight is not None or bias is not None
    weight, bias = (None if each is None else each.flatten() for each in (weight, bias))
    if not b.windows and len(shape) < x.index.dim() and b.is_framed(x, range(len(x.axes) - len(shape), len(x.axes))):
        return _space_norm(b, x, path, weight, bias, eps)

    def norm_of(part: Signal) -> Signal:
        if affine_:
            b.keep(path, "weight", torch.ones(count) if weight is None else weight, (count,))
            b.keep(path, "bias", torch.zeros(count) if bias is None else bias, (count,))
        return b.emit({"type": "LayerNorm", "path": path, "normalized_shape": count, "eps": float(eps),
                       "elementwise_affine": affine_},
                      part, columns=True)

    if b.windows and x.index.numel() != count:
        raise Refused(f"layer_norm over {count} of {x.index.numel()} channels")
    kept, tail = x.axes[:len(x.axes) - len(shape)], x.index.shape[x.index.dim() - len(shape):]
    merged = x.replaced(axes=(*kept, SPACE), index=x.index.flatten(x.index.dim() - len(shape)))
    y = along(b, merged, len(kept), norm_of)
    return y.replaced(axes=x.axes, index=y.index.unflatten(-1, tail))


def _space_norm(b: Builder, x: Signal, path: str, weight: Optional[Tensor], bias: Optional[Tensor], eps: float) -> Signal:
    """A norm over the width and height of frames, with a weight for each place, the same for all channels."""
    channels, width, height = b.values[x.number].shape
    affine_ = weight is not None or bias is not None
    if affine_:
        for name, value, neutral in (("weight", weight, 1.0), ("bias", bias, 0.0)):
            value = torch.full((height * width,), neutral) if value is None else value
            b.keep(path, name, value.reshape(1, height, width).expand(channels, -1, -1))
    y = b.emit({"type": "SpaceNorm", "path": path, "channels": channels, "width": width, "height": height, "over_channels": False,
                "eps": float(eps), "elementwise_affine": affine_}, b.whole(x), shape=(channels, width, height))
    return y.replaced(axes=x.axes, index=x.index)


@handles("batch_norm")
def batch_norm(b: Builder, input: Signal, running_mean: Any = None, running_var: Any = None, weight: Any = None,
               bias: Any = None,
               training: bool = False, momentum: float = 0.1, eps: float = 1e-5, cudnn_enabled: bool = True) -> Signal:
    if training or running_mean is None or running_var is None:
        raise Refused("has no running statistics, so it needs the whole signal; train it with track_running_stats=True")
    x = b.over_channels(input, 1, "batch_norm")
    count = x.extent(1)
    path, affine_ = b.own_path(weight=weight, running_mean=running_mean), weight is not None or bias is not None
    tensors = {"running_mean": running_mean, "running_var": running_var}
    if affine_:
        tensors.update(weight=torch.ones(count) if weight is None else weight, bias=torch.zeros(count) if bias is None
                       else bias)

    def norm_of(part: Signal) -> Signal:
        for name in ("weight", "bias", "running_mean", "running_var"):
            if name in tensors:
                b.keep(path, name, tensors[name], (count,))
        kind = f"BatchNorm{1 if b.windows else max(1, x.index.dim())}d"
        return b.emit({"type": kind, "path": path, "num_features": count, "eps": float(eps), "affine": affine_}, part,
                      columns=True)

    if b.windows and x.index.numel() != count or x.index.dim() > 3:
        raise Refused("batch_norm of more than (batch, channels, time) is not supported")
    return along(b, x, 1, norm_of)


def _of_a_window(b: Builder, x: Signal, name: str) -> Signal:
    """x as (batch, channels, time), of a window."""
    if not b.windows:
        raise Refused(f"{USE_A_WINDOW}")
    if len(x.axes) == 2 and TIME not in x.axes:  # features: one frame
        return b.ordered(x.replaced(axes=(BATCH, SPACE, TIME)))
    return b.upright(x, name)


@handles("group_norm")
def group_norm(b: Builder, input: Signal, num_groups: int, weight: Any = None, bias: Any = None, eps: float = 1e-5,
               cudnn_enabled: bool = True) -> Signal:
    return _window_norm(b, input, "GroupNorm", num_groups, weight, bias, eps)


@handles("instance_norm")
def instance_norm(b: Builder, input: Signal, running_mean: Any = None, running_var: Any = None, weight: Any = None,
                  bias: Any = None,
                  use_input_stats: bool = True, momentum: float = 0.1, eps: float = 1e-5, cudnn_enabled: bool = True) -> Signal:
    if not use_input_stats:
        return batch_norm(b, input, running_mean, running_var, weight, bias, False, momentum, eps)
    return _window_norm(b, input, "InstanceNorm1d", 0, weight, bias, eps)


def _window_norm(b: Builder, input: Signal, kind: str, groups: int, weight: Any, bias: Any, eps: float) -> Signal:
    if not b.windows and input.axes[0] in ROWS and len(input.axes) in (3, 4):
        return _frame_norm(b, input, kind, groups, weight, bias, eps)
    x = _of_a_window(b, input, kind)
    y = b.emit(_norm_node(b, kind, groups, x.channels, weight, bias, eps), b.whole(x))
    return y.replaced(axes=input.axes if len(input.axes) == 2 else x.axes, index=x.index)


def _norm_node(b: Builder, kind: str, groups: int, count: int, weight: Any, bias: Any, eps: float) -> Node:
    """A norm with the statistics of a window of so many channels."""
    affine_, path = weight is not None or bias is not None, b.own_path(weight=weight)
    if affine_:
        b.keep(path, "weight", torch.ones(count) if weight is None else weight, (count,))
        b.keep(path, "bias", torch.zeros(count) if bias is None else bias, (count,))
    sizes = {"num_groups": groups, "num_channels": count} if kind == "GroupNorm" else {"num_features": count}
    return {"type": kind, "path": path, **sizes, "eps": float(eps), "affine": affine_}


def _frame_norm(b: Builder, x: Signal, kind: str, groups: int, weight: Any, bias: Any, eps: float) -> Signal:
    """The same of each frame, where frames are the rows of a batch."""
    y = b.framed(x, [*range(2, len(x.axes)), 1])
    channels, width, height = b.values[y.number].shape
    row = b.with_shape(b.whole(y), (channels, width * height, 1))
    node = _norm_node(b, kind, groups, channels, weight, bias, eps)
    z = b.emit(each_frame(b, node, channels, width * height), row, shape=(channels, width * height, 1))
    return z.replaced(axes=x.axes, index=y.index)


# --- places and tables ----------------------------------------------------------------------------------------------


@handles("argmax", "argmin")
def argmax(b: Builder, input: Signal, dim: Any = None, keepdim: bool = False) -> Any:
    if dim is None or input.axis(dim) == BATCH:
        raise Refused(f"{b.step.name} over all axes: that mixes what does not belong together")
    if not b.windows and input.axis(dim) == TIME:
        raise Refused(f"{b.step.name} {USE_A_WINDOW}")
    return _place(b, b.turned(input, dim, SPACE), dim, keepdim, b.step.name)


def _place(b: Builder, x: Signal, dim: int, keepdim: bool, name: str) -> Signal:
    """Which channel along an axis is the greatest or the least."""
    kind = {"max": "ArgMax", "min": "ArgMin"}[name[-3:]]
    y = along(b, x, dim, lambda part: b.emit({"type": kind, "path": b.own_path()}, part, columns=True))
    return y if keepdim else without(b, y, [dim % len(y.axes)])


@handles("one_hot")
def one_hot(b: Builder, input: Signal, num_classes: int = -1) -> Signal:
    if num_classes < 1:
        raise Refused("one_hot without num_classes goes by the largest number of the signal; say how many there are")
    return embedding(b, input, torch.eye(num_classes))


@handles("embedding")
def embedding(b: Builder, input: Any, weight: Any, padding_idx: Any = None, max_norm: Any = None, norm_type: float = 2.0,
              scale_grad_by_freq: bool = False, sparse: bool = False) -> Signal:
    weight = matrix_of(b, weight)
    if not isinstance(input, Signal):
        raise Refused(f"embeds {what(input)}, not a signal")
    if max_norm is not None:
        raise Refused("an embedding with max_norm changes its weights as it runs; scale them once, and leave max_norm out")
    x, path = b.ordered(input), b.own_path(weight=weight)
    b.keep(path, "weight", weight)
    y = b.emit({"type": "Embedding", "path": path, "num_embeddings": weight.shape[0], "embedding_dim": weight.shape[1]},
               b.whole(x))
    return y.replaced(axes=(*x.axes, SPACE), index=in_order(y.channels).reshape(*x.index.shape, weight.shape[1]))
