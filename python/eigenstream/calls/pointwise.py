"""Functions of each number by itself."""

from __future__ import annotations

import math
from typing import Any, Dict

from torch import Tensor

from ..errors import Refused
from ..graph import Builder
from ..module_types import TYPES
from ..signals import SPACE, Signal, what
from .arithmetic import affine, binary, clamp, constant
from .registry import HANDLERS, handles

# Functions that are a node by themselves, with its type; the type's fields are their arguments, in torch's order.
_SIMPLE: Dict[str, str] = {
    **{name.lower(): name for name, each in TYPES.items()
       if each.is_function and name not in ("LeakyReLU", "Square", "Reciprocal")},  # Square and Reciprocal: arithmetic.py
    "leaky_relu": "LeakyReLU",
    "log_sigmoid": "LogSigmoid",
    "absolute": "Abs",
    "expit": "Sigmoid",
    "special_expit": "Sigmoid",
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


@handles("log1p")
def log1p(b: Builder, input: Signal) -> Signal:
    return b.simple("Log", affine(b, input, 1.0, 1.0))


@handles("exp2")
def exp2(b: Builder, input: Signal) -> Signal:
    return b.simple("Exp", affine(b, input, math.log(2)))


@handles("expm1")
def expm1(b: Builder, input: Signal) -> Signal:
    return affine(b, b.simple("Exp", input), 1.0, -1.0)


@handles("tan")
def tan(b: Builder, input: Signal) -> Signal:
    return binary(b, "div", b.simple("Sin", input), b.simple("Cos", input))


@handles("sinh")
def sinh(b: Builder, input: Signal) -> Signal:
    return affine(b, binary(b, "sub", b.simple("Exp", input), b.simple("Exp", affine(b, input, -1.0))), 0.5)


@handles("cosh")
def cosh(b: Builder, input: Signal) -> Signal:
    return affine(b, binary(b, "add", b.simple("Exp", input), b.simple("Exp", affine(b, input, -1.0))), 0.5)


@handles("dropout", "dropout1d", "dropout2d", "alpha_dropout", "feature_alpha_dropout", "feature_dropout")
def dropout(b: Builder, input: Signal, *args: Any, **kwargs: Any) -> Signal:
    raise Refused("dropout without training=self.training is random; say training=self.training")
