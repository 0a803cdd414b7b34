"""What a forward gives, by name: one signal, or several in tuples, lists and dicts."""

from __future__ import annotations

import dataclasses
from typing import Any, List, NamedTuple, Optional, Sequence, Union

from torch import Tensor

from .errors import ExportError, Refused, is_unicode

# Which of the outputs are wanted, by number or by name; None: all; False: there may be only one.
Chosen = Union[None, bool, Sequence[Union[int, str]]]


class Output(NamedTuple):
    """One of the things that a forward gives."""

    name: str
    value: Any


def plain(value: Any) -> Any:
    """A value with its named tuples and dataclasses as dicts."""
    if isinstance(value, tuple) and hasattr(value, "_asdict"):
        return {name: plain(each) for name, each in value._asdict().items()}
    if dataclasses.is_dataclass(value) and not isinstance(value, (type, dict)):
        return {field.name: plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    if isinstance(value, (tuple, list)):
        parts = [plain(each) for each in value]
        return parts if isinstance(value, list) else tuple(parts)
    if isinstance(value, dict):
        return {key: plain(each) for key, each in value.items()}
    return value


def _holds_others(value: Any) -> bool:
    return isinstance(value, (list, dict)) or isinstance(value, tuple) and not hasattr(value, "_asdict")  # as a Ref is


def outputs_of(value: Any, name: Optional[str] = None) -> List[Output]:
    """All outputs in their order. What is inside of something has its name before its own, as in "state.0"."""
    if _holds_others(value):
        items = value.items() if isinstance(value, dict) else enumerate(value)
        return [each for key, part in items for each in outputs_of(part, str(key) if name is None else f"{name}.{key}")]
    return [Output("0" if name is None else name, value)]


def choose(value: Any, chosen: Chosen, kind: str) -> List[Output]:
    """The outputs that are wanted. Errors: Refused."""
    several = _holds_others(value)
    if chosen is False:
        if several:
            raise Refused(f"its forward gives a {kind}, not one signal; give the one that is wanted")
        return outputs_of(value)
    found = outputs_of(value)
    names = [each.name for each in found]
    if not found:
        raise Refused(f"its forward gives an empty {kind}")
    if len(set(names)) < len(names):
        raise Refused(f"its forward gives two outputs that are both called {next(name for name in names if names.count(name) > 1)!r}")
    if not all(names) or not is_unicode(*names):
        raise Refused("its forward gives an output whose name is empty or not valid Unicode")
    if chosen is None:
        return found
    wanted: List[Output] = []
    for key in chosen:
        index = key if isinstance(key, int) else names.index(key) if key in names else -1
        if not 0 <= index < len(found):
            raise Refused(f"outputs holds {key!r}, but its forward gives {len(found)}: {', '.join(map(repr, names))}")
        wanted.append(found[index])
    return wanted


def checked_outputs(outputs: Optional[Sequence[Union[int, str]]]) -> Optional[List[Union[int, str]]]:
    """The user's choice. Errors: ExportError."""
    if outputs is None:
        return None
    good = isinstance(outputs, (list, tuple)) and len(outputs) > 0 and all(type(each) in (int, str) for each in outputs)
    if not good or len(set(outputs)) < len(outputs):
        raise ExportError(f"outputs is {outputs!r}, must be the outputs that are wanted, each once, such as [0] or ['mask']")
    return list(outputs)


def suggestion(outputs: Sequence[Output], good: Sequence[str]) -> str:
    """How to leave out what cannot be written, for messages."""
    if not good or len(outputs) == 1:
        return ""
    keys = [name if not name.isdigit() else int(name) for name in good]
    return f"; say which outputs are wanted, as in outputs={keys!r}"


def tensor_of(value: Any) -> Optional[Tensor]:
    """The first tensor that a forward gives, if there is one."""
    return next((each.value for each in outputs_of(plain(value)) if isinstance(each.value, Tensor)), None)
