"""Layers over time: convolutions, pools, recurrent layers, and the modules that are one call."""

from __future__ import annotations

from typing import Any, List, Optional, Sequence

import torch
from torch import Tensor

from ..align import Varying
from ..continual import Continual
from ..errors import Refused
from ..format import MAX_RECURRENT_LAYERS, Node, dilated, recurrent_outputs, recurrent_states, recurrent_tensors
from ..graph import Builder
from ..known import BOTH_DIRECTIONS, OF_IMAGES, USE_A_WINDOW
from ..reading import single
from ..signals import BATCH, COLUMNS, ROWS, SPACE, TIME, Lost, Signal, in_order, what
from .arithmetic import constants
from .continual import continual
from .space import adaptive_pool, avg_pool, conv, each_frame, max_pool
from .registry import handles


def _number(name: str, value: Any) -> int:
    value = single(value)
    if type(value) is not int:
        raise Refused(f"{name} is {what(value)}, not an integer")
    return value


def over_time(b: Builder, x: Signal, node: Node, name: str) -> Signal:
    """A node of (batch, channels, time)."""
    x = b.upright(x, name)
    return b.emit(node, b.whole(x))


@handles("conv1d")
def conv1d(b: Builder, input: Signal, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0, dilation: Any = 1,
           groups: int = 1) -> Signal:
    if not isinstance(input, Signal):
        raise Refused("convolves a constant with a signal")
    if input.axes[0] in ROWS:
        return conv(b, input, weight, bias, stride, padding, dilation, groups)
    weight, bias = constants(b, weight=weight, bias=bias)
    x = b.upright(input, "Conv1d")
    stride, dilation = _number("stride", stride), _number("dilation", dilation)
    field = dilated(weight.shape[2], dilation)
    if padding == "same":
        left, right = (field - 1) // 2, field - 1 - (field - 1) // 2
    else:
        left = right = 0 if padding == "valid" else _number("padding", padding)
    path = b.own_path(weight=weight, bias=bias)
    b.keep(path, "weight", weight)
    if bias is not None:
        b.keep(path, "bias", bias)
    fields: Node = {}
    pad = _pad_before(b, x, left or right)
    if pad is not None:
        left, right = left + pad["left"], right + pad["right"]
        fields = {"padding_mode": "replicate"} if pad["mode"] == "replicate" else {}
        x = x.replaced(number=pad["from"][0], frames=[count - pad["left"] - pad["right"] for count in x.frames])
    return b.emit({"type": "Conv1d", "path": path, "in_channels": weight.shape[1] * groups, "out_channels": weight.shape[0],
                   "kernel_size": weight.shape[2], "stride": stride, "padding": left if left == right else [left, right],
                   **fields,
                   "dilation": dilation, "groups": groups, "bias": bias is not None}, b.whole(x))


def _pad_before(b: Builder, x: Signal, padded: int) -> Optional[Node]:
    """The Pad that gives x, if it is nothing but more padding of a convolution."""
    node = b.made_by(x)
    if node["type"] != "Pad" or x.cut is not None or min(node["left"], node["right"]) < 0 or "multiple" in node:
        return None
    zeros = node["mode"] == "constant" and node["value"] == 0
    return node if zeros or node["mode"] == "replicate" and not padded else None


@handles("conv_transpose1d")
def conv_transpose1d(b: Builder, input: Signal, weight: Any, bias: Any = None, stride: Any = 1, padding: Any = 0,
                     output_padding: Any = 0, groups: int = 1, dilation: Any = 1) -> Signal:
    if not isinstance(input, Signal):
        raise Refused("convolves a constant with a signal")
    weight, bias = constants(b, weight=weight, bias=bias)
    x = b.upright(input, "ConvTranspose1d")
    path = b.own_path(weight=weight, bias=bias)
    b.keep(path, "weight", weight)
    if bias is not None:
        b.keep(path, "bias", bias)
    return b.emit({"type": "ConvTranspose1d", "path": path, "in_channels": weight.shape[0],
                   "out_channels": weight.shape[1] * groups,
                   "kernel_size": weight.shape[2], "stride": _number("stride", stride), "padding": _number("padding", padding),
                   "output_padding": _number("output_padding", output_padding), "dilation": _number("dilation", dilation),
                   "groups": groups, "bias": bias is not None}, b.whole(x))


def _pooled(b: Builder, x: Signal, fields: Node, name: str) -> Signal:
    x = b.upright(x, name)
    y = b.emit({**fields, "path": b.own_path()}, b.whole(x))
    return y


@handles("avg_pool1d")
def avg_pool1d(b: Builder, input: Signal, kernel_size: Any, stride: Any = None, padding: Any = 0, ceil_mode: bool = False,
               count_include_pad: bool = True) -> Signal:
    if input.axes[0] in ROWS:
        return avg_pool(b, input, kernel_size, stride, padding, ceil_mode, count_include_pad)
    size = _number("kernel_size", kernel_size)
    stride = size if stride is None or stride == () else _number("stride", stride)
    return _pooled(b, input, {"type": "AvgPool1d", "kernel_size": size, "stride": stride, "padding": _number("padding",
                                                                                                             padding),
                              "ceil_mode": bool(ceil_mode), "count_include_pad": bool(count_include_pad)}, "AvgPool1d")


@handles("max_pool1d")
def max_pool1d(b: Builder, input: Signal, kernel_size: Any, stride: Any = None, padding: Any = 0, dilation: Any = 1,
               ceil_mode: bool = False, return_indices: bool = False) -> Signal:
    if input.axes[0] in ROWS:
        return max_pool(b, input, kernel_size, stride, padding, dilation, ceil_mode, return_indices)
    if return_indices:
        raise Refused("return_indices is not supported, only values come out of a stream")
    size = _number("kernel_size", kernel_size)
    stride = size if stride is None or stride == () else _number("stride", stride)
    return _pooled(b, input, {"type": "MaxPool1d", "kernel_size": size, "stride": stride, "padding": _number("padding",
                                                                                                             padding),
                              "dilation": _number("dilation", dilation), "ceil_mode": bool(ceil_mode)}, "MaxPool1d")


@handles("adaptive_avg_pool1d", "adaptive_max_pool1d")
def adaptive_pool1d(b: Builder, input: Signal, output_size: Any, return_indices: bool = False) -> Signal:
    if input.axes[0] in ROWS:
        return adaptive_pool(b, input, output_size, return_indices)
    if not b.windows:
        raise Refused(USE_A_WINDOW)
    if return_indices:
        raise Refused("return_indices is not supported, only values come out of a stream")
    if single(output_size) is None:
        raise Refused("output_size is None, say a number")
    kind = "AdaptiveAvgPool1d" if b.step.name == "adaptive_avg_pool1d" else "AdaptiveMaxPool1d"
    return _pooled(b, input, {"type": kind, "output_size": _number("output_size", output_size)}, kind)


# --- recurrent layers -----------------------------------------------------------------------------------------------


@handles("gru", "lstm", "rnn_tanh", "rnn_relu")
def recurrent(b: Builder, input: Any, hx: Any, params: Any, has_biases: bool, num_layers: int, dropout: float, train: bool,
              bidirectional: bool, batch_first: Any = None, *more: Any) -> Any:
    kind = {"gru": "GRU", "lstm": "LSTM"}.get(b.step.name, "RNN")
    own = b.step.place.path.rpartition(".")[2] or kind
    if not isinstance(batch_first, bool):
        raise Refused(f"{own} runs over packed sequences, which a stream has not; give it the signal itself")
    if not isinstance(input, Signal):
        raise Refused(f"{own} must be called with one signal")
    batch = 0 if batch_first else 1
    three = len(input.axes) == 3
    rows = three and input.axes[batch] in ROWS and input.axes.count(SPACE) == 2  # over the space of each frame
    columns = three and input.axes[batch] == COLUMNS and input.axes[1 - batch] == TIME  # over time, each place for itself
    plain = three and input.axes[batch] == BATCH and TIME in input.axes and (b.windows or input.axes[2] == SPACE)
    if bidirectional and not b.windows and not rows:
        raise Refused(BOTH_DIRECTIONS)
    if not (rows or columns or plain):
        order = "(batch, time, channels)" if batch_first else "(time, batch, channels)"
        mixes = ", so it would mix what does not belong together" if input.axes[batch] != BATCH else ""
        cure = "" if batch_first or not mixes else ", or batch_first=True"
        raise Refused(f"{own} takes {order}, but gets ({', '.join(input.axes)}){mixes}; permute it{cure}")
    path = b.own_path(**_named(b, params))
    if rows:
        x = b.framed(input, [1 - batch, 2])
    elif columns:
        x = input.replaced(index=input.index.movedim(input.place(batch), 0))
        x = b.in_columns(x, x.index).replaced(axes=input.axes)
    else:
        x = b.ordered(b.turned(input, 2, SPACE))
    node: Node = {"type": kind, "path": path, "input_size": params[0].shape[1],
                  "hidden_size": params[0].shape[0] // {"RNN": 1, "GRU": 3, "LSTM": 4}[kind], "num_layers": num_layers,
                  "bias": has_biases,
                  "bidirectional": bidirectional}
    if num_layers > MAX_RECURRENT_LAYERS:
        raise Refused(f"num_layers is {num_layers}, outside 1..{MAX_RECURRENT_LAYERS}")
    if kind == "RNN":
        node["nonlinearity"] = b.step.name[4:]
    if kind == "LSTM":
        projected = params[1].shape[1]
        node["proj_size"] = projected if projected != node["hidden_size"] else 0
    for (name, shape), tensor in zip(recurrent_tensors(node), params):
        b.keep(path, name, tensor, shape)
    states = _states(b, hx, node, own)
    node["initial_state"] = bool(states)
    for (name, _), state in zip(recurrent_states(node), states):
        b.keep(path, name, state)
    if plain:
        y = b.emit(node, b.whole(x))
        output = y.replaced(axes=tuple(TIME if i == 1 - batch else role for i, role in enumerate(x.axes)))
    else:
        channels, width, height = b.values[x.number].shape
        if rows:
            y = b.emit(each_frame(b, node, channels, width), b.whole(x), shape=(recurrent_outputs(node), width, 1))
        else:
            y = b.emit(node, b.whole(x), columns=True)
        output = y.replaced(axes=input.axes, index=in_order(y.channels).reshape(width * height, -1))
    reason = "only its output can be written"
    if b.windows:
        reason += "; that one's last frame, as in y[:, -1], is the same for one direction"
    elif plain:
        reason = ("a stream has no end to wait for, and keeps the state by itself from chunk to chunk; the output's last frame, "
                  "y[:, -1], can be had inside a Windowed(net, size, stride)")
    reason = f"uses the state that {own} ends with, but {reason}"
    return (output, *[Lost("the state of a recurrent layer", reason, b.step.place)] * (2 if kind == "LSTM" else 1))


def _named(b: Builder, params: Sequence[Tensor]) -> dict:
    """The first weight that has a name in the module, by what it is called there."""
    for tensor in params:
        name = b.names.get(id(tensor), "").rpartition(".")[2]
        if name:
            return {name: tensor}
    return {}


def _states(b: Builder, hx: Any, node: Node, own: str) -> List[Tensor]:
    """The states, (layers, units) each, that a recurrent layer begins with; none if they are zeros."""
    given = list(hx) if isinstance(hx, (tuple, list)) else [hx]
    found = []
    for (name, (runs, units)), state in zip(recurrent_states(node), given):
        values = state.values if isinstance(state, Varying) else [state] * len(b.runs)
        if not all(isinstance(value, Tensor) for value in values):
            raise Refused(f"{own} gets a state to begin with that is not the same for all signals; only zeros, or a parameter "
                          f"or buffer for "
                          "all of the batch, as in self.h0.expand(-1, x.shape[0], -1), can be written")
        first = values[0][:, :1]
        if not all(torch.equal(value, first.expand_as(value)) for value in values):
            raise Refused(f"{own} gets a state to begin with that is not the same for all signals; only zeros, or a parameter "
                          f"or buffer for "
                          "all of the batch, as in self.h0.expand(-1, x.shape[0], -1), can be written")
        state = first[:, 0].detach().to(torch.float32)
        if not bool(torch.isfinite(state).all()):
            raise Refused(f"{own} gets a state to begin with that is not finite in float32")
        found.append(state)
    return found if any(bool((state != 0).any()) for state in found) else []


@handles("gru_cell", "lstm_cell", "rnn_tanh_cell", "rnn_relu_cell")
def cell(b: Builder, *args: Any, **kwargs: Any) -> Any:
    raise Refused("is one step of a recurrence, and a loop over frames cannot be read")


# --- modules that are one call --------------------------------------------------------------------------------------


@handles("module")
def module(b: Builder, *args: Any) -> Signal:
    called, path = b.step.place.module, b.step.place.path
    if isinstance(called, Continual):
        return continual(b, called, args)
    if len(args) != 1 or not isinstance(args[0], Signal):
        raise Refused("a module must be called with one signal")
    x = b.upright(args[0], type(called).__name__)
    path = b.unique(path)
    node = b.describer.node(called, path, [x.channels])
    return x if node is None else b.emit(node, b.whole(x))


def _of_images(name: str) -> None:
    @handles(name)
    def call(b: Builder, *args: Any, **kwargs: Any) -> Any:
        raise Refused(f"{name}: {OF_IMAGES}")


for _name in ("grid_sample", "pixel_shuffle", "pixel_unshuffle", "affine_grid"):
    _of_images(_name)


# --- what needs the whole signal ------------------------------------------------------------------------------------


def _whole_signal(name: str) -> None:
    @handles(name)
    def call(b: Builder, input: Any, *args: Any, **kwargs: Any) -> Any:
        dims = kwargs.get("dim", args[-1] if args and type(args[-1]) is int and name not in ("topk",) else -1)
        if name.startswith(("fft", "rfft", "fft_")) and "dim" not in kwargs:
            dims = args[1] if len(args) > 1 else -1
        if isinstance(input, Signal) and type(dims) is int:
            role = input.axis(dims)
            if role == BATCH:
                raise Refused(f"{name} over the batch: that mixes what does not belong together")
            if role == SPACE:
                raise Refused(f"{name} over the {input.extent(dims)} channels is not supported; amax, amin, argmax and argmin are, "
                              "and the rest can be done outside, with the channels that the network gives")
        raise Refused(f"{name} {USE_A_WINDOW}" if not b.windows else f"{name} is not supported")


for _name in ("sort", "argsort", "topk", "median", "quantile", "kthvalue", "mode", "fft",
              "rfft", "fft_fft",
              "fft_rfft", "fft_ifft", "fft_irfft", "stft", "istft", "logcumsumexp", "trapz"):
    _whole_signal(_name)
