"""Knobs: arguments of a forward that have no time."""

from __future__ import annotations

import contextlib
import itertools
from typing import Any, Dict, Iterator, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from .errors import ExportError
from .format import MAX_EXTENT, float32
from .reading import like
from .signals import BATCH, SPACE

_FORMS = ((BATCH, SPACE), (SPACE,), (BATCH,), ())  # the axes that a forward may take it with


class Control:
    """An argument of a forward that is no signal, but `size` numbers that the owner of a stream sets between calls. `default`
    is what they are when a signal begins: 0, without it. The forward gets them as (batch, size), or as (size) if it does not
    run with that; a single one also as (batch) or as a tensor without axes."""

    def __init__(self, size: int = 1, default: Union[None, float, Sequence[float]] = None) -> None:
        if type(size) is not int or not 0 < size <= MAX_EXTENT:
            raise ExportError(f"a Control has size {size!r}, must be a positive integer")
        values = [0.0] * size if default is None else [default] if isinstance(default, (int, float)) else list(default)
        self.size, self.default = size, [float32(float(value)) for value in values]
        if len(self.default) != size or not all(torch.isfinite(torch.tensor(self.default))):
            raise ExportError(f"a Control of size {size} has the default {default!r}, must be as many finite numbers")

    def __repr__(self) -> str:
        return f"Control({self.size})"


class Knobs:
    """The knobs of a module, by the names of its arguments, and the axes that each is given with."""

    def __init__(self, controls: Mapping[str, Control], forms: Optional[Sequence[Tuple[str, ...]]] = None) -> None:
        self.controls = dict(controls)
        self.forms = list(forms or [_FORMS[0]] * len(self.controls))

    def every_form(self) -> Iterator["Knobs"]:
        """The same with all the axes that they may have."""
        choices = [_FORMS if control.size == 1 else _FORMS[:2] for control in self.controls.values()]
        return (Knobs(self.controls, forms) for forms in itertools.product(*choices))

    def values(self, batch: int, seed: int) -> List[Tensor]:
        """Random values (batch, size, 1)."""
        generator = torch.Generator().manual_seed(seed + 7919)
        given = []
        for control, form in zip(self.controls.values(), self.forms):
            value = torch.rand(batch, control.size, 1, generator=generator) * 2 - 1
            given.append(value if BATCH in form else value[:1].expand(batch, -1, -1))
        return given

    def as_taken(self, values: Sequence[Tensor]) -> Dict[str, Tensor]:
        """The same as the forward takes them, by name."""
        taken = {}
        for name, form, value in zip(self.controls, self.forms, values):
            value = value[..., 0] if BATCH in form else value[0, :, 0]
            taken[name] = (value if SPACE in form else value[..., 0]).clone()
        return taken


class Turned:
    """A module whose knobs are turned somehow: called with its signals only."""

    def __init__(self, root: nn.Module, knobs: Knobs) -> None:
        self.root, self.knobs = root, knobs

    def __getattr__(self, name: str) -> Any:
        return getattr(self.root, name)

    def __call__(self, *signals: Tensor) -> Any:
        batch = signals[0].shape[0]
        taken = self.knobs.as_taken(self.knobs.values(batch, batch))
        return self.root(*signals, **{name: like(self.root, value) for name, value in taken.items()})


def fitting(root: nn.Module, knobs: Knobs, run: Any) -> Knobs:
    """The knobs in the first form for which `run` does not fail, given the module with its knobs turned."""
    for each in knobs.every_form() if knobs.controls else ():
        with contextlib.suppress(Exception):
            run(Turned(root, each))
            return each
    return knobs


def split_inputs(inputs: Any) -> Tuple[Any, Dict[str, Control]]:
    """What describe() is told of the inputs: of the signals, and of the knobs. Errors: ExportError."""
    if not isinstance(inputs, Mapping):
        return inputs, {}
    if not inputs or not all(isinstance(name, str) for name in inputs):
        raise ExportError(f"inputs is {inputs!r}, must have the names of forward's arguments, as in {{'gain': Control(2)}}")
    controls = {name: each for name, each in inputs.items() if isinstance(each, Control)}
    return {name: each for name, each in inputs.items() if name not in controls} or None, controls
