"""From a module with a forward of its own to a node: it is run on signals of several lengths, what was recorded is written as a
graph, and the graph is compared with the module on further lengths."""

from __future__ import annotations

import contextlib
import inspect
import time
import traceback
from typing import Any, Iterator, List, Mapping, NamedTuple, Optional, Sequence, Set, Tuple

import torch
from torch import Tensor, nn

from .align import Number, Run, Varying, align, contains
from .attention import scores_of
from .channels import (
    SAMPLE_LENGTHS, SHORT_LENGTHS, inference, signal_channels, signal_rates, table_rows, takes_no_channels)
from .continual import Continual
from .controls import Control, Knobs, Turned, fitting
from .crops import fold_crops
from .errors import OR_REGISTER, ByLength, ExportError, Refused, Unknown, Unseen, fail, join, one_line
from .evaluate import apply_node
from .format import Node
from .graph import Builder
from .known import MARKERS, WRAP_RECURRENT, foreign, is_registered, of_images, resample_class
from .lengths import LARGEST_SWEEP
from .modules import RECURRENT, Parallel, Residual
from .outputs import Chosen, Output, choose, plain
from .reading import like
from .record import Place, Recorder, Recording, Stop, is_users
from .signals import BATCH, SPACE, TIME, Signal
from .walk import Depends, Walk

_MOST_RUNS = 12
_SECONDS = 2.0  # for comparing, once some lengths were compared
_LONGEST_RETRY = 4096
_PATIENCE = 10.0  # for recording, if attention does not see all that it could
_MOST_SHOWN = 1900  # frames that it gets then
_SLOW = 0.05  # seconds for a short signal
_LONGER = ((21, 0.1), (8, 0.1), (4, 1.0))  # times the first length, if it takes at most so many seconds
_MOST_SCORES = 1 << 22  # of attention
_FEWEST_LENGTHS = 5  # a slow one: 2


class Layout(NamedTuple):
    """What the signals of a forward are: the channels of each, how many main frames come for one of its frames, and which axis
    is the time."""

    channels: Sequence[int]
    rates: Sequence[int]
    time_axis: int
    flat: bool = False  # without an axis of channels
    rows: Sequence[int] = ()  # of each signal: 0, or how many whole numbers it may hold, as those of a table's rows
    space: Tuple[int, ...] = ()  # extents of the main signal's further axes

    def frames(self, length: int) -> Tuple[int, ...]:
        return tuple(-(-length // rate) for rate in self.rates)

    def axes(self, signal: int = 0) -> Tuple[str, ...]:
        if self.flat:
            return (BATCH, TIME)
        axes = [BATCH, SPACE, *(SPACE for _ in self.space if signal == 0)]
        axes.insert(self.time_axis % (len(axes) + 1) if self.time_axis <= len(axes) else len(axes), TIME)
        return tuple(axes)

    def signals(self, batch: int, frames: Sequence[int], seed: int) -> List[Tensor]:
        """Random signals (batch, channels, time), the main one (batch, channels, *space, time)."""
        generator = torch.Generator().manual_seed(seed)
        shapes = [(count, *self.space) if i == 0 else (count,) for i, count in enumerate(self.channels)]
        signals = [torch.rand(batch, *shape, n, generator=generator) * 2 - 1 for shape, n in zip(shapes, frames)]
        return [((signal + 1) / 2 * rows).floor().clamp(max=rows - 1) if rows else signal
                for signal, rows in zip(signals, self.rows or [0] * len(signals))]

    def as_taken(self, signals: Sequence[Tensor]) -> List[Tensor]:
        """Signals with the axes that the forward takes."""
        signals = [signal.long() if rows else signal for signal, rows in zip(signals, self.rows or [0] * len(signals))]
        if self.flat:
            return [signal.squeeze(1) for signal in signals]
        return [signal.movedim(-1, self.axes(i).index(TIME)).contiguous() for i, signal in enumerate(signals)]


class Described(NamedTuple):
    """The node of a forward, and how many numbers one of its output frames has, or all of those of a window."""

    node: Node
    numbers: int


def describe_forward(describer: Any, root: nn.Module, path: str, inputs: Optional[Sequence[int]], size: Optional[int] = None,
                     rates: Optional[Sequence[int]] = None, time_axis: int = -1, outputs: Chosen = False,
                     controls: Optional[Mapping[str, Control]] = None) -> Described:
    """The Graph node (a Sequential if nothing branches) of what `root`'s own forward does. With `size`, it runs on windows of
    so many frames. A forward that takes (batch, time) only gets that, and one that looks up its signal in a table whole numbers.
    `outputs`: which of several are wanted, `controls`: the arguments that are knobs. Errors: ExportError."""
    knobs = Knobs(controls or {})
    rows = table_rows(root) if size is None else 0
    try:
        return _described_flat(describer, root, path, inputs, size, rates, time_axis, (), outputs, knobs)
    except ExportError as error:
        if not rows or "indices" not in str(error):
            raise
    signals = len(_signal_names(root, path, inputs, knobs.controls)[0])
    for i in range(signals):
        try:
            return _described_flat(describer, root, path, inputs, size, rates, time_axis, [rows * (k == i) for k in range(signals)],
                                   outputs, knobs)
        except ExportError as error:
            if i + 1 == signals or "indices" not in str(error):
                raise


def _described_flat(describer: Any, root: nn.Module, path: str, inputs: Optional[Sequence[int]], size: Optional[int],
                    rates: Optional[Sequence[int]], time_axis: int, rows: Sequence[int], outputs: Chosen,
                    knobs: Knobs) -> Described:
    one = not knobs.controls and size is None and time_axis == -1 and rates is None and (inputs is None or list(inputs) == [1])
    with inference(root):
        flat = one and inputs is None and any(rows) and takes_no_channels(root, True)
    if not flat:
        try:
            return _described(describer, root, path, inputs, size, rates, time_axis, rows, outputs, knobs)
        except ExportError:
            with inference(root):
                if not one or not takes_no_channels(root, any(rows)):
                    raise
    with inference(root):
        return _Export(describer, root, path, Layout([1], [1], -1, True, rows), ["x"], None, outputs, Knobs({})).node()


def _described(describer: Any, root: nn.Module, path: str, inputs: Optional[Sequence[int]], size: Optional[int],
               rates: Optional[Sequence[int]], time_axis: int, rows: Sequence[int], outputs: Chosen, knobs: Knobs) -> Described:
    names, inputs = _signal_names(root, path, inputs, knobs.controls)
    if size is not None and len(names) != 1:
        raise fail(path, root, f"takes {len(names)} signals, but a window is one")
    if inputs is not None and len(inputs) != len(names):
        raise fail(path, root, f"takes {len(names)} signals, but inputs gives the channels of {len(inputs)}")
    space: Tuple[int, ...] = ()
    if inputs is not None and type(inputs[0]) is tuple:
        space, inputs = inputs[0][1:], [inputs[0][0], *inputs[1:]]
    with inference(root):
        if rates is None and inputs is not None and len(names) > 1:
            def at_rates(tried: Sequence[int], length: int) -> List[Tensor]:
                layout = Layout(inputs, tried, time_axis, False, rows, space)
                return [like(root, signal) for signal in layout.as_taken(layout.signals(2, layout.frames(length), 0))]

            tried = fitting(root, knobs, lambda turned: turned(*at_rates([1] * len(names), SAMPLE_LENGTHS[0][0])))
            rates = signal_rates(Turned(root, tried), len(names), at_rates)
        rates = list(rates or [1] * len(names))
        if len(rates) != len(names) or rates[0] != 1:
            raise fail(path, root, f"takes {len(names)} signals, but rates is {rates}: it must have a number for each, the "
                                   f"first one 1")
        if inputs is None:
            def signals(counts: Sequence[int], length: int) -> List[Tensor]:
                layout = Layout(counts, rates, time_axis, False, rows)
                made = [torch.zeros(1, count, frames) for count, frames in zip(counts, layout.frames(length))]
                return [like(root, signal) for signal in layout.as_taken(made)]

            try:
                found: List[List[int]] = []
                fitting(root, knobs, lambda turned: found.append(signal_channels(turned, path, names, signals)))
                inputs = found[0] if found else signal_channels(Turned(root, knobs), path, names, signals)
            except ExportError as error:  # perhaps there is a reason however many there are
                for counts in error.choices if time_axis == -1 else ():
                    refuse_first(describer, root, path, counts[0], size, len(names), outputs)
                raise
        layout = Layout(list(inputs), rates, time_axis, False, rows, space)

        def of_two_sizes(turned: Turned) -> None:
            """Runs it with batches that no number of channels can be taken for."""
            for lengths in (SHORT_LENGTHS, *SAMPLE_LENGTHS[:4]):
                with contextlib.suppress(Exception):
                    for batch in (3, 5):
                        turned(*(like(root, each) for each in layout.as_taken(layout.signals(batch, layout.frames(lengths[0]), 0))))
                    return
            raise ValueError

        knobs = fitting(root, knobs, of_two_sizes)
        return _Export(describer, root, path, layout, names, size, outputs, knobs).node()


def refuse_first(describer: Any, root: nn.Module, path: str, channels: int, size: Optional[int] = None,
                 signals: int = 1, outputs: Chosen = False) -> None:
    """Throws what keeps a network of unknown channels from being exported however many it has, as far as `channels` show it."""
    names = [f"input{i}" for i in range(signals)]
    with inference(root):
        one = _Export(describer, root, path, Layout([channels] * signals, [1] * signals, -1), names, size, outputs, Knobs({}))
        try:
            one.record(one.first_run(), 0)
            one.node()
        except _Raised:  # the forward does not run for so many
            return


def _signal_names(root: nn.Module, path: str, inputs: Any, controls: Mapping[str, Control]) -> Tuple[List[str], Any]:
    """The arguments of forward that are signals: those without a default, or as many as `inputs` has; and the channels of each,
    if these are known."""
    names = _argument_names(root, None if isinstance(inputs, dict) else inputs, controls)
    if not isinstance(inputs, dict):
        return names, inputs
    if set(inputs) != set(names):
        raise fail(path, root, f"takes the signals {', '.join(names)}, but inputs gives the channels of {', '.join(inputs)}")
    return names, [inputs[name] for name in names]


def _argument_names(root: nn.Module, inputs: Optional[Sequence[int]], controls: Mapping[str, Control]) -> List[str]:
    if isinstance(root, nn.Sequential) and type(root).forward is nn.Sequential.forward:
        return ["x"]
    try:
        parameters = list(inspect.signature(root.forward).parameters.values())
    except (TypeError, ValueError):  # a builtin in the place of a forward
        return ["x"]
    names = [each.name for each in parameters if each.kind in (each.POSITIONAL_ONLY, each.POSITIONAL_OR_KEYWORD)]
    names = [name for name in names if name not in controls]
    needed = [each.name for each in parameters if each.name in names and each.default is each.empty]
    more = any(each.kind == each.VAR_POSITIONAL for each in parameters)
    if inputs is None:
        return needed or names[:1] or (["input"] if more else needed)
    if len(inputs) > len(names) and more:
        return names + [f"input{i}" for i in range(len(names), len(inputs))]
    return names[:max(len(inputs), len(needed))]


class _Raised(Exception):
    """What a forward raised, and in which module."""

    def __init__(self, error: Exception, path: str, module: nn.Module) -> None:
        super().__init__(str(error))
        self.error, self.path, self.module = error, path, module


class _Mismatch(Exception):
    """What was written is not what the module does for signals of this length."""

    def __init__(self, run: Run, reason: str) -> None:
        super().__init__(reason)
        self.run, self.reason = run, reason


class _Export:
    """One forward on its way into the file."""

    def __init__(self, describer: Any, root: nn.Module, path: str, layout: Layout, names: Sequence[str],
                 size: Optional[int], outputs: Chosen, knobs: Knobs) -> None:
        self.chosen, self.knobs = outputs, knobs
        self.call = Turned(root, knobs) if knobs.controls else root
        self.describer, self.root, self.path, self.layout, self.names, self.size = describer, root, path, layout, names, size
        self.before, self.depth = dict(describer.tensors), describer.depth
        self.given = dict(describer.given_channels)
        self.seconds = 1e-4  # for a frame
        self.telling: Set[int] = set()
        self.largest_difference = 0.0

    # Errors.

    def failed(self, message: str, place: Optional[Place] = None, cure: str = "", gives: Optional[Sequence[int]] = None) -> ExportError:
        if place is None:
            return fail(self.path, self.root, f"{message}{cure}")
        leaf = type(place.module).__module__.startswith("torch.nn.") and place.module is not self.root
        path, module = (place.path, place.module) if leaf else (place.owner_path, place.owner)
        line = f"{place.line}, which gives {tuple(gives)}" if place.line and gives else place.line
        return fail(join(self.path, path) if path else self.path, module, f"{message}{line}{cure}")

    def refused(self, reason: Refused, place: Optional[Place]) -> ExportError:
        gives = reason.gives if reason.step is None else None
        error = self.failed(str(reason), reason.step or place, OR_REGISTER if isinstance(reason, Unknown) else "", gives)
        error.by_length = isinstance(reason, ByLength)
        error.shown = reason.frames if isinstance(reason, Unseen) else 0
        return error

    def raised(self, raised: _Raised, length: int) -> ExportError:
        """What the forward itself raised."""
        path = join(self.path, raised.path) if raised.path else self.path
        where = f"{one_line(raised.error)}{_line_of(raised.error)}"
        if self.size is not None:
            return fail(path, raised.module, f"its forward fails for a window of shape ({self.layout.channels[0]}, {length}): "
                                             f"{where}")
        return fail(path, raised.module, f"its forward fails for signals of {length} frames: {where}{self.channels_last()}"
                    + self.without_time())

    def channels_last(self) -> str:
        """A hint, if a forward that fails takes its signals with the channels last."""
        if self.layout.time_axis in (0, 1) or self.layout.space:
            return ""
        with contextlib.suppress(Exception):
            frames = self.layout.frames(SAMPLE_LENGTHS[0][0])
            self.call(*(like(self.root, torch.zeros(2, n, count)) for count, n in zip(self.layout.channels, frames)))
            return ("; it runs for (batch, frames, channels), but a signal is (batch, channels, frames): say time_axis=1, or "
                    "transpose it "
                    "in the forward, x.transpose(1, 2), and back at the end")
        return ""

    def without_time(self) -> str:
        """A hint, if a forward that fails takes its further inputs without a time."""
        if len(self.names) == 1:
            return ""
        with contextlib.suppress(Exception):
            first, *more = self.layout.as_taken(self.layout.signals(2, self.layout.frames(SAMPLE_LENGTHS[0][0]), 0))
            self.root(*(like(self.root,
                             each) for each in (first, *(torch.zeros(2, count) for count in self.layout.channels[1:]))))
            cure = ", ".join(f"{name!r}: Control({count})" for name, count in zip(self.names[1:], self.layout.channels[1:]))
            return f"; it runs if {' and '.join(self.names[1:])} has no time: say that it is a knob, inputs={{{cure}}}"
        return ""

    # Running.

    @property
    def inputs(self) -> int:
        """Signals and knobs."""
        return len(self.names) + len(self.knobs.controls)

    def is_whole(self, module: nn.Module) -> bool:
        if is_registered(module) or isinstance(module, resample_class()):
            return self.size is not None or module is not self.root
        if isinstance(module, Continual):
            return True
        if isinstance(module, (Residual, Parallel)):
            return self.size is None and module is not self.root
        return isinstance(module, MARKERS) and type(module).forward in [cls.forward for cls in MARKERS] and (
            self.size is not None or module is not self.root)

    def check(self, module: nn.Module, path: str, caller: nn.Module) -> None:
        if is_registered(module):
            return
        path = join(self.path, path)
        reason = foreign(module)
        if reason is not None:
            raise Stop(fail(path, module, reason))
        bare = isinstance(module, RECURRENT) and type(caller).forward is nn.Sequential.forward and (
            type(module).forward in [cls.forward for cls in RECURRENT])
        if bare and self.size is not None:
            raise Stop(fail(path, module, WRAP_RECURRENT))
        if bare or isinstance(module, nn.RNNCellBase) or of_images(type(module).__name__) and self.describer.refuses(module):
            raise Stop(self.describer.refusal(module, path))

    def record(self, run: Run, seed: int) -> Recording:
        recorder = Recorder(self.root, self.is_whole, self.check)
        signals = self.layout.as_taken(self.layout.signals(run.batch, run.frames, seed))
        try:
            knobs = self.knobs.as_taken(self.knobs.values(run.batch, seed))
            return recorder.run([like(self.root, signal) for signal in signals],
                                {name: like(self.root, value) for name, value in knobs.items()})
        except Stop as stop:
            raise stop.error from None
        except Refused as reason:
            raise self.refused(reason, recorder.where) from reason
        except Exception as error:  # whatever the forward raises
            raise _Raised(error, *recorder.entered[-1]) from error

    def first_run(self) -> Run:
        return self.run(SAMPLE_LENGTHS[0][0]) if self.size is None else Run(3, (self.size,))

    def run(self, length: int, batch: int = 2) -> Run:
        return Run(batch, self.layout.frames(length))

    # Writing.

    def node(self) -> Described:
        if self.size is not None:
            runs = [Run(3, (self.size,)), Run(3, (self.size,)), Run(2, (self.size,))]
            try:
                recordings = [self.record(run, i) for i, run in enumerate(runs)]
            except _Raised as error:
                raise self.raised(error, self.size) from error
            return self.compared(recordings, runs)
        raised: Optional[ExportError] = None
        refused: Optional[ExportError] = None
        unseen: Optional[ExportError] = None
        waiting = list(self.lengths())
        while waiting:
            lengths, began = waiting.pop(0), time.perf_counter()
            few = 1 if lengths is SHORT_LENGTHS else 2  # signals at once
            runs = [self.run(lengths[0], few), self.run(lengths[1], few), self.run(lengths[0], few + 1), self.run(lengths[2],
                                                                                                                  few)]
            recordings: List[Recording] = []
            try:
                for i, run in enumerate(runs):
                    recordings.append(self.record(run, i))
            except _Raised as error:  # too short, perhaps
                if recordings:
                    self.check_steady(recordings[0], runs[0])
                raised = raised or self.raised(error, lengths[0])
                continue
            with contextlib.suppress(_Raised):  # one that no stride divides, if it takes such
                odd = self.run(lengths[0] + 1, few)
                recordings.append(self.record(odd, len(runs)))
                runs.append(odd)
            took = time.perf_counter() - began
            try:
                return self.compared(recordings, runs)
            except ExportError as error:  # with longer signals it may be a pad up to a multiple of a stride
                if error.shown and took < _PATIENCE:
                    times = max(2, min(5, _MOST_SHOWN // error.shown))
                    waiting = [[times * length for length in lengths]]
                    unseen = error
                    continue
                refused = refused or error
                if not error.by_length or lengths[0] * self.seconds > _SECONDS or lengths[0] > _LONGEST_RETRY:
                    raise refused
        raise refused or unseen or raised

    def lengths(self) -> Sequence[Sequence[int]]:
        """Lengths to record, those that come first preferred: short ones for what takes long."""
        signals = self.layout.as_taken(self.layout.signals(2, self.layout.frames(SHORT_LENGTHS[0]), 0))
        began = time.perf_counter()
        try:
            self.call(*(like(self.root, signal) for signal in signals))
        except Exception:  # too short
            return SAMPLE_LENGTHS
        seconds = (time.perf_counter() - began) / 2
        self.seconds = seconds / SHORT_LENGTHS[0]
        return (SHORT_LENGTHS, *SAMPLE_LENGTHS) if seconds > _SLOW else SAMPLE_LENGTHS

    def compared(self, recordings: List[Recording], runs: List[Run]) -> Described:
        """The node; where the module does something else for other lengths than it shows, these are recorded, too."""
        while True:
            try:
                builder, outputs = self.written(recordings, runs)
            except ExportError:
                if self.tell(recordings, runs):
                    continue
                raise
            if self.tell(recordings, runs):
                continue
            node = self.finished(builder, outputs)
            value = builder.values[outputs[0].value.number]
            described = Described(node, value.channels * (value.frames[0] if builder.windows else 1))
            if not self.describer.check:
                return described
            try:
                self.compare(node, builder, outputs, runs)
                return described
            except _Mismatch as mismatch:
                if mismatch.run in runs or len(runs) >= _MOST_RUNS or self.size is not None:
                    raise self.failed(mismatch.reason) from None
                run = mismatch.run if mismatch.run._replace(batch=2) in runs else mismatch.run._replace(batch=2)
                recordings.append(self.record(run, len(runs)))
                runs.append(run)

    def tell(self, recordings: List[Recording], runs: List[Run]) -> bool:
        """Records the lengths that would show more; whether there are any."""
        before, known = len(runs), [run.frames[0] for run in runs]
        for length in sorted(self.telling):
            if length not in known and length < 2 * max(known) and len(runs) < _MOST_RUNS:
                with contextlib.suppress(_Raised):
                    recordings.append(self.record(self.run(length), len(runs)))
                    runs.append(self.run(length))
        self.telling.clear()
        return len(runs) > before

    def written(self, recordings: Sequence[Recording], runs: Sequence[Run]) -> Tuple[Builder, List[Output]]:
        describer = self.describer
        describer.tensors, describer.depth = dict(self.before), self.depth
        describer.given_channels = dict(self.given)
        try:
            aligned = align(recordings, runs, self.inputs)
        except Refused as reason:
            self.check_steady(recordings[0], runs[0])
            raise self.refused(reason, None) from reason
        builder = Builder(describer, self.root, self.path, runs, self.layout.channels, self.layout.rates, self.size,
                          list(self.knobs.controls.values()), self.layout.space)
        builder.telling = self.telling
        try:
            axes = [self.layout.axes(i) for i in range(len(self.names))]
            return builder, Walk(builder, aligned, axes, self.root, self.failed, self.refused, self.knobs).outputs(self.chosen)
        except Depends as depends:
            self.check_steady(recordings[0], runs[0])
            raise depends.error from None

    def check_steady(self, recording: Recording, run: Run) -> None:
        """Throw if the forward does something else when it is called once more."""
        try:
            once_more = self.record(run, 0)
        except _Raised:
            return
        try:
            steps = align([recording, once_more], [run, run], self.inputs).steps
            different = next((step.place for step in steps if contains((step.args, step.kwargs), (Number, Varying))), None)
        except Refused as reason:
            different = reason.step
        if different is None:
            return
        if recording.random is not None:
            raise self.failed("makes something random, which differs from run to run", recording.random)
        raise self.failed("does something else each time it is called: it keeps something for the next call, but a stream "
                          "keeps the state of "
                          "recurrent layers by itself", different)

    def finished(self, builder: Builder, outputs: Sequence[Output]) -> Node:
        """The nodes that lead to the outputs, renumbered."""
        signals, wanted, waiting = len(self.names), set(), [output.value.number for output in outputs]
        while waiting:
            number = waiting.pop()
            if number not in wanted:
                wanted.add(number)
                if number >= self.inputs:
                    node = builder.nodes[number - self.inputs]
                    waiting.extend([*node["from"], *([node["of"]] if "of" in node else [])])
        for i, name in enumerate([*self.names, *self.knobs.controls]):
            if i not in wanted:
                raise fail(self.path, self.root, f"its output does not depend on its input {name}")
        numbers = {i: i for i in range(signals)}
        nodes: List[Node] = []
        kept = {builder.nodes[number - self.inputs]["path"] for number in wanted - builder.timeless if number >= self.inputs}
        for number in sorted(wanted - builder.timeless - set(range(signals))):
            node = dict(builder.nodes[number - self.inputs])
            node["from"] = [numbers[source] for source in node["from"]]
            if "of" in node:
                node = builder.knob_node(node, list(self.knobs.controls), list(self.knobs.controls.values()), kept)
            numbers[number] = signals + len(nodes)
            nodes.append(node)
        self.forget(builder, kept)
        channels = self.layout.channels
        if len(outputs) == 1 and signals == 1 and all(node["from"] == [i] and node["type"] != "Reduce" for i, node in enumerate(nodes)):
            for node in nodes:
                del node["from"]
            if self.size is not None and len(nodes) == 1 and not isinstance(self.root, nn.Sequential) and (
                    self.is_whole(self.root) or type(self.root).__module__.partition(".")[0] in ("torch", "eigenstream")):
                return nodes[0]
            return {"type": "Sequential", "path": self.path, "layers": nodes}
        graph = {"type": "Graph", "path": self.path, "in_channels": channels[0]}
        if signals > 1:
            graph["more_channels"] = list(channels[1:])
            graph["more_rates"] = [number for rate in self.layout.rates[1:] for number in (1, rate)]
        if len(outputs) > 1:
            graph["outputs"] = [numbers[output.value.number] for output in outputs]
            graph["output_names"] = [output.name for output in outputs]
        return {**graph, "nodes": nodes}

    def forget(self, builder: Builder, kept: Set[str]) -> None:
        """Takes away the tensors of nodes that lead nowhere; `kept` are the paths of those that do not."""
        for node in builder.nodes:
            path = node["path"]
            if path in kept or not path:
                continue
            for name in list(self.describer.tensors):
                used = name in self.before or any(name.startswith(f"{each}.") for each in kept)
                if name.startswith(f"{path}.") and not used:
                    del self.describer.tensors[name]

    # Comparing.

    def compare(self, node: Node, builder: Builder, outputs: Sequence[Output], runs: Sequence[Run]) -> None:
        """Throws _Mismatch for a length for which the node gives something else than the module."""
        folded, self.largest_difference = fold_crops(node), builder.largest_difference
        if self.size is not None:
            self.compare_one(folded, outputs, runs[1], 101)
            return
        start, began = runs[0].frames[0] + 1, time.perf_counter()
        fewest = _FEWEST_LENGTHS if self.seconds * SHORT_LENGTHS[0] < _SLOW else 2
        self.compare_one(folded, outputs, runs[-1] if len(runs) > 5 else runs[0]._replace(batch=1), 100)
        for i, length in enumerate(_lengths(start, builder.cycle())):
            if i >= fewest and time.perf_counter() - began > _SECONDS:
                break
            self.compare_one(folded, outputs, self.run(length, 1 + i % 2), 101 + i)
        first = runs[0].frames[0]
        longer = next((times * first for times, most in _LONGER if 2 * times * first * self.seconds < most and all(
            scores_of(node, times * first) <= _MOST_SCORES for node in builder.nodes)), None)
        if longer is not None:  # longer than what looks at a number of frames from the end
            self.compare_one(folded, outputs, self.run(longer, 1), 100)

    def compare_one(self, node: Node, outputs: Sequence[Output], run: Run, seed: int) -> None:
        signals, knobs = self.layout.signals(run.batch, run.frames, seed), self.knobs.values(run.batch, seed)
        try:
            taken = self.knobs.as_taken(knobs)
            result = plain(self.root(*(like(self.root, signal) for signal in self.layout.as_taken(signals)),
                                     **{name: like(self.root, value) for name, value in taken.items()}))
        except Exception:  # whatever it raises, it does not take such a length
            return
        try:
            results = choose(result, self.chosen, type(result).__name__)
        except Refused:
            results = []
        if [each.name for each in results] != [each.name for each in outputs] or not all(
                isinstance(each.value, Tensor) and each.value.dim() == len(output.value.axes)
                for each, output in zip(results, outputs)):
            raise _Mismatch(run, f"for signals of {run.frames[0]} frames its forward gives something else than for others")
        try:
            given = apply_node(node, self.describer.tensors, signals[0], self.size is not None, self.describer.custom_forward,
                               signals[1:], dict(zip(self.knobs.controls, knobs)))
        except Refused as reason:
            raise self.failed(str(reason)) from reason
        except RuntimeError as error:
            raise _Mismatch(run, f"what was recorded does not run for signals of {run.frames[0]} frames: {one_line(error)}") from error
        for own, each, output in zip(given if len(outputs) > 1 else [given], results, outputs):
            name = f" of its output {output.name!r}" if len(outputs) > 1 else ""
            self.compare_output(run, name, own.flatten(1, -2), self.as_stream(each.value.to("cpu", torch.float32), output.value))

    def compare_output(self, run: Run, name: str, given: Tensor, wanted: Tensor) -> None:
        if self.size is not None:
            given, wanted = (each.transpose(1, 2).flatten(1) for each in (given, wanted))
        if given.shape != wanted.shape:
            raise _Mismatch(run, f"what would be written gives {tuple(given.shape)}, the module {tuple(wanted.shape)}{name}, for "
                                 f"signals of "
                                 f"{run.frames[0]} frames")
        apart = difference(given, wanted)
        if apart > self.largest_difference:
            raise _Mismatch(run, f"what would be written differs from the module by {apart:.2g} of its largest value{name}: its "
                                 f"forward does "
                                 "something that a recording does not show, or keeps something for the next call; a stream "
                                 "keeps the "
                                 "state of recurrent layers by itself")

    def as_stream(self, y: Tensor, output: Signal) -> Tensor:
        """A tensor that the module gives as (batch, channels, time)."""
        if self.size is not None:
            return y if y.dim() == 3 else y.unsqueeze(-1)
        order = [output.axes.index(BATCH), *(i for i, role in enumerate(output.axes) if role == SPACE), output.axes.index(TIME)]
        y = y.permute(order)
        return y.reshape(y.shape[0], -1, y.shape[-1]) if y.numel() else y.new_empty(y.shape[0], output.channels, y.shape[-1])


def difference(given: Tensor, wanted: Tensor) -> float:
    """The largest difference, as a part of the largest value; of numbers that are not finite, none if both are alike."""
    if not given.numel():
        return 0.0
    if not torch.equal(given.isfinite(), wanted.isfinite()):
        return float("inf")
    finite = wanted.isfinite()
    if not bool(finite.any()):
        return 0.0
    given, wanted = given[finite], wanted[finite]
    return float((given - wanted).abs().max() / wanted.abs().max().clamp(min=1e-30)) if bool((given != wanted).any()) else 0.0


def _lengths(start: int, cycle: int) -> Iterator[int]:
    """Lengths with every remainder that matters to a network that repeats after `cycle` frames, far ones in turn."""
    count = max(4, min(cycle, LARGEST_SWEEP))
    yield from range(start, start + 3)
    step = next(step for step in range(int(count * 0.618) | 1, 2 * count + 2) if _coprime(step, count))
    spread = max(1, cycle // count)
    for i in range(count):
        yield start + (i * step % count) * spread


def _coprime(a: int, b: int) -> bool:
    while b:
        a, b = b, a % b
    return a == 1


def _line_of(error: BaseException) -> str:
    """The line of the forward that raised an error."""
    frames = reversed(traceback.extract_tb(error.__traceback__))
    return next((f" ({frame.line})" for frame in frames if frame.line and is_users(frame.filename)), "")
