"""What a description means, in torch's terms."""

from __future__ import annotations

from types import MappingProxyType
from typing import Any, Callable, Dict, Mapping, Optional, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from .attention import SINGLE_OUTPUT, attend, retroactive
from .errors import ExportError, Refused, join
from .format import (
    OVER_SPACE, Node, both_sides, of_time, paddings, recurrent_states, recurrent_tensors, with_padding_of_time)
from .module_types import TYPES, ModuleType
from .modules import OnlineAverager, OverlapAdd, Snapshotter, Windowed, reduce_values


# Nodes that hold others.
CONTAINERS = ("Sequential", "Residual", "Parallel", "Graph", "Windowed", "EachFrame", "Control")


def _pad(x: Tensor, left: int, right: int, mode: str, value: float) -> Tensor:
    x = x[..., max(0, -left): max(0, x.shape[-1] - max(0, -right))]
    amounts = (max(0, left), max(0, right))
    if not any(amounts):
        return x
    if mode == "circular":
        return F.pad(x, amounts, mode="circular")
    if mode == "reflect":
        return F.pad(x, amounts, mode="reflect") if x.shape[-1] > max(amounts) else x[..., :0]
    return F.pad(x, amounts, mode="replicate") if mode == "replicate" else F.pad(x, amounts, value=value)


def _function(kind: ModuleType) -> Callable[..., Tensor]:
    """What torch calls like a type, of a signal and the type's fields."""
    name = kind.torch.rpartition(".")[2]
    if kind.torch.startswith("torch.nn."):
        return lambda x, **fields: getattr(nn, name)(**fields)(x)
    return getattr(torch, name)


POINTWISE: Dict[str, Callable[..., Tensor]] = {
    name: _function(each) for name, each in TYPES.items()
    if each.group == "Activations" and each.torch and not each.tensors}
COMPARISONS: Dict[str, Callable[..., Tensor]] = {
    "greater": torch.gt, "greater_equal": torch.ge, "less": torch.lt, "less_equal": torch.le, "equal": torch.eq,
    "not_equal": torch.ne,
}
POINTWISE["Constant"] = lambda x, value: torch.full_like(x, value)
POINTWISE["Compare"] = lambda x, op, value: COMPARISONS[op](x, value).to(x.dtype)
CUMULATIVE: Dict[str, Callable[..., Tensor]] = {
    "sum": torch.cumsum, "product": torch.cumprod, "max": lambda x, dim: torch.cummax(x, dim)[0],
    "min": lambda x, dim: torch.cummin(x, dim)[0],
}


def missing(frames: int, node: Node) -> int:
    """How many more frames a Pad with a `multiple` puts at the end of so many."""
    return (node.get("offset", 0) - frames) % node.get("multiple", 1)


def _recurrent(node: Node, tensor: Callable[[str], Tensor], x: Tensor) -> Tensor:
    functions = {"GRU": torch.gru, "LSTM": torch.lstm,
                 "RNN": torch.rnn_relu if node.get("nonlinearity") == "relu" else torch.rnn_tanh}
    weights = [tensor(name) for name, _ in recurrent_tensors(node)]
    states = [tensor(name) if node["initial_state"] else x.new_zeros(shape) for name, shape in recurrent_states(node)]
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


# What treats each frame as a whole, with the space that it has; anything else that has no branches goes over its columns.
_OVER_FRAMES = {*OVER_SPACE, "Input", "Reshape", "SpaceNorm", "Stft", "Istft",
                *(f"Adaptive{op}Pool{axes}d" for op in ("Avg", "Max") for axes in (2, 3))}


def _with_space(x: Tensor) -> Tensor:
    """A signal as (batch, channels, height, width, time)."""
    return x.reshape(*x.shape[:2], *(1,) * (5 - x.dim()), *x.shape[2:])


def _spectra(node: Node, tensor: Callable[..., Optional[Tensor]], x: Tensor) -> Tensor:
    """The short-time Fourier transform of x, (batch, channels, 1, 1, time), or its inverse of (batch, channels, 1, bins, time)."""
    length, hop, n_fft = node["win_length"], node["hop_length"], node["n_fft"]
    window = tensor("window") if node.get("custom_window") else window_named(node["window"], length)
    options = {"hop_length": hop, "win_length": length, "window": window.to(x.dtype), "center": node["center"],
               "normalized": node["scale"] == "frame_length"}
    batch, left = x.shape[0], n_fft // 2 if node["center"] else 0
    if node["type"] == "Stft":
        frames = (x.shape[-1] + 2 * left - n_fft) // hop + 1
        if frames < 1 or left >= x.shape[-1] and node["pad_mode"] == "reflect":
            return x.new_zeros(batch, 2 * x.shape[1], 1, n_fft // 2 + 1, 0)
        y = torch.view_as_real(torch.stft(x.flatten(0, 3), n_fft, pad_mode=node["pad_mode"], return_complex=True, **options))
        return y.reshape(batch, -1, *y.shape[1:]).permute(0, 1, 4, 2, 3).flatten(1, 2).unsqueeze(2)
    if x.shape[-1] == 0:
        return x.new_zeros(batch, x.shape[1] // 2, 1, 1, 0)
    pairs = x.squeeze(2).unflatten(1, (-1, 2)).permute(0, 1, 3, 4, 2).flatten(0, 1).contiguous()
    right = node.get("right", -1)
    count = (x.shape[-1] - 1) * hop + n_fft - left - (left if right < 0 else right)
    if count < 1:
        return x.new_zeros(batch, x.shape[1] // 2, 1, 1, 0)
    y = torch.istft(torch.view_as_complex(pairs), n_fft, length=count, **options)
    return y.reshape(batch, -1, 1, 1, count)


def window_named(name: str, length: int) -> Tensor:
    """The periodic window that a model file calls so."""
    if name == "rectangular":
        return torch.ones(length, dtype=torch.float64)
    function = getattr(torch, f"{name.replace('sqrt_', '')}_window")(length, dtype=torch.float64)
    return function.clamp(min=0).sqrt() if name.startswith("sqrt") else function


def _over_frames(node: Node, tensor: Callable[..., Optional[Tensor]], x: Tensor) -> Tensor:
    """What goes over frames with space makes of x, (batch, channels, height, width, time)."""
    kind = node["type"]
    if kind == "Input":
        return x.reshape(x.shape[0], node["channels"], node["height"], node["width"], x.shape[-1])
    if kind == "Reshape":
        lying = x.permute(0, 2, 3, 1, 4).reshape(x.shape[0], node["height"], node["width"], node["channels"], x.shape[-1])
        return lying.permute(0, 3, 1, 2, 4)
    if kind == "SpaceNorm":
        frames = x.permute(0, 4, 1, 2, 3)
        y = F.layer_norm(frames, frames.shape[2 if node["over_channels"] else 3:], None, None, node["eps"])
        if node["elementwise_affine"]:
            y = y * tensor("weight") + tensor("bias")
        return y.permute(0, 2, 3, 4, 1)
    if kind in ("Stft", "Istft"):
        return _spectra(node, tensor, x)
    axes = int(kind[-2])
    own = x.permute(0, 1, 4, 2, 3) if axes == 3 else x.squeeze(2).transpose(2, 3)
    if kind.startswith("Adaptive"):
        size = [None, *(each or None for each in node["output_size"][1:])]
        y = getattr(F, f"adaptive_{'avg' if 'Avg' in kind else 'max'}_pool{axes}d")(own, size)
    elif kind.startswith("Avg"):
        y = getattr(F, f"avg_pool{axes}d")(own, node["kernel_size"], node["stride"], node["padding"], node["ceil_mode"],
                                           node["count_include_pad"], node.get("divisor_override"))
    elif kind.startswith("Max"):
        y = getattr(F, f"max_pool{axes}d")(own, node["kernel_size"], node["stride"], node["padding"], node["dilation"],
                                           node["ceil_mode"])
    else:
        pads = paddings(node["padding"], axes)
        weight, bias = tensor("weight"), tensor("bias", node["bias"])
        if kind.startswith("ConvTranspose"):
            y = getattr(F, f"conv_transpose{axes}d")(own, weight, bias, node["stride"], [left for left, _ in pads],
                                                     node["output_padding"], node["groups"], node["dilation"])
            for axis, (left, right) in enumerate(pads):
                y = y.narrow(axis + 2, 0, y.shape[axis + 2] - (right - left))
        else:
            mode = node.get("padding_mode", "zeros")
            own = F.pad(own, [side for pad in reversed(pads) for side in pad], mode="constant" if mode == "zeros" else mode)
            y = getattr(F, f"conv{axes}d")(own, weight, bias, node["stride"], 0, node["dilation"], node["groups"])
    return y.permute(0, 1, 3, 4, 2) if axes == 3 else y.transpose(2, 3).unsqueeze(2)


def joined(op: str, operands: Sequence[Tensor], window: bool) -> Tensor:
    """What a Reduce that was recorded makes of its operands. Outside of windows nothing is left out in front of them: they
    are equally long, or one of them has an end that depends on the signal's length."""
    if any(operand.dim() == 5 for operand in operands):
        operands = [_with_space(operand) for operand in operands]
    if not window:
        shortest = min(operand.shape[-1] for operand in operands)
        operands = [operand[..., :shortest] for operand in operands]
    return reduce_values(op, operands, window)


def apply_node(node: Node, tensors: Mapping[str, Tensor], x: Tensor, window: bool = False,
               own: Mapping[str, Callable[[Tensor], Tensor]] = MappingProxyType({}), more: Sequence[Tensor] = (),
               knobs: Mapping[str, Tensor] = MappingProxyType({})) -> Any:
    """What a described module makes of x (B, C, T), or (B, C, H, W, T): the meaning of docs/types.md in torch's terms. With `window`,
    x are windows inside a Windowed. `own` has what computes the types of the user's, by path; `more` are the further inputs of a
    Graph or of attention, `knobs` what knobs are set to, by name, (batch, size, 1). Of a Graph with several outputs: a list."""
    kind, path = node["type"], node["path"]
    if path in own and kind not in CONTAINERS:
        return own[path](x)

    def tensor(name: str, wanted: bool = True) -> Optional[Tensor]:
        return tensors[f"{path}.{name}" if path else name] if wanted else None

    if kind in _OVER_FRAMES:
        y = _over_frames(node, tensor, _with_space(x))
        return y if y.shape[2:4] != (1, 1) else y[:, :, 0, 0]
    if x.dim() > 3 and kind not in (*CONTAINERS, *POINTWISE, "Pad", "Cumulative"):
        batch, height, width, time = x.shape[0], *x.shape[2:]
        columns = x.permute(0, 2, 3, 1, 4).flatten(0, 2)
        y = apply_node(node, tensors, columns, window, own, more, knobs)
        return y.reshape(batch, height, width, *y.shape[1:]).permute(0, 3, 1, 2, 4)
    if kind in SINGLE_OUTPUT:
        return attend(node, tensor, [x, *more])
    if kind == "RetroactiveAttention":
        return retroactive(node, x).unsqueeze(2)
    if kind == "RecyclingPositionalEncoding":
        rows = torch.arange(x.shape[-1]) % node["num_embeds"]
        return x + tensor("weight")[rows].t()
    if kind in POINTWISE:
        fields = {key: value for key, value in node.items() if key not in ("type", "path", "from")}
        return POINTWISE[kind](x, **fields)
    if kind == "Sequential":
        for layer in node["layers"]:
            x = apply_node(layer, tensors, x, window, own)
        return x
    if kind == "Residual":
        return reduce_values("sum", [apply_node(node["net"], tensors, x, window, own), x], window)
    if kind == "Parallel":
        outputs = [apply_node(branch, tensors, x, window, own) for branch in node["branches"]]
        return reduce_values(node["reduce"], outputs, window)
    if kind == "Graph":
        values = [x, *more]
        for inner in node["nodes"]:
            operands = [values[number] for number in inner["from"]]
            if inner["type"] != "Reduce":
                values.append(apply_node(inner, tensors, operands[0], window, own, operands[1:], knobs))
                continue
            values.append(joined(inner["op"], operands, window))
        return [values[number] for number in node["outputs"]] if "outputs" in node else values[-1]
    if kind == "Control":
        defaults = [tensor(f"default{k}").reshape(1, -1, 1).expand(x.shape[0], -1, -1) for k in range(len(node["names"]))]
        values = [knobs.get(name, default) for name, default in zip(node["names"], defaults)]
        return apply_node(node["net"], tensors, torch.cat(values, 1), window, own).expand(-1, -1, x.shape[-1])
    if kind == "Windowed":
        padding = list(both_sides(node["padding"]))
        net = _Applied(node["net"], tensors)
        return Windowed(net, node["size"], node["stride"], padding)(x)
    if kind == "EachFrame":
        frames = _with_space(x).squeeze(2)  # (batch, channels, width, time)
        y = apply_node(node["net"], tensors, frames.permute(0, 3, 1, 2).flatten(0, 1), True)
        y = y.unflatten(0, (frames.shape[0], frames.shape[3])).permute(0, 2, 3, 1)
        return y[:, :, 0] if y.shape[2] == 1 else y.unsqueeze(2)
    if kind == "Snapshotter":
        return Snapshotter(node["num_channels"], node["snapshot_size"], node["stride_size"])(x)
    if kind == "OverlapAdd":
        padding = list(both_sides(node["padding"]))
        return OverlapAdd(node["channels"], node["size"], node["stride"], padding, node["normalise"],
                                 tensor("window", node["weighted"]))(x)
    if kind == "OnlineAverager":
        return OnlineAverager(node["update_size"], node["num_updates"], node["num_channels"], node["offset"],
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
        left, right = both_sides(node["padding"])
        mode = node.get("padding_mode", "zeros")
        x = _pad(x, left, right, mode, node.get("padding_value", 0.0))
        return F.conv1d(x, tensor("weight"), tensor("bias", node["bias"]), node["stride"], 0, node["dilation"],
                        node["groups"])
    if kind == "ConvTranspose1d":
        left, right = both_sides(node["padding"])
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
        right = node["right"] + missing(x.shape[-1] + node["left"] + node["right"], node)
        y = _pad(x.flatten(1, -2), node["left"], right, node["mode"], node.get("value", 0.0))
        return y.reshape(*x.shape[:-1], y.shape[-1])
    if kind == "Cumulative":
        return CUMULATIVE[node["op"]](x.double(), -1).to(x.dtype)
    if kind == "Embedding":
        y = tensor("weight")[x.clamp(0, node["num_embeddings"] - 1).long()]
        return y.transpose(2, 3).flatten(1, 2)
    if kind in ("ArgMax", "ArgMin"):
        return (x.argmax(1, True) if kind == "ArgMax" else x.argmin(1, True)).to(x.dtype)
    if kind == "Resample":
        from torchaudio.functional import resample

        fields = {key: value for key, value in node.items() if key not in ("type", "path", "from")}
        return resample(x, **fields)
    if kind == "Magnitude":
        squares = x.unflatten(1, (-1, 2)).square().sum(2)
        return squares if node["power"] == 2 else squares.sqrt()
    if kind == "RecursiveFilter":
        from torchaudio.functional import lfilter

        for a, b in zip(tensor("a"), tensor("b")):
            x = lfilter(x, *((a[0], b[0]) if len(a) == 1 else (a, b)), clamp=False)
        return x
    if kind == "Linear":
        return F.linear(x.transpose(1, 2), tensor("weight"), tensor("bias", node["bias"])).transpose(1, 2)
    if kind == "LayerNorm":
        affine = node["elementwise_affine"]
        return F.layer_norm(x.transpose(1, 2), (node["normalized_shape"],), tensor("weight", affine),
                            tensor("bias", affine), node["eps"]).transpose(1, 2)
    if kind in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"):
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
    if kind == "ChannelSelect":
        return x[:, node["indices"]]
    if kind == "ChannelSlice":
        return x[:, node["start"]: node["start"] + node["channels"]]
    if kind == "Snake":
        alpha = tensor("alpha").unsqueeze(-1)
        return x + torch.sin(alpha * x).square() / alpha
    raise Refused(f"{kind} is a type of your own, and what it makes of a signal is not known here; "
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
    if node["type"] == "EachFrame":
        return node
    if node["type"] == "Snapshotter":
        return {"type": "Windowed", "path": node["path"], "size": node["snapshot_size"], "stride": node["stride_size"],
                "padding": 0, "channels": node["num_channels"],
                "net": {"type": "Sequential", "path": join(node["path"], "net"), "layers": []}}
    for field in ("layers", "branches", "nodes"):
        if field in node:
            node[field] = [without_padding(child) for child in node[field]]
    if "net" in node:
        node["net"] = without_padding(node["net"])
    kind = of_time(node)["type"]
    if kind == "CausalAttention" and (node["context"] > 1 or node.get("lookahead", 0)):
        node["padded"] = False
    if kind == "ChunkAttention":
        raise ExportError(f"{node['path'] or '<root>'} (ChunkAttention): attention to chunks gives an output for every frame, also where no "
                          "chunks are before it; say padding=\"exact\"")
    if kind in ("Conv1d", "ConvTranspose1d", "AvgPool1d", "MaxPool1d"):
        node = with_padding_of_time(node, 0)
        if node["type"] in OVER_SPACE:  # what is padded or left out in space stays
            return node
        node.pop("padding_mode", None)
        node.pop("padding_value", None)
        for field, off in (("output_padding", 0), ("ceil_mode", False)):
            if field in node:
                node[field] = off
    elif kind == "Pad":
        node["left"], node["right"] = min(0, node["left"]), min(0, node["right"])
        node.pop("multiple", None), node.pop("offset", None)
    return node
