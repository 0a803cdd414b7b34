"""What the C++ reader refuses, said before anything is written."""

from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Tuple

from torch import Tensor, nn

from .attention import ATTENTION, frames_of_attention, inputs_of_attention, outputs_of_attention, span_of
from .errors import ExportError, join
from .format import (
    MAX_DEPTH, MAX_FRAMES, MAX_OUTPUTS, MAX_PACKED_WEIGHTS, MAX_PATTERNS, MAX_REACH, MAX_WAITING_FRAMES, Node, both_sides,
    OVER_SPACE, dilated, float32, of_time, paddings, recurrent_outputs)
from .module_types import TYPES


# Types that give as many channels as they take.
_SAME_CHANNELS = {*(each.name for each in TYPES.values() if each.group == "Activations"), "AvgPool1d", "MaxPool1d", "Pad",
                  "Resample", "BatchNorm1d", "LayerNorm", "Softmax", "LogSoftmax", "Affine", "Cumulative", "ExponentialAverage",
                  "ExponentialNorm", "CumulativeNorm", "RecursiveFilter", "Input", "SpaceNorm",
                  "RecyclingPositionalEncoding",
                  *(f"BatchNorm{axes}d" for axes in (2, 3)),
                  *(f"{op}Pool{axes}d" for op in ("Avg", "Max", "AdaptiveAvg", "AdaptiveMax") for axes in (2, 3))}


def unreadable(node: Node, reason: str) -> ExportError:
    return ExportError(f"{node['path'] or '<root>'} ({node['type']}): {reason}")


def takes(node: Node) -> Optional[int]:
    """The channels that a described module takes, if it says."""
    kind = node["type"]
    if kind == "Sequential":
        for layer in node["layers"]:
            taken = takes(layer)  # asked once: twice at each level would be 2^depth times
            if taken is not None or not keeps_channels(layer):
                return taken
        return None
    if kind == "Residual":
        return takes(node["net"])
    if kind == "Parallel":
        return next((channels for channels in map(takes, node["branches"]) if channels is not None), None)
    if kind == "OverlapAdd":
        return node["channels"] * node["size"]
    if kind == "RecursiveFilter":
        return node["rows"] if node["rows"] > 1 else None
    if kind == "PReLU":
        return node["num_parameters"] if node["num_parameters"] > 1 else None
    fields = {"Conv1d": "in_channels", "ConvTranspose1d": "in_channels", "Graph": "in_channels", "Linear": "in_features",
              "BatchNorm1d": "num_features", "LayerNorm": "normalized_shape", "Snapshotter": "num_channels",
              "Windowed": "channels", "Affine": "channels", "Snake": "channels", "Input": "channels", "SpaceNorm": "channels",
              "EachFrame": "channels", "ExponentialAverage": "channels", "ExponentialNorm": "channels", "CumulativeNorm": "channels",
              "RecyclingPositionalEncoding": "embed_dim",
              **{f"{kind}{axes}d": "num_features" if kind == "BatchNorm" else "in_channels"
                 for kind in ("Conv", "ConvTranspose", "BatchNorm") for axes in (2, 3)},
              **dict.fromkeys(("RNN", "GRU", "LSTM"), "input_size")}
    if kind in ATTENTION:
        return inputs_of_attention(node)[0]
    return node.get(fields[kind]) if kind in fields else None


def keeps_channels(node: Node) -> bool:
    """Whether a described module gives as many channels as it takes."""
    if node["type"] == "Sequential":
        return all(map(keeps_channels, node["layers"]))
    return node["type"] == "Residual" or node["type"] in _SAME_CHANNELS


def channels_after(node: Node, channels: Optional[int], given: Mapping[str, int]) -> Optional[int]:
    """The channels that a described module gives, if they are known; `given`: those of modules over windows, by path.
    Errors: ExportError if a module cannot take what comes."""
    kind = node["type"]
    if kind == "Sequential":
        for layer in node["layers"]:
            channels = channels_after(layer, channels, given)
        return channels
    wanted = takes(node)
    if None not in (wanted, channels) and wanted != channels and kind not in ("Residual", "Parallel"):
        raise unreadable(node, f"takes {wanted} channels, but {channels} come")
    channels = wanted if channels is None else channels
    if kind == "Residual":
        after = channels_after(node["net"], channels, given)
        if None not in (after, channels) and after != channels:
            raise unreadable(node, f"its net turns {channels} channels into {after}, which cannot be added")
        return channels
    if kind in ("Parallel", "Graph"):
        values = [channels, *node.get("more_channels", ())]
        for inner in node["branches"] if kind == "Parallel" else node["nodes"]:
            operands = [values[number] for number in inner.get("from", [0])]
            values.append(joined_channels(inner, inner["op"], operands) if inner["type"] == "Reduce"
                          else channels_after(inner, operands[0], given))
        return values[-1] if kind == "Graph" else joined_channels(node, node["reduce"], values[1:])
    if kind == "Control":
        return channels_after(node["net"], sum(node["channels"]), given)
    if kind in ("Stft", "Istft", "Magnitude") and channels is not None:
        return 2 * channels if kind == "Stft" else channels // 2
    if kind == "GLU" and channels is not None:
        if channels % 2:
            raise unreadable(node, f"takes an even number of channels, but {channels} come")
        return channels // 2
    if kind == "ChannelSlice" and channels is not None and node["start"] + node["channels"] > channels:
        raise unreadable(node, f"takes channels up to {node['start'] + node['channels'] - 1}, but {channels} come")
    if kind == "ChannelSelect":
        if channels is not None and max(node["indices"]) >= channels:
            raise unreadable(node, f"takes channel {max(node['indices'])}, but {channels} come")
        return len(node["indices"])
    if kind == "OnlineAverager":
        least, own = node["num_updates"] * node["update_size"] + node["offset"], node["num_channels"]
        if channels is not None and (channels % own or channels // own < least):
            raise unreadable(node, f"takes predictions of {own} channels of {least} frames or more, but {channels} "
                                    "numbers come")
        return own
    if kind == "Snapshotter":
        return node["num_channels"] * node["snapshot_size"]
    if kind in ("Windowed", "EachFrame"):
        return given.get(node["path"])
    if kind in ("RNN", "GRU", "LSTM"):
        return recurrent_outputs(node)
    if kind in ATTENTION:
        return outputs_of_attention(node)
    if kind in ("ArgMax", "ArgMin"):
        return 1
    if kind == "Embedding":
        return None if channels is None else channels * node["embedding_dim"]
    for field in ("out_channels", "out_features", "channels"):
        if field in node:
            return node[field]
    return channels if kind in _SAME_CHANNELS else None


def joined_channels(node: Node, op: str, channels: Sequence[Optional[int]]) -> Optional[int]:
    if None in channels:
        return None
    if op != "concat" and len(set(channels) - {1}) > 1:
        raise unreadable(node, f"its operands have {' and '.join(map(str, channels))} channels")
    return sum(channels) if op == "concat" else max(channels)


def why_wrong(kind: str, field: Mapping[str, Any], value: Any) -> Optional[str]:
    """What the C++ reader would say against the value of a type's field, taken by itself."""
    least, most = field.get("lowest", -math.inf), field.get("highest", math.inf)
    if field["kind"] == "number":
        in_double = kind == "Resample" or field["name"] == "eps" and kind in ("GroupNorm", "InstanceNorm1d")
        if not math.isfinite(value if in_double else float32(value)):
            return f"not a finite number{'' if in_double else ' in float32'}"
        if not least <= value <= most:
            return "must not be negative" if (least, most) == (0, math.inf) else f"must be from {least} to {most}"
    elif field["kind"] in ("integer", "integers", "padding"):
        if not all(least <= each <= most for each in (value if type(value) is list else [value])):
            return f"outside {least}..{most}"
    elif value not in field.get("choices", [value]):
        return f"must be {' or '.join(map(repr, field['choices']))}"
    return None


def why_unreadable(node: Node, tensors: Mapping[str, Tensor]) -> Optional[str]:
    """Why the C++ reader would refuse a module of a type of its own, its fields and tensors taken by themselves; None if it
    would not. See the factories in network/types/ and the layers' constructors."""
    kind = node["type"]
    for name, field in TYPES[kind].fields.items():
        reason = why_wrong(kind, field, node[name]) if name in node else None
        if reason is not None:
            return f"{name} is {node[name]!r}, {reason}"

    def number(name: str) -> float:
        return float32(node[name])

    def tensor(name: str) -> Tensor:
        return tensors[join(node["path"], name)]

    if kind in OVER_SPACE:
        return _why_unreadable_over_space(node)
    if kind in ("Conv1d", "ConvTranspose1d", "MaxPool1d"):
        if (node["kernel_size"] - 1) * node["dilation"] >= MAX_REACH:
            return f"its taps reach over more than {MAX_REACH} frames"
    if kind in ("Conv1d", "ConvTranspose1d") and _why_not_grouped(node) is not None:
        return _why_not_grouped(node)
    if kind == "ConvTranspose1d":
        weights = node["in_channels"] * node["out_channels"] // node["groups"] * node["kernel_size"]
        bound = max(node["stride"], node["dilation"])
        if node["output_padding"] >= bound:
            return f"output_padding {node['output_padding']} must be smaller than stride or dilation ({bound})"
        if node["stride"] * weights > MAX_PACKED_WEIGHTS:
            return (f"stride {node['stride']} times {weights} weights is more than {MAX_PACKED_WEIGHTS}; share it among "
                    "several layers")
    if kind in ("AvgPool1d", "MaxPool1d") and 2 * node["padding"] > node["kernel_size"]:
        return f"padding {node['padding']} is more than half of kernel_size {node['kernel_size']}"
    if kind == "GroupNorm" and node["num_channels"] % node["num_groups"]:
        return f"num_groups is {node['num_groups']}, which does not divide {node['num_channels']} channels"
    if kind in ("BatchNorm1d", "BatchNorm2d", "BatchNorm3d"):
        spread = tensor("running_var").double() + number("eps")
        if bool((spread <= 0).any()):
            channel = int((spread <= 0).nonzero()[0])
            return (f"running_var plus eps of channel {channel} is {spread[channel].item():g}, must be positive: was the "
                    "module trained?")
    for name in {"Softplus": ("beta",), "CELU": ("alpha",)}.get(kind, ()):
        if number(name) == 0:
            return f"{name} is {node[name]}, must not be 0 in float32"
    if kind == "Hardtanh" and number("min_val") > number("max_val"):
        return f"min_val {node['min_val']} is above max_val {node['max_val']}"
    if kind == "Snake" and bool((tensor("alpha") == 0).any()):
        return "alpha must not be 0 in float32"
    if kind == "LSTM" and node["proj_size"] >= node["hidden_size"]:
        return f"proj_size is {node['proj_size']}, must be less than hidden_size {node['hidden_size']}"
    if kind == "Pad" and node["mode"] in ("reflect", "circular") and min(node["left"], node["right"]) < 0:
        return f"left is {node['left']} and right {node['right']}, neither must be negative if it reflects or goes around"
    if kind == "Windowed" and max(both_sides(node["padding"])) >= node["size"]:
        return f"padding is {node['padding']}, must be from 0 to size - 1 = {node['size'] - 1}"
    if kind == "Snapshotter" and node["stride_size"] >= node["snapshot_size"]:
        return f"stride_size {node['stride_size']} must be less than snapshot_size {node['snapshot_size']}"
    if kind == "OverlapAdd" and not max(both_sides(node["padding"])) <= node["size"] - node["stride"] >= 0:
        return f"stride {node['stride']} and padding {node['padding']} are more than size {node['size']} has"
    if kind == "RecursiveFilter" and bool((tensor("a")[..., 0] == 0).any()):
        return "the first number of a is 0"
    if kind == "Resample" and node["rolloff"] == 0:
        return "rolloff is 0.0, must be greater than 0"
    return None


def _why_not_grouped(node: Node) -> Optional[str]:
    groups, inputs, outputs = node["groups"], node["in_channels"], node["out_channels"]
    if inputs % groups or outputs % groups:
        return f"groups is {groups}, which does not divide {inputs} and {outputs} channels"
    return None


def _why_unreadable_over_space(node: Node) -> Optional[str]:
    """The same of what goes over time and space."""
    kind, axes = OVER_SPACE[node["type"]]
    pads = paddings(node["padding"], axes)
    for i, taps in enumerate(node["kernel_size"]):
        if (taps - 1) * (node["dilation"][i] if "dilation" in node else 1) >= MAX_REACH:
            return f"its taps reach over more than {MAX_REACH} positions"
        if kind in ("AvgPool1d", "MaxPool1d") and 2 * pads[i][0] > taps:
            return f"padding {node['padding']} is more than half of kernel_size {node['kernel_size']}"
    if kind in ("Conv1d", "ConvTranspose1d") and _why_not_grouped(node) is not None:
        return _why_not_grouped(node)
    if kind == "ConvTranspose1d":
        if node["stride"][0] != 1 or node["output_padding"][0] != 0:
            return (f"along the time it has stride {node['stride'][0]} and output_padding {node['output_padding'][0]}; over time and "
                    f"space only 1 and 0 are supported there: repeat the frames, or transpose by a ConvTranspose1d")
        if max(pads[0]) >= dilated(node["kernel_size"][0], node["dilation"][0]):
            return f"padding {pads[0][0]} of the time is as long as its kernel"
        if math.prod(node["stride"]) > 4096:
            return f"its strides multiply to {math.prod(node['stride'])}, more than 4096"
    return None


class _Stage(NamedTuple):
    """What one layer does to time: outputs for each input, how many of its inputs it reaches over, padding and stride
    counted in, and by how much its output is longer than its input times the rate."""

    rate: Fraction
    reach: float
    longer: Fraction
    multiple: int = 1


def _stage_of(node: Node) -> Iterator[_Stage]:
    node = of_time(node)
    kind = node["type"]
    gathers = {"Conv1d": ("kernel_size", "stride"), "AvgPool1d": ("kernel_size", "stride"), "Windowed": ("size", "stride"),
               "MaxPool1d": ("kernel_size", "stride"), "Snapshotter": ("snapshot_size", "stride_size")}
    scatters = {"ConvTranspose1d": ("kernel_size", "stride"), "OverlapAdd": ("size", "stride"), "Istft": ("n_fft", "hop_length")}
    gathers.update(dict.fromkeys(("Stft", "Spectrogram", "MelSpectrogram", "MFCC"), ("n_fft", "hop_length")))
    if kind in gathers or kind in scatters:
        size, stride = (node[field] for field in {**gathers, **scatters}[kind])
        reach, (left, right) = dilated(size, node.get("dilation", 1)), both_sides(node.get("padding", 0))
        if kind == "Snapshotter":
            left = size - stride
        if node.get("center", "n_fft" in node):
            left = right = size // 2
    elif kind == "OnlineAverager":
        reach, stride, left, right = node["num_updates"] * node["update_size"], node["update_size"], 0, 0
    elif kind == "Pad":
        for left, right in ((min(0, node["left"]), min(0, node["right"])), (max(0, node["left"]), max(0, node["right"]))):
            if left or right:
                yield _Stage(Fraction(1), 2 + abs(left) + abs(right), Fraction(left + right))
        if "multiple" in node:
            yield _Stage(Fraction(1), 2 + node["multiple"], Fraction(0), node["multiple"])
        return
    elif kind in ATTENTION:
        span = span_of(node)
        longer = Fraction(frames_of_attention(node, MAX_FRAMES) - MAX_FRAMES)
        yield _Stage(Fraction(1), span.past + span.ahead + span.chunk, longer, span.chunk)
        return
    elif kind == "Resample":
        common = math.gcd(node["orig_freq"], node["new_freq"])
        down, up = node["orig_freq"] // common, node["new_freq"] // common
        if down != up:
            width = node["lowpass_filter_width"] / node["rolloff"]
            yield _Stage(Fraction(up, down), 2 * width * max(down, up) / up + 1 + down + width * down / min(down, up),
                         Fraction(0))
        return
    else:
        return
    extra = node.get("output_padding", 0)
    every = reach + stride + left + right + extra
    if kind in gathers:
        yield _Stage(Fraction(1, stride), every, Fraction(left + right - reach, stride) + 1)
    else:
        yield _Stage(Fraction(stride), every / stride, Fraction(reach - stride - left - right + extra))


class Timing:
    """When the values of a network come, as far as the reader has limits there (core/timing.hpp). Value 0 is its input, value
    k what stage k - 1 gives."""

    def __init__(self) -> None:
        self.stages: List[Tuple[_Stage, List[int]]] = []  # with the values they take
        self.rates, self.longer = [Fraction(1)], [Fraction(0)]  # of each value
        self.steps = [1]  # of each value: frames after which the inputs that it waits for repeat, shifted
        self.numbers = 0  # of all patterns
        self.reach, self.cycle = 1.0, 1  # cycle: inputs after which everything repeats

    def add(self, stage: _Stage, operands: Sequence[int]) -> int:
        before, own = self.rates[operands[0]], stage.rate
        if max(before.numerator * own.numerator, before.denominator * own.denominator) >= MAX_FRAMES:
            raise _Limit("the strides of the layers multiply to more than 2^40")
        if before * own > MAX_OUTPUTS:
            raise _Limit("the layers raise the rate by more than 2^20")
        step = math.lcm(*(self.steps[value] for value in operands))
        step = step // math.gcd(step, own.denominator * stage.multiple) * own.numerator * stage.multiple
        if step > MAX_OUTPUTS:
            raise _Limit("the strides up and down repeat only after more than 2^20 outputs")
        self.steps.append(step)
        self.numbers += 2 * step
        if self.numbers > MAX_PATTERNS:
            raise _Limit("too many layers whose strides up and down repeat only after many outputs")
        shortest = min(self.longer[value] for value in operands)
        skipped = sum(int(self.longer[value] - shortest) // 2 for value in operands)
        self.reach += (stage.reach + skipped) / float(before)
        self.stages.append((stage, list(operands)))
        self.rates.append(before * own)
        self.cycle = self.cycle * self.rates[-1].denominator // math.gcd(self.cycle, self.rates[-1].denominator)
        self.longer.append(shortest * own + stage.longer)
        return len(self.stages)

    def append(self, other: "Timing", value: int) -> int:
        """What another network makes of a value."""
        shift, last = len(self.stages), value
        for stage, operands in other.stages:
            last = self.add(stage, [value if number == 0 else number + shift for number in operands])
        return last

    def join(self, values: Sequence[int]) -> int:
        first = self.rates[values[0]]
        for rate in (self.rates[value] for value in values):
            if rate != first:
                raise _Limit(f"the branches cannot be aligned: one gives {first} frames for each that comes, another {rate}")
        return self.add(_Stage(Fraction(1), 2, Fraction(0)), values)

    def check(self) -> None:
        if self.reach > MAX_FRAMES:
            raise _Limit("the layers reach over more than 2^40 frames")
        if self.cycle > MAX_FRAMES or self.cycle * self.rates[-1] > MAX_OUTPUTS:
            raise _Limit("the strides up and down repeat only after more than 2^20 outputs")

    def finish(self, branches: bool) -> "Timing":
        """Itself, if nothing more is added to it."""
        self.check()
        if branches and self.reach * float(max(self.rates)) > MAX_WAITING_FRAMES:
            raise _Limit("the layers reach over more than 2^26 frames, too far to align branches")
        return self


class _Limit(Exception):
    """A limit that a network exceeds; becomes an ExportError that names it."""


class Reader:
    """Goes through a description as the C++ reader does, and throws where that would. Of registered types nothing is known,
    so that a network with one is checked for what does not depend on their rates."""

    def __init__(self, tensors: Mapping[str, Tensor], registered: Mapping[str, nn.Module]) -> None:
        self.tensors, self.registered = tensors, registered

    def read(self, node: Node, depth: int = 1, window: bool = False) -> Timing:
        """When its values come. `window`: of a network over windows, where that does not matter."""
        if depth > MAX_DEPTH:
            raise unreadable(node, f"nested more than {MAX_DEPTH} deep")
        if node["path"] in self.registered and node["type"] not in ("Sequential", "Graph", "Residual", "Parallel"):
            return Timing()
        reason = why_unreadable(node, self.tensors)
        if reason is not None:
            raise unreadable(node, reason)
        kind = node["type"]
        if kind in ("Windowed", "EachFrame", "Control"):
            self.read(node["net"], depth + 1, True)
        inner = [node["net"]] if kind == "Residual" else node.get("layers", node.get("branches", node.get("nodes", ())))
        timings = [self.read(each, depth + 1, window) for each in inner]
        if window or self.registered:
            return Timing()
        try:
            return self.timing(node, timings)
        except _Limit as limit:
            raise unreadable(node, str(limit)) from None

    def timing(self, node: Node, inner: Sequence[Timing]) -> Timing:
        kind, whole = node["type"], Timing()
        if kind in ("Graph", "Parallel"):
            values = [0]
            for rate in node.get("more_rates", ())[1::2]:  # as if they came from the main input
                values.append(whole.add(_Stage(Fraction(1, rate), rate, Fraction(0)), [0]))
            for each, timing in zip(node.get("nodes", node.get("branches")), inner):
                operands = [values[number] for number in each.get("from", [0])]
                reduces = each["type"] == "Reduce"
                together = whole.join(operands) if reduces or len(operands) > 1 else operands[0]
                values.append(together if reduces else whole.append(timing, together))
            if kind == "Parallel":
                whole.join(values[1:])
        elif kind == "Residual":
            whole.append(inner[0], 0)
            for stage, _ in whole.stages:
                if stage.rate != 1:
                    stride = max(stage.rate.numerator, stage.rate.denominator)
                    raise _Limit(f"a layer inside has stride {stride}, so the input cannot be added; put it outside")
            if whole.longer[-1] > 0:
                raise _Limit(f"its net makes the input {whole.longer[-1]} frames longer, and there is nothing to add to those")
            whole.join([len(whole.stages), 0])
        else:
            last = 0
            for timing in inner:
                last = whole.append(timing, last)
            for stage in _stage_of(node):
                last = whole.add(stage, [last])
        return whole.finish(kind in ("Graph", "Parallel"))
