"""Runs functions of TorchScript as Python, so that what they do to tensors can be recorded."""

from __future__ import annotations

import contextlib
import operator
import typing
from typing import Any, Callable, Dict, Iterator

import torch
import torch.nn.functional as F
from torch import Tensor

from .errors import Refused


def _slice(x: Any, dim: int = 0, start: Any = None, end: Any = None, step: int = 1) -> Any:
    if not isinstance(x, Tensor):  # a list has no axes: these are its start, end and step
        return x[dim:start:end]
    return x[(slice(None),) * (dim % x.dim()) + (slice(start, end, step),)]


def _of_numbers(name: str, of_numbers: Callable[..., Any]) -> Callable[..., Any]:
    def call(a: Any, *others: Any, **kwargs: Any) -> Any:
        if any(isinstance(each, Tensor) for each in (a, *others)):
            return getattr(torch, name)(a, *others, **kwargs)
        return of_numbers(a, *others)

    return call


# What TorchScript's `torch` has and Python's has not, or not for numbers.
_FUNCTIONS: Dict[str, Callable[..., Any]] = {
    "size": lambda x, dim=None: list(x.shape) if dim is None else x.shape[dim], "slice": _slice, "dim": lambda x: x.dim(),
    "len": len, "append": lambda items, item: items.append(item), "__contains__": operator.contains, "to": lambda x,
    *args: x.to(*args[:1]),
    "floordiv": operator.floordiv, "remainder": _of_numbers("remainder", operator.mod), "__is__": operator.is_,
    "__isnot__": operator.is_not,
    "__not__": operator.not_, "warn": lambda *args: None, "format": lambda text, *args: text.format(*args),
    **{name: _of_numbers(name, getattr(operator, name)) for name in ("add", "sub", "mul", "eq", "ne", "lt", "le", "gt", "ge",
                                                                     "neg", "pow")},
    "div": _of_numbers("div", operator.truediv),
}


class _Torch:
    """TorchScript's `torch`: functions, and methods as functions."""

    def __getattr__(self, name: str) -> Any:
        if name in _FUNCTIONS:
            return _FUNCTIONS[name]
        if hasattr(torch, name):
            return getattr(torch, name)
        return lambda own, *args, **kwargs: getattr(own, name)(*args, **kwargs)


class _Names:
    """Attributes of attributes, up to a function of torch's: __torch__.torch.nn.functional.relu."""

    def __init__(self, path: str = "") -> None:
        self.path = path

    def __getattr__(self, name: str) -> "_Names":
        return _Names(f"{self.path}.{name}")

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        name = self.path.rpartition(".")[2]
        if self.path.startswith(".torch.nn.functional") and hasattr(F, name):
            return getattr(F, name)(*args, **kwargs)
        if name == "RaiseException":
            raise RuntimeError(str(args[0]) if args else "raised by TorchScript")
        raise Refused(f"calls {self.path.strip('.')} in TorchScript, which cannot be read; write it in Python")


def _in_python(function: Any) -> Callable[..., Any]:
    """A scripted function as one of Python."""
    original = getattr(function, "_torchdynamo_inline", None)  # newer torch keeps it
    if original is not None:
        return original
    names = {**vars(typing), "Tensor": Tensor, "torch": _Torch(), "__torch__": _Names(), "ops": _Names(),
             "annotate": lambda kind, value: value,
             "uninitialized": lambda kind: None, "unchecked_cast": lambda kind, value: value, "inf": float("inf"),
             "nan": float("nan")}
    try:
        exec(compile(function.code, f"<TorchScript {function.name}>", "exec"), names)
    except Exception as error:
        raise Refused(f"calls {function.name}, which is TorchScript and cannot be read; write it in Python") from error
    return names[function.name]


@contextlib.contextmanager
def scripts_as_python() -> Iterator[None]:
    """Runs every function of TorchScript as Python."""
    original = torch.jit.ScriptFunction.__call__
    known: Dict[int, Callable[..., Any]] = {}

    def call(function: Any, *args: Any, **kwargs: Any) -> Any:
        if id(function) not in known:
            known[id(function)] = _in_python(function)
        return known[id(function)](*args, **kwargs)

    torch.jit.ScriptFunction.__call__ = call
    try:
        yield
    finally:
        torch.jit.ScriptFunction.__call__ = original
