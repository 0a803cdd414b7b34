"""Describes modules by their attributes; what has a forward of its own is recorded."""

from __future__ import annotations

import math
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor, nn

from .channels import window_channels
from .continual import RecyclingPositionalEncoding
from .controls import Control, split_inputs
from .crops import fold_crops
from .errors import ExportError, fail, is_unicode, join, one_line
from .format import (
    MAX_DEPTH, MAX_EXTENT, MAX_WINDOW, PADDING_POLICIES, Node, both_sides, float32_copy, recurrent_states,
    recurrent_tensors)
from .evaluate import without_padding
from .forward import describe_forward, refuse_first
from .known import (
    ACTIVATIONS, BOTH_DIRECTIONS, INACTIVE, OF_IMAGES, REFUSED, USE_A_WINDOW, WRAP_RECURRENT, class_of, foreign,
    has_own_forward, is_recurrent, is_registered, not_a_module, of_images, registered, resample_class)
from .lengths import check_residual, check_starts
from .module_types import TYPES
from .modules import (
    RECURRENT, OnlineAverager, OverChannels, OverlapAdd, Parallel, Recurrent, Residual, Snake, Snapshotter, Windowed)
from .outputs import checked_outputs
from .reader import Reader, channels_after, takes
from .reading import (
    attribute, check_shrink, children, conv_padding, integer, modules_of, no_values, number, pad_sides, parameter, pool_padding,
    transpose_padding, without_values)


class Describer:
    """Walks a module tree, collecting the tensors on the way."""

    HANDLERS: Dict[type, Callable[["Describer", Any, str], Optional[Node]]] = {}

    def __init__(self, padding: str, check: bool = True) -> None:
        self.padding = padding
        self.check = check
        self.tensors: Dict[str, Tensor] = {}
        self.custom_forward: Dict[str, nn.Module] = {}  # of registered types, by path
        self.depth = 0  # how many nodes enclose the current module
        self.inputs: Optional[Sequence[int]] = None  # the channels that come to the current module, if they are known
        self.given_channels: Dict[str, int] = {}  # by a Windowed, by path

    def network(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]] = None, **layout: Any) -> Node:
        """The node of `module`; the empty Sequential if nothing is left of it."""
        return self.node(module, path, inputs, **layout) or {"type": "Sequential", "path": path, "layers": []}

    def node(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]] = None, **layout: Any) -> Optional[Node]:
        """The node of `module`, None if it does nothing in inference mode. `inputs` are the channels of its signals, if they
        are known, `layout` what else is known of them if it is recorded."""
        self.check_module(module, path)
        cls = class_of(module)
        # A Sequential with recorded modules inside is recorded as a whole: then each of them is seen with what it gets.
        inside = modules_of(module) if cls is nn.Sequential else (module,)
        own_forward = layout.get("recorded", False) or any(has_own_forward(each) for each in inside)
        if cls in INACTIVE and not own_forward:
            return None
        self.depth += 1
        self.inputs = inputs
        if own_forward:
            layout.pop("recorded", None)
            node = self.recorded(module, path, inputs, **layout)
        elif is_registered(module):
            node = self.registered(module, path)
        else:
            if cls in resample_class():
                node = self.resample(module, path)
            else:
                node = self.HANDLERS[cls](self, module, path)
        self.depth -= 1
        return node

    def check_module(self, module: nn.Module, path: str) -> None:
        """Throw if a module, as it stands, can be no node."""
        if not isinstance(module, nn.Module):
            raise fail(path, module, not_a_module(module))
        if self.depth == MAX_DEPTH:
            raise fail(path, module, f"nested more than {MAX_DEPTH} deep")
        if is_registered(module):
            return
        empty = without_values(module, path, has_own_forward(module))
        if empty is not None:
            raise fail(path, module, empty)
        if self.refuses(module):
            raise self.refusal(module, path)

    def recorded(self, module: nn.Module, path: str, inputs: Optional[Sequence[int]], **layout: Any) -> Node:
        """What the module's own forward does."""
        empty = without_values(module, path)
        if empty is not None:
            raise fail(path, module, empty)
        padding, self.padding = self.padding, "exact"
        try:
            node = describe_forward(self, module, path, inputs, **layout).node
        finally:
            self.padding = padding
        return node if padding == "exact" else without_padding(node)

    def registered(self, module: nn.Module, path: str) -> Node:
        try:
            described = registered(module)(module)
        except Exception as error:  # whatever the user's function raises
            reason = f"the registered function fails with {type(error).__name__}: {one_line(error)}"
            raise fail(path, module, reason) from error
        if not (isinstance(described, tuple) and len(described) == 3 and isinstance(described[0], str)
                and all(isinstance(part, Mapping) for part in described[1:])):
            raise fail(path, module, "the registered function must give a type name, fields and tensors")
        name, fields, tensors = described
        for key, value in fields.items():
            integers = isinstance(value, (list, tuple)) and value and all(type(each) is int for each in value)
            if not isinstance(key, str) or key in ("type", "path", "from") or not (
                    isinstance(value, (bool, int, float, str)) or integers):
                raise fail(path, module, f"field {key} is {value!r}, not a bool, int, float, str or list of int")
            if isinstance(value, float) and not math.isfinite(value):
                raise fail(path, module, f"field {key} is {value!r}, not a finite number")
            numbers = value if integers else (value,) if isinstance(value, int) else ()
            if any(not -(1 << 63) <= number < 1 << 63 for number in numbers):
                raise fail(path, module, f"field {key} is {value!r}, beyond the integers of 64 bits")
        if not is_unicode(name, *fields, *(value for value in fields.values() if isinstance(value, str))):
            raise fail(path, module, "the registered function gives a text that is not valid Unicode")
        for key, value in tensors.items():
            empty = no_values(join(path, str(key)), value)
            if empty is not None:
                raise fail(path, module, empty)
            if not isinstance(key, str) or not isinstance(value, Tensor) or not value.dtype.is_floating_point:
                raise fail(path, module, f"tensor {key} is not a tensor of floats")
            value = float32_copy(value)
            if not bool(torch.isfinite(value).all()):
                raise fail(path, module, f"tensor {join(path, key)} has values that are not finite in float32")
            self.tensors[join(path, key)] = value
        self.custom_forward[path] = module
        return {"type": name, "path": path, **fields}

    @staticmethod
    def refuses(module: nn.Module) -> bool:
        """Whether a module, as it stands, can be no node over a stream."""
        return not is_registered(module) and (
            foreign(module) is not None or class_of(module) is None and not has_own_forward(module))

    def refusal(self, module: nn.Module, path: str) -> ExportError:
        """Why it refuses."""
        if is_recurrent(module):
            return fail(path, module, BOTH_DIRECTIONS if module.bidirectional else WRAP_RECURRENT)
        reason = foreign(module)
        if reason is not None:
            return fail(path, module, reason)
        for cls, reason in REFUSED:
            if isinstance(module, cls):
                return fail(path, module, reason)
        if isinstance(module, (nn.ModuleList, nn.ModuleDict)):
            return fail(path, module, "unknown module class: it holds modules, but does not say how they run; use "
                                      "nn.Sequential, or write a forward of your own")
        if of_images(type(module).__name__):
            return fail(path, module, f"unknown module class: {OF_IMAGES}")
        names = sorted({cls.__name__ for cls in self.HANDLERS} | {"Linear", "LayerNorm", "Identity", "Dropout"})
        return fail(path, module, f"unknown module class; build it from {', '.join(names)}, or register() it")

    def tensor(self, module: nn.Module, path: str, name: str, shape: Sequence[int]) -> None:
        """Keep `module`'s tensor `name` as float32; `shape` is the one that the fields promise."""
        value = parameter(module, path, name)
        full_name = join(path, name)
        empty = no_values(full_name, value) if isinstance(value, Tensor) else f"tensor {full_name} has no values"
        if empty is not None:
            raise fail(path, module, empty)
        if tuple(value.shape) != tuple(shape):
            raise fail(path, module, f"tensor {full_name} has shape {tuple(value.shape)}, expected {tuple(shape)}")
        if not value.dtype.is_floating_point:
            raise fail(path, module, f"tensor {full_name} has dtype {value.dtype}, only real floats can be written")
        value = float32_copy(value)
        if not bool(torch.isfinite(value).all()):
            raise fail(path, module, f"tensor {full_name} has values that are not finite in float32")
        self.tensors[full_name] = value

    def fields(self, module: nn.Module, path: str, kind: str, given: Mapping[str, Any]) -> Node:
        """The node of a module whose attributes are the fields of its type; `given` are those that it has not, or not so, with
        None for what is left out."""
        node: Node = {"type": kind, "path": path}
        for name, field in TYPES[kind].fields.items():
            value = given[name] if name in given else attribute(module, path, field)
            if value is not None:
                node[name] = value
        return node

    def plain(self, module: nn.Module, path: str, kind: Optional[str] = None, **given: Any) -> Node:
        """The same with the tensors of the type, which are the module's. A bias that it should have and has not is 0."""
        kind = kind or class_of(module).__name__
        node = self.fields(module, path, kind, given)
        for name, shape in TYPES[kind].shapes(node):
            if name == "bias" and module.bias is None:
                self.tensors[join(path, name)] = torch.zeros(shape)
            else:
                self.tensor(module, path, name, shape)
        return node

    def given(self, node: Node, channels: int) -> Optional[int]:
        """The channels that a described module gives for so many, if that is known."""
        return channels_after(node, channels, self.given_channels)

    # One handler per class; each returns the node with all its fields.

    def sequential(self, module: nn.Sequential, path: str) -> Node:
        layers: List[Node] = []
        channels = self.inputs[0] if self.inputs and len(self.inputs) == 1 else None
        for name, child in children(module):
            node = self.node(child, join(path, name), None if channels is None else [channels])
            if node is None:
                continue
            channels = channels_after(node, channels, self.given_channels)
            if layers and self.can_fold(layers[-1], node):
                pad = layers.pop()
                sides = node["padding"] if isinstance(node["padding"], list) else [node["padding"]] * 2
                node["padding"] = self.sides(child, node["path"], [sides[0] + pad["left"], sides[1] + pad["right"]])
            layers.append(node)
        return {"type": "Sequential", "path": path, "layers": layers}

    @staticmethod
    def can_fold(pad: Node, conv: Node) -> bool:
        """Whether a Pad before a Conv1d is nothing but more of its padding."""
        return (pad["type"] == "Pad" and conv["type"] == "Conv1d" and "padding_mode" not in conv
                and pad["mode"] == "constant" and pad["value"] == 0 and "multiple" not in pad and min(pad["left"], pad["right"]) >= 0)

    def constant_pad(self, module: nn.ConstantPad1d, path: str) -> Optional[Node]:
        value = number(module, path, "value")
        return self.pad(module, path, {"mode": "constant", "value": value})

    def replication_pad(self, module: nn.ReplicationPad1d, path: str) -> Optional[Node]:
        return self.pad(module, path, {"mode": "replicate"})

    def reflection_pad(self, module: nn.ReflectionPad1d, path: str) -> Optional[Node]:
        return self.pad(module, path, {"mode": "reflect"})

    def pad(self, module: nn.Module, path: str, fields: Node) -> Optional[Node]:
        left, right = pad_sides(module, path, self.padding)
        return {"type": "Pad", "path": path, "left": left, "right": right, **fields} if left or right else None

    def parallel(self, module: Parallel, path: str) -> Node:
        inputs = self.inputs
        branches = [self.network(branch, join(path, f"branches.{i}"), inputs) for i, branch in enumerate(module.branches)]
        node = {"type": "Parallel", "path": path, "branches": branches, "reduce": module.reduce}
        check_starts(module, node)
        return node

    def residual(self, module: Residual, path: str) -> Node:
        node = {"type": "Residual", "path": path, "net": self.network(module.net, join(path, "net"), self.inputs)}
        check_shrink(module, path, self.padding)
        check_residual(module, node)
        return node

    def over_channels(self, module: OverChannels, path: str) -> Node:
        inner, path = module.module, join(path, "module")
        for cls, handler in () if foreign(inner) else ((nn.Linear, self.linear), (nn.LayerNorm, self.layer_norm)):
            if isinstance(inner, cls):
                return handler(inner, path)
        raise fail(path, inner, foreign(inner) or "OverChannels takes nn.Linear or nn.LayerNorm only")

    @staticmethod
    def sides(module: nn.Module, path: str, sides: Sequence[int]) -> Union[int, List[int]]:
        if max(sides) > MAX_EXTENT:
            raise fail(path, module, f"padding is {tuple(sides)}, outside 0..{MAX_EXTENT}")
        return sides[0] if sides[0] == sides[1] else list(sides)

    def convolution(self, module: nn.Conv1d, path: str) -> Node:
        padding = self.sides(module, path, conv_padding(module, path, self.padding))
        mode, pad = module.padding_mode if module.padding_mode == "replicate" and padding != 0 else None, None
        if module.padding_mode == "reflect" and padding != 0:
            left, right = both_sides(padding)
            pad = {"type": "Pad", "path": join(path, "pad"), "left": left, "right": right, "mode": "reflect"}
            padding = 0
        node = self.plain(module, path, padding=padding, padding_mode=mode, padding_value=None)
        return node if pad is None else {"type": "Sequential", "path": path, "layers": [pad, node]}

    def transposed_convolution(self, module: nn.ConvTranspose1d, path: str) -> Node:
        padding, output_padding = transpose_padding(module, path, self.padding)
        return self.plain(module, path, padding=padding, output_padding=output_padding)

    def pool(self, module: Union[nn.AvgPool1d, nn.MaxPool1d], path: str) -> Node:
        if getattr(module, "return_indices", False):
            raise fail(path, module, "return_indices is not supported, only values come out of a stream")
        return self.plain(module, path, padding=pool_padding(module, path, self.padding),
                          ceil_mode=bool(module.ceil_mode) and self.padding == "exact")

    def resample(self, module: Any, path: str) -> Node:
        rates = {name: int(getattr(module, name)) for name in ("orig_freq", "new_freq")}
        beta = {} if module.beta is not None else {"beta": None}
        return self.plain(module, path, **rates, **beta, low_delay=None)

    def linear(self, module: nn.Linear, path: str) -> Node:
        return self.plain(module, path, "Linear")

    # Windows.

    def windowed(self, module: Windowed, path: str) -> Node:
        size, stride = integer(module, path, "size"), integer(module, path, "stride")
        empty = without_values(module, path)
        if empty is not None:
            raise fail(path, module, empty)
        inner, padding, self.padding = join(path, "net"), self.padding, "exact"  # a window has ends of its own
        try:
            self.check_window_net(module.net, inner)
            try:
                channels = self.inputs[0] if self.inputs and len(self.inputs) == 1 else window_channels(module, path)
            except ExportError as error:  # perhaps there is a reason whatever the channels are
                for (count,) in error.choices:
                    refuse_first(self, module.net, inner, count, size)
                raise
            self.check_window(module, path, channels, size)
            net, self.given_channels[path] = describe_forward(self, module.net, inner, [channels], size=size)
        finally:
            self.padding = padding
        sides = 0 if padding == "valid" else self.sides(module, path, module.padding)
        return {"type": "Windowed", "path": path, "size": size, "stride": stride, "padding": sides, "channels": channels,
                "net": net}

    def check_window_net(self, net: nn.Module, path: str) -> None:
        """Throw if what a Windowed runs is nothing that can be run."""
        if not isinstance(net, nn.Module):
            raise fail(path, net, not_a_module(net))
        if self.depth >= MAX_DEPTH:
            raise fail(path, net, f"nested more than {MAX_DEPTH} deep")
        if is_recurrent(net):
            raise fail(path, net, WRAP_RECURRENT)
        if foreign(net) is not None or of_images(type(net).__name__) and self.refuses(net):
            raise self.refusal(net, path)

    @staticmethod
    def check_window(module: nn.Module, path: str, channels: int, frames: int) -> None:
        if channels * frames > MAX_WINDOW:
            raise fail(path, module, f"windows of {channels} channels and {frames} frames are more than {MAX_WINDOW} "
                                      "numbers")

    def snapshotter(self, module: Snapshotter, path: str) -> Node:
        self.check_window(module, path, module.num_channels, module.snapshot_size)
        node = self.plain(module, path, merge=None)
        if self.padding == "exact":
            return node
        self.given_channels[path] = node["num_channels"] * node["snapshot_size"]  # it becomes a Windowed
        return without_padding(node)

    def overlap_add(self, module: OverlapAdd, path: str) -> Node:
        self.check_window(module, path, module.channels, module.size)
        return self.plain(module, path, padding=self.sides(module, path, module.padding), weighted=module.window is not None)

    def online_averager(self, module: OnlineAverager, path: str) -> Node:
        self.check_window(module, path, module.num_channels, module.num_updates * module.update_size)
        return self.plain(module, path)

    def recurrent(self, module: Recurrent, path: str) -> Node:
        inner, path = module.module, join(path, "module")
        if not isinstance(inner, RECURRENT):
            raise fail(path, inner, foreign(inner) or "Recurrent takes nn.RNN, nn.GRU or nn.LSTM only")
        return self.recurrent_layers(inner, path)

    def recurrent_layers(self, module: nn.RNNBase, path: str, states: Sequence[Tensor] = ()) -> Node:
        """Its node. `states`, (layers, units) each, are those that it begins with, if these are not zeros."""
        cls = next(cls for cls in RECURRENT if isinstance(module, cls))
        if module.bidirectional:
            raise self.refusal(module, path)
        nonlinearity = {"nonlinearity": "tanh" if module.mode == "RNN_TANH" else "relu"} if cls is nn.RNN else {}
        # Which functions an LSTM has is not torch's to say: its own are the usual ones.
        fast = {"fast_tanh": None} if cls is nn.LSTM else {}
        node = self.fields(module, path, cls.__name__, {"initial_state": bool(states), **fast, **nonlinearity})
        for name, shape in recurrent_tensors(node):
            self.tensor(module, path, name, shape)
        for (name, _), value in zip(recurrent_states(node), states):
            self.tensors[join(path, name)] = value
        return node

    def instance_norm(self, module: nn.InstanceNorm1d, path: str) -> Node:
        if module.track_running_stats:  # then it does what a BatchNorm1d does
            return self.batch_norm(module, path)
        raise fail(path, module, USE_A_WINDOW)

    def batch_norm(self, module: Union[nn.BatchNorm1d, nn.InstanceNorm1d], path: str) -> Node:
        if module.running_mean is None or module.running_var is None:
            raise fail(path, module, "has no running statistics, so it needs the whole signal; "
                                      "train it with track_running_stats=True")
        return self.plain(module, path, "BatchNorm1d")

    def layer_norm(self, module: nn.LayerNorm, path: str) -> Node:
        shape = tuple(module.normalized_shape)
        if len(shape) != 1:
            raise fail(path, module, f"normalized_shape is {shape}, only one axis (the channels) is supported")
        return self.plain(module, path, "LayerNorm")

    def gelu(self, module: nn.GELU, path: str) -> Node:
        return self.plain(module, path, approximate=getattr(module, "approximate", "none"))  # older torch has none

    def rrelu(self, module: nn.RReLU, path: str) -> Node:
        slope = (number(module, path, "lower") + number(module, path, "upper")) / 2
        return {"type": "LeakyReLU", "path": path, "negative_slope": slope}

    def softmin(self, module: nn.Softmin, path: str) -> Node:
        layers = [{"type": "Affine", "path": join(path, "negate"), "scale": -1.0, "offset": 0.0},
                  self.over_dim(module, path, "Softmax")]
        return {"type": "Sequential", "path": path, "layers": layers}

    def over_dim(self, module: Union[nn.GLU, nn.Softmax], path: str, kind: Optional[str] = None) -> Node:
        if module.dim not in (1, -2):
            raise fail(path, module, f"dim is {module.dim}; over time it {USE_A_WINDOW}, over channels say dim=1")
        return {"type": kind or class_of(module).__name__, "path": path}


Describer.HANDLERS = {
    nn.Sequential: Describer.sequential,
    nn.ConstantPad1d: Describer.constant_pad,
    nn.ReplicationPad1d: Describer.replication_pad,
    nn.ReflectionPad1d: Describer.reflection_pad,
    Parallel: Describer.parallel,
    Residual: Describer.residual,
    OverChannels: Describer.over_channels,
    nn.Conv1d: Describer.convolution,
    nn.ConvTranspose1d: Describer.transposed_convolution,
    nn.AvgPool1d: Describer.pool,
    nn.MaxPool1d: Describer.pool,
    nn.BatchNorm1d: Describer.batch_norm,
    nn.GELU: Describer.gelu,
    nn.PReLU: Describer.plain,
    nn.GLU: Describer.over_dim,
    nn.Softmax: Describer.over_dim,
    nn.LogSoftmax: Describer.over_dim,
    nn.Softmin: Describer.softmin,
    nn.RReLU: Describer.rrelu,
    Snake: Describer.plain,
    RecyclingPositionalEncoding: Describer.plain,
    nn.InstanceNorm1d: Describer.instance_norm,
    Windowed: Describer.windowed,
    Snapshotter: Describer.snapshotter,
    OverlapAdd: Describer.overlap_add,
    OnlineAverager: Describer.online_averager,
    Recurrent: Describer.recurrent,
    **dict.fromkeys(ACTIVATIONS, Describer.plain),
}


def describe(
    module: nn.Module, padding: str = "exact", inputs: Union[None, Sequence[int], Mapping[str, Union[int, Control]]] = None,
    check: bool = True,
    rates: Optional[Sequence[int]] = None, time_axis: int = -1, outputs: Optional[Sequence[Union[int, str]]] = None
) -> Tuple[Node, Dict[str, Tensor]]:
    """What a model file says about `module`: its root node and its tensors (contiguous float32 copies on the CPU).

    `padding` "exact" keeps the offline result with all its padding; "valid" writes time padding, output_padding and
    ceil_mode as 0 or false in every layer and drops what pads; what crops stays. A module that occurs twice is described
    twice. `inputs` are the channels of each signal that the module's forward takes, needed if running it does not tell; `rates`
    say for each how many frames of the first one come for one of its frames, without them 1 or what running it tells. Signals
    are (batch, channels, time), with `time_axis` 1 (batch, time, channels), with 0 (time, batch, channels). Frames of the first
    one may have one or two more axes: inputs=[(1, 80)] is (batch, 1, 80, time), with `time_axis` 2 (batch, 1, time, 80), and
    inputs=[(3, 64, 64)] with it (batch, 3, time, 64, 64). What was recorded is
    compared with the module itself on further signals, unless `check` is False.

    `inputs` may also have them by the names of forward's arguments. One that has no time is a knob: inputs={"gain": Control(2)}
    beside the signals, of which all or none have their channels there.

    A forward may give several signals, in tuples, lists and dicts: the first is the main output. They are called by their
    keys and numbers, "mask" or "0", inside of others "state.0". `outputs` are those that are wanted, by name or number, if
    not all can be written.

    Errors: ExportError naming the module's path and type. The module itself is only read.
    """
    if padding not in PADDING_POLICIES:
        raise ExportError(f"padding is {padding!r}, must be one of {', '.join(PADDING_POLICIES)}")
    inputs, controls = split_inputs(inputs)
    inputs = checked_inputs(inputs)
    space = () if inputs is None else next(iter(inputs.values() if isinstance(inputs, dict) else inputs))
    space = space[1:] if isinstance(space, tuple) else ()
    if rates is not None and not (isinstance(rates, (list, tuple)) and all(type(rate) is int and rate > 0 for rate in rates)):
        raise ExportError(f"rates is {rates!r}, must be the frames of the first input for one of each, such as [1, 256]")
    last = 2 + len(space)
    if type(time_axis) is not int or not -1 <= time_axis <= last:
        kinds = (f"-1 or {last} for (batch, channels{''.join(', space' for _ in space)}, time), 1 for (batch, time, channels"
                 f"{''.join(', space' for _ in space)}) or 0 for (time, batch, channels{''.join(', space' for _ in space)})")
        raise ExportError(f"time_axis is {time_axis!r}, must be {kinds}")
    time_axis = -1 if time_axis == last else time_axis
    describer = Describer(padding, check)
    signals = inputs
    if isinstance(inputs, dict):
        inputs = list(inputs.values())
    several = inputs is not None and len(inputs) > 1
    if several:
        describer.check_module(module, "")
        if not any(map(has_own_forward, modules_of(module))):
            raise fail("", module, f"takes one signal, but inputs gives the channels of {len(inputs)}")
    if controls and not any(map(has_own_forward, modules_of(module))):
        raise fail("", module, f"takes a signal, and no knob {next(iter(controls))}")
    special = several or rates is not None or time_axis != -1 or controls or isinstance(signals, dict) or space
    layout = {"recorded": True, "rates": rates, "time_axis": time_axis} if special else {}
    chosen = checked_outputs(outputs)
    if chosen not in (None, [0], ["0"]) and not any(map(has_own_forward, modules_of(module))):
        raise fail("", module, f"gives one signal, but outputs is {outputs!r}")
    layout["outputs"], layout["controls"] = chosen, controls
    node = fold_crops(describer.network(module, "", signals, **layout))
    check_channels(node, None if inputs is None else [each[0] if type(each) is tuple else each for each in inputs], describer)
    Reader(describer.tensors, describer.custom_forward).read(node)
    return node, describer.tensors


def checked_inputs(inputs: Any) -> Any:
    """What the user says of the signals: the channels of each, or of the first (channels, *space). Errors: ExportError."""
    if inputs is None:
        return None
    named = isinstance(inputs, dict)
    counts = list(inputs.values()) if named else inputs
    good = isinstance(counts, (list, tuple)) and len(counts) > 0
    checked = []
    for i, count in enumerate(counts if good else ()):
        extents = tuple(count) if isinstance(count, (tuple, list)) and i == 0 else (count,)
        good = good and 1 <= len(extents) <= 3 and all(type(each) is int and 0 < each <= MAX_EXTENT for each in extents)
        good = good and math.prod(extents) <= MAX_WINDOW
        checked.append(extents if len(extents) > 1 else extents[0] if extents else 0)
    if not good:
        raise ExportError(f"inputs is {inputs!r}, must be the channels of each input, such as [1] or [8, 80]; of the first one, if its "
                          "frames have one or two further axes, all extents but those of batch and time, such as [(1, 80)]")
    return dict(zip(inputs, checked)) if named else checked


def check_channels(node: Node, inputs: Optional[Sequence[int]], describer: Describer) -> None:
    """Throw if the modules of a network do not fit together, whatever the number of channels that come."""
    if inputs is not None or takes(node) is not None or describer.custom_forward:
        channels_after(node, None if inputs is None else inputs[0], describer.given_channels)
        return
    for channels in range(1, 4096):  # as many as the program tries
        try:
            channels_after(node, channels, describer.given_channels)
            return
        except ExportError as error:
            reason = error
    channels_after(node, None, describer.given_channels)
    raise ExportError(f"{reason}; nor does any smaller number suit it. If more do, say how many, as in inputs=[8192]")
