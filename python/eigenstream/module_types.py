"""The module types of model files, by the descriptions that the C++ reader goes by: types.json is what
`eigenstream types --json` prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, NamedTuple, Tuple


class ModuleType(NamedTuple):
    """A type: what torch calls it, its fields by name in the order in which they are written, and its tensors."""

    name: str
    torch: str
    group: str
    fields: Dict[str, Dict[str, Any]]
    tensors: List[Dict[str, Any]]

    @property
    def is_function(self) -> bool:
        """Whether it is a function of torch's, of each number, with numbers for further arguments."""
        return (self.group == "Activations" and self.torch != "" and not self.tensors
                and all(field["kind"] == "number" for field in self.fields.values()))

    def shapes(self, node: Mapping[str, Any]) -> Iterator[Tuple[str, Tuple[int, ...]]]:
        """Names and shapes of the tensors that a described module has."""
        for tensor in self.tensors:
            if "when" not in tensor or node.get(tensor["when"]):
                yield tensor["name"], tuple(_evaluate(extent, node) for extent in tensor["shape"])


def _evaluate(formula: str, node: Mapping[str, Any]) -> int:
    """Integers and fields with * and / between them, from left to right; kernel_size[1] is what a field has for an axis."""
    value, operator = 1, "*"
    for token in formula.split():
        if token in ("*", "/"):
            operator = token
        else:
            operand = int(token) if token.isdigit() else _value(token, node)
            value = value * operand if operator == "*" else value // operand
    return value


def _value(token: str, node: Mapping[str, Any]) -> int:
    field, _, axis = token.rstrip("]").partition("[")
    value = node[field]
    return value[int(axis)] if type(value) is list and axis else value


def _read() -> Tuple[Dict[str, int], Dict[str, ModuleType]]:
    content = json.loads(Path(__file__).with_name("types.json").read_text(encoding="utf-8"))
    types = (ModuleType(each["name"], each.get("torch", ""), each["group"], {field["name"]: field for field in each["fields"]},
                        each["tensors"]) for each in content["types"])
    return content["limits"], {each.name: each for each in types}


LIMITS, TYPES = _read()
