"""Writes the nodes of a graph."""

from __future__ import annotations

from fractions import Fraction
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Set, Tuple

import torch
from torch import Tensor, nn

from .align import Run, Step
from .controls import Control
from .errors import Refused, join
from .format import Node, float32_copy, lcm
from .known import USE_A_WINDOW
from .evaluate import POINTWISE
from .lengths import OwnType, frames_after, looks_back, pace
from .reader import why_unreadable
from .signals import BATCH, SPACE, TIME, Signal, in_order, runs_of

_MOST_SLICES = 2  # of channels in another order, before a list of them does it
# Types that do the same to every number of a frame, whatever space it has.
_EACH_NUMBER = {*POINTWISE, "Pad", "Cumulative"}
_OF_ONE_LENGTH = "windows have one length, so there it can be anything: Windowed(net, size, stride)"


class Value(NamedTuple):
    """A value of the graph as the stream has it: the numbers of a frame, all of which count as channels here; its frames for each
    of the runs; and the frame's width and height. The numbers lie with the channel as the fastest, then come width and height."""

    channels: int
    frames: List[int]
    space: Tuple[int, int] = (1, 1)

    @property
    def shape(self) -> Tuple[int, int, int]:
        """Channels, width and height of a frame."""
        width, height = self.space
        return self.channels // (width * height), width, height


class Builder:
    """The graph that is written, and what its values are. `size` is the number of frames if all signals have so many, as
    in a window; then time is an axis as any other, and can change places with the channels."""

    def __init__(self, describer: Any, root: nn.Module, path: str, runs: Sequence[Run], channels: Sequence[int],
                 rates: Sequence[int], size: Optional[int], controls: Sequence[Control] = (), space: Sequence[int] = ()) -> None:
        self.describer, self.root, self.path, self.runs, self.rates, self.size = describer, root, path, list(runs), rates, size
        self.windows = size is not None
        self.values = [Value(count, [run.frames[i] for run in runs]) for i, count in enumerate(channels)]
        self.values += [Value(control.size, [1] * len(self.runs)) for control in controls]
        self.signals = len(self.values)  # knobs, too
        self.rates = [*rates, *(1 for _ in controls)]
        self.timeless = set(range(len(channels), self.signals))  # values that are made of knobs only
        self.held: Dict[Tuple[int, int], Signal] = {}
        self.nodes: List[Node] = []
        self.names = {id(tensor): name for name, tensor in (*root.named_parameters(), *root.named_buffers())}
        self.paths = {name for name, _ in root.named_modules()}
        self.used_paths: Dict[str, int] = {}
        self.gathered: Dict[Tuple[int, Tuple[int, ...]], Signal] = {}
        self.reshaped: Dict[Tuple[int, Tuple[int, int, int]], int] = {}  # a value with another shape
        self.step: Optional[Step] = None
        self.largest_difference = 1e-5  # from the module, of the output's largest value
        self.telling: Set[int] = set()  # lengths that would show more of what depends on the length
        self.main = 0  # the value that the main signal is
        self.space = tuple(space)  # extents of its further axes
        if space:
            height, width = (*(1,) * (2 - len(space)), *space)
            frames, numbers = self.values[0].frames, channels[0] * height * width
            self.values[0] = Value(numbers, frames, (width, height))
            node = {"type": "Input", "path": self.unique("input"), "channels": channels[0], "width": width, "height": height}
            self.main = self.put(node, [self.whole(Signal(0, (BATCH, SPACE, TIME), in_order(numbers), frames))], numbers, frames, frames,
                                 None, (width, height)).number

    # Names and tensors.

    def unique(self, name: str) -> str:
        """`name` below the root, with @2 and so on when it was used before: each node has tensors of its own."""
        path = join(self.path, name) if name else self.path
        while True:
            count = self.used_paths[path] = self.used_paths.get(path, 0) + 1
            if count == 1:
                return path
            path = f"{path}@{count}"

    def own_path(self, name: str = "", **tensors: Optional[Tensor]) -> str:
        """The path of a node for the current call. If it has a tensor of the module's under the name that it has there, this
        is its place; else the module of torch's that is called, or the name of the call."""
        for kind, tensor in tensors.items():
            stored = self.names.get(id(tensor), "")
            if stored == kind or stored.endswith(f".{kind}"):
                return self.unique(stored[:-len(kind)].rstrip("."))
        if not name and self.in_torch():
            return self.unique(self.step.place.path)
        return self.helper_path(name or {"__getitem__": "slice"}.get(self.step.name, self.step.name.strip("_")))

    def in_torch(self) -> bool:
        """Whether the current call is made by a module of torch's, not by the user's own code."""
        place = self.step.place
        return place.module is not place.owner and type(place.module).__module__.startswith("torch.nn.")

    def helper_path(self, name: str) -> str:
        """The path of a node by this name beside the modules of the one whose forward makes the current call."""
        place = self.step.place
        path = join(place.owner_path if self.in_torch() else place.path, name)
        return self.unique(f"{path}_" if path in self.paths else path)

    def keep(self, path: str, name: str, value: Tensor, shape: Optional[Sequence[int]] = None) -> None:
        """A tensor of the node at `path`."""
        full_name = join(path, name)
        if shape is not None and tuple(value.shape) != tuple(shape):
            raise Refused(f"tensor {full_name} has shape {tuple(value.shape)}, expected {tuple(shape)}")
        if not value.dtype.is_floating_point:
            raise Refused(f"tensor {full_name} has dtype {value.dtype}, only real floats can be written")
        value = float32_copy(value)
        if not bool(torch.isfinite(value).all()):
            raise Refused(f"tensor {full_name} has values that are not finite in float32")
        self.describer.tensors[full_name] = value

    # Nodes.

    def emit(self, node: Node, *operands: Signal, shape: Optional[Tuple[int, int, int]] = None, columns: bool = False) -> Signal:
        """A node that takes `operands`, of which it sees all channels of their values; what it gives: (batch, channels, time).
        One that goes over the space of frames says which `shape` it gives them, one that goes over each of their columns that it
        does; any other sees frames without space."""
        custom = self.describer.custom_forward.get(node["path"])
        if custom is None:
            reason = why_unreadable(node, self.describer.tensors)
            if reason is not None:
                raise Refused(reason)
        reduce = node["type"] == "Reduce"
        operands = self.in_time(operands)
        if shape is None and not columns:
            operands = self.in_shape(node, operands)
        if reduce and not self.windows and any(self.streamed(operand) != self.streamed(operands[0]) for operand in operands):
            node = {**node, "align": "lagging"}  # what one has too much is at its end
        if not reduce and not looks_back(node):
            operands = tuple(self.ended(value) for value in operands)
        if shape is None:
            own, *space = self.values[operands[0].number].shape
            channels = self.describer.given(node, own) * space[0] * space[1] if columns else self.channels_of(node, operands)
        else:
            channels, space = shape[0] * shape[1] * shape[2], shape[1:]
        if self.windows:
            frames = streams = self.frames_of(node, operands, [operand.frames for operand in operands])
            if min(frames) < 1 or channels < 1:
                raise Refused("leaves nothing of the window")
        else:
            frames = self.frames_of(node, operands, [operand.frames for operand in operands])
            streams = self.frames_of(node, operands, [self.streamed(operand) for operand in operands])
        cut = next((operand.cut for operand in operands if operand.cut is not None), None)
        return self.put(node, operands, channels, frames, streams, cut, tuple(space))

    def made_by(self, x: Signal) -> Node:
        """The node that gives x's value; one without a type for what the network is given."""
        return self.nodes[x.number - self.signals] if x.number >= self.signals else {"type": ""}

    def in_shape(self, node: Node, operands: Sequence[Signal]) -> Tuple[Signal, ...]:
        """Operands with their space if the node does the same to each number of them, else without."""
        same = node["type"] in _EACH_NUMBER or node["type"] == "Affine" and "channels" not in node or (
            node["type"] == "Reduce" and node["op"] != "concat")
        if same and len({self.values[operand.number].space for operand in operands}) == 1:
            return tuple(operands)
        return tuple(self.with_shape(operand, (self.values[operand.number].channels, 1, 1)) for operand in operands)

    def with_shape(self, x: Signal, shape: Tuple[int, int, int]) -> Signal:
        """x with a value whose numbers lie as they do, as frames of these channels, width and height."""
        if self.values[x.number].shape == shape:
            return x
        source = self.made_by(x)
        if source["type"] == "Reshape":  # back to where it came from, or at once from there
            return self.with_shape(x.replaced(number=source["from"][0]), shape)
        key = (x.number, shape)
        if key not in self.reshaped:
            node = {"type": "Reshape", "path": self.helper_path("shape"), "channels": shape[0], "width": shape[1], "height": shape[2]}
            streams = self.streamed(x)
            self.reshaped[key] = self.put(node, [x], self.values[x.number].channels, streams, streams, None, shape[1:]).number
        return x.replaced(number=self.reshaped[key])

    def framed(self, x: Signal, order: Sequence[int]) -> Signal:
        """x with a value whose frames have these axes, by their number, the slowest first: height, width and channels, or fewer."""
        index = x.index.permute([x.place(dim) for dim in order])
        height, width, channels = (*(1,) * (3 - len(order)), *index.shape)
        y = self.with_shape(self.gather(x, index.flatten().tolist()), (channels, width, height))
        return self.lying(x, y, order, index.shape)

    @staticmethod
    def lying(x: Signal, y: Signal, order: Sequence[int], extents: Sequence[int]) -> Signal:
        """A node's output y with the axes of x, of which those by the numbers `order` are the axes of its frames, slowest first, with
        these extents."""
        places = [x.place(dim) for dim in order]
        index = in_order(y.channels).reshape(tuple(extents))
        return y.replaced(axes=x.axes, index=index.permute([places.index(place) for place in range(len(places))]))

    def in_columns(self, x: Signal, columns: Tensor) -> Signal:
        """These channels of x's value, (columns, channels), as columns of a frame: (batch, channels, time)."""
        y = self.gather(x, columns.flatten().tolist())
        count, channels = columns.shape
        return y if self.values[y.number].shape[0] == channels else self.with_shape(y, (channels, count, 1))

    def is_framed(self, x: Signal, dims: Sequence[int]) -> bool:
        """Whether x's value has frames whose height and width, or width, are the axes `dims`, and its channels the only other one."""
        others = [dim for dim, role in enumerate(x.axes) if role == SPACE and dim not in dims]
        if len(others) != 1 or not 1 <= len(dims) <= 2 or any(x.axes[dim] != SPACE for dim in dims):
            return False
        index = x.index.permute([x.place(dim) for dim in (*dims, *others)])
        height, width, channels = (*(1,) * (3 - index.dim()), *index.shape)
        return self.values[x.number].shape == (channels, width, height) and torch.equal(index.flatten(), in_order(index.numel()))

    def in_step(self, signals: Sequence[Signal]) -> List[Signal]:
        """Those that must have equally many frames: without what is made of knobs, if there is anything else."""
        return [signal for signal in signals if signal.number not in self.timeless] or list(signals)

    def in_time(self, operands: Sequence[Signal]) -> Tuple[Signal, ...]:
        """Operands of which some are made of knobs only and others not: then the former for each frame of the latter."""
        timed = next((operand for operand in operands if operand.number not in self.timeless), None)
        if timed is None:
            return tuple(operands)
        return tuple(self.hold(operand, timed) if operand.number in self.timeless else operand for operand in operands)

    def hold(self, x: Signal, pace: Signal) -> Signal:
        """What is made of knobs, for each frame of a signal."""
        known = self.held.get((x.number, pace.number))
        if known is None:
            node = {"type": "Control", "path": self.helper_path("knob"), "of": x.number}
            streams = self.streamed(pace)
            known = self.put(node, [pace], self.values[x.number].channels, streams, streams)
            self.held[x.number, pace.number] = known
        return x.replaced(number=known.number, frames=pace.frames, cut=pace.cut)

    def hold_for(self, x: Signal, frames: Sequence[int]) -> Signal:
        """What is made of knobs, for as many frames as some signal has: the last one that has so many."""
        for number in range(len(self.values) - 1, -1, -1):
            if number not in self.timeless and self.values[number].frames == list(frames):
                return self.hold(x, Signal(number, (BATCH, SPACE, TIME), in_order(self.values[number].channels), frames))
        raise Refused("repeats a knob for a time that is no signal's")

    def put(self, node: Node, operands: Sequence[Signal], channels: int, frames: List[int], streams: List[int],
            cut: Optional[Refused] = None, space: Optional[Tuple[int, int]] = None) -> Signal:
        first = self.values[operands[0].number]
        if space is None:
            space = first.space if node["type"] in _EACH_NUMBER and channels == first.channels else (1, 1)
        self.nodes.append({**node, "from": [operand.number for operand in operands]})
        self.values.append(Value(channels, streams, space))
        if all(operand.number in self.timeless for operand in operands):
            self.timeless.add(len(self.values) - 1)
        cut = cut if frames != streams else None
        return Signal(len(self.values) - 1, (BATCH, SPACE, TIME), in_order(channels), frames, cut)

    def streamed(self, x: Signal) -> List[int]:
        """How many frames the stream has of it: more than the forward where that cuts by the signal's length."""
        return self.values[x.number].frames

    def channels_of(self, node: Node, operands: Sequence[Signal]) -> int:
        kind, counts = node["type"], [self.values[operand.number].channels for operand in operands]
        if kind == "Reduce":
            return sum(counts) if node["op"] == "concat" else max(counts)
        given = self.describer.given(node, counts[0])
        if given is None:  # a type of the user's, or what only windows have
            frames = operands[0].frames[0]
            return {"Transpose": frames, "Flatten": counts[0] * frames}.get(kind, counts[0])
        return given

    def frames_of(self, node: Node, operands: Sequence[Signal], counts: Sequence[Sequence[int]]) -> List[int]:
        """The frames of a node's output for operands with so many."""
        kind = node["type"]
        if kind == "Reduce":
            together = [list(each) for each in zip(*counts)]
            return [min([n for n in each if n > 1] or [1]) if self.windows else min(each) for each in together]
        if kind == "Transpose":
            return [self.values[operands[0].number].channels] * len(self.runs)
        try:
            known = {n: frames_after(node, n) for n in set(counts[0])}
        except OwnType:
            return self.as_recorded(counts[0])
        return [known[n] for n in counts[0]]

    def as_recorded(self, counts: Sequence[int]) -> List[int]:
        """The frames that a type of the user's gave."""
        return [shapes[0][-1] if shapes and len(shapes[0]) > 1 else count for shapes, count in zip(self.step.shapes, counts)]

    def ended(self, x: Signal) -> Signal:
        """x with the end that the forward gave it, which the stream must find by itself: where another signal ends."""
        streams = self.streamed(x)
        if self.windows or x.frames == streams:
            return x
        for number, other in enumerate(self.values):
            if x.frames == [min(each) for each in zip(streams, other.frames)]:
                end = self.ordered(Signal(number, (BATCH, SPACE, TIME), torch.zeros(1, dtype=torch.int64), other.frames))
                both = self.emit({"type": "Reduce", "path": self.helper_path("end"), "op": "concat"},
                                 self.whole(x), end)
                return self.ordered(both.replaced(index=in_order(self.values[x.number].channels))).replaced(
                    axes=x.axes, index=x.index)
        raise x.cut

    def whole(self, x: Signal) -> Signal:
        """All channels of x's value, as a node takes them."""
        return x.replaced(axes=(BATCH, SPACE, TIME), index=in_order(self.values[x.number].channels))

    def simple(self, kind: str, x: Signal, **fields: Any) -> Signal:
        """A node that treats all numbers alike."""
        source = self.made_by(x)
        if kind == "Square" and source["type"] == "Magnitude" and source["power"] == 1:  # the root is not needed
            whole = self.whole(Signal(source["from"][0], x.axes, x.index, x.frames, x.cut))
            y = self.emit({"type": "Magnitude", "path": self.own_path(), "power": 2}, whole, shape=self.values[x.number].shape)
            return y.replaced(axes=x.axes, index=x.index)
        x = self.compact(x)
        y = self.emit({"type": kind, "path": self.own_path(), **fields}, self.whole(x))
        return y.replaced(axes=x.axes, index=x.index)

    # Channels.

    def gather(self, x: Signal, channels: Sequence[int]) -> Signal:
        """These channels of x's value, in this order: (batch, channels, time)."""
        channels = tuple(int(channel) for channel in channels)
        key = (x.number, channels)
        available = self.values[x.number].channels
        if channels == tuple(range(available)):
            return self.whole(x)
        known = self.gathered.get(key)
        if known is None:
            known = self.gathered[key] = self.gather_anew(self.whole(x), channels)
        return known.replaced(frames=x.frames, cut=x.cut)

    def gather_anew(self, x: Signal, channels: Sequence[int]) -> Signal:
        of_columns = self.same_of_columns(x, channels)
        if of_columns is not None:
            start, count = runs_of(of_columns)[0]
            node = ({"type": "ChannelSlice", "path": self.helper_path("slice"), "start": start, "channels": count}
                    if count == len(of_columns) else {"type": "ChannelSelect", "path": self.helper_path("order"), "indices": of_columns})
            return self.emit(node, x, columns=True)
        parts = runs_of(channels)
        if len(parts) > _MOST_SLICES:
            return self.emit({"type": "ChannelSelect", "path": self.helper_path("order"), "indices": list(channels)}, x)
        pieces = [self.emit({"type": "ChannelSlice", "path": self.helper_path("slice"), "start": start,
                             "channels": count}, x) if count < self.values[x.number].channels else x for start, count in parts]
        if len(pieces) == 1:
            return pieces[0]
        return self.emit({"type": "Reduce", "path": self.helper_path("order"), "op": "concat"}, *pieces)

    def same_of_columns(self, x: Signal, channels: Sequence[int]) -> Optional[List[int]]:
        """Which channels of each column of x's frames these numbers are, if they are the same of all columns in their order."""
        own, width, height = self.values[x.number].shape
        columns = width * height
        if columns == 1 or len(channels) % columns:
            return None
        each = torch.tensor(channels).reshape(columns, -1) - in_order(columns)[:, None] * own
        first = each[0]
        if not torch.equal(each, first.expand_as(each)) or int(first.min()) < 0 or int(first.max()) >= own:
            return None
        return first.tolist()

    def compact(self, x: Signal) -> Signal:
        """x with a value that has each of its channels and no others."""
        used, places = torch.unique(x.index, return_inverse=True)
        if len(used) == self.values[x.number].channels:
            return x
        y = self.gather(x, used.tolist())
        return y.replaced(axes=x.axes, index=places.reshape(x.index.shape))

    def ordered(self, x: Signal) -> Signal:
        """x with a value that has its channels in the order of its axes."""
        y = self.gather(x, x.index.flatten().tolist())
        return y.replaced(axes=x.axes, index=y.index.reshape(x.index.shape))

    # Roles of axes.

    def upright(self, x: Signal, what: str) -> Signal:
        """x as layers over time take it, (batch, channels, time): as a tensor and as a value."""
        if self.windows and x.axes == (BATCH, SPACE):
            raise Refused(f"gets {x.channels} features of each window, which have no frames any more")
        if len(x.axes) == 3 and x.axes[0] != BATCH and TIME in x.axes:
            raise Refused(f"{what} takes the first axis for the batch, but gets {x!r}; permute it back")
        if len(x.axes) != 3 or x.axes[0] != BATCH:
            features = self.windows and TIME not in x.axes
            raise Refused(f"gets {x.channels} features of each window, which have no frames any more" if features else
                          f"{what} takes (batch, channels, time), but gets {x!r}; permute it back")
        if x.axes[1:] == (TIME, SPACE):
            if not self.windows:
                raise Refused(f"{what} works over time, but the signal has its channels last; transpose it back first")
            return self.turned(x, 1, SPACE)
        if TIME not in x.axes:
            if not self.windows:
                raise Refused(f"{what} takes (batch, channels, time), but gets {x!r}")
            return self.with_time(x, 2)
        return self.ordered(x)

    def with_time(self, x: Signal, dim: int) -> Signal:
        """x of a window, in which an axis of channels becomes the time."""
        order = [dim % len(x.axes), *(i for i, role in enumerate(x.axes) if role == SPACE and i != dim % len(x.axes))]
        places = [x.place(i) for i in order]
        channels = x.index.permute(places)  # the axis first, so that it can be told from the others
        axes = [TIME if i == dim % len(x.axes) else role for i, role in enumerate(x.axes)]
        if channels.shape[0] == 1 or bool((channels == channels[:1]).all()):
            y = self.ordered(x.replaced(index=channels[0], axes=axes))
            y = y.replaced(axes=axes, index=y.index.reshape(channels.shape[1:]))
            return y if channels.shape[0] == 1 else self.repeated(y, channels.shape[0])
        if channels[0].numel() == 1:  # then a Transpose is enough
            return self.swapped(x.replaced(index=channels.reshape(-1), axes=(BATCH, SPACE)), axes, channels.shape[1:])
        # One frame of (frames, channels) numbers becomes frames: each with a slice of it.
        raise Refused(f"makes frames of one axis of {x!r}, which only a transpose of channels and frames can")

    def swapped(self, x: Signal, axes: Sequence[str], shape: Sequence[int]) -> Signal:
        """The channels of x as frames and its frames as channels, which then have this shape and these axes."""
        x = self.ordered(x)
        node = self.made_by(x)
        if node["type"] == "Transpose":  # back to where it came from
            number = node["from"][0]
            channels = self.values[number].channels
            y = Signal(number, (BATCH, SPACE, TIME), in_order(channels), self.values[number].frames)
        else:
            y = self.emit({"type": "Transpose", "path": self.helper_path("transpose")}, self.whole(x))
        return y.replaced(axes=tuple(axes), index=y.index.reshape(tuple(shape)))

    def turned(self, x: Signal, dim: int, role: str) -> Signal:
        """x with an axis in this role, channels or time, if it can have it."""
        dim = dim % len(x.axes) if type(dim) is int and -len(x.axes) <= dim < len(x.axes) else dim
        now = x.axis(dim)
        if not self.windows or now in (role, BATCH):
            return x
        if TIME not in x.axes:
            return self.with_time(x, dim)
        time = x.axes.index(TIME)
        others = [i for i, each in enumerate(x.axes) if each == SPACE]
        wide = [i for i in others if x.extent(i) != 1]
        if role == SPACE and not wide:  # the time is all that there is
            if not others:
                axes = [SPACE if i == time else each for i, each in enumerate(x.axes)]
                return self.swapped(x.replaced(index=x.index.reshape(1)), axes, (x.frames[0],))
            partner = others[0]
        else:
            partner = dim if role == TIME else wide[0]
        if [i for i in wide if i != partner]:
            raise Refused(f"{x!r} has several axes of channels, of which none can change places with the time")
        axes = list(x.axes)
        axes[time], axes[partner] = SPACE, TIME
        shape = [1] * len(others)
        order = [i for i, each in enumerate(axes) if each == SPACE]
        shape[order.index(time)] = x.frames[0]
        return self.swapped(x, axes, shape)

    def repeated(self, x: Signal, factor: int) -> Signal:
        """Each frame so many times."""
        y = self.compact(x)
        path, channels = self.own_path(), self.values[y.number].channels
        self.keep(path, "weight", torch.ones(channels, 1, factor))
        node = {"type": "ConvTranspose1d", "path": path, "in_channels": channels, "out_channels": channels,
                "kernel_size": factor, "stride": factor, "padding": 0, "output_padding": 0, "dilation": 1,
                "groups": channels, "bias": False}
        return self.emit(node, self.whole(y)).replaced(axes=x.axes, index=y.index)

    def over_channels(self, x: Signal, dim: Any, what: str) -> Signal:
        """x with channels as axis `dim`; what else can be done to the axis is nothing for a stream."""
        if dim is None or x.axis(dim) == BATCH:
            where = "all axes" if dim is None else "the batch"
            cure = "say which axis" if dim is None else "that mixes what does not belong together"
            raise Refused(f"{what} over {where}: {cure}")
        x = self.turned(x, dim, SPACE)
        if x.axis(dim) != SPACE:
            raise Refused(f"{what} over the time: over time it {USE_A_WINDOW}")
        return x

    def constant_number(self, values: Sequence[int], what: str, cure: str) -> int:
        """The number that is the same for every length."""
        different = next((i for i, value in enumerate(values) if value != values[0]), None)
        if different is not None:
            lengths = f"for signals of {self.runs[0].frames[0]} and {self.runs[different].frames[0]} frames it is"
            raise Refused(f"{what} depends on the signal's length: {lengths} {values[0]} and {values[different]}; {cure}; "
                           f"{_OF_ONE_LENGTH}")
        return values[0]

    def ends_by_length(self, what: str, excess: Sequence[int], cure: str) -> Refused:
        """Why the stream cannot end where the forward does: for each run it has so many frames more."""
        least, most = min(excess), max(excess)
        where = [self.runs[list(excess).index(count)].frames[0] for count in (least, most)]
        reason = Refused(f"{what} {least} frames of a signal of {where[0]}, {most} of one of {where[1]}; {cure}; "
                          f"{_OF_ONE_LENGTH}")
        reason.step = self.step.place
        return reason

    # What repeats.

    def cycle(self) -> int:
        """After how many frames of the input all that is done repeats."""
        rates, cycle = [Fraction(1, rate) for rate in self.rates], lcm(self.rates)
        for node, value in zip(self.nodes, self.values[self.signals:]):
            source = node["from"][0]
            try:
                faster, period = (Fraction(1), 1) if node["type"] == "Reduce" else pace(node)
            except OwnType:
                faster, period = Fraction(1), 1
            cycle = lcm((cycle, (rates[source] / period).denominator))
            rates.append(rates[source] * faster)
        return cycle

    # Knobs.

    def knob_node(self, node: Node, names: Sequence[str], controls: Sequence[Control], kept: Set[str]) -> Node:
        """A Control as it is written, with the network of the nodes that lead to its value; `kept` are paths that are taken."""
        first = self.signals - len(controls)
        wanted, waiting = set(), [node["of"]]
        while waiting:
            number = waiting.pop()
            if number not in wanted:
                wanted.add(number)
                waiting.extend(self.nodes[number - self.signals]["from"] if number >= self.signals else ())
        used = [number for number in range(first, self.signals) if number in wanted]
        path, size = node["path"], sum(controls[number - first].size for number in used)
        numbers, nodes, start = {}, [], 0
        for k, number in enumerate(used):
            control = controls[number - first]
            self.describer.tensors[join(path, f"default{k}")] = torch.tensor(control.default)
            if len(used) > 1:
                nodes.append({"type": "ChannelSlice", "path": join(path, names[number - first]), "start": start,
                              "channels": control.size, "from": [0]})
            numbers[number] = len(nodes)
            start += control.size
        for number in sorted(wanted - set(used)):
            inner = dict(self.nodes[number - self.signals])
            inner["from"] = [numbers[source] for source in inner["from"]]
            self.take_path(inner, kept)
            nodes.append(inner)
            numbers[number] = len(nodes)
        plain = len(used) == 1 and all(inner["from"] == [i] and inner["type"] != "Reduce" for i, inner in enumerate(nodes))
        if plain:
            net = {"type": "Sequential", "path": join(path, "net"),
                   "layers": [{key: value for key, value in inner.items() if key != "from"} for inner in nodes]}
        else:
            net = {"type": "Graph", "path": join(path, "net"), "in_channels": size, "nodes": nodes}
        return {"type": "Control", "path": path, "from": node["from"], "names": [names[number - first] for number in used],
                "channels": [controls[number - first].size for number in used], "net": net}

    def take_path(self, node: Node, kept: Set[str]) -> None:
        """Gives a node that is written once more a path and tensors of its own."""
        path = node["path"]
        if path in kept:
            count = 2
            while f"{path}@{count}" in kept or f"{path}@{count}" in self.used_paths:
                count += 1
            node["path"] = f"{path}@{count}"
            for name, value in list(self.describer.tensors.items()):
                if name.startswith(f"{path}.") and "." not in name[len(path) + 1:]:
                    self.describer.tensors[node["path"] + name[len(path):]] = value.clone()
            if path in self.describer.custom_forward:
                self.describer.custom_forward[node["path"]] = self.describer.custom_forward[path]
        kept.add(node["path"])
