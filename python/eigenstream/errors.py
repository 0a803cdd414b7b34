"""What the exporter says when it refuses."""

from __future__ import annotations

from typing import Optional, Sequence


class ExportError(ValueError):
    """A module, an option or a value that a model file cannot hold. The text begins with the module's path and type.
    """

    by_length = False  # whether the reason is what differs between lengths, which longer signals might not show
    shown = 0  # frames that attention had, if more of them may show what it does
    choices: Sequence[Sequence[int]] = ()  # channels to try for another reason, if this one is that they are not known


class Refused(Exception):
    """Why a call cannot be described; becomes an ExportError that says where: at `step`, if it was not the current one."""

    step: Optional[object] = None
    gives: Optional[Sequence[int]] = None  # the shape of what the call gives, if it is the current one


class ByLength(Refused):
    """A pad that differs between lengths in a way that a stream cannot, as it may be for short signals only."""


class Unseen(Refused):
    """What attention does with so few frames, which with more of them might be something else."""

    def __init__(self, reason: str, frames: int) -> None:
        super().__init__(reason)
        self.frames = frames


class Unknown(Refused):
    """A function that has no node here, but may have one that the user writes."""


OR_REGISTER = "; a module of your own can be a type of its own, with a factory in C++: register()"


def fail(path: str, module: object, message: str) -> ExportError:
    return ExportError(f"{path or '<root>'} ({type(module).__name__}): {message}")


def join(path: str, name: str) -> str:
    return f"{path}.{name}" if path else name


def one_line(error: BaseException) -> str:
    return " ".join(str(error).split())


def is_unicode(*texts: str) -> bool:
    """Whether texts can be written: not so with half of a surrogate pair in it."""
    try:
        "".join(texts).encode("utf-8")
    except UnicodeEncodeError:
        return False
    return True
