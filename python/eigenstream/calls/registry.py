"""Which function writes the nodes of which call."""

from __future__ import annotations

from typing import Any, Callable, Dict

Handler = Callable[..., Any]

# By the name of torch's function: it takes the builder and the call's arguments, under torch's names.
HANDLERS: Dict[str, Handler] = {}


def handles(*names: str) -> Callable[[Handler], Handler]:
    def register(handler: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(names, handler))
        return handler

    return register
