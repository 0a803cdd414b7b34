"""What a model file is made of, and the limits of its reader."""

from __future__ import annotations

import functools
import math
import os
from typing import Any, Dict, Iterable, Iterator, List, Sequence, Tuple, Union

import torch
from torch import Tensor

from .module_types import LIMITS, TYPES

FORMAT_VERSION = 1
PADDING_POLICIES = ("exact", "valid")
REDUCTIONS = ("sum", "mean", "product", "max", "min", "concat")  # of any number of values
# The limits of the C++ reader, checked here so that no file is written that it would refuse.
MAX_EXTENT = LIMITS["extent"]
MAX_DEPTH = LIMITS["depth"]
MAX_RECURRENT_LAYERS = TYPES["RNN"].fields["num_layers"]["highest"]
MAX_WINDOW = LIMITS["window"]  # numbers
MAX_REACH = LIMITS["reach"]  # frames from a layer's first tap to its last
MAX_PACKED_WEIGHTS = LIMITS["packed_weights"]
MAX_FRAMES = 1 << 40  # that a network reaches over
MAX_WAITING_FRAMES = 1 << 26  # of a branch whose others come later
MAX_OUTPUTS = 1 << 20  # for each input; also before a pattern repeats
MAX_PATTERNS = 1 << 26  # numbers in all, of the patterns in which values come
MAX_HEADER_BYTES = 16 << 20
MAX_FILE_BYTES = 16 << 30
Node = Dict[str, Any]
PathLike = Union[str, "os.PathLike[str]"]


def both_sides(padding: Any) -> Tuple[int, int]:
    """A description's padding at the left and at the right end."""
    return (padding[0], padding[1]) if isinstance(padding, list) else (padding, padding)


# What goes over time and space: the type that does the same to time alone, and its axes.
OVER_SPACE = {f"{kind}{axes}d": (f"{kind}1d", axes) for kind in ("Conv", "ConvTranspose", "AvgPool", "MaxPool") for axes in (2, 3)}


def paddings(padding: Sequence[int], axes: int) -> List[List[int]]:
    """Both sides of each axis, time first, of a padding as a description has it."""
    return [list(padding[2 * i:2 * i + 2]) if len(padding) == 2 * axes else [padding[i]] * 2 for i in range(axes)]


def of_time(node: Node) -> Node:
    """What a module over time and space does to time, as one over time alone; any other as it is."""
    if node["type"] not in OVER_SPACE:
        return node
    kind, axes = OVER_SPACE[node["type"]]
    first = {name: value[0] for name, value in node.items() if type(value) is list and name not in ("from", "padding")}
    left, right = paddings(node["padding"], axes)[0]
    return {**node, **first, "type": kind, "padding": left if left == right else [left, right]}


def with_padding_of_time(node: Node, padding: Any) -> Node:
    """The same module with another padding of the time."""
    if node["type"] not in OVER_SPACE:
        return {**node, "padding": padding}
    each = [list(both_sides(padding)), *paddings(node["padding"], OVER_SPACE[node["type"]][1])[1:]]
    return {**node, "padding": as_written(each)}


def as_written(padding: Sequence[Sequence[int]]) -> List[int]:
    """Both sides of each axis as a description has them."""
    return [left for left, _ in padding] if all(a == b for a, b in padding) else [side for each in padding for side in each]


def lcm(numbers: Iterable[int]) -> int:
    return functools.reduce(lambda a, b: a // math.gcd(a, b) * b, numbers, 1)


def float32(value: float) -> float:
    return torch.tensor(value, dtype=torch.float64).to(torch.float32).item()


def dilated(kernel_size: int, dilation: int) -> int:
    """The field of a kernel: how many input samples it spans."""
    return dilation * (kernel_size - 1) + 1


def recurrent_outputs(node: Node) -> int:
    """The channels that a described RNN, GRU or LSTM gives."""
    return (node.get("proj_size") or node["hidden_size"]) * (2 if node["bidirectional"] else 1)


def recurrent_tensors(node: Node) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Names and shapes of the weights that a described RNN, GRU or LSTM has, in torch's order."""
    hidden, inputs, projected = node["hidden_size"], node["input_size"], node.get("proj_size", 0)
    rows = {"RNN": 1, "GRU": 3, "LSTM": 4}[node["type"]] * hidden
    suffixes = ("", "_reverse") if node["bidirectional"] else ("",)
    for layer in range(node["num_layers"]):
        for suffix in suffixes:
            yield f"weight_ih_l{layer}{suffix}", (rows, inputs)
            yield f"weight_hh_l{layer}{suffix}", (rows, projected or hidden)
            for name in ("bias_ih", "bias_hh") if node["bias"] else ():
                yield f"{name}_l{layer}{suffix}", (rows,)
            if projected:
                yield f"weight_hr_l{layer}{suffix}", (projected, hidden)
        inputs = recurrent_outputs(node)


def recurrent_states(node: Node) -> Iterator[Tuple[str, Tuple[int, ...]]]:
    """Names and shapes of the states that a described RNN, GRU or LSTM begins with: h0, and for an LSTM c0."""
    runs = node["num_layers"] * (2 if node["bidirectional"] else 1)
    yield "h0", (runs, node.get("proj_size") or node["hidden_size"])
    if node["type"] == "LSTM":
        yield "c0", (runs, node["hidden_size"])


def float32_copy(value: Tensor) -> Tensor:
    """A tensor as it is written."""
    return value.detach().to("cpu", torch.float32, copy=True).contiguous()
