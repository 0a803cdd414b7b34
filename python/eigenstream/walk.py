"""Goes through the steps of a forward, and has each written as nodes of a graph."""

from __future__ import annotations

import functools
from typing import Any, Callable, Dict, List, Optional, Sequence, Set, Union

from torch import Tensor, nn

from .align import Aligned, Number, Step, Varying, contains
from .calls import HANDLERS
from .calls.attention import own_handler
from .calls.spectra import Complex, complex_call, has_complex
from .calls.writes import Written
from .controls import Knobs
from .errors import ExportError, Refused, Unknown, one_line
from .graph import Builder
from .known import OF_IMAGES, of_images
from .outputs import Chosen, Output, choose, suggestion
from .record import Place, Ref, refs_in
from .scores import Replayed, Scores
from .signals import BATCH, SPACE, TIME, Lost, Signal, in_order, index_of_frames, what


class Depends(Exception):
    """A refusal of what is not the same in all runs."""

    def __init__(self, error: ExportError) -> None:
        super().__init__(str(error))
        self.error = error


class Walk:
    """Goes through the steps of a forward and has each written."""

    def __init__(self, builder: Builder, aligned: Aligned, axes: Sequence[Sequence[str]], root: nn.Module,
                 failed: Callable[..., ExportError],
                 refused: Callable[[Refused, Optional[Place]], ExportError], knobs: Knobs) -> None:
        self.builder, self.aligned, self.root, self.failed, self.refused = builder, aligned, root, failed, refused
        self.values: Dict[int, Any] = {}
        for i, value in enumerate(builder.values[:builder.signals]):
            index = in_order(value.channels)
            own = axes[i] if i not in builder.timeless else knobs.forms[i - builder.signals + len(knobs.forms)]
            self.values[i] = Signal(i, own, index if SPACE in own else index.reshape(()), value.frames)
        if builder.space:  # as it lies: width and height behind the channels
            order = index_of_frames(builder.values[builder.main].channels, builder.space)
            self.values[0] = Signal(builder.main, axes[0], order, builder.values[0].frames)

    def outputs(self, chosen: Chosen) -> List[Output]:
        """What the forward gives of what is wanted, as the stream has it: (batch, channels, time)."""
        try:
            results = choose(self.aligned.output, chosen, self.aligned.kind)
        except Refused as reason:
            raise self.failed(str(reason)) from reason
        good = [each.name for each in results if isinstance(each.value, Ref)]
        for each in results:
            if not isinstance(each.value, Ref):
                raise self.failed(self.why_not(each, results) + suggestion(results, good))
        needed = {each.name: self.needed_for(each.value) for each in results}
        step: Optional[Step] = None
        for step in self.aligned.steps:
            numbers = {ref.number for ref in refs_in(step.outputs)}
            leads_to = [name for name, wanted in needed.items() if numbers & wanted]
            if leads_to:
                self.builder.step = step
                try:
                    self.bind(step.outputs, self.call(step))
                except Refused as reason:
                    cured = self.with_cure(reason, results, leads_to)
                    if step.shapes and step.shapes[0]:
                        cured.gives = step.shapes[0][0]
                    error = self.refused(cured, step.place)
                    if contains((step.args, step.kwargs), (Number, Varying)):
                        raise Depends(error) from reason
                    raise error from reason
        finished: List[Output] = []
        for each in results:
            try:
                finished.append(each._replace(value=self.finished(self.known(each.value), step)))
            except Refused as reason:
                made = [own for own in self.aligned.steps if each.value in refs_in(own.outputs)]
                place = made[-1].place if made and len(results) > 1 else None if step is None else step.place
                raise self.refused(self.with_cure(reason, results, [each.name]), place) from reason
        return finished

    def why_not(self, output: Output, results: Sequence[Output]) -> str:
        """Why something that is no tensor of the recording cannot be an output."""
        name = f"its output {output.name!r}" if len(results) > 1 else "its output"
        if isinstance(output.value, (Tensor, Varying)):
            return f"{name} does not depend on its input"
        kinds = {Number: "a number", int: "a number", float: "a number", bool: "a number", type(None): "None"}
        kind = kinds.get(type(output.value), f"a {self.aligned.kind if len(results) == 1 else type(output.value).__name__}")
        return f"its forward gives {kind}, not one signal" if len(results) == 1 else f"{name} is {kind}, not a signal"

    def needed_for(self, result: Ref) -> Set[int]:
        needed = {result.number}
        for step in reversed(self.aligned.steps):
            if any(ref.number in needed for ref in refs_in(step.outputs)):
                needed.update(ref.number for ref in (*refs_in(step.args), *refs_in(step.kwargs)))
        return needed

    @staticmethod
    def with_cure(reason: Refused, results: Sequence[Output], leads_to: Sequence[str]) -> Refused:
        """A reason that keeps some outputs from being written, with the way to leave these out."""
        good = [each.name for each in results if each.name not in leads_to]
        if not good:
            return reason
        names = " and ".join(map(repr, leads_to))
        error = type(reason)(f"{reason}; only its output {names} needs this{suggestion(results, good)}")
        error.step = reason.step
        return error

    def known(self, value: Any) -> Any:
        """A value with what its numbers are."""
        if isinstance(value, Ref):
            found = self.values[value.number]
            if isinstance(found, Lost):
                raise found.refused()
            return found.signal(self.builder) if isinstance(found, Written) else found
        if isinstance(value, tuple):
            return tuple(self.known(each) for each in value)
        if isinstance(value, dict):
            return {key: self.known(each) for key, each in value.items()}
        if isinstance(value, slice):
            return slice(*(self.known(each) for each in (value.start, value.stop, value.step)))
        return value

    def call(self, step: Step) -> Any:
        filled = self.values[step.args[0].number] if step.name == "setitem" and isinstance(step.args[0], Ref) else None
        rest = step.args if filled is None else step.args[1:]
        args, kwargs = [*([] if filled is None else [filled]), *self.known(rest)], self.known(dict(step.kwargs))
        if "input" in kwargs:
            args.insert(0, kwargs.pop("input"))
        handler = own_handler(self.builder, step.name, args, kwargs)
        if handler is None and has_complex(args, kwargs):
            return self.checked(step, self.handled(step, functools.partial(complex_call, self.builder, step.name), args, kwargs))
        handler = handler or HANDLERS.get(step.name) or HANDLERS.get(step.name.rstrip("_"))
        if handler is None:
            if of_images(step.name):
                raise Refused(f"{step.name}: {OF_IMAGES}")
            raise Unknown(f"{step.name} is not supported")
        return self.checked(step, self.handled(step, lambda given, named: handler(self.builder, *given, **named), args, kwargs))

    @staticmethod
    def handled(step: Step, handler: Callable[..., Any], args: Any, kwargs: Any) -> Any:
        try:
            return handler(args, kwargs)
        except ExportError:
            raise
        except (TypeError, ValueError, AttributeError, KeyError, IndexError, RuntimeError) as error:
            raise Refused(f"{step.name.strip('_')}: {one_line(error)}") from error

    def checked(self, step: Step, result: Any) -> Any:
        if isinstance(result, (Signal, Complex)):
            self.check_shape(step, result)
        return result

    def check_shape(self, step: Step, result: Union[Signal, Complex]) -> None:
        """Throw if a value has not the shape of the tensor that it stands for."""
        for i, (run, shapes) in enumerate(zip(self.builder.runs, step.shapes)):
            shape = result.shape(i, run.batch)
            if shapes and tuple(shapes[0]) != shape:
                raise Refused(f"{step.name.strip('_')} gives {tuple(shapes[0])}, which is not understood: {shape} was expected")

    def bind(self, outputs: Any, values: Any) -> None:
        if isinstance(outputs, Ref):
            self.values[outputs.number] = values
        elif isinstance(outputs, tuple):
            if not isinstance(values, tuple) or len(values) != len(outputs):
                raise Refused("gives several tensors that are not understood")
            for each, value in zip(outputs, values):
                self.bind(each, value)

    def finished(self, result: Any, step: Optional[Step]) -> Signal:
        b = self.builder
        if isinstance(result, Replayed):
            raise result.refusal
        if isinstance(result, Complex):
            raise Refused(f"its forward gives {result!r}; a stream has real ones: torch.view_as_real(x), or x.abs()")
        if not isinstance(result, Signal) or isinstance(result, Scores):
            raise Refused(f"its forward gives {what(result)}, not one signal")
        if b.step is None:  # the input itself
            b.step = Step("identity", (), {}, None, [], Place("", self.root, "", self.root, "", 0))
        if b.windows:
            return self.window(result)
        if BATCH not in result.axes or TIME not in result.axes:
            raise Refused(f"its forward gives {result!r}, which has no time")
        ended = b.ended(result)
        dims = [dim for dim, role in enumerate(result.axes) if role == SPACE]
        if len(dims) in (2, 3) and (b.space or b.values[ended.number].space != (1, 1)):
            return b.framed(ended, [*dims[1:], dims[0]])
        y = b.ordered(ended)
        return b.with_shape(y, (y.channels, 1, 1)).replaced(axes=result.axes)

    def window(self, result: Signal) -> Signal:
        """What a window becomes: (batch, channels, time), or features (batch, channels)."""
        b = self.builder
        if result.axes[0] != BATCH:
            raise Refused(f"its forward gives {result!r}; permute it back")
        if len(result.axes) not in (2, 3):
            raise Refused(f"its forward gives {result!r}, not (windows, channels, frames) or (windows, features)")
        if TIME in result.axes and len(result.axes) == 3:
            return b.upright(result, "a window")
        if TIME in result.axes:
            return b.ordered(result)
        index = result.index.movedim(0, -1) if result.index.dim() == 2 else result.index
        return b.gather(result, index.flatten().tolist()).replaced(axes=result.axes)
