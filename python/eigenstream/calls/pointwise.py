"""Functions of each number by itself."""

from __future__ import annotations

import math
from typing import Any, Dict

import torch
from torch import Tensor

from ..errors import Refused
from ..graph import Builder
from ..module_types import TYPES
from ..signals import SPACE, Signal, what
from .arithmetic import affine, binary, clamp, compared, constant, of_two
from .channels import along
from .registry import HANDLERS, handles

# Functions that are a node by themselves, with its type; the type's fields are their arguments, in torch's order.
_SIMPLE: Dict[str, str] = {
    **{name.lower(): name for name, each in TYPES.items()
       if each.is_function and name not in ("LeakyReLU", "Square", "Reciprocal", "Power")},  # the last three: arithmetic.py
    "leaky_relu": "LeakyReLU",
    "log_sigmoid": "LogSigmoid",
    "absolute": "Abs",
    "expit": "Sigmoid",
    "special_expit": "Sigmoid",
    **{f"special_{name}": name.capitalize() for name in ("expm1", "log1p", "erf")},
    **{f"arc{name}": f"A{name}" for name in ("sin", "cos", "tan", "sinh", "cosh", "tanh")},
    "sgn": "Sign",
    "fix": "Trunc",
}


def _simple(name: str, kind: str) -> None:
    names = list(TYPES[kind].fields)
    defaults = {field: value.get("default") for field, value in TYPES[kind].fields.items()}

    @handles(name, f"{name}_")
    def call(b: Builder, input: Signal, *args: Any, inplace: bool = False, out: Any = None, **kwargs: Any) -> Signal:
        args = args[:len(names)]  # behind them is `inplace`
        values = {**defaults, **dict(zip(names, args)), **kwargs}
        if len(values) > len(names):
            raise Refused(f"the argument {next(key for key in values if key not in names)} of {name} is not supported")
        for value in values.values():
            if not isinstance(value, (int, float)):
                raise Refused(f"{name} takes numbers, not {what(value)}")
        return b.simple(kind, input, **{key: float(value) for key, value in values.items()})


for _name, _kind in _SIMPLE.items():
    _simple(_name, _kind)
HANDLERS["__abs__"] = HANDLERS["abs"]


@handles("relu6")
def relu6(b: Builder, input: Signal, inplace: bool = False) -> Signal:
    return clamp(b, input, 0.0, 6.0)


@handles("gelu")
def gelu(b: Builder, input: Signal, approximate: str = "none") -> Signal:
    return b.simple("GELU", input, approximate=approximate)


@handles("rrelu", "rrelu_")
def rrelu(b: Builder, input: Signal, lower: float = 1 / 8, upper: float = 1 / 3, training: bool = False,
          inplace: bool = False) -> Signal:
    if training:
        raise Refused("rrelu in training mode is random")
    return b.simple("LeakyReLU", input, negative_slope=(lower + upper) / 2)


@handles("prelu")
def prelu(b: Builder, input: Signal, weight: Any) -> Signal:
    if not isinstance(weight, Tensor):
        raise Refused("the slopes of prelu must be a parameter, one for each channel of axis 1")
    x = input
    if weight.numel() > 1 and not b.windows and x.axis(1) == SPACE:
        path = b.own_path(weight=weight)
        b.keep(path, "weight", weight.reshape(-1))
        node = {"type": "PReLU", "path": path, "num_parameters": weight.numel()}
        return along(b, x, 1, lambda part: b.emit(node, part, columns=True))
    if weight.numel() > 1:
        x = b.turned(x, 1, SPACE)
        if x.axis(1) != SPACE:
            raise Refused(f"PReLU takes axis 1, which is {x.axis(1)} here, for the channels: its slopes must be one for each "
                          f"channel "
                          "of axis 1")
        if sum(role == SPACE and x.extent(dim) != 1 for dim, role in enumerate(x.axes)) > 1:
            x, weight = constant(b, x, weight.reshape([-1 if dim == 1 else 1 for dim in range(len(x.axes))]))
        else:
            x = b.ordered(x)
    else:
        x = b.compact(x)
    path = b.own_path(weight=weight)
    b.keep(path, "weight", weight.reshape(-1))
    y = b.emit({"type": "PReLU", "path": path, "num_parameters": weight.numel()}, b.whole(x))
    return y.replaced(axes=x.axes, index=x.index)


# --- compositions ---------------------------------------------------------------------------------------------------


@handles("log10")
def log10(b: Builder, input: Signal) -> Signal:
    return affine(b, b.simple("Log", input), 1 / math.log(10))


@handles("log2")
def log2(b: Builder, input: Signal) -> Signal:
    return affine(b, b.simple("Log", input), 1 / math.log(2))


@handles("exp2", "special_exp2")
def exp2(b: Builder, input: Signal) -> Signal:
    return b.simple("Exp", affine(b, input, math.log(2)))


@handles("erfc", "special_erfc")
def erfc(b: Builder, input: Signal) -> Signal:
    return affine(b, b.simple("Erf", input), -1.0, 1.0)


@handles("frac")
def frac(b: Builder, input: Signal) -> Signal:
    return binary(b, "sub", input, b.simple("Trunc", input))


@handles("round", "round_")
def round_(b: Builder, input: Signal, decimals: int = 0) -> Signal:
    if decimals == 0:
        return b.simple("Round", input)
    return affine(b, b.simple("Round", affine(b, input, 10.0 ** decimals)), 10.0 ** -decimals)


@handles("logaddexp")
def logaddexp(b: Builder, input: Any, other: Any) -> Signal:
    return binary(b, "add", other, b.simple("Softplus", binary(b, "sub", input, other), beta=1.0, threshold=20.0))


@handles("logit", "special_logit")
def logit(b: Builder, input: Signal, eps: Any = None) -> Signal:
    x = input if eps is None else clamp(b, input, eps, 1 - eps)
    return b.simple("Log", binary(b, "div", x, affine(b, x, -1.0, 1.0)))


@handles("hypot")
def hypot(b: Builder, input: Any, other: Any) -> Signal:
    squares = [b.simple("Square", each) if isinstance(each, Signal) else each * each for each in (input, other)]
    return b.simple("Sqrt", binary(b, "add", *squares))


@handles("atan2", "arctan2")
def atan2(b: Builder, input: Any, other: Any) -> Signal:
    return of_two(b, "atan2", input, other)


@handles("deg2rad")
def deg2rad(b: Builder, input: Signal) -> Signal:
    return affine(b, input, math.pi / 180)


@handles("rad2deg")
def rad2deg(b: Builder, input: Signal) -> Signal:
    return affine(b, input, 180 / math.pi)


@handles("positive", "__pos__")
def positive(b: Builder, input: Signal) -> Signal:
    return input


@handles("bool")
def to_bool(b: Builder, input: Signal, memory_format: Any = None) -> Signal:
    return compared(b, "not_equal", input, 0.0)


@handles("long", "int", "short")
def to_int(b: Builder, input: Signal, memory_format: Any = None) -> Signal:
    return b.simple("Trunc", input)


@handles("to", "type")
def to(b: Builder, input: Signal, *args: Any, dtype: Any = None, **kwargs: Any) -> Signal:
    dtype = next((each for each in (dtype, *args) if isinstance(each, torch.dtype)), None)
    if dtype == torch.bool:
        return to_bool(b, input)
    if dtype in (torch.int8, torch.int16, torch.int32, torch.int64):
        return to_int(b, input)
    if dtype is not None and dtype.is_floating_point:
        return input
    raise Refused(f"turns a signal into {dtype or 'another type'}, which a stream of floats cannot hold")


@handles("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout")
def dropout(b: Builder, input: Signal, *args: Any, **kwargs: Any) -> Signal:
    raise Refused("dropout without training=self.training is random; say training=self.training")
