"""Describe what a module's own ``forward`` does, for ``eigenstream_export``.

``torch.fx`` records the calls of the ``forward``; ``trace`` walks through the record and writes a ``Graph`` node of a model
file (``docs/model-file.md``). Three short signals of different lengths go along, through a plain interpreter of
descriptions (``apply_node``), and the number of frames for lengths with every remainder of the strides: they give the shapes
that the ``forward`` asks for, so that ``x[..., : y.shape[-1]]`` is understood as long as a stream can do it for every length.
In the end what was written is compared with what the module itself gives, for some of the lengths. Inside a ``Windowed`` it is a few windows of the one length that there is, and time is an axis as any other.
Whatever is not understood is an ``ExportError`` that names the module, and the line of its ``forward``.
"""

from __future__ import annotations

import contextlib
import dis
import functools
import inspect
import math
import traceback
from fractions import Fraction
from types import MappingProxyType
from typing import Any, Callable, Dict, Iterable, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import torch
import torch.fx
import torch.nn.functional as F
from torch import Tensor, nn

import eigenstream_export as export

Node = Dict[str, Any]

# Lengths that the usual strides divide; longer ones are tried if a network needs them, or if it is refused for the first.
SAMPLE_LENGTHS = ((192, 288, 384), (960, 1440, 1920), (4096, 6144, 8192), (20160, 30240, 40320), (131072, 147456, 163840))

LARGEST_SWEEP = 4096  # lengths of which the frames are counted
LONG = 1 << 24  # longer than what any layer looks at
_OF_ONE_LENGTH = "windows have one length, so there it can be anything: Windowed(net, size, stride)"

LARGEST = 3.4028234e38  # of float32


class _Refused(Exception):
    """Why a call cannot be described; becomes an ExportError that says where: at `node`, if it was not the current one."""

    node: Optional[torch.fx.Node] = None


class _Unknown(_Refused):
    """A function that has no node here, but may have one that the user writes."""


_OR_REGISTER = "; a module of your own can be a type of its own, with a factory in C++: register()"


# --- what a description means ---------------------------------------------------------------------------------------


# Nodes that hold others.
_CONTAINERS = ("Sequential", "Residual", "Parallel", "Graph", "Windowed")


def _both(padding: Any) -> Tuple[int, int]:
    """A description's padding at the left and at the right end."""
    return (padding[0], padding[1]) if isinstance(padding, list) else (padding, padding)


def _joined(op: str, operands: Sequence[Tensor], window: bool) -> Tensor:
    """What a Reduce that was traced makes of its operands. Outside of windows nothing is left out in front of them:
    they are equally long, or one of them has an end that depends on the signal's length."""
    if not window:
        shortest = min(operand.shape[-1] for operand in operands)
        operands = [operand[..., :shortest] for operand in operands]
    return export.reduce_values(op, operands, window)


def _lcm(numbers: Iterable[int]) -> int:
    return functools.reduce(lambda a, b: a // math.gcd(a, b) * b, numbers, 1)


def _pad(x: Tensor, left: int, right: int, mode: str, value: float) -> Tensor:
    x = x[..., max(0, -left): max(0, x.shape[-1] - max(0, -right))]
    amounts = (max(0, left), max(0, right))
    if not any(amounts):
        return x
    return F.pad(x, amounts, mode="replicate") if mode == "replicate" else F.pad(x, amounts, value=value)


_POINTWISE: Dict[str, Callable[..., Tensor]] = {
    "ReLU": F.relu, "LeakyReLU": F.leaky_relu, "ELU": F.elu, "SELU": F.selu, "SiLU": F.silu, "Sigmoid": torch.sigmoid,
    "Tanh": torch.tanh, "Softplus": F.softplus, "Softsign": F.softsign, "Hardtanh": F.hardtanh,
    "Hardsigmoid": F.hardsigmoid, "Hardswish": F.hardswish, "GELU": F.gelu, "CELU": F.celu, "Mish": F.mish,
    "LogSigmoid": F.logsigmoid, "Tanhshrink": F.tanhshrink, "Softshrink": F.softshrink, "Hardshrink": F.hardshrink,
    "Threshold": F.threshold, "Abs": torch.abs, "Exp": torch.exp, "Log": torch.log, "Sqrt": torch.sqrt,
    "Square": torch.square, "Sin": torch.sin, "Cos": torch.cos, "Reciprocal": torch.reciprocal,
}


def _recurrent(node: Node, tensor: Callable[[str], Tensor], x: Tensor) -> Tensor:
    functions = {"GRU": torch.gru, "LSTM": torch.lstm,
                 "RNN": torch.rnn_relu if node.get("nonlinearity") == "relu" else torch.rnn_tanh}
    weights = [tensor(name) for name, _ in export.recurrent_tensors(node)]
    states = [tensor(name) if node["initial_state"] else x.new_zeros(shape) for name, shape in export.recurrent_states(node)]
    states = [state.unsqueeze(1).repeat(1, x.shape[0], 1) for state in states]
    y, *_ = functions[node["type"]](x.transpose(1, 2), states if len(states) > 1 else states[0], weights, node["bias"],
                                    node["num_layers"], 0.0, False, node["bidirectional"], True)
    return y.transpose(1, 2)


# What only windows have, besides the norms and what remembers.
_OF_WINDOWS: Dict[str, Callable[[Tensor, Node], Tensor]] = {
    "GroupNorm": None, "InstanceNorm1d": None,
    "AdaptiveAvgPool1d": lambda x, node: F.adaptive_avg_pool1d(x, node["output_size"]),
    "AdaptiveMaxPool1d": lambda x, node: F.adaptive_max_pool1d(x, node["output_size"]),
    "Flatten": lambda x, node: x.reshape(x.shape[0], -1, 1),
    "Transpose": lambda x, node: x.transpose(1, 2),
    "Reverse": lambda x, node: x.flip(2),
}


def apply_node(node: Node, tensors: Mapping[str, Tensor], x: Tensor, window: bool = False,
               own: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({})) -> Tensor:
    """What a described module makes of x (B, C, T): the meaning of docs/model-file.md in torch's terms. With `window`,
    x are windows inside a Windowed. `own` has what computes the types of the user's, by path."""
    kind, path = node["type"], node["path"]
    if path in own and kind not in _CONTAINERS:
        return own[path](x)

    def tensor(name: str, wanted: bool = True) -> Optional[Tensor]:
        return tensors[f"{path}.{name}" if path else name] if wanted else None

    if kind in _POINTWISE:
        fields = {key: value for key, value in node.items() if key not in ("type", "path", "from")}
        return _POINTWISE[kind](x, **fields)
    if kind == "Sequential":
        for layer in node["layers"]:
            x = apply_node(layer, tensors, x, window, own)
        return x
    if kind == "Residual":
        return export.reduce_values("sum", [apply_node(node["net"], tensors, x, window, own), x], window)
    if kind == "Parallel":
        outputs = [apply_node(branch, tensors, x, window, own) for branch in node["branches"]]
        return export.reduce_values(node["reduce"], outputs, window)
    if kind == "Graph":
        values = [x]
        for inner in node["nodes"]:
            operands = [values[number] for number in inner["from"]]
            if inner["type"] != "Reduce":
                values.append(apply_node(inner, tensors, operands[0], window, own))
                continue
            values.append(_joined(inner["op"], operands, window))
        return values[-1]
    if kind == "Windowed":
        padding = list(_both(node["padding"]))
        net = _Applied(node["net"], tensors)
        return export.Windowed(net, node["size"], node["stride"], padding)(x)
    if kind == "Snapshotter":
        return export.Snapshotter(node["num_channels"], node["snapshot_size"], node["stride_size"])(x)
    if kind == "OverlapAdd":
        padding = list(_both(node["padding"]))
        return export.OverlapAdd(node["channels"], node["size"], node["stride"], padding, node["normalise"],
                                 tensor("window", node["weighted"]))(x)
    if kind == "OnlineAverager":
        return export.OnlineAverager(node["update_size"], node["num_updates"], node["num_channels"], node["offset"],
                                     node["normalise_start"])(x)
    if kind in ("RNN", "GRU", "LSTM"):
        return _recurrent(node, tensor, x)
    if kind in _OF_WINDOWS and window:
        if kind in ("GroupNorm", "InstanceNorm1d"):
            groups = node["num_groups"] if kind == "GroupNorm" else node["num_features"]
            affine = node["affine"]
            return F.group_norm(x, groups, tensor("weight", affine), tensor("bias", affine), node["eps"])
        return _OF_WINDOWS[kind](x, node)
    if kind == "Conv1d":
        left, right = _both(node["padding"])
        mode = node.get("padding_mode", "zeros")
        x = _pad(x, left, right, mode, node.get("padding_value", 0.0))
        return F.conv1d(x, tensor("weight"), tensor("bias", node["bias"]), node["stride"], 0, node["dilation"],
                        node["groups"])
    if kind == "ConvTranspose1d":
        left, right = _both(node["padding"])
        both = min(left, right)
        y = F.conv_transpose1d(x, tensor("weight"), tensor("bias", node["bias"]), node["stride"], both,
                               node["output_padding"], node["groups"], node["dilation"])
        return _pad(y, both - left, both - right, "constant", 0.0)
    if kind == "AvgPool1d":
        return F.avg_pool1d(x, node["kernel_size"], node["stride"], node["padding"], node["ceil_mode"],
                            node["count_include_pad"])
    if kind == "MaxPool1d":
        return F.max_pool1d(x, node["kernel_size"], node["stride"], node["padding"], node["dilation"],
                            node["ceil_mode"])
    if kind == "Pad":
        return _pad(x, node["left"], node["right"], node["mode"], node.get("value", 0.0))
    if kind == "Resample":
        from torchaudio.functional import resample

        fields = {key: value for key, value in node.items() if key not in ("type", "path", "from")}
        return resample(x, **fields)
    if kind == "Linear":
        return F.linear(x.transpose(1, 2), tensor("weight"), tensor("bias", node["bias"])).transpose(1, 2)
    if kind == "LayerNorm":
        affine = node["elementwise_affine"]
        return F.layer_norm(x.transpose(1, 2), (node["normalized_shape"],), tensor("weight", affine),
                            tensor("bias", affine), node["eps"]).transpose(1, 2)
    if kind == "BatchNorm1d":
        affine = node["affine"]
        return F.batch_norm(x, tensor("running_mean"), tensor("running_var"), tensor("weight", affine),
                            tensor("bias", affine), False, 0.0, node["eps"])
    if kind == "PReLU":
        return F.prelu(x, tensor("weight"))
    if kind == "GLU":
        return F.glu(x, 1)
    if kind in ("Softmax", "LogSoftmax"):
        return F.softmax(x, 1) if kind == "Softmax" else F.log_softmax(x, 1)
    if kind == "Affine":
        if "channels" in node:
            return x * tensor("weight").unsqueeze(-1) + tensor("bias").unsqueeze(-1)
        return x * node["scale"] + node["offset"]
    if kind == "ChannelSlice":
        return x[:, node["start"]: node["start"] + node["channels"]]
    if kind == "Snake":
        alpha = tensor("alpha").unsqueeze(-1)
        return x + torch.sin(alpha * x).square() / alpha
    raise _Refused(f"{kind} is a type of your own, and what it makes of a signal is not known here; "
                   "export with check=False")


class _Applied(nn.Module):
    """A described network, run on windows."""

    def __init__(self, node: Node, tensors: Mapping[str, Tensor]) -> None:
        super().__init__()
        self.node, self.tensors = node, tensors

    def forward(self, x: Tensor) -> Tensor:
        return apply_node(self.node, self.tensors, x, True)


def without_padding(node: Node) -> Node:
    """The description under the padding policy "valid": no time padding, output_padding or ceil_mode; crops stay."""
    node = dict(node)
    if node["type"] == "Windowed":  # what is padded inside the windows belongs to the network
        return {**node, "padding": 0}
    if node["type"] == "Snapshotter":
        return {"type": "Windowed", "path": node["path"], "size": node["snapshot_size"], "stride": node["stride_size"],
                "padding": 0, "channels": node["num_channels"],
                "net": {"type": "Sequential", "path": export._join(node["path"], "net"), "layers": []}}
    for field in ("layers", "branches", "nodes"):
        if field in node:
            node[field] = [without_padding(child) for child in node[field]]
    if "net" in node:
        node["net"] = without_padding(node["net"])
    kind = node["type"]
    if kind in ("Conv1d", "ConvTranspose1d", "AvgPool1d", "MaxPool1d"):
        node["padding"] = 0
        node.pop("padding_mode", None)
        node.pop("padding_value", None)
        for field, off in (("output_padding", 0), ("ceil_mode", False)):
            if field in node:
                node[field] = off
    elif kind == "Pad":
        node["left"], node["right"] = min(0, node["left"]), min(0, node["right"])
    return node


# --- how many frames a description gives ---------------------------------------------------------------------------


# Types that make one frame of one frame, and look at no later one.
_FRAME_BY_FRAME = {*_POINTWISE, "Linear", "LayerNorm", "BatchNorm1d", "PReLU", "GLU", "Softmax", "LogSoftmax", "Affine",
                   "ChannelSlice", "Snake", "RNN", "GRU", "LSTM"}


class _OwnType(Exception):
    """Nothing is known of a type of the user's."""


def _reach(node: Node) -> int:
    return node.get("dilation", 1) * (node["kernel_size"] - 1) + 1


def frames_after(node: Node, n: int) -> int:
    """Frames that a described module gives for a signal of n frames."""
    kind = node["type"]
    if n <= 0:
        return 0
    if kind in _FRAME_BY_FRAME:
        return n
    if kind == "Sequential":
        for layer in node["layers"]:
            n = frames_after(layer, n)
        return n
    if kind == "Residual":
        return frames_after(node["net"], n)
    if kind == "Parallel":
        return min(frames_after(branch, n) for branch in node["branches"])
    if kind == "Graph":
        counts = [n]
        for inner in node["nodes"]:
            least = min(counts[number] for number in inner["from"])
            counts.append(least if inner["type"] == "Reduce" else frames_after(inner, least))
        return counts[-1]
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        (left, right), stride = _both(node["padding"]), node["stride"]
        room = n + left + right - (node["size"] if kind == "Windowed" else _reach(node))
        if not node.get("ceil_mode", False):
            return room // stride + 1 if room >= 0 else 0
        windows = max(0, -(-room // stride) + 1)
        return windows - 1 if (windows - 1) * stride >= n + left else windows
    if kind in ("ConvTranspose1d", "OverlapAdd"):
        left, right = _both(node["padding"])
        reach = node["size"] if kind == "OverlapAdd" else _reach(node) + node["output_padding"]
        return max(0, (n - 1) * node["stride"] + reach - left - right)
    if kind == "Pad":
        return max(0, n + node["left"] + node["right"])
    if kind == "Resample":
        return -(-n * node["new_freq"] // node["orig_freq"])
    if kind == "Snapshotter":
        return n // node["stride_size"]
    if kind == "OnlineAverager":
        return (n + node["num_updates"] - 1) * node["update_size"]
    raise _OwnType


def _pace(node: Node) -> Tuple[Fraction, int]:
    """Frames given for each one taken, and after how many taken ones everything inside repeats."""
    kind = node["type"]
    if kind == "Residual":
        return _pace(node["net"])
    if kind in ("Sequential", "Parallel", "Graph"):
        rates, period = [Fraction(1)], 1
        inside = node["layers"] if kind == "Sequential" else node["branches"] if kind == "Parallel" else node["nodes"]
        for i, inner in enumerate(inside):
            rate = rates[inner.get("from", [i if kind == "Sequential" else 0])[0]]
            faster, repeats = (Fraction(1), 1) if inner["type"] == "Reduce" else _pace(inner)
            period = _lcm((period, (rate / repeats).denominator))
            rates.append(rate * faster)
        return rates[-1], period
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        return Fraction(1, node["stride"]), node["stride"]
    if kind in ("ConvTranspose1d", "OverlapAdd"):
        return Fraction(node["stride"]), 1
    if kind == "Resample":
        rate = Fraction(node["new_freq"], node["orig_freq"])
        return rate, rate.denominator
    if kind == "Snapshotter":
        return Fraction(1, node["stride_size"]), node["stride_size"]
    if kind == "OnlineAverager":
        return Fraction(node["update_size"]), 1
    if kind in _FRAME_BY_FRAME or kind == "Pad":
        return Fraction(1), 1
    raise _OwnType


def _looks_back(node: Node) -> bool:
    """Whether a longer signal only makes more frames of it, and changes none: nothing is done at its end."""
    kind = node["type"]
    if kind == "Sequential":
        return all(map(_looks_back, node["layers"]))
    if kind in ("Conv1d", "Windowed", "AvgPool1d", "MaxPool1d"):
        return _both(node["padding"])[1] == 0 and not node.get("ceil_mode", False)
    if kind == "ConvTranspose1d":
        return _reach(node) - _both(node["padding"])[1] + node["output_padding"] <= node["stride"]
    return kind in _FRAME_BY_FRAME or kind == "Snapshotter" or kind == "Pad" and node["right"] <= 0


def check_residual(module: nn.Module, node: Node) -> None:
    """Throws if the net of a described Residual does to lengths what the file does not allow."""
    try:
        pace, shrink = _pace(node["net"]), LONG - frames_after(node["net"], LONG)
    except _OwnType:
        return
    if pace != (1, 1):
        raise export._fail(node["path"], module, "has a stride in its net, but inside a Residual every stride must be 1")
    if shrink < 0:
        raise export._fail(node["path"], module, f"its net makes its input {-shrink} samples longer, and there is nothing to "
                           "add to those; use less padding inside")


def check_starts(module: nn.Module, node: Node) -> None:
    """Throws if the branches of a described Parallel come at different rates, or if how much it leaves out of their starts
    depends on the signal's length: torch goes by the length that there is, a stream leaves out the same for every one."""
    try:
        paces = [_pace(branch) for branch in node["branches"]]
        rates = sorted({rate for rate, _ in paces})
        if len(rates) > 1:
            raise export._fail(node["path"], module, f"has branches of different rates, {rates[0]} and {rates[1]} frames for "
                               "each of the signal, which cannot be joined frame by frame; give them equal strides")
        period, starts = _lcm(own for _, own in paces), set()
        for n in range(LONG, LONG + min(period, LARGEST_SWEEP)):
            counts = [frames_after(branch, n) for branch in node["branches"]]
            starts.add(tuple((count - min(counts)) // 2 for count in counts))
    except _OwnType:
        return
    if len(starts) > 1:
        (first, second, *_) = sorted(starts)
        raise export._fail(node["path"], module, f"leaves out {first} frames at the start of its branches for some lengths "
                           f"of the signal and {second} for others, but a stream leaves out the same for every length; give "
                           "the branches strides and paddings that make them equally long")


# --- crops at the end -----------------------------------------------------------------------------------------------
#
# A Pad that takes frames away from the end waits for as many before it knows that the others belong to the result. Where
# what it crops had been padded at that end, less padding gives the same frames without waiting.


def fold_crops(node: Node) -> Node:
    """The same network with crops at the end folded into the padding before them, as far as they can be."""
    return _cut(node, 0, 0)[0]


def _room(node: Node, before: int) -> int:
    """How many frames may be cut off the end of what a module gives without a crop, if up to `before` may be cut off what
    it takes. So may fewer."""
    kind = node["type"]
    if kind in _FRAME_BY_FRAME:
        return before
    if kind == "Sequential":
        for layer in node["layers"]:
            before = _room(layer, before)
        return before
    if kind in _BRANCHING and _passes(node):
        return before
    if kind == "Parallel":
        return min(_room(branch, 0) for branch in node["branches"])
    if kind in ("Conv1d", "Windowed"):
        right, stride = _both(node["padding"])[1], node["stride"]
        return right // stride + (before // stride if right % stride == 0 else 0)
    if kind in ("AvgPool1d", "MaxPool1d"):
        return before // node["stride"] if node["padding"] == 0 and not node["ceil_mode"] else 0
    if kind == "Snapshotter":
        return before // node["stride_size"]
    if kind == "ConvTranspose1d":
        return export.MAX_EXTENT - _both(node["padding"])[1]
    if kind == "OverlapAdd":
        return node["size"] - node["stride"] - _both(node["padding"])[1]
    return max(0, before + node["right"]) if kind == "Pad" else 0


def _cut(node: Node, cut: int, before: int) -> Tuple[Node, int]:
    """The module that gives `cut` frames fewer at the end, at most _room(node, before), and how many fewer it then takes.
    """
    kind = node["type"]
    if kind in _FRAME_BY_FRAME:
        return node, cut
    if kind in _BRANCHING and _passes(node):  # nothing is padded in there
        return node, cut
    if kind == "Residual":
        return {**node, "net": _cut(node["net"], 0, 0)[0]}, 0
    if kind == "Parallel":
        return {**node, "branches": [_cut(branch, cut, 0)[0] for branch in node["branches"]]}, 0
    if kind == "Graph":
        return _cut_graph(node), 0
    if kind == "Sequential":
        befores = [before]
        for layer in node["layers"]:
            befores.append(_room(layer, befores[-1]))
        layers: List[Node] = []
        for layer, before in zip(reversed(node["layers"]), reversed(befores[:-1])):
            layer, cut = _cut(layer, cut, before)
            layers = layers if _is_nothing(layer) else [layer, *layers]
        return {**node, "layers": layers}, cut
    if kind == "Pad":
        right = node["right"] - cut
        rest = min(before, max(0, -right))
        return {**node, "right": right + rest}, rest
    if kind in ("AvgPool1d", "MaxPool1d"):
        return node, cut * node["stride"]
    if kind == "Snapshotter":
        return node, cut * node["stride_size"]
    if kind not in ("Conv1d", "Windowed", "ConvTranspose1d", "OverlapAdd"):
        return node, 0
    (left, right), stride = _both(node["padding"]), node["stride"]
    if kind in ("Conv1d", "Windowed"):
        folded = min(cut, right // stride)
        right, rest = right - folded * stride, (cut - folded) * stride
    else:
        right, rest = right + cut, 0
        if kind == "ConvTranspose1d":  # a last input that reaches nothing which is left need not come
            beyond = (right - node["output_padding"] - _reach(node)) // stride + 1
            rest = max(0, min(before, beyond, right // stride))
            right -= rest * stride
    if right == _both(node["padding"])[1]:
        return node, rest
    return {**node, "padding": left if left == right else [left, right]}, rest


_BRANCHING = ("Residual", "Parallel", "Graph")


def _passes(node: Node) -> bool:
    """Whether to cut frames off the end of what a module gives is to cut as many off what it takes."""
    kind = node["type"]
    if kind in ("Sequential", "Parallel", "Graph"):
        inside = node["layers"] if kind == "Sequential" else node["branches"] if kind == "Parallel" else node["nodes"]
        return all(inner["type"] == "Reduce" or _passes(inner) for inner in inside)
    if kind == "Residual":
        return _passes(node["net"])
    return kind != "ConvTranspose1d" and _looks_back(node) and node.get("stride", node.get("stride_size", 1)) == 1


def _is_nothing(node: Node) -> bool:
    return node["type"] == "Pad" and node["left"] == node["right"] == 0


def _cut_graph(graph: Node) -> Node:
    """A Graph with its crops folded. What is cut off a value is cut for all that take it: as much as each of them wants."""
    nodes = graph["nodes"]
    most = [export.MAX_EXTENT] * len(nodes)  # how much shorter a node may want what it takes
    while True:
        rooms, befores = [0], []
        for node, own in zip(nodes, most):
            befores.append(min(own, *(rooms[number] for number in node["from"])))
            rooms.append(befores[-1] if node["type"] == "Reduce" else _room(node, befores[-1]))
        wanted: List[List[int]] = [[] for _ in rooms]
        wanted[-1].append(0)
        cut: List[Tuple[Node, int]] = []
        for node, before, cuts in zip(reversed(nodes), reversed(befores), reversed(wanted)):
            cut.insert(0, (node, min(cuts)) if node["type"] == "Reduce" else _cut(node, min(cuts), before))
            for number in node["from"]:
                wanted[number].append(cut[0][1])
        granted = [min(min(wanted[number]) for number in node["from"]) for node in nodes]
        if all(rest <= given for (_, rest), given in zip(cut, granted)):
            break
        most = [min(own, given) if rest > given else own for own, (_, rest), given in zip(most, cut, granted)]
    numbers, kept = {0: 0}, []
    for i, (node, _) in enumerate(cut):
        sources = [numbers[number] for number in node["from"]]
        if not _is_nothing(node):
            kept.append({**node, "from": sources})
        numbers[i + 1] = sources[0] if _is_nothing(node) else len(kept)
    return {**graph, "nodes": kept}


# --- what flows through a forward -----------------------------------------------------------------------------------


_SIGNAL = ("batch", "channels", "time")
_FEATURES = ("batch", "channels")


class _Value:
    """A signal: the number of its value in the graph, and samples (B, C, T) of it. `axes` are those that the forward
    sees: (B, T, C) if it was transposed; in a window channels or time may be missing, which then have the extent 1, and
    the batch may be elsewhere.
    `memory` is shared by views of the same tensor. `frames` are its lengths, for each of the walker's; where they are
    less than those of its number, the forward has cut it at the end by so many: `cut` is why a stream could not."""

    def __init__(self, number: int, samples: List[Tensor], axes: Tuple[str, ...] = _SIGNAL,
                 memory: Optional[object] = None, frames: Optional[List[int]] = None,
                 cut: Optional[_Refused] = None) -> None:
        self.number = number
        self.samples = samples
        self.axes = axes
        self.memory = memory if memory is not None else object()
        self.frames = [sample.shape[-1] for sample in samples] if frames is None else frames
        self.cut = cut

    def __repr__(self) -> str:
        return f"a signal ({', '.join(self.axes)})"

    @property
    def channels(self) -> int:
        return self.samples[0].shape[1]

    def axis(self, dim: Any) -> str:
        """The role of an axis: batch, channels or time."""
        if not isinstance(dim, int) or not -len(self.axes) <= dim < len(self.axes):
            raise _Refused(f"there is no axis {dim!r} of a signal ({', '.join(self.axes)})")
        return self.axes[dim]

    def shape(self) -> Tuple[Any, ...]:
        times = self.frames
        sizes = {"batch": _BATCH, "channels": self.channels, "time": times[0] if len(times) == 1 else _Number(times)}
        return tuple(sizes[role] for role in self.axes)

    def views(self) -> List[Tensor]:
        """The samples as the forward has them."""
        missing = [role for role in _SIGNAL if role not in self.axes]
        views = [sample.permute([_SIGNAL.index(role) for role in (*self.axes, *missing)]) for sample in self.samples]
        return [view.squeeze(-1) for view in views] if missing else views


class _Extreme(NamedTuple):
    """What max and min over an axis give. Nothing is known of the indices."""

    values: _Value
    indices: None = None

    def __repr__(self) -> str:
        return "a maximum or minimum with its indices"


class _Recurrence(NamedTuple):
    """What a recurrent layer gives. Of its last state (h, or h and c) nothing is known."""

    output: _Value
    state: Tuple[None, None] = (None, None)

    def __repr__(self) -> str:
        return "the output and the state of a recurrent layer"


class _Number:
    """A number that depends on the signal's length: what it is for each length."""

    def __init__(self, values: Sequence[Any]) -> None:
        self.values = list(values)

    def __repr__(self) -> str:
        return "a number that depends on the signal's length"


class _Batch:
    """The size of the batch, of which nothing may depend."""

    def __repr__(self) -> str:
        return "the size of the batch"


_BATCH = _Batch()

_STAND_INS = {_Value: "signal", _Extreme: "maximum", _Recurrence: "recurrent output", _Number: "number", _Batch: "batch"}


def _what(value: Any) -> str:
    """What a value is, for messages."""
    return repr(value) if isinstance(value, tuple(_STAND_INS)) else f"a {type(value).__name__}"


def _in_words(error: BaseException) -> str:
    """What Python says, without the names that stand-ins have here."""
    text = export._one_line(error)
    for cls, words in _STAND_INS.items():
        text = text.replace(f"'{cls.__name__}'", f"'{words}'")
    return text


def _contains(args: Any, kind: type) -> bool:
    if isinstance(args, (tuple, list)):
        return any(_contains(arg, kind) for arg in args)
    if isinstance(args, dict):
        return any(_contains(arg, kind) for arg in args.values())
    if isinstance(args, slice):
        return _contains((args.start, args.stop, args.step), kind)
    return isinstance(args, kind)


def _known(argument: Any, env: Mapping[torch.fx.Node, Any]) -> Any:
    """An argument with what its nodes are."""
    if isinstance(argument, torch.fx.Node):
        return env[argument]
    if isinstance(argument, (tuple, list)):
        return type(argument)(_known(each, env) for each in argument)
    if isinstance(argument, dict):
        return {key: _known(value, env) for key, value in argument.items()}
    if isinstance(argument, slice):
        return slice(*(_known(each, env) for each in (argument.start, argument.stop, argument.step)))
    return argument


def _callable(target: Any) -> Callable[..., Any]:
    """A recorded function, or a method by its name."""
    return target if callable(target) else lambda own, *more, **named: getattr(own, target)(*more, **named)


def _at(args: Any, i: int) -> Any:
    """Arguments for length i."""
    if isinstance(args, _Number):
        return args.values[i]
    if isinstance(args, (tuple, list)):
        return type(args)(_at(arg, i) for arg in args)
    if isinstance(args, dict):
        return {key: _at(arg, i) for key, arg in args.items()}
    return args


def _bind(names: str, args: Sequence[Any], kwargs: Mapping[str, Any], **defaults: Any) -> List[Any]:
    """Arguments in the order of `names`, as Python would bind them."""
    bound = dict(zip(names.split(), args))
    if len(args) > len(names.split()):
        raise _Refused(f"takes {len(args)} arguments, expected at most {len(names.split())}")
    for key, value in kwargs.items():
        if key not in names.split() or key in bound:
            raise _Refused(f"the argument {key} is not supported")
        bound[key] = value
    return [bound.get(name, defaults.get(name)) for name in names.split()]


# Functions and methods that are a node by themselves: type, and arguments with their defaults, in torch's order.
_SIMPLE: Dict[str, Tuple[str, Tuple[Tuple[str, Any], ...]]] = {
    "relu": ("ReLU", ()),
    "leaky_relu": ("LeakyReLU", (("negative_slope", 0.01),)),
    "elu": ("ELU", (("alpha", 1.0),)),
    "selu": ("SELU", ()),
    "celu": ("CELU", (("alpha", 1.0),)),
    "silu": ("SiLU", ()),
    "sigmoid": ("Sigmoid", ()),
    "expit": ("Sigmoid", ()),
    "tanh": ("Tanh", ()),
    "softplus": ("Softplus", (("beta", 1.0), ("threshold", 20.0))),
    "softsign": ("Softsign", ()),
    "hardtanh": ("Hardtanh", (("min_val", -1.0), ("max_val", 1.0))),
    "hardsigmoid": ("Hardsigmoid", ()),
    "hardswish": ("Hardswish", ()),
    "mish": ("Mish", ()),
    "logsigmoid": ("LogSigmoid", ()),
    "log_sigmoid": ("LogSigmoid", ()),
    "tanhshrink": ("Tanhshrink", ()),
    "softshrink": ("Softshrink", (("lambd", 0.5),)),
    "hardshrink": ("Hardshrink", (("lambd", 0.5),)),
    "threshold": ("Threshold", (("threshold", None), ("value", None))),
    "abs": ("Abs", ()),
    "absolute": ("Abs", ()),
    "exp": ("Exp", ()),
    "log": ("Log", ()),
    "sqrt": ("Sqrt", ()),
    "square": ("Square", ()),
    "sin": ("Sin", ()),
    "cos": ("Cos", ()),
    "reciprocal": ("Reciprocal", ()),
}

# Names that leave the numbers as they are.
_NOTHING = ("contiguous", "clone", "detach", "float", "identity", "requires_grad")

# Functions that need the whole signal over time: the arguments behind the signal up to the one with the axes, and those
# where it is not given.
_WHOLE_SIGNAL: Dict[str, Tuple[str, Any]] = {
    **dict.fromkeys(("group_norm", "instance_norm", "adaptive_avg_pool1d", "adaptive_max_pool1d", "bmm",
                     "scaled_dot_product_attention", "stft"), ("", -1)),
    "flip": ("dims", None), "roll": ("shifts dims", None), "norm": ("p dim", None), "normalize": ("p dim", 1),
    **dict.fromkeys(("linalg_norm", "linalg_vector_norm"), ("ord dim", None)),
    **dict.fromkeys(("cumsum", "cumprod", "argmax", "argmin"), ("dim", None)), "sort": ("dim", -1),
    **dict.fromkeys(("fft", "rfft", "fft_fft", "fft_rfft"), ("n dim", -1)),
}
_INSTEAD = {"norm": "; the Euclidean one is x.square().sum(1, keepdim=True).sqrt()",
            "flip": "; concatenate slices of them, or use a Conv1d with one tap"}


# Functions and methods that make tensors of a given size, of which torch itself does not take a stand-in.
_FILLED = ("zeros", "ones", "full", "empty", "rand", "randn")
_OWN_FILLED = ("expand", "repeat", "new", "new_zeros", "new_ones", "new_full", "new_empty")


class _Unpacked(torch.fx.Proxy):
    """Unpacks as torch's own does, also where that one's look at the bytecode fails (torch before 2.0 with Python 3.11), and
    goes through the parts of chunk and split in a loop."""

    def __iter__(self) -> Iterator[Any]:
        frame = inspect.currentframe().f_back
        for instruction in dis.get_instructions(frame.f_code):
            if instruction.offset == frame.f_lasti and instruction.opname == "UNPACK_SEQUENCE":
                return (self[i] for i in range(instruction.argval))
        parts = self._parts()
        return self.tracer.iter(self) if parts is None else (self[i] for i in range(parts))

    def __len__(self) -> int:
        parts = self._parts()
        return super().__len__() if parts is None else parts

    def _parts(self) -> Optional[int]:
        """How many parts a chunk or split has, as far as its arguments say."""
        name = self.node.target if isinstance(self.node.target, str) else getattr(self.node.target, "__name__", "")
        sizes = [*self.node.args[1:2], *self.node.kwargs.values()][:1]
        if name == "chunk" and sizes and isinstance(sizes[0], int):
            return sizes[0]
        if name in ("split", "split_with_sizes") and sizes and isinstance(sizes[0], (list, tuple)):
            return len(sizes[0])
        return None


class _Attribute(_Unpacked, torch.fx.proxy.Attribute):
    """What stands for an attribute of a signal, as its shape."""


class _Proxy(_Unpacked):
    """What stands for a signal while a forward is recorded."""

    def __getattr__(self, name: str) -> _Attribute:
        return _Attribute(self, name)


class _Tracer(torch.fx.Tracer):
    """Goes into every module that the exporter does not know."""

    def __init__(self, known: Callable[[nn.Module], bool]) -> None:
        super().__init__()
        self._known = known
        self.kept: List[str] = []  # attributes in which the forward keeps what it has computed
        self.inside: List[str] = [""]  # the modules whose forward is being traced, the innermost last

    def proxy(self, node: torch.fx.Node) -> torch.fx.Proxy:
        return _Proxy(node, self)

    def is_leaf_module(self, module: nn.Module, qualified_name: str) -> bool:
        return self._known(module)

    def trace(self, root: nn.Module, concrete_args: Optional[Dict[str, Any]] = None) -> torch.fx.Graph:
        before = [(path, module, dict(vars(module))) for path, module in root.named_modules()]
        try:
            with contextlib.ExitStack() as patches:
                for owner, names in ((torch, _FILLED), (Tensor, _OWN_FILLED)):
                    for name in names:
                        patches.enter_context(self._recorded(owner, name))
                return super().trace(root, concrete_args)
        finally:
            for path, module, attributes in before:
                for name in [name for name, value in vars(module).items() if any(
                        isinstance(each, torch.fx.Proxy) for each in (value if type(value) in (tuple, list) else [value]))]:
                    self.kept.append(export._join(path, name))
                    if name in attributes:
                        setattr(module, name, attributes[name])
                    else:
                        delattr(module, name)

    @contextlib.contextmanager
    def _recorded(self, owner: Any, name: str) -> Iterator[None]:
        """A function or method of torch that is recorded if a stand-in is among its arguments."""
        original, inherited = getattr(owner, name), name not in vars(owner)

        @functools.wraps(original)
        def call(*args: Any, **kwargs: Any) -> Any:
            if not _contains((args, kwargs), torch.fx.Proxy):
                return original(*args, **kwargs)
            if owner is torch:
                return self.create_proxy("call_function", original, args, kwargs)
            return self.create_proxy("call_method", name, args, kwargs)

        setattr(owner, name, call)
        try:
            yield
        finally:
            delattr(owner, name) if inherited else setattr(owner, name, original)

    def call_module(self, module: nn.Module, forward: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        if self._known(module):
            return super().call_module(module, forward, args, kwargs)
        self.inside.append(self.path_of_module(module))
        result = super().call_module(module, forward, args, kwargs)
        self.inside.pop()  # not after an error: then it is here
        return result

    def create_node(self, *args: Any, **kwargs: Any) -> torch.fx.Node:
        node = super().create_node(*args, **kwargs)
        node.meta["inside"] = self.inside[-1]
        return node


def _states(graph: torch.fx.Graph, root: nn.Module) -> Set[torch.fx.Node]:
    """The nodes that only lead to the states with which recurrent layers begin: they are computed, not written."""
    found: Set[torch.fx.Node] = set()

    def leads_there(node: torch.fx.Node, user: torch.fx.Node) -> bool:
        if user in found or user.op != "call_module" or not export.is_recurrent(root.get_submodule(user.target)):
            return user in found
        return node is not (user.args[0] if user.args else user.kwargs.get("input"))

    for node in reversed(graph.nodes):
        if node.op != "placeholder" and node.users and all(leads_there(node, user) for user in node.users):
            found.add(node)
    return found


class _Walker:
    """Walks through a traced forward and writes the nodes of a graph. Of all `lengths`, the first ones are those of the
    samples; of the others frames are only counted. Those that the module itself does not take are `dead` in the end.
    With `lenient`, what a stream cannot do at some of these others makes it `doubtful` instead of an error."""

    def __init__(self, describer: Any, root: nn.Module, path: str, graph: torch.fx.Graph, lengths: Sequence[int],
                 lenient: bool = False) -> None:
        self.describer = describer
        self.root = root
        self.path = path
        self.graph = graph
        self.windows = describer.windows is not None
        self.lengths = list(lengths)
        self.lenient = lenient
        self.doubtful = False
        self.dead: Set[int] = set()  # numbers of lengths
        self.moduli: Set[int] = set()  # of what the forward computes of lengths
        self.values: List[_Value] = []  # by number, as the stream has them
        self.nodes: List[Node] = []
        self.env: Dict[torch.fx.Node, Any] = {}
        self.order = {node: i for i, node in enumerate(graph.nodes)}
        self.inputs: Dict[torch.fx.Node, _Value] = {}
        self.states = _states(graph, root)
        self.used_paths: Dict[str, int] = {}
        self.current: Optional[torch.fx.Node] = None
        self._in_place: Optional[_Value] = None  # what the module being called changes

    # Writing nodes.

    def unique(self, name: str) -> str:
        """`name` below the root, with @2 and so on when it was used before: each node has tensors of its own."""
        path = export._join(self.path, name)
        while True:
            count = self.used_paths[path] = self.used_paths.get(path, 0) + 1
            if count == 1:
                return path
            path = f"{path}@{count}"

    def emit(self, node: Node, *operands: _Value) -> _Value:
        """A node that takes `operands`; what it gives."""
        operands = self.alike(operands)
        if node["path"] not in self.describer.custom_forward:
            reason = export.why_unreadable(node, self.describer.tensors)
            if reason is not None:
                raise _Refused(reason)
        if node["type"] != "Reduce" and not _looks_back(node):
            operands = [self.ended(value) for value in operands]
        samples = []
        for i in range(len(operands[0].samples)):
            inputs = [value.samples[i] for value in operands]
            try:
                samples.append(_joined(node["op"], inputs, self.windows) if node["type"] == "Reduce"
                               else self.sample(node, inputs[0]))
            except (RuntimeError, IndexError) as error:
                raise _Refused(f"the samples do not pass: {error}") from error
        if self.windows:
            if samples[0].numel() == 0:
                raise _Refused("leaves nothing of the window")
            return self.put(node, operands, samples)
        if node["type"] == "Reduce":
            frames = [min(each) for each in zip(*(value.frames for value in operands))]
            streams = [min(each) for each in zip(*map(self.streamed, operands))]
        else:
            frames = self.counted(node, operands[0], operands[0].frames)
            streams = self.counted(node, operands[0], self.streamed(operands[0]))
        if any(sample.shape[-1] != count for sample, count in zip(samples, frames)):
            raise _Refused(f"gives {[sample.shape[-1] for sample in samples]} frames, not {frames[:len(samples)]}")
        cut = next((value.cut for value in operands if value.cut is not None), None)
        return self.put(node, operands, samples, frames, streams, cut)

    def put(self, node: Node, operands: Sequence[_Value], samples: List[Tensor], frames: Optional[List[int]] = None,
            streams: Optional[List[int]] = None, cut: Optional[_Refused] = None) -> _Value:
        """A node that takes `operands` and gives so many frames, in a stream `streams`."""
        self.nodes.append({**node, "from": [value.number for value in operands]})
        number, axes = len(self.nodes), operands[0].axes
        self.values.append(_Value(number, samples, axes, None, streams))
        return _Value(number, samples, axes, None, frames, cut if frames != streams else None)

    def streamed(self, x: _Value) -> List[int]:
        """How many frames the stream has of it: more than the forward where that cuts by the signal's length."""
        return x.frames if self.windows else self.values[x.number].frames

    def counted(self, node: Node, x: _Value, lengths: Sequence[int]) -> List[int]:
        """The frames that a module gives for x with so many frames."""
        try:
            known = {n: frames_after(node, n) for n in set(lengths)}
        except _OwnType:
            channels = x.channels
            known = {n: self.sample(node, torch.zeros(1, channels, n)).shape[-1] for n in set(lengths)}
        return [known[n] for n in lengths]

    def refuse(self, reason: _Refused) -> None:
        """Refuses what depends on the signal's length."""
        if not self.lenient:
            raise reason
        self.doubtful = True

    def constant_number(self, values: Sequence[int], what: str, cure: str) -> int:
        """The number that is the same for every length."""
        different = next((i for i, value in enumerate(values) if value != values[0]), None)
        if different is not None:
            at = f"for signals of {self.lengths[0]} and {self.lengths[different]} frames it is {values[0]} and "
            self.refuse(_Refused(f"{what} depends on the signal's length: {at}{values[different]}; {cure}; {_OF_ONE_LENGTH}"))
        return values[0]

    def ended(self, x: _Value) -> _Value:
        """x with the end that the forward gave it, which the stream must find by itself: where another signal ends."""
        streams = self.streamed(x)
        if self.windows or x.frames == streams:
            return x
        for other in self.values:
            if x.frames == [min(each) for each in zip(streams, other.frames)]:
                end = self.channel_slice(_Value(other.number, other.samples, x.axes, None, other.frames), 0, 1)
                both = self.emit({"type": "Reduce", "path": self.unique(self.current.name), "op": "concat"}, x, end)
                y = self.channel_slice(both, 0, x.channels)
                y.memory = x.memory
                return y
        self.refuse(x.cut)
        return x

    def cycle(self) -> int:
        """After how many frames of the input all that is done repeats."""
        rates, cycle = [Fraction(1)], _lcm(self.moduli)
        for node, value in zip(self.nodes, self.values[1:]):
            source = node["from"][0]
            try:
                faster, period = (Fraction(1), 1) if node["type"] == "Reduce" else _pace(node)
            except _OwnType:  # as the samples show it
                taken = self.values[source].frames
                faster = Fraction(value.frames[1] - value.frames[0], max(1, taken[1] - taken[0]))
                period = faster.denominator
            cycle = _lcm((cycle, (rates[source] / period).denominator))
            rates.append(rates[source] * faster)
        return cycle

    def sample(self, node: Node, x: Tensor) -> Tensor:
        custom = self.describer.custom_forward.get(node["path"])
        if custom is not None:
            return custom(export._like(custom, x)).to("cpu", torch.float32)
        return apply_node(node, self.describer.tensors, x, self.windows)

    # What is channels and what is time, in a window.

    def swapped(self, x: _Value) -> _Value:
        """The same tensor, its channels now the file's time and the other way round."""
        axes = tuple({"channels": "time", "time": "channels"}.get(role, role) for role in x.axes)
        node = self.nodes[x.number - 1] if x.number > 0 else {"type": ""}
        if node["type"] == "Transpose":  # back to where it came from
            return _Value(node["from"][0], [sample.transpose(1, 2) for sample in x.samples], axes, x.memory)
        y = self.simple("Transpose", x)
        return _Value(y.number, y.samples, axes, x.memory)

    def turned(self, x: _Value, dim: int, role: str) -> _Value:
        """x with the axis `dim` in this role, channels or time, if it can have it."""
        return self.swapped(x) if self.windows and x.axis(dim) not in (role, "batch") else x

    def upright(self, x: _Value) -> _Value:
        """x as modules of torch take it: with channels and time, or with channels alone."""
        return self.swapped(x) if self.windows and self.batch_first(x).axes not in (_SIGNAL, _FEATURES) else x

    @staticmethod
    def batch_first(x: _Value) -> _Value:
        if x.axes[0] != "batch":
            axes = ", ".join(x.axes)
            raise _Refused(f"takes the first axis for the batch, but gets a signal ({axes}); permute it back")
        return x

    def alike(self, values: Sequence[_Value]) -> List[_Value]:
        """Values whose axes have the same roles."""
        first = values[0].axes
        if any(len(value.axes) != len(first) for value in values):
            raise _Refused("a signal with channels and time meets one that has lost one of them; keep it, as in "
                           "keepdim=True")
        if any(value.axes.index("batch") != first.index("batch") for value in values):
            raise _Refused("signals meet that have the batch at different places; permute one of them")
        if not self.windows and any(value.axes != first for value in values):
            raise _Refused("a signal with the channels last meets one with the time last")
        return [value if value.axes == first else self.swapped(value) for value in values]

    def without(self, x: _Value, dim: int) -> _Value:
        """x without an axis that has one entry."""
        if not self.windows or len(x.axes) < 3:
            raise _Refused("leaves no axis of the window" if self.windows else "takes an axis away; say keepdim=True")
        return _Value(x.number, x.samples, tuple(role for role in x.axes if role != x.axis(dim)), x.memory)

    def simple(self, kind: str, x: _Value, **fields: Any) -> _Value:
        return self.emit({"type": kind, "path": self.unique(self.current.name), **fields}, x)

    def tensor(self, path: str, name: str, value: Tensor) -> None:
        value = value.detach().to("cpu", torch.float32, copy=True).contiguous()
        if not bool(torch.isfinite(value).all()):
            raise _Refused(f"a constant of {name} is not finite in float32")
        self.describer.tensors[export._join(path, name)] = value

    def affine(self, x: _Value, scale: Any = 1.0, offset: Any = 0.0) -> _Value:
        """x * scale + offset, each a number or a tensor with one value for each channel."""
        if not isinstance(scale, Tensor) and not isinstance(offset, Tensor):
            scale, offset = float(scale), float(offset)
            if not (math.isfinite(scale) and math.isfinite(offset)):
                raise _Refused(f"the constants {scale} and {offset} are not finite")
            if scale == 1 and offset == 0:
                return x
            return self.simple("Affine", x, scale=scale, offset=offset)
        channels = x.channels
        path = self.unique(self.current.name)
        for name, value, neutral in (("weight", scale, 1.0), ("bias", offset, 0.0)):
            value = value if isinstance(value, Tensor) else torch.full((1,), float(value))
            self.tensor(path, name, value.reshape(-1).expand(channels))
        return self.emit({"type": "Affine", "path": path, "channels": channels}, x)

    def constant(self, x: _Value, value: Any) -> Tuple[_Value, Any]:
        """x, and what stands beside it as a number, or a tensor with a value for each of its channels."""
        if isinstance(value, (bool, int, float)):
            return x, float(value)
        if not isinstance(value, Tensor):
            raise _Refused(f"{_what(value)} cannot be combined with a signal")
        value = value.detach()
        if value.numel() == 1 and value.dim() <= len(x.axes):
            return x, float(value)
        shape = (1,) * (len(x.axes) - value.dim()) + tuple(value.shape)
        (axis, *more) = [i for i, extent in enumerate(shape) if extent != 1] or [0]
        roles = ("channels", "time") if self.windows else ("channels",)
        if len(shape) > len(x.axes) or more or x.axis(axis) not in roles:
            raise _Refused(f"a constant of shape {tuple(value.shape)} is not one number for each channel")
        x = self.turned(x, axis, "channels")
        if shape[axis] != x.channels:
            raise _Refused(f"a constant with {shape[axis]} channels meets a signal with {x.channels}")
        return x, value.reshape(-1).double()

    def join(self, op: str, *operands: Any) -> _Value:
        values = self.alike([value for value in operands if isinstance(value, _Value)])
        for i, each in enumerate(zip(*(value.frames for value in values))):
            lengths = set(each)
            if len(lengths - {1} if self.windows else lengths) == 1 or lengths == {1}:
                continue
            if i < len(values[0].samples):
                raise _Refused(f"signals of {' and '.join(map(str, sorted(lengths)))} frames meet")
            self.dead.add(i)
        return self.emit({"type": "Reduce", "path": self.unique(self.current.name), "op": op}, *values)

    # Arithmetic.

    def binary(self, op: str, a: Any, b: Any) -> _Value:
        if isinstance(a, _Value) and isinstance(b, _Value):
            return self.join({"add": "sum", "sub": "difference", "mul": "product", "div": "quotient"}[op], a, b)
        behind = isinstance(b, _Value)
        x, constant = self.constant(b, a) if behind else self.constant(a, b)
        if op == "add":
            return self.affine(x, 1.0, constant)
        if op == "mul":
            return self.affine(x, constant)
        if op == "sub":
            return self.affine(x, -1.0, constant) if behind else self.affine(x, 1.0, -constant)
        if behind:
            return self.affine(self.simple("Reciprocal", x), constant)
        if bool((constant == 0).any() if isinstance(constant, Tensor) else constant == 0):
            raise _Refused("divides by 0")
        return self.affine(x, 1.0 / constant)

    def power(self, x: Any, exponent: Any) -> _Value:
        if not isinstance(x, _Value) or not isinstance(exponent, (int, float)):
            raise _Refused("only a signal to the power of a number is supported")
        if exponent < 0 and exponent != -0.5:
            return self.simple("Reciprocal", self.power(x, -exponent))
        if exponent == -0.5:
            return self.simple("Reciprocal", self.simple("Sqrt", x))
        if exponent == 0.5:
            return self.simple("Sqrt", x)
        if exponent == 1:
            return x
        if exponent == 2:
            return self.simple("Square", x)
        if float(exponent).is_integer() and 3 <= exponent <= 8:
            return self.join("product", *[x] * int(exponent))
        raise _Refused(f"the power {exponent} is not supported; 0.5, -0.5 and integers up to 8 are")

    def clamp(self, x: _Value, low: Any, high: Any) -> _Value:
        for bound in (low, high):
            if bound is not None and not isinstance(bound, (int, float)):
                raise _Refused(f"only numbers can bound a signal, not {_what(bound)}")
        return self.simple("Hardtanh", x, min_val=float(-LARGEST if low is None else low),
                           max_val=float(LARGEST if high is None else high))

    # Shapes.

    def channel_slice(self, x: _Value, start: int, channels: int) -> _Value:
        if not 0 <= start < start + channels <= x.channels:
            raise _Refused(f"channels {start} to {start + channels} of {x.channels}")
        if channels == x.channels:
            return x
        part = self.simple("ChannelSlice", x, start=start, channels=channels)
        part.memory = x.memory
        return part

    def pieces(self, x: _Value, sizes: Sequence[int]) -> Tuple[_Value, ...]:
        starts = [sum(sizes[:i]) for i in range(len(sizes))]
        return tuple(self.channel_slice(x, start, size) for start, size in zip(starts, sizes))

    def chunk(self, x: _Value, count: Any, dim: int = 0) -> Tuple[_Value, ...]:
        x = self.turned(x, dim, "channels")
        if x.axis(dim) != "channels":
            raise _Refused(f"chunk over the {x.axis(dim)}, only over channels")
        size = -(-x.channels // count)
        return self.pieces(x, [min(size, x.channels - at) for at in range(0, x.channels, size)])

    def split(self, x: _Value, sizes: Any, dim: int = 0) -> Tuple[_Value, ...]:
        x = self.turned(x, dim, "channels")
        if x.axis(dim) != "channels":
            raise _Refused(f"split over the {x.axis(dim)}, only over channels")
        if isinstance(sizes, int):
            sizes = [min(sizes, x.channels - at) for at in range(0, x.channels, sizes)]
        return self.pieces(x, list(sizes))

    def bounds(self, x: _Value, value: Any, end: bool) -> List[int]:
        """Where a slice over time starts or ends, for each length of the signal."""
        places = []
        for i, length in enumerate(x.frames):
            at = _at(value, i)
            if at is None:
                at = length if end else 0
            if not isinstance(at, int):
                raise _Refused(f"a bound over time is {at!r}, not an integer")
            places.append(max(0, at + length) if at < 0 else min(at, length))
        return places

    def crop(self, x: _Value, start: Any, stop: Any, step: Any = None) -> _Value:
        starts, stops = self.bounds(x, start, False), self.bounds(x, stop, True)
        left = self.constant_number(starts, "where a slice over time starts", "only slices that cut a constant number of "
                                    "frames off the start can run over a stream")
        # What is cut off the end for every length is a Pad. Where some lengths lose more, the stream has these frames
        # until it joins another signal that ends there.
        streams = self.streamed(x)
        excess = [stream - stop for stream, stop in zip(streams, stops)]
        right = min(excess)
        y = x
        if left or right or stops != x.frames:
            frames = [max(0, stop - at) for at, stop in zip(starts, stops)]
            samples = [sample[..., at:max(at, stop)] for sample, at, stop in zip(x.samples, starts, stops)]
            y = _Value(x.number, samples, x.axes, x.memory, frames)
            if left or right:
                pad = {"type": "Pad", "path": self.unique(self.current.name), "left": -left, "right": -right,
                       "mode": "constant", "value": 0.0}
                y = self.put(pad, [x], samples, frames, [max(0, stream - left - right) for stream in streams])
            if frames != self.streamed(y):
                y.cut = x.cut or self.cut_by_length(excess)
        if self.windows and y.samples[0].numel() == 0:
            raise _Refused("leaves nothing of the window")
        if step not in (None, 1):
            if not isinstance(step, int) or step < 1:
                raise _Refused(f"a step of {step!r} over time")
            y = self.emit({"type": "AvgPool1d", "path": self.unique(self.current.name), "kernel_size": 1,
                           "stride": step, "padding": 0, "ceil_mode": False, "count_include_pad": True}, y)
        y.memory = x.memory
        return y

    def cut_by_length(self, excess: Sequence[int]) -> _Refused:
        least, most = min(excess), max(excess)
        where = [self.lengths[excess.index(count)] for count in (least, most)]
        reason = _Refused(
            f"where a slice over time ends depends on the signal's length: it cuts off {least} frames of a signal of "
            f"{where[0]}, {most} of one of {where[1]}; only slices that cut a constant number of frames off the end, or "
            f"that end where another signal of the network does, can run over a stream; {_OF_ONE_LENGTH}")
        reason.node = self.current
        return reason

    def item(self, x: Any, index: Any) -> Any:
        if isinstance(x, _Recurrence) and x[index] is x.state and self.used(self.current):
            raise _Refused(
                f"uses the state that {self.current.args[0].target} ends with, but only its output can be written; that one's "
                "last frame, as in y[:, -1], is the same for one direction" if self.windows else
                f"uses the state that {self.current.args[0].target} ends with, but a stream has no end to wait for, and keeps "
                "the state by itself from chunk to chunk; the output's last frame, y[:, -1], can be had inside a "
                "Windowed(net, size, stride)")
        if not isinstance(x, _Value):
            return x[index]
        if not isinstance(index, tuple):
            index = (index,)
        rank = len(x.axes) + sum(part is None for part in index)
        if Ellipsis in index:
            at = index.index(Ellipsis)
            index = index[:at] + (slice(None),) * (rank + 1 - len(index)) + index[at + 1:]
        y, gone = x, []
        if self.windows and None in index:
            if index.count(None) > 1 or any(part is not None and part != slice(None) for part in index):
                raise _Refused("a new axis and a slice at once")
            return self.unsqueeze(x, index.index(None))
        for dim, part in enumerate(index):
            if self.windows and type(part) is int and x.axis(dim) != "batch":
                extent = x.shape()[dim]
                if not -extent <= part < extent:
                    raise _Refused(f"the index {part} of {extent}")
                at = part % extent
                y = self.channel_slice(y, at, 1) if x.axis(dim) == "channels" else self.crop(y, at, at + 1)
                gone.append(dim)
                continue
            if not isinstance(part, slice):
                cure = "; one frame of all can be had of windows: Windowed(net, size, stride)" if x.axis(dim) == "time" else ""
                raise _Refused(f"the index {part!r} takes an axis away; only slices keep the signal (batch, channels, time){cure}")
            if part == slice(None):
                continue
            axis = x.axis(dim)
            if axis == "time":
                y = self.crop(y, part.start, part.stop, part.step)
            elif axis == "channels" and part.step in (None, 1):
                start, stop, _ = part.indices(x.channels)
                y = self.channel_slice(y, start, stop - start)
            else:
                raise _Refused(f"a slice {part} over the {axis}")
        for dim in reversed(gone):
            y = self.without(y, dim)
        return y

    def used(self, node: torch.fx.Node) -> bool:
        """Whether anything is done with a value, besides taking it apart."""
        return any(getattr(user.target, "__name__", "") != "getitem" or self.used(user) for user in node.users)

    def narrow(self, x: _Value, dim: int, start: Any, length: Any) -> _Value:
        axis = x.axis(dim)
        if axis == "channels":
            return self.channel_slice(x, start, length)
        if axis != "time":
            raise _Refused("narrow over the batch")
        stops = [_at(start, i) % max(1, count) + _at(length, i) for i, count in enumerate(x.frames)]
        return self.crop(x, start, _Number(stops))

    def transpose(self, x: _Value, a: int, b: int) -> _Value:
        order = list(range(len(x.axes)))
        if x.axis(a) != x.axis(b):
            order[a], order[b] = order[b], order[a]
        return self.permute(x, order)

    def permute(self, x: _Value, dims: Sequence[int]) -> _Value:
        axes = tuple(x.axis(dim) for dim in dims)
        if sorted(axes) != sorted(x.axes):
            raise _Refused(f"permute{tuple(dims)} of a signal ({', '.join(x.axes)})")
        return x if axes == x.axes else _Value(x.number, x.samples, axes, x.memory, x.frames, x.cut)

    def unsqueeze(self, x: _Value, dim: int) -> _Value:
        at = dim % (len(x.axes) + 1) if isinstance(dim, int) else 0
        if not self.windows or len(x.axes) != 2 or at == 0:
            raise _Refused("adds an axis; a signal has batch, channels and time")
        missing = "time" if "channels" in x.axes else "channels"
        return _Value(x.number, x.samples, x.axes[:at] + (missing,) + x.axes[at:], x.memory)

    def squeeze(self, x: _Value, dim: Any) -> _Value:
        if dim is None:
            raise _Refused("takes away every axis with one entry, also that of the batch; say which, as in squeeze(-1)")
        if x.axis(dim) == "batch" or (not self.windows and x.shape()[dim] != 1):
            raise _Refused(f"squeezes the {x.axis(dim)}")
        return self.without(x, dim) if x.shape()[dim] == 1 else x

    def flatten(self, x: _Value) -> _Value:
        """A window's channels and time as one axis."""
        if len(x.axes) == 2:
            return x
        y = self.simple("Flatten", self.upright(x))
        return _Value(y.number, y.samples, _FEATURES, x.memory)

    def reshape(self, x: _Value, sizes: Sequence[Any], name: str) -> _Value:
        """The forms of view and reshape that a window has: flatten, and axes with one entry more or fewer."""
        sizes = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)
        now = self.batch_first(x).shape()[1:]
        count = math.prod(now)
        batch, *wanted = sizes or [None]
        if not isinstance(batch, _Batch) and batch != -1 or any(type(size) is not int for size in wanted):
            raise _Refused(f"{name}: the first axis must stay the batch, the others must be numbers")
        if -1 in wanted:
            rest = math.prod(size for size in wanted if size != -1)
            wanted[wanted.index(-1)] = count // rest if rest > 0 else 0
        if math.prod(wanted) != count or len(wanted) not in (1, 2):
            raise _Refused(f"{name} of {count} numbers to {wanted}")
        large = [role for role, extent in zip(x.axes[1:], now) if extent != 1]
        if [size for size in wanted if size != 1] == [extent for extent in now if extent != 1]:
            if len(wanted) == 1:
                return _Value(x.number, x.samples, ("batch", *(large or ["channels"])), x.memory)
            if len(large) == 2:
                return x
            role = large[0] if large else "channels"
            other = "time" if role == "channels" else "channels"
            pair = (role, other) if wanted[0] != 1 or not large else (other, role)
            return _Value(x.number, x.samples, ("batch", *pair), x.memory)
        if len(wanted) == 1:
            return self.flatten(x)
        raise _Refused(f"{name} of {list(now)} to {wanted}: only flatten, and axes with one entry can come and go")

    def expand(self, x: _Value, sizes: Sequence[Any], name: str, repeat: bool = False) -> _Value:
        """One frame, or one channel, for all."""
        sizes = list(sizes[0]) if len(sizes) == 1 and isinstance(sizes[0], (tuple, list)) else list(sizes)
        if len(sizes) != len(self.batch_first(x).axes):
            raise _Refused(f"{name} to {len(sizes)} axes")
        if not isinstance(sizes[0], _Batch) and sizes[0] != (1 if repeat else -1):
            raise _Refused(f"{name} over the batch")
        for dim in range(1, len(sizes)):
            extent = x.shape()[dim]
            if sizes[dim] in (1 if repeat else -1, None if repeat else extent):
                continue
            if extent != 1 or type(sizes[dim]) is not int:
                raise _Refused(f"{name} of an axis with {extent} entries to {sizes[dim]}")
            x = self.repeated(self.turned(x, dim, "time"), sizes[dim])
        return x

    # What needs the whole of a window.

    def over_time(self, name: str, x: _Value, dim: Any, keepdim: Any) -> _Value:
        """A mean, sum, maximum or minimum over some axes of a window."""
        dims = list(dim) if isinstance(dim, (tuple, list)) else [dim]
        if any(each is None or x.axis(each) == "batch" for each in dims) or not dims:
            where = "all axes" if None in dims else "the batch"
            raise _Refused(f"{name} over {where}: that mixes what does not belong together")
        dims = sorted({each % len(x.axes) for each in dims}, reverse=True)
        for each in dims:
            x = self.turned(x, each, "time")
            count = x.shape()[each]
            if name == "amin":
                x = self.affine(x, -1.0)
            kind = "AdaptiveAvgPool1d" if name in ("mean", "sum") else "AdaptiveMaxPool1d"
            x = self.simple(kind, x, output_size=1)
            x = self.affine(x, {"sum": float(count), "amin": -1.0}.get(name, 1.0))
        for each in dims if not keepdim else ():
            x = self.without(x, each)
        return x

    def flip(self, x: _Value, dims: Any) -> _Value:
        for dim in dims if isinstance(dims, (tuple, list)) else [dims]:
            if x.axis(dim) == "batch":
                raise _Refused("flips the batch")
            x = self.simple("Reverse", self.turned(x, dim, "time"))
        return x

    def pad(self, x: _Value, amounts: Any, mode: str, value: Any) -> _Value:
        cure = "how long a stream will be is not known, so pad by a constant number of frames"
        amounts = [self.constant_number(amount.values, "pads by a number that", cure)
                   if isinstance(amount, _Number) else amount for amount in amounts]
        if any(not isinstance(amount, int) for amount in amounts) or len(amounts) % 2:
            raise _Refused(f"pads by {amounts}, which must be integers, two for each axis")
        axis = -1
        for left, right in zip(amounts[::2], amounts[1::2]):
            if left == right == 0:
                axis -= 1
                continue
            x = self.turned(x, axis, "time")
            if x.axis(axis) != "time":
                raise _Refused(f"pads the {x.axis(axis)}, only time can be padded")
            if mode not in ("constant", "replicate"):
                raise _Refused(f"the padding mode {mode!r} needs samples that are not there yet; use zeros or replicate")
            fields = {"value": float(value or 0)} if mode == "constant" else {}
            x = self.simple("Pad", x, left=left, right=right, mode=mode, **fields)
            axis -= 1
        return x

    def concat(self, values: Any, dim: int = 0) -> _Value:
        if not all(isinstance(value, _Value) for value in values):
            raise _Refused("only signals can be concatenated")
        values = [self.turned(value, dim, "channels") for value in values]
        if values[0].axis(dim) != "channels":
            raise _Refused(f"concatenates over the {values[0].axis(dim)}, only over channels")
        return values[0] if len(values) == 1 else self.join("concat", *values)

    def over_channels(self, x: _Value, dim: Any, what: str) -> _Value:
        """x with the channels as axis `dim`; what else can be done to the axis is nothing for a stream."""
        x = x if dim is None else self.turned(x, dim, "channels")
        if dim is None or x.axis(dim) != "channels":
            where = "all axes" if dim is None else f"the {x.axis(dim)}"
            if where == "the batch":
                raise _Refused(f"{what} over the batch: that mixes what does not belong together")
            cure = "say which axis" if self.windows else f"over time it {export._USE_A_WINDOW}"
            raise _Refused(f"{what} over {where}: {cure}")
        return x

    def channel_mean(self, x: _Value, dim: Any, keepdim: Any, mean: bool) -> _Value:
        dim = dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim
        x = self.over_channels(x, dim, "a mean" if mean else "a sum")
        if not keepdim:
            return self.without(self.channel_mean(x, dim, True, mean), dim)
        path = self.unique(self.current.name)
        self.tensor(path, "weight", torch.full((1, x.channels), 1.0 / x.channels if mean else 1.0))
        return self.emit({"type": "Linear", "path": path, "in_features": x.channels, "out_features": 1, "bias": False}, x)

    def channel_variance(self, x: _Value, args: Sequence[Any], kwargs: Mapping[str, Any], root: bool) -> _Value:
        dim, unbiased, keepdim, correction = _bind("dim unbiased keepdim correction", args, kwargs, unbiased=True)
        x = self.over_channels(x, dim[0] if isinstance(dim, (tuple, list)) and len(dim) == 1 else dim, "a variance")
        spread = self.simple("Square", self.join("difference", x, self.channel_mean(x, dim, True, True)))
        result = self.channel_mean(spread, dim, keepdim, True)
        less = correction if correction is not None else int(unbiased)
        if less >= x.channels:
            raise _Refused(f"the variance of {x.channels} channels with correction {less} is no number")
        result = self.affine(result, x.channels / (x.channels - less))
        return self.simple("Sqrt", result) if root else result

    def upsample(self, x: _Value, size: Any, factor: Any, mode: str) -> _Value:
        factor = factor[0] if isinstance(factor, (tuple, list)) and len(factor) == 1 else factor
        if self.windows and size is not None and len(x.axes) == 3:  # a window's length is known
            size, now = export._single(size), self.upright(x).samples[0].shape[-1]
            size, factor = None, size // now if type(size) is int and size % now == 0 else None
        if size is not None or factor is None or float(factor) != int(factor) or mode != "nearest" or (
                not self.windows and x.axes != _SIGNAL):
            raise _Refused("only mode 'nearest' by an integer scale_factor can run over a stream")
        return self.repeated(x, int(factor))

    def repeated(self, x: _Value, factor: int) -> _Value:
        """Each frame so many times."""
        path = self.unique(self.current.name)
        self.tensor(path, "weight", torch.ones(x.channels, 1, factor))
        return self.emit({"type": "ConvTranspose1d", "path": path, "in_channels": x.channels,
                          "out_channels": x.channels, "kernel_size": factor, "stride": factor, "padding": 0,
                          "output_padding": 0, "dilation": 1, "groups": x.channels, "bias": False}, x)

    # Modules, and functions that are modules with weights given by hand.

    def module(self, module: nn.Module, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> Any:
        if export.is_recurrent(module):
            return self.recurrent(module, name, args, kwargs)
        if kwargs or len(args) != 1 or not isinstance(args[0], _Value):
            raise _Refused("a module must be called with one signal")
        x = args[0]
        if isinstance(module, nn.Upsample):
            return self.upsample(self.upright(x), module.size, module.scale_factor, module.mode)
        if self.windows:
            return self.module_on_windows(module, name, x)
        if x.axes != _SIGNAL:
            return self.module_on_permuted(module, name, x)
        path = self.unique(name)
        node = self.describer.node(module, path, [x.channels])
        if node is None:
            return x
        if getattr(module, "inplace", False):
            self.in_place(x)
        return self.written(node, x)

    def recurrent(self, module: nn.Module, name: str, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Recurrence:
        path = self.unique(name)  # its own, also if there is a Transpose in front
        x, _ = _bind("input hx", args, kwargs)
        if not isinstance(x, _Value):
            raise _Refused(f"{name} must be called with one signal")
        batch = 0 if module.batch_first else 1
        if len(x.axes) != 3 or x.axes[batch] != "batch" or not self.windows and x.axes[2] != "channels":
            order = "(batch, time, channels)" if module.batch_first else "(time, batch, channels)"
            mixes = ", so it would mix what does not belong together" if x.axes[batch] != "batch" else ""
            cure = "" if module.batch_first or not mixes else ", or batch_first=True"
            raise _Refused(f"{name} takes {order}, but gets ({', '.join(x.axes)}){mixes}; permute it{cure}")
        x = self.over_channels(x, -1, type(module).__name__)
        return _Recurrence(self.emit(self.describer.recurrent_layers(module, path, self.beginning(module, name)), x))

    def beginning(self, module: nn.RNNBase, name: str) -> List[Tensor]:
        """The states, (layers, units) each, that the recurrent layer being called begins with; none if they are zeros. They
        are what the forward itself makes of two batches of signals, for which they must be the same."""
        given = self.current.args[1] if len(self.current.args) > 1 else self.current.kwargs.get("hx")
        if given is None:
            return []
        runs, units = module.num_layers * (2 if module.bidirectional else 1), module.hidden_size
        sizes = {"h": getattr(module, "proj_size", 0) or units, **({"c": units} if isinstance(module, nn.LSTM) else {})}
        found: List[Tensor] = []
        for place in (0, -1):
            probes = {node: x.views()[place].clone() for node, x in self.inputs.items()}
            if place:
                probes = {node: torch.cat([x, x / 2]) for node, x in probes.items()}
            batch = next(iter(probes.values())).shape[0]
            states = self.computed(given, name, {node: export._like(self.root, x) for node, x in probes.items()})
            states = list(states) if isinstance(states, (tuple, list)) else [states]
            if len(states) != len(sizes) or not all(isinstance(state, Tensor) for state in states):
                raise _Refused(f"{name} gets a state to begin with that is not ({', '.join(sizes)}), but {_what(states[0])}")
            for i, (state, size) in enumerate(zip(states, sizes.values())):
                if state.shape not in ((runs, batch, size), (runs, 1, size)):
                    raise _Refused(f"{name} gets a state of shape {tuple(state.shape)} to begin with, but for {batch} signals "
                                   f"it must have {(runs, batch, size)}")
                if not place:
                    found.append(state[:, :1])
                if not torch.equal(state, found[i].expand_as(state)):
                    raise _Refused(f"{name} gets a state to begin with that is not the same for all signals; only zeros, or a "
                                   "parameter or buffer for all of the batch, as in self.h0.expand(-1, x.shape[0], -1), can "
                                   "be written")
        found = [state[:, 0].detach().to("cpu", torch.float32, copy=True).contiguous() for state in found]
        if not all(bool(torch.isfinite(state).all()) for state in found):
            raise _Refused(f"{name} gets a state to begin with that is not finite in float32")
        return found if any(bool((state != 0).any()) for state in found) else []

    def computed(self, argument: Any, name: str, inputs: Mapping[torch.fx.Node, Tensor]) -> Any:
        """What an argument of the current call is when the forward is given these signals."""
        env: Dict[torch.fx.Node, Any] = dict(inputs)
        wanted: Set[torch.fx.Node] = set()
        waiting: List[torch.fx.Node] = []
        torch.fx.node.map_arg(argument, waiting.append)
        while waiting:
            node = waiting.pop()
            if node not in env and node not in wanted:
                wanted.add(node)
                waiting.extend(node.all_input_nodes)
        try:
            for node in sorted(wanted, key=self.order.__getitem__):
                args, kwargs = list(_known(node.args, env)), _known(dict(node.kwargs), env)
                call = (self.attribute if node.op == "get_attr" else self.root.get_submodule(node.target)
                        if node.op == "call_module" else _callable(node.target))
                env[node] = call(node.target) if node.op == "get_attr" else call(*args, **kwargs)
        except Exception as error:  # whatever the forward raises
            raise _Refused(f"{name} gets a state to begin with that cannot be computed: {export._one_line(error)}") from error
        return _known(argument, env)

    def module_on_windows(self, module: nn.Module, name: str, x: _Value) -> _Value:
        """A module on windows: over the axes that it means, whatever they are in the file."""
        path = self.unique(name)
        if isinstance(module, nn.Linear) or isinstance(module, nn.LayerNorm) and len(module.normalized_shape) == 1:
            cls = nn.Linear if isinstance(module, nn.Linear) else nn.LayerNorm
            export._check_forward(module, path, cls)
            x = self.over_channels(x, -1, cls.__name__)
            handler = self.describer.linear if cls is nn.Linear else self.describer.layer_norm
            return self.written(handler(module, path), x)
        if isinstance(module, (nn.GLU, nn.Softmax, nn.LogSoftmax)):
            cls = export._class_of(module)
            export._check_forward(module, path, cls)
            x = self.over_channels(x, module.dim, cls.__name__)
            return self.written({"type": cls.__name__, "path": path}, x)
        pointwise = export.is_pointwise(module)
        if not pointwise:
            x = self.upright(x)
        outer = self.describer.windows
        self.describer.windows = export._like(module, x.views()[0])
        node = self.describer.node(module, path, [x.channels])
        axes, self.describer.windows = self.describer.windows.dim(), outer
        if node is None:
            return x
        if getattr(module, "inplace", False):
            self.in_place(x)
        y = self.written(node, x)
        if not pointwise:
            y.axes = _SIGNAL if axes == 3 else _FEATURES
        return y

    def module_on_permuted(self, module: nn.Module, name: str, x: _Value) -> _Value:
        """A module on (B, T, C), or on a signal with the batch elsewhere: torch's last axis holds the channels."""
        path = self.unique(name)
        if isinstance(module, (nn.Linear, nn.LayerNorm)):
            cls = nn.Linear if isinstance(module, nn.Linear) else nn.LayerNorm
            export._check_forward(module, path, cls)
            x = self.over_channels(x, -1, cls.__name__)
            handler = self.describer.linear if cls is nn.Linear else self.describer.layer_norm
            return self.written(handler(module, path), x)
        if isinstance(module, (nn.GLU, nn.Softmax, nn.LogSoftmax)):
            self.over_channels(x, module.dim, type(module).__name__)
            return self.written({"type": type(module).__name__, "path": path}, x)
        if isinstance(module, nn.PReLU) and module.num_parameters > 1 and x.axis(1) != "channels":
            raise _Refused(f"PReLU takes axis 1, which is {x.axis(1)} here, for the channels")
        if not export.is_pointwise(module):
            raise self.not_a_signal(type(module).__name__, x)
        node = self.describer.node(module, path)
        if node is not None and getattr(module, "inplace", False):
            self.in_place(x)
        return x if node is None else self.written(node, x)

    @staticmethod
    def not_a_signal(what: str, x: _Value) -> _Refused:
        seen = "has its channels last" if x.axes[0] == "batch" else f"is ({', '.join(x.axes)})"
        return _Refused(f"{what} works over time, but the signal {seen}; transpose it back first")

    def written(self, node: Node, x: _Value) -> _Value:
        result = self.emit(node, x)
        if self._in_place is not None:
            result.memory = self._in_place.memory
            self.replace(self._in_place, result)
            self._in_place = None
        return result

    def built(self, module: nn.Module, tensors: Mapping[str, Optional[Tensor]], x: _Value) -> _Value:
        """A module made for this call, with tensors of the caller's."""
        for name, value in tensors.items():
            if value is not None:
                if not isinstance(value, Tensor):
                    raise _Refused(f"{name} is not a parameter or buffer of a module")
                setattr(module, name, nn.Parameter(value.detach()))
        if self.windows:
            return self.module_on_windows(module.eval(), self.current.name, x)
        path = self.unique(self.current.name)
        if isinstance(module, nn.Linear):
            if x.axes[-1] != "channels":
                raise _Refused(export._WRAP.replace("wrap it in OverChannels", "transpose it"))
            return self.emit(self.describer.linear(module, path), x)
        if x.axes != _SIGNAL:
            raise self.not_a_signal(type(module).__name__, x)
        return self.emit(self.describer.node(module, path), x)

    def convolution(self, cls: type, names: str, x: Any, args: Sequence[Any], kwargs: Mapping[str, Any]) -> _Value:
        weight, bias, stride, padding, *more = _bind(names, args, kwargs, stride=1, padding=0, dilation=1, groups=1,
                                                     output_padding=0)
        if not isinstance(weight, Tensor):
            raise _Refused("the weight is not a parameter or buffer of a module")
        single = export._single
        if cls is nn.Conv1d:
            dilation, groups = more
            module = nn.Conv1d(weight.shape[1] * groups, weight.shape[0], weight.shape[2], single(stride),
                               padding if isinstance(padding, str) else single(padding), single(dilation), groups,
                               bias is not None)
        else:
            extra, groups, dilation = more
            module = nn.ConvTranspose1d(weight.shape[0], weight.shape[1] * groups, weight.shape[2], single(stride),
                                        single(padding), single(extra), groups, bias is not None, single(dilation))
        return self.built(module, {"weight": weight, "bias": bias}, x)

    # In-place operations.

    def in_place(self, x: _Value) -> None:
        """Checks that what changes x in place changes nothing else that is still wanted."""
        now = self.order[self.current]
        for node, value in self.env.items():
            if not isinstance(value, _Value) or value is x or value.memory is not x.memory:
                continue
            if any(self.order[user] > now for user in node.users):
                raise _Refused("changes a signal in place of which another view is used later; do it out of place")
        self._in_place = x

    def replace(self, old: _Value, new: _Value) -> None:
        for node, value in list(self.env.items()):
            if value is old:
                self.env[node] = new

    # Calls.

    def function(self, name: str, args: List[Any], kwargs: Dict[str, Any]) -> Any:
        if name in ("getattr",) and isinstance(args[0], _Value):
            if args[1] == "shape":
                return args[0].shape()
            if args[1] == "mT":
                return self.transpose(args[0], -1, -2)
            if args[1] in ("dtype", "device"):
                return torch.float32 if args[1] == "dtype" else torch.device("cpu")
            if args[1] == "ndim":
                return len(args[0].axes)
            raise _Refused(f"the attribute {args[1]} of a signal")
        if name == "getattr" and isinstance(args[0], _Extreme):
            return getattr(args[0], args[1])
        if name == "getitem":
            return self.item(*args)
        if not _contains((args, kwargs), _Value):
            return self.number(name, args, kwargs)
        if name in ("size", "dim"):
            if name == "dim":
                return len(args[0].axes)
            (dim,) = _bind("dim", args[1:], kwargs)
            shape = args[0].shape()
            return shape if dim is None else shape[dim]
        in_place = (name.endswith("_") and not name.endswith("__")) or name in ("iadd", "isub", "imul", "itruediv")
        plain = {"iadd": "add", "isub": "sub", "imul": "mul", "itruediv": "div"}.get(name, name.rstrip("_"))
        if kwargs.pop("inplace", False):
            in_place = True
        if in_place and isinstance(args[0], _Value):
            self.in_place(args[0])
            self._in_place = None
            target = args[0]
            result = self.signal(plain, args, kwargs)
            if result is not target:
                result.memory = target.memory
                self.replace(target, result)
            return result
        return self.signal(plain, args, kwargs)

    def signal(self, name: str, args: List[Any], kwargs: Dict[str, Any]) -> Any:
        """A function of at least one signal."""
        if name in ("add", "sub", "subtract", "mul", "multiply", "div", "divide", "true_divide", "truediv", "rsub"):
            kwargs.pop("out", None)
            alpha = kwargs.pop("alpha", 1)
            if kwargs.pop("rounding_mode", None) is not None or kwargs:
                raise _Refused(f"{name} with {', '.join(kwargs) or 'rounding_mode'}")
            a, b = args
            if name == "rsub":
                a, b, name = b, a, "sub"
            if alpha != 1:
                b = self.affine(b, alpha) if isinstance(b, _Value) else b * alpha
            return self.binary({"add": "add", "sub": "sub", "subtract": "sub", "mul": "mul", "multiply": "mul"}.get(
                name, "div"), a, b)
        x = args[0]
        if name in ("matmul", "einsum", "tensordot"):
            if any(isinstance(each, Tensor) for each in args) and not self.windows:
                raise _Refused(f"{name} with a matrix is not supported; over the channels, F.conv1d(x, matrix[:, :, None]) "
                               "does it")
            raise _Refused(f"{name} is not supported" if self.windows else f"{name} {export._USE_A_WINDOW}")
        if name in ("cat", "concat", "concatenate"):
            return self.concat(*_bind("tensors dim", args, kwargs, dim=0))
        if name in ("maximum", "minimum", "max", "min") and len(args) == 2 and isinstance(args[1], _Value):
            return self.join(name[:3], *args)
        if not isinstance(x, _Value):
            if name == "pow":
                raise _Refused("a number to the power of a signal is not supported")
            raise _Refused(f"{name} does not take a signal there")
        rest = args[1:]
        if name in _SIMPLE:
            kind, fields = _SIMPLE[name]
            kwargs.pop("out", None)
            values = _bind(" ".join(field for field, _ in fields), rest, kwargs, **dict(fields))
            if any(not isinstance(value, (int, float)) for value in values):
                raise _Refused(f"{name} takes numbers, not {values}")
            return self.simple(kind, x, **{field: float(value) for (field, _), value in zip(fields, values)})
        if name in _NOTHING or name in ("to", "type", "type_as"):
            return x
        if name == "neg" or name == "negative":
            return self.affine(x, -1.0)
        if name == "pow":
            return self.power(x, *_bind("exponent", rest, kwargs))
        if name == "rsqrt":
            return self.power(x, -0.5)
        if name in ("clamp", "clip"):
            return self.clamp(x, *_bind("min max", rest, kwargs))
        if name in ("clamp_min", "clamp_max"):
            (value,) = _bind(name[6:], rest, kwargs)
            return self.clamp(x, value, None) if name == "clamp_min" else self.clamp(x, None, value)
        if name == "relu6":
            return self.simple("Hardtanh", x, min_val=0.0, max_val=6.0)
        if name == "rrelu":
            lower, upper, training = _bind("lower upper training", rest, kwargs, lower=1 / 8, upper=1 / 3)
            if training:
                raise _Refused("rrelu in training mode is random")
            return self.simple("LeakyReLU", x, negative_slope=(lower + upper) / 2)
        if name == "gelu":
            (approximate,) = _bind("approximate", rest, kwargs, approximate="none")
            return self.simple("GELU", x, approximate=approximate)
        if name == "prelu":
            (weight,) = _bind("weight", rest, kwargs)
            if isinstance(weight, Tensor) and weight.numel() > 1:
                x = self.turned(x, 1, "channels")
            if not isinstance(weight, Tensor) or (x.axis(1) != "channels" and weight.numel() > 1):
                raise _Refused("the slopes of prelu must be a parameter, one for each channel of axis 1")
            path = self.unique(self.current.name)
            self.tensor(path, "weight", weight.reshape(-1))
            return self.emit({"type": "PReLU", "path": path, "num_parameters": weight.numel()}, x)
        if name in ("softmax", "log_softmax", "softmin", "glu"):
            dim, _, dtype = _bind("dim _stacklevel dtype", rest, kwargs, dim=-1 if name == "glu" else None)
            if dtype not in (None, torch.float32):
                raise _Refused(f"{name} with dtype {dtype}")
            x = self.over_channels(x, dim, name)
            if name == "softmin":
                return self.simple("Softmax", self.affine(x, -1.0))
            return self.simple({"softmax": "Softmax", "log_softmax": "LogSoftmax", "glu": "GLU"}[name], x)
        if name in ("dropout", "alpha_dropout", "feature_alpha_dropout", "dropout1d", "dropout2d"):
            _, training = _bind("p training", rest, kwargs, training=True)
            if training:
                raise _Refused(f"{name} without training=self.training is random; say training=self.training")
            return x
        if name in ("transpose", "swapaxes", "swapdims"):
            return self.transpose(x, *_bind("dim0 dim1", rest, kwargs))
        if name == "permute":
            return self.permute(x, rest[0] if len(rest) == 1 else rest)
        if name == "chunk":
            return self.chunk(x, *_bind("chunks dim", rest, kwargs, dim=0))
        if name in ("split", "split_with_sizes"):
            size = kwargs.pop("split_size_or_sections", None)
            return self.split(x, *_bind("split_size dim", ([size] if size is not None else []) + rest, kwargs, dim=0))
        if name == "tensor_split":
            count, dim = _bind("indices_or_sections dim", rest, kwargs, dim=0)
            if not isinstance(count, int):
                raise _Refused("tensor_split by a number of sections only")
            extra = x.channels % count
            return self.split(x, [x.channels // count + (i < extra) for i in range(count)], dim)
        if name == "narrow":
            return self.narrow(x, *_bind("dim start length", rest, kwargs))
        if name == "pad":
            pad, mode, value = _bind("pad mode value", rest, kwargs, mode="constant")
            return self.pad(x, pad, mode, value)
        if name in ("amax", "amin", "max", "min"):
            dim, keepdim = _bind("dim keepdim", rest, kwargs, keepdim=False)
            if not self.windows:
                self.over_channels(x, dim, name)
                raise _Refused(f"{name} over the channels is not supported")
            y = self.over_time(f"a{name}" if name in ("max", "min") else name, x, dim, keepdim)
            return _Extreme(y) if name in ("max", "min") else y
        if self.windows:
            result = self.on_windows(name, x, rest, kwargs)
            if result is not None:
                return result
        if name in ("unsqueeze", "squeeze"):
            return getattr(self, name)(x, *_bind("dim", rest, kwargs))
        if name in ("mean", "sum"):
            dim, keepdim, _ = _bind("dim keepdim dtype", rest, kwargs)
            return self.channel_mean(x, dim, keepdim, name == "mean")
        if name in ("std", "var"):
            return self.channel_variance(x, rest, kwargs, name == "std")
        if name == "interpolate":
            size, factor, mode, *_ = _bind("size scale_factor mode align_corners recompute_scale_factor antialias", rest,
                                           kwargs, mode="nearest")
            return self.upsample(self.upright(x), size, factor, mode)
        if name == "repeat_interleave":
            repeats, dim = _bind("repeats dim", rest, kwargs)
            if dim is None or x.axis(dim) != "time" or not isinstance(repeats, int):
                raise _Refused("repeat_interleave by a number over time only")
            return self.upsample(x, None, repeats, "nearest")
        if name == "conv1d":
            return self.convolution(nn.Conv1d, "weight bias stride padding dilation groups", x, rest, kwargs)
        if name == "conv_transpose1d":
            return self.convolution(nn.ConvTranspose1d, "weight bias stride padding output_padding groups dilation", x,
                                    rest, kwargs)
        if name == "linear":
            weight, bias = _bind("weight bias", rest, kwargs)
            if not isinstance(weight, Tensor):
                raise _Refused("the weight is not a parameter or buffer of a module")
            return self.built(nn.Linear(weight.shape[1], weight.shape[0], bias is not None),
                              {"weight": weight, "bias": bias}, x)
        if name == "avg_pool1d":
            size, stride, padding, ceil, include = _bind("kernel_size stride padding ceil_mode count_include_pad", rest,
                                                         kwargs, padding=0, ceil_mode=False, count_include_pad=True)
            return self.built(nn.AvgPool1d(size, stride, padding, ceil, include), {}, x)
        if name in ("max_pool1d", "boolean_dispatch"):
            size, stride, padding, dilation, ceil, indices = _bind(
                "kernel_size stride padding dilation ceil_mode return_indices", rest, kwargs, padding=0, dilation=1,
                ceil_mode=False, return_indices=False)
            return self.built(nn.MaxPool1d(size, stride, padding, dilation, bool(indices), ceil), {}, x)
        if name == "layer_norm":
            shape, weight, bias, eps = _bind("normalized_shape weight bias eps", rest, kwargs, eps=1e-5)
            if x.axes[-1] != "channels" and not self.windows:
                raise _Refused(export._WRAP.replace("wrap it in OverChannels", "transpose it"))
            module = nn.LayerNorm(shape, eps, weight is not None)
            for key, value in (("weight", weight), ("bias", bias)):
                if value is not None:
                    setattr(module, key, nn.Parameter(value.detach()))
            if self.windows:
                return self.module_on_windows(module, self.current.name, x)
            return self.emit(self.describer.layer_norm(module, self.unique(self.current.name)), x)
        if name in _WHOLE_SIGNAL and not self.windows:
            raise self.over_axes(name, x, rest, kwargs)
        raise _Unknown(f"{name} is not supported")

    def over_axes(self, name: str, x: _Value, rest: Sequence[Any], kwargs: Mapping[str, Any]) -> _Refused:
        """Why a function cannot run over a stream, by the axes that it goes over."""
        names, otherwise = _WHOLE_SIGNAL[name]
        *before, own = names.split() or [""]
        dims = kwargs.get(own, rest[len(before)] if len(rest) > len(before) and own else otherwise)
        if name == "flip" and len(rest) > 1:
            dims = rest
        dims = dims if isinstance(dims, (tuple, list)) else range(len(x.axes)) if dims is None else [dims]
        roles = {x.axis(dim) for dim in dims}
        if "batch" in roles:
            return _Refused(f"{name} over {'all axes' if len(roles) > 2 else 'the batch'}: that mixes what does not "
                            "belong together")
        if roles == {"channels"}:
            return _Unknown(f"{name} over the channels is not supported{_INSTEAD.get(name, '')}")
        return _Refused(f"{name} {export._USE_A_WINDOW}")

    def on_windows(self, name: str, x: _Value, rest: Sequence[Any], kwargs: Dict[str, Any]) -> Optional[_Value]:
        """A function that only windows have; None if it is none of these."""
        if name in ("mean", "sum"):
            dim, keepdim, _ = _bind("dim keepdim dtype", rest, kwargs)
            if isinstance(dim, int) and x.axis(dim) == "channels":
                return None
            return self.over_time(name, x, dim, keepdim)
        if name == "flip":
            return self.flip(x, rest if len(rest) > 1 else _bind("dims", rest, kwargs)[0])
        if name == "flatten":
            start, end = _bind("start_dim end_dim", rest, kwargs, start_dim=0, end_dim=-1)
            if start % len(x.axes) != 1 or end % len(x.axes) != len(x.axes) - 1:
                raise _Refused(f"flattens axes {start} to {end}, only 1 to -1 are supported")
            return self.flatten(x)
        if name in ("view", "reshape"):
            return self.reshape(x, rest or list(kwargs.values()), name)
        if name in ("expand", "repeat"):
            return self.expand(x, rest, name, name == "repeat")
        if name == "expand_as":
            if not isinstance(rest[0], _Value):
                raise _Refused("expand_as takes a signal")
            return self.expand(x, rest[0].shape(), name)
        if name == "group_norm":
            groups, weight, bias, eps = _bind("num_groups weight bias eps", rest, kwargs, eps=1e-5)
            affine = weight is not None or bias is not None
            channels = self.upright(x).channels
            return self.built(nn.GroupNorm(groups, channels, eps, affine), {"weight": weight, "bias": bias}, x)
        if name == "instance_norm":
            names = "running_mean running_var weight bias use_input_stats momentum eps"
            mean, var, weight, bias, own, _, eps = _bind(names, rest, kwargs, use_input_stats=True, eps=1e-5)
            module = nn.InstanceNorm1d(self.upright(x).channels, eps, affine=weight is not None or bias is not None,
                                       track_running_stats=not own)
            if not own:
                module.running_mean, module.running_var = mean, var
            return self.built(module, {"weight": weight, "bias": bias}, x)
        if name in ("adaptive_avg_pool1d", "adaptive_max_pool1d"):
            size, indices = _bind("output_size return_indices", rest, kwargs, return_indices=False)
            module = nn.AdaptiveAvgPool1d(size) if name[9] == "a" else nn.AdaptiveMaxPool1d(size, bool(indices))
            return self.built(module, {}, x)
        return None

    def number(self, name: str, args: List[Any], kwargs: Dict[str, Any]) -> Any:
        """A function of numbers and constant tensors alone: computed, for each sample where lengths are among them."""
        if _contains((args, kwargs), _Batch):
            raise _Refused("what is computed depends on the size of the batch")
        call = _callable(self.current.target)
        if not _contains((args, kwargs), _Number):
            return call(*args, **kwargs)
        if name in (*_FILLED, *_OWN_FILLED):
            raise _Refused("makes a tensor whose size depends on the signal's length")
        count = next(len(number.values) for number in self.numbers((args, list(kwargs.values()))))
        if name in ("floordiv", "floor_divide", "mod", "remainder", "div", "truediv"):
            self.moduli.update(arg for arg in args if type(arg) is int and 1 < arg <= export.MAX_EXTENT)
        results = [call(*_at(args, i), **_at(kwargs, i)) for i in range(count)]
        if isinstance(results[0], (tuple, list)):
            return tuple(_Number(parts) for parts in zip(*results))
        return _Number(results)

    def numbers(self, args: Any) -> Iterator[_Number]:
        if isinstance(args, _Number):
            yield args
        elif isinstance(args, (tuple, list)):
            for arg in args:
                yield from self.numbers(arg)

    def attribute(self, target: str) -> Any:
        value: Any = self.root
        for part in target.split("."):
            value = getattr(value, part)
        return value

    def call(self, node: torch.fx.Node) -> Any:
        args, kwargs = list(_known(node.args, self.env)), _known(dict(node.kwargs), self.env)
        if "input" in kwargs and node.op == "call_function":
            args.insert(0, kwargs.pop("input"))
        if node.op == "get_attr":
            return self.attribute(node.target)
        if node.op == "call_module":
            return self.module(self.root.get_submodule(node.target), node.target, args, kwargs)
        name = node.target if node.op == "call_method" else getattr(node.target, "__name__", str(node.target))
        name = {"_threshold": "threshold"}.get(name, name)
        if node.target in (F.max_pool1d, F.adaptive_max_pool1d):
            name = "max_pool1d" if node.target is F.max_pool1d else "adaptive_max_pool1d"
        return self.function(name, args, kwargs)


# --- from a module to a node ----------------------------------------------------------------------------------------


@contextlib.contextmanager
def inference(module: nn.Module) -> Iterator[None]:
    """Puts a module into inference mode and its tensors into float32, which is what is written, and leaves everything,
    random numbers included, as it was."""
    modes = [(child, child.training) for child in module.modules() if hasattr(child, "training")]
    state = torch.random.get_rng_state()
    others = [(tensor, tensor.data) for tensor in (*module.parameters(), *module.buffers())
              if tensor.dtype.is_floating_point and tensor.dtype != torch.float32 and not nn.parameter.is_lazy(tensor)]
    try:
        module.eval()
        for tensor, data in others:
            tensor.data = data.float()
        with torch.no_grad():
            yield
    finally:
        torch.random.set_rng_state(state)
        for tensor, data in others:
            tensor.data = data
        for child, training in modes:
            child.training = training


def _line(node: torch.fx.Node) -> str:
    """The line of the forward that a node came from, if torch.fx knows it."""
    lines = (node.stack_trace or "").strip().splitlines()
    frames = [(lines[i], lines[i + 1]) for i in range(len(lines) - 1) if lines[i].lstrip().startswith("File ")]
    if frames and frames[0][0].endswith("in <module>"):  # newer torch begins with the outermost call
        frames.reverse()
    return next((f" ({code.strip()})" for place, code in frames if _is_users(place)), "")


def _line_of(error: BaseException) -> str:
    """The line of the forward that raised an error."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((f" ({frame.line})" for frame in frames if frame.line and _is_users(frame.filename)), "")


def _is_users(place: str) -> bool:
    return not any(part in place for part in ("/torch/", "eigenstream_trace.py", "eigenstream_export.py"))


def _input_channels(graph: torch.fx.Graph, root: nn.Module, placeholder: torch.fx.Node) -> Optional[int]:
    """The channels that the first layer behind an input asks for, if it is reached unchanged."""
    seen, waiting = set(), [placeholder]
    while waiting:
        for user in waiting.pop(0).users:
            if user in seen or user.op == "output":
                continue
            seen.add(user)
            if user.op == "call_module":
                module = root.get_submodule(user.target)
                wanted = export.wanted_channels(module)
                if wanted is not None:
                    return wanted
                if not export.is_pointwise(module):
                    continue
                waiting.append(user)
            elif user.op == "call_function" and user.target in (F.conv1d,):
                pass
            else:
                name = user.target if isinstance(user.target, str) else getattr(user.target, "__name__", "")
                if name.rstrip("_") in (*_SIMPLE, *_NOTHING, "pad", "transpose", "permute", "dropout", "gelu", "neg", "clamp"):
                    waiting.append(user)
    return None


def _is_refused(describer: Any, module: nn.Module) -> bool:
    """Whether a module that a forward calls as a whole cannot be described, whatever it is given."""
    if isinstance(module, export._OF_TORCH) or export.is_recurrent(module):
        backwards = describer.windows is None and getattr(module, "bidirectional", False)
        return export._foreign(module) is not None or export.is_recurrent(module) and backwards
    return describer.refuses(module, describer.windows is not None)


def _only_channels(root: nn.Module, errors: List[str]) -> Optional[int]:
    """The only number of channels, of those that its layers and constants speak of, for which `root` runs. If it runs for
    none, the last one's error is added to `errors`."""
    candidates, error = {1, 2, 3}, ""
    for module in root.modules():
        candidates.update(value for value in (export.wanted_channels(module),) if value is not None)
    for tensor in (*root.parameters(), *root.buffers()):
        candidates.update(extent for extent in tensor.shape if extent <= 4096)
    fitting = []
    for channels in sorted(candidates)[:64]:
        try:
            root(export._like(root, torch.zeros(1, channels, SAMPLE_LENGTHS[0][0])))
        except Exception as raised:  # whatever it raises, it does not take so many
            error = f" (it does not run for {channels}: {export._one_line(raised)})"
            continue
        fitting.append(channels)
    if not fitting:
        errors.append(error)
    # One fits almost everything, by broadcasting.
    fitting = [channels for channels in fitting if channels > 1] or fitting
    return fitting[0] if len(fitting) == 1 else None


def trace(describer: Any, root: nn.Module, path: str, inputs: Optional[Sequence[int]]) -> Node:
    """The Graph node (a Sequential if nothing branches) of what `root`'s own forward does."""

    def fail(message: str, node: Optional[torch.fx.Node] = None, cure: str = "", inside: str = "") -> export.ExportError:
        where = "" if node is None else _line(node)
        inside = inside if node is None else node.meta.get("inside", "")
        return export._fail(export._join(path, inside) if inside else path, root.get_submodule(inside),
                            f"{message}{where}{cure}")

    export.check_own_forward(root, path)
    windows = describer.windows
    if windows is not None:
        inputs = [windows.shape[1]]
    with inference(root):
        tracer = _Tracer(export.is_known)
        tracer.record_stack_traces = True
        kinds = {parameter.kind for parameter in inspect.signature(root.forward).parameters.values()}
        if kinds & {inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD}:
            raise fail("its forward takes *args or **kwargs; name the signals that it takes")
        try:
            kept = _defaults(root, inputs)
            graph = tracer.trace(root, concrete_args=kept or None)
        except export.ExportError:
            raise
        except Exception as error:  # whatever the forward or torch.fx raise
            message = export._one_line(error)
            if isinstance(root.get_submodule(tracer.inside[-1]), nn.RNNBase):
                message += "; what torch does in there cannot be followed: keep the recurrent layer as a part, as in self.gru"
            for name, cell in root.named_modules(prefix=path):
                if isinstance(cell, nn.RNNCellBase) and describer.refuses(cell, windows is not None):
                    message += f"; {describer.refusal(cell, name, windows is not None)}"
                    break
            raise fail(f"its forward cannot be traced: {message}{_line_of(error)}", None, _OR_REGISTER,
                       tracer.inside[-1]) from error
        _forget(graph, kept)
        placeholders = [node for node in graph.nodes if node.op == "placeholder"]
        for node in graph.nodes:  # said before what leads there is not understood
            called = root.get_submodule(node.target) if node.op == "call_module" else nn.Sequential()
            for name, layer in export._layers(called, export._join(path, str(node.target))):
                within = layer is not called and export.is_recurrent(layer)  # a Sequential, which passes on one signal
                if within or _is_refused(describer, layer):
                    raise describer.refusal(layer, name, windows is not None)
            if node.op == "call_function" and export.of_images(getattr(node.target, "__name__", "")):
                raise fail(f"{node.target.__name__}: {export._OF_IMAGES}", node)
        if windows is not None and len(placeholders) != 1:
            raise fail(f"takes {len(placeholders)} signals, but a window is one")
        channels = list(inputs) if inputs is not None else []
        if inputs is None:
            for placeholder in placeholders:
                found, errors = _input_channels(graph, root, placeholder), []
                if found is None and len(placeholders) == 1:
                    found = _only_channels(root, errors)
                if found is None:
                    raise fail(f"how many channels its input {placeholder.name} has cannot be seen; say it, as in "
                               f"inputs=[{', '.join('2' for _ in placeholders)}]{''.join(errors)}")
                channels.append(found)
        if len(channels) != len(placeholders):
            raise fail(f"takes {len(placeholders)} signals, but inputs gives the channels of {len(channels)}")

        if windows is not None:
            shape = tuple(windows.shape[1:])
            try:
                expected = [root(windows.clone())]
            except Exception as error:  # whatever the forward raises
                raise fail(f"its forward fails for a window of shape {shape}: {export._one_line(error)}") from error
            sample = windows if windows.dim() == 3 else windows.unsqueeze(-1)
            walker = _Walker(describer, root, path, graph, [sample.shape[-1]])
            output = _walk(walker, placeholders, channels, [sample.to("cpu", torch.float32)], fail)
            if describer.check:
                _compare(output.views(), expected, fail, tracer.kept)
            return _finished(walker, output, path, channels[0])

        before, depth = dict(describer.tensors), describer.depth

        def walked(samples: List[Tensor], others: Sequence[int], lenient: bool) -> Tuple[_Walker, _Value]:
            describer.tensors, describer.depth = dict(before), depth
            lengths = [*(sample.shape[-1] for sample in samples), *others]
            walker = _Walker(describer, root, path, graph, lengths, lenient)
            return walker, _walk(walker, placeholders, channels, samples, fail)

        failed: Optional[Exception] = None
        refused = False
        for lengths in SAMPLE_LENGTHS:
            samples = _samples(sum(channels), lengths)
            try:
                expected = [root(*export._like(root, sample.clone()).split(channels, 1)) for sample in samples]
            except Exception as error:  # too short, perhaps
                if not refused:
                    tried = " to ".join(str(each) for each in sorted({SAMPLE_LENGTHS[0][0], lengths[0]}))
                    failed = fail(f"its forward fails for signals of {tried} frames: {export._one_line(error)}"
                                  + _channels_last(root, channels))
                continue
            try:
                first, _ = walked(samples, [], False)
                sweep = _sweep(lengths[0] + 1, first.cycle())
                walker, output = walked(samples, sweep, True)
                dead = [walker.lengths[i] for i in sorted(walker.dead)]
                if dead or walker.doubtful:  # once more with what the module takes
                    walker, output = walked(samples, sorted({*sweep} - {*dead}), False)
                node = _finished(walker, output, path, sum(channels))
                if describer.check:
                    alive = walker.lengths[len(lengths):]
                    for length in (*alive[::len(alive) // 4 + 1], *alive[-1:], *dead[:1]):
                        (sample,) = _samples(sum(channels), [length])
                        with contextlib.suppress(Exception):  # whatever it raises, it does not take such a length
                            expected.append(root(*sample.clone().split(channels, 1)))
                            samples.append(sample)
                    folded = fold_crops(node)
                    _compare([apply_node(folded, describer.tensors, sample, False, describer.custom_forward)
                              for sample in samples], expected, fail, tracer.kept)
                return node
            except export.ExportError as error:
                failed, refused = error, True
                if lengths != SAMPLE_LENGTHS[0]:
                    break
        raise failed


def _channels_last(root: nn.Module, channels: Sequence[int]) -> str:
    """A hint, if a forward that fails takes its signals with the channels last."""
    with contextlib.suppress(Exception):
        root(*(export._like(root, torch.zeros(1, SAMPLE_LENGTHS[0][0], count)) for count in channels))
        return ("; it runs for (batch, frames, channels), but a signal is (batch, channels, frames): transpose it in the "
                "forward, x.transpose(1, 2), and back at the end")
    return ""


def _samples(channels: int, lengths: Sequence[int]) -> List[Tensor]:
    generator = torch.Generator().manual_seed(1)
    return [torch.rand(1, channels, length, generator=generator) * 2 - 1 for length in lengths]


def _sweep(start: int, cycle: int) -> List[int]:
    """Lengths with every remainder that matters to a network that repeats after `cycle` frames; of a very long cycle
    half of them close together, half of them spread over it."""
    if cycle <= LARGEST_SWEEP:
        return list(range(start, start + max(64, cycle)))
    half = LARGEST_SWEEP // 2
    return [*range(start, start + half), *range(start + half, start + half + cycle, cycle // half | 1)]


def _defaults(root: nn.Module, inputs: Optional[Sequence[int]]) -> Dict[str, Any]:
    """The arguments of forward that keep their defaults: all that have one, unless `inputs` counts them as signals."""
    parameters = list(inspect.signature(root.forward).parameters.values())
    kept = {}
    for i, parameter in enumerate(parameters):
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            continue
        if parameter.default is not parameter.empty and (inputs is None or i >= len(inputs)):
            kept[parameter.name] = parameter.default
    return kept


def _forget(graph: torch.fx.Graph, kept: Mapping[str, Any]) -> None:
    """Takes away the inputs that keep their defaults, and torch.fx's checks that they do."""
    for node in [node for node in graph.nodes if node.op == "placeholder" and node.target in {f"{k}_1" for k in kept}]:
        doomed = [node]
        for each in doomed:
            doomed.extend(user for user in each.users if user not in doomed)
        for each in reversed(doomed):
            graph.erase_node(each)


def _walk(walker: _Walker, placeholders: List[torch.fx.Node], channels: List[int], samples: List[Tensor],
          fail: Callable[..., Exception]) -> _Value:
    windows = walker.describer.windows
    everything = _Value(0, samples, _SIGNAL if windows is None or windows.dim() == 3 else _FEATURES)
    everything.frames = list(walker.lengths)
    walker.values.append(everything)
    start = 0
    for placeholder, count in zip(placeholders, channels):
        walker.current = placeholder
        walker.env[placeholder] = everything if len(channels) == 1 else walker.channel_slice(everything, start, count)
        if len(channels) > 1:
            walker.env[placeholder].memory = object()  # inputs are tensors of their own
        start += count
    walker.inputs = {placeholder: walker.env[placeholder] for placeholder in placeholders}
    walker.env.update(dict.fromkeys(walker.states))
    for node in walker.graph.nodes:
        if node in walker.env or node.op == "placeholder":
            continue
        walker.current = node
        if node.op == "output":
            (result,) = node.args
            result = walker.env[result] if isinstance(result, torch.fx.Node) else result
            if not isinstance(result, _Value):
                kinds = {dict: "dict", list: "list", tuple: "tuple", (_Number, _Batch): "number"}
                kind = next((name for cls, name in kinds.items() if isinstance(result, cls)), type(result).__name__)
                raise fail(f"its forward gives a {kind}, not one signal", node)
            if result.axes[0] != "batch":
                raise fail(f"its forward gives a signal ({', '.join(result.axes)}); permute it back", node)
            result = walker.upright(result)
            if windows is None and result.axes != _SIGNAL:
                raise fail("its forward gives a signal with the channels last; transpose it back", node)
            try:
                return walker.ended(result)
            except _Refused as reason:
                raise fail(str(reason), reason.node or node) from reason
        try:
            walker.env[node] = walker.call(node)
        except _Refused as reason:
            raise fail(str(reason), reason.node or node, _OR_REGISTER if isinstance(reason, _Unknown) else "") from reason
        except (TypeError, ValueError, AttributeError, KeyError, IndexError) as error:
            raise fail(f"{getattr(node.target, '__name__', node.target)}: {_in_words(error)}", node) from error
    raise fail("its forward gives nothing")


def _compare(outputs: Sequence[Tensor], expected: Sequence[Any], fail: Callable[..., Exception],
             kept: Sequence[str]) -> None:
    for given, wanted in zip(outputs, expected):
        if isinstance(wanted, Tensor):
            wanted = wanted.to("cpu", torch.float32)
        if not isinstance(wanted, Tensor) or given.shape != wanted.shape:
            raise fail(f"what was traced gives {tuple(given.shape)}, the module {tuple(getattr(wanted, 'shape', ()))}")
        apart = _apart(given, wanted)
        if apart > 1e-4:
            memory = f"; it keeps {kept[0]} for the next call, but a stream keeps the state of recurrent layers by itself" \
                if kept else ""
            raise fail(f"what was traced differs from the module by {apart:.2g}: its forward does something that the "
                       f"trace does not show{memory}")


def _apart(given: Tensor, wanted: Tensor) -> float:
    """The largest difference: absolute within [-1, 1], relative beyond."""
    if not given.numel():
        return 0.0
    return float(((given - wanted).abs() / wanted.abs().clamp(min=1)).nan_to_num(0).max())


def compare_windows(describer: Any, module: nn.Module, node: Node, windows: Tensor, expected: Tensor) -> None:
    """Checks that a described network makes of windows (N, C, T) what the module does, (N, C', T') or (N, F)."""
    try:
        given = apply_node(node, describer.tensors, windows, True)
    except _Refused:  # a type of the user's
        return
    expected = (expected if expected.dim() == 3 else expected.unsqueeze(-1)).to("cpu", torch.float32)
    if given.shape != expected.shape:
        shapes = f"{tuple(given.shape[1:])} of a window, the module {tuple(expected.shape[1:])}"
        raise export._fail(node["path"], module, f"what would be written makes {shapes}")
    apart = _apart(given, expected)
    if apart > 1e-4:
        raise export._fail(node["path"], module, f"what would be written differs from the module by {apart:.2g}")


def _finished(walker: _Walker, output: _Value, path: str, channels: int) -> Node:
    """The nodes that lead to the output, renumbered."""
    wanted, waiting = set(), [output.number]
    while waiting:
        number = waiting.pop()
        if number == 0 or number in wanted:
            continue
        wanted.add(number)
        waiting.extend(walker.nodes[number - 1]["from"])
    if 0 not in (source for number in wanted for source in walker.nodes[number - 1]["from"]) and wanted:
        raise export.ExportError(f"{path or '<root>'}: its output does not depend on its input")
    numbers = {0: 0}
    nodes = []
    for number in sorted(wanted):
        node = walker.nodes[number - 1]
        node["from"] = [numbers[source] for source in node["from"]]
        nodes.append(node)
        numbers[number] = len(nodes)
    dropped = [node for i, node in enumerate(walker.nodes) if i + 1 not in wanted]
    for node in dropped:
        for name in list(walker.describer.tensors):
            if node["path"] and name.startswith(node["path"] + "."):
                kept = any(other["path"] == node["path"] for other in nodes)
                if not kept:
                    del walker.describer.tensors[name]
    if all(node["from"] == [i] for i, node in enumerate(nodes)) and not any(n["type"] == "Reduce" for n in nodes):
        for node in nodes:
            del node["from"]
        return {"type": "Sequential", "path": path, "layers": nodes}
    return {"type": "Graph", "path": path, "in_channels": channels, "nodes": nodes}
